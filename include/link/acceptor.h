/*
 * Logs the client of a freshly adopted channel in: drives the login machine of the server over it,
 * TLS included, with messages of at most ACCEPTOR_MESSAGE_MAX bytes.
 *
 * While it runs it has the channel's callbacks; when done it has given them back to the owner. The
 * deadline is the owner's: channel_close when it is over.
 */
#ifndef BINLOGD_LINK_ACCEPTOR_H
#define BINLOGD_LINK_ACCEPTOR_H

#include "link/channel.h"
#include "mysql/login_server.h"

#define ACCEPTOR_MESSAGE_MAX (64u << 10)

struct acceptor_ops {
    /* The login is decided, its answer not sent. True holds the answer back until acceptor_release;
     * anything that the client sends meanwhile closes. NULL: nothing is ever held. */
    bool (*judged)(void *ctx);
    /* Logged in; the callbacks were given back. */
    void (*done)(void *ctx);
};

struct acceptor_opts {
    const struct login_server_opts *login;
    struct tls *tls; /* may be NULL when login offers none */
    const struct acceptor_ops *ops;
    struct worker *worker; /* decrypts passwords; NULL: the loop does */
};

struct acceptor {
    struct channel *channel;
    const struct channel_ops *owner_ops;
    void *owner_ctx;
    struct tls *tls;
    struct login_server *machine; /* who logged in: until fini */
    const struct acceptor_ops *ops;
    struct worker *worker;
    struct checking *checking; /* an encrypted password is being checked */
    enum login_step end;       /* LOGIN_DONE or LOGIN_FAILED, while held */
    bool held;
    struct err err; /* why it failed, when the channel closes before done */
    bool failed;
    bool denied; /* by user name or password */
};

/* Takes over the channel's callbacks and sends the greeting; when done is called the next message
 * due is a command of sequence number 0. A failure is told to
 * the client and closes the channel with the reason; that can happen inside acceptor_start, if the
 * client is gone already. ops must live for ever, login and tls until done or closed, login->rsa
 * also until the worker has done its jobs. */
void acceptor_start(struct acceptor *a, struct channel *ch, const struct acceptor_opts *opts);
/* Sends the answer that is held. */
void acceptor_release(struct acceptor *a);
void acceptor_fini(struct acceptor *a);

#endif
