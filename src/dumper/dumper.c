/*
 * Life cycle of the connection to the source: begin settles the store, then a connection is made
 * and handed to dumper_request.c, and by that to dumper_copy.c. However it ends, dumper_on_closed
 * comes, and conclude decides what follows.
 */
#include "dumper_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mysql/errcode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS      100u
#define UNANSWERED_MS       500u /* a try that took longer */
#define MALFORMED_TRIES     10u  /* that bring nothing new; then the source is not asked again */
#define SPACE_CHECK_MS      1000u
#define SPACE_ENOUGH        (8u << 20)  /* bytes with which a full disk is tried again at once, */
#define SPACE_MORE          (64u << 10) /* or so many more than there were, */
#define SPACE_TRY_US        60000000u /* or when it may have room that does not show, as by a quota */
#define HEARTBEATS_MISSED   3u
#define SOURCE_PRIORITY     1 /* of the socket; before replicas, after the journal */
#define FIRST_PACKET_MIN_MS 10000u

void dumper_set_state(struct dumper *d, enum dumper_state state)
{
    if (d->state == state)
        return;
    int64_t now = clock_wall_us();
    if (d->state == DUMPER_PROTECTING)
        d->protected_until_us = now;
    d->state = state;
    d->state_since_us = now;
    d->opts.state_changed(d->opts.ctx, state);
}

/* ---- phases ---- */

void dumper_arm(struct dumper *d, uint32_t ms)
{
    d->deadline.repeat = ms / 1000.0;
    ev_timer_again(d->opts.loop, &d->deadline); /* 0 stops it */
}

uint32_t dumper_silence_ms(const struct dumper *d)
{
    return HEARTBEATS_MISSED * d->opts.heartbeat_ms;
}

void dumper_enter(struct dumper *d, enum dumper_phase phase)
{
    static const char *const names[] = {
        [PHASE_STOPPED] = "stopped",     [PHASE_SETTLING] = "settling",
        [PHASE_REPLICAS] = "replicas",   [PHASE_RESOLVING] = "resolving",
        [PHASE_DIALLING] = "dialling",   [PHASE_LOGIN] = "login",
        [PHASE_SETUP] = "setup",         [PHASE_JOINING] = "joining",
        [PHASE_STREAMING] = "streaming", [PHASE_BACKOFF] = "backoff",
        [PHASE_NO_SPACE] = "no space",
    };
    log_debug("dumper", "%s -> %s", names[d->phase], names[phase]);
    d->phase = phase;
    if (phase != PHASE_STREAMING)
        monitor_stop(&d->monitor);
    downstream_let_go(&d->downstream); /* what was held went with the connection */
    store_keep(d->opts.store, STORE_KEEP_NONE);
    switch (phase) {
    case PHASE_STOPPED:
    case PHASE_REPLICAS: /* has a timer of its own */
    case PHASE_SETTLING: /* the journal either gets there or fails; a slow disk is waited for */
        dumper_arm(d, 0);
        break;
    case PHASE_RESOLVING:
        dumper_arm(d, d->opts.connect_timeout_ms);
        break;
    case PHASE_DIALLING: /* the time allowed runs on from resolving to the dump request */
    case PHASE_LOGIN:
    case PHASE_SETUP:
    case PHASE_JOINING:
        break;
    case PHASE_STREAMING: /* the source may have to look for the position first */
        dumper_arm(d, dumper_silence_ms(d) > FIRST_PACKET_MIN_MS ? dumper_silence_ms(d)
                                                                 : FIRST_PACKET_MIN_MS);
        break;
    case PHASE_BACKOFF: /* armed by back_off */
        break;
    case PHASE_NO_SPACE:
        dumper_arm(d, SPACE_CHECK_MS);
        break;
    }
}

static void begin(struct dumper *d);

/* The number that MySQL gives for what err tells, in the phase that it ended. */
static unsigned error_code(const struct dumper *d, const struct err *err)
{
    if (err->code)
        return err->code;
    switch (err->kind) {
    case ERR_NO_SPACE:
        return ER_DISK_FULL;
    case ERR_OTHER:
        return d->phase == PHASE_STREAMING ? CR_SERVER_LOST : CR_CONN_HOST_ERROR;
    case ERR_USAGE:
    case ERR_IO:
    case ERR_DIVERGED:
    case ERR_CORRUPT:
    case ERR_LONG:
    case ERR_MALFORMED:
        break;
    }
    return ER_REPLICA_FATAL_ERROR;
}

