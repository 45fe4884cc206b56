/*
 * The answer to SHOW BINLOG EVENTS, read from a file. It waits for the disk: for a worker thread.
 */
#ifndef BINLOGD_ADMIN_EVENTS_H
#define BINLOGD_ADMIN_EVENTS_H

#include "base/buf.h"
#include "base/fs.h"

/* An answer that would be longer is an error that asks for a LIMIT. */
#define EVENTS_ANSWER_MAX (64u << 20)

struct events_request {
    const struct fs *fs;
    int fd;
    const char *name;  /* as the rows show it */
    uint64_t end;      /* bytes of the file that may be shown */
    uint64_t position; /* events that begin before it are left out */
    uint64_t skip;     /* of those that are left */
    uint64_t count;
};

/* Appends the packets of the answer, the first with sequence number 1. */
void events_answer(struct buf *out, const struct events_request *r);

#endif
