/*
 * A point in the copied files that can be compared with others, whatever happens to the list of
 * files: the epoch, the number of the file in it (of binfile_name), the offset in the file.
 *
 * The files of an epoch have one base name and rising numbers, so the order of points is the order
 * of the bytes. All zero lies before everything.
 */
#ifndef BINLOGD_STORE_POINT_H
#define BINLOGD_STORE_POINT_H

#include <stdint.h>

struct point {
    unsigned epoch;
    uint64_t file;
    uint64_t pos;
};

/* Below 0, 0 or above 0, as a lies before b, is the same, or lies behind it. */
int point_cmp(const struct point *a, const struct point *b);

#endif
