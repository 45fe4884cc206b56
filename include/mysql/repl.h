/*
 * What a replica and its source say to each other after login: COM_REGISTER_SLAVE,
 * COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID, the bytes before each event, the semi-sync ACK.
 *
 * Facts: manual, "Replication Protocol"; the semi-sync header and ACK were seen on 5.7 to 9.7 and
 * MariaDB 10.11.
 */
#ifndef BINLOGD_MYSQL_REPL_H
#define BINLOGD_MYSQL_REPL_H

#include "base/buf.h"
#include "base/err.h"

#define COM_QUIT             0x01
#define COM_INIT_DB          0x02
#define COM_QUERY            0x03
#define COM_SHUTDOWN         0x08
#define COM_STATISTICS       0x09
#define COM_PING             0x0e
#define COM_BINLOG_DUMP      0x12
#define COM_REGISTER_SLAVE   0x15
#define COM_SET_OPTION       0x1b
#define COM_BINLOG_DUMP_GTID 0x1e
#define COM_RESET_CONNECTION 0x1f

/* Dump flag: EOF at the end instead of waiting for more. */
#define REPL_DUMP_NON_BLOCK 0x0001

/* Dump flag: heartbeats may have the 64-bit form (type 41, 8.0.26+). */
#define REPL_DUMP_HEARTBEAT_V2 0x0002

/* Dump flag of MariaDB: without it the source leaves its Annotate_rows events out. */
#define REPL_DUMP_MARIADB_ANNOTATE 0x0002

#define REPL_HOST_MAX 256 /* bytes with the NUL */

struct repl_register {
    uint32_t server_id;
    const char *report_host; /* at most 255 bytes; shown by SHOW REPLICAS */
    uint16_t report_port;
};

struct repl_dump {
    uint32_t server_id;
    uint16_t flags;
    const char *file;   /* empty: the source's first file */
    uint64_t pos;       /* COM_BINLOG_DUMP carries only 32 bits of it */
    struct bytes gtids; /* COM_BINLOG_DUMP_GTID: an encoded set; empty for the empty set */
};

void repl_register_encode(struct buf *out, const struct repl_register *r);
void repl_dump_encode(struct buf *out, const struct repl_dump *d);
/* With the empty set the source sends the file from pos, excluding nothing. With another and no
 * file it begins with the file that holds the first transaction that is not in the set. */
void repl_dump_gtid_encode(struct buf *out, const struct repl_dump *d);

#define REPL_ACK_FILE_MAX 511 /* bytes; what a source takes at the most */

/* The ACK for everything up to pos in file (name without NUL). It travels with sequence number 0 in
 * its packet header, always. */
void repl_ack_encode(struct buf *out, uint64_t pos, const char *file);

/* The server's side. Slices point into the payload. */
struct repl_registered {
    uint32_t server_id;
    char host[REPL_HOST_MAX];
    uint16_t port;
};

struct repl_dump_request {
    uint32_t server_id;
    uint16_t flags;
    struct bytes file;
    uint64_t pos;
    struct bytes gtids; /* COM_BINLOG_DUMP_GTID only: the encoded set */
};

struct repl_ack {
    uint64_t pos;
    struct bytes file; /* 1 to REPL_ACK_FILE_MAX bytes, none of them NUL */
};

#define REPL_MALFORMED "Malformed communication packet."

/* err has the text that a source answers with: REPL_MALFORMED for error 1835, others for 1105. */
int repl_register_decode(struct repl_registered *r, struct bytes payload, struct err *err);
int repl_dump_decode(struct repl_dump_request *d, struct bytes payload, struct err *err);
int repl_dump_gtid_decode(struct repl_dump_request *d, struct bytes payload, struct err *err);

int repl_ack_decode(struct repl_ack *a, struct bytes payload, struct err *err);

#define REPL_SEMI_SYNC_MAGIC 0xef
#define REPL_SEMI_SYNC_ACK   0x01

/* The bytes before the event in a packet of a dump: 00, and with semi-sync EF and a flag byte.
 * Returns how many they are, or -1 when they are not as they must be. */
int repl_event_prefix_decode(struct bytes payload, bool semi_sync, bool *ack_wanted,
                             struct err *err);

#endif
