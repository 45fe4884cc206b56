/* Dumps over files that are made here: where they begin, what they leave out, how long events are
 * split, and that what the GTID index says is not read. */
#include "check.h"

#include "base/log.h"
#include "base/mem.h"
#include "binlog/event_body.h"
#include "mysql/packet.h"
#include "replica/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID       "5960727b-e4bf-11f1-8f36-02fc00000001"
#define FOLDER     "0001-" UUID
#define SECOND     "0002-second"
#define FILES_MAX  2
#define KIB        1024u
#define MIB        (1024u * KIB)
#define FORMAT_END 123u
#define GTID_EVENT 65u
#define XID_EVENT  31u
#define SID        "\x59\x60\x72\x7b\xe4\xbf\x11\xf1\x8f\x36\x02\xfc\x00\x00\x00\x01"

static struct {
    char *dir;
    struct buf files[FILES_MAX];
    size_t files_n;
    size_t second; /* the file with which the second epoch begins; 0: there is none */
    struct store *store;
    struct worker *worker;
    sem_t woken;
    struct dump *dump;
    struct dump_opts opts;
    uint8_t *scratch;
    struct gtid_set has;
    struct buf out;
    struct buf seen; /* of each event a line: type@log_pos */
    struct err err;
    bool cold; /* nothing is in memory until it was fetched */
    unsigned fetches;
    uint64_t read; /* bytes that dumps asked for */
    bool acks_wanted;
    uint32_t asked; /* log_pos of the last event that asked for an ACK */
    enum dump_result result;
} t;

/* ---- file system and threads ---- */

static ssize_t counting_pread_cached(int fd, void *buf, size_t n, off_t off)
{
    t.read += n;
    if (t.cold) {
        errno = EAGAIN;
        return -1;
    }
    return pread(fd, buf, n, off);
}

static const struct fs *test_fs(void)
{
    static struct fs table;
    table = *fs_posix();
    table.pread_cached = counting_pread_cached;
    return &table;
}

static void wake(void *ctx)
{
    (void)ctx;
    sem_post(&t.woken);
}

static bool acks_wanted(void *ctx)
{
    (void)ctx;
    return t.acks_wanted;
}

static void on_fetched(void *ctx)
{
    (void)ctx;
    t.cold = false;
    t.fetches++;
}

/* ---- files ---- */

static struct buf *last_file(void)
{
    return &t.files[t.files_n - 1];
}

/* Appends an event of the length in all; what is behind the body is zeros. */
static void add_event(uint8_t type, struct bytes body, uint32_t length)
{
    struct buf *f = last_file();
    size_t start = f->len;
    wr_u32(f, 1);
    wr_u8(f, type);
    wr_u32(f, 1);
    wr_u32(f, length);
    wr_u32(f, (uint32_t)(start + length));
    wr_u16(f, 0);
    wr_bytes(f, body);
    wr_zero(f, length - EVENT_HEADER - body.n - EVENT_CRC);
    wr_u32(f, event_crc32(0, bytes_of(f->data + start, f->len - start)));
}

/* A server that has just started says so, and a replica then drops its temporary tables. */
static void put_created(void)
{
    uint8_t *format = last_file()->data + EVENT_MAGIC_LEN;
    uint32_t n = FORMAT_END - EVENT_MAGIC_LEN;
    put_le32(format + EVENT_HEADER + 52, 1500000000);
    put_le32(format + n - EVENT_CRC, event_crc32(0, bytes_of(format, n - EVENT_CRC)));
}

/* Magic, format description and Previous_gtids of 1 .. before. */
static void begin_file(uint64_t before)
{
    size_t n;
    uint8_t *real = check_data("15a-many-gtids-5.7.36.binlog", &n);
    t.files_n++;
    wr_bytes(last_file(), bytes_of(real, FORMAT_END));
    free(real);
    put_created();
    struct gtid g = {.sid = SID};
    struct gtid_set set;
    struct buf body = {0};
    gtid_set_init(&set);
    if (before)
        gtid_set_add_range(&set, &g, 1, before);
    gtid_set_encode(&set, &body);
    add_event(EVENT_PREVIOUS_GTIDS, buf_bytes(&body),
              (uint32_t)(EVENT_HEADER + body.len + EVENT_CRC));
    gtid_set_fini(&set);
    buf_fini(&body);
}

