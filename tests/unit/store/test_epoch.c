/* Folders of source histories: which one is opened, and how a new one comes to be durable. */
#include "check.h"

#include "base/log.h"
#include "base/mem.h"
#include "faultfs.h"
#include "helper_feed.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static int rootfd;
static struct err err;

static void ignore(void *ctx)
{
    (void)ctx;
}

static void ignore_failure(void *ctx, const struct err *e)
{
    (void)ctx;
    (void)e;
}

static const struct store_events events = {ignore, ignore, ignore_failure};

static int set_up(void **state)
{
    (void)state;
    log_open("/dev/null", LOG_ERROR, &err);
    dir = check_mkdir();
    rootfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    faultfs_reset(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(rootfd);
    check_rmdir(dir);
    log_close();
    return 0;
}

static struct store *open_store(void)
{
    struct store_opts opts = {dir, faultfs(), 4096, ignore, NULL};
    struct store *s = store_open(&opts, &err);
    if (s)
        store_set_events(s, &events, NULL);
    return s;
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdirat(rootfd, name, 0750), 0);
}

/* A folder with a file that a server wrote. */
static void make_begun_folder(const char *name)
{
    struct feed_source source;
    char path[600];
    make_folder(name);
    feed_source_load(&source);
    snprintf(path, sizeof path, "%s/%s", name, source.name[0].text);
    int fd = openat(rootfd, path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, source.data[0].p, source.data[0].n), source.data[0].n);
    close(fd);
    feed_source_free(&source);
}

static bool is_there(const char *name)
{
    struct stat st;
    return fstatat(rootfd, name, &st, 0) == 0;
}

static void assert_source(const char *source)
{
    struct store *s = open_store();
    if (!s)
        fail_msg("%s", err.text);
    assert_string_equal(store_source(s), source);
    store_close(s);
}

static void epoch_none_in_a_new_directory(void **state)
{
    (void)state;
    assert_source("");
    assert_source("");
}

static void epoch_highest_number_is_opened(void **state)
{
    (void)state;
    make_folder("0001-first");
    make_begun_folder("0010-tenth");
    make_folder("0002-second");
    assert_source("tenth");
    make_begun_folder("10000-more");
    assert_source("more");
}

static void epoch_that_did_not_begin_is_removed(void **state)
{
    (void)state;
    make_begun_folder("0001-first");
    struct store *s = open_store();
    assert_int_equal(store_new_epoch(s, "second", STORE_DIVERGES, &err), 0);
    store_close(s);
    assert_source("first");
    assert_false(is_there("0002-second"));
}

/* The one that it was to follow is gone on with; what a crash left of its first file is kept. */
static void epoch_that_did_not_begin_is_moved_aside_with_what_is_in_it(void **state)
{
    (void)state;
    char name[100];
    unsigned kept = 0;
    make_begun_folder("0001-first");
    make_folder("0002-second");
    int fd = openat(rootfd, "0002-second/mysql-bin.000001", O_WRONLY | O_CREAT, 0640);
    assert_int_equal(write(fd,
                           "\xfe"
                           "bin",
                           4),
                     4);
    close(fd);
    assert_source("first");
    assert_false(is_there("0002-second"));
    DIR *d = opendir(dir);
    for (struct dirent *entry; (entry = readdir(d));)
        kept += sscanf(entry->d_name, "unbegun-0002-second-%99s", name) == 1;
    closedir(d);
    assert_int_equal(kept, 1);
    assert_source("first");
}

/* What it follows is not forgotten while its name is there. */
static void epoch_that_cannot_be_removed_stays_whole(void **state)
{
    (void)state;
    make_begun_folder("0001-first");
    struct store *s = open_store();
    assert_int_equal(store_new_epoch(s, "second", STORE_JOINS, &err), 0);
    store_close(s);
    faultfs_fail(1, FAULTFS_BIT(FAULTFS_RENAMEAT), EIO, FAULTFS_ONCE);
    assert_source("second");
    assert_true(is_there("0002-second/follows"));
    assert_source("first");
}

static void epoch_other_names_ignored(void **state)
{
    (void)state;
    static const char *const names[] = {"0009",       "0009-",   "9-x",    "x-0009",
                                        "lost+found", ".0009-x", "0000-x", "999-short"};
    make_folder("0001-right");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        make_folder(names[i]);
    char longer[200];
    memset(longer, 'u', sizeof longer);
    memcpy(longer, "0008-", 5);
    longer[5 + STORE_UUID_MAX] = 0;
    make_folder(longer);
    assert_source("right");
}

