/* From packets of the source to events in the store. */
#include "dumper/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "binlog/event_body.h"
#include "mysql/repl.h"
#include "mysql/reply.h"

#include <inttypes.h>

void stream_start(struct stream *st, struct store *store, struct ack_queue *acks,
                  struct channel *channel, const struct setup_facts *facts,
                  const struct binfile_name *file, uint64_t pos)
{
    *st = (struct stream){.store = store, .acks = acks, .channel = channel};
    st->rotate_crc = facts->crc32;
    st->asked_for_file = file != NULL;
    if (file)
        st->asked = *file;
    st->asked_pos = pos;
}

/* ---- what ends a dump ---- */

static int judge_error(const struct stream *st, const struct reply_err *e, struct err *err)
{
    if (strstr(e->message, "ame server_uuid/server_id") || strstr(e->message, "lave with the same"))
        return err_kind_set(err, ERR_LONG,
                            "another replica has the same server_id or server_uuid: error %u: %s",
                            e->code, e->message);
    if (strstr(e->message, "inary log is not open"))
        return err_kind_set(err, ERR_LONG,
                            "the source writes no binary log: start it with log_bin (error %u: %s)",
                            e->code, e->message);
    bool lost = strstr(e->message, "file size") || strstr(e->message, "impossible position") ||
                strstr(e->message, "Could not find first log file") ||
                strstr(e->message, "could not find next log");
    if (lost && !store_empty(st->store))
        return err_kind_set(err, ERR_DIVERGED,
                            "the source does not have what is stored here: it was reset, restored, "
                            "purged, or lost its last transactions: error %u: %s",
                            e->code, e->message);
    return err_set(err, "the source ended the dump: error %u: %s", e->code, e->message);
}

/* Takes an ERR or EOF packet, which is the source's right. */
static enum stream_result on_end(const struct stream *st, struct bytes payload, struct err *err)
{
    struct reply_err e;
    if (reply_is_err(payload)) {
        reply_err_decode(&e, payload);
        judge_error(st, &e, err);
        err->code = e.code;
    } else {
        err_set(err, "the source ended the dump");
    }
    return STREAM_BAD;
}

/* ---- what the dump thread makes up ---- */

static bool is_artificial_rotate(const struct event_header *h)
{
    return h->type == EVENT_ROTATE &&
           ((h->flags & EVENT_FLAG_ARTIFICIAL) || (h->timestamp == 0 && h->log_pos == 0));
}

static int check_first_rotate(struct stream *st, const struct binfile_name *name, uint64_t pos,
                              struct err *err)
{
    if (st->asked_for_file && (!binfile_name_eq(name, &st->asked) || pos != st->asked_pos))
        return err_set(err, "the source answers with %s at %" PRIu64 ", not with %s at %" PRIu64,
                       name->text, pos, st->asked.text, st->asked_pos);
    if (!st->asked_for_file && pos != EVENT_MAGIC_LEN)
        return err_set(err, "the source begins %s at %" PRIu64, name->text, pos);
    bool stored = !store_empty(st->store);
    st->expect = stored && pos > EVENT_MAGIC_LEN ? STREAM_AT_PREAMBLE : STREAM_AT_FORMAT;
    st->next = *name;
    return 0;
}

/* A file ends, with a Rotate or Stop event of its own or, when the source was killed, without. */
static int check_next_rotate(struct stream *st, const struct binfile_name *name, uint64_t pos,
                             struct err *err)
{
    if (st->expect != STREAM_AT_EVENTS || pos != EVENT_MAGIC_LEN)
        return err_set(err, "a Rotate to %s at %" PRIu64 " comes where none may", name->text, pos);
    if (binfile_name_eq(name, store_write_file(st->store)))
        return err_kind_set(err, ERR_DIVERGED, "the source begins %s again", name->text);
    st->expect = STREAM_AT_FORMAT;
    st->next = *name;
    return 0;
}

static int on_artificial_rotate(struct stream *st, struct bytes event, struct err *err)
{
    struct event_header h;
    struct event_rotate rotate;
    struct binfile_name name;
    event_header_decode(&h, event.p);
    if (st->rotate_crc) {
        if (!event_crc_ok(&h, event))
            return err_set(err, "wrong CRC in an artificial Rotate event");
        event.n -= EVENT_CRC;
    }
    if (event_rotate_decode(&rotate, event, err) < 0 ||
        binfile_name_parse(&name, rotate.name, err) < 0)
        return -1;
    st->trx.state = TRX_OUTSIDE;
    st->gtid.gno = 0;
    return st->expect == STREAM_AT_ROTATE ? check_first_rotate(st, &name, rotate.pos, err)
                                          : check_next_rotate(st, &name, rotate.pos, err);
}

