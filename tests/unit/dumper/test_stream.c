/* Packets of a dump, given to the stream one by one, with a real store behind it. */
#include "source.h"

#include "base/log.h"
#include "base/mem.h"
#include "dumper/stream.h"
#include "mysql/packet.h"

#include <stdio.h>

#define FILE_1 "mysql-bin.000001"
#define FILE_2 "mysql-bin.000002"
#define RING   (64u << 20)

static struct ev_loop *loop;
static char *dir;
static struct store *store;
static struct stream stream;
static struct ack_queue acks;
static struct channel channel; /* without a connection: only its sequence number counts */
static struct setup_facts facts;
static struct source_file file;
static struct buf scratch, payload;
static struct err err;
static enum stream_result result;
static enum source_header header; /* of the events that are fed */

static void ignore_wake(void *ctx)
{
    (void)ctx;
}

static void ignore_event(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const struct err *e)
{
    (void)ctx;
    err = *e;
}

static const struct store_events events = {
    .durable = ignore_event, .room = ignore_event, .failed = on_failed};

static void settle(void)
{
    store_resume(store);
    RUN_UNTIL(loop, (store_work(store), store_settled(store)));
}

static int set_up(void **state)
{
    (void)state;
    err = (struct err){0};
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    log_set_level(LOG_ERROR);
    struct store_opts so = {
        .directory = dir, .fs = fs_posix(), .ring_size = RING, .wake = ignore_wake};
    store = store_open(&so, &err);
    assert_string_equal(err.text, "");
    store_set_events(store, &events, NULL);
    settle();
    assert_int_equal(store_new_epoch(store, SOURCE_UUID, STORE_DIVERGES, &err), 0);
    ack_reset(&acks, ACK_LATEST);
    facts = (struct setup_facts){.crc32 = true};
    header = SOURCE_SEMI;
    result = STREAM_TAKEN;
    channel = (struct channel){.seq = 77};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    source_file_fini(&file);
    buf_fini(&scratch);
    buf_fini(&payload);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

/* ---- feeding ---- */

static bool due(uint64_t synced, struct ack *ack)
{
    struct ack_bounds bounds = {synced, NULL};
    return ack_due(&acks, &bounds, ack);
}

static void feed_payload(struct bytes p)
{
    result = stream_part(&stream, p, CHANNEL_FIRST | CHANNEL_LAST, &err);
}

static void feed_as(enum source_header h, struct bytes event)
{
    buf_clear(&payload);
    source_wrap(&payload, h, event);
    feed_payload(buf_bytes(&payload));
}

static void feed(struct bytes event)
{
    feed_as(header, event);
}

static void take(struct bytes event)
{
    feed(event);
    if (result != STREAM_TAKEN)
        print_message("%s\n", err.text);
    assert_int_equal(result, STREAM_TAKEN);
}

/* As the channel does: a first part, then others. */
static void feed_in_parts(enum source_header h, struct bytes event, size_t first, size_t step)
{
    buf_clear(&payload);
    source_wrap(&payload, h, event);
    struct bytes p = buf_bytes(&payload);
    unsigned flags = CHANNEL_FIRST;
    size_t n = first;
    result = STREAM_TAKEN;
    while (p.n && result == STREAM_TAKEN) {
        n = n < p.n ? n : p.n;
        result =
            stream_part(&stream, bytes_of(p.p, n), flags | (n == p.n ? CHANNEL_LAST : 0), &err);
        store_publish(store);
        p = bytes_skip(p, n);
        flags = 0;
        n = step;
    }
}

static struct bytes rotate_to(const char *name, uint64_t pos)
{
    return source_fake_rotate(&scratch, name, pos, facts.crc32);
}

/* A stream up to one good transaction. */
static void begin_at(const char *name)
{
    source_file_begin(&file, name, facts.crc32, 1000);
    take(rotate_to(name, 4));
    take(source_fde(&file));
}

static void add_trx(uint64_t gno)
{
    take(source_add_gtid(&file, gno));
    take(source_add_query(&file, "BEGIN"));
    take(source_add_rows(&file, 50));
    take(source_add_xid(&file));
}

static void start(void)
{
    stream_start(&stream, store, &acks, &channel, &facts, NULL, 4);
    begin_at(FILE_1);
    take(source_add_previous_gtids(&file));
    add_trx(1);
}

static void await_durable(void)
{
    store_publish(store);
    RUN_UNTIL(loop, (store_work(store), store_synced(store) == store_offset(store)));
}

/* Resumes at the last event of T, up to where it is due again. */
static void resume(bool zeroed)
{
    struct binfile_name name;
    settle();
    struct store_pos at = store_resume_pos(store);
    assert_int_equal(binfile_name_parse(&name, bytes_str(at.file), &err), 0);
    stream_start(&stream, store, &acks, &channel, &facts, &name, at.pos);
    ack_reset(&acks, ACK_LATEST);
    take(rotate_to(at.file, at.pos));
    if (at.pos > 4)
        take(source_preamble(&scratch, &file, zeroed));
}

static struct bytes event_at(size_t offset)
{
    struct event_header h;
    event_header_decode(&h, buf_bytes(&file.bytes).p + offset);
    return bytes_of(buf_bytes(&file.bytes).p + offset, h.length);
}

static void assert_stored(const char *name, struct bytes expected)
{
    char path[600];
    uint8_t *data = mem_alloc(expected.n + 1);
    snprintf(path, sizeof path, "%s/0001-" SOURCE_UUID "/%s", dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(data, 1, expected.n + 1, f);
    fclose(f);
    assert_int_equal(n, expected.n);
    assert_memory_equal(data, expected.p, n);
    free(data);
}

/* ---- good streams ---- */

static void stream_stores_what_files_hold_and_nothing_else(void **state)
{
    (void)state;
    for (int crc = 0; crc < 2; crc++)
        for (int semi = 0; semi < 2; semi++) {
            if (crc || semi) {
                tear_down(NULL);
                set_up(NULL);
            }
            facts.crc32 = crc;
            header = semi ? SOURCE_SEMI : SOURCE_PLAIN;
            start();
            assert_int_equal(stream.semi_sync, semi);
            take(source_heartbeat(&scratch, &file, (uint32_t)file.bytes.len));
            assert_true(stream.idle);
            add_trx(2);
            assert_false(stream.idle);
            take(source_add_rotate(&file, FILE_2));
            await_durable();
            assert_stored(FILE_1, buf_bytes(&file.bytes));
            begin_at(FILE_2);
            take(source_add_previous_gtids(&file));
            add_trx(3);
            await_durable();
            assert_stored(FILE_2, buf_bytes(&file.bytes));
            assert_int_equal(stream.transactions, 3);
            struct buf set;
            buf_init(&set);
            gtid_set_format(store_gtids(store), &set);
            wr_u8(&set, 0);
            assert_string_equal((const char *)buf_bytes(&set).p, SOURCE_UUID ":1-3");
            buf_fini(&set);
        }
}

static void stream_goes_to_the_next_file_without_a_rotate_event(void **state)
{
    (void)state;
    start();
    take(source_add_gtid(&file, 2)); /* the source was killed in mid-transaction */
    begin_at(FILE_2);
    add_trx(2);
    await_durable();
    assert_stored(FILE_2, buf_bytes(&file.bytes));
    assert_string_equal(store_end(store).file, FILE_2);
}

static void heartbeat_between_rotate_and_format_is_ignored(void **state)
{
    (void)state;
    start();
    take(rotate_to(FILE_2, 4));
    take(source_heartbeat(&scratch, &file, 4));
    source_file_begin(&file, FILE_2, true, 2000);
    take(source_fde(&file));
}

static void resume_compares_and_goes_on(void **state)
{
    (void)state;
    for (int zeroed = 0; zeroed < 2; zeroed++) {
        if (zeroed) {
            tear_down(NULL);
            set_up(NULL);
        }
        start();
        take(source_add_gtid(&file, 2)); /* cut off by resuming */
        buf_truncate(&file.bytes, file.last);
        settle();
        size_t last = (size_t)store_resume_pos(store).pos;
        resume(zeroed);
        take(event_at(last));
        add_trx(2);
        await_durable();
        assert_string_equal(err.text, "");
        assert_stored(FILE_1, buf_bytes(&file.bytes));
    }
}

static void resume_with_only_a_format_compares_it_from_the_start(void **state)
{
    (void)state;
    stream_start(&stream, store, &acks, &channel, &facts, NULL, 4);
    begin_at(FILE_1);
    resume(false);
    take(source_fde(&file));
    add_trx(1);
    await_durable();
    assert_stored(FILE_1, buf_bytes(&file.bytes));
}

static void ack_is_noted_with_the_end_of_the_flagged_event(void **state)
{
    (void)state;
    struct ack ack;
    start();
    assert_int_equal(channel.seq, 77);
    feed_as(SOURCE_FLAGGED, source_add_query(&file, "CREATE TABLE t (a int)"));
    assert_int_equal(result, STREAM_TAKEN);
    assert_int_equal(channel.seq, 1);
    assert_false(due(store_offset(store) - 1, &ack));
    assert_true(due(store_offset(store), &ack));
    assert_int_equal(ack.pos, file.bytes.len);
    assert_string_equal(store_file(store, ack.file)->text, FILE_1);
}

static void flags_on_what_is_in_no_file_ask_for_nothing(void **state)
{
    (void)state;
    struct ack ack;
    header = SOURCE_FLAGGED;
    stream_start(&stream, store, &acks, &channel, &facts, NULL, 4);
    take(rotate_to(FILE_1, 4));
    assert_false(due(UINT64_MAX, &ack));
}

static void long_events_are_stored_in_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {70000, 300000, 17u << 20};
    static const size_t steps[] = {CHANNEL_WHOLE_MAX, 65537, CHANNEL_READ_SIZE};
    for (int crc = 0; crc < 2; crc++) {
        if (crc) {
            tear_down(NULL);
            set_up(NULL);
        }
        facts.crc32 = crc;
        start();
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t s = 0; s < COUNT_OF(steps); s++) {
                struct ack ack;
                take(source_add_gtid(&file, 2 + i * COUNT_OF(steps) + s));
                take(source_add_query(&file, "BEGIN"));
                channel.seq = 9;
                feed_in_parts(SOURCE_SEMI, source_add_rows(&file, sizes[i]), CHANNEL_WHOLE_MAX,
                              steps[s]);
                assert_int_equal(result, STREAM_TAKEN);
                assert_int_equal(channel.seq, 9);
                feed_as(SOURCE_FLAGGED, source_add_xid(&file));
                assert_int_equal(result, STREAM_TAKEN);
                await_durable();
                assert_true(due(store_synced(store), &ack));
                assert_int_equal(ack.pos, file.bytes.len);
            }
        assert_stored(FILE_1, buf_bytes(&file.bytes));
    }
}

