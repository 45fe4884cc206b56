/* Packets over a connection: both ways to receive, sequence numbers, refusals, sending. */
#include "source.h"

#include "base/mem.h"
#include "link/channel.h"
#include "mysql/packet.h"

#include <stdio.h>

struct side {
    struct channel ch;
    struct buf got;    /* parts that were taken, without marks */
    unsigned messages; /* LAST parts that were taken */
    unsigned firsts;
    size_t first_len; /* of the first part of the last message */
    unsigned batches;
    unsigned refuse; /* so many offers */
    unsigned refused;
    unsigned closed;
    char reason[300];
};

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct side side;

static void on_opened(void *ctx)
{
    (void)ctx;
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    struct side *s = ctx;
    if (s->refuse) {
        s->refuse--;
        s->refused++;
        channel_pause(&s->ch);
        return false;
    }
    if (flags & CHANNEL_FIRST) {
        s->firsts++;
        s->first_len = part.n;
    }
    wr_bytes(&s->got, part);
    s->messages += (flags & CHANNEL_LAST) != 0;
    return true;
}

static void on_batch(void *ctx)
{
    struct side *s = ctx;
    s->batches++;
}

static void on_closed(void *ctx, const char *reason)
{
    struct side *s = ctx;
    s->closed++;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static const struct channel_ops ops = {
    .opened = on_opened, .part = on_part, .batch = on_batch, .closed = on_closed};

static int set_up(void **state)
{
    (void)state;
    struct err err;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    side = (struct side){0};
    assert_int_equal(channel_dial(&side.ch, loop, &peer->addr, 0, &ops, &side, &err), 0);
    peer_accept(peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    channel_close(&side.ch, "the test is over");
    channel_close(&side.ch, "again");
    channel_fini(&side.ch);
    buf_fini(&side.got);
    peer_free(peer);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

static struct buf pattern(size_t n)
{
    struct buf b;
    buf_init(&b);
    uint8_t *p = buf_reserve(&b, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 10));
    buf_commit(&b, n);
    return b;
}

static void await_messages(unsigned n)
{
    RUN_UNTIL(loop, side.messages == n || side.closed);
    assert_string_equal(side.reason, "");
}

static void assert_got(const struct buf *expected)
{
    assert_int_equal(side.got.len, expected->len);
    if (expected->len)
        assert_memory_equal(buf_bytes(&side.got).p, buf_bytes(expected).p, expected->len);
}

static void messages_split_anywhere_arrive_whole(void **state)
{
    (void)state;
    static const size_t splits[] = {1, 2, 3, 4, 5, 7, 0};
    unsigned count = 0;
    for (size_t parts = 0; parts < 2; parts++) {
        channel_receive(&side.ch, parts ? 0 : 1000);
        for (size_t i = 0; i < COUNT_OF(splits); i++) {
            peer->split = splits[i];
            source_send(peer, bytes_str("first"));
            source_send(peer, bytes_str(""));
            source_send(peer, bytes_str("and a third one"));
            count += 3;
            await_messages(count);
        }
    }
    assert_int_equal(side.firsts, count);
    assert_int_equal(side.got.len, 14 * strlen("firstand a third one"));
    assert_true(side.batches > 0);
}

static void sequence_numbers_wrap(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 600; i++)
        source_send(peer, bytes_str("x"));
    await_messages(600);
}

/* Sizes around the packet's limit; the largest is two full packets and an empty one. */
static void long_messages_arrive_in_both_ways(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        CHANNEL_WHOLE_MAX - 1, CHANNEL_WHOLE_MAX,           CHANNEL_WHOLE_MAX + 1,
        CHANNEL_READ_SIZE,     PACKET_PART_MAX - 1,         PACKET_PART_MAX,
        PACKET_PART_MAX + 1,   2 * (size_t)PACKET_PART_MAX,
    };
    unsigned count = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf message = pattern(sizes[i]);
        for (unsigned parts = 0; parts < 2; parts++) {
            channel_receive(&side.ch, parts ? 0 : sizes[i]);
            buf_clear(&side.got);
            source_send(peer, buf_bytes(&message));
            await_messages(++count);
            assert_got(&message);
            assert_int_equal(side.firsts, count);
            if (parts)
                assert_true(side.first_len >= CHANNEL_WHOLE_MAX || side.first_len == sizes[i]);
            else
                assert_int_equal(side.first_len, sizes[i]);
        }
        buf_fini(&message);
    }
}

static void first_part_is_long_though_bytes_trickle(void **state)
{
    (void)state;
    struct buf message = pattern(200000);
    channel_receive(&side.ch, 0);
    peer->split = 5000;
    source_send(peer, buf_bytes(&message));
    await_messages(1);
    assert_true(side.first_len >= CHANNEL_WHOLE_MAX);
    assert_got(&message);
    buf_fini(&message);
}

static void wrong_sequence_number_closes(void **state)
{
    (void)state;
    source_send(peer, bytes_str("0"));
    peer->seq = 7;
    source_send(peer, bytes_str("7"));
    RUN_UNTIL(loop, side.closed);
    assert_string_equal(side.reason, "packets out of order: sequence number 7 came, 1 was due");
    assert_true(side.ch.malformed);
    assert_int_equal(side.messages, 1);
}

static void wrong_sequence_number_in_mid_message_closes(void **state)
{
    (void)state;
    struct buf full = pattern(PACKET_PART_MAX), wire;
    buf_init(&wire);
    packet_encode(&wire, buf_bytes(&full), 0);
    wire.data[wire.off + wire.len - 1] = 0; /* the empty packet at the end */
    channel_receive(&side.ch, 0);
    peer_send(peer, buf_bytes(&wire));
    RUN_UNTIL(loop, side.closed);
    assert_string_equal(side.reason, "packets out of order: sequence number 0 came, 1 was due");
    assert_int_equal(side.messages, 0);
    buf_fini(&full);
    buf_fini(&wire);
}

