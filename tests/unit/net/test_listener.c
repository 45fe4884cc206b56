/* Listeners: where they listen, what they refuse, and that they neither spin nor flood the loop. */
#include "peer.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_MAX 100

static struct ev_loop *loop;
static char *dir;
static char path[200];
static struct err err;

static struct {
    int fds[FDS_MAX];
    int n;
    struct addr peer;
} came;

static void on_accepted(void *ctx, int fd, const struct addr *peer)
{
    (void)ctx;
    came.peer = *peer;
    came.fds[came.n++] = fd;
}

static struct listener_opts opts;

static void close_accepted(void)
{
    while (came.n)
        close(came.fds[--came.n]);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/s", dir);
    opts = (struct listener_opts){.loop = loop, .accepted = on_accepted};
    err = (struct err){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_accepted();
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

/* A blocking client; -1 if it is refused. */
static int connect_to(const struct addr *a)
{
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&a->ss, a->len) == 0)
        return fd;
    close(fd);
    return -1;
}

static void assert_accepts(const struct listener *l)
{
    int before = came.n, fd = connect_to(listener_addr(l));
    assert_true(fd >= 0);
    RUN_UNTIL(loop, came.n > before);
    assert_int_equal(came.n, before + 1);
    assert_true(fcntl(came.fds[before], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(came.fds[before], F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static struct listener *open_at(const char *where)
{
    struct listener *l = listener_open(&opts, where, &err);
    assert_string_equal(err.text, "");
    assert_non_null(l);
    return l;
}

static void open_on_port_zero_says_which_was_chosen(void **state)
{
    (void)state;
    static const char *const where[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < COUNT_OF(where); i++) {
        char host[ADDR_TEXT_MAX];
        struct listener *l = open_at(where[i]);
        assert_int_not_equal(listener_port(l), 0);
        assert_accepts(l);
        addr_host(&came.peer, host);
        assert_string_equal(host, i ? "::1" : "127.0.0.1");
        listener_close(l);
    }
}

static void open_of_both_families_shares_a_port(void **state)
{
    (void)state;
    char where[40];
    struct listener *six = open_at("[::]:0");
    snprintf(where, sizeof where, "0.0.0.0:%u", listener_port(six));
    struct listener *four = open_at(where);
    assert_accepts(six);
    assert_accepts(four);
    listener_close(four);
    listener_close(six);
}

static void open_on_a_taken_port_fails(void **state)
{
    (void)state;
    char where[40], text[120];
    struct listener *l = open_at("127.0.0.1:0");
    snprintf(where, sizeof where, "127.0.0.1:%u", listener_port(l));
    assert_null(listener_open(&opts, where, &err));
    snprintf(text, sizeof text, "cannot listen on %s: Address already in use", where);
    assert_string_equal(err.text, text);
    listener_close(l);
}

static void open_refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const where[] = {
        "",
        "3306",
        "localhost:3306",
        "127.0.0.1",
        "127.0.0.1:",
        "1.2.3:80",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:1x",
        "127.0.0.1: 1",
        "::1:3306",
        "[::1]3306",
        "[::1]",
        "[]:3306",
        "[:3306",
        "[::1:3306",
        "[127.0.0.1]:1",
        ":3306",
        "127.0.0.1:000001",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:1",
    };
    for (size_t i = 0; i < COUNT_OF(where); i++) {
        assert_null(listener_open(&opts, where[i], &err));
        assert_non_null(strstr(err.text, "is no address: ADDRESS:PORT, [ADDRESS]:PORT, or the "
                                         "path of a socket"));
    }
}

static void open_on_an_address_of_another_host_fails(void **state)
{
    (void)state;
    assert_null(listener_open(&opts, "192.0.2.1:0", &err));
    assert_string_equal(err.text, "cannot listen on 192.0.2.1:0: Cannot assign requested address");
}

static void unix_socket_has_its_mode_and_goes_with_the_listener(void **state)
{
    (void)state;
    struct stat st;
    mode_t before = umask(077);
    struct listener *l = open_at(path);
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(listener_port(l), 0);
    assert_accepts(l);
    char host[ADDR_TEXT_MAX];
    addr_host(&came.peer, host);
    assert_string_equal(host, "localhost");
    listener_close(l);
    assert_int_equal(stat(path, &st), -1);
}

static void unix_socket_of_a_dead_process_is_replaced(void **state)
{
    (void)state;
    struct addr a;
    assert_int_equal(addr_parse(&a, path, &err), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a.ss, a.len), 0);
    close(fd);
    struct listener *l = open_at(path);
    assert_accepts(l);
    listener_close(l);
}

static void unix_socket_that_is_served_or_no_socket_is_refused(void **state)
{
    (void)state;
    struct listener *l = open_at(path);
    assert_null(listener_open(&opts, path, &err));
    assert_non_null(strstr(err.text, "/s: another process serves it"));
    RUN_UNTIL(loop, came.n == 1); /* the attempt to connect */
    assert_accepts(l);
    listener_close(l);
    close_accepted();

    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_null(listener_open(&opts, path, &err));
    assert_non_null(strstr(err.text, "/s: a file that is no socket stands there"));
    assert_int_equal(access(path, F_OK), 0);
}

static void unix_socket_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'p', sizeof text);
    text[0] = '/';
    text[108] = 0;
    assert_null(listener_open(&opts, text, &err));
    assert_non_null(strstr(err.text, "is longer than 107 bytes"));
}

