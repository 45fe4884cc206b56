/*
 * The journal thread and its ring.
 *
 * One producer (the loop) and one consumer (the thread). Offsets only grow: written <= published <=
 * put. The lock guards what both sides touch; the thread holds it never during a file call. A wake
 * is sent only when the thread sleeps, so a busy stream costs no system call per batch.
 */
#include "store/journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/watermark.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WRITE_MAX    (1u << 20) /* one write; keeps the ring's memory coming free steadily */
#define UNSYNCED_MAX (8u << 20) /* written without a sync between, while more keeps coming */
#define COMPARE_MAX  (64u << 10)
#define WATERMARK_US 1000000u

struct pending {
    struct journal_target target;
    uint64_t at; /* stream offset from which it holds */
};

struct journal {
    struct journal_opts opts;
    uint8_t *ring;
    uint64_t put; /* loop only */

    pthread_t thread;
    bool joined;
    pthread_mutex_t lock;
    pthread_cond_t work;
    uint64_t published;
    uint64_t written;
    uint64_t synced;
    uint64_t hurry_to; /* somebody waits for the sync of all before it */
    struct pending pending[JOURNAL_TARGETS_MAX];
    size_t pending_n;
    uint64_t switched;
    uint64_t applied;
    struct journal_index index; /* text NULL: none is to be replaced */
    uint64_t index_asked;
    uint64_t index_behind; /* as many switches come before it */
    struct journal_indexed indexed;
    bool sleeping;
    bool sleeping_long; /* without a time to wake up by itself */
    bool bound_due;     /* bound_name and bound_pos are not yet noted */
    struct binfile_name bound_name;
    uint64_t bound_pos;
    bool stop;
    bool failed;
    struct err failure;
    struct histogram syncs;

    /* The thread's own. */
    struct journal_target now; /* where bytes go; its dirfd is the journal's own */
    uint64_t base;             /* file offset = stream offset - base, modulo 2^64 */
    int fd;
    uint64_t sync_us; /* duration of the last fdatasync */
    uint64_t sync_end_us;
    bool fresh; /* the file was made and its directory and index are not yet durable */
    uint64_t watermark_us;
    uint8_t head[JOURNAL_HEAD_MAX]; /* read by the loop when no switch is under way */
    size_t head_len;
};

/* ---- the thread's steps; each runs without the lock ---- */

/* The contiguous bytes of the ring from stream offset `from`, at most up to `to`. */
static struct bytes ring_slice(const struct journal *j, uint64_t from, uint64_t to)
{
    size_t at = (size_t)(from & (j->opts.ring_size - 1));
    size_t n = (size_t)(to - from);
    size_t before_wrap = j->opts.ring_size - at;
    return bytes_of(j->ring + at, n < before_wrap ? n : before_wrap);
}

static int compare_stored(struct journal *j, struct bytes data, uint64_t pos, struct err *err)
{
    uint8_t stored[COMPARE_MAX];
    while (data.n) {
        size_t n = data.n < sizeof stored ? data.n : sizeof stored, got;
        if (fs_pread_full(j->opts.fs, j->fd, stored, n, (off_t)pos, &got, err) < 0)
            return err_prefix(err, "cannot compare %s", j->now.name.text);
        if (got < n)
            return err_kind_set(err, ERR_CORRUPT, "%s ends at %llu, before what was durable",
                                j->now.name.text, (unsigned long long)(pos + got));
        if (memcmp(stored, data.p, n) != 0)
            return err_kind_set(err, ERR_DIVERGED,
                                "the source sends other bytes for %s at %llu than are stored here: "
                                "it was reset or restored, or is another server",
                                j->now.name.text, (unsigned long long)pos);
        data = bytes_skip(data, n);
        pos += n;
    }
    return 0;
}

