/*
 * Format_description event: the first of each file, it says how the others are laid out.
 *
 * Its post-header array grows with the server's version; lengths come from it, never from
 * constants. A checksum-aware server (MySQL 5.6.1, MariaDB 5.3) ends it with an algorithm byte and
 * a CRC, the CRC being there even when the algorithm is NONE.
 */
#ifndef BINLOGD_BINLOG_FDE_H
#define BINLOGD_BINLOG_FDE_H

#include "base/err.h"
#include "binlog/event.h"

struct fde {
    char server_version[51];
    uint32_t created;
    uint8_t types;            /* event types 1 .. types are described */
    uint8_t post_header[256]; /* by type */
    uint8_t crc_len;          /* bytes behind every other event: EVENT_CRC or 0 */
    bool own_crc;             /* the event itself ends with algorithm and CRC */
};

/* Decodes the whole event, header included. Does not verify its CRC. */
int fde_decode(struct fde *f, struct bytes event, struct err *err);
/* Whether a header can be one of an event in a file that this format describes: its type is known
 * or ignorable, and its length holds header, post-header and CRC and is at most EVENT_MAX. */
int fde_check_header(const struct fde *f, const struct event_header *h, struct err *err);
/* Length of an event's post-header. */
static inline size_t fde_post_header(const struct fde *f, uint8_t type)
{
    return f->post_header[type];
}

#endif
