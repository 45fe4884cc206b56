/*
 * The tokenizer: one pass over the text, no recursion, memory bounded by the length of the text.
 *
 * What MySQL's lexer decides by sql_mode is fixed here: double quotes make strings, backslash
 * escapes.
 */
#include "admin/sql.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

struct lexer {
    struct sql *q;
    const uint8_t *p;
    const uint8_t *end;
    uint8_t *unquoted; /* where the next unquoted bytes go */
    size_t cap;
    uint32_t version;
    bool in_version_comment;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || c >= 0x80;
}

static uint8_t at(const struct lexer *l, size_t i)
{
    return i < (size_t)(l->end - l->p) ? l->p[i] : 0;
}

static struct bytes span(const uint8_t *from, const uint8_t *to)
{
    return bytes_of(from, (size_t)(to - from));
}

static const uint8_t *comment_end(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *close = memmem(p, (size_t)(end - p), "*/", 2);
    return close ? close + 2 : NULL;
}

/* The end of a version comment that is left out, from behind its mark on: it may hold comments. */
static const uint8_t *left_out_end(const uint8_t *p, const uint8_t *end)
{
    while (p && end - p >= 2) {
        if (p[0] == '*' && p[1] == '/')
            return p + 2;
        p = p[0] == '/' && p[1] == '*' ? comment_end(p + 2, end) : p + 1;
    }
    return NULL;
}

/* Takes the version behind the mark: 5 or 6 digits, fewer are content. 0: there is none. */
static uint32_t take_version(struct lexer *l)
{
    uint32_t version = 0;
    size_t n = 0;
    for (; n < 6 && is_digit(at(l, n)); n++)
        version = version * 10 + (uint32_t)(l->p[n] - '0');
    if (n < 5)
        return 0;
    l->p += n;
    return version;
}

/* l->p is behind the mark, which begins at first. */
static bool enter_version_comment(struct lexer *l, const uint8_t *first)
{
    bool newer = take_version(l) > l->version;
    const uint8_t *end = newer ? left_out_end(l->p, l->end) : comment_end(l->p, l->end);
    if (!end || l->in_version_comment) {
        l->p = first;
        return false;
    }
    if (newer)
        l->p = end;
    l->in_version_comment = !newer;
    return true;
}

static bool skip_comment(struct lexer *l)
{
    const uint8_t *first = l->p;
    size_t mark = at(l, 2) == '!' ? 3 : at(l, 2) == 'M' && at(l, 3) == '!' ? 4 : 0;
    if (mark) {
        l->p += mark;
        return enter_version_comment(l, first);
    }
    const uint8_t *end = comment_end(l->p + 2, l->end);
    if (end)
        l->p = end;
    return end != NULL;
}

/* Skips spaces and comments. False when a comment does not end; l->p is then where it begins. */
static bool skip_blank(struct lexer *l)
{
    while (l->p < l->end) {
        uint8_t c = *l->p;
        if (is_space(c)) {
            l->p++;
        } else if (c == '#' ||
                   (c == '-' && at(l, 1) == '-' && (at(l, 2) <= ' ' || l->end - l->p == 2))) {
            const uint8_t *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
            l->p = nl ? nl + 1 : l->end;
        } else if (c == '*' && at(l, 1) == '/' && l->in_version_comment) {
            l->in_version_comment = false;
            l->p += 2;
        } else if (c == '/' && at(l, 1) == '*') {
            if (!skip_comment(l))
                return false;
        } else {
            break;
        }
    }
    return true;
}

static uint8_t unescape(uint8_t c)
{
    switch (c) {
    case '0':
        return 0;
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return 26;
    default:
        return c;
    }
}

