/* Epochs that joined the one before: which are chained, what they add to the GTIDs, and what ends
 * the chain. */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "faultfs.h"
#include "store/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE(f, p) ((struct feed_place){f, p})
#define SECOND      "0002-second"
#define ENDS        "no files of older epochs are served"

static struct feed_source source;
static struct feed feed;
static char *dir;
static struct err err;
static struct worker *worker;

static void wake(void *ctx)
{
    (void)ctx;
}

static void open_store(void)
{
    if (feed_open(&feed, &source, dir, faultfs()) < 0)
        fail_msg("%s", feed.err.text);
    assert_int_equal(feed_settle(&feed), 0);
}

/* Another process: all is read from the disk. */
static void reopen(void)
{
    feed_close(&feed);
    open_store();
}

static int set_up(void **state)
{
    (void)state;
    char path[600];
    feed_source_load(&source);
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/log", dir);
    log_open(path, LOG_INFO, &err);
    faultfs_reset(NULL);
    worker = worker_new(wake, NULL);
    open_store();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    faultfs_fail(0, 0, 0, FAULTFS_ONCE);
    worker_free(worker);
    feed_close(&feed);
    feed_source_free(&source);
    log_close();
    check_rmdir(dir);
    return 0;
}

static unsigned logged(const char *text)
{
    char line[3000];
    unsigned n = 0;
    snprintf(line, sizeof line, "%s/log", dir);
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

/* A new epoch, whose source has the same files, of which it holds them up to the place. */
static void new_epoch(const char *name, enum store_follow follow, struct feed_place end)
{
    assert_int_equal(feed_settle(&feed), 0);
    if (store_new_epoch(feed.store, name, follow, &err) < 0)
        fail_msg("%s", err.text);
    feed.at = PLACE(0, 0);
    feed.reported = false;
    assert_int_equal(feed_until(&feed, end), 0);
}

/* The first holds less than one file, the second all of them. */
static void make_two(enum store_follow follow)
{
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    new_epoch("second", follow, feed_end(&source));
}

static void assert_chain(size_t files, unsigned oldest)
{
    assert_int_equal(store_chain_files(feed.store), files);
    assert_int_equal(store_chain_file(feed.store, 0).epoch, oldest);
}

static void archive_joined_epoch_is_chained(void **state)
{
    (void)state;
    make_two(STORE_JOINS);
    for (int times = 0; times < 2; times++) {
        assert_chain(1 + FEED_FILES, 1);
        assert_int_equal(store_files(feed.store)->n, FEED_FILES);
        struct store_chained at = store_chain_file(feed.store, 1);
        assert_int_equal(at.epoch, 2);
        assert_string_equal(at.file->text, "mysql-bin.000001");
        assert_true(bytes_eq(at.previous, store_previous_gtids(feed.store, 0)));
        assert_true(bytes_eq(at.previous, store_chain_file(feed.store, 0).previous));
        struct point old = {1, 1, 500};
        assert_string_equal(store_pos_of(feed.store, &old).file, "mysql-bin.000001");
        reopen();
    }
    assert_int_equal(logged(ENDS), 0);
    assert_int_equal(logged("replicas are served by GTID from 0001-" FEED_SOURCE " on"), 2);
}

static void archive_diverged_epoch_is_not_chained(void **state)
{
    (void)state;
    make_two(STORE_DIVERGES);
    for (int times = 0; times < 2; times++) {
        assert_chain(FEED_FILES, 2);
        assert_null(store_chain_gtids(feed.store, 1));
        reopen();
    }
    assert_int_equal(logged(ENDS), 0);
}

/* What was stored is still reported, and asked of a source, before the copy has come so far. */
static void archive_joined_epoch_begins_with_the_gtids_of_the_other(void **state)
{
    (void)state;
    struct gtid_set all;
    gtid_set_init(&all);
    assert_int_equal(feed_until(&feed, PLACE(1, 300)), 0);
    gtid_set_copy(&all, store_gtids(feed.store));
    new_epoch("second", STORE_JOINS, PLACE(0, 754));
    for (int times = 0; times < 2; times++) {
        assert_true(gtid_set_equal(store_gtids(feed.store), &all));
        assert_true(gtid_set_equal(store_chain_gtids(feed.store, 1), &all));
        reopen();
    }
    gtid_set_fini(&all);
}

static void archive_older_files_are_served_before_the_epoch_has_any(void **state)
{
    (void)state;
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    new_epoch("second", STORE_JOINS, PLACE(0, 0));
    assert_chain(1, 1);
    new_epoch("third", STORE_JOINS, PLACE(0, 1000)); /* the second never held anything */
    assert_chain(2, 1);
    reopen();
    assert_chain(2, 1);
    assert_int_equal(logged(ENDS), 0);
}

static void archive_chain_of_three(void **state)
{
    (void)state;
    make_two(STORE_JOINS);
    new_epoch("third", STORE_JOINS, PLACE(0, 1000));
    for (int times = 0; times < 2; times++) {
        assert_chain(1 + FEED_FILES + 1, 1);
        assert_int_equal(store_chain_file(feed.store, FEED_FILES).epoch, 2);
        assert_int_equal(store_chain_file(feed.store, FEED_FILES + 1).epoch, 3);
        reopen();
    }
    new_epoch("fourth", STORE_DIVERGES, PLACE(0, 1000));
    assert_chain(1, 4);
}

static void archive_removed_folder_ends_the_chain(void **state)
{
    (void)state;
    struct gtid_set all;
    gtid_set_init(&all);
    make_two(STORE_JOINS);
    new_epoch("third", STORE_JOINS, PLACE(0, 754));
    gtid_set_copy(&all, store_gtids(feed.store));
    feed_close(&feed);
    char path[600];
    snprintf(path, sizeof path, "%s/" FEED_FOLDER, dir);
    check_rmdir(strdup(path));
    open_store();
    assert_chain(FEED_FILES + 1, 2);
    assert_int_equal(logged(ENDS " before it: cannot open the directory " FEED_FOLDER), 1);
    feed_close(&feed);
    snprintf(path, sizeof path, "%s/" SECOND, dir);
    check_rmdir(strdup(path));
    open_store();
    assert_chain(1, 3);
    assert_true(gtid_set_equal(store_gtids(feed.store), &all));
    gtid_set_fini(&all);
}

static void archive_damaged_follows_ends_the_chain(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\ngtids=\n", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=1\n", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=1\ngtids=", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=1\ngtids=\nmore\n", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=yes\ngtids=\n", "follows is damaged"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=1\ngtids=1-2\n", "follows is damaged"},
        {"follows=" FEED_FOLDER "\njoined=1\ngtids=\n", "follows is damaged"},
        {"time=x\nfollows=../" FEED_FOLDER "\njoined=1\ngtids=\n", "is no name of an epoch"},
        {"time=x\nfollows=\njoined=1\ngtids=\n", "is no name of an epoch"},
        {"time=x\nfollows=" SECOND "\njoined=1\ngtids=\n", "is no older epoch with files"},
        {"time=x\nfollows=0003-third\njoined=1\ngtids=\n", "cannot open the directory"},
        {"time=x\nfollows=" FEED_FOLDER "\njoined=1\ngtids=\n",
         "files are missing behind those of"},
        {NULL, "follows is missing"},
    };
    make_two(STORE_JOINS);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[600];
        unsigned before = logged(cases[i].says);
        feed_close(&feed);
        snprintf(path, sizeof path, "%s/" SECOND "/follows", dir);
        unlink(path);
        if (cases[i].text) {
            FILE *f = fopen(path, "w");
            assert_non_null(f);
            fputs(cases[i].text, f);
            fclose(f);
        }
        open_store();
        assert_chain(FEED_FILES, 2);
        if (logged(cases[i].says) != before + 1 || logged(ENDS) != i + 1)
            fail_msg("case %zu", i);
    }
}

