/*
 * MariaDB's GTIDs: domain, server_id and a number that counts per domain. Their text is
 * `domain-server-seq`, lists have commas between.
 *
 * A state knows of each pair (domain, server_id) the last number, and of each domain which of its
 * pairs came last: what a Gtid_list event (163) at the start of a file says of all files before it.
 * A position is a state with one GTID per domain, as replicas give it. Facts: MariaDB Knowledge
 * Base, "GTID_EVENT" and "GTID_LIST_EVENT", and the bytes that 10.11 wrote.
 */
#ifndef BINLOGD_BINLOG_MARIA_H
#define BINLOGD_BINLOG_MARIA_H

#include "base/buf.h"
#include "base/err.h"
#include "binlog/event.h"

#define MARIA_TEXT_MAX 44 /* of one GTID, with a NUL */

#define MARIA_GTID_STANDALONE 0x01 /* flag: no COMMIT follows, the statement ends the group */
#define MARIA_LIST_UNTIL      0x1  /* flag of a list: the position to stop at was reached */

struct maria_gtid {
    uint32_t domain;
    uint32_t server_id;
    uint64_t seq; /* 0: there is none */
};

struct maria_entry {
    struct maria_gtid gtid;
    uint64_t order; /* the highest of its domain came last */
};

struct maria_state {
    struct maria_entry *at; /* by domain, then by server_id */
    size_t n;
    size_t cap;
    uint64_t order;
};

/* Each event is taken from its header on, without the CRC. */
int maria_gtid_decode(struct maria_gtid *g, uint8_t *flags, const struct event_header *h,
                      struct bytes event, struct err *err);
void maria_gtid_format(const struct maria_gtid *g, char text[MARIA_TEXT_MAX]);

/* A zeroed state is empty. */
void maria_state_fini(struct maria_state *s);
void maria_state_clear(struct maria_state *s);
void maria_state_swap(struct maria_state *a, struct maria_state *b);
/* Notes that the GTID came, whatever came before. */
void maria_state_update(struct maria_state *s, const struct maria_gtid *g);
/* Takes the content of a Gtid_list event over; memory is bounded by the event's length. On -1 s is
 * empty. */
int maria_state_decode(struct maria_state *s, struct bytes event, struct err *err);
/* Appends the body of a Gtid_list event, in the order that its readers rely on: the domains one by
 * one, of each the last GTID last. A few server_ids per domain are expected. */
void maria_state_encode(const struct maria_state *s, unsigned flags, struct buf *out);
/* NULL when there is none. They live until the state changes. */
const struct maria_gtid *maria_state_find(const struct maria_state *s, uint32_t domain,
                                          uint32_t server_id);
const struct maria_gtid *maria_state_last(const struct maria_state *s, uint32_t domain);
/* Appends all GTIDs, or of each domain the last: @@gtid_binlog_state, @@gtid_binlog_pos. */
void maria_state_format(const struct maria_state *s, struct buf *out);
void maria_state_format_last(const struct maria_state *s, struct buf *out);

enum maria_parse { MARIA_PARSED, MARIA_BAD_TEXT, MARIA_DUPLICATE };

/* Reads a position into an empty state; the empty text is one. err has MariaDB's words, for its
 * errors 1941 and 1943. */
enum maria_parse maria_position_parse(struct maria_state *s, struct bytes text, struct err *err);

#endif
