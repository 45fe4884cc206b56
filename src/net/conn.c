/* Connections on the loop: connect or accept, read, write, TLS, close. */
#include "net/conn.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEEPALIVE_IDLE_S     10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      3

/* Unacknowledged output for so long: the peer is gone. A client may also have stopped to read for a
 * while, and counts as gone then too; servers give it this time. */
#define SERVER_TIMEOUT_MS 20000u
/* Between two tries to send the same again, so that a way that is there again is found soon. */
#define RESEND_MS 1000
#ifndef TCP_RTO_MAX_MS /* Linux 6.15; before, the option is refused and the waits double */
#define TCP_RTO_MAX_MS 44
#endif
#define CLIENT_TIMEOUT_MS 60000u

/* How a read or write ended; with IO_CLOSED the connection is to be closed for c->reason. */
enum io_result { IO_SOME, IO_AGAIN, IO_CLOSED };

/* A step of the TLS handshake, done by the worker, which has the session until then. */
struct shake {
    struct worker_job job; /* first: the worker hands it back */
    struct conn *c;
    bool running;
    bool ended; /* its result is due */
    enum io_result result;
};

enum conn_state {
    CONN_CONNECTING, /* awaits that the socket becomes writable */
    CONN_OPEN,       /* bytes flow */
    CONN_HANDSHAKE,  /* awaits the peer's part of the TLS handshake */
    CONN_CLOSED      /* awaits that its last callback returns */
};

struct conn {
    struct ev_loop *loop;
    const struct conn_ops *ops;
    void *ctx;
    int fd;
    enum conn_state state;
    unsigned depth; /* of callbacks that are running */
    bool accepted;  /* one of many, and passwords come: the input buffer is wiped and freed when
                       empty */
    bool paused;
    bool drained;          /* the callback of that name is due */
    bool read_wants_write; /* TLS only */
    bool write_wants_read;
    bool tls_early; /* the handshake is still fed with what came before conn_start_tls */
    SSL *ssl;
    struct gate *gate; /* NULL: it is read at once */
    struct gate_ticket ticket;
    struct worker *worker; /* NULL: handshakes are done on the loop */
    struct shake shake;
    struct ev_io reader;
    struct ev_io writer;
    struct addr peer;
    uint8_t *in; /* in_size bytes or NULL; in[in_off .. in_end) await their use */
    size_t in_size;
    size_t in_off;
    size_t in_end;
    uint64_t received;
    bool ended;       /* nothing more can be read; closes when the input was offered */
    char reason[400]; /* why a read or write gave IO_CLOSED */
    size_t low_water;
    struct buf out;
};

static void free_input(struct conn *c)
{
    if (c->accepted && c->in)
        mem_wipe(c->in, c->in_size);
    free(c->in);
    c->in = NULL;
}

static void conn_free(struct conn *c)
{
    SSL_free(c->ssl);
    buf_fini_secret(&c->out);
    free_input(c);
    free(c);
}

/* Each entry from the loop is bracketed by these, so that closing inside a callback is safe. */
static void enter(struct conn *c)
{
    c->depth++;
}

static void leave(struct conn *c)
{
    if (--c->depth == 0 && c->state == CONN_CLOSED)
        conn_free(c);
}

void conn_close(struct conn *c, const char *fmt, ...)
{
    if (c->state == CONN_CLOSED)
        return;
    char reason[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    enter(c);
    c->state = CONN_CLOSED;
    ev_io_stop(c->loop, &c->reader);
    ev_io_stop(c->loop, &c->writer);
    if (c->gate)
        gate_leave(c->gate, &c->ticket);
    if (!c->shake.running) /* else the worker may use it, which must not be another's then */
        close(c->fd);
    c->ops->closed(c->ctx, reason);
    leave(c);
}

/* Starts and stops the watchers as state and flags ask for. */
static void update_watchers(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    bool busy = c->shake.running || gate_waits(&c->ticket);
    bool want_write = !busy && (c->state == CONN_CONNECTING || c->read_wants_write || c->drained ||
                                (c->out.len && !c->write_wants_read));
    bool want_read = !busy && c->state != CONN_CONNECTING && (!c->paused || c->write_wants_read);
    if (want_write)
        ev_io_start(c->loop, &c->writer);
    else
        ev_io_stop(c->loop, &c->writer);
    if (want_read)
        ev_io_start(c->loop, &c->reader);
    else
        ev_io_stop(c->loop, &c->reader);
}

static void set_socket_options(int fd, unsigned timeout_ms)
{
    int one = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT;
    int resend_ms = RESEND_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    setsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &resend_ms, sizeof resend_ms);
}

