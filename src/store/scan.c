/*
 * Scan of a stored file.
 *
 * Walks the events in a window over the file; an event longer than the window is checked piece by
 * piece. What stopped the walk is then judged: below the durable bound it is corruption. Above it,
 * a good event behind the bad place is corruption too, unless the bad place holds a sector of
 * zeros: a power cut can lose a page of an unsynced write and keep a later one, while rot does not
 * zero whole sectors.
 */
#include "store/scan.h"

#include "base/window.h"
#include "binlog/event_body.h"
#include "binlog/trx.h"

#include <errno.h>
#include <stdio.h>

#define WINDOW      (4u << 20)
#define LOOK_MAX    (64u << 20) /* how far behind a bad place a good event is looked for */
#define SECTOR      512u
#define HEAD_SAMPLE (64u << 10) /* of a long event, what trx_feed gets */

/* CRC of an event that is longer than the window. */
static int long_crc_ok(struct window *r, uint64_t off, uint32_t length, bool *ok, struct err *err)
{
    uint32_t crc = 0;
    struct bytes piece;
    uint64_t left = length - EVENT_CRC;
    while (left) {
        size_t want = left < WINDOW ? (size_t)left : WINDOW;
        if (window_get(r, off, want, &piece, err) < 0)
            return -1;
        crc = event_crc32(crc, piece);
        off += want;
        left -= want;
    }
    if (window_get(r, off, EVENT_CRC, &piece, err) < 0)
        return -1;
    /* A file that has become shorter meanwhile ends before the CRC. */
    *ok = piece.n == EVENT_CRC && crc == le32(piece.p);
    return 0;
}

enum look { LOOK_GOOD, LOOK_END, LOOK_BAD };

struct at {
    struct event_header h;
    struct bytes event; /* whole, or the first bytes of a long one */
    enum look look;
};

/* Looks at what stands at off; err is set when it is bad. f is NULL before the first event. */
static int look_at(struct window *r, const struct fde *f, uint64_t off, uint64_t size,
                   struct at *at, struct err *err)
{
    at->look = LOOK_END;
    if (off == size)
        return 0;
    at->look = LOOK_BAD;
    if (window_get(r, off, EVENT_HEADER, &at->event, err) < 0)
        return -1;
    if (at->event.n < EVENT_HEADER)
        return err_set(err, "%zu bytes are no event header", at->event.n), 0;
    event_header_decode(&at->h, at->event.p);
    if (at->h.length < EVENT_HEADER || at->h.length > EVENT_MAX)
        return err_set(err, "an event length of %u bytes", at->h.length), 0;
    if (at->h.length > size - off)
        return err_set(err, "an event of %u bytes goes past the end", at->h.length), 0;
    if (at->h.log_pos != (uint32_t)(off + at->h.length))
        return err_set(err, "log_pos %u where %u is due", at->h.log_pos,
                       (uint32_t)(off + at->h.length)),
               0;
    if (f && fde_check_header(f, &at->h, err) < 0)
        return 0;
    bool whole = at->h.length <= WINDOW;
    if (window_get(r, off, whole ? at->h.length : HEAD_SAMPLE, &at->event, err) < 0)
        return -1;
    bool ok = true;
    if (!f || f->crc_len || at->h.type == EVENT_FORMAT_DESCRIPTION) {
        if (whole)
            ok = event_crc_ok(&at->h, at->event);
        else if (long_crc_ok(r, off, at->h.length, &ok, err) < 0)
            return -1;
        if (!whole && window_get(r, off, HEAD_SAMPLE, &at->event, err) < 0)
            return -1;
    }
    if (!ok)
        return err_set(err, "a wrong CRC in a %s event", event_type_name(at->h.type)), 0;
    at->look = LOOK_GOOD;
    return 0;
}

