/* Dumps of files that a MariaDB wrote: starts and ends by GTID, what is refused in its words, and
 * what replicas get that know less. */
#include "check.h"

#include "base/log.h"
#include "base/mem.h"
#include "binlog/event.h"
#include "mysql/errcode.h"
#include "mysql/packet.h"
#include "replica/dump.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* GTIDs of the domains that have none in the file, in its Gtid_list: 0-5-2 and 0-1-3 precede. */
#define OTHERS "2-1-18446744073709551615,7-1-1,4294967295-4294967295-1"

static struct {
    char *dir;
    uint8_t *file;
    size_t size;
    struct store *store;
    struct worker *worker;
    uint8_t *scratch;
    struct dump_maria_request request;
    struct dump *dump;
    enum dump_result result;
    struct err err;
    struct buf out;
    struct buf seen;
} t;

static void ignore(void *ctx)
{
    (void)ctx;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    log_open("/dev/null", LOG_ERROR, &t.err);
    t.dir = check_mkdir();
    t.worker = worker_new(ignore, NULL);
    t.scratch = mem_alloc(DUMP_SCRATCH);
    t.file = check_data("binlog/mariadb-10.11-domains.binlog", &t.size);
    t.request = (struct dump_maria_request){.capability = 4, .annotate = true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dump_free(t.dump);
    worker_free(t.worker);
    store_close(t.store);
    buf_fini(&t.out);
    buf_fini(&t.seen);
    free(t.scratch);
    free(t.file);
    check_rmdir(t.dir);
    log_close();
    return 0;
}

static void open_store(void)
{
    char path[700];
    struct store_opts opts = {t.dir, fs_posix(), 4096, ignore, NULL};
    snprintf(path, sizeof path, "%s/0001-1", t.dir);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/0001-1/mysql-bin.000002", t.dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(t.file, 1, t.size, f), t.size);
    fclose(f);
    t.store = store_open(&opts, &t.err);
    if (!t.store)
        fail_msg("%s", t.err.text);
}

/* From a position, unless the request has GTIDs. */
static void begin(uint64_t pos)
{
    if (!t.store)
        open_store();
    struct dump_opts opts = {.store = t.store,
                             .worker = t.worker,
                             .scratch = t.scratch,
                             .server_id = 77,
                             .old_words = true,
                             .nonblock = true,
                             .checksum = DUMP_CHECKSUM_CRC32,
                             .maria = &t.request,
                             .fetched = ignore};
    t.dump = dump_new(&opts, bytes_str("mysql-bin.000002"), pos, &t.err);
}

static void begin_at_gtids(const char *position, const char *until)
{
    t.request.position = bytes_str(position);
    if (until)
        t.request.until = bytes_str(until);
    begin(4);
}

/* ---- what was sent ---- */

static bool is_stored(struct bytes event, uint32_t end)
{
    return end <= t.size && end >= event.n && memcmp(t.file + end - event.n, event.p, event.n) == 0;
}

static void see_made_list(struct bytes event)
{
    struct maria_state list = {0};
    struct err err;
    uint32_t flags = le32(event.p + EVENT_HEADER) >> 28;
    BUG_ON(maria_state_decode(&list, bytes_of(event.p, event.n - EVENT_CRC), &err) < 0);
    wr_str(&t.seen, "L[");
    maria_state_format(&list, &t.seen);
    wr_str(&t.seen, flags & MARIA_LIST_UNTIL ? "]! " : "] ");
    maria_state_fini(&list);
}

/* Stored events that follow each other as one range. */
static void see(struct bytes event)
{
    static uint32_t from, to;
    struct event_header h = {0};
    if (event.n)
        event_header_decode(&h, event.p);
    bool stored = event.n && is_stored(event, h.log_pos);
    if (to && (!stored || h.log_pos - h.length != to)) {
        wr_fmt(&t.seen, "%u-%u ", from, to);
        to = 0;
    }
    if (stored) {
        from = to ? from : h.log_pos - h.length;
        to = h.log_pos;
    } else if (event.n && h.type == EVENT_MARIADB_GTID_LIST) {
        see_made_list(event);
    } else if (event.n) {
        wr_fmt(&t.seen, "%u*%u ", h.type, h.log_pos);
    }
}

static const char *sent(void)
{
    do
        t.result = dump_fill(t.dump, &t.out, &t.err);
    while (t.result == DUMP_MORE);
    buf_clear(&t.seen);
    while (t.out.len) {
        const uint8_t *p = buf_bytes(&t.out).p;
        uint32_t n = le24(p);
        if (p[PACKET_HEADER] == 0)
            see(bytes_of(p + PACKET_HEADER + 1, n - 1));
        buf_consume(&t.out, PACKET_HEADER + n);
    }
    see(bytes_of(NULL, 0));
    wr_u8(&t.seen, 0);
    return (const char *)buf_bytes(&t.seen).p;
}

/* ---- starts ---- */

static void dump_maria_by_position_sends_the_file(void **state)
{
    (void)state;
    begin(4);
    assert_string_equal(sent(), "4*0 4-1311 ");
    assert_int_equal(t.result, DUMP_EOF);
}

static void dump_maria_by_gtid_leaves_out_what_the_replica_has(void **state)
{
    (void)state;
    static const struct {
        const char *has, *sent;
    } cases[] = {
        {"0-1-3," OTHERS, "4*0 4-1311 "},
        {"0-1-4," OTHERS, "4*0 4-406 L[0-1-4] 613-1311 "},
        {"0-5-5," OTHERS, "4*0 4-406 613-656 L[0-1-4,0-5-5] 863-1311 "},
        {"0-5-6," OTHERS, "4*0 4-406 613-656 L[0-1-4,0-5-6] 1018-1311 "},
        {"0-5-7," OTHERS, "4*0 4-406 613-656 L[0-1-4,0-5-7] 1264-1311 "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin_at_gtids(cases[i].has, NULL);
        if (!t.dump)
            fail_msg("%s: %s", cases[i].has, t.err.text);
        const char *got = sent();
        if (strcmp(got, cases[i].sent) != 0)
            fail_msg("%s: %s", cases[i].has, got);
        assert_int_equal(t.result, DUMP_EOF);
        dump_free(t.dump);
        t.dump = NULL;
    }
}

static void dump_maria_of_a_domain_that_is_not_here_begins(void **state)
{
    (void)state;
    begin_at_gtids("0-1-3,9-9-9," OTHERS, NULL);
    assert_non_null(t.dump);
    assert_string_equal(sent(), "4*0 4-1311 ");
}

/* A source would refuse it; a copy may just be behind. */
static void dump_maria_replica_ahead_is_let_in_and_sent_nothing_of_the_domain(void **state)
{
    (void)state;
    begin_at_gtids("0-5-99," OTHERS, NULL);
    assert_non_null(t.dump);
    assert_string_equal(t.request.ahead, "0-5-99");
    assert_string_equal(sent(), "4*0 4-406 613-656 1264-1311 ");
}

static void dump_maria_start_that_cannot_be_had_refused_in_its_words(void **state)
{
    (void)state;
    static const struct {
        const char *has;
        unsigned code;
        const char *text;
    } cases[] = {
        {"0-1-", ER_INCORRECT_GTID_STATE, "Could not parse GTID list"},
        {"0-1-3,0-5-2", ER_DUPLICATE_GTID_DOMAIN,
         "GTID 0-5-2 and 0-1-3 conflict (duplicate domain id 0)"},
        {"", 0,
         "Could not find GTID state requested by slave in any binlog files. Probably the slave "
         "state is too old and required binlog files have been purged."},
        {"0-1-2," OTHERS, 0,
         "Could not find GTID state requested by slave in any binlog files. Probably the slave "
         "state is too old and required binlog files have been purged."},
        {"0-5-2," OTHERS, 0,
         "Could not find GTID state requested by slave in any binlog files. Probably the slave "
         "state is too old and required binlog files have been purged."},
        {"0-9-99," OTHERS, 0,
         "Error: connecting slave requested to start from GTID 0-9-99, which is not in the "
         "master's binlog"},
        {"0-9-5," OTHERS, 0,
         "Error: connecting slave requested to start from GTID 0-9-5, which is not in the "
         "master's binlog. Since the master's binlog contains GTIDs with higher sequence numbers, "
         "it probably means that the slave has diverged due to executing extra erroneous "
         "transactions"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t.request.code = 0;
        begin_at_gtids(cases[i].has, NULL);
        assert_null(t.dump);
        assert_string_equal(t.err.text, cases[i].text);
        assert_int_equal(t.request.code, cases[i].code);
    }
}

static void dump_maria_ignoring_duplicates_lets_an_unknown_server_begin(void **state)
{
    (void)state;
    t.request.ignore_duplicates = true;
    begin_at_gtids("0-9-5," OTHERS, NULL);
    assert_null(t.dump); /* 0-5-7 is here already */
    begin_at_gtids("0-9-8," OTHERS, NULL);
    assert_non_null(t.dump);
    assert_string_equal(t.request.ahead, "");
}

static void dump_maria_strict_refuses_a_number_that_is_missing(void **state)
{
    (void)state;
    begin_at_gtids("0-5-3," OTHERS, NULL);
    assert_string_equal(sent(), "4*0 4-406 613-698 L[0-1-4,0-5-5] 698-1311 ");
    dump_free(t.dump);
    t.request.strict = true;
    begin_at_gtids("0-5-3," OTHERS, NULL);
    assert_string_equal(sent(), "4*0 4-406 613-656 ");
    assert_int_equal(t.result, DUMP_FAILED);
    assert_non_null(strstr(t.err.text, "is missing the GTID 0-5-3 requested by the slave"));
}

static void dump_maria_file_without_a_list_refused(void **state)
{
    (void)state;
    t.size = 256; /* only the format description is there */
    begin_at_gtids("0-1-3," OTHERS, NULL);
    assert_null(t.dump);
    assert_int_equal(t.request.code, ER_UNKNOWN_ERROR);
    assert_string_equal(t.err.text, "the first binary log has just been begun");
}

/* ---- ends ---- */

static void dump_maria_until_ends_with_a_list_that_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *has, *until, *sent;
    } cases[] = {
        {"0-1-3," OTHERS, "0-1-4", "4*0 4-613 L[0-5-2,0-1-4," OTHERS "]! "},
        {"0-1-3," OTHERS, "0-5-6", "4*0 4-1018 L[0-1-4,0-5-6," OTHERS "]! "},
        {"0-1-4," OTHERS, "0-5-5",
         "4*0 4-406 L[0-5-2,0-1-4," OTHERS "] 613-863 L[0-1-4,0-5-5," OTHERS "]! "},
        {"0-1-3," OTHERS, "0-5-2", "4*0 4-363 L[0-5-2,0-1-3," OTHERS "]! "},
        {"0-9-5," OTHERS, "0-1-4", "4*0 4-363 L[0-5-2,0-1-3," OTHERS "]! "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin_at_gtids(cases[i].has, cases[i].until);
        if (!t.dump)
            fail_msg("%s: %s", cases[i].has, t.err.text);
        const char *got = sent();
        if (strcmp(got, cases[i].sent) != 0)
            fail_msg("%s until %s: %s", cases[i].has, cases[i].until, got);
        dump_free(t.dump);
        t.dump = NULL;
    }
}

static void dump_maria_until_that_cannot_be_read_refused(void **state)
{
    (void)state;
    begin_at_gtids("0-1-3," OTHERS, "0-1");
    assert_null(t.dump);
    assert_int_equal(t.request.code, ER_INCORRECT_GTID_STATE);
}

/* ---- replicas that know less ---- */

static void dump_maria_capability_decides_what_is_sent(void **state)
{
    (void)state;
    static const struct {
        unsigned capability;
        bool annotate;
        const char *sent;
    } cases[] = {
        {4, false, "4*0 4-448 499-698 749-1060 1112-1311 "},
        {3, false, "4*0 4-256 363-406 2*448 499-656 2*698 749-863 905-1018 2*1060 1112-1311 "},
        {2, true, "4*0 4-256 2*448 448-613 2*698 698-863 905-1018 2*1060 1060-1311 "},
        {1, false,
         "4*0 4-256 2*363 2*406 2*448 448-613 2*656 2*698 698-863 2*905 905-1018 2*1060 "
         "1060-1311 "},
        {0, false,
         "4*0 4-256 2*363 2*406 2*448 2*499 499-613 2*656 2*698 2*749 749-863 2*905 905-1018 "
         "2*1060 2*1112 1112-1311 "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t.request.capability = cases[i].capability;
        t.request.annotate = cases[i].annotate;
        begin(4);
        const char *got = sent();
        if (strcmp(got, cases[i].sent) != 0)
            fail_msg("%u: %s", cases[i].capability, got);
        dump_free(t.dump);
        t.dump = NULL;
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dump_maria_by_position_sends_the_file),
        TEST(dump_maria_by_gtid_leaves_out_what_the_replica_has),
        TEST(dump_maria_of_a_domain_that_is_not_here_begins),
        TEST(dump_maria_replica_ahead_is_let_in_and_sent_nothing_of_the_domain),
        TEST(dump_maria_start_that_cannot_be_had_refused_in_its_words),
        TEST(dump_maria_ignoring_duplicates_lets_an_unknown_server_begin),
        TEST(dump_maria_strict_refuses_a_number_that_is_missing),
        TEST(dump_maria_file_without_a_list_refused),
        TEST(dump_maria_until_ends_with_a_list_that_says_so),
        TEST(dump_maria_until_that_cannot_be_read_refused),
        TEST(dump_maria_capability_decides_what_is_sent),
    };
    return RUN_TESTS(tests);
}
