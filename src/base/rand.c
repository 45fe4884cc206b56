/* Random bytes from the kernel. */
#include "base/rand.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

void rand_bytes(void *dst, size_t n)
{
    uint8_t *p = dst;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        BUG_ON(got < 0);
        p += got;
        n -= (size_t)got;
    }
}

void rand_uuid(char dst[RAND_UUID_CHARS + 1])
{
    uint8_t b[16];
    rand_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    int n = 0;
    for (int i = 0; i < 16; i++)
        n += snprintf(dst + n, (size_t)(RAND_UUID_CHARS + 1 - n), "%s%02x",
                      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}
