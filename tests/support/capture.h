/*
 * What was captured from real servers and lies in tests/data: payloads of packets by name, and
 * binary logs together with what the server's SHOW BINLOG EVENTS said of them.
 *
 * All slices are in memory of just their size, so that a sanitizer sees a read past their end.
 */
#ifndef BINLOGD_TESTS_CAPTURE_H
#define BINLOGD_TESTS_CAPTURE_H

#include "base/bytes.h"

#include <stdlib.h>

struct bytes capture_copy(struct bytes b);
void capture_free(struct bytes b);

/* The nth payload (from 0) called name in tests/data/FILE; n and p are 0 behind the last. */
struct bytes capture_packet(const char *file, const char *name, size_t nth);

/* Calls fn with every beginning of b that is shorter than b. */
void capture_truncate(struct bytes b, void (*fn)(struct bytes cut, void *arg), void *arg);

struct capture_event {
    uint32_t pos;
    uint32_t end;
    char type[40];
    char info[512];
    struct bytes event; /* with its CRC */
};

struct capture_binlog {
    struct capture_event *events;
    size_t count;
};

/* tests/data/binlog/NAME.binlog; events that a Transaction_payload holds are left out. */
struct capture_binlog capture_binlog_open(const char *name);
void capture_binlog_close(struct capture_binlog *b);

/* The names of all of them, with NULL behind the last. */
extern const char *const capture_binlogs[];

#endif
