/*
 * The server's side of the connection phase as a machine without I/O: it begins with the greeting
 * to be sent; feed it each payload that comes, send the payloads it makes, start TLS when it asks.
 *
 * A wrong password, an unknown user and a user who may not come from where he comes look and cost
 * the same: the finder answers with a decoy, which goes every way an account goes and never
 * matches. With caching_sha2_password the account's hash is always at hand, so a scramble is judged
 * at once, and one that does not match is refused without asking for the password itself, which a
 * source would do; full authentication is for clients that send no scramble.
 */
#ifndef BINLOGD_MYSQL_LOGIN_SERVER_H
#define BINLOGD_MYSQL_LOGIN_SERVER_H

#include "mysql/account.h"
#include "mysql/handshake.h"
#include "mysql/login_step.h"

#define LOGIN_SERVER_DATABASE_MAX 256 /* bytes with the NUL; a MySQL name has 64 characters */

/* Whether TLS is possible, and whether it must be. A local client is as good as one with TLS. */
enum login_server_tls { LOGIN_SERVER_TLS_OFF, LOGIN_SERVER_TLS_OFFERED, LOGIN_SERVER_TLS_REQUIRED };

struct login_server_opts {
    const char *version; /* for the greeting; cut at HANDSHAKE_VERSION_MAX - 1 bytes */
    uint32_t connection_id;
    const char *host; /* the client's address, as errors shall show it: no port */
    enum login_server_tls tls;
    bool local;                     /* a unix socket */
    const struct auth_rsa_key *rsa; /* NULL: no full authentication without TLS */
    /* The account, or a decoy (account_list_decoy); never NULL. It is copied at once. */
    const struct account *(*find)(void *ctx, const char *user);
    /* Asked when all else is right: whether the account may have one more connection. NULL: yes. */
    bool (*admit)(void *ctx, const struct account *account);
    /* Asked at the very end, when the client names a database: whether there is it. NULL: yes. */
    bool (*knows_database)(void *ctx, const char *name);
    void *ctx;
};

struct login_server;

/* opts and what it points to must outlive the machine. The greeting awaits to be taken. */
struct login_server *login_server_new(const struct login_server_opts *opts);
void login_server_free(struct login_server *ls);
enum login_step login_server_feed(struct login_server *ls, struct bytes payload, struct err *err);
enum login_step login_server_secured(struct login_server *ls, struct err *err);

/* Whether an encrypted password is right. To decrypt it takes a millisecond, which is the caller's
 * to spend where he has it: a check stands for itself, beside the key, which must live until it was
 * run. */
struct login_check {
    const struct auth_rsa_key *rsa;
    uint8_t nonce[HANDSHAKE_NONCE];
    uint8_t hash[AUTH_CACHING_SHA2_LEN]; /* that the password must have */
    struct buf cipher;
    bool right; /* by login_check_run */
};

/* After LOGIN_WANT_CHECK: hands it over, for login_check_run in any thread, and login_check_fini.
 */
void login_server_take_check(struct login_server *ls, struct login_check *check);
void login_check_run(struct login_check *check);
void login_check_fini(struct login_check *check);
enum login_step login_server_checked(struct login_server *ls, bool right, struct err *err);
/* Takes the next payload that is to be sent, of up to two after each call; valid until the next
 * call of another function. */
bool login_server_take(struct login_server *ls, struct bytes *payload);

/* The login failed by user name or password, as guessing would. */
bool login_server_denied(const struct login_server *ls);
/* Valid from LOGIN_DONE until free; the user name from the moment it is known, "" before. */
const char *login_server_user(const struct login_server *ls);
const char *login_server_database(const struct login_server *ls); /* "" when none was named */
const struct account *login_server_account(const struct login_server *ls);
/* Those of the client that were offered to it. */
uint32_t login_server_caps(const struct login_server *ls);

#endif
