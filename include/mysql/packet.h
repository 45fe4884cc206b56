/*
 * The frame of the client/server protocol: 3-byte payload length, 1-byte sequence number, payload.
 *
 * A payload of PACKET_PART_MAX bytes is followed by a further packet of the same message, which is
 * empty when the message's length is an exact multiple (manual, "Sending More Than 16Mb").
 */
#ifndef BINLOGD_MYSQL_PACKET_H
#define BINLOGD_MYSQL_PACKET_H

#include "base/buf.h"

#define PACKET_HEADER   4
#define PACKET_PART_MAX 0xffffffu

/* Appends the message in as many packets as it needs; the first has sequence number seq. Returns
 * the sequence number after the last. */
uint8_t packet_encode(struct buf *out, struct bytes message, uint8_t seq);

#endif
