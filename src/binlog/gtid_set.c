/*
 * GTID sets: algebra, text, encoding.
 *
 * Two ways lead into a set. Single additions go to their place at once. The readers append what
 * they find in the order they find it, and `normalise` sorts and merges at the end, so that no
 * order of the input makes them quadratic. The algebra walks over two sorted lists.
 */
#include "binlog/gtid_set.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

/* First and last byte of the head of an encoding that has tags; the last is 0 without. */
#define FORMAT_TAGGED 1
/* Behind a sid: at least the number of intervals. */
#define SOURCE_BYTES_MIN   (GTID_SID_BYTES + 8)
#define INTERVAL_BYTES     16
#define NUMBER_CHARS_MAX   19
#define INTERVAL_CHARS_MAX (1 + NUMBER_CHARS_MAX + 1 + NUMBER_CHARS_MAX)

static void part_reserve(struct gtid_set_part *p, size_t n)
{
    if (p->cap - p->count >= n)
        return;
    size_t cap = p->cap ? p->cap : 1;
    while (cap - p->count < n)
        cap *= 2;
    p->iv = mem_realloc(p->iv, cap * sizeof *p->iv);
    p->cap = cap;
}

/* Appends without looking at what is there. */
static void part_append(struct gtid_set_part *p, uint64_t first, uint64_t last)
{
    part_reserve(p, 1);
    p->iv[p->count++] = (struct gtid_set_interval){first, last};
}

/* Appends an interval that begins no earlier than the last one, merging it if they touch. */
static void part_push(struct gtid_set_part *p, struct gtid_set_interval v)
{
    struct gtid_set_interval *back = p->count ? &p->iv[p->count - 1] : NULL;
    if (!back || v.first > back->last + 1)
        part_append(p, v.first, v.last);
    else if (v.last > back->last)
        back->last = v.last;
}

/* Index of the first interval that ends at gno or later. */
static size_t part_search(const struct gtid_set_part *p, uint64_t gno)
{
    size_t low = 0;
    size_t high = p->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->iv[mid].last < gno)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void part_insert(struct gtid_set_part *p, size_t at, uint64_t first, uint64_t last)
{
    part_reserve(p, 1);
    memmove(&p->iv[at + 1], &p->iv[at], (p->count - at) * sizeof *p->iv);
    p->iv[at] = (struct gtid_set_interval){first, last};
    p->count++;
}

static void part_add(struct gtid_set_part *p, uint64_t first, uint64_t last)
{
    size_t at = part_search(p, first - 1);
    if (at == p->count || p->iv[at].first > last + 1) {
        part_insert(p, at, first, last);
        return;
    }
    size_t end = part_search(p, last + 1);
    if (end < p->count && p->iv[end].first <= last + 1)
        end++;
    if (p->iv[at].first > first)
        p->iv[at].first = first;
    if (p->iv[end - 1].last > last)
        last = p->iv[end - 1].last;
    p->iv[at].last = last;
    memmove(&p->iv[at + 1], &p->iv[end], (p->count - end) * sizeof *p->iv);
    p->count -= end - at - 1;
}

static int interval_cmp(const void *va, const void *vb)
{
    const struct gtid_set_interval *a = va;
    const struct gtid_set_interval *b = vb;
    return (a->first > b->first) - (a->first < b->first);
}

/* Sorts and merges intervals that were appended in any order. */
static void part_normalise(struct gtid_set_part *p)
{
    bool ascending = true;
    for (size_t i = 1; i < p->count && ascending; i++)
        ascending = p->iv[i - 1].first <= p->iv[i].first;
    if (!ascending)
        qsort(p->iv, p->count, sizeof *p->iv, interval_cmp);
    size_t n = p->count;
    p->count = 0;
    for (size_t i = 0; i < n; i++)
        part_push(p, p->iv[i]);
}

/* The three below give a new list of intervals in `out`, which is empty before. */

static void part_copy(struct gtid_set_part *out, const struct gtid_set_part *a)
{
    part_reserve(out, a->count);
    memcpy(out->iv, a->iv, a->count * sizeof *a->iv);
    out->count = a->count;
}

static void part_union(struct gtid_set_part *out, const struct gtid_set_part *a,
                       const struct gtid_set_part *b)
{
    size_t i = 0;
    size_t j = 0;
    while (i < a->count || j < b->count) {
        bool from_a = j == b->count || (i < a->count && a->iv[i].first <= b->iv[j].first);
        part_push(out, from_a ? a->iv[i++] : b->iv[j++]);
    }
}

