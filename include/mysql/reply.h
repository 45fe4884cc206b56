/* Generic answers of a server: OK, ERR, EOF (manual, "Generic Response Packets"). */
#ifndef BINLOGD_MYSQL_REPLY_H
#define BINLOGD_MYSQL_REPLY_H

#include "base/buf.h"

#define REPLY_OK           0x00
#define REPLY_LOCAL_INFILE 0xfb
#define REPLY_EOF          0xfe
#define REPLY_ERR          0xff

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

#endif
