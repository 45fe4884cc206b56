/* One session at a time: login, commands, refused requests, dumps, ACKs. */
#include "helper_serving.h"

#include "base/mem.h"
#include "mysql/errcode.h"
#include "mysql/reply.h"

#include <stdio.h>

#define COMMAND(text) bytes_of(text, sizeof(text) - 1)

/* ---- login ---- */

static void wrong_password_is_refused_and_ends_it(void **state)
{
    (void)state;
    static const char *const users[] = {"repl", "nobody", ""};
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        struct peer *p = serving_connect();
        assert_false(serving_try_login(p, users[i], "another"));
        assert_int_equal(serving_error(buf_bytes(&p->message)), ER_ACCESS_DENIED_ERROR);
        peer_expect_eof(p);
        serving_await_sessions(0);
    }
    struct hub_stats stats;
    hub_stats(serving.hub, &stats);
    assert_int_equal(stats.refused, 3);
}

static void garbage_instead_of_a_login_ends_it(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "\x03select 1", "\xff\xff\xff"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *p = serving_connect();
        source_recv(p);
        source_send(p, bytes_str(cases[i]));
        peer_expect_eof(p);
        serving_await_sessions(0);
    }
}

/* ---- commands ---- */

static void commands_are_answered(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    static const struct {
        struct bytes command;
        uint8_t first; /* byte of the answer */
    } cases[] = {
        {{(const uint8_t *)"\x0e", 1}, REPLY_OK},      /* PING */
        {{(const uint8_t *)"\x02mysql", 6}, REPLY_OK}, /* INIT_DB */
        {{(const uint8_t *)"\x09", 1}, 'U'},           /* STATISTICS: no packet of a known kind */
        {{(const uint8_t *)"\x1b\0\0", 3}, REPLY_EOF}, /* SET_OPTION */
        {{(const uint8_t *)"\x1b\1\0", 3}, REPLY_EOF},
        {{(const uint8_t *)"\x03 x=1", 5}, REPLY_OK}, /* QUERY */
        {{(const uint8_t *)"\x1f", 1}, REPLY_OK},     /* RESET_CONNECTION */
        {{(const uint8_t *)"\x15\7\0\0\0\1h\0\0\1\0\0\0\0\0\0\0\0\0", 19}, REPLY_OK}, /* REGISTER */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(serving_command(p, cases[i].command).p[0], cases[i].first);
    serving_send_command(p, COMMAND("\x01")); /* QUIT */
    peer_expect_eof(p);
    serving_await_sessions(0);
}

static void unknown_and_malformed_commands_are_refused_and_it_goes_on(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    static const struct {
        struct bytes command;
        unsigned error;
    } cases[] = {
        {{(const uint8_t *)"", 0}, ER_UNKNOWN_COM_ERROR},
        {{(const uint8_t *)"\x30", 1}, ER_UNKNOWN_COM_ERROR},
        {{(const uint8_t *)"\xff\xff\xff", 3}, ER_UNKNOWN_COM_ERROR},
        {{(const uint8_t *)"\xef\0\0\0\0\0\0\0\0x", 10}, ER_UNKNOWN_COM_ERROR}, /* an ACK */
        {{(const uint8_t *)"\x15", 1}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x15\7\0\0\0", 5}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x15\7\0\0\0\xffh", 7}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x15\7\0\0\0\5host", 10}, ER_UNKNOWN_ERROR},
        {{(const uint8_t *)"\x1b", 1}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x1b\0", 2}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x1b\2\0", 3}, ER_UNKNOWN_COM_ERROR},
        {{(const uint8_t *)"\x1b\0\1", 3}, ER_UNKNOWN_COM_ERROR},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(serving_error(serving_command(p, cases[i].command)), cases[i].error);
    assert_int_equal(serving_command(p, COMMAND("\x0e")).p[0], REPLY_OK);
}

static void owed_answer_comes_later(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    serving_send_command(p, COMMAND("\x03later"));
    serving_turns(0.02);
    assert_int_equal(peer_poll(p), 0);
    hub_answer(serving.hub, 1, COMMAND("\1\0\0\1\7"));
    peer_expect(p, COMMAND("\1\0\0\1\7"));
    hub_answer(serving.hub, 99, COMMAND("\1\0\0\1\7")); /* nobody */
}

static void bad_packets_end_it(void **state)
{
    (void)state;
    static const struct {
        struct bytes bytes;
    } cases[] = {
        {{(const uint8_t *)"\1\0\0\1\x0e", 5}}, /* its sequence number is not 0 */
        {{(const uint8_t *)"\1\0\0\xff\x0e", 5}},
        {{(const uint8_t *)"\1\0\0\0\x0e\1\0\0\1\x0e", 10}}, /* that of the second */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *p = serving_login("repl");
        peer_send(p, cases[i].bytes);
        peer_expect_eof(p);
        serving_await_sessions(0);
    }
}

static void truncated_packet_and_a_closed_connection_end_it(void **state)
{
    (void)state;
    for (size_t n = 0; n < 6; n++) {
        struct peer *p = serving_login("repl");
        peer_send(p, bytes_of("\x02\0\0\0\x0e", n < 5 ? n : 5));
        serving_turns(0.005);
        peer_close(p);
        serving_await_sessions(0);
    }
}

static void oversized_command_ends_it_before_it_is_held(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    uint8_t *piece = mem_alloc(1 << 20);
    peer_send(p, COMMAND("\xff\xff\xff\0\x03")); /* and another packet must follow */
    for (unsigned i = 0; i < 15; i++)
        peer_send(p, bytes_of(piece, 1 << 20));
    peer_send(p, bytes_of(piece, (1 << 20) - 2));
    peer_send(p, COMMAND("\x10\0\0\1"));
    peer_send(p, bytes_of(piece, 16));
    peer_expect_eof(p);
    serving_await_sessions(0);
    free(piece);
}

static void killed_session_ends(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    struct peer *dumping = serving_replica(7, "", 4);
    assert_true(hub_kill(serving.hub, 1));
    peer_expect_eof(p);
    assert_true(hub_kill(serving.hub, 2));
    peer_expect_eof(dumping);
    serving_await_sessions(0);
    assert_false(hub_kill(serving.hub, 1));
}

static void session_that_kills_itself_is_answered_and_ends(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    assert_int_equal(serving_command(p, COMMAND("\x03kill")).p[0], REPLY_OK);
    peer_expect_eof(p);
    serving_await_sessions(0);
}

static void killed_dump_ends_and_an_idle_session_goes_on(void **state)
{
    (void)state;
    struct peer *p = serving_login("repl");
    struct peer *dumping = serving_replica(7, "", 4);
    assert_true(hub_kill_dump(serving.hub, 1));
    assert_true(hub_kill_dump(serving.hub, 2));
    assert_false(hub_kill_dump(serving.hub, 3));
    peer_expect_eof(dumping);
    serving_await_sessions(1);
    assert_int_equal(serving_command(p, COMMAND("\x0e")).p[0], REPLY_OK);
}

/* ---- dumps that are refused: what a mysqld 9.7 does with the session ---- */

static void refused_dump_ends_it(void **state)
{
    (void)state;
    static const struct {
        struct bytes command;
        unsigned error;
    } cases[] = {
        {{(const uint8_t *)"\x12", 1}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x12\4\0\0\0\0\0\7\0\0", 10}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x1e\0\0\7\0\0\0\xff\0\0\0", 11}, ER_MALFORMED_PACKET},
        {{(const uint8_t *)"\x1e\0\0\7\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\1\0\0\0x", 24},
         ER_MALFORMED_GTID_SET_ENCODING},
        {{(const uint8_t *)"\x12\3\0\0\0\0\0\7\0\0\0", 11}, ER_SOURCE_FATAL_ERROR_READING_BINLOG},
        {{(const uint8_t *)"\x12\4\0\0\0\0\0\7\0\0\0x.000001", 19},
         ER_SOURCE_FATAL_ERROR_READING_BINLOG},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *p = serving_login("repl");
        assert_int_equal(serving_error(serving_command(p, cases[i].command)), cases[i].error);
        peer_expect_eof(p);
        serving_await_sessions(0);
    }
}

