/*
 * A binary log from its first event on: format description, headers, bodies and transaction
 * boundaries. What decodes must be within the event, a GTID must survive its text, and events that
 * end a transaction must leave none open.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/event_body.h"
#include "binlog/gtid_set.h"
#include "binlog/maria.h"
#include "binlog/trx.h"

#include <stdlib.h>

static bool within(struct bytes part, struct bytes whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_gtid(const struct event_header *h, struct bytes body)
{
    struct err err;
    struct gtid g, again;
    struct buf text;
    if (event_gtid_decode(&g, h, body, &err) < 0)
        return;
    buf_init(&text);
    gtid_format(&g, &text);
    BUG_ON(gtid_parse(buf_bytes(&text), &again, &err) < 0);
    BUG_ON(gtid_source_cmp(&g, &again) != 0 || g.gno != again.gno);
    buf_fini(&text);
}

/* What decodes must survive encoding. */
static void check_list(struct bytes body)
{
    struct err err;
    struct maria_state list = {0}, again = {0};
    struct buf a = {0}, b = {0};
    if (maria_state_decode(&list, body, &err) == 0) {
        wr_zero(&a, EVENT_HEADER);
        wr_zero(&b, EVENT_HEADER);
        maria_state_encode(&list, 0, &a);
        BUG_ON(maria_state_decode(&again, buf_bytes(&a), &err) < 0);
        maria_state_encode(&again, 0, &b);
        BUG_ON(!bytes_eq(buf_bytes(&a), buf_bytes(&b)));
    }
    maria_state_fini(&list);
    maria_state_fini(&again);
    buf_fini(&a);
    buf_fini(&b);
}

static void check_body(const struct fde *f, const struct event_header *h, struct bytes body)
{
    struct err err;
    struct event_rotate rotate;
    struct bytes text;
    struct gtid_set set;
    if (h->type == EVENT_ROTATE && event_rotate_decode(&rotate, body, &err) == 0)
        BUG_ON(!rotate.name.n || !within(rotate.name, body));
    if (h->type == EVENT_QUERY && event_query_text(&text, f, body, &err) == 0)
        BUG_ON(!within(text, body));
    if (h->type == EVENT_GTID || h->type == EVENT_GTID_TAGGED)
        check_gtid(h, body);
    if (h->type == EVENT_MARIADB_GTID) {
        struct maria_gtid g;
        uint8_t flags;
        maria_gtid_decode(&g, &flags, h, body, &err);
    }
    if (h->type == EVENT_MARIADB_GTID_LIST)
        check_list(body);
    if (h->type == EVENT_PREVIOUS_GTIDS) {
        gtid_set_init(&set);
        gtid_set_decode(event_previous_gtids_set(body), &set, &err);
        gtid_set_fini(&set);
    }
}

/* One event, in memory of just its size; the bodies are also given cut, as of a long event. */
static void check_event(struct trx *t, const struct fde *f, const struct event_header *h,
                        struct bytes event)
{
    uint8_t *copy = mem_alloc(event.n);
    memcpy(copy, event.p, event.n);
    event_crc_ok(h, bytes_of(copy, event.n));
    BUG_ON(!event_type_name(h->type));
    enum trx_verdict v = trx_feed(t, f, h, bytes_of(copy, event.n));
    BUG_ON((v == TRX_INSIDE) != (t->state != TRX_OUTSIDE));
    check_body(f, h, bytes_of(copy, event.n - (event.n == h->length ? f->crc_len : 0)));
    free(copy);
}

static void walk(const struct fde *f, struct bytes rest)
{
    struct err err;
    struct trx t = {TRX_OUTSIDE};
    while (rest.n >= EVENT_HEADER) {
        struct event_header h;
        event_header_decode(&h, rest.p);
        if (fde_check_header(f, &h, &err) < 0)
            return;
        size_t n = h.length < rest.n ? h.length : rest.n;
        check_event(&t, f, &h, bytes_of(rest.p, n));
        rest = bytes_skip(rest, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct fde f;
    struct event_header h;
    if (size < EVENT_MAGIC_LEN + EVENT_HEADER)
        return 0;
    struct bytes rest = bytes_skip(bytes_of(data, size), EVENT_MAGIC_LEN);
    event_header_decode(&h, rest.p);
    size_t n = h.length < rest.n ? h.length : rest.n;
    uint8_t *first = mem_alloc(n ? n : 1);
    memcpy(first, rest.p, n);
    if (fde_decode(&f, bytes_of(first, n), &err) == 0) {
        BUG_ON(!f.types || !memchr(f.server_version, 0, sizeof f.server_version));
        walk(&f, rest);
    }
    free(first);
    return 0;
}
