/*
 * SHOW: what the daemon is, as a source of replicas would say it.
 *
 * The words of the statement choose the names of the columns, so both generations of clients find
 * theirs; the version of the source decides only what nobody asks for by name.
 */
#include "admin/admin_priv.h"

#include <stdlib.h>

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

#define TEXT(name)                                                                                 \
    {                                                                                              \
        name, REPLY_TYPE_VAR_STRING, REPLY_FLAG_NOT_NULL, 0, 0                                     \
    }
#define NULLABLE(name)                                                                             \
    {                                                                                              \
        name, REPLY_TYPE_VAR_STRING, 0, 0, 0                                                       \
    }
#define NUMBER(name, type)                                                                         \
    {                                                                                              \
        name, REPLY_TYPE_##type, REPLY_FLAG_NOT_NULL | REPLY_FLAG_UNSIGNED | REPLY_FLAG_BINARY, 0, \
            0                                                                                      \
    }
#define SIGNED(name, type)                                                                         \
    {                                                                                              \
        name, REPLY_TYPE_##type, REPLY_FLAG_NOT_NULL | REPLY_FLAG_BINARY, 0, 0                     \
    }

static bool end_of_statement(struct query *q)
{
    return sql_at_end(&q->sql) || query_fail_syntax(q);
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

static bool rows_end(struct query *q)
{
    reply_writer_rows_end(&q->writer);
    return !q->failed;
}

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
        static const struct query_row none = {{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}};
        struct value v;
        f->kind = FILTER_WHERE;
        f->at = q->sql.at;
        /* Once without a row, for what is wrong with it must not depend on there being rows. */
        q->row = &none;
        bool ok = expr_take(q, &v);
        q->row = NULL;
        if (!ok)
            return false;
    }
    return end_of_statement(q);
}

static bool passes(struct query *q, const struct filter *f, const struct query_row *row)
{
    struct value v;
    bool ok = false;
    switch (f->kind) {
    case FILTER_NONE:
        return true;
    case FILTER_LIKE:
        ok = sql_like(row->name, f->pattern, &q->budget);
        return q->budget ? ok : query_spend(q, 1);
    case FILTER_WHERE:
        q->sql.at = f->at;
        q->row = row;
        ok = expr_take(q, &v) && value_is_true(&v);
        q->row = NULL;
        return ok;
    }
    return false;
}

