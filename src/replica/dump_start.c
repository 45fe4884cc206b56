/* Where a dump begins: by name and position, by what the replica has, or by MariaDB's GTIDs. */
#include "dump_priv.h"

#include "base/mem.h"

#include <stdio.h>

static struct dump *new_dump(const struct dump_opts *opts)
{
    struct dump *d = mem_alloc(sizeof *d);
    d->opts = *opts;
    d->cursor.fd = -1;
    d->first_file = true;
    d->quantum = DUMP_QUANTUM_MIN;
    d->seq = 1;
    gtid_set_init(&d->has);
    return d;
}

/* The name that the client gave, for error texts. */
static void note_asked(struct dump *d, struct bytes name)
{
    size_t n = strnlen((const char *)name.p, name.n);
    n = n < sizeof d->asked ? n : sizeof d->asked - 1;
    memcpy(d->asked, name.p, n);
    d->asked[n] = 0;
}

static int too_early(const struct dump *d, struct err *err)
{
    return err_set(err, "Client requested %s to start replication from position < 4",
                   dump_words(&d->opts, "source", "master"));
}

/* MariaDB's words. */
static int impossible(struct dump *d, uint64_t pos, struct err *err)
{
    d->asked_pos = pos;
    err_set(err, "Client requested master to start replication from impossible position");
    dump_add_place(d, err, EVENT_MAGIC_LEN, EVENT_MAGIC_LEN);
    return -1;
}

static int no_such_file(struct err *err)
{
    return err_set(err, "Could not find first log file name in binary log index file");
}

static void start_at(struct dump *d, uint64_t pos)
{
    d->start_pos = d->asked_pos = pos;
    d->sent.end = (struct point){d->cursor.epoch, d->cursor.file.number, pos};
}

static int open_at(struct dump *d, const struct binfile_name *file, uint64_t pos, struct err *err)
{
    const char *who = dump_words(&d->opts, "source", "master");
    if (pos < EVENT_MAGIC_LEN && !d->maria)
        return too_early(d, err);
    if (cursor_open(&d->cursor, d->opts.store, file, 0, err) < 0)
        return no_such_file(err);
    if (d->maria && (pos < EVENT_MAGIC_LEN || pos > d->cursor.limit))
        return impossible(d, pos, err);
    if (pos > d->cursor.limit)
        return err_set(err, "Client requested %s to start replication from position > file size",
                       who);
    start_at(d, pos);
    return 0;
}

static int open_chained(struct dump *d, const struct store_chained *at, struct err *err)
{
    if (cursor_open_chained(&d->cursor, d->opts.store, at, err) < 0)
        return no_such_file(err);
    start_at(d, EVENT_MAGIC_LEN);
    return 0;
}

static int open_by_name(struct dump *d, struct bytes name, uint64_t pos, struct err *err)
{
    struct binfile_name file;
    struct err ignored;
    while (name.n && name.p[name.n - 1] == 0) /* of COM_BINLOG_DUMP_GTID, some clients send NULs */
        name.n--;
    if (!name.n && store_files(d->opts.store)->n)
        file = store_files(d->opts.store)->at[0];
    else if (!name.n || binfile_name_parse(&file, name, &ignored) < 0)
        return no_such_file(err);
    return open_at(d, &file, pos, err);
}

static int open_by_maria(struct dump *d, struct err *err)
{
    ssize_t file = dump_maria_find_file(d->maria, d->opts.maria, err);
    if (file < 0)
        return -1;
    return open_at(d, &store_files(d->opts.store)->at[file], EVENT_MAGIC_LEN, err);
}

static int open_asked(struct dump *d, struct bytes name, uint64_t pos, struct err *err)
{
    if (d->opts.maria && !(d->maria = dump_maria_new(d->opts.store, d->opts.maria, err)))
        return -1;
    return d->maria && dump_maria_by_gtid(d->maria) ? open_by_maria(d, err)
                                                    : open_by_name(d, name, pos, err);
}

struct dump *dump_new(const struct dump_opts *opts, struct bytes name, uint64_t pos,
                      struct err *err)
{
    struct dump *d = new_dump(opts);
    note_asked(d, name);
    if (open_asked(d, name, pos, err) == 0)
        return d;
    dump_free(d);
    return NULL;
}

/* The text of a set, cut where an error message would become too long. Servers begin a line with
 * each UUID. */
static void set_text(const struct gtid_set *set, char *dst, size_t cap)
{
    struct buf b;
    buf_init(&b);
    gtid_set_format_head(set, &b, cap);
    size_t n = 0;
    struct bytes text = buf_bytes(&b);
    for (size_t k = 0; k < text.n && n + 2 < cap; k++) {
        dst[n++] = (char)text.p[k];
        if (text.p[k] == ',')
            dst[n++] = '\n';
    }
    dst[n] = 0;
    buf_fini(&b);
}

static int purged(const struct dump *d, const struct gtid_set *first, struct err *err)
{
    char has[120], lacks[120];
    struct gtid_set missing;
    gtid_set_init(&missing);
    gtid_set_copy(&missing, first);
    gtid_set_subtract(&missing, &d->has);
    set_text(&d->has, has, sizeof has);
    set_text(&missing, lacks, sizeof lacks);
    gtid_set_fini(&missing);
    if (d->opts.old_words)
        return err_set(err, "The slave is connecting using CHANGE MASTER TO "
                            "MASTER_AUTO_POSITION = 1, but the master has purged binary logs "
                            "containing GTIDs that the slave requires.");
    return err_set(err,
                   "Cannot replicate because the source purged required binary logs. "
                   "Replicate the missing transactions from elsewhere, or provision a new "
                   "replica from backup. Consider increasing the source's binary log "
                   "expiration period. The GTID set sent by the replica is '%s', and the "
                   "missing transactions are '%s'",
                   has, lacks);
}

/* The newest file before which there is nothing that the replica lacks, in any epoch of the chain.
 */
static int open_by_set(struct dump *d, struct err *err)
{
    struct store *store = d->opts.store;
    struct gtid_set previous;
    gtid_set_init(&previous);
    int rc = -1;
    size_t i = store_chain_files(store);
    if (!i)
        no_such_file(err);
    while (i-- > 0) {
        struct store_chained at = store_chain_file(store, i);
        if (gtid_set_decode(at.previous, &previous, err) < 0)
            break;
        if (gtid_set_is_subset(&previous, &d->has)) {
            rc = open_chained(d, &at, err);
            break;
        }
        if (i == 0)
            purged(d, &previous, err);
    }
    gtid_set_fini(&previous);
    return rc;
}

struct dump *dump_new_gtid(const struct dump_opts *opts, struct bytes name, uint64_t pos,
                           struct gtid_set *set, struct err *err)
{
    struct dump *d = new_dump(opts);
    d->by_gtid = true;
    gtid_set_swap(&d->has, set);
    bool named = name.n && name.p[0];
    note_asked(d, name);
    if (pos < EVENT_MAGIC_LEN)
        too_early(d, err);
    else if ((named ? open_by_name(d, name, pos, err) : open_by_set(d, err)) == 0)
        return d;
    dump_free(d);
    return NULL;
}
