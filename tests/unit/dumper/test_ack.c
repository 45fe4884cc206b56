/* The queue of ACKs that are owed. */
#include "check.h"

#include "dumper/ack.h"

static struct ack_queue q;

static void add(uint64_t offset)
{
    struct ack a = {.offset = offset, .pos = offset + 1000, .at_us = offset + 5};
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

static void latest_tells_since_when_the_first_has_waited(void **state)
{
    (void)state;
    struct ack a;
    ack_reset(&q, ACK_LATEST);
    add(10);
    add(20);
    add(30);
    assert_true(due(20, &a));
    assert_int_equal(a.at_us, 15);
    assert_true(due(30, &a));
    assert_int_equal(a.at_us, 35);
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

/* In file 7: due when replicas have all up to needs_pos. */
static void add_needing(uint64_t offset, uint64_t needs_pos)
{
    struct ack a = {.offset = offset, .pos = offset, .needs = {1, 7, needs_pos}};
    assert_true(ack_add(&q, &a));
}

static void neither_disk_nor_replicas_alone_make_it_due(void **state)
{
    (void)state;
    static const struct {
        uint64_t synced;
        struct point replicas;
        bool due;
    } cases[] = {
        {99, {1, 7, 100}, false}, {100, {1, 7, 99}, false},  {99, {9, 9, 999}, false},
        {100, {0, 0, 0}, false},  {100, {1, 6, 999}, false}, {100, {0, 8, 999}, false},
        {100, {1, 7, 100}, true}, {100, {1, 8, 4}, true},    {100, {2, 1, 4}, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ack a;
        struct ack_bounds b = {cases[i].synced, &cases[i].replicas};
        ack_reset(&q, ACK_LATEST);
        add_needing(100, 100);
        assert_int_equal(ack_due(&q, &b, &a), cases[i].due);
        assert_int_equal(ack_held(&q, cases[i].synced) != NULL,
                         !cases[i].due && cases[i].synced == 100);
    }
}

static void latest_stops_where_replicas_are(void **state)
{
    (void)state;
    struct ack a;
    struct point replicas = {1, 7, 25};
    struct ack_bounds b = {UINT64_MAX, &replicas};
    ack_reset(&q, ACK_LATEST);
    add_needing(10, 10);
    add_needing(20, 20);
    add_needing(30, 30);
    assert_true(ack_due(&q, &b, &a));
    assert_int_equal(a.pos, 20);
    assert_false(ack_due(&q, &b, &a));
    assert_int_equal(ack_held(&q, UINT64_MAX)->pos, 30);
    b.replicas = NULL;
    assert_true(ack_due(&q, &b, &a));
    assert_int_equal(a.pos, 30);
    assert_null(ack_held(&q, UINT64_MAX));
}

static void only_a_source_that_awaits_each_is_blocked(void **state)
{
    (void)state;
    struct ack a;
    for (enum ack_mode mode = ACK_LATEST; mode <= ACK_EACH; mode++) {
        ack_reset(&q, mode);
        assert_false(ack_blocks_source(&q));
        add(1);
        assert_int_equal(ack_blocks_source(&q), mode == ACK_EACH);
        assert_true(due(1, &a));
        assert_false(ack_blocks_source(&q));
    }
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
        cmocka_unit_test(latest_tells_since_when_the_first_has_waited),
        cmocka_unit_test(each_gives_every_one_in_order),
        cmocka_unit_test(neither_disk_nor_replicas_alone_make_it_due),
        cmocka_unit_test(latest_stops_where_replicas_are),
        cmocka_unit_test(only_a_source_that_awaits_each_is_blocked),
        cmocka_unit_test(latest_overflowing_keeps_the_newest),
        cmocka_unit_test(each_overflowing_is_refused),
        cmocka_unit_test(reset_drops_what_is_pending),
    };
    return RUN_TESTS(tests);
}
