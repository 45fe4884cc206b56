/* Scrambles, their check, and RSA encryption of passwords. */
#include "mysql/auth.h"

#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static void digest(const EVP_MD *md, uint8_t *out, struct bytes a, struct bytes b)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    mem_need(ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, a.p, a.n) &&
             EVP_DigestUpdate(ctx, b.p, b.n) && EVP_DigestFinal_ex(ctx, out, NULL));
    EVP_MD_CTX_free(ctx);
}

static const struct bytes nothing = {(const uint8_t *)"", 0};

void auth_native_scramble(uint8_t out[AUTH_NATIVE_LEN], const char *password,
                          const uint8_t nonce[HANDSHAKE_NONCE])
{
    uint8_t once[AUTH_NATIVE_LEN], twice[AUTH_NATIVE_LEN];
    digest(EVP_sha1(), once, bytes_str(password), nothing);
    digest(EVP_sha1(), twice, bytes_of(once, sizeof once), nothing);
    digest(EVP_sha1(), out, bytes_of(nonce, HANDSHAKE_NONCE), bytes_of(twice, sizeof twice));
    for (int i = 0; i < AUTH_NATIVE_LEN; i++)
        out[i] ^= once[i];
    mem_wipe(once, sizeof once);
    mem_wipe(twice, sizeof twice);
}

void auth_sha2_scramble(uint8_t out[AUTH_CACHING_SHA2_LEN], const char *password,
                        const uint8_t nonce[HANDSHAKE_NONCE])
{
    uint8_t once[AUTH_CACHING_SHA2_LEN], twice[AUTH_CACHING_SHA2_LEN];
    digest(EVP_sha256(), once, bytes_str(password), nothing);
    digest(EVP_sha256(), twice, bytes_of(once, sizeof once), nothing);
    digest(EVP_sha256(), out, bytes_of(twice, sizeof twice), bytes_of(nonce, HANDSHAKE_NONCE));
    for (int i = 0; i < AUTH_CACHING_SHA2_LEN; i++)
        out[i] ^= once[i];
    mem_wipe(once, sizeof once);
    mem_wipe(twice, sizeof twice);
}

static EVP_PKEY *read_public_key(struct bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static int encrypt_oaep(struct buf *out, EVP_PKEY *key, struct bytes clear)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t n = 0;
    int ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
             EVP_PKEY_encrypt(ctx, NULL, &n, clear.p, clear.n) > 0 &&
             EVP_PKEY_encrypt(ctx, buf_reserve(out, n), &n, clear.p, clear.n) > 0;
    if (ok)
        buf_commit(out, n);
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : -1;
}

int auth_rsa_encrypt(struct buf *out, const char *password, const uint8_t nonce[HANDSHAKE_NONCE],
                     struct bytes pem, struct err *err)
{
    ERR_clear_error();
    EVP_PKEY *key = pem.n > 64 * 1024 ? NULL : read_public_key(pem);
    if (!key)
        return err_set(err, "the RSA public key is not readable as PEM");
    size_t n = strlen(password) + 1;
    uint8_t *clear = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        clear[i] = (uint8_t)password[i] ^ nonce[i % HANDSHAKE_NONCE];
    int rc = encrypt_oaep(out, key, bytes_of(clear, n));
    mem_wipe(clear, n);
    free(clear);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rc < 0 ? err_set(err, "the RSA public key cannot encrypt the password") : 0;
}

#define RSA_BITS 2048
#define PEM_MAX  (64 * 1024)

struct auth_rsa_key {
    EVP_PKEY *pair;
    struct buf public_pem;
};

const char *auth_plugin_name(enum auth_plugin plugin)
{
    return plugin == AUTH_PLUGIN_NATIVE ? AUTH_NATIVE : AUTH_CACHING_SHA2;
}

void auth_native_hash(uint8_t out[AUTH_NATIVE_LEN], struct bytes password)
{
    digest(EVP_sha1(), out, password, nothing);
    digest(EVP_sha1(), out, bytes_of(out, AUTH_NATIVE_LEN), nothing);
}

void auth_sha2_hash(uint8_t out[AUTH_CACHING_SHA2_LEN], struct bytes password)
{
    digest(EVP_sha256(), out, password, nothing);
    digest(EVP_sha256(), out, bytes_of(out, AUTH_CACHING_SHA2_LEN), nothing);
}

/* The scramble xor the mask gives the password's single hash, whose hash is the one held. */
static bool unmask_and_compare(const EVP_MD *md, uint8_t *mask, struct bytes scramble,
                               const uint8_t *hash)
{
    for (size_t i = 0; i < scramble.n; i++)
        mask[i] ^= scramble.p[i];
    digest(md, mask, bytes_of(mask, scramble.n), nothing);
    return CRYPTO_memcmp(mask, hash, scramble.n) == 0;
}

