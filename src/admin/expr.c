/*
 * Values and expressions, evaluated while they are read from the tokens: literals, variables,
 * functions without side effects, comparisons, a little arithmetic.
 *
 * Depth is bounded by QUERY_DEPTH_MAX, work by the query's budget. Times are UTC.
 */
#include "admin/admin_priv.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define ARGS_MAX 32

typedef __int128 wide;

struct query_chunk {
    struct query_chunk *next;
    uint8_t bytes[];
};

bool query_fail(struct query *q, uint16_t code, const char *fmt, ...)
{
    if (q->failed)
        return false;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(q->message, sizeof(q->message), fmt, ap);
    va_end(ap);
    q->failed = true;
    q->code = code;
    return false;
}

/* As much of the text as an error shows: whole UTF-8 characters, no NUL. */
static int shown(struct bytes text, size_t max)
{
    size_t n = text.n < max ? text.n : max;
    while (n < text.n && n && (text.p[n] & 0xc0) == 0x80)
        n--;
    const uint8_t *nul = n ? memchr(text.p, 0, n) : NULL;
    return (int)(nul ? (size_t)(nul - text.p) : n);
}

bool query_fail_syntax(struct query *q)
{
    size_t line;
    struct bytes near = sql_near(&q->sql, &line);
    return query_fail(q, ER_PARSE_ERROR,
                      "You have an error in your SQL syntax; check the manual that corresponds to "
                      "your %s server version for the right syntax to use near '%.*s' at line %zu",
                      q->facts.mariadb ? "MariaDB" : "MySQL", shown(near, 80), (const char *)near.p,
                      line);
}

bool query_fail_name(struct query *q, uint16_t code, const char *before, struct bytes name,
                     const char *after)
{
    return query_fail(q, code, "%s%.*s%s", before, shown(name, 64), (const char *)name.p, after);
}

bool query_need(struct query *q, unsigned rights, const char *privileges)
{
    if (q->session->rights & (rights | ADMIN_RIGHT_ADMIN))
        return true;
    return query_fail(q, ER_SPECIFIC_ACCESS_DENIED_ERROR,
                      "Access denied; you need (at least one of) the %s privilege(s) for this "
                      "operation",
                      privileges);
}

bool query_need_super(struct query *q, const char *privilege)
{
    char privileges[64];
    bool named = !q->facts.mariadb && atoi(q->facts.version) >= 8;
    snprintf(privileges, sizeof(privileges), "SUPER%s%s", named ? " or " : "",
             named ? privilege : "");
    return query_need(q, ADMIN_RIGHT_ADMIN, privileges);
}

bool query_take_condition(struct query *q, const struct query_row *row, struct value *v)
{
    const struct query_row *outer = q->row;
    q->row = row;
    q->in_where = true;
    bool ok = expr_take(q, v);
    q->in_where = false;
    q->row = outer;
    return ok;
}

bool query_spend(struct query *q, uint64_t steps)
{
    if (steps <= q->budget) {
        q->budget -= steps;
        return true;
    }
    q->budget = 0;
    return query_fail(q, ER_QUERY_TIMEOUT,
                      "Query execution was interrupted, maximum statement execution time exceeded");
}

uint8_t *query_alloc(struct query *q, size_t n)
{
    if (!query_spend(q, 1 + n / 2))
        return NULL;
    struct query_chunk *c = mem_alloc(sizeof(*c) + n);
    c->next = q->chunks;
    q->chunks = c;
    return c->bytes;
}

void query_free_chunks(struct query *q)
{
    while (q->chunks) {
        struct query_chunk *next = q->chunks->next;
        free(q->chunks);
        q->chunks = next;
    }
}

static struct value value_of(struct bytes text, enum reply_type type, unsigned flags)
{
    struct value v = {text, {"", type, (uint16_t)flags, 0, 0}};
    return v;
}

struct value value_null(void)
{
    return value_of(bytes_of(NULL, 0), REPLY_TYPE_NULL, VALUE_BINARY);
}

/* A short text of the query's own. */
static struct bytes query_text(struct query *q, const char *fmt, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    uint8_t *p = query_alloc(q, sizeof(text));
    if (!p)
        return bytes_of("", 0);
    memcpy(p, text, sizeof(text));
    return bytes_of(p, (size_t)n);
}

