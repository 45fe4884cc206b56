/*
 * What an epoch's folder says of the epoch before it, in the file `follows`: when it began, whether
 * its files go on without a hole where those of the other end, and which GTIDs were stored then.
 *
 * Lines of key=value: time, follows (the other's folder), joined (0 or 1), gtids.
 */
#ifndef BINLOGD_STORE_ORIGIN_H
#define BINLOGD_STORE_ORIGIN_H

#include "store_priv.h"

#define ORIGIN_FILE "follows"

struct origin {
    char folder[EPOCH_FOLDER_MAX]; /* of the epoch before */
    enum store_follow follow;
    struct gtid_set gtids;
};

/* Durable on return. */
int origin_write(const struct epoch *before, enum store_follow follow, const struct fs *fs,
                 int dirfd, struct err *err);
/* -1 when it is missing, cannot be read or is not what origin_write writes; origin_fini in any
 * case. */
int origin_read(struct origin *o, const struct fs *fs, int dirfd, struct err *err);
void origin_fini(struct origin *o);

#endif
