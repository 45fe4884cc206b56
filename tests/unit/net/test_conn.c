/* Connections without TLS against a scripted peer. */
#include "peer.h"

#include "base/mem.h"
#include "net/conn.h"

#include <stdio.h>
#include <unistd.h>

#define READ_SIZE 4096

enum close_in { CLOSE_NEVER, CLOSE_IN_OPENED, CLOSE_IN_DATA };

struct side {
    struct conn *c;
    unsigned opened;
    unsigned closed;
    unsigned offers;
    struct buf got;
    size_t unit;     /* bytes are used up in multiples of this */
    size_t pause_at; /* pause when so many came; 0: never */
    char reason[300];
    enum close_in close_in;
};

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct side side;

static void on_opened(void *ctx)
{
    struct side *s = ctx;
    s->opened++;
    if (s->close_in == CLOSE_IN_OPENED)
        conn_close(s->c, "enough in %s", "opened");
}

static size_t on_data(void *ctx, struct bytes in)
{
    struct side *s = ctx;
    size_t n = in.n - in.n % s->unit;
    s->offers++;
    wr_bytes(&s->got, bytes_of(in.p, n));
    if (s->close_in == CLOSE_IN_DATA)
        conn_close(s->c, "enough in data");
    else if (s->pause_at && s->got.len >= s->pause_at)
        conn_pause(s->c);
    return n;
}

static void on_closed(void *ctx, const char *reason)
{
    struct side *s = ctx;
    s->closed++;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
    conn_close(s->c, "closing again changes nothing");
    s->c = NULL;
}

static const struct conn_ops ops = {.opened = on_opened, .data = on_data, .closed = on_closed};

static void dial(const struct addr *to)
{
    struct err err = {0};
    struct conn_opts opts = {.loop = loop, .read_size = READ_SIZE, .ops = &ops, .ctx = &side};
    side.c = conn_dial(&opts, to, &err);
    assert_string_equal(err.text, "");
    assert_non_null(side.c);
}