static void dump_without_the_right_is_refused_and_it_goes_on(void **state)
{
    (void)state;
    struct peer *p = serving_login("look");
    assert_int_equal(serving_error(serving_command(p, COMMAND("\x12"))),
                     ER_SPECIFIC_ACCESS_DENIED_ERROR);
    assert_int_equal(serving_command(p, COMMAND("\x0e")).p[0], REPLY_OK);
}

static void refused_client_can_be_gone_already(void **state)
{
    (void)state;
    static const struct bytes requests[] = {
        {(const uint8_t *)"\x12", 1},
        {(const uint8_t *)"\x12\3\0\0\0\0\0\7\0\0\0", 11},
        {(const uint8_t *)"\x0e", 1},
        {(const uint8_t *)"\x30", 1},
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        struct peer *p = serving_login("repl");
        serving_send_command(p, requests[i]);
        peer_close(p); /* before the loop runs: the answer finds nobody */
        serving_await_sessions(0);
    }
}

/* ---- dumps ---- */

static void plain_dump_counts_its_packets_on(void **state)
{
    (void)state;
    serving_wait_for_replicas(1); /* which does not concern it */
    serving_add_trx(1);
    serving_store();
    struct peer *p = serving_login("repl");
    serving_set(p, "source_binlog_checksum=CRC32");
    serving_dump(p, 7, SERVING_FILE_1, 4);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(source_recv(p).p[0], REPLY_OK);
    serving_add_trx(2);
    serving_store();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(source_recv(p).p[0], REPLY_OK);
    assert_int_equal(p->seq, 12);
    serving_ack(p, SERVING_FILE_1, 4); /* nobody asked */
    peer_expect_eof(p);
}

