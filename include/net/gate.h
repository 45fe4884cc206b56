/*
 * One after the other: the work of many is done in steps, of which each turn of the loop does one,
 * and a millisecond a few.
 *
 * For strangers. However many come at once, between two of their steps the loop sees what has
 * higher priority: the source's socket and what the journal has finished; and it rests, which
 * leaves the CPU to the journal's thread. Whoever waits is served in the order of coming.
 */
#ifndef BINLOGD_NET_GATE_H
#define BINLOGD_NET_GATE_H

#include <ev.h>
#include <stdbool.h>

#define GATE_STEPS_PER_MS 2u

struct gate {
    struct ev_loop *loop;
    struct gate_ticket *head;
    struct gate_ticket **tail;
    unsigned turn;        /* of the loop, in which the last step was done */
    ev_tstamp since;      /* when the present millisecond began */
    unsigned done;        /* steps in it */
    struct ev_timer next; /* runs while somebody waits */
};

/* Of one that takes steps; all zero besides go and ctx at first. */
struct gate_ticket {
    void (*go)(void *ctx); /* its turn has come */
    void *ctx;
    struct gate_ticket *next;
    struct gate_ticket **link; /* what points at it; NULL: it does not wait */
};

/* priority: of the steps, EV_MINPRI .. EV_MAXPRI. */
void gate_init(struct gate *g, struct ev_loop *loop, int priority);
/* Whoever waits must have left. */
void gate_fini(struct gate *g);
/* Whether the step may be done at once; else go is called in a later turn, until which the ticket
 * waits. */
bool gate_pass(struct gate *g, struct gate_ticket *t);
bool gate_waits(const struct gate_ticket *t);
/* Waits no longer. */
void gate_leave(struct gate *g, struct gate_ticket *t);

#endif
