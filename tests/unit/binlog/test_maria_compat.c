/* Events for those who do not know MariaDB's, against what 10.11.19 sent (capability NULL). */
#include "check.h"

#include "base/mem.h"
#include "binlog/maria_compat.h"
#include "capture.h"

/* Events of one dump, without their CRC. */
static const struct {
    const char *stored;
    const char *sent;
    void (*turn)(uint8_t *event, uint32_t length, uint8_t crc_len);
} cases[] = {
    {"cd57006ba3010000001d0000001d0100000000000000000000",
     "cd57006b0e010000001d0000001d0100000800010000002101", maria_compat_dummy},
    {"cd57006ba1010000002b000000480100000000100000006d7973716c2d62696e2e303030303031",
     "cd57006b02010000002b0000004801000008000000000000000000000000000000232044756d6d",
     maria_compat_dummy},
    {"cd57006ba2010000002a00000072010000080001000000000000000000000029000000000000",
     "cd57006b02010000002a0000007201000008000000000000000000000000000000232044756d",
     maria_compat_dummy},
    {"cd57006ba00100000037000000ed0200000000696e7365727420696e746f206c61622e742876292076616c756573"
     "2827782729",
     "cd57006b020100000037000000ed02000008000000000000000000000000000000232044756d6d79206576656e74"
     "207265706c",
     maria_compat_dummy},
    {"cd57006ba2010000002c000000b602000008000300000000000000000000000e0400000000000000",
     "cd57006b02010000002c000000b6020000080000000000000000000000000200050000424547494e",
     maria_compat_begin},
};

static void events_become_what_a_server_sends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes stored = check_unhex(cases[i].stored), sent = check_unhex(cases[i].sent);
        uint8_t crc_len = i % 2 ? EVENT_CRC : 0;
        struct event_header h;
        uint8_t *event = mem_alloc(stored.n + EVENT_CRC);
        memcpy(event, stored.p, stored.n);
        cases[i].turn(event, (uint32_t)stored.n + crc_len, crc_len);
        assert_memory_equal(event, sent.p, sent.n);
        event_header_decode(&h, event);
        assert_true(!crc_len || event_crc_ok(&h, bytes_of(event, stored.n + crc_len)));
        free(event);
        capture_free(stored);
        capture_free(sent);
    }
}

/* In memory of just their size, so that a sanitizer sees what goes beyond. */
static void all_lengths_are_filled(void **state)
{
    (void)state;
    for (uint32_t body = MARIA_COMPAT_BODY_MIN; body < 120; body++) {
        uint32_t length = EVENT_HEADER + body;
        uint8_t *event = mem_alloc(length);
        maria_compat_dummy(event, length, 0);
        assert_int_equal(event[4], body <= 14 ? EVENT_USER_VAR : EVENT_QUERY);
        if (maria_compat_begins(length, 0, 0)) {
            maria_compat_begin(event, length, 0);
            assert_memory_equal(event + length - 5, "BEGIN", 5);
        }
        free(event);
    }
}

static void what_is_no_begin_is_told(void **state)
{
    (void)state;
    uint32_t plain = EVENT_HEADER + 19 + EVENT_CRC;
    assert_true(maria_compat_begins(plain, EVENT_CRC, 0x0c));
    assert_true(maria_compat_begins(plain + 2, EVENT_CRC, 0x0e));
    assert_false(maria_compat_begins(plain + 1, EVENT_CRC, 0x0c));
    assert_false(maria_compat_begins(plain - 1, EVENT_CRC, 0x0c));
    assert_false(maria_compat_begins(plain + 6, EVENT_CRC, 0x4c));
    assert_false(maria_compat_begins(plain + 4, EVENT_CRC, 0x8d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_become_what_a_server_sends),
        cmocka_unit_test(all_lengths_are_filled),
        cmocka_unit_test(what_is_no_begin_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
