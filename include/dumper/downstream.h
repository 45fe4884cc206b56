/*
 * What replicas behind us must have before the source may take something for received: a durable
 * chain.
 *
 * The dumper asks for the bound before it acknowledges or sends a dump request, and says whether
 * something is held back because of it. When nothing of that has moved for the timeout, replicas
 * are not waited for any more, until so many of them have everything again; MySQL's source does
 * the same with its own replicas (manual, "Semisynchronous Replication").
 */
#ifndef BINLOGD_DUMPER_DOWNSTREAM_H
#define BINLOGD_DUMPER_DOWNSTREAM_H

#include "store/point.h"

#include <ev.h>

enum downstream_state {
    DOWNSTREAM_OFF,     /* no replica is waited for */
    DOWNSTREAM_ON,      /* ACKs and dump requests await replicas, no longer than the timeout */
    DOWNSTREAM_DEGRADED /* the timeout passed; awaits that replicas have all there is */
};

struct downstream_opts {
    uint32_t replicas;   /* how many must have it; 0: off */
    uint32_t timeout_ms; /* 0: waits for ever */
    /* The highest point that so many have acknowledged; all zero: none. */
    struct point (*acked)(void *ctx);
    void *ctx; /* of acked */
};

struct downstream {
    struct ev_loop *loop;
    struct downstream_opts opts;
    enum downstream_state state;
    struct ev_timer timer; /* runs while something is held */
    uint64_t held;         /* what; 0: nothing */
    uint64_t since_us;     /* when that began */
    struct point bound;
    uint64_t times; /* that it degraded */
    void (*released)(void *ctx);
    void *ctx; /* of released */
};

/* released: what is held may go, the timeout has passed. */
void downstream_init(struct downstream *w, struct ev_loop *loop, void (*released)(void *ctx),
                     void *ctx);
void downstream_fini(struct downstream *w);
void downstream_configure(struct downstream *w, const struct downstream_opts *opts);
/* What may be acknowledged at present as far as replicas are concerned; NULL: everything. It lives
 * until the next call. */
const struct point *downstream_bound(struct downstream *w);
/* Something is held back for replicas alone; the time runs for as long as `what` is the same. */
void downstream_hold(struct downstream *w, uint64_t what);
/* Nothing is. */
void downstream_let_go(struct downstream *w);
/* Replicas have acknowledged more. end: T. */
void downstream_moved(struct downstream *w, const struct point *end);

#endif
