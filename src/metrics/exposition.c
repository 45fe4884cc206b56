/* Text for Prometheus. */
#include "metrics/exposition.h"

#include <inttypes.h>

#define US_PER_S 1000000u

/* A help text has no quotes around it; there, only these two are escaped. */
static void put_help(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '\n')
            wr_fmt(out, "\\%c", *text == '\n' ? 'n' : '\\');
        else
            wr_u8(out, (uint8_t)*text);
    }
}

static void put_label_value(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            wr_str(out, "\\n");
        else if (*text == '\\' || *text == '"')
            wr_fmt(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            wr_u8(out, '?'); /* a scrape with malformed UTF-8 would fail as a whole */
        else
            wr_u8(out, (uint8_t)*text);
    }
}

static void put_labels(struct buf *out, const struct exposition_label *labels)
{
    const char *before = "{";
    for (; labels && labels->name; labels++) {
        wr_fmt(out, "%s%s=\"", before, labels->name);
        put_label_value(out, labels->value);
        wr_u8(out, '"');
        before = ",";
    }
    if (*before == ',')
        wr_u8(out, '}');
}

static void put_seconds(struct buf *out, uint64_t us)
{
    wr_fmt(out, "%" PRIu64, us / US_PER_S);
    if (us % US_PER_S)
        wr_fmt(out, ".%06" PRIu64, us % US_PER_S);
}

void exposition_begin(struct exposition *e, const char *name, enum exposition_kind kind,
                      const char *help)
{
    static const char *const kinds[] = {
        [EXPOSITION_COUNTER] = "counter",
        [EXPOSITION_GAUGE] = "gauge",
        [EXPOSITION_HISTOGRAM] = "histogram",
    };
    e->name = name;
    wr_fmt(e->out, "# HELP %s ", name);
    put_help(e->out, help);
    wr_fmt(e->out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

void exposition_value(const struct exposition *e, const struct exposition_label *labels,
                      uint64_t value)
{
    wr_str(e->out, e->name);
    put_labels(e->out, labels);
    wr_fmt(e->out, " %" PRIu64 "\n", value);
}

void exposition_seconds(const struct exposition *e, const struct exposition_label *labels,
                        uint64_t us)
{
    wr_str(e->out, e->name);
    put_labels(e->out, labels);
    wr_u8(e->out, ' ');
    put_seconds(e->out, us);
    wr_u8(e->out, '\n');
}

/* Buckets are cumulative here. */
void exposition_histogram(const struct exposition *e, const struct histogram *h)
{
    uint64_t below = 0;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        below += h->counts[i];
        wr_fmt(e->out, "%s_bucket{le=\"", e->name);
        put_seconds(e->out, histogram_bounds_us[i]);
        wr_fmt(e->out, "\"} %" PRIu64 "\n", below);
    }
    wr_fmt(e->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", e->name, h->count, e->name);
    put_seconds(e->out, h->sum_us);
    wr_fmt(e->out, "\n%s_count %" PRIu64 "\n", e->name, h->count);
}