/* Else an older epoch would be taken for the newest, or one without files for one that has none. */
static void epoch_directories_that_cannot_be_read_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "cannot list the data directory: read: ", "cannot list the data directory: read: ",
        "0002-second: cannot list the files: read: ", "0002-second: cannot list the files: read: "};
    make_begun_folder("0001-first");
    make_begun_folder("0002-second");
    for (unsigned n = 1; n <= COUNT_OF(texts); n++) {
        faultfs_fail(n, FAULTFS_BIT(FAULTFS_GETDENTS64), EIO, FAULTFS_ONCE);
        assert_null(open_store());
        assert_int_equal(err.kind, ERR_IO);
        assert_int_equal(strncmp(err.text, texts[n - 1], strlen(texts[n - 1])), 0);
        assert_source("second");
    }
}

static void epoch_new_one_is_durable_on_return(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_non_null(s);
    faultfs_record(FAULTFS_CHANGES);
    assert_int_equal(store_new_epoch(s, "one", STORE_DIVERGES, &err), 0);
    char *record = faultfs_recorded();
    assert_string_equal(record, "mkdirat 0001-one\n"
                                "pwritev durable.tmp 0 384\nfsync durable.tmp\n"
                                "rename durable.tmp durable\nfsync directory\n"
                                "fsync directory\n");
    free(record);
    assert_string_equal(store_source(s), "one");
    assert_true(store_empty(s));
    faultfs_record(FAULTFS_CHANGES);
    assert_int_equal(store_new_epoch(s, "two", STORE_DIVERGES, &err), 0);
    record = faultfs_recorded();
    assert_non_null(strstr(record, "mkdirat 0002-two\npwritev follows.tmp 0 "));
    assert_non_null(strstr(record, "fsync follows.tmp\nrename follows.tmp follows\n"
                                   "fsync directory\n"));
    free(record);
    assert_string_equal(store_source(s), "two");
    assert_true(is_there("0002-two/follows"));
    store_close(s);
}

