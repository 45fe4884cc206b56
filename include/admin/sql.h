/*
 * The words of an SQL statement, and patterns over them.
 *
 * The text is cut into tokens once; statements are then told apart by walking over these, so that
 * case, space and comments never matter. The text of version comments (slash, star, exclamation
 * mark) counts as written without them, unless their version is a later one. Tokens borrow from the
 * statement, or from the list where quotes or escapes had to be taken out.
 */
#ifndef BINLOGD_ADMIN_SQL_H
#define BINLOGD_ADMIN_SQL_H

#include "base/bytes.h"

#define SQL_TOKENS_MAX 4096 /* what is behind counts as one token that no pattern accepts */

enum sql_kind {
    SQL_END,
    SQL_WORD,   /* an identifier or a keyword without quotes */
    SQL_QUOTED, /* `an identifier` */
    SQL_STRING, /* 'text' or "text" */
    SQL_NUMBER, /* 12, 1.5, 1e3 */
    SQL_HEX,    /* 0x4142 or x'4142', checked: value holds an even number of digits, or any after 0x
                 */
    SQL_USER_VARIABLE,   /* @name, @`name`, @'name' */
    SQL_SYSTEM_VARIABLE, /* @@name, @@global.name */
    SQL_OPERATOR,        /* one of <=> := <= >= <> != && || or a single character */
    SQL_BAD,             /* not to be understood: an open quote or comment, a lone @@ */
};

enum sql_scope { SQL_SCOPE_NONE, SQL_SCOPE_GLOBAL, SQL_SCOPE_SESSION, SQL_SCOPE_PERSIST };

struct sql_token {
    enum sql_kind kind;
    enum sql_scope scope; /* of a system variable */
    struct bytes text;    /* as written, up to the end of the token */
    struct bytes value;   /* without quotes, escapes, @, scope */
};

/* The tokens of a statement and how many have been taken; the last is always SQL_END. */
struct sql {
    struct bytes text; /* the statement without the space and semicolons around it */
    struct sql_token *tokens;
    size_t count;
    size_t at;
    uint8_t *unquoted;
};

/* The text must outlive the list. version: 90704 for 9.7.4. */
void sql_init(struct sql *q, struct bytes text, uint32_t version);
void sql_fini(struct sql *q);

/* The next token, without and with taking it; SQL_END is never passed. */
const struct sql_token *sql_peek(const struct sql *q);
const struct sql_token *sql_next(struct sql *q);
bool sql_at_end(const struct sql *q);

/* Takes the next token if it is this word, whatever its case, or this operator. */
bool sql_take(struct sql *q, const char *word);
/* Takes the next tokens if they fit the pattern, else none. Patterns are words and operators
 * between single spaces; "a|b" is either, "[a]" may be missing. */
bool sql_match(struct sql *q, const char *pattern);
/* As sql_match, but nothing may follow. */
bool sql_match_all(struct sql *q, const char *pattern);
/* Takes an identifier, bare or in back quotes. */
bool sql_take_name(struct sql *q, struct bytes *name);
/* Takes a whole number that fits. */
bool sql_take_u64(struct sql *q, uint64_t *value);

/* Where the statement stopped making sense: the text from the next token to the end (or, with
 * SQL_END, nothing) and its line, counted from 1. */
struct bytes sql_near(const struct sql *q, size_t *line);

/* Equal but for the case of ASCII letters. */
bool sql_same(struct bytes a, const char *b);
bool sql_same_bytes(struct bytes a, struct bytes b);
/* LIKE with % and _ and \ before either, without regard to case. Takes at most *steps steps off
 * *steps; *steps is 0 when the answer could not be found with them. */
bool sql_like(struct bytes text, struct bytes pattern, uint64_t *steps);

#endif
