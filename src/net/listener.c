/* Listening sockets. */
#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     SOMAXCONN /* cut by the system to its own limit */
#define REST_S      1.0
#define MS          0.001
#define PER_MS      2u   /* connections: a crowd leaves the loop time for others */
#define SOCKET_MODE 0660 /* unless said otherwise */

struct listener {
    struct listener_opts opts;
    int fd;
    struct addr addr;
    bool made_path; /* of a unix socket: ours to remove */
    struct ev_io reader;
    struct ev_timer rest; /* runs while accepting pauses */
    ev_tstamp since;      /* when the present millisecond began */
    unsigned accepted;    /* in it */
};

static void rest(struct listener *l, ev_tstamp seconds)
{
    ev_io_stop(l->opts.loop, &l->reader);
    ev_timer_set(&l->rest, seconds, 0.);
    ev_timer_start(l->opts.loop, &l->rest);
}

static void give_up(struct listener *l, const char *why)
{
    char text[ADDR_TEXT_MAX];
    addr_format(&l->addr, text);
    log_warn("net", "no connections are accepted on %s for a second: %s", text, why);
    rest(l, REST_S);
}

/* Called before each: when there were enough for a millisecond, the next comes after one. */
static void count(struct listener *l)
{
    ev_tstamp now = ev_now(l->opts.loop);
    if (now - l->since >= MS || now < l->since) {
        l->since = now;
        l->accepted = 0;
    }
    if (++l->accepted == PER_MS)
        rest(l, MS);
}

static void on_rested(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)revents;
    struct listener *l = w->data;
    ev_io_start(loop, &l->reader);
}

/* One in each turn of the loop. An error of that connection, which accept reports too, says nothing
 * about the next. */
static void accept_one(struct listener *l)
{
    struct addr peer = {.len = sizeof peer.ss};
    int fd = accept4(l->fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        addr_unmap(&peer);
        l->opts.accepted(l->opts.ctx, fd, &peer);
        return;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        give_up(l, strerrordesc_np(errno));
        break;
    default:
        break;
    }
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int revents)
{
    (void)loop;
    (void)revents;
    struct listener *l = w->data;
    count(l);
    accept_one(l);
}

static struct listener *start(const struct listener_opts *opts, int fd)
{
    struct listener *l = mem_alloc(sizeof *l);
    l->opts = *opts;
    l->fd = fd;
    l->addr.len = sizeof l->addr.ss;
    getsockname(fd, (struct sockaddr *)&l->addr.ss, &l->addr.len);
    ev_io_init(&l->reader, on_readable, fd, EV_READ);
    ev_init(&l->rest, on_rested);
    ev_set_priority(&l->reader, opts->priority);
    ev_set_priority(&l->rest, opts->priority);
    l->reader.data = l->rest.data = l;
    ev_io_start(opts->loop, &l->reader);
    return l;
}

/* Makes way for a new socket, unless somebody is behind the one that is there. */
static int remove_stale(const struct addr *a, struct err *err)
{
    const char *path = ((const struct sockaddr_un *)&a->ss)->sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set(err, "%s", strerrordesc_np(errno));
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, "a file that is no socket stands there");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&a->ss, a->len);
    bool stale = rc < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    if (!stale)
        return err_set(err, "another process serves it");
    return unlink(path) < 0 ? err_set(err, "%s", strerrordesc_np(errno)) : 0;
}

/* The mode is never wider than it shall be: the new file has that of the socket less the umask. */
static int bind_unix(int fd, const struct addr *a, mode_t mode)
{
    const char *path = ((const struct sockaddr_un *)&a->ss)->sun_path;
    if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
        return -1;
    return chmod(path, mode);
}

static int bind_inet(int fd, const struct addr *a)
{
    int one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
        return -1;
    if (a->ss.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&a->ss, a->len);
}

static int open_socket(const struct addr *a, mode_t mode, struct err *err)
{
    bool local = a->ss.ss_family == AF_UNIX;
    if (local && remove_stale(a, err) < 0)
        return -1;
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (local ? bind_unix(fd, a, mode) : bind_inet(fd, a)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    err_set(err, "%s", strerrordesc_np(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listener *listener_open(const struct listener_opts *opts, const char *where, struct err *err)
{
    struct addr a;
    int fd = -1;
    if (addr_parse(&a, where, err) == 0)
        fd = open_socket(&a, opts->socket_mode ? opts->socket_mode : SOCKET_MODE, err);
    if (fd < 0) {
        err_prefix(err, "cannot listen on %s", where);
        return NULL;
    }
    struct listener *l = start(opts, fd);
    l->made_path = a.ss.ss_family == AF_UNIX;
    return l;
}

static int check_inherited(int fd, struct err *err)
{
    int type = 0, listening = 0;
    socklen_t n = sizeof type, m = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &m) < 0)
        return err_set(err, "%s", strerrordesc_np(errno));
    if (type != SOCK_STREAM || !listening)
        return err_set(err, "it is not a listening stream socket");
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(err, "%s", strerrordesc_np(errno));
    return 0;
}

struct listener *listener_adopt(const struct listener_opts *opts, int fd, struct err *err)
{
    if (check_inherited(fd, err) < 0) {
        err_prefix(err, "cannot listen on the inherited descriptor %d", fd);
        close(fd);
        return NULL;
    }
    return start(opts, fd);
}

void listener_close(struct listener *l)
{
    if (!l)
        return;
    ev_io_stop(l->opts.loop, &l->reader);
    ev_timer_stop(l->opts.loop, &l->rest);
    if (l->made_path)
        unlink(((const struct sockaddr_un *)&l->addr.ss)->sun_path);
    close(l->fd);
    free(l);
}

const struct addr *listener_addr(const struct listener *l)
{
    return &l->addr;
}

uint16_t listener_port(const struct listener *l)
{
    if (l->addr.ss.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&l->addr.ss)->sin_port);
    if (l->addr.ss.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&l->addr.ss)->sin6_port);
    return 0;
}
