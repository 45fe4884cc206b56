/* Generic answers of a server: OK, ERR, EOF (manual, "Generic Response Packets"). */
#ifndef BINLOGD_MYSQL_REPLY_H
#define BINLOGD_MYSQL_REPLY_H

#include "base/buf.h"

#define REPLY_OK           0x00
#define REPLY_LOCAL_INFILE 0xfb
#define REPLY_EOF          0xfe
#define REPLY_ERR          0xff

/* Status flag of OK and EOF, the only one given here. */
#define REPLY_STATUS_AUTOCOMMIT 0x0002

struct reply_err {
    uint16_t code;
    char message[512]; /* cut to fit */
};

/* The payload's first byte tells an ERR packet; an EOF packet is shorter than 9 bytes, for 0xfe can
 * also begin a row. */
bool reply_is_err(struct bytes payload);
bool reply_is_eof(struct bytes payload);
/* Never fails: what is missing is empty. */
void reply_err_decode(struct reply_err *e, struct bytes payload);

/* No rows affected, no insert id. */
void reply_ok_encode(struct buf *out, uint16_t warnings);
void reply_eof_encode(struct buf *out, uint16_t warnings);
/* With the SQLSTATE that belongs to the code. */
void reply_err_encode(struct buf *out, uint16_t code, const char *text);
/* In place of the greeting, or to a client older than 4.1: without SQLSTATE, which such a client
 * would take for a part of the text. */
void reply_err_encode_early(struct buf *out, uint16_t code, const char *text);
/* "HY000" for codes that have none of their own. */
const char *reply_sqlstate(uint16_t code);

#endif
