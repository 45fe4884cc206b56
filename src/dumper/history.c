/* Compares histories by GTID. */
#include "dumper/history.h"

#include "binlog/event_body.h"
#include "mysql/repl.h"
#include "mysql/reply.h"

#include <stdio.h>

#define LACKS_SHOWN_MAX 300

static int lacks(const struct setup_facts *facts, const struct gtid_set *missing, struct err *err)
{
    struct buf text;
    buf_init(&text);
    gtid_set_format(missing, &text);
    int n = text.len < LACKS_SHOWN_MAX ? (int)text.len : LACKS_SHOWN_MAX;
    err_kind_set(err, ERR_DIVERGED,
                 "the source %s lacks transactions that are stored here: it was reset or restored, "
                 "or lost its last ones: %.*s",
                 facts->source, n, (const char *)buf_bytes(&text).p);
    buf_fini(&text);
    return -1;
}

int history_check(const struct setup_facts *facts, const struct gtid_set *ours, struct err *err)
{
    struct gtid_set missing;
    if (!facts->gtids_known || gtid_set_is_subset(ours, &facts->gtids))
        return 0;
    gtid_set_init(&missing);
    gtid_set_copy(&missing, ours);
    gtid_set_subtract(&missing, &facts->gtids);
    int rc = lacks(facts, &missing, err);
    gtid_set_fini(&missing);
    return rc;
}

static int cannot_go_on(const struct setup_facts *facts, struct bytes packet, struct err *err)
{
    struct reply_err e;
    reply_err_decode(&e, packet);
    return err_kind_set(err, ERR_DIVERGED,
                        "the source %s cannot go on where the stored files end: error %u: %s",
                        facts->source, e.code, e.message);
}

static int decode_rotate(const struct setup_facts *facts, struct bytes packet,
                         struct binfile_name *file, struct err *err)
{
    struct event_rotate rotate;
    struct event_header h;
    bool wanted;
    bool semi_sync = facts->semi_sync_plugin && packet.n > 1 && packet.p[1] == REPL_SEMI_SYNC_MAGIC;
    int prefix = repl_event_prefix_decode(packet, semi_sync, &wanted, err);
    if (prefix < 0)
        return -1;
    struct bytes event = bytes_skip(packet, (size_t)prefix);
    if (event.n < EVENT_HEADER + EVENT_CRC)
        return err_set(err, "a dump does not begin with a Rotate event");
    event_header_decode(&h, event.p);
    if (h.type != EVENT_ROTATE || h.length != event.n)
        return err_set(err, "a dump does not begin with a Rotate event");
    if (facts->crc32 && !event_crc_ok(&h, event))
        return err_set(err, "wrong CRC in an artificial Rotate event");
    event.n -= facts->crc32 ? EVENT_CRC : 0;
    if (event_rotate_decode(&rotate, event, err) < 0)
        return -1;
    return binfile_name_parse(file, rotate.name, err);
}

int history_join_file(const struct setup_facts *facts, struct bytes packet,
                      struct binfile_name *file, struct err *err)
{
    if (reply_is_err(packet))
        return cannot_go_on(facts, packet, err);
    if (reply_is_eof(packet))
        return err_set(err, "the source ended the dump");
    return decode_rotate(facts, packet, file, err) < 0 ? err_malformed(err) : 0;
}
