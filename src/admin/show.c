/*
 * SHOW: what the daemon is, as a source of replicas would say it.
 *
 * The words of the statement choose the names of the columns, so both generations of clients find
 * theirs; the version of the source decides only what nobody asks for by name.
 */
#include "admin/admin_priv.h"

#include <stdlib.h>

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define TEXT        COLUMN_TEXT
#define NUMBER      COLUMN_NUMBER

#define NULLABLE(name)                                                                             \
    {                                                                                              \
        name, REPLY_TYPE_VAR_STRING, 0, 0, 0                                                       \
    }
#define SIGNED(name, type)                                                                         \
    {                                                                                              \
        name, REPLY_TYPE_##type, REPLY_FLAG_NOT_NULL | REPLY_FLAG_BINARY, 0, 0                     \
    }

static void cell_text(struct query *q, const char *text)
{
    rows_cell(q, text ? bytes_str(text) : bytes_of(NULL, 0));
}

static void row_begin(struct query *q)
{
    reply_writer_row_begin(&q->writer);
}

static void row_end(struct query *q)
{
    reply_writer_row_end(&q->writer);
}

/* What WHERE can name. */
enum { SHOWN_COLUMNS = 2 };
static const struct query_column shown_columns[SHOWN_COLUMNS] = {{"Variable_name", false},
                                                                 {"Value", false}};

/* LIKE 'pattern', WHERE condition, or neither. */
struct filter {
    enum { FILTER_NONE, FILTER_LIKE, FILTER_WHERE } kind;
    struct bytes pattern;
    size_t at; /* where the condition begins among the tokens */
};

static bool take_filter(struct query *q, struct filter *f)
{
    *f = (struct filter){0};
    if (sql_take(&q->sql, "like")) {
        const struct sql_token *t = sql_peek(&q->sql);
        f->kind = FILTER_LIKE;
        f->pattern = t->value;
        if (t->kind != SQL_STRING)
            return query_fail_syntax(q);
        sql_next(&q->sql);
    } else if (sql_take(&q->sql, "where")) {
        const struct bytes empty[SHOWN_COLUMNS] = {bytes_str(""), bytes_str("")};
        const struct query_row none = {shown_columns, empty, SHOWN_COLUMNS};
        struct value v;
        f->kind = FILTER_WHERE;
        f->at = q->sql.at;
        /* Once without a row, for what is wrong with it must not depend on there being rows. */
        if (!query_take_condition(q, &none, &v))
            return false;
    }
    return query_end(q);
}

static bool passes(struct query *q, const struct filter *f, const struct bytes *values)
{
    const struct query_row row = {shown_columns, values, SHOWN_COLUMNS};
    struct value v;
    bool ok = false;
    switch (f->kind) {
    case FILTER_NONE:
        return true;
    case FILTER_LIKE:
        ok = sql_like(values[0], f->pattern, &q->budget);
        return q->budget ? ok : query_spend(q, 1);
    case FILTER_WHERE:
        q->sql.at = f->at;
        return query_take_condition(q, &row, &v) && value_is_true(&v);
    }
    return false;
}

typedef const struct vars_entry *(*vars_at_fn)(size_t i);

static void show_var(struct query *q, const struct filter *f, const struct bytes *values)
{
    if (q->failed || !passes(q, f, values))
        return;
    row_begin(q);
    rows_cell(q, values[0]);
    rows_cell(q, values[1]);
    row_end(q);
}

struct setting_rows {
    struct query *q;
    const struct filter *f;
};

static void show_setting(void *arg, const struct admin_setting *setting)
{
    struct setting_rows *rows = arg;
    const struct bytes values[SHOWN_COLUMNS] = {bytes_str(setting->name),
                                                bytes_str(setting->value)};
    show_var(rows->q, rows->f, values);
}

/* A session sees what is global too. */
static bool show_vars(struct query *q, vars_at_fn at, enum sql_scope scope)
{
    static const struct reply_column columns[] = {TEXT("Variable_name"), NULLABLE("Value")};
    struct filter f;
    if (!take_filter(q, &f))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    struct vars_view view = {&q->facts, q->session, {0}};
    const struct vars_entry *e;
    for (size_t i = 0; !q->failed && (e = at(i)); i++) {
        if (!vars_exists(e, &q->facts) || (scope == SQL_SCOPE_GLOBAL && e->scope == VARS_SESSION))
            continue;
        const struct bytes values[SHOWN_COLUMNS] = {bytes_str(e->name), vars_shown(e, &view)};
        show_var(q, &f, values);
    }
    struct setting_rows settings = {q, &f};
    if (at == vars_system_at)
        settings_each(q, show_setting, &settings);
    return rows_end(q);
}

