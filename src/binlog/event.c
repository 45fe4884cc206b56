/* CRC-32 and type names of events. */
#include "binlog/event.h"

#include <libdeflate.h>

struct bytes event_magic(void)
{
    return bytes_of("\xfe\x62\x69\x6e", EVENT_MAGIC_LEN);
}

uint32_t event_crc32(uint32_t crc, struct bytes data)
{
    return libdeflate_crc32(crc, data.p, data.n);
}

/* The flags' low byte, which holds EVENT_FLAG_IN_USE, is byte 17 of the header. */
static uint32_t format_description_crc(struct bytes body)
{
    uint8_t header[EVENT_HEADER];
    memcpy(header, body.p, EVENT_HEADER);
    header[17] &= (uint8_t)~EVENT_FLAG_IN_USE;
    uint32_t crc = event_crc32(0, bytes_of(header, EVENT_HEADER));
    return event_crc32(crc, bytes_skip(body, EVENT_HEADER));
}

bool event_crc_ok(const struct event_header *h, struct bytes event)
{
    if (event.n < EVENT_HEADER + EVENT_CRC)
        return false;
    struct bytes body = bytes_of(event.p, event.n - EVENT_CRC);
    uint32_t crc =
        h->type == EVENT_FORMAT_DESCRIPTION ? format_description_crc(body) : event_crc32(0, body);
    return crc == le32(body.p + body.n);
}

void event_crc_begin(struct event_crc *c, uint32_t length, uint8_t crc_len)
{
    *c = (struct event_crc){.body = length - crc_len, .crc_len = crc_len};
}

void event_crc_add(struct event_crc *c, struct bytes part)
{
    size_t n = 0;
    if (c->seen < c->body) {
        n = part.n < c->body - c->seen ? part.n : (size_t)(c->body - c->seen);
        c->crc = event_crc32(c->crc, bytes_of(part.p, n));
    }
    for (; n < part.n; n++)
        c->tail[c->seen + n - c->body] = part.p[n];
    c->seen += part.n;
}

bool event_crc_is_right(const struct event_crc *c)
{
    return !c->crc_len || c->crc == le32(c->tail);
}

const char *event_type_name(uint8_t type)
{
    static const char *const names[256] = {
        [1] = "Start_v3",
        [EVENT_QUERY] = "Query",
        [EVENT_STOP] = "Stop",
        [EVENT_ROTATE] = "Rotate",
        [EVENT_INTVAR] = "Intvar",
        [EVENT_APPEND_BLOCK] = "Append_block",
        [EVENT_DELETE_FILE] = "Delete_file",
        [EVENT_RAND] = "RAND",
        [EVENT_USER_VAR] = "User var",
        [EVENT_FORMAT_DESCRIPTION] = "Format_desc",
        [EVENT_XID] = "Xid",
        [EVENT_BEGIN_LOAD_QUERY] = "Begin_load_query",
        [EVENT_EXECUTE_LOAD_QUERY] = "Execute_load_query",
        [EVENT_TABLE_MAP] = "Table_map",
        [EVENT_WRITE_ROWS_V1] = "Write_rows_v1",
        [EVENT_UPDATE_ROWS_V1] = "Update_rows_v1",
        [EVENT_DELETE_ROWS_V1] = "Delete_rows_v1",
        [EVENT_INCIDENT] = "Incident",
        [EVENT_HEARTBEAT] = "Heartbeat",
        [28] = "Ignorable",
        [EVENT_ROWS_QUERY] = "Rows_query",
        [EVENT_WRITE_ROWS] = "Write_rows",
        [EVENT_UPDATE_ROWS] = "Update_rows",
        [EVENT_DELETE_ROWS] = "Delete_rows",
        [EVENT_GTID] = "Gtid",
        [EVENT_ANONYMOUS_GTID] = "Anonymous_Gtid",
        [EVENT_PREVIOUS_GTIDS] = "Previous_gtids",
        [36] = "Transaction_context",
        [37] = "View_change",
        [EVENT_XA_PREPARE] = "XA_prepare",
        [EVENT_PARTIAL_UPDATE_ROWS] = "Update_rows_partial",
        [EVENT_TRANSACTION_PAYLOAD] = "Transaction_payload",
        [EVENT_HEARTBEAT_V2] = "Heartbeat",
        [EVENT_GTID_TAGGED] = "Gtid_tagged_log_event",
        [EVENT_MARIADB_ANNOTATE_ROWS] = "Annotate_rows",
        [EVENT_MARIADB_CHECKPOINT] = "Binlog_checkpoint",
        [EVENT_MARIADB_GTID] = "Gtid",
        [EVENT_MARIADB_GTID_LIST] = "Gtid_list",
        [164] = "Start_encryption",
        [EVENT_MARIADB_QUERY_COMPRESSED] = "Query_compressed",
        [166] = "Write_rows_compressed_v1",
        [167] = "Update_rows_compressed_v1",
        [168] = "Delete_rows_compressed_v1",
    };
    return names[type] ? names[type] : "Unknown";
}
