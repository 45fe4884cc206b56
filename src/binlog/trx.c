/* Transaction boundaries. */
#include "binlog/trx.h"

#include "binlog/event_body.h"

#include <strings.h>

#define MARIADB_GTID_FLAGS      (EVENT_HEADER + 12) /* after sequence number 8 and domain 4 */
#define MARIADB_GTID_STANDALONE 0x01

static bool text_is(struct bytes text, const char *word)
{
    return text.n == strlen(word) && strncasecmp((const char *)text.p, word, text.n) == 0;
}

static bool text_begins(struct bytes text, const char *word)
{
    size_t n = strlen(word);
    return text.n >= n && strncasecmp((const char *)text.p, word, n) == 0;
}

static enum trx_verdict end(struct trx *t)
{
    t->state = TRX_OUTSIDE;
    return TRX_ENDED;
}

static enum trx_verdict enter(struct trx *t, enum trx_state state)
{
    t->state = state;
    return state == TRX_OUTSIDE ? TRX_NEUTRAL : TRX_INSIDE;
}

/* A statement inside BEGIN … COMMIT is a part; elsewhere it is a transaction of its own. */
static enum trx_verdict on_statement(struct trx *t)
{
    return t->state == TRX_OPEN ? TRX_INSIDE : end(t);
}

static enum trx_verdict on_query(struct trx *t, const struct fde *f, const struct event_header *h,
                                 struct bytes event)
{
    struct bytes text;
    struct err ignored;
    /* A long event was handed over in part, so its CRC is not at the slice's end. */
    if (event.n == h->length)
        event.n -= f->crc_len;
    if (event_query_text(&text, f, event, &ignored) < 0)
        return enter(t, TRX_OPEN);
    if (text_is(text, "BEGIN") || text_begins(text, "XA START") || text_begins(text, "XA BEGIN"))
        return enter(t, TRX_OPEN);
    if (text_is(text, "COMMIT") || text_is(text, "ROLLBACK"))
        return end(t);
    return on_statement(t);
}

static enum trx_verdict on_mariadb_gtid(struct trx *t, struct bytes event)
{
    bool standalone =
        event.n > MARIADB_GTID_FLAGS && (event.p[MARIADB_GTID_FLAGS] & MARIADB_GTID_STANDALONE);
    return enter(t, standalone ? TRX_ANNOUNCED : TRX_OPEN);
}

enum trx_verdict trx_feed(struct trx *t, const struct fde *f, const struct event_header *h,
                          struct bytes event)
{
    switch (h->type) {
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_GTID_TAGGED:
        return enter(t, TRX_ANNOUNCED);
    case EVENT_MARIADB_GTID:
        return on_mariadb_gtid(t, event);
    case EVENT_QUERY:
        return on_query(t, f, h, event);
    case EVENT_MARIADB_QUERY_COMPRESSED:
    case EVENT_EXECUTE_LOAD_QUERY:
        return on_statement(t);
    case EVENT_XID:
    case EVENT_XA_PREPARE:
    case EVENT_TRANSACTION_PAYLOAD:
    case EVENT_INCIDENT:
        return end(t);
    case EVENT_ROTATE: /* a file's end; MariaDB can leave half a transaction there (MDEV-6608) */
    case EVENT_STOP:
    case EVENT_FORMAT_DESCRIPTION:
        return enter(t, TRX_OUTSIDE);
    case EVENT_INTVAR:
    case EVENT_RAND:
    case EVENT_USER_VAR:
    case EVENT_BEGIN_LOAD_QUERY:
    case EVENT_APPEND_BLOCK:
    case EVENT_TABLE_MAP:
    case EVENT_ROWS_QUERY:
    case EVENT_MARIADB_ANNOTATE_ROWS:
        return enter(t, t->state == TRX_OPEN ? TRX_OPEN : TRX_STATEMENT);
    default:
        return enter(t, t->state);
    }
}