struct value value_int(struct query *q, int64_t v)
{
    struct bytes text = query_text(q, "%" PRId64, v);
    return value_of(text, REPLY_TYPE_LONGLONG, VALUE_NOT_NULL | VALUE_BINARY);
}

struct value value_uint(struct query *q, uint64_t v)
{
    struct bytes text = query_text(q, "%" PRIu64, v);
    return value_of(text, REPLY_TYPE_LONGLONG, VALUE_NOT_NULL | VALUE_BINARY | VALUE_UNSIGNED);
}

struct value value_bool(bool b)
{
    struct value v =
        value_of(bytes_str(b ? "1" : "0"), REPLY_TYPE_LONGLONG, VALUE_NOT_NULL | VALUE_BINARY);
    v.column.length = 1;
    return v;
}

struct value value_text(struct bytes text)
{
    return value_of(text, REPLY_TYPE_VAR_STRING, text.p ? VALUE_NOT_NULL : 0);
}

bool value_is_null(const struct value *v)
{
    return v->text.p == NULL;
}

static bool is_text(const struct value *v)
{
    return v->column.type == REPLY_TYPE_VAR_STRING || v->column.type == REPLY_TYPE_LONG_BLOB ||
           v->column.type == REPLY_TYPE_DATETIME;
}

/* The number that the text begins with, 0 for none. */
static double to_double(const struct value *v)
{
    char text[64];
    size_t n = v->text.n < sizeof(text) ? v->text.n : sizeof(text) - 1;
    if (n)
        memcpy(text, v->text.p, n);
    text[n] = '\0';
    /* strtod would take more than SQL has: names of infinity, hex. */
    return text[strspn(text, " \t\n+-0123456789.eE")] && strpbrk(text, "xXnN")
               ? (double)strtol(text, NULL, 10)
               : strtod(text, NULL);
}

static bool to_wide(const struct value *v, wide *out)
{
    struct bytes t = v->text;
    bool minus = t.n && t.p[0] == '-';
    wide n = 0;
    if (t.n == minus || t.n > 21)
        return false;
    for (size_t i = minus; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
        n = n * 10 + (t.p[i] - '0');
    }
    *out = minus ? -n : n;
    return true;
}

bool value_is_true(const struct value *v)
{
    return !value_is_null(v) && to_double(v) != 0;
}

bool value_to_u64(const struct value *v, uint64_t *out)
{
    wide n;
    if (!to_wide(v, &n) || n < 0 || n > (wide)UINT64_MAX)
        return false;
    *out = (uint64_t)n;
    return true;
}

static enum reply_type common_type(const struct value *a, const struct value *b)
{
    if (a->column.type == b->column.type)
        return a->column.type;
    if (is_text(a) || is_text(b))
        return REPLY_TYPE_VAR_STRING;
    if (a->column.type == REPLY_TYPE_DOUBLE || b->column.type == REPLY_TYPE_DOUBLE)
        return REPLY_TYPE_DOUBLE;
    return REPLY_TYPE_NEWDECIMAL;
}

/* The type of a value that may be either. */
static struct reply_column common_column(const struct value *a, const struct value *b)
{
    if (a->column.type == REPLY_TYPE_NULL)
        return b->column;
    if (b->column.type == REPLY_TYPE_NULL)
        return a->column;
    struct reply_column c = a->column;
    c.type = common_type(a, b);
    c.flags &= b->column.flags;
    if (c.length < b->column.length || b->column.length == 0)
        c.length = b->column.length;
    if (c.decimals < b->column.decimals)
        c.decimals = b->column.decimals;
    return c;
}

/* -1, 0, 1. */
static int compare_values(const struct value *a, const struct value *b)
{
    wide x, y;
    if (is_text(a) && is_text(b)) {
        size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
        for (size_t i = 0; i < n; i++) {
            int c = a->text.p[i] | 0, d = b->text.p[i];
            c = c >= 'A' && c <= 'Z' ? c + 32 : c;
            d = d >= 'A' && d <= 'Z' ? d + 32 : d;
            if (c != d)
                return c < d ? -1 : 1;
        }
        return (a->text.n > b->text.n) - (a->text.n < b->text.n);
    }
    if (to_wide(a, &x) && to_wide(b, &y))
        return (x > y) - (x < y);
    double d = to_double(a), e = to_double(b);
    return (d > e) - (d < e);
}

