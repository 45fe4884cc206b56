/* Password arithmetic: scrambles that real servers accepted, RSA with a key made here. */
#include "check.h"

#include "capture.h"
#include "mysql/auth.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define PASSWORD "Repl-secret_7"

static struct err err;

static void greeting_of(struct handshake_greeting *g, const char *file, const char *login)
{
    char name[64];
    snprintf(name, sizeof name, "%s.greeting", login);
    struct bytes b = capture_packet(file, name, 0);
    assert_int_equal(handshake_greeting_decode(g, b, &err), 0);
    capture_free(b);
}

static void assert_scramble(const char *file, const char *login, const uint8_t *got, size_t n)
{
    char name[64];
    snprintf(name, sizeof name, "%s.scramble", login);
    struct bytes expected = capture_packet(file, name, 0);
    assert_int_equal(expected.n, n);
    assert_memory_equal(expected.p, got, n);
    capture_free(expected);
}

static void native_scramble_is_what_real_servers_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *login;
    } cases[] = {{"wire-mysql-5.6.txt", "native"},
                 {"wire-mysql-5.6.txt", "switch"},
                 {"wire-mariadb-10.11.txt", "native"},
                 {"wire-mariadb-10.11.txt", "switch"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct handshake_greeting g;
        uint8_t out[AUTH_NATIVE_LEN];
        greeting_of(&g, cases[i].file, cases[i].login);
        auth_native_scramble(out, PASSWORD, g.nonce);
        assert_scramble(cases[i].file, cases[i].login, out, sizeof out);
    }
}

static void sha2_scramble_is_what_real_servers_accepted(void **state)
{
    (void)state;
    static const char *const logins[] = {"full", "fast", "switch", "insecure"};
    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        struct handshake_greeting g;
        uint8_t out[AUTH_CACHING_SHA2_LEN];
        greeting_of(&g, "wire-mysql-9.7.txt", logins[i]);
        auth_sha2_scramble(out, PASSWORD, g.nonce);
        assert_scramble("wire-mysql-9.7.txt", logins[i], out, sizeof out);
    }
}

static struct bytes pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    long n = BIO_get_mem_data(bio, &text);
    struct bytes pem = capture_copy(bytes_of(text, (size_t)n));
    BIO_free(bio);
    return pem;
}

static size_t decrypt(EVP_PKEY *key, struct bytes in, uint8_t *out, size_t cap)
{
    size_t n = cap;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, out, &n, in.p, in.n), 1);
    EVP_PKEY_CTX_free(ctx);
    return n;
}

static void rsa_encrypted_password_is_read_by_the_private_key(void **state)
{
    (void)state;
    static const char *const passwords[] = {"", "x", PASSWORD,
                                            "a password that is longer than the nonce, twice over"};
    const uint8_t nonce[] = "01234567890123456789";
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct bytes pem = pem_of(key);
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        struct buf out;
        uint8_t clear[256];
        buf_init(&out);
        assert_int_equal(auth_rsa_encrypt(&out, passwords[i], nonce, pem, &err), 0);
        assert_int_equal(buf_bytes(&out).n, 256);
        size_t n = decrypt(key, buf_bytes(&out), clear, sizeof clear);
        assert_int_equal(n, strlen(passwords[i]) + 1);
        for (size_t k = 0; k < n; k++)
            clear[k] ^= nonce[k % HANDSHAKE_NONCE];
        assert_string_equal((char *)clear, passwords[i]);
        buf_fini(&out);
    }
    capture_free(pem);
    EVP_PKEY_free(key);
}

static void assert_rsa_fails(const char *password, struct bytes pem, const char *text)
{
    struct buf out;
    buf_init(&out);
    const uint8_t nonce[HANDSHAKE_NONCE] = {1};
    assert_int_equal(auth_rsa_encrypt(&out, password, nonce, pem, &err), -1);
    assert_string_equal(err.text, text);
    assert_int_equal(buf_bytes(&out).n, 0);
    buf_fini(&out);
}

static void rsa_with_an_unreadable_key_fails(void **state)
{
    (void)state;
    static const char text[] = "the RSA public key is not readable as PEM";
    static char huge[64 * 1024 + 1];
    assert_rsa_fails(PASSWORD, bytes_of("", 0), text);
    assert_rsa_fails(PASSWORD, bytes_str("-----BEGIN PUBLIC KEY-----\nMIIB\n"), text);
    assert_rsa_fails(PASSWORD, bytes_of(huge, sizeof huge), text);
}

static void rsa_with_a_cut_key_fails(struct bytes pem, void *arg)
{
    (void)arg;
    struct buf out;
    buf_init(&out);
    const uint8_t nonce[HANDSHAKE_NONCE] = {1};
    assert_int_equal(auth_rsa_encrypt(&out, PASSWORD, nonce, pem, &err), -1);
    buf_fini(&out);
}

static void rsa_with_every_cut_of_a_key_fails(void **state)
{
    (void)state;
    struct bytes b = capture_packet("wire-mysql-9.7.txt", "full.key", 0);
    struct bytes pem = bytes_skip(b, 1);
    pem.n--; /* the newline at its end may be missing */
    capture_truncate(pem, rsa_with_a_cut_key_fails, NULL);
    capture_free(b);
}

static void rsa_with_a_key_that_cannot_encrypt_fails(void **state)
{
    (void)state;
    static const char text[] = "the RSA public key cannot encrypt the password";
    EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    struct bytes ec_pem = pem_of(ec), rsa_pem = pem_of(rsa);
    char password[300] = {0};
    memset(password, 'p', 213); /* with its NUL what OAEP can take of 2048 bits: 214 */
    struct buf out;
    buf_init(&out);
    const uint8_t nonce[HANDSHAKE_NONCE] = {1};
    assert_int_equal(auth_rsa_encrypt(&out, password, nonce, rsa_pem, &err), 0);
    buf_fini(&out);
    strcat(password, "p");
    assert_rsa_fails(password, rsa_pem, text);
    assert_rsa_fails(PASSWORD, ec_pem, text);
    capture_free(ec_pem);
    capture_free(rsa_pem);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_scramble_is_what_real_servers_accepted),
        cmocka_unit_test(sha2_scramble_is_what_real_servers_accepted),
        cmocka_unit_test(rsa_encrypted_password_is_read_by_the_private_key),
        cmocka_unit_test(rsa_with_an_unreadable_key_fails),
        cmocka_unit_test(rsa_with_every_cut_of_a_key_fails),
        cmocka_unit_test(rsa_with_a_key_that_cannot_encrypt_fails),
    };
    return RUN_TESTS(tests);
}
