/* Slices and the bounds-checked reader. */
#include "check.h"

#include "base/mem.h"

/* Every kind of read once; how many bytes they take. */
static void read_all(struct rd *r)
{
    rd_u8(r);
    rd_u16(r);
    rd_u24(r);
    rd_u32(r);
    rd_u64(r);
    rd_bytes(r, 3);
    rd_cstr(r);
}

static void bytes_reader_values(void **state)
{
    (void)state;
    struct bytes in = check_unhex("01 0302 060504 0a090807 1817161514131211 616263 646500 6667");
    struct rd r = rd_of(in);
    assert_int_equal(rd_u8(&r), 0x01);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u24(&r), 0x040506);
    assert_int_equal(rd_u32(&r), 0x0708090a);
    assert_true(rd_u64(&r) == 0x1112131415161718);
    assert_true(bytes_eq(rd_bytes(&r, 3), bytes_str("abc")));
    assert_true(bytes_eq(rd_cstr(&r), bytes_str("de")));
    assert_true(bytes_eq(rd_rest(&r), bytes_str("fg")));
    assert_false(r.bad);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_true(r.bad);
    free((void *)in.p);
}

static void bytes_reader_every_truncation_bad(void **state)
{
    (void)state;
    struct bytes in = check_unhex("01 0302 060504 0a090807 1817161514131211 616263 646500");
    for (size_t n = 0; n <= in.n; n++) {
        uint8_t *exact = mem_alloc(n ? n : 1);
        memcpy(exact, in.p, n);
        struct rd r = rd_of(bytes_of(exact, n));
        read_all(&r);
        assert_int_equal(r.bad, n < in.n);
        free(exact);
    }
    free((void *)in.p);
}

static void bytes_reader_bad_stays_bad(void **state)
{
    (void)state;
    struct rd r = rd_of(bytes_str("abc"));
    assert_null(rd_take(&r, UINT64_MAX));
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_bytes(&r, 0).n, 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_true(r.bad);
    r = rd_of(bytes_of(NULL, 0));
    assert_int_equal(rd_rest(&r).n, 0);
    assert_false(r.bad);
    assert_int_equal(rd_cstr(&r).n, 0);
    assert_true(r.bad);
}

static void bytes_to_str_fits_or_not(void **state)
{
    (void)state;
    char dst[4];
    assert_int_equal(bytes_to_str(bytes_str("abc"), dst, sizeof dst), 0);
    assert_string_equal(dst, "abc");
    assert_int_equal(bytes_to_str(bytes_str("abcd"), dst, sizeof dst), -1);
    assert_int_equal(bytes_to_str(bytes_of("a\0b", 3), dst, sizeof dst), -1);
    assert_int_equal(bytes_to_str(bytes_of(NULL, 0), dst, sizeof dst), 0);
    assert_string_equal(dst, "");
}

static void bytes_control_characters_are_found(void **state)
{
    (void)state;
    assert_false(bytes_has_control(bytes_of(NULL, 0)));
    assert_false(bytes_has_control(bytes_str(" ~\xc3\xa9")));
    assert_true(bytes_has_control(bytes_of("a\0", 2)));
    assert_true(bytes_has_control(bytes_str("\x1fg")));
    assert_true(bytes_has_control(bytes_str("a\x7f")));
}

static void bytes_equal_and_skip(void **state)
{
    (void)state;
    assert_true(bytes_eq(bytes_of(NULL, 0), bytes_str("")));
    assert_false(bytes_eq(bytes_str("ab"), bytes_str("abc")));
    assert_false(bytes_eq(bytes_str("abd"), bytes_str("abc")));
    assert_true(bytes_eq(bytes_skip(bytes_str("abc"), 1), bytes_str("bc")));
}

static void bytes_put_is_read_back(void **state)
{
    (void)state;
    uint8_t p[4];
    put_le32(p, 0xdeadbeef);
    assert_int_equal(p[0], 0xef);
    assert_true(le32(p) == 0xdeadbeef);
    assert_int_equal(le24(p), 0xadbeef);
    assert_int_equal(le16(p), 0xbeef);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_reader_values),
        cmocka_unit_test(bytes_reader_every_truncation_bad),
        cmocka_unit_test(bytes_reader_bad_stays_bad),
        cmocka_unit_test(bytes_to_str_fits_or_not),
        cmocka_unit_test(bytes_control_characters_are_found),
        cmocka_unit_test(bytes_equal_and_skip),
        cmocka_unit_test(bytes_put_is_read_back),
    };
    return RUN_TESTS(tests);
}
