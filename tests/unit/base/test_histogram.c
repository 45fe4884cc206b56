/* Durations in buckets. */
#include "check.h"

#include "base/histogram.h"

static void histogram_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, 0);
    histogram_add(&h, 20);
    histogram_add(&h, 21);
    histogram_add(&h, 10000000);
    histogram_add(&h, 10000001);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(h.count, 5);
    assert_int_equal(h.sum_us, 20000042);
    assert_int_equal(h.last_us, 10000001);
    assert_int_equal(h.max_us, 10000001);
}

static void histogram_bounds_rise(void **state)
{
    (void)state;
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
}

static void histogram_empty_tells_zero(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_mean_us(&h), 0);
    assert_int_equal(histogram_percentile_us(&h, 99), 0);
}

static void histogram_percentile_is_a_bound_and_no_more_than_the_largest(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (int i = 0; i < 99; i++)
        histogram_add(&h, 150);
    histogram_add(&h, 3000);
    assert_int_equal(histogram_mean_us(&h), 178);
    assert_int_equal(histogram_percentile_us(&h, 50), 200);
    assert_int_equal(histogram_percentile_us(&h, 99), 200);
    assert_int_equal(histogram_percentile_us(&h, 100), 3000);
    histogram_add(&h, 20000000);
    assert_int_equal(histogram_percentile_us(&h, 100), 20000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram_bound_belongs_to_its_bucket),
        cmocka_unit_test(histogram_bounds_rise),
        cmocka_unit_test(histogram_empty_tells_zero),
        cmocka_unit_test(histogram_percentile_is_a_bound_and_no_more_than_the_largest),
    };
    return RUN_TESTS(tests);
}
