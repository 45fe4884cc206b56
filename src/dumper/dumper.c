/* Life cycle of the connection to the source. */
#include "dumper/dumper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dumper/history.h"
#include "mysql/errcode.h"
#include "mysql/repl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define RETRY_FIRST_MS      100u
#define UNANSWERED_MS       500u /* a try that took longer */
#define MALFORMED_TRIES     10u  /* that bring nothing new; then the source is not asked again */
#define SPACE_CHECK_MS      1000u
#define SPACE_LEAST         (8u << 20)
#define HEARTBEATS_MISSED   3u
#define SOURCE_PRIORITY     1 /* of the socket; before replicas, after the journal */
#define FIRST_PACKET_MIN_MS 10000u
/* While catching up, a read that brought something, but less than this, is followed by a short
 * pause, so that the next brings more: fewer turns of the loop and of the journal for each byte. */
#define GATHER_BYTES   (256u << 10)
#define GATHER_SECONDS 0.001

enum dumper_phase {
    PHASE_STOPPED,   /* not started, or ended for good */
    PHASE_SETTLING,  /* awaits that all that came is durable and the last file is open */
    PHASE_REPLICAS,  /* awaits that replicas have what the dump request acknowledges */
    PHASE_RESOLVING, /* awaits the worker's answer */
    PHASE_DIALLING,  /* awaits the connection */
    PHASE_LOGIN,     /* awaits the login machine's end */
    PHASE_SETUP,     /* awaits replies to statements */
    PHASE_JOINING,   /* awaits the name of the file that another server would begin with */
    PHASE_STREAMING, /* awaits events, or at least heartbeats */
    PHASE_BACKOFF,   /* awaits the time of the next try */
    PHASE_NO_SPACE   /* awaits that the disk has room again */
};

struct dumper {
    struct dumper_opts opts;
    enum dumper_phase phase;
    enum dumper_state state;
    struct ev_timer deadline; /* of the present phase */
    uint32_t retry_ms;
    uint64_t tried_us; /* when the present try began */
    struct addr_lookup *lookup;
    struct addr_list addrs;
    size_t addr; /* the one being tried */
    struct channel channel;
    struct login login;
    struct setup setup;
    struct stream stream;
    struct monitor monitor;
    char unsafe[SETTINGS_TEXT_MAX]; /* what was last said about the source's settings */
    struct ack_queue acks;
    struct downstream downstream;
    struct buf ack_message; /* reused, so that an ACK allocates nothing */
    struct ev_timer gather; /* runs while reading pauses to let bytes gather */
    uint64_t received;      /* conn_received after the last batch */
    bool read_paused;
    bool restart_store; /* the journal stopped and must be started anew before the next dump */
    bool new_epoch;     /* begin one before the next dump: */
    enum store_follow follow;
    struct binfile_name join; /* with which file of its source it begins; text "": as start says */
    bool from_start;          /* compare the last file from its start */
    struct err err;           /* why the connection was closed by us; text "" otherwise */
    struct {
        unsigned tries;
        struct point end; /* T at the last of them */
    } malformed;          /* what came, so that the connection was ended */
    bool gave_up;         /* stopped because of that */
    char last_error[600];
    struct point begun; /* T when the present dump began */
    unsigned last_error_code;
    int64_t last_error_us;
    uint64_t connects;
    uint64_t acks_sent;
    uint64_t acked_transactions; /* of the present connection */
    uint64_t transactions_with;
    uint64_t transactions_without;
    struct histogram ack_time;
    int64_t state_since_us;
    int64_t protected_until_us;
    struct {
        uint64_t events, transactions, bytes;
    } before; /* in all connections before this one */
    uint64_t errors[ERR_KINDS];
    int64_t backlog;
    uint64_t dump_since_us;
    char version[HANDSHAKE_VERSION_MAX];
};