static void keep_error(struct dumper *d, const struct err *err)
{
    snprintf(d->last_error, sizeof d->last_error, "%s", err->text);
    d->last_error_code = error_code(d, err);
    d->last_error_us = clock_wall_us();
}

static void clear_error(struct dumper *d)
{
    d->last_error[0] = 0;
    d->last_error_code = 0;
    d->last_error_us = 0;
}

void dumper_all_is_well(struct dumper *d)
{
    d->retry_ms = RETRY_FIRST_MS;
    clear_error(d);
}

/* Logs each reason once, until it changes or a dump has begun in between. */
static void note_error(struct dumper *d, const struct err *err)
{
    bool again = strcmp(d->last_error, err->text) == 0;
    keep_error(d, err);
    if (again)
        log_debug("dumper", "the same again");
    else
        log_warn("dumper", "%s", err->text);
}

/* What a try without an answer took counts as waiting: where packets vanish, the next follows at
 * once, and a way that is there again is found. */
static uint32_t wait_ms(const struct dumper *d)
{
    uint64_t took = d->phase == PHASE_STREAMING ? 0 : (clock_now_us() - d->tried_us) / 1000;
    if (took < UNANSWERED_MS)
        return d->retry_ms;
    return took + RETRY_FIRST_MS < d->retry_ms ? d->retry_ms - (uint32_t)took : RETRY_FIRST_MS;
}

static void back_off(struct dumper *d, const struct err *err)
{
    note_error(d, err);
    dumper_set_state(d, DUMPER_CONNECTING);
    if (err->kind == ERR_LONG)
        d->retry_ms = d->opts.retry_max_ms;
    uint32_t ms = wait_ms(d);
    dumper_enter(d, PHASE_BACKOFF);
    log_debug("dumper", "next try in %" PRIu32 " ms", ms);
    dumper_arm(d, ms);
    d->retry_ms = d->retry_ms > d->opts.retry_max_ms / 2 ? d->opts.retry_max_ms : 2 * d->retry_ms;
}

static void stop_because(struct dumper *d, enum dumper_state state, const struct err *err)
{
    keep_error(d, err);
    log_error("dumper", "%s", err->text);
    dumper_enter(d, PHASE_STOPPED);
    dumper_set_state(d, state);
}

static void end_for_good(struct dumper *d, enum dumper_state state, const struct err *err)
{
    stop_because(d, state, err);
    d->opts.ended(d->opts.ctx, state);
}

/* Whether the source may be asked again: only what has become durable since shows that it can be
 * right, for a good heartbeat or an end of the network in between mends nothing. */
static bool is_worth_a_try(struct dumper *d)
{
    struct point end = store_end_point(d->opts.store);
    if (point_cmp(&end, &d->malformed.end) != 0)
        d->malformed.tries = 0;
    d->malformed.end = end;
    return ++d->malformed.tries < MALFORMED_TRIES;
}

/* As STOP REPLICA: what is stored is served on. */
static void stop_asking(struct dumper *d, const struct err *err)
{
    struct err why = *err;
    err_prefix(&why,
               "stopped after %u tries that brought nothing new; mend the source, then START "
               "REPLICA or start binlogd again",
               d->malformed.tries);
    d->gave_up = true;
    stop_because(d, DUMPER_STOPPED, &why);
}

/* The files of a server that has the same name are others now; by GTID it may yet have all that is
 * stored, as a binlogd has that went on with another source. */
static bool may_join(const struct dumper *d)
{
    return d->opts.on_divergence == DUMPER_FAILOVER && d->phase == PHASE_STREAMING &&
           d->setup.facts.gtids_known && !gtid_set_empty(store_gtids(d->opts.store));
}

