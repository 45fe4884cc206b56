/* Lookup of names and addresses by the worker, and their text. */
#include "peer.h"

#include "base/mem.h"

#include <stdio.h>

struct answer {
    unsigned calls;
    struct addr_list list;
    struct err err;
};

static struct ev_loop *loop;
static struct ev_async wake;
static struct worker *worker;

static void on_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
    worker_reap(worker);
}

static void wake_loop(void *ctx)
{
    (void)ctx;
    ev_async_send(loop, &wake);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    ev_async_init(&wake, on_wake);
    ev_async_start(loop, &wake);
    worker = worker_new(wake_loop, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    worker_free(worker);
    ev_async_stop(loop, &wake);
    ev_loop_destroy(loop);
    return 0;
}

static void on_answer(void *ctx, const struct addr_list *list, const struct err *err)
{
    struct answer *a = ctx;
    a->calls++;
    a->list = *list;
    a->err = *err;
}

static struct answer look_up(const char *host, uint16_t port)
{
    struct answer a = {0};
    addr_lookup_start(worker, host, port, on_answer, &a);
    RUN_UNTIL(loop, a.calls > 0);
    return a;
}

static void lookup_numeric_gives_that_address(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:3306"},
        {"10.1.2.3", "10.1.2.3:3306"},
        {"::1", "[::1]:3306"},
        {"fe80::1:2", "[fe80::1:2]:3306"},
        {"/run/mysqld/mysqld.sock", "unix:/run/mysqld/mysqld.sock"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[ADDR_TEXT_MAX];
        struct answer a = look_up(cases[i].host, 3306);
        assert_int_equal(a.list.n, 1);
        addr_format(&a.list.at[0], text);
        assert_string_equal(text, cases[i].text);
    }
}

static void lookup_name_gives_addresses_with_the_port(void **state)
{
    (void)state;
    struct answer a = look_up("localhost", 65535);
    assert_in_range(a.list.n, 1, ADDR_LIST_MAX);
    for (size_t i = 0; i < a.list.n; i++) {
        char text[ADDR_TEXT_MAX];
        addr_format(&a.list.at[i], text);
        assert_true(strcmp(text, "127.0.0.1:65535") == 0 || strcmp(text, "[::1]:65535") == 0);
    }
}

static void lookup_failing_says_the_name_and_why(void **state)
{
    (void)state;
    struct answer a = look_up("no such host.invalid", 1);
    assert_int_equal(a.list.n, 0);
    assert_non_null(strstr(a.err.text, "cannot resolve the host name no such host.invalid: "));
}

static void lookup_path_too_long_is_refused(void **state)
{
    (void)state;
    char path[200];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[108] = 0;
    struct answer a = look_up(path, 0);
    assert_int_equal(a.list.n, 0);
    assert_non_null(strstr(a.err.text, "is longer than 107 bytes"));
    path[107] = 0;
    a = look_up(path, 0);
    assert_int_equal(a.list.n, 1);
    char text[ADDR_TEXT_MAX];
    addr_format(&a.list.at[0], text);
    assert_string_equal(text + 5, path);
}

static void lookup_cancelled_is_not_answered(void **state)
{
    (void)state;
    struct answer cancelled = {0};
    addr_lookup_cancel(addr_lookup_start(worker, "127.0.0.1", 1, on_answer, &cancelled));
    addr_lookup_cancel(NULL);
    look_up("127.0.0.1", 2); /* jobs are done in order */
    assert_int_equal(cancelled.calls, 0);
}

static uint64_t source_of(const char *text)
{
    struct addr a;
    struct err err;
    assert_int_equal(addr_parse(&a, text, &err), 0);
    addr_unmap(&a);
    return addr_source(&a);
}

static void source_is_an_address_or_a_network_of_ipv6(void **state)
{
    (void)state;
    assert_int_equal(source_of("192.0.2.1:1"), source_of("192.0.2.1:2"));
    assert_int_equal(source_of("192.0.2.1:1"), source_of("[::ffff:192.0.2.1]:1"));
    assert_int_not_equal(source_of("192.0.2.1:1"), source_of("192.0.2.2:1"));
    assert_int_equal(source_of("[2001:db8:1:2::3]:1"), source_of("[2001:db8:1:2:ffff::]:9"));
    assert_int_not_equal(source_of("[2001:db8:1:2::3]:1"), source_of("[2001:db8:1:3::3]:1"));
    assert_int_not_equal(source_of("[::1]:1"), 0);
    assert_int_equal(source_of("/tmp/s"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lookup_numeric_gives_that_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lookup_name_gives_addresses_with_the_port, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lookup_failing_says_the_name_and_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lookup_path_too_long_is_refused, set_up, tear_down),
        cmocka_unit_test(source_is_an_address_or_a_network_of_ipv6),
        cmocka_unit_test_setup_teardown(lookup_cancelled_is_not_answered, set_up, tear_down),
    };
    return RUN_TESTS(tests);
}
