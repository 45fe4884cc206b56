/* HTTP on the loop, from the side of a scraper and of one who means no good. */
#include "check.h"

#include "base/clock.h"
#include "base/log.h"
#include "metrics/http.h"
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct http *http;
static char *dir;
static char log_path[700];
static struct err err;
static uint64_t now_us = 1; /* in place of the base library's clock */

uint64_t clock_now_us(void)
{
    return now_us;
}

int64_t clock_wall_us(void)
{
    return (int64_t)now_us;
}

static bool answer(void *ctx, const char *path, struct http_answer *a)
{
    (void)ctx;
    if (strcmp(path, "/bad") == 0)
        a->status = 503;
    else if (strcmp(path, "/good") != 0)
        return false;
    a->type = "text/x-test";
    for (int i = 0; i < 100000; i++)
        wr_str(a->body, "0123456789");
    return true;
}

static const char *log_text(void)
{
    static char text[65536];
    FILE *f = fopen(log_path, "r");
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

/* The port of the i-th listener that was opened since the test began. */
static uint16_t port_of(int i)
{
    const char *p = log_text();
    static const char words[] = "listening on http://127.0.0.1:";
    for (; i >= 0 && p; i--)
        p = strstr(p + 1, words);
    assert_non_null(p);
    return (uint16_t)atoi(p + sizeof words - 1);
}

static int set_up(void **state)
{
    (void)state;
    static char any[] = "127.0.0.1:0";
    char *where[] = {any};
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    snprintf(log_path, sizeof log_path, "%s/log", dir);
    log_open(log_path, LOG_INFO, &err);
    struct http_opts opts = {.loop = loop, .answer = answer};
    http = http_new(&opts, &err);
    return http ? http_listen(http, where, 1, &err) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    http_free(http);
    ev_loop_destroy(loop);
    log_close();
    check_rmdir(dir);
    return 0;
}

static int dial(uint16_t port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&sin, sizeof sin) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void turn(void)
{
    for (int i = 0; i < 20; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(200);
    }
}

/* All that comes until the connection ends; the loop runs meanwhile. */
static char *rest_of(int fd)
{
    size_t n = 0, cap = 2000000;
    char *text = calloc(1, cap);
    for (int i = 0; i < 20000; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t got = recv(fd, text + n, cap - 1 - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        if (got > 0)
            n += (size_t)got;
        else
            usleep(100);
    }
    close(fd);
    return text;
}

static char *ask(const char *request)
{
    int fd = dial(port_of(0));
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return rest_of(fd);
}

static void http_answers_what_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *more;
        bool body;
    } cases[] = {
        {"GET /good HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "text/x-test", true},
        {"GET /good?x=1 HTTP/1.0\r\n\r\n", "200 OK", "Connection: close", true},
        {"HEAD /good HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", "Content-Length: 1000000", false},
        {"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n", "503 Service Unavailable", "", true},
        {"GET /../good HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", "not here\n", false},
        {"POST /good HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed",
         "Allow: GET, HEAD", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = ask(cases[i].request);
        char status[60];
        snprintf(status, sizeof status, " %s\r\n", cases[i].status);
        assert_non_null(strstr(text, status));
        assert_non_null(strstr(text, cases[i].more));
        char *body = strstr(text, "\r\n\r\n");
        assert_non_null(body);
        if (cases[i].body)
            assert_int_equal(strlen(body + 4), 1000000);
        else
            assert_true(strlen(body + 4) < 1000);
        free(text);
    }
}

static void http_nonsense_ends_the_connection(void **state)
{
    (void)state;
    char *text = ask("nonsense\r\n\r\n");
    assert_null(strstr(text, " 200 "));
    free(text);
}

static void http_one_connection_too_many_is_closed(void **state)
{
    (void)state;
    int fds[HTTP_CLIENTS];
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        fds[i] = dial(port_of(0));
    turn();
    free(rest_of(dial(port_of(0))));
    assert_non_null(strstr(log_text(), "is refused: 16 connections are open"));
    for (size_t i = 0; i < HTTP_CLIENTS; i++)
        close(fds[i]);
    turn();
    char *text = ask("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(text, " 503 "));
    free(text);
}

/* Silence is not needed for it to be ended: a byte now and then does not help. */
static void http_slow_connection_is_ended(void **state)
{
    (void)state;
    int fd = dial(port_of(0));
    char c;
    assert_int_equal(send(fd, "GET /good", 9, 0), 9);
    turn();
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    now_us += (uint64_t)(HTTP_SECONDS * 1e6);
    for (int i = 0; i < 3000 && recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN; i++) {
        if (i % 100 == 0)
            (void)!send(fd, "a", 1, MSG_NOSIGNAL);
        ev_run(loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    assert_true(recv(fd, &c, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN);
    close(fd);
}

static void http_listen_changes_addresses_all_or_nothing(void **state)
{
    (void)state;
    static char any[] = "127.0.0.1:0", other[] = "127.0.0.2:0", bad[] = "192.0.2.1:1";
    char *both[] = {any, other}, *wrong[] = {other, bad}, *last[] = {other};
    uint16_t port = port_of(0);
    assert_int_equal(http_listen(http, wrong, 2, &err), -1);
    assert_string_equal(err.text,
                        "[metrics] listen: cannot listen on 192.0.2.1:1: Cannot assign requested "
                        "address");
    close(dial(port));
    assert_int_equal(http_listen(http, both, 2, &err), 0);
    assert_int_equal(http_listen(http, both, 2, &err), 0);
    char *text = ask("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(text, " 503 "));
    free(text);
    assert_int_equal(http_listen(http, last, 1, &err), 0);
    assert_int_equal(dial(port), -1);
    assert_int_equal(http_listen(http, NULL, 0, &err), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(http_answers_what_is_asked),
        TEST(http_nonsense_ends_the_connection),
        TEST(http_one_connection_too_many_is_closed),
        TEST(http_slow_connection_is_ended),
        TEST(http_listen_changes_addresses_all_or_nothing),
    };
    return RUN_TESTS(tests);
}