const char *dumper_state_name(enum dumper_state state)
{
    static const char *const names[] = {
        [DUMPER_CONNECTING] = "CONNECTING", [DUMPER_CATCHING_UP] = "CATCHING_UP",
        [DUMPER_PROTECTING] = "PROTECTING", [DUMPER_ASYNC] = "ASYNC",
        [DUMPER_WAIT_SPACE] = "WAIT_SPACE", [DUMPER_FAILED] = "FAILED",
        [DUMPER_DIVERGED] = "DIVERGED",     [DUMPER_CORRUPT] = "CORRUPT",
        [DUMPER_STOPPED] = "STOPPED",
    };
    return names[state];
}

static void set_state(struct dumper *d, enum dumper_state state)
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

static void arm(struct dumper *d, uint32_t ms)
{
    d->deadline.repeat = ms / 1000.0;
    ev_timer_again(d->opts.loop, &d->deadline); /* 0 stops it */
}

static uint32_t silence_ms(const struct dumper *d)
{
    return HEARTBEATS_MISSED * d->opts.heartbeat_ms;
}

static void enter(struct dumper *d, enum dumper_phase phase)
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
        arm(d, 0);
        break;
    case PHASE_RESOLVING:
        arm(d, d->opts.connect_timeout_ms);
        break;
    case PHASE_DIALLING: /* the time allowed runs on from resolving to the dump request */
    case PHASE_LOGIN:
    case PHASE_SETUP:
    case PHASE_JOINING:
        break;
    case PHASE_STREAMING: /* the source may have to look for the position first */
        arm(d, silence_ms(d) > FIRST_PACKET_MIN_MS ? silence_ms(d) : FIRST_PACKET_MIN_MS);
        break;
    case PHASE_BACKOFF: /* armed by back_off */
        break;
    case PHASE_NO_SPACE:
        arm(d, SPACE_CHECK_MS);
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
    set_state(d, DUMPER_CONNECTING);
    if (err->kind == ERR_LONG)
        d->retry_ms = d->opts.retry_max_ms;
    uint32_t ms = wait_ms(d);
    enter(d, PHASE_BACKOFF);
    log_debug("dumper", "next try in %" PRIu32 " ms", ms);
    arm(d, ms);
    d->retry_ms = d->retry_ms > d->opts.retry_max_ms / 2 ? d->opts.retry_max_ms : 2 * d->retry_ms;
}

static void stop_because(struct dumper *d, enum dumper_state state, const struct err *err)
{
    keep_error(d, err);
    log_error("dumper", "%s", err->text);
    enter(d, PHASE_STOPPED);
    set_state(d, state);
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
        set_state(d, DUMPER_WAIT_SPACE);
        enter(d, PHASE_NO_SPACE);
        break;
    case ERR_IO:
        end_for_good(d, DUMPER_FAILED, err);
        break;
    case ERR_CORRUPT:
        end_for_good(d, DUMPER_CORRUPT, err);
        break;
    case ERR_DIVERGED:
        if (d->opts.on_divergence == DUMPER_NEW_EPOCH) {
            note_error(d, err);
            log_warn("dumper", "going on in a new epoch, as on_divergence=new_epoch says");
            d->new_epoch = true;
            d->follow = STORE_DIVERGES;
            d->join.text[0] = 0;
            begin(d);
        } else {
            end_for_good(d, DUMPER_DIVERGED, err);
        }
        break;
    }
}

/* Closes the connection because of err, which on_closed then acts upon. */
static void give_up(struct dumper *d, const struct err *err)
{
    d->err = *err;
    channel_close(&d->channel, "%s", err->text);
}

/* ---- streaming ---- */

static void count_transactions(struct dumper *d, const struct ack *ack)
{
    uint64_t n = ack->transactions - d->acked_transactions;
    d->acked_transactions = ack->transactions;
    switch (d->downstream.state) {
    case DOWNSTREAM_OFF:
        break;
    case DOWNSTREAM_ON:
        d->transactions_with += n;
        break;
    case DOWNSTREAM_DEGRADED:
        d->transactions_without += n;
        break;
    }
}

static void send_ack(struct dumper *d, const struct ack *ack)
{
    buf_clear(&d->ack_message);
    repl_ack_encode(&d->ack_message, ack->pos, store_file(d->opts.store, ack->file)->text);
    d->acks_sent++;
    histogram_add(&d->ack_time, clock_now_us() - ack->at_us);
    count_transactions(d, ack);
    channel_send_aside(&d->channel, buf_bytes(&d->ack_message));
}

