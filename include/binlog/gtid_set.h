/*
 * A set of GTIDs: per source (sid, tag) the numbers as intervals.
 *
 * Sources are sorted and none is without intervals; the intervals of a source are sorted, and
 * between two of them at least one number is missing. So equal sets have equal fields, equal text
 * and equal encoding. The fields may be read, for walking over a set; only gtid_set_* change them.
 */
#ifndef BINLOGD_BINLOG_GTID_SET_H
#define BINLOGD_BINLOG_GTID_SET_H

#include "binlog/gtid.h"

struct gtid_set_interval {
    uint64_t first;
    uint64_t last; /* included */
};

struct gtid_set_part {
    struct gtid source; /* gno is 0 */
    struct gtid_set_interval *iv;
    size_t count;
    size_t cap;
};

struct gtid_set {
    struct gtid_set_part *parts;
    size_t count;
    size_t cap;
    size_t hint; /* index of the part that was added to last */
};

void gtid_set_init(struct gtid_set *s);
void gtid_set_fini(struct gtid_set *s);
void gtid_set_clear(struct gtid_set *s);
/* Replaces the content of dst, which must be initialised. */
void gtid_set_copy(struct gtid_set *dst, const struct gtid_set *src);
void gtid_set_swap(struct gtid_set *a, struct gtid_set *b);

/* The gno must be valid (gtid_gno_valid). Constant time when g follows the last number of the
 * source that was added to last; otherwise a binary search and, for a new interval or source, a
 * move of what stands behind it. To build a large set in any order, parse, decode or union. */
void gtid_set_add(struct gtid_set *s, const struct gtid *g);
/* Adds first .. last, both included, of g's source; g->gno is not looked at. Both must be valid and
 * first <= last. */
void gtid_set_add_range(struct gtid_set *s, const struct gtid *g, uint64_t first, uint64_t last);
/* Both take time linear in the two sets; s and other may be the same set. */
void gtid_set_union(struct gtid_set *s, const struct gtid_set *other);
void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other);

bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g);
/* Whether all of sub is in super; takes a binary search for each interval of sub. */
bool gtid_set_is_subset(const struct gtid_set *sub, const struct gtid_set *super);
bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b);
bool gtid_set_empty(const struct gtid_set *s);
/* How many GTIDs; UINT64_MAX also when there are more. */
uint64_t gtid_set_count(const struct gtid_set *s);
size_t gtid_set_intervals(const struct gtid_set *s);

/*
 * Both readers replace the content of s and, on -1, leave it as it was. They take n log n time
 * whatever the order of the input, and memory of at most about twenty times its size; the
 * caller bounds that size.
 *
 * Text is `uuid:1-3:5,uuid:tag:1:other:2-4`: a tag holds for the intervals behind it. As in
 * Gtid_set::add_gtid_text of the servers, white space may stand around uuids, tags and numbers,
 * elements may be empty or without intervals, an interval that ends before it begins is empty, and
 * intervals may overlap and come in any order.
 */
int gtid_set_parse(struct bytes text, struct gtid_set *s, struct err *err);
/* Appends the text as servers print it, except that no newline follows a comma; without a NUL. */
void gtid_set_format(const struct gtid_set *s, struct buf *out);
/* At least the first n bytes of it, or all; little more. */
void gtid_set_format_head(const struct gtid_set *s, struct buf *out, size_t n);

/*
 * The encoding of COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS_LOG_EVENT: number of sources (8 bytes),
 * per source the sid (16), number of intervals (8) and the intervals as first and last + 1 (8, 8).
 * When a tag is in the set (MySQL 8.3 and later) the number of sources has 6 bytes between two
 * bytes of value 1, and each sid is followed by the tag's length, shifted left by one bit, and the
 * tag. Without a tag the first form is written, which all versions read.
 *
 * The slice must hold the set and nothing else. As in servers, the intervals of one element must
 * ascend with a gap between them, while a source may come again.
 */
int gtid_set_decode(struct bytes in, struct gtid_set *s, struct err *err);
void gtid_set_encode(const struct gtid_set *s, struct buf *out);

#endif