static enum io_result broken_by_errno(struct conn *c, const char *what)
{
    snprintf(c->reason, sizeof c->reason, "%s: %s", what, strerrordesc_np(errno));
    return IO_CLOSED;
}

static enum io_result broken_by_tls(struct conn *c, const char *what)
{
    char why[300];
    tls_explain(c->ssl, why, sizeof why);
    snprintf(c->reason, sizeof c->reason, "%s: %s", what, why);
    return IO_CLOSED;
}

static enum io_result closed_by_peer(struct conn *c)
{
    snprintf(c->reason, sizeof c->reason, "the peer closed the connection");
    return IO_CLOSED;
}

static enum io_result tls_result(struct conn *c, int rc, bool *wants_other, int other,
                                 const char *what)
{
    *wants_other = false;
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        *wants_other = other == SSL_ERROR_WANT_READ;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wants_other = other == SSL_ERROR_WANT_WRITE;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return closed_by_peer(c);
    case SSL_ERROR_SYSCALL:
        if (errno && !ERR_peek_error())
            return broken_by_errno(c, what);
        break;
    default:
        break;
    }
    if (ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return broken_by_tls(c, what);
    ERR_clear_error();
    return closed_by_peer(c);
}

static enum io_result read_tls(struct conn *c, uint8_t *dst, size_t n, size_t *got)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_read_ex(c->ssl, dst, n, got);
    if (rc == 1) {
        c->read_wants_write = false;
        return IO_SOME;
    }
    return tls_result(c, rc, &c->read_wants_write, SSL_ERROR_WANT_WRITE, "read");
}

static enum io_result read_plain(struct conn *c, uint8_t *dst, size_t n, size_t *got)
{
    ssize_t r = recv(c->fd, dst, n, 0);
    if (r > 0) {
        *got = (size_t)r;
        return IO_SOME;
    }
    if (r == 0)
        return closed_by_peer(c);
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : broken_by_errno(c, "read");
}

/* Reads until the buffer is full or, for TLS, no more is there; a plain socket is read once. What
 * came before the end is still to be offered: it can be the peer's reason for closing. */
static void fill_input(struct conn *c)
{
    if (!c->in)
        c->in = mem_alloc(c->in_size);
    if (c->in_off) {
        memmove(c->in, c->in + c->in_off, c->in_end - c->in_off);
        c->in_end -= c->in_off;
        c->in_off = 0;
    }
    enum io_result result = IO_SOME;
    while (c->in_end < c->in_size && result == IO_SOME) {
        size_t got = 0;
        result = c->ssl ? read_tls(c, c->in + c->in_end, c->in_size - c->in_end, &got)
                        : read_plain(c, c->in + c->in_end, c->in_size - c->in_end, &got);
        c->in_end += got;
        c->received += got;
        if (!c->ssl)
            break;
    }
    c->ended = result == IO_CLOSED;
}

/* The client's first message can have come together with its request for TLS. It is TLS all the
 * same: OpenSSL gets it from memory, and what follows from the socket. */
static void feed_early(struct conn *c)
{
    BIO *early = BIO_new(BIO_s_mem());
    int n = (int)(c->in_end - c->in_off);
    mem_need(early && BIO_write(early, c->in + c->in_off, n) == n);
    SSL_set0_rbio(c->ssl, early);
    c->tls_early = true;
    c->in_off = c->in_end = 0;
}

static int do_handshake(struct conn *c)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1 || !c->tls_early || SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ)
        return rc;
    c->tls_early = false;
    BIO *socket = SSL_get_wbio(c->ssl);
    BUG_ON(!BIO_up_ref(socket));
    SSL_set0_rbio(c->ssl, socket);
    return do_handshake(c);
}

/* In the worker or on the loop. What OpenSSL has to say of errors it says in the thread. */
static void shake_run(struct worker_job *job)
{
    struct shake *s = (struct shake *)job;
    struct conn *c = s->c;
    int rc = do_handshake(c);
    s->result = IO_SOME;
    if (rc != 1)
        s->result = tls_result(c, rc, &c->read_wants_write, SSL_ERROR_WANT_WRITE, "TLS handshake");
}

static void end_shake(struct conn *c)
{
    c->shake.ended = false;
    if (c->shake.result == IO_CLOSED) {
        conn_close(c, "%s", c->reason);
    } else if (c->shake.result == IO_SOME && c->tls_early) {
        conn_close(c, "bytes in clear came where TLS begins");
    } else if (c->shake.result == IO_SOME) {
        c->state = CONN_OPEN;
        c->read_wants_write = false;
        c->ops->secured(c->ctx);
    }
}