/* Writes, or compares below now.size, the bytes [from, to); returns where it stopped. */
static int write_some(struct journal *j, uint64_t from, uint64_t *to, struct err *err)
{
    uint64_t pos = from - j->base;
    struct bytes data = ring_slice(j, from, *to);
    if (pos < j->now.size) {
        uint64_t stored = j->now.size - pos;
        if (data.n > stored)
            data.n = (size_t)stored;
        *to = from + data.n;
        return compare_stored(j, data, pos, err);
    }
    if (data.n > WRITE_MAX)
        data.n = WRITE_MAX;
    *to = from + data.n;
    if (fs_pwrite_all(j->opts.fs, j->fd, data, (off_t)pos, err) < 0)
        return err_prefix(err, "cannot write %s", j->now.name.text);
    return 0;
}

static int sync_file(struct journal *j, struct err *err)
{
    uint64_t start = clock_now_us();
    if (j->opts.fs->fdatasync(j->fd) < 0) {
        err_io(err, errno, "cannot fdatasync %s", j->now.name.text);
        err->kind = ERR_IO; /* whatever the reason, the state of its pages is unknown now */
        return -1;
    }
    j->sync_end_us = clock_now_us();
    j->sync_us = j->sync_end_us - start;
    return 0;
}

static int replace_index(const struct journal *j, int dirfd, const struct binfile_name *any,
                         const char *text, struct err *err)
{
    char index[BINFILE_NAME_MAX + 8];
    binfile_index_name(any, index);
    return fs_write_atomic(j->opts.fs, dirfd, index, bytes_str(text), err);
}

/* Data, then the directory entry, then the index: only after all three may a position in the file
 * be acknowledged. */
static int make_durable(struct journal *j, struct err *err)
{
    if (sync_file(j, err) < 0)
        return -1;
    if (!j->fresh)
        return 0;
    if (j->opts.fs->fsync(j->now.dirfd) < 0) {
        err_io(err, errno, "cannot fsync the directory of %s", j->now.name.text);
        err->kind = ERR_IO;
        return -1;
    }
    if (j->now.index_text &&
        replace_index(j, j->now.dirfd, &j->now.name, j->now.index_text, err) < 0)
        return -1;
    j->fresh = false;
    return 0;
}

static void forget_target(struct journal *j)
{
    free(j->now.index_text);
    j->now.index_text = NULL;
    if (j->fd >= 0)
        j->opts.fs->close(j->fd);
    if (j->now.dirfd >= 0)
        close(j->now.dirfd);
    j->fd = j->now.dirfd = -1;
}

/* Ends the present file; all its bytes are durable. */
static int close_file(struct journal *j, struct err *err)
{
    int fd = j->fd;
    j->fd = -1;
    if (fd >= 0 && j->opts.fs->close(fd) < 0)
        return err_io(err, errno, "cannot close %s", j->now.name.text);
    return 0;
}

static int cut_to_size(struct journal *j, struct err *err)
{
    struct stat st;
    if (j->opts.fs->fstat(j->fd, &st) < 0)
        return err_io(err, errno, "cannot stat %s", j->now.name.text);
    if ((uint64_t)st.st_size < j->now.size)
        return err_kind_set(err, ERR_CORRUPT, "%s has %lld bytes, but %llu were durable",
                            j->now.name.text, (long long)st.st_size,
                            (unsigned long long)j->now.size);
    if ((uint64_t)st.st_size == j->now.size)
        return 0;
    if (j->opts.fs->ftruncate(j->fd, (off_t)j->now.size) < 0)
        return err_io(err, errno, "cannot cut %s to its last transaction", j->now.name.text);
    return 0;
}