/* The last part can hold any number of bytes of the CRC. */
static void long_event_cut_within_its_crc_is_stored(void **state)
{
    (void)state;
    start();
    for (size_t tail = 1; tail <= 6; tail++) {
        struct bytes event = source_add_query(&file, "BEGIN");
        take(event);
        event = source_add_rows(&file, 70000);
        feed_in_parts(SOURCE_SEMI, event, event.n + 3 - tail, tail);
        assert_int_equal(result, STREAM_TAKEN);
        feed_in_parts(SOURCE_SEMI, source_add_rows(&file, 70000), 69000, 1);
        assert_int_equal(result, STREAM_TAKEN);
        take(source_add_xid(&file));
    }
    await_durable();
    assert_stored(FILE_1, buf_bytes(&file.bytes));
}

static void long_event_can_ask_for_an_ack(void **state)
{
    (void)state;
    struct ack ack;
    start();
    char *sql = mem_alloc(100001);
    memset(sql, 'x', 100000);
    feed_in_parts(SOURCE_FLAGGED, source_add_query(&file, sql), CHANNEL_WHOLE_MAX, 70000);
    free(sql);
    assert_int_equal(result, STREAM_TAKEN);
    assert_int_equal(channel.seq, 1);
    assert_false(due(store_offset(store) - 1, &ack));
    assert_true(due(store_offset(store), &ack));
    assert_int_equal(ack.pos, file.bytes.len);
}