/* Functions */

struct function {
    const char *name;
    size_t min, max;
    bool (*call)(struct query *q, const struct value *args, size_t n, struct value *v);
};

static bool fn_unix_timestamp(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    *v = value_int(q, q->facts.now_us / 1000000);
    return true;
}

static bool fn_now(struct query *q, const struct value *args, size_t n, struct value *v)
{
    uint64_t digits = 0;
    if (n && (!value_to_u64(&args[0], &digits) || digits > 6))
        return query_fail(q, ER_TOO_BIG_PRECISION,
                          "Too big precision specified for 'now'. Maximum is 6.");
    time_t seconds = (time_t)(q->facts.now_us / 1000000);
    struct tm tm;
    char whole[40], text[64];
    gmtime_r(&seconds, &tm);
    strftime(whole, sizeof(whole), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%06" PRId64, whole, q->facts.now_us % 1000000);
    *v = value_of(query_text(q, "%.*s", 19 + (digits ? 1 : 0) + (int)digits, text),
                  REPLY_TYPE_DATETIME, VALUE_NOT_NULL | VALUE_BINARY);
    v->column.decimals = (uint8_t)digits;
    v->column.length = (uint32_t)v->text.n;
    return true;
}

static bool fn_version(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    *v = value_text(bytes_str(q->facts.version));
    return true;
}

static bool join_name(struct query *q, const char *host, struct value *v)
{
    size_t n = strlen(q->session->user) + 1 + strlen(host);
    uint8_t *p = query_alloc(q, n + 1);
    if (!p)
        return false;
    snprintf((char *)p, n + 1, "%s@%s", q->session->user, host);
    *v = value_text(bytes_of(p, n));
    v->column.flags = 0;
    return true;
}

static bool fn_user(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    return join_name(q, q->session->host, v);
}

static bool fn_current_user(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    return join_name(q, "%", v);
}

static bool fn_database(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    const char *db = q->session->database;
    *v = value_text(*db ? bytes_str(db) : bytes_of(NULL, 0));
    v->column.flags = 0;
    return true;
}

static bool fn_connection_id(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    *v = value_uint(q, q->session->id);
    return true;
}

static bool fn_zero(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)args, (void)n;
    *v = value_uint(q, 0);
    return true;
}

static bool fn_if(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)q, (void)n;
    *v = args[value_is_true(&args[0]) ? 1 : 2];
    v->column = common_column(&args[1], &args[2]);
    return true;
}

static bool fn_coalesce(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)q;
    struct value all = args[0];
    size_t first = 0;
    for (size_t i = 1; i < n; i++)
        all.column = common_column(&all, &args[i]);
    while (first + 1 < n && value_is_null(&args[first]))
        first++;
    *v = args[first];
    v->column = all.column;
    if (!value_is_null(v))
        v->column.flags |= VALUE_NOT_NULL;
    return true;
}

static bool fn_nullif(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)q, (void)n;
    *v = args[0];
    if (!value_is_null(v) && !value_is_null(&args[1]) && compare_values(&args[0], &args[1]) == 0)
        v->text = bytes_of(NULL, 0);
    v->column.flags &= (uint16_t)~VALUE_NOT_NULL;
    return true;
}

static bool fn_concat(struct query *q, const struct value *args, size_t n, struct value *v)
{
    size_t len = 0;
    *v = value_text(bytes_of(NULL, 0));
    for (size_t i = 0; i < n; i++) {
        if (value_is_null(&args[i]))
            return true;
        len += args[i].text.n;
    }
    uint8_t *p = query_alloc(q, len + 1);
    if (!p)
        return false;
    v->text = bytes_of(p, len);
    for (size_t i = 0; i < n; i++) {
        if (args[i].text.n)
            memcpy(p, args[i].text.p, args[i].text.n);
        p += args[i].text.n;
    }
    return true;
}

