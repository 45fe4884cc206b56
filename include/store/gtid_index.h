/*
 * Where in a file the transactions are that a replica may have: blocks of about GTID_INDEX_BLOCK
 * bytes, each with the set of the GTIDs in it, so that a dump by GTID jumps over what it would
 * leave out anyway. All of it is derived from the file.
 *
 * A block is a run of whole transactions with GTIDs and nothing else: what has none (the file's
 * first events, anonymous transactions, Rotate) lies between blocks, and nobody may jump over it.
 * Two blocks begin at least GTID_INDEX_BLOCK apart, which bounds their number.
 *
 * In the index file each record holds the blocks of one complete file. A file begins with
 * gtid_index_magic; a record is (all little-endian): length of the rest behind the CRC (4), CRC-32
 * of the length and the rest (4), number of the file (8), its size (8), number of blocks (4), per
 * block start, end and length of its set (8, 8, 4), then the sets as gtid_set_encode makes them.
 */
#ifndef BINLOGD_STORE_GTID_INDEX_H
#define BINLOGD_STORE_GTID_INDEX_H

#include "base/buf.h"
#include "binlog/gtid_set.h"

#define GTID_INDEX_BLOCK      (4u << 20)
#define GTID_INDEX_SET_MAX    (16u << 10) /* bytes of a set; a block with a longer one is left out */
#define GTID_INDEX_RECORD_MAX (64u << 20) /* bytes */
#define GTID_INDEX_LOOK_MAX   64u         /* blocks that one look-up decodes */

struct gtid_block {
    uint64_t start; /* position in the file where no transaction is open */
    uint64_t end;
    uint32_t set_at; /* of its encoded set, in sets */
    uint32_t set_len;
};

struct gtid_index {
    struct gtid_block *at; /* in their order */
    size_t n;
    size_t cap;
    struct buf sets;
    struct gtid_block open; /* still growing; end 0: there is none */
    struct gtid_set open_set;
};

void gtid_index_init(struct gtid_index *x);
void gtid_index_fini(struct gtid_index *x);
void gtid_index_swap(struct gtid_index *a, struct gtid_index *b);

/* [from, to), which follows what was added last, holds whole transactions, the numbers gtid->gno ..
 * last of gtid's source, and nothing else. A wider range of numbers only makes the block less
 * useful. */
void gtid_index_add(struct gtid_index *x, uint64_t from, uint64_t to, const struct gtid *gtid,
                    uint64_t last);
/* What follows holds something without a GTID, or nothing comes any more. */
void gtid_index_break(struct gtid_index *x);

/* Bytes of a file that may be left out. */
struct gtid_run {
    uint64_t from;
    uint64_t to; /* equal to from: none is known before it; ask again there */
};

/* The first run of transactions at or behind pos that are all in has. */
struct gtid_run gtid_index_run(const struct gtid_index *x, uint64_t pos,
                               const struct gtid_set *has);

/* ---- records ---- */

struct gtid_index_record {
    uint64_t number; /* of the file */
    uint64_t size;   /* of the file, bytes */
    struct gtid_index index;
};

struct bytes gtid_index_magic(void);
/* Bytes of the record that gtid_index_encode appends. */
size_t gtid_index_record_size(const struct gtid_index *x);
/* Appends the closed blocks as the record of a file; nothing when it would be longer than
 * GTID_INDEX_RECORD_MAX. */
void gtid_index_encode(const struct gtid_index *x, uint64_t number, uint64_t size, struct buf *out);
/* Takes the next record off in; r->index is the caller's. -1 when no good one stands there: then
 * nothing behind it can be trusted, and there is nothing to free. */
int gtid_index_decode(struct gtid_index_record *r, struct bytes *in);

#endif
