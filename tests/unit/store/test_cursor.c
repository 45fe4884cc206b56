/* Cursors: they read the source's bytes in order, up to T and never beyond, and wait for no disk.
 */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/cursor.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PLACE(f, p) ((struct feed_place){f, p})

static struct feed_source source;
static struct feed feed;
static char *dir;
static struct cursor cursor;
static struct err err;
static struct worker *worker;
static sem_t woken;
static unsigned fetched;

static struct {
    bool cold;
    int error; /* of pread_cached */
} disk;

static ssize_t test_pread_cached(int fd, void *buf, size_t n, off_t off)
{
    if (disk.cold || disk.error) {
        errno = disk.cold ? EAGAIN : disk.error;
        return -1;
    }
    return pread(fd, buf, n, off);
}

static const struct fs *test_fs(void)
{
    static struct fs table;
    table = *feed_fast_fs();
    table.pread_cached = test_pread_cached;
    return &table;
}

static void wake(void *ctx)
{
    (void)ctx;
    sem_post(&woken);
}

static void on_fetched(void *ctx)
{
    (void)ctx;
    fetched++;
}

static void open_store(void)
{
    if (feed_open(&feed, &source, dir, test_fs()) < 0)
        fail_msg("%s", feed.err.text);
    assert_int_equal(feed_settle(&feed), 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof disk);
    fetched = 0;
    cursor = (struct cursor){.fd = -1};
    log_open("/dev/null", LOG_ERROR, &err);
    feed_source_load(&source);
    dir = check_mkdir();
    sem_init(&woken, 0, 0);
    worker = worker_new(wake, NULL);
    open_store();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cursor_close(&cursor);
    worker_free(worker);
    feed_close(&feed);
    feed_source_free(&source);
    sem_destroy(&woken);
    check_rmdir(dir);
    log_close();
    return 0;
}

static void open_at(size_t file, uint64_t pos)
{
    if (cursor_open(&cursor, feed.store, &source.name[file], pos, &err) < 0)
        fail_msg("%s", err.text);
}

static enum cursor_result peek(uint64_t skip, size_t n, size_t *got)
{
    static uint8_t data[4096];
    enum cursor_result r = cursor_peek(&cursor, skip, data, n, got, &err);
    if (r == CURSOR_DATA) {
        struct bytes all = source.data[cursor.file.number - 1];
        uint64_t at = cursor.pos + skip;
        assert_true(*got >= 1 && *got <= n && at + *got <= all.n);
        assert_memory_equal(data, all.p + at, *got);
    }
    return r;
}

/* Reads on in pieces; returns how many bytes came before the end. */
static uint64_t read_on(size_t piece, enum cursor_result *end)
{
    uint64_t n = 0;
    size_t got;
    while ((*end = peek(0, piece, &got)) == CURSOR_DATA) {
        cursor_advance(&cursor, got);
        n += got;
    }
    return n;
}

static void cursor_reads_all_files_in_order(void **state)
{
    (void)state;
    enum cursor_result end;
    assert_int_equal(feed_all(&feed), 0);
    open_at(0, 0);
    for (size_t i = 0; i < FEED_FILES; i++) {
        assert_int_equal(read_on(100 + i, &end), source.data[i].n);
        if (i + 1 == FEED_FILES)
            break;
        assert_int_equal(end, CURSOR_FILE_END);
        assert_int_equal(cursor_next_file(&cursor, &err), 0);
        assert_int_equal(cursor.pos, 0);
    }
    assert_int_equal(end, CURSOR_AT_END);
    assert_int_equal(cursor_next_file(&cursor, &err), -1);
    assert_string_equal(err.text, "no file follows mysql-bin.000003");
}