bool auth_native_verify(struct bytes scramble, const uint8_t nonce[HANDSHAKE_NONCE],
                        const uint8_t hash[AUTH_NATIVE_LEN])
{
    if (scramble.n != AUTH_NATIVE_LEN)
        return false;
    uint8_t mask[AUTH_NATIVE_LEN];
    digest(EVP_sha1(), mask, bytes_of(nonce, HANDSHAKE_NONCE), bytes_of(hash, AUTH_NATIVE_LEN));
    bool same = unmask_and_compare(EVP_sha1(), mask, scramble, hash);
    mem_wipe(mask, sizeof mask);
    return same;
}

bool auth_sha2_verify(struct bytes scramble, const uint8_t nonce[HANDSHAKE_NONCE],
                      const uint8_t hash[AUTH_CACHING_SHA2_LEN])
{
    if (scramble.n != AUTH_CACHING_SHA2_LEN)
        return false;
    uint8_t mask[AUTH_CACHING_SHA2_LEN];
    digest(EVP_sha256(), mask, bytes_of(hash, AUTH_CACHING_SHA2_LEN),
           bytes_of(nonce, HANDSHAKE_NONCE));
    bool same = unmask_and_compare(EVP_sha256(), mask, scramble, hash);
    mem_wipe(mask, sizeof mask);
    return same;
}

static struct auth_rsa_key *rsa_key_of(EVP_PKEY *pair)
{
    struct auth_rsa_key *key = mem_alloc(sizeof *key);
    key->pair = pair;
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    mem_need(bio && PEM_write_bio_PUBKEY(bio, pair) == 1);
    long n = BIO_get_mem_data(bio, &pem);
    wr_bytes(&key->public_pem, bytes_of(pem, (size_t)n));
    BIO_free(bio);
    return key;
}

struct auth_rsa_key *auth_rsa_key_new(void)
{
    ERR_clear_error();
    EVP_PKEY *pair = EVP_RSA_gen(RSA_BITS);
    mem_need(pair);
    return rsa_key_of(pair);
}

/* In place of asking a terminal for the pass phrase of an encrypted key. */
static int no_pass_phrase(char *dst, int size, int writing, void *ctx)
{
    (void)dst;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_private_key(struct bytes pem)
{
    BIO *bio = pem.n > PEM_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return key;
}

struct auth_rsa_key *auth_rsa_key_load(struct bytes pem, struct err *err)
{
    ERR_clear_error();
    EVP_PKEY *pair = read_private_key(pem);
    ERR_clear_error();
    if (!pair) {
        err_set(err, "the RSA private key is not readable as unencrypted PEM");
        return NULL;
    }
    if (!EVP_PKEY_is_a(pair, "RSA") || EVP_PKEY_get_bits(pair) < RSA_BITS) {
        err_set(err, "the private key is not one of RSA with %d bits or more", RSA_BITS);
        EVP_PKEY_free(pair);
        return NULL;
    }
    return rsa_key_of(pair);
}

void auth_rsa_key_free(struct auth_rsa_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pair);
    buf_fini(&key->public_pem);
    free(key);
}

struct bytes auth_rsa_key_public(const struct auth_rsa_key *key)
{
    return buf_bytes(&key->public_pem);
}

static int decrypt_oaep(struct buf *out, EVP_PKEY *key, struct bytes cipher)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t n = (size_t)EVP_PKEY_get_size(key);
    int ok = ctx && EVP_PKEY_decrypt_init(ctx) > 0 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
             EVP_PKEY_decrypt(ctx, buf_reserve(out, n), &n, cipher.p, cipher.n) > 0;
    if (ok)
        buf_commit(out, n);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : -1;
}

int auth_rsa_decrypt(struct buf *out, const struct auth_rsa_key *key, struct bytes cipher,
                     const uint8_t nonce[HANDSHAKE_NONCE])
{
    struct buf clear;
    buf_init(&clear);
    int rc = decrypt_oaep(&clear, key->pair, cipher);
    for (size_t i = 0; i < clear.len; i++)
        clear.data[i] ^= nonce[i % HANDSHAKE_NONCE];
    if (rc == 0 && clear.len && clear.data[clear.len - 1] == 0)
        wr_bytes(out, bytes_of(clear.data, clear.len - 1));
    else
        rc = -1;
    buf_fini_secret(&clear);
    return rc;
}
