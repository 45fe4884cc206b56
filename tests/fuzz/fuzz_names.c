/* Names of binary logs from the other side, and the file with the durable bound, which holds one. A
 * name that is taken is a plain name of this directory and reads the same again. */
#include "fuzz.h"

#include "base/mem.h"
#include "store/binfile.h"
#include "store/watermark.h"

#include <sys/mman.h>
#include <unistd.h>

static struct bytes image;

/* Whatever is opened holds the image. */
static int open_image(int dirfd, const char *name, int flags, mode_t mode)
{
    (void)dirfd;
    (void)name;
    (void)flags;
    (void)mode;
    int fd = memfd_create("image", MFD_CLOEXEC);
    BUG_ON(fd < 0 || pwrite(fd, image.p, image.n, 0) != (ssize_t)image.n);
    return fd;
}

static void check_name(const struct binfile_name *name)
{
    struct binfile_name again;
    struct err err;
    BUG_ON(name->text[0] == '.' || strchr(name->text, '/'));
    BUG_ON(binfile_name_parse(&again, bytes_str(name->text), &err) < 0);
    BUG_ON(!binfile_name_eq(&again, name) || again.number != name->number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fs fs = *fs_posix();
    struct binfile_name name;
    struct watermark mark;
    struct err err;
    image = bytes_of(data, size);
    if (binfile_name_parse(&name, image, &err) == 0) {
        BUG_ON(strlen(name.text) != size);
        check_name(&name);
    } else {
        BUG_ON(!memchr(err.text, 0, sizeof err.text) || !*err.text);
    }
    fs.openat = open_image;
    watermark_read(&mark, &fs, -1);
    if (mark.known && mark.name.text[0])
        check_name(&mark.name);
    return 0;
}
