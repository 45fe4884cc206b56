/* The index file, and the thread that writes it and reads files to make it. */
#include "indexer.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX  (1u << 30) /* bytes of an index file that are read */
#define NAME_MAX_ (BINFILE_NAME_MAX + 16)
#define SLACK     (1u << 20) /* bytes that records of files that are gone may take up */

static void index_name(const struct binfile_name *any, char dst[NAME_MAX_])
{
    snprintf(dst, NAME_MAX_, "%.*s.gtid.index", (int)any->base_len, any->text);
}

/* Files before T's are complete. */
static size_t complete_files(const struct epoch *e)
{
    return e->end.pos ? epoch_index(e, e->end.file) : 0;
}

/* ---- loading ---- */

/* The complete file that has the number, or NULL. Numbers follow each other without a gap. */
static struct epoch_file *find_file(const struct indexer *x, uint64_t number)
{
    const struct epoch *e = x->epoch;
    if (!e->files.n || number < e->files.at[0].number)
        return NULL;
    uint64_t i = number - e->files.at[0].number;
    return i < complete_files(e) ? &e->facts[i] : NULL;
}

static void take_record(struct indexer *x, struct gtid_index_record *r)
{
    struct epoch_file *f = find_file(x, r->number);
    if (f && f->size == r->size) {
        gtid_index_swap(&f->index, &r->index);
        f->indexed = EPOCH_INDEX_SAVED;
    }
    gtid_index_fini(&r->index);
}

/* Up to the first place where no good record stands; returns whether all of it was good. */
static bool take_records(struct indexer *x, struct bytes text)
{
    struct gtid_index_record r;
    struct bytes magic = gtid_index_magic();
    if (text.n < magic.n || memcmp(text.p, magic.p, magic.n) != 0)
        return false;
    text = bytes_skip(text, magic.n);
    while (text.n) {
        if (gtid_index_decode(&r, &text) < 0)
            return false;
        take_record(x, &r);
    }
    return true;
}

static void load(struct indexer *x)
{
    char name[NAME_MAX_];
    char *text;
    size_t n;
    struct err err;
    index_name(&x->epoch->files.at[0], name);
    if (fs_read_file(x->fs, x->epoch->dirfd, name, FILE_MAX, &text, &n, &err) < 0) {
        log_warn("store", "%s: %s: made anew", name, err.text);
        return;
    }
    if (text && take_records(x, bytes_of(text, n)))
        x->size = n;
    else if (text)
        log_warn("store", "%s is damaged: made anew", name);
    free(text);
}

void indexer_init(struct indexer *x, const struct fs *fs, struct epoch *epoch,
                  void (*wake)(void *ctx), void *wake_ctx)
{
    *x = (struct indexer){.fs = fs, .epoch = epoch, .wake = wake, .wake_ctx = wake_ctx};
    if (complete_files(epoch))
        load(x);
    x->due = true;
    indexer_work(x);
}

/* ---- jobs ---- */

struct job {
    struct worker_job job; /* first: the worker hands it back */
    struct indexer *indexer;
    unsigned epoch;
    int dirfd; /* its own: the epoch may end meanwhile */
    char name[NAME_MAX_];
    int rc;
    struct err err;
    /* Of a write. */
    struct buf data;
    uint64_t at; /* 0: the file is replaced */
    /* Of a file that is read. */
    uint64_t number;
    uint64_t size;
    struct gtid_index index;
};

static void submit(struct indexer *x, struct job *j, void (*run)(struct worker_job *job),
                   void (*done)(struct worker_job *job))
{
    j->job.run = run;
    j->job.done = done;
    j->indexer = x;
    j->epoch = x->epoch->number;
    j->dirfd = fcntl(x->epoch->dirfd, F_DUPFD_CLOEXEC, 0);
    if (!x->worker)
        x->worker = worker_new(x->wake, x->wake_ctx);
    worker_submit(x->worker, &j->job);
}

static void end_job(struct job *j)
{
    if (j->dirfd >= 0)
        close(j->dirfd);
    buf_fini(&j->data);
    gtid_index_fini(&j->index);
    free(j);
}

static bool is_stale(const struct job *j)
{
    return j->epoch != j->indexer->epoch->number;
}

/* ---- writing ---- */

static int append(const struct job *j, struct err *err)
{
    const struct fs *fs = j->indexer->fs;
    int fd = fs->openat(j->dirfd, j->name, O_WRONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "open");
    int rc = fs_pwrite_all(fs, fd, buf_bytes(&j->data), (off_t)j->at, err);
    if (fs->close(fd) < 0 && rc == 0)
        rc = err_io(err, errno, "close");
    return rc;
}

/* A record that a crash loses or tears is made anew; to lose all of them at once would be a pity.
 */
static void write_run(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    struct bytes all = buf_bytes(&j->data);
    j->rc = j->at ? append(j, &j->err)
                  : fs_write_atomic(j->indexer->fs, j->dirfd, j->name, all, &j->err);
}