/* Takes what is between quotes, the first of which is at l->p. False when they do not close. */
static bool lex_quoted(struct lexer *l, struct bytes *value)
{
    uint8_t quote = *l->p;
    const uint8_t *p = l->p + 1, *first = p;
    uint8_t *dst = l->unquoted;
    bool plain = true;
    for (; p < l->end; p++) {
        uint8_t c = *p;
        if (c == quote) {
            if (p + 1 == l->end || p[1] != quote)
                break;
            plain = false;
            p++;
        } else if (c == '\\' && quote != '`' && p + 1 < l->end) {
            plain = false;
            c = *++p;
            /* These two keep their backslash, for LIKE to see. */
            if (c == '%' || c == '_')
                *dst++ = '\\';
            c = unescape(c);
        }
        *dst++ = c;
    }
    if (p >= l->end)
        return false;
    *value = plain ? span(first, p) : span(l->unquoted, dst);
    if (!plain)
        l->unquoted = dst;
    l->p = p + 1;
    return true;
}

static enum sql_kind lex_string(struct lexer *l, struct sql_token *t)
{
    return lex_quoted(l, &t->value) ? SQL_STRING : SQL_BAD;
}

static bool is_hex(struct bytes digits)
{
    for (size_t i = 0; i < digits.n; i++) {
        if (!isxdigit(digits.p[i]))
            return false;
    }
    return true;
}

static enum sql_kind lex_number(struct lexer *l, struct sql_token *t)
{
    const uint8_t *first = l->p;
    if (*first == '0' && at(l, 1) == 'x' && isxdigit(at(l, 2))) {
        for (l->p += 2; l->p < l->end && is_name(*l->p); l->p++)
            ;
        t->value = span(first + 2, l->p);
        return is_hex(t->value) ? SQL_HEX : SQL_WORD;
    }
    while (is_digit(at(l, 0)))
        l->p++;
    if (at(l, 0) == '.') {
        for (l->p++; is_digit(at(l, 0)); l->p++)
            ;
    }
    if ((at(l, 0) | 0x20) == 'e') {
        size_t sign = at(l, 1) == '+' || at(l, 1) == '-';
        if (is_digit(at(l, 1 + sign))) {
            for (l->p += 1 + sign; is_digit(at(l, 0)); l->p++)
                ;
        }
    }
    enum sql_kind kind = SQL_NUMBER;
    for (; l->p < l->end && is_name(*l->p); l->p++)
        kind = SQL_WORD;
    t->value = span(first, l->p);
    return kind;
}

static enum sql_kind lex_word(struct lexer *l, struct sql_token *t)
{
    const uint8_t *first = l->p;
    if ((*first | 0x20) == 'x' && at(l, 1) == '\'') {
        l->p++;
        if (!lex_quoted(l, &t->value) || t->value.n % 2 || !is_hex(t->value))
            return SQL_BAD;
        return SQL_HEX;
    }
    while (l->p < l->end && is_name(*l->p))
        l->p++;
    t->value = span(first, l->p);
    return SQL_WORD;
}

/* A name behind @ or @@: quoted, or letters with dots between. */
static bool lex_variable_name(struct lexer *l, struct bytes *name, bool strings)
{
    uint8_t c = at(l, 0);
    if (c == '`' || (strings && (c == '\'' || c == '"')))
        return lex_quoted(l, name);
    const uint8_t *first = l->p;
    while (l->p < l->end && (is_name(*l->p) || *l->p == '.'))
        l->p++;
    *name = span(first, l->p);
    return true;
}

static bool take_scope(struct lexer *l, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(l->end - l->p) <= n || strncasecmp((const char *)l->p, word, n) != 0)
        return false;
    l->p += n;
    return true;
}