/* The text before the count-th delimiter, or behind the count-th from the end. */
static bool fn_substring_index(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)n;
    wide count;
    struct bytes text = args[0].text, delimiter = args[1].text;
    *v = value_text(bytes_of(NULL, 0));
    if (value_is_null(&args[0]) || value_is_null(&args[1]) || !to_wide(&args[2], &count))
        return true;
    if (!query_spend(q, text.n))
        return false;
    *v = value_text(count && delimiter.n ? text : bytes_of("", 0));
    size_t seen = 0, all = 0;
    for (size_t i = 0; delimiter.n && i + delimiter.n <= text.n; i++)
        all += memcmp(text.p + i, delimiter.p, delimiter.n) == 0;
    for (size_t i = 0; count && delimiter.n && i + delimiter.n <= text.n; i++) {
        if (memcmp(text.p + i, delimiter.p, delimiter.n) != 0)
            continue;
        seen++;
        if (count > 0 && (wide)seen == count)
            v->text.n = i;
        if (count < 0 && (wide)(all - seen + 1) == -count)
            v->text = bytes_skip(text, i + delimiter.n);
        if (count > 0 && (wide)seen == count)
            break;
    }
    return true;
}

/* What both clocks say here is UTC, so the one use that clients have for it needs no calendar. */
static bool fn_timediff(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)q, (void)n;
    bool same = !value_is_null(&args[0]) && bytes_eq(args[0].text, args[1].text);
    *v = value_text(same ? bytes_str("00:00:00") : bytes_of(NULL, 0));
    return true;
}

static bool fn_binlog_gtid_pos(struct query *q, const struct value *args, size_t n, struct value *v)
{
    (void)n;
    uint64_t position;
    struct buf text;
    *v = value_of(bytes_of(NULL, 0), REPLY_TYPE_LONG_BLOB, 0);
    if (value_is_null(&args[0]) || !value_to_u64(&args[1], &position) || !q->env->gtid_pos)
        return true;
    buf_init(&text);
    switch (q->env->gtid_pos(q->env->ctx, args[0].text, position, &text)) {
    case ADMIN_GTID_POS_NONE:
        break;
    case ADMIN_GTID_POS_FOUND: {
        uint8_t *p = query_alloc(q, text.len + 1);
        if (p && text.len)
            memcpy(p, buf_bytes(&text).p, text.len);
        if (p)
            v->text = bytes_of(p, text.len);
        break;
    }
    case ADMIN_GTID_POS_LATER:
        q->later = true;
        query_fail(q, ER_QUERY_INTERRUPTED, "later");
        break;
    }
    buf_fini(&text);
    return !q->failed;
}

static const struct function functions[] = {
    {"binlog_gtid_pos", 2, 2, fn_binlog_gtid_pos},
    {"coalesce", 1, ARGS_MAX, fn_coalesce},
    {"concat", 1, ARGS_MAX, fn_concat},
    {"connection_id", 0, 0, fn_connection_id},
    {"current_timestamp", 0, 1, fn_now},
    {"current_user", 0, 0, fn_current_user},
    {"database", 0, 0, fn_database},
    {"if", 3, 3, fn_if},
    {"ifnull", 2, 2, fn_coalesce},
    {"last_insert_id", 0, 0, fn_zero},
    {"localtime", 0, 1, fn_now},
    {"localtimestamp", 0, 1, fn_now},
    {"now", 0, 1, fn_now},
    {"nullif", 2, 2, fn_nullif},
    {"schema", 0, 0, fn_database},
    {"session_user", 0, 0, fn_user},
    {"substring_index", 3, 3, fn_substring_index},
    {"sysdate", 0, 1, fn_now},
    {"system_user", 0, 0, fn_user},
    {"timediff", 2, 2, fn_timediff},
    {"unix_timestamp", 0, 0, fn_unix_timestamp},
    {"user", 0, 0, fn_user},
    {"utc_timestamp", 0, 1, fn_now},
    {"version", 0, 0, fn_version},
};

static const struct function *find_function(const struct query *q, struct bytes name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        const struct function *f = &functions[i];
        if (sql_same(name, f->name))
            return f->call == fn_binlog_gtid_pos && !q->facts.mariadb ? NULL : f;
    }
    return NULL;
}

