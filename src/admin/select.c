/*
 * SELECT: a list of expressions, alone or over the rows of a table.
 *
 * There are no tables but those that tell of the server: the list of sessions, variables and status
 * variables have rows, all others of information_schema and performance_schema are empty, as they
 * are on a server that gathers nothing. No joins, no groups, no order but that of the rows.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])
#define HEADING_MAX 256 /* bytes of a column's name that is the text of the item */

struct items {
    struct value *values;
    struct reply_column *columns;
    size_t n;
    size_t cap;
};

/* A C string of the query's own, cut between UTF-8 characters. */
static const char *heading(struct query *q, struct bytes text)
{
    size_t n = text.n < HEADING_MAX ? text.n : HEADING_MAX;
    while (n < text.n && n && (text.p[n] & 0xc0) == 0x80)
        n--;
    uint8_t *p = query_alloc(q, n + 1);
    if (!p)
        return "";
    if (n)
        memcpy(p, text.p, n);
    p[n] = '\0';
    return (const char *)p;
}

/* An item that is a literal only, in however many parentheses, is named after the literal, any
 * other after its text. */
static struct bytes item_text(const struct query *q, size_t first, size_t end)
{
    const struct sql_token *t = q->sql.tokens;
    size_t a = first, b = end;
    while (b - a > 2 && t[a].kind == SQL_OPERATOR && t[a].value.p[0] == '(' &&
           t[b - 1].kind == SQL_OPERATOR && t[b - 1].value.p[0] == ')') {
        a++;
        b--;
    }
    if (t[a].kind == SQL_STRING && (b - a == 1 || t[a + 1].kind == SQL_STRING))
        return t[a].value;
    if (b - a == 1 && t[a].kind != SQL_WORD && t[a].kind != SQL_USER_VARIABLE &&
        t[a].kind != SQL_SYSTEM_VARIABLE)
        return t[a].text;
    const uint8_t *from = t[first].text.p;
    const struct sql_token *last = &t[end - 1];
    return bytes_of(from, (size_t)(last->text.p + last->text.n - from));
}

/* [AS] alias; words that go on with the statement are none. */
static bool take_alias(struct query *q, struct bytes *alias)
{
    const struct sql_token *t = sql_peek(&q->sql);
    bool as = sql_take(&q->sql, "as");
    if (as)
        t = sql_peek(&q->sql);
    bool more = t->kind == SQL_WORD && (sql_same(t->value, "from") || sql_same(t->value, "limit"));
    if (t->kind == SQL_QUOTED || t->kind == SQL_STRING || (t->kind == SQL_WORD && !more)) {
        *alias = sql_next(&q->sql)->value;
        return true;
    }
    return !as || query_fail_syntax(q);
}

static bool take_item(struct query *q, struct items *items)
{
    if (items->n == items->cap) {
        items->cap = items->cap ? items->cap * 2 : 8;
        items->values = mem_realloc(items->values, items->cap * sizeof(*items->values));
        items->columns = mem_realloc(items->columns, items->cap * sizeof(*items->columns));
    }
    struct value *v = &items->values[items->n];
    size_t first = q->sql.at;
    if (!expr_take(q, v))
        return false;
    struct bytes name = item_text(q, first, q->sql.at);
    if (!take_alias(q, &name))
        return false;
    struct reply_column *c = &items->columns[items->n++];
    *c = v->column;
    c->name = heading(q, name);
    return !q->failed;
}

static bool write_items(struct query *q, const struct items *items, size_t rows)
{
    rows_head(q, items->columns, items->n);
    if (rows) {
        reply_writer_row_begin(&q->writer);
        for (size_t i = 0; i < items->n; i++)
            rows_cell(q, items->values[i].text);
        reply_writer_row_end(&q->writer);
    }
    reply_writer_rows_end(&q->writer);
    return !q->failed;
}

/* Tables */

