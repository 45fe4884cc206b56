/*
 * The copying: from the source's packets to the ACKs.
 *
 * The way of a byte: on_part hands what came to the stream, which checks it and appends it to the
 * store; on_batch lets the journal have it; when it is durable, dumper_copy_durable sends the ACKs
 * that are due. Aside from that: what the state is, and who watches the source.
 */
#include "dumper_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "mysql/repl.h"

#include <inttypes.h>
#include <stdio.h>

/* While catching up, a read that brought something, but less than this, is followed by a short
 * pause, so that the next brings more: fewer turns of the loop and of the journal for each byte. */
#define GATHER_BYTES   (256u << 10)
#define GATHER_SECONDS 0.001

/* ---- ACKs ---- */

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

void dumper_copy_send_acks(struct dumper *d)
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

/* ---- states ---- */

/* Up to date means that the last that came is a heartbeat, or that the source waits for an ACK. */
static bool has_come(const struct dumper *d)
{
    return d->stream.idle || d->stream.flagged;
}

/* All that had come when this dump was up to date first is durable. The source does not wait for
 * our ACKs of that. */
static bool is_durable(struct dumper *d)
{
    if (!d->at_end && has_come(d)) {
        d->at_end = true;
        d->end = store_offset(d->opts.store);
        store_hurry(d->opts.store);
    }
    return d->at_end && store_synced(d->opts.store) >= d->end;
}

/* A source whose semi-sync went OFF asks for ACKs too, to find out whether it can be ON again. */
static void judge_state(struct dumper *d)
{
    const struct stream *st = &d->stream;
    bool off = d->monitor.facts.semi_sync == MONITOR_OFF;
    bool waits = st->flagged || (st->semi_sync && d->setup.facts.semi_sync_enabled);
    bool durable = is_durable(d);
    if (waits && !off && !st->unflagged && durable && has_come(d))
        dumper_set_state(d, DUMPER_PROTECTING);
    else if ((st->idle && durable) || (off && d->state == DUMPER_PROTECTING))
        dumper_set_state(d, DUMPER_ASYNC);
    else if (d->state == DUMPER_CONNECTING || d->state == DUMPER_WAIT_SPACE)
        dumper_set_state(d, DUMPER_CATCHING_UP);
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

/* The source's log ends before what had come from it when the monitor told something last. */
static bool went_back(const struct dumper *d)
{
    const struct monitor_facts *now = &d->monitor.facts;
    struct binfile_name had;
    struct err err;
    if (!now->file.text[0] || !d->had.file[0] ||
        binfile_name_parse(&had, bytes_str(d->had.file), &err) < 0 ||
        !binfile_same_base(&had, &now->file))
        return false;
    return now->file.number < had.number ||
           (now->file.number == had.number && now->pos < d->had.pos);
}

/* A source that was reset while it wrote its first file goes on in a new one of that name, and says
 * nothing. It is asked again, which shows what has become of it. */
static void on_monitor_told(void *ctx)
{
    struct dumper *d = ctx;
    struct err err;
    if (d->monitor.facts.at_us)
        note_unsafe(d, d->monitor.facts.unsafe);
    if (went_back(d)) {
        err_set(&err,
                "the source's log ends in %s at %" PRIu64 ", before %s at %" PRIu64
                ", which has come from it",
                d->monitor.facts.file.text, d->monitor.facts.pos, d->had.file, d->had.pos);
        dumper_give_up(d, &err);
        return;
    }
    d->had = store_received(d->opts.store);
    judge_state(d);
}

void dumper_copy_watch(struct dumper *d)
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

/* ---- what comes ---- */

static bool on_part(void *ctx, struct bytes part, unsigned flags)
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
    dumper_give_up(d, &err);
    return false;
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
    dumper_all_is_well(d);
}

static void on_batch(void *ctx)
{
    struct dumper *d = ctx;
    if (d->acks.head != d->acks.tail)
        store_hurry(d->opts.store);
    store_publish(d->opts.store);
    dumper_copy_send_acks(d); /* what was compared with stored bytes can be due at once */
    if (d->phase != PHASE_STREAMING)
        return; /* the ACK found the connection broken */
    judge_state(d);
    note_progress(d);
    if (d->read_paused) {
        channel_pause(&d->channel);
        dumper_arm(d, 0); /* the silence is ours */
    } else {
        dumper_arm(d, dumper_silence_ms(d));
        let_gather(d);
    }
}

static const struct channel_ops ops = {
    .part = on_part,
    .batch = on_batch,
    .closed = dumper_on_closed,
};

/* ---- for dumper.c and dumper_request.c ---- */

void dumper_copy_init(struct dumper *d)
{
    ev_init(&d->gather, on_gathered);
    d->gather.data = d;
    monitor_init(&d->monitor);
}

void dumper_copy_fini(struct dumper *d)
{
    monitor_fini(&d->monitor);
    buf_fini(&d->ack_message);
}

static void log_start(const struct dumper *d, const struct binfile_name *file, uint64_t pos)
{
    const struct setup_facts *facts = &d->setup.facts;
    const char *tls = d->channel.conn ? conn_tls_version(d->channel.conn) : "";
    log_info("dumper",
             "connected to %s %s (%s, server_id %" PRIu32 "%s%s): copying from %s at %" PRIu64,
             facts->mariadb ? "MariaDB" : "MySQL", facts->version, facts->source, facts->server_id,
             *tls ? ", " : "", tls, file ? file->text : "the first file", pos);
}

void dumper_copy_start(struct dumper *d, const struct binfile_name *file, uint64_t pos)
{
    const struct setup_facts *facts = &d->setup.facts;
    d->before.events += d->stream.events;
    d->before.transactions += d->stream.transactions;
    d->before.bytes += d->stream.bytes;
    d->backlog = setup_backlog(&d->setup, file, pos);
    d->dump_since_us = clock_now_us();
    stream_start(&d->stream, d->opts.store, &d->acks, &d->channel, facts, file, pos);
    ack_reset(&d->acks, facts->ack_mode);
    channel_set_ops(&d->channel, &ops, d);
    channel_receive(&d->channel, 0);
    log_start(d, file, pos);
    d->connects++;
    d->received = 0;
    d->at_end = false;
    d->had = (struct store_pos){"", 0};
    d->begun = store_end_point(d->opts.store);
    d->acked_transactions = 0;
    dumper_enter(d, PHASE_STREAMING);
    note_unsafe(d, facts->unsafe);
    dumper_copy_watch(d);
}

void dumper_copy_durable(struct dumper *d)
{
    if (d->phase != PHASE_STREAMING)
        return;
    note_progress(d);
    dumper_copy_send_acks(d);
    if (d->phase == PHASE_STREAMING)
        judge_state(d);
}

void dumper_copy_room(struct dumper *d)
{
    if (!d->read_paused || d->phase != PHASE_STREAMING)
        return;
    d->read_paused = false;
    dumper_arm(d, dumper_silence_ms(d));
    channel_resume(&d->channel);
}
