/*
 * CHANGE REPLICATION SOURCE TO and CHANGE MASTER TO: one table of options for both spellings.
 *
 * What a server knows and this one has no use for is taken when it says "none" (an empty text, 0,
 * OFF, an empty list), for tools send it so; anything else is error 1235.
 */
#include "admin/admin_priv.h"

#include <stdlib.h>

#define COUNT_OF(a)   (sizeof(a) / sizeof(a)[0])
#define HEARTBEAT_MAX 4294967 /* seconds, of a server */
#define NO_KEY        ADMIN_CHANGE_COUNT

enum kind {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_SECONDS,
    KIND_ANY,
    KIND_GTIDS, /* OFF, LOCAL or a UUID */
    KIND_LIST   /* numbers in parentheses */
};

static const struct option {
    const char *name; /* behind SOURCE_ or MASTER_ */
    enum kind kind;
    unsigned key; /* enum admin_change_key, or NO_KEY */
} options[] = {
    {"host", KIND_TEXT, ADMIN_CHANGE_HOST},
    {"port", KIND_NUMBER, ADMIN_CHANGE_PORT},
    {"user", KIND_TEXT, ADMIN_CHANGE_USER},
    {"password", KIND_TEXT, ADMIN_CHANGE_PASSWORD},
    {"log_file", KIND_TEXT, ADMIN_CHANGE_LOG_FILE},
    {"log_pos", KIND_NUMBER, ADMIN_CHANGE_LOG_POS},
    {"auto_position", KIND_NUMBER, ADMIN_CHANGE_AUTO_POSITION},
    {"ssl", KIND_NUMBER, ADMIN_CHANGE_SSL},
    {"ssl_ca", KIND_TEXT, ADMIN_CHANGE_SSL_CA},
    {"ssl_cert", KIND_TEXT, ADMIN_CHANGE_SSL_CERT},
    {"ssl_key", KIND_TEXT, ADMIN_CHANGE_SSL_KEY},
    {"ssl_verify_server_cert", KIND_NUMBER, ADMIN_CHANGE_SSL_VERIFY},
    {"heartbeat_period", KIND_SECONDS, ADMIN_CHANGE_HEARTBEAT},
    {"connect_retry", KIND_NUMBER, ADMIN_CHANGE_CONNECT_RETRY},
    {"public_key_path", KIND_TEXT, ADMIN_CHANGE_PUBLIC_KEY},
    {"retry_count", KIND_NUMBER, NO_KEY},
    {"bind", KIND_TEXT, NO_KEY},
    {"delay", KIND_NUMBER, NO_KEY},
    {"ssl_capath", KIND_TEXT, NO_KEY},
    {"ssl_cipher", KIND_TEXT, NO_KEY},
    {"ssl_crl", KIND_TEXT, NO_KEY},
    {"ssl_crlpath", KIND_TEXT, NO_KEY},
    {"tls_version", KIND_TEXT, NO_KEY},
    {"tls_ciphersuites", KIND_ANY, NO_KEY},
    {"compression_algorithms", KIND_TEXT, NO_KEY},
    {"zstd_compression_level", KIND_NUMBER, NO_KEY},
    {"connection_auto_failover", KIND_NUMBER, NO_KEY},
};

/* Those that have no such word in front. */
static const struct option bare_options[] = {
    {"get_source_public_key", KIND_NUMBER, ADMIN_CHANGE_GET_PUBLIC_KEY},
    {"get_master_public_key", KIND_NUMBER, ADMIN_CHANGE_GET_PUBLIC_KEY},
    {"relay_log_file", KIND_TEXT, NO_KEY},
    {"relay_log_pos", KIND_NUMBER, NO_KEY},
    {"network_namespace", KIND_TEXT, NO_KEY},
    {"privilege_checks_user", KIND_ANY, NO_KEY},
    {"require_row_format", KIND_NUMBER, NO_KEY},
    {"gtid_only", KIND_NUMBER, NO_KEY},
    {"assign_gtids_to_anonymous_transactions", KIND_GTIDS, NO_KEY},
    {"ignore_server_ids", KIND_LIST, NO_KEY},
};

struct change {
    struct query *q;
    const char *word; /* "SOURCE" or "MASTER" */
    struct admin_change given;
    const struct option *useless; /* the first without a use that says something */
    struct bytes unfit;           /* the first option whose value cannot be kept; p NULL: none */
};

static const struct option *find(const struct option *list, size_t n, struct bytes name)
{
    for (size_t i = 0; i < n; i++) {
        if (sql_same(name, list[i].name))
            return &list[i];
    }
    return NULL;
}

/* NULL, and nothing is taken, when the next token names no option. */
static const struct option *take_option(struct change *c)
{
    const struct sql_token *t = sql_peek(&c->q->sql);
    size_t n = strlen(c->word);
    const struct option *o = NULL;
    if (t->kind != SQL_WORD)
        return NULL;
    if (t->value.n > n + 1 && t->value.p[n] == '_' && sql_same(bytes_of(t->value.p, n), c->word))
        o = find(options, COUNT_OF(options), bytes_skip(t->value, n + 1));
    if (!o)
        o = find(bare_options, COUNT_OF(bare_options), t->value);
    if (o)
        sql_next(&c->q->sql);
    return o;
}

static bool is_wanted(const struct sql_token *t, enum kind kind)
{
    switch (kind) {
    case KIND_TEXT:
        return t->kind == SQL_STRING;
    case KIND_NUMBER:
        return t->kind == SQL_NUMBER && !memchr(t->value.p, '.', t->value.n);
    case KIND_SECONDS:
        return t->kind == SQL_NUMBER;
    case KIND_ANY:
        return t->kind == SQL_STRING || t->kind == SQL_NUMBER || sql_same(t->value, "null");
    case KIND_GTIDS:
        return t->kind == SQL_STRING ||
               (t->kind == SQL_WORD && (sql_same(t->value, "off") || sql_same(t->value, "local")));
    case KIND_LIST:
        break;
    }
    return false;
}

