/* Frames of messages, also longer than one packet holds. */
#include "check.h"

#include "base/mem.h"
#include "mysql/packet.h"

/* Encodes n bytes and walks the frames: sizes as given, sequence numbers from seq on. */
static void check_frames(size_t n, uint8_t seq, const size_t *parts, size_t count)
{
    uint8_t *message = mem_alloc(n + 1);
    for (size_t i = 0; i < n; i++)
        message[i] = (uint8_t)(i * 31 + (i >> 16));
    struct buf out;
    buf_init(&out);
    assert_int_equal(packet_encode(&out, bytes_of(message, n), seq), (uint8_t)(seq + count));
    struct rd r = rd_of(buf_bytes(&out));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rd_u24(&r), parts[i]);
        assert_int_equal(rd_u8(&r), (uint8_t)(seq + i));
        assert_true(bytes_eq(rd_bytes(&r, parts[i]), bytes_of(message + at, parts[i])));
        at += parts[i];
    }
    assert_false(r.bad);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(at, n);
    buf_fini(&out);
    free(message);
}

static void packet_of_a_short_message_is_one_frame(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint8_t seq;
    } cases[] = {{0, 0}, {1, 1}, {255, 3}, {65536, 255}, {PACKET_PART_MAX - 1, 7}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_frames(cases[i].n, cases[i].seq, &cases[i].n, 1);
}

static void packet_of_a_long_message_is_split(void **state)
{
    (void)state;
    enum { FULL = PACKET_PART_MAX };
    check_frames(FULL, 0, (const size_t[]){FULL, 0}, 2);
    check_frames(FULL + 1, 254, (const size_t[]){FULL, 1}, 2);
    check_frames((size_t)2 * FULL, 255, (const size_t[]){FULL, FULL, 0}, 3);
}

static void packet_without_memory_is_an_empty_frame(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out);
    assert_int_equal(packet_encode(&out, bytes_of(NULL, 0), 9), 10);
    assert_memory_equal(buf_bytes(&out).p, "\0\0\0\x09", PACKET_HEADER);
    buf_fini(&out);
}

static void packet_of_a_command_has_golden_bytes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out);
    packet_encode(&out, bytes_str("\x03SELECT 1"), 0);
    assert_true(bytes_eq(buf_bytes(&out), bytes_of("\x09\0\0\0\x03SELECT 1", 13)));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_of_a_short_message_is_one_frame),
        cmocka_unit_test(packet_of_a_long_message_is_split),
        cmocka_unit_test(packet_without_memory_is_an_empty_frame),
        cmocka_unit_test(packet_of_a_command_has_golden_bytes),
    };
    return RUN_TESTS(tests);
}
