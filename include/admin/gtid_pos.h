/*
 * MariaDB's BINLOG_GTID_POS, read from a file. It waits for the disk: for a worker thread.
 */
#ifndef BINLOGD_ADMIN_GTID_POS_H
#define BINLOGD_ADMIN_GTID_POS_H

#include "base/buf.h"
#include "base/fs.h"

struct gtid_pos_request {
    const struct fs *fs;
    int fd;
    uint64_t end;      /* bytes of the file that may be looked at */
    uint64_t position; /* less than 4 means 4 */
};

/* Appends the last GTID of each domain before the position. False when no event begins or ends
 * there, or the file cannot be read. */
bool gtid_pos_find(const struct gtid_pos_request *r, struct buf *text);

#endif
