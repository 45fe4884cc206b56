/*
 * A window over a file for reading it in small pieces with few calls. It waits for the disk: for
 * the start of the daemon, and for worker threads.
 */
#ifndef BINLOGD_BASE_WINDOW_H
#define BINLOGD_BASE_WINDOW_H

#include "base/fs.h"

struct window {
    const struct fs *fs;
    int fd; /* the owner's */
    uint8_t *data;
    size_t size;  /* of data, bytes */
    uint64_t off; /* what of the file data holds: [off, off + n) */
    size_t n;
};

void window_init(struct window *w, const struct fs *fs, int fd, size_t size);
void window_fini(struct window *w);
/* Gives n bytes at off, n at most the window's size; fewer at the end of the file. They live until
 * the next call. */
int window_get(struct window *w, uint64_t off, size_t n, struct bytes *out, struct err *err);

#endif
