/* Length-encoded integers and strings. */
#include "mysql/lenenc.h"

uint64_t lenenc_int_decode(struct rd *r)
{
    uint8_t first = rd_u8(r);
    if (first < 0xfb)
        return first;
    if (first == 0xfc)
        return rd_u16(r);
    if (first == 0xfd)
        return rd_u24(r);
    if (first == 0xfe)
        return rd_u64(r);
    r->bad = true;
    return 0;
}

struct bytes lenenc_str_decode(struct rd *r)
{
    uint64_t n = lenenc_int_decode(r);
    return rd_bytes(r, n);
}

void lenenc_int_encode(struct buf *out, uint64_t v)
{
    if (v < 0xfb) {
        wr_u8(out, (uint8_t)v);
    } else if (v <= 0xffff) {
        wr_u8(out, 0xfc);
        wr_u16(out, (uint16_t)v);
    } else if (v <= 0xffffff) {
        wr_u8(out, 0xfd);
        wr_u24(out, (uint32_t)v);
    } else {
        wr_u8(out, 0xfe);
        wr_u64(out, v);
    }
}

void lenenc_str_encode(struct buf *out, struct bytes s)
{
    lenenc_int_encode(out, s.n);
    wr_bytes(out, s);
}