static enum sql_kind lex_variable(struct lexer *l, struct sql_token *t)
{
    static const struct {
        const char *word;
        enum sql_scope scope;
    } scopes[] = {{"global.", SQL_SCOPE_GLOBAL},
                  {"session.", SQL_SCOPE_SESSION},
                  {"local.", SQL_SCOPE_SESSION},
                  {"persist.", SQL_SCOPE_PERSIST},
                  {"persist_only.", SQL_SCOPE_PERSIST}};
    if (at(l, 1) != '@') {
        l->p++;
        return lex_variable_name(l, &t->value, true) ? SQL_USER_VARIABLE : SQL_BAD;
    }
    l->p += 2;
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (take_scope(l, scopes[i].word)) {
            t->scope = scopes[i].scope;
            break;
        }
    }
    if (!lex_variable_name(l, &t->value, false) || t->value.n == 0)
        return SQL_BAD;
    return SQL_SYSTEM_VARIABLE;
}

static enum sql_kind lex_operator(struct lexer *l, struct sql_token *t)
{
    static const char *const longer[] = {"<=>", ":=", "<=", ">=", "<>", "!=", "&&", "||"};
    size_t n = 1;
    for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
        size_t len = strlen(longer[i]);
        if ((size_t)(l->end - l->p) >= len && memcmp(l->p, longer[i], len) == 0) {
            n = len;
            break;
        }
    }
    t->value = bytes_of(l->p, n);
    l->p += n;
    return SQL_OPERATOR;
}

static enum sql_kind lex_token(struct lexer *l, struct sql_token *t)
{
    uint8_t c = *l->p;
    if (c == '\'' || c == '"')
        return lex_string(l, t);
    if (c == '`')
        return lex_quoted(l, &t->value) ? SQL_QUOTED : SQL_BAD;
    if (c == '@')
        return lex_variable(l, t);
    if (is_digit(c) || (c == '.' && is_digit(at(l, 1))))
        return lex_number(l, t);
    if (is_name(c))
        return lex_word(l, t);
    return lex_operator(l, t);
}

/* Appends the next token; false after SQL_END or SQL_BAD. */
static bool lex_next(struct lexer *l)
{
    struct sql *q = l->q;
    bool clear = skip_blank(l);
    const uint8_t *first = l->p;
    struct sql_token t = {SQL_END, SQL_SCOPE_NONE, bytes_of(first, 0), bytes_of("", 0)};
    if (!clear || (first < l->end && q->count == SQL_TOKENS_MAX))
        t.kind = SQL_BAD;
    else if (first < l->end)
        t.kind = lex_token(l, &t);
    else if (l->in_version_comment)
        t.kind = SQL_BAD;
    if (t.kind == SQL_BAD) {
        l->p = l->end;
        l->in_version_comment = false;
        t.value = bytes_of("", 0);
    }
    t.text = span(first, l->p);
    if (q->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        q->tokens = mem_realloc(q->tokens, l->cap * sizeof(*q->tokens));
    }
    q->tokens[q->count++] = t;
    return t.kind != SQL_END;
}

void sql_init(struct sql *q, struct bytes text, uint32_t version)
{
    while (text.n && (is_space(text.p[text.n - 1]) || text.p[text.n - 1] == ';'))
        text.n--;
    while (text.n && is_space(text.p[0]))
        text = bytes_skip(text, 1);
    *q = (struct sql){.text = text.n ? text : bytes_of("", 0)};
    q->unquoted = mem_alloc(text.n + 1);
    struct lexer l = {q, q->text.p, q->text.p + q->text.n, q->unquoted, 0, version, false};
    while (lex_next(&l))
        ;
}

void sql_fini(struct sql *q)
{
    free(q->tokens);
    free(q->unquoted);
    *q = (struct sql){0};
}

const struct sql_token *sql_peek(const struct sql *q)
{
    return &q->tokens[q->at];
}

const struct sql_token *sql_next(struct sql *q)
{
    const struct sql_token *t = &q->tokens[q->at];
    if (t->kind != SQL_END)
        q->at++;
    return t;
}

bool sql_at_end(const struct sql *q)
{
    return sql_peek(q)->kind == SQL_END;
}

static bool fits(const struct sql_token *t, struct bytes word)
{
    return (t->kind == SQL_WORD || t->kind == SQL_OPERATOR) && sql_same_bytes(t->value, word);
}

