/* File operations: short calls continued, order of an atomic replacement, what is refused. */
#include "check.h"

#include "base/mem.h"
#include "faultfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char *dir;
static int dirfd_;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    dir = check_mkdir();
    dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    faultfs_reset(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(dirfd_);
    check_rmdir(dir);
    faultfs_reset(NULL);
    return 0;
}

/* The file's content, or NULL; free() it. */
static char *content(const char *name)
{
    char *data;
    size_t n;
    assert_int_equal(fs_read_file(fs_posix(), dirfd_, name, 1u << 20, &data, &n, &err), 0);
    return data;
}

static int replace(const char *text)
{
    return fs_write_atomic(faultfs(), dirfd_, "file", bytes_str(text), &err);
}

static void fs_write_atomic_order(void **state)
{
    (void)state;
    faultfs_record(FAULTFS_CHANGES);
    faultfs_write_at_most(4);
    assert_int_equal(replace("content"), 0);
    char *record = faultfs_recorded();
    assert_string_equal(record, "pwritev file.tmp 0 4\npwritev file.tmp 4 3\nfsync file.tmp\n"
                                "rename file.tmp file\nfsync directory\n");
    free(record);
}

static void fs_write_atomic_each_failure_leaves_old_or_new(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        char what[80];
        assert_int_equal(replace("old"), 0);
        faultfs_fail(n, FAULTFS_ALL, n % 2 ? EIO : ENOSPC, FAULTFS_ONCE);
        int rc = replace("new");
        bool fired = faultfs_failed(what);
        assert_int_equal(rc, fired ? -1 : 0);
        char *now = content("file");
        assert_true(strcmp(now, "new") == 0 || (fired && strcmp(now, "old") == 0));
        free(now);
        if (!fired)
            break;
        bool final = n % 2 || strcmp(what, "fsync directory") == 0;
        assert_int_equal(err.kind, final ? ERR_IO : ERR_NO_SPACE);
    }
}