/* ---- bad streams: each after a good transaction ---- */

static struct bytes altered(struct bytes event, size_t at, uint8_t flip, bool mend)
{
    buf_clear(&scratch);
    wr_bytes(&scratch, event);
    scratch.data[scratch.off + at] ^= flip;
    if (mend)
        source_mend_crc(&scratch);
    return buf_bytes(&scratch);
}

static void bad_crc(void)
{
    feed(altered(source_add_query(&file, "BEGIN"), 30, 1, false));
}

static void bad_length_field(void)
{
    feed(altered(source_add_query(&file, "BEGIN"), 9, 1, true));
}

static void bad_packet_short(void)
{
    struct bytes e = source_add_query(&file, "BEGIN");
    feed(bytes_of(e.p, e.n - 1));
}

static void bad_event_tiny(void)
{
    feed(bytes_of("0123456789", 10));
}

static void bad_log_pos_jump(void)
{
    feed(altered(source_add_query(&file, "BEGIN"), 14, 1, true));
}

static void bad_log_pos_zero(void)
{
    struct bytes e = source_add_query(&file, "BEGIN");
    buf_clear(&scratch);
    wr_bytes(&scratch, e);
    memset(scratch.data + scratch.off + 13, 0, 4);
    source_mend_crc(&scratch);
    feed(buf_bytes(&scratch));
}

