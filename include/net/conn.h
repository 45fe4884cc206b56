/*
 * A connection: a full-duplex pipe of bytes over TCP, TLS or a unix socket, on the loop.
 *
 * It knows neither MySQL nor who dialled. It reads when the owner has not paused it, into one
 * buffer that it offers to `data`, and writes what stands in conn_out after conn_flush. It ends in
 * one way only: conn_close with a reason, from either side, upon which `closed` is called once and
 * the connection is gone (freed when the outermost of its callbacks has returned).
 */
#ifndef BINLOGD_NET_CONN_H
#define BINLOGD_NET_CONN_H

#include "base/buf.h"
#include "net/addr.h"
#include "net/tls.h"

#include <ev.h>

struct conn;

struct conn_ops {
    /* The socket is connected. */
    void (*opened)(void *ctx);
    /* TLS is up, after conn_start_tls. */
    void (*secured)(void *ctx);
    /* Bytes have come: returns how many were used up. The rest is offered again together with what
     * comes next, so it must be less than half of read_size. in lives during the call only. */
    size_t (*data)(void *ctx, struct bytes in);
    /* The last call; reason is one line for a person. */
    void (*closed)(void *ctx, const char *reason);
};

struct conn_opts {
    struct ev_loop *loop;
    size_t read_size; /* of the input buffer, bytes */
    int priority;     /* of its watchers, EV_MINPRI .. EV_MAXPRI */
    const struct conn_ops *ops;
    void *ctx;
};

/* Begins to connect; opened or closed follows. NULL if the socket cannot even be made. */
struct conn *conn_dial(const struct conn_opts *opts, const struct addr *to, struct err *err);
/* Changes what is called; for handing a connection from its login to its user. */
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);
/* Goes on with TLS towards host; called inside `data`, when all that is to go in clear was flushed.
 * Bytes that came before TLS and are not used up are an injection: the connection closes. */
void conn_start_tls(struct conn *c, struct tls *tls, const char *host);
/* Append here what is to be sent, then conn_flush, which writes what the socket takes at once. */
struct buf *conn_out(struct conn *c);
void conn_flush(struct conn *c);
/* No data callbacks until conn_resume, which offers what is already there in the next loop turn. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
/* The TLS protocol and cipher in use, or "" without TLS. */
const char *conn_tls_version(const struct conn *c);
/* Bytes received so far, TLS removed. */
uint64_t conn_received(const struct conn *c);

void conn_close(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
