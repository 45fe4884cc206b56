/* Scans of arbitrary file images: the first two bytes are the durable bound, the rest is the file.
 * What the scan says must hang together, and what it calls good must scan clean by itself. */
#include "fuzz.h"

#include "base/mem.h"
#include "store/scan.h"

#include <sys/mman.h>
#include <unistd.h>

static void scan_image(struct scan *s, struct bytes image, uint64_t durable)
{
    struct err err;
    int fd = memfd_create("scan", MFD_CLOEXEC);
    BUG_ON(fd < 0 || pwrite(fd, image.p, image.n, 0) != (ssize_t)image.n);
    BUG_ON(scan_file(s, fs_posix(), fd, durable, &err) < 0);
    close(fd);
}

static void check_good_part(const struct scan *s, struct bytes image)
{
    struct scan again;
    scan_image(&again, bytes_of(image.p, (size_t)s->trx_end), s->trx_end);
    BUG_ON(again.verdict != SCAN_CLEAN);
    BUG_ON(again.trx_end != s->trx_end || again.last_start != s->last_start);
    BUG_ON(!gtid_set_equal(&again.gtids, &s->gtids));
    scan_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct scan s;
    uint64_t durable = le16(data);
    struct bytes image = bytes_of(data + 2, size - 2);
    scan_image(&s, image, durable);
    BUG_ON(s.size != image.n || s.valid_end > s.size || s.trx_end > s.valid_end);
    BUG_ON(s.trx_end && s.last_start >= s.trx_end);
    BUG_ON((s.trx_end || s.has_previous_gtids) && !s.has_format);
    BUG_ON(s.verdict == SCAN_CLEAN && (s.valid_end != s.size || s.size < durable));
    BUG_ON(s.verdict != SCAN_CORRUPT && s.valid_end < durable);
    if (s.trx_end)
        check_good_part(&s, image);
    scan_fini(&s);
    return 0;
}
