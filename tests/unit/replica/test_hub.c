/* Many sessions: what replicas have acknowledged together, limits, the same replica twice. */
#include "helper_serving.h"

#include "mysql/errcode.h"

#include <stdio.h>

#define UUID_A "aaaaaaaa-71ca-11e1-9e33-c80aa9429562"
#define UUID_B "bbbbbbbb-71ca-11e1-9e33-c80aa9429562"
#define UUID_C "cccccccc-71ca-11e1-9e33-c80aa9429562"

static uint64_t acked(void)
{
    struct point p = hub_acked(serving.hub);
    return p.pos;
}

/* Three transactions; at[i] is the end of the i-th, at[0] of what is before them. */
static void three_transactions(struct peer *const *replicas, size_t n, uint64_t at[4])
{
    at[0] = serving_end().pos;
    for (uint64_t gno = 1; gno < 4; gno++) {
        serving_add_trx(gno);
        serving_store();
        at[gno] = serving_end().pos;
        for (size_t i = 0; i < n; i++)
            serving_events_until(replicas[i], at[gno]);
    }
}

static void ack(struct peer *p, uint64_t pos)
{
    serving_ack(p, SERVING_FILE_1, pos);
    serving_turns(0.02);
}

static void one_of_them_is_enough_for_one(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    uint64_t at[4];
    struct peer *r[] = {serving_replica(1, UUID_A, 4), serving_replica(2, UUID_B, 4)};
    three_transactions(r, 2, at);
    ack(r[0], at[1]);
    assert_int_equal(acked(), at[1]);
    ack(r[1], at[3]);
    assert_int_equal(acked(), at[3]);
    unsigned told = serving.acked;
    ack(r[0], at[2]); /* others have more */
    assert_int_equal(acked(), at[3]);
    assert_int_equal(serving.acked, told);
}

static void with_two_the_slower_counts(void **state)
{
    (void)state;
    serving_wait_for_replicas(2);
    uint64_t at[4];
    struct peer *r[] = {serving_replica(1, UUID_A, 4), serving_replica(2, UUID_B, 4),
                        serving_replica(3, "", 4)};
    three_transactions(r, 3, at);
    ack(r[0], at[1]);
    assert_int_equal(acked(), 4);
    ack(r[1], at[3]); /* now the first is the slower */
    assert_int_equal(acked(), at[1]);
    ack(r[0], at[1]);
    assert_int_equal(acked(), at[1]);
    ack(r[2], at[2]); /* less than the second has and more than the first */
    assert_int_equal(acked(), at[2]);
    ack(r[0], at[3]);
    assert_int_equal(acked(), at[3]);
}

static void asking_for_a_position_acknowledges_what_is_before(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    serving_add_trx(1);
    serving_store();
    serving_replica(1, UUID_A, serving_end().pos);
    assert_int_equal(acked(), serving_end().pos);
}

static void asynchronous_replicas_count_for_nothing(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_login("repl");
    serving_set(p, "source_binlog_checksum=CRC32");
    serving_dump(p, 7, SERVING_FILE_1, serving_end().pos);
    source_recv(p);
    serving_turns(0.02);
    assert_int_equal(hub_acked(serving.hub).file, 0);
}

static void one_server_id_counts_once(void **state)
{
    (void)state;
    serving_wait_for_replicas(2);
    uint64_t at[4];
    struct peer *r[] = {serving_replica(1, UUID_A, 4), serving_replica(1, UUID_B, 4)};
    three_transactions(r, 2, at);
    ack(r[0], at[3]);
    ack(r[1], at[3]);
    assert_int_equal(hub_acked(serving.hub).file, 0);
    serving_replica(2, UUID_C, at[3]);
    assert_int_equal(acked(), at[3]);
}

static void what_they_had_they_have_when_they_are_gone(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    uint64_t at[4];
    struct peer *r[] = {serving_replica(1, UUID_A, 4)};
    three_transactions(r, 1, at);
    ack(r[0], at[2]);
    peer_close(r[0]);
    serving_await_sessions(0);
    assert_int_equal(acked(), at[2]);
}

/* Only those that are there are counted together. */
static void one_that_is_gone_makes_no_pair(void **state)
{
    (void)state;
    serving_wait_for_replicas(2);
    uint64_t at[4];
    struct peer *r[] = {serving_replica(1, UUID_A, 4), serving_replica(2, UUID_B, 4)};
    three_transactions(r, 2, at);
    ack(r[0], at[3]);
    peer_close(r[0]);
    serving_await_sessions(1);
    ack(r[1], at[3]);
    assert_int_equal(acked(), 4);
    serving_replica(1, UUID_A, at[2]);
    assert_int_equal(acked(), at[2]);
}

static void another_number_is_counted_anew(void **state)
{
    (void)state;
    uint64_t at[4];
    serving_wait_for_replicas(1);
    struct peer *r[] = {serving_replica(1, UUID_A, 4), serving_replica(2, UUID_B, 4)};
    three_transactions(r, 2, at);
    ack(r[0], at[2]);
    ack(r[1], at[1]);
    assert_int_equal(acked(), at[2]);
    serving_wait_for_replicas(2);
    assert_int_equal(acked(), at[1]);
    serving_wait_for_replicas(3);
    assert_int_equal(hub_acked(serving.hub).file, 0);
    serving_wait_for_replicas(1);
    assert_int_equal(acked(), at[2]);
    serving_wait_for_replicas(0);
    assert_int_equal(hub_acked(serving.hub).file, 0); /* nobody is waited for */
}