static void send_acks(struct dumper *d)
{
    struct ack ack;
    struct ack_bounds bounds = {store_synced(d->opts.store), downstream_bound(&d->downstream)};
    while (d->phase == PHASE_STREAMING && ack_due(&d->acks, &bounds, &ack))
        send_ack(d, &ack);
    if (d->phase != PHASE_STREAMING)
        return; /* the ACK found the connection broken */
    const struct ack *held = ack_held(&d->acks, bounds.synced);
    store_keep(d->opts.store, held ? held->file : STORE_KEEP_NONE);
    if (held)
        downstream_hold(&d->downstream, held->offset);
    else
        downstream_let_go(&d->downstream);
}

static bool on_stream_part(void *ctx, struct bytes part, unsigned flags)
{
    struct dumper *d = ctx;
    struct err err;
    switch (stream_part(&d->stream, part, flags, &err)) {
    case STREAM_TAKEN:
        return true;
    case STREAM_NO_ROOM:
        d->read_paused = true;
        return false;
    case STREAM_BAD:
        break;
    }
    give_up(d, &err);
    return false;
}

/* Up to date means that the last that came is a heartbeat, or that the source waits for an ACK. A
 * source whose semi-sync went OFF asks for ACKs too, to find out whether it can be ON again. */
static void judge_state(struct dumper *d)
{
    const struct stream *st = &d->stream;
    bool off = d->monitor.facts.semi_sync == MONITOR_OFF;
    bool waits = st->flagged || (st->semi_sync && d->setup.facts.semi_sync_enabled);
    if (waits && !off && !st->unflagged && (st->idle || st->flagged))
        set_state(d, DUMPER_PROTECTING);
    else if (st->idle || (off && d->state == DUMPER_PROTECTING))
        set_state(d, DUMPER_ASYNC);
    else if (d->state == DUMPER_CONNECTING || d->state == DUMPER_WAIT_SPACE)
        set_state(d, DUMPER_CATCHING_UP);
}

/* Once for each finding. */
static void note_unsafe(struct dumper *d, const char *unsafe)
{
    if (strcmp(d->unsafe, unsafe) == 0)
        return;
    snprintf(d->unsafe, sizeof d->unsafe, "%s", unsafe);
    if (*unsafe)
        log_warn("dumper", "the source is not lossless, commits can be lost in a crash: %s",
                 unsafe);
    else
        log_info("dumper", "the source's settings are lossless now");
}

static void on_monitor_told(void *ctx)
{
    struct dumper *d = ctx;
    if (d->monitor.facts.at_us)
        note_unsafe(d, d->monitor.facts.unsafe);
    judge_state(d);
}

static void watch_source(struct dumper *d)
{
    struct monitor_opts opts = {
        .loop = d->opts.loop,
        .login = &d->opts.login,
        .tls = d->opts.tls,
        .host = d->opts.host,
        .interval_ms = d->opts.monitor_ms,
        .timeout_ms = d->opts.connect_timeout_ms,
        .scope = d->opts.setup.semi_sync ? SETTINGS_SEMI_SYNC : SETTINGS_PLAIN,
        .told = on_monitor_told,
        .ctx = d,
    };
    monitor_start(&d->monitor, &opts, &d->addrs.at[d->addr]);
}

static void on_gathered(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct dumper *d = timer->data;
    if (d->phase == PHASE_STREAMING && !d->read_paused)
        channel_resume(&d->channel);
}

static void let_gather(struct dumper *d)
{
    uint64_t received = conn_received(d->channel.conn), came = received - d->received;
    d->received = received;
    if (d->state != DUMPER_CATCHING_UP || came == 0 || came >= GATHER_BYTES)
        return; /* nothing comes at the end, which a pause would keep from being acted upon */
    channel_pause(&d->channel);
    ev_timer_set(&d->gather, GATHER_SECONDS, 0);
    ev_timer_start(d->opts.loop, &d->gather);
}

/* Only what is new, or being up to date, makes the next wait short again: a source that sends the
 * same bad event each time is not asked ten times a second. */
