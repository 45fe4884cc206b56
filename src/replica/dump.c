/* From stored files to packets. */
#include "dump_priv.h"

#include "base/mem.h"
#include "binlog/event_body.h"
#include "binlog/event_make.h"
#include "mysql/errcode.h"
#include "mysql/packet.h"
#include "mysql/repl.h"
#include "mysql/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SCAN_QUANTUM (4u << 20) /* bytes left out by one dump_fill at the most */
/* What the events in the scratch become at the most: each of at least EVENT_HEADER bytes gets up to
 * PACKET_HEADER + PREFIX_MAX more. */
#define FRAMED_MAX (DUMP_SCRATCH + DUMP_SCRATCH / 2)
#define PREFIX_MAX 3u

void dump_free(struct dump *d)
{
    if (!d)
        return;
    cursor_close(&d->cursor);
    gtid_set_fini(&d->has);
    dump_maria_free(d->maria);
    free(d);
}

const char *dump_words(const struct dump_opts *o, const char *new_text, const char *old_text)
{
    return o->old_words ? old_text : new_text;
}

/* MariaDB shows names without a folder. */
void dump_add_place(const struct dump *d, struct err *err, uint64_t last_event, uint64_t last_byte)
{
    const char *name = d->cursor.file.text, *folder = d->maria ? "" : "./";
    const char *asked = d->maria && !*d->asked ? "." : d->asked;
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n,
             "; the first event '%s' at %" PRIu64 ", the last event read from '%s%s' at %" PRIu64
             ", the last byte read from '%s%s' at %" PRIu64 ".",
             asked, d->asked_pos, folder, name, last_event, folder, name, last_byte);
}

/* ---- packets ---- */

static uint32_t prefix_len(const struct dump *d)
{
    return d->opts.semi_sync ? PREFIX_MAX : 1;
}

/* Header and prefix of a packet that holds n bytes of an event; dst has room for both. */
static uint8_t *put_head(struct dump *d, uint8_t *dst, size_t n)
{
    uint32_t prefix = prefix_len(d);
    put_le32(dst, (uint32_t)(n + prefix));
    dst[3] = d->seq++;
    dst[4] = REPLY_OK;
    if (d->opts.semi_sync) {
        dst[5] = REPL_SEMI_SYNC_MAGIC;
        dst[6] = 0;
    }
    return dst + PACKET_HEADER + prefix;
}

/* The packet has the event that was sent last. A source begins its sequence numbers anew after
 * asking for an ACK. */
static void ask_for_ack(struct dump *d, uint8_t *packet)
{
    packet[PACKET_HEADER + 2] = REPL_SEMI_SYNC_ACK;
    d->flagged = d->sent;
    d->seq = 1;
}

static bool wants_acks(const struct dump *d)
{
    return d->opts.semi_sync && d->opts.acks_wanted(d->opts.ctx);
}

/* Whether an event that ends here asks for an ACK: nothing may follow it for a while. */
static bool asks(const struct dump *d, uint64_t end)
{
    return end == d->cursor.limit && wants_acks(d);
}

/* Whether all that follows up to T could be left out, so that nothing later would ask. */
static bool may_be_last(const struct dump *d)
{
    return d->by_gtid && !gtid_set_empty(&d->has) && wants_acks(d);
}

/* The packet has the event that ends here. */
static void note_sent(struct dump *d, uint8_t *packet, uint8_t type, uint64_t end)
{
    struct point at = {d->cursor.epoch, d->cursor.file.number, end};
    d->sent = (struct dump_mark){at, type == EVENT_ROTATE};
    if (asks(d, end))
        ask_for_ack(d, packet);
}

/* Appends one event, made in place by the caller between the two calls, as a packet. */
static size_t begin_made(struct dump *d, struct buf *out)
{
    size_t start = out->len;
    wr_zero(out, PACKET_HEADER + prefix_len(d));
    return start;
}

static void end_made(struct dump *d, struct buf *out, size_t start)
{
    uint8_t *p = out->data + out->off + start;
    put_head(d, p, out->len - start - PACKET_HEADER - prefix_len(d));
}

static struct event_make make_opts(const struct dump *d, uint64_t pos, bool crc)
{
    return (struct event_make){d->opts.server_id, crc, d->cursor.file.text, pos};
}

