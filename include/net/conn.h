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
#include "base/worker.h"
#include "net/addr.h"
#include "net/gate.h"
#include "net/tls.h"

#include <ev.h>

struct conn;

struct conn_ops {
    /* The socket is connected, after conn_dial. */
    void (*opened)(void *ctx);
    /* TLS is up, after conn_start_tls. */
    void (*secured)(void *ctx);
    /* Bytes have come: returns how many were used up. The rest is offered again together with what
     * comes next, so it must be less than half of read_size. in lives during the call only. */
    size_t (*data)(void *ctx, struct bytes in);
    /* NULL if not wanted. Flushed output has gone down to low_water bytes or less and the socket
     * takes more: time to append. Comes once, in a later turn of the loop than the flush, so that
     * others have theirs. */
    void (*drained)(void *ctx);
    /* The last call; reason is one line for a person. */
    void (*closed)(void *ctx, const char *reason);
};

struct conn_opts {
    struct ev_loop *loop;
    size_t read_size; /* of the input buffer, bytes */
    size_t low_water; /* bytes of output, for drained */
    int priority;     /* of its watchers, EV_MINPRI .. EV_MAXPRI */
    const struct conn_ops *ops;
    void *ctx;
    /* Of a stranger, conn_accept only: it is read when the gate lets it, and with a worker the TLS
     * handshake is done there, for a step of it takes as long as a sync. */
    struct gate *gate;
    struct worker *worker; /* may be NULL; not without a gate */
};

/* Begins to connect; opened or closed follows. NULL if the socket cannot even be made. */
struct conn *conn_dial(const struct conn_opts *opts, const struct addr *to, struct err *err);
/* Takes over a connected socket, which is closed if this fails; data follows, opened does not. */
struct conn *conn_accept(const struct conn_opts *opts, int fd, struct err *err);
/* It is no stranger any longer; not while a handshake is under way. */
void conn_trust(struct conn *c);
/* Changes what is called; for handing a connection from its login to its user. */
void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx);
/* Goes on with TLS, in the role of tls; called inside `data`, when all that is to go in clear was
 * flushed. host is who the peer of a client is to be, NULL for a server. Bytes that have come and
 * are not used up: from a server they are an injection, the connection closes; from a client, which
 * does not wait for an answer, they are the beginning of its handshake. */
void conn_start_tls(struct conn *c, struct tls *tls, const char *host);
/* Append here what is to be sent, then conn_flush, which writes what the socket takes at once. */
struct buf *conn_out(struct conn *c);
void conn_flush(struct conn *c);
/* No data callbacks until conn_resume, which offers what is already there in the next loop turn. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
/* The address of the other end; of a unix socket's client only the family is known. */
void conn_peer(const struct conn *c, struct addr *peer);
/* Gives back the memory of buffers that are empty; for the owner to call when it gets idle. With
 * all sent, a drained that is due does not come: there is nothing to append. */
void conn_trim(struct conn *c);
/* The TLS protocol and cipher in use, or "" without TLS. */
const char *conn_tls_version(const struct conn *c);
/* Bytes received so far, TLS removed. */
uint64_t conn_received(const struct conn *c);

void conn_close(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