static void diverge(struct dumper *d, const struct err *err)
{
    if (d->opts.on_divergence == DUMPER_NEW_EPOCH) {
        note_error(d, err);
        log_warn("dumper", "going on in a new epoch, as on_divergence=new_epoch says");
        d->new_epoch = true;
        d->follow = STORE_DIVERGES;
        d->join.text[0] = 0;
        begin(d);
    } else if (may_join(d)) {
        note_error(d, err);
        log_warn("dumper", "asking by GTID, as on_divergence=failover says");
        d->other_files = true;
        begin(d);
    } else {
        end_for_good(d, DUMPER_DIVERGED, err);
    }
}

/* What follows from an error that ended a try; the connection is closed already. */
static void conclude(struct dumper *d, const struct err *err)
{
    d->errors[err->kind]++;
    switch (err->kind) {
    case ERR_OTHER:
    case ERR_USAGE:
    case ERR_LONG:
        back_off(d, err);
        break;
    case ERR_MALFORMED:
        if (is_worth_a_try(d))
            back_off(d, err);
        else
            stop_asking(d, err);
        break;
    case ERR_NO_SPACE:
        note_error(d, err);
        d->full.free = store_free_space(d->opts.store);
        d->full.since_us = clock_now_us();
        dumper_set_state(d, DUMPER_WAIT_SPACE);
        dumper_enter(d, PHASE_NO_SPACE);
        break;
    case ERR_IO:
        end_for_good(d, DUMPER_FAILED, err);
        break;
    case ERR_CORRUPT:
        end_for_good(d, DUMPER_CORRUPT, err);
        break;
    case ERR_DIVERGED:
        diverge(d, err);
        break;
    }
}

/* Closes the connection because of err, which on_closed then acts upon. */
void dumper_give_up(struct dumper *d, const struct err *err)
{
    d->err = *err;
    channel_close(&d->channel, "%s", err->text);
}

/* ---- connecting ---- */

static void on_opened(void *ctx)
{
    dumper_enter(ctx, PHASE_LOGIN);
}

static void on_logged_in(void *ctx)
{
    struct dumper *d = ctx;
    snprintf(d->version, sizeof d->version, "%s", d->login.greeting.server_version);
    dumper_request_start(d);
}

/* Packets come to the login machine, and then to the one who asks. */
static const struct channel_ops ops = {
    .opened = on_opened,
    .closed = dumper_on_closed,
};

static void prefix_source(const struct dumper *d, struct err *err)
{
    if (d->opts.host[0] == '/')
        err_prefix(err, "source %s", d->opts.host);
    else
        err_prefix(err, strchr(d->opts.host, ':') ? "source [%s]:%u" : "source %s:%u", d->opts.host,
                   d->opts.port);
}

/* Tries the addresses from d->addr on. */
static void dial(struct dumper *d, struct err *err)
{
    for (; d->addr < d->addrs.n; d->addr++) {
        d->err.text[0] = 0;
        if (channel_dial(&d->channel, d->opts.loop, &d->addrs.at[d->addr], SOURCE_PRIORITY, &ops, d,
                         err) < 0)
            continue;
        dumper_enter(d, PHASE_DIALLING);
        login_start(&d->login, &d->channel, &d->opts.login, d->opts.tls, d->opts.host,
                    on_logged_in);
        return;
    }
    prefix_source(d, err);
    conclude(d, err);
}

/* Before the login is done it may be anybody who talks there, and another the next time. */
static void describe_end(const struct dumper *d, const char *reason, struct err *err)
{
    bool before = d->phase == PHASE_DIALLING || d->phase == PHASE_LOGIN;
    bool malformed = d->channel.malformed && !before;
    err_kind_set(err, malformed ? ERR_MALFORMED : ERR_OTHER, "%s", reason);
}

void dumper_on_closed(void *ctx, const char *reason)
{
    struct dumper *d = ctx;
    struct err err = d->err;
    if (d->phase == PHASE_STOPPED)
        return;
    if (d->phase == PHASE_JOINING && d->new_epoch) {
        begin(d);
        return;
    }
    if (!err.text[0] && d->login.failed)
        err = d->login.err;
    else if (!err.text[0])
        describe_end(d, reason, &err);
    if (d->phase == PHASE_DIALLING && !d->err.text[0]) {
        d->addr++;
        dial(d, &err);
        return;
    }
    prefix_source(d, &err);
    conclude(d, &err);
}

