/* Scrambles and RSA encryption of passwords. */
#include "mysql/auth.h"

#include "base/mem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static void digest(const EVP_MD *md, uint8_t *out, struct bytes a, struct bytes b)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    BUG_ON(!ctx || !EVP_DigestInit_ex(ctx, md, NULL) || !EVP_DigestUpdate(ctx, a.p, a.n) ||
           !EVP_DigestUpdate(ctx, b.p, b.n) || !EVP_DigestFinal_ex(ctx, out, NULL));
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
