/*
 * The events that a dump thread makes up: artificial Rotate, heartbeats, MariaDB's Gtid_list, and
 * the format description for a dump that begins in mid-file.
 *
 * As MySQL 5.6 to 9.7 were seen to send them: timestamp 0, the sender's server_id.
 */
#ifndef BINLOGD_BINLOG_EVENT_MAKE_H
#define BINLOGD_BINLOG_EVENT_MAKE_H

#include "base/buf.h"
#include "binlog/event.h"

struct event_make {
    uint32_t server_id;
    bool crc; /* whether the event ends with a CRC */
    const char *file;
    uint64_t pos;
};

/* Each appends one event. */
void event_make_rotate(struct buf *out, const struct event_make *m);
/* Type 27, with the low 32 bits of the position in log_pos. */
void event_make_heartbeat(struct buf *out, const struct event_make *m);
/* Type 41 (8.0.26 and later), which carries 64 bits. */
void event_make_heartbeat_v2(struct buf *out, const struct event_make *m);
/* MariaDB's Gtid_list (163), which tells a replica that asked by GTID where it is. */
void event_make_gtid_list(struct buf *out, const struct event_make *m, struct bytes body);
/* A stored format description with created zeroed, so that a replica keeps its temporary tables,
 * and for a dump from mid-file log_pos as well; its CRC, if it has one, is made anew. */
void event_make_resumed_format(struct buf *out, struct bytes stored, bool own_crc);
void event_make_mid_file_format(struct buf *out, struct bytes stored, bool own_crc);

#endif
