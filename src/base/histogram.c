/* Durations in buckets. */
#include "base/histogram.h"

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    20,    50,    100,    200,    500,    1000,    2000,    5000,    10000,
    20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000};

void histogram_add(struct histogram *h, uint64_t us)
{
    size_t i = 0;
    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
        i++;
    h->counts[i]++;
    h->count++;
    h->sum_us += us;
    h->last_us = us;
    if (us > h->max_us)
        h->max_us = us;
}

uint64_t histogram_mean_us(const struct histogram *h)
{
    return h->count ? h->sum_us / h->count : 0;
}

uint64_t histogram_percentile_us(const struct histogram *h, unsigned percent)
{
    uint64_t below = 0;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS && h->count; i++) {
        below += h->counts[i];
        if (below * 100 >= h->count * percent)
            return histogram_bounds_us[i] < h->max_us ? histogram_bounds_us[i] : h->max_us;
    }
    return h->max_us;
}
