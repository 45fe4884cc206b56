/*
 * Time. Deadlines and intervals use the monotonic clock, so that a jump of the wall clock changes
 * nothing; the wall clock is for log lines and for comparing with event timestamps only.
 */
#ifndef BINLOGD_BASE_CLOCK_H
#define BINLOGD_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_us(void); /* monotonic, microseconds since some fixed moment */
int64_t clock_wall_us(void); /* microseconds since 1970-01-01 UTC */

#endif
