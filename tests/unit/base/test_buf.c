/* The byte queue: order, growth, and the little-endian writers. */
#include "check.h"

#include "base/buf.h"

static void buf_writers_little_endian(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    wr_u8(&b, 0x01);
    wr_u16(&b, 0x0203);
    wr_u24(&b, 0x040506);
    wr_u32(&b, 0x0708090a);
    wr_u48(&b, 0x0b0c0d0e0f10);
    wr_u64(&b, 0x1112131415161718);
    wr_zero(&b, 2);
    wr_str(&b, "ab");
    wr_cstr(&b, "c");
    wr_fmt(&b, "%d-%s", 42, "x");
    wr_bytes(&b, bytes_of(NULL, 0));
    struct bytes want = check_unhex("01 0302 060504 0a090807 100f0e0d0c0b 1817161514131211"
                                    "0000 6162 6300 34322d78");
    assert_true(bytes_eq(buf_bytes(&b), want));
    free((void *)want.p);
    buf_fini(&b);
    assert_int_equal(buf_bytes(&b).n, 0);
}

static void buf_as_a_queue_keeps_the_order(void **state)
{
    (void)state;
    struct buf b;
    uint8_t next_in = 0, next_out = 0;
    buf_init(&b);
    for (size_t i = 0; i < 3000; i++) {
        for (size_t n = i * 7 % 50; n; n--)
            wr_u8(&b, next_in++);
        size_t out = i * 11 % 53;
        struct bytes have = buf_bytes(&b);
        if (out > have.n)
            out = have.n;
        for (size_t k = 0; k < out; k++)
            assert_int_equal(have.p[k], next_out++);
        buf_consume(&b, out);
    }
    assert_true(b.cap < 1u << 16); /* what was consumed is used again */
    buf_clear(&b);
    assert_int_equal(buf_bytes(&b).n, 0);
    buf_fini(&b);
}

static void buf_reserve_then_commit_less(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    memset(buf_reserve(&b, 1000), 'x', 1000);
    buf_commit(&b, 3);
    wr_str(&b, "yz");
    buf_truncate(&b, 4);
    assert_true(bytes_eq(buf_bytes(&b), bytes_str("xxxy")));
    buf_consume(&b, 4);
    assert_int_equal(b.off, 0);
    buf_fini(&b);
}

static void buf_fini_secret_empties(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_fini_secret(&b);
    wr_str(&b, "secret");
    buf_fini_secret(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_writers_little_endian),
        cmocka_unit_test(buf_as_a_queue_keeps_the_order),
        cmocka_unit_test(buf_reserve_then_commit_less),
        cmocka_unit_test(buf_fini_secret_empties),
    };
    return RUN_TESTS(tests);
}
