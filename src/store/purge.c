/* The removal of files. */
#include "purge.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define TORN ".torn-"

struct purge {
    struct worker_job job; /* first: the worker hands it back */
    struct purge_opts opts;
    int dirfd; /* its own: the epoch may be replaced meanwhile */
    struct binfile_list doomed;
    size_t at;         /* those before it are removed */
    size_t allowed;    /* those before it may be */
    uint64_t index;    /* request to the journal that covers all doomed; 0: none is awaited */
    bool swept;        /* torn copies of removed files are removed */
    bool running;      /* the worker has the job */
    struct err err;    /* of the job; text "" when it succeeded */
    struct err unread; /* why not all names were swept; text "" when they were */
};

struct purge *purge_new(const struct purge_opts *opts, struct err *err)
{
    int fd = fcntl(opts->epoch->dirfd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        err_io(err, errno, "cannot hold the directory");
        return NULL;
    }
    struct purge *p = mem_alloc(sizeof *p);
    p->opts = *opts;
    p->dirfd = fd;
    return p;
}

void purge_free(struct purge *p)
{
    if (!p)
        return;
    close(p->dirfd);
    binfile_list_fini(&p->doomed);
    free(p);
}

void purge_leave_epoch(struct purge *p)
{
    p->opts.epoch = NULL;
}

bool purge_left_epoch(const struct purge *p)
{
    return !p->opts.epoch;
}

static void ask_index(struct purge *p)
{
    p->index = 0;
    if (purge_left_epoch(p))
        return;
    struct journal_index index = {
        .dirfd = p->dirfd,
        .name = p->doomed.at[0],
        .text = binfile_index_text(&p->opts.epoch->files),
    };
    p->index = journal_index(p->opts.journal, &index);
}

void purge_add(struct purge *p, const struct binfile_name *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        binfile_list_add(&p->doomed, &names[i]);
    p->swept = false;
    ask_index(p);
}

/* ---- on the worker ---- */

static int remove_name(struct purge *p, const char *name)
{
    if (p->opts.fs->unlinkat(p->dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    err_io(&p->err, errno, "cannot remove %s", name);
    if (errno != EIO)
        p->err.kind = ERR_OTHER;
    return -1;
}

static int sync_dir(struct purge *p)
{
    if (p->opts.fs->fsync(p->dirfd) == 0)
        return 0;
    err_io(&p->err, errno, "cannot fsync the directory of %s", p->doomed.at[0].text);
    p->err.kind = ERR_IO;
    return -1;
}

static void run_unlink(struct worker_job *job)
{
    struct purge *p = (struct purge *)job;
    if (remove_name(p, p->doomed.at[p->at].text) == 0)
        sync_dir(p);
}

/* Whether it is what recovery once cut off a file that is gone now. */
static bool is_orphan(const struct purge *p, const char *name)
{
    const struct binfile_name *last = &p->doomed.at[p->at - 1];
    const char *torn = strstr(name, TORN);
    struct binfile_name of;
    struct err ignored;
    return torn && binfile_name_parse(&of, bytes_of(name, (size_t)(torn - name)), &ignored) == 0 &&
           binfile_same_base(&of, last) && of.number <= last->number;
}

struct sweep {
    struct purge *purge;
    bool found;
};

static void sweep_name(void *ctx, const char *name, unsigned char type)
{
    struct sweep *sweep = ctx;
    (void)type;
    if (*sweep->purge->err.text || !is_orphan(sweep->purge, name))
        return;
    sweep->found = true;
    remove_name(sweep->purge, name);
}

static void run_sweep(struct worker_job *job)
{
    struct sweep sweep = {(struct purge *)job, false};
    struct purge *p = sweep.purge;
    p->unread.text[0] = 0;
    fs_list(p->opts.fs, p->dirfd, sweep_name, &sweep, &p->unread);
    if (!*p->err.text && sweep.found)
        sync_dir(p);
}

/* ---- on the loop ---- */

static void on_unlinked(struct worker_job *job)
{
    struct purge *p = (struct purge *)job;
    struct journal_indexed ix;
    p->running = false;
    p->at++;
    journal_indexed(p->opts.journal, &ix);
    if (!*p->err.text && p->index && ix.refused >= p->index)
        ask_index(p); /* there may be room now */
    purge_step(p);
}

static void on_swept(struct worker_job *job)
{
    struct purge *p = (struct purge *)job;
    p->running = false;
    p->swept = true;
    if (*p->unread.text)
        log_warn("store", "what was cut off removed files may stay until the next purge: %s",
                 p->unread.text);
    purge_step(p);
}

static void submit(struct purge *p, void (*run)(struct worker_job *),
                   void (*done)(struct worker_job *))
{
    p->job.run = run;
    p->job.done = done;
    p->running = true;
    worker_submit(p->opts.worker, &p->job);
}

/* The index had no room: a file goes without it. When all are gone and it has none still, the next
 * file or the next start makes it. */
static void go_without_index(struct purge *p, const struct err *why)
{
    if (why->kind != ERR_NO_SPACE) {
        p->err = *why;
    } else if (p->at < p->doomed.n) {
        p->allowed = p->at + 1;
    } else {
        log_warn("store", "the index still has the names of removed files: %s", why->text);
        p->index = 0;
    }
}

static void look_at_index(struct purge *p)
{
    struct journal_indexed ix;
    journal_indexed(p->opts.journal, &ix);
    if (!p->index || ix.durable >= p->index) {
        p->index = 0;
        p->allowed = p->doomed.n;
    } else if (ix.refused >= p->index) {
        go_without_index(p, &ix.err);
    }
}

void purge_step(struct purge *p)
{
    if (p->running)
        return;
    if (!*p->err.text)
        look_at_index(p);
    if (*p->err.text)
        p->opts.failed(p->opts.ctx, &p->err);
    else if (p->at < p->allowed)
        submit(p, run_unlink, on_unlinked);
    else if (p->at == p->doomed.n && !p->index && !p->swept)
        submit(p, run_sweep, on_swept);
    else if (p->at == p->doomed.n && !p->index)
        p->opts.done(p->opts.ctx);
}
