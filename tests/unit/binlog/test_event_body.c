/* Bodies of events against the text that the servers' SHOW BINLOG EVENTS gives of them. */
#include "check.h"

#include "base/mem.h"
#include "binlog/event_body.h"
#include "binlog/gtid_set.h"
#include "capture.h"

#include <stdio.h>

static struct err err;

static struct event_header header_of(struct bytes event)
{
    struct event_header h;
    event_header_decode(&h, event.p);
    return h;
}

/* The event without its CRC, in memory of its own. */
static struct bytes strip(const struct fde *f, struct bytes event)
{
    return capture_copy(bytes_of(event.p, event.n - f->crc_len));
}

struct walk {
    void (*check)(const struct fde *f, const struct capture_event *e, struct bytes body);
    size_t seen;
};

/* Calls check for each event of the types given in all files. */
static void walk_types(struct walk *w, uint8_t type, uint8_t other)
{
    for (const char *const *name = capture_binlogs; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        struct fde f;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        for (size_t i = 0; i < b.count; i++) {
            uint8_t t = header_of(b.events[i].event).type;
            if (t != type && t != other)
                continue;
            struct bytes body = strip(&f, b.events[i].event);
            w->check(&f, &b.events[i], body);
            w->seen++;
            capture_free(body);
        }
        capture_binlog_close(&b);
    }
}

/* Rotate */

static void check_rotate(const struct fde *f, const struct capture_event *e, struct bytes body)
{
    (void)f;
    struct event_rotate r;
    char text[200];
    assert_int_equal(event_rotate_decode(&r, body, &err), 0);
    snprintf(text, sizeof text, "%.*s;pos=%u", (int)r.name.n, (const char *)r.name.p,
             (unsigned)r.pos);
    assert_string_equal(text, e->info);
}

static void rotate_of_a_real_file_is_decoded(void **state)
{
    (void)state;
    struct walk w = {check_rotate, 0};
    walk_types(&w, EVENT_ROTATE, EVENT_ROTATE);
    assert_in_range(w.seen, 8, 100);
}

static void rotate_made_by_a_dump_thread_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t prefix;
    } cases[] = {
        {"wire-mysql-9.7.txt", 3}, {"wire-mysql-5.6.txt", 1}, {"wire-mariadb-10.11.txt", 3}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes packet = capture_packet(cases[i].file, "event.rotate", 0);
        struct bytes event = bytes_skip(packet, cases[i].prefix);
        struct event_header h = header_of(event);
        struct event_rotate r;
        assert_int_equal(h.flags & EVENT_FLAG_ARTIFICIAL, EVENT_FLAG_ARTIFICIAL);
        assert_int_equal(h.timestamp, 0);
        assert_int_equal(h.log_pos, 0);
        assert_true(event_crc_ok(&h, event));
        event.n -= EVENT_CRC;
        assert_int_equal(event_rotate_decode(&r, event, &err), 0);
        assert_int_equal(r.pos, 4);
        assert_true(bytes_eq(r.name, bytes_str("mysql-bin.000001")));
        capture_free(packet);
    }
}

static void decode_cut_rotate(struct bytes cut, void *arg)
{
    (void)arg;
    struct event_rotate r;
    int rc = event_rotate_decode(&r, cut, &err);
    assert_int_equal(rc, cut.n <= EVENT_HEADER + 8 ? -1 : 0);
    if (rc < 0)
        assert_string_equal(err.text, "malformed Rotate event");
    else
        assert_int_equal(r.name.n, cut.n - EVENT_HEADER - 8);
}

static void rotate_that_is_cut_before_the_name_fails(void **state)
{
    (void)state;
    struct bytes packet = capture_packet("wire-mysql-9.7.txt", "event.rotate", 0);
    capture_truncate(bytes_of(packet.p + 3, packet.n - 3 - EVENT_CRC), decode_cut_rotate, NULL);
    capture_free(packet);
}

/* Query */

