/*
 * A scripted peer: a server on a unix socket or a port that the kernel chose, in the test's own
 * thread. Each call turns the loop until it has done its part, or fails the test after
 * PEER_TIMEOUT_S, so a script reads from top to bottom and asserts never stand in callbacks. It
 * reads from the socket only when asked to: not asking is a peer that stalls.
 */
#ifndef BINLOGD_TESTS_PEER_H
#define BINLOGD_TESTS_PEER_H

#include "check.h"

#include "base/buf.h"
#include "net/addr.h"

#include <ev.h>
#include <openssl/ssl.h>

#define PEER_TIMEOUT_S 20.0

/* One turn of the loop, of 1 ms at most. */
void peer_turn(struct ev_loop *loop);
/* Seconds of a clock for hard limits. */
double peer_clock(void);

#define RUN_UNTIL(loop, cond)                                                                      \
    do {                                                                                           \
        double run_until_ = peer_clock() + PEER_TIMEOUT_S;                                         \
        while (!(cond) && peer_clock() < run_until_)                                               \
            peer_turn(loop);                                                                       \
        assert_true(cond);                                                                         \
    } while (0)

struct peer {
    struct ev_loop *loop;
    int listener;
    int fd; /* -1: no connection */
    struct addr addr;
    uint16_t port;
    char path[108]; /* of a unix socket */
    SSL *ssl;
    struct buf in;  /* came, but was not asked for */
    struct buf got; /* what peer_recv handed out */
    size_t split;   /* sends are cut at every so many bytes, with a turn between; 0: not cut */
    bool eof;       /* the other side closed */
    uint8_t seq;    /* of the next packet, for source.h */
    struct buf message;
};

struct peer *peer_unix(struct ev_loop *loop, const char *dir);
struct peer *peer_tcp(struct ev_loop *loop, int family);
void peer_free(struct peer *p);
/* Awaits the next connection; the one before is closed. */
void peer_accept(struct peer *p);
bool peer_try_accept(struct peer *p);
/* Goes on with TLS as the server; false when the handshake failed. */
bool peer_tls(struct peer *p, SSL_CTX *ctx);
void peer_send(struct peer *p, struct bytes data);
/* The next n bytes; they live until the next call. */
struct bytes peer_recv(struct peer *p, size_t n);
void peer_expect(struct peer *p, struct bytes expected);
/* Reads what is there now; returns how many bytes wait to be asked for. */
size_t peer_poll(struct peer *p);
/* Awaits that the other side closes. */
void peer_expect_eof(struct peer *p);
void peer_close(struct peer *p);
/* Closes so that TCP sends a reset. */
void peer_reset(struct peer *p);

#endif
