/* MariaDB's GTIDs against what 10.11 wrote and what its SHOW BINLOG EVENTS says of it. */
#include "check.h"

#include "base/mem.h"
#include "binlog/fde.h"
#include "binlog/maria.h"
#include "capture.h"

#include <stdio.h>
#include <stdlib.h>

static struct err err;

static const char *text_of(void (*format)(const struct maria_state *s, struct buf *out),
                           const struct maria_state *s)
{
    static char text[1000];
    struct buf b = {0};
    format(s, &b);
    snprintf(text, sizeof text, "%.*s", (int)b.len, b.len ? (const char *)buf_bytes(&b).p : "");
    buf_fini(&b);
    return text;
}

static struct bytes body_of(const struct fde *f, struct bytes event)
{
    return capture_copy(bytes_of(event.p, event.n - f->crc_len));
}

static void state_of(struct maria_state *s, const char *const *gtids)
{
    *s = (struct maria_state){0};
    for (; *gtids; gtids++) {
        struct maria_gtid g;
        assert_int_equal(sscanf(*gtids, "%u-%u-%lu", &g.domain, &g.server_id, &g.seq), 3);
        maria_state_update(s, &g);
    }
}

/* Gtid */

static size_t check_gtids(const char *file)
{
    struct capture_binlog b = capture_binlog_open(file);
    struct fde f;
    size_t seen = 0;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    for (size_t i = 0; i < b.count; i++) {
        struct event_header h;
        struct maria_gtid g;
        uint8_t flags;
        char text[MARIA_TEXT_MAX + 5] = "GTID ";
        event_header_decode(&h, b.events[i].event.p);
        if (h.type != EVENT_MARIADB_GTID)
            continue;
        struct bytes body = body_of(&f, b.events[i].event);
        assert_int_equal(maria_gtid_decode(&g, &flags, &h, body, &err), 0);
        maria_gtid_format(&g, text + 5);
        assert_non_null(strstr(b.events[i].info, text));
        bool begins = strncmp(b.events[i].info, "GTID ", 5) != 0;
        assert_int_equal(!(flags & MARIA_GTID_STANDALONE), begins);
        capture_free(body);
        seen++;
    }
    capture_binlog_close(&b);
    return seen;
}

static void gtids_of_real_files_are_what_the_server_shows(void **state)
{
    (void)state;
    assert_in_range(check_gtids("mariadb-10.11"), 19, 1000);
    assert_int_equal(check_gtids("mariadb-10.11-domains"), 4);
}

static void decode_cut_gtid(struct bytes cut, void *arg)
{
    const struct event_header *h = arg;
    struct maria_gtid g;
    uint8_t flags;
    int rc = maria_gtid_decode(&g, &flags, h, cut, &err);
    assert_int_equal(rc, cut.n < EVENT_HEADER + 13 ? -1 : 0);
    if (rc < 0)
        assert_string_equal(err.text, "malformed Gtid event");
}

static void gtid_that_is_cut_fails(void **state)
{
    (void)state;
    struct capture_binlog b = capture_binlog_open("mariadb-10.11");
    struct event_header h;
    event_header_decode(&h, b.events[4].event.p);
    assert_int_equal(h.type, EVENT_MARIADB_GTID);
    capture_truncate(b.events[4].event, decode_cut_gtid, &h);
    capture_binlog_close(&b);
}

/* Gtid_list */

/* The event that follows the format description, without its CRC. */
static struct bytes list_of(const char *file)
{
    struct capture_binlog b = capture_binlog_open(file);
    struct fde f;
    struct event_header h;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    event_header_decode(&h, b.events[1].event.p);
    assert_int_equal(h.type, EVENT_MARIADB_GTID_LIST);
    struct bytes body = body_of(&f, b.events[1].event);
    capture_binlog_close(&b);
    return body;
}

static void list_of_a_real_file_is_decoded(void **state)
{
    (void)state;
    struct maria_state s = {0};
    struct bytes event = list_of("mariadb-10.11-domains");
    assert_int_equal(maria_state_decode(&s, event, &err), 0);
    assert_string_equal(text_of(maria_state_format, &s),
                        "0-5-2,0-1-3,2-1-18446744073709551615,7-1-1,4294967295-4294967295-1");
    assert_string_equal(text_of(maria_state_format_last, &s),
                        "0-1-3,2-1-18446744073709551615,7-1-1,4294967295-4294967295-1");
    maria_state_fini(&s);
    capture_free(event);
}

static void empty_list_is_encoded_as_a_server_does(void **state)
{
    (void)state;
    struct maria_state s = {0};
    struct buf out = {0};
    struct bytes event = list_of("mariadb-10.11");
    assert_int_equal(maria_state_decode(&s, event, &err), 0);
    assert_int_equal(s.n, 0);
    maria_state_encode(&s, 0, &out);
    assert_true(bytes_eq(buf_bytes(&out), bytes_skip(event, EVENT_HEADER)));
    buf_fini(&out);
    capture_free(event);
}

