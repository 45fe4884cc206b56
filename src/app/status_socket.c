/* The daemon's end of the control socket. */
#include "status_socket.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 16u
#define PRIORITY    EV_MINPRI

struct client {
    struct client *next;
    struct status_socket *control;
    struct conn *conn;
    struct ev_timer deadline;
};

struct status_socket {
    struct status_socket_opts opts;
    int dirfd;
    struct listener *listener;
    struct client *clients;
    size_t client_n;
};

void status_socket_path(char dst[STATUS_SOCKET_PATH_MAX], int dirfd)
{
    snprintf(dst, STATUS_SOCKET_PATH_MAX, "/proc/self/fd/%d/" STATUS_SOCKET_NAME, dirfd);
}

static void put_answer(struct client *c, const char *request)
{
    struct buf body;
    buf_init(&body);
    int code = c->control->opts.answer(c->control->opts.ctx, request, &body);
    if (code >= 0) {
        wr_fmt(conn_out(c->conn), "%d %zu\n", code, body.len);
        wr_bytes(conn_out(c->conn), buf_bytes(&body));
    }
    buf_fini(&body);
}

static size_t on_data(void *ctx, struct bytes in)
{
    struct client *c = ctx;
    char line[STATUS_SOCKET_LINE_MAX];
    const uint8_t *end = memchr(in.p, '\n', in.n);
    if (!end && in.n < sizeof line)
        return 0;
    if (!end || bytes_to_str(bytes_of(in.p, (size_t)(end - in.p)), line, sizeof line) < 0) {
        conn_close(c->conn, "no request");
        return in.n;
    }
    conn_pause(c->conn);
    put_answer(c, line);
    if (conn_out(c->conn)->len)
        conn_flush(c->conn);
    else
        conn_close(c->conn, "an unknown request");
    return in.n;
}

static void on_drained(void *ctx)
{
    struct client *c = ctx;
    conn_close(c->conn, "answered");
}

static void on_closed(void *ctx, const char *reason)
{
    struct client *c = ctx;
    log_debug("app", "control: %s", reason);
    ev_timer_stop(c->control->opts.loop, &c->deadline);
    struct client **link = &c->control->clients;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    c->control->client_n--;
    free(c);
}

static const struct conn_ops client_ops = {
    .data = on_data, .drained = on_drained, .closed = on_closed};

static void on_deadline(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct client *c = t->data;
    conn_close(c->conn, "took longer than %.0f s", STATUS_SOCKET_SECONDS);
}

/* The file's mode says the same, but who owns the directory could have changed it. */
static bool may_ask(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
           (cred.uid == 0 || cred.uid == geteuid());
}

static void on_accepted(void *ctx, int fd, const struct addr *peer)
{
    (void)peer;
    struct status_socket *control = ctx;
    struct err err;
    if (control->client_n == CLIENTS_MAX || !may_ask(fd)) {
        log_warn("app", "a connection to " STATUS_SOCKET_NAME " is refused");
        close(fd);
        return;
    }
    struct client *c = mem_alloc(sizeof *c);
    struct conn_opts opts = {.loop = control->opts.loop,
                             .read_size = 4 * STATUS_SOCKET_LINE_MAX,
                             .priority = PRIORITY,
                             .ops = &client_ops,
                             .ctx = c};
    c->control = control;
    c->conn = conn_accept(&opts, fd, &err);
    if (!c->conn) {
        log_warn("app", STATUS_SOCKET_NAME ": %s", err.text);
        free(c);
        return;
    }
    ev_timer_init(&c->deadline, on_deadline, STATUS_SOCKET_SECONDS, 0.);
    ev_set_priority(&c->deadline, PRIORITY);
    c->deadline.data = c;
    ev_timer_start(control->opts.loop, &c->deadline);
    c->next = control->clients;
    control->clients = c;
    control->client_n++;
}

struct status_socket *status_socket_new(const struct status_socket_opts *opts, struct err *err)
{
    struct status_socket *c = mem_alloc(sizeof *c);
    char path[STATUS_SOCKET_PATH_MAX];
    c->opts = *opts;
    c->dirfd = open(opts->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->dirfd < 0) {
        err_set(err, "%s", strerrordesc_np(errno));
    } else {
        struct listener_opts lo = {.loop = opts->loop,
                                   .priority = PRIORITY,
                                   .accepted = on_accepted,
                                   .ctx = c,
                                   .socket_mode = 0600};
        status_socket_path(path, c->dirfd);
        c->listener = listener_open(&lo, path, err);
    }
    if (c->listener)
        return c;
    status_socket_free(c);
    err_prefix(err, "no " STATUS_SOCKET_NAME " in %s", opts->directory);
    return NULL;
}

void status_socket_free(struct status_socket *c)
{
    if (!c)
        return;
    while (c->clients)
        conn_close(c->clients->conn, "binlogd stops");
    listener_close(c->listener);
    if (c->dirfd >= 0)
        close(c->dirfd);
    free(c);
}