enum { PROCESS_COLUMNS = 8, VARIABLE_COLUMNS = 2 };

static const struct query_column process_columns[PROCESS_COLUMNS] = {
    {"ID", true},       {"USER", false}, {"HOST", false},  {"DB", false},
    {"COMMAND", false}, {"TIME", true},  {"STATE", false}, {"INFO", false}};
static const struct query_column variable_columns[VARIABLE_COLUMNS] = {{"VARIABLE_NAME", false},
                                                                       {"VARIABLE_VALUE", false}};

/* A SELECT over a table: where its parts begin among the tokens. */
struct scan {
    struct query *q;
    struct items items;
    size_t list;      /* of items */
    size_t condition; /* behind WHERE; 0: none */
    bool all;         /* the list is * */
    bool count;       /* the list is COUNT(*) */
    uint64_t skip;
    uint64_t left; /* of LIMIT */
    uint64_t counted;
};

static bool take_list(struct scan *s)
{
    struct query *q = s->q;
    q->sql.at = s->list;
    s->items.n = 0;
    do {
        if (!take_item(q, &s->items))
            return false;
    } while (sql_take(&q->sql, ","));
    return true;
}

static bool meets_condition(struct scan *s)
{
    struct value v;
    if (!s->condition)
        return true;
    s->q->sql.at = s->condition;
    return query_take_condition(s->q, s->q->row, &v) && value_is_true(&v);
}

static void write_row(struct scan *s, const struct query_row *row)
{
    struct query *q = s->q;
    reply_writer_row_begin(&q->writer);
    for (size_t i = 0; i < (s->all ? row->n : s->items.n); i++)
        rows_cell(q, s->all ? row->values[i] : s->items.values[i].text);
    reply_writer_row_end(&q->writer);
}

static void scan_row(struct scan *s, const struct query_row *row)
{
    struct query *q = s->q;
    if (q->failed)
        return;
    q->row = row;
    bool wanted = meets_condition(s);
    if (wanted && s->count)
        s->counted++;
    else if (wanted && s->skip)
        s->skip--;
    else if (wanted && s->left && (s->all || take_list(s))) {
        s->left--;
        write_row(s, row);
    }
    q->row = NULL;
}

static void scan_thread(void *arg, const struct admin_thread *t)
{
    struct scan *s = arg;
    char id[24], time[24];
    if (!query_may_see(s->q, t))
        return;
    snprintf(id, sizeof(id), "%" PRIu32, t->id);
    snprintf(time, sizeof(time), "%" PRIu64, t->time_s);
    const struct bytes values[PROCESS_COLUMNS] = {
        bytes_str(id),         bytes_str(t->user),
        bytes_str(t->host),    t->db ? bytes_str(t->db) : bytes_of(NULL, 0),
        bytes_str(t->command), bytes_str(time),
        bytes_str(t->state),   t->info ? bytes_str(t->info) : bytes_of(NULL, 0)};
    scan_row(s, &(struct query_row){process_columns, values, PROCESS_COLUMNS});
}

static void scan_threads(struct scan *s)
{
    if (s->q->env->each_thread)
        s->q->env->each_thread(s->q->env->ctx, scan_thread, s);
}

static void scan_vars(struct scan *s, const struct vars_entry *(*at)(size_t i))
{
    struct vars_view view = {&s->q->facts, s->q->session, {0}};
    const struct vars_entry *e;
    for (size_t i = 0; (e = at(i)); i++) {
        if (!vars_exists(e, &s->q->facts))
            continue;
        const struct bytes values[VARIABLE_COLUMNS] = {bytes_str(e->name), vars_shown(e, &view)};
        scan_row(s, &(struct query_row){variable_columns, values, VARIABLE_COLUMNS});
    }
}

static void scan_variables(struct scan *s)
{
    scan_vars(s, vars_system_at);
}

static void scan_status(struct scan *s)
{
    scan_vars(s, vars_status_at);
}

