/* OK, ERR and EOF packets. */
#include "mysql/reply.h"

bool reply_is_err(struct bytes payload)
{
    return payload.n && payload.p[0] == REPLY_ERR;
}

bool reply_is_eof(struct bytes payload)
{
    return payload.n && payload.n < 9 && payload.p[0] == REPLY_EOF;
}

void reply_err_decode(struct reply_err *e, struct bytes payload)
{
    struct rd r = rd_of(payload);
    rd_u8(&r);
    e->code = rd_u16(&r);
    if (rd_left(&r) >= 6 && *r.p == '#') /* absent before the client's capabilities are known */
        rd_bytes(&r, 6);
    struct bytes text = rd_rest(&r);
    size_t n = text.n < sizeof e->message ? text.n : sizeof e->message - 1;
    memcpy(e->message, text.p, n);
    e->message[n] = 0;
}