typedef const struct vars_entry *(*vars_at_fn)(size_t i);

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
        struct query_row row = {bytes_str(e->name), vars_shown(e, &view)};
        if (!passes(q, &f, &row))
            continue;
        row_begin(q);
        rows_cell(q, row.name);
        rows_cell(q, row.value);
        row_end(q);
    }
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
    if (!end_of_statement(q) || !need_status(q))
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
    if (!end_of_statement(q) || !need_status(q))
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
    if (!end_of_statement(q) || !query_need(q, ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"))
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

/* In the order of MySQL 8.4. */
static const struct reply_column replica_status_columns[] = {
    TEXT("Replica_IO_State"),
    TEXT("Source_Host"),
    TEXT("Source_User"),
    NUMBER("Source_Port", LONG),
    NUMBER("Connect_Retry", LONG),
    TEXT("Source_Log_File"),
    NUMBER("Read_Source_Log_Pos", LONGLONG),
    TEXT("Relay_Log_File"),
    NUMBER("Relay_Log_Pos", LONGLONG),
    TEXT("Relay_Source_Log_File"),
    TEXT("Replica_IO_Running"),
    TEXT("Replica_SQL_Running"),
    TEXT("Replicate_Do_DB"),
    TEXT("Replicate_Ignore_DB"),
    TEXT("Replicate_Do_Table"),
    TEXT("Replicate_Ignore_Table"),
    TEXT("Replicate_Wild_Do_Table"),
    TEXT("Replicate_Wild_Ignore_Table"),
    NUMBER("Last_Errno", LONG),
    TEXT("Last_Error"),
    NUMBER("Skip_Counter", LONG),
    NUMBER("Exec_Source_Log_Pos", LONGLONG),
    NUMBER("Relay_Log_Space", LONGLONG),
    TEXT("Until_Condition"),
    TEXT("Until_Log_File"),
    NUMBER("Until_Log_Pos", LONGLONG),
    TEXT("Source_SSL_Allowed"),
    TEXT("Source_SSL_CA_File"),
    TEXT("Source_SSL_CA_Path"),
    TEXT("Source_SSL_Cert"),
    TEXT("Source_SSL_Cipher"),
    TEXT("Source_SSL_Key"),
    NUMBER("Seconds_Behind_Source", LONGLONG),
    TEXT("Source_SSL_Verify_Server_Cert"),
    NUMBER("Last_IO_Errno", LONG),
    TEXT("Last_IO_Error"),
    NUMBER("Last_SQL_Errno", LONG),
    TEXT("Last_SQL_Error"),
    TEXT("Replicate_Ignore_Server_Ids"),
    NUMBER("Source_Server_Id", LONG),
    TEXT("Source_UUID"),
    TEXT("Source_Info_File"),
    NUMBER("SQL_Delay", LONG),
    NUMBER("SQL_Remaining_Delay", LONG),
    TEXT("Replica_SQL_Running_State"),
    NUMBER("Source_Retry_Count", LONGLONG),
    TEXT("Source_Bind"),
    TEXT("Last_IO_Error_Timestamp"),
    TEXT("Last_SQL_Error_Timestamp"),
    TEXT("Source_SSL_Crl"),
    TEXT("Source_SSL_Crlpath"),
    TEXT("Retrieved_Gtid_Set"),
    TEXT("Executed_Gtid_Set"),
    NUMBER("Auto_Position", LONG),
    TEXT("Replicate_Rewrite_DB"),
    TEXT("Channel_Name"),
    TEXT("Source_TLS_Version"),
    TEXT("Source_public_key_path"),
    NUMBER("Get_Source_public_key", LONG),
    TEXT("Network_Namespace")};

/* In the order of MySQL 5.7. */
static const struct reply_column slave_status_columns[] = {
    TEXT("Slave_IO_State"),
    TEXT("Master_Host"),
    TEXT("Master_User"),
    NUMBER("Master_Port", LONG),
    NUMBER("Connect_Retry", LONG),
    TEXT("Master_Log_File"),
    NUMBER("Read_Master_Log_Pos", LONGLONG),
    TEXT("Relay_Log_File"),
    NUMBER("Relay_Log_Pos", LONGLONG),
    TEXT("Relay_Master_Log_File"),
    TEXT("Slave_IO_Running"),
    TEXT("Slave_SQL_Running"),
    TEXT("Replicate_Do_DB"),
    TEXT("Replicate_Ignore_DB"),
    TEXT("Replicate_Do_Table"),
    TEXT("Replicate_Ignore_Table"),
    TEXT("Replicate_Wild_Do_Table"),
    TEXT("Replicate_Wild_Ignore_Table"),
    NUMBER("Last_Errno", LONG),
    TEXT("Last_Error"),
    NUMBER("Skip_Counter", LONG),
    NUMBER("Exec_Master_Log_Pos", LONGLONG),
    NUMBER("Relay_Log_Space", LONGLONG),
    TEXT("Until_Condition"),
    TEXT("Until_Log_File"),
    NUMBER("Until_Log_Pos", LONGLONG),
    TEXT("Master_SSL_Allowed"),
    TEXT("Master_SSL_CA_File"),
    TEXT("Master_SSL_CA_Path"),
    TEXT("Master_SSL_Cert"),
    TEXT("Master_SSL_Cipher"),
    TEXT("Master_SSL_Key"),
    NUMBER("Seconds_Behind_Master", LONGLONG),
    TEXT("Master_SSL_Verify_Server_Cert"),
    NUMBER("Last_IO_Errno", LONG),
    TEXT("Last_IO_Error"),
    NUMBER("Last_SQL_Errno", LONG),
    TEXT("Last_SQL_Error"),
    TEXT("Replicate_Ignore_Server_Ids"),
    NUMBER("Master_Server_Id", LONG),
    TEXT("Master_UUID"),
    TEXT("Master_Info_File"),
    NUMBER("SQL_Delay", LONG),
    NUMBER("SQL_Remaining_Delay", LONG),
    TEXT("Slave_SQL_Running_State"),
    NUMBER("Master_Retry_Count", LONGLONG),
    TEXT("Master_Bind"),
    TEXT("Last_IO_Error_Timestamp"),
    TEXT("Last_SQL_Error_Timestamp"),
    TEXT("Master_SSL_Crl"),
    TEXT("Master_SSL_Crlpath"),
    TEXT("Retrieved_Gtid_Set"),
    TEXT("Executed_Gtid_Set"),
    NUMBER("Auto_Position", LONG),
    TEXT("Replicate_Rewrite_DB"),
    TEXT("Channel_Name"),
    TEXT("Master_TLS_Version")};

/* binlogd applies nothing, and how it copies is told by `binlogd status`: no rows. */
static bool show_replica_status(struct query *q)
{
    if (!end_of_statement(q) || !need_status(q))
        return false;
    rows_head(q, replica_status_columns, COUNT_OF(replica_status_columns));
    return rows_end(q);
}

static bool show_slave_status(struct query *q)
{
    if (!end_of_statement(q) || !need_status(q))
        return false;
    rows_head(q, slave_status_columns, COUNT_OF(slave_status_columns));
    return rows_end(q);
}

struct thread_rows {
    struct query *q;
    size_t info_max;
};

/* Without the right to see more, a session sees those of its own user. */
static void thread_row(void *arg, const struct admin_thread *t)
{
    struct thread_rows *rows = arg;
    struct query *q = rows->q;
    bool all = (q->session->rights & (ADMIN_RIGHT_STATUS | ADMIN_RIGHT_ADMIN)) != 0;
    if (!all && strcmp(t->user, q->session->user) != 0)
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
    static const struct reply_column columns[] = {
        SIGNED("Id", LONGLONG), TEXT("User"),         TEXT("Host"),      NULLABLE("db"),
        TEXT("Command"),        SIGNED("Time", LONG), NULLABLE("State"), NULLABLE("Info")};
    struct thread_rows rows = {q, info_max};
    if (!end_of_statement(q))
        return false;
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

static bool show_warnings(struct query *q)
{
    static const struct reply_column columns[] = {TEXT("Level"), NUMBER("Code", LONG),
                                                  TEXT("Message")};
    uint64_t limit = UINT64_MAX, count = UINT64_MAX;
    q->keep_warning = true;
    if (sql_take(&q->sql, "limit")) {
        if (!sql_take_u64(&q->sql, &limit))
            return query_fail_syntax(q);
        if (sql_take(&q->sql, ",")) {
            if (!sql_take_u64(&q->sql, &count))
                return query_fail_syntax(q);
            limit = limit ? 0 : count;
        }
    }
    if (!end_of_statement(q))
        return false;
    rows_head(q, columns, COUNT_OF(columns));
    if (q->session->warning_code && limit) {
        row_begin(q);
        cell_text(q, "Error");
        reply_writer_cell_u64(&q->writer, q->session->warning_code);
        cell_text(q, q->session->warning);
        row_end(q);
    }
    return rows_end(q);
}

static bool count_warnings(struct query *q, const char *name)
{
    const struct reply_column column = {name, REPLY_TYPE_LONGLONG, 0, 0, 0};
    q->keep_warning = true;
    if (!end_of_statement(q))
        return false;
    rows_head(q, &column, 1);
    row_begin(q);
    reply_writer_cell_u64(&q->writer, q->session->warning_code != 0);
    row_end(q);
    return rows_end(q);
}

static bool show_warning_count(struct query *q)
{
    return count_warnings(q, "@@session.warning_count");
}

static bool show_error_count(struct query *q)
{
    return count_warnings(q, "@@session.error_count");
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
    const struct query_row row = {bytes_str("information_schema"), bytes_str("")};
    rows_head(q, &column, 1);
    if (passes(q, &f, &row)) {
        row_begin(q);
        rows_cell(q, row.name);
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
    if (!end_of_statement(q))
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
    struct admin_events e = {bytes_of("", 0), 4, 0, UINT64_MAX};
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
    if (!query_take_limit(q, &e.skip, &e.count) || !end_of_statement(q))
        return false;
    if (!query_need(q, ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"))
        return false;
    if (!q->env->binlog_events)
        return query_fail(q, ER_NOT_SUPPORTED_YET,
                          "This version of MySQL doesn't yet support 'SHOW BINLOG EVENTS'");
    q->env->binlog_events(q->env->ctx, &e, q->writer.out);
    return true;
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
        {"warnings|errors", show_warnings},
        {"count ( * ) warnings", show_warning_count},
        {"count ( * ) errors", show_error_count},
        {"databases|schemas", show_databases},
        {"[full] tables", show_tables},
        {"grants", show_grants},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (sql_match(&q->sql, table[i].words))
            return table[i].run(q);
    }
    return query_fail_syntax(q);
}