static const struct table {
    const char *name;
    const struct query_column *columns;
    size_t n;
    void (*scan)(struct scan *s);
} tables[] = {
    {"processlist", process_columns, PROCESS_COLUMNS, scan_threads},
    {"global_variables", variable_columns, VARIABLE_COLUMNS, scan_variables},
    {"session_variables", variable_columns, VARIABLE_COLUMNS, scan_variables},
    {"global_status", variable_columns, VARIABLE_COLUMNS, scan_status},
    {"session_status", variable_columns, VARIABLE_COLUMNS, scan_status},
};

/* What the rows would have: their columns, and empty values. */
static bool write_head(struct scan *s, const struct table *t)
{
    struct reply_column columns[PROCESS_COLUMNS];
    struct bytes values[PROCESS_COLUMNS];
    struct query *q = s->q;
    for (size_t i = 0; i < t->n; i++) {
        struct reply_column text = COLUMN_TEXT(t->columns[i].name);
        struct reply_column number = COLUMN_NUMBER(t->columns[i].name, LONGLONG);
        columns[i] = t->columns[i].number ? number : text;
        values[i] = bytes_of("", 0);
    }
    if (s->count)
        columns[0] = (struct reply_column)COLUMN_NUMBER("COUNT(*)", LONGLONG);
    if (s->all || s->count) {
        rows_head(q, columns, s->count ? 1 : t->n);
        return true;
    }
    q->row = &(struct query_row){t->columns, values, t->n};
    bool ok = take_list(s);
    q->row = NULL;
    if (ok)
        rows_head(q, s->items.columns, s->items.n);
    return ok;
}

/* Behind the name of the table. Groups are not made, so nothing is in them. */
static bool take_tail(struct scan *s, const struct table *t)
{
    struct query *q = s->q;
    struct value v;
    struct bytes values[PROCESS_COLUMNS];
    for (size_t i = 0; i < PROCESS_COLUMNS; i++)
        values[i] = bytes_of("", 0);
    if (sql_take(&q->sql, "where")) {
        s->condition = q->sql.at;
        const struct query_row row = {t->columns, values, t->n};
        if (!query_take_condition(q, &row, &v))
            return false;
    }
    if (sql_match(&q->sql, "order by")) {
        while (!sql_at_end(&q->sql) && !sql_same(sql_peek(&q->sql)->value, "limit"))
            sql_next(&q->sql);
    }
    return query_take_limit(q, &s->skip, &s->left) && query_end(q);
}

static bool select_rows(struct query *q, const struct table *t, size_t list)
{
    struct scan s = {.q = q, .list = list};
    size_t tail = q->sql.at;
    q->sql.at = list;
    s.all = sql_match(&q->sql, "* from");
    s.count = sql_match(&q->sql, "count ( * ) from");
    q->sql.at = tail;
    bool ok = take_tail(&s, t) && write_head(&s, t);
    if (ok)
        t->scan(&s);
    if (ok && s.count) {
        reply_writer_row_begin(&q->writer);
        reply_writer_cell_u64(&q->writer, s.counted);
        reply_writer_row_end(&q->writer);
    }
    free(s.items.values);
    free(s.items.columns);
    return ok && rows_end(q);
}

/* The name of the item that ends before the token. */
static const char *item_name(struct query *q, size_t first, size_t end)
{
    const struct sql_token *last = &q->sql.tokens[end - 1];
    bool named = last->kind == SQL_WORD || last->kind == SQL_QUOTED || last->kind == SQL_STRING;
    return heading(q, named && end - first > 1 ? last->value : item_text(q, first, end));
}

