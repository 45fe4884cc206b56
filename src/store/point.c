/* Comparing points. */
#include "store/point.h"

int point_cmp(const struct point *a, const struct point *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->pos < b->pos ? -1 : a->pos > b->pos;
}
