/*
 * The log: one line a record, ISO time with microseconds and zone, level, module, text.
 *
 * The sink is the one global of the program. Only the loop's thread logs. Control characters in the
 * text are escaped, so that no peer can forge a line.
 */
#ifndef BINLOGD_BASE_LOG_H
#define BINLOGD_BASE_LOG_H

#include "base/err.h"

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

#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