static int begin_target(struct journal *j, const struct pending *p, struct err *err)
{
    if (close_file(j, err) < 0) {
        free(p->target.index_text);
        return -1;
    }
    forget_target(j);
    j->now = p->target;
    j->now.dirfd = fcntl(p->target.dirfd, F_DUPFD_CLOEXEC, 0);
    if (j->now.dirfd < 0)
        return err_io(err, errno, "cannot hold the directory of %s", j->now.name.text);
    j->base = p->at - p->target.start;
    j->fresh = p->target.create;
    int flags = p->target.create ? O_RDWR | O_CREAT | O_EXCL : O_RDWR;
    j->fd = j->opts.fs->openat(j->now.dirfd, j->now.name.text, flags, FS_FILE_MODE);
    if (j->fd < 0 && errno == EEXIST)
        return err_kind_set(err, ERR_DIVERGED, "the source begins %s, which is stored here already",
                            j->now.name.text);
    if (j->fd < 0)
        return err_io(err, errno, "cannot %s %s", p->target.create ? "create" : "open",
                      j->now.name.text);
    if (j->now.create)
        return 0;
    if (cut_to_size(j, err) < 0 || sync_file(j, err) < 0)
        return -1;
    return fs_pread_full(j->opts.fs, j->fd, j->head, sizeof j->head, 0, &j->head_len, err);
}

/* ---- the thread's loop; holds the lock except around the steps ---- */

/* At most once a second; the lock is left for the file calls. */
static void write_watermark(struct journal *j)
{
    uint64_t now = clock_now_us();
    if (!j->bound_due || j->now.dirfd < 0 || now - j->watermark_us < WATERMARK_US)
        return;
    struct binfile_name name = j->bound_name;
    uint64_t pos = j->bound_pos;
    j->bound_due = false;
    pthread_mutex_unlock(&j->lock);
    watermark_write(j->opts.fs, j->now.dirfd, &name, pos);
    pthread_mutex_lock(&j->lock);
    j->watermark_us = now;
}

static void wake_loop(struct journal *j)
{
    j->opts.wake(j->opts.ctx);
}

static void fail(struct journal *j, const struct err *err)
{
    j->failed = true;
    j->failure = *err;
    wake_loop(j);
}

/* Microseconds until what is written has to be synced though nobody hurries; 0: now. */
static uint64_t lazy_left(const struct journal *j)
{
    uint64_t since = clock_now_us() - j->sync_end_us;
    return since < JOURNAL_LAZY_US ? JOURNAL_LAZY_US - since : 0;
}