static void note_progress(struct dumper *d)
{
    struct point end = store_end_point(d->opts.store);
    bool moved = point_cmp(&end, &d->begun) != 0;
    if (d->stream.expect != STREAM_AT_EVENTS || !(moved || d->stream.idle))
        return;
    d->retry_ms = RETRY_FIRST_MS;
    clear_error(d);
}

static void on_stream_batch(void *ctx)
{
    struct dumper *d = ctx;
    if (d->acks.head != d->acks.tail)
        store_hurry(d->opts.store);
    store_publish(d->opts.store);
    send_acks(d); /* what was compared with stored bytes can be due at once */
    if (d->phase != PHASE_STREAMING)
        return; /* the ACK found the connection broken */
    judge_state(d);
    note_progress(d);
    if (d->read_paused) {
        channel_pause(&d->channel);
        arm(d, 0); /* the silence is ours */
    } else {
        arm(d, silence_ms(d));
        let_gather(d);
    }
}

static void on_closed(void *ctx, const char *reason);

static const struct channel_ops stream_ops = {
    .part = on_stream_part,
    .batch = on_stream_batch,
    .closed = on_closed,
};

/* ---- from login to the dump request ---- */

/* Where the dump begins: behind what is stored, or where the configuration says. NULL: the source's
 * first file. */
static const struct binfile_name *choose_file(struct dumper *d, uint64_t *pos)
{
    struct store *store = d->opts.store;
    *pos = EVENT_MAGIC_LEN;
    if (!store_empty(store)) {
        *pos = store_resume_pos(store).pos;
        return store_write_file(store);
    }
    if (d->join.text[0])
        return &d->join;
    switch (d->opts.start) {
    case DUMPER_START_LATEST:
        return &d->setup.facts.latest;
    case DUMPER_START_FILE:
        return &d->opts.start_file;
    case DUMPER_START_EARLIEST:
        break;
    }
    return NULL;
}

enum source_verdict { SOURCE_OURS, SOURCE_JOINS, SOURCE_REFUSED };

/* Another server than before. */
static enum source_verdict check_other_source(const struct dumper *d, struct err *err)
{
    const struct setup_facts *facts = &d->setup.facts;
    err_kind_set(err, ERR_DIVERGED,
                 "this source is %s, but what is stored comes from %s: to copy it as well, "
                 "set on_divergence=failover or new_epoch, or use another directory",
                 facts->source, store_source(d->opts.store));
    if (d->opts.on_divergence == DUMPER_STOP)
        return SOURCE_REFUSED;
    if (facts->gtids_known && !gtid_set_empty(store_gtids(d->opts.store)))
        return history_check(facts, store_gtids(d->opts.store), err) < 0 ? SOURCE_REFUSED
                                                                         : SOURCE_JOINS;
    if (d->opts.on_divergence == DUMPER_FAILOVER)
        err_kind_set(err, ERR_DIVERGED,
                     "this source is %s, but what is stored comes from %s: without GTIDs on both "
                     "nobody knows where to go on",
                     facts->source, store_source(d->opts.store));
    return SOURCE_REFUSED;
}

static enum source_verdict check_source(struct dumper *d, struct err *err)
{
    struct store *store = d->opts.store;
    const char *stored = store_source(store), *now = d->setup.facts.source;
    if (!*stored)
        return store_new_epoch(store, now, STORE_DIVERGES, err) < 0 ? SOURCE_REFUSED : SOURCE_OURS;
    if (strcasecmp(stored, now) != 0)
        return check_other_source(d, err);
    return history_check(&d->setup.facts, store_gtids(store), err) < 0 ? SOURCE_REFUSED
                                                                       : SOURCE_OURS;
}

/* COM_BINLOG_DUMP_GTID carries 64-bit positions and leaves the format description as it is in the
 * file, but not every source takes it. */
