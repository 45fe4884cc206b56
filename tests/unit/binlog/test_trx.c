/*
 * Boundaries of transactions. The files of servers with GTIDs, also anonymous ones, tell them by
 * themselves: a transaction begins with its Gtid event and ends before the next, or before what
 * belongs to none. What older servers wrote is listed by hand.
 */
#include "check.h"

#include "base/buf.h"
#include "binlog/trx.h"
#include "capture.h"

static struct err err;

static struct event_header header_of(struct bytes event)
{
    struct event_header h;
    event_header_decode(&h, event.p);
    return h;
}

static bool is_gtid(uint8_t type)
{
    return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED ||
           type == EVENT_MARIADB_GTID;
}

static bool is_between_transactions(uint8_t type)
{
    return is_gtid(type) || type == EVENT_ROTATE || type == EVENT_STOP ||
           type == 161 /* Binlog_checkpoint of MariaDB */;
}

static enum trx_verdict expected_at(const struct capture_binlog *b, size_t i, bool *open)
{
    uint8_t type = header_of(b->events[i].event).type;
    *open = is_gtid(type) || (*open && !is_between_transactions(type));
    if (!*open)
        return TRX_NEUTRAL;
    bool last =
        i + 1 == b->count || is_between_transactions(header_of(b->events[i + 1].event).type);
    *open = !last;
    return last ? TRX_ENDED : TRX_INSIDE;
}

static void check_verdict(const char *name, const struct capture_event *e, enum trx_verdict got,
                          enum trx_verdict expected)
{
    static const char *const words[] = {"inside", "ended", "neutral"};
    if (got != expected)
        fail_msg("%s at %u, %s: %s, not %s", name, e->pos, e->type, words[got], words[expected]);
}

static void trx_ends_before_the_next_gtid_in_real_files(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs + 1; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        struct trx t = {TRX_OUTSIDE};
        struct fde f;
        bool open = false;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        for (size_t i = 0; i < b.count; i++) {
            struct event_header h = header_of(b.events[i].event);
            enum trx_verdict v = trx_feed(&t, &f, &h, b.events[i].event);
            check_verdict(*name, &b.events[i], v, expected_at(&b, i, &open));
        }
        capture_binlog_close(&b);
    }
}

static void trx_without_gtids_ends_where_listed(void **state)
{
    (void)state;
    /* By event: N between transactions, i inside one, E its last. */
    static const char expected[] = "NEEiiiEiiiEiiiEEiiiiEEN";
    static const enum trx_verdict verdicts[] = {
        ['N'] = TRX_NEUTRAL, ['E'] = TRX_ENDED, ['i'] = TRX_INSIDE};
    struct capture_binlog b = capture_binlog_open("5.6-no-gtid");
    struct trx t = {TRX_OUTSIDE};
    struct fde f;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    assert_int_equal(b.count, strlen(expected));
    for (size_t i = 0; i < b.count; i++) {
        struct event_header h = header_of(b.events[i].event);
        enum trx_verdict v = trx_feed(&t, &f, &h, b.events[i].event);
        check_verdict("5.6-no-gtid", &b.events[i], v, verdicts[(uint8_t)expected[i]]);
    }
    capture_binlog_close(&b);
}

/* A format without checksums, by which events are made. */
static struct fde made_format(void)
{
    struct fde f = {.types = 171, .own_crc = true};
    f.post_header[EVENT_QUERY] = 13;
    return f;
}

static enum trx_verdict feed_made(struct trx *t, uint8_t type, struct bytes body)
{
    struct fde f = made_format();
    struct event_header h = {.type = type, .length = (uint32_t)(EVENT_HEADER + body.n)};
    struct buf event;
    buf_init(&event);
    wr_zero(&event, EVENT_HEADER);
    wr_bytes(&event, body);
    struct bytes exact = capture_copy(buf_bytes(&event));
    enum trx_verdict v = trx_feed(t, &f, &h, exact);
    capture_free(exact);
    buf_fini(&event);
    return v;
}

static enum trx_verdict feed_query(struct trx *t, const char *text)
{
    struct buf body;
    buf_init(&body);
    wr_zero(&body, 13 + 1);
    wr_str(&body, text);
    enum trx_verdict v = feed_made(t, EVENT_QUERY, buf_bytes(&body));
    buf_fini(&body);
    return v;
}

