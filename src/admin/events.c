/* SHOW BINLOG EVENTS: walks a file and describes its events. */
#include "admin/events.h"

#include "admin/admin_priv.h"

#include "base/window.h"
#include "binlog/event_body.h"
#include "binlog/gtid_set.h"
#include "mysql/errcode.h"
#include "mysql/reply_writer.h"

#include <inttypes.h>

#define WINDOW   (1u << 20)
#define INFO_MAX 4096u /* bytes of a statement that are shown */

/* Flags of rows events, as MySQL 9.7 names them. */
#define ROWS_END      0x01
#define ROWS_SQL_KEYS 0x10

struct walk {
    const struct events_request *r;
    struct fde format;
    struct window window;
};

static void query_info(struct buf *info, const struct fde *f, const struct event_header *h,
                       struct bytes event)
{
    struct bytes text;
    struct err ignored;
    if (event_query_text(&text, f, event, &ignored) < 0)
        return;
    struct bytes database = event_query_database(f, event);
    if (database.n && !(h->flags & EVENT_FLAG_NO_USE)) {
        wr_str(info, "use `");
        wr_bytes(info, database);
        wr_str(info, "`; ");
    }
    wr_bytes(info, bytes_of(text.p, text.n < INFO_MAX ? text.n : INFO_MAX));
}

static void gtid_info(struct buf *info, const struct event_header *h, struct bytes event)
{
    struct gtid g;
    struct err ignored;
    if (event_gtid_decode(&g, h, event, &ignored) < 0)
        return;
    wr_str(info, "SET @@SESSION.GTID_NEXT= '");
    gtid_format(&g, info);
    wr_str(info, "'");
}

static void set_info(struct buf *info, struct bytes event)
{
    struct gtid_set set;
    struct err ignored;
    gtid_set_init(&set);
    if (gtid_set_decode(event_previous_gtids_set(event), &set, &ignored) == 0)
        gtid_set_format(&set, info);
    gtid_set_fini(&set);
}

/* Table id, 6 bytes, and flags, 2 bytes, begin the post-headers of Table_map and rows events. */
static void table_info(struct buf *info, const struct event_header *h, struct bytes event)
{
    struct rd r = rd_of(bytes_skip(event, EVENT_HEADER));
    uint64_t id = rd_u32(&r);
    id |= (uint64_t)rd_u16(&r) << 32;
    uint16_t flags = rd_u16(&r);
    wr_fmt(info, "table_id: %" PRIu64, id);
    if (h->type != EVENT_TABLE_MAP) {
        wr_str(info, flags & ROWS_END ? " flags: STMT_END_F" : "");
        if ((flags & ROWS_END) && (flags & ROWS_SQL_KEYS)) /* apart it was not seen */
            wr_str(info, " USE_SQL_FOREIGN_KEY_F");
        return;
    }
    struct bytes database = rd_bytes(&r, rd_u8(&r));
    rd_u8(&r);
    struct bytes table = rd_bytes(&r, rd_u8(&r));
    if (r.bad)
        return;
    wr_str(info, " (");
    wr_bytes(info, database);
    wr_str(info, ".");
    wr_bytes(info, table);
    wr_str(info, ")");
}

static void rotate_info(struct buf *info, struct bytes event)
{
    struct event_rotate rotate;
    struct err ignored;
    if (event_rotate_decode(&rotate, event, &ignored) < 0)
        return;
    wr_bytes(info, rotate.name);
    wr_fmt(info, ";pos=%" PRIu64, rotate.pos);
}

/* event: from its header on, without CRC; of a long one its first bytes. */
static void describe(struct buf *info, const struct walk *w, const struct event_header *h,
                     struct bytes event)
{
    switch (h->type) {
    case EVENT_FORMAT_DESCRIPTION:
        wr_fmt(info, "Server ver: %s, Binlog ver: 4", w->format.server_version);
        break;
    case EVENT_QUERY:
        query_info(info, &w->format, h, event);
        break;
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
        gtid_info(info, h, event);
        break;
    case EVENT_ANONYMOUS_GTID:
        wr_str(info, "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'");
        break;
    case EVENT_PREVIOUS_GTIDS:
        set_info(info, event);
        break;
    case EVENT_ROTATE:
        rotate_info(info, event);
        break;
    case EVENT_XID:
        if (event.n >= EVENT_HEADER + 8)
            wr_fmt(info, "COMMIT /* xid=%" PRIu64 " */", le64(event.p + EVENT_HEADER));
        break;
    case EVENT_TABLE_MAP:
    case EVENT_WRITE_ROWS:
    case EVENT_UPDATE_ROWS:
    case EVENT_DELETE_ROWS:
    case EVENT_WRITE_ROWS_V1:
    case EVENT_UPDATE_ROWS_V1:
    case EVENT_DELETE_ROWS_V1:
    case EVENT_PARTIAL_UPDATE_ROWS:
        table_info(info, h, event);
        break;
    default:
        break;
    }
}

