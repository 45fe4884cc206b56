/* `binlogd purge`: what the rules, or the command line, would have removed; and its removal while
 * no daemon runs. */
#include "app/app.h"
#include "app/retention.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RING_SIZE (64u << 10) /* nothing is appended */

struct tool {
    const struct app_purge *what;
    struct config config;
    struct store *store;
    sem_t wake; /* of journal and worker */
    struct worker *worker;
    bool failed;
    struct err *err;
};

/* "YYYY-MM-DD" or "YYYY-MM-DD hh:mm:ss" in local time. */
static int parse_time(const char *text, int64_t *time_s, struct err *err)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    if (!end) {
        tm = (struct tm){.tm_isdst = -1};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (!end || *end)
        return err_kind_set(err, ERR_USAGE, "\"%s\" is no time: \"YYYY-MM-DD hh:mm:ss\"", text);
    *time_s = mktime(&tm);
    return 0;
}

/* ---- what is to go ---- */

struct choice {
    size_t n;
    char why[320];  /* of all that go; "": each file's own reason */
    char rest[200]; /* why more do not go, "" when nothing more is to */
};

static void clip(struct choice *c, const struct retention_view *v)
{
    if (c->n <= v->hold.n)
        return;
    c->n = v->hold.n;
    snprintf(c->rest, sizeof c->rest, "the newest %d files stay", STORE_KEEP_FILES);
}

static int choose_to(const struct tool *t, const struct retention_view *v, struct choice *c,
                     struct err *err)
{
    struct binfile_name name;
    struct err ignored;
    if (binfile_name_parse(&name, bytes_str(t->what->to), &ignored) < 0 ||
        !store_serves(t->store, &name))
        return err_set(err, "%s: Target log not found in binlog index", t->what->to);
    c->n = (size_t)binfile_list_find(store_files(t->store), &name);
    snprintf(c->why, sizeof c->why, "before %s", name.text);
    clip(c, v);
    return 0;
}

static int choose_before(const struct tool *t, const struct retention_view *v, struct choice *c,
                         struct err *err)
{
    int64_t before = 0;
    if (parse_time(t->what->before, &before, err) < 0)
        return -1;
    c->n = expiry_before(v->files, v->n, before);
    snprintf(c->why, sizeof c->why, "before %s", t->what->before);
    clip(c, v);
    return 0;
}

static void choose_by_rules(const struct tool *t, const struct retention_view *v, struct choice *c)
{
    struct expiry_rules rules = retention_rules(&t->config.storage);
    struct expiry_plan plan;
    retention_plan(v, t->store, &rules, &plan);
    c->n = plan.n;
    if (plan.stop == EXPIRY_SHARE)
        snprintf(c->rest, sizeof c->rest, "not more than half of the files go at once");
    else if (plan.stop == EXPIRY_HELD)
        snprintf(c->rest, sizeof c->rest, "the newest %d files stay", STORE_KEEP_FILES);
}

static int choose(const struct tool *t, const struct retention_view *v, struct choice *c,
                  struct err *err)
{
    *c = (struct choice){0};
    if (t->what->to)
        return choose_to(t, v, c, err);
    if (t->what->before)
        return choose_before(t, v, c, err);
    choose_by_rules(t, v, c);
    return 0;
}

static void print_choice(const struct tool *t, const struct retention_view *v,
                         const struct choice *c)
{
    const char *verb = t->what->dry_run ? "would purge" : "purges";
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->n; i++) {
        printf("%s %s (%" PRIu64 " bytes): %s\n", verb, store_files(t->store)->at[i].text,
               v->files[i].size, *c->why ? c->why : expiry_reason_name(v->files[i].reason));
        bytes += v->files[i].size;
    }
    printf("%s %zu of %zu files, %" PRIu64 " of %" PRIu64 " bytes%s%s\n", verb, c->n, v->n, bytes,
           store_bytes(t->store), *c->rest ? "; " : "", c->rest);
}

/* ---- removing without a daemon ---- */

static void wake(void *ctx)
{
    struct tool *t = ctx;
    sem_post(&t->wake);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const struct err *err)
{
    struct tool *t = ctx;
    t->failed = true;
    *t->err = *err;
}

static const struct store_events events = {ignore, ignore, on_failed};

static int purge(struct tool *t, size_t n, struct err *err)
{
    t->err = err;
    if (store_purge(t->store, t->worker, n, err) < 0)
        return -1;
    while (store_purging(t->store) && !t->failed) {
        sem_wait(&t->wake);
        store_work(t->store);
        worker_reap(t->worker);
    }
    struct store_purge_stats stats;
    store_purge_stats(t->store, &stats);
    if (!t->failed && *stats.error)
        return err_set(err, "%s", stats.error);
    return t->failed ? -1 : 0;
}

static int open_store(struct tool *t, struct err *err)
{
    struct store_opts opts = {t->config.storage.directory, fs_posix(), RING_SIZE, wake, t};
    if (t->what->dry_run) {
        t->store = store_look(opts.directory, opts.fs, err);
        return t->store ? 0 : -1;
    }
    t->worker = worker_new(wake, t);
    t->store = store_open(&opts, err);
    if (!t->store)
        return err_prefix(err, "not purged (a running binlogd is told PURGE BINARY LOGS)");
    store_set_events(t->store, &events, t);
    return 0;
}

static int run(struct tool *t, struct err *err)
{
    struct choice c;
    struct retention_view v;
    if (open_store(t, err) < 0)
        return -1;
    retention_view_init(&v, t->store);
    int rc = choose(t, &v, &c, err);
    if (rc == 0)
        print_choice(t, &v, &c);
    retention_view_fini(&v);
    return rc < 0 || t->what->dry_run ? rc : purge(t, c.n, err);
}

enum app_exit app_purge(const char *config_path, const struct app_purge *what)
{
    struct tool t = {.what = what};
    struct err err;
    sem_init(&t.wake, 0, 0);
    int rc = config_load(&t.config, config_path, &err);
    if (rc == 0)
        rc = run(&t, &err);
    if (rc < 0)
        fprintf(stderr, "binlogd: %s\n", err.text);
    worker_free(t.worker);
    store_close(t.store);
    config_free(&t.config);
    sem_destroy(&t.wake);
    return rc < 0 ? app_exit_of(&err) : APP_OK;
}
