/*
 * Borrowed byte slices and a bounds-checked little-endian reader.
 *
 * A `struct bytes` owns nothing: it is valid as long as the callback or call that handed it out
 * says. A `struct rd` walks over a slice; the first read past the end sets `bad`, after which every
 * read gives 0 or an empty slice, so a decoder checks once, at its end. All integers are
 * little-endian (MySQL's wire and binary log order).
 */
#ifndef BINLOGD_BASE_BYTES_H
#define BINLOGD_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

struct rd {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    struct bytes b = {p, n};
    return b;
}

static inline struct bytes bytes_str(const char *s)
{
    return bytes_of(s, strlen(s));
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The slice without its first n bytes; n must not exceed b.n. */
static inline struct bytes bytes_skip(struct bytes b, size_t n)
{
    return bytes_of(b.p + n, b.n - n);
}

static inline uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static inline uint32_t le32(const uint8_t *p)
{
    return le24(p) | (uint32_t)p[3] << 24;
}

static inline uint64_t le64(const uint8_t *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline struct rd rd_of(struct bytes b)
{
    struct rd r = {b.p, b.n ? b.p + b.n : b.p, false};
    return r;
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}

/* Takes n bytes and returns where they begin, or NULL (and marks the reader bad) if fewer are left.
 */
static inline const uint8_t *rd_take(struct rd *r, uint64_t n)
{
    if (r->bad || n > rd_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_take(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_take(r, 2);
    return p ? le16(p) : 0;
}

static inline uint32_t rd_u24(struct rd *r)
{
    const uint8_t *p = rd_take(r, 3);
    return p ? le24(p) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_take(r, 4);
    return p ? le32(p) : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = rd_take(r, 8);
    return p ? le64(p) : 0;
}

static inline struct bytes rd_bytes(struct rd *r, uint64_t n)
{
    const uint8_t *p = rd_take(r, n);
    return p ? bytes_of(p, (size_t)n) : bytes_of("", 0);
}

static inline struct bytes rd_rest(struct rd *r)
{
    return rd_bytes(r, rd_left(r));
}

/* A string that ends with a NUL byte, which is consumed and not part of the result. */
static inline struct bytes rd_cstr(struct rd *r)
{
    const uint8_t *nul = rd_left(r) ? memchr(r->p, 0, rd_left(r)) : NULL;
    if (!nul) {
        rd_take(r, UINT64_MAX);
        return bytes_of("", 0);
    }
    struct bytes b = rd_bytes(r, (uint64_t)(nul - r->p));
    rd_take(r, 1);
    return b;
}

/* Whether there is an ASCII control character in it: it would end a line, or not be seen. */
bool bytes_has_control(struct bytes b);
/* Copies the slice to dst as a C string. -1 if it does not fit or holds a NUL byte. */
int bytes_to_str(struct bytes b, char *dst, size_t cap);

#endif
