/*
 * The file calls of the store behind one table, so that tests can make the n-th call fail, and the
 * few compound operations whose order matters for durability.
 *
 * Every call works as its POSIX namesake and reports through errno. Names are relative to a
 * directory fd; nothing here follows a symbolic link in the last component.
 */
#ifndef BINLOGD_BASE_FS_H
#define BINLOGD_BASE_FS_H

#include "base/bytes.h"
#include "base/err.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#define FS_FILE_MODE   0640
#define FS_SECRET_MODE 0600
#define FS_DIR_MODE    0750

struct fs {
    int (*openat)(int dirfd, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *buf, size_t n, off_t off);
    /* Only what is in the page cache: -1 with EAGAIN where reading would wait for the disk. */
    ssize_t (*pread_cached)(int fd, void *buf, size_t n, off_t off);
    ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t off);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t len);
    int (*fstat)(int fd, struct stat *st);
    int (*mkdirat)(int dirfd, const char *name, mode_t mode);
    int (*renameat)(int olddir, const char *oldname, int newdir, const char *newname);
    int (*unlinkat)(int dirfd, const char *name, int flags);
    ssize_t (*getdents64)(int dirfd, void *buf, size_t n);
};

/* The kernel's own calls. */
const struct fs *fs_posix(void);

/* Opens a directory; the caller closes the fd. */
int fs_open_dir(const struct fs *fs, int dirfd, const char *name, struct err *err);
/* Calls each with every name in the directory but "." and "..", in no order; type is a DT_* of
 * dirent.h, of some file systems always DT_UNKNOWN. Names may be removed meanwhile. -1 when not all
 * of them were read. */
int fs_list(const struct fs *fs, int dirfd,
            void (*each)(void *ctx, const char *name, unsigned char type), void *ctx,
            struct err *err);
/* Writes all of data at off; a short write is continued, so that the error of the rest is seen. */
int fs_pwrite_all(const struct fs *fs, int fd, struct bytes data, off_t off, struct err *err);
/* Reads exactly n bytes at off; *got is less only at the end of the file. */
int fs_pread_full(const struct fs *fs, int fd, void *buf, size_t n, off_t off, size_t *got,
                  struct err *err);
/* Replaces the file by data so that a crash leaves the old or the new content, durable on return:
 * temporary file, fsync, rename, fsync of the directory. */
int fs_write_atomic(const struct fs *fs, int dirfd, const char *name, struct bytes data,
                    struct err *err);
/* The same with FS_SECRET_MODE. */
int fs_write_secret(const struct fs *fs, int dirfd, const char *name, struct bytes data,
                    struct err *err);
/* Reads a whole file of at most max bytes; *data is malloc'ed and NUL-terminated behind its *n
 * bytes. A missing file gives *data = NULL and 0. */
int fs_read_file(const struct fs *fs, int dirfd, const char *name, size_t max, char **data,
                 size_t *n, struct err *err);

#endif