void dump_heartbeat(struct dump *d, struct buf *out)
{
    if (!d->begun || d->stage != DUMP_AT_EVENTS)
        return;
    struct event_make m = make_opts(d, d->cursor.pos, d->format.crc_len > 0);
    size_t start = begin_made(d, out);
    if (d->opts.heartbeat_v2)
        event_make_heartbeat_v2(out, &m);
    else
        event_make_heartbeat(out, &m);
    end_made(d, out, start);
}

/* ---- stages ---- */

static void send_rotate(struct dump *d, struct buf *out)
{
    bool crc = d->first_file ? d->opts.checksum == DUMP_CHECKSUM_CRC32 : d->format.crc_len > 0;
    struct event_make m = make_opts(d, d->start_pos, crc);
    size_t start = begin_made(d, out);
    event_make_rotate(out, &m);
    end_made(d, out, start);
    d->stage = DUMP_AT_FORMAT;
}

static int check_checksum(const struct dump *d, uint64_t end, struct err *err)
{
    if (!d->format.crc_len || d->opts.checksum != DUMP_CHECKSUM_UNDECLARED)
        return 0;
    err_set(err,
            "%s can not handle replication events with the checksum that %s is configured to log",
            dump_words(&d->opts, "Replica", "Slave"), dump_words(&d->opts, "source", "master"));
    dump_add_place(d, err, end, end);
    return -1;
}

/* Whether the first transaction behind the format description is one that the replica has, as far
 * as the scratch shows it: then the replica goes on and is not begun. */
static bool resumes(const struct dump *d, struct bytes in)
{
    struct event_header h;
    struct gtid g;
    struct err ignored;
    if (gtid_set_empty(&d->has))
        return false;
    while (in.n >= EVENT_HEADER) {
        event_header_decode(&h, in.p);
        if (h.length < EVENT_HEADER || h.length > in.n)
            break;
        if (h.type == EVENT_GTID || h.type == EVENT_GTID_TAGGED)
            return event_gtid_decode(&g, &h, bytes_of(in.p, h.length - d->format.crc_len),
                                     &ignored) == 0 &&
                   gtid_set_contains(&d->has, &g);
        in = bytes_skip(in, h.length);
    }
    return false;
}

/* behind: what follows the event in the file, as far as it is at hand. */
static void put_format(struct dump *d, struct buf *out, struct bytes event, struct bytes behind)
{
    size_t start = begin_made(d, out);
    if (d->start_pos > EVENT_MAGIC_LEN)
        event_make_mid_file_format(out, event, d->format.own_crc);
    else if (d->maria ? dump_maria_resumes(d->maria)
                      : d->first_file && d->by_gtid && !*d->asked && resumes(d, behind))
        event_make_resumed_format(out, event, d->format.own_crc);
    else
        wr_bytes(out, event);
    end_made(d, out, start);
}

/* Nobody gets an event that has rotted on the disk. */
static int damaged(const struct dump *d, uint64_t pos, struct err *err)
{
    err_kind_set(err, ERR_CORRUPT,
                 "Event crc check failed! Most likely there is event corruption.");
    dump_add_place(d, err, pos, pos);
    return -1;
}

static enum dump_result send_format(struct dump *d, struct buf *out, struct err *err)
{
    uint8_t *head = d->opts.scratch;
    size_t got;
    switch (cursor_peek(&d->cursor, EVENT_MAGIC_LEN, head, DUMP_SCRATCH, &got, err)) {
    case CURSOR_DATA:
        break;
    case CURSOR_COLD:
        return DUMP_COLD;
    case CURSOR_AT_END:
    case CURSOR_FILE_END:
        err_set(err, "%s is empty", d->cursor.file.text);
        return DUMP_FAILED;
    case CURSOR_FAILED:
        return DUMP_FAILED;
    }
    struct event_header h = {0};
    if (got >= EVENT_HEADER)
        event_header_decode(&h, head);
    if (h.type != EVENT_FORMAT_DESCRIPTION || h.length > got ||
        fde_decode(&d->format, bytes_of(head, h.length), err) < 0) {
        err_set(err, "%s does not begin with a Format_description event", d->cursor.file.text);
        return DUMP_FAILED;
    }
    uint64_t end = EVENT_MAGIC_LEN + h.length;
    if (d->cursor.unchecked && d->format.own_crc && !event_crc_ok(&h, bytes_of(head, h.length))) {
        damaged(d, EVENT_MAGIC_LEN, err);
        return DUMP_FAILED;
    }
    if (check_checksum(d, end, err) < 0)
        return DUMP_FAILED;
    put_format(d, out, bytes_of(head, h.length), bytes_of(head + h.length, got - h.length));
    d->format_end = end;
    cursor_advance(&d->cursor, d->start_pos > EVENT_MAGIC_LEN ? d->start_pos : end);
    d->begun = true;
    d->first_file = false;
    d->stage = DUMP_AT_EVENTS;
    return DUMP_MORE;
}

