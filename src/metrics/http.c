/* HTTP on the loop: listeners are our own, the protocol is libmicrohttpd's. */
#include "metrics/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRIORITY      EV_MINPRI
#define CLIENT_MEMORY (8u << 10) /* for the head of a request */
#define SILENCE_S     5u
#define SWEEP_S       1.0
#define US_PER_S      1e6

/* An open connection. The descriptor is a second one for its socket, so that ending it can never
 * hit another that got the same number. */
struct client {
    int fd; /* -1: free */
    uint64_t since_us;
};

struct place {
    char *where; /* as the configuration has it */
    struct listener *listener;
};

struct http {
    struct http_opts opts;
    struct MHD_Daemon *daemon;
    struct ev_io io;       /* libmicrohttpd's epoll descriptor */
    struct ev_timer timer; /* its own deadlines */
    struct ev_timer sweep; /* ours */
    struct client clients[HTTP_CLIENTS];
    struct client *adding; /* whose connection is being handed over */
    struct place places[HTTP_LISTENERS_MAX];
    size_t place_n;
};

/* ---- requests ---- */

static enum MHD_Result send_answer(struct MHD_Connection *c, const struct http_answer *a)
{
    struct bytes body = buf_bytes(a->body);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response(c, a->status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    struct http *h = ctx;
    struct buf body;
    buf_init(&body);
    struct http_answer a = {MHD_HTTP_OK, "text/plain; charset=utf-8", &body};
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        a.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        wr_str(&body, "only GET and HEAD\n");
    } else if (!h->opts.answer(h->opts.ctx, url, &a)) {
        a.status = MHD_HTTP_NOT_FOUND;
        wr_str(&body, "not here\n");
    }
    enum MHD_Result rc = send_answer(c, &a);
    buf_fini(&body);
    return rc;
}

/* ---- connections ---- */

static void free_client(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)c;
    struct http *h = ctx;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *state = h->adding;
    else if (*state)
        free_client(*state);
}

static bool any_client(const struct http *h)
{
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        if (h->clients[i].fd >= 0)
            return true;
    return false;
}

/* One turn of libmicrohttpd, and when it wants the next. */
static void run(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(h->daemon);
    ev_timer_stop(h->opts.loop, &h->timer);
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES) {
        ev_timer_set(&h->timer, (double)ms / 1000.0, 0.);
        ev_timer_start(h->opts.loop, &h->timer);
    }
    if (any_client(h))
        ev_timer_start(h->opts.loop, &h->sweep);
    else
        ev_timer_stop(h->opts.loop, &h->sweep);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    run(w->data);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    run(w->data);
}

/* Who sends a byte now and then is ended as well. */
static void on_sweep(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct http *h = w->data;
    uint64_t now = clock_now_us();
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        if (h->clients[i].fd >= 0 &&
            (double)(now - h->clients[i].since_us) >= HTTP_SECONDS * US_PER_S)
            shutdown(h->clients[i].fd, SHUT_RDWR);
    run(h);
}

static struct client *free_place(struct http *h)
{
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        if (h->clients[i].fd < 0)
            return &h->clients[i];
    return NULL;
}

static void on_accepted(void *ctx, int fd, const struct addr *peer)
{
    struct http *h = ctx;
    struct client *c = free_place(h);
    if (c)
        c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (!c || c->fd < 0) {
        char text[ADDR_TEXT_MAX];
        addr_format(peer, text);
        log_warn("metrics", "%s is refused: %u connections are open", text, HTTP_CLIENTS);
        close(fd);
        return;
    }
    c->since_us = clock_now_us();
    h->adding = c;
    /* It closes the socket if it does not take it. */
    if (MHD_add_connection(h->daemon, fd, (const struct sockaddr *)&peer->ss, peer->len) != MHD_YES)
        free_client(c);
    h->adding = NULL;
    run(h);
}

/* ---- begin and end ---- */

struct http *http_new(const struct http_opts *opts, struct err *err)
{
    struct http *h = mem_alloc(sizeof *h);
    h->opts = *opts;
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        h->clients[i].fd = -1;
    h->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, h,
                         MHD_OPTION_CONNECTION_LIMIT, HTTP_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
                         SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        http_free(h);
        err_set(err, "cannot start the HTTP server");
        return NULL;
    }
    ev_io_init(&h->io, on_io, info->epoll_fd, EV_READ);
    ev_init(&h->timer, on_timer);
    ev_timer_init(&h->sweep, on_sweep, SWEEP_S, SWEEP_S);
    ev_set_priority(&h->io, PRIORITY);
    ev_set_priority(&h->timer, PRIORITY);
    ev_set_priority(&h->sweep, PRIORITY);
    h->io.data = h->timer.data = h->sweep.data = h;
    ev_io_start(opts->loop, &h->io);
    return h;
}

/* Moves the listener of an address from the old places. */
static struct listener *take_over(struct place *old, size_t n, const char *where)
{
    for (size_t i = 0; i < n; i++)
        if (old[i].listener && strcmp(old[i].where, where) == 0) {
            struct listener *l = old[i].listener;
            old[i].listener = NULL;
            return l;
        }
    return NULL;
}

static bool is_open(const struct http *h, const char *where)
{
    for (size_t i = 0; i < h->place_n; i++)
        if (strcmp(h->places[i].where, where) == 0)
            return true;
    return false;
}

/* Opens those that are not open yet; -1 closes them again. */
static int open_new(const struct http *h, struct listener **opened, char *const *where, size_t n,
                    struct err *err)
{
    struct listener_opts lo = {.loop = h->opts.loop,
                               .priority = PRIORITY,
                               .accepted = on_accepted,
                               .ctx = (void *)(uintptr_t)h};
    size_t i = 0;
    for (; i < n; i++) {
        if (is_open(h, where[i]))
            continue;
        opened[i] = listener_open(&lo, where[i], err);
        if (!opened[i])
            break;
    }
    if (i == n)
        return 0;
    while (i-- > 0)
        listener_close(opened[i]);
    return err_prefix(err, "[metrics] listen");
}

static void close_places(struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        listener_close(places[i].listener);
        free(places[i].where);
    }
}

int http_listen(struct http *h, char *const *where, size_t n, struct err *err)
{
    struct listener *opened[HTTP_LISTENERS_MAX] = {NULL};
    if (n > HTTP_LISTENERS_MAX)
        return err_kind_set(err, ERR_USAGE, "[metrics] listen: more than %u addresses",
                            HTTP_LISTENERS_MAX);
    if (open_new(h, opened, where, n, err) < 0)
        return -1;
    struct place old[HTTP_LISTENERS_MAX];
    size_t old_n = h->place_n;
    memcpy(old, h->places, sizeof old);
    for (size_t i = 0; i < n; i++) {
        bool is_new = opened[i] != NULL;
        h->places[i].listener = is_new ? opened[i] : take_over(old, old_n, where[i]);
        h->places[i].where = mem_strdup(where[i]);
        if (!is_new)
            continue;
        char text[ADDR_TEXT_MAX];
        addr_format(listener_addr(opened[i]), text);
        log_info("metrics", "listening on http://%s/metrics", text);
    }
    h->place_n = n;
    close_places(old, old_n);
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    close_places(h->places, h->place_n);
    ev_io_stop(h->opts.loop, &h->io);
    ev_timer_stop(h->opts.loop, &h->timer);
    ev_timer_stop(h->opts.loop, &h->sweep);
    if (h->daemon)
        MHD_stop_daemon(h->daemon); /* on_connection is told of each that was open */
    free(h);
}