static void bad_event_skipped(void)
{
    source_add_query(&file, "BEGIN");
    feed(source_add_xid(&file));
}

static void bad_event_twice(void)
{
    feed(source_last(&file));
}

static void bad_second_format(void)
{
    buf_clear(&scratch);
    wr_bytes(&scratch, source_fde(&file));
    feed(source_add(&file, EVENT_FORMAT_DESCRIPTION,
                    bytes_of(scratch.data + scratch.off + EVENT_HEADER, scratch.len - 23)));
}

static void bad_type(void)
{
    feed(source_add(&file, 99, bytes_str("what is this")));
}

static void bad_post_header(void)
{
    feed(source_add(&file, EVENT_GTID, bytes_str("short")));
}

static void bad_gtid(void)
{
    uint8_t zeros[42] = {0};
    feed(source_add(&file, EVENT_GTID, bytes_of(zeros, sizeof zeros)));
}

static void bad_previous_gtids(void)
{
    feed(source_add(&file, EVENT_PREVIOUS_GTIDS, bytes_str("\xff\xff\xff\xff\xff\xff\xff")));
}

static void bad_rotate_path(void)
{
    feed(rotate_to("../x.000002", 4));
}

static void bad_rotate_hidden(void)
{
    feed(rotate_to(".mysql-bin.000002", 4));
}

static void bad_rotate_no_number(void)
{
    feed(rotate_to("mysql-bin.index", 4));
}

static void bad_rotate_nul(void)
{
    buf_clear(&scratch);
    source_fake_rotate(&scratch, "mysql-bin.000002", 4, true);
    scratch.data[scratch.off + EVENT_HEADER + 8 + 5] = 0;
    source_mend_crc(&scratch);
    feed(buf_bytes(&scratch));
}

static void bad_rotate_stored_path(void)
{
    feed(source_add_rotate(&file, "../../etc/x.000002"));
}

