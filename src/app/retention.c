/* What is kept of the stored files, and for how long. */
#include "app/retention.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define LOOK_S        1.0 /* how soon a new file is seen */
#define PASS_US       60000000u
#define AGE_PAUSE_US  3600000000u /* after half of the files were old: time for somebody to look */
#define PASS_PRIORITY EV_MINPRI

struct retention {
    struct retention_opts opts;
    struct ev_timer timer;
    uint64_t passed_us;     /* when the last pass was; 0: none was */
    const char *passed_for; /* why the last pass stopped early, to say it once */
    uint64_t newest;        /* number of the newest file then */
    uint64_t age_after_us;  /* nothing is old before */
};

/* ---- what there is, and the plan ---- */

void retention_view_init(struct retention_view *v, const struct store *store)
{
    v->n = store_serving(store);
    v->files = mem_alloc((v->n + 1) * sizeof *v->files);
    for (size_t i = 0; i < v->n; i++)
        v->files[i] = (struct expiry_file){.size = store_file_size(store, i),
                                           .begun = store_file_begun(store, i)};
    store_hold(store, &v->hold);
}

void retention_view_fini(struct retention_view *v)
{
    free(v->files);
}

void retention_plan(const struct retention_view *v, const struct store *store,
                    const struct expiry_rules *rules, struct expiry_plan *plan)
{
    struct expiry_input in = {
        .files = v->files,
        .n = v->n,
        .may = v->hold.n,
        .free = store_free_space(store),
        .now = clock_wall_us() / 1000000,
        .newest = store_newest_time(store),
    };
    expiry_plan(plan, rules, &in);
}

struct expiry_rules retention_rules(const struct config_storage *c)
{
    return (struct expiry_rules){c->expire_days, c->max_size, c->min_free};
}

/* ---- passes ---- */

static uint64_t size_of(const struct expiry_file *files, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += files[i].size;
    return sum;
}

/* One line for files in a row. */
static void log_purge(const struct binfile_name *names, const struct expiry_file *files, size_t n,
                      const char *why)
{
    log_info("app", "purging %s%s%s (%zu, %" PRIu64 " bytes): %s", names[0].text,
             n > 1 ? " to " : "", n > 1 ? names[n - 1].text : "", n, size_of(files, n), why);
}

static void log_plan(const struct retention *r, const struct retention_view *v, size_t n)
{
    const struct binfile_name *names = store_files(r->opts.store)->at;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && v->files[end].reason == v->files[i].reason;)
            end++;
        log_purge(names + i, v->files + i, end - i, expiry_reason_name(v->files[i].reason));
    }
}

/* Says once why less is removed than the rules want. */
static void note_stop(struct retention *r, const struct retention_view *v,
                      const struct expiry_plan *plan)
{
    static const char share[] = "more than half of the files", read[] = "a replica",
                      newest[] = "the newest";
    const char *why = plan->stop == EXPIRY_SHARE  ? share
                      : plan->stop == EXPIRY_HELD ? (v->hold.readers ? read : newest)
                                                  : NULL;
    bool said = r->passed_for == why;
    r->passed_for = why;
    if (!why || said)
        return;
    const char *key = expiry_reason_name(v->files[plan->n].reason);
    const char *name = store_files(r->opts.store)->at[plan->n].text;
    if (why == share)
        log_warn("app", "%s wants %s to be purged: not more than half go at once", key, share);
    else if (why == read)
        log_warn("app", "%s wants %s to be purged, which a replica reads", key, name);
    else
        log_warn("app", "%s wants %s to be purged, but the newest %d files stay", key, name,
                 STORE_KEEP_FILES);
}

static int purge(struct retention *r, size_t n, struct err *err)
{
    return store_purge(r->opts.store, r->opts.worker, n, err);
}

