/*
 * The statements that operate the daemon: FLUSH, SHUTDOWN.
 *
 * What a server would flush and this one does not have is flushed by doing nothing. The binary logs
 * are the source's: no statement here begins a new one.
 */
#include "admin/admin_priv.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

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