static int send_dump(struct dumper *d, struct err *err)
{
    const struct setup_facts *facts = &d->setup.facts;
    uint64_t pos;
    const struct binfile_name *file = choose_file(d, &pos);
    if (pos > UINT32_MAX && !facts->dump_by_gtid) {
        d->from_start = true;
        return err_set(err,
                       "a source without gtid_mode=ON, or older than 5.7, cannot be asked for "
                       "positions beyond 4 GiB: the whole of %s is compared again",
                       file->text);
    }
    struct repl_dump dump = {
        .server_id = d->opts.setup.server_id,
        .flags = facts->mariadb ? REPL_DUMP_MARIADB_ANNOTATE : 0,
        .file = file ? file->text : "",
        .pos = pos,
    };
    struct buf out;
    buf_init(&out);
    if (facts->dump_by_gtid && file)
        repl_dump_gtid_encode(&out, &dump);
    else
        repl_dump_encode(&out, &dump);
    d->before.events += d->stream.events;
    d->before.transactions += d->stream.transactions;
    d->before.bytes += d->stream.bytes;
    d->backlog = setup_backlog(&d->setup, file, pos);
    d->dump_since_us = clock_now_us();
    stream_start(&d->stream, d->opts.store, &d->acks, &d->channel, facts, file, pos);
    ack_reset(&d->acks, facts->ack_mode);
    channel_set_ops(&d->channel, &stream_ops, d);
    channel_receive(&d->channel, 0);
    log_info("dumper",
             "connected to %s %s (%s, server_id %" PRIu32 "%s%s): copying from %s at %" PRIu64,
             facts->mariadb ? "MariaDB" : "MySQL", facts->version, facts->source, facts->server_id,
             d->channel.conn && *conn_tls_version(d->channel.conn) ? ", " : "",
             d->channel.conn ? conn_tls_version(d->channel.conn) : "",
             file ? file->text : "the first file", pos);
    d->connects++;
    d->received = 0;
    d->from_start = false; /* this once */
    d->begun = store_end_point(d->opts.store);
    d->acked_transactions = 0;
    enter(d, PHASE_STREAMING);
    note_unsafe(d, facts->unsafe);
    watch_source(d);
    channel_send_command(&d->channel, buf_bytes(&out)); /* which may close it, and change phase */
    buf_fini(&out);
    return 0;
}

/* Files are copied whole, so the dump that names the file to begin with is not gone on with. */
static bool on_join_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct dumper *d = ctx;
    struct err err;
    if (d->new_epoch)
        return true; /* what follows the answer */
    if (history_join_file(&d->setup.facts, part, &d->join, &err) < 0) {
        give_up(d, &err);
        return true;
    }
    log_warn("dumper",
             "the source is another server now, %s, and has all that is stored here: going on in a "
             "new epoch with its file %s",
             d->setup.facts.source, d->join.text);
    d->new_epoch = true;
    d->follow = STORE_JOINS;
    channel_close(&d->channel, "joining");
    return true;
}

static void on_join_batch(void *ctx)
{
    (void)ctx;
}

static const struct channel_ops join_ops = {
    .part = on_join_part,
    .batch = on_join_batch,
    .closed = on_closed,
};

/* All that is stored up to T is durable, so the set may be shown: asking is an ACK for it. */
static void ask_join_file(struct dumper *d)
{
    struct buf set, out;
    buf_init(&set);
    buf_init(&out);
    gtid_set_encode(store_gtids(d->opts.store), &set);
    struct repl_dump dump = {
        .server_id = d->opts.setup.server_id,
        .file = "",
        .pos = EVENT_MAGIC_LEN,
        .gtids = buf_bytes(&set),
    };
    repl_dump_gtid_encode(&out, &dump);
    channel_set_ops(&d->channel, &join_ops, d);
    channel_receive(&d->channel, CHANNEL_WHOLE_MAX);
    enter(d, PHASE_JOINING);
    channel_send_command(&d->channel, buf_bytes(&out));
    buf_fini(&out);
    buf_fini(&set);
}

static void on_setup_done(struct dumper *d)
{
    struct err err;
    switch (check_source(d, &err)) {
    case SOURCE_OURS:
        if (send_dump(d, &err) < 0)
            give_up(d, &err);
        break;
    case SOURCE_JOINS:
        ask_join_file(d);
        break;
    case SOURCE_REFUSED:
        give_up(d, &err);
        break;
    }
}

