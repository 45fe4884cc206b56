/*
 * How many lines of one kind a period may bring into the log, so that no peer can fill a disk with
 * them. What is left out is counted.
 */
#ifndef BINLOGD_BASE_LOG_LIMIT_H
#define BINLOGD_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
    uint32_t lines; /* in a period; set both */
    uint32_t period_s;
    uint64_t began_us;
    uint32_t passed;
    uint32_t left_out;
};

/* Whether the line is to be written, now (clock_now_us). If not, log_limit_end is due a period
 * later. */
bool log_limit_pass(struct log_limit *l, uint64_t now_us);
/* Ends the period: how many lines were left out in it. */
uint32_t log_limit_end(struct log_limit *l, uint64_t now_us);

#endif
