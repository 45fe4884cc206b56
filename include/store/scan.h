/*
 * Reads a stored file from its beginning and says how far it is good: header chain, lengths, CRCs,
 * log_pos against the own 64-bit offset, transaction boundaries, GTIDs.
 *
 * A torn tail (the end of what a crash left) and corruption (damage to what was durable) are told
 * apart: see enum scan_verdict.
 */
#ifndef BINLOGD_STORE_SCAN_H
#define BINLOGD_STORE_SCAN_H

#include "base/fs.h"
#include "binlog/gtid_set.h"
#include "binlog/maria.h"
#include "store/gtid_index.h"

#include <stdatomic.h>

enum scan_verdict {
    SCAN_CLEAN,  /* every byte belongs to a good event */
    SCAN_TORN,   /* the tail from valid_end on is what a crash leaves of unsynced writes */
    SCAN_CORRUPT /* bytes that were durable are damaged or gone: reason says where */
};

struct scan {
    enum scan_verdict verdict;
    char reason[200];    /* of SCAN_TORN and SCAN_CORRUPT */
    uint64_t size;       /* of the file, bytes */
    uint64_t valid_end;  /* end of the last good event of an unbroken chain */
    uint64_t trx_end;    /* end of the last good event outside of a transaction; 0: none */
    uint64_t last_start; /* start of the event that ends at trx_end */
    uint32_t newest;     /* the highest timestamp of an event up to valid_end */
    bool has_format;     /* it begins with a good Format_description event */
    bool has_previous_gtids;
    struct gtid_set gtids;    /* Previous_gtids and the transactions up to trx_end */
    struct maria_state maria; /* the same of a MariaDB source: Gtid_list and what came behind it */
    struct gtid_index index;  /* of those transactions */
    const atomic_bool *stop;  /* of scan_index */
};

/* The bound of what was durable lies before this file: all of it may be what a crash left. */
#define SCAN_BEHIND_BOUND UINT64_MAX

/* durable: a lower bound of what was durable before, bytes; SCAN_BEHIND_BOUND; 0 if nothing is
 * known. -1 only when the file cannot be read. scan_fini in any case. */
int scan_file(struct scan *s, const struct fs *fs, int fd, uint64_t durable, struct err *err);
void scan_fini(struct scan *s);
/* Only the index of a complete file; x is initialised and left empty on -1: the file cannot be
 * read, is damaged, or *stop became true. */
int scan_index(struct gtid_index *x, const struct fs *fs, int fd, const atomic_bool *stop,
               struct err *err);

#endif
