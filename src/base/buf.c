/* Growable byte queue and little-endian writers. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_fini_secret(struct buf *b)
{
    mem_wipe(b->data, b->cap);
    buf_fini(b);
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->off - b->len >= n)
        return b->data + b->off + b->len;
    if (b->off) {
        memmove(b->data, b->data + b->off, b->len);
        b->off = 0;
    }
    if (b->cap - b->len < n) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap - b->len < n)
            cap *= 2;
        b->data = mem_realloc(b->data, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
    BUG_ON(n > b->cap - b->off - b->len);
    b->len += n;
}

void buf_consume(struct buf *b, size_t n)
{
    BUG_ON(n > b->len);
    b->len -= n;
    b->off = b->len ? b->off + n : 0;
}

void buf_clear(struct buf *b)
{
    b->off = b->len = 0;
}

void buf_truncate(struct buf *b, size_t len)
{
    BUG_ON(len > b->len);
    b->len = len;
}

void wr_bytes(struct buf *b, struct bytes v)
{
    if (!v.n)
        return;
    memcpy(buf_reserve(b, v.n), v.p, v.n);
    buf_commit(b, v.n);
}

static void wr_le(struct buf *b, uint64_t v, size_t n)
{
    uint8_t *p = buf_reserve(b, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    buf_commit(b, n);
}

void wr_u8(struct buf *b, uint8_t v)
{
    wr_le(b, v, 1);
}

void wr_u16(struct buf *b, uint16_t v)
{
    wr_le(b, v, 2);
}

void wr_u24(struct buf *b, uint32_t v)
{
    wr_le(b, v, 3);
}

void wr_u32(struct buf *b, uint32_t v)
{
    wr_le(b, v, 4);
}

void wr_u48(struct buf *b, uint64_t v)
{
    wr_le(b, v, 6);
}

void wr_u64(struct buf *b, uint64_t v)
{
    wr_le(b, v, 8);
}

void wr_zero(struct buf *b, size_t n)
{
    memset(buf_reserve(b, n), 0, n);
    buf_commit(b, n);
}

void wr_str(struct buf *b, const char *s)
{
    wr_bytes(b, bytes_str(s));
}

void wr_cstr(struct buf *b, const char *s)
{
    wr_bytes(b, bytes_of(s, strlen(s) + 1));
}

void wr_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    BUG_ON(n < 0);
    vsnprintf((char *)buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
    buf_commit(b, (size_t)n);
    va_end(again);
    va_end(ap);
}