bool sql_take(struct sql *q, const char *word)
{
    if (!fits(sql_peek(q), bytes_str(word)))
        return false;
    q->at++;
    return true;
}

/* One element of a pattern: a word, or words with | between. */
static bool take_any_of(struct sql *q, struct bytes words)
{
    while (words.n) {
        const uint8_t *bar = memchr(words.p, '|', words.n);
        size_t n = bar ? (size_t)(bar - words.p) : words.n;
        if (fits(sql_peek(q), bytes_of(words.p, n))) {
            q->at++;
            return true;
        }
        words = bytes_skip(words, bar ? n + 1 : n);
    }
    return false;
}

bool sql_match(struct sql *q, const char *pattern)
{
    size_t start = q->at;
    while (*pattern) {
        size_t n = strcspn(pattern, " ");
        struct bytes words = bytes_of(pattern, n);
        bool optional = n > 2 && pattern[0] == '[';
        if (optional)
            words = bytes_of(pattern + 1, n - 2);
        if (!take_any_of(q, words) && !optional) {
            q->at = start;
            return false;
        }
        pattern += n;
        pattern += *pattern == ' ';
    }
    return true;
}

bool sql_match_all(struct sql *q, const char *pattern)
{
    size_t start = q->at;
    if (sql_match(q, pattern) && sql_at_end(q))
        return true;
    q->at = start;
    return false;
}

bool sql_take_name(struct sql *q, struct bytes *name)
{
    const struct sql_token *t = sql_peek(q);
    if (t->kind != SQL_WORD && t->kind != SQL_QUOTED)
        return false;
    *name = t->value;
    q->at++;
    return true;
}

bool sql_take_u64(struct sql *q, uint64_t *value)
{
    const struct sql_token *t = sql_peek(q);
    uint64_t v = 0;
    if (t->kind != SQL_NUMBER)
        return false;
    for (size_t i = 0; i < t->value.n; i++) {
        if (!is_digit(t->value.p[i]) || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(t->value.p[i] - '0'), &v))
            return false;
    }
    *value = v;
    q->at++;
    return true;
}

struct bytes sql_near(const struct sql *q, size_t *line)
{
    const struct sql_token *t = sql_peek(q);
    const uint8_t *from = t->text.p, *end = q->text.p + q->text.n;
    /* A second statement is what is wrong, not the semicolon before it. */
    if (t->kind == SQL_OPERATOR && t->value.p[0] == ';')
        from = t[1].text.p;
    *line = 1;
    for (const uint8_t *p = q->text.p; p < from; p++)
        *line += *p == '\n';
    return sql_at_end(q) ? bytes_of("", 0) : span(from, end);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool sql_same_bytes(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool sql_same(struct bytes a, const char *b)
{
    return sql_same_bytes(a, bytes_str(b));
}

/* Greedy, going back to the last % only: without recursion, at most text times pattern steps. */
bool sql_like(struct bytes text, struct bytes pattern, uint64_t *steps)
{
    size_t i = 0, k = 0, back_text = 0, back_pattern = SIZE_MAX;
    while (i < text.n || (k < pattern.n && pattern.p[k] == '%')) {
        if (*steps == 0)
            return false;
        --*steps;
        if (k < pattern.n && pattern.p[k] == '%') {
            back_pattern = ++k;
            back_text = i;
            continue;
        }
        if (k < pattern.n && i < text.n) {
            bool escaped = pattern.p[k] == '\\' && k + 1 < pattern.n;
            uint8_t c = pattern.p[k + escaped];
            if ((!escaped && c == '_') || lower(c) == lower(text.p[i])) {
                k += 1 + (size_t)escaped;
                i++;
                continue;
            }
        }
        if (back_pattern == SIZE_MAX)
            return false;
        k = back_pattern;
        i = ++back_text;
    }
    return k == pattern.n;
}
