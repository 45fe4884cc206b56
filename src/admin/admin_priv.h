/*
 * What the files of the folder share: one statement being answered, and values.
 *
 * Functions that can fail return false after query_fail has noted the error that the client gets;
 * the first one noted counts. Values and what they point to live until the statement is answered.
 */
#ifndef BINLOGD_ADMIN_ADMIN_PRIV_H
#define BINLOGD_ADMIN_ADMIN_PRIV_H

#include "admin/admin.h"
#include "admin/sql.h"
#include "admin/vars.h"
#include "mysql/errcode.h"
#include "mysql/reply_writer.h"

#include <stdio.h>

/* Nothing a client sends may hold the loop: a step of LIKE and two bytes copied cost one each, an
 * operand of an expression QUERY_OPERAND. All of it takes some 10 ms. */
#define QUERY_BUDGET    4000000u
#define QUERY_OPERAND   64u
#define QUERY_DEPTH_MAX 50u /* of parentheses */

struct query_chunk;

struct query_column {
    const char *name;
    bool number;
};

/* A row that expressions are about. */
struct query_row {
    const struct query_column *columns;
    const struct bytes *values; /* p NULL: SQL NULL */
    size_t n;
};

struct query {
    struct admin_session *session;
    const struct admin_env *env;
    struct admin_facts facts;
    struct sql sql;
    struct reply_writer writer;
    struct query_chunk *chunks;
    uint64_t budget;
    unsigned depth;
    const struct query_row *row; /* NULL where there is none */
    bool in_where;
    bool bare_words;   /* an unknown word is text, as behind SET x = */
    bool keep_warning; /* the statement asks about the one before */
    bool later;        /* no answer now; it has failed as well */
    bool failed;
    uint16_t code;
    char message[512];
};

/* All return false. */
bool query_fail(struct query *q, uint16_t code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool query_fail_syntax(struct query *q); /* at the next token */
/* With a name of the client's, of which 64 bytes are shown. */
bool query_fail_name(struct query *q, uint16_t code, const char *before, struct bytes name,
                     const char *after);
bool query_need(struct query *q, unsigned rights, const char *privileges);
/* For the right admin: the privilege is named beside SUPER, from 8.0 on. */
bool query_need_super(struct query *q, const char *privilege);
/* The answer is OK, with a warning or note that SHOW WARNINGS tells. Returns true. */
bool query_ok_but(struct query *q, enum admin_level level, uint16_t code, const char *message);

/* n bytes, not zeroed. NULL when the budget is used up. */
uint8_t *query_alloc(struct query *q, size_t n);
void query_free_chunks(struct query *q);
bool query_spend(struct query *q, uint64_t steps);

enum value_flag {
    VALUE_NOT_NULL = REPLY_FLAG_NOT_NULL,
    VALUE_UNSIGNED = REPLY_FLAG_UNSIGNED,
    VALUE_BINARY = REPLY_FLAG_BINARY,
};

struct value {
    struct bytes text; /* p is NULL for SQL NULL */
    struct reply_column column;
};

struct value value_null(void);
struct value value_int(struct query *q, int64_t v);
struct value value_uint(struct query *q, uint64_t v);
struct value value_bool(bool b);
struct value value_text(struct bytes text);
bool value_is_null(const struct value *v);
bool value_is_true(const struct value *v);
/* Whole numbers only, also as text. */
bool value_to_u64(const struct value *v, uint64_t *out);

/* Takes an expression from the tokens and gives its value. */
bool expr_take(struct query *q, struct value *v);
/* The same behind WHERE, about a row. */
bool query_take_condition(struct query *q, const struct query_row *row, struct value *v);

/* User variables; name in any case. False when there is none. */
bool session_variable(const struct admin_session *s, struct bytes name, struct value *v);
/* False when it does not fit; nothing has changed then. */
bool session_set(struct admin_session *s, struct bytes name, const struct value *v);
void session_warn(struct admin_session *s, uint16_t code, const char *message);

/* [LIMIT n | LIMIT skip, n | LIMIT n OFFSET skip]; without it *count is UINT64_MAX. */
bool query_take_limit(struct query *q, uint64_t *skip, uint64_t *count);

/* The setting SECTION.KEY, or the one that a variable of MySQL stands for; its strings are the
 * query's. */
bool setting_find(struct query *q, struct bytes name, struct admin_setting *setting);
/* Those that the session may see. */
void settings_each(struct query *q, admin_setting_fn fn, void *arg);
bool settings_apply(struct query *q, const struct admin_assignment *items, size_t n);

/* Statements, by their first word; each takes the rest and writes the answer. */
bool select_statement(struct query *q);
bool set_statement(struct query *q);
bool show_statement(struct query *q);
bool start_replica(struct query *q);
bool stop_replica(struct query *q);
bool reset_replica(struct query *q);
bool change_statement(struct query *q);
bool flush_statement(struct query *q);
bool shutdown_statement(struct query *q);
bool purge_statement(struct query *q);

/* The rest of SHOW REPLICA STATUS and SHOW SLAVE STATUS. */
bool show_replica_status(struct query *q);
bool show_slave_status(struct query *q);
bool query_end(struct query *q); /* nothing may follow */
/* Without the right to see more, a session sees those of its own user. */
bool query_may_see(const struct query *q, const struct admin_thread *t);
/* What the daemon says of its source; false when it has none. */
bool query_source(struct query *q, struct admin_source *s);
/* [FOR CHANNEL 'name']; false only for what is not to be understood. */
bool query_take_channel(struct query *q, struct bytes *name);
/* There is one, without a name. */
bool query_need_channel(struct query *q, struct bytes name);
/* Has the daemon do it, and answers OK or with its error. */
bool query_command(struct query *q, enum admin_command command);
/* Has the daemon keep it; the answer comes later, or is its error. */
bool query_change(struct query *q, const struct admin_change *change);

/* A result set: the columns, then rows cell by cell. */
void rows_head(struct query *q, const struct reply_column *columns, size_t n);
void rows_cell(struct query *q, struct bytes text); /* p NULL: SQL NULL */
bool rows_end(struct query *q);                     /* false when the query has failed */

/* Initializers of struct reply_column. */
#define COLUMN_TEXT(name)                                                                          \
    {                                                                                              \
        name, REPLY_TYPE_VAR_STRING, REPLY_FLAG_NOT_NULL, 0, 0                                     \
    }
#define COLUMN_NUMBER(name, type)                                                                  \
    {                                                                                              \
        name, REPLY_TYPE_##type, REPLY_FLAG_NOT_NULL | REPLY_FLAG_UNSIGNED | REPLY_FLAG_BINARY, 0, \
            0                                                                                      \
    }

#endif
