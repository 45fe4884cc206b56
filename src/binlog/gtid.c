/*
 * Text of uuids, tags, numbers and single GTIDs. The set builds its own text on these, so that one
 * place says what a uuid, a tag and a number may look like.
 */
#include "binlog/gtid.h"

#include <inttypes.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Whether a dash stands before byte i of the sid. */
static bool dash_before(size_t i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

static bool is_tag_char(char c, size_t pos)
{
    return (c >= 'a' && c <= 'z') || c == '_' || (pos > 0 && c >= '0' && c <= '9');
}

int gtid_source_cmp(const struct gtid *a, const struct gtid *b)
{
    int c = memcmp(a->sid, b->sid, sizeof a->sid);
    return c ? c : strcmp(a->tag, b->tag);
}

int gtid_uuid_parse(struct bytes text, uint8_t sid[GTID_SID_BYTES], struct err *err)
{
    uint8_t v[GTID_SID_BYTES];
    if (text.n != GTID_UUID_CHARS)
        return err_set(err, "a uuid has %d characters, not %zu", GTID_UUID_CHARS, text.n);
    const uint8_t *p = text.p;
    for (size_t i = 0; i < sizeof v; i++) {
        if (dash_before(i) && *p++ != '-')
            return err_set(err, "a dash of the uuid is missing");
        int high = hex_digit(p[0]);
        int low = hex_digit(p[1]);
        if (high < 0 || low < 0)
            return err_set(err, "the uuid has a character that is no hexadecimal digit");
        v[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    memcpy(sid, v, sizeof v);
    return 0;
}

void gtid_uuid_format(const uint8_t sid[GTID_SID_BYTES], struct buf *out)
{
    static const uint8_t digits[] = "0123456789abcdef";
    uint8_t *p = buf_reserve(out, GTID_UUID_CHARS);
    for (size_t i = 0; i < GTID_SID_BYTES; i++) {
        if (dash_before(i))
            *p++ = '-';
        *p++ = digits[sid[i] >> 4];
        *p++ = digits[sid[i] & 15];
    }
    buf_commit(out, GTID_UUID_CHARS);
}

int gtid_tag_parse(struct bytes text, struct gtid *g, struct err *err)
{
    char tag[GTID_TAG_MAX + 1] = {0};
    if (text.n < 1 || text.n > GTID_TAG_MAX)
        return err_set(err, "a tag has 1 to %d characters, not %zu", GTID_TAG_MAX, text.n);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        tag[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if (!is_tag_char(tag[i], i))
            return err_set(err, "a tag has letters, digits and _ only, and no digit first");
    }
    memcpy(g->tag, tag, sizeof tag);
    g->tag_len = (uint8_t)text.n;
    return 0;
}

int gtid_gno_parse(struct bytes text, uint64_t *gno, struct err *err)
{
    uint64_t v = 0;
    if (text.n == 0 || text.p[0] < '1' || text.p[0] > '9')
        return err_set(err, "a number from 1 on is missing");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return err_set(err, "the number has a character that is no digit");
        uint64_t digit = (uint64_t)(text.p[i] - '0');
        if (v > (GTID_GNO_MAX - digit) / 10)
            return err_set(err, "the number is above %" PRIu64, GTID_GNO_MAX);
        v = v * 10 + digit;
    }
    *gno = v;
    return 0;
}

int gtid_parse(struct bytes text, struct gtid *g, struct err *err)
{
    struct gtid v = {0};
    struct bytes uuid = bytes_of(text.p, text.n < GTID_UUID_CHARS ? text.n : GTID_UUID_CHARS);
    if (gtid_uuid_parse(uuid, v.sid, err))
        return err_prefix(err, "GTID");
    struct bytes rest = bytes_skip(text, GTID_UUID_CHARS);
    if (rest.n == 0 || rest.p[0] != ':')
        return err_set(err, "GTID: no colon behind the uuid");
    rest = bytes_skip(rest, 1);
    const uint8_t *colon = rest.n ? memchr(rest.p, ':', rest.n) : NULL;
    if (colon) {
        size_t n = (size_t)(colon - rest.p);
        if (gtid_tag_parse(bytes_of(rest.p, n), &v, err))
            return err_prefix(err, "GTID");
        rest = bytes_skip(rest, n + 1);
    }
    if (gtid_gno_parse(rest, &v.gno, err))
        return err_prefix(err, "GTID");
    *g = v;
    return 0;
}

void gtid_format(const struct gtid *g, struct buf *out)
{
    gtid_uuid_format(g->sid, out);
    if (g->tag_len)
        wr_fmt(out, ":%s", g->tag);
    wr_fmt(out, ":%" PRIu64, g->gno);
}