static void wait_for_work(struct journal *j)
{
    j->sleeping = true;
    if (!j->failed && (j->written != j->synced || j->bound_due)) {
        uint64_t us = j->written != j->synced ? lazy_left(j) : WATERMARK_US;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + us * 1000;
        until.tv_sec += (time_t)(ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        pthread_cond_timedwait(&j->work, &j->lock, &until);
    } else {
        j->sleeping_long = true;
        pthread_cond_wait(&j->work, &j->lock);
    }
    j->sleeping = j->sleeping_long = false;
}

/* Up to where the present file's bytes have been published. */
static uint64_t writable_end(const struct journal *j)
{
    return j->pending_n ? j->pending[0].at : j->published;
}

static int do_switch(struct journal *j, struct err *err)
{
    struct pending p = j->pending[0];
    j->pending_n--;
    memmove(j->pending, j->pending + 1, j->pending_n * sizeof p);
    pthread_mutex_unlock(&j->lock);
    int rc = begin_target(j, &p, err);
    pthread_mutex_lock(&j->lock);
    if (rc == 0) {
        j->applied++;
        wake_loop(j);
    }
    return rc;
}

static int do_write(struct journal *j, struct err *err)
{
    uint64_t from = j->written, to = writable_end(j);
    pthread_mutex_unlock(&j->lock);
    int rc = write_some(j, from, &to, err);
    pthread_mutex_lock(&j->lock);
    if (rc == 0)
        j->written = to;
    return rc;
}

static int do_sync(struct journal *j, struct err *err)
{
    pthread_mutex_unlock(&j->lock);
    int rc = make_durable(j, err);
    pthread_mutex_lock(&j->lock);
    if (rc < 0)
        return -1;
    j->synced = j->written; /* only this thread moves written */
    histogram_add(&j->syncs, j->sync_us);
    wake_loop(j);
    return 0;
}

/* A full disk is told to who asked; anything else fails the journal, for the directory is in doubt
 * that new files need. */
static int do_index(struct journal *j, struct err *err)
{
    struct journal_index index = j->index;
    uint64_t number = j->index_asked;
    j->index.text = NULL;
    pthread_mutex_unlock(&j->lock);
    int rc = replace_index(j, index.dirfd, &index.name, index.text, err);
    free(index.text);
    pthread_mutex_lock(&j->lock);
    if (rc < 0 && err->kind != ERR_NO_SPACE && !j->failed)
        return -1;
    if (rc == 0)
        j->indexed.durable = number;
    else {
        j->indexed.refused = number;
        j->indexed.err = *err;
    }
    wake_loop(j);
    return 0;
}

/* A fresh file's index is older. */
static bool index_is_next(const struct journal *j)
{
    return j->index.text && j->applied >= j->index_behind && !j->fresh && j->written == j->synced;
}

static int step_failed(struct journal *j, struct err *err)
{
    return j->index.text && j->failure.kind == ERR_NO_SPACE ? do_index(j, err) : 1;
}

static bool must_sync(const struct journal *j)
{
    uint64_t unsynced = j->written - j->synced;
    if (!unsynced || j->written < writable_end(j))
        return unsynced >= UNSYNCED_MAX;
    return j->hurry_to > j->synced || j->pending_n || j->stop || !lazy_left(j);
}

static int step(struct journal *j, struct err *err)
{
    if (must_sync(j))
        return do_sync(j, err);
    if (index_is_next(j))
        return do_index(j, err);
    if (j->written < writable_end(j))
        return do_write(j, err);
    if (j->pending_n)
        return do_switch(j, err);
    return 1; /* nothing to do */
}

static void *journal_main(void *arg)
{
    struct journal *j = arg;
    struct err err;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        int rc = j->failed ? step_failed(j, &err) : step(j, &err);
        if (rc < 0) {
            fail(j, &err);
        } else if (rc > 0) {
            if (j->stop)
                break;
            wait_for_work(j);
        }
        if (!j->failed)
            write_watermark(j);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* ---- the loop's side ---- */

struct journal *journal_new(const struct journal_opts *opts)
{
    BUG_ON(opts->ring_size & (opts->ring_size - 1));
    struct journal *j = mem_alloc(sizeof *j);
    j->opts = *opts;
    j->ring = mem_alloc(opts->ring_size);
    j->fd = j->now.dirfd = -1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->work, &attr);
    pthread_condattr_destroy(&attr);
    thread_start(&j->thread, journal_main, j);
    return j;
}

int journal_stop(struct journal *j, struct err *err)
{
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    j->joined = true;
    return journal_failed(j, err) ? -1 : 0;
}

void journal_free(struct journal *j)
{
    struct err ignored; /* who wants to know calls journal_stop */
    if (!j)
        return;
    if (!j->joined)
        (void)journal_stop(j, &ignored);
    if (j->bound_due && j->now.dirfd >= 0 && !j->failed)
        watermark_write(j->opts.fs, j->now.dirfd, &j->bound_name, j->bound_pos);
    forget_target(j);
    for (size_t i = 0; i < j->pending_n; i++)
        free(j->pending[i].target.index_text);
    free(j->index.text);
    pthread_cond_destroy(&j->work);
    pthread_mutex_destroy(&j->lock);
    free(j->ring);
    free(j);
}

static uint64_t locked_read(const struct journal *j, const uint64_t *field)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&j->lock;
    pthread_mutex_lock(lock);
    uint64_t v = *field;
    pthread_mutex_unlock(lock);
    return v;
}

size_t journal_room(const struct journal *j)
{
    return j->opts.ring_size - (size_t)(j->put - locked_read(j, &j->written));
}

void journal_put(struct journal *j, struct bytes data)
{
    size_t at = (size_t)(j->put & (j->opts.ring_size - 1));
    size_t before_wrap = j->opts.ring_size - at;
    size_t n = data.n < before_wrap ? data.n : before_wrap;
    memcpy(j->ring + at, data.p, n);
    if (n < data.n)
        memcpy(j->ring, data.p + n, data.n - n);
    j->put += data.n;
}