/* A heartbeat must name the place where we are: elsewhere means a hole in the bytes. */
static int on_heartbeat(struct stream *st, const struct event_header *h, struct err *err)
{
    st->idle = st->live = true;
    if (st->expect != STREAM_AT_EVENTS || h->type != EVENT_HEARTBEAT || !h->log_pos)
        return 0;
    if (h->log_pos != (uint32_t)store_write_pos(st->store))
        return err_set(err, "a heartbeat at log_pos %u while %" PRIu64 " bytes are here",
                       h->log_pos, store_write_pos(st->store));
    return 0;
}

/* Before a resume in mid-file the source sends the file's format description, with log_pos and
 * created as they are (COM_BINLOG_DUMP_GTID) or zeroed (COM_BINLOG_DUMP). */
static int compare_preamble(const struct stream *st, struct bytes event, struct err *err)
{
    enum { AT_LOG_POS = 13, AT_FLAGS = 17, AT_CREATED = EVENT_HEADER + 52 };
    struct bytes stored = store_fde(st->store);
    uint8_t a[JOURNAL_HEAD_MAX], b[JOURNAL_HEAD_MAX];
    bool same = stored.n == event.n && event.n > AT_CREATED + 4 + EVENT_CRC;
    if (same) {
        memcpy(a, stored.p, stored.n);
        memcpy(b, event.p, event.n);
        if (le32(b + AT_CREATED) == 0)
            memset(a + AT_CREATED, 0, 4);
        memset(a + AT_LOG_POS, 0, 4);
        memset(b + AT_LOG_POS, 0, 4);
        a[AT_FLAGS] = b[AT_FLAGS] = 0;
        same = memcmp(a, b, event.n - EVENT_CRC) == 0;
    }
    if (!same)
        return err_kind_set(err, ERR_DIVERGED,
                            "%s on the source is another file than the one stored here: the "
                            "source was reset or restored, or is another server",
                            st->next.text);
    return 0;
}

/* ---- events of files ---- */

static int check_event(const struct stream *st, const struct event_header *h, struct err *err)
{
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        return err_set(err, "a second Format_description event in one file");
    if (fde_check_header(&st->format, h, err) < 0)
        return -1;
    uint64_t end = store_write_pos(st->store) + h->length;
    if (h->log_pos != (uint32_t)end)
        return err_set(err, "%s event with log_pos %u where %u is due", event_type_name(h->type),
                       h->log_pos, (uint32_t)end);
    return 0;
}

/* A name that must not be used may not get into the files either, where replicas would read it. */
static int check_stored_rotate(struct bytes body, struct err *err)
{
    struct event_rotate rotate;
    struct binfile_name name;
    if (event_rotate_decode(&rotate, body, err) < 0)
        return -1;
    return binfile_name_parse(&name, rotate.name, err);
}

static int note_maria_gtid(struct stream *st, const struct event_header *h, struct bytes body,
                           struct err *err)
{
    struct maria_gtid gtid;
    uint8_t flags;
    if (maria_gtid_decode(&gtid, &flags, h, body, err) < 0)
        return -1;
    store_begin_maria_gtid(st->store, &gtid);
    return 0;
}

static int note_body(struct stream *st, const struct event_header *h, struct bytes body,
                     struct err *err)
{
    switch (h->type) {
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
        return event_gtid_decode(&st->gtid, h, body, err);
    case EVENT_ANONYMOUS_GTID:
        st->gtid.gno = 0;
        return 0;
    case EVENT_ROTATE:
        return check_stored_rotate(body, err);
    case EVENT_PREVIOUS_GTIDS:
        if (store_set_previous_gtids(st->store, event_previous_gtids_set(body), err) < 0)
            return err_prefix(err, "Previous_gtids event");
        return 0;
    case EVENT_MARIADB_GTID:
        return note_maria_gtid(st, h, body, err);
    case EVENT_MARIADB_GTID_LIST:
        return store_set_gtid_list(st->store, body, err);
    default:
        return 0;
    }
}

