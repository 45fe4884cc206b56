/*
 * The durable bound: "NAME POSITION CRC" in a small file beside the logs, saying up to where they
 * were durable at some moment.
 *
 * It is written without a sync, at most once a second, after the sync of what it speaks of, and it
 * stands at the end of a transaction, behind which only a resume or a recovery cuts. So it can be
 * old but never too high, and recovery can tell damage to durable bytes from a torn tail.
 */
#ifndef BINLOGD_STORE_WATERMARK_H
#define BINLOGD_STORE_WATERMARK_H

#include "store/binfile.h"

#define WATERMARK_FILE "durable"

/* In a new folder, durable on return: nothing was durable yet. So a folder without a bound is one
 * whose bound was lost. */
int watermark_begin(const struct fs *fs, int dirfd, struct err *err);
/* A failure is not reported: an old bound is still a bound. */
void watermark_write(const struct fs *fs, int dirfd, const struct binfile_name *name, uint64_t pos);

struct watermark {
    bool known;               /* there is a bound */
    struct binfile_name name; /* text is "" when it is known that there was nothing */
    uint64_t pos;
};

/* A record that is damaged is none. */
void watermark_read(struct watermark *w, const struct fs *fs, int dirfd);

#endif
