/* A step of one of many in each turn of the loop. */
#include "peer.h"

#include "net/gate.h"

#define MANY 5

struct walker {
    struct gate_ticket ticket;
    int number;
};

static struct ev_loop *loop;
static struct gate gate;
static struct walker walkers[MANY];
static char order[1 << 16]; /* of what happened */
static size_t order_n;
static struct ev_prepare each_turn;
static struct ev_timer before; /* of higher priority, always due */

static void note(char what)
{
    if (order_n + 1 < sizeof order)
        order[order_n++] = what;
}

static void on_go(void *ctx)
{
    struct walker *w = ctx;
    note((char)('0' + w->number));
}

static void on_turn(struct ev_loop *l, struct ev_prepare *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
    note('|');
}

static void on_before(struct ev_loop *l, struct ev_timer *w, int revents)
{
    (void)revents;
    note('s');
    ev_timer_set(w, 0, 0);
    ev_timer_start(l, w);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    gate_init(&gate, loop, -2);
    for (int i = 0; i < MANY; i++)
        walkers[i] = (struct walker){{.go = on_go, .ctx = &walkers[i]}, i};
    memset(order, 0, sizeof order);
    order_n = 0;
    ev_prepare_init(&each_turn, on_turn);
    ev_prepare_start(loop, &each_turn);
    ev_timer_init(&before, on_before, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++)
        gate_leave(&gate, &walkers[i].ticket);
    gate_fini(&gate);
    ev_timer_stop(loop, &before);
    ev_prepare_stop(loop, &each_turn);
    ev_loop_destroy(loop);
    return 0;
}

static void all_come(void)
{
    for (int i = 0; i < MANY; i++)
        assert_int_equal(gate_pass(&gate, &walkers[i].ticket), i == 0);
}

static void finish(void)
{
    while (gate.head)
        ev_run(loop, EVRUN_NOWAIT);
}

/* Whose turn it was, in order. */
static const char *steps(void)
{
    static char only[100];
    size_t n = 0;
    for (size_t i = 0; i < order_n && n + 1 < sizeof only; i++)
        if (order[i] >= '0' && order[i] <= '9')
            only[n++] = order[i];
    only[n] = 0;
    return only;
}

static void gate_lets_one_pass_in_a_turn_in_the_order_of_coming(void **state)
{
    (void)state;
    all_come();
    ev_run(loop, EVRUN_NOWAIT);
    assert_string_equal(order, "|1");
    assert_true(gate_waits(&walkers[4].ticket));
    finish();
    assert_string_equal(steps(), "1234");
    assert_false(gate_waits(&walkers[4].ticket));
}

static void gate_comes_behind_higher_priority_each_time(void **state)
{
    (void)state;
    ev_set_priority(&before, 0);
    ev_timer_start(loop, &before);
    all_come();
    finish();
    assert_string_equal(steps(), "1234");
    for (size_t i = 1; i < order_n; i++)
        assert_true(order[i] < '0' || order[i] > '9' || order[i - 1] == 's');
}

/* Turns alone do not bring more than a few in a millisecond. */
static void gate_lets_a_few_pass_in_a_millisecond(void **state)
{
    (void)state;
    all_come();
    double began = peer_clock();
    finish();
    assert_in_range((peer_clock() - began) * 1e6, 500, 1e6);
    assert_true(order_n > 2 * MANY);
}

static void gate_forgets_who_leaves(void **state)
{
    (void)state;
    all_come();
    gate_leave(&gate, &walkers[1].ticket);
    gate_leave(&gate, &walkers[4].ticket);
    gate_leave(&gate, &walkers[0].ticket); /* did not wait */
    finish();
    assert_string_equal(steps(), "23");
    assert_false(gate_pass(&gate, &walkers[1].ticket)); /* this turn's step was done */
    assert_true(gate_waits(&walkers[1].ticket));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(gate_lets_one_pass_in_a_turn_in_the_order_of_coming),
        T(gate_comes_behind_higher_priority_each_time),
        T(gate_lets_a_few_pass_in_a_millisecond),
        T(gate_forgets_who_leaves),
    };
    return RUN_TESTS(tests);
}