static void bad_rotate_same(void)
{
    feed(rotate_to(FILE_1, 4));
}

static void bad_rotate_pos(void)
{
    feed(rotate_to(FILE_2, 120));
}

static void bad_rotate_crc(void)
{
    feed(altered(rotate_to(FILE_2, 4), 21, 1, false));
}

static void rotate_and_format(const char *name)
{
    take(rotate_to(name, 4));
    source_file_begin(&file, name, true, 3000);
    feed(source_fde(&file));
}

static void bad_rotate_backwards(void)
{
    rotate_and_format("mysql-bin.000000");
}

static void bad_rotate_skips(void)
{
    rotate_and_format("mysql-bin.000003");
}

static void bad_rotate_other_base(void)
{
    rotate_and_format("other-bin.000002");
}

static void bad_no_format(void)
{
    take(rotate_to(FILE_2, 4));
    source_file_begin(&file, FILE_2, true, 3000);
    feed(source_add_query(&file, "BEGIN"));
}

static void bad_two_rotates(void)
{
    take(rotate_to(FILE_2, 4));
    feed(rotate_to(FILE_2, 4));
}

static void bad_format_crc(void)
{
    take(rotate_to(FILE_2, 4));
    source_file_begin(&file, FILE_2, true, 3000);
    feed(altered(source_fde(&file), 40, 1, false));
}

static void bad_format_log_pos(void)
{
    take(rotate_to(FILE_2, 4));
    source_file_begin(&file, FILE_2, true, 3000);
    feed(altered(source_fde(&file), 13, 1, true));
}

static void bad_heartbeat_ahead(void)
{
    feed(source_heartbeat(&scratch, &file, (uint32_t)file.bytes.len + 100));
}

static void bad_heartbeat_behind(void)
{
    feed(source_heartbeat(&scratch, &file, (uint32_t)file.last));
}

static void bad_eof(void)
{
    feed_payload(bytes_of("\xfe\0\0\2\0", 5));
}

static void bad_empty(void)
{
    feed_payload(bytes_of("", 0));
}

static void bad_local_infile(void)
{
    feed_payload(bytes_str("\xfb/etc/passwd"));
}

static void bad_no_semi_sync_header(void)
{
    feed_as(SOURCE_PLAIN, source_add_query(&file, "BEGIN"));
}

static void bad_semi_sync_flag(void)
{
    feed_payload(bytes_of("\0\xef\2 and more", 10));
}

static void error_1236(const char *text)
{
    buf_clear(&payload);
    wr_u8(&payload, 0xff);
    wr_u16(&payload, 1236);
    wr_str(&payload, "#HY000");
    wr_str(&payload, text);
    feed_payload(buf_bytes(&payload));
}

static void error_size(void)
{
    error_1236("Client requested source to start replication from position > file size");
}

static void error_impossible(void)
{
    error_1236("Client requested source to start replication from impossible position; the first "
               "event 'x' at 5");
}

static void error_first_file(void)
{
    error_1236("Could not find first log file name in binary log index file");
}

static void error_next(void)
{
    error_1236("could not find next log; the first event '' at 4");
}

static void error_uuid(void)
{
    error_1236("A replica with the same server_uuid/server_id as this replica has connected to "
               "the source");
}

static void error_not_open(void)
{
    error_1236("Binary log is not open");
}

static void error_other(void)
{
    error_1236("log event entry exceeded max_allowed_packet");
}

static void bad_long_length(void)
{
    struct bytes e = source_add_rows(&file, 100000);
    feed_in_parts(header, bytes_of(e.p, e.n - 1), CHANNEL_WHOLE_MAX, 50000);
}

static void bad_long_over(void)
{
    struct bytes e = altered(source_add_rows(&file, 100000), 9, 0x80, false); /* 128 shorter */
    feed_in_parts(header,
                  altered(e, 13, (uint8_t)(e.p[13] ^ (uint8_t)(le32(e.p + 13) - 128)), false),
                  CHANNEL_WHOLE_MAX, 50000);
}