static void archive_source_with_a_hole_before_its_first_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "second", STORE_JOINS, &err), 0);
    struct gtid_set later;
    struct buf set = {0};
    struct gtid g = {.sid = "another server's"};
    gtid_set_init(&later);
    gtid_set_add_range(&later, &g, 1, 2);
    gtid_set_encode(&later, &set);
    assert_int_equal(store_begin_file(feed.store, &source.name[1], &err), 0);
    assert_int_equal(store_set_previous_gtids(feed.store, buf_bytes(&set), &err), -1);
    assert_int_equal(err.kind, ERR_DIVERGED);
    assert_string_equal(err.text, "mysql-bin.000002 begins behind transactions that are not stored "
                                  "here: files are missing before it");
    gtid_set_fini(&later);
    buf_fini(&set);
}

/* The file that goes holds what stands between the two. */
static void archive_ends_when_the_files_behind_it_are_purged(void **state)
{
    (void)state;
    make_two(STORE_JOINS);
    struct store_chained first = store_chain_file(feed.store, 0);
    struct cursor cursor;
    struct store_hold hold;
    assert_int_equal(cursor_open_chained(&cursor, feed.store, &first, &err), 0);
    store_hold(feed.store, &hold);
    assert_int_equal(hold.n, 0); /* it comes to all of them */
    assert_int_equal(hold.readers, 1);
    cursor_close(&cursor);
    store_hold(feed.store, &hold);
    assert_int_equal(hold.n, 1);
    assert_int_equal(store_purge(feed.store, worker, 1, &err), 0);
    assert_chain(FEED_FILES - 1, 2);
    while (store_purging(feed.store)) {
        worker_reap(worker);
        store_work(feed.store);
    }
    reopen();
    assert_chain(FEED_FILES - 1, 2);
    assert_int_equal(logged(ENDS " before it: files are missing behind those of " FEED_FOLDER), 1);
}

