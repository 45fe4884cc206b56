/* Codecs of the replication commands and of the prefix of each event. */
#include "mysql/repl.h"

#include "mysql/reply.h"

static void wr_str8(struct buf *out, const char *s)
{
    size_t n = strlen(s);
    n = n > 255 ? 255 : n;
    wr_u8(out, (uint8_t)n);
    wr_bytes(out, bytes_of(s, n));
}

void repl_register_encode(struct buf *out, const struct repl_register *r)
{
    wr_u8(out, COM_REGISTER_SLAVE);
    wr_u32(out, r->server_id);
    wr_str8(out, r->report_host);
    wr_str8(out, ""); /* user and password: a source only shows them, and we do not give them */
    wr_str8(out, "");
    wr_u16(out, r->report_port);
    wr_u32(out, 0); /* rank, unused */
    wr_u32(out, 0); /* source id, filled in by the source */
}

void repl_dump_encode(struct buf *out, const struct repl_dump *d)
{
    wr_u8(out, COM_BINLOG_DUMP);
    wr_u32(out, (uint32_t)d->pos);
    wr_u16(out, d->flags);
    wr_u32(out, d->server_id);
    wr_str(out, d->file);
}

void repl_dump_gtid_encode(struct buf *out, const struct repl_dump *d)
{
    wr_u8(out, COM_BINLOG_DUMP_GTID);
    wr_u16(out, d->flags);
    wr_u32(out, d->server_id);
    wr_u32(out, (uint32_t)strlen(d->file));
    wr_str(out, d->file);
    wr_u64(out, d->pos);
    struct bytes empty = bytes_of("\0\0\0\0\0\0\0", 8); /* a count of zero uuids */
    struct bytes set = d->gtids.n ? d->gtids : empty;
    wr_u32(out, (uint32_t)set.n);
    wr_bytes(out, set);
}

void repl_ack_encode(struct buf *out, uint64_t pos, const char *file)
{
    wr_u8(out, REPL_SEMI_SYNC_MAGIC);
    wr_u64(out, pos);
    wr_str(out, file);
}

int repl_event_prefix_decode(struct bytes payload, bool semi_sync, bool *ack_wanted,
                             struct err *err)
{
    int prefix = semi_sync ? 3 : 1;
    *ack_wanted = false;
    if (payload.n < (size_t)prefix || payload.p[0] != REPLY_OK)
        return err_set(err, "a packet of the dump does not begin with an OK byte");
    if (!semi_sync)
        return prefix;
    if (payload.p[1] != REPL_SEMI_SYNC_MAGIC || payload.p[2] > REPL_SEMI_SYNC_ACK)
        return err_set(err, "an event lacks the semi-sync header");
    *ack_wanted = payload.p[2] == REPL_SEMI_SYNC_ACK;
    return prefix;
}

/* A string behind its length, which must not say more than is there. The length is one byte, but
 * MySQL takes the longer forms, too. */
static int rd_text(struct rd *r, const char *complaint, struct bytes *text, struct err *err)
{
    uint64_t n = rd_u8(r);
    if (n == 252)
        n = rd_u16(r);
    else if (n == 253)
        n = rd_u24(r);
    else if (n >= 254)
        n = rd_u64(r);
    if (r->bad)
        return err_set(err, "%s", REPL_MALFORMED);
    if (n > rd_left(r))
        return err_set(err, "%s", complaint);
    *text = rd_bytes(r, n);
    return 0;
}

int repl_register_decode(struct repl_registered *r, struct bytes payload, struct err *err)
{
    struct rd in = rd_of(payload);
    struct bytes host, unused;
    rd_u8(&in);
    r->server_id = rd_u32(&in);
    if (in.bad)
        return err_set(err, "%s", REPL_MALFORMED);
    if (rd_text(&in, "Failed to register replica: too long 'report-host'", &host, err) < 0 ||
        rd_text(&in, "Failed to register replica: too long 'report-user'", &unused, err) < 0 ||
        rd_text(&in, "Failed to register replica; too long 'report-password'", &unused, err) < 0)
        return -1;
    r->port = rd_u16(&in);
    rd_bytes(&in, 8); /* rank and source id, unused */
    if (in.bad || bytes_to_str(host, r->host, sizeof r->host) < 0)
        return err_set(err, "Wrong parameters when registering replica");
    return 0;
}

int repl_dump_decode(struct repl_dump_request *d, struct bytes payload, struct err *err)
{
    struct rd in = rd_of(payload);
    *d = (struct repl_dump_request){0};
    rd_u8(&in);
    d->pos = rd_u32(&in);
    d->flags = rd_u16(&in);
    d->server_id = rd_u32(&in);
    d->file = rd_rest(&in);
    return in.bad ? err_set(err, "malformed COM_BINLOG_DUMP") : 0;
}

int repl_dump_gtid_decode(struct repl_dump_request *d, struct bytes payload, struct err *err)
{
    struct rd in = rd_of(payload);
    *d = (struct repl_dump_request){0};
    rd_u8(&in);
    d->flags = rd_u16(&in);
    d->server_id = rd_u32(&in);
    uint32_t n = rd_u32(&in);
    d->file = rd_bytes(&in, n);
    d->pos = rd_u64(&in);
    n = rd_u32(&in);
    d->gtids = rd_bytes(&in, n);
    return in.bad ? err_set(err, "malformed COM_BINLOG_DUMP_GTID") : 0;
}

int repl_ack_decode(struct repl_ack *a, struct bytes payload, struct err *err)
{
    struct rd in = rd_of(payload);
    uint8_t magic = rd_u8(&in);
    a->pos = rd_u64(&in);
    a->file = rd_rest(&in);
    if (in.bad || magic != REPL_SEMI_SYNC_MAGIC)
        return err_set(err, "malformed semi-sync ACK");
    if (!a->file.n || a->file.n > REPL_ACK_FILE_MAX || memchr(a->file.p, 0, a->file.n))
        return err_set(err, "a semi-sync ACK with a file name of %zu bytes, or with a NUL in it",
                       a->file.n);
    return 0;
}