/* ---- events ---- */

/* All was sent up to where the replica wants to stop. */
static bool ended(const struct dump *d)
{
    return d->maria && dump_maria_ended(d->maria);
}

/* A transaction that the replica has is left out from its GTID event to the next one. */
static void judge_group(struct dump *d, const struct event_header *h, const uint8_t *p)
{
    struct gtid g;
    struct err ignored;
    switch (h->type) {
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
        d->skipping =
            event_gtid_decode(&g, h, bytes_of(p, h->length - d->format.crc_len), &ignored) == 0 &&
            gtid_set_contains(&d->has, &g);
        break;
    case EVENT_ANONYMOUS_GTID:
    case EVENT_ROTATE:
    case EVENT_STOP:
    case EVENT_PREVIOUS_GTIDS:
        d->skipping = false;
        break;
    default:
        break;
    }
}

/* Before what follows a gap the replica is told where it is. */
static uint8_t *put_gap_heartbeat(struct dump *d, struct buf *out, uint8_t *dst, uint64_t pos)
{
    buf_commit(out, (size_t)(dst - (out->data + out->off + out->len)));
    uint64_t here = d->cursor.pos;
    d->cursor.pos = pos;
    dump_heartbeat(d, out);
    d->cursor.pos = here;
    d->skipped = false;
    buf_reserve(out, FRAMED_MAX);
    return out->data + out->off + out->len;
}

static void begin_long(struct dump *d, struct buf *out, uint32_t length)
{
    d->message_left = (uint64_t)length + prefix_len(d);
    uint32_t n = d->message_left < PACKET_PART_MAX ? (uint32_t)d->message_left : PACKET_PART_MAX;
    uint8_t *dst = buf_reserve(out, PACKET_HEADER + PREFIX_MAX);
    put_head(d, dst, n - prefix_len(d));
    d->long_asks = asks(d, d->cursor.pos + length) || may_be_last(d);
    if (d->long_asks)
        dst[PACKET_HEADER + 2] = REPL_SEMI_SYNC_ACK; /* the sequence goes on to the message's end */
    buf_commit(out, PACKET_HEADER + prefix_len(d));
    d->message_left -= prefix_len(d);
    d->packet_left = n - prefix_len(d);
    d->packet_full = n == PACKET_PART_MAX;
    event_crc_begin(&d->long_crc, length, d->format.crc_len);
    d->stage = DUMP_AT_LONG;
}

/* The position that was asked for is inside an event, or the file is damaged. */
static void bad_length(const struct dump *d, const struct event_header *h, struct err *err)
{
    if (h->length < EVENT_HEADER)
        err_set(err, "bogus data in log event");
    else
        err_set(err,
                "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on %s",
                dump_words(&d->opts, "source", "master"));
    dump_add_place(d, err, d->format_end, d->cursor.pos + EVENT_HEADER);
}

/* Whether the event at pos is left out. -1: it ends the dump, and nothing has changed. event: of a
 * long one the beginning. */
static int judge(struct dump *d, const struct event_header *h, struct bytes event, uint64_t pos,
                 struct err *err)
{
    if (d->by_gtid)
        judge_group(d, h, event.p);
    if (!d->maria)
        return d->skipping;
    switch (dump_maria_judge(d->maria, &d->format, h, event, err)) {
    case DUMP_MARIA_SEND:
        return false;
    case DUMP_MARIA_LEAVE_OUT:
        return true;
    case DUMP_MARIA_BROKEN:
        dump_add_place(d, err, pos, pos + h->length);
        break;
    case DUMP_MARIA_REFUSE:
        break;
    }
    return -1;
}

static void put_maria_lists(struct dump *d, struct buf *out, uint64_t pos)
{
    while (d->maria && dump_maria_list_due(d->maria)) {
        struct event_make m = make_opts(d, pos, d->format.crc_len > 0);
        size_t start = begin_made(d, out);
        dump_maria_put_list(d->maria, out, &m);
        end_made(d, out, start);
    }
}

/* Whether the transactions from there on are about to be jumped over. */
static bool at_jump(const struct dump *d, uint64_t pos)
{
    return d->by_gtid && pos == d->run.from && d->run.from < d->run.to;
}

