/* The queue of ACKs that are owed. */
#include "check.h"

#include "dumper/ack.h"

static struct ack_queue q;

static void add(uint64_t offset)
{
    struct ack a = {.offset = offset, .pos = offset + 1000};
    assert_true(ack_add(&q, &a));
}

static bool due(uint64_t synced, struct ack *a)
{
    struct ack_bounds bounds = {synced, NULL};
    return ack_due(&q, &bounds, a);
}

static void latest_gives_one_for_all_that_is_synced(void **state)
{
    (void)state;
    struct ack a;
    ack_reset(&q, ACK_LATEST);
    add(10);
    add(20);
    add(30);
    assert_false(due(9, &a));
    assert_true(due(29, &a));
    assert_int_equal(a.pos, 1020);
    assert_false(due(29, &a));
    assert_true(due(30, &a));
    assert_int_equal(a.pos, 1030);
    assert_false(due(UINT64_MAX, &a));
}

static void each_gives_every_one_in_order(void **state)
{
    (void)state;
    struct ack a;
    ack_reset(&q, ACK_EACH);
    add(10);
    add(20);
    add(20);
    add(30);
    assert_false(due(9, &a));
    for (uint64_t pos = 0; pos < 3; pos++) {
        static const uint64_t expected[] = {1010, 1020, 1020};
        assert_true(due(25, &a));
        assert_int_equal(a.pos, expected[pos]);
    }
    assert_false(due(25, &a));
}

static void latest_overflowing_keeps_the_newest(void **state)
{
    (void)state;
    struct ack a;
    ack_reset(&q, ACK_LATEST);
    for (uint64_t i = 1; i <= 3 * ACK_QUEUE_MAX; i++)
        add(i);
    assert_true(due(5, &a));
    assert_int_equal(a.offset, 5);
    assert_false(due(3 * ACK_QUEUE_MAX - 1, &a) && a.offset == 3 * ACK_QUEUE_MAX);
    assert_true(due(UINT64_MAX, &a));
    assert_int_equal(a.offset, 3 * ACK_QUEUE_MAX);
}

static void each_overflowing_is_refused(void **state)
{
    (void)state;
    struct ack a = {.offset = 1};
    ack_reset(&q, ACK_EACH);
    for (uint64_t i = 0; i < ACK_QUEUE_MAX; i++)
        add(1);
    assert_false(ack_add(&q, &a));
    assert_true(due(1, &a));
    assert_true(ack_add(&q, &a));
}

static void reset_drops_what_is_pending(void **state)
{
    (void)state;
    struct ack a;
    ack_reset(&q, ACK_LATEST);
    add(1);
    ack_reset(&q, ACK_LATEST);
    assert_false(due(UINT64_MAX, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latest_gives_one_for_all_that_is_synced),
        cmocka_unit_test(each_gives_every_one_in_order),
        cmocka_unit_test(latest_overflowing_keeps_the_newest),
        cmocka_unit_test(each_overflowing_is_refused),
        cmocka_unit_test(reset_drops_what_is_pending),
    };
    return RUN_TESTS(tests);
}
