/* The table of file calls and the compound operations built on it. */
#include "base/fs.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_BYTES (32u << 10)

static int posix_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    return openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static int posix_fstat(int fd, struct stat *st)
{
    return fstat(fd, st);
}

/* File systems that know no RWF_NOWAIT keep their files in memory, or the wait is accepted. */
static ssize_t posix_pread_cached(int fd, void *buf, size_t n, off_t off)
{
    struct iovec iov = {buf, n};
    ssize_t got = preadv2(fd, &iov, 1, off, RWF_NOWAIT);
    return got < 0 && errno == EOPNOTSUPP ? pread(fd, buf, n, off) : got;
}

const struct fs *fs_posix(void)
{
    static const struct fs table = {
        .openat = posix_openat,
        .close = close,
        .pread = pread,
        .pread_cached = posix_pread_cached,
        .pwritev = pwritev,
        .fdatasync = fdatasync,
        .fsync = fsync,
        .ftruncate = ftruncate,
        .fstat = posix_fstat,
        .mkdirat = mkdirat,
        .renameat = renameat,
        .unlinkat = unlinkat,
        .getdents64 = getdents64,
    };
    return &table;
}

int fs_open_dir(const struct fs *fs, int dirfd, const char *name, struct err *err)
{
    int fd = fs->openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return err_io(err, errno, "cannot open the directory %s", name);
    return fd;
}

static bool is_itself_or_above(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int fs_list(const struct fs *fs, int dirfd,
            void (*each)(void *ctx, const char *name, unsigned char type), void *ctx,
            struct err *err)
{
    _Alignas(struct dirent64) char buf[LIST_BYTES];
    int fd = fs->openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0); /* its position is our own */
    if (fd < 0)
        return err_io(err, errno, "open");
    ssize_t n;
    while ((n = fs->getdents64(fd, buf, sizeof buf)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(buf + at);
            if (!is_itself_or_above(entry->d_name))
                each(ctx, entry->d_name, entry->d_type);
            at += entry->d_reclen;
        }
    int rc = n < 0 ? err_io(err, errno, "read") : 0;
    fs->close(fd);
    return rc;
}

int fs_pwrite_all(const struct fs *fs, int fd, struct bytes data, off_t off, struct err *err)
{
    while (data.n) {
        struct iovec iov = {(void *)(uintptr_t)data.p, data.n};
        ssize_t n = fs->pwritev(fd, &iov, 1, off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_io(err, n < 0 ? errno : EIO, "write");
        data = bytes_skip(data, (size_t)n);
        off += n;
    }
    return 0;
}

int fs_pread_full(const struct fs *fs, int fd, void *buf, size_t n, off_t off, size_t *got,
                  struct err *err)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = fs->pread(fd, (uint8_t *)buf + *got, n - *got, off + (off_t)*got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_io(err, errno, "read");
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return 0;
}

static int write_and_sync(const struct fs *fs, int dirfd, const char *name, mode_t mode,
                          struct bytes data, struct err *err)
{
    int fd = fs->openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0)
        return err_io(err, errno, "create");
    int rc = fs_pwrite_all(fs, fd, data, 0, err);
    if (rc == 0 && fs->fsync(fd) < 0)
        rc = err_io(err, errno, "fsync");
    if (fs->close(fd) < 0 && rc == 0)
        rc = err_io(err, errno, "close");
    return rc;
}

static int write_atomic(const struct fs *fs, int dirfd, const char *name, mode_t mode,
                        struct bytes data, struct err *err)
{
    char tmp[300];
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    if (write_and_sync(fs, dirfd, tmp, mode, data, err) < 0)
        return err_prefix(err, "cannot write %s", tmp);
    if (fs->renameat(dirfd, tmp, dirfd, name) < 0)
        return err_io(err, errno, "cannot rename %s to %s", tmp, name);
    if (fs->fsync(dirfd) < 0) {
        err_io(err, errno, "cannot fsync the directory of %s", name);
        err->kind = ERR_IO; /* whatever the reason, a second try would prove nothing */
        return -1;
    }
    return 0;
}

int fs_write_atomic(const struct fs *fs, int dirfd, const char *name, struct bytes data,
                    struct err *err)
{
    return write_atomic(fs, dirfd, name, FS_FILE_MODE, data, err);
}

int fs_write_secret(const struct fs *fs, int dirfd, const char *name, struct bytes data,
                    struct err *err)
{
    return write_atomic(fs, dirfd, name, FS_SECRET_MODE, data, err);
}

static int read_open_file(const struct fs *fs, int fd, size_t max, char **data, size_t *n,
                          struct err *err)
{
    struct stat st;
    if (fs->fstat(fd, &st) < 0)
        return err_io(err, errno, "stat");
    if (!S_ISREG(st.st_mode))
        return err_set(err, "not a regular file");
    if ((uint64_t)st.st_size > max)
        return err_set(err, "%lld bytes are more than the %zu expected at the most",
                       (long long)st.st_size, max);
    *data = mem_alloc((size_t)st.st_size + 1);
    if (fs_pread_full(fs, fd, *data, (size_t)st.st_size, 0, n, err) == 0) {
        (*data)[*n] = 0;
        return 0;
    }
    free(*data);
    *data = NULL;
    return -1;
}

int fs_read_file(const struct fs *fs, int dirfd, const char *name, size_t max, char **data,
                 size_t *n, struct err *err)
{
    *data = NULL;
    *n = 0;
    int fd = fs->openat(dirfd, name, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_io(err, errno, "cannot open %s", name);
    int rc = read_open_file(fs, fd, max, data, n, err);
    fs->close(fd);
    return rc < 0 ? err_prefix(err, "cannot read %s", name) : 0;
}