static void part_subtract(struct gtid_set_part *out, const struct gtid_set_part *a,
                          const struct gtid_set_part *b)
{
    size_t j = 0;
    for (size_t i = 0; i < a->count; i++) {
        uint64_t first = a->iv[i].first;
        uint64_t last = a->iv[i].last;
        while (j < b->count && b->iv[j].last < first)
            j++;
        while (j < b->count && b->iv[j].first <= last) {
            if (b->iv[j].first > first)
                part_append(out, first, b->iv[j].first - 1);
            first = b->iv[j].last + 1;
            if (first > last)
                break;
            j++;
        }
        if (first <= last)
            part_append(out, first, last);
    }
}

static bool part_is_subset(const struct gtid_set_part *sub, const struct gtid_set_part *super)
{
    for (size_t i = 0; i < sub->count; i++) {
        size_t at = part_search(super, sub->iv[i].last);
        if (at == super->count || super->iv[at].first > sub->iv[i].first)
            return false;
    }
    return true;
}

static bool same_source(const struct gtid *a, const struct gtid *b)
{
    return memcmp(a->sid, b->sid, sizeof a->sid) == 0 && a->tag_len == b->tag_len &&
           memcmp(a->tag, b->tag, a->tag_len) == 0;
}

static void set_reserve(struct gtid_set *s)
{
    if (s->count < s->cap)
        return;
    s->cap = s->cap ? s->cap * 2 : 4;
    s->parts = mem_realloc(s->parts, s->cap * sizeof *s->parts);
}

static struct gtid_set_part part_of(const struct gtid *source)
{
    struct gtid_set_part p = {.source = *source};
    p.source.gno = 0;
    return p;
}

/* Appends a part without looking at what is there. The pointer lives until the next append. */
static struct gtid_set_part *set_append(struct gtid_set *s, struct gtid_set_part part)
{
    set_reserve(s);
    s->parts[s->count] = part;
    return &s->parts[s->count++];
}