static void trx_query_is_judged_by_its_text_and_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum trx_verdict outside;
        enum trx_verdict announced;
        enum trx_verdict open;
    } cases[] = {
        {"BEGIN", TRX_INSIDE, TRX_INSIDE, TRX_INSIDE},
        {"COMMIT", TRX_ENDED, TRX_ENDED, TRX_ENDED},
        {"ROLLBACK", TRX_ENDED, TRX_ENDED, TRX_ENDED},
        {"rollback", TRX_ENDED, TRX_ENDED, TRX_ENDED},
        {"ROLLBACK TO `s`", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"SAVEPOINT `s`", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"XA START X'01',X'',1", TRX_INSIDE, TRX_INSIDE, TRX_INSIDE},
        {"XA BEGIN X'01',X'',1", TRX_INSIDE, TRX_INSIDE, TRX_INSIDE},
        {"XA END X'01',X'',1", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"XA COMMIT X'01',X'',1", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"BEGINNING", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"COMMITTED", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"CREATE TABLE t(a INT)", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
        {"", TRX_ENDED, TRX_ENDED, TRX_INSIDE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct trx outside = {TRX_OUTSIDE}, announced = {TRX_ANNOUNCED}, open = {TRX_OPEN};
        assert_int_equal(feed_query(&outside, cases[i].text), cases[i].outside);
        assert_int_equal(feed_query(&announced, cases[i].text), cases[i].announced);
        assert_int_equal(feed_query(&open, cases[i].text), cases[i].open);
        assert_int_equal(open.state, cases[i].open == TRX_ENDED ? TRX_OUTSIDE : TRX_OPEN);
    }
}

static void trx_event_is_judged_by_its_type_and_place(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        enum trx_verdict outside;
        enum trx_verdict open;
    } cases[] = {
        {EVENT_XID, TRX_ENDED, TRX_ENDED},
        {EVENT_XA_PREPARE, TRX_ENDED, TRX_ENDED},
        {EVENT_TRANSACTION_PAYLOAD, TRX_ENDED, TRX_ENDED},
        {EVENT_INCIDENT, TRX_ENDED, TRX_ENDED},
        {EVENT_GTID, TRX_INSIDE, TRX_INSIDE},
        {EVENT_GTID_TAGGED, TRX_INSIDE, TRX_INSIDE},
        {EVENT_ANONYMOUS_GTID, TRX_INSIDE, TRX_INSIDE},
        {EVENT_INTVAR, TRX_INSIDE, TRX_INSIDE},
        {EVENT_RAND, TRX_INSIDE, TRX_INSIDE},
        {EVENT_USER_VAR, TRX_INSIDE, TRX_INSIDE},
        {EVENT_TABLE_MAP, TRX_INSIDE, TRX_INSIDE},
        {EVENT_ROWS_QUERY, TRX_INSIDE, TRX_INSIDE},
        {EVENT_BEGIN_LOAD_QUERY, TRX_INSIDE, TRX_INSIDE},
        {EVENT_APPEND_BLOCK, TRX_INSIDE, TRX_INSIDE},
        {EVENT_MARIADB_ANNOTATE_ROWS, TRX_INSIDE, TRX_INSIDE},
        {EVENT_EXECUTE_LOAD_QUERY, TRX_ENDED, TRX_INSIDE},
        {EVENT_MARIADB_QUERY_COMPRESSED, TRX_ENDED, TRX_INSIDE},
        {EVENT_ROTATE, TRX_NEUTRAL, TRX_NEUTRAL},
        {EVENT_STOP, TRX_NEUTRAL, TRX_NEUTRAL},
        {EVENT_FORMAT_DESCRIPTION, TRX_NEUTRAL, TRX_NEUTRAL},
        {EVENT_PREVIOUS_GTIDS, TRX_NEUTRAL, TRX_INSIDE},
        {EVENT_HEARTBEAT, TRX_NEUTRAL, TRX_INSIDE},
        {EVENT_HEARTBEAT_V2, TRX_NEUTRAL, TRX_INSIDE},
        {EVENT_WRITE_ROWS, TRX_NEUTRAL, TRX_INSIDE},
        {163, TRX_NEUTRAL, TRX_INSIDE}, /* Gtid_list */
        {200, TRX_NEUTRAL, TRX_INSIDE}, /* ignorable */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct trx outside = {TRX_OUTSIDE}, open = {TRX_OPEN};
        assert_int_equal(feed_made(&outside, cases[i].type, bytes_str("body")), cases[i].outside);
        assert_int_equal(feed_made(&open, cases[i].type, bytes_str("body")), cases[i].open);
    }
}

