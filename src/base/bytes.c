/* Borrowed byte slices: the little that is not inline. */
#include "base/bytes.h"

bool bytes_has_control(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] < 0x20 || b.p[i] == 0x7f)
            return true;
    }
    return false;
}

int bytes_to_str(struct bytes b, char *dst, size_t cap)
{
    if (b.n >= cap || (b.n && memchr(b.p, 0, b.n)))
        return -1;
    if (b.n)
        memcpy(dst, b.p, b.n);
    dst[b.n] = 0;
    return 0;
}