/* A transaction: its (anonymous, when gno is 0) GTID, an event of the length, and Xid. */
static void add_trx(uint64_t gno, uint32_t length)
{
    struct buf body = {0};
    wr_u8(&body, 0);
    wr_bytes(&body, bytes_of(SID, 16));
    wr_u64(&body, gno);
    add_event(gno ? EVENT_GTID : EVENT_ANONYMOUS_GTID, buf_bytes(&body), GTID_EVENT);
    buf_fini(&body);
    add_event(EVENT_TABLE_MAP, bytes_of("\1\2\3\4\5\6\7\10", 8), length);
    add_event(EVENT_XID, bytes_of("\1\2\3\4\5\6\7\10", 8), XID_EVENT);
}

static void add_rotate(void)
{
    struct buf body = {0};
    wr_u64(&body, 4);
    wr_str(&body, "mysql-bin.000002");
    add_event(EVENT_ROTATE, buf_bytes(&body), (uint32_t)(EVENT_HEADER + body.len + EVENT_CRC));
    buf_fini(&body);
}

/* What follows is of another source, which had the transactions 1 .. stored too. */
static void begin_epoch(enum store_follow follow, unsigned stored)
{
    char path[700];
    snprintf(path, sizeof path, "%s/" SECOND, t.dir);
    assert_int_equal(mkdir(path, 0750), 0);
    snprintf(path, sizeof path, "%s/" SECOND "/follows", t.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "time=2026-01-01T00:00:00Z\nfollows=" FOLDER "\njoined=%d\ngtids=" UUID ":1-%u\n",
            follow == STORE_JOINS, stored);
    fclose(f);
    t.second = t.files_n;
}

static void write_files(void)
{
    char path[700];
    snprintf(path, sizeof path, "%s/" FOLDER, t.dir);
    assert_int_equal(mkdir(path, 0750), 0);
    for (size_t i = 0; i < t.files_n; i++) {
        bool second = t.second && i >= t.second;
        snprintf(path, sizeof path, "%s/%s/mysql-bin.%06zu", t.dir, second ? SECOND : FOLDER,
                 i + 1 - (second ? t.second : 0));
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(t.files[i].data, 1, t.files[i].len, f), t.files[i].len);
        fclose(f);
    }
}

static struct binfile_name name_of(size_t i)
{
    return store_files(t.store)->at[i];
}

static bool all_are_indexed(void)
{
    struct gtid_set all;
    struct gtid g = {.sid = SID};
    bool are = true;
    gtid_set_init(&all);
    gtid_set_add_range(&all, &g, 1, 1000);
    for (size_t i = 0; i + 1 < store_files(t.store)->n; i++) {
        struct binfile_name name = name_of(i);
        struct gtid_run run = store_gtid_run(t.store, &name, 0, &all);
        are = are && run.from < run.to;
    }
    gtid_set_fini(&all);
    return are;
}

/* The store holds the files; what is complete is indexed. */
static void open_store(void)
{
    struct store_opts opts = {t.dir, test_fs(), 4096, wake, NULL};
    write_files();
    t.store = store_open(&opts, &t.err);
    if (!t.store)
        fail_msg("%s", t.err.text);
    while (!all_are_indexed()) {
        sem_wait(&t.woken);
        store_work(t.store);
    }
    t.read = 0;
}

static int set_up(void **state)
{
    (void)state;
    struct err err;
    memset(&t, 0, sizeof t);
    log_open("/dev/null", LOG_ERROR, &err);
    t.dir = check_mkdir();
    sem_init(&t.woken, 0, 0);
    t.worker = worker_new(wake, NULL);
    t.scratch = mem_alloc(DUMP_SCRATCH);
    gtid_set_init(&t.has);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dump_free(t.dump);
    worker_free(t.worker);
    store_close(t.store);
    for (size_t i = 0; i < t.files_n; i++)
        buf_fini(&t.files[i]);
    buf_fini(&t.out);
    buf_fini(&t.seen);
    gtid_set_fini(&t.has);
    free(t.scratch);
    sem_destroy(&t.woken);
    check_rmdir(t.dir);
    log_close();
    return 0;
}

