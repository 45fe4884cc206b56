/*
 * What MariaDB adds to a dump: a start by GTID, an end by GTID (START SLAVE UNTIL), and events that
 * the replica does not want. Only dump.c sees this.
 *
 * A replica names of each domain the last GTID it has (@slave_connect_state). The dump begins at
 * the start of the newest file behind which all that it lacks stands, and leaves out the groups of
 * a domain up to that GTID. As MariaDB 10.11 was seen to do it, and sql_repl.cc of its source.
 */
#ifndef BINLOGD_REPLICA_DUMP_MARIA_H
#define BINLOGD_REPLICA_DUMP_MARIA_H

#include "binlog/event_make.h"
#include "binlog/trx.h"
#include "replica/dump.h"

struct dump_maria;

/* NULL, with err and r->code, when what is asked for cannot be given. */
struct dump_maria *dump_maria_new(const struct store *store, struct dump_maria_request *r,
                                  struct err *err);
void dump_maria_free(struct dump_maria *m);
/* Whether the replica asked by GTID. */
bool dump_maria_by_gtid(const struct dump_maria *m);
/* Of a dump by GTID: index of the file to begin with, or -1 as dump_maria_new. */
ssize_t dump_maria_find_file(struct dump_maria *m, struct dump_maria_request *r, struct err *err);
/* Whether what the replica has is still being passed: it goes on, and keeps its temporary tables.
 */
bool dump_maria_resumes(const struct dump_maria *m);

enum dump_maria_verdict {
    DUMP_MARIA_SEND,
    DUMP_MARIA_LEAVE_OUT,
    DUMP_MARIA_REFUSE, /* err has the text; the event may be asked about again */
    DUMP_MARIA_BROKEN  /* the same, and a source says where it stands */
};

void dump_maria_file_begins(struct dump_maria *m);
/* event: from its header on; of a long one its first bytes. */
enum dump_maria_verdict dump_maria_judge(struct dump_maria *m, const struct fde *f,
                                         const struct event_header *h, struct bytes event,
                                         struct err *err);
/* Turns a whole event that is sent into what the replica knows. */
void dump_maria_fit(const struct dump_maria *m, const struct fde *f, const struct event_header *h,
                    uint8_t *event);
/* After an event: appends the next made-up Gtid_list that follows it; false when there is none. */
bool dump_maria_list_due(const struct dump_maria *m);
void dump_maria_put_list(struct dump_maria *m, struct buf *out, const struct event_make *opts);
/* All that the replica asked for was sent. */
bool dump_maria_ended(const struct dump_maria *m);

#endif
