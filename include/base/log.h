/*
 * The log: one line a record, ISO time with microseconds and zone, level, module, text.
 *
 * The sink is the one global of the program. Only the loop's thread logs. Control characters in the
 * text are escaped, so that no peer can forge a line.
 *
 * What a peer can cause as often as it likes must not fill the disk: of one message (the format,
 * whatever the values), LOG_BURST are written in LOG_INTERVAL_US, and a line tells how many more
 * there were. Debug is left alone. When standard error is the journal (JOURNAL_STREAM), each line
 * begins with its level as <N>, which the journal takes off.
 */
#ifndef BINLOGD_BASE_LOG_H
#define BINLOGD_BASE_LOG_H

#include "base/err.h"

#include <stdint.h>

#define LOG_BURST       30u
#define LOG_INTERVAL_US 10000000u

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Opens (or, called again, reopens) the sink; an empty path is standard error. */
int log_open(const char *path, enum log_level level, struct err *err);
void log_close(void);
void log_set_level(enum log_level level);
/* The level named by text, or -1. */
int log_level_parse(const char *text);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A record of a kind that the caller bounds by himself (log_limit.h): it is never kept back. */
void log_bounded(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells of the repeats whose interval is over; call it now and then. */
void log_tick(void);

/* How many records there were of the level, written or not. */
uint64_t log_total(enum log_level level);

#define LOG_PROBLEMS     5u /* remembered */
#define LOG_PROBLEM_TEXT 256

/* A warning or an error; the same text again only counts. */
struct log_problem {
    int64_t at_us; /* wall clock, of the last time */
    uint64_t times;
    enum log_level level;
    const char *module;
    char text[LOG_PROBLEM_TEXT]; /* escaped, cut to fit */
};

/* The i-th newest, or NULL; it lives until the next record. */
const struct log_problem *log_problem(unsigned i);

#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
