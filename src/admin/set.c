/*
 * SET: user variables are stored, session variables that drivers set are accepted without effect,
 * and global ones are the keys of the configuration that a running daemon can change.
 *
 * All values are evaluated before the first is stored, as a source does it: an error leaves
 * everything as it was (but for the limit on variables), and @b = @a sees the old @a.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <stdlib.h>

#define GLOBALS_MAX 32

struct assignment {
    struct bytes name;
    struct value value;
};

struct assignments {
    struct assignment *items;
    size_t n;
    size_t cap;
    struct admin_assignment globals[GLOBALS_MAX];
    size_t global_n;
    enum sql_scope scope; /* the last word of that kind: it counts for the names behind it, too */
    bool needs_right;     /* of those, what the session must not do; told when all is understood */
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

static bool may_set_global(struct query *q, struct assignments *all)
{
    if (q->session->rights & ADMIN_RIGHT_ADMIN)
        return true;
    all->needs_right = true;
    return false;
}

static bool unknown(struct query *q, struct bytes name)
{
    return query_fail_name(q, ER_UNKNOWN_SYSTEM_VARIABLE, "Unknown system variable '", name, "'");
}

static bool read_only(struct query *q, const char *name)
{
    return query_fail(q, ER_INCORRECT_GLOBAL_LOCAL_VAR, "Variable '%s' is a read only variable",
                      name);
}

static char *text_of(struct query *q, struct bytes text)
{
    uint8_t *p = query_alloc(q, text.n + 1);
    if (!p)
        return NULL;
    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = 0;
    return (char *)p;
}

/* The value of an assignment: an expression, or a word such as ON, ANSI, DEFAULT. */
static bool take_value(struct query *q, struct value *v)
{
    q->bare_words = true;
    bool ok = expr_take(q, v);
    q->bare_words = false;
    return ok;
}

/* given: the name in the statement, which may be MySQL's. */
static bool set_setting(struct query *q, const char *given, const struct admin_setting *s,
                        struct assignments *all)
{
    struct value v;
    bool to_default = sql_take(&q->sql, "default");
    if (!to_default && !take_value(q, &v))
        return false;
    if (!may_set_global(q, all))
        return true;
    if (!s->settable)
        return read_only(q, given);
    if (!to_default && s->number && v.column.type != REPLY_TYPE_LONGLONG)
        return query_fail(q, ER_WRONG_TYPE_FOR_VAR, "Incorrect argument type to variable '%s'",
                          given);
    if (!to_default && value_is_null(&v))
        return query_fail(q, ER_WRONG_VALUE_FOR_VAR,
                          "Variable '%s' can't be set to the value of 'NULL'", given);
    if (!to_default && bytes_has_control(v.text))
        return query_fail(q, ER_WRONG_VALUE_FOR_VAR,
                          "Variable '%s' can't be set to a value with a control character in it",
                          given);
    if (all->global_n == GLOBALS_MAX)
        return query_fail(q, ER_UNKNOWN_ERROR, "More than %d global variables at a time",
                          GLOBALS_MAX);
    all->globals[all->global_n++] =
        (struct admin_assignment){s->name, to_default ? NULL : text_of(q, v.text)};
    return !q->failed;
}

static bool set_system_variable(struct query *q, struct bytes name, enum sql_scope scope,
                                struct assignments *all)
{
    struct value v;
    struct admin_setting setting;
    const struct vars_entry *e = vars_find(&q->facts, name);
    bool is_setting = setting_find(q, name, &setting);
    bool global = scope == SQL_SCOPE_GLOBAL || scope == SQL_SCOPE_PERSIST;
    const char *given = e ? e->name : is_setting ? setting.name : "";
    if (!take_equals(q))
        return false;
    if (!e && !is_setting)
        return unknown(q, name);
    if (scope == SQL_SCOPE_PERSIST && may_set_global(q, all))
        return query_fail(q, ER_NOT_SUPPORTED_YET,
                          "This version of MySQL doesn't yet support 'SET PERSIST'");
    if (global && is_setting)
        return set_setting(q, given, &setting, all);
    if (!take_value(q, &v))
        return false;
    if (all->needs_right || (global && !may_set_global(q, all)))
        return true;
    if (global && e->settable && e->scope == VARS_SESSION)
        return query_fail(q, ER_LOCAL_VARIABLE,
                          "Variable '%s' is a SESSION variable and can't be used with SET GLOBAL",
                          given);
    if (global)
        return read_only(q, given);
    if (!e || e->scope == VARS_GLOBAL)
        return query_fail(q, ER_GLOBAL_VARIABLE,
                          "Variable '%s' is a GLOBAL variable and should be set with SET GLOBAL",
                          given);
    return e->settable || read_only(q, given);
}

/* A name, or SECTION.KEY. */
static bool take_variable_name(struct query *q, struct bytes *name)
{
    struct bytes key;
    if (!sql_take_name(&q->sql, name))
        return query_fail_syntax(q);
    if (!sql_take(&q->sql, "."))
        return true;
    if (!sql_take_name(&q->sql, &key))
        return query_fail_syntax(q);
    uint8_t *p = query_alloc(q, name->n + 1 + key.n);
    if (!p)
        return false;
    memcpy(p, name->p, name->n);
    p[name->n] = '.';
    memcpy(p + name->n + 1, key.p, key.n);
    *name = bytes_of(p, name->n + 1 + key.n);
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
        return set_system_variable(q, t->value, t->scope, all);
    }
    enum sql_scope scope = take_scope(q);
    if (sql_take(&q->sql, "transaction")) {
        if (scope == SQL_SCOPE_GLOBAL)
            (void)may_set_global(q, all);
        return set_transaction(q);
    }
    if (scope == SQL_SCOPE_NONE &&
        (sql_take(&q->sql, "names") || sql_match(&q->sql, "character set") ||
         sql_take(&q->sql, "charset")))
        return set_names(q);
    if (scope != SQL_SCOPE_NONE)
        all->scope = scope;
    return take_variable_name(q, &name) && set_system_variable(q, name, all->scope, all);
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
    ok = ok && (!all.needs_right || query_need_super(q, "SYSTEM_VARIABLES_ADMIN"));
    for (size_t i = 0; ok && i < all.n; i++)
        ok = keep_value(q, &all.items[i].value);
    ok = ok && settings_apply(q, all.globals, all.global_n) && store(q, &all);
    free(all.items);
    if (ok)
        reply_writer_ok(&q->writer, 0);
    return ok;
}
