/*
 * From login to the dump request: who the source is, whether it may be gone on with, and where the
 * dump begins.
 */
#include "dumper_priv.h"

#include "base/log.h"
#include "dumper/history.h"
#include "mysql/repl.h"

#include <strings.h>

/* Where the dump begins: behind what is stored, or where the configuration says. NULL: the source's
 * first file. */
static const struct binfile_name *choose_file(struct dumper *d, uint64_t *pos)
{
    struct store *store = d->opts.store;
    *pos = EVENT_MAGIC_LEN;
    if (!store_empty(store)) {
        *pos = store_resume_pos(store).pos;
        return store_write_file(store);
    }
    if (d->join.text[0])
        return &d->join;
    switch (d->opts.start) {
    case DUMPER_START_LATEST:
        return &d->setup.facts.latest;
    case DUMPER_START_FILE:
        return &d->opts.start_file;
    case DUMPER_START_EARLIEST:
        break;
    }
    return NULL;
}

enum source_verdict { SOURCE_OURS, SOURCE_JOINS, SOURCE_REFUSED };

/* Another server than before, or one with other files. */
static enum source_verdict check_other_source(const struct dumper *d, struct err *err)
{
    const struct setup_facts *facts = &d->setup.facts;
    err_kind_set(err, ERR_DIVERGED,
                 "this source is %s, but what is stored comes from %s: to copy it as well, "
                 "set on_divergence=failover or new_epoch, or use another directory",
                 facts->source, store_source(d->opts.store));
    if (d->opts.on_divergence == DUMPER_STOP)
        return SOURCE_REFUSED;
    if (facts->gtids_known && !gtid_set_empty(store_gtids(d->opts.store)))
        return history_check(facts, store_gtids(d->opts.store), err) < 0 ? SOURCE_REFUSED
                                                                         : SOURCE_JOINS;
    if (d->opts.on_divergence == DUMPER_FAILOVER)
        err_kind_set(err, ERR_DIVERGED,
                     "this source is %s, but what is stored comes from %s: without GTIDs on both "
                     "nobody knows where to go on",
                     facts->source, store_source(d->opts.store));
    return SOURCE_REFUSED;
}

static enum source_verdict check_source(struct dumper *d, struct err *err)
{
    struct store *store = d->opts.store;
    const char *stored = store_source(store), *now = d->setup.facts.source;
    if (!*stored)
        return store_new_epoch(store, now, STORE_DIVERGES, err) < 0 ? SOURCE_REFUSED : SOURCE_OURS;
    if (d->other_files || strcasecmp(stored, now) != 0)
        return check_other_source(d, err);
    return history_check(&d->setup.facts, store_gtids(store), err) < 0 ? SOURCE_REFUSED
                                                                       : SOURCE_OURS;
}

/* COM_BINLOG_DUMP_GTID carries 64-bit positions and leaves the format description as it is in the
 * file, but not every source takes it. */
static int send_dump(struct dumper *d, struct err *err)
{
    const struct setup_facts *facts = &d->setup.facts;
    uint64_t pos;
    const struct binfile_name *file = choose_file(d, &pos);
    if (pos > UINT32_MAX && !facts->dump_by_gtid) {
        d->from_start = true;
        return err_set(err,
                       "a source without gtid_mode=ON, or older than 5.7, cannot be asked for "
                       "positions beyond 4 GiB: the whole of %s is compared again",
                       file->text);
    }
    struct repl_dump dump = {
        .server_id = d->opts.setup.server_id,
        .flags = facts->mariadb ? REPL_DUMP_MARIADB_ANNOTATE : 0,
        .file = file ? file->text : "",
        .pos = pos,
    };
    struct buf out;
    buf_init(&out);
    if (facts->dump_by_gtid && file)
        repl_dump_gtid_encode(&out, &dump);
    else
        repl_dump_encode(&out, &dump);
    d->from_start = false; /* this once */
    dumper_copy_start(d, file, pos);
    channel_send_command(&d->channel, buf_bytes(&out)); /* which may close it, and change phase */
    buf_fini(&out);
    return 0;
}

/* Files are copied whole, so the dump that names the file to begin with is not gone on with. */
static bool on_join_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct dumper *d = ctx;
    struct err err;
    if (d->new_epoch)
        return true; /* what follows the answer */
    if (history_join_file(&d->setup.facts, part, &d->join, &err) < 0) {
        dumper_give_up(d, &err);
        return true;
    }
    log_warn("dumper",
             "the source, %s, is another server or has other files now, and has all that is stored "
             "here: going on in a new epoch with its file %s",
             d->setup.facts.source, d->join.text);
    d->new_epoch = true;
    d->other_files = false;
    d->follow = STORE_JOINS;
    channel_close(&d->channel, "joining");
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static const struct channel_ops join_ops = {
    .part = on_join_part,
    .batch = on_batch,
    .closed = dumper_on_closed,
};

/* All that is stored up to T is durable, so the set may be shown: asking is an ACK for it. */
static void ask_join_file(struct dumper *d)
{
    struct buf set, out;
    buf_init(&set);
    buf_init(&out);
    gtid_set_encode(store_gtids(d->opts.store), &set);
    struct repl_dump dump = {
        .server_id = d->opts.setup.server_id,
        .file = "",
        .pos = EVENT_MAGIC_LEN,
        .gtids = buf_bytes(&set),
    };
    repl_dump_gtid_encode(&out, &dump);
    channel_set_ops(&d->channel, &join_ops, d);
    channel_receive(&d->channel, CHANNEL_WHOLE_MAX);
    dumper_enter(d, PHASE_JOINING);
    channel_send_command(&d->channel, buf_bytes(&out));
    buf_fini(&out);
    buf_fini(&set);
}

static void on_setup_done(struct dumper *d)
{
    struct err err;
    switch (check_source(d, &err)) {
    case SOURCE_OURS:
        if (send_dump(d, &err) < 0)
            dumper_give_up(d, &err);
        break;
    case SOURCE_JOINS:
        ask_join_file(d);
        break;
    case SOURCE_REFUSED:
        dumper_give_up(d, &err);
        break;
    }
}

static bool on_setup_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct dumper *d = ctx;
    struct err err;
    switch (setup_feed(&d->setup, part, &err)) {
    case SETUP_MORE:
        break;
    case SETUP_DONE:
        on_setup_done(d);
        break;
    case SETUP_FAILED:
        dumper_give_up(d, &err);
        break;
    }
    return true;
}

static const struct channel_ops setup_ops = {
    .part = on_setup_part,
    .batch = on_batch,
    .closed = dumper_on_closed,
};

void dumper_request_start(struct dumper *d)
{
    dumper_enter(d, PHASE_SETUP);
    /* A new epoch can make the store empty long after the start. */
    d->opts.setup.want_latest = d->opts.start == DUMPER_START_LATEST && store_empty(d->opts.store);
    channel_set_ops(&d->channel, &setup_ops, d);
    setup_start(&d->setup, &d->channel, &d->opts.setup, d->version);
}
