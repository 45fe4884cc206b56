/* Collects what is true now. */
#include "facts.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void describe_source(char *dst, size_t cap, const struct config_dumper *c)
{
    if (c->host[0] == '/')
        snprintf(dst, cap, "%s", c->host);
    else
        snprintf(dst, cap, strchr(c->host, ':') ? "[%s]:%u" : "%s:%u", c->host, c->port);
}

static void collect_dumper(struct facts *f, const struct facts_from *from)
{
    static const struct monitor_facts nothing;
    f->dumper = (struct dumper_stats){.state_since_us = from->started_us,
                                      .seconds_behind = -1,
                                      .bytes_behind = -1,
                                      .backlog = -1,
                                      .last_error = "",
                                      .source_uuid = "",
                                      .source = &nothing,
                                      .unsafe = "",
                                      .version = ""};
    f->state = "SERVING";
    f->safe_us = from->started_us;
    if (!from->dumper)
        return;
    dumper_stats(from->dumper, &f->dumper);
    describe_source(f->source, sizeof f->source, &from->config->dumper);
    f->state = dumper_state_name(f->dumper.state);
    f->safe = f->dumper.state == DUMPER_PROTECTING;
    if (f->safe)
        f->safe_us = f->dumper.state_since_us;
    else if (f->dumper.protected_until_us)
        f->safe_us = f->dumper.protected_until_us;
}

/* ---- replicas ---- */

struct collecting {
    struct facts *f;
    size_t cap;
    const struct store *store;
    uint64_t *after; /* by file: bytes that are served from its beginning on */
};

/* Names follow each other without a gap, so the number tells the place. */
static int64_t bytes_behind(const struct collecting *c, struct store_pos pos)
{
    const struct binfile_list *files = store_files(c->store);
    struct binfile_name name;
    struct err ignored;
    size_t n = store_serving(c->store);
    if (!n || binfile_name_parse(&name, bytes_str(pos.file), &ignored) < 0 ||
        name.number < files->at[0].number || name.number - files->at[0].number >= n)
        return -1;
    uint64_t after = c->after[name.number - files->at[0].number];
    return after > pos.pos ? (int64_t)(after - pos.pos) : 0;
}

static void add_replica(void *arg, const struct hub_session_info *info)
{
    struct collecting *c = arg;
    if (!info->dumping || c->f->replica_n == c->cap)
        return;
    struct facts_replica *r = &c->f->replicas[c->f->replica_n++];
    *r = (struct facts_replica){
        .session = info->id,
        .server_id = info->server_id,
        .user = info->user,
        .uuid = info->uuid,
        .by_gtid = info->by_gtid,
        .pos = info->pos,
        .bytes_behind = bytes_behind(c, info->pos),
        .semi_sync = info->semi_sync,
        .acked = store_pos_of(c->store, &info->acked),
    };
    memcpy(r->host, info->host, sizeof r->host);
}

static void collect_hub(struct facts *f, const struct facts_from *from)
{
    f->hub = (struct hub_stats){0};
    f->acked = (struct store_pos){"", 0};
    f->replicas = NULL;
    f->replica_n = 0;
    if (!from->hub)
        return;
    hub_stats(from->hub, &f->hub);
    struct point acked = hub_acked(from->hub);
    f->acked = store_pos_of(from->store, &acked);
    if (!f->hub.dumping)
        return;
    size_t n = store_serving(from->store);
    struct collecting c = {f, f->hub.dumping, from->store, mem_alloc((n + 1) * sizeof *c.after)};
    for (size_t i = n; i-- > 0;)
        c.after[i] = c.after[i + 1] + store_file_size(from->store, i);
    f->replicas = mem_alloc(c.cap * sizeof *f->replicas);
    hub_each(from->hub, add_replica, &c);
    free(c.after);
}

/* ---- all ---- */

void facts_collect(struct facts *f, const struct facts_from *from)
{
    struct store *store = from->store;
    *f = (struct facts){.from = from, .now_us = clock_wall_us(), .started_us = from->started_us};
    collect_dumper(f, from);
    f->received = store_received(store);
    f->durable = store_end(store);
    store_journal_stats(store, &f->journal);
    f->gtids = store_gtids(store);
    f->maria = store_maria(store);
    f->files = store_files(store)->n;
    f->bytes = store_bytes(store);
    store_purge_stats(store, &f->purged);
    f->epoch = store_epoch(store);
    f->disk_free = store_free_space(store);
    f->disk_size = store_disk_size(store);
    f->oldest_s = f->files ? store_file_begun(store, 0) : 0;
    f->newest_s = store_newest_time(store);
    collect_hub(f, from);
}

void facts_fini(struct facts *f)
{
    free(f->replicas);
}

/* ---- errors by kind ---- */

static const struct {
    const char *name;
    unsigned kinds; /* bits by enum err_kind */
} error_kinds[] = {
    {"source", 1u << ERR_OTHER | 1u << ERR_USAGE | 1u << ERR_LONG},
    {"storage", 1u << ERR_IO},
    {"no_space", 1u << ERR_NO_SPACE},
    {"diverged", 1u << ERR_DIVERGED},
    {"corrupt", 1u << ERR_CORRUPT},
    {"malformed", 1u << ERR_MALFORMED},
};

const char *facts_error_kind(size_t i)
{
    return i < sizeof error_kinds / sizeof *error_kinds ? error_kinds[i].name : NULL;
}

uint64_t facts_errors(const struct facts *f, size_t i)
{
    uint64_t n = 0;
    for (unsigned kind = 0; kind < ERR_KINDS; kind++)
        if (error_kinds[i].kinds & 1u << kind)
            n += f->dumper.errors[kind];
    return n;
}