static void shake_done(struct worker_job *job)
{
    struct conn *c = ((struct shake *)job)->c;
    c->shake.running = false;
    if (c->state == CONN_CLOSED) {
        close(c->fd);
    } else {
        c->shake.ended = true;
        if (gate_pass(c->gate, &c->ticket))
            end_shake(c);
        update_watchers(c);
    }
    leave(c);
}

static void step_handshake(struct conn *c)
{
    if (!c->worker) {
        shake_run(&c->shake.job);
        end_shake(c);
        return;
    }
    enter(c); /* until shake_done */
    c->shake.running = true;
    worker_submit(c->worker, &c->shake.job);
}

/* What the callback leaves may also be the beginning of TLS, when it called conn_start_tls. */
static void offer_input(struct conn *c)
{
    size_t used = c->ops->data(c->ctx, bytes_of(c->in + c->in_off, c->in_end - c->in_off));
    if (c->state == CONN_CLOSED)
        return;
    BUG_ON(used > c->in_end - c->in_off);
    c->in_off += used;
    if (c->in_off == c->in_end)
        c->in_off = c->in_end = 0;
    if (c->state != CONN_HANDSHAKE)
        return;
    if (c->in_end && !SSL_is_server(c->ssl)) {
        conn_close(c, "bytes in clear came where TLS begins");
        return;
    }
    if (c->in_end)
        feed_early(c);
    step_handshake(c);
}

static void step_read(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE) {
        step_handshake(c);
        return;
    }
    if (c->write_wants_read) {
        c->write_wants_read = false;
        conn_flush(c);
    }
    if (c->paused || c->state != CONN_OPEN)
        return;
    if (!c->ended)
        fill_input(c);
    bool filled = c->in_end == c->in_size;
    if (c->in_off < c->in_end)
        offer_input(c);
    if (c->accepted && !c->in_end)
        free_input(c);
    if (c->ended && !c->paused)
        conn_close(c, "%s", c->reason);
    /* What OpenSSL holds already gives no event on the socket. Where the buffer was not filled, it
     * holds at most a part of a record, whose rest the socket will announce. */
    if (c->state == CONN_OPEN && filled && c->ssl && SSL_has_pending(c->ssl))
        ev_feed_event(c->loop, &c->reader, EV_READ);
}

static void step_connect(struct conn *c)
{
    int failure = 0;
    socklen_t n = sizeof failure;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &n);
    if (failure) {
        conn_close(c, "cannot connect: %s", strerrordesc_np(failure));
        return;
    }
    c->state = CONN_OPEN;
    c->ops->opened(c->ctx);
}

static void step_drained(struct conn *c)
{
    conn_flush(c);
    c->drained = false;
    if (c->state != CONN_CLOSED && c->ops->drained)
        c->ops->drained(c->ctx);
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct conn *c = w->data;
    enter(c);
    if (!c->gate || gate_pass(c->gate, &c->ticket))
        step_read(c);
    update_watchers(c);
    leave(c);
}

static void on_turn(void *ctx)
{
    struct conn *c = ctx;
    enter(c);
    if (c->shake.ended)
        end_shake(c);
    else
        step_read(c);
    update_watchers(c);
    leave(c);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct conn *c = w->data;
    enter(c);
    if (c->state == CONN_CONNECTING)
        step_connect(c);
    else if (c->drained && c->out.len <= c->low_water)
        step_drained(c);
    else if (c->state == CONN_HANDSHAKE || c->read_wants_write)
        step_read(c);
    else
        conn_flush(c);
    update_watchers(c);
    leave(c);
}

static enum io_result write_some(struct conn *c, size_t *sent)
{
    struct bytes data = buf_bytes(&c->out);
    if (c->ssl) {
        ERR_clear_error();
        errno = 0;
        int rc = SSL_write_ex(c->ssl, data.p, data.n, sent);
        if (rc == 1)
            return IO_SOME;
        return tls_result(c, rc, &c->write_wants_read, SSL_ERROR_WANT_READ, "write");
    }
    ssize_t n = send(c->fd, data.p, data.n, MSG_NOSIGNAL);
    if (n >= 0) {
        *sent = (size_t)n;
        return IO_SOME;
    }
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : broken_by_errno(c, "write");
}