static void bad_long_crc(void)
{
    feed_in_parts(header, altered(source_add_rows(&file, 100000), 90000, 1, false),
                  CHANNEL_WHOLE_MAX, 20000);
}

static void bad_long_log_pos(void)
{
    feed_in_parts(header, altered(source_add_rows(&file, 100000), 14, 1, true), CHANNEL_WHOLE_MAX,
                  50000);
}

static void bad_over_limit(void)
{
    buf_clear(&scratch);
    wr_bytes(&scratch, source_add_rows(&file, 100000));
    put_le32(scratch.data + scratch.off + 9, EVENT_MAX + 1);
    feed_in_parts(header, buf_bytes(&scratch), CHANNEL_WHOLE_MAX, 50000);
}

static void bad_long_rotate(void)
{
    char *name = mem_alloc(100001);
    memset(name, 'a', 100000);
    feed_in_parts(header, source_add_rotate(&file, name), CHANNEL_WHOLE_MAX, 50000);
    free(name);
}

static void bad_long_heartbeat(void)
{
    char *name = mem_alloc(100001);
    memset(name, 'a', 100000);
    feed_in_parts(header, source_add(&file, EVENT_HEARTBEAT, bytes_str(name)), CHANNEL_WHOLE_MAX,
                  50000);
    free(name);
}

static void bad_endless(void)
{
    struct bytes e = source_add_rows(&file, 100000);
    buf_clear(&payload);
    source_wrap(&payload, header, e);
    result = stream_part(&stream, buf_bytes(&payload), CHANNEL_FIRST, &err);
    for (int i = 0; i < 100 && result == STREAM_TAKEN; i++)
        result = stream_part(&stream, bytes_str("more and more"), 0, &err);
}