/* ---- dumps ---- */

static void set_opts(void)
{
    t.opts.store = t.store;
    t.opts.worker = t.worker;
    t.opts.scratch = t.scratch;
    t.opts.server_id = 77;
    t.opts.fetched = on_fetched;
    t.opts.acks_wanted = acks_wanted;
    if (t.opts.checksum == DUMP_CHECKSUM_UNDECLARED)
        t.opts.checksum = DUMP_CHECKSUM_CRC32;
}

static void begin_at(const char *name, uint64_t pos)
{
    set_opts();
    t.dump = dump_new(&t.opts, bytes_str(name), pos, &t.err);
}

static void replica_has(uint64_t first, uint64_t last)
{
    struct gtid g = {.sid = SID};
    gtid_set_add_range(&t.has, &g, first, last);
}

static void begin_gtid(const char *name, uint64_t pos)
{
    set_opts();
    t.dump = dump_new_gtid(&t.opts, bytes_str(name), pos, &t.has, &t.err);
}

/* Fills until there is nothing more to send. */
static void run(void)
{
    do {
        t.result = dump_fill(t.dump, &t.out, &t.err);
        while (t.result == DUMP_COLD && !t.fetches) {
            sem_wait(&t.woken);
            worker_reap(t.worker);
        }
    } while (t.result == DUMP_MORE || t.result == DUMP_COLD);
}

/* The stored event that ends at log_pos, in any file. */
static bool is_stored(struct bytes event, uint32_t log_pos)
{
    for (size_t i = 0; i < t.files_n; i++)
        if (log_pos <= t.files[i].len && log_pos >= event.n &&
            memcmp(t.files[i].data + log_pos - event.n, event.p, event.n) == 0)
            return true;
    return false;
}

/* Takes the next message off the output, joining packets; false at the end. */
static bool next_message(struct buf *message, uint8_t *seq)
{
    buf_clear(message);
    while (t.out.len) {
        const uint8_t *p = buf_bytes(&t.out).p;
        uint32_t n = le24(p);
        assert_int_equal(p[3], (*seq)++);
        wr_bytes(message, bytes_of(p + PACKET_HEADER, n));
        buf_consume(&t.out, PACKET_HEADER + n);
        if (n < PACKET_PART_MAX)
            return true;
    }
    assert_int_equal(message->len, 0);
    return false;
}

/* Writes what was sent to seen: events that are in no file with a "*". */
static const char *sent(void)
{
    struct buf message = {0};
    uint8_t seq = 1;
    size_t prefix = t.opts.semi_sync ? 3 : 1;
    while (next_message(&message, &seq)) {
        struct bytes m = buf_bytes(&message);
        if (m.p[0] == 0xfe) {
            wr_str(&t.seen, "EOF\n");
            continue;
        }
        assert_int_equal(m.p[0], 0);
        struct event_header h;
        struct bytes event = bytes_skip(m, prefix);
        event_header_decode(&h, event.p);
        assert_int_equal(h.length, event.n);
        if (t.opts.semi_sync && m.p[2] == 1) {
            t.asked = h.log_pos;
            seq = 1;
        }
        wr_fmt(&t.seen, "%s%u@%u\n", is_stored(event, h.log_pos) ? "" : "*", h.type, h.log_pos);
    }
    buf_fini(&message);
    wr_u8(&t.seen, 0);
    return (const char *)buf_bytes(&t.seen).p;
}

/* What must be sent of a file from pos on, as lines, in `want`: all but has first .. last. With it
 * the heartbeat behind each gap, and at the end. */
