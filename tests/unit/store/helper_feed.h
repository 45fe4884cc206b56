/*
 * Plays a source for a store: three files that a server wrote, fed event by event as the dumper
 * does, and what must then be in the directory.
 */
#ifndef BINLOGD_TESTS_FEED_H
#define BINLOGD_TESTS_FEED_H

#include "check.h"

#include "store/scan.h"
#include "store/store.h"

#include <semaphore.h>

#define FEED_FILES  3
#define FEED_SOURCE "5960727b-e4bf-11f1-8f36-02fc00000001"
#define FEED_FOLDER "0001-" FEED_SOURCE

struct feed_source {
    struct binfile_name name[FEED_FILES];
    struct bytes data[FEED_FILES];
    struct gtid_index index[FEED_FILES]; /* as the files give it */
};

/* A place in the source's files; file counts from 0. */
struct feed_place {
    size_t file;
    uint64_t pos;
};

struct feed {
    const struct feed_source *source;
    struct store *store;
    sem_t wake;
    size_t batch; /* events between two publishes; each is waited for */
    size_t ring_size;

    struct feed_place at; /* where the next event stands */
    struct trx trx;
    struct fde fde;
    struct gtid gtid;

    bool reported;       /* anything durable */
    struct feed_place t; /* the highest that store_end said */
    bool failed;
    struct err err;
    const char *broken; /* an invariant that did not hold */
    unsigned rooms;
};

void feed_source_load(struct feed_source *source);
void feed_source_free(struct feed_source *source);
/* Order of two places. */
int feed_cmp(struct feed_place a, struct feed_place b);

/* Opens the store in the directory; -1 with f->err when it does not open. */
int feed_open(struct feed *f, const struct feed_source *source, const char *dir,
              const struct fs *fs);
void feed_close(struct feed *f);
/* Resumes and waits until settled, makes the epoch when there is none; -1 when the store failed. */
int feed_settle(struct feed *f);
int feed_settle_from_start(struct feed *f);
/* Feeds the next event and, at off 0, the magic; -1 when the store failed or refused. */
int feed_event(struct feed *f);
/* Waits for a wake of the store's threads, at most 20 s, and does the loop's part. */
void feed_work(struct feed *f);
/* Publishes and waits until all is durable. */
int feed_sync(struct feed *f);
/* Feeds and syncs whatever begins before the place. */
int feed_until(struct feed *f, struct feed_place end);
int feed_all(struct feed *f);
/* The place behind the last byte of the source. */
struct feed_place feed_end(const struct feed_source *source);
/* T of the open store; 0:0 when it is empty. */
struct feed_place feed_t(const struct feed *f);

/* The first thing wrong with the directory of an open store, or NULL: up to T the source's bytes
 * and nothing behind it, the index, the GTIDs, no untrue GTID index. recovered: the store was just
 * opened, else it may have bytes behind T. */
const char *feed_check(const struct feed *f, const char *dir, bool recovered);

/* fs_posix, whose syncs do nothing: for tests that lose nothing. */
const struct fs *feed_fast_fs(void);

#endif