/* An empty table has the columns that are asked for. Nothing of the statement is looked at. */
static bool select_nothing(struct query *q, size_t list, size_t from)
{
    static const char count[] = "count";
    const struct sql_token *t = q->sql.tokens;
    struct reply_column columns[128] = {0};
    size_t n = 0, first = list;
    unsigned depth = 0;
    for (size_t i = list; i <= from && n < COUNT_OF(columns); i++) {
        bool mark = t[i].kind == SQL_OPERATOR && t[i].value.n == 1;
        depth += mark && t[i].value.p[0] == '(';
        depth -= mark && t[i].value.p[0] == ')' && depth;
        if (i != from && (depth || !mark || t[i].value.p[0] != ','))
            continue;
        if (i == first) {
            q->sql.at = i;
            return query_fail_syntax(q);
        }
        columns[n] = (struct reply_column)COLUMN_TEXT(item_name(q, first, i));
        columns[n++].flags = 0;
        first = i + 1;
    }
    rows_head(q, columns, n);
    if (n == 1 && sql_same(t[list].value, count) && t[list + 1].value.p[0] == '(') {
        reply_writer_row_begin(&q->writer);
        reply_writer_cell_u64(&q->writer, 0);
        reply_writer_row_end(&q->writer);
    }
    return rows_end(q);
}

/* The token FROM that belongs to this SELECT; the end when there is none. */
static size_t find_from(const struct query *q)
{
    size_t i = q->sql.at;
    unsigned depth = 0;
    for (; q->sql.tokens[i].kind != SQL_END; i++) {
        const struct sql_token *t = &q->sql.tokens[i];
        if (t->kind == SQL_OPERATOR && t->value.n == 1) {
            depth += t->value.p[0] == '(';
            depth -= t->value.p[0] == ')' && depth;
        }
        if (!depth && t->kind == SQL_WORD && sql_same(t->value, "from"))
            break;
    }
    return i;
}

/* [schema.]table, of a schema that tells of the server. */
static bool take_table(struct query *q, struct bytes *name)
{
    struct bytes schema = bytes_str(q->session->database);
    if (!sql_take_name(&q->sql, name))
        return false;
    if (sql_take(&q->sql, ".")) {
        schema = *name;
        if (!sql_take_name(&q->sql, name))
            return false;
    }
    return sql_same(schema, "information_schema") || sql_same(schema, "performance_schema");
}

static bool is_grouped(const struct query *q)
{
    const struct sql_token *t = q->sql.tokens;
    for (size_t i = q->sql.at; t[i].kind != SQL_END; i++) {
        if (t[i].kind == SQL_WORD && sql_same(t[i].value, "group") &&
            sql_same(t[i + 1].value, "by"))
            return true;
    }
    return false;
}

/* What stands behind FROM is looked at first, for it says what the words before it mean. */
static bool select_from(struct query *q, size_t from)
{
    struct bytes name;
    size_t list = q->sql.at;
    q->sql.at = from + 1;
    if (!take_table(q, &name)) {
        q->sql.at = from;
        return query_fail_syntax(q);
    }
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (sql_same(name, tables[i].name) && !is_grouped(q))
            return select_rows(q, &tables[i], list);
    }
    return select_nothing(q, list, from);
}

bool select_statement(struct query *q)
{
    struct items items = {0};
    uint64_t skip, count;
    bool ok;
    sql_match(&q->sql, "[sql_no_cache|all|distinct]");
    size_t from = find_from(q);
    bool dual = sql_same(q->sql.tokens[from].value, "from") &&
                sql_same(q->sql.tokens[from + 1].value, "dual");
    if (q->sql.tokens[from].kind != SQL_END && !dual)
        return select_from(q, from);
    do {
        ok = take_item(q, &items);
    } while (ok && sql_take(&q->sql, ","));
    if (ok)
        sql_match(&q->sql, "from dual");
    ok = ok && query_take_limit(q, &skip, &count);
    ok = ok && (sql_at_end(&q->sql) || query_fail_syntax(q));
    ok = ok && write_items(q, &items, skip == 0 && count > 0);
    free(items.values);
    free(items.columns);
    return ok;
}
