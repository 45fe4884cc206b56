/*
 * Which ACK the source is owed, and when: this is the place where an ACK is decided.
 *
 * The stream notes each event that the source flagged, with the stream offset behind its last byte;
 * when the store has synced past that offset, and replicas that are waited for have what they need
 * to have, the ACK is due, and not before. Positions are the source's own: file name and true
 * 64-bit offset. The queue belongs to one connection: what is pending when it ends is dropped.
 */
#ifndef BINLOGD_DUMPER_ACK_H
#define BINLOGD_DUMPER_ACK_H

#include "store/point.h"

#include <stdbool.h>
#include <stddef.h>

#define ACK_QUEUE_MAX 1024u /* a power of two */

enum ack_mode {
    ACK_LATEST, /* MySQL 5.7 and later, MariaDB: one ACK covers all before it */
    ACK_EACH    /* MySQL 5.6 and older: the dump thread reads one ACK after each flagged event */
};

struct ack {
    uint64_t offset; /* stream offset: due when the store has synced up to here */
    uint64_t pos;    /* end of the event in its file */
    uint64_t file;   /* its number */
    uint64_t at_us;  /* clock_now_us when it was received */
    /* The end of the last complete transaction up to here, which is all that replicas can have: a
     * flagged event can stand in the middle of one. */
    struct point needs;
    uint64_t transactions; /* received up to here on this connection */
};

/* What may be acknowledged. */
struct ack_bounds {
    uint64_t synced;              /* stream offset up to where all is durable */
    const struct point *replicas; /* up to where enough of them have all; NULL: none is awaited */
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
/* Takes the next ACK that may be sent; false when none may. Its at_us is that of the first event it
 * covers, which has waited longest. */
bool ack_due(struct ack_queue *q, const struct ack_bounds *bounds, struct ack *ack);
/* The next one that is durable, and so awaits replicas alone after ack_due was false; NULL: none.
 */
const struct ack *ack_held(const struct ack_queue *q, uint64_t synced);
/* Whether the source sends nothing, not even heartbeats, before it has an ACK. */
bool ack_blocks_source(const struct ack_queue *q);

#endif
