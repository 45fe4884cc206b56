/* Reads the answer to a COM_QUERY. */
#include "mysql/resultset.h"

#include "mysql/lenenc.h"

struct resultset_cell {
    size_t off; /* in text; CELL_NULL for SQL NULL */
};

#define CELL_NULL SIZE_MAX

void resultset_init(struct resultset *rs)
{
    *rs = (struct resultset){0};
}

void resultset_fini(struct resultset *rs)
{
    buf_fini(&rs->text);
    buf_fini(&rs->cells);
}

static enum resultset_step feed_head(struct resultset *rs, struct bytes payload, struct err *err)
{
    struct rd r = rd_of(payload);
    if (payload.n && payload.p[0] == REPLY_OK)
        return RESULTSET_OK;
    if (payload.n && payload.p[0] == REPLY_LOCAL_INFILE) {
        err_set(err, "the server asks for a local file (LOCAL INFILE), which is never given");
        return RESULTSET_BROKEN;
    }
    uint64_t n = lenenc_int_decode(&r);
    if (r.bad || n == 0 || n > RESULTSET_COLUMNS_MAX) {
        err_set(err, "malformed head of a result set");
        return RESULTSET_BROKEN;
    }
    rs->columns = (size_t)n;
    rs->phase = RESULTSET_AT_COLUMNS;
    return RESULTSET_MORE;
}

static enum resultset_step feed_columns(struct resultset *rs, struct bytes payload, struct err *err)
{
    bool eof = reply_is_eof(payload);
    if (eof != (rs->columns_seen == rs->columns)) {
        err_set(err, "malformed column list of a result set");
        return RESULTSET_BROKEN;
    }
    if (eof)
        rs->phase = RESULTSET_AT_ROWS;
    else
        rs->columns_seen++;
    return RESULTSET_MORE;
}

static void add_cell(struct resultset *rs, struct rd *r)
{
    struct resultset_cell cell = {CELL_NULL};
    if (rd_left(r) && *r->p == 0xfb) {
        rd_u8(r);
    } else {
        cell.off = rs->text.len;
        wr_bytes(&rs->text, lenenc_str_decode(r));
        wr_u8(&rs->text, 0);
    }
    wr_bytes(&rs->cells, bytes_of(&cell, sizeof cell));
}

static enum resultset_step feed_row(struct resultset *rs, struct bytes payload, struct err *err)
{
    if (reply_is_eof(payload))
        return RESULTSET_ROWS;
    struct rd r = rd_of(payload);
    for (size_t i = 0; i < rs->columns; i++)
        add_cell(rs, &r);
    if (r.bad || rd_left(&r) || rs->text.len + rs->cells.len > RESULTSET_BYTES_MAX) {
        err_set(err, "malformed or too large row of a result set");
        return RESULTSET_BROKEN;
    }
    rs->rows++;
    return RESULTSET_MORE;
}

enum resultset_step resultset_feed(struct resultset *rs, struct bytes payload, struct err *err)
{
    if (reply_is_err(payload)) {
        reply_err_decode(&rs->error, payload);
        return RESULTSET_ERR;
    }
    switch (rs->phase) {
    case RESULTSET_AT_HEAD:
        return feed_head(rs, payload, err);
    case RESULTSET_AT_COLUMNS:
        return feed_columns(rs, payload, err);
    case RESULTSET_AT_ROWS:
        break;
    }
    return feed_row(rs, payload, err);
}

const char *resultset_get(const struct resultset *rs, size_t row, size_t column)
{
    if (row >= rs->rows || column >= rs->columns)
        return NULL;
    struct resultset_cell cell;
    size_t i = row * rs->columns + column;
    memcpy(&cell, buf_bytes(&rs->cells).p + i * sizeof cell, sizeof cell);
    return cell.off == CELL_NULL ? NULL : (const char *)buf_bytes(&rs->text).p + cell.off;
}