static void semi_sync_dump_asks_for_nothing_when_nobody_waits(void **state)
{
    (void)state;
    serving_add_trx(1);
    serving_store();
    struct peer *p = serving_replica(7, "", 4);
    assert_int_equal(p->seq, 8);
    serving_add_trx(2);
    serving_store();
    assert_false(serving_events_until(p, serving_end().pos));
    assert_int_equal(p->seq, 12);
}

static void last_event_up_to_t_asks_and_the_sequence_begins_anew(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_replica(7, "", 4); /* up to Previous_gtids, which asked */
    assert_int_equal(p->seq, 1);
    for (uint64_t gno = 1; gno < 4; gno++) {
        bool flagged = true;
        serving_add_trx(gno);
        serving_store();
        for (unsigned i = 0; i < 3; i++) {
            serving_event(p, &flagged);
            assert_false(flagged);
        }
        serving_event(p, &flagged);
        assert_true(flagged);
    }
}

static void heartbeats_ask_for_nothing(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_login("repl");
    serving_set(p, "rpl_semi_sync_slave=1");
    serving_set(p, "master_binlog_checksum=CRC32");
    serving_set(p, "master_heartbeat_period=20000000");
    serving_dump(p, 7, SERVING_FILE_1, serving_end().pos);
    for (unsigned i = 0; i < 6; i++) { /* Rotate, format description, heartbeats */
        bool flagged;
        struct event_header h;
        event_header_decode(&h, serving_event(p, &flagged).p);
        assert_false(flagged);
        assert_int_equal(h.type, i == 0   ? EVENT_ROTATE
                                 : i == 1 ? EVENT_FORMAT_DESCRIPTION
                                          : EVENT_HEARTBEAT);
    }
}

static void end_of_a_file_asks_too(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    serving_add_trx(1);
    serving_rotate(SERVING_FILE_2);
    uint64_t end = serving_end().pos;
    serving_store();
    struct peer *p = serving_replica(7, "", 4);
    assert_true(serving_events_until(p, end));
    assert_int_equal(p->seq, 1);
    bool flagged;
    serving_event(p, &flagged); /* the artificial Rotate and the format description */
    assert_false(flagged);
    serving_event(p, &flagged);
    assert_false(flagged);
    assert_true(serving_events_until(p, serving_end().pos));
}

static void event_of_several_packets_asks_in_its_first(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_replica(7, "", 4);
    /* A statement that fills two packets to the last byte, so that an empty one follows. */
    source_add_gtid(&serving.file, 1);
    size_t before = serving.file.bytes.len, rest = source_add_query(&serving.file, "").n;
    buf_truncate(&serving.file.bytes, before);
    size_t length = 2 * PACKET_PART_MAX - 3 - rest;
    char *sql = mem_alloc(length + 1);
    memset(sql, 'x', length);
    size_t n = source_add_query(&serving.file, sql).n;
    free(sql);
    serving_store();
    bool flagged;
    serving_event(p, &flagged);
    assert_false(flagged);
    assert_int_equal(serving_event(p, &flagged).n, n);
    assert_true(flagged);
    serving_add_trx(2);
    serving_store();
    assert_true(serving_events_until(p, serving_end().pos));
}

