/* The facts as JSON, for programs: members are only ever added. */
#include "app/app.h"
#include "base/json.h"
#include "status.h"

#include <inttypes.h>
#include <unistd.h>

#define US_PER_S 1000000

static void put_key(struct buf *out, const char *key)
{
    if (buf_bytes(out).p[out->len - 1] != '{')
        wr_u8(out, ',');
    json_string(out, key);
    wr_u8(out, ':');
}

static void put_text(struct buf *out, const char *key, const char *text)
{
    put_key(out, key);
    json_string(out, text);
}

static void put_bool(struct buf *out, const char *key, bool value)
{
    put_key(out, key);
    wr_str(out, value ? "true" : "false");
}

static void put_count(struct buf *out, const char *key, uint64_t value)
{
    put_key(out, key);
    wr_fmt(out, "%" PRIu64, value);
}

/* null when it is negative: unknown. */
static void put_known(struct buf *out, const char *key, int64_t value)
{
    put_key(out, key);
    if (value < 0)
        wr_str(out, "null");
    else
        wr_fmt(out, "%" PRId64, value);
}

/* null when it is 0: never. */
static void put_time(struct buf *out, const char *key, int64_t us)
{
    put_key(out, key);
    if (us)
        wr_fmt(out, "%" PRId64 ".%06d", us / US_PER_S, (int)(us % US_PER_S));
    else
        wr_str(out, "null");
}

static void put_duration(struct buf *out, const char *key, uint64_t us)
{
    put_key(out, key);
    wr_fmt(out, "%" PRIu64 ".%06u", us / US_PER_S, (unsigned)(us % US_PER_S));
}

static void begin(struct buf *out, const char *key)
{
    put_key(out, key);
    wr_u8(out, '{');
}

static void end(struct buf *out)
{
    wr_u8(out, '}');
}

static void put_pos(struct buf *out, const char *key, struct store_pos pos)
{
    begin(out, key);
    put_text(out, "file", pos.file);
    put_count(out, "position", pos.pos);
    end(out);
}

static void put_source(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    begin(out, "source");
    put_text(out, "address", f->source);
    put_bool(out, "connected", d->connected);
    put_count(out, "connects", d->connects);
    put_text(out, "version", d->version);
    put_text(out, "uuid", d->source_uuid);
    put_count(out, "server_id", d->source_id);
    put_key(out, "semi_sync");
    wr_str(out, d->source->semi_sync == MONITOR_ON    ? "true"
                : d->source->semi_sync == MONITOR_OFF ? "false"
                                                      : "null");
    put_text(out, "unsafe_settings", d->unsafe);
    put_text(out, "file", d->source->file.text);
    put_known(out, "position", d->source->file.text[0] ? (int64_t)d->source->pos : -1);
    put_bool(out, "gave_up", d->gave_up);
    put_text(out, "last_error", d->last_error);
    put_time(out, "last_error_time", d->last_error_us);
    end(out);
    begin(out, "behind");
    put_known(out, "bytes", d->bytes_behind);
    put_known(out, "seconds", d->seconds_behind);
    put_known(out, "backlog_bytes", d->backlog);
    put_count(out, "dump_bytes", d->dump_bytes);
    put_duration(out, "dump_seconds", d->dump_us);
    end(out);
}

static void put_received(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    begin(out, "events");
    put_count(out, "received", d->total_events);
    put_count(out, "transactions", d->total_transactions);
    put_count(out, "bytes", d->total_bytes);
    put_time(out, "oldest", (int64_t)f->oldest_s * US_PER_S);
    put_time(out, "newest", (int64_t)f->newest_s * US_PER_S);
    end(out);
}

static void put_histogram(struct buf *out, const char *key, const struct histogram *h)
{
    begin(out, key);
    put_count(out, "count", h->count);
    put_duration(out, "mean_seconds", histogram_mean_us(h));
    put_duration(out, "p99_seconds", histogram_percentile_us(h, 99));
    put_duration(out, "max_seconds", h->max_us);
    put_duration(out, "last_seconds", h->last_us);
    end(out);
}

