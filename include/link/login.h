/*
 * Logs a freshly dialled channel in: drives the login machine of the client over it, TLS included.
 *
 * While it runs it has the channel's callbacks; when done it has given them back to the owner.
 */
#ifndef BINLOGD_LINK_LOGIN_H
#define BINLOGD_LINK_LOGIN_H

#include "link/channel.h"
#include "mysql/login_client.h"

struct login {
    struct channel *channel;
    const struct channel_ops *owner_ops;
    void *owner_ctx;
    struct tls *tls;
    char *host;
    struct login_client *machine;
    struct handshake_greeting greeting;
    void (*done)(void *ctx);
    struct err err; /* why it failed, when the channel closes before done */
    bool failed;
};

/* Takes over the channel's callbacks; done is called after them having been given back. A failure
 * closes the channel with the reason. opts and tls must live as long. */
void login_start(struct login *l, struct channel *ch, const struct login_client_opts *opts,
                 struct tls *tls, const char *host, void (*done)(void *ctx));
void login_fini(struct login *l);

#endif
