/*
 * Bodies of the few events that the daemon must understand: Rotate, Query, GTID, Previous_gtids.
 *
 * Each decoder takes the event from its header on, without the CRC (event_body_strip), and gives
 * slices into it.
 */
#ifndef BINLOGD_BINLOG_EVENT_BODY_H
#define BINLOGD_BINLOG_EVENT_BODY_H

#include "binlog/fde.h"
#include "binlog/gtid.h"

struct event_rotate {
    uint64_t pos;
    struct bytes name;
};

int event_rotate_decode(struct event_rotate *e, struct bytes event, struct err *err);
/* The statement's text; of an event that is longer than the slice given, its beginning. */
int event_query_text(struct bytes *text, const struct fde *f, struct bytes event, struct err *err);
/* The default database of a Query event that event_query_text took; empty when there is none. */
struct bytes event_query_database(const struct fde *f, struct bytes event);
/* Gtid (33) and, since 8.3, Gtid_tagged (42). */
int event_gtid_decode(struct gtid *g, const struct event_header *h, struct bytes event,
                      struct err *err);
/* The encoded set inside Previous_gtids (35), for gtid_set_decode. */
struct bytes event_previous_gtids_set(struct bytes event);

#endif