static const struct bad_case {
    void (*act)(void);
    const char *text;
    enum err_kind kind;
} bad_cases[] = {
    {bad_crc, "wrong CRC in a Query event", ERR_MALFORMED},
    {bad_length_field, "Query event with a length of ", ERR_MALFORMED},
    {bad_packet_short, "Query event with a length of ", ERR_MALFORMED},
    {bad_event_tiny, "an event of 10 bytes", ERR_MALFORMED},
    {bad_log_pos_jump, "Query event with log_pos ", ERR_MALFORMED},
    {bad_log_pos_zero, "Query event with log_pos 0 where ", ERR_MALFORMED},
    {bad_event_skipped, "Xid event with log_pos ", ERR_MALFORMED},
    {bad_event_twice, "Xid event with log_pos ", ERR_MALFORMED},
    {bad_second_format, "a second Format_description event in one file", ERR_MALFORMED},
    {bad_type, "event of unknown type 99", ERR_MALFORMED},
    {bad_post_header, "Gtid event with a length of ", ERR_MALFORMED},
    {bad_gtid, "malformed Gtid event", ERR_MALFORMED},
    {bad_previous_gtids, "Previous_gtids event: ", ERR_MALFORMED},
    {bad_rotate_path, "\"../x.000002\" is no name for a binary log file", ERR_MALFORMED},
    {bad_rotate_hidden, "is no name for a binary log file", ERR_MALFORMED},
    {bad_rotate_no_number, "is no name for a binary log file", ERR_MALFORMED},
    {bad_rotate_nul, "is no name for a binary log file", ERR_MALFORMED},
    {bad_rotate_stored_path, "is no name for a binary log file", ERR_MALFORMED},
    {bad_rotate_same, "the source begins " FILE_1 " again", ERR_DIVERGED},
    {bad_rotate_pos, "a Rotate to " FILE_2 " at 120 comes where none may", ERR_MALFORMED},
    {bad_rotate_crc, "wrong CRC in an artificial Rotate event", ERR_MALFORMED},
    {bad_rotate_backwards, "the source goes on with the file mysql-bin.000000 after " FILE_1,
     ERR_DIVERGED},
    {bad_rotate_skips, "the source goes on with the file mysql-bin.000003 after " FILE_1,
     ERR_DIVERGED},
    {bad_rotate_other_base, "the source goes on with the file other-bin.000002 after " FILE_1,
     ERR_DIVERGED},
    {bad_no_format, "a Query event comes before the Format_description", ERR_MALFORMED},
    {bad_two_rotates, "a Rotate to " FILE_2 " at 4 comes where none may", ERR_MALFORMED},
    {bad_format_crc, "wrong CRC in a Format_description event", ERR_MALFORMED},
    {bad_format_log_pos, "Format_description event with log_pos ", ERR_MALFORMED},
    {bad_heartbeat_ahead, "a heartbeat at log_pos ", ERR_MALFORMED},
    {bad_heartbeat_behind, "a heartbeat at log_pos ", ERR_MALFORMED},
    {bad_eof, "the source ended the dump", ERR_OTHER},
    {bad_empty, "a packet of the dump does not begin with an OK byte", ERR_MALFORMED},
    {bad_local_infile, "the source asks for a local file (LOCAL INFILE)", ERR_MALFORMED},
    {bad_no_semi_sync_header, "an event lacks the semi-sync header", ERR_MALFORMED},
    {bad_semi_sync_flag, "an event lacks the semi-sync header", ERR_MALFORMED},
    {error_size, "the source does not have what is stored here", ERR_DIVERGED},
    {error_impossible, "the source does not have what is stored here", ERR_DIVERGED},
    {error_first_file, "the source does not have what is stored here", ERR_DIVERGED},
    {error_next, "the source does not have what is stored here", ERR_DIVERGED},
    {error_uuid, "another replica has the same server_id or server_uuid", ERR_LONG},
    {error_not_open, "the source writes no binary log", ERR_LONG},
    {error_other, "the source ended the dump: error 1236: log event entry", ERR_OTHER},
    {bad_long_length, "Write_rows event is not as long as its header says", ERR_MALFORMED},
    {bad_long_over, "Write_rows event ", ERR_MALFORMED},
    {bad_long_crc, "wrong CRC in a Write_rows event", ERR_MALFORMED},
    {bad_long_log_pos, "Write_rows event with log_pos ", ERR_MALFORMED},
    {bad_over_limit, "Write_rows event with a length of ", ERR_MALFORMED},
    {bad_long_rotate, "a Rotate event of ", ERR_MALFORMED},
    {bad_long_heartbeat, "a Heartbeat event of ", ERR_MALFORMED},
    {bad_endless, "Write_rows event ", ERR_MALFORMED},
};

static void bad_streams_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_cases); i++) {
        const struct bad_case *c = &bad_cases[i];
        struct ack ack;
        struct buf good;
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        start();
        await_durable();
        buf_init(&good);
        wr_bytes(&good, buf_bytes(&file.bytes));
        c->act();
        if (result != STREAM_BAD || !strstr(err.text, c->text) || err.kind != c->kind)
            print_message("case %zu: \"%s\" (%d), not \"%s\"\n", i, err.text, err.kind, c->text);
        assert_int_equal(result, STREAM_BAD);
        assert_non_null(strstr(err.text, c->text));
        assert_int_equal(err.kind, c->kind);
        assert_false(due(UINT64_MAX, &ack));
        if (!stream.long_crc.seen) { /* of a long event bytes may be there until they are cut */
            await_durable();
            assert_stored(FILE_1, buf_bytes(&good));
        }
        settle();
        assert_stored(FILE_1, buf_bytes(&good));
        assert_int_equal(store_files(store)->n, 1);
        assert_int_equal(store_end(store).pos, good.len);
        buf_fini(&good);
    }
}

