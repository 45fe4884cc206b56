/*
 * The journal: one thread that writes what the loop puts into a ring, and makes it durable.
 *
 * Group commit comes by itself: what arrives while one fdatasync runs goes into the next. Bytes are
 * counted from the journal's start by a 64-bit stream offset; journal_synced says up to which
 * offset everything is durable, in every sense that an ACK needs: all bytes before it were written
 * and covered by a later fdatasync that succeeded, each earlier file is complete, a new file's
 * directory was fsynced, and the index that names it is on disk.
 *
 * After a failed write or sync nothing more is written and journal_synced never moves again
 * (journal_failed); only a full disk and a diverged source can be left, by journal_restart. No call
 * is ever repeated on the hope that it works the second time: after a failed fdatasync the kernel
 * may have dropped the pages, and the next one would succeed.
 *
 * All functions are the loop's. None of them waits except journal_free.
 */
#ifndef BINLOGD_STORE_JOURNAL_H
#define BINLOGD_STORE_JOURNAL_H

#include "base/fs.h"
#include "base/histogram.h"
#include "store/binfile.h"

#define JOURNAL_LAZY_US     10000u
#define JOURNAL_TARGETS_MAX 16 /* files that can be waiting to be begun */

struct journal;

struct journal_opts {
    const struct fs *fs;
    size_t ring_size; /* bytes; a power of two */
    /* Called from the thread when journal_synced, journal_applied or journal_failed may have
     * changed. */
    void (*wake)(void *ctx);
    void *ctx;
};

/* Where the bytes from some stream offset on go. */
struct journal_target {
    int dirfd; /* must stay open until the switch was applied */
    struct binfile_name name;
    bool create;    /* the file must not exist; else it must */
    uint64_t start; /* file offset of the first byte put after the switch */
    /* Of an existing file: it is cut to this size first, and bytes put below it are compared with
     * what is there instead of written; a difference is ERR_DIVERGED. */
    uint64_t size;
    /* malloc'ed text of the index file, to be replaced before the new file's first bytes count as
     * durable; NULL to leave the index alone. The journal frees it. */
    char *index_text;
};

struct journal *journal_new(const struct journal_opts *opts);
/* Writes and syncs what was published, then ends the thread; only journal_bound, journal_free and
 * the questions may follow. -1 with the reason when not all of it became durable. */
int journal_stop(struct journal *j, struct err *err);
/* Stops it first if need be. NULL is accepted. */
void journal_free(struct journal *j);

/* How many bytes can be put. */
size_t journal_room(const struct journal *j);
/* Copies bytes into the ring; n must not exceed the room. They are the thread's after publish. */
void journal_put(struct journal *j, struct bytes data);
/* Stream offset behind the last byte put. */
uint64_t journal_offset(const struct journal *j);
void journal_publish(struct journal *j);
/* Somebody waits for what was put: once published, it is synced as soon as it is written. Otherwise
 * syncs keep JOURNAL_LAZY_US apart while bytes keep coming. Called before the publish, it spares
 * the thread a wake in vain. */
void journal_hurry(struct journal *j);
/* Forgets what was put behind the offset, as far as it was not published. */
void journal_rewind(struct journal *j, uint64_t offset);

/* From the present offset on (all before it published), bytes go to another place. -1 when
 * JOURNAL_TARGETS_MAX are waiting. Takes target->index_text in either case. */
bool journal_can_switch(const struct journal *j);
void journal_switch(struct journal *j, const struct journal_target *target);

/* An index to be replaced apart from a new file, because names went from its list. */
struct journal_index {
    int dirfd;                /* must stay open until it is done */
    struct binfile_name name; /* any of the list */
    char *text;               /* malloc'ed; the journal frees it */
};

/* Replaces the index, between two syncs: behind all switches asked for so far, whose texts are
 * older, and before the next. One that still waits is forgotten. The result is the request's
 * number, from 1. It is carried out too while the journal stands still because the disk is full. */
uint64_t journal_index(struct journal *j, const struct journal_index *index);

struct journal_indexed {
    uint64_t durable; /* the last request that was carried out */
    uint64_t refused; /* the last that was not */
    struct err err;   /* why not: ERR_NO_SPACE, or, while the journal stood still, ERR_IO */
};

void journal_indexed(struct journal *j, struct journal_indexed *indexed);

/* Everything before this offset is durable. */
uint64_t journal_synced(const struct journal *j);
/* How many switches were carried out: the file is open, cut and synced, all before it durable. */
uint64_t journal_applied(const struct journal *j);
/* How many switches were asked for. */
uint64_t journal_switched(const struct journal *j);
/* Whether the journal stopped, and then why. */
bool journal_failed(struct journal *j, struct err *err);
/* After ERR_NO_SPACE or ERR_DIVERGED, which leave what is durable as it was: forgets everything
 * that is not yet durable and takes targets again. */
void journal_restart(struct journal *j);

/* What is to be noted as the durable bound (watermark.h) in the directory that was switched to
 * last, within a second or so: a place that will never be cut off, so the end of a transaction that
 * is durable. NULL: nothing; what was not yet noted is forgotten. */
void journal_bound(struct journal *j, const struct binfile_name *name, uint64_t pos);

#define JOURNAL_HEAD_MAX 1024

/* The first bytes of the file that the last applied switch to an existing file opened; they live
 * until the next switch. */
struct bytes journal_head(struct journal *j);

struct journal_stats {
    struct histogram syncs; /* fdatasync calls that made bytes durable */
    uint64_t queue;         /* bytes published and not yet durable */
    uint64_t capacity;      /* of the ring, bytes */
};

void journal_stats(struct journal *j, struct journal_stats *stats);

#endif
