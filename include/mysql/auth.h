/*
 * Password arithmetic of mysql_native_password and caching_sha2_password, the client's side.
 *
 * Facts: manual, "Authentication Methods"; caching_sha2_password since 8.0.3. Nothing here keeps a
 * password; outputs that depend on one are the caller's to wipe.
 */
#ifndef BINLOGD_MYSQL_AUTH_H
#define BINLOGD_MYSQL_AUTH_H

#include "mysql/handshake.h"

#define AUTH_NATIVE       "mysql_native_password"
#define AUTH_CACHING_SHA2 "caching_sha2_password"

#define AUTH_NATIVE_LEN       20
#define AUTH_CACHING_SHA2_LEN 32

/* SHA1(p) xor SHA1(nonce + SHA1(SHA1(p))). */
void auth_native_scramble(uint8_t out[AUTH_NATIVE_LEN], const char *password,
                          const uint8_t nonce[HANDSHAKE_NONCE]);
/* SHA256(p) xor SHA256(SHA256(SHA256(p)) + nonce). */
void auth_sha2_scramble(uint8_t out[AUTH_CACHING_SHA2_LEN], const char *password,
                        const uint8_t nonce[HANDSHAKE_NONCE]);
/* Appends the password with its NUL, xor'ed with the repeated nonce, encrypted by the public key
 * (PEM) with RSA OAEP. -1 if the key cannot be read or is too small. */
int auth_rsa_encrypt(struct buf *out, const char *password, const uint8_t nonce[HANDSHAKE_NONCE],
                     struct bytes pem, struct err *err);

#endif
