/*
 * What all binary log events share: magic, 19-byte header, type names, CRC-32.
 *
 * Binary log version 4 (MySQL 5.0 and later, MariaDB); facts: MySQL manual, "Binary Log Event", and
 * the servers' own files. All integers are little-endian.
 */
#ifndef BINLOGD_BINLOG_EVENT_H
#define BINLOGD_BINLOG_EVENT_H

#include "base/bytes.h"

#define EVENT_MAGIC_LEN 4
#define EVENT_HEADER    19
#define EVENT_CRC       4
#define EVENT_POST_MAX  255 /* the largest post-header: its length is one byte */
/* A source sends events of up to 1 GiB (max_allowed_packet's limit) and some header. */
#define EVENT_MAX ((1u << 30) + (1u << 20))

enum event_type {
    EVENT_QUERY = 2,
    EVENT_STOP = 3,
    EVENT_ROTATE = 4,
    EVENT_INTVAR = 5,
    EVENT_APPEND_BLOCK = 9,
    EVENT_DELETE_FILE = 11,
    EVENT_RAND = 13,
    EVENT_USER_VAR = 14,
    EVENT_FORMAT_DESCRIPTION = 15,
    EVENT_XID = 16,
    EVENT_BEGIN_LOAD_QUERY = 17,
    EVENT_EXECUTE_LOAD_QUERY = 18,
    EVENT_TABLE_MAP = 19,
    EVENT_WRITE_ROWS_V1 = 23,
    EVENT_UPDATE_ROWS_V1 = 24,
    EVENT_DELETE_ROWS_V1 = 25,
    EVENT_INCIDENT = 26,
    EVENT_HEARTBEAT = 27,
    EVENT_ROWS_QUERY = 29,
    EVENT_WRITE_ROWS = 30,
    EVENT_UPDATE_ROWS = 31,
    EVENT_DELETE_ROWS = 32,
    EVENT_GTID = 33,
    EVENT_ANONYMOUS_GTID = 34,
    EVENT_PREVIOUS_GTIDS = 35,
    EVENT_XA_PREPARE = 38,
    EVENT_PARTIAL_UPDATE_ROWS = 39,
    EVENT_TRANSACTION_PAYLOAD = 40,
    EVENT_HEARTBEAT_V2 = 41,
    EVENT_GTID_TAGGED = 42,
    EVENT_MARIADB_ANNOTATE_ROWS = 160,
    EVENT_MARIADB_CHECKPOINT = 161,
    EVENT_MARIADB_GTID = 162,
    EVENT_MARIADB_GTID_LIST = 163,
    EVENT_MARIADB_QUERY_COMPRESSED = 165
};

/* Header flags. */
#define EVENT_FLAG_IN_USE     0x0001 /* of a format description: the file was not closed */
#define EVENT_FLAG_NO_USE     0x0008 /* a statement that needs no USE of its database before it */
#define EVENT_FLAG_ARTIFICIAL 0x0020 /* made by the dump thread, in no file */
#define EVENT_FLAG_IGNORABLE  0x0080

struct event_header {
    uint32_t timestamp; /* seconds since 1970 on the source; 0 in artificial events */
    uint32_t server_id;
    uint32_t length;  /* of the whole event, header and CRC included */
    uint32_t log_pos; /* end of the event in its file, modulo 2^32 */
    uint16_t flags;
    uint8_t type;
};

/* The header of an event whose first EVENT_HEADER bytes are at p. */
static inline void event_header_decode(struct event_header *h, const uint8_t *p)
{
    h->timestamp = le32(p);
    h->type = p[4];
    h->server_id = le32(p + 5);
    h->length = le32(p + 9);
    h->log_pos = le32(p + 13);
    h->flags = le16(p + 17);
}

/* True for events that a dump thread makes up and that are in no file: artificial Rotate,
 * heartbeat. */
static inline bool event_is_heartbeat(const struct event_header *h)
{
    return h->type == EVENT_HEARTBEAT || h->type == EVENT_HEARTBEAT_V2;
}

/* CRC-32 as zlib's, continued from crc (0 to begin). */
uint32_t event_crc32(uint32_t crc, struct bytes data);
/* Whether the CRC in the last 4 bytes of the whole event is right. The CRC of a format description
 * is the one that it has with EVENT_FLAG_IN_USE cleared. */
bool event_crc_ok(const struct event_header *h, struct bytes event);

/* The same for an event, but no format description, that comes in parts. */
struct event_crc {
    uint64_t body; /* bytes before the CRC */
    uint64_t seen;
    uint32_t crc;
    uint8_t crc_len; /* EVENT_CRC, or 0 where events have none */
    uint8_t tail[EVENT_CRC];
};

/* length: of the whole event, at least crc_len. */
void event_crc_begin(struct event_crc *c, uint32_t length, uint8_t crc_len);
/* The parts must not be longer than the event. */
void event_crc_add(struct event_crc *c, struct bytes part);
/* Once all was added: whether the CRC is right, or there is none. */
bool event_crc_is_right(const struct event_crc *c);

/* The type's name as SHOW BINLOG EVENTS prints it; "Unknown" for others. */
const char *event_type_name(uint8_t type);

/* The magic that begins each file, EVENT_MAGIC_LEN bytes. */
struct bytes event_magic(void);

#endif
