/* OK, ERR and EOF packets. */
#include "mysql/reply.h"

#include "mysql/errcode.h"

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

#define MESSAGE_MAX (sizeof((struct reply_err *)NULL)->message - 1)

void reply_ok_encode(struct buf *out, uint16_t warnings)
{
    wr_u8(out, REPLY_OK);
    wr_zero(out, 2); /* affected rows and insert id */
    wr_u16(out, REPLY_STATUS_AUTOCOMMIT);
    wr_u16(out, warnings);
}

void reply_eof_encode(struct buf *out, uint16_t warnings)
{
    wr_u8(out, REPLY_EOF);
    wr_u16(out, warnings);
    wr_u16(out, REPLY_STATUS_AUTOCOMMIT);
}

static void encode_err(struct buf *out, uint16_t code, const char *sqlstate, const char *text)
{
    wr_u8(out, REPLY_ERR);
    wr_u16(out, code);
    if (sqlstate) {
        wr_u8(out, '#');
        wr_str(out, sqlstate);
    }
    wr_bytes(out, bytes_of(text, strnlen(text, MESSAGE_MAX)));
}

void reply_err_encode(struct buf *out, uint16_t code, const char *text)
{
    encode_err(out, code, reply_sqlstate(code), text);
}

void reply_err_encode_early(struct buf *out, uint16_t code, const char *text)
{
    encode_err(out, code, NULL, text);
}

const char *reply_sqlstate(uint16_t code)
{
    switch (code) {
    case ER_CON_COUNT_ERROR:
    case ER_NOT_SUPPORTED_AUTH_MODE:
        return "08004";
    case ER_HANDSHAKE_ERROR:
    case ER_UNKNOWN_COM_ERROR:
    case ER_SERVER_SHUTDOWN:
    case ER_NET_PACKET_TOO_LARGE:
    case ER_NET_PACKETS_OUT_OF_ORDER:
    case ER_NET_READ_INTERRUPTED:
        return "08S01";
    case ER_ACCESS_DENIED_ERROR:
        return "28000";
    case ER_NO_DB_ERROR:
        return "3D000";
    case ER_BAD_FIELD_ERROR:
        return "42S22";
    case ER_DATA_OUT_OF_RANGE:
        return "22003";
    case ER_BAD_DB_ERROR:
    case ER_PARSE_ERROR:
    case ER_EMPTY_QUERY:
    case ER_UNKNOWN_CHARACTER_SET:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_NONEXISTING_GRANT:
    case ER_WRONG_VALUE_FOR_VAR:
    case ER_WRONG_TYPE_FOR_VAR:
    case ER_NOT_SUPPORTED_YET:
    case ER_SP_DOES_NOT_EXIST:
    case ER_TOO_BIG_PRECISION:
    case ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT:
        return "42000";
    case ER_QUERY_INTERRUPTED:
        return "70100";
    default:
        return "HY000";
    }
}