static void expected_sequence_number_is_accepted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        source_send(peer, bytes_str("x"));
    await_messages(5);
    channel_expect_seq(&side.ch, 1);
    peer->seq = 1;
    source_send(peer, bytes_str("y"));
    await_messages(6);
}

static void message_over_the_limit_closes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1001, 100000, PACKET_PART_MAX + 5};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        struct buf message = pattern(sizes[i] < 300000 ? sizes[i] : 300000);
        uint8_t head[] = {(uint8_t)sizes[i], (uint8_t)(sizes[i] >> 8), (uint8_t)(sizes[i] >> 16),
                          0};
        channel_receive(&side.ch, 1000);
        if (sizes[i] > PACKET_PART_MAX)
            memset(head, 0xff, 3);
        peer_send(peer, bytes_of(head, sizeof head));
        peer->split = 0;
        size_t n = message.len < 100000 ? message.len : 100000;
        peer_send(peer, bytes_of(buf_bytes(&message).p, n));
        RUN_UNTIL(loop, side.closed);
        assert_string_equal(side.reason, "a message is longer than 1000 bytes");
        assert_true(side.ch.malformed);
        assert_int_equal(side.messages, 0);
        buf_fini(&message);
    }
}

static void refused_part_is_offered_again_after_resume(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 1u << 20};
    static const size_t sizes[] = {5, 100000, 600000};
    unsigned count = 0;
    for (size_t l = 0; l < COUNT_OF(limits); l++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            if (!limits[l] && sizes[i] > 100000)
                continue; /* more than the socket holds while nobody reads */
            struct buf message = pattern(sizes[i]);
            channel_receive(&side.ch, limits[l]);
            buf_clear(&side.got);
            side.refuse = 2;
            side.refused = 0;
            source_send(peer, buf_bytes(&message));
            source_send(peer, bytes_str("next"));
            RUN_UNTIL(loop, side.refused == 1);
            for (int turn = 0; turn < 10; turn++)
                peer_turn(loop);
            assert_int_equal(side.refused, 1);
            channel_resume(&side.ch);
            RUN_UNTIL(loop, side.refused == 2);
            assert_int_equal(side.messages, count);
            channel_resume(&side.ch);
            await_messages(count += 2);
            wr_str(&message, "next");
            assert_got(&message);
            buf_fini(&message);
        }
}

static void refused_middle_part_is_offered_again(void **state)
{
    (void)state;
    struct buf message = pattern(PACKET_PART_MAX + 100000);
    channel_receive(&side.ch, 0);
    uint8_t head[] = {0xff, 0xff, 0xff, 0};
    peer_send(peer, bytes_of(head, 4));
    peer_send(peer, bytes_of(buf_bytes(&message).p, 100000));
    RUN_UNTIL(loop, side.got.len == 100000);
    side.refuse = 1;
    peer_send(peer, bytes_of(buf_bytes(&message).p + 100000, 1000));
    RUN_UNTIL(loop, side.refused == 1);
    channel_resume(&side.ch);
    peer_send(peer, bytes_of(buf_bytes(&message).p + 101000, PACKET_PART_MAX - 101000));
    RUN_UNTIL(loop, side.got.len == PACKET_PART_MAX);
    side.refuse = 1;
    uint8_t second[] = {100000 & 0xff, 100000 >> 8 & 0xff, 100000 >> 16, 1};
    peer_send(peer, bytes_of(second, 4));
    peer_send(peer, bytes_of(buf_bytes(&message).p + PACKET_PART_MAX, 100000));
    RUN_UNTIL(loop, side.refused == 2);
    channel_resume(&side.ch);
    await_messages(1);
    assert_got(&message);
    buf_fini(&message);
}

static void sends_frame_and_number(void **state)
{
    (void)state;
    RUN_UNTIL(loop, side.ch.conn);
    channel_send_command(&side.ch, bytes_str("cmd"));
    peer_turn(loop);
    peer_expect(peer, bytes_of("\3\0\0\0cmd", 7));
    channel_send(&side.ch, bytes_str("go"));
    peer_expect(peer, bytes_of("\2\0\0\1go", 6));
    source_send(peer, bytes_str("x")); /* has 0: not what follows */
    RUN_UNTIL(loop, side.closed);
    channel_send(&side.ch, bytes_str("nothing happens"));
    channel_send_aside(&side.ch, bytes_str("nothing happens"));
}

static void send_aside_leaves_the_count_alone(void **state)
{
    (void)state;
    peer->seq = 0;
    source_send(peer, bytes_str("0"));
    source_send(peer, bytes_str("1"));
    await_messages(2);
    channel_send_aside(&side.ch, bytes_str("ack"));
    channel_send_aside(&side.ch, bytes_str("ack"));
    peer_expect(peer, bytes_of("\3\0\0\0ack\3\0\0\0ack", 14));
    source_send(peer, bytes_str("2"));
    await_messages(3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_split_anywhere_arrive_whole),
        TEST(sequence_numbers_wrap),
        TEST(long_messages_arrive_in_both_ways),
        TEST(first_part_is_long_though_bytes_trickle),
        TEST(wrong_sequence_number_closes),
        TEST(wrong_sequence_number_in_mid_message_closes),
        TEST(expected_sequence_number_is_accepted),
        TEST(message_over_the_limit_closes),
        TEST(refused_part_is_offered_again_after_resume),
        TEST(refused_middle_part_is_offered_again),
        TEST(sends_frame_and_number),
        TEST(send_aside_leaves_the_count_alone),
    };
    return RUN_TESTS(tests);
}
