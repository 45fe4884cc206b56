/* What the dumper tells of itself. */
#include "dumper_priv.h"

#include "base/clock.h"

#include <string.h>

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