static bool need_status(struct query *q)
{
    return query_need(q, ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT");
}

static bool show_log_status(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("File"), NUMBER("Position", LONGLONG),
                                                  TEXT("Binlog_Do_DB"), TEXT("Binlog_Ignore_DB"),
                                                  TEXT("Executed_Gtid_Set")};
    size_t n = COUNT_OF(columns) - q->facts.mariadb;
    if (!query_end(q) || !need_status(q))
        return false;
    rows_head(q, columns, n);
    if (*q->facts.file) {
        row_begin(q);
        cell_text(q, q->facts.file);
        reply_writer_cell_u64(&q->writer, q->facts.position);
        cell_text(q, "");
        cell_text(q, "");
        if (!q->facts.mariadb)
            cell_text(q, q->facts.gtid_executed);
        row_end(q);
    }
    return rows_end(q);
}

/* From 8.0 on there is a column about encryption. */
static bool shows_encryption(const struct query *q)
{
    return !q->facts.mariadb && atoi(q->facts.version) >= 8;
}

static void log_row(void *arg, const struct admin_log *log)
{
    struct query *q = arg;
    row_begin(q);
    cell_text(q, log->name);
    reply_writer_cell_u64(&q->writer, log->size);
    if (shows_encryption(q))
        cell_text(q, "No");
    row_end(q);
}

static bool show_logs(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("Log_name"), NUMBER("File_size", LONGLONG),
                                                  TEXT("Encrypted")};
    if (!query_end(q) || !need_status(q))
        return false;
    rows_head(q, columns, shows_encryption(q) ? 3 : 2);
    if (q->env->each_log)
        q->env->each_log(q->env->ctx, log_row, q);
    return rows_end(q);
}

static void replica_row(void *arg, const struct admin_replica *r)
{
    struct query *q = arg;
    row_begin(q);
    reply_writer_cell_u64(&q->writer, r->server_id);
    cell_text(q, r->host);
    reply_writer_cell_u64(&q->writer, r->port);
    reply_writer_cell_u64(&q->writer, q->facts.server_id);
    if (!q->facts.mariadb)
        cell_text(q, r->uuid);
    row_end(q);
}

