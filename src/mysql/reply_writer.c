/* Packets of answers. */
#include "mysql/reply_writer.h"

#include "base/mem.h"
#include "mysql/lenenc.h"
#include "mysql/packet.h"
#include "mysql/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHARSET_UTF8MB4 45 /* utf8mb4_general_ci: known to every client that knows utf8mb4 */
#define CHARSET_BINARY  63
#define CELL_NULL       0xfb

void reply_writer_init(struct reply_writer *w, struct buf *out, uint8_t seq)
{
    *w = (struct reply_writer){.out = out, .seq = seq};
}

/* Leaves room for the header, which is known when the payload is. */
static struct buf *begin_packet(struct reply_writer *w)
{
    w->start = w->out->len;
    wr_zero(w->out, PACKET_HEADER);
    return w->out;
}

static void split_packet(struct reply_writer *w, struct bytes payload)
{
    struct buf copy;
    buf_init(&copy);
    wr_bytes(&copy, payload);
    buf_truncate(w->out, w->start);
    w->seq = packet_encode(w->out, buf_bytes(&copy), w->seq);
    buf_fini(&copy);
}

static void end_packet(struct reply_writer *w)
{
    uint8_t *header = w->out->data + w->out->off + w->start;
    size_t n = w->out->len - w->start - PACKET_HEADER;
    if (n >= PACKET_PART_MAX)
        split_packet(w, bytes_of(header + PACKET_HEADER, n));
    else
        put_le32(header, (uint32_t)n | (uint32_t)w->seq++ << 24);
}

void reply_writer_ok(struct reply_writer *w, uint16_t warnings)
{
    reply_ok_encode(begin_packet(w), warnings);
    end_packet(w);
}

void reply_writer_eof(struct reply_writer *w, uint16_t warnings)
{
    reply_eof_encode(begin_packet(w), warnings);
    end_packet(w);
}

void reply_writer_err(struct reply_writer *w, uint16_t code, const char *fmt, ...)
{
    char text[sizeof((struct reply_err *)NULL)->message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    reply_err_encode(begin_packet(w), code, text);
    end_packet(w);
}

static bool is_text(enum reply_type type)
{
    return type == REPLY_TYPE_VAR_STRING || type == REPLY_TYPE_LONG_BLOB;
}

/* For display, in bytes of UTF-8 where it is text. */
static uint32_t usual_length(enum reply_type type)
{
    switch (type) {
    case REPLY_TYPE_LONG:
        return 11;
    case REPLY_TYPE_DOUBLE:
        return 22;
    case REPLY_TYPE_NULL:
        return 0;
    case REPLY_TYPE_LONGLONG:
        return 21;
    case REPLY_TYPE_DATETIME:
        return 19;
    case REPLY_TYPE_NEWDECIMAL:
        return 67;
    case REPLY_TYPE_LONG_BLOB:
        return 268435440;
    case REPLY_TYPE_VAR_STRING:
        return 1024;
    }
    return 0;
}

static unsigned usual_flags(enum reply_type type)
{
    bool whole = type == REPLY_TYPE_LONG || type == REPLY_TYPE_LONGLONG;
    return whole ? REPLY_FLAG_UNSIGNED | REPLY_FLAG_BINARY : is_text(type) ? 0 : REPLY_FLAG_BINARY;
}

/* ColumnDefinition41; the tables' names are empty, for there are none. */
static void write_column(struct reply_writer *w, const struct reply_column *c)
{
    unsigned flags = c->flags ? c->flags : usual_flags(c->type);
    bool open_decimals = is_text(c->type) || c->type == REPLY_TYPE_DOUBLE;
    struct buf *out = begin_packet(w);
    lenenc_str_encode(out, bytes_str("def"));
    wr_zero(out, 3); /* schema, table, original table */
    lenenc_str_encode(out, bytes_str(c->name));
    wr_zero(out, 1);  /* original name */
    wr_u8(out, 0x0c); /* length of what follows */
    wr_u16(out, flags & REPLY_FLAG_BINARY ? CHARSET_BINARY : CHARSET_UTF8MB4);
    wr_u32(out, c->length ? c->length : usual_length(c->type));
    wr_u8(out, (uint8_t)c->type);
    wr_u16(out, (uint16_t)flags);
    wr_u8(out, open_decimals ? 31 : c->decimals);
    wr_zero(out, 2);
    end_packet(w);
}

void reply_writer_head(struct reply_writer *w, const struct reply_column *columns, size_t n)
{
    lenenc_int_encode(begin_packet(w), n);
    end_packet(w);
    for (size_t i = 0; i < n; i++)
        write_column(w, &columns[i]);
    reply_writer_eof(w, 0);
}

void reply_writer_row_begin(struct reply_writer *w)
{
    begin_packet(w);
}

void reply_writer_cell(struct reply_writer *w, const char *text)
{
    if (text)
        reply_writer_cell_bytes(w, bytes_str(text));
    else
        wr_u8(w->out, CELL_NULL);
}

void reply_writer_cell_bytes(struct reply_writer *w, struct bytes text)
{
    lenenc_str_encode(w->out, text);
}

void reply_writer_cell_u64(struct reply_writer *w, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    reply_writer_cell(w, text);
}

void reply_writer_row_end(struct reply_writer *w)
{
    end_packet(w);
}

void reply_writer_rows_end(struct reply_writer *w)
{
    reply_writer_eof(w, 0);
}