static void pass(struct retention *r, const struct expiry_rules *rules)
{
    struct retention_view v;
    struct expiry_plan plan;
    struct err err;
    retention_view_init(&v, r->opts.store);
    retention_plan(&v, r->opts.store, rules, &plan);
    note_stop(r, &v, &plan);
    if (plan.stop == EXPIRY_SHARE && v.files[plan.n].reason == EXPIRY_AGE)
        r->age_after_us = clock_now_us() + AGE_PAUSE_US;
    log_plan(r, &v, plan.n);
    if (purge(r, plan.n, &err) < 0)
        log_warn("app", "%s", err.text);
    retention_view_fini(&v);
}

static uint64_t newest_number(const struct store *store)
{
    const struct binfile_list *files = store_files(store);
    return files->n ? files->at[files->n - 1].number : 0;
}

/* What goes makes room only when it is gone, so one pass waits for the last. */
static bool can_purge(const struct store *store)
{
    struct store_purge_stats stats;
    store_purge_stats(store, &stats);
    return !*stats.error && !store_purging(store);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct retention *r = t->data;
    struct expiry_rules rules = retention_rules(&r->opts.config->storage);
    uint64_t now = clock_now_us(), newest = newest_number(r->opts.store);
    bool due = !r->passed_us || now - r->passed_us >= PASS_US || newest != r->newest ||
               (rules.min_free && store_free_space(r->opts.store) < rules.min_free);
    if (!due || !can_purge(r->opts.store))
        return;
    r->passed_us = now;
    r->newest = newest;
    if (now < r->age_after_us)
        rules.days = 0;
    if (rules.days || rules.max_size || rules.min_free)
        pass(r, &rules);
}

struct retention *retention_new(const struct retention_opts *opts)
{
    struct retention *r = mem_alloc(sizeof *r);
    r->opts = *opts;
    ev_timer_init(&r->timer, on_timer, LOOK_S, LOOK_S);
    ev_set_priority(&r->timer, PASS_PRIORITY);
    r->timer.data = r;
    ev_timer_start(opts->loop, &r->timer);
    return r;
}

void retention_reconfigure(struct retention *r)
{
    r->passed_us = r->age_after_us = 0;
    r->passed_for = NULL;
}

void retention_stop(struct retention *r)
{
    if (r)
        ev_timer_stop(r->opts.loop, &r->timer);
}

void retention_free(struct retention *r)
{
    retention_stop(r);
    free(r);
}

/* ---- what an operator asks for ---- */

static enum retention_answer purge_first(struct retention *r, struct retention_view *v, size_t n,
                                         struct retention_purged *purged, struct err *err)
{
    size_t go = n < v->hold.n ? n : v->hold.n;
    if (go)
        log_purge(store_files(r->opts.store)->at, v->files, go, "PURGE BINARY LOGS");
    int rc = purge(r, go, err);
    *purged = (struct retention_purged){.asked = n, .purged = go, .kept = ""};
    if (rc == 0 && go < n) {
        purged->kept = store_files(r->opts.store)->at[0].text;
        purged->readers = v->hold.readers;
    }
    return rc < 0 ? RETENTION_FAILED : RETENTION_PURGED;
}

enum retention_answer retention_purge_to(struct retention *r, struct bytes name,
                                         struct retention_purged *purged, struct err *err)
{
    struct binfile_name file;
    struct retention_view v;
    if (binfile_name_parse(&file, name, err) < 0 || !store_serves(r->opts.store, &file))
        return RETENTION_UNKNOWN;
    retention_view_init(&v, r->opts.store);
    size_t n = (size_t)binfile_list_find(store_files(r->opts.store), &file);
    enum retention_answer answer = purge_first(r, &v, n, purged, err);
    retention_view_fini(&v);
    return answer;
}

enum retention_answer retention_purge_before(struct retention *r, int64_t time,
                                             struct retention_purged *purged, struct err *err)
{
    struct retention_view v;
    retention_view_init(&v, r->opts.store);
    size_t n = expiry_before(v.files, v.n, time);
    enum retention_answer answer = purge_first(r, &v, n, purged, err);
    retention_view_fini(&v);
    return answer;
}