void conn_flush(struct conn *c)
{
    if (c->state != CONN_OPEN || c->write_wants_read)
        return;
    enter(c);
    enum io_result result = IO_SOME;
    bool some = c->out.len > 0;
    while (c->out.len && result == IO_SOME) {
        size_t sent = 0;
        result = write_some(c, &sent);
        if (result == IO_SOME)
            buf_consume(&c->out, sent);
    }
    c->drained = c->ops->drained && (c->drained || some) && c->out.len <= c->low_water;
    if (result == IO_CLOSED)
        conn_close(c, "%s", c->reason);
    update_watchers(c);
    leave(c);
}

static struct conn *conn_new(const struct conn_opts *opts, int fd, enum conn_state state)
{
    struct conn *c = mem_alloc(sizeof *c);
    c->loop = opts->loop;
    c->ops = opts->ops;
    c->ctx = opts->ctx;
    c->fd = fd;
    c->state = state;
    c->in_size = opts->read_size;
    c->low_water = opts->low_water;
    ev_io_init(&c->reader, on_readable, fd, EV_READ);
    ev_io_init(&c->writer, on_writable, fd, EV_WRITE);
    ev_set_priority(&c->reader, opts->priority);
    ev_set_priority(&c->writer, opts->priority);
    c->reader.data = c->writer.data = c;
    c->gate = opts->gate;
    c->ticket = (struct gate_ticket){.go = on_turn, .ctx = c};
    c->worker = opts->worker;
    c->shake = (struct shake){.job = {.run = shake_run, .done = shake_done}, .c = c};
    update_watchers(c);
    return c;
}

struct conn *conn_dial(const struct conn_opts *opts, const struct addr *to, struct err *err)
{
    int fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set(err, "cannot make a socket: %s", strerrordesc_np(errno));
        return NULL;
    }
    if (to->ss.ss_family != AF_UNIX)
        set_socket_options(fd, SERVER_TIMEOUT_MS);
    if (connect(fd, (const struct sockaddr *)&to->ss, to->len) < 0 && errno != EINPROGRESS) {
        err_set(err, "cannot connect: %s", strerrordesc_np(errno));
        close(fd);
        return NULL;
    }
    struct conn *c = conn_new(opts, fd, CONN_CONNECTING);
    c->peer = *to;
    return c;
}

struct conn *conn_accept(const struct conn_opts *opts, int fd, struct err *err)
{
    struct addr peer = {.len = sizeof peer.ss};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        getpeername(fd, (struct sockaddr *)&peer.ss, &peer.len) < 0) {
        err_set(err, "cannot take the connection: %s", strerrordesc_np(errno));
        close(fd);
        return NULL;
    }
    addr_unmap(&peer);
    if (peer.ss.ss_family != AF_UNIX)
        set_socket_options(fd, CLIENT_TIMEOUT_MS);
    struct conn *c = conn_new(opts, fd, CONN_OPEN);
    c->accepted = true;
    c->peer = peer;
    return c;
}

void conn_trust(struct conn *c)
{
    bool waited = gate_waits(&c->ticket);
    BUG_ON(c->state == CONN_HANDSHAKE);
    if (waited)
        gate_leave(c->gate, &c->ticket);
    c->gate = NULL;
    c->worker = NULL;
    update_watchers(c);
    if (waited && c->state == CONN_OPEN)
        ev_feed_event(c->loop, &c->reader, EV_READ);
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    c->ops = ops;
    c->ctx = ctx;
}

void conn_start_tls(struct conn *c, struct tls *tls, const char *host)
{
    struct err err;
    c->ssl = tls_session(tls, host, &err);
    if (!c->ssl) {
        conn_close(c, "%s", err.text);
    } else if (c->out.len) {
        conn_close(c, "the request for TLS cannot be sent");
    } else {
        SSL_set_fd(c->ssl, c->fd);
        c->state = CONN_HANDSHAKE;
    }
}

struct buf *conn_out(struct conn *c)
{
    return &c->out;
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    update_watchers(c);
}

void conn_resume(struct conn *c)
{
    c->paused = false;
    update_watchers(c);
    if (c->state != CONN_OPEN || gate_waits(&c->ticket))
        return;
    if (c->in_end > c->in_off || c->ended || (c->ssl && SSL_has_pending(c->ssl)))
        ev_feed_event(c->loop, &c->reader, EV_READ);
}

void conn_peer(const struct conn *c, struct addr *peer)
{
    *peer = c->peer;
}

void conn_trim(struct conn *c)
{
    if (c->in_off == c->in_end)
        free_input(c);
    if (c->out.len)
        return;
    buf_fini_secret(&c->out);
    c->drained = false;
    update_watchers(c);
}

const char *conn_tls_version(const struct conn *c)
{
    return c->ssl ? SSL_get_version(c->ssl) : "";
}

uint64_t conn_received(const struct conn *c)
{
    return c->received;
}