static void on_resolved(void *ctx, const struct addr_list *list, const struct err *err)
{
    struct dumper *d = ctx;
    d->lookup = NULL;
    if (!list->n) {
        conclude(d, err);
        return;
    }
    struct err failure;
    d->addrs = *list;
    d->addr = 0;
    dial(d, &failure);
}

static void resolve(struct dumper *d)
{
    dumper_enter(d, PHASE_RESOLVING);
    d->lookup = addr_lookup_start(d->opts.worker, d->opts.host, d->opts.port, on_resolved, d);
}

/* A dump request counts as an ACK for all that is stored, so replicas must have that too. */
static void await_replicas(struct dumper *d)
{
    struct point needs = store_end_point(d->opts.store);
    const struct point *bound = downstream_bound(&d->downstream);
    if (!bound || point_cmp(&needs, bound) <= 0) {
        resolve(d);
    } else if (d->phase != PHASE_REPLICAS) {
        struct store_pos pos = store_end(d->opts.store);
        log_info("dumper",
                 "%" PRIu32 " replicas must have acknowledged %s at %" PRIu64
                 " before the source is asked for more",
                 d->opts.downstream.replicas, pos.file, pos.pos);
        dumper_enter(d, PHASE_REPLICAS);
        downstream_hold(&d->downstream, UINT64_MAX);
    }
}

static void settled(struct dumper *d)
{
    struct err err;
    if (d->new_epoch) {
        d->new_epoch = false;
        if (store_new_epoch(d->opts.store, d->setup.facts.source, d->follow, &err) < 0) {
            conclude(d, &err);
            return;
        }
    }
    await_replicas(d);
}

/* Replicas have more, or are not waited for any more. */
static void go_on(struct dumper *d)
{
    if (d->phase == PHASE_REPLICAS)
        await_replicas(d);
    else if (d->phase == PHASE_STREAMING)
        dumper_copy_send_acks(d);
}

static void on_released(void *ctx)
{
    go_on(ctx);
}

/* A dump request counts as an ACK for all before its position, so first everything is made durable
 * that will be. */
static void begin(struct dumper *d)
{
    if (d->restart_store) {
        d->restart_store = false;
        store_restart(d->opts.store);
    }
    d->read_paused = false;
    d->tried_us = clock_now_us();
    dumper_enter(d, PHASE_SETTLING);
    if (d->from_start)
        store_resume_from_start(d->opts.store);
    else
        store_resume(d->opts.store);
}

static bool has_room(const struct dumper *d)
{
    uint64_t now = store_free_space(d->opts.store);
    return now >= d->opts.min_free && (now >= SPACE_ENOUGH || now >= d->full.free + SPACE_MORE ||
                                       clock_now_us() - d->full.since_us >= SPACE_TRY_US);
}

static void on_deadline(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct dumper *d = timer->data;
    struct err err;
    switch (d->phase) {
    case PHASE_STOPPED:
    case PHASE_SETTLING:
    case PHASE_REPLICAS:
        break;
    case PHASE_RESOLVING:
        addr_lookup_cancel(d->lookup);
        d->lookup = NULL;
        err_set(&err, "no answer from the name servers for %s within %u ms", d->opts.host,
                d->opts.connect_timeout_ms);
        conclude(d, &err);
        break;
    case PHASE_DIALLING: /* the next address, if there is one, has its own time */
        channel_close(&d->channel, "no answer within connect_timeout (%u ms)",
                      d->opts.connect_timeout_ms);
        break;
    case PHASE_LOGIN:
    case PHASE_SETUP:
    case PHASE_JOINING:
        err_set(&err, "no answer within connect_timeout (%u ms)", d->opts.connect_timeout_ms);
        dumper_give_up(d, &err);
        break;
    case PHASE_STREAMING:
        if (ack_blocks_source(&d->acks))
            break; /* the silence is ours; the timer repeats */
        err_set(&err, "nothing came for %u heartbeats (%u ms)", HEARTBEATS_MISSED,
                dumper_silence_ms(d));
        dumper_give_up(d, &err);
        break;
    case PHASE_BACKOFF:
        begin(d);
        break;
    case PHASE_NO_SPACE:
        if (has_room(d))
            begin(d);
        break;
    }
}