/* Events on their way into the output. */
struct frames {
    uint8_t *dst;
    uint8_t *last; /* the packet that nothing follows so far; NULL: none */
};

static void frame_event(struct dump *d, struct frames *f, const struct event_header *h,
                        const uint8_t *event, uint64_t end)
{
    f->last = f->dst;
    f->dst = put_head(d, f->dst, h->length);
    memcpy(f->dst, event, h->length);
    if (d->maria)
        dump_maria_fit(d->maria, &d->format, h, f->dst);
    f->dst += h->length;
    note_sent(d, f->last, h->type, end);
}

static void frame_gap(struct dump *d, struct frames *f)
{
    if (!d->maria) {
        d->skipped = true;
        if (f->last && wants_acks(d))
            ask_for_ack(d, f->last);
    }
    f->last = NULL;
}

/* What MariaDB's source makes up behind an event. */
static void frame_maria_lists(struct dump *d, struct buf *out, struct frames *f, uint64_t pos)
{
    if (!d->maria || !dump_maria_list_due(d->maria))
        return;
    buf_commit(out, (size_t)(f->dst - (out->data + out->off + out->len)));
    put_maria_lists(d, out, pos);
    buf_reserve(out, FRAMED_MAX);
    *f = (struct frames){out->data + out->off + out->len, NULL};
}

/* Takes the event at the beginning of in, and returns its length; 0: it is not whole; -1: it cannot
 * be sent. */
static ssize_t frame_one(struct dump *d, struct buf *out, struct frames *f, struct bytes in,
                         uint64_t pos, struct err *err)
{
    struct event_header h;
    event_header_decode(&h, in.p);
    if (h.length < EVENT_HEADER || h.length > EVENT_MAX) {
        bad_length(d, &h, err);
        return -1;
    }
    if (h.length > in.n)
        return 0;
    struct bytes event = bytes_of(in.p, h.length);
    int leave_out = judge(d, &h, event, pos, err);
    if (leave_out < 0)
        return -1;
    if (leave_out) {
        frame_gap(d, f);
    } else {
        if (d->cursor.unchecked && d->format.crc_len && !event_crc_ok(&h, event))
            return damaged(d, pos, err);
        if (d->skipped)
            f->dst = put_gap_heartbeat(d, out, f->dst, pos);
        frame_event(d, f, &h, in.p, pos + h.length);
    }
    frame_maria_lists(d, out, f, pos + h.length);
    return h.length;
}

/* Frames whole events of in, up to where a long one begins; returns the bytes used. out has room.
 */
static size_t frame(struct dump *d, struct buf *out, struct bytes in, struct err *err)
{
    struct frames f = {out->data + out->off + out->len, NULL};
    size_t used = 0;
    ssize_t n = 1;
    while (n > 0 && in.n - used >= EVENT_HEADER && !ended(d)) {
        uint64_t pos = d->cursor.pos + used;
        if (used && at_jump(d, pos))
            break;
        n = frame_one(d, out, &f, bytes_skip(in, used), pos, err);
        used += n > 0 ? (size_t)n : 0;
    }
    if (f.last && may_be_last(d))
        ask_for_ack(d, f.last);
    buf_commit(out, (size_t)(f.dst - (out->data + out->off + out->len)));
    return n < 0 && !used ? SIZE_MAX : used; /* what is good before a bad event is sent first */
}

/* The event at the cursor does not fit into the scratch: it is sent, or left out, in pieces. */
static enum dump_result take_long(struct dump *d, struct buf *out, struct bytes beginning,
                                  struct err *err)
{
    struct event_header h;
    event_header_decode(&h, beginning.p);
    int leave_out = judge(d, &h, beginning, d->cursor.pos, err);
    if (leave_out < 0)
        return DUMP_FAILED;
    if (leave_out) {
        d->skipped = !d->maria;
        d->passed += h.length;
        cursor_advance(&d->cursor, h.length);
        put_maria_lists(d, out, d->cursor.pos);
        return DUMP_MORE;
    }
    if (d->skipped) {
        d->skipped = false;
        dump_heartbeat(d, out);
    }
    begin_long(d, out, h.length);
    return DUMP_MORE;
}

static enum dump_result stop_for(const struct dump *d, enum cursor_result r)
{
    switch (r) {
    case CURSOR_AT_END:
        return d->opts.nonblock ? DUMP_EOF : DUMP_IDLE;
    case CURSOR_COLD:
        return DUMP_COLD;
    case CURSOR_DATA:
    case CURSOR_FILE_END:
    case CURSOR_FAILED:
        break;
    }
    return DUMP_FAILED;
}

