/*
 * What is kept of the stored files, and for how long: the rules of [storage] at the start, when a
 * file was begun and once a minute, and what an operator asks to have purged.
 *
 * Who connects is asked of the store: no file goes that a replica reads or has yet to read.
 */
#ifndef BINLOGD_APP_RETENTION_H
#define BINLOGD_APP_RETENTION_H

#include "app/config.h"
#include "base/buf.h"
#include "store/expiry.h"
#include "store/store.h"

#include <ev.h>

struct retention;

struct retention_opts {
    struct ev_loop *loop;
    struct worker *worker;
    struct store *store;
    const struct config *config; /* looked at anew each time */
};

struct retention *retention_new(const struct retention_opts *opts);
/* The worker must be freed before. NULL is accepted. */
void retention_free(struct retention *r);
/* The rules have changed: looks at once, or nearly. */
void retention_reconfigure(struct retention *r);
/* Before worker and loop go. NULL is accepted. */
void retention_stop(struct retention *r);

/* What became of a wish to purge. */
struct retention_purged {
    size_t asked;     /* files that were to go */
    size_t purged;    /* so many of them go */
    const char *kept; /* the next of them, "" when none is; it lives until the next call that begins
                       * a file or purges */
    unsigned readers; /* dumps that keep it; 0: it is one of the newest STORE_KEEP_FILES */
};

enum retention_answer {
    RETENTION_PURGED,
    RETENTION_UNKNOWN, /* no such file: ER_UNKNOWN_TARGET_BINLOG */
    RETENTION_FAILED   /* err says why */
};

/* PURGE BINARY LOGS TO and BEFORE (seconds since 1970, by the time of events): the files before the
 * named one, or those with nothing as young, without regard to the rules. They go from the list at
 * once and from the disk a little later. */
enum retention_answer retention_purge_to(struct retention *r, struct bytes name,
                                         struct retention_purged *purged, struct err *err);
enum retention_answer retention_purge_before(struct retention *r, int64_t time,
                                             struct retention_purged *purged, struct err *err);

/* ---- the same for the program without a daemon ---- */

/* All files of a store as the rules want to see them. */
struct retention_view {
    struct expiry_file *files;
    size_t n;
    struct store_hold hold;
};

void retention_view_init(struct retention_view *v, const struct store *store);
void retention_view_fini(struct retention_view *v);
void retention_plan(const struct retention_view *v, const struct store *store,
                    const struct expiry_rules *rules, struct expiry_plan *plan);
struct expiry_rules retention_rules(const struct config_storage *c);

#endif
