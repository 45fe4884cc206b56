/*
 * The older epochs that the present one is chained to: read only, for dumps by GTID.
 *
 * An epoch is chained to the one before when it joined it: its source had all that was stored, and
 * its first file begins with nothing before it that the older one lacks. So whoever reads the older
 * files to their end and then the newer ones misses nothing; some transactions come twice. Where
 * that cannot be shown any more the chain ends.
 */
#ifndef BINLOGD_STORE_ARCHIVE_H
#define BINLOGD_STORE_ARCHIVE_H

#include "store_priv.h"

struct archive {
    struct epoch *at; /* oldest first, none without files; the present one follows the last */
    size_t n;
};

/* At start, of the recovered present epoch: adds to its GTIDs what was stored when it began, and
 * opens what it is chained to, of which only the first events of each file are read. What cannot be
 * read ends the chain, with one line in the log. */
void archive_load(struct archive *a, const struct fs *fs, int rootfd, struct epoch *present);
/* Takes over the epoch that another joins, and leaves e empty. */
void archive_add(struct archive *a, struct epoch *e);
/* Ends the chain before the present epoch. */
void archive_clear(struct archive *a);
/* The epoch of the number, or NULL. */
const struct epoch *archive_find(const struct archive *a, unsigned number);
/* The newest of them, or NULL. */
const struct epoch *archive_last(const struct archive *a);
/* Whether nothing is missing between an epoch and what stands behind that encoded set. */
bool archive_joins(const struct epoch *before, struct bytes previous);

#endif