/* Index of the first part whose source is not before the given one. */
static size_t set_search(const struct gtid_set *s, const struct gtid *source)
{
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (gtid_source_cmp(&s->parts[mid].source, source) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const struct gtid_set_part *set_find(const struct gtid_set *s, const struct gtid *source)
{
    size_t at = set_search(s, source);
    return at < s->count && same_source(&s->parts[at].source, source) ? &s->parts[at] : NULL;
}

/* The part of a source, made if there is none. */
static struct gtid_set_part *set_part(struct gtid_set *s, const struct gtid *source)
{
    if (s->hint < s->count && same_source(&s->parts[s->hint].source, source))
        return &s->parts[s->hint];
    s->hint = set_search(s, source);
    if (s->hint < s->count && same_source(&s->parts[s->hint].source, source))
        return &s->parts[s->hint];
    set_reserve(s);
    struct gtid_set_part *at = &s->parts[s->hint];
    memmove(at + 1, at, (s->count - s->hint) * sizeof *at);
    *at = part_of(source);
    s->count++;
    return at;
}

static int part_cmp(const void *va, const void *vb)
{
    const struct gtid_set_part *a = va;
    const struct gtid_set_part *b = vb;
    return gtid_source_cmp(&a->source, &b->source);
}

/* Makes a set of parts and intervals that were appended in any order. */
static void normalise(struct gtid_set *s)
{
    bool ascending = true;
    for (size_t i = 1; i < s->count && ascending; i++)
        ascending = part_cmp(&s->parts[i - 1], &s->parts[i]) <= 0;
    if (!ascending)
        qsort(s->parts, s->count, sizeof *s->parts, part_cmp);
    size_t n = s->count;
    s->count = 0;
    for (size_t i = 0; i < n; i++) {
        struct gtid_set_part *p = &s->parts[i];
        struct gtid_set_part *back = s->count ? &s->parts[s->count - 1] : NULL;
        if (!back || !same_source(&back->source, &p->source)) {
            s->parts[s->count++] = *p;
            continue;
        }
        part_reserve(back, p->count);
        memcpy(back->iv + back->count, p->iv, p->count * sizeof *p->iv);
        back->count += p->count;
        free(p->iv);
    }
    for (size_t i = 0; i < s->count; i++)
        part_normalise(&s->parts[i]);
}

/* The part that a reader appends to; it is only made when there is an interval for it. */
static struct gtid_set_part *reader_part(struct gtid_set *s, const struct gtid *source)
{
    if (s->count && same_source(&s->parts[s->count - 1].source, source))
        return &s->parts[s->count - 1];
    return set_append(s, part_of(source));
}

/* Ends a reader: `found` becomes the content of s if rc is 0, and is freed. */
static int reader_finish(struct gtid_set *found, struct gtid_set *s, int rc)
{
    if (rc == 0) {
        normalise(found);
        gtid_set_swap(found, s);
    }
    gtid_set_fini(found);
    return rc;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes trim(struct bytes b)
{
    while (b.n && is_space(b.p[0]))
        b = bytes_skip(b, 1);
    while (b.n && is_space(b.p[b.n - 1]))
        b.n--;
    return b;
}

/* Takes what stands before the next separator off the front of *rest, with the separator. */
static struct bytes split(struct bytes *rest, char separator)
{
    struct bytes b = *rest;
    const uint8_t *at = b.n ? memchr(b.p, separator, b.n) : NULL;
    if (at)
        b.n = (size_t)(at - b.p);
    *rest = bytes_skip(*rest, at ? b.n + 1 : b.n);
    return trim(b);
}

static int parse_interval(struct bytes text, const struct gtid *source, struct gtid_set *found,
                          struct err *err)
{
    uint64_t first;
    uint64_t last;
    bool is_range = text.n && memchr(text.p, '-', text.n);
    if (gtid_gno_parse(split(&text, '-'), &first, err))
        return -1;
    if (!is_range)
        last = first;
    else if (bytes_eq(trim(text), bytes_str("0")))
        return 0; /* servers take it as an interval that ends before it begins */
    else if (gtid_gno_parse(trim(text), &last, err))
        return -1;
    if (first <= last)
        part_append(reader_part(found, source), first, last);
    return 0;
}

/* One `uuid:…` between commas. */
static int parse_element(struct bytes text, struct gtid_set *found, struct err *err)
{
    struct gtid source = {0};
    bool more = memchr(text.p, ':', text.n);
    if (gtid_uuid_parse(split(&text, ':'), source.sid, err))
        return -1;
    while (more) {
        more = text.n && memchr(text.p, ':', text.n);
        struct bytes item = split(&text, ':');
        bool is_number = item.n == 0 || (item.p[0] >= '0' && item.p[0] <= '9');
        if (is_number ? parse_interval(item, &source, found, err)
                      : gtid_tag_parse(item, &source, err))
            return -1;
    }
    return 0;
}

static uint8_t *put_number(uint8_t *p, uint64_t v)
{
    uint8_t digits[20];
    size_t n = 0;
    do {
        digits[n++] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n)
        *p++ = digits[--n];
    return p;
}

static void format_intervals(const struct gtid_set_part *part, struct buf *out, size_t enough)
{
    for (size_t i = 0; i < part->count && out->len < enough; i++) {
        uint8_t *start = buf_reserve(out, INTERVAL_CHARS_MAX);
        uint8_t *p = start;
        *p++ = ':';
        p = put_number(p, part->iv[i].first);
        if (part->iv[i].last > part->iv[i].first) {
            *p++ = '-';
            p = put_number(p, part->iv[i].last);
        }
        buf_commit(out, (size_t)(p - start));
    }
}

/* Reads the number of sources and which of the two forms it begins. */
static int decode_head(struct rd *r, bool *tagged, uint64_t *sources, struct err *err)
{
    uint64_t head = rd_u64(r);
    if (r->bad)
        return err_set(err, "GTID set: it ends in the number of sources");
    uint8_t format = (uint8_t)(head >> 56);
    *tagged = format == FORMAT_TAGGED;
    if (format > FORMAT_TAGGED || (*tagged && (head & 0xff) != FORMAT_TAGGED))
        return err_set(err, "GTID set: format %u is not known", format);
    *sources = *tagged ? head << 8 >> 16 : head;
    if (*sources > rd_left(r) / SOURCE_BYTES_MIN)
        return err_set(err, "GTID set: %" PRIu64 " sources do not fit in %zu bytes", *sources,
                       rd_left(r));
    return 0;
}

/* A length of mysql::serialization: below 128 it is one byte, shifted left by one bit. */
static int decode_tag(struct rd *r, struct gtid *source, struct err *err)
{
    uint8_t length = rd_u8(r);
    struct bytes tag = rd_bytes(r, length >> 1);
    if (r->bad)
        return err_set(err, "GTID set: it ends in a tag");
    if (length & 1)
        return err_set(err, "GTID set: a tag is longer than %d bytes", GTID_TAG_MAX);
    if (tag.n && gtid_tag_parse(tag, source, err))
        return err_prefix(err, "GTID set");
    return 0;
}

static int decode_intervals(struct rd *r, uint64_t n, struct gtid_set_part *part, struct err *err)
{
    part_reserve(part, (size_t)n);
    uint64_t last_end = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t start = rd_u64(r);
        uint64_t end = rd_u64(r);
        if (start <= last_end || end <= start || end > GTID_GNO_MAX + 1)
            return err_set(err, "GTID set: interval %" PRIu64 "..%" PRIu64 " behind %" PRIu64,
                           start, end, last_end);
        last_end = end;
        part_append(part, start, end - 1);
    }
    return 0;
}

static int decode_source(struct rd *r, bool tagged, struct gtid_set *found, struct err *err)
{
    struct gtid source = {0};
    const uint8_t *sid = rd_take(r, GTID_SID_BYTES);
    if (!sid)
        return err_set(err, "GTID set: it ends in a uuid");
    memcpy(source.sid, sid, GTID_SID_BYTES);
    if (tagged && decode_tag(r, &source, err))
        return -1;
    uint64_t n = rd_u64(r);
    if (r->bad)
        return err_set(err, "GTID set: it ends in a number of intervals");
    if (n > rd_left(r) / INTERVAL_BYTES)
        return err_set(err, "GTID set: %" PRIu64 " intervals do not fit in %zu bytes", n,
                       rd_left(r));
    if (n == 0)
        return 0;
    return decode_intervals(r, n, reader_part(found, &source), err);
}

static int decode_all(struct bytes in, struct gtid_set *found, struct err *err)
{
    struct rd r = rd_of(in);
    bool tagged = false;
    uint64_t sources = 0;
    if (decode_head(&r, &tagged, &sources, err))
        return -1;
    for (uint64_t i = 0; i < sources; i++) {
        if (decode_source(&r, tagged, found, err))
            return -1;
    }
    if (rd_left(&r))
        return err_set(err, "GTID set: %zu bytes behind its end", rd_left(&r));
    return 0;
}

static bool has_tag(const struct gtid_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->parts[i].source.tag_len)
            return true;
    }
    return false;
}