static bool show_replicas(struct query *q, const struct reply_column *columns, size_t n)
{
    if (!query_end(q) || !query_need(q, ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"))
        return false;
    rows_head(q, columns, n - q->facts.mariadb);
    if (q->env->each_replica)
        q->env->each_replica(q->env->ctx, replica_row, q);
    return rows_end(q);
}

static bool show_replicas_new(struct query *q)
{
    static const struct reply_column columns[] = {NUMBER("Server_Id", LONG), TEXT("Host"),
                                                  NUMBER("Port", LONG), NUMBER("Source_Id", LONG),
                                                  TEXT("Replica_UUID")};
    return show_replicas(q, columns, COUNT_OF(columns));
}

static bool show_replicas_old(struct query *q)
{
    static const struct reply_column columns[] = {NUMBER("Server_id", LONG), TEXT("Host"),
                                                  NUMBER("Port", LONG), NUMBER("Master_id", LONG),
                                                  TEXT("Slave_UUID")};
    return show_replicas(q, columns, COUNT_OF(columns));
}

struct thread_rows {
    struct query *q;
    size_t info_max;
};

bool query_may_see(const struct query *q, const struct admin_thread *t)
{
    return (q->session->rights & (ADMIN_RIGHT_STATUS | ADMIN_RIGHT_ADMIN)) ||
           strcmp(t->user, q->session->user) == 0;
}

static void thread_row(void *arg, const struct admin_thread *t)
{
    struct thread_rows *rows = arg;
    struct query *q = rows->q;
    if (!query_may_see(q, t))
        return;
    struct bytes info = t->info ? bytes_str(t->info) : bytes_of(NULL, 0);
    if (info.n > rows->info_max)
        info.n = rows->info_max;
    row_begin(q);
    reply_writer_cell_u64(&q->writer, t->id);
    cell_text(q, t->user);
    cell_text(q, t->host);
    cell_text(q, t->db);
    cell_text(q, t->command);
    reply_writer_cell_u64(&q->writer, t->time_s);
    cell_text(q, t->state);
    rows_cell(q, info);
    row_end(q);
}

static bool show_threads(struct query *q, size_t info_max)
{
    struct reply_column columns[] = {SIGNED("Id", LONGLONG), TEXT("User"),    TEXT("Host"),
                                     NULLABLE("db"),         TEXT("Command"), SIGNED("Time", LONG),
                                     NULLABLE("State"),      NULLABLE("Info")};
    struct thread_rows rows = {q, info_max};
    if (!query_end(q))
        return false;
    if (info_max == SIZE_MAX)
        columns[COUNT_OF(columns) - 1].type = REPLY_TYPE_LONG_BLOB;
    rows_head(q, columns, COUNT_OF(columns));
    if (q->env->each_thread)
        q->env->each_thread(q->env->ctx, thread_row, &rows);
    return rows_end(q);
}

static bool show_processlist(struct query *q)
{
    return show_threads(q, 100);
}

static bool show_full_processlist(struct query *q)
{
    return show_threads(q, SIZE_MAX);
}

static bool show_variables(struct query *q)
{
    return show_vars(q, vars_system_at, SQL_SCOPE_SESSION);
}

static bool show_global_variables(struct query *q)
{
    return show_vars(q, vars_system_at, SQL_SCOPE_GLOBAL);
}

static bool show_status(struct query *q)
{
    return show_vars(q, vars_status_at, SQL_SCOPE_SESSION);
}

enum diagnostic { DIAGNOSTIC_ALL, DIAGNOSTIC_ERRORS };

static bool has_diagnostic(const struct query *q, enum diagnostic which)
{
    const struct admin_session *s = q->session;
    return s->warning_code && (which == DIAGNOSTIC_ALL || s->warning_level == ADMIN_ERROR);
}

static bool show_diagnostics(struct query *q, enum diagnostic which)
{
    static const char *const levels[] = {
        [ADMIN_ERROR] = "Error", [ADMIN_WARNING] = "Warning", [ADMIN_NOTE] = "Note"};
    static const struct reply_column columns[] = {TEXT("Level"), NUMBER("Code", LONG),
                                                  TEXT("Message")};
    uint64_t skip, count;
    q->keep_warning = true;
    if (!query_take_limit(q, &skip, &count) || !query_end(q))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    if (has_diagnostic(q, which) && !skip && count) {
        row_begin(q);
        cell_text(q, levels[q->session->warning_level]);
        reply_writer_cell_u64(&q->writer, q->session->warning_code);
        cell_text(q, q->session->warning);
        row_end(q);
    }
    return rows_end(q);
}

static bool show_warnings(struct query *q)
{
    return show_diagnostics(q, DIAGNOSTIC_ALL);
}

static bool show_errors(struct query *q)
{
    return show_diagnostics(q, DIAGNOSTIC_ERRORS);
}

static bool count_diagnostics(struct query *q, const char *name, enum diagnostic which)
{
    const struct reply_column column = {name, REPLY_TYPE_LONGLONG, 0, 0, 0};
    q->keep_warning = true;
    if (!query_end(q))
        return false;
    rows_head(q, &column, 1);
    row_begin(q);
    reply_writer_cell_u64(&q->writer, has_diagnostic(q, which));
    row_end(q);
    return rows_end(q);
}

static bool show_warning_count(struct query *q)
{
    return count_diagnostics(q, "@@session.warning_count", DIAGNOSTIC_ALL);
}

static bool show_error_count(struct query *q)
{
    return count_diagnostics(q, "@@session.error_count", DIAGNOSTIC_ERRORS);
}

/* A heading that may end in the pattern asked for. */
static const char *heading(struct query *q, const char *base, const struct filter *f)
{
    if (f->kind != FILTER_LIKE)
        return base;
    size_t n = strlen(base) + f->pattern.n + 4;
    uint8_t *p = query_alloc(q, n);
    if (!p)
        return base;
    snprintf((char *)p, n, "%s (%.*s)", base, (int)f->pattern.n, (const char *)f->pattern.p);
    return (const char *)p;
}

static bool show_databases(struct query *q)
{
    struct filter f;
    if (!take_filter(q, &f))
        return false;
    const struct reply_column column = TEXT(heading(q, "Database", &f));
    const struct bytes values[SHOWN_COLUMNS] = {bytes_str("information_schema"), bytes_str("")};
    rows_head(q, &column, 1);
    if (passes(q, &f, values)) {
        row_begin(q);
        rows_cell(q, values[0]);
        row_end(q);
    }
    return rows_end(q);
}

static bool show_tables(struct query *q)
{
    struct filter f;
    if (!take_filter(q, &f))
        return false;
    if (!*q->session->database)
        return query_fail(q, ER_NO_DB_ERROR, "No database selected");
    const struct reply_column column = TEXT(heading(q, "Tables_in_information_schema", &f));
    rows_head(q, &column, 1);
    return rows_end(q);
}

static bool grants_row(struct query *q)
{
    static const struct {
        unsigned right;
        const char *privileges;
    } rights[] = {{ADMIN_RIGHT_STATUS, "PROCESS"},
                  {ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"},
                  {ADMIN_RIGHT_STATUS, "REPLICATION CLIENT"}};
    struct buf text;
    const char *comma = "";
    buf_init(&text);
    wr_str(&text, "GRANT ");
    for (size_t i = 0; i < COUNT_OF(rights); i++) {
        if (q->session->rights & ADMIN_RIGHT_ADMIN || !(q->session->rights & rights[i].right))
            continue;
        wr_fmt(&text, "%s%s", comma, rights[i].privileges);
        comma = ", ";
    }
    if (!*comma)
        wr_str(&text, q->session->rights & ADMIN_RIGHT_ADMIN ? "ALL PRIVILEGES" : "USAGE");
    wr_fmt(&text, " ON *.* TO `%s`@`%%`", q->session->user);
    row_begin(q);
    rows_cell(q, buf_bytes(&text));
    row_end(q);
    buf_fini(&text);
    return rows_end(q);
}

static bool show_grants(struct query *q)
{
    if (sql_match(&q->sql, "for current_user") && !sql_at_end(&q->sql) &&
        !sql_match(&q->sql, "( )"))
        return query_fail_syntax(q);
    if (!query_end(q))
        return false;
    size_t n = strlen(q->session->user) + sizeof("Grants for @%");
    uint8_t *name = query_alloc(q, n);
    if (!name)
        return false;
    snprintf((char *)name, n, "Grants for %s@%%", q->session->user);
    const struct reply_column column = TEXT((const char *)name);
    rows_head(q, &column, 1);
    return grants_row(q);
}

static bool show_binlog_events(struct query *q)
{
    struct admin_events e = {bytes_of(NULL, 0), 4, 0, UINT64_MAX};
    if (sql_take(&q->sql, "in")) {
        const struct sql_token *t = sql_next(&q->sql);
        if (t->kind != SQL_STRING) {
            q->sql.at -= t->kind != SQL_END;
            return query_fail_syntax(q);
        }
        e.file = t->value;
    }
    if (sql_take(&q->sql, "from") && !sql_take_u64(&q->sql, &e.position))
        return query_fail_syntax(q);
    if (!query_take_limit(q, &e.skip, &e.count) || !query_end(q))
        return false;
    if (!e.skip && !e.count) /* as MySQL has it, here alone */
        e.count = UINT64_MAX;
    if (!query_need(q, ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"))
        return false;
    if (!q->env->binlog_events)
        return query_fail(q, ER_NOT_SUPPORTED_YET,
                          "This version of MySQL doesn't yet support 'SHOW BINLOG EVENTS'");
    q->env->binlog_events(q->env->ctx, &e, q->writer.out);
    return true;
}

/* There are no engines, no plugins, and nothing to tell of an engine. */
static bool show_engine_status(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("Type"), TEXT("Name"), TEXT("Status")};
    struct bytes engine;
    if (!sql_take_name(&q->sql, &engine) || !sql_match(&q->sql, "status|mutex|logs"))
        return query_fail_syntax(q);
    if (!query_end(q) || !query_need(q, ADMIN_RIGHT_STATUS, "PROCESS"))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    return rows_end(q);
}

static bool show_engines(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("Engine"),  TEXT("Support"),
                                                  TEXT("Comment"), NULLABLE("Transactions"),
                                                  NULLABLE("XA"),  NULLABLE("Savepoints")};
    if (!query_end(q))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    return rows_end(q);
}

static bool show_plugins(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("Name"), TEXT("Status"), TEXT("Type"),
                                                  NULLABLE("Library"), NULLABLE("License")};
    if (!query_end(q))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    return rows_end(q);
}

bool show_statement(struct query *q)
{
    static const struct {
        const char *words;
        bool (*run)(struct query *q);
    } table[] = {
        {"global variables", show_global_variables},
        {"[session|local] variables", show_variables},
        {"[global|session|local] status", show_status},
        {"master status", show_log_status},
        {"binary log status", show_log_status},
        {"master|binary logs", show_logs},
        {"binlog events", show_binlog_events},
        {"slave hosts", show_replicas_old},
        {"replicas", show_replicas_new},
        {"slave status", show_slave_status},
        {"replica status", show_replica_status},
        {"processlist", show_processlist},
        {"full processlist", show_full_processlist},
        {"warnings", show_warnings},
        {"errors", show_errors},
        {"count ( * ) warnings", show_warning_count},
        {"count ( * ) errors", show_error_count},
        {"databases|schemas", show_databases},
        {"[full] tables", show_tables},
        {"grants", show_grants},
        {"engine", show_engine_status},
        {"[storage] engines", show_engines},
        {"plugins", show_plugins},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (sql_match(&q->sql, table[i].words))
            return table[i].run(q);
    }
    return query_fail_syntax(q);
}
