/* The facts as a screen for a person: 80 columns, plain text, the answer first. */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000
#define BAR      40u
#define TEXT_MAX 64
#define INDENT   12u
#define COLUMNS  80u
#define REPLICAS 12u /* shown; --json has all */
#define MIB      (1024.0 * 1024.0)

/* ---- values as a person reads them; each returns dst, of TEXT_MAX bytes ---- */

static const char *moment(char *dst, int64_t us)
{
    time_t s = (time_t)(us / US_PER_S);
    struct tm tm;
    localtime_r(&s, &tm);
    strftime(dst, TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    return dst;
}

static const char *span(char *dst, int64_t s)
{
    if (s < 0)
        s = 0;
    if (s < 60)
        snprintf(dst, TEXT_MAX, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(dst, TEXT_MAX, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(dst, TEXT_MAX, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(dst, TEXT_MAX, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
    return dst;
}

static const char *size(char *dst, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    size_t i = 0;
    for (; v >= 1024 && i < sizeof units / sizeof *units - 1; i++)
        v /= 1024;
    snprintf(dst, TEXT_MAX, i ? "%.1f %s" : "%.0f %s", v, units[i]);
    return dst;
}

static const char *short_time(char *dst, uint64_t us)
{
    if (us < 1000)
        snprintf(dst, TEXT_MAX, "%" PRIu64 " us", us);
    else if (us < US_PER_S)
        snprintf(dst, TEXT_MAX, "%.1f ms", (double)us / 1e3);
    else
        snprintf(dst, TEXT_MAX, "%.1f s", (double)us / 1e6);
    return dst;
}

/* ---- parts ---- */

/* What others send may neither steer the terminal nor begin a line. */
static void put_foreign(struct buf *out, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        wr_u8(out, text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i]);
}

static void put_pos(struct buf *out, struct store_pos pos)
{
    wr_fmt(out, "%s:%" PRIu64, pos.file, pos.pos);
}

static void put_name(struct buf *out, const char *name)
{
    wr_fmt(out, "%-*s", (int)INDENT, name);
}

void status_verdict(struct buf *out, const struct facts *f)
{
    char since[TEXT_MAX];
    moment(since, f->safe_us);
    if (f->safe)
        wr_fmt(out, "SAFE since %s: every acknowledged commit is on this disk\n", since);
    else
        wr_fmt(out, "NOT SAFE since %s: state %s\n", since, f->state);
}

static const char *state_in_words(const struct facts *f)
{
    static const char *const words[] = {
        [DUMPER_CONNECTING] = "no stream from the source yet",
        [DUMPER_CATCHING_UP] = "behind the source",
        [DUMPER_PROTECTING] = "the source waits for our ACKs",
        [DUMPER_ASYNC] = "up to date, but the source does not wait for us",
        [DUMPER_WAIT_SPACE] = "the disk is full",
        [DUMPER_FAILED] = "the storage failed",
        [DUMPER_DIVERGED] = "the source's history is not the one stored here",
        [DUMPER_CORRUPT] = "stored bytes are damaged",
        [DUMPER_STOPPED] = "stopped by STOP REPLICA",
    };
    if (!*f->source)
        return "nothing is copied: no [dumper] section";
    return f->dumper.gave_up ? "the source sends what cannot be stored" : words[f->dumper.state];
}

/* A long text goes on in the next lines. */
static void put_wrapped(struct buf *out, const char *text)
{
    const unsigned width = COLUMNS - INDENT;
    for (size_t n = strlen(text); n;) {
        size_t piece = n < width ? n : width;
        while (piece < n && piece > width / 2 && text[piece] != ' ')
            piece--;
        put_name(out, "");
        put_foreign(out, bytes_of(text, piece));
        wr_u8(out, '\n');
        text += piece;
        n -= piece;
        while (*text == ' ') {
            text++;
            n--;
        }
    }
}

static void put_state(struct buf *out, const struct facts *f)
{
    char since[TEXT_MAX], so_long[TEXT_MAX];
    put_name(out, "State");
    wr_fmt(out, "%s: %s\n", f->state, state_in_words(f));
    put_name(out, "");
    wr_fmt(out, "since %s (%s)\n", moment(since, f->dumper.state_since_us),
           span(so_long, (f->now_us - f->dumper.state_since_us) / US_PER_S));
    if (f->dumper.gave_up)
        put_wrapped(out, f->dumper.last_error);
}

static void put_source(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    if (!*f->source)
        return;
    put_name(out, "Source");
    wr_fmt(out, "%.60s, %s\n", f->source, d->connected ? "connected" : "not connected");
    if (!*d->version)
        return;
    put_name(out, "");
    put_foreign(out, bytes_str(d->version));
    wr_fmt(out, ", server_id %" PRIu32 "\n", d->source_id);
    put_name(out, "");
    wr_fmt(out, "%.60s\n", d->source_uuid);
    if (*d->source->file.text) {
        put_name(out, "");
        wr_fmt(out, "at %s:%" PRIu64 "\n", d->source->file.text, d->source->pos);
    }
    put_name(out, "Settings");
    wr_str(out, *d->unsafe ? "of the source, with which commits can be lost:\n"
                           : "of the source are lossless\n");
    put_wrapped(out, d->unsafe);
}

static void put_positions(struct buf *out, const struct facts *f)
{
    char behind[TEXT_MAX], queue[TEXT_MAX];
    const struct dumper_stats *d = &f->dumper;
    put_name(out, "Received");
    put_pos(out, f->received);
    wr_u8(out, '\n');
    put_name(out, "Durable");
    put_pos(out, f->durable);
    wr_fmt(out, " (%s to write)\n", size(queue, f->journal.queue));
    if (!d->connected)
        return;
    put_name(out, "Behind");
    if (d->bytes_behind >= 0)
        wr_str(out, size(behind, (uint64_t)d->bytes_behind));
    else
        wr_str(out, "unknown bytes (needs REPLICATION CLIENT)");
    if (d->seconds_behind >= 0)
        wr_fmt(out, ", %s", span(behind, d->seconds_behind));
    wr_u8(out, '\n');
}

/* Of what the source had when the dump began; the rate is the mean since then. */
static void put_progress(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    char left[TEXT_MAX];
    if (!d->connected || d->state != DUMPER_CATCHING_UP || !d->dump_us)
        return;
    double rate = (double)d->dump_bytes * 1e6 / (double)d->dump_us;
    put_name(out, "Catching up");
    if (d->backlog > 0) {
        double left_of = (double)d->bytes_behind / (double)d->backlog;
        double done = left_of > 1 ? 0 : 1 - left_of;
        wr_u8(out, '[');
        for (unsigned i = 0; i < BAR; i++)
            wr_u8(out, (double)i < done * BAR ? '#' : '.');
        wr_fmt(out, "] %3.0f %%\n", done * 100);
        put_name(out, "");
    }
    wr_fmt(out, "%.1f MiB/s", rate / MIB);
    if (d->bytes_behind >= 0 && rate >= 1)
        wr_fmt(out, ", %s left", span(left, (int64_t)((double)d->bytes_behind / rate)));
    wr_u8(out, '\n');
}

static void put_times(struct buf *out, const char *name, const char *what, uint64_t count,
                      const struct histogram *h)
{
    char mean[TEXT_MAX], most[TEXT_MAX], max[TEXT_MAX];
    put_name(out, name);
    wr_fmt(out, "%" PRIu64 " %s", count, what);
    if (h->count)
        wr_fmt(out, "; mean %s, 99 %% within %s, longest %s",
               short_time(mean, histogram_mean_us(h)),
               short_time(most, histogram_percentile_us(h, 99)), short_time(max, h->max_us));
    wr_u8(out, '\n');
}

static void put_replicas(struct buf *out, const struct facts *f)
{
    char behind[TEXT_MAX];
    put_name(out, "Replicas");
    wr_fmt(out, "%zu; %" PRIu32 " connections, %" PRIu64 " logins refused\n", f->replica_n,
           f->hub.connected, f->hub.refused);
    for (size_t i = 0; i < f->replica_n && i < REPLICAS; i++) {
        const struct facts_replica *r = &f->replicas[i];
        put_name(out, "");
        wr_fmt(out, "%" PRIu32 " %.30s ", r->server_id, r->host);
        put_pos(out, r->pos);
        wr_str(out, ", ");
        if (r->bytes_behind < 0)
            wr_str(out, "elsewhere\n");
        else
            wr_fmt(out, "%s behind\n", size(behind, (uint64_t)r->bytes_behind));
    }
    if (f->replica_n > REPLICAS) {
        put_name(out, "");
        wr_fmt(out, "and %zu more (--json shows all)\n", f->replica_n - REPLICAS);
    }
}

/* Whether what is acknowledged is on replicas too. */
static void put_chain(struct buf *out, const struct facts *f)
{
    const struct dumper_stats *d = &f->dumper;
    char held[TEXT_MAX];
    uint32_t n = f->from->config->server.wait_for_replicas;
    if (!n)
        return;
    put_name(out, "Chain");
    wr_fmt(out, "%s: %s %" PRIu32 " replica%s; %" PRIu32 " acknowledge%s\n", status_chain(f),
           d->downstream == DOWNSTREAM_ON ? "ACKs wait for" : "ACKs do not wait for", n,
           n == 1 ? "" : "s", f->hub.semi_sync, f->hub.semi_sync == 1 ? "s" : "");
    put_name(out, "");
    wr_str(out, "they have all up to ");
    put_pos(out, f->acked);
    if (d->held_us)
        wr_fmt(out, ", waiting for %s", short_time(held, d->held_us));
    wr_u8(out, '\n');
    put_name(out, "");
    wr_fmt(out,
           "%" PRIu64 " transactions with them, %" PRIu64 " without; degraded %" PRIu64 " times\n",
           d->transactions_with, d->transactions_without, d->degraded_times);
}

static void put_storage(struct buf *out, const struct facts *f)
{
    char bytes[TEXT_MAX], from[TEXT_MAX], to[TEXT_MAX], room[TEXT_MAX], whole[TEXT_MAX];
    put_name(out, "Files");
    wr_fmt(out, "%zu with %s, epoch %u\n", f->files, size(bytes, f->bytes), f->epoch);
    if (f->oldest_s) {
        put_name(out, "");
        wr_fmt(out, "events from %s to %s\n", moment(from, (int64_t)f->oldest_s * US_PER_S),
               moment(to, (int64_t)f->newest_s * US_PER_S));
    }
    put_name(out, "Disk");
    wr_fmt(out, "%s free of %s, %.200s\n", size(room, f->disk_free), size(whole, f->disk_size),
           f->from->config->storage.directory);
}

static void put_problems(struct buf *out)
{
    char when[TEXT_MAX];
    const struct log_problem *p;
    put_name(out, "Problems");
    wr_str(out, log_problem(0) ? "the last, newest first:\n" : "none since the start\n");
    for (unsigned i = 0; (p = log_problem(i)); i++) {
        put_name(out, "");
        wr_fmt(out, "%s %s %s", moment(when, p->at_us), log_level_name(p->level), p->module);
        if (p->times > 1)
            wr_fmt(out, ", %" PRIu64 " times", p->times);
        wr_str(out, ":\n");
        put_wrapped(out, p->text);
    }
}

void status_screen(struct buf *out, const struct facts *f)
{
    char when[TEXT_MAX];
    status_verdict(out, f);
    wr_u8(out, '\n');
    put_state(out, f);
    put_source(out, f);
    put_positions(out, f);
    put_progress(out, f);
    put_name(out, "GTIDs");
    if (f->maria->n)
        status_gtids(out, f);
    else
        wr_fmt(out, "%" PRIu64 " in %zu intervals", gtid_set_count(f->gtids),
               gtid_set_intervals(f->gtids));
    wr_u8(out, '\n');
    put_times(out, "ACKs", "sent", f->dumper.acks, &f->dumper.ack_time);
    put_times(out, "fdatasync", "calls", f->journal.syncs.count, &f->journal.syncs);
    put_replicas(out, f);
    put_chain(out, f);
    put_storage(out, f);
    put_name(out, "Running");
    wr_fmt(out, "since %s\n", moment(when, f->started_us));
    put_problems(out);
}