/* SHOW BINLOG EVENTS puts the database before some statements and a remark behind others. */
static void check_query(const struct fde *f, const struct capture_event *e, struct bytes body)
{
    struct bytes text;
    assert_int_equal(event_query_text(&text, f, body, &err), 0);
    const char *shown = e->info;
    if (strncmp(shown, "use `", 5) == 0)
        shown = strstr(shown, "`; ") + 3;
    for (size_t i = 0; i < text.n && *shown; i++) {
        if (text.p[i] == '\n') {
            assert_int_equal(*shown++, '\\');
            assert_int_equal(*shown++, 'n');
        } else {
            assert_int_equal((uint8_t)*shown++, text.p[i]);
        }
    }
    assert_true(!*shown || strncmp(shown, " /* xid=", 8) == 0);
}

static void query_text_of_a_real_file_is_what_the_server_shows(void **state)
{
    (void)state;
    struct walk w = {check_query, 0};
    walk_types(&w, EVENT_QUERY, EVENT_QUERY);
    assert_in_range(w.seen, 150, 1000);
}

struct cut_query {
    struct fde fde;
    size_t before; /* the text */
};

static void decode_cut_query(struct bytes cut, void *arg)
{
    const struct cut_query *q = arg;
    struct bytes text;
    int rc = event_query_text(&text, &q->fde, cut, &err);
    assert_int_equal(rc, cut.n < q->before ? -1 : 0);
    if (rc < 0)
        assert_string_equal(err.text, "malformed Query event");
    else
        assert_int_equal(text.n, cut.n - q->before);
}

static void query_that_is_cut_before_the_text_fails(void **state)
{
    (void)state;
    static const char *const names[] = {"5.6-gtid", "5.7-xa", "9.7-mixed", "mariadb-10.11"};
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        struct capture_binlog b = capture_binlog_open(names[k]);
        struct cut_query q;
        assert_int_equal(fde_decode(&q.fde, b.events[0].event, &err), 0);
        for (size_t i = 0; i < b.count; i++) {
            struct bytes text;
            if (header_of(b.events[i].event).type != EVENT_QUERY)
                continue;
            struct bytes body = strip(&q.fde, b.events[i].event);
            assert_int_equal(event_query_text(&text, &q.fde, body, &err), 0);
            q.before = body.n - text.n;
            capture_truncate(body, decode_cut_query, &q);
            capture_free(body);
        }
        capture_binlog_close(&b);
    }
}

static void query_by_a_format_with_a_short_post_header_fails(void **state)
{
    (void)state;
    struct capture_binlog b = capture_binlog_open("5.6-no-gtid");
    struct fde f;
    struct bytes text;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    f.post_header[EVENT_QUERY] = 11; /* MySQL 4.0 */
    assert_int_equal(event_query_text(&text, &f, b.events[1].event, &err), -1);
    assert_string_equal(err.text, "malformed Query event");
    capture_binlog_close(&b);
}

/* Gtid and Gtid_tagged */

static void check_gtid(const struct fde *f, const struct capture_event *e, struct bytes body)
{
    (void)f;
    struct gtid g;
    struct buf text;
    struct event_header h = header_of(body);
    buf_init(&text);
    assert_int_equal(event_gtid_decode(&g, &h, body, &err), 0);
    wr_str(&text, "SET @@SESSION.GTID_NEXT= '");
    gtid_format(&g, &text);
    wr_cstr(&text, "'");
    assert_string_equal((const char *)buf_bytes(&text).p, e->info);
    assert_int_equal(g.tag_len, strlen(g.tag));
    buf_fini(&text);
}

static void gtid_of_a_real_file_is_what_the_server_shows(void **state)
{
    (void)state;
    struct walk w = {check_gtid, 0};
    walk_types(&w, EVENT_GTID, EVENT_GTID);
    assert_in_range(w.seen, 100, 1000);
}

static void tagged_gtid_of_a_real_file_is_what_the_server_shows(void **state)
{
    (void)state;
    struct walk w = {check_gtid, 0};
    walk_types(&w, EVENT_GTID_TAGGED, EVENT_GTID_TAGGED);
    assert_in_range(w.seen, 13, 100);
}

static void decode_cut_gtid(struct bytes cut, void *arg)
{
    struct gtid g, whole;
    const struct bytes *body = arg;
    struct event_header h = header_of(*body);
    if (event_gtid_decode(&g, &h, cut, &err) < 0) {
        char text[60];
        snprintf(text, sizeof text, "malformed %s event", event_type_name(h.type));
        assert_string_equal(err.text, text);
        return;
    }
    assert_int_equal(event_gtid_decode(&whole, &h, *body, &err), 0);
    assert_int_equal(gtid_source_cmp(&g, &whole), 0);
    assert_int_equal(g.gno, whole.gno);
}