static void fs_pwrite_all_nothing_written_is_an_error(void **state)
{
    (void)state;
    int fd = faultfs()->openat(dirfd_, "file", O_RDWR | O_CREAT, 0600);
    faultfs_space(3);
    assert_int_equal(fs_pwrite_all(faultfs(), fd, bytes_str("hello"), 0, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SPACE);
    faultfs()->close(fd);
    char *now = content("file");
    assert_string_equal(now, "hel");
    free(now);
}

static ssize_t pread_slowly(int fd, void *buf, size_t n, off_t off)
{
    static int calls;
    if (calls++ % 2) {
        errno = EINTR;
        return -1;
    }
    return pread(fd, buf, n > 3 ? 3 : n, off);
}

static void fs_pread_full_continues_to_the_end(void **state)
{
    (void)state;
    struct fs fs = *fs_posix();
    char buf[20];
    size_t got;
    fs.pread = pread_slowly;
    assert_int_equal(replace("0123456789"), 0);
    int fd = fs.openat(dirfd_, "file", O_RDONLY, 0);
    assert_int_equal(fs_pread_full(&fs, fd, buf, 20, 2, &got, &err), 0);
    assert_int_equal(got, 8);
    assert_memory_equal(buf, "23456789", 8);
    assert_int_equal(fs_pread_full(&fs, fd, buf, 4, 3, &got, &err), 0);
    assert_int_equal(got, 4);
    close(fd);
}

static void fs_read_file_cases(void **state)
{
    (void)state;
    char *data;
    size_t n;
    assert_int_equal(fs_read_file(faultfs(), dirfd_, "none", 10, &data, &n, &err), 0);
    assert_null(data);
    assert_int_equal(replace("12345"), 0);
    assert_int_equal(fs_read_file(faultfs(), dirfd_, "file", 5, &data, &n, &err), 0);
    assert_string_equal(data, "12345");
    assert_int_equal(n, 5);
    free(data);
    assert_int_equal(fs_read_file(faultfs(), dirfd_, "file", 4, &data, &n, &err), -1);
    assert_string_equal(err.text,
                        "cannot read file: 5 bytes are more than the 4 expected at the most");
    assert_null(data);
    assert_int_equal(fs_read_file(faultfs(), dirfd_, ".", 4, &data, &n, &err), -1);
    assert_string_equal(err.text, "cannot read .: not a regular file");
    assert_int_equal(symlinkat("file", dirfd_, "link"), 0);
    assert_int_equal(fs_read_file(faultfs(), dirfd_, "link", 10, &data, &n, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    faultfs_fail(1, FAULTFS_BIT(FAULTFS_PREAD), EIO, FAULTFS_ONCE);
    assert_int_equal(fs_read_file(faultfs(), dirfd_, "file", 10, &data, &n, &err), -1);
    assert_null(data);
}

static void fs_open_dir_refuses_files_and_links(void **state)
{
    (void)state;
    assert_int_equal(replace("x"), 0);
    assert_int_equal(symlinkat(".", dirfd_, "link"), 0);
    assert_int_equal(fs_open_dir(fs_posix(), dirfd_, "file", &err), -1);
    assert_int_equal(fs_open_dir(fs_posix(), dirfd_, "link", &err), -1);
    assert_int_equal(fs_open_dir(fs_posix(), dirfd_, "none", &err), -1);
    assert_string_equal(err.text, "cannot open the directory none: No such file or directory");
}

#define MANY 1500 /* names, of more bytes than one read gives */

struct listed {
    unsigned n;
    unsigned dirs;
    enum { LEAVE, REMOVE } what;
};

static void on_name(void *ctx, const char *name, unsigned char type)
{
    struct listed *listed = ctx;
    listed->n++;
    listed->dirs += type == DT_DIR;
    if (listed->what == REMOVE && unlinkat(dirfd_, name, 0) < 0)
        unlinkat(dirfd_, name, AT_REMOVEDIR);
}

static void fs_list_gives_each_name_once(void **state)
{
    (void)state;
    struct listed listed = {.what = LEAVE};
    assert_int_equal(fs_list(fs_posix(), dirfd_, on_name, &listed, &err), 0);
    assert_int_equal(listed.n, 0);
    assert_int_equal(mkdirat(dirfd_, ".dir", 0700), 0);
    for (int i = 0; i < MANY; i++) {
        char name[64];
        snprintf(name, sizeof name, "a-rather-long-name-of-a-file.%06d", i);
        close(openat(dirfd_, name, O_WRONLY | O_CREAT, 0600));
    }
    for (int i = 0; i < 2; i++) { /* the directory's own position does not matter */
        listed = (struct listed){.what = i ? REMOVE : LEAVE};
        assert_int_equal(fs_list(fs_posix(), dirfd_, on_name, &listed, &err), 0);
        assert_int_equal(listed.n, MANY + 1);
        assert_true(listed.dirs <= 1); /* 0: the file system does not say */
    }
    listed = (struct listed){.what = LEAVE};
    assert_int_equal(fs_list(fs_posix(), dirfd_, on_name, &listed, &err), 0);
    assert_int_equal(listed.n, 0);
}

static void fs_list_each_failure_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"open: Input/output error", "read: Input/output error",
                                        "read: Input/output error"};
    struct listed listed = {.what = LEAVE};
    const unsigned mask = FAULTFS_BIT(FAULTFS_OPENAT) | FAULTFS_BIT(FAULTFS_GETDENTS64);
    int lowest = dup(dirfd_);
    close(lowest);
    assert_int_equal(replace("x"), 0);
    for (unsigned n = 1; n <= COUNT_OF(texts); n++) {
        faultfs_fail(n, mask, EIO, FAULTFS_ONCE);
        assert_int_equal(fs_list(faultfs(), dirfd_, on_name, &listed, &err), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_string_equal(err.text, texts[n - 1]);
    }
    assert_int_equal(listed.n, 1); /* before the read behind it failed */
    faultfs_fail(COUNT_OF(texts) + 1, mask, EIO, FAULTFS_ONCE);
    assert_int_equal(fs_list(faultfs(), dirfd_, on_name, &listed, &err), 0);
    int now = dup(dirfd_);
    close(now);
    assert_int_equal(now, lowest); /* none is left open */
}

/* The model itself: what is lost and what is not. */
static void fs_model_power_cut(void **state)
{
    (void)state;
    static const struct {
        enum faultfs_loss loss;
        const char *synced, *unsynced, *unnamed;
    } cases[] = {{FAULTFS_LOSE_ALL, "one", "", NULL}, {FAULTFS_LOSE_NONE, "onetwo", "x", "y"}};
    struct err ignored;
    int a = faultfs()->openat(dirfd_, "synced", O_RDWR | O_CREAT, 0600);
    int b = faultfs()->openat(dirfd_, "unsynced", O_RDWR | O_CREAT, 0600);
    fs_pwrite_all(faultfs(), a, bytes_str("one"), 0, &ignored);
    faultfs()->fdatasync(a);
    faultfs()->fsync(dirfd_);
    fs_pwrite_all(faultfs(), a, bytes_str("two"), 3, &ignored);
    fs_pwrite_all(faultfs(), b, bytes_str("x"), 0, &ignored);
    int c = faultfs()->openat(dirfd_, "unnamed", O_RDWR | O_CREAT, 0600);
    fs_pwrite_all(faultfs(), c, bytes_str("y"), 0, &ignored);
    faultfs()->fsync(c);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *to = check_mkdir();
        faultfs_power_cut(to, cases[i].loss, 1);
        int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC), keep = dirfd_;
        dirfd_ = fd;
        char *s = content("synced"), *u = content("unsynced"), *n = content("unnamed");
        dirfd_ = keep;
        assert_string_equal(s, cases[i].synced);
        assert_string_equal(u, cases[i].unsynced);
        if (cases[i].unnamed)
            assert_string_equal(n, cases[i].unnamed);
        else
            assert_null(n);
        free(s);
        free(u);
        free(n);
        close(fd);
        check_rmdir(to);
    }
    faultfs()->close(a);
    faultfs()->close(b);
    faultfs()->close(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fs_write_atomic_order),
        TEST(fs_write_atomic_each_failure_leaves_old_or_new),
        TEST(fs_pwrite_all_nothing_written_is_an_error),
        TEST(fs_pread_full_continues_to_the_end),
        TEST(fs_read_file_cases),
        TEST(fs_open_dir_refuses_files_and_links),
        TEST(fs_list_gives_each_name_once),
        TEST(fs_list_each_failure_is_an_error),
        TEST(fs_model_power_cut),
    };
    return RUN_TESTS(tests);
}