static void cursor_never_reads_beyond_t(void **state)
{
    (void)state;
    enum cursor_result end;
    assert_int_equal(feed_until(&feed, PLACE(0, 900)), 0); /* T is 754, in 754 .. 1000 */
    open_at(0, 0);
    assert_int_equal(read_on(4096, &end), 754);
    assert_int_equal(end, CURSOR_AT_END);
    size_t got;
    assert_int_equal(peek(1, 10, &got), CURSOR_AT_END);
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    assert_int_equal(read_on(4096, &end), 1000 - 754);
    assert_int_equal(end, CURSOR_AT_END);
    assert_int_equal(feed_until(&feed, PLACE(1, 300)), 0); /* the file is complete now */
    assert_int_equal(read_on(4096, &end), source.data[0].n - 1000);
    assert_int_equal(end, CURSOR_FILE_END);
}

static void cursor_peeks_ahead_without_moving(void **state)
{
    (void)state;
    size_t got;
    assert_int_equal(feed_all(&feed), 0);
    open_at(1, 123);
    assert_int_equal(peek(50, 10, &got), CURSOR_DATA);
    assert_int_equal(got, 10);
    assert_int_equal(cursor.pos, 123);
    assert_int_equal(peek(source.data[1].n - 123 - 3, 10, &got), CURSOR_DATA);
    assert_int_equal(got, 3);
    assert_int_equal(peek(source.data[1].n - 123, 10, &got), CURSOR_FILE_END);
}

static void cursor_opens_only_what_is_served(void **state)
{
    (void)state;
    struct cursor other;
    assert_int_equal(cursor_open(&other, feed.store, &source.name[0], 0, &err), -1);
    assert_int_equal(feed_until(&feed, PLACE(0, 900)), 0);
    assert_int_equal(cursor_open(&other, feed.store, &source.name[1], 0, &err), -1);
    assert_string_equal(err.text, "mysql-bin.000002 is not served");
}

static void cursor_on_a_file_that_cannot_be_opened_fails(void **state)
{
    (void)state;
    char path[700];
    struct cursor other;
    assert_int_equal(feed_all(&feed), 0);
    snprintf(path, sizeof path, "%s/" FEED_FOLDER "/mysql-bin.000001", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cursor_open(&other, feed.store, &source.name[0], 0, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "mysql-bin.000001"));
    open_at(1, 4); /* the others are served */
}

/* Though the next joins it, and has a file of the same name. */
static void cursor_by_name_ends_with_its_epoch(void **state)
{
    (void)state;
    size_t got;
    assert_int_equal(feed_all(&feed), 0);
    open_at(0, 0);
    struct gtid_run run = cursor_gtid_run(&cursor, store_gtids(feed.store));
    assert_true(run.from < run.to);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "other", STORE_JOINS, &err), 0);
    feed.at = PLACE(0, 0);
    feed.reported = false;
    assert_int_equal(feed_all(&feed), 0);
    run = cursor_gtid_run(&cursor, store_gtids(feed.store));
    assert_true(run.from == run.to);
    cursor_advance(&cursor, source.data[0].n);
    assert_int_equal(peek(0, 10, &got), CURSOR_FAILED);
    assert_string_equal(err.text, "the source's history was replaced by another");
    assert_int_equal(cursor_next_file(&cursor, &err), -1);
}

/* From the end of an epoch on to the next as soon as that holds anything, under a running cursor.
 */
static void cursor_goes_along_the_chain(void **state)
{
    (void)state;
    enum cursor_result end;
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    struct store_chained first = store_chain_file(feed.store, 0);
    assert_int_equal(cursor_open_chained(&cursor, feed.store, &first, &err), 0);
    assert_int_equal(read_on(300, &end), 1000);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "other", STORE_JOINS, &err), 0);
    size_t got;
    assert_int_equal(peek(0, 10, &got), CURSOR_AT_END);
    assert_int_equal(cursor_next_file(&cursor, &err), -1);
    feed.at = PLACE(0, 0);
    feed.reported = false;
    assert_int_equal(feed_until(&feed, PLACE(1, 300)), 0);
    assert_int_equal(peek(0, 10, &got), CURSOR_FILE_END);
    struct gtid_run run = cursor_gtid_run(&cursor, store_gtids(feed.store));
    assert_true(run.from == run.to);
    for (uint64_t i = 1; i <= 2; i++) {
        assert_int_equal(cursor_next_file(&cursor, &err), 0);
        assert_int_equal(cursor.epoch, 2);
        assert_int_equal(cursor.file.number, i);
        read_on(300, &end);
    }
    assert_int_equal(end, CURSOR_AT_END);
}