static void trx_of_a_statement_with_variables_ends_with_it(void **state)
{
    (void)state;
    struct trx t = {TRX_OUTSIDE};
    assert_int_equal(feed_made(&t, EVENT_INTVAR, bytes_str("123456789")), TRX_INSIDE);
    assert_int_equal(t.state, TRX_STATEMENT);
    assert_int_equal(feed_made(&t, EVENT_USER_VAR, bytes_str("x")), TRX_INSIDE);
    assert_int_equal(feed_query(&t, "INSERT INTO t VALUES (@x)"), TRX_ENDED);
    assert_int_equal(t.state, TRX_OUTSIDE);
}

static void trx_mariadb_gtid_opens_unless_standalone(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum trx_state state;
    } cases[] = {
        {"0100000000000000 00000000 01", TRX_ANNOUNCED},
        {"0100000000000000 00000000 29", TRX_ANNOUNCED},
        {"0100000000000000 00000000 00", TRX_OPEN},
        {"0100000000000000 00000000 0c", TRX_OPEN},
        {"0100000000000000 00000000", TRX_OPEN}, /* cut: nothing is known to be complete */
        {"", TRX_OPEN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct trx t = {TRX_OUTSIDE};
        struct bytes body = check_unhex(cases[i].hex);
        assert_int_equal(feed_made(&t, EVENT_MARIADB_GTID, body), TRX_INSIDE);
        assert_int_equal(t.state, cases[i].state);
        capture_free(body);
    }
}

struct cut {
    const struct fde *f;
    struct event_header h;
};

/* As h.length says more than the slice has, it counts as the beginning of a long event. */
static void feed_cut(struct bytes event, void *arg)
{
    const struct cut *c = arg;
    struct trx t = {TRX_ANNOUNCED};
    if (event.n < EVENT_HEADER)
        return;
    enum trx_verdict v = trx_feed(&t, c->f, &c->h, event);
    if (event.n < EVENT_HEADER + 13)
        assert_int_equal(v, TRX_INSIDE);
}

static void trx_query_that_is_cut_is_inside(void **state)
{
    (void)state;
    struct capture_binlog b = capture_binlog_open("5.7-xa");
    struct fde f;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    for (size_t i = 0; i < b.count; i++) {
        struct cut c = {&f, header_of(b.events[i].event)};
        if (c.h.type == EVENT_QUERY)
            capture_truncate(b.events[i].event, feed_cut, &c);
    }
    capture_binlog_close(&b);
}

static void trx_long_statement_given_in_part_is_judged_by_its_beginning(void **state)
{
    (void)state;
    struct fde f = made_format();
    f.crc_len = EVENT_CRC;
    struct buf event;
    buf_init(&event);
    wr_zero(&event, EVENT_HEADER + 13 + 1);
    wr_str(&event, "BEGIN");
    struct event_header h = {.type = EVENT_QUERY, .length = (uint32_t)buf_bytes(&event).n + 100000};
    struct trx t = {TRX_OUTSIDE};
    wr_str(&event, " and more");
    assert_int_equal(trx_feed(&t, &f, &h, buf_bytes(&event)), TRX_ENDED);
    buf_truncate(&event, buf_bytes(&event).n - 9);
    assert_int_equal(trx_feed(&t, &f, &h, buf_bytes(&event)), TRX_INSIDE);
    buf_fini(&event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trx_ends_before_the_next_gtid_in_real_files),
        cmocka_unit_test(trx_without_gtids_ends_where_listed),
        cmocka_unit_test(trx_query_is_judged_by_its_text_and_place),
        cmocka_unit_test(trx_event_is_judged_by_its_type_and_place),
        cmocka_unit_test(trx_of_a_statement_with_variables_ends_with_it),
        cmocka_unit_test(trx_mariadb_gtid_opens_unless_standalone),
        cmocka_unit_test(trx_query_that_is_cut_is_inside),
        cmocka_unit_test(trx_long_statement_given_in_part_is_judged_by_its_beginning),
    };
    return RUN_TESTS(tests);
}
