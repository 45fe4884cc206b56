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

bool ack_due(struct ack_queue *q, uint64_t synced, struct ack *ack)
{
    bool due = false;
    while (q->tail != q->head && q->at[q->tail & (ACK_QUEUE_MAX - 1)].offset <= synced) {
        *ack = q->at[q->tail++ & (ACK_QUEUE_MAX - 1)];
        due = true;
        if (q->mode == ACK_EACH)
            break;
    }
    return due;
}
