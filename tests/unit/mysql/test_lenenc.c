/* Length-encoded integers and strings. */
#include "check.h"

#include "capture.h"
#include "mysql/lenenc.h"

static const struct {
    uint64_t value;
    const char *hex;
} integers[] = {
    {0, "00"},
    {1, "01"},
    {250, "fa"},
    {251, "fcfb00"},
    {255, "fcff00"},
    {65535, "fcffff"},
    {65536, "fd000001"},
    {0xffffff, "fdffffff"},
    {0x1000000, "fe0000000100000000"},
    {UINT64_MAX, "feffffffffffffffff"},
};

static void lenenc_int_is_encoded_in_its_shortest_form_and_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        struct buf out;
        buf_init(&out);
        lenenc_int_encode(&out, integers[i].value);
        struct bytes expected = check_unhex(integers[i].hex);
        assert_true(bytes_eq(buf_bytes(&out), expected));
        struct rd r = rd_of(expected);
        assert_int_equal(lenenc_int_decode(&r), integers[i].value);
        assert_false(r.bad);
        assert_int_equal(rd_left(&r), 0);
        capture_free(expected);
        buf_fini(&out);
    }
}

static void assert_int_is_bad(struct bytes b, void *arg)
{
    (void)arg;
    struct rd r = rd_of(b);
    assert_int_equal(lenenc_int_decode(&r), 0);
    assert_true(r.bad);
}

static void lenenc_int_that_is_cut_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        struct bytes b = check_unhex(integers[i].hex);
        capture_truncate(b, assert_int_is_bad, NULL);
        capture_free(b);
    }
}

static void lenenc_int_that_is_null_or_an_error_is_bad(void **state)
{
    (void)state;
    assert_int_is_bad(bytes_of("\xfb\0\0\0\0\0\0\0\0", 9), NULL);
    assert_int_is_bad(bytes_of("\xff\0\0\0\0\0\0\0\0", 9), NULL);
}

static void lenenc_int_in_a_longer_form_is_accepted(void **state)
{
    (void)state;
    struct rd r = rd_of(bytes_of("\xfe\x05\0\0\0\0\0\0\0", 9));
    assert_int_equal(lenenc_int_decode(&r), 5);
    assert_false(r.bad);
}

static void assert_str_is_bad(struct bytes b, void *arg)
{
    (void)arg;
    struct rd r = rd_of(b);
    assert_int_equal(lenenc_str_decode(&r).n, 0);
    assert_true(r.bad);
}

static void lenenc_str_survives_a_round_trip_and_no_truncation(void **state)
{
    (void)state;
    static char text[70000];
    memset(text, 'x', sizeof text);
    static const size_t sizes[] = {0, 1, 250, 251, 300, 65535, 65536, sizeof text};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buf out;
        buf_init(&out);
        lenenc_str_encode(&out, bytes_of(text, sizes[i]));
        struct rd r = rd_of(buf_bytes(&out));
        assert_true(bytes_eq(lenenc_str_decode(&r), bytes_of(text, sizes[i])));
        assert_false(r.bad);
        assert_int_equal(rd_left(&r), 0);
        if (sizes[i] <= 300)
            capture_truncate(buf_bytes(&out), assert_str_is_bad, NULL);
        buf_fini(&out);
    }
}

static void lenenc_str_that_is_longer_than_memory_is_bad(void **state)
{
    (void)state;
    assert_str_is_bad(bytes_of("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"
                               "abc",
                               12),
                      NULL);
    assert_str_is_bad(bytes_of("\xfb"
                               "abc",
                               4),
                      NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenenc_int_is_encoded_in_its_shortest_form_and_decoded),
        cmocka_unit_test(lenenc_int_that_is_cut_is_bad),
        cmocka_unit_test(lenenc_int_that_is_null_or_an_error_is_bad),
        cmocka_unit_test(lenenc_int_in_a_longer_form_is_accepted),
        cmocka_unit_test(lenenc_str_survives_a_round_trip_and_no_truncation),
        cmocka_unit_test(lenenc_str_that_is_longer_than_memory_is_bad),
    };
    return RUN_TESTS(tests);
}
