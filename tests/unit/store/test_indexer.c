/* The GTID index of a store: written as files become complete, and made anew from the files when it
 * is missing, damaged or stale. */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPLETE (FEED_FILES - 1) /* the last file can still grow */
#define INDEX    "/" FEED_FOLDER "/mysql-bin.gtid.index"

static struct feed_source source;
static struct feed feed;
static char *dir;
static char log_path[700];

static int set_up(void **state)
{
    (void)state;
    struct err err;
    dir = check_mkdir();
    snprintf(log_path, sizeof log_path, "%s/log", dir);
    feed_source_load(&source);
    return log_open(log_path, LOG_INFO, &err);
}

static int tear_down(void **state)
{
    (void)state;
    feed_close(&feed);
    feed_source_free(&source);
    log_close();
    check_rmdir(dir);
    return 0;
}

static void open_store(void)
{
    if (feed_open(&feed, &source, dir, feed_fast_fs()) < 0)
        fail_msg("%s", feed.err.text);
}

/* A closed store that holds all three files. */
static void make_store(void)
{
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_all(&feed), 0);
    feed_close(&feed);
}

static struct bytes read_path(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return bytes_of(NULL, 0);
    uint8_t *data = mem_alloc(1u << 16);
    size_t n = fread(data, 1, 1u << 16, f);
    fclose(f);
    return bytes_of(data, n);
}

static void free_bytes(struct bytes b)
{
    free((void *)(uintptr_t)b.p);
}

static char *index_path(void)
{
    static char path[700];
    snprintf(path, sizeof path, "%s" INDEX, dir);
    return path;
}

static void put_index(struct bytes data)
{
    FILE *f = fopen(index_path(), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data.p, 1, data.n, f), data.n);
    fclose(f);
}

static bool log_says(const char *text)
{
    struct bytes log = read_path(log_path);
    bool says = log.p && memmem(log.p, log.n, text, strlen(text));
    free_bytes(log);
    return says;
}

/* All GTIDs of the source's files: each has one block. */
static void add_all(struct gtid_set *all)
{
    struct gtid_set one;
    struct err err;
    gtid_set_init(&one);
    for (size_t i = 0; i < FEED_FILES; i++) {
        BUG_ON(source.index[i].n != 1);
        BUG_ON(gtid_set_decode(buf_bytes(&source.index[i].sets), &one, &err) < 0);
        gtid_set_union(all, &one);
    }
    gtid_set_fini(&one);
}

/* How many complete files' blocks the open store knows. */
static size_t known_files(void)
{
    size_t n = 0;
    struct gtid_set all;
    gtid_set_init(&all);
    add_all(&all);
    for (size_t i = 0; i < COMPLETE; i++) {
        struct gtid_run got = store_gtid_run(feed.store, &source.name[i], 0, &all);
        struct gtid_run want = gtid_index_run(&source.index[i], 0, &all);
        n += got.from == want.from && got.to == want.to;
    }
    gtid_set_fini(&all);
    return n;
}

/* Opens the store, waits until all files' blocks are known, and closes it. */
static void open_until_known(void)
{
    open_store();
    while (known_files() < COMPLETE)
        feed_work(&feed);
    assert_null(feed_check(&feed, dir, true));
    feed_close(&feed);
}

static void index_is_written_as_files_become_complete(void **state)
{
    (void)state;
    make_store();
    struct bytes index = read_path(index_path()), in = index;
    assert_non_null(index.p);
    assert_true(in.n > gtid_index_magic().n);
    in = bytes_skip(in, gtid_index_magic().n);
    for (size_t i = 0; i < COMPLETE; i++) {
        struct gtid_index_record r;
        assert_int_equal(gtid_index_decode(&r, &in), 0);
        assert_int_equal(r.number, i + 1);
        assert_int_equal(r.size, source.data[i].n);
        assert_int_equal(r.index.n, 1);
        assert_int_equal(r.index.at[0].start, source.index[i].at[0].start);
        assert_int_equal(r.index.at[0].end, source.index[i].at[0].end);
        assert_true(bytes_eq(buf_bytes(&r.index.sets), buf_bytes(&source.index[i].sets)));
        gtid_index_fini(&r.index);
    }
    assert_int_equal(in.n, 0);
    free_bytes(index);
}

/* T passes the files' ends only in the sync of the stop. */
static void index_is_written_at_a_stop(void **state)
{
    (void)state;
    struct err err;
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    while (feed_cmp(feed.at, feed_end(&source)) < 0)
        assert_int_equal(feed_event(&feed), 0);
    store_publish(feed.store);
    assert_int_equal(store_stop(feed.store, &err), 0);
    feed_close(&feed);
    open_store();
    assert_int_equal(known_files(), COMPLETE);
    feed_close(&feed);
    assert_false(log_says("made anew"));
}

static void index_that_is_good_is_not_made_anew(void **state)
{
    (void)state;
    make_store();
    open_store();
    assert_int_equal(known_files(), COMPLETE);
    feed_close(&feed);
    assert_false(log_says("made anew"));
}

