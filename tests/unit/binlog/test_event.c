/* Headers, CRCs and type names, against what real servers' SHOW BINLOG EVENTS says of their files.
 */
#include "check.h"

#include "binlog/fde.h"
#include "capture.h"

#include <stdio.h>

static struct err err;

static struct event_header header_of(struct bytes event)
{
    struct event_header h;
    event_header_decode(&h, event.p);
    return h;
}

static void event_header_has_golden_fields(void **state)
{
    (void)state;
    struct bytes b = check_unhex("04030201 15 0d0c0b0a 44332211 88776655 a100");
    assert_int_equal(b.n, EVENT_HEADER);
    struct event_header h = header_of(b);
    assert_int_equal(h.timestamp, 0x01020304);
    assert_int_equal(h.type, 0x15);
    assert_int_equal(h.server_id, 0x0a0b0c0d);
    assert_int_equal(h.length, 0x11223344);
    assert_int_equal(h.log_pos, 0x55667788);
    assert_int_equal(h.flags, EVENT_FLAG_IN_USE | EVENT_FLAG_ARTIFICIAL | EVENT_FLAG_IGNORABLE);
    capture_free(b);
}

static void event_headers_of_real_files_chain_as_the_server_says(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        uint32_t pos = EVENT_MAGIC_LEN;
        for (size_t i = 0; i < b.count; i++) {
            struct event_header h = header_of(b.events[i].event);
            assert_int_equal(b.events[i].pos, pos);
            assert_int_equal(h.length, b.events[i].event.n);
            assert_int_equal(h.log_pos, b.events[i].end);
            assert_false(h.flags & EVENT_FLAG_ARTIFICIAL);
            assert_false(event_is_heartbeat(&h));
            pos = b.events[i].end;
        }
        capture_binlog_close(&b);
    }
}

static void event_names_are_those_that_the_server_prints(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        for (size_t i = 0; i < b.count; i++)
            assert_string_equal(event_type_name(header_of(b.events[i].event).type),
                                b.events[i].type);
        capture_binlog_close(&b);
    }
}

static void event_names_of_unknown_types_are_unknown(void **state)
{
    (void)state;
    static const uint8_t types[] = {0, 6, 43, 159, 169, 255};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        assert_string_equal(event_type_name(types[i]), "Unknown");
}

static void event_heartbeats_are_told_by_type(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct event_header h = {.type = (uint8_t)type};
        assert_int_equal(event_is_heartbeat(&h), type == 27 || type == 41);
    }
}

static void event_magic_begins_each_real_file(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs; *name; name++) {
        char path[100];
        size_t n;
        snprintf(path, sizeof path, "binlog/%s.binlog", *name);
        uint8_t *file = check_data(path, &n);
        assert_true(bytes_eq(event_magic(), bytes_of(file, EVENT_MAGIC_LEN)));
        free(file);
    }
}

static void event_crc32_is_that_of_zlib_and_continues(void **state)
{
    (void)state;
    struct bytes text = bytes_str("123456789");
    assert_int_equal(event_crc32(0, text), 0xcbf43926);
    for (size_t n = 0; n <= text.n; n++)
        assert_int_equal(event_crc32(event_crc32(0, bytes_of(text.p, n)), bytes_skip(text, n)),
                         0xcbf43926);
}

/* Also the format descriptions of files in use, and of files without checksums. */
static void event_crcs_of_real_files_are_right(void **state)
{
    (void)state;
    for (const char *const *name = capture_binlogs; *name; name++) {
        struct capture_binlog b = capture_binlog_open(*name);
        struct fde f;
        assert_int_equal(fde_decode(&f, b.events[0].event, &err), 0);
        for (size_t i = 0; i < b.count; i++) {
            struct event_header h = header_of(b.events[i].event);
            if (i == 0 || f.crc_len)
                assert_true(event_crc_ok(&h, b.events[i].event));
            else
                assert_false(event_crc_ok(&h, b.events[i].event));
        }
        capture_binlog_close(&b);
    }
}

static void event_crc_of_a_format_description_ignores_the_in_use_flag(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool in_use;
    } cases[] = {{"5.7-in-use", true}, {"5.7-stop", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct capture_binlog b = capture_binlog_open(cases[i].name);
        struct bytes fde = b.events[0].event;
        struct event_header h = header_of(fde);
        assert_int_equal(h.flags & EVENT_FLAG_IN_USE, cases[i].in_use);
        assert_true(event_crc_ok(&h, fde));
        ((uint8_t *)(uintptr_t)fde.p)[17] ^= EVENT_FLAG_IN_USE;
        assert_true(event_crc_ok(&h, fde));
        capture_binlog_close(&b);
    }
}

static void event_with_any_bit_flipped_has_a_wrong_crc(void **state)
{
    (void)state;
    struct capture_binlog b = capture_binlog_open("5.7-in-use");
    for (size_t i = 0; i < b.count; i++) {
        struct bytes e = b.events[i].event;
        struct event_header h = header_of(e);
        for (size_t bit = 0; bit < e.n * 8; bit++) {
            uint8_t *p = (uint8_t *)(uintptr_t)e.p + bit / 8;
            if (i == 0 && bit == 17 * 8) /* the in-use flag */
                continue;
            *p ^= (uint8_t)(1 << bit % 8);
            assert_false(event_crc_ok(&h, e));
            *p ^= (uint8_t)(1 << bit % 8);
        }
    }
    capture_binlog_close(&b);
}

static void assert_cut_crc_is_wrong(struct bytes cut, void *arg)
{
    assert_false(event_crc_ok(arg, cut));
}

static void event_that_is_cut_has_a_wrong_crc(void **state)
{
    (void)state;
    struct capture_binlog b = capture_binlog_open("5.7-stop");
    for (size_t i = 0; i < b.count; i++) {
        struct event_header h = header_of(b.events[i].event);
        capture_truncate(b.events[i].event, assert_cut_crc_is_wrong, &h);
    }
    capture_binlog_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_header_has_golden_fields),
        cmocka_unit_test(event_headers_of_real_files_chain_as_the_server_says),
        cmocka_unit_test(event_names_are_those_that_the_server_prints),
        cmocka_unit_test(event_names_of_unknown_types_are_unknown),
        cmocka_unit_test(event_heartbeats_are_told_by_type),
        cmocka_unit_test(event_magic_begins_each_real_file),
        cmocka_unit_test(event_crc32_is_that_of_zlib_and_continues),
        cmocka_unit_test(event_crcs_of_real_files_are_right),
        cmocka_unit_test(event_crc_of_a_format_description_ignores_the_in_use_flag),
        cmocka_unit_test(event_with_any_bit_flipped_has_a_wrong_crc),
        cmocka_unit_test(event_that_is_cut_has_a_wrong_crc),
    };
    return RUN_TESTS(tests);
}