/* Whether a good event begins anywhere in (off, off + LOOK_MAX). */
static int good_event_behind(struct window *r, const struct fde *f, uint64_t off, uint64_t size,
                             uint64_t *where, struct err *err)
{
    uint64_t end = size - off > LOOK_MAX ? off + LOOK_MAX : size;
    *where = 0;
    for (uint64_t o = off + 1; o + EVENT_HEADER <= end; o++) {
        struct bytes b;
        if (window_get(r, o, EVENT_HEADER, &b, err) < 0)
            return -1;
        if (b.n < EVENT_HEADER) /* the file has become shorter */
            break;
        struct event_header h;
        event_header_decode(&h, b.p);
        if (h.log_pos != (uint32_t)(o + h.length) || h.length < EVENT_HEADER || h.type == 0)
            continue;
        struct at at;
        struct err ignored;
        if (look_at(r, f, o, size, &at, &ignored) < 0)
            return err_kind_set(err, ignored.kind, "%s", ignored.text);
        if (at.look == LOOK_GOOD) {
            *where = o;
            return 0;
        }
    }
    return 0;
}

/* The sector that holds the first bad byte counts from there on: what stood in it before was
 * written earlier. */
static int has_zero_sector(struct window *r, uint64_t from, uint64_t to, bool *yes, struct err *err)
{
    static const uint8_t zeros[SECTOR];
    *yes = false;
    while (from < to && !*yes) {
        uint64_t next = (from / SECTOR + 1) * SECTOR;
        struct bytes b;
        if (next > to)
            break;
        if (window_get(r, from, (size_t)(next - from), &b, err) < 0)
            return -1;
        *yes = b.n == next - from && memcmp(b.p, zeros, b.n) == 0;
        from = next;
    }
    return 0;
}

/* The bound in this file, bytes. */
static uint64_t bound_of(uint64_t durable)
{
    return durable == SCAN_BEHIND_BOUND ? 0 : durable;
}

static void judge(struct scan *s, enum scan_verdict verdict, const char *why, const char *more)
{
    s->verdict = verdict;
    snprintf(s->reason, sizeof s->reason, "%s at %llu%s", why, (unsigned long long)s->valid_end,
             more);
}

/* The walk stopped at valid_end, before the end of the file, for the reason why. */
static int judge_bad_place(struct scan *s, struct window *r, const struct fde *f, uint64_t durable,
                           const char *why, struct err *err)
{
    if (s->valid_end < bound_of(durable)) {
        judge(s, SCAN_CORRUPT, why, ", in what was durable already");
        return 0;
    }
    uint64_t good = 0;
    bool unwritten = false;
    if (good_event_behind(r, f, s->valid_end, s->size, &good, err) < 0)
        return -1;
    if (good && has_zero_sector(r, s->valid_end, good, &unwritten, err) < 0)
        return -1;
    /* Without a bound nothing says that the zeros were never written. */
    if (good && !(unwritten && durable))
        judge(s, SCAN_CORRUPT, why, ", with good events behind it");
    else
        judge(s, SCAN_TORN, why, "");
    return 0;
}

/* GTIDs of the transaction that is open, of either kind. */
struct open {
    struct gtid gtid;
    struct maria_gtid maria;
};

static void note_maria(struct scan *s, struct open *open, const struct event_header *h,
                       struct bytes body)
{
    struct err ignored;
    uint8_t flags;
    if (h->type == EVENT_MARIADB_GTID) {
        if (maria_gtid_decode(&open->maria, &flags, h, body, &ignored) < 0)
            open->maria.seq = 0;
    } else if (h->type == EVENT_MARIADB_GTID_LIST) {
        (void)maria_state_decode(&s->maria, body, &ignored);
    }
}

static void note_gtid(struct scan *s, struct open *open, const struct at *at, uint8_t crc_len)
{
    struct err ignored;
    struct bytes body = bytes_of(at->event.p, at->event.n - crc_len);
    if (at->h.type == EVENT_GTID || at->h.type == EVENT_GTID_TAGGED) {
        if (event_gtid_decode(&open->gtid, &at->h, body, &ignored) < 0)
            open->gtid.gno = 0;
    } else if (at->h.type == EVENT_PREVIOUS_GTIDS && at->event.n == at->h.length) {
        s->has_previous_gtids =
            gtid_set_decode(event_previous_gtids_set(body), &s->gtids, &ignored) == 0;
    } else {
        note_maria(s, open, &at->h, body);
    }
}

static int note_format(struct scan *s, struct fde *f, const struct at *at, struct err *err)
{
    if (fde_decode(f, at->event, err) < 0)
        return -1;
    s->has_format = true;
    return 0;
}

