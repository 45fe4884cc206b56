/*
 * The answer to a COM_QUERY, read packet by packet: OK, ERR or a text result set with EOF packets
 * (CLIENT_DEPRECATE_EOF is never asked for). Kept whole, within limits, as text cells.
 */
#ifndef BINLOGD_MYSQL_RESULTSET_H
#define BINLOGD_MYSQL_RESULTSET_H

#include "base/buf.h"
#include "base/err.h"
#include "mysql/reply.h"

#define RESULTSET_COLUMNS_MAX 64
#define RESULTSET_BYTES_MAX   (32u << 20)

enum resultset_step {
    RESULTSET_MORE,  /* feed the next payload */
    RESULTSET_OK,    /* done: an OK packet, no rows */
    RESULTSET_ROWS,  /* done: rows are there */
    RESULTSET_ERR,   /* done: the server answered with .error */
    RESULTSET_BROKEN /* the peer does not keep to the protocol; err says how */
};

struct resultset {
    size_t columns;
    size_t rows;
    struct reply_err error;
    enum { RESULTSET_AT_HEAD, RESULTSET_AT_COLUMNS, RESULTSET_AT_ROWS } phase;
    size_t columns_seen;
    struct buf text;
    struct buf cells;
};

void resultset_init(struct resultset *rs);
void resultset_fini(struct resultset *rs);
enum resultset_step resultset_feed(struct resultset *rs, struct bytes payload, struct err *err);
/* The cell as a C string that lives until fini; NULL for SQL NULL and for what is not there. */
const char *resultset_get(const struct resultset *rs, size_t row, size_t column);

#endif
