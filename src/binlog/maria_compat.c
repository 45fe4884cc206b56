/* Events for those who do not know MariaDB's. */
#include "binlog/maria_compat.h"

#include <stdio.h>

#define AT_TYPE        4
#define AT_FLAGS       17
#define QUERY_FIXED    13 /* thread 4, time 4, database length 1, error 2, status length 2 */
#define QUERY_STATUS   (QUERY_FIXED - 2)
#define STATUS_ZONE    5    /* status variable: a text, here an empty time zone to fill space */
#define VAR_FIXED      5    /* name length 4, NULL flag 1 */
#define FLAG_XA        0xc0 /* of a Gtid: XA START or what completes it, which is no BEGIN */
#define BEGIN          "BEGIN"
#define BEGIN_BODY_MIN (QUERY_FIXED + 1 + sizeof BEGIN - 1)

static void set_type(uint8_t *event, uint8_t type)
{
    event[AT_TYPE] = type;
    event[AT_FLAGS] |= EVENT_FLAG_NO_USE;
}

static void seal(uint8_t *event, uint32_t length, uint8_t crc_len)
{
    uint32_t n = length - crc_len;
    if (crc_len)
        put_le32(event + n, event_crc32(0, bytes_of(event, n)));
}

/* A user variable that is NULL, its name as long as there is room. */
static void put_variable(uint8_t *event, size_t body)
{
    static const char name[] = "!dummyvar";
    set_type(event, EVENT_USER_VAR);
    put_le32(event + EVENT_HEADER, (uint32_t)(body - VAR_FIXED));
    memcpy(event + EVENT_HEADER + 4, name, body - VAR_FIXED);
    event[EVENT_HEADER + body - 1] = 1;
}

static void put_comment(uint8_t *event, size_t body)
{
    char text[80];
    uint8_t *p = event + EVENT_HEADER;
    int n =
        snprintf(text, sizeof text,
                 "# Dummy event replacing event type %u that slave cannot handle.", event[AT_TYPE]);
    size_t room = body - QUERY_FIXED - 1, used = room < (size_t)n ? room : (size_t)n;
    set_type(event, EVENT_QUERY);
    memset(p, 0, QUERY_FIXED + 1);
    memcpy(p + QUERY_FIXED + 1, text, used);
    memset(p + QUERY_FIXED + 1 + used, ' ', room - used);
}

void maria_compat_dummy(uint8_t *event, uint32_t length, uint8_t crc_len)
{
    size_t body = length - EVENT_HEADER - crc_len;
    if (body <= QUERY_FIXED + 1)
        put_variable(event, body);
    else
        put_comment(event, body);
    seal(event, length, crc_len);
}

bool maria_compat_begins(uint32_t length, uint8_t crc_len, uint8_t gtid_flags)
{
    size_t body = length - EVENT_HEADER - crc_len;
    size_t more = body - BEGIN_BODY_MIN;
    return !(gtid_flags & FLAG_XA) && body >= BEGIN_BODY_MIN && more != 1 && more <= UINT8_MAX;
}

void maria_compat_begin(uint8_t *event, uint32_t length, uint8_t crc_len)
{
    uint8_t *p = event + EVENT_HEADER;
    size_t body = length - EVENT_HEADER - crc_len, more = body - BEGIN_BODY_MIN;
    set_type(event, EVENT_QUERY);
    memset(p, 0, body);
    p[QUERY_STATUS] = (uint8_t)more;
    if (more) {
        p[QUERY_FIXED] = STATUS_ZONE;
        p[QUERY_FIXED + 1] = (uint8_t)(more - 2);
    }
    memcpy(p + body - (sizeof BEGIN - 1), BEGIN, sizeof BEGIN - 1);
    seal(event, length, crc_len);
}