static void expect_file(struct buf *want, size_t file, uint32_t pos, uint64_t first, uint64_t last)
{
    const struct buf *f = &t.files[file];
    bool skipping = false, gap = false;
    uint32_t end = pos;
    for (; end < f->len;) {
        struct event_header h;
        event_header_decode(&h, f->data + end);
        uint64_t gno = h.type == EVENT_GTID ? le64(f->data + end + EVENT_HEADER + 17) : 0;
        if (gno || h.type == EVENT_ANONYMOUS_GTID || h.type == EVENT_ROTATE)
            skipping = gno && gno >= first && gno <= last;
        if (!skipping && gap)
            wr_fmt(want, "*27@%u\n", end);
        if (!skipping)
            wr_fmt(want, "%u@%u\n", h.type, h.log_pos);
        gap = skipping;
        end = h.log_pos;
    }
    if (gap)
        wr_fmt(want, "*27@%u\n", end);
}

static void assert_sent(struct buf *want)
{
    wr_u8(want, 0);
    assert_string_equal(sent(), (const char *)buf_bytes(want).p);
    buf_fini(want);
}

static uint32_t size_of(size_t file)
{
    return (uint32_t)t.files[file].len;
}

/* ---- by position ---- */

static void small_file(void)
{
    begin_file(0);
    for (uint64_t n = 1; n <= 5; n++)
        add_trx(n, 100);
}

static void dump_from_the_beginning_sends_the_file(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    open_store();
    begin_at("mysql-bin.000001", 4);
    assert_non_null(t.dump);
    run();
    assert_int_equal(t.result, DUMP_IDLE);
    assert_int_equal(dump_passed(t.dump), size_of(0) - FORMAT_END);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    assert_sent(&want);
}

static void dump_from_mid_file_zeroes_the_format_description(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    open_store();
    uint32_t pos = size_of(0) - 2 * (GTID_EVENT + 100 + XID_EVENT);
    begin_at("mysql-bin.000001", pos);
    run();
    wr_str(&want, "*4@0\n*15@0\n");
    expect_file(&want, 0, pos, 0, 0);
    assert_sent(&want);
}