static void adopt_takes_a_listening_socket_only(void **state)
{
    (void)state;
    struct peer *p = peer_tcp(loop, AF_INET);
    struct listener *l = listener_adopt(&opts, dup(p->listener), &err);
    assert_non_null(l);
    assert_int_equal(listener_port(l), p->port);
    assert_accepts(l);
    listener_close(l);
    peer_free(p);

    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0)};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        assert_null(listener_adopt(&opts, fds[i], &err));
        assert_non_null(strstr(err.text, "it is not a listening stream socket"));
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
}

static void adopt_leaves_the_path_of_an_inherited_socket(void **state)
{
    (void)state;
    struct peer *p = peer_unix(loop, dir);
    struct listener *l = listener_adopt(&opts, dup(p->listener), &err);
    assert_non_null(l);
    assert_accepts(l);
    listener_close(l);
    assert_int_equal(access(p->path, F_OK), 0);
    peer_free(p);
}

/* IPv4 clients of an inherited socket of both families are IPv4 clients. */
static void mapped_addresses_are_unmapped(void **state)
{
    (void)state;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    int zero = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 5), 0);
    struct listener *l = listener_adopt(&opts, fd, &err);
    char where[40], host[ADDR_TEXT_MAX];
    struct addr to;
    snprintf(where, sizeof where, "127.0.0.1:%u", listener_port(l));
    assert_int_equal(addr_parse(&to, where, &err), 0);
    int client = connect_to(&to);
    RUN_UNTIL(loop, came.n == 1);
    addr_host(&came.peer, host);
    assert_string_equal(host, "127.0.0.1");
    close(client);
    listener_close(l);
}

static void accepting_is_bounded_in_each_turn(void **state)
{
    (void)state;
    int clients[40];
    struct listener *l = open_at(path);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = connect_to(listener_addr(l));
    ev_run(loop, EVRUN_NOWAIT);
    assert_in_range(came.n, 1, 16);
    RUN_UNTIL(loop, came.n == COUNT_OF(clients));
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        close(clients[i]);
    listener_close(l);
}

/* A listener that tried again and again would turn the loop all the time. */
static void accepting_rests_while_descriptors_are_out(void **state)
{
    (void)state;
    struct rlimit before, none;
    struct listener *l = open_at(path);
    int client = connect_to(listener_addr(l));
    RUN_UNTIL(loop, came.n == 1); /* the loop has its own descriptors now */
    close_accepted();
    close(client);
    client = connect_to(listener_addr(l));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    double start = peer_clock();
    int turns = 0;
    for (; turns < 1000 && peer_clock() < start + 0.9; turns++)
        ev_run(loop, EVRUN_ONCE);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(came.n, 0);
    assert_true(turns < 10);
    RUN_UNTIL(loop, came.n == 1);
    assert_true(peer_clock() - start > 0.9);
    close(client);
    listener_close(l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(open_on_port_zero_says_which_was_chosen),
        T(open_of_both_families_shares_a_port),
        T(open_on_a_taken_port_fails),
        T(open_refuses_what_is_no_address),
        T(open_on_an_address_of_another_host_fails),
        T(unix_socket_has_its_mode_and_goes_with_the_listener),
        T(unix_socket_of_a_dead_process_is_replaced),
        T(unix_socket_that_is_served_or_no_socket_is_refused),
        T(unix_socket_path_that_is_too_long_is_refused),
        T(adopt_takes_a_listening_socket_only),
        T(adopt_leaves_the_path_of_an_inherited_socket),
        T(mapped_addresses_are_unmapped),
        T(accepting_is_bounded_in_each_turn),
        T(accepting_rests_while_descriptors_are_out),
    };
    return RUN_TESTS(tests);
}
