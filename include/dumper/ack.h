/*
 * Which ACK the source is owed, and when: this is the place where an ACK is decided.
 *
 * The stream notes each event that the source flagged, with the stream offset behind its last byte;
 * when the store has synced past that offset the ACK is due, and not before. Positions are the
 * source's own: file name and true 64-bit offset. The queue belongs to one connection: what is
 * pending when it ends is dropped.
 */
#ifndef BINLOGD_DUMPER_ACK_H
#define BINLOGD_DUMPER_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACK_QUEUE_MAX 1024u /* a power of two */

enum ack_mode {
    ACK_LATEST, /* MySQL 5.7 and later, MariaDB: one ACK covers all before it */
    ACK_EACH    /* MySQL 5.6 and older: the dump thread reads one ACK after each flagged event */
};

struct ack {
    uint64_t offset; /* stream offset: due when the store has synced up to here */
    uint64_t pos;    /* end of the event in its file */
    size_t file;     /* index into store_files */
    uint64_t at_us;  /* clock_now_us when it was received */
};

struct ack_queue {
    enum ack_mode mode;
    uint64_t head; /* of a ring: [tail, head) */
    uint64_t tail;
    struct ack at[ACK_QUEUE_MAX];
};

void ack_reset(struct ack_queue *q, enum ack_mode mode);
/* Offsets must not decrease. False when the queue is full, which only ACK_EACH can be: such a
 * source waits for each ACK, so one that floods is broken. */
bool ack_add(struct ack_queue *q, const struct ack *ack);
/* Takes the next ACK that may be sent; false when none may. */
bool ack_due(struct ack_queue *q, uint64_t synced, struct ack *ack);

#endif