/* The files of the next epoch begin with transactions that those of this one hold too. */
static void leave_epoch(struct dump *d, unsigned epoch, const struct binfile_name *file)
{
    const struct gtid_set *held = store_chain_gtids(d->opts.store, epoch);
    if (held)
        gtid_set_union(&d->has, held);
    if (d->sent.end.epoch != epoch)
        return;
    d->left.file = *file;
    d->left.flagged = d->flagged;
    if (d->flagged.end.epoch != epoch)
        d->left.flagged = (struct dump_mark){{epoch, 0, 0}, false};
}

static int next_file(struct dump *d, struct err *err)
{
    unsigned epoch = d->cursor.epoch;
    struct binfile_name file = d->cursor.file;
    if (cursor_next_file(&d->cursor, err) < 0)
        return -1;
    if (d->cursor.epoch != epoch)
        leave_epoch(d, epoch, &file);
    d->start_pos = EVENT_MAGIC_LEN;
    d->skipping = d->skipped = false;
    d->run = (struct gtid_run){0};
    if (d->maria)
        dump_maria_file_begins(d->maria);
    d->stage = DUMP_AT_ROTATE;
    return 0;
}

/* Leaves out, unread, what the index says that the replica has. */
static bool jump(struct dump *d)
{
    if (!d->by_gtid || d->cursor.pos < d->run.from)
        return false;
    d->run = cursor_gtid_run(&d->cursor, &d->has);
    uint64_t n = d->run.to - d->run.from;
    if (!n || d->cursor.pos < d->run.from)
        return false;
    d->skipping = d->skipped = true;
    d->passed += n;
    cursor_advance(&d->cursor, n);
    return true;
}

static enum dump_result send_events(struct dump *d, struct buf *out, struct err *err)
{
    if (ended(d))
        return DUMP_EOF;
    size_t got;
    if (jump(d))
        return DUMP_MORE;
    enum cursor_result r = cursor_peek(&d->cursor, 0, d->opts.scratch, DUMP_SCRATCH, &got, err);
    if (r == CURSOR_FILE_END)
        return next_file(d, err) < 0 ? DUMP_FAILED : DUMP_MORE;
    if (r != CURSOR_DATA)
        return stop_for(d, r);
    buf_reserve(out, got + got / 2 + PACKET_HEADER + PREFIX_MAX);
    size_t used = frame(d, out, bytes_of(d->opts.scratch, got), err);
    if (used == SIZE_MAX)
        return DUMP_FAILED;
    if (used) {
        d->passed += used;
        cursor_advance(&d->cursor, used);
        return DUMP_MORE;
    }
    if (d->cursor.pos + got >= d->cursor.limit) { /* T ends no event here */
        err_set(err, "binlog truncated in the middle of event; consider out of disk space on %s",
                dump_words(&d->opts, "source", "master"));
        dump_add_place(d, err, d->format_end, d->cursor.limit);
        return DUMP_FAILED;
    }
    if (got < DUMP_SCRATCH) { /* the rest of the event is not in memory */
        d->cold_skip = got;
        return DUMP_COLD;
    }
    return take_long(d, out, bytes_of(d->opts.scratch, got), err);
}

/* The next packet of a message that goes on; empty when the message's length was a multiple. */
static void put_next_packet(struct dump *d, struct buf *out)
{
    uint32_t n = d->message_left < PACKET_PART_MAX ? (uint32_t)d->message_left : PACKET_PART_MAX;
    wr_u24(out, n);
    wr_u8(out, d->seq++);
    d->packet_left = n;
    d->packet_full = n == PACKET_PART_MAX;
}

static enum dump_result send_long(struct dump *d, struct buf *out, struct err *err)
{
    if (!d->packet_left && d->packet_full)
        put_next_packet(d, out);
    if (!d->packet_left) {
        d->sent = (struct dump_mark){dump_point(d), false};
        if (d->long_asks) {
            d->flagged = d->sent;
            d->seq = 1;
        }
        d->stage = DUMP_AT_EVENTS;
        put_maria_lists(d, out, d->cursor.pos);
        return DUMP_MORE;
    }
    size_t got, want = d->packet_left < DUMP_SCRATCH ? d->packet_left : DUMP_SCRATCH;
    uint8_t *dst = buf_reserve(out, want);
    enum cursor_result r = cursor_peek(&d->cursor, 0, dst, want, &got, err);
    if (r != CURSOR_DATA)
        return stop_for(d, r);
    event_crc_add(&d->long_crc, bytes_of(dst, got));
    if (got == d->message_left && !event_crc_is_right(&d->long_crc)) {
        damaged(d, d->cursor.pos + got - d->long_crc.seen, err);
        return DUMP_FAILED; /* its end never goes out */
    }
    buf_commit(out, got);
    cursor_advance(&d->cursor, got);
    d->passed += got;
    d->packet_left -= (uint32_t)got;
    d->message_left -= got;
    return DUMP_MORE;
}

