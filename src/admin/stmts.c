/*
 * From the text of a statement to the packets of its answer.
 *
 * A handler takes the tokens behind its pattern and either writes the whole answer or notes one
 * error; then what it wrote is taken back and the error packet is the answer. The session lives in
 * any case.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define COUNT_OF(a)  (sizeof(a) / sizeof(a)[0])
#define FIRST_PACKET 1

void rows_head(struct query *q, const struct reply_column *columns, size_t n)
{
    reply_writer_head(&q->writer, columns, n);
}

void rows_cell(struct query *q, struct bytes text)
{
    if (!text.p)
        reply_writer_cell(&q->writer, NULL);
    else if (query_spend(q, 1 + text.n / 2))
        reply_writer_cell_bytes(&q->writer, text);
    else
        reply_writer_cell(&q->writer, ""); /* the answer becomes an error */
}

bool rows_end(struct query *q)
{
    reply_writer_rows_end(&q->writer);
    return !q->failed;
}

bool query_end(struct query *q)
{
    return sql_at_end(&q->sql) || query_fail_syntax(q);
}

bool query_ok_but(struct query *q, enum admin_level level, uint16_t code, const char *message)
{
    session_warn(q->session, code, message);
    q->session->warning_level = level;
    q->keep_warning = true;
    reply_writer_ok(&q->writer, 1);
    return true;
}

bool query_command(struct query *q, enum admin_command command)
{
    struct admin_error e = {ER_NOT_SUPPORTED_YET, "This statement is not supported yet"};
    if (!q->env->command || !q->env->command(q->env->ctx, command, &e))
        return query_fail(q, e.code, "%s", e.text);
    reply_writer_ok(&q->writer, 0);
    return true;
}

bool query_take_limit(struct query *q, uint64_t *skip, uint64_t *count)
{
    *skip = 0;
    *count = UINT64_MAX;
    if (!sql_take(&q->sql, "limit"))
        return true;
    if (!sql_take_u64(&q->sql, count))
        return query_fail_syntax(q);
    if (sql_take(&q->sql, ",")) {
        *skip = *count;
        return sql_take_u64(&q->sql, count) || query_fail_syntax(q);
    }
    if (sql_take(&q->sql, "offset"))
        return sql_take_u64(&q->sql, skip) || query_fail_syntax(q);
    return true;
}

/* DO evaluates and throws away. */
static bool do_statement(struct query *q)
{
    struct value v;
    do {
        if (!expr_take(q, &v))
            return false;
    } while (sql_take(&q->sql, ","));
    if (!sql_at_end(&q->sql))
        return query_fail_syntax(q);
    reply_writer_ok(&q->writer, 0);
    return true;
}

/* KILL */

struct wanted {
    uint64_t id;
    const char *user; /* of the caller */
    bool found;
    bool own;
};

static void look_at_thread(void *arg, const struct admin_thread *t)
{
    struct wanted *w = arg;
    if (t->id != w->id)
        return;
    w->found = true;
    w->own = strcmp(t->user, w->user) == 0;
}

static bool kill_thread(struct query *q, uint64_t id, enum admin_kill what)
{
    struct wanted w = {id, q->session->user, false, false};
    if (q->env->each_thread)
        q->env->each_thread(q->env->ctx, look_at_thread, &w);
    if (w.found && !w.own && !(q->session->rights & ADMIN_RIGHT_ADMIN))
        return query_fail(q, ER_KILL_DENIED_ERROR, "You are not owner of thread %" PRIu64, id);
    if (!w.found || !q->env->kill || !q->env->kill(q->env->ctx, (uint32_t)id, what))
        return query_fail(q, ER_NO_SUCH_THREAD, "Unknown thread id: %" PRIu64, id);
    if (id == q->session->id)
        return query_fail(q, ER_QUERY_INTERRUPTED, "Query execution was interrupted");
    reply_writer_ok(&q->writer, 0);
    return true;
}

static bool kill_statement(struct query *q)
{
    struct value v;
    uint64_t id;
    enum admin_kill what = ADMIN_KILL_CONNECTION;
    if (sql_take(&q->sql, "query"))
        what = ADMIN_KILL_QUERY;
    else
        sql_take(&q->sql, "connection");
    if (!expr_take(q, &v))
        return false;
    if (!sql_at_end(&q->sql))
        return query_fail_syntax(q);
    if (!value_to_u64(&v, &id))
        id = UINT64_MAX;
    return kill_thread(q, id, what);
}

/* USE */

bool admin_database_known(struct bytes name)
{
    return sql_same(name, "information_schema");
}

static bool use(struct query *q, struct bytes name)
{
    if (!name.n)
        return query_fail(q, ER_NO_DB_ERROR, "No database selected");
    if (!admin_database_known(name))
        return query_fail_name(q, ER_BAD_DB_ERROR, "Unknown database '", name, "'");
    snprintf(q->session->database, sizeof(q->session->database), "information_schema");
    reply_writer_ok(&q->writer, 0);
    return true;
}