static void connect_peer(void)
{
    dial(&peer->addr);
    peer_accept(peer);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    side = (struct side){.unit = 1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (side.c)
        conn_close(side.c, "the test is over");
    buf_fini(&side.got);
    peer_free(peer);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

static void assert_got(const char *text)
{
    assert_int_equal(side.got.len, strlen(text));
    assert_memory_equal(buf_bytes(&side.got).p, text, strlen(text));
}

static void dial_connects_over_every_family(void **state)
{
    (void)state;
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        struct peer *p = families[i] == AF_UNIX ? peer : peer_tcp(loop, families[i]);
        side = (struct side){.unit = 1};
        dial(&p->addr);
        assert_int_equal(side.opened, 0); /* never from inside conn_dial */
        peer_accept(p);
        RUN_UNTIL(loop, side.opened == 1);
        wr_str(conn_out(side.c), "hello");
        conn_flush(side.c);
        peer_expect(p, bytes_str("hello"));
        peer_send(p, bytes_str("there"));
        RUN_UNTIL(loop, side.got.len == 5);
        assert_got("there");
        assert_int_equal(conn_received(side.c), 5);
        assert_string_equal(conn_tls_version(side.c), "");
        conn_close(side.c, "done");
        assert_string_equal(side.reason, "done");
        assert_int_equal(side.closed, 1);
        peer_expect_eof(p);
        buf_fini(&side.got);
        if (p != peer)
            peer_free(p);
    }
}

static void dial_refused_closes_with_the_reason(void **state)
{
    (void)state;
    struct peer *p = peer_tcp(loop, AF_INET);
    struct addr nobody = p->addr;
    peer_free(p);
    dial(&nobody);
    RUN_UNTIL(loop, side.closed == 1);
    assert_int_equal(side.opened, 0);
    assert_string_equal(side.reason, "cannot connect: Connection refused");
}

static void dial_missing_socket_file_fails_at_once(void **state)
{
    (void)state;
    struct err err;
    struct conn_opts opts = {.loop = loop, .read_size = READ_SIZE, .ops = &ops, .ctx = &side};
    unlink(peer->path);
    assert_null(conn_dial(&opts, &peer->addr, &err));
    assert_string_equal(err.text, "cannot connect: No such file or directory");
}

static void peer_closing_closes_after_all_bytes_were_offered(void **state)
{
    (void)state;
    connect_peer();
    peer_send(peer, bytes_str("last words"));
    peer_close(peer);
    RUN_UNTIL(loop, side.closed == 1);
    assert_got("last words");
    assert_string_equal(side.reason, "the peer closed the connection");
}

static void peer_resetting_closes_with_the_errno(void **state)
{
    (void)state;
    struct peer *p = peer_tcp(loop, AF_INET);
    dial(&p->addr);
    peer_accept(p);
    RUN_UNTIL(loop, side.opened == 1);
    peer_reset(p);
    RUN_UNTIL(loop, side.closed == 1);
    assert_string_equal(side.reason, "read: Connection reset by peer");
    peer_free(p);
}

static void flush_to_a_closed_peer_closes_with_the_errno(void **state)
{
    (void)state;
    connect_peer();
    RUN_UNTIL(loop, side.opened == 1);
    peer_close(peer);
    wr_str(conn_out(side.c), "x");
    conn_flush(side.c);
    assert_int_equal(side.closed, 1);
    assert_string_equal(side.reason, "write: Broken pipe");
}

static void data_partly_used_is_offered_again_with_more(void **state)
{
    (void)state;
    connect_peer();
    side.unit = 4;
    peer->split = 1;
    peer_send(peer, bytes_str("abcdefghijklm"));
    RUN_UNTIL(loop, side.got.len == 12);
    assert_got("abcdefghijkl");
    peer_send(peer, bytes_str("nop"));
    RUN_UNTIL(loop, side.got.len == 16);
    assert_got("abcdefghijklmnop");
    assert_int_equal(conn_received(side.c), 16);
}

static void data_beyond_the_buffer_arrives_whole(void **state)
{
    (void)state;
    struct buf big;
    buf_init(&big);
    for (uint32_t i = 0; i < 50000; i++)
        wr_u32(&big, i * 2654435761u);
    connect_peer();
    side.unit = 1000;
    peer_send(peer, buf_bytes(&big));
    RUN_UNTIL(loop, side.got.len == big.len);
    assert_memory_equal(buf_bytes(&side.got).p, buf_bytes(&big).p, big.len);
    buf_fini(&big);
}

static void pause_holds_data_back_until_resume(void **state)
{
    (void)state;
    connect_peer();
    side.pause_at = 3;
    side.unit = 3;
    peer_send(peer, bytes_str("abcde"));
    RUN_UNTIL(loop, side.got.len == 3);
    peer_send(peer, bytes_str("fgh"));
    for (int i = 0; i < 20; i++)
        peer_turn(loop);
    assert_got("abc");
    side.pause_at = 0;
    unsigned offers = side.offers;
    conn_resume(side.c);
    assert_int_equal(side.offers, offers); /* in the next turn, not from inside */
    RUN_UNTIL(loop, side.got.len == 6);
    assert_got("abcdef");
}

static void resume_offers_what_is_there_though_nothing_comes(void **state)
{
    (void)state;
    connect_peer();
    side.pause_at = 1;
    side.unit = 5; /* pauses nothing yet: zero bytes are used */
    peer_send(peer, bytes_str("abc"));
    RUN_UNTIL(loop, side.offers == 1);
    conn_pause(side.c);
    side.unit = 1;
    side.pause_at = 0;
    conn_resume(side.c);
    RUN_UNTIL(loop, side.got.len == 3);
    assert_got("abc");
}

static void paused_data_is_offered_though_the_peer_closed(void **state)
{
    (void)state;
    connect_peer();
    side.unit = 5;
    peer_send(peer, bytes_str("abc"));
    RUN_UNTIL(loop, side.offers == 1);
    conn_pause(side.c);
    peer_close(peer);
    for (int i = 0; i < 20; i++)
        peer_turn(loop);
    assert_int_equal(side.closed, 0);
    side.unit = 1;
    conn_resume(side.c);
    RUN_UNTIL(loop, side.closed == 1);
    assert_got("abc");
    assert_string_equal(side.reason, "the peer closed the connection");
}

static void close_inside_each_callback_is_safe(void **state)
{
    (void)state;
    static const enum close_in where[] = {CLOSE_IN_OPENED, CLOSE_IN_DATA};
    for (size_t i = 0; i < COUNT_OF(where); i++) {
        side = (struct side){.unit = 1, .close_in = where[i]};
        connect_peer();
        if (where[i] == CLOSE_IN_DATA)
            peer_send(peer, bytes_str("abc"));
        RUN_UNTIL(loop, side.closed == 1);
        peer_expect_eof(peer);
        assert_string_equal(side.reason,
                            where[i] == CLOSE_IN_OPENED ? "enough in opened" : "enough in data");
        buf_fini(&side.got);
    }
}

static void large_write_reaches_a_slow_reader(void **state)
{
    (void)state;
    struct buf big;
    buf_init(&big);
    for (uint32_t i = 0; i < 1000000; i++)
        wr_u32(&big, i * 2654435761u);
    connect_peer();
    RUN_UNTIL(loop, side.opened == 1);
    wr_bytes(conn_out(side.c), buf_bytes(&big));
    conn_flush(side.c);
    assert_true(conn_out(side.c)->len > 0); /* the socket took only a part */
    peer_send(peer, bytes_str("still read"));
    RUN_UNTIL(loop, side.got.len == 10);
    for (size_t off = 0; off < big.len; off += 40000) {
        struct bytes got = peer_recv(peer, 40000);
        assert_memory_equal(got.p, buf_bytes(&big).p + off, 40000);
    }
    assert_int_equal(conn_out(side.c)->len, 0);
    buf_fini(&big);
}

static void set_ops_changes_who_is_called(void **state)
{
    (void)state;
    struct side other = {.unit = 1};
    connect_peer();
    RUN_UNTIL(loop, side.opened == 1);
    conn_set_ops(side.c, &ops, &other);
    other.c = side.c;
    side.c = NULL;
    peer_send(peer, bytes_str("abc"));
    RUN_UNTIL(loop, other.got.len == 3);
    peer_close(peer);
    RUN_UNTIL(loop, other.closed == 1);
    assert_int_equal(side.got.len, 0);
    assert_int_equal(side.closed, 0);
    buf_fini(&other.got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dial_connects_over_every_family),
        TEST(dial_refused_closes_with_the_reason),
        TEST(dial_missing_socket_file_fails_at_once),
        TEST(peer_closing_closes_after_all_bytes_were_offered),
        TEST(peer_resetting_closes_with_the_errno),
        TEST(flush_to_a_closed_peer_closes_with_the_errno),
        TEST(data_partly_used_is_offered_again_with_more),
        TEST(data_beyond_the_buffer_arrives_whole),
        TEST(pause_holds_data_back_until_resume),
        TEST(resume_offers_what_is_there_though_nothing_comes),
        TEST(paused_data_is_offered_though_the_peer_closed),
        TEST(close_inside_each_callback_is_safe),
        TEST(large_write_reaches_a_slow_reader),
        TEST(set_ops_changes_who_is_called),
    };
    return RUN_TESTS(tests);
}