/* The opening parenthesis is taken. */
static bool take_call(struct query *q, struct bytes name, struct value *v)
{
    struct value args[ARGS_MAX];
    size_t n = 0;
    const struct function *f = find_function(q, name);
    if (!sql_take(&q->sql, ")")) {
        do {
            if (n == ARGS_MAX)
                return query_fail_syntax(q);
            if (!expr_take(q, &args[n++]))
                return false;
        } while (sql_take(&q->sql, ","));
        /* IF is a word of the grammar, not a function that counts what it gets. */
        if (f && f->call == fn_if && n != 3)
            return query_fail_syntax(q);
        if (!sql_take(&q->sql, ")"))
            return query_fail_syntax(q);
    }
    if (!f)
        return query_fail_name(q, ER_SP_DOES_NOT_EXIST, "FUNCTION ", name, " does not exist");
    if (n < f->min || n > f->max)
        return query_fail_name(q, ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT,
                               "Incorrect parameter count in the call to native function '", name,
                               "'");
    return f->call(q, args, n, v);
}

/* Words that are values without parentheses. */
static bool take_word(struct query *q, const struct sql_token *t, struct value *v)
{
    static const char *const bare[] = {"current_user", "current_timestamp", "localtime",
                                       "localtimestamp", "utc_timestamp"};
    if (sql_same(t->value, "null")) {
        *v = value_null();
        return true;
    }
    if (sql_same(t->value, "true") || sql_same(t->value, "false")) {
        *v = value_bool(sql_same(t->value, "true"));
        return true;
    }
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        if (sql_same(t->value, bare[i]))
            return find_function(q, t->value)->call(q, NULL, 0, v);
    }
    return false;
}

static bool take_name(struct query *q, const struct sql_token *t, struct value *v)
{
    if (t->kind == SQL_WORD && take_word(q, t, v))
        return true;
    if (q->failed)
        return false;
    for (size_t i = 0; q->row && i < q->row->n; i++) {
        const struct query_column *c = &q->row->columns[i];
        if (!sql_same(t->value, c->name))
            continue;
        *v = value_text(q->row->values[i]);
        if (c->number)
            *v = value_of(q->row->values[i], REPLY_TYPE_LONGLONG,
                          VALUE_NOT_NULL | VALUE_BINARY | VALUE_UNSIGNED);
        return true;
    }
    if (q->bare_words) {
        *v = value_text(t->value);
        return true;
    }
    return query_fail_name(q, ER_BAD_FIELD_ERROR, "Unknown column '", t->value,
                           q->in_where ? "' in 'where clause'" : "' in 'field list'");
}

/* Literals that follow each other are one. */
static bool take_string(struct query *q, const struct sql_token *t, struct value *v)
{
    *v = value_text(t->value);
    while (sql_peek(&q->sql)->kind == SQL_STRING) {
        struct value both[2] = {*v, value_text(sql_next(&q->sql)->value)};
        if (!fn_concat(q, both, 2, v))
            return false;
    }
    v->column.flags |= VALUE_NOT_NULL;
    return true;
}

static struct value number_literal(struct bytes text)
{
    bool real = text.n && (memchr(text.p, 'e', text.n) || memchr(text.p, 'E', text.n));
    const uint8_t *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
    struct value v = value_of(text, REPLY_TYPE_LONGLONG, VALUE_NOT_NULL | VALUE_BINARY);
    uint64_t u;
    if (real) {
        v = value_of(text, REPLY_TYPE_DOUBLE, VALUE_NOT_NULL | VALUE_BINARY);
    } else if (dot || !value_to_u64(&v, &u)) {
        v.column.type = REPLY_TYPE_NEWDECIMAL;
        v.column.decimals = dot ? (uint8_t)(text.p + text.n - dot - 1) : 0;
    } else if (u > INT64_MAX) {
        v.column.flags |= VALUE_UNSIGNED;
    }
    return v;
}

