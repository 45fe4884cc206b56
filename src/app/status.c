/* The status line. */
#include "status.h"

#include <inttypes.h>

#define GTIDS_SHOWN_MAX     200 /* characters; a longer set is given by its size */
#define INTERVALS_SHOWN_MAX 20

/* One of the two sets is empty. */
void status_gtids(struct buf *out, const struct facts *f)
{
    size_t before = out->len;
    if (f->maria->n <= INTERVALS_SHOWN_MAX && gtid_set_intervals(f->gtids) <= INTERVALS_SHOWN_MAX) {
        gtid_set_format(f->gtids, out);
        maria_state_format_last(f->maria, out);
        if (out->len - before <= GTIDS_SHOWN_MAX)
            return;
        buf_truncate(out, before);
    }
    if (f->maria->n)
        wr_fmt(out, "%zu_of_domains_and_servers", f->maria->n);
    else
        wr_fmt(out, "%" PRIu64 "_in_%zu_intervals", gtid_set_count(f->gtids),
               gtid_set_intervals(f->gtids));
}

static void add_pos(struct buf *out, const char *key, struct store_pos pos)
{
    wr_fmt(out, " %s=%s:%" PRIu64, key, pos.file, pos.pos);
}

const char *status_chain(const struct facts *f)
{
    static const char *const states[] = {
        [DOWNSTREAM_OFF] = "off",
        [DOWNSTREAM_ON] = "on",
        [DOWNSTREAM_DEGRADED] = "degraded",
    };
    return states[f->dumper.downstream];
}

static void add_waiting(struct buf *out, const struct facts *f)
{
    if (*f->acked.file)
        add_pos(out, "replicas_acked", f->acked);
    wr_fmt(out, " wait_for_replicas=%s acknowledging=%" PRIu32 "/%" PRIu32, status_chain(f),
           f->hub.semi_sync, f->from->config->server.wait_for_replicas);
    if (f->dumper.held_us)
        wr_fmt(out, " held_ms=%" PRIu64, f->dumper.held_us / 1000u);
}

void status_line(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    wr_fmt(out, "state=%s", f->state);
    if (*f->source)
        wr_fmt(out, " source=%s", f->source);
    wr_fmt(out, " file=%s", f->received.file);
    add_pos(out, "received", f->received);
    add_pos(out, "durable", f->durable);
    wr_str(out, " gtids=");
    status_gtids(out, f);
    if (d->seconds_behind >= 0)
        wr_fmt(out, " seconds_behind=%" PRId64, d->seconds_behind);
    wr_fmt(out, " acks=%" PRIu64 " replicas=%zu files=%zu bytes=%" PRIu64, d->acks, f->replica_n,
           f->files, f->bytes);
    if (f->from->config->server.wait_for_replicas)
        add_waiting(out, f);
    if (d->ack_time.count)
        wr_fmt(out, " ack_us=%" PRIu64, histogram_mean_us(&d->ack_time));
    if (f->journal.syncs.count)
        wr_fmt(out, " sync_us=%" PRIu64, histogram_mean_us(&f->journal.syncs));
}