/* The event stands whole in the ring: note its end, the ACK it asks for, the sequence number that
 * follows it. */
static int end_event(struct stream *st, const struct event_header *h, enum trx_verdict verdict,
                     bool ack_wanted, struct err *err)
{
    bool ended = verdict == TRX_ENDED;
    store_event_end(st->store, h->length, verdict, ended && st->gtid.gno ? &st->gtid : NULL);
    st->events++;
    st->bytes += h->length;
    st->idle = false;
    if (h->timestamp) {
        st->last_timestamp = h->timestamp;
        store_event_time(st->store, h->timestamp);
    }
    if (verdict != TRX_INSIDE)
        st->complete = store_write_point(st->store);
    if (ended) {
        st->transactions++;
        st->gtid.gno = 0;
        st->unflagged = st->live;
    }
    if (!ack_wanted)
        return 0;
    st->flagged = st->live = true;
    st->unflagged = false;
    channel_expect_seq(st->channel, 1); /* the source starts anew after asking for an ACK */
    struct ack ack = {
        .offset = store_offset(st->store),
        .pos = store_write_pos(st->store),
        .file = store_write_file(st->store)->number,
        .at_us = clock_now_us(),
        .needs = st->complete,
        .transactions = st->transactions,
    };
    if (!ack_add(st->acks, &ack))
        return err_set(err, "the source asks for %u ACKs without awaiting one", ACK_QUEUE_MAX);
    return 0;
}

static int take_whole(struct stream *st, const struct event_header *h, struct bytes event,
                      bool ack_wanted, struct err *err)
{
    if (check_event(st, h, err) < 0)
        return -1;
    if (st->format.crc_len && !event_crc_ok(h, event))
        return err_set(err, "wrong CRC in a %s event", event_type_name(h->type));
    if (note_body(st, h, bytes_of(event.p, event.n - st->format.crc_len), err) < 0)
        return -1;
    enum trx_verdict verdict = trx_feed(&st->trx, &st->format, h, event);
    store_append(st->store, event);
    return end_event(st, h, verdict, ack_wanted, err);
}

static int append_long(struct stream *st, struct bytes part, bool last, struct err *err)
{
    const struct event_header *h = &st->long_header;
    uint64_t left = h->length - st->long_crc.seen;
    if (part.n > left || (last && part.n < left))
        return err_set(err, "%s event is not as long as its header says (%u bytes)",
                       event_type_name(h->type), h->length);
    event_crc_add(&st->long_crc, part);
    store_append(st->store, part);
    st->in_event = !last;
    if (!last)
        return 0;
    if (!event_crc_is_right(&st->long_crc))
        return err_set(err, "wrong CRC in a %s event", event_type_name(h->type));
    return end_event(st, h, st->long_verdict, st->long_ack, err);
}

static int begin_long(struct stream *st, const struct event_header *h, struct bytes part,
                      bool ack_wanted, struct err *err)
{
    if (st->expect != STREAM_AT_EVENTS)
        return err_set(err, "a long %s event comes where none may", event_type_name(h->type));
    if (h->type == EVENT_ROTATE || h->type == EVENT_GTID || h->type == EVENT_GTID_TAGGED ||
        h->type == EVENT_MARIADB_GTID ||
        event_is_heartbeat(h)) /* what must be read whole, or may not be stored */
        return err_set(err, "a %s event of %u bytes", event_type_name(h->type), h->length);
    if (h->type == EVENT_PREVIOUS_GTIDS || h->type == EVENT_MARIADB_GTID_LIST)
        log_warn("dumper", "a %s event of %u bytes is stored without being read",
                 event_type_name(h->type), h->length);
    if (check_event(st, h, err) < 0)
        return -1;
    st->long_header = *h;
    st->long_ack = ack_wanted;
    event_crc_begin(&st->long_crc, h->length, st->format.crc_len);
    st->long_verdict = trx_feed(&st->trx, &st->format, h, part);
    return append_long(st, part, false, err);
}