static enum dump_result step(struct dump *d, struct buf *out, struct err *err)
{
    switch (d->stage) {
    case DUMP_AT_ROTATE:
        send_rotate(d, out);
        return DUMP_MORE;
    case DUMP_AT_FORMAT:
        return send_format(d, out, err);
    case DUMP_AT_EVENTS:
        return send_events(d, out, err);
    case DUMP_AT_LONG:
        break;
    }
    return send_long(d, out, err);
}

/* Appends the message in the sequence of the dump's packets, and frees it. */
static void put_message(struct dump *d, struct buf *out, struct buf *message)
{
    d->seq = packet_encode(out, buf_bytes(message), d->seq);
    buf_fini(message);
}

enum dump_result dump_fill(struct dump *d, struct buf *out, struct err *err)
{
    size_t before = out->len;
    uint64_t from = d->passed;
    enum dump_result r = DUMP_MORE;
    if (d->cursor.fetch)
        return DUMP_COLD;
    if (d->passed && d->quantum < DUMP_QUANTUM_MAX)
        d->quantum *= 2;
    while (r == DUMP_MORE && out->len - before < d->quantum && d->passed - from < SCAN_QUANTUM)
        r = step(d, out, err);
    if (r == DUMP_COLD)
        cursor_fetch(&d->cursor, d->opts.worker, d->cold_skip, d->opts.fetched, d->opts.ctx);
    d->cold_skip = 0;
    if ((r == DUMP_IDLE || r == DUMP_EOF) &&
        d->skipped) { /* the replica has to learn where it is */
        d->skipped = false;
        dump_heartbeat(d, out);
    }
    if (r == DUMP_EOF) {
        struct buf message = {0};
        reply_eof_encode(&message, 0);
        put_message(d, out, &message);
    }
    return r;
}

void dump_put_error(struct dump *d, struct buf *out, const char *text)
{
    if (d->stage == DUMP_AT_LONG)
        return;
    struct buf message = {0};
    reply_err_encode(&message, ER_SOURCE_FATAL_ERROR_READING_BINLOG, text);
    put_message(d, out, &message);
}

struct store_pos dump_pos(const struct dump *d)
{
    return (struct store_pos){d->cursor.file.text, d->cursor.pos};
}

struct point dump_point(const struct dump *d)
{
    return (struct point){d->cursor.epoch, d->cursor.file.number, d->cursor.pos};
}

struct point dump_sent(const struct dump *d)
{
    return d->sent.end;
}

/* Whether an ACK that names the point can be one for the mark, or for something before it. */
static bool covers(const struct dump_mark *mark, struct point *point)
{
    struct point next = {mark->end.epoch, mark->end.file + 1, EVENT_MAGIC_LEN};
    if (point_cmp(point, &mark->end) <= 0)
        return true;
    if (!mark->rotate || point_cmp(point, &next) != 0)
        return false;
    *point = mark->end;
    return true;
}

/* Epochs may have files of the same names. ACKs come in the order in which they were asked for:
 * what the epoch before can still owe is of that epoch. */
int dump_acked(const struct dump *d, const struct binfile_name *file, uint64_t pos,
               const struct point *acked, struct point *point)
{
    const struct dump_left *left = &d->left;
    const struct point *sent = &d->sent.end;
    *point = (struct point){left->flagged.end.epoch, file->number, pos};
    if (point_cmp(acked, &left->flagged.end) < 0 && binfile_same_base(&left->file, file) &&
        covers(&left->flagged, point))
        return 0;
    point->epoch = sent->epoch;
    const struct binfile_name *base =
        sent->epoch == d->cursor.epoch ? &d->cursor.file : &left->file;
    return binfile_same_base(base, file) && covers(&d->sent, point) ? 0 : -1;
}

uint64_t dump_passed(const struct dump *d)
{
    return d->passed;
}