uint64_t journal_offset(const struct journal *j)
{
    return j->put;
}

static void signal_if_sleeping(struct journal *j)
{
    if (j->sleeping)
        pthread_cond_signal(&j->work);
}

void journal_publish(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    if (j->published != j->put) {
        j->published = j->put;
        signal_if_sleeping(j);
    }
    pthread_mutex_unlock(&j->lock);
}

void journal_hurry(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    if (j->hurry_to != j->put) {
        j->hurry_to = j->put;
        if (j->published > j->synced)
            signal_if_sleeping(j);
    }
    pthread_mutex_unlock(&j->lock);
}

void journal_rewind(struct journal *j, uint64_t offset)
{
    uint64_t published = locked_read(j, &j->published);
    j->put = offset > published ? offset : published;
}

bool journal_can_switch(const struct journal *j)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&j->lock;
    pthread_mutex_lock(lock);
    bool can = j->pending_n < JOURNAL_TARGETS_MAX;
    pthread_mutex_unlock(lock);
    return can;
}

void journal_switch(struct journal *j, const struct journal_target *target)
{
    pthread_mutex_lock(&j->lock);
    BUG_ON(j->pending_n == JOURNAL_TARGETS_MAX);
    j->published = j->put;
    j->pending[j->pending_n++] = (struct pending){*target, j->put};
    j->switched++;
    signal_if_sleeping(j);
    pthread_mutex_unlock(&j->lock);
}

uint64_t journal_index(struct journal *j, const struct journal_index *index)
{
    pthread_mutex_lock(&j->lock);
    free(j->index.text);
    j->index = *index;
    j->index_behind = j->switched;
    uint64_t number = ++j->index_asked;
    signal_if_sleeping(j);
    pthread_mutex_unlock(&j->lock);
    return number;
}

void journal_indexed(struct journal *j, struct journal_indexed *indexed)
{
    pthread_mutex_lock(&j->lock);
    *indexed = j->indexed;
    pthread_mutex_unlock(&j->lock);
}

void journal_bound(struct journal *j, const struct binfile_name *name, uint64_t pos)
{
    pthread_mutex_lock(&j->lock);
    j->bound_due = name != NULL;
    if (name) {
        j->bound_name = *name;
        j->bound_pos = pos;
        if (j->sleeping_long)
            pthread_cond_signal(&j->work);
    }
    pthread_mutex_unlock(&j->lock);
}

uint64_t journal_synced(const struct journal *j)
{
    return locked_read(j, &j->synced);
}

uint64_t journal_applied(const struct journal *j)
{
    return locked_read(j, &j->applied);
}

uint64_t journal_switched(const struct journal *j)
{
    return locked_read(j, &j->switched);
}

bool journal_failed(struct journal *j, struct err *err)
{
    pthread_mutex_lock(&j->lock);
    bool failed = j->failed;
    if (failed)
        *err = j->failure;
    pthread_mutex_unlock(&j->lock);
    return failed;
}

void journal_restart(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    BUG_ON(!j->failed || (j->failure.kind != ERR_NO_SPACE && j->failure.kind != ERR_DIVERGED));
    for (size_t i = 0; i < j->pending_n; i++)
        free(j->pending[i].target.index_text);
    j->pending_n = 0;
    j->applied = j->switched;
    j->fresh = false;
    j->published = j->written = j->synced = j->put;
    forget_target(j); /* the thread is idle: it failed */
    j->bound_due = false;
    j->failed = false;
    pthread_mutex_unlock(&j->lock);
}

struct bytes journal_head(struct journal *j)
{
    BUG_ON(journal_applied(j) != journal_switched(j));
    return bytes_of(j->head, j->head_len);
}

void journal_stats(struct journal *j, struct journal_stats *stats)
{
    pthread_mutex_lock(&j->lock);
    stats->syncs = j->syncs;
    stats->queue = j->published - j->synced;
    stats->capacity = j->opts.ring_size;
    pthread_mutex_unlock(&j->lock);
}
