/*
 * The statements that operate the daemon: FLUSH, SHUTDOWN, PURGE.
 *
 * What a server would flush and this one does not have is flushed by doing nothing. The binary logs
 * are the source's: no statement here begins a new one.
 */
#include "admin/admin_priv.h"

#include <stdlib.h>
#include <time.h>

#define COUNT_OF(a)   (sizeof(a) / sizeof(a)[0])
#define TIME_TEXT_MAX 40

/* What can be flushed, and the privilege that a server from 8.0 on wants for it. */
static const struct flushed {
    const char *words;
    const char *privileges;
    bool log; /* the log file is opened anew */
} flushed[] = {
    {"logs", "RELOAD", true},
    {"error logs", "RELOAD", true},
    {"binary|engine|relay|general|slow logs", "RELOAD", false},
    {"hosts", "RELOAD", false},
    {"status", "RELOAD or FLUSH_STATUS", false},
    {"privileges", "RELOAD or FLUSH_PRIVILEGES", false},
    {"user_resources", "RELOAD or FLUSH_USER_RESOURCES", false},
};

static const struct flushed *take_flushed(struct query *q)
{
    for (size_t i = 0; i < COUNT_OF(flushed); i++) {
        if (sql_match(&q->sql, flushed[i].words))
            return &flushed[i];
    }
    return NULL;
}

bool flush_statement(struct query *q)
{
    const struct flushed *first = NULL;
    bool log = false;
    sql_match(&q->sql, "[local|no_write_to_binlog]");
    do {
        const struct flushed *f = take_flushed(q);
        if (!f)
            return query_fail_syntax(q);
        first = first ? first : f;
        log |= f->log;
    } while (sql_take(&q->sql, ","));
    if (!query_end(q) || !query_need(q, ADMIN_RIGHT_ADMIN, first->privileges))
        return false;
    if (log)
        return query_command(q, ADMIN_FLUSH_LOGS);
    reply_writer_ok(&q->writer, 0);
    return true;
}

bool shutdown_statement(struct query *q)
{
    return query_end(q) && query_need(q, ADMIN_RIGHT_ADMIN, "SHUTDOWN") &&
           query_command(q, ADMIN_SHUTDOWN);
}

/* PURGE */

/* A point in time as PURGE may be given it. */
struct moment {
    int64_t seconds; /* since 1970-01-01 UTC */
    bool none;       /* NULL, or a text that is no time */
    struct bytes text;
};

/* 'YYYY-MM-DD', with the time of the day or not; false for what is no time. */
static bool parse_time(struct bytes text, int64_t *seconds)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    char copy[TIME_TEXT_MAX];
    if (bytes_to_str(text, copy, sizeof(copy)) < 0)
        return false;
    char *fraction = strchr(copy, '.');
    if (fraction)
        *fraction = 0;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct tm tm = {0};
        const char *rest = strptime(copy, forms[i], &tm);
        if (rest && !*rest) {
            *seconds = timegm(&tm);
            return true;
        }
    }
    return false;
}

static bool take_interval(struct query *q, struct moment *m, int sign)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 604800}};
    uint64_t n;
    const struct sql_token *t = sql_peek(&q->sql);
    struct value v = value_text(t->value);
    if ((t->kind != SQL_NUMBER && t->kind != SQL_STRING) || !value_to_u64(&v, &n) || n > UINT32_MAX)
        return query_fail_syntax(q);
    sql_next(&q->sql);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (sql_take(&q->sql, units[i].unit)) {
            m->seconds += sign * (int64_t)n * units[i].seconds;
            return true;
        }
    }
    return query_fail_syntax(q);
}

static bool take_literal(struct query *q, struct moment *m)
{
    const struct sql_token *t = sql_peek(&q->sql);
    m->none = true;
    m->text = t->value;
    if (sql_take(&q->sql, "null"))
        return true;
    if (t->kind != SQL_STRING && t->kind != SQL_NUMBER)
        return query_fail_syntax(q);
    sql_next(&q->sql);
    m->none = !parse_time(t->value, &m->seconds);
    return true;
}

static bool take_instant(struct query *q, struct moment *m)
{
    *m = (struct moment){.seconds = q->facts.now_us / 1000000};
    if (!sql_match(&q->sql, "now|sysdate|current_timestamp|localtime|localtimestamp|utc_timestamp"))
        return take_literal(q, m);
    if (sql_take(&q->sql, "("))
        return sql_take(&q->sql, ")") || query_fail_syntax(q);
    return true;
}

/* A time, less some; no calendar is needed for more. */
static bool take_moment(struct query *q, struct moment *m)
{
    if (sql_match(&q->sql, "date_sub|subdate ("))
        return take_instant(q, m) && (sql_match(&q->sql, ", interval") || query_fail_syntax(q)) &&
               take_interval(q, m, -1) && (sql_take(&q->sql, ")") || query_fail_syntax(q));
    if (!take_instant(q, m))
        return false;
    if (sql_match(&q->sql, "- interval"))
        return take_interval(q, m, -1);
    return !sql_match(&q->sql, "+ interval") || take_interval(q, m, 1);
}

static bool purged(struct query *q, bool ok, const struct admin_error *e)
{
    if (!ok)
        return query_fail(q, e->code, "%s", e->text);
    if (e->code)
        return query_ok_but(q, ADMIN_WARNING, e->code, e->text);
    reply_writer_ok(&q->writer, 0);
    return true;
}

static bool purge_unsupported(struct query *q)
{
    return query_fail(q, ER_NOT_SUPPORTED_YET, "%s",
                      "This version of MySQL doesn't yet support 'PURGE BINARY LOGS'");
}

static bool purge_to(struct query *q)
{
    struct admin_error e = {0};
    const struct sql_token *t = sql_peek(&q->sql);
    if (t->kind != SQL_STRING)
        return query_fail_syntax(q);
    sql_next(&q->sql);
    if (!query_end(q) || !query_need_super(q, "BINLOG_ADMIN"))
        return false;
    if (!q->env->purge_to)
        return purge_unsupported(q);
    return purged(q, q->env->purge_to(q->env->ctx, t->value, &e), &e);
}

/* What is no time purges nothing. */
static bool purge_before(struct query *q)
{
    struct admin_error e = {0};
    struct moment m;
    char warning[128];
    if (!take_moment(q, &m) || !query_end(q) || !query_need_super(q, "BINLOG_ADMIN"))
        return false;
    if (m.none) {
        snprintf(warning, sizeof warning, "Incorrect DATETIME value: '%.*s'",
                 (int)(m.text.n < TIME_TEXT_MAX ? m.text.n : TIME_TEXT_MAX),
                 (const char *)m.text.p);
        return query_ok_but(q, ADMIN_WARNING, ER_TRUNCATED_WRONG_VALUE, warning);
    }
    if (!q->env->purge_before)
        return purge_unsupported(q);
    return purged(q, q->env->purge_before(q->env->ctx, m.seconds, &e), &e);
}

bool purge_statement(struct query *q)
{
    if (sql_match(&q->sql, "binary|master logs to"))
        return purge_to(q);
    if (sql_match(&q->sql, "binary|master logs before"))
        return purge_before(q);
    sql_match(&q->sql, "binary|master logs");
    return query_fail_syntax(q);
}