static bool says_nothing(const struct sql_token *t)
{
    return t->value.n == 0 || sql_same(t->value, "0") || sql_same(t->value, "null") ||
           (t->kind == SQL_WORD && sql_same(t->value, "off"));
}

static bool take_list(struct change *c, const struct option *o)
{
    struct sql *sql = &c->q->sql;
    uint64_t id;
    if (!sql_take(sql, "("))
        return query_fail_syntax(c->q);
    if (sql_take(sql, ")"))
        return true;
    do {
        if (!sql_take_u64(sql, &id))
            return query_fail_syntax(c->q);
    } while (sql_take(sql, ","));
    if (!c->useless)
        c->useless = o;
    return sql_take(sql, ")") || query_fail_syntax(c->q);
}

static bool check_heartbeat(struct query *q, struct bytes seconds)
{
    char text[32];
    if (bytes_to_str(seconds, text, sizeof(text)) == 0 && strtod(text, NULL) <= HEARTBEAT_MAX)
        return true;
    return query_fail(q, ER_SLAVE_HEARTBEAT_VALUE_OUT_OF_RANGE,
                      "The requested value for the heartbeat period is either negative or exceeds "
                      "the maximum allowed (%d seconds).",
                      HEARTBEAT_MAX);
}

static bool take_change(struct change *c)
{
    struct query *q = c->q;
    struct bytes name = sql_peek(&q->sql)->value;
    const struct option *o = take_option(c);
    if (o && o->kind == KIND_LIST && sql_take(&q->sql, "="))
        return take_list(c, o);
    if (!o || !sql_take(&q->sql, "=") || !is_wanted(sql_peek(&q->sql), o->kind))
        return query_fail_syntax(q);
    const struct sql_token *t = sql_next(&q->sql);
    if (o->kind == KIND_SECONDS && !check_heartbeat(q, t->value))
        return false;
    if (!c->unfit.p && bytes_has_control(t->value))
        c->unfit = name;
    if (o->key != NO_KEY)
        c->given.value[o->key] = t->value;
    else if (!c->useless && !says_nothing(t))
        c->useless = o;
    return true;
}

static bool says(struct bytes value, const char *text)
{
    return value.p && sql_same(value, text);
}

static bool check_change(struct change *c)
{
    const struct bytes *v = c->given.value;
    struct query *q = c->q;
    /* The file that keeps the values has one in a line. */
    if (c->unfit.p)
        return query_fail_name(q, ER_WRONG_ARGUMENTS, "Incorrect arguments to ", c->unfit,
                               ": the value holds a control character");
    if (v[ADMIN_CHANGE_HOST].p && !v[ADMIN_CHANGE_HOST].n)
        return query_fail(q, ER_WRONG_ARGUMENTS, "Incorrect arguments to %s_HOST", c->word);
    bool position = v[ADMIN_CHANGE_LOG_FILE].p || v[ADMIN_CHANGE_LOG_POS].p;
    if (position && v[ADMIN_CHANGE_AUTO_POSITION].p && !says(v[ADMIN_CHANGE_AUTO_POSITION], "0"))
        return query_fail(q, ER_AUTO_POSITION_WITH_POSITION,
                          "Parameters %s_LOG_FILE, %s_LOG_POS, RELAY_LOG_FILE and RELAY_LOG_POS "
                          "cannot be set when %s_AUTO_POSITION is active.",
                          c->word, c->word, c->word);
    if (c->useless)
        return query_fail(q, ER_NOT_SUPPORTED_YET, "This version of MySQL doesn't yet support '%s'",
                          c->useless->name);
    return true;
}

static bool must_stop(struct change *c)
{
    if (*c->word == 'M')
        return query_fail(c->q, ER_SLAVE_MUST_STOP,
                          "This operation cannot be performed with a running slave; run STOP SLAVE "
                          "first");
    return query_fail(c->q, ER_REPLICA_IO_THREAD_MUST_STOP,
                      "This operation cannot be performed with a running replica io thread; run "
                      "STOP REPLICA IO_THREAD FOR CHANNEL '' first.");
}

bool query_change(struct query *q, const struct admin_change *change)
{
    struct admin_error e = {ER_NOT_SUPPORTED_YET, "This statement is not supported yet"};
    if (!q->env->change || !q->env->change(q->env->ctx, change, &e))
        return query_fail(q, e.code, "%s", e.text);
    return true; /* answered later */
}

static bool run_change(struct change *c)
{
    struct query *q = c->q;
    struct admin_source source;
    if (!query_source(q, &source))
        return query_fail(q, ER_REPLICA_CONFIGURATION,
                          "Replica is not configured or failed to initialize properly. You must at "
                          "least give server_id in [dumper] of the configuration.");
    if (source.io != ADMIN_IO_STOPPED)
        return must_stop(c);
    return check_change(c) && query_change(q, &c->given);
}

static bool change_source(struct query *q, const char *word)
{
    struct change c = {.q = q, .word = word};
    struct bytes channel;
    do {
        if (!take_change(&c))
            return false;
    } while (sql_take(&q->sql, ","));
    return query_take_channel(q, &channel) && query_end(q) &&
           query_need_super(q, "REPLICATION_SLAVE_ADMIN") && query_need_channel(q, channel) &&
           run_change(&c);
}

bool change_statement(struct query *q)
{
    if (sql_match(&q->sql, "replication source to"))
        return change_source(q, "SOURCE");
    if (sql_match(&q->sql, "master to"))
        return change_source(q, "MASTER");
    return query_fail_syntax(q);
}