static void check_cut_gtid(const struct fde *f, const struct capture_event *e, struct bytes body)
{
    (void)f;
    (void)e;
    struct gtid g;
    struct event_header h = header_of(body);
    capture_truncate(body, decode_cut_gtid, &body);
    struct bytes few = bytes_of(body.p, EVENT_HEADER + 24);
    assert_int_equal(event_gtid_decode(&g, &h, few, &err), -1);
}

/* Commit times and lengths stand behind the GTID: a cut there does no harm. */
static void gtid_that_is_cut_fails_or_is_the_same(void **state)
{
    (void)state;
    struct walk w = {check_cut_gtid, 0};
    walk_types(&w, EVENT_GTID, EVENT_GTID_TAGGED);
    assert_in_range(w.seen, 100, 1000);
}

#define SID_00 "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"

static int decode_made_gtid(struct gtid *g, uint8_t type, const char *hex)
{
    struct event_header h = {.type = type};
    struct buf event;
    struct bytes body = check_unhex(hex);
    buf_init(&event);
    wr_zero(&event, EVENT_HEADER);
    wr_bytes(&event, body);
    struct bytes exact = capture_copy(buf_bytes(&event));
    int rc = event_gtid_decode(g, &h, exact, &err);
    capture_free(exact);
    capture_free(body);
    buf_fini(&event);
    return rc;
}

static void gtid_with_a_number_out_of_range_fails(void **state)
{
    (void)state;
    static const struct {
        const char *gno;
        bool ok;
    } cases[] = {
        {"0000000000000000", false}, {"0100000000000000", true},  {"feffffffffffff7f", true},
        {"ffffffffffffff7f", false}, {"0000000000000080", false}, {"ffffffffffffffff", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid g;
        char hex[100];
        snprintf(hex, sizeof hex, "01" SID_00 "%s", cases[i].gno);
        assert_int_equal(decode_made_gtid(&g, EVENT_GTID, hex), cases[i].ok ? 0 : -1);
        if (!cases[i].ok)
            assert_string_equal(err.text, "malformed Gtid event");
    }
}

/* The head of the message: version 1, size, last field that must be understood. */
#define HEAD "02 40 0a"

static void tagged_gtid_made_by_hand_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        uint64_t gno;
        const char *tag;
    } cases[] = {
        {HEAD "00 02 02" SID_00 "04 04 06 00", 1, ""},
        {HEAD "00 02 02" SID_00 "04 04 06 02 61", 1, "a"},
        {HEAD "00 02 02" SID_00 "04 fc 06 06 666f6f", 63, "foo"},
        {HEAD "00 02 02" SID_00 "04 0102 06 06 666f6f", 64, "foo"},
        {HEAD "00 02 02" SID_00 "04 fffcffffffffffffff 06 02 5f", GTID_GNO_MAX, "_"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid g;
        assert_int_equal(decode_made_gtid(&g, EVENT_GTID_TAGGED, cases[i].hex), 0);
        assert_int_equal(g.gno, cases[i].gno);
        assert_string_equal(g.tag, cases[i].tag);
        assert_int_equal(g.tag_len, strlen(cases[i].tag));
    }
}