static void note_event(struct scan *s, struct trx *trx, const struct fde *f, struct open *open,
                       const struct at *at)
{
    uint64_t start = s->valid_end;
    s->valid_end += at->h.length;
    if (at->h.timestamp > s->newest)
        s->newest = at->h.timestamp;
    note_gtid(s, open, at, f->crc_len);
    enum trx_verdict v = trx_feed(trx, f, &at->h, at->event);
    if (v == TRX_INSIDE)
        return;
    if (v == TRX_ENDED && open->gtid.gno) {
        gtid_set_add(&s->gtids, &open->gtid);
        gtid_index_add(&s->index, s->trx_end, s->valid_end, &open->gtid, open->gtid.gno);
    } else {
        gtid_index_break(&s->index);
    }
    s->trx_end = s->valid_end;
    s->last_start = start;
    if (v == TRX_ENDED && open->maria.seq)
        maria_state_update(&s->maria, &open->maria);
    open->gtid.gno = open->maria.seq = 0;
}

/* Walks until the end or a bad place, whose description is then in why. */
static int walk(struct scan *s, struct window *r, struct fde *f, struct err *why, struct err *err)
{
    struct trx trx = {TRX_OUTSIDE};
    struct open open = {0};
    for (;;) {
        struct at at;
        if (s->stop && atomic_load_explicit(s->stop, memory_order_relaxed))
            return err_set(err, "stopped");
        if (look_at(r, s->has_format ? f : NULL, s->valid_end, s->size, &at, why) < 0)
            return err_kind_set(err, why->kind, "%s", why->text);
        if (at.look != LOOK_GOOD)
            return 0;
        if (!s->has_format && at.h.type != EVENT_FORMAT_DESCRIPTION)
            return err_set(why, "a %s event comes first", event_type_name(at.h.type)), 0;
        if (at.h.type == EVENT_FORMAT_DESCRIPTION && note_format(s, f, &at, why) < 0)
            return 0;
        note_event(s, &trx, f, &open, &at);
    }
}

static int scan_opened(struct scan *s, struct window *r, uint64_t durable, struct err *err)
{
    struct stat st;
    if (r->fs->fstat(r->fd, &st) < 0)
        return err_io(err, errno, "cannot stat the file");
    s->size = (uint64_t)st.st_size;
    struct bytes magic;
    if (window_get(r, 0, EVENT_MAGIC_LEN, &magic, err) < 0)
        return -1;
    struct err why = {.text = "no magic number"};
    struct fde f = {0};
    if (bytes_eq(magic, event_magic())) {
        s->valid_end = EVENT_MAGIC_LEN;
        if (walk(s, r, &f, &why, err) < 0)
            return -1;
    }
    if (s->valid_end < s->size)
        return judge_bad_place(s, r, s->has_format ? &f : NULL, durable, why.text, err);
    if (s->size < bound_of(durable))
        judge(s, SCAN_CORRUPT, "the file ends", ", before what was durable already");
    return 0;
}

static int scan_with(struct scan *s, const struct fs *fs, int fd, uint64_t durable, struct err *err)
{
    gtid_set_init(&s->gtids);
    gtid_index_init(&s->index);
    struct window r;
    window_init(&r, fs, fd, WINDOW);
    int rc = scan_opened(s, &r, durable, err);
    window_fini(&r);
    return rc;
}

int scan_file(struct scan *s, const struct fs *fs, int fd, uint64_t durable, struct err *err)
{
    *s = (struct scan){0};
    return scan_with(s, fs, fd, durable, err);
}

void scan_fini(struct scan *s)
{
    gtid_set_fini(&s->gtids);
    maria_state_fini(&s->maria);
    gtid_index_fini(&s->index);
}

int scan_index(struct gtid_index *x, const struct fs *fs, int fd, const atomic_bool *stop,
               struct err *err)
{
    struct scan s = {.stop = stop};
    int rc = scan_with(&s, fs, fd, 0, err);
    if (rc == 0 && s.verdict != SCAN_CLEAN)
        rc = err_kind_set(err, ERR_CORRUPT, "%s", s.reason);
    if (rc == 0) {
        gtid_index_break(&s.index);
        gtid_index_swap(x, &s.index);
    }
    scan_fini(&s);
    return rc;
}