static void by_gtid(struct peer *p, uint64_t first, uint64_t last)
{
    struct buf set = {0}, out = {0};
    uint8_t sid[GTID_SID_BYTES];
    struct err err;
    assert_int_equal(gtid_uuid_parse(bytes_str(SOURCE_UUID), sid, &err), 0);
    wr_u64(&set, 1);
    wr_bytes(&set, bytes_of(sid, sizeof sid));
    wr_u64(&set, 1);
    wr_u64(&set, first);
    wr_u64(&set, last + 1);
    wr_u8(&out, COM_BINLOG_DUMP_GTID);
    wr_u16(&out, 0);
    wr_u32(&out, 7);
    wr_u32(&out, 0);
    wr_u64(&out, 4);
    wr_u32(&out, (uint32_t)set.len);
    wr_bytes(&out, buf_bytes(&set));
    serving_set(p, "rpl_semi_sync_replica=1");
    serving_set(p, "source_binlog_checksum=CRC32");
    serving_send_command(p, buf_bytes(&out));
    buf_fini(&set);
    buf_fini(&out);
}

static void what_a_replica_has_counts_as_acknowledged(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    uint64_t previous_gtids = serving_end().pos;
    serving_add_trx(1);
    serving_add_trx(2);
    serving_store();
    struct peer *p = serving_login("repl");
    by_gtid(p, 1, 2);
    assert_true(serving_events_until(p, previous_gtids));
    serving_events_until(p, serving_end().pos); /* the heartbeat behind what was left out */
    assert_int_equal(hub_acked(serving.hub).pos, 4);
    serving_ack(p, SERVING_FILE_1, previous_gtids);
    RUN_UNTIL(serving.loop, hub_acked(serving.hub).pos == serving_end().pos);
}

/* The replica has the second transaction and not the first. */
static void what_is_sent_before_a_gap_asks(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    serving_add_trx(1);
    uint64_t first = serving.file.bytes.len;
    serving_add_trx(2);
    serving_store();
    struct peer *p = serving_login("repl");
    by_gtid(p, 2, 2);
    assert_true(serving_events_until(p, first));
    serving_ack(p, SERVING_FILE_1, first);
    RUN_UNTIL(serving.loop, hub_acked(serving.hub).pos == serving_end().pos);
}

/* ---- ACKs ---- */

static void ack_is_taken_up_to_what_was_sent(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_replica(7, "", 4);
    assert_int_equal(hub_acked(serving.hub).pos, 4); /* asking is an ACK */
    for (uint64_t gno = 1; gno < 3; gno++) {
        uint64_t before = serving_end().pos;
        serving_add_trx(gno);
        serving_store();
        serving_events_until(p, serving_end().pos);
        serving_ack(p, SERVING_FILE_1, serving_end().pos);
        RUN_UNTIL(serving.loop, hub_acked(serving.hub).pos == serving_end().pos);
        serving_ack(p, SERVING_FILE_1, before); /* an older one changes nothing */
    }
    serving_turns(0.02);
    assert_int_equal(hub_acked(serving.hub).pos, serving_end().pos);
    assert_int_equal(serving.acked, 3);
    assert_false(p->eof);
}