static void dump_of_a_bad_place_refused(void **state)
{
    (void)state;
    small_file();
    open_store();
    static const struct {
        const char *name;
        uint64_t pos;
        const char *text;
    } cases[] = {
        {"mysql-bin.000001", 3, "Client requested source to start replication from position < 4"},
        {"mysql-bin.000001", 1u << 30,
         "Client requested source to start replication from position > file size"},
        {"mysql-bin.000002", 4, "Could not find first log file name in binary log index file"},
        {"../etc/passwd", 4, "Could not find first log file name in binary log index file"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin_at(cases[i].name, cases[i].pos);
        assert_null(t.dump);
        assert_string_equal(t.err.text, cases[i].text);
        begin_gtid(cases[i].name, cases[i].pos);
        assert_null(t.dump);
        assert_string_equal(t.err.text, cases[i].text);
    }
}

static void dump_from_inside_an_event_fails(void **state)
{
    (void)state;
    small_file();
    open_store();
    begin_at("mysql-bin.000001", size_of(0) - 10 - XID_EVENT);
    run();
    assert_int_equal(t.result, DUMP_FAILED);
    assert_non_null(strstr(t.err.text, "; the first event 'mysql-bin.000001' at "));
}

static void dump_from_inside_the_format_description_fails(void **state)
{
    (void)state;
    small_file();
    open_store();
    for (uint64_t pos = EVENT_MAGIC_LEN + 1; pos < EVENT_MAGIC_LEN + 4; pos++) {
        begin_at("mysql-bin.000001", pos);
        run();
        assert_int_equal(t.result, DUMP_FAILED);
        assert_non_null(strstr(t.err.text, "; the first event 'mysql-bin.000001' at "));
        dump_free(t.dump);
        t.dump = NULL;
    }
}

/* The first file is an old one, which nobody reads at the start. */
static void open_with_an_old_file(void)
{
    add_rotate();
    begin_file(5);
    open_store();
}

/* Changes a byte of the first file. */
static void rot(uint32_t pos)
{
    char path[700];
    snprintf(path, sizeof path, "%s/" FOLDER "/mysql-bin.000001", t.dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, pos, SEEK_SET);
    fputc(t.files[0].data[pos] ^ 4, f);
    fclose(f);
}

static void dump_of_a_damaged_event_ends_before_it(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    uint32_t end = size_of(0);
    open_with_an_old_file();
    rot(end - XID_EVENT - 10); /* in the last transaction's body */
    begin_at("", 4);
    run();
    assert_int_equal(t.result, DUMP_FAILED);
    assert_int_equal(t.err.kind, ERR_CORRUPT);
    assert_non_null(strstr(t.err.text, "Event crc check failed!"));
    assert_non_null(strstr(t.err.text, "the last event read from './mysql-bin.000001' at "));
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    wr_u8(&want, 0);
    const char *all = (const char *)buf_bytes(&want).p, *got = sent();
    assert_int_equal(strncmp(all, got, strlen(got)), 0);
    assert_true(strlen(got) < strlen(all) && strlen(got) > strlen(all) / 2);
    buf_fini(&want);
}

static void dump_of_a_damaged_long_event_never_ends_it(void **state)
{
    (void)state;
    begin_file(0);
    add_trx(1, 3 * MIB);
    uint32_t end = size_of(0);
    open_with_an_old_file();
    rot(end - XID_EVENT - 100);
    begin_at("", 4);
    run();
    assert_int_equal(t.result, DUMP_FAILED);
    assert_int_equal(t.err.kind, ERR_CORRUPT);
    assert_true(t.out.len < 3 * MIB);
}

static void dump_of_a_damaged_format_description_sends_nothing_of_it(void **state)
{
    (void)state;
    small_file();
    open_with_an_old_file();
    rot(EVENT_MAGIC_LEN + EVENT_HEADER + 5); /* in the server's version */
    begin_at("", 4);
    run();
    assert_int_equal(t.result, DUMP_FAILED);
    assert_int_equal(t.err.kind, ERR_CORRUPT);
    assert_string_equal(sent(), "*4@0\n");
}

static void dump_goes_through_files_and_ends_with_eof(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    add_rotate();
    begin_file(5);
    add_trx(6, 100);
    open_store();
    t.opts.nonblock = true;
    begin_at("", 4);
    run();
    assert_int_equal(t.result, DUMP_EOF);
    assert_string_equal(dump_pos(t.dump).file, "mysql-bin.000002");
    assert_int_equal(dump_pos(t.dump).pos, size_of(1));
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 1, 4, 0, 0);
    wr_str(&want, "EOF\n");
    assert_sent(&want);
}

static void dump_waits_then_heartbeats_where_it_is(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    open_store();
    begin_at("", 4);
    dump_heartbeat(t.dump, &t.out); /* not before the first event */
    assert_int_equal(t.out.len, 0);
    run();
    dump_heartbeat(t.dump, &t.out);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    wr_fmt(&want, "*27@%u\n", size_of(0));
    assert_sent(&want);
}

static void dump_semi_sync_prefixes_each_event(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    open_store();
    t.opts.semi_sync = true;
    begin_at("", 4);
    run();
    assert_int_equal(buf_bytes(&t.out).p[5], 0xef);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    assert_sent(&want);
}

static void dump_cold_file_is_fetched_by_the_worker(void **state)
{
    (void)state;
    struct buf want = {0};
    small_file();
    open_store();
    t.cold = true;
    begin_at("", 4);
    run();
    assert_int_equal(t.fetches, 1);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    assert_sent(&want);
}

/* ---- long events ---- */

/* Around the scratch and around the packet's limit, where a multiple needs an empty packet. */
static void dump_long_events_are_split(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {
        DUMP_SCRATCH - 1,    DUMP_SCRATCH,        DUMP_SCRATCH + 1,    PACKET_PART_MAX - 2,
        PACKET_PART_MAX - 1, PACKET_PART_MAX,     PACKET_PART_MAX + 1, 2 * PACKET_PART_MAX - 1,
        DUMP_SCRATCH + 7,    2 * PACKET_PART_MAX,
    };
    struct buf want = {0};
    begin_file(0);
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        add_trx(i + 1, lengths[i]);
    open_store();
    begin_at("", 4);
    run();
    assert_int_equal(t.result, DUMP_IDLE);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 0, 0);
    assert_sent(&want);
}