static void tagged_gtid_that_is_malformed_fails(void **state)
{
    (void)state;
    static const char *const cases[] = {
        HEAD "02 02 02" SID_00 "04 04 06 02 61",                 /* field 1 for 0 */
        HEAD "00 02 04" SID_00 "04 04 06 02 61",                 /* field 2 for 1 */
        HEAD "00 02 02" SID_00 "06 04 06 02 61",                 /* field 3 for 2 */
        HEAD "00 02 02" SID_00 "04 04 04 02 61",                 /* field 2 for 3 */
        HEAD "00 02 02" SID_00 "04 00 06 02 61",                 /* number 0 */
        HEAD "00 02 02" SID_00 "04 06 06 02 61",                 /* number -2 */
        HEAD "00 02 02" SID_00 "04 fffeffffffffffffff 06 02 61", /* number 2^63 - 1 */
        HEAD "00 02 02" SID_00 "04 04 06 02 31",                 /* tag "1" */
        HEAD "00 02 02" SID_00 "04 04 06 02 3a",                 /* tag ":" */
        HEAD "00 02 02" SID_00 "04 04 06 02 00",                 /* tag of a NUL */
        HEAD "00 02 02" SID_00 "04 04 06 04 61",                 /* tag beyond the end */
        HEAD "00 02 02" SID_00 "04 04 06 42" SID_00 SID_00 "61", /* 33 characters */
        HEAD "00 02 02" SID_00 "04 04 06 ffffffffffffffffff",    /* 2^64 - 1 characters */
        HEAD "00 02 02"
             "0505"
             "000000000000000000000000000000"
             "04 04 06 02 61", /* uuid 0x141 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct gtid g;
        if (decode_made_gtid(&g, EVENT_GTID_TAGGED, cases[i]) == 0)
            fail_msg("case %zu was accepted", i);
        assert_string_equal(err.text, "malformed Gtid_tagged_log_event event");
    }
}

/* Previous_gtids */

static void check_previous(const struct fde *f, const struct capture_event *e, struct bytes body)
{
    (void)f;
    struct gtid_set set, shown;
    char text[sizeof e->info];
    size_t n = 0;
    gtid_set_init(&set);
    gtid_set_init(&shown);
    for (const char *p = e->info; *p; p++) {
        if (p[0] == '\\' && p[1] == 'n')
            p++;
        else
            text[n++] = *p;
    }
    assert_int_equal(gtid_set_decode(event_previous_gtids_set(body), &set, &err), 0);
    assert_int_equal(gtid_set_parse(bytes_of(text, n), &shown, &err), 0);
    assert_true(gtid_set_equal(&set, &shown));
    gtid_set_fini(&set);
    gtid_set_fini(&shown);
}

static void previous_gtids_of_a_real_file_is_what_the_server_shows(void **state)
{
    (void)state;
    struct walk w = {check_previous, 0};
    walk_types(&w, EVENT_PREVIOUS_GTIDS, EVENT_PREVIOUS_GTIDS);
    assert_in_range(w.seen, 12, 100);
}

static void decode_cut_previous(struct bytes cut, void *arg)
{
    (void)arg;
    struct gtid_set set;
    if (cut.n < EVENT_HEADER)
        return;
    gtid_set_init(&set);
    assert_int_equal(gtid_set_decode(event_previous_gtids_set(cut), &set, &err), -1);
    gtid_set_fini(&set);
}

static void check_cut_previous(const struct fde *f, const struct capture_event *e,
                               struct bytes body)
{
    (void)f;
    (void)e;
    capture_truncate(body, decode_cut_previous, NULL);
}

static void previous_gtids_that_is_cut_fails(void **state)
{
    (void)state;
    struct walk w = {check_cut_previous, 0};
    walk_types(&w, EVENT_PREVIOUS_GTIDS, EVENT_PREVIOUS_GTIDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotate_of_a_real_file_is_decoded),
        cmocka_unit_test(rotate_made_by_a_dump_thread_is_decoded),
        cmocka_unit_test(rotate_that_is_cut_before_the_name_fails),
        cmocka_unit_test(query_text_of_a_real_file_is_what_the_server_shows),
        cmocka_unit_test(query_that_is_cut_before_the_text_fails),
        cmocka_unit_test(query_by_a_format_with_a_short_post_header_fails),
        cmocka_unit_test(gtid_of_a_real_file_is_what_the_server_shows),
        cmocka_unit_test(tagged_gtid_of_a_real_file_is_what_the_server_shows),
        cmocka_unit_test(gtid_that_is_cut_fails_or_is_the_same),
        cmocka_unit_test(gtid_with_a_number_out_of_range_fails),
        cmocka_unit_test(tagged_gtid_made_by_hand_is_decoded),
        cmocka_unit_test(tagged_gtid_that_is_malformed_fails),
        cmocka_unit_test(previous_gtids_of_a_real_file_is_what_the_server_shows),
        cmocka_unit_test(previous_gtids_that_is_cut_fails),
    };
    return RUN_TESTS(tests);
}