void gtid_set_init(struct gtid_set *s)
{
    *s = (struct gtid_set){0};
}

void gtid_set_fini(struct gtid_set *s)
{
    gtid_set_clear(s);
    free(s->parts);
    gtid_set_init(s);
}

void gtid_set_clear(struct gtid_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->parts[i].iv);
    s->count = 0;
    s->hint = 0;
}

void gtid_set_copy(struct gtid_set *dst, const struct gtid_set *src)
{
    if (dst == src)
        return;
    gtid_set_clear(dst);
    for (size_t i = 0; i < src->count; i++)
        part_copy(set_append(dst, part_of(&src->parts[i].source)), &src->parts[i]);
}

void gtid_set_swap(struct gtid_set *a, struct gtid_set *b)
{
    struct gtid_set t = *a;
    *a = *b;
    *b = t;
}

void gtid_set_add(struct gtid_set *s, const struct gtid *g)
{
    BUG_ON(!gtid_gno_valid(g->gno));
    struct gtid_set_part *p = set_part(s, g);
    if (p->count && p->iv[p->count - 1].last + 1 == g->gno)
        p->iv[p->count - 1].last = g->gno;
    else
        part_add(p, g->gno, g->gno);
}

void gtid_set_add_range(struct gtid_set *s, const struct gtid *g, uint64_t first, uint64_t last)
{
    BUG_ON(!gtid_gno_valid(first) || !gtid_gno_valid(last) || first > last);
    part_add(set_part(s, g), first, last);
}

void gtid_set_union(struct gtid_set *s, const struct gtid_set *other)
{
    if (s == other)
        return;
    struct gtid_set out;
    gtid_set_init(&out);
    size_t i = 0;
    size_t j = 0;
    while (i < s->count || j < other->count) {
        struct gtid_set_part *a = i < s->count ? &s->parts[i] : NULL;
        const struct gtid_set_part *b = j < other->count ? &other->parts[j] : NULL;
        int c = !a ? 1 : !b ? -1 : gtid_source_cmp(&a->source, &b->source);
        if (c < 0) {
            set_append(&out, *a);
            a->iv = NULL; /* moved */
        } else if (c > 0) {
            part_copy(set_append(&out, part_of(&b->source)), b);
        } else {
            part_union(set_append(&out, part_of(&a->source)), a, b);
        }
        i += c <= 0;
        j += c >= 0;
    }
    gtid_set_swap(s, &out);
    gtid_set_fini(&out);
}

