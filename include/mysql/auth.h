/*
 * Password arithmetic of mysql_native_password and caching_sha2_password, of both sides.
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

enum auth_plugin { AUTH_PLUGIN_NATIVE, AUTH_PLUGIN_CACHING_SHA2 };

const char *auth_plugin_name(enum auth_plugin plugin);

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

/* What a server keeps of a password: SHA1(SHA1(p)), SHA256(SHA256(p)). */
void auth_native_hash(uint8_t out[AUTH_NATIVE_LEN], struct bytes password);
void auth_sha2_hash(uint8_t out[AUTH_CACHING_SHA2_LEN], struct bytes password);
/* Whether a scramble was made of the nonce and the password behind the hash. The time taken depends
 * on the scramble's length only. */
bool auth_native_verify(struct bytes scramble, const uint8_t nonce[HANDSHAKE_NONCE],
                        const uint8_t hash[AUTH_NATIVE_LEN]);
bool auth_sha2_verify(struct bytes scramble, const uint8_t nonce[HANDSHAKE_NONCE],
                      const uint8_t hash[AUTH_CACHING_SHA2_LEN]);

/* An RSA key pair, with which clients without TLS can send a password to a server. */
struct auth_rsa_key;

struct auth_rsa_key *auth_rsa_key_new(void); /* a new one of 2048 bits; takes up to a second */
/* From an unencrypted private key in PEM. NULL if it is none of RSA with 2048 bits or more. */
struct auth_rsa_key *auth_rsa_key_load(struct bytes pem, struct err *err);
void auth_rsa_key_free(struct auth_rsa_key *key);
/* The public key in PEM; lives as long as the key. */
struct bytes auth_rsa_key_public(const struct auth_rsa_key *key);
/* Undoes auth_rsa_encrypt: appends the password without its NUL; out is to be wiped. -1 if the
 * cipher text is not of this key or holds no NUL at its end. */
int auth_rsa_decrypt(struct buf *out, const struct auth_rsa_key *key, struct bytes cipher,
                     const uint8_t nonce[HANDSHAKE_NONCE]);

#endif