/* ---- what the store tells ---- */

static void on_durable(void *ctx)
{
    struct dumper *d = ctx;
    if (d->phase == PHASE_SETTLING && store_settled(d->opts.store))
        settled(d);
    dumper_copy_durable(d);
}

static void on_room(void *ctx)
{
    dumper_copy_room(ctx);
}

static void on_store_failed(void *ctx, const struct err *err)
{
    struct dumper *d = ctx;
    if (d->phase == PHASE_STOPPED && d->state != DUMPER_STOPPED)
        return; /* it ended for good for another reason */
    d->restart_store = err->kind == ERR_NO_SPACE || err->kind == ERR_DIVERGED;
    if (d->phase == PHASE_STOPPED && d->restart_store) {
        note_error(d, err); /* the next start finds out whether it is still so */
        return;
    }
    if (d->channel.conn) {
        dumper_give_up(d, err);
        return;
    }
    addr_lookup_cancel(d->lookup);
    d->lookup = NULL;
    conclude(d, err);
}

static const struct store_events store_events = {
    .durable = on_durable,
    .room = on_room,
    .failed = on_store_failed,
};

/* ---- the outside ---- */

struct dumper *dumper_new(const struct dumper_opts *opts)
{
    struct dumper *d = mem_alloc(sizeof *d);
    d->opts = *opts;
    d->retry_ms = RETRY_FIRST_MS;
    d->state_since_us = clock_wall_us();
    ev_init(&d->deadline, on_deadline);
    d->deadline.data = d;
    dumper_copy_init(d);
    downstream_init(&d->downstream, opts->loop, on_released, d);
    downstream_configure(&d->downstream, &opts->downstream);
    store_set_events(opts->store, &store_events, d);
    return d;
}

/* As if nothing had failed before. */
static void start_over(struct dumper *d)
{
    d->malformed.tries = 0;
    d->gave_up = false;
    d->other_files = false;
    dumper_all_is_well(d);
}

void dumper_start(struct dumper *d)
{
    start_over(d);
    dumper_set_state(d, DUMPER_CONNECTING);
    begin(d);
}

static void close_all(struct dumper *d, const char *reason)
{
    dumper_enter(d, PHASE_STOPPED);
    ev_timer_stop(d->opts.loop, &d->gather);
    addr_lookup_cancel(d->lookup);
    d->lookup = NULL;
    channel_close(&d->channel, "%s", reason);
}

void dumper_stop(struct dumper *d)
{
    close_all(d, "stopped by the operator");
    d->gave_up = false;
    dumper_set_state(d, DUMPER_STOPPED);
}

bool dumper_stopped(const struct dumper *d)
{
    return d->phase == PHASE_STOPPED;
}

bool dumper_gave_up(const struct dumper *d)
{
    return d->gave_up;
}

void dumper_forget(struct dumper *d)
{
    clear_error(d);
    d->setup.facts.server_id = 0;
    d->setup.facts.source[0] = 0;
}

void dumper_reconfigure(struct dumper *d, const struct dumper_opts *opts)
{
    d->opts = *opts;
    if (d->phase == PHASE_STREAMING)
        dumper_copy_watch(d);
    downstream_configure(&d->downstream, &opts->downstream);
    go_on(d);
    if (d->phase != PHASE_BACKOFF)
        return;
    start_over(d); /* what was wrong may be right now; if not, say it anew */
    begin(d);
}

void dumper_replicas_moved(struct dumper *d)
{
    struct point end = store_end_point(d->opts.store);
    downstream_moved(&d->downstream, &end);
    go_on(d);
}

void dumper_free(struct dumper *d)
{
    if (!d)
        return;
    store_set_events(d->opts.store, NULL, NULL); /* files may still be being removed */
    close_all(d, "binlogd stops");
    downstream_fini(&d->downstream);
    channel_fini(&d->channel);
    login_fini(&d->login);
    dumper_copy_fini(d);
    setup_fini(&d->setup);
    free(d);
}
