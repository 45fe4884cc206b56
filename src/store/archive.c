/* Older epochs, chained to the present one. */
#include "archive.h"

#include "base/log.h"
#include "base/mem.h"
#include "origin.h"

#include <stdlib.h>

bool archive_joins(const struct epoch *before, struct bytes previous)
{
    struct gtid_set set;
    struct err ignored;
    gtid_set_init(&set);
    bool joins =
        gtid_set_decode(previous, &set, &ignored) == 0 && gtid_set_is_subset(&set, &before->gtids);
    gtid_set_fini(&set);
    return joins;
}

void archive_clear(struct archive *a)
{
    for (size_t i = 0; i < a->n; i++)
        epoch_fini(&a->at[i]);
    free(a->at);
    *a = (struct archive){0};
}

/* Takes e over. */
static void insert(struct archive *a, size_t at, struct epoch *e)
{
    a->at = mem_realloc(a->at, (a->n + 1) * sizeof *a->at);
    memmove(&a->at[at + 1], &a->at[at], (a->n - at) * sizeof *a->at);
    a->at[at] = *e;
    a->n++;
    epoch_init(e);
}

void archive_add(struct archive *a, struct epoch *e)
{
    if (!e->files.n) { /* then all its GTIDs are of the one before it */
        epoch_fini(e);
        return;
    }
    for (size_t i = 0; i < e->facts_n; i++)
        gtid_index_fini(&e->facts[i].index);
    insert(a, a->n, e);
}

const struct epoch *archive_find(const struct archive *a, unsigned number)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].number == number)
            return &a->at[i];
    return NULL;
}

const struct epoch *archive_last(const struct archive *a)
{
    return a->n ? &a->at[a->n - 1] : NULL;
}

/* Opens what `next` joined. e is initialised. */
static int open_joined(struct epoch *e, struct origin *o, const struct fs *fs, int rootfd,
                       const struct epoch *next, struct err *err)
{
    if (epoch_open_complete(e, fs, rootfd, o->folder, err) < 0)
        return -1;
    if (e->number >= next->number || !e->files.n)
        return err_set(err, "%s is no older epoch with files", o->folder);
    gtid_set_swap(&e->gtids, &o->gtids);
    if (!archive_joins(e, epoch_previous(next, 0)))
        return err_set(err, "files are missing behind those of %s", o->folder);
    return 0;
}

/* One step back; whether there may be another. */
static bool load_before(struct archive *a, const struct fs *fs, int rootfd, struct epoch *present)
{
    struct epoch *next = a->n ? &a->at[0] : present;
    struct origin o;
    struct epoch e;
    struct err err;
    epoch_init(&e);
    int rc = origin_read(&o, fs, next->dirfd, &err);
    bool joined = rc == 0 && o.follow == STORE_JOINS;
    if (joined && next == present) /* they were acknowledged, whatever became of their files */
        gtid_set_union(&present->gtids, &o.gtids);
    if (joined)
        rc = open_joined(&e, &o, fs, rootfd, next, &err);
    if (rc < 0)
        log_warn("store", "%04u-%s: no files of older epochs are served before it: %s",
                 next->number, next->source, err.text);
    bool opened = joined && rc == 0;
    if (opened)
        insert(a, 0, &e);
    epoch_fini(&e);
    origin_fini(&o);
    return opened && a->at[0].number > 1;
}

void archive_load(struct archive *a, const struct fs *fs, int rootfd, struct epoch *present)
{
    if (present->number <= 1)
        return;
    while (load_before(a, fs, rootfd, present))
        continue;
    if (a->n)
        log_info("store", "replicas are served by GTID from %04u-%s on", a->at[0].number,
                 a->at[0].source);
}
