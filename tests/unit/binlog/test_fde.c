/* Format descriptions of real servers, and what a file may hold by them. */
#include "check.h"

#include "base/buf.h"
#include "binlog/fde.h"
#include "capture.h"

#include <stdio.h>

static struct err err;

static void fde_of_a_real_server_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *version;
        uint8_t types;
        uint8_t crc_len;
    } cases[] = {
        {"5.6-gtid", "5.6.24-log", 35, 4},
        {"5.7-stop", "5.7.36-log", 38, 4},
        {"5.7-checksum-none", "5.7.36-log", 38, 0},
        {"9.7-mixed", "9.7.4-2", 42, 4},
        {"9.7-anonymous", "9.7.4-2", 42, 0},
        {"mariadb-10.11", "10.11.19-MariaDB-0+deb12u1-log", 171, 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct capture_binlog b = capture_binlog_open(cases[i].name);
        struct fde f;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        assert_string_equal(f.server_version, cases[i].version);
        assert_int_equal(f.types, cases[i].types);
        assert_int_equal(f.crc_len, cases[i].crc_len);
        assert_true(f.own_crc);
        assert_int_equal(fde_post_header(&f, EVENT_QUERY), 13);
        assert_int_equal(fde_post_header(&f, EVENT_ROTATE), 8);
        assert_int_equal(fde_post_header(&f, EVENT_XID), 0);
        assert_int_equal(fde_post_header(&f, EVENT_TABLE_MAP), 8);
        assert_int_equal(fde_post_header(&f, (uint8_t)(f.types + 1)), 0);
        capture_binlog_close(&b);
    }
}

/* A source clears the time of creation when a replica goes on within a file, and at a clean
 * rotation; after a start it is there. */
static void fde_of_the_first_file_after_a_start_has_its_time(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool created;
    } cases[] = {{"9.7-anonymous", true}, {"9.7-mixed", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct capture_binlog b = capture_binlog_open(cases[i].name);
        struct fde f;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        assert_int_equal(f.created, cases[i].created ? le32(b.events[0].event.p) : 0);
        capture_binlog_close(&b);
    }
}

static void fde_describes_all_events_of_its_file(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        struct fde f;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        for (size_t i = 0; i < b.count; i++) {
            struct event_header h;
            event_header_decode(&h, b.events[i].event.p);
            assert_int_equal(fde_check_header(&f, &h, &err), 0);
        }
        capture_binlog_close(&b);
    }
}

/* The array of lengths has no length of its own, so that a long cut looks like an older server. */
static void decode_cut(struct bytes cut, void *arg)
{
    (void)arg;
    struct fde f;
    int rc = fde_decode(&f, cut, &err);
    if (cut.n < EVENT_HEADER + 57 + 1 + EVENT_CRC) {
        assert_int_equal(rc, -1);
        assert_string_equal(err.text, "truncated Format_description event");
    } else if (rc == 0) {
        assert_int_equal(f.types, cut.n - EVENT_HEADER - 57 - 1 - EVENT_CRC);
    }
}

static void fde_that_is_cut_fails_or_has_fewer_types(void **state)
{
    (void)state;
    static const char *const names[] = {"5.6-gtid", "5.7-checksum-none", "9.7-mixed",
                                        "mariadb-10.11"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct capture_binlog b = capture_binlog_open(names[i]);
        capture_truncate(b.events[0].event, decode_cut, NULL);
        capture_binlog_close(&b);
    }
}

/* A format description made by hand, by default with an algorithm and a CRC. */
struct made {
    uint16_t binlog_version;
    uint8_t header;
    const char *server;
    size_t types;
    int algorithm; /* -1: the event ends with the lengths */
};

static struct bytes make_fde(const struct made *m)
{
    char server[50] = {0};
    struct buf out;
    buf_init(&out);
    memcpy(server, m->server, strnlen(m->server, sizeof server)); /* 50 leave no room for a NUL */
    wr_zero(&out, EVENT_HEADER);
    wr_u16(&out, m->binlog_version);
    wr_bytes(&out, bytes_of(server, sizeof server));
    wr_u32(&out, 1700000000);
    wr_u8(&out, m->header);
    for (size_t i = 0; i < m->types; i++)
        wr_u8(&out, (uint8_t)(i + 1));
    if (m->algorithm >= 0) {
        wr_u8(&out, (uint8_t)m->algorithm);
        wr_u32(&out, 0);
    }
    struct bytes b = capture_copy(buf_bytes(&out));
    buf_fini(&out);
    return b;
}