static void put_replicas(struct buf *out, const struct facts *f)
{
    put_key(out, "replicas");
    wr_u8(out, '[');
    for (size_t i = 0; i < f->replica_n; i++) {
        const struct facts_replica *r = &f->replicas[i];
        wr_str(out, i ? ",{" : "{");
        put_count(out, "session", r->session);
        put_count(out, "server_id", r->server_id);
        put_text(out, "uuid", r->uuid);
        put_text(out, "user", r->user);
        put_text(out, "host", r->host);
        put_bool(out, "by_gtid", r->by_gtid);
        put_text(out, "file", r->pos.file);
        put_count(out, "position", r->pos.pos);
        put_known(out, "bytes_behind", r->bytes_behind);
        put_bool(out, "semi_sync", r->semi_sync);
        put_pos(out, "acked", r->acked);
        end(out);
    }
    wr_u8(out, ']');
    begin(out, "connections");
    put_count(out, "open", f->hub.connected);
    put_count(out, "total", f->hub.connections);
    put_count(out, "refused_logins", f->hub.refused);
    put_count(out, "statements", f->hub.questions);
    end(out);
}

static void put_chain(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    begin(out, "chain");
    put_text(out, "state", status_chain(f));
    put_count(out, "wait_for_replicas", f->from->config->server.wait_for_replicas);
    put_count(out, "replicas", f->hub.semi_sync);
    put_pos(out, "acked", f->acked);
    put_duration(out, "held_seconds", d->held_us);
    put_count(out, "degraded_times", d->degraded_times);
    put_count(out, "transactions_with_replicas", d->transactions_with);
    put_count(out, "transactions_without_replicas", d->transactions_without);
    end(out);
}

static void put_storage(struct buf *out, const struct facts *f)
{
    begin(out, "storage");
    put_text(out, "directory", f->from->config->storage.directory);
    put_count(out, "epoch", f->epoch);
    put_count(out, "files", f->files);
    put_count(out, "bytes", f->bytes);
    put_count(out, "purged_files", f->purged.files);
    put_count(out, "disk_free_bytes", f->disk_free);
    put_count(out, "disk_size_bytes", f->disk_size);
    put_count(out, "queue_bytes", f->journal.queue);
    put_count(out, "queue_capacity_bytes", f->journal.capacity);
    end(out);
}

static void put_problems(struct buf *out, const struct facts *f)
{
    begin(out, "errors");
    for (size_t i = 0; facts_error_kind(i); i++)
        put_count(out, facts_error_kind(i), facts_errors(f, i));
    end(out);
    put_key(out, "problems");
    wr_u8(out, '[');
    const struct log_problem *p;
    for (unsigned i = 0; (p = log_problem(i)); i++) {
        wr_str(out, i ? ",{" : "{");
        put_time(out, "time", p->at_us);
        put_text(out, "level", log_level_name(p->level));
        put_text(out, "module", p->module);
        put_text(out, "text", p->text);
        put_count(out, "times", p->times);
        end(out);
    }
    wr_u8(out, ']');
}

void status_json(struct buf *out, const struct facts *f)
{
    struct buf gtids;
    buf_init(&gtids);
    status_gtids(&gtids, f);
    wr_u8(&gtids, 0);
    wr_u8(out, '{');
    put_bool(out, "running", true);
    put_text(out, "version", app_version());
    put_count(out, "pid", (uint64_t)getpid());
    put_time(out, "time", f->now_us);
    put_time(out, "started", f->started_us);
    put_bool(out, "safe", f->safe);
    put_time(out, "safe_changed", f->safe_us);
    put_text(out, "state", f->state);
    put_time(out, "state_since", f->dumper.state_since_us);
    put_source(out, f);
    put_pos(out, "received", f->received);
    put_pos(out, "durable", f->durable);
    put_text(out, "gtids", (const char *)buf_bytes(&gtids).p);
    put_count(out, "gtid_count", gtid_set_count(f->gtids));
    put_received(out, f);
    put_count(out, "acks_sent", f->dumper.acks);
    put_histogram(out, "ack_time", &f->dumper.ack_time);
    put_histogram(out, "fdatasync_time", &f->journal.syncs);
    put_replicas(out, f);
    put_chain(out, f);
    put_storage(out, f);
    put_problems(out, f);
    wr_str(out, "}\n");
    buf_fini(&gtids);
}
