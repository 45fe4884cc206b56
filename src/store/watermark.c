/* The durable bound. */
#include "store/watermark.h"

#include "binlog/event.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Padded to a fixed size and overwritten in place. A record that is half old and half new would
 * give a bound that never was: the CRC-32 of what stands before it tells. */
#define RECORD  384
#define NOTHING "-"

/* How many characters of the record count. */
static size_t format_record(char dst[RECORD], const struct binfile_name *name, uint64_t pos)
{
    int n = snprintf(dst, RECORD, "%s %" PRIu64 " ", *name->text ? name->text : NOTHING, pos);
    uint32_t crc = event_crc32(0, bytes_of(dst, (size_t)n));
    n += snprintf(dst + n, RECORD - (size_t)n, "%08" PRIx32, crc);
    memset(dst + n, ' ', RECORD - (size_t)n);
    dst[RECORD - 1] = '\n';
    return (size_t)n;
}

int watermark_begin(const struct fs *fs, int dirfd, struct err *err)
{
    char record[RECORD];
    struct binfile_name none = {0};
    format_record(record, &none, 0);
    return fs_write_atomic(fs, dirfd, WATERMARK_FILE, bytes_of(record, sizeof record), err);
}

void watermark_write(const struct fs *fs, int dirfd, const struct binfile_name *name, uint64_t pos)
{
    char record[RECORD];
    struct err ignored;
    format_record(record, name, pos);
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
    char name[BINFILE_NAME_MAX + 1], expected[RECORD];
    *w = (struct watermark){0};
    if (fs_read_file(fs, dirfd, WATERMARK_FILE, RECORD, &text, &n, &ignored) < 0 || !text)
        return;
    struct watermark read = {.known = true};
    if (sscanf(text, "%261s %" SCNu64, name, &read.pos) == 2 &&
        (strcmp(name, NOTHING) == 0 ||
         binfile_name_parse(&read.name, bytes_str(name), &ignored) == 0)) {
        size_t len = format_record(expected, &read.name, read.pos);
        if (n >= len && memcmp(text, expected, len) == 0)
            *w = read;
    }
    free(text);
}