static void epoch_new_one_failed_leaves_the_present(void **state)
{
    (void)state;
    struct store *s = open_store();
    assert_int_equal(store_new_epoch(s, "one", STORE_DIVERGES, &err), 0);
    for (unsigned n = 1; n <= 9; n++) {
        char folder[32];
        snprintf(folder, sizeof folder, "0002-n%u", n);
        faultfs_fail(n,
                     FAULTFS_BIT(FAULTFS_MKDIRAT) | FAULTFS_BIT(FAULTFS_OPENAT) |
                         FAULTFS_BIT(FAULTFS_FSYNC),
                     EIO, FAULTFS_ONCE);
        assert_int_equal(store_new_epoch(s, folder + 5, STORE_DIVERGES, &err), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_string_equal(store_source(s), "one");
    }
    store_close(s);
    assert_source("one");
}

/* The same store tries again when there is room. */
static void assert_second_try_works(struct store *s, const char *what)
{
    faultfs_fail(0, 0, 0, FAULTFS_ONCE);
    faultfs_space(1u << 20);
    if (store_new_epoch(s, "second", STORE_JOINS, &err) < 0)
        fail_msg("%s failed, and then: %s", what, err.text);
    assert_string_equal(store_source(s), "second");
    assert_true(is_there("0002-second/follows"));
    assert_true(is_there("0002-second/durable"));
}

/* Once alone, so that what was made can be removed, and with all that follows. */
static void epoch_each_call_of_a_new_one_without_room_second_try_works(void **state)
{
    (void)state;
    static const enum faultfs_mode modes[] = {FAULTFS_ONCE, FAULTFS_CRASH};
    char what[80];
    unsigned tries = 0;
    make_begun_folder("0001-first");
    for (size_t mode = 0; mode < COUNT_OF(modes); mode++)
        for (uint64_t n = 1;; n++) {
            struct store *s = open_store();
            assert_string_equal(store_source(s), "first");
            faultfs_fail(n, FAULTFS_CHANGES | FAULTFS_BIT(FAULTFS_OPENAT), ENOSPC, modes[mode]);
            int rc = store_new_epoch(s, "second", STORE_JOINS, &err);
            bool fired = faultfs_failed(what);
            if (rc < 0 && err.kind == ERR_NO_SPACE) {
                if (modes[mode] == FAULTFS_ONCE && strcmp(what, "openat 0002-second") != 0)
                    assert_false(is_there("0002-second"));
                assert_second_try_works(s, what);
                tries++;
            }
            if (rc < 0 && strncmp(what, "fsync directory", 15) == 0)
                assert_int_equal(err.kind, ERR_IO);
            faultfs_fail(0, 0, 0, FAULTFS_ONCE);
            store_close(s);
            if (!fired)
                break;
        }
    assert_true(tries >= 10);
    assert_source("first");
    assert_false(is_there("0002-second"));
}

static void epoch_new_one_at_every_size_of_a_full_disk_second_try_works(void **state)
{
    (void)state;
    make_begun_folder("0001-first");
    for (uint64_t space = 0; space < 600; space += 29) {
        struct store *s = open_store();
        faultfs_space(space);
        if (store_new_epoch(s, "second", STORE_JOINS, &err) < 0) {
            assert_int_equal(err.kind, ERR_NO_SPACE);
            assert_second_try_works(s, "a write");
        }
        store_close(s);
        faultfs_space(1u << 20);
        assert_source("first");
    }
}

static void epoch_new_one_on_a_full_disk_does_without_a_bound(void **state)
{
    (void)state;
    char what[80];
    struct store *s = open_store();
    faultfs_fail(1, FAULTFS_BIT(FAULTFS_PWRITEV), ENOSPC, FAULTFS_ONCE);
    assert_int_equal(store_new_epoch(s, "one", STORE_DIVERGES, &err), 0);
    assert_true(faultfs_failed(what));
    store_close(s);
    assert_source("one");
}

static void epoch_folder_that_is_a_link_refused(void **state)
{
    (void)state;
    make_folder("elsewhere");
    assert_int_equal(symlinkat("elsewhere", rootfd, "0001-x"), 0);
    assert_null(open_store());
    assert_non_null(strstr(err.text, "cannot open the directory 0001-x"));
}

static void epoch_open_syncs_what_a_killed_process_left(void **state)
{
    (void)state;
    make_folder("0001-x");
    struct store *s = open_store();
    store_close(s);
    faultfs_record(FAULTFS_BIT(FAULTFS_FSYNC));
    s = open_store();
    assert_non_null(s);
    char *record = faultfs_recorded();
    assert_string_equal(record, "fsync 0001-x\nfsync directory\n");
    free(record);
    store_close(s);
}

static void epoch_data_directory_made_with_its_name_durable(void **state)
{
    (void)state;
    char path[700];
    snprintf(path, sizeof path, "%s/new", dir);
    struct store_opts opts = {path, faultfs(), 4096, ignore, NULL};
    faultfs_record(FAULTFS_BIT(FAULTFS_FSYNC));
    struct store *s = store_open(&opts, &err);
    assert_non_null(s);
    store_close(s);
    char *record = faultfs_recorded();
    assert_non_null(strstr(record, "fsync directory\n"));
    free(record);
    faultfs_record(FAULTFS_BIT(FAULTFS_FSYNC));
    s = store_open(&opts, &err);
    assert_non_null(s);
    store_close(s);
    record = faultfs_recorded();
    assert_string_equal(record, "");
    free(record);
    snprintf(path, sizeof path, "%s/not/there", dir);
    assert_null(store_open(&opts, &err));
    assert_non_null(strstr(err.text, "cannot make the data directory"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(epoch_none_in_a_new_directory),
        TEST(epoch_highest_number_is_opened),
        TEST(epoch_that_did_not_begin_is_removed),
        TEST(epoch_that_did_not_begin_is_moved_aside_with_what_is_in_it),
        TEST(epoch_that_cannot_be_removed_stays_whole),
        TEST(epoch_other_names_ignored),
        TEST(epoch_directories_that_cannot_be_read_refused),
        TEST(epoch_new_one_is_durable_on_return),
        TEST(epoch_new_one_failed_leaves_the_present),
        TEST(epoch_each_call_of_a_new_one_without_room_second_try_works),
        TEST(epoch_new_one_at_every_size_of_a_full_disk_second_try_works),
        TEST(epoch_new_one_on_a_full_disk_does_without_a_bound),
        TEST(epoch_folder_that_is_a_link_refused),
        TEST(epoch_open_syncs_what_a_killed_process_left),
        TEST(epoch_data_directory_made_with_its_name_durable),
    };
    return RUN_TESTS(tests);
}
