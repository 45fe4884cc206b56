/*
 * A `struct fs` for tests: forwards to the kernel, and can make a call fail, write short, run a
 * hook before a call, record the order of calls, and say what a power cut would leave.
 *
 * Its syncs do not reach the disk. Instead it keeps a model of what is durable: of a file, what its
 * last fdatasync or fsync covered, and the writes since; of a directory, the names at its last
 * fsync, and the changes since. When a sync of a file fails, the writes since are lost, as with
 * Linux: they can still be read, but no later sync covers them. A file that was opened with
 * O_DIRECT reads as the model has it. There is one such file system in a program.
 */
#ifndef BINLOGD_TESTS_FAULTFS_H
#define BINLOGD_TESTS_FAULTFS_H

#include "base/fs.h"

enum faultfs_op {
    FAULTFS_OPENAT,
    FAULTFS_CLOSE,
    FAULTFS_PREAD,
    FAULTFS_PWRITEV,
    FAULTFS_FDATASYNC,
    FAULTFS_FSYNC,
    FAULTFS_FTRUNCATE,
    FAULTFS_FSTAT,
    FAULTFS_MKDIRAT,
    FAULTFS_RENAMEAT,
    FAULTFS_UNLINKAT,
    FAULTFS_GETDENTS64,
    FAULTFS_OPS
};

#define FAULTFS_BIT(op) (1u << (op))
#define FAULTFS_ALL     ((1u << FAULTFS_OPS) - 1)
/* What changes a file or makes a change durable. */
#define FAULTFS_CHANGES                                                                            \
    (FAULTFS_BIT(FAULTFS_PWRITEV) | FAULTFS_BIT(FAULTFS_FDATASYNC) | FAULTFS_BIT(FAULTFS_FSYNC) |  \
     FAULTFS_BIT(FAULTFS_FTRUNCATE) | FAULTFS_BIT(FAULTFS_MKDIRAT) |                               \
     FAULTFS_BIT(FAULTFS_RENAMEAT) | FAULTFS_BIT(FAULTFS_UNLINKAT))

enum faultfs_mode {
    FAULTFS_ONCE,      /* only that call fails */
    FAULTFS_ONCE_MINE, /* likewise, but calls of other threads than this are not counted */
    FAULTFS_CRASH      /* it and all later ones fail, and change nothing */
};

/* Forgets faults, record and model; the model then begins with what the directory holds, as
 * durable. root NULL: no model. */
void faultfs_reset(const char *root);
const struct fs *faultfs(void);

/* The n-th call (from 1, counted from now on) among those in the mask fails with errnum; 0: none.
 */
void faultfs_fail(uint64_t n, unsigned mask, int errnum, enum faultfs_mode mode);
/* A write takes at most this many bytes; 0: all. */
void faultfs_write_at_most(size_t n);
/* Files can grow by this many bytes more, then writes are short and fail with ENOSPC. */
void faultfs_space(uint64_t bytes);
/* Called before each call, in the caller's thread; NULL: none. */
void faultfs_hook(void (*hook)(void *ctx, enum faultfs_op op, const char *name), void *ctx);
/* Whether the fault happened, and in which call ("fdatasync NAME"). */
bool faultfs_failed(char what[80]);
/* How many calls in the mask there were since the reset. */
uint64_t faultfs_count(unsigned mask);

/* From now on calls in the mask are recorded, as lines "fdatasync NAME", "rename OLD NEW",
 * "pwritev NAME OFFSET LENGTH". */
void faultfs_record(unsigned mask);
/* The record; free() it. */
char *faultfs_recorded(void);

/* What a power cut does to what was not synced. */
enum faultfs_loss {
    FAULTFS_LOSE_ALL,   /* all of it is lost */
    FAULTFS_LOSE_NONE,  /* all of it got there */
    FAULTFS_LOSE_TAIL,  /* of each file the writes up to some point, the last torn at a sector, got
                           there; names up to some change of each directory */
    FAULTFS_LOSE_ZEROS, /* as LOSE_TAIL, but the size had grown already: zeros follow */
    FAULTFS_LOSE_HOLES, /* sectors got there or not in any order; names likewise */
    FAULTFS_LOSSES
};

/* Writes a possible state after a power cut to the directory `to`, which is empty. */
void faultfs_power_cut(const char *to, enum faultfs_loss loss, uint32_t seed);

#endif