static void cursor_along_the_chain_ends_where_it_diverges(void **state)
{
    (void)state;
    size_t got;
    assert_int_equal(feed_until(&feed, PLACE(0, 1000)), 0);
    struct store_chained first = store_chain_file(feed.store, 0);
    assert_int_equal(cursor_open_chained(&cursor, feed.store, &first, &err), 0);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "other", STORE_DIVERGES, &err), 0);
    cursor_advance(&cursor, 1000);
    assert_int_equal(peek(0, 10, &got), CURSOR_FAILED);
    assert_string_equal(err.text, "the source's history was replaced by another");
}

static void cursor_says_what_a_replica_has(void **state)
{
    (void)state;
    assert_int_equal(feed_all(&feed), 0);
    const struct gtid_set *all = store_gtids(feed.store);
    open_at(0, 0);
    struct gtid_run want = gtid_index_run(&source.index[0], 0, all);
    struct gtid_run run = cursor_gtid_run(&cursor, all);
    assert_true(want.from < want.to);
    assert_int_equal(run.from, want.from);
    assert_int_equal(run.to, want.to);
    cursor_advance(&cursor, want.from + 1);
    run = cursor_gtid_run(&cursor, all);
    assert_true(run.from == run.to);
}

static void cursor_cold_is_fetched_by_the_worker(void **state)
{
    (void)state;
    size_t got;
    assert_int_equal(feed_all(&feed), 0);
    open_at(0, 0);
    disk.cold = true;
    assert_int_equal(peek(0, 10, &got), CURSOR_COLD);
    cursor_fetch(&cursor, worker, 0, on_fetched, NULL);
    assert_non_null(cursor.fetch);
    while (!fetched) {
        sem_wait(&woken);
        worker_reap(worker);
    }
    assert_null(cursor.fetch);
    disk.cold = false;
    assert_int_equal(peek(0, 10, &got), CURSOR_DATA);
}

static void cursor_closed_during_a_fetch_hears_nothing(void **state)
{
    (void)state;
    assert_int_equal(feed_all(&feed), 0);
    open_at(0, 0);
    cursor_fetch(&cursor, worker, 0, on_fetched, NULL);
    cursor_close(&cursor);
    sem_wait(&woken);
    worker_reap(worker);
    assert_int_equal(fetched, 0);
}

static void cursor_read_error_fails(void **state)
{
    (void)state;
    size_t got;
    assert_int_equal(feed_all(&feed), 0);
    open_at(0, 0);
    disk.error = EIO;
    assert_int_equal(peek(0, 10, &got), CURSOR_FAILED);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "cannot read mysql-bin.000001"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(cursor_reads_all_files_in_order),
        TEST(cursor_never_reads_beyond_t),
        TEST(cursor_peeks_ahead_without_moving),
        TEST(cursor_opens_only_what_is_served),
        TEST(cursor_on_a_file_that_cannot_be_opened_fails),
        TEST(cursor_by_name_ends_with_its_epoch),
        TEST(cursor_goes_along_the_chain),
        TEST(cursor_along_the_chain_ends_where_it_diverges),
        TEST(cursor_says_what_a_replica_has),
        TEST(cursor_cold_is_fetched_by_the_worker),
        TEST(cursor_closed_during_a_fetch_hears_nothing),
        TEST(cursor_read_error_fails),
    };
    return RUN_TESTS(tests);
}