/* The format description of a file that is new, or of one that is sent again from its start. */
static int take_format(struct stream *st, const struct event_header *h, struct bytes event,
                       bool ack_wanted, struct err *err)
{
    const struct binfile_name *present = store_write_file(st->store);
    bool again = present && binfile_name_eq(present, &st->next);
    if (h->log_pos != EVENT_MAGIC_LEN + h->length)
        return err_set(err, "Format_description event with log_pos %u", h->log_pos);
    if (!again && store_begin_file(st->store, &st->next, err) < 0)
        return -1;
    store_set_format(st->store, &st->format);
    st->expect = STREAM_AT_EVENTS;
    enum trx_verdict verdict = trx_feed(&st->trx, &st->format, h, event);
    store_append(st->store, event);
    return end_event(st, h, verdict, ack_wanted, err);
}

static int take_format_or_preamble(struct stream *st, const struct event_header *h,
                                   struct bytes event, bool ack_wanted, struct err *err)
{
    if (h->type != EVENT_FORMAT_DESCRIPTION)
        return err_set(err, "a %s event comes before the Format_description",
                       event_type_name(h->type));
    if (fde_decode(&st->format, event, err) < 0)
        return -1;
    if (st->format.own_crc && !event_crc_ok(h, event))
        return err_set(err, "wrong CRC in a Format_description event");
    st->rotate_crc = st->format.crc_len > 0;
    if (st->expect == STREAM_AT_FORMAT)
        return take_format(st, h, event, ack_wanted, err);
    if (compare_preamble(st, event, err) < 0)
        return -1;
    st->expect = STREAM_AT_EVENTS;
    return 0;
}

static int take_event(struct stream *st, struct bytes event, bool whole, bool ack_wanted,
                      struct err *err)
{
    struct event_header h;
    if (event.n < EVENT_HEADER)
        return err_set(err, "an event of %zu bytes", event.n);
    event_header_decode(&h, event.p);
    if (whole ? h.length != event.n : h.length <= event.n)
        return err_set(err, "%s event with a length of %u bytes in a packet with %s%zu",
                       event_type_name(h.type), h.length, whole ? "" : "more than ", event.n);
    if (!whole)
        return begin_long(st, &h, event, ack_wanted, err);
    if (is_artificial_rotate(&h))
        return on_artificial_rotate(st, event, err);
    if (event_is_heartbeat(&h))
        return on_heartbeat(st, &h, err);
    switch (st->expect) {
    case STREAM_AT_ROTATE:
        return err_set(err, "a %s event comes before the first Rotate", event_type_name(h.type));
    case STREAM_AT_PREAMBLE:
    case STREAM_AT_FORMAT:
        return take_format_or_preamble(st, &h, event, ack_wanted, err);
    case STREAM_AT_EVENTS:
        break;
    }
    return take_whole(st, &h, event, ack_wanted, err);
}

/* The first packet shows whether events have the semi-sync header: without it the byte after OK
 * is the low byte of an artificial Rotate's timestamp, which is 0. */
static void detect_semi_sync(struct stream *st, struct bytes part)
{
    if (st->expect == STREAM_AT_ROTATE)
        st->semi_sync = part.n > 1 && part.p[1] == REPL_SEMI_SYNC_MAGIC;
}

static int take_first_part(struct stream *st, struct bytes part, bool whole, struct err *err)
{
    bool ack_wanted;
    if (part.n && part.p[0] == REPLY_LOCAL_INFILE)
        return err_set(err,
                       "the source asks for a local file (LOCAL INFILE), which is never given");
    detect_semi_sync(st, part);
    int prefix = repl_event_prefix_decode(part, st->semi_sync, &ack_wanted, err);
    if (prefix < 0)
        return -1;
    part = bytes_skip(part, (size_t)prefix);
    st->in_event = !whole;
    return take_event(st, part, whole, ack_wanted, err);
}

enum stream_result stream_part(struct stream *st, struct bytes part, unsigned flags,
                               struct err *err)
{
    if (!store_has_room(st->store, part.n + EVENT_MAGIC_LEN))
        return STREAM_NO_ROOM;
    if (st->expect == STREAM_AT_FORMAT && !store_can_begin_file(st->store))
        return STREAM_NO_ROOM;
    if (!st->in_event && (reply_is_err(part) || reply_is_eof(part)))
        return on_end(st, part, err);
    bool last = flags & CHANNEL_LAST;
    int rc = st->in_event ? append_long(st, part, last, err) : take_first_part(st, part, last, err);
    if (rc == 0)
        return STREAM_TAKEN;
    err_malformed(err);
    return STREAM_BAD;
}
