/* Reads the packets of a server's answer on its own, without the code that is under test. */
#include "answer.h"

struct packets {
    struct rd r;
    uint8_t seq;
    bool bad;
};

static struct bytes next_packet(struct packets *p)
{
    uint32_t n = rd_u24(&p->r);
    if (rd_u8(&p->r) != p->seq++)
        p->bad = true;
    struct bytes payload = rd_bytes(&p->r, n);
    if (p->r.bad || n == 0)
        p->bad = true;
    return p->bad ? bytes_of("\xff", 1) : payload;
}

static uint64_t read_length(struct rd *r, bool *null)
{
    uint8_t first = rd_u8(r);
    *null = first == 0xfb;
    switch (first) {
    case 0xfb:
        return 0;
    case 0xfc:
        return rd_u16(r);
    case 0xfd:
        return rd_u24(r);
    case 0xfe:
        return rd_u64(r);
    default:
        return first;
    }
}

static struct bytes read_text(struct rd *r, bool *null)
{
    return rd_bytes(r, read_length(r, null));
}

static void describe_column(struct packets *p, struct buf *text)
{
    bool null;
    struct rd r = rd_of(next_packet(p));
    for (int i = 0; i < 4; i++)
        read_text(&r, &null); /* catalog, schema, table, original table */
    struct bytes name = read_text(&r, &null);
    read_text(&r, &null); /* original name */
    rd_bytes(&r, 1 + 2 + 4);
    unsigned type = rd_u8(&r), flags = rd_u16(&r);
    rd_bytes(&r, 3);
    if (r.bad || rd_left(&r))
        p->bad = true;
    wr_bytes(text, name);
    wr_fmt(text, ":%u:%x", type, flags);
}

static void describe_row(struct packets *p, struct bytes payload, uint64_t columns,
                         struct buf *text)
{
    struct rd r = rd_of(payload);
    bool null;
    wr_str(text, " | ");
    for (uint64_t i = 0; i < columns; i++) {
        struct bytes cell = read_text(&r, &null);
        wr_str(text, i ? "," : "");
        wr_bytes(text, null ? bytes_str("NULL") : cell);
    }
    if (r.bad || rd_left(&r))
        p->bad = true;
}

static bool is_eof(struct bytes payload)
{
    return payload.n == 5 && payload.p[0] == 0xfe;
}

static void describe_rows(struct packets *p, struct bytes first, struct buf *text)
{
    bool null;
    struct rd r = rd_of(first);
    uint64_t columns = read_length(&r, &null);
    for (uint64_t i = 0; i < columns && !p->bad; i++) {
        wr_str(text, i ? "," : "");
        describe_column(p, text);
    }
    if (!is_eof(next_packet(p)))
        p->bad = true;
    while (!p->bad) {
        struct bytes row = next_packet(p);
        if (is_eof(row))
            break;
        describe_row(p, row, columns, text);
    }
}

static void describe_error(struct bytes payload, struct buf *text)
{
    struct rd r = rd_of(bytes_skip(payload, 1));
    unsigned code = rd_u16(&r);
    rd_u8(&r);
    struct bytes state = rd_bytes(&r, 5);
    wr_fmt(text, "ERR %u %.*s ", code, (int)state.n, (const char *)state.p);
    wr_bytes(text, rd_rest(&r));
}

void answer_describe(struct bytes packets, struct buf *text)
{
    struct packets p = {rd_of(packets), 1, false};
    size_t start = text->len;
    struct bytes first = next_packet(&p);
    if (first.p[0] == 0xff && !p.bad)
        describe_error(first, text);
    else if (first.p[0] == 0 && !p.bad)
        wr_str(text, "OK");
    else if (!p.bad)
        describe_rows(&p, first, text);
    if (p.bad || rd_left(&p.r)) {
        buf_truncate(text, start);
        wr_str(text, "BROKEN");
    }
    wr_u8(text, 0);
    buf_truncate(text, text->len - 1);
}
