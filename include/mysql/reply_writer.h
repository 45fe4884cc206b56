/*
 * Writes the packets of an answer to a buffer, with running sequence numbers: OK, ERR, EOF or a
 * text result set (with EOF packets, for CLIENT_DEPRECATE_EOF is never offered).
 *
 * A result set: head, then for each row row_begin, a cell for each column, row_end, and at last
 * rows_end. Rows of any size are split into packets as they must be.
 */
#ifndef BINLOGD_MYSQL_REPLY_WRITER_H
#define BINLOGD_MYSQL_REPLY_WRITER_H

#include "base/buf.h"

/* Of a column, with the numbers of the protocol. */
enum reply_type {
    REPLY_TYPE_LONG = 3,
    REPLY_TYPE_DOUBLE = 5,
    REPLY_TYPE_NULL = 6,
    REPLY_TYPE_LONGLONG = 8,
    REPLY_TYPE_DATETIME = 12,
    REPLY_TYPE_NEWDECIMAL = 246,
    REPLY_TYPE_LONG_BLOB = 251,
    REPLY_TYPE_VAR_STRING = 253,
};

enum reply_flag { REPLY_FLAG_NOT_NULL = 1, REPLY_FLAG_UNSIGNED = 32, REPLY_FLAG_BINARY = 128 };

struct reply_column {
    const char *name;
    enum reply_type type;
    uint16_t flags;   /* enum reply_flag; 0: unsigned for whole numbers, text is UTF-8 */
    uint8_t decimals; /* of numbers and times */
    uint32_t length;  /* what is shown at most, in bytes; 0: what the type usually has */
};

struct reply_writer {
    struct buf *out;
    uint8_t seq;  /* of the next packet; after the last one written when the answer is complete */
    size_t start; /* of the open packet, in bytes of out's content */
};

/* seq: one after that of the command, so 1. Between row_begin and row_end nobody else may touch
 * out. */
void reply_writer_init(struct reply_writer *w, struct buf *out, uint8_t seq);
void reply_writer_ok(struct reply_writer *w, uint16_t warnings);
void reply_writer_eof(struct reply_writer *w, uint16_t warnings);
/* The text is cut at 511 bytes, as a server does. */
void reply_writer_err(struct reply_writer *w, uint16_t code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void reply_writer_head(struct reply_writer *w, const struct reply_column *columns, size_t n);
void reply_writer_row_begin(struct reply_writer *w);
void reply_writer_cell(struct reply_writer *w, const char *text); /* NULL: SQL NULL */
void reply_writer_cell_bytes(struct reply_writer *w, struct bytes text);
void reply_writer_cell_u64(struct reply_writer *w, uint64_t v);
void reply_writer_row_end(struct reply_writer *w);
void reply_writer_rows_end(struct reply_writer *w);

#endif
