/* BINLOG_GTID_POS: walks a file up to the position. */
#include "admin/gtid_pos.h"

#include "base/window.h"
#include "binlog/fde.h"
#include "binlog/maria.h"

#define WINDOW (1u << 20)

struct walk {
    struct window window;
    struct fde format;
    bool listed; /* the Gtid_list was there, before which there is no answer */
    struct maria_state state;
};

/* What an event says of GTIDs; a list longer than the window is not read. */
static int note(struct walk *w, const struct event_header *h, struct bytes event, struct err *err)
{
    struct maria_gtid g;
    uint8_t flags;
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        return fde_decode(&w->format, event, err);
    if (h->type != EVENT_MARIADB_GTID && h->type != EVENT_MARIADB_GTID_LIST)
        return 0;
    if (event.n < h->length || event.n < EVENT_HEADER + (size_t)w->format.crc_len)
        return err_set(err, "a GTID that is cut");
    event.n -= w->format.crc_len;
    if (h->type == EVENT_MARIADB_GTID_LIST) {
        w->listed = true;
        return maria_state_decode(&w->state, event, err);
    }
    if (maria_gtid_decode(&g, &flags, h, event, err) < 0)
        return -1;
    maria_state_update(&w->state, &g);
    return 0;
}

/* One event; its length, or 0 when there is none. */
static uint32_t step(struct walk *w, uint64_t pos, uint64_t end)
{
    struct bytes event;
    struct event_header h;
    struct err ignored;
    if (pos + EVENT_HEADER > end ||
        window_get(&w->window, pos, EVENT_HEADER, &event, &ignored) < 0 || event.n < EVENT_HEADER)
        return 0;
    event_header_decode(&h, event.p);
    if (h.length < EVENT_HEADER || h.length > end - pos)
        return 0;
    bool wanted = h.type == EVENT_FORMAT_DESCRIPTION || h.type == EVENT_MARIADB_GTID ||
                  h.type == EVENT_MARIADB_GTID_LIST;
    size_t n = h.length < WINDOW ? h.length : WINDOW;
    if (wanted &&
        (window_get(&w->window, pos, n, &event, &ignored) < 0 || note(w, &h, event, &ignored) < 0))
        return 0;
    return h.length;
}

/* Also before the list its content is the answer, as a server gives it. */
static bool walk(struct walk *w, uint64_t position, uint64_t end)
{
    bool met = false;
    for (uint64_t pos = EVENT_MAGIC_LEN;;) {
        met |= pos == position;
        if (w->listed && pos >= position)
            return met;
        uint32_t n = step(w, pos, end);
        if (!n)
            return false;
        pos += n;
    }
}

bool gtid_pos_find(const struct gtid_pos_request *r, struct buf *text)
{
    struct walk w = {0};
    window_init(&w.window, r->fs, r->fd, WINDOW);
    bool found = walk(&w, r->position < EVENT_MAGIC_LEN ? EVENT_MAGIC_LEN : r->position, r->end);
    if (found)
        maria_state_format_last(&w.state, text);
    maria_state_fini(&w.state);
    window_fini(&w.window);
    return found;
}
