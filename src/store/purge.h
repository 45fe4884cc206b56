/*
 * The removal of files whose names have gone from the list: the index without them first, durably,
 * by the journal; then they are unlinked by the worker, the oldest first, the directory synced
 * after each, so that a crash leaves an unbroken sequence at any moment. What a crash leaves of the
 * files recovery takes into the list again: it never removes anything.
 *
 * On a full disk the index may not find room: then a file is unlinked before it, and so on.
 */
#ifndef BINLOGD_STORE_PURGE_H
#define BINLOGD_STORE_PURGE_H

#include "store/store_priv.h"

struct purge;

struct purge_opts {
    const struct fs *fs;
    struct journal *journal;
    struct worker *worker; /* must be freed before the purge is */
    const struct epoch *epoch;
    void (*done)(void *ctx); /* all is removed */
    /* ERR_IO: the directory is in doubt. ERR_OTHER: a file cannot be removed; none behind it was.
     */
    void (*failed)(void *ctx, const struct err *err);
    void *ctx;
};

/* NULL when the directory cannot be held. */
struct purge *purge_new(const struct purge_opts *opts, struct err *err);
void purge_free(struct purge *p);
/* Takes the names of files that follow those taken before; the epoch's list must be without them
 * already. */
void purge_add(struct purge *p, const struct binfile_name *names, size_t n);
/* Goes on as far as it can; done and failed come from here and from worker_reap, and may free it.
 */
void purge_step(struct purge *p);
/* The epoch is replaced by another: its index is not touched any more. */
void purge_leave_epoch(struct purge *p);
bool purge_left_epoch(const struct purge *p);

#endif
