/* Waiting for replicas, with an end. */
#include "dumper/downstream.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>

static void enter(struct downstream *w, enum downstream_state state)
{
    static const char *const names[] = {
        [DOWNSTREAM_OFF] = "off",
        [DOWNSTREAM_ON] = "on",
        [DOWNSTREAM_DEGRADED] = "degraded",
    };
    log_debug("dumper", "waiting for replicas: %s -> %s", names[w->state], names[state]);
    w->state = state;
    if (state != DOWNSTREAM_ON)
        downstream_let_go(w);
}

static void arm(struct downstream *w)
{
    uint64_t waited_ms = (clock_now_us() - w->since_us) / 1000u;
    uint64_t left = waited_ms < w->opts.timeout_ms ? w->opts.timeout_ms - waited_ms : 0;
    ev_timer_stop(w->loop, &w->timer);
    ev_now_update(w->loop);
    ev_timer_set(&w->timer, (double)left / 1000.0, 0);
    ev_timer_start(w->loop, &w->timer);
}

/* It is not set anew each time that something else is held: it looks how long that has been. */
static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct downstream *w = timer->data;
    if (!w->held || !w->opts.timeout_ms)
        return;
    if (clock_now_us() - w->since_us < w->opts.timeout_ms * UINT64_C(1000)) {
        arm(w);
        return;
    }
    log_warn("dumper",
             "fewer than %" PRIu32 " replicas have acknowledged what waits for them within %" PRIu32
             " ms: the source gets its ACKs without them until they have all again",
             w->opts.replicas, w->opts.timeout_ms);
    w->times++;
    enter(w, DOWNSTREAM_DEGRADED);
    w->released(w->ctx);
}

void downstream_init(struct downstream *w, struct ev_loop *loop, void (*released)(void *ctx),
                     void *ctx)
{
    *w = (struct downstream){.loop = loop, .released = released, .ctx = ctx};
    ev_init(&w->timer, on_timer);
    w->timer.data = w;
}

void downstream_fini(struct downstream *w)
{
    ev_timer_stop(w->loop, &w->timer);
}

void downstream_configure(struct downstream *w, const struct downstream_opts *opts)
{
    w->opts = *opts;
    if (!opts->replicas)
        enter(w, DOWNSTREAM_OFF);
    else if (w->state == DOWNSTREAM_OFF)
        enter(w, DOWNSTREAM_ON);
    if (w->held && opts->timeout_ms)
        arm(w);
}

const struct point *downstream_bound(struct downstream *w)
{
    if (w->state != DOWNSTREAM_ON)
        return NULL;
    w->bound = w->opts.acked(w->opts.ctx);
    return &w->bound;
}

void downstream_hold(struct downstream *w, uint64_t what)
{
    if (w->held == what)
        return;
    w->held = what;
    w->since_us = clock_now_us();
    if (w->opts.timeout_ms && !ev_is_active(&w->timer))
        arm(w);
}

void downstream_let_go(struct downstream *w)
{
    w->held = 0;
}

void downstream_moved(struct downstream *w, const struct point *end)
{
    if (w->state != DOWNSTREAM_DEGRADED)
        return;
    struct point acked = w->opts.acked(w->opts.ctx);
    if (point_cmp(&acked, end) < 0)
        return;
    log_info("dumper", "%" PRIu32 " replicas have all again: ACKs wait for them as before",
             w->opts.replicas);
    enter(w, DOWNSTREAM_ON);
}
