/*
 * SET: user variables are stored, session variables that drivers set are accepted without effect,
 * nothing global can be changed.
 *
 * All values are evaluated before the first is stored, as a source does it: an error leaves
 * everything as it was (but for the limit on variables), and @b = @a sees the old @a.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <stdlib.h>

struct assignment {
    struct bytes name;
    struct value value;
};

struct assignments {
    struct assignment *items;
    size_t n;
    size_t cap;
};

static bool take_equals(struct query *q)
{
    return sql_take(&q->sql, "=") || sql_take(&q->sql, ":=") || query_fail_syntax(q);
}

static bool set_user_variable(struct query *q, struct assignments *all)
{
    struct value v;
    struct bytes name = sql_next(&q->sql)->value;
    if (!take_equals(q) || !expr_take(q, &v))
        return false;
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 8;
        all->items = mem_realloc(all->items, all->cap * sizeof(*all->items));
    }
    all->items[all->n++] = (struct assignment){name, v};
    return true;
}

static bool refuse_global(struct query *q)
{
    return query_fail(q, ER_SPECIFIC_ACCESS_DENIED_ERROR,
                      "Access denied; you need (at least one of) the SUPER or "
                      "SYSTEM_VARIABLES_ADMIN privilege(s) for this operation");
}

static bool set_system_variable(struct query *q, struct bytes name, enum sql_scope scope)
{
    struct value v;
    const struct vars_entry *e = vars_find(&q->facts, name);
    if (!take_equals(q))
        return false;
    if (!e)
        return query_fail_name(q, ER_UNKNOWN_SYSTEM_VARIABLE, "Unknown system variable '", name,
                               "'");
    q->bare_words = true; /* ON, ANSI, DEFAULT */
    bool ok = expr_take(q, &v);
    q->bare_words = false;
    if (!ok)
        return false;
    if (scope == SQL_SCOPE_GLOBAL || scope == SQL_SCOPE_PERSIST)
        return refuse_global(q);
    if (e->scope == VARS_GLOBAL)
        return query_fail(q, ER_GLOBAL_VARIABLE,
                          "Variable '%s' is a GLOBAL variable and should be set with SET GLOBAL",
                          e->name);
    if (!e->settable)
        return query_fail(q, ER_INCORRECT_GLOBAL_LOCAL_VAR, "Variable '%s' is a read only variable",
                          e->name);
    return true;
}

static bool is_character_set(struct bytes name)
{
    static const char *const known[] = {
        "utf8mb4", "utf8mb3", "utf8",   "latin1",   "ascii",   "binary",  "latin2",   "latin5",
        "latin7",  "cp1250",  "cp1251", "cp1256",   "cp1257",  "cp850",   "cp852",    "cp866",
        "koi8r",   "koi8u",   "greek",  "hebrew",   "swe7",    "tis620",  "macroman", "macce",
        "big5",    "gbk",     "gb2312", "gb18030",  "sjis",    "cp932",   "ujis",     "eucjpms",
        "euckr",   "dec8",    "hp8",    "armscii8", "geostd8", "keybcs2", "default"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (sql_same(name, known[i]))
            return true;
    }
    return false;
}

/* SET NAMES x [COLLATE y] and SET CHARACTER SET x; answers are UTF-8 all the same. */
static bool set_names(struct query *q)
{
    const struct sql_token *t = sql_peek(&q->sql);
    if (t->kind != SQL_WORD && t->kind != SQL_QUOTED && t->kind != SQL_STRING)
        return query_fail_syntax(q);
    sql_next(&q->sql);
    if (!is_character_set(t->value))
        return query_fail_name(q, ER_UNKNOWN_CHARACTER_SET, "Unknown character set: '", t->value,
                               "'");
    if (sql_take(&q->sql, "collate")) {
        t = sql_peek(&q->sql);
        if (t->kind != SQL_WORD && t->kind != SQL_QUOTED && t->kind != SQL_STRING)
            return query_fail_syntax(q);
        sql_next(&q->sql);
    }
    return true;
}

/* There are no transactions, so each isolation is as good as the other. */
static bool set_transaction(struct query *q)
{
    do {
        if (!sql_match(&q->sql, "isolation level read committed|uncommitted") &&
            !sql_match(&q->sql, "isolation level repeatable read") &&
            !sql_match(&q->sql, "isolation level serializable") &&
            !sql_match(&q->sql, "read only|write"))
            return query_fail_syntax(q);
    } while (sql_take(&q->sql, ","));
    return true;
}

static enum sql_scope take_scope(struct query *q)
{
    const struct sql_token *t = sql_peek(&q->sql);
    /* A variable could have such a name, but none has. */
    if (t->kind == SQL_WORD && t[1].kind == SQL_OPERATOR)
        return SQL_SCOPE_NONE;
    if (sql_take(&q->sql, "global"))
        return SQL_SCOPE_GLOBAL;
    if (sql_match(&q->sql, "session|local"))
        return SQL_SCOPE_SESSION;
    if (sql_match(&q->sql, "persist|persist_only"))
        return SQL_SCOPE_PERSIST;
    return SQL_SCOPE_NONE;
}

static bool set_item(struct query *q, struct assignments *all)
{
    const struct sql_token *t = sql_peek(&q->sql);
    struct bytes name;
    if (t->kind == SQL_USER_VARIABLE)
        return set_user_variable(q, all);
    if (t->kind == SQL_SYSTEM_VARIABLE) {
        sql_next(&q->sql);
        return set_system_variable(q, t->value, t->scope);
    }
    enum sql_scope scope = take_scope(q);
    if (sql_take(&q->sql, "transaction"))
        return set_transaction(q) && (scope != SQL_SCOPE_GLOBAL || refuse_global(q));
    if (scope == SQL_SCOPE_NONE &&
        (sql_take(&q->sql, "names") || sql_match(&q->sql, "character set") ||
         sql_take(&q->sql, "charset")))
        return set_names(q);
    if (!sql_take_name(&q->sql, &name))
        return query_fail_syntax(q);
    return set_system_variable(q, name, scope);
}

static bool store(struct query *q, const struct assignments *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (!session_set(q->session, all->items[i].name, &all->items[i].value))
            return query_fail(q, ER_UNKNOWN_ERROR,
                              "Too many user variables, or too much in them: at most %d with %u "
                              "bytes in all",
                              ADMIN_USER_VARIABLES_MAX, ADMIN_USER_BYTES_MAX);
    }
    return true;
}

/* A value may be what another assignment is about to free. */
static bool keep_value(struct query *q, struct value *v)
{
    uint8_t *p = value_is_null(v) ? NULL : query_alloc(q, v->text.n + 1);
    if (value_is_null(v) || !p)
        return !q->failed;
    if (v->text.n)
        memcpy(p, v->text.p, v->text.n);
    v->text.p = p;
    return true;
}

bool set_statement(struct query *q)
{
    struct assignments all = {0};
    bool ok;
    do {
        ok = set_item(q, &all);
    } while (ok && sql_take(&q->sql, ","));
    ok = ok && (sql_at_end(&q->sql) || query_fail_syntax(q));
    for (size_t i = 0; ok && i < all.n; i++)
        ok = keep_value(q, &all.items[i].value);
    ok = ok && store(q, &all);
    free(all.items);
    if (ok)
        reply_writer_ok(&q->writer, 0);
    return ok;
}