static void dump_long_events_are_left_out(void **state)
{
    (void)state;
    struct buf want = {0};
    begin_file(0);
    add_trx(1, 100);
    add_trx(2, 3 * MIB);
    add_trx(3, DUMP_SCRATCH + 1);
    add_trx(4, 100);
    open_store();
    replica_has(2, 3);
    begin_gtid("", 4);
    run();
    wr_str(&want, "*4@0\n");
    expect_file(&want, 0, 4, 2, 3);
    assert_sent(&want);
}

/* ---- by GTID ---- */

/* 320 transactions of 64 KiB: five blocks of 64. */
static void large_file(void)
{
    begin_file(0);
    for (uint64_t n = 1; n <= 320; n++)
        add_trx(n, 64 * KIB - GTID_EVENT - XID_EVENT);
}

static void dump_gtid_leaves_out_what_the_replica_has(void **state)
{
    (void)state;
    static const uint64_t cases[][2] = {{1, 1},     {1, 64},   {1, 65},   {2, 64},
                                        {64, 65},   {65, 128}, {1, 319},  {1, 320},
                                        {320, 320}, {33, 257}, {129, 320}};
    large_file();
    open_store();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf want = {0};
        uint64_t first = cases[i][0], last = cases[i][1];
        gtid_set_clear(&t.has);
        replica_has(first, last);
        begin_gtid("", 4);
        run();
        assert_int_equal(t.result, DUMP_IDLE);
        assert_int_equal(dump_passed(t.dump), size_of(0) - FORMAT_END);
        /* The format description says when the first transaction is not sent. */
        wr_str(&want, first == 1 ? "*4@0\n*15@123\n" : "*4@0\n15@123\n");
        expect_file(&want, 0, FORMAT_END, first, last);
        assert_sent(&want);
        dump_free(t.dump);
        t.dump = NULL;
        buf_clear(&t.out);
        buf_clear(&t.seen);
    }
}

static void dump_gtid_jumps_over_blocks_unread(void **state)
{
    (void)state;
    large_file();
    open_store();
    replica_has(1, 304);
    begin_gtid("", 4);
    run();
    if (t.read > 5 * MIB) /* 16 MiB are in blocks that the replica has */
        fail_msg("%llu bytes were read", (unsigned long long)t.read);
}

static void dump_gtid_jumps_over_later_blocks_unread(void **state)
{
    (void)state;
    large_file();
    open_store();
    replica_has(65, 256);
    begin_gtid("", 4);
    run();
    if (t.read > 10 * MIB) /* 12 of 20 MiB are left out */
        fail_msg("%llu bytes were read", (unsigned long long)t.read);
}

static void dump_gtid_never_jumps_over_anonymous_transactions(void **state)
{
    (void)state;
    struct buf want = {0};
    begin_file(0);
    for (uint64_t n = 1; n <= 20; n++) {
        add_trx(n, MIB);
        if (n % 3 == 0)
            add_trx(0, 50 * KIB);
    }
    open_store();
    replica_has(1, 18);
    begin_gtid("", 4);
    run();
    wr_str(&want, "*4@0\n*15@123\n");
    expect_file(&want, 0, FORMAT_END, 1, 18);
    assert_sent(&want);
}

