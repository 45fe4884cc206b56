/*
 * Keeps the GTID index of an epoch: reads the index file BASE.gtid.index at start, appends the
 * record of each file that becomes complete, and makes anew what is missing.
 *
 * The index is derived. A record that is damaged, of a file that is gone or has another size, is
 * ignored, and no failure here stops anything. Files are read and written by a thread of its own,
 * of the lowest priority, which exists once there is something to do: it can be busy with one file
 * for seconds, for which a replica's read must not wait.
 */
#ifndef BINLOGD_STORE_INDEXER_H
#define BINLOGD_STORE_INDEXER_H

#include "base/worker.h"
#include "store_priv.h"

struct indexer {
    const struct fs *fs;
    struct epoch *epoch;
    void (*wake)(void *ctx); /* from the thread: call indexer_work on the loop */
    void *wake_ctx;
    struct worker *worker; /* NULL: there was nothing to do yet */
    atomic_bool stop;
    bool due;      /* files may have to be saved or made */
    bool making;   /* a file is being read */
    unsigned made; /* how many were, since all were known */
    uint64_t size; /* of the index file as written or about to be; 0: it has to be written whole */
    bool complained; /* about a failed write */
};

/* Loads what the epoch's index file holds, if there is an epoch; it was recovered. */
void indexer_init(struct indexer *x, const struct fs *fs, struct epoch *epoch,
                  void (*wake)(void *ctx), void *wake_ctx);
/* No new work; a running job ends soon. */
void indexer_stop(struct indexer *x);
/* Waits for the thread. One that is all zeros is accepted. */
void indexer_fini(struct indexer *x);
/* The epoch is another now, without files. */
void indexer_forget(struct indexer *x);
/* T left the file behind: it is complete. */
void indexer_complete(struct indexer *x, size_t file);
/* The loop's part; does not wait. */
void indexer_work(struct indexer *x);

#endif