static void write_done(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    struct indexer *x = j->indexer;
    if (j->rc < 0 && !is_stale(j)) {
        x->size = 0;
        if (!x->complained)
            log_warn("store", "cannot write %s: %s; replicas are served all the same", j->name,
                     j->err.text);
        x->complained = true;
    }
    end_job(j);
}

/* Whether records of files that are gone take up more room than the others. */
static bool is_wasteful(const struct indexer *x)
{
    uint64_t used = 0;
    for (size_t i = 0; i < complete_files(x->epoch); i++)
        if (x->epoch->facts[i].indexed == EPOCH_INDEX_SAVED)
            used += gtid_index_record_size(&x->epoch->facts[i].index);
    return x->size > 2 * used + SLACK;
}

static void encode_files(struct indexer *x, struct buf *out, bool whole)
{
    struct epoch *e = x->epoch;
    for (size_t i = 0; i < complete_files(e); i++) {
        struct epoch_file *f = &e->facts[i];
        if (f->indexed == EPOCH_INDEX_UNSAVED || (whole && f->indexed == EPOCH_INDEX_SAVED)) {
            gtid_index_encode(&f->index, e->files.at[i].number, f->size, out);
            f->indexed = EPOCH_INDEX_SAVED;
        }
    }
}

static void save(struct indexer *x)
{
    struct job *j = mem_alloc(sizeof *j);
    index_name(&x->epoch->files.at[0], j->name);
    if (is_wasteful(x))
        x->size = 0;
    j->at = x->size;
    if (!x->size)
        wr_bytes(&j->data, gtid_index_magic());
    encode_files(x, &j->data, !x->size);
    x->size += j->data.len;
    submit(x, j, write_run, write_done);
}

/* ---- making anew ---- */

static int make(struct job *j, struct err *err)
{
    const struct fs *fs = j->indexer->fs;
    struct stat st;
    int fd = fs->openat(j->dirfd, j->name, O_RDONLY, 0);
    if (fd < 0)
        return err_io(err, errno, "open");
    int rc = 0;
    if (fs->fstat(fd, &st) < 0)
        rc = err_io(err, errno, "stat");
    else if ((uint64_t)st.st_size != j->size)
        rc = err_set(err, "its size is not what it was");
    else
        rc = scan_index(&j->index, fs, fd, &j->indexer->stop, err);
    fs->close(fd);
    return rc;
}

static void make_run(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    thread_lower();
    j->rc = make(j, &j->err);
}

static void make_done(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    struct indexer *x = j->indexer;
    struct epoch_file *f = is_stale(j) ? NULL : find_file(x, j->number);
    x->making = false;
    x->due = true;
    if (f && f->indexed == EPOCH_INDEX_MISSING && !atomic_load(&x->stop)) {
        gtid_index_swap(&f->index, &j->index);
        f->indexed = j->rc < 0 ? EPOCH_INDEX_FAILED : EPOCH_INDEX_UNSAVED;
        x->made += j->rc == 0;
        if (j->rc < 0)
            log_warn("store", "%s gets no GTID index: %s", j->name, j->err.text);
    }
    end_job(j);
}

/* The newest of the files that have none: it is the most likely to be asked for. */
static void make_next(struct indexer *x)
{
    struct epoch *e = x->epoch;
    size_t i = complete_files(e);
    while (i > 0 && e->facts[i - 1].indexed != EPOCH_INDEX_MISSING)
        i--;
    if (i > 0) {
        struct job *j = mem_alloc(sizeof *j);
        strcpy(j->name, e->files.at[i - 1].text);
        j->number = e->files.at[i - 1].number;
        j->size = e->facts[i - 1].size;
        x->making = true;
        submit(x, j, make_run, make_done);
    } else if (x->made) {
        log_info("store", "the GTID index of %u files was made anew", x->made);
        x->made = 0;
    }
}

/* ---- the loop's side ---- */

void indexer_complete(struct indexer *x, size_t file)
{
    struct epoch_file *f = epoch_file(x->epoch, file);
    gtid_index_break(&f->index);
    f->indexed = EPOCH_INDEX_UNSAVED;
    x->due = true;
}

static bool any_unsaved(const struct epoch *e)
{
    for (size_t i = 0; i < complete_files(e); i++)
        if (e->facts[i].indexed == EPOCH_INDEX_UNSAVED)
            return true;
    return false;
}

void indexer_work(struct indexer *x)
{
    if (x->worker)
        worker_reap(x->worker);
    if (!x->due || atomic_load(&x->stop) || gtid_set_empty(&x->epoch->gtids))
        return;
    x->due = false;
    if (any_unsaved(x->epoch))
        save(x);
    if (!x->making)
        make_next(x);
}

void indexer_forget(struct indexer *x)
{
    x->size = 0;
    x->made = 0;
}

void indexer_stop(struct indexer *x)
{
    atomic_store(&x->stop, true);
}

void indexer_fini(struct indexer *x)
{
    indexer_stop(x);
    worker_free(x->worker);
    x->worker = NULL;
}
