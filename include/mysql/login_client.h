/*
 * The client's side of the connection phase as a machine without I/O: feed it each payload that
 * comes, send the payload it makes, start TLS when it asks.
 *
 * With TLS required nothing but the SSLRequest leaves before TLS. A password is never sent in clear
 * except inside TLS or on a unix socket; without them it goes RSA-encrypted, by a pinned key or one
 * that the configuration allows to be asked for.
 */
#ifndef BINLOGD_MYSQL_LOGIN_CLIENT_H
#define BINLOGD_MYSQL_LOGIN_CLIENT_H

#include "mysql/handshake.h"
#include "mysql/login_step.h"

enum login_tls { LOGIN_TLS_OFF, LOGIN_TLS_PREFERRED, LOGIN_TLS_REQUIRED };

struct login_client_opts {
    const char *user;
    const char *password; /* empty: no password */
    enum login_tls tls;
    bool local;             /* a unix socket: as good as TLS */
    bool get_public_key;    /* ask the server for its RSA key */
    const char *public_key; /* PEM of a pinned RSA key, or NULL */
};

struct login_client;

/* opts and its strings must outlive the machine. */
struct login_client *login_client_new(const struct login_client_opts *opts);
void login_client_free(struct login_client *lc);
enum login_step login_client_feed(struct login_client *lc, struct bytes payload, struct err *err);
enum login_step login_client_secured(struct login_client *lc, struct err *err);
/* True once for each payload that is to be sent (it may be empty); valid until the next call. */
bool login_client_take(struct login_client *lc, struct bytes *payload);
/* Valid after the first payload was fed. */
const struct handshake_greeting *login_client_greeting(const struct login_client *lc);

#endif