void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other)
{
    if (s == other) {
        gtid_set_clear(s);
        return;
    }
    size_t kept = 0;
    size_t j = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct gtid_set_part p = s->parts[i];
        while (j < other->count && gtid_source_cmp(&other->parts[j].source, &p.source) < 0)
            j++;
        if (j < other->count && same_source(&other->parts[j].source, &p.source)) {
            struct gtid_set_part left = part_of(&p.source);
            part_subtract(&left, &p, &other->parts[j]);
            free(p.iv);
            p = left;
        }
        if (p.count)
            s->parts[kept++] = p;
    }
    s->count = kept;
}

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g)
{
    const struct gtid_set_part *p = set_find(s, g);
    if (!p)
        return false;
    size_t at = part_search(p, g->gno);
    return at < p->count && p->iv[at].first <= g->gno;
}

bool gtid_set_is_subset(const struct gtid_set *sub, const struct gtid_set *super)
{
    for (size_t i = 0; i < sub->count; i++) {
        const struct gtid_set_part *p = set_find(super, &sub->parts[i].source);
        if (!p || !part_is_subset(&sub->parts[i], p))
            return false;
    }
    return true;
}

bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct gtid_set_part *p = &a->parts[i];
        const struct gtid_set_part *q = &b->parts[i];
        if (!same_source(&p->source, &q->source) || p->count != q->count ||
            memcmp(p->iv, q->iv, p->count * sizeof *p->iv) != 0)
            return false;
    }
    return true;
}

bool gtid_set_empty(const struct gtid_set *s)
{
    return s->count == 0;
}

uint64_t gtid_set_count(const struct gtid_set *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct gtid_set_part *p = &s->parts[i];
        for (size_t k = 0; k < p->count; k++) {
            uint64_t more = p->iv[k].last - p->iv[k].first + 1;
            n = n > UINT64_MAX - more ? UINT64_MAX : n + more;
        }
    }
    return n;
}

size_t gtid_set_intervals(const struct gtid_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->parts[i].count;
    return n;
}

int gtid_set_parse(struct bytes text, struct gtid_set *s, struct err *err)
{
    struct gtid_set found;
    gtid_set_init(&found);
    struct bytes rest = text;
    int rc = 0;
    while (rest.n && rc == 0) {
        struct bytes element = split(&rest, ',');
        if (element.n && parse_element(element, &found, err))
            rc = err_prefix(err, "GTID set: in the element at byte %zu",
                            (size_t)(element.p - text.p));
    }
    return reader_finish(&found, s, rc);
}

void gtid_set_format(const struct gtid_set *s, struct buf *out)
{
    gtid_set_format_head(s, out, SIZE_MAX);
}

void gtid_set_format_head(const struct gtid_set *s, struct buf *out, size_t n)
{
    size_t enough = n > SIZE_MAX - out->len ? SIZE_MAX : out->len + n;
    const struct gtid *before = NULL;
    for (size_t i = 0; i < s->count && out->len < enough; i++) {
        const struct gtid *source = &s->parts[i].source;
        if (!before || memcmp(before->sid, source->sid, sizeof source->sid) != 0) {
            wr_str(out, before ? "," : "");
            gtid_uuid_format(source->sid, out);
        }
        if (source->tag_len) {
            wr_u8(out, ':');
            wr_bytes(out, bytes_of(source->tag, source->tag_len));
        }
        format_intervals(&s->parts[i], out, enough);
        before = source;
    }
}

int gtid_set_decode(struct bytes in, struct gtid_set *s, struct err *err)
{
    struct gtid_set found;
    gtid_set_init(&found);
    return reader_finish(&found, s, decode_all(in, &found, err));
}

void gtid_set_encode(const struct gtid_set *s, struct buf *out)
{
    bool tagged = has_tag(s);
    if (tagged) {
        wr_u8(out, FORMAT_TAGGED);
        wr_u48(out, s->count);
        wr_u8(out, FORMAT_TAGGED);
    } else {
        wr_u64(out, s->count);
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct gtid_set_part *p = &s->parts[i];
        wr_bytes(out, bytes_of(p->source.sid, GTID_SID_BYTES));
        if (tagged) {
            wr_u8(out, (uint8_t)(p->source.tag_len << 1));
            wr_bytes(out, bytes_of(p->source.tag, p->source.tag_len));
        }
        wr_u64(out, p->count);
        for (size_t k = 0; k < p->count; k++) {
            wr_u64(out, p->iv[k].first);
            wr_u64(out, p->iv[k].last + 1);
        }
    }
}