static uint8_t hex_digit(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static bool hex_literal(struct query *q, struct bytes digits, struct value *v)
{
    size_t n = (digits.n + 1) / 2, odd = digits.n % 2;
    uint8_t *p = query_alloc(q, n + 1);
    if (!p)
        return false;
    for (size_t i = 0; i < n; i++)
        p[i] = 0;
    for (size_t i = 0; i < digits.n; i++) {
        size_t k = i + odd;
        p[k / 2] = (uint8_t)(p[k / 2] << 4 | hex_digit(digits.p[i]));
    }
    *v = value_text(bytes_of(p, n));
    v->column.flags |= VALUE_BINARY | VALUE_UNSIGNED;
    return true;
}

static bool take_number(struct query *q, const struct sql_token *t, struct value *v)
{
    *v = number_literal(t->value);
    if (v->column.type == REPLY_TYPE_DOUBLE)
        v->text = query_text(q, "%.15g", to_double(v));
    return !q->failed;
}

static bool system_variable(struct query *q, const struct sql_token *t, struct value *v)
{
    const struct vars_entry *e = vars_find(&q->facts, t->value);
    struct admin_setting setting;
    if (!e && t->scope != SQL_SCOPE_PERSIST && setting_find(q, t->value, &setting)) {
        *v = value_of(bytes_str(setting.value),
                      setting.number ? REPLY_TYPE_LONGLONG : REPLY_TYPE_VAR_STRING,
                      setting.number ? VALUE_BINARY | VALUE_UNSIGNED : 0u);
        return !q->failed;
    }
    if (!e || t->scope == SQL_SCOPE_PERSIST)
        return query_fail_name(q, ER_UNKNOWN_SYSTEM_VARIABLE, "Unknown system variable '", t->value,
                               "'");
    if (t->scope == SQL_SCOPE_SESSION && e->scope == VARS_GLOBAL)
        return query_fail(q, ER_INCORRECT_GLOBAL_LOCAL_VAR, "Variable '%s' is a GLOBAL variable",
                          e->name);
    if (t->scope == SQL_SCOPE_GLOBAL && e->scope == VARS_SESSION)
        return query_fail(q, ER_INCORRECT_GLOBAL_LOCAL_VAR, "Variable '%s' is a SESSION variable",
                          e->name);
    if (sql_same(t->value, "warning_count") || sql_same(t->value, "error_count"))
        q->keep_warning = true;
    struct vars_view view = {&q->facts, q->session, {0}};
    struct bytes text = vars_value(e, &view);
    if (text.p == (const uint8_t *)view.scratch)
        text = query_text(q, "%.*s", (int)text.n, view.scratch);
    *v = value_of(text, REPLY_TYPE_VAR_STRING, 0);
    if (e->type != VARS_TEXT)
        *v = value_of(text, REPLY_TYPE_LONGLONG,
                      VALUE_BINARY | (e->type == VARS_NUMBER ? VALUE_UNSIGNED : 0u));
    v->column.length = e->type == VARS_BOOL ? 1 : 0;
    return !q->failed;
}

static bool take_parentheses(struct query *q, struct value *v)
{
    if (!expr_take(q, v))
        return false;
    return sql_take(&q->sql, ")") || query_fail_syntax(q);
}

static bool take_primary(struct query *q, struct value *v)
{
    const struct sql_token *t = sql_peek(&q->sql);
    if (!query_spend(q, QUERY_OPERAND))
        return false;
    /* A character set before a literal changes nothing for UTF-8. */
    if (t->kind == SQL_WORD && t->value.n > 1 && t->value.p[0] == '_' && t[1].kind == SQL_STRING)
        t = (sql_next(&q->sql), sql_peek(&q->sql));
    switch (t->kind) {
    case SQL_WORD:
    case SQL_QUOTED:
        sql_next(&q->sql);
        if (sql_take(&q->sql, "("))
            return take_call(q, t->value, v);
        return take_name(q, t, v);
    case SQL_STRING:
        sql_next(&q->sql);
        return take_string(q, t, v);
    case SQL_NUMBER:
        sql_next(&q->sql);
        return take_number(q, t, v);
    case SQL_HEX:
        sql_next(&q->sql);
        return hex_literal(q, t->value, v);
    case SQL_USER_VARIABLE:
        sql_next(&q->sql);
        if (!session_variable(q->session, t->value, v))
            *v = value_of(bytes_of(NULL, 0), REPLY_TYPE_VAR_STRING, VALUE_BINARY);
        return true;
    case SQL_SYSTEM_VARIABLE:
        sql_next(&q->sql);
        return system_variable(q, t, v);
    case SQL_OPERATOR:
        if (sql_take(&q->sql, "("))
            return take_parentheses(q, v);
        return query_fail_syntax(q);
    case SQL_END:
    case SQL_BAD:
        return query_fail_syntax(q);
    }
    return query_fail_syntax(q);
}

static bool wide_value(struct query *q, wide n, struct value *v)
{
    if (n > (wide)UINT64_MAX || n < (wide)INT64_MIN)
        return query_fail(q, ER_DATA_OUT_OF_RANGE, "BIGINT value is out of range");
    *v = n > (wide)INT64_MAX ? value_uint(q, (uint64_t)n) : value_int(q, (int64_t)n);
    return !q->failed;
}

static bool double_value(struct query *q, double d, struct value *v)
{
    if (d - d != 0)
        return query_fail(q, ER_DATA_OUT_OF_RANGE, "DOUBLE value is out of range");
    *v = value_of(query_text(q, "%.15g", d), REPLY_TYPE_DOUBLE, VALUE_NOT_NULL | VALUE_BINARY);
    return !q->failed;
}

static bool arithmetic(struct query *q, uint8_t op, struct value *v, const struct value *b)
{
    wide x, y;
    if (value_is_null(v) || value_is_null(b)) {
        *v = value_null();
        return true;
    }
    bool whole = v->column.type == REPLY_TYPE_LONGLONG && b->column.type == REPLY_TYPE_LONGLONG;
    if (whole && to_wide(v, &x) && to_wide(b, &y) && x <= (wide)UINT64_MAX &&
        x >= -(wide)UINT64_MAX && y <= (wide)INT64_MAX && y >= -(wide)INT64_MAX)
        return wide_value(q, op == '+' ? x + y : op == '-' ? x - y : x * y, v);
    double d = to_double(v), e = to_double(b);
    return double_value(q, op == '+' ? d + e : op == '-' ? d - e : d * e, v);
}

static bool negate(struct query *q, struct value *v)
{
    struct value zero = value_int(q, 0);
    if (v->column.type == REPLY_TYPE_NEWDECIMAL && !value_is_null(v) && v->text.n < 50 &&
        v->text.p[0] != '-') {
        v->text = query_text(q, "-%.*s", (int)v->text.n, (const char *)v->text.p);
        return !q->failed;
    }
    if (q->failed || !arithmetic(q, '-', &zero, v))
        return false;
    *v = zero;
    return true;
}

static bool take_unary(struct query *q, struct value *v)
{
    bool minus = false;
    for (;;) {
        if (sql_take(&q->sql, "-"))
            minus = !minus;
        else if (!sql_take(&q->sql, "+"))
            break;
    }
    return take_primary(q, v) && (!minus || negate(q, v));
}

/* The operator among those of the (one-byte) list, 0 for none. */
static uint8_t take_one_of(struct query *q, const char *operators)
{
    const struct sql_token *t = sql_peek(&q->sql);
    if (t->kind != SQL_OPERATOR || t->value.n != 1 || !strchr(operators, t->value.p[0]))
        return 0;
    return sql_next(&q->sql)->value.p[0];
}

static bool take_product(struct query *q, struct value *v)
{
    struct value b;
    if (!take_unary(q, v))
        return false;
    for (uint8_t op; (op = take_one_of(q, "*"));) {
        if (!take_unary(q, &b) || !arithmetic(q, op, v, &b))
            return false;
    }
    return true;
}

static bool take_sum(struct query *q, struct value *v)
{
    struct value b;
    if (!take_product(q, v))
        return false;
    for (uint8_t op; (op = take_one_of(q, "+-"));) {
        if (!take_product(q, &b) || !arithmetic(q, op, v, &b))
            return false;
    }
    return true;
}

enum comparison { CMP_NONE, CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_SAME };

static enum comparison take_comparison(struct query *q)
{
    static const struct {
        const char *text;
        enum comparison cmp;
    } all[] = {{"=", CMP_EQ},  {"<>", CMP_NE}, {"!=", CMP_NE}, {"<", CMP_LT},
               {"<=", CMP_LE}, {">", CMP_GT},  {">=", CMP_GE}, {"<=>", CMP_SAME}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (sql_take(&q->sql, all[i].text))
            return all[i].cmp;
    }
    return CMP_NONE;
}

static bool compare(struct query *q, enum comparison cmp, struct value *v, const struct value *b)
{
    if (value_is_null(v) || value_is_null(b)) {
        bool both = value_is_null(v) && value_is_null(b);
        *v = cmp == CMP_SAME ? value_bool(both) : value_null();
        return true;
    }
    size_t n = v->text.n < b->text.n ? v->text.n : b->text.n;
    if (!query_spend(q, n))
        return false;
    int c = compare_values(v, b);
    bool truth = false;
    switch (cmp) {
    case CMP_NONE:
        break;
    case CMP_EQ:
    case CMP_SAME:
        truth = c == 0;
        break;
    case CMP_NE:
        truth = c != 0;
        break;
    case CMP_LT:
        truth = c < 0;
        break;
    case CMP_LE:
        truth = c <= 0;
        break;
    case CMP_GT:
        truth = c > 0;
        break;
    case CMP_GE:
        truth = c >= 0;
        break;
    }
    *v = value_bool(truth);
    return true;
}

static bool like(struct query *q, struct value *v, const struct value *pattern, bool not )
{
    if (value_is_null(v) || value_is_null(pattern)) {
        *v = value_null();
        return true;
    }
    bool found = sql_like(v->text, pattern->text, &q->budget);
    if (q->budget == 0)
        return query_spend(q, 1);
    *v = value_bool(found != not );
    return true;
}

static bool take_in(struct query *q, struct value *v, bool not )
{
    struct value left = *v;
    bool found = false, null = value_is_null(v);
    if (!sql_take(&q->sql, "("))
        return query_fail_syntax(q);
    do {
        struct value item, same = left;
        if (!expr_take(q, &item) || !compare(q, CMP_EQ, &same, &item))
            return false;
        null = null || value_is_null(&same);
        found = found || value_is_true(&same);
    } while (sql_take(&q->sql, ","));
    *v = null && !found ? value_null() : value_bool(found != not );
    return sql_take(&q->sql, ")") || query_fail_syntax(q);
}

static bool take_predicate(struct query *q, struct value *v)
{
    struct value b;
    if (!take_sum(q, v))
        return false;
    for (;;) {
        enum comparison cmp = take_comparison(q);
        if (cmp != CMP_NONE) {
            if (!take_sum(q, &b) || !compare(q, cmp, v, &b))
                return false;
            continue;
        }
        if (sql_match(&q->sql, "is")) {
            bool not_null = sql_take(&q->sql, "not");
            if (!sql_take(&q->sql, "null"))
                return query_fail_syntax(q);
            *v = value_bool(value_is_null(v) != not_null);
            continue;
        }
        bool not = sql_take(&q->sql, "not");
        if (sql_take(&q->sql, "like")) {
            if (!take_sum(q, &b) || !like(q, v, &b, not ))
                return false;
        } else if (sql_take(&q->sql, "in")) {
            if (!take_in(q, v, not ))
                return false;
        } else {
            return !not || query_fail_syntax(q);
        }
    }
}

static bool take_not(struct query *q, struct value *v)
{
    unsigned nots = 0;
    while (sql_take(&q->sql, "not") || sql_take(&q->sql, "!"))
        nots++;
    if (!take_predicate(q, v))
        return false;
    if (nots && !value_is_null(v))
        *v = value_bool(value_is_true(v) == (nots % 2 == 0));
    return true;
}

static bool take_and(struct query *q, struct value *v)
{
    struct value b;
    if (!take_not(q, v))
        return false;
    while (sql_take(&q->sql, "and") || sql_take(&q->sql, "&&")) {
        if (!take_not(q, &b))
            return false;
        bool no =
            (!value_is_null(v) && !value_is_true(v)) || (!value_is_null(&b) && !value_is_true(&b));
        *v = no || (!value_is_null(v) && !value_is_null(&b)) ? value_bool(!no) : value_null();
    }
    return true;
}

static bool take_or(struct query *q, struct value *v)
{
    struct value b;
    if (!take_and(q, v))
        return false;
    while (sql_take(&q->sql, "or") || sql_take(&q->sql, "||")) {
        if (!take_and(q, &b))
            return false;
        bool yes = value_is_true(v) || value_is_true(&b);
        *v = yes || (!value_is_null(v) && !value_is_null(&b)) ? value_bool(yes) : value_null();
    }
    return true;
}

bool expr_take(struct query *q, struct value *v)
{
    if (q->depth == QUERY_DEPTH_MAX)
        return query_fail_syntax(q);
    q->depth++;
    bool ok = take_or(q, v);
    q->depth--;
    return ok && !q->failed;
}