static void write_row(struct reply_writer *rw, const struct walk *w, uint64_t pos,
                      const struct event_header *h, struct bytes event)
{
    struct buf info;
    buf_init(&info);
    describe(&info, w, h, event);
    reply_writer_row_begin(rw);
    reply_writer_cell(rw, w->r->name);
    reply_writer_cell_u64(rw, pos);
    reply_writer_cell(rw, event_type_name(h->type));
    reply_writer_cell_u64(rw, h->server_id);
    reply_writer_cell_u64(rw, pos + h->length);
    reply_writer_cell_bytes(rw, buf_bytes(&info));
    reply_writer_row_end(rw);
    buf_fini(&info);
}

/* One event; *length is 0 at the end. */
static int step(struct walk *w, uint64_t pos, struct event_header *h, struct bytes *event,
                struct err *err)
{
    h->length = 0;
    if (pos + EVENT_HEADER > w->r->end)
        return 0;
    if (window_get(&w->window, pos, EVENT_HEADER, event, err) < 0)
        return -1;
    if (event->n < EVENT_HEADER)
        return err_set(err, "Wrong offset or I/O error");
    event_header_decode(h, event->p);
    if (h->length < EVENT_HEADER || h->length > w->r->end - pos)
        return err_set(err, "Wrong offset or I/O error");
    if (window_get(&w->window, pos, h->length < WINDOW ? h->length : WINDOW, event, err) < 0)
        return -1;
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        return fde_decode(&w->format, *event, err);
    if (event->n == h->length && event->n >= EVENT_HEADER + (size_t)w->format.crc_len)
        event->n -= w->format.crc_len;
    return 0;
}

static int walk(struct walk *w, struct reply_writer *rw, struct err *err)
{
    uint64_t skip = w->r->skip, left = w->r->count;
    struct event_header h;
    struct bytes event;
    if (w->r->position >= INT64_MAX) /* no file has it, and MySQL's error is that of its read */
        return err_set(err,
                       "Error reading Log_event at position %" PRIu64
                       ": Failed decoding event: I/O error reading log event",
                       w->r->position);
    for (uint64_t pos = EVENT_MAGIC_LEN; left; pos += h.length) {
        if (step(w, pos, &h, &event, err) < 0)
            return -1;
        if (!h.length)
            break;
        if (pos < w->r->position)
            continue;
        if (skip) {
            skip--;
            continue;
        }
        write_row(rw, w, pos, &h, event);
        left--;
        if (rw->out->len > EVENTS_ANSWER_MAX)
            return err_set(err, "the answer is too long, use LIMIT");
    }
    return 0;
}

void events_answer(struct buf *out, const struct events_request *r)
{
    static const struct reply_column columns[] = {
        COLUMN_TEXT("Log_name"),
        COLUMN_NUMBER("Pos", LONGLONG),
        COLUMN_TEXT("Event_type"),
        COLUMN_NUMBER("Server_id", LONG),
        COLUMN_NUMBER("End_log_pos", LONGLONG),
        COLUMN_TEXT("Info"),
    };
    struct walk w = {.r = r};
    struct reply_writer rw;
    struct err err;
    size_t before = out->len;
    window_init(&w.window, r->fs, r->fd, WINDOW);
    reply_writer_init(&rw, out, 1);
    reply_writer_head(&rw, columns, sizeof columns / sizeof *columns);
    if (walk(&w, &rw, &err) == 0) {
        reply_writer_rows_end(&rw);
    } else {
        buf_truncate(out, before);
        reply_writer_init(&rw, out, 1);
        reply_writer_err(&rw, ER_ERROR_WHEN_EXECUTING_COMMAND,
                         "Error when executing command SHOW BINLOG EVENTS: %s", err.text);
    }
    window_fini(&w.window);
}
