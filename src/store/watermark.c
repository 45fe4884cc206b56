/* The durable bound. */
#include "store/watermark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Padded to a fixed size and overwritten in place, within one sector: never half old, half new. */
#define RECORD 384

void watermark_write(const struct fs *fs, int dirfd, const struct binfile_name *name, uint64_t pos)
{
    char record[RECORD];
    struct err ignored;
    memset(record, ' ', sizeof record);
    int n = snprintf(record, sizeof record, "%s %" PRIu64 " .", name->text, pos);
    record[n] = ' ';
    record[RECORD - 1] = '\n';
    int fd = fs->openat(dirfd, WATERMARK_FILE, O_WRONLY | O_CREAT, FS_FILE_MODE);
    if (fd < 0)
        return;
    (void)fs_pwrite_all(fs, fd, bytes_of(record, sizeof record), 0, &ignored);
    fs->close(fd);
}

void watermark_read(struct watermark *w, const struct fs *fs, int dirfd)
{
    char *text;
    size_t n;
    struct err ignored;
    char name[BINFILE_NAME_MAX + 1];
    char dot = 0;
    *w = (struct watermark){0};
    if (fs_read_file(fs, dirfd, WATERMARK_FILE, RECORD, &text, &n, &ignored) < 0 || !text)
        return;
    uint64_t pos;
    if (sscanf(text, "%261s %" SCNu64 " %c", name, &pos, &dot) == 3 && dot == '.' &&
        binfile_name_parse(&w->name, bytes_str(name), &ignored) == 0)
        w->pos = pos;
    free(text);
}