/* A replica whose ACK is awaited is asked for it before the jump to T: nothing is sent behind. */
static void dump_gtid_asks_for_an_ack_before_a_jump_to_t(void **state)
{
    (void)state;
    struct buf want = {0};
    const uint32_t length = 60 * KIB, per_block = 69;
    begin_file(0);
    for (uint64_t n = 1; n <= 5 * per_block; n++)
        add_trx(n, length - GTID_EVENT - XID_EVENT);
    open_store();
    replica_has(1, 200);
    replica_has(4 * per_block + 1, 5 * per_block);
    t.opts.semi_sync = t.acks_wanted = true;
    begin_gtid("", 4);
    run();
    wr_str(&want, "*4@0\n*15@123\n35@154\n");
    for (uint32_t n = 200; n < 4 * per_block; n++) {
        uint32_t at = 154 + n * length;
        if (n == 200)
            wr_fmt(&want, "*27@%u\n", at);
        wr_fmt(&want, "33@%u\n19@%u\n16@%u\n", at + GTID_EVENT, at + length - XID_EVENT,
               at + length);
    }
    wr_fmt(&want, "*27@%u\n", size_of(0));
    assert_sent(&want);
    assert_int_equal(t.asked, 154 + 4 * per_block * length);
}

/* Nor is it known, at the end of what was read at a time, whether anything more will be sent. */
static void dump_gtid_asks_at_the_end_of_each_read(void **state)
{
    (void)state;
    const uint32_t previous_gtids = 31;
    begin_file(0);
    add_trx(1, DUMP_SCRATCH - previous_gtids - GTID_EVENT - XID_EVENT);
    add_trx(2, 100);
    open_store();
    replica_has(2, 2);
    t.opts.semi_sync = t.acks_wanted = true;
    begin_gtid("", 4);
    run();
    sent();
    assert_int_equal(t.asked, FORMAT_END + DUMP_SCRATCH);
}

static void dump_gtid_of_a_complete_file_jumps_and_sends_rotate(void **state)
{
    (void)state;
    struct buf want = {0};
    large_file();
    add_rotate();
    begin_file(320);
    add_trx(321, 100);
    open_store();
    replica_has(1, 240);
    begin_gtid("", 4);
    run();
    wr_str(&want, "*4@0\n*15@123\n");
    expect_file(&want, 0, FORMAT_END, 1, 240);
    wr_str(&want, "*4@0\n");
    expect_file(&want, 1, 4, 0, 0);
    assert_sent(&want);
    assert_true(t.read < 11 * MIB);
}

static void dump_gtid_begins_in_the_newest_file_that_will_do(void **state)
{
    (void)state;
    small_file();
    add_rotate();
    begin_file(5);
    add_trx(6, 100);
    open_store();
    replica_has(1, 5);
    begin_gtid("", 4);
    assert_string_equal(dump_pos(t.dump).file, "mysql-bin.000002");
}

static void dump_gtid_of_purged_transactions_refused(void **state)
{
    (void)state;
    begin_file(5);
    add_trx(6, 100);
    open_store();
    replica_has(1, 3);
    begin_gtid("", 4);
    assert_null(t.dump);
    assert_non_null(strstr(t.err.text, "purged required binary logs"));
    assert_non_null(strstr(t.err.text, "5960727b-e4bf-11f1-8f36-02fc00000001:4-5"));
}

/* With a name the set still says what is left out, from any position on. */
static void dump_gtid_with_a_name_begins_there(void **state)
{
    (void)state;
    struct buf want = {0};
    large_file();
    open_store();
    uint32_t pos = size_of(0) - 18 * MIB;
    replica_has(1, 288);
    begin_gtid("mysql-bin.000001", pos);
    run();
    wr_str(&want, "*4@0\n*15@0\n");
    expect_file(&want, 0, pos, 1, 288);
    assert_sent(&want);
    assert_true(t.read < 9 * MIB);
}

/* ---- two epochs ---- */

/* The second source's file begins with transactions that the first one's hold as well. */
static void two_epochs(enum store_follow follow)
{
    small_file();
    begin_epoch(follow, 5);
    begin_file(3);
    for (uint64_t n = 4; n <= 8; n++)
        add_trx(n, 100);
    open_store();
}

