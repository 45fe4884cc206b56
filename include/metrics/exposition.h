/*
 * The text that Prometheus scrapes: exposition format 0.0.4, as pure formatting.
 *
 * A family is begun, then its samples follow. Labels are pairs of name and value; values may be any
 * bytes, names are ours. Durations are given in microseconds and written in seconds.
 */
#ifndef BINLOGD_METRICS_EXPOSITION_H
#define BINLOGD_METRICS_EXPOSITION_H

#include "base/buf.h"
#include "base/histogram.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition_label {
    const char *name; /* NULL ends the labels */
    const char *value;
};

/* The family that samples are written for. */
struct exposition {
    struct buf *out;
    const char *name;
};

void exposition_begin(struct exposition *e, const char *name, enum exposition_kind kind,
                      const char *help);
/* labels may be NULL. */
void exposition_value(const struct exposition *e, const struct exposition_label *labels,
                      uint64_t value);
void exposition_seconds(const struct exposition *e, const struct exposition_label *labels,
                        uint64_t us);
void exposition_histogram(const struct exposition *e, const struct histogram *h);

#endif
