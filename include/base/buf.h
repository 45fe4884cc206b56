/*
 * A growable byte queue with little-endian writers: encoders append, I/O consumes from the front.
 *
 * The owner bounds what is put in; the queue itself only grows. Pointers into it are valid until
 * the next call that appends.
 */
#ifndef BINLOGD_BASE_BUF_H
#define BINLOGD_BASE_BUF_H

#include "base/bytes.h"

struct buf {
    uint8_t *data; /* allocation of cap bytes; the content is data[off .. off + len) */
    size_t off;
    size_t len;
    size_t cap;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
/* As buf_fini, overwriting the content first. */
void buf_fini_secret(struct buf *b);

/* Room for n more bytes behind the content; write there, then buf_commit what was written. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Drops n bytes from the front; n must not exceed the content. */
void buf_consume(struct buf *b, size_t n);
void buf_clear(struct buf *b);
/* Cuts the content back to its first len bytes. */
void buf_truncate(struct buf *b, size_t len);

static inline struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->data ? b->data + b->off : NULL, b->len);
}

void wr_bytes(struct buf *b, struct bytes v);
void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u24(struct buf *b, uint32_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u48(struct buf *b, uint64_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_zero(struct buf *b, size_t n);
void wr_str(struct buf *b, const char *s);  /* without a NUL */
void wr_cstr(struct buf *b, const char *s); /* with its NUL */
void wr_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
