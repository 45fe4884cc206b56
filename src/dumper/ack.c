/* The queue of ACKs that are owed. */
#include "dumper/ack.h"

void ack_reset(struct ack_queue *q, enum ack_mode mode)
{
    q->mode = mode;
    q->head = q->tail = 0;
}

bool ack_add(struct ack_queue *q, const struct ack *ack)
{
    if (q->head - q->tail == ACK_QUEUE_MAX) {
        if (q->mode == ACK_EACH)
            return false;
        q->head--; /* the newest covers it */
    }
    q->at[q->head++ & (ACK_QUEUE_MAX - 1)] = *ack;
    return true;
}

static const struct ack *next(const struct ack_queue *q)
{
    return q->tail == q->head ? NULL : &q->at[q->tail & (ACK_QUEUE_MAX - 1)];
}

static bool within(const struct ack *ack, const struct ack_bounds *b)
{
    return ack->offset <= b->synced && (!b->replicas || point_cmp(&ack->needs, b->replicas) <= 0);
}

bool ack_due(struct ack_queue *q, const struct ack_bounds *bounds, struct ack *ack)
{
    bool due = false;
    uint64_t first_us = 0;
    for (const struct ack *a; (a = next(q)) && within(a, bounds);) {
        *ack = *a;
        first_us = due ? first_us : ack->at_us;
        ack->at_us = first_us;
        q->tail++;
        due = true;
        if (q->mode == ACK_EACH)
            break;
    }
    return due;
}

const struct ack *ack_held(const struct ack_queue *q, uint64_t synced)
{
    const struct ack *a = next(q);
    return a && a->offset <= synced ? a : NULL;
}

bool ack_blocks_source(const struct ack_queue *q)
{
    return q->mode == ACK_EACH && next(q);
}
