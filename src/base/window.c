/* A window over a file. */
#include "base/window.h"

#include "base/mem.h"

#include <stdlib.h>

void window_init(struct window *w, const struct fs *fs, int fd, size_t size)
{
    *w = (struct window){.fs = fs, .fd = fd, .data = mem_alloc(size), .size = size};
}

void window_fini(struct window *w)
{
    free(w->data);
}

int window_get(struct window *w, uint64_t off, size_t n, struct bytes *out, struct err *err)
{
    if (off < w->off || off + n > w->off + w->n) {
        w->off = off;
        if (fs_pread_full(w->fs, w->fd, w->data, w->size, (off_t)off, &w->n, err) < 0)
            return -1;
    }
    size_t skip = (size_t)(off - w->off);
    size_t have = skip < w->n ? w->n - skip : 0;
    *out = bytes_of(w->data + skip, have < n ? have : n);
    return 0;
}
