/* The status line. */
#include "status.h"

#include <inttypes.h>
#include <string.h>

#define GTIDS_SHOWN_MAX 200 /* characters; a longer set is given by its size */

static void add_gtids(struct buf *out, const struct gtid_set *set, const struct maria_state *maria)
{
    size_t before = out->len;
    gtid_set_format(set, out);
    maria_state_format_last(maria, out); /* one of the two is empty */
    if (out->len - before <= GTIDS_SHOWN_MAX)
        return;
    buf_truncate(out, before);
    if (maria->n)
        wr_fmt(out, "%zu_of_domains_and_servers", maria->n);
    else
        wr_fmt(out, "%" PRIu64 "_in_%zu_intervals", gtid_set_count(set), gtid_set_intervals(set));
}

static void add_pos(struct buf *out, const char *key, struct store_pos pos)
{
    wr_fmt(out, " %s=%s:%" PRIu64, key, pos.file, pos.pos);
}

static void add_source(struct buf *out, const struct config_dumper *c)
{
    if (c->host[0] == '/')
        wr_fmt(out, " source=%s", c->host);
    else if (strchr(c->host, ':'))
        wr_fmt(out, " source=[%s]:%u", c->host, c->port);
    else
        wr_fmt(out, " source=%s:%u", c->host, c->port);
}

static void add_waiting(struct buf *out, const struct store *store, const struct dumper_stats *d,
                        const struct point *acked)
{
    static const char *const states[] = {
        [DOWNSTREAM_OFF] = "off",
        [DOWNSTREAM_ON] = "on",
        [DOWNSTREAM_DEGRADED] = "degraded",
    };
    struct store_pos pos = store_pos_of(store, acked);
    if (*pos.file)
        add_pos(out, "replicas_acked", pos);
    wr_fmt(out, " wait_for_replicas=%s", states[d->downstream]);
    if (d->held_us)
        wr_fmt(out, " held_ms=%" PRIu64, d->held_us / 1000u);
}

void status_format(struct buf *out, struct store *store, const struct dumper *dumper,
                   const struct status_replicas *replicas, const struct config *config)
{
    struct dumper_stats d = {.seconds_behind = -1, .last_error = "", .version = ""};
    struct journal_stats j;
    if (dumper)
        dumper_stats(dumper, &d);
    store_journal_stats(store, &j);
    wr_fmt(out, "state=%s", dumper ? dumper_state_name(d.state) : "SERVING");
    if (dumper)
        add_source(out, &config->dumper);
    wr_fmt(out, " file=%s", store_received(store).file);
    add_pos(out, "received", store_received(store));
    add_pos(out, "durable", store_end(store));
    wr_str(out, " gtids=");
    add_gtids(out, store_gtids(store), store_maria(store));
    if (d.seconds_behind >= 0)
        wr_fmt(out, " seconds_behind=%" PRId64, d.seconds_behind);
    wr_fmt(out, " acks=%" PRIu64 " replicas=%u files=%zu bytes=%" PRIu64, d.acks, replicas->dumping,
           store_files(store)->n, store_bytes(store));
    if (config->server.wait_for_replicas)
        add_waiting(out, store, &d, &replicas->acked);
    if (d.ack_time.count)
        wr_fmt(out, " ack_us=%" PRIu64, histogram_mean_us(&d.ack_time));
    if (j.syncs.count)
        wr_fmt(out, " sync_us=%" PRIu64, histogram_mean_us(&j.syncs));
}
