/* Length-encoded integers and strings (manual, "Protocol::LengthEncodedInteger"). */
#ifndef BINLOGD_MYSQL_LENENC_H
#define BINLOGD_MYSQL_LENENC_H

#include "base/buf.h"

/* Marks r bad for 0xff, and for 0xfb (the NULL of result rows), which is no integer. */
uint64_t lenenc_int_decode(struct rd *r);
struct bytes lenenc_str_decode(struct rd *r);
void lenenc_int_encode(struct buf *out, uint64_t v);
void lenenc_str_encode(struct buf *out, struct bytes s);

#endif
