/* Reading of stored files up to T. */
#include "store/cursor.h"

#include "base/mem.h"
#include "store_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct cursor_fetch {
    struct worker_job job; /* first: the worker hands it back */
    int fd;                /* a duplicate: the cursor may be closed meanwhile */
    uint64_t off;
    struct cursor *cursor; /* NULL once cancelled; only the loop touches it */
    void (*done)(void *ctx);
    void *ctx;
};

static bool in_present(const struct cursor *c)
{
    return c->epoch == store_epoch(c->store);
}

static bool is_newest(const struct cursor *c)
{
    return in_present(c) && strcmp(store_end(c->store).file, c->file.text) == 0;
}

/* The end of what may be read: T in T's file, else the whole file. */
static int find_limit(struct cursor *c, struct err *err)
{
    bool chained = c->scope == CURSOR_ALONG_CHAIN && store_chains(c->store, c->epoch);
    if (!in_present(c) && !chained) /* names mean other files now */
        return err_set(err, "the source's history was replaced by another");
    if (is_newest(c)) {
        c->limit = store_end(c->store).pos;
        return 0;
    }
    struct stat st;
    if (fstat(c->fd, &st) < 0)
        return err_io(err, errno, "cannot stat %s", c->file.text);
    c->limit = (uint64_t)st.st_size;
    return 0;
}

/* All but fd and limit are set. */
static int open_file(struct cursor *c, struct err *err)
{
    c->fd = store_open_chained(c->store, c->epoch, &c->file, err);
    if (c->fd < 0 || find_limit(c, err) < 0) {
        cursor_close(c);
        return -1;
    }
    c->unchecked = !store_is_checked(c->store, c->epoch, &c->file);
    store_add_cursor(c->store, c);
    return 0;
}

int cursor_open(struct cursor *c, struct store *store, const struct binfile_name *file,
                uint64_t pos, struct err *err)
{
    *c = (struct cursor){
        .store = store, .epoch = store_epoch(store), .file = *file, .fd = -1, .pos = pos};
    if (!store_serves(store, file))
        return err_set(err, "%s is not served", file->text);
    return open_file(c, err);
}

int cursor_open_chained(struct cursor *c, struct store *store, const struct store_chained *at,
                        struct err *err)
{
    *c = (struct cursor){.store = store,
                         .scope = CURSOR_ALONG_CHAIN,
                         .epoch = at->epoch,
                         .file = *at->file,
                         .fd = -1};
    return open_file(c, err);
}

void cursor_close(struct cursor *c)
{
    if (c->fetch)
        c->fetch->cursor = NULL;
    c->fetch = NULL;
    store_remove_cursor(c);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* At the end of an older epoch its next can still be without anything that may be read. */
static bool at_end(const struct cursor *c)
{
    struct store_chained next;
    if (in_present(c))
        return is_newest(c);
    return !store_next_chained(c->store, c->epoch, &c->file, &next);
}

enum cursor_result cursor_peek(struct cursor *c, uint64_t skip, void *dst, size_t n, size_t *got,
                               struct err *err)
{
    if (c->pos + skip >= c->limit) {
        if (find_limit(c, err) < 0)
            return CURSOR_FAILED;
        if (c->pos + skip >= c->limit)
            return at_end(c) ? CURSOR_AT_END : CURSOR_FILE_END;
    }
    uint64_t left = c->limit - c->pos - skip;
    ssize_t r = store_fs(c->store)->pread_cached(c->fd, dst, left < n ? (size_t)left : n,
                                                 (off_t)(c->pos + skip));
    if (r > 0) {
        *got = (size_t)r;
        return CURSOR_DATA;
    }
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return CURSOR_COLD;
    err_io(err, r < 0 ? errno : EIO, "cannot read %s", c->file.text);
    return CURSOR_FAILED;
}

void cursor_advance(struct cursor *c, uint64_t n)
{
    c->pos += n;
}

struct gtid_run cursor_gtid_run(const struct cursor *c, const struct gtid_set *has)
{
    if (!in_present(c)) /* only its files have an index, and the name can mean another */
        return (struct gtid_run){UINT64_MAX, UINT64_MAX};
    return store_gtid_run(c->store, &c->file, c->pos, has);
}

int cursor_next_file(struct cursor *c, struct err *err)
{
    struct cursor to = {.store = c->store, .scope = c->scope, .fd = -1};
    struct store_chained next;
    if (find_limit(c, err) < 0) /* which sees that the epoch is served */
        return -1;
    if (!store_next_chained(c->store, c->epoch, &c->file, &next))
        return err_set(err, "no file follows %s", c->file.text);
    to.epoch = next.epoch;
    to.file = *next.file;
    cursor_close(c);
    *c = to;
    return open_file(c, err);
}

static void fetch_run(struct worker_job *job)
{
    struct cursor_fetch *f = (struct cursor_fetch *)job;
    uint8_t *bytes = mem_alloc(CURSOR_FETCH_BYTES);
    /* Only the page cache is wanted; an error shows again when the loop reads. */
    if (pread(f->fd, bytes, CURSOR_FETCH_BYTES, (off_t)f->off) < 0)
        f->off = 0;
    free(bytes);
}

static void fetch_done(struct worker_job *job)
{
    struct cursor_fetch *f = (struct cursor_fetch *)job;
    close(f->fd);
    if (f->cursor) {
        f->cursor->fetch = NULL;
        f->done(f->ctx);
    }
    free(f);
}

void cursor_fetch(struct cursor *c, struct worker *w, uint64_t skip, void (*done)(void *ctx),
                  void *ctx)
{
    BUG_ON(c->fetch);
    c->unchecked = true;
    store_uncheck(c->store, c->epoch, &c->file);
    struct cursor_fetch *f = mem_alloc(sizeof *f);
    f->job.run = fetch_run;
    f->job.done = fetch_done;
    f->fd = dup(c->fd);
    f->off = c->pos + skip;
    f->cursor = c;
    f->done = done;
    f->ctx = ctx;
    c->fetch = f;
    worker_submit(w, &f->job);
}