static void index_missing_is_made_anew(void **state)
{
    (void)state;
    make_store();
    struct bytes before = read_path(index_path());
    unlink(index_path());
    open_until_known();
    assert_true(log_says("the GTID index of 2 files was made anew"));
    struct bytes after = read_path(index_path());
    assert_int_equal(after.n, before.n); /* the newest comes first */
    free_bytes(before);
    free_bytes(after);
    open_store();
    assert_int_equal(known_files(), COMPLETE);
}

static void index_damaged_anywhere_is_made_anew(void **state)
{
    (void)state;
    make_store();
    struct bytes good = read_path(index_path());
    uint8_t *bad = mem_alloc(good.n);
    for (size_t i = 0; i < good.n; i += 3) {
        memcpy(bad, good.p, good.n);
        bad[i] ^= 0x40;
        put_index(bytes_of(bad, good.n));
        open_until_known();
        open_store();
        assert_int_equal(known_files(), COMPLETE);
        feed_close(&feed);
    }
    assert_true(log_says("mysql-bin.gtid.index is damaged: made anew"));
    free(bad);
    free_bytes(good);
}

static void index_cut_anywhere_is_made_anew(void **state)
{
    (void)state;
    make_store();
    struct bytes good = read_path(index_path());
    for (size_t n = 0; n < good.n; n += 3) {
        put_index(bytes_of(good.p, n));
        open_until_known();
    }
    free_bytes(good);
}

static void index_of_other_files_is_ignored(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        int64_t size; /* against the real one */
    } cases[] = {{1, 1}, {1, -1}, {0, 0}, {4, 0}, {UINT64_MAX, 0}};
    make_store();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = {0};
        struct gtid_index wrong = {0};
        struct gtid g = {.sid = {1}, .gno = 1};
        gtid_index_add(&wrong, 4, 100, &g, 1);
        gtid_index_break(&wrong);
        wr_bytes(&out, gtid_index_magic());
        gtid_index_encode(&wrong, cases[i].number, source.data[0].n + (uint64_t)cases[i].size,
                          &out);
        put_index(buf_bytes(&out));
        gtid_index_fini(&wrong);
        buf_fini(&out);
        open_until_known();
    }
}

/* A file that is damaged is served as it is; it only gets no index. */
static void index_of_a_damaged_file_is_not_made(void **state)
{
    (void)state;
    char path[700];
    make_store();
    unlink(index_path());
    snprintf(path, sizeof path, "%s/" FEED_FOLDER "/mysql-bin.000001", dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, 700, SEEK_SET);
    fputc(0x55, f);
    fclose(f);
    open_store();
    while (!log_says("mysql-bin.000001 gets no GTID index: "))
        feed_work(&feed);
    assert_int_equal(known_files(), 1);
}

static void index_goes_on_after_a_reconnect(void **state)
{
    (void)state;
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, (struct feed_place){0, 1400}), 0);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, (struct feed_place){1, 700}), 0);
    assert_int_equal(feed_settle_from_start(&feed), 0);
    assert_int_equal(feed_all(&feed), 0);
    assert_int_equal(known_files(), COMPLETE);
}

static void index_goes_on_after_a_restart(void **state)
{
    (void)state;
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, (struct feed_place){0, 1400}), 0);
    feed_close(&feed);
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_all(&feed), 0);
    assert_int_equal(known_files(), COMPLETE);
    assert_false(log_says("made anew"));
}

/* Records of files that are gone make room for those that are there. */
static void index_full_of_old_records_is_written_anew(void **state)
{
    (void)state;
    struct buf out = {0};
    struct stat st;
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, (struct feed_place){1, 700}), 0);
    feed_close(&feed);
    struct bytes good = read_path(index_path());
    wr_bytes(&out, good);
    while (out.len < 2u << 20)
        gtid_index_encode(&source.index[0], 1000000, 5, &out);
    put_index(buf_bytes(&out));
    make_store();
    assert_int_equal(stat(index_path(), &st), 0);
    assert_true(st.st_size < 1000);
    open_store();
    assert_int_equal(known_files(), COMPLETE);
    free_bytes(good);
    buf_fini(&out);
}

static void index_of_another_epoch_begins_anew(void **state)
{
    (void)state;
    make_store();
    open_store();
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "other", STORE_DIVERGES, &feed.err), 0);
    assert_int_equal(known_files(), 0);
    feed.at = (struct feed_place){0, 0};
    feed.reported = false;
    assert_int_equal(feed_all(&feed), 0);
    assert_int_equal(known_files(), COMPLETE);
    feed_close(&feed);
    open_store();
    assert_string_equal(store_source(feed.store), "other");
    assert_int_equal(known_files(), COMPLETE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(index_is_written_as_files_become_complete), TEST(index_is_written_at_a_stop),
        TEST(index_that_is_good_is_not_made_anew),       TEST(index_missing_is_made_anew),
        TEST(index_damaged_anywhere_is_made_anew),       TEST(index_cut_anywhere_is_made_anew),
        TEST(index_of_other_files_is_ignored),           TEST(index_of_a_damaged_file_is_not_made),
        TEST(index_goes_on_after_a_reconnect),           TEST(index_goes_on_after_a_restart),
        TEST(index_full_of_old_records_is_written_anew), TEST(index_of_another_epoch_begins_anew),
    };
    return RUN_TESTS(tests);
}