static void ack_that_cannot_be_ends_it(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    serving_add_trx(1);
    serving_store();
    uint64_t end = serving_end().pos;
    const struct {
        const char *file;
        uint64_t pos;
        const char *said;
    } cases[] = {
        {SERVING_FILE_1, end + 1, "which it was not sent"},
        {SERVING_FILE_1, UINT64_MAX, "which it was not sent"},
        {SERVING_FILE_2, 4, "which it was not sent"},
        {"other-bin.000001", 4, "which it was not sent"},
        {"../mysql-bin.000001", 4, "is no name for a binary log file"},
        {"", 4, "a semi-sync ACK with a file name of 0 bytes"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *p = serving_replica(7, "", 4);
        serving_ack(p, cases[i].file, cases[i].pos);
        peer_expect_eof(p);
        serving_await_sessions(0);
        assert_int_equal(serving_logged(cases[i].said), i < 4 ? i + 1 : 1);
    }
    assert_int_equal(hub_acked(serving.hub).pos, 4);
}

static bool is_acked(struct point p)
{
    struct point acked = hub_acked(serving.hub);
    return point_cmp(&acked, &p) == 0;
}

/* The next file may not be there when it comes, and never be there in that epoch. */
static void ack_for_a_rotate_event_names_the_next_file(void **state)
{
    (void)state;
    serving_wait_for_replicas(1);
    struct peer *p = serving_login("repl");
    by_gtid(p, 1, 1);
    source_add_rotate(&serving.file, SERVING_FILE_2);
    serving_store();
    assert_true(serving_events_until(p, serving_end().pos));
    serving_ack(p, SERVING_FILE_2, 4);
    RUN_UNTIL(serving.loop, is_acked(serving_end()));
    serving_join(SERVING_FILE_1);
    serving_store();
    assert_true(serving_events_until(p, serving_end().pos));
    serving_ack(p, SERVING_FILE_1, serving_end().pos);
    RUN_UNTIL(serving.loop, is_acked(serving_end()));
    serving_ack(p, SERVING_FILE_2, 4); /* nothing but a Rotate event is acknowledged so */
    peer_expect_eof(p);
}

/* The ACK for the last event of an epoch comes when newer ones were sent, from files with the names
 * of the older ones or with others. */
static void ack_for_the_epoch_before_is_taken(void **state)
{
    (void)state;
    static const char *const names[] = {"other-bin.000001", SERVING_FILE_1, SERVING_FILE_2};
    const char *name = SERVING_FILE_1;
    serving_wait_for_replicas(1);
    struct peer *p = serving_login("repl");
    by_gtid(p, 1, 1);
    serving_events_until(p, serving_end().pos);
    serving_ack(p, SERVING_FILE_1, serving_end().pos);
    for (uint64_t i = 0; i < COUNT_OF(names); i++) {
        serving_add_trx(100 + i);
        serving_store();
        struct point before = serving_end();
        assert_true(serving_events_until(p, before.pos));
        serving_join(names[i]);
        serving_store();
        struct point first = serving_end();
        serving_add_trx(200 + i);
        serving_store();
        serving_events_until(p, serving_end().pos);
        serving_ack(p, name, before.pos);
        RUN_UNTIL(serving.loop, is_acked(before));
        serving_ack(p, names[i], first.pos); /* lower than that, and behind it */
        RUN_UNTIL(serving.loop, is_acked(first));
        name = names[i];
    }
    assert_false(p->eof);
    serving_ack(p, "third-bin.000001", 4);
    peer_expect_eof(p);
}

static void garbage_instead_of_an_ack_ends_it(void **state)
{
    (void)state;
    static const struct bytes cases[] = {
        {(const uint8_t *)"\0\0\0\0", 4},
        {(const uint8_t *)"\1\0\0\0\xef", 5},
        {(const uint8_t *)"\x9\0\0\0\xef\4\0\0\0\0\0\0\0", 13},
        {(const uint8_t *)"\1\0\0\0\x0e", 5},
        {(const uint8_t *)"\xa\0\0\1\xef\4\0\0\0\0\0\0\0x", 14}, /* out of order */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer *p = serving_replica(7, "", 4);
        peer_send(p, cases[i]);
        peer_expect_eof(p);
        serving_await_sessions(0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, serving_set_up, serving_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_password_is_refused_and_ends_it),
        TEST(garbage_instead_of_a_login_ends_it),
        TEST(commands_are_answered),
        TEST(unknown_and_malformed_commands_are_refused_and_it_goes_on),
        TEST(owed_answer_comes_later),
        TEST(bad_packets_end_it),
        TEST(truncated_packet_and_a_closed_connection_end_it),
        TEST(oversized_command_ends_it_before_it_is_held),
        TEST(killed_session_ends),
        TEST(session_that_kills_itself_is_answered_and_ends),
        TEST(killed_dump_ends_and_an_idle_session_goes_on),
        TEST(refused_dump_ends_it),
        TEST(dump_without_the_right_is_refused_and_it_goes_on),
        TEST(refused_client_can_be_gone_already),
        TEST(plain_dump_counts_its_packets_on),
        TEST(semi_sync_dump_asks_for_nothing_when_nobody_waits),
        TEST(last_event_up_to_t_asks_and_the_sequence_begins_anew),
        TEST(heartbeats_ask_for_nothing),
        TEST(end_of_a_file_asks_too),
        TEST(event_of_several_packets_asks_in_its_first),
        TEST(what_a_replica_has_counts_as_acknowledged),
        TEST(what_is_sent_before_a_gap_asks),
        TEST(ack_is_taken_up_to_what_was_sent),
        TEST(ack_that_cannot_be_ends_it),
        TEST(ack_for_a_rotate_event_names_the_next_file),
        TEST(ack_for_the_epoch_before_is_taken),
        TEST(garbage_instead_of_an_ack_ends_it),
    };
    return RUN_TESTS(tests);
}