static void replicas_that_nobody_had_asked_come_again(void **state)
{
    (void)state;
    uint64_t at[4];
    struct peer *sent = serving_replica(1, UUID_A, 4);
    three_transactions(&sent, 1, at);
    struct peer *nothing_sent = serving_replica(2, UUID_B, serving_end().pos);
    serving_wait_for_replicas(1);
    peer_expect_eof(sent);
    assert_int_equal(acked(), at[3]); /* the other asked for what follows it */
    serving_add_trx(4);
    serving_store();
    assert_true(serving_events_until(nothing_sent, serving_end().pos));
}

static void same_replica_again_ends_its_first_dump(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        uint32_t first_id, second_id;
        bool ends;
        bool old_words;
    } cases[] = {
        {UUID_A, UUID_A, 1, 2, true, false},  {"", "", 1, 1, true, true},
        {UUID_A, UUID_B, 1, 1, false, false}, {"", "", 1, 2, false, false},
        {UUID_A, "", 1, 1, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        serving.opts.old_words = cases[i].old_words;
        hub_reconfigure(serving.hub, &serving.opts);
        struct peer *first = serving_replica(cases[i].first_id, cases[i].first, 4);
        struct peer *second = serving_replica(cases[i].second_id, cases[i].second, 4);
        if (cases[i].ends) {
            struct bytes last = source_recv(first);
            assert_int_equal(serving_error(last), ER_SOURCE_FATAL_ERROR_READING_BINLOG);
            const char *text = cases[i].old_words
                                   ? "A slave with the same server_uuid/server_id as this slave "
                                     "has connected to the master"
                                   : "A replica with the same server_uuid/server_id as this "
                                     "replica has connected to the source";
            assert_memory_equal(last.p + last.n - strlen(text), text, strlen(text));
            peer_expect_eof(first);
        } else {
            serving_await_sessions(2);
        }
        peer_close(first);
        peer_close(second);
        serving_await_sessions(0);
    }
}

static void too_many_are_refused(void **state)
{
    (void)state;
    serving.opts.max_connections = 2;
    hub_reconfigure(serving.hub, &serving.opts);
    serving_login("repl");
    struct peer *second = serving_connect();
    struct peer *third = serving_connect();
    assert_int_equal(serving_error(source_recv(third)), 1040);
    peer_expect_eof(third);
    peer_close(second);
    serving_await_sessions(1);
    serving_login("repl");
}

static void count(void *arg, const struct hub_session_info *info)
{
    unsigned *seen = arg;
    if (info->semi_sync && info->acked.pos == serving_end().pos && info->dumping &&
        strcmp(info->uuid, UUID_A) == 0)
        seen[0]++;
    else if (!info->semi_sync && !info->dumping && strcmp(info->user, "look") == 0)
        seen[1]++;
    else
        seen[2]++;
}

static void sessions_are_described(void **state)
{
    (void)state;
    unsigned seen[3] = {0};
    struct hub_stats stats;
    serving_wait_for_replicas(1);
    serving_replica(1, UUID_A, serving_end().pos);
    serving_login("look");
    hub_each(serving.hub, count, seen);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 0);
    hub_stats(serving.hub, &stats);
    assert_int_equal(stats.connected, 2);
    assert_int_equal(stats.dumping, 1);
    assert_int_equal(stats.semi_sync, 1);
}

static void all_are_sent_what_is_new(void **state)
{
    (void)state;
    enum { MANY = 18 }; /* more than are woken in a turn */
    struct peer *r[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        r[i] = serving_replica(100 + i, "", 4);
    serving_add_trx(1);
    serving_store();
    for (uint32_t i = 0; i < MANY; i++)
        serving_events_until(r[i], serving_end().pos);
}

static void those_whose_acks_are_awaited_are_sent_it_first(void **state)
{
    (void)state;
    enum { MANY = 40 }; /* of which 16 are woken in a turn */
    struct peer *others[MANY];
    unsigned served = 0;
    serving_wait_for_replicas(1);
    struct peer *awaited = serving_replica(7, UUID_A, serving_end().pos); /* the oldest, the last */
    for (uint32_t i = 0; i < MANY; i++) {
        others[i] = serving_login("repl");
        serving_set(others[i], "source_binlog_checksum=CRC32");
        serving_dump(others[i], 100 + i, SERVING_FILE_1, serving_end().pos);
        source_recv(others[i]);
        source_recv(others[i]);
    }
    serving_add_trx(1);
    serving_store(); /* returns after the turn in which T moved */
    for (uint32_t i = 0; i < MANY; i++)
        served += peer_poll(others[i]) > 0;
    assert_true(peer_poll(awaited) > 0);
    assert_in_range(served, 1, MANY - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_set_up, serving_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_of_them_is_enough_for_one),
        TEST(with_two_the_slower_counts),
        TEST(asking_for_a_position_acknowledges_what_is_before),
        TEST(asynchronous_replicas_count_for_nothing),
        TEST(one_server_id_counts_once),
        TEST(what_they_had_they_have_when_they_are_gone),
        TEST(one_that_is_gone_makes_no_pair),
        TEST(another_number_is_counted_anew),
        TEST(replicas_that_nobody_had_asked_come_again),
        TEST(same_replica_again_ends_its_first_dump),
        TEST(too_many_are_refused),
        TEST(sessions_are_described),
        TEST(all_are_sent_what_is_new),
        TEST(those_whose_acks_are_awaited_are_sent_it_first),
    };
    return RUN_TESTS(tests);
}