static void fde_has_a_checksum_from_the_versions_that_know_it(void **state)
{
    (void)state;
    static const char long_name[] = "8.0.36-0123456789012345678901234567890123456789abc";
    static const struct {
        const char *server;
        bool aware;
    } cases[] = {
        {"5.0.96", false},
        {"5.1.73-log", false},
        {"5.5.62-0+deb8u1", false},
        {"5.6.0-m4", false},
        {"5.6.1-m5-log", true},
        {"5.7.44", true},
        {"8.0.36", true},
        {"8.4.0-commercial", true},
        {"9.7.4-2", true},
        {"10.0.1", true},
        {"5.2.14-MariaDB", false},
        {"5.3.0-MariaDB-log", true},
        {"5.5.68-MariaDB", true},
        {"10.11.19-MariaDB-0+deb12u1-log", true},
        {"11.4.2-MariaDB", true},
        {"garbage", false},
        {"", false},
        {long_name, true},
    };
    assert_int_equal(strlen(long_name), 50);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct made m = {4, EVENT_HEADER, cases[i].server, 27, cases[i].aware ? 1 : -1};
        struct bytes b = make_fde(&m);
        struct fde f;
        assert_int_equal(fde_decode(&f, b, &err), 0);
        assert_string_equal(f.server_version, cases[i].server);
        assert_int_equal(f.own_crc, cases[i].aware);
        assert_int_equal(f.crc_len, cases[i].aware ? EVENT_CRC : 0);
        assert_int_equal(f.types, 27);
        assert_int_equal(f.created, 1700000000);
        assert_int_equal(fde_post_header(&f, 27), 27);
        capture_free(b);
    }
}

static void fde_that_is_malformed_fails(void **state)
{
    (void)state;
    static const struct {
        struct made made;
        const char *text;
    } cases[] = {
        {{3, 19, "8.0.36", 40, 1}, "binary log version 3 with headers of 19 bytes, not 4 with 19"},
        {{1, 13, "8.0.36", 40, 1}, "binary log version 1 with headers of 13 bytes, not 4 with 19"},
        {{4, 23, "8.0.36", 40, 1}, "binary log version 4 with headers of 23 bytes, not 4 with 19"},
        {{4, 19, "8.0.36", 40, 2}, "checksum algorithm 2 is unknown"},
        {{4, 19, "8.0.36", 40, 255}, "checksum algorithm 255 is unknown"},
        {{4, 19, "8.0.36", 0, 1}, "Format_description event with 0 post-header lengths"},
        {{4, 19, "8.0.36", 256, 1}, "Format_description event with 256 post-header lengths"},
        {{4, 19, "5.1.73", 0, -1}, "Format_description event with 0 post-header lengths"},
        {{4, 19, "8.0.36", 4, -1}, "truncated Format_description event"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes b = make_fde(&cases[i].made);
        struct fde f;
        assert_int_equal(fde_decode(&f, b, &err), -1);
        assert_string_equal(err.text, cases[i].text);
        capture_free(b);
    }
}

static void fde_with_the_most_types_is_decoded(void **state)
{
    (void)state;
    struct made m = {4, EVENT_HEADER, "8.0.36", 255, 0};
    struct bytes b = make_fde(&m);
    struct fde f;
    assert_int_equal(fde_decode(&f, b, &err), 0);
    assert_int_equal(f.types, 255);
    assert_int_equal(fde_post_header(&f, 255), 255);
    assert_int_equal(fde_post_header(&f, 0), 0);
    assert_int_equal(f.crc_len, 0);
    assert_true(f.own_crc);
    capture_free(b);
}

static void fde_check_header_bounds_type_and_length(void **state)
{
    (void)state;
    static const struct {
        struct event_header h;
        const char *text; /* NULL: it passes */
    } cases[] = {
        {{.type = EVENT_QUERY, .length = 19 + 13 + 4}, NULL},
        {{.type = EVENT_QUERY, .length = 19 + 13 + 3}, "Query event with a length of 35 bytes"},
        {{.type = EVENT_XID, .length = 19 + 4}, NULL},
        {{.type = EVENT_XID, .length = 22}, "Xid event with a length of 22 bytes"},
        {{.type = EVENT_XID, .length = 0}, "Xid event with a length of 0 bytes"},
        {{.type = EVENT_XID, .length = EVENT_MAX}, NULL},
        {{.type = EVENT_XID, .length = EVENT_MAX + 1},
         "Xid event with a length of 1074790401 bytes"},
        {{.type = EVENT_XID, .length = UINT32_MAX}, "Xid event with a length of 4294967295 bytes"},
        {{.type = 0, .length = 100}, "event of unknown type 0"},
        {{.type = 38, .length = 100}, NULL},
        {{.type = 39, .length = 100}, "event of unknown type 39"},
        {{.type = 200, .length = 100}, "event of unknown type 200"},
        {{.type = 200, .length = 100, .flags = EVENT_FLAG_IGNORABLE}, NULL},
        {{.type = 200, .length = 22, .flags = EVENT_FLAG_IGNORABLE},
         "Unknown event with a length of 22 bytes"},
    };
    struct capture_binlog b = capture_binlog_open("5.7-stop");
    struct fde f;
    assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(fde_check_header(&f, &cases[i].h, &err), cases[i].text ? -1 : 0);
        if (cases[i].text)
            assert_string_equal(err.text, cases[i].text);
    }
    capture_binlog_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fde_of_a_real_server_is_decoded),
        cmocka_unit_test(fde_of_the_first_file_after_a_start_has_its_time),
        cmocka_unit_test(fde_describes_all_events_of_its_file),
        cmocka_unit_test(fde_that_is_cut_fails_or_has_fewer_types),
        cmocka_unit_test(fde_has_a_checksum_from_the_versions_that_know_it),
        cmocka_unit_test(fde_that_is_malformed_fails),
        cmocka_unit_test(fde_with_the_most_types_is_decoded),
        cmocka_unit_test(fde_check_header_bounds_type_and_length),
    };
    return RUN_TESTS(tests);
}