static bool use_statement(struct query *q)
{
    struct bytes name;
    if (!sql_take_name(&q->sql, &name) || !sql_at_end(&q->sql))
        return query_fail_syntax(q);
    return use(q, name);
}

/* There is nothing to commit; clients end what they believe to be a transaction all the same. */
static bool transaction_statement(struct query *q)
{
    sql_match(&q->sql, "[work]");
    if (!sql_at_end(&q->sql))
        return query_fail_syntax(q);
    reply_writer_ok(&q->writer, 0);
    return true;
}

static bool start_transaction(struct query *q)
{
    if (!sql_at_end(&q->sql)) {
        do {
            if (!sql_match(&q->sql, "read only|write") &&
                !sql_match(&q->sql, "with consistent snapshot"))
                return query_fail_syntax(q);
        } while (sql_take(&q->sql, ","));
    }
    return transaction_statement(q);
}

static bool run_statement(struct query *q)
{
    static const struct {
        const char *words;
        bool (*run)(struct query *q);
    } table[] = {
        {"select", select_statement},
        {"set", set_statement},
        {"show", show_statement},
        {"kill", kill_statement},
        {"use", use_statement},
        {"do", do_statement},
        {"begin|commit|rollback", transaction_statement},
        {"start transaction", start_transaction},
        {"start", start_replica},
        {"stop", stop_replica},
        {"reset", reset_replica},
        {"change", change_statement},
        {"flush", flush_statement},
        {"shutdown", shutdown_statement},
        {"purge", purge_statement},
    };
    if (!q->sql.text.n)
        return query_fail(q, ER_EMPTY_QUERY, "Query was empty");
    if (sql_at_end(&q->sql)) { /* a comment */
        reply_writer_ok(&q->writer, 0);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (sql_match(&q->sql, table[i].words))
            return table[i].run(q);
    }
    return query_fail_syntax(q);
}

/* 90704 for "9.7.4-binlogd". */
static uint32_t version_number(const char *version)
{
    unsigned major = 0, minor = 0, patch = 0;
    sscanf(version, "%3u.%2u.%2u", &major, &minor, &patch);
    return major * 10000 + minor * 100 + patch;
}

static void empty_facts(struct admin_facts *f)
{
    *f = (struct admin_facts){0};
    f->version = f->server_uuid = f->hostname = f->report_host = f->socket = f->datadir = "";
    f->binlog_format = f->binlog_row_image = f->binlog_row_metadata = "";
    f->gtid_executed = f->gtid_purged = f->file = "";
    f->gtid_binlog_pos = f->gtid_binlog_state = "";
}

static void begin(struct query *q, struct admin_session *s, const struct admin_env *env,
                  struct buf *out)
{
    *q = (struct query){.session = s, .env = env, .budget = QUERY_BUDGET};
    empty_facts(&q->facts);
    if (env->facts)
        env->facts(env->ctx, &q->facts);
    reply_writer_init(&q->writer, out, FIRST_PACKET);
}

/* start: the length of out before the answer. */
static void finish(struct query *q, size_t start)
{
    struct buf *out = q->writer.out;
    if (q->later) {
        buf_truncate(out, start);
    } else if (q->failed) {
        buf_truncate(out, start);
        reply_writer_init(&q->writer, out, FIRST_PACKET);
        reply_writer_err(&q->writer, q->code, "%s", q->message);
        session_warn(q->session, q->code, q->message);
    } else if (!q->keep_warning) {
        session_warn(q->session, 0, NULL);
    }
    query_free_chunks(q);
    sql_fini(&q->sql);
}

void admin_query(struct admin_session *s, const struct admin_env *env, struct bytes sql,
                 struct buf *out)
{
    struct query q;
    size_t start = out->len;
    begin(&q, s, env, out);
    if (sql.n > ADMIN_QUERY_MAX) {
        query_fail(&q, ER_NET_PACKET_TOO_LARGE,
                   "Got a packet bigger than 'max_allowed_packet' bytes");
    } else {
        sql_init(&q.sql, sql, version_number(q.facts.version));
        run_statement(&q);
    }
    finish(&q, start);
}

void admin_init_db(struct admin_session *s, const struct admin_env *env, struct bytes name,
                   struct buf *out)
{
    struct query q;
    size_t start = out->len;
    begin(&q, s, env, out);
    use(&q, name);
    finish(&q, start);
}

void admin_statistics(const struct admin_env *env, struct buf *text)
{
    struct admin_facts f;
    empty_facts(&f);
    if (env->facts)
        env->facts(env->ctx, &f);
    uint64_t rate = f.uptime_s ? f.questions * 1000 / f.uptime_s : 0;
    wr_fmt(text,
           "Uptime: %" PRIu64 "  Threads: %" PRIu32 "  Questions: %" PRIu64
           "  Slow queries: 0  Opens: 0  Flush tables: 0  Open tables: 0  Queries per second avg: "
           "%" PRIu64 ".%03" PRIu64,
           f.uptime_s, f.threads_connected, f.questions, rate / 1000, rate % 1000);
}