/* The start that meets an error serves the whole chain, or says where it ends. */
static void archive_any_call_failing_at_start_ends_the_chain_at_most(void **state)
{
    (void)state;
    char what[80];
    unsigned ended = 0;
    make_two(STORE_JOINS);
    new_epoch("third", STORE_JOINS, PLACE(0, 754));
    feed_close(&feed);
    for (uint64_t n = 1;; n++) {
        uint64_t warned = log_total(LOG_WARN);
        faultfs_fail(n, FAULTFS_ALL, EIO, FAULTFS_ONCE);
        int rc = feed_open(&feed, &source, dir, faultfs());
        bool failed = faultfs_failed(what);
        faultfs_fail(0, 0, 0, FAULTFS_ONCE);
        if (rc == 0) {
            bool second = store_chain_gtids(feed.store, 2),
                 first = store_chain_gtids(feed.store, 1);
            size_t files = 1u + (second ? FEED_FILES : 0) + first;
            if (store_chain_files(feed.store) != files || (first && !second))
                fail_msg("%s: %zu files", what, store_chain_files(feed.store));
            if (!first && log_total(LOG_WARN) == warned)
                fail_msg("%s: nothing was said", what);
            ended += !first;
            feed_close(&feed);
        }
        if (!failed)
            break;
    }
    assert_true(ended > 10);
}

static void archive_any_call_failing_at_a_join_leaves_the_epoch(void **state)
{
    (void)state;
    char what[80];
    make_two(STORE_JOINS);
    assert_int_equal(feed_settle(&feed), 0);
    for (uint64_t n = 1;; n++) {
        char name[32], path[600];
        snprintf(name, sizeof name, "third%u", (unsigned)n);
        /* The indexer may still be at work on the epoch that ends. */
        faultfs_fail(n, FAULTFS_ALL & ~FAULTFS_BIT(FAULTFS_CLOSE), EIO, FAULTFS_ONCE_MINE);
        int rc = store_new_epoch(feed.store, name, STORE_JOINS, &err);
        bool failed = faultfs_failed(what);
        faultfs_fail(0, 0, 0, FAULTFS_ONCE);
        assert_int_equal(rc, failed ? -1 : 0);
        if (!failed)
            break;
        assert_string_equal(store_source(feed.store), "second");
        assert_chain(1 + FEED_FILES, 1);
        snprintf(path, sizeof path, "%s/0003-%s", dir, name);
        if (access(path, F_OK) == 0)
            check_rmdir(strdup(path));
    }
    assert_chain(1 + FEED_FILES, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(archive_joined_epoch_is_chained),
        TEST(archive_diverged_epoch_is_not_chained),
        TEST(archive_joined_epoch_begins_with_the_gtids_of_the_other),
        TEST(archive_older_files_are_served_before_the_epoch_has_any),
        TEST(archive_chain_of_three),
        TEST(archive_removed_folder_ends_the_chain),
        TEST(archive_damaged_follows_ends_the_chain),
        TEST(archive_source_with_a_hole_before_its_first_file_is_refused),
        TEST(archive_ends_when_the_files_behind_it_are_purged),
        TEST(archive_any_call_failing_at_start_ends_the_chain_at_most),
        TEST(archive_any_call_failing_at_a_join_leaves_the_epoch),
    };
    return RUN_TESTS(tests);
}
