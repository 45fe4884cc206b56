/* Frames: splitting a message into packets. */
#include "mysql/packet.h"

uint8_t packet_encode(struct buf *out, struct bytes message, uint8_t seq)
{
    size_t n;
    do {
        n = message.n < PACKET_PART_MAX ? message.n : PACKET_PART_MAX;
        wr_u24(out, (uint32_t)n);
        wr_u8(out, seq++);
        wr_bytes(out, bytes_of(message.p, n));
        message = bytes_skip(message, n);
    } while (n == PACKET_PART_MAX);
    return seq;
}