static void bad_beginnings_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a Format_desc event comes before the first Rotate",
        "the source begins " FILE_1 " at 120",
        "a long Write_rows event comes where none may",
        "the source ended the dump: error 1236: Could not find first log file",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        stream_start(&stream, store, &acks, &channel, &facts, NULL, 4);
        source_file_begin(&file, FILE_1, true, 1);
        switch (i) {
        case 0:
            feed(source_fde(&file));
            break;
        case 1:
            feed(rotate_to(FILE_1, 120));
            break;
        case 2:
            feed_in_parts(header, source_add_rows(&file, 100000), CHANNEL_WHOLE_MAX, 50000);
            break;
        case 3:
            error_first_file(); /* with nothing stored nothing has diverged */
            break;
        }
        assert_int_equal(result, STREAM_BAD);
        if (!strstr(err.text, texts[i]))
            print_message("\"%s\", not \"%s\"\n", err.text, texts[i]);
        assert_non_null(strstr(err.text, texts[i]));
        assert_int_equal(err.kind, i == 3 ? ERR_OTHER : ERR_MALFORMED);
        assert_true(store_empty(store));
    }
}

static void resume_answered_with_another_place_is_refused(void **state)
{
    (void)state;
    start();
    settle();
    struct store_pos at = store_resume_pos(store);
    struct binfile_name name;
    assert_int_equal(binfile_name_parse(&name, bytes_str(at.file), &err), 0);
    for (int i = 0; i < 2; i++) {
        stream_start(&stream, store, &acks, &channel, &facts, &name, at.pos);
        feed(i ? rotate_to(FILE_2, at.pos) : rotate_to(FILE_1, 4));
        assert_int_equal(result, STREAM_BAD);
        assert_non_null(strstr(err.text, "the source answers with "));
    }
}

static void resume_with_other_bytes_is_divergence(void **state)
{
    (void)state;
    start();
    await_durable();
    resume(true);
    feed(altered(source_last(&file), EVENT_HEADER, 1, true));
    assert_int_equal(result, STREAM_TAKEN); /* the journal compares */
    store_publish(store);
    RUN_UNTIL(loop, (store_work(store), err.text[0]));
    assert_int_equal(err.kind, ERR_DIVERGED);
    assert_stored(FILE_1, buf_bytes(&file.bytes));
}

static void no_room_leaves_the_part_for_later(void **state)
{
    (void)state;
    start();
    struct bytes e = source_add_rows(&file, 1u << 20);
    unsigned taken = 0;
    while (taken < 100 && result == STREAM_TAKEN) { /* nothing is published, so nothing drains */
        buf_clear(&payload);
        source_wrap(&payload, SOURCE_SEMI, e);
        feed_payload(buf_bytes(&payload));
        if (result == STREAM_TAKEN) {
            taken++;
            e = source_add_rows(&file, 1u << 20);
        }
    }
    assert_int_equal(result, STREAM_NO_ROOM);
    assert_in_range(taken, 50, 64);
    await_durable();
    feed_payload(buf_bytes(&payload));
    assert_int_equal(result, STREAM_TAKEN);
    await_durable();
    assert_stored(FILE_1, buf_bytes(&file.bytes));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stream_stores_what_files_hold_and_nothing_else),
        TEST(stream_goes_to_the_next_file_without_a_rotate_event),
        TEST(heartbeat_between_rotate_and_format_is_ignored),
        TEST(resume_compares_and_goes_on),
        TEST(resume_with_only_a_format_compares_it_from_the_start),
        TEST(ack_is_noted_with_the_end_of_the_flagged_event),
        TEST(flags_on_what_is_in_no_file_ask_for_nothing),
        TEST(long_events_are_stored_in_parts),
        TEST(long_event_cut_within_its_crc_is_stored),
        TEST(long_event_can_ask_for_an_ack),
        TEST(bad_streams_are_refused_and_leave_nothing),
        TEST(bad_beginnings_are_refused),
        TEST(resume_answered_with_another_place_is_refused),
        TEST(resume_with_other_bytes_is_divergence),
        TEST(no_room_leaves_the_part_for_later),
    };
    return RUN_TESTS(tests);
}
