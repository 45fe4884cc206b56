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

#define FLAG_UNSIGNED 0x20
#define FLAG_BINARY   0x80

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

/* ColumnDefinition41; the tables' names are empty, for there are none. */
static void write_column(struct reply_writer *w, const struct reply_column *c)
{
    bool number = c->type == REPLY_TYPE_LONGLONG;
    struct buf *out = begin_packet(w);
    lenenc_str_encode(out, bytes_str("def"));
    wr_zero(out, 3); /* schema, table, original table */
    lenenc_str_encode(out, bytes_str(c->name));
    wr_zero(out, 1);  /* original name */
    wr_u8(out, 0x0c); /* length of what follows */
    wr_u16(out, number ? CHARSET_BINARY : CHARSET_UTF8MB4);
    wr_u32(out, number ? 20 : 1024); /* width for display */
    wr_u8(out, (uint8_t)c->type);
    wr_u16(out, number ? FLAG_UNSIGNED | FLAG_BINARY : 0);
    wr_u8(out, number ? 0 : 31); /* decimals */
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
