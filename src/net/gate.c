/* One step of many in each turn of the loop. */
#include "net/gate.h"

#include "base/mem.h"

#include <stddef.h>

#define MS 0.001

static void take_out(struct gate *g, struct gate_ticket *t)
{
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    else
        g->tail = t->link;
    t->next = NULL;
    t->link = NULL;
}

/* Seconds until the next millisecond, when this one has had its steps. */
static ev_tstamp rest_s(struct gate *g)
{
    ev_tstamp left = g->since + MS - ev_now(g->loop);
    if (left <= 0. || left > MS) { /* the clock was set back */
        g->since = ev_now(g->loop);
        g->done = 0;
    }
    return g->done < GATE_STEPS_PER_MS ? 0. : left;
}

/* A timer that is over at once comes in the next turn, after the loop has looked at all
 * descriptors. */
static void arm(struct gate *g)
{
    if (!g->head || ev_is_active(&g->next))
        return;
    ev_timer_set(&g->next, rest_s(g), 0.);
    ev_timer_start(g->loop, &g->next);
}

static bool may_step(struct gate *g)
{
    if (g->turn == ev_iteration(g->loop) || rest_s(g) > 0.)
        return false;
    g->turn = ev_iteration(g->loop);
    g->done++;
    return true;
}

static void on_next(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct gate *g = w->data;
    struct gate_ticket *t = g->head;
    if (t && may_step(g)) {
        take_out(g, t);
        t->go(t->ctx);
    }
    arm(g);
}

void gate_init(struct gate *g, struct ev_loop *loop, int priority)
{
    *g = (struct gate){.loop = loop, .tail = &g->head, .turn = ev_iteration(loop) - 1};
    ev_init(&g->next, on_next);
    ev_set_priority(&g->next, priority);
    g->next.data = g;
}

void gate_fini(struct gate *g)
{
    BUG_ON(g->head);
    ev_timer_stop(g->loop, &g->next);
}

bool gate_pass(struct gate *g, struct gate_ticket *t)
{
    BUG_ON(t->link);
    if (!g->head && may_step(g))
        return true;
    t->link = g->tail;
    *g->tail = t;
    g->tail = &t->next;
    arm(g);
    return false;
}

bool gate_waits(const struct gate_ticket *t)
{
    return t->link != NULL;
}

void gate_leave(struct gate *g, struct gate_ticket *t)
{
    if (t->link)
        take_out(g, t);
}