static void dump_gtid_goes_through_joined_epochs_and_sends_nothing_twice(void **state)
{
    (void)state;
    static const uint64_t has[][2] = {{0, 0}, {2, 4}};
    two_epochs(STORE_JOINS);
    for (size_t i = 0; i < COUNT_OF(has); i++) {
        struct buf want = {0};
        if (has[i][0])
            replica_has(has[i][0], has[i][1]);
        begin_gtid("", 4);
        assert_non_null(t.dump);
        assert_int_equal(dump_sent(t.dump).epoch, 1);
        run();
        assert_int_equal(t.result, DUMP_IDLE);
        assert_int_equal(dump_point(t.dump).epoch, 2);
        assert_int_equal(dump_point(t.dump).pos, size_of(1));
        wr_str(&want, "*4@0\n");
        expect_file(&want, 0, 4, has[i][0], has[i][1]);
        wr_str(&want, "*4@0\n");
        expect_file(&want, 1, 4, 1, 5);
        assert_sent(&want);
        dump_free(t.dump);
        t.dump = NULL;
        buf_clear(&t.seen);
        gtid_set_clear(&t.has);
    }
}

static void dump_gtid_begins_in_the_newest_epoch_that_will_do(void **state)
{
    (void)state;
    struct buf want = {0};
    two_epochs(STORE_JOINS);
    replica_has(1, 3);
    begin_gtid("", 4);
    assert_int_equal(dump_sent(t.dump).epoch, 2);
    run();
    wr_str(&want, "*4@0\n");
    expect_file(&want, 1, 4, 1, 3);
    assert_sent(&want);
}

static void dump_by_name_knows_the_newest_epoch_alone(void **state)
{
    (void)state;
    two_epochs(STORE_JOINS);
    begin_at("", 4);
    assert_int_equal(dump_point(t.dump).epoch, 2);
    dump_free(t.dump);
    begin_gtid("mysql-bin.000001", 4);
    assert_int_equal(dump_point(t.dump).epoch, 2);
}

static void dump_gtid_does_not_go_behind_a_diverged_epoch(void **state)
{
    (void)state;
    two_epochs(STORE_DIVERGES);
    begin_gtid("", 4);
    assert_null(t.dump);
    assert_non_null(strstr(t.err.text, "the source purged required binary logs"));
    assert_non_null(strstr(t.err.text, "the missing transactions are '" UUID ":1-3'"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(dump_from_the_beginning_sends_the_file),
        TEST(dump_from_mid_file_zeroes_the_format_description),
        TEST(dump_of_a_bad_place_refused),
        TEST(dump_from_inside_an_event_fails),
        TEST(dump_from_inside_the_format_description_fails),
        TEST(dump_of_a_damaged_event_ends_before_it),
        TEST(dump_of_a_damaged_long_event_never_ends_it),
        TEST(dump_of_a_damaged_format_description_sends_nothing_of_it),
        TEST(dump_goes_through_files_and_ends_with_eof),
        TEST(dump_waits_then_heartbeats_where_it_is),
        TEST(dump_semi_sync_prefixes_each_event),
        TEST(dump_cold_file_is_fetched_by_the_worker),
        TEST(dump_long_events_are_split),
        TEST(dump_long_events_are_left_out),
        TEST(dump_gtid_leaves_out_what_the_replica_has),
        TEST(dump_gtid_jumps_over_blocks_unread),
        TEST(dump_gtid_jumps_over_later_blocks_unread),
        TEST(dump_gtid_never_jumps_over_anonymous_transactions),
        TEST(dump_gtid_asks_for_an_ack_before_a_jump_to_t),
        TEST(dump_gtid_asks_at_the_end_of_each_read),
        TEST(dump_gtid_of_a_complete_file_jumps_and_sends_rotate),
        TEST(dump_gtid_begins_in_the_newest_file_that_will_do),
        TEST(dump_gtid_of_purged_transactions_refused),
        TEST(dump_gtid_with_a_name_begins_there),
        TEST(dump_gtid_goes_through_joined_epochs_and_sends_nothing_twice),
        TEST(dump_gtid_begins_in_the_newest_epoch_that_will_do),
        TEST(dump_by_name_knows_the_newest_epoch_alone),
        TEST(dump_gtid_does_not_go_behind_a_diverged_epoch),
    };
    return RUN_TESTS(tests);
}
