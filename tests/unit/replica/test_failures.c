/* Failed logins by address, on fake time. */
#include "check.h"

#include "replica/failures.h"

#define S 1000000u

static struct failures *f;

static int tear_down(void **state)
{
    (void)state;
    failures_free(f);
    f = NULL;
    return 0;
}

static void fail_times(uint64_t source, unsigned times, uint64_t now_us)
{
    for (unsigned i = 0; i < times; i++)
        failures_add(f, source, now_us);
}

static void delay_begins_after_five_and_doubles_to_a_minute(void **state)
{
    (void)state;
    static const uint32_t delays[] = {0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
    f = failures_new(4);
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        assert_int_equal(failures_delay_s(f, 7, i * S), delays[i]);
        failures_add(f, 7, i * S);
    }
    fail_times(7, 100, 20 * S);
    assert_int_equal(failures_delay_s(f, 7, 20 * S), 60);
}

static void others_are_not_delayed(void **state)
{
    (void)state;
    f = failures_new(4);
    fail_times(7, 9, S);
    assert_int_equal(failures_delay_s(f, 8, S), 0);
    fail_times(0, 9, S);
    assert_int_equal(failures_delay_s(f, 0, S), 0);
    assert_int_equal(failures_addresses(f), 1);
}

static void good_login_clears(void **state)
{
    (void)state;
    f = failures_new(4);
    fail_times(7, 9, S);
    failures_clear(f, 7);
    failures_clear(f, 8);
    assert_int_equal(failures_delay_s(f, 7, S), 0);
    assert_int_equal(failures_addresses(f), 0);
    fail_times(7, 4, S);
    assert_int_equal(failures_delay_s(f, 7, S), 0);
}

static void quiet_address_is_forgotten(void **state)
{
    (void)state;
    const uint64_t later = S + FAILURES_FORGET_S * (uint64_t)S;
    f = failures_new(4);
    fail_times(7, 6, S);
    assert_int_equal(failures_delay_s(f, 7, later - 1), 2);
    assert_int_equal(failures_delay_s(f, 7, later), 0);
    fail_times(7, 4, later);
    assert_int_equal(failures_delay_s(f, 7, later), 0);
    fail_times(7, 1, later);
    assert_int_equal(failures_delay_s(f, 7, later), 1);
}

static void oldest_failure_makes_room(void **state)
{
    (void)state;
    f = failures_new(3);
    for (uint64_t source = 1; source <= 3; source++)
        fail_times(source, 5, source * S);
    fail_times(1, 1, 4 * S);
    fail_times(9, 5, 5 * S); /* in place of 2 */
    assert_int_equal(failures_addresses(f), 3);
    assert_int_equal(failures_delay_s(f, 1, 5 * S), 2);
    assert_int_equal(failures_delay_s(f, 2, 5 * S), 0);
    assert_int_equal(failures_delay_s(f, 3, 5 * S), 1);
    assert_int_equal(failures_delay_s(f, 9, 5 * S), 1);
}

/* Far more addresses than it holds, some of which log in, against what it must say of the last. */
static void many_addresses_stay_bounded(void **state)
{
    (void)state;
    f = failures_new(1000);
    for (uint64_t source = 1; source <= 20000; source++) {
        fail_times(source << 32, 6, source);
        if (source % 3 == 0)
            failures_clear(f, (source - 1) << 32);
        assert_true(failures_addresses(f) <= 1000);
    }
    for (uint64_t source = 20000; source > 19000; source--)
        assert_int_equal(failures_delay_s(f, source << 32, 20000),
                         source % 3 == 2 && source < 20000 ? 0 : 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        T(delay_begins_after_five_and_doubles_to_a_minute),
        T(others_are_not_delayed),
        T(good_login_clears),
        T(quiet_address_is_forgotten),
        T(oldest_failure_makes_room),
        T(many_addresses_stay_bounded),
    };
    return RUN_TESTS(tests);
}
