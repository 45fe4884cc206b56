/* The bound of log lines, on fake time. */
#include "check.h"

#include "base/log_limit.h"

#define S 1000000u

static unsigned passed(struct log_limit *l, unsigned lines, uint64_t now_us)
{
    unsigned n = 0;
    for (unsigned i = 0; i < lines; i++)
        n += log_limit_pass(l, now_us);
    return n;
}

static void few_lines_all_pass(void **state)
{
    (void)state;
    struct log_limit l = {.lines = 3, .period_s = 10};
    for (unsigned i = 1; i < 20; i++)
        assert_int_equal(passed(&l, 3, i * 10 * S), 3);
    assert_int_equal(log_limit_end(&l, 200 * S), 0);
}

static void what_is_over_the_limit_is_counted(void **state)
{
    (void)state;
    struct log_limit l = {.lines = 3, .period_s = 10};
    assert_int_equal(passed(&l, 100, S), 3);
    assert_int_equal(passed(&l, 100, 30 * S), 0); /* until the count was told */
    assert_int_equal(log_limit_end(&l, 30 * S), 197);
    assert_int_equal(passed(&l, 100, 30 * S), 3);
    assert_int_equal(log_limit_end(&l, 40 * S), 97);
    assert_int_equal(log_limit_end(&l, 50 * S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_lines_all_pass),
        cmocka_unit_test(what_is_over_the_limit_is_counted),
    };
    return RUN_TESTS(tests);
}
