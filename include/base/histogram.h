/*
 * A histogram of durations with fixed bounds: counting into it allocates nothing, and every
 * histogram can be shown by the same code. Whoever shares one between threads guards it.
 */
#ifndef BINLOGD_BASE_HISTOGRAM_H
#define BINLOGD_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 18

/* Upper bounds in microseconds, inclusive, rising: 20 us to 10 s. */
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* each its own; the last is above all bounds */
    uint64_t count;
    uint64_t sum_us;
    uint64_t last_us;
    uint64_t max_us;
};

void histogram_add(struct histogram *h, uint64_t us);
/* Mean in microseconds; 0 when there is none. */
uint64_t histogram_mean_us(const struct histogram *h);
/* An upper bound of what `percent` of all values are at most, microseconds; 0 when there are
 * none. */
uint64_t histogram_percentile_us(const struct histogram *h, unsigned percent);

#endif
