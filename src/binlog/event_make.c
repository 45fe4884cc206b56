/* Events that are in no file. */
#include "binlog/event_make.h"

#include "binlog/fde.h"

#define AT_LENGTH   9
#define AT_LOG_POS  13
#define AT_FLAGS    17
#define AT_CREATED  (EVENT_HEADER + 52)
#define FIELD_END   0
#define FIELD_FILE  1
#define FIELD_POS   2
#define U64_MARK    0xfe /* length-encoded integer of 8 bytes */
#define U64_ENCODED 9

static size_t begin(struct buf *out, uint8_t type, const struct event_make *m, uint32_t log_pos,
                    uint16_t flags)
{
    size_t start = out->len;
    wr_u32(out, 0);
    wr_u8(out, type);
    wr_u32(out, m->server_id);
    wr_u32(out, 0); /* length, known at the end */
    wr_u32(out, log_pos);
    wr_u16(out, flags);
    return start;
}

static void finish(struct buf *out, const struct event_make *m, size_t start)
{
    size_t n = out->len - start;
    uint8_t *p = out->data + out->off + start;
    put_le32(p + AT_LENGTH, (uint32_t)(n + (m->crc ? EVENT_CRC : 0)));
    if (m->crc)
        wr_u32(out, event_crc32(0, bytes_of(p, n)));
}

void event_make_rotate(struct buf *out, const struct event_make *m)
{
    size_t start = begin(out, EVENT_ROTATE, m, 0, EVENT_FLAG_ARTIFICIAL);
    wr_u64(out, m->pos);
    wr_str(out, m->file);
    finish(out, m, start);
}

void event_make_gtid_list(struct buf *out, const struct event_make *m, struct bytes body)
{
    size_t start = begin(out, EVENT_MARIADB_GTID_LIST, m, (uint32_t)m->pos, EVENT_FLAG_ARTIFICIAL);
    wr_bytes(out, body);
    finish(out, m, start);
}

void event_make_heartbeat(struct buf *out, const struct event_make *m)
{
    size_t start = begin(out, EVENT_HEARTBEAT, m, (uint32_t)m->pos, 0);
    wr_str(out, m->file);
    finish(out, m, start);
}

/* Fields of type, length, value; the position is a length-encoded integer. */
void event_make_heartbeat_v2(struct buf *out, const struct event_make *m)
{
    size_t start = begin(out, EVENT_HEARTBEAT_V2, m, (uint32_t)m->pos, 0);
    size_t n = strlen(m->file);
    wr_u8(out, FIELD_FILE);
    if (n < 0xfb) {
        wr_u8(out, (uint8_t)n);
    } else {
        wr_u8(out, 0xfc);
        wr_u16(out, (uint16_t)n);
    }
    wr_str(out, m->file);
    wr_u8(out, FIELD_POS);
    wr_u8(out, U64_ENCODED);
    wr_u8(out, U64_MARK);
    wr_u64(out, m->pos);
    wr_u8(out, FIELD_END);
    finish(out, m, start);
}

static void make_format(struct buf *out, struct bytes stored, bool own_crc, uint32_t log_pos)
{
    size_t start = out->len;
    wr_bytes(out, stored);
    uint8_t *p = out->data + out->off + start;
    memset(p + AT_CREATED, 0, 4);
    put_le32(p + AT_LOG_POS, log_pos);
    p[AT_FLAGS] &= (uint8_t)~EVENT_FLAG_IN_USE;
    if (own_crc)
        put_le32(p + stored.n - EVENT_CRC, event_crc32(0, bytes_of(p, stored.n - EVENT_CRC)));
}

void event_make_resumed_format(struct buf *out, struct bytes stored, bool own_crc)
{
    make_format(out, stored, own_crc, le32(stored.p + AT_LOG_POS));
}

void event_make_mid_file_format(struct buf *out, struct bytes stored, bool own_crc)
{
    make_format(out, stored, own_crc, 0);
}