static bool on_setup_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct dumper *d = ctx;
    struct err err;
    switch (setup_feed(&d->setup, part, &err)) {
    case SETUP_MORE:
        break;
    case SETUP_DONE:
        on_setup_done(d);
        break;
    case SETUP_FAILED:
        give_up(d, &err);
        break;
    }
    return true;
}

static void on_setup_batch(void *ctx)
{
    (void)ctx;
}

static void on_opened(void *ctx)
{
    enter(ctx, PHASE_LOGIN);
}

static const struct channel_ops setup_ops = {
    .opened = on_opened,
    .part = on_setup_part,
    .batch = on_setup_batch,
    .closed = on_closed,
};

static void on_logged_in(void *ctx)
{
    struct dumper *d = ctx;
    snprintf(d->version, sizeof d->version, "%s", d->login.greeting.server_version);
    enter(d, PHASE_SETUP);
    /* A new epoch can make the store empty long after the start. */
    d->opts.setup.want_latest = d->opts.start == DUMPER_START_LATEST && store_empty(d->opts.store);
    setup_start(&d->setup, &d->channel, &d->opts.setup, d->version);
}

/* ---- connecting ---- */

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
        if (channel_dial(&d->channel, d->opts.loop, &d->addrs.at[d->addr], SOURCE_PRIORITY,
                         &setup_ops, d, err) < 0)
            continue;
        enter(d, PHASE_DIALLING);
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

static void on_closed(void *ctx, const char *reason)
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
    enter(d, PHASE_RESOLVING);
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
        enter(d, PHASE_REPLICAS);
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
        send_acks(d);
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
    enter(d, PHASE_SETTLING);
    if (d->from_start)
        store_resume_from_start(d->opts.store);
    else
        store_resume(d->opts.store);
}

static void on_deadline(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct dumper *d = timer->data;
    struct err err;
    uint64_t least = d->opts.min_free > SPACE_LEAST ? d->opts.min_free : SPACE_LEAST;
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
        give_up(d, &err);
        break;
    case PHASE_STREAMING:
        if (ack_blocks_source(&d->acks))
            break; /* the silence is ours; the timer repeats */
        err_set(&err, "nothing came for %u heartbeats (%u ms)", HEARTBEATS_MISSED, silence_ms(d));
        give_up(d, &err);
        break;
    case PHASE_BACKOFF:
        begin(d);
        break;
    case PHASE_NO_SPACE:
        if (store_free_space(d->opts.store) >= least)
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
    if (d->phase != PHASE_STREAMING)
        return;
    note_progress(d);
    send_acks(d);
}

static void on_room(void *ctx)
{
    struct dumper *d = ctx;
    if (!d->read_paused || d->phase != PHASE_STREAMING)
        return;
    d->read_paused = false;
    arm(d, silence_ms(d));
    channel_resume(&d->channel);
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
        give_up(d, err);
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
    ev_init(&d->gather, on_gathered);
    d->gather.data = d;
    monitor_init(&d->monitor);
    downstream_init(&d->downstream, opts->loop, on_released, d);
    downstream_configure(&d->downstream, &opts->downstream);
    store_set_events(opts->store, &store_events, d);
    return d;
}

/* As if nothing had failed before. */
static void start_over(struct dumper *d)
{
    d->retry_ms = RETRY_FIRST_MS;
    d->malformed.tries = 0;
    d->gave_up = false;
    clear_error(d);
}

void dumper_start(struct dumper *d)
{
    start_over(d);
    set_state(d, DUMPER_CONNECTING);
    begin(d);
}

static void close_all(struct dumper *d, const char *reason)
{
    enter(d, PHASE_STOPPED);
    ev_timer_stop(d->opts.loop, &d->gather);
    addr_lookup_cancel(d->lookup);
    d->lookup = NULL;
    channel_close(&d->channel, "%s", reason);
}

void dumper_stop(struct dumper *d)
{
    close_all(d, "stopped by the operator");
    d->gave_up = false;
    set_state(d, DUMPER_STOPPED);
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
        watch_source(d);
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
    monitor_fini(&d->monitor);
    setup_fini(&d->setup);
    buf_fini(&d->ack_message);
    free(d);
}

