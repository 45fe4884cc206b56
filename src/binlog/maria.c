/* GTIDs of MariaDB. */
#include "binlog/maria.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST_COUNT_BITS 28
#define LIST_ENTRY      16u
#define LIST_EMPTY_PAD  2 /* bytes behind the count of an empty list */

int maria_gtid_decode(struct maria_gtid *g, uint8_t *flags, const struct event_header *h,
                      struct bytes event, struct err *err)
{
    struct rd r = rd_of(event);
    rd_bytes(&r, EVENT_HEADER);
    g->server_id = h->server_id;
    g->seq = rd_u64(&r);
    g->domain = rd_u32(&r);
    *flags = rd_u8(&r);
    if (r.bad)
        return err_set(err, "malformed Gtid event");
    return 0;
}

void maria_gtid_format(const struct maria_gtid *g, char text[MARIA_TEXT_MAX])
{
    snprintf(text, MARIA_TEXT_MAX, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, g->domain, g->server_id,
             g->seq);
}

/* ---- states ---- */

void maria_state_fini(struct maria_state *s)
{
    free(s->at);
    *s = (struct maria_state){0};
}

void maria_state_clear(struct maria_state *s)
{
    s->n = 0;
}

void maria_state_swap(struct maria_state *a, struct maria_state *b)
{
    struct maria_state t = *a;
    *a = *b;
    *b = t;
}

static int compare(const struct maria_gtid *g, uint32_t domain, uint32_t server_id)
{
    if (g->domain != domain)
        return g->domain < domain ? -1 : 1;
    return (g->server_id > server_id) - (g->server_id < server_id);
}

