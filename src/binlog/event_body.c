/* Bodies of Rotate, Query, Gtid and Gtid_tagged events. */
#include "binlog/event_body.h"

#define ROTATE_POST_HEADER 8

int event_rotate_decode(struct event_rotate *e, struct bytes event, struct err *err)
{
    struct rd r = rd_of(event);
    rd_bytes(&r, EVENT_HEADER);
    e->pos = rd_u64(&r);
    e->name = rd_rest(&r);
    if (r.bad || !e->name.n)
        return err_set(err, "malformed Rotate event");
    return 0;
}

/* Post-header: thread 4, time 4, database length 1, error 2, length of the status variables 2. */
static int query_parts(const struct fde *f, struct bytes event, struct bytes *database,
                       struct bytes *text)
{
    struct rd r = rd_of(event);
    rd_bytes(&r, EVENT_HEADER);
    struct rd post = rd_of(rd_bytes(&r, fde_post_header(f, EVENT_QUERY)));
    rd_bytes(&post, 8);
    uint8_t database_n = rd_u8(&post);
    rd_bytes(&post, 2);
    rd_bytes(&r, rd_u16(&post));
    *database = rd_bytes(&r, database_n);
    rd_u8(&r);
    *text = rd_rest(&r);
    return r.bad || post.bad ? -1 : 0;
}

int event_query_text(struct bytes *text, const struct fde *f, struct bytes event, struct err *err)
{
    struct bytes database;
    if (query_parts(f, event, &database, text) < 0)
        return err_set(err, "malformed Query event");
    return 0;
}

struct bytes event_query_database(const struct fde *f, struct bytes event)
{
    struct bytes database, text;
    return query_parts(f, event, &database, &text) < 0 ? bytes_of("", 0) : database;
}

static int decode_plain_gtid(struct gtid *g, struct rd *r)
{
    rd_u8(r); /* flags */
    struct bytes sid = rd_bytes(r, sizeof g->sid);
    g->gno = rd_u64(r);
    if (r->bad)
        return -1;
    memcpy(g->sid, sid.p, sizeof g->sid);
    return 0;
}

/* The variable-length integer of MySQL's serialization library: the number of trailing one bits of
 * the first byte says how many bytes follow; the value is in the bits above them. */
static uint64_t rd_varint(struct rd *r)
{
    uint8_t first = rd_u8(r);
    unsigned more = 0;
    while (more < 8 && (first >> more & 1))
        more++;
    uint64_t value = more < 8 ? (uint64_t)first >> (more + 1) : 0;
    unsigned shift = more < 8 ? 7 - more : 0;
    for (unsigned i = 0; i < more; i++, shift += 8)
        value |= (uint64_t)rd_u8(r) << shift;
    return value;
}

/* Fields of Gtid_tagged: id, then value; the first four are flags, uuid, gno and tag, in order. */
static int decode_tagged_gtid(struct gtid *g, struct rd *r)
{
    rd_varint(r); /* version of the format */
    rd_varint(r); /* size of the message */
    rd_varint(r); /* last field that must be understood */
    if (rd_varint(r) != 0)
        return -1;
    rd_varint(r); /* flags */
    if (rd_varint(r) != 1)
        return -1;
    for (size_t i = 0; i < sizeof g->sid; i++) {
        uint64_t byte = rd_varint(r);
        if (byte > UINT8_MAX)
            return -1;
        g->sid[i] = (uint8_t)byte;
    }
    if (rd_varint(r) != 2)
        return -1;
    uint64_t gno = rd_varint(r); /* a signed integer: its lowest bit is the sign */
    if (gno & 1 || rd_varint(r) != 3)
        return -1;
    g->gno = gno >> 1;
    struct bytes tag = rd_bytes(r, rd_varint(r));
    struct err ignored;
    return r->bad || (tag.n && gtid_tag_parse(tag, g, &ignored) < 0) ? -1 : 0;
}

int event_gtid_decode(struct gtid *g, const struct event_header *h, struct bytes event,
                      struct err *err)
{
    struct rd r = rd_of(event);
    rd_bytes(&r, EVENT_HEADER);
    g->tag_len = 0;
    g->tag[0] = 0;
    int rc = h->type == EVENT_GTID_TAGGED ? decode_tagged_gtid(g, &r) : decode_plain_gtid(g, &r);
    if (rc < 0 || !gtid_gno_valid(g->gno))
        return err_set(err, "malformed %s event", event_type_name(h->type));
    return 0;
}

struct bytes event_previous_gtids_set(struct bytes event)
{
    return bytes_skip(event, EVENT_HEADER);
}