static void list_survives_encoding(void **state)
{
    (void)state;
    struct maria_state s = {0}, again = {0};
    struct bytes event = list_of("mariadb-10.11-domains");
    struct buf out = {0};
    assert_int_equal(maria_state_decode(&s, event, &err), 0);
    wr_bytes(&out, bytes_of(event.p, EVENT_HEADER));
    maria_state_encode(&s, MARIA_LIST_UNTIL, &out);
    assert_int_equal(out.len, event.n);
    assert_int_equal(le32(buf_bytes(&out).p + EVENT_HEADER), 5 | 1u << 28);
    assert_int_equal(maria_state_decode(&again, buf_bytes(&out), &err), 0);
    assert_string_equal(text_of(maria_state_format_last, &again),
                        "0-1-3,2-1-18446744073709551615,7-1-1,4294967295-4294967295-1");
    assert_int_equal(again.n, 5);
    maria_state_fini(&s);
    maria_state_fini(&again);
    buf_fini(&out);
    capture_free(event);
}

static void decode_cut_list(struct bytes cut, void *arg)
{
    struct maria_state *s = arg;
    assert_int_equal(maria_state_decode(s, cut, &err), -1);
    assert_string_equal(err.text, "malformed Gtid_list event");
    assert_int_equal(s->n, 0);
}

static void list_that_is_cut_fails(void **state)
{
    (void)state;
    struct maria_state s = {0};
    struct bytes event = list_of("mariadb-10.11-domains");
    capture_truncate(event, decode_cut_list, &s);
    maria_state_fini(&s);
    capture_free(event);
}

/* States */

static void last_of_a_domain_is_the_one_that_came_last(void **state)
{
    (void)state;
    struct maria_state s;
    state_of(&s, (const char *const[]){"0-5-2", "0-1-3", "3-1-1", "0-5-4", "0-9-1", NULL});
    assert_string_equal(text_of(maria_state_format, &s), "0-1-3,0-5-4,0-9-1,3-1-1");
    assert_string_equal(text_of(maria_state_format_last, &s), "0-9-1,3-1-1");
    assert_int_equal(maria_state_find(&s, 0, 5)->seq, 4);
    assert_null(maria_state_find(&s, 0, 4));
    assert_null(maria_state_find(&s, 4, 1));
    assert_int_equal(maria_state_last(&s, 0)->server_id, 9);
    assert_int_equal(maria_state_last(&s, 3)->seq, 1);
    assert_null(maria_state_last(&s, 1));
    assert_null(maria_state_last(&s, 4));
    maria_state_fini(&s);
}

/* Positions */

static void positions_are_read_as_a_server_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum maria_parse result;
        const char *shown;
    } cases[] = {
        {"", MARIA_PARSED, ""},
        {"0-1-7", MARIA_PARSED, "0-1-7"},
        {"1-1-3, 0-1-7", MARIA_PARSED, "0-1-7,1-1-3"},
        {"4294967295-4294967295-18446744073709551615", MARIA_PARSED,
         "4294967295-4294967295-18446744073709551615"},
        {"0-1-1,0-1-2", MARIA_DUPLICATE, "GTID 0-1-2 and 0-1-1 conflict (duplicate domain id 0)"},
        {"0-2-1,1-1-1,0-1-2", MARIA_DUPLICATE,
         "GTID 0-1-2 and 0-2-1 conflict (duplicate domain id 0)"},
        {"0-1-7,", MARIA_BAD_TEXT, NULL},
        {",0-1-7", MARIA_BAD_TEXT, NULL},
        {"0-1-7 ", MARIA_BAD_TEXT, NULL},
        {"0-1", MARIA_BAD_TEXT, NULL},
        {"0--1-1", MARIA_BAD_TEXT, NULL},
        {"-", MARIA_BAD_TEXT, NULL},
        {"4294967296-1-1", MARIA_BAD_TEXT, NULL},
        {"0-4294967296-1", MARIA_BAD_TEXT, NULL},
        {"0-1-18446744073709551616", MARIA_BAD_TEXT, NULL},
        {"garbage", MARIA_BAD_TEXT, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct maria_state s = {0};
        assert_int_equal(maria_position_parse(&s, bytes_str(cases[i].text), &err), cases[i].result);
        if (cases[i].result == MARIA_PARSED)
            assert_string_equal(text_of(maria_state_format, &s), cases[i].shown);
        else
            assert_string_equal(err.text,
                                cases[i].shown ? cases[i].shown : "Could not parse GTID list");
        maria_state_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gtids_of_real_files_are_what_the_server_shows),
        cmocka_unit_test(gtid_that_is_cut_fails),
        cmocka_unit_test(list_of_a_real_file_is_decoded),
        cmocka_unit_test(empty_list_is_encoded_as_a_server_does),
        cmocka_unit_test(list_survives_encoding),
        cmocka_unit_test(list_that_is_cut_fails),
        cmocka_unit_test(last_of_a_domain_is_the_one_that_came_last),
        cmocka_unit_test(positions_are_read_as_a_server_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
