/* The scripted peer. */
#include "peer.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TURN_S 0.001

static void on_tick(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)t;
    (void)revents;
}

void peer_turn(struct ev_loop *loop)
{
    struct ev_timer tick;
    ev_now_update(loop);
    ev_timer_init(&tick, on_tick, TURN_S, 0.);
    ev_timer_start(loop, &tick);
    ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &tick);
}

double peer_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct peer *listen_on(struct ev_loop *loop, const struct sockaddr *sa, socklen_t len)
{
    struct peer *p = mem_alloc(sizeof *p);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    p->loop = loop;
    p->fd = -1;
    p->listener = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    BUG_ON(p->listener < 0);
    BUG_ON(bind(p->listener, sa, len) < 0 || listen(p->listener, 64) < 0);
    p->addr.len = sizeof p->addr.ss;
    BUG_ON(getsockname(p->listener, (struct sockaddr *)&p->addr.ss, &p->addr.len) < 0);
    return p;
}

struct peer *peer_unix(struct ev_loop *loop, const char *dir)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    BUG_ON(snprintf(un.sun_path, sizeof un.sun_path, "%s/peer.sock", dir) >=
           (int)sizeof un.sun_path);
    unlink(un.sun_path);
    struct peer *p = listen_on(loop, (struct sockaddr *)&un, sizeof un);
    strcpy(p->path, un.sun_path);
    return p;
}

struct peer *peer_tcp(struct ev_loop *loop, int family)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct peer *p = family == AF_INET6 ? listen_on(loop, (struct sockaddr *)&in6, sizeof in6)
                                        : listen_on(loop, (struct sockaddr *)&in, sizeof in);
    p->port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&p->addr.ss)->sin6_port
                                       : ((struct sockaddr_in *)&p->addr.ss)->sin_port);
    return p;
}

void peer_close(struct peer *p)
{
    SSL_free(p->ssl);
    p->ssl = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_clear(&p->in);
}

void peer_reset(struct peer *p)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    peer_close(p);
}

void peer_free(struct peer *p)
{
    peer_close(p);
    close(p->listener);
    if (p->path[0])
        unlink(p->path);
    buf_fini(&p->in);
    buf_fini(&p->got);
    buf_fini(&p->message);
    free(p);
}

bool peer_try_accept(struct peer *p)
{
    int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return false;
    peer_close(p);
    p->fd = fd;
    p->eof = false;
    p->seq = 0;
    return true;
}

void peer_accept(struct peer *p)
{
    bool accepted = false;
    RUN_UNTIL(p->loop, accepted || (accepted = peer_try_accept(p)));
}

bool peer_tls(struct peer *p, SSL_CTX *ctx)
{
    double until = peer_clock() + PEER_TIMEOUT_S;
    p->ssl = SSL_new(ctx);
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_accept_state(p->ssl);
    while (peer_clock() < until) {
        ERR_clear_error();
        int rc = SSL_do_handshake(p->ssl);
        if (rc == 1)
            return true;
        int e = SSL_get_error(p->ssl, rc);
        if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
            return false;
        peer_turn(p->loop);
    }
    return false;
}

/* Bytes written, 0 when none may be at present, -1 when the connection is broken. */
static ssize_t write_some(struct peer *p, struct bytes data)
{
    if (p->ssl) {
        size_t n = 0;
        ERR_clear_error();
        int rc = SSL_write_ex(p->ssl, data.p, data.n, &n);
        return rc == 1 ? (ssize_t)n : SSL_get_error(p->ssl, rc) == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = send(p->fd, data.p, data.n, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

void peer_send(struct peer *p, struct bytes data)
{
    double until = peer_clock() + PEER_TIMEOUT_S;
    ssize_t n = 0;
    while (data.n && n >= 0 && peer_clock() < until) {
        size_t most = p->split && p->split < data.n ? p->split : data.n;
        n = write_some(p, bytes_of(data.p, most));
        if (n > 0) {
            data = bytes_skip(data, (size_t)n);
            until = peer_clock() + PEER_TIMEOUT_S;
        }
        if (n == 0)
            peer_turn(p->loop);
        else if (p->split)
            ev_run(p->loop, EVRUN_NOWAIT);
    }
    assert_int_equal(data.n, 0);
}

/* Reads until there are `want` bytes and not more, for TLS may begin behind them. */
static size_t fill(struct peer *p, size_t want)
{
    bool more = !p->eof && p->fd >= 0;
    while (more && p->in.len < want) {
        ssize_t n;
        size_t most = want - p->in.len < 65536 ? want - p->in.len : 65536;
        uint8_t *dst = buf_reserve(&p->in, most);
        if (p->ssl) {
            ERR_clear_error();
            n = SSL_read(p->ssl, dst, (int)most);
            p->eof = n <= 0 && SSL_get_error(p->ssl, (int)n) != SSL_ERROR_WANT_READ;
        } else {
            n = recv(p->fd, dst, most, 0);
            p->eof = n == 0 || (n < 0 && errno != EAGAIN);
        }
        more = n > 0;
        if (more)
            buf_commit(&p->in, (size_t)n);
    }
    return p->in.len;
}

size_t peer_poll(struct peer *p)
{
    return fill(p, SIZE_MAX);
}

struct bytes peer_recv(struct peer *p, size_t n)
{
    RUN_UNTIL(p->loop, fill(p, n) >= n);
    buf_clear(&p->got);
    wr_bytes(&p->got, bytes_of(buf_bytes(&p->in).p, n));
    buf_consume(&p->in, n);
    return buf_bytes(&p->got);
}

void peer_expect(struct peer *p, struct bytes expected)
{
    assert_memory_equal(peer_recv(p, expected.n).p, expected.p, expected.n);
}

void peer_expect_eof(struct peer *p)
{
    RUN_UNTIL(p->loop, (peer_poll(p), p->eof));
}
