/* What recovery does with directories that no run of a store leaves: damaged files before the last,
 * names that do not belong together, no room, no descriptors, failing calls. */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "faultfs.h"
#include "store/watermark.h"
#include "store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "0001-x"

static struct feed_source source;
static char *dir;
static int rootfd, dirfd_;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    log_open("/dev/null", LOG_ERROR, &err);
    feed_source_load(&source);
    dir = check_mkdir();
    rootfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(rootfd, FOLDER, 0750);
    dirfd_ = openat(rootfd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    faultfs_reset(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    faultfs_reset(NULL);
    close(dirfd_);
    close(rootfd);
    check_rmdir(dir);
    feed_source_free(&source);
    log_close();
    return 0;
}

static void put_file(const char *name, struct bytes data)
{
    int fd = openat(dirfd_, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data.p, data.n), data.n);
    close(fd);
}

static long size_of(const char *name)
{
    struct stat st;
    return fstatat(dirfd_, name, &st, 0) < 0 ? -1 : (long)st.st_size;
}

static int count_torn(void)
{
    int n = 0;
    DIR *d = fdopendir(openat(dirfd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *e; (e = readdir(d));)
        n += strstr(e->d_name, ".torn-") != NULL;
    closedir(d);
    return n;
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static struct store *open_with(const struct fs *fs)
{
    struct store_opts opts = {dir, fs, 4096, ignore, NULL};
    return store_open(&opts, &err);
}

static struct store *open_good(void)
{
    struct store *s = open_with(feed_fast_fs());
    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static void assert_refused(const struct fs *fs, enum err_kind kind, const char *text)
{
    assert_null(open_with(fs));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

/* ---- a file before the last ---- */

enum damage {
    NONE,
    EMPTY,
    FORMAT_TOO_LONG,
    FORMAT_OTHER_VERSION,
    OTHER_EVENT,
    TOO_SHORT_FOR_A_CRC,
    LONGER_THAN_ANY,
    CUT
};

#define PREVIOUS_AT 123 /* in the first file */

static struct bytes damaged(uint8_t *image, size_t n, enum damage damage)
{
    switch (damage) {
    case NONE:
        break;
    case EMPTY:
        return bytes_of(image, 0);
    case FORMAT_TOO_LONG:
        put_le32(image + EVENT_MAGIC_LEN + 9, 2000);
        break;
    case FORMAT_OTHER_VERSION:
        image[EVENT_MAGIC_LEN + EVENT_HEADER] = 3;
        break;
    case OTHER_EVENT:
        image[PREVIOUS_AT + 4] = EVENT_QUERY;
        break;
    case TOO_SHORT_FOR_A_CRC:
        put_le32(image + PREVIOUS_AT + 9, EVENT_HEADER + EVENT_CRC - 1);
        break;
    case LONGER_THAN_ANY:
        put_le32(image + PREVIOUS_AT + 9, (64u << 20) + EVENT_HEADER);
        break;
    case CUT:
        return bytes_of(image, PREVIOUS_AT + 40);
    }
    return bytes_of(image, n);
}

static size_t longest_read;

static ssize_t measuring_pread(int fd, void *buf, size_t n, off_t off)
{
    longest_read = n > longest_read ? n : longest_read;
    return pread(fd, buf, n, off);
}

/* It is not scanned: what its beginning does not tell is not known, and no hindrance. */
static void recovery_file_before_the_last_damaged_is_known_as_far_as_it_tells(void **state)
{
    (void)state;
    static const struct {
        enum damage damage;
        bool begun, previous;
    } cases[] = {
        {NONE, true, true},
        {EMPTY, false, false},
        {FORMAT_TOO_LONG, false, false},
        {FORMAT_OTHER_VERSION, false, false},
        {OTHER_EVENT, true, false},
        {TOO_SHORT_FOR_A_CRC, true, false},
        {LONGER_THAN_ANY, true, false},
        {CUT, true, false},
    };
    size_t n = source.data[0].n;
    uint8_t *image = mem_alloc(n);
    struct fs fs = *feed_fast_fs();
    fs.pread = measuring_pread;
    longest_read = 0;
    put_file("mysql-bin.000002", source.data[1]);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memcpy(image, source.data[0].p, n);
        struct bytes file = damaged(image, n, cases[i].damage);
        put_file("mysql-bin.000001", file);
        struct store *s = open_with(&fs);
        assert_non_null(s);
        bool begun = store_file_begun(s, 0) != 0, previous = store_previous_gtids(s, 0).n > 8;
        if (begun != cases[i].begun || previous != cases[i].previous)
            fail_msg("case %zu: begun %d, previous %d", i, begun, previous);
        assert_int_equal(store_file_size(s, 0), file.n);
        assert_int_equal(store_end(s).pos, source.data[1].n);
        store_close(s);
    }
    assert_true(longest_read <= 64u << 20); /* whatever length is claimed */
    free(image);
}

static void recovery_gtid_list_that_cannot_be_read_is_unknown(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = check_data("binlog/mariadb-10.11-domains.binlog", &n);
    uint32_t at = EVENT_MAGIC_LEN + le32(p + EVENT_MAGIC_LEN + 9);
    put_file("mysql-bin.000002", bytes_of(p, n));
    for (int bad = 0; bad < 2; bad++) {
        if (bad)
            put_le32(p + at + EVENT_HEADER, 1000); /* so many are not there */
        put_file("mysql-bin.000001", bytes_of(p, n));
        struct store *s = open_good();
        assert_true((store_gtid_list(s, 0) == NULL) == bad);
        assert_non_null(store_gtid_list(s, 1));
        assert_int_equal(store_previous_gtids(s, 0).n, 8); /* the empty set */
        store_close(s);
    }
    free(p);
}

static void recovery_of_a_file_that_is_not_known_previous_is_the_empty_set(void **state)
{
    (void)state;
    struct epoch e;
    epoch_init(&e);
    struct bytes previous = epoch_previous(&e, 0);
    assert_true(bytes_eq(previous, bytes_of("\0\0\0\0\0\0\0\0", 8)));
    epoch_fini(&e);
}

/* ---- names ---- */

static void recovery_files_of_two_names_corrupt(void **state)
{
    (void)state;
    put_file("mysql-bin.000001", source.data[0]);
    put_file("other-bin.000002", source.data[1]);
    assert_refused(feed_fast_fs(), ERR_CORRUPT, "mysql-bin.000001 is followed by other-bin.000002");
}

static void recovery_all_files_gone_corrupt(void **state)
{
    (void)state;
    watermark_write(fs_posix(), dirfd_, &source.name[0], 754);
    assert_refused(feed_fast_fs(), ERR_CORRUPT, "mysql-bin.000001 was stored, but it is gone");
}

/* A hole is taken for what a power cut left only where a bound says that it may be. */
static void recovery_bound_of_another_name_says_nothing_of_this(void **state)
{
    (void)state;
    uint8_t image[1716];
    struct binfile_name other = {0};
    memcpy(image, source.data[0].p, sizeof image);
    memset(image + 512, 0, 512);
    put_file("mysql-bin.000001", bytes_of(image, sizeof image));
    assert_int_equal(binfile_name_parse(&other, bytes_str("other-bin.000001"), &err), 0);
    watermark_write(fs_posix(), dirfd_, &other, 4);
    assert_refused(feed_fast_fs(), ERR_CORRUPT, "with good events behind it; nothing was changed");
    assert_int_equal(size_of("mysql-bin.000001"), sizeof image);
    watermark_write(fs_posix(), dirfd_, &source.name[0], 4);
    struct store *s = open_good();
    assert_int_equal(store_end(s).pos, 396);
    store_close(s);
}

/* ---- tails ---- */

static unsigned torn_tries;

static int openat_all_torn_exist(int fd, const char *name, int flags, mode_t mode)
{
    if (!strstr(name, ".torn-"))
        return fs_posix()->openat(fd, name, flags, mode);
    torn_tries++;
    errno = EEXIST;
    return -1;
}

static void recovery_no_name_for_a_tail_gives_up_and_cuts_nothing(void **state)
{
    (void)state;
    struct fs fs = *feed_fast_fs();
    fs.openat = openat_all_torn_exist;
    torn_tries = 0;
    put_file("mysql-bin.000001", bytes_of(source.data[0].p, 900));
    assert_refused(&fs, ERR_IO, "cannot create mysql-bin.000001.torn-");
    assert_int_equal(torn_tries, 1000);
    assert_int_equal(size_of("mysql-bin.000001"), 900);
}

/* It is copied in pieces; what cannot be kept whole is not cut. */
static void recovery_long_tail_kept_whole_or_not_cut(void **state)
{
    (void)state;
    char *image = mem_alloc(5u << 20);
    memcpy(image, source.data[0].p, 754);
    put_file("mysql-bin.000001", bytes_of(image, 5u << 20));
    free(image);
    faultfs_space(1u << 19);
    uint64_t writes = faultfs_count(FAULTFS_BIT(FAULTFS_PWRITEV));
    assert_refused(faultfs(), ERR_NO_SPACE, "cannot keep the end of mysql-bin.000001");
    /* the uuid, the half of the first piece, and the rest in vain */
    assert_int_equal(faultfs_count(FAULTFS_BIT(FAULTFS_PWRITEV)) - writes, 3);
    assert_int_equal(count_torn(), 0);
    assert_int_equal(size_of("mysql-bin.000001"), 5u << 20);
    struct store *s = open_good();
    assert_int_equal(store_end(s).pos, 754);
    assert_int_equal(count_torn(), 1);
    assert_int_equal(size_of("mysql-bin.000001"), 754);
    store_close(s);
}

/* ---- no descriptors ---- */

static int open_epoch(struct epoch *e, int fds)
{
    epoch_init(e);
    check_limit_fds(fds);
    int rc = epoch_open_newest(e, feed_fast_fs(), rootfd, &err);
    check_limit_fds(-1);
    return rc;
}

static void recovery_without_descriptors_is_an_io_error(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "cannot list the data directory: ", FOLDER ": cannot list the files: ",
        FOLDER ": cannot open mysql-bin.000001: "};
    put_file("mysql-bin.000001", source.data[0]);
    for (int fds = 0; fds < (int)COUNT_OF(texts); fds++) {
        struct epoch e;
        assert_int_equal(open_epoch(&e, fds), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_int_equal(strncmp(err.text, texts[fds], strlen(texts[fds])), 0);
        epoch_fini(&e);
    }
    struct epoch e;
    if (open_epoch(&e, COUNT_OF(texts)) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(e.end.pos, source.data[0].n);
    epoch_fini(&e);
}

/* ---- an epoch that did not begin ---- */

static void assert_opens_in(const char *folder, const char *name)
{
    struct store *s = open_good();
    assert_string_equal(store_source(s), name);
    assert_int_equal(faccessat(rootfd, folder, F_OK, 0), 0);
    store_close(s);
}

/* What would be stored in a folder whose name had gone would not be found again. */
static void recovery_each_call_of_a_removal_fails_nothing_is_stored_elsewhere(void **state)
{
    (void)state;
    char what[80];
    bool fired = true;
    put_file("mysql-bin.000001", source.data[0]);
    assert_opens_in(FOLDER, "x");
    for (uint64_t n = 1; fired; n++) {
        mkdirat(rootfd, "0002-y", 0750);
        faultfs_fail(n, FAULTFS_CHANGES & ~FAULTFS_BIT(FAULTFS_MKDIRAT), EIO, FAULTFS_ONCE);
        struct store *s = open_with(faultfs());
        fired = faultfs_failed(what);
        if (!s)
            assert_int_equal(err.kind, ERR_IO);
        bool second = s && strcmp(store_source(s), "y") == 0;
        store_close(s);
        if (second && faccessat(rootfd, "0002-y", F_OK, 0) < 0)
            fail_msg("%s failed, and the store is in no epoch's folder", what);
        assert_opens_in(FOLDER, "x");
    }
}

/* ---- older epochs ---- */

static int open_complete(const char *folder, int fds)
{
    struct epoch e;
    epoch_init(&e);
    check_limit_fds(fds);
    int rc = epoch_open_complete(&e, fs_posix(), rootfd, folder, &err);
    check_limit_fds(-1);
    epoch_fini(&e);
    return rc;
}

static void older_epoch_that_cannot_be_listed_is_an_io_error(void **state)
{
    (void)state;
    put_file("mysql-bin.000001", source.data[0]);
    assert_int_equal(open_complete(FOLDER, 2), 0);
    assert_int_equal(open_complete(FOLDER, 1), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_int_equal(strncmp(err.text, FOLDER ": cannot list the files: ", 31), 0);
}

static void older_epoch_with_a_broken_sequence_corrupt(void **state)
{
    (void)state;
    put_file("mysql-bin.000001", source.data[0]);
    put_file("mysql-bin.000003", source.data[2]);
    assert_int_equal(open_complete(FOLDER, 2), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

/* ---- only looking ---- */

static void look_without_descriptors_is_an_io_error(void **state)
{
    (void)state;
    static const char *const texts[] = {"cannot list the data directory: ",
                                        FOLDER ": cannot list the files: "};
    for (int fds = 0; fds < 2; fds++) {
        struct epoch e;
        epoch_init(&e);
        check_limit_fds(fds);
        int rc = epoch_look(&e, fs_posix(), rootfd, &err);
        check_limit_fds(-1);
        assert_int_equal(rc, -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_int_equal(strncmp(err.text, texts[fds], strlen(texts[fds])), 0);
        epoch_fini(&e);
    }
}

static void look_at_no_epoch_sees_nothing(void **state)
{
    (void)state;
    assert_int_equal(unlinkat(rootfd, FOLDER, AT_REMOVEDIR), 0);
    struct store *s = store_look(dir, fs_posix(), &err);
    assert_non_null(s);
    assert_true(store_empty(s));
    assert_int_equal(store_epoch(s), 0);
    store_close(s);
}

static void look_at_a_broken_sequence_corrupt(void **state)
{
    (void)state;
    put_file("mysql-bin.000001", source.data[0]);
    put_file("mysql-bin.000003", source.data[2]);
    assert_null(store_look(dir, fs_posix(), &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "mysql-bin.000001 is followed by mysql-bin.000003"));
}

static void look_at_nothing_complete_sees_nothing_and_changes_nothing(void **state)
{
    (void)state;
    put_file("mysql-bin.000001", bytes_of(source.data[0].p, 60));
    struct store *s = store_look(dir, fs_posix(), &err);
    assert_non_null(s);
    assert_true(store_empty(s));
    assert_int_equal(store_end(s).pos, 0);
    store_close(s);
    assert_int_equal(size_of("mysql-bin.000001"), 60);
    assert_int_equal(count_torn(), 0);
}

static void look_each_call_fails_is_an_io_error(void **state)
{
    (void)state;
    char what[80];
    bool fired = true;
    put_file("mysql-bin.000001", source.data[0]);
    put_file("mysql-bin.000002", bytes_of(source.data[1].p, 742));
    put_file("mysql-bin.000003", bytes_of(source.data[2].p, 60));
    for (uint64_t n = 1; fired; n++) {
        faultfs_fail(n, FAULTFS_ALL & ~FAULTFS_BIT(FAULTFS_CLOSE), EIO, FAULTFS_ONCE);
        struct store *s = store_look(dir, faultfs(), &err);
        fired = faultfs_failed(what);
        if (!s && (!fired || err.kind != ERR_IO))
            fail_msg("call %d, %s: %s", (int)n, what, err.text);
        if (s && fired)
            fail_msg("call %d, %s failed unnoticed", (int)n, what);
        if (s)
            assert_int_equal(store_end(s).pos, 742);
        store_close(s);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recovery_file_before_the_last_damaged_is_known_as_far_as_it_tells),
        TEST(recovery_gtid_list_that_cannot_be_read_is_unknown),
        TEST(recovery_of_a_file_that_is_not_known_previous_is_the_empty_set),
        TEST(recovery_files_of_two_names_corrupt),
        TEST(recovery_all_files_gone_corrupt),
        TEST(recovery_bound_of_another_name_says_nothing_of_this),
        TEST(recovery_no_name_for_a_tail_gives_up_and_cuts_nothing),
        TEST(recovery_long_tail_kept_whole_or_not_cut),
        TEST(recovery_without_descriptors_is_an_io_error),
        TEST(recovery_each_call_of_a_removal_fails_nothing_is_stored_elsewhere),
        TEST(older_epoch_that_cannot_be_listed_is_an_io_error),
        TEST(older_epoch_with_a_broken_sequence_corrupt),
        TEST(look_without_descriptors_is_an_io_error),
        TEST(look_at_no_epoch_sees_nothing),
        TEST(look_at_a_broken_sequence_corrupt),
        TEST(look_at_nothing_complete_sees_nothing_and_changes_nothing),
        TEST(look_each_call_fails_is_an_io_error),
    };
    return RUN_TESTS(tests);
}