static bool is_up_to_date(const struct dumper *d)
{
    return d->state == DUMPER_PROTECTING || d->state == DUMPER_ASYNC;
}

static int64_t seconds_behind(const struct dumper *d)
{
    if (d->phase != PHASE_STREAMING)
        return -1;
    if (is_up_to_date(d))
        return 0;
    if (!d->stream.last_timestamp)
        return -1;
    int64_t source_now = (clock_wall_us() + d->setup.facts.clock_ahead_us) / 1000000;
    int64_t behind = source_now - d->stream.last_timestamp;
    return behind > 0 ? behind : 0;
}

static enum dumper_io io_of(const struct dumper *d)
{
    switch (d->phase) {
    case PHASE_STOPPED:
        return DUMPER_IO_STOPPED;
    case PHASE_SETTLING:
    case PHASE_REPLICAS:
    case PHASE_RESOLVING:
    case PHASE_DIALLING:
    case PHASE_LOGIN:
        break;
    case PHASE_BACKOFF:
        return d->connects ? DUMPER_IO_RECONNECTING : DUMPER_IO_CONNECTING;
    case PHASE_SETUP:
    case PHASE_JOINING:
        return DUMPER_IO_CHECKING;
    case PHASE_STREAMING:
        if (d->stream.expect == STREAM_AT_ROTATE)
            return DUMPER_IO_REQUESTING;
        return d->state == DUMPER_CATCHING_UP ? DUMPER_IO_QUEUEING : DUMPER_IO_WAITING;
    case PHASE_NO_SPACE:
        return DUMPER_IO_NO_SPACE;
    }
    return DUMPER_IO_CONNECTING;
}

static int64_t bytes_behind(const struct dumper *d)
{
    if (d->phase != PHASE_STREAMING)
        return -1;
    if (is_up_to_date(d))
        return 0;
    const struct monitor_facts *seen = &d->monitor.facts;
    struct store_pos received = store_received(d->opts.store);
    if (seen->file.text[0] && strcmp(seen->file.text, received.file) == 0)
        return seen->pos > received.pos ? (int64_t)(seen->pos - received.pos) : 0;
    if (d->backlog < 0)
        return -1;
    uint64_t come = d->stream.bytes;
    return come < (uint64_t)d->backlog ? d->backlog - (int64_t)come : 0;
}

bool dumper_gtid_mode(const struct dumper *d)
{
    return d->setup.facts.gtid_mode;
}

void dumper_stats(const struct dumper *d, struct dumper_stats *stats)
{
    bool connected = d->phase == PHASE_STREAMING;
    *stats = (struct dumper_stats){
        .state = d->state,
        .state_since_us = d->state_since_us,
        .protected_until_us = d->protected_until_us,
        .connected = connected,
        .connects = d->connects,
        .events = d->stream.events,
        .transactions = d->stream.transactions,
        .acks = d->acks_sent,
        .ack_time = d->ack_time,
        .downstream = d->downstream.state,
        .held_us = d->downstream.held ? clock_now_us() - d->downstream.since_us : 0,
        .degraded_times = d->downstream.times,
        .transactions_with = d->transactions_with,
        .transactions_without = d->transactions_without,
        .seconds_behind = seconds_behind(d),
        .bytes_behind = bytes_behind(d),
        .backlog = connected ? d->backlog : -1,
        .dump_us = connected ? clock_now_us() - d->dump_since_us : 0,
        .dump_bytes = connected ? d->stream.bytes : 0,
        .total_events = d->before.events + d->stream.events,
        .total_transactions = d->before.transactions + d->stream.transactions,
        .total_bytes = d->before.bytes + d->stream.bytes,
        .gave_up = d->gave_up,
        .last_error = d->last_error,
        .last_error_code = d->last_error_code,
        .last_error_us = d->last_error_us,
        .io = io_of(d),
        .source_id = d->setup.facts.server_id,
        .source_uuid = d->setup.facts.source,
        .version = d->version,
        .source = &d->monitor.facts,
        .unsafe = d->unsafe,
    };
    memcpy(stats->errors, d->errors, sizeof stats->errors);
}