static int compare_entries(const void *a, const void *b)
{
    const struct maria_entry *x = a, *y = b;
    int c = compare(&x->gtid, y->gtid.domain, y->gtid.server_id);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* The first entry that is not before (domain, server_id). */
static size_t place_of(const struct maria_state *s, uint32_t domain, uint32_t server_id)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(&s->at[mid].gtid, domain, server_id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void make_room(struct maria_state *s)
{
    if (s->n < s->cap)
        return;
    s->cap = s->cap ? s->cap * 2 : 4;
    s->at = mem_realloc(s->at, s->cap * sizeof *s->at);
}

static void append(struct maria_state *s, const struct maria_gtid *g)
{
    make_room(s);
    s->at[s->n++] = (struct maria_entry){*g, ++s->order};
}

void maria_state_update(struct maria_state *s, const struct maria_gtid *g)
{
    size_t i = place_of(s, g->domain, g->server_id);
    if (i == s->n || compare(&s->at[i].gtid, g->domain, g->server_id) != 0) {
        make_room(s);
        memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof *s->at);
        s->n++;
    }
    s->at[i] = (struct maria_entry){*g, ++s->order};
}

/* Of several entries of a pair the last one counts. */
static void sort(struct maria_state *s)
{
    size_t n = 0;
    if (s->n)
        qsort(s->at, s->n, sizeof *s->at, compare_entries);
    for (size_t i = 0; i < s->n; i++) {
        bool same =
            n && compare(&s->at[n - 1].gtid, s->at[i].gtid.domain, s->at[i].gtid.server_id) == 0;
        s->at[same ? n - 1 : n++] = s->at[i];
    }
    s->n = n;
}

int maria_state_decode(struct maria_state *s, struct bytes event, struct err *err)
{
    struct rd r = rd_of(event);
    maria_state_clear(s);
    rd_bytes(&r, EVENT_HEADER);
    uint32_t count = rd_u32(&r) & ((1u << LIST_COUNT_BITS) - 1);
    if (r.bad || count > rd_left(&r) / LIST_ENTRY)
        return err_set(err, "malformed Gtid_list event");
    for (uint32_t i = 0; i < count; i++) {
        struct maria_gtid g;
        g.domain = rd_u32(&r);
        g.server_id = rd_u32(&r);
        g.seq = rd_u64(&r);
        append(s, &g);
    }
    sort(s);
    return 0;
}

/* Entries of the domain that begins at i: [i, end); the last to come is noted. */
static size_t domain_end(const struct maria_state *s, size_t i, size_t *last)
{
    uint32_t domain = s->at[i].gtid.domain;
    *last = i;
    for (; i < s->n && s->at[i].gtid.domain == domain; i++)
        if (s->at[i].order > s->at[*last].order)
            *last = i;
    return i;
}

/* In the order of a Gtid_list. */
static void each(const struct maria_state *s, void (*put)(const struct maria_gtid *g, void *arg),
                 void *arg)
{
    for (size_t i = 0, end, last; i < s->n; i = end) {
        end = domain_end(s, i, &last);
        for (size_t k = i; k < end; k++)
            if (k != last)
                put(&s->at[k].gtid, arg);
        put(&s->at[last].gtid, arg);
    }
}

static void encode_gtid(const struct maria_gtid *g, void *arg)
{
    struct buf *out = arg;
    wr_u32(out, g->domain);
    wr_u32(out, g->server_id);
    wr_u64(out, g->seq);
}

void maria_state_encode(const struct maria_state *s, unsigned flags, struct buf *out)
{
    wr_u32(out, (uint32_t)s->n | (uint32_t)flags << LIST_COUNT_BITS);
    if (!s->n)
        wr_zero(out, LIST_EMPTY_PAD);
    each(s, encode_gtid, out);
}

const struct maria_gtid *maria_state_find(const struct maria_state *s, uint32_t domain,
                                          uint32_t server_id)
{
    size_t i = place_of(s, domain, server_id);
    bool found = i < s->n && compare(&s->at[i].gtid, domain, server_id) == 0;
    return found ? &s->at[i].gtid : NULL;
}

const struct maria_gtid *maria_state_last(const struct maria_state *s, uint32_t domain)
{
    size_t last, i = place_of(s, domain, 0);
    if (i == s->n || s->at[i].gtid.domain != domain)
        return NULL;
    domain_end(s, i, &last);
    return &s->at[last].gtid;
}

struct text {
    struct buf *out;
    size_t before;
};

static void format_gtid(const struct maria_gtid *g, void *arg)
{
    const struct text *t = arg;
    char text[MARIA_TEXT_MAX];
    maria_gtid_format(g, text);
    if (t->out->len > t->before)
        wr_u8(t->out, ',');
    wr_str(t->out, text);
}

void maria_state_format(const struct maria_state *s, struct buf *out)
{
    struct text t = {out, out->len};
    each(s, format_gtid, &t);
}

void maria_state_format_last(const struct maria_state *s, struct buf *out)
{
    struct text t = {out, out->len};
    for (size_t i = 0, last; i < s->n;) {
        i = domain_end(s, i, &last);
        format_gtid(&s->at[last].gtid, &t);
    }
}

/* ---- positions ---- */

static bool parse_number(struct rd *r, uint64_t max, uint64_t *value)
{
    *value = 0;
    while (rd_left(r) && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
    const uint8_t *begin = r->p;
    for (; rd_left(r) && *r->p >= '0' && *r->p <= '9'; r->p++) {
        uint64_t digit = (uint64_t)(*r->p - '0');
        if (*value > (max - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return r->p > begin;
}

static bool parse_gtid(struct rd *r, struct maria_gtid *g)
{
    uint64_t domain, server_id;
    if (!parse_number(r, UINT32_MAX, &domain) || rd_u8(r) != '-' ||
        !parse_number(r, UINT32_MAX, &server_id) || rd_u8(r) != '-' ||
        !parse_number(r, UINT64_MAX, &g->seq))
        return false;
    g->domain = (uint32_t)domain;
    g->server_id = (uint32_t)server_id;
    return true;
}

static enum maria_parse check_domains(const struct maria_state *s, struct err *err)
{
    for (size_t i = 1; i < s->n; i++) {
        const struct maria_entry *a = &s->at[i - 1], *b = &s->at[i];
        char first[MARIA_TEXT_MAX], second[MARIA_TEXT_MAX];
        if (a->gtid.domain != b->gtid.domain)
            continue;
        maria_gtid_format(a->order < b->order ? &a->gtid : &b->gtid, first);
        maria_gtid_format(a->order < b->order ? &b->gtid : &a->gtid, second);
        err_set(err, "GTID %s and %s conflict (duplicate domain id %" PRIu32 ")", second, first,
                a->gtid.domain);
        return MARIA_DUPLICATE;
    }
    return MARIA_PARSED;
}

enum maria_parse maria_position_parse(struct maria_state *s, struct bytes text, struct err *err)
{
    struct rd r = rd_of(text);
    bool more = text.n > 0;
    while (more) {
        struct maria_gtid g;
        bool good = parse_gtid(&r, &g);
        more = good && rd_left(&r);
        if (!good || (more && rd_u8(&r) != ',')) {
            err_set(err, "Could not parse GTID list");
            return MARIA_BAD_TEXT;
        }
        append(s, &g);
    }
    if (s->n)
        qsort(s->at, s->n, sizeof *s->at, compare_entries);
    return check_domains(s, err);
}
