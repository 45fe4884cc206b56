/*
 * One global transaction identifier: the uuid of the server that made the transaction, a tag that
 * is mostly empty (MySQL 8.3 and later), and a number. Its text is `uuid:gno` or `uuid:tag:gno`.
 *
 * The pair (sid, tag) is called the source here; numbers count per source.
 */
#ifndef BINLOGD_BINLOG_GTID_H
#define BINLOGD_BINLOG_GTID_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define GTID_SID_BYTES  16
#define GTID_UUID_CHARS 36
#define GTID_TAG_MAX    32
/* The servers keep one number above the last as the end of an open interval. */
#define GTID_GNO_MAX ((uint64_t)INT64_MAX - 1)

struct gtid {
    uint8_t sid[GTID_SID_BYTES];
    uint8_t tag_len;            /* 0: no tag */
    char tag[GTID_TAG_MAX + 1]; /* lower case, with a NUL */
    uint64_t gno;               /* 1 .. GTID_GNO_MAX */
};

/* What a decoder asks before it lets a number in. */
static inline bool gtid_gno_valid(uint64_t gno)
{
    return gno >= 1 && gno <= GTID_GNO_MAX;
}

/* Order of the sources: by sid, then by tag, no tag first; bytes as in memcmp. gno is not looked
 * at. The result is <0, 0 or >0. */
int gtid_source_cmp(const struct gtid *a, const struct gtid *b);

/* Each parser takes the whole slice, without spaces around, and on -1 leaves its result as it was.
 * Upper case is accepted in uuids and tags. */

/* 8-4-4-4-12 hexadecimal digits. */
int gtid_uuid_parse(struct bytes text, uint8_t sid[GTID_SID_BYTES], struct err *err);
/* Appends GTID_UUID_CHARS lower-case characters, without a NUL. */
void gtid_uuid_format(const uint8_t sid[GTID_SID_BYTES], struct buf *out);

/* Sets the tag of g: [a-z_][a-z0-9_]{0,31} (manual, "GTID Format and Storage"). An empty text is an
 * error: set tag_len and tag[0] to 0 instead. */
int gtid_tag_parse(struct bytes text, struct gtid *g, struct err *err);

/* Decimal, 1 .. GTID_GNO_MAX. A leading zero is an error, because servers read it as octal. */
int gtid_gno_parse(struct bytes text, uint64_t *gno, struct err *err);

int gtid_parse(struct bytes text, struct gtid *g, struct err *err);
/* Appends the text, without a NUL. */
void gtid_format(const struct gtid *g, struct buf *out);

#endif
