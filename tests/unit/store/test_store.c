/* The store as a whole: appending, resuming, recovery, and what is left after failed calls, a full
 * disk and power cuts at every step. */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "faultfs.h"
#include "store/watermark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct feed_source source;
static struct feed feed;

static int set_up(void **state)
{
    struct err err;
    (void)state;
    feed_source_load(&source);
    return log_open("/dev/null", LOG_ERROR, &err);
}

static int tear_down(void **state)
{
    (void)state;
    feed_source_free(&source);
    log_close();
    return 0;
}

#define PLACE(f, p) ((struct feed_place){f, p})
#define assert_place(a, b)                                                                         \
    do {                                                                                           \
        assert_int_equal((a).file, (b).file);                                                      \
        assert_int_equal((a).pos, (b).pos);                                                        \
    } while (0)
#define assert_good(dir, recovered)                                                                \
    do {                                                                                           \
        const char *wrong_ = feed_check(&feed, dir, recovered);                                    \
        if (wrong_)                                                                                \
            fail_msg("%s", wrong_);                                                                \
    } while (0)

static void open_good(const char *dir)
{
    if (feed_open(&feed, &source, dir, feed_fast_fs()) < 0)
        fail_msg("%s", feed.err.text);
}

/* Feeds what begins before the place to a new store, and closes it. */
static char *dir_until(struct feed_place end)
{
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, end), 0);
    feed_close(&feed);
    return dir;
}

static void path_in(char dst[700], const char *dir, const char *name)
{
    snprintf(dst, 700, "%s/" FEED_FOLDER "/%s", dir, name);
}

static void put_file(const char *dir, const char *name, struct bytes data, const char *mode)
{
    char path[700];
    path_in(path, dir, name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    assert_int_equal(fwrite(data.p, 1, data.n, f), data.n);
    fclose(f);
}

static long size_of(const char *dir, const char *name)
{
    char path[700];
    struct stat st;
    path_in(path, dir, name);
    return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* How many files whose name holds the text; the last one's name in found. */
static int count_files(const char *dir, const char *text, char found[300])
{
    char path[700];
    path_in(path, dir, "");
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, text)) {
            n++;
            snprintf(found, 300, "%s", e->d_name);
        }
    closedir(d);
    return n;
}

/* What was reported durable must be there, and the source's bytes; then all is fed. */
static const char *reopen_and_finish(const char *dir, struct feed_place least)
{
    if (feed_open(&feed, &source, dir, feed_fast_fs()) < 0)
        return feed.err.text;
    const char *wrong = feed_check(&feed, dir, true);
    if (!wrong && feed_cmp(feed_t(&feed), least) < 0)
        wrong = "what was durable is gone";
    feed_close(&feed);
    if (wrong)
        return wrong;
    if (feed_open(&feed, &source, dir, feed_fast_fs()) < 0)
        return feed.err.text; /* a recovery must not make the next one fail */
    if (feed_settle(&feed) < 0 || feed_all(&feed) < 0)
        wrong = feed.err.text;
    else
        wrong = feed_check(&feed, dir, true);
    feed_close(&feed);
    return wrong;
}

/* ---- appending ---- */

static void store_append_three_files_all_durable(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_true(store_empty(feed.store));
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_all(&feed), 0);
    assert_place(feed_t(&feed), feed_end(&source));
    assert_good(dir, true);
    assert_int_equal(store_bytes(feed.store),
                     source.data[0].n + source.data[1].n + source.data[2].n);
    feed_close(&feed);
    open_good(dir);
    assert_place(feed_t(&feed), feed_end(&source));
    assert_good(dir, true);
    assert_int_equal(store_bytes(feed.store),
                     source.data[0].n + source.data[1].n + source.data[2].n);
    assert_string_equal(store_source(feed.store), FEED_SOURCE);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_append_inside_transaction_leaves_t_at_its_begin(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(0, 900)), 0); /* in 754 .. 1000 */
    assert_place(feed_t(&feed), PLACE(0, 754));
    assert_int_equal(store_received(feed.store).pos, 929);
    assert_good(dir, false);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_append_small_ring_waits_for_room(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    feed = (struct feed){.ring_size = 512};
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    while (feed_cmp(feed.at, feed_end(&source)) < 0) {
        assert_int_equal(feed_event(&feed), 0);
        store_publish(feed.store);
    }
    assert_int_equal(feed_sync(&feed), 0);
    assert_good(dir, true);
    assert_true(feed.rooms > 0);
    feed_close(&feed);
    feed = (struct feed){0};
    check_rmdir(dir);
}

/* ---- resuming ---- */

static void store_resume_every_place_goes_on_to_the_same_end(void **state)
{
    (void)state;
    struct feed_place end = PLACE(0, 0);
    for (;;) {
        char *dir = check_mkdir();
        open_good(dir);
        assert_int_equal(feed_settle(&feed), 0);
        assert_int_equal(feed_until(&feed, end), 0);
        struct feed_place t = feed_t(&feed), next = feed.at;
        if (end.pos % 2 && feed_cmp(next, feed_end(&source)) <
                               0) /* half of them without the publish, so that events are lost */
            assert_int_equal(feed_event(&feed), 0);
        assert_int_equal(feed_settle(&feed), 0);
        assert_true(feed_cmp(feed_t(&feed), t) >= 0);
        assert_int_equal(feed_all(&feed), 0);
        assert_good(dir, true);
        assert_int_equal(store_bytes(feed.store),
                         source.data[0].n + source.data[1].n + source.data[2].n);
        feed_close(&feed);
        check_rmdir(dir);
        if (feed_cmp(next, feed_end(&source)) >= 0)
            break;
        end = PLACE(next.file, next.pos + 1);
    }
}

static void store_resume_after_half_an_event_forgets_it(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(0, 900)), 0);
    assert_true(store_has_room(feed.store, 30));
    store_append(feed.store, bytes_of(source.data[0].p + 929, 30));
    store_publish(feed.store);
    assert_int_equal(feed_settle(&feed), 0);
    assert_place(feed_t(&feed), PLACE(0, 754));
    assert_int_equal(store_resume_pos(feed.store).pos, 663);
    assert_int_equal(size_of(dir, "mysql-bin.000001"), 754);
    assert_int_equal(feed_all(&feed), 0);
    assert_good(dir, true);
    feed_close(&feed);
    check_rmdir(dir);
}

static void begin_half_a_file(size_t file, bool publish)
{
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(file, 0)), 0);
    assert_true(store_can_begin_file(feed.store));
    assert_int_equal(store_begin_file(feed.store, &source.name[file], &feed.err), 0);
    assert_true(store_has_room(feed.store, 50));
    store_append(feed.store, bytes_of(source.data[file].p + 4, 50));
    if (publish)
        store_publish(feed.store);
}

static void store_resume_after_half_a_first_event_begins_the_file_again(void **state)
{
    (void)state;
    for (size_t file = 0; file < FEED_FILES; file++)
        for (int publish = 0; publish < 2; publish++) {
            char *dir = check_mkdir();
            open_good(dir);
            begin_half_a_file(file, publish);
            assert_int_equal(feed_settle(&feed), 0);
            assert_true(store_empty(feed.store) == (file == 0));
            assert_int_equal(store_files(feed.store)->n, file);
            assert_int_equal(feed_all(&feed), 0);
            assert_good(dir, true);
            feed_close(&feed);
            check_rmdir(dir);
        }
}

static void store_reopen_twice_after_half_a_first_event_is_no_corruption(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    begin_half_a_file(1, true);
    feed_close(&feed);
    for (int i = 0; i < 2; i++) {
        open_good(dir);
        assert_place(feed_t(&feed), PLACE(0, 1716));
        feed_close(&feed);
    }
    check_rmdir(dir);
}

static void store_reopen_twice_inside_a_transaction_is_no_corruption(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 900));
    for (int i = 0; i < 2; i++) {
        open_good(dir);
        assert_place(feed_t(&feed), PLACE(0, 754));
        assert_good(dir, true);
        feed_close(&feed);
    }
    check_rmdir(dir);
}

static void store_reopen_after_a_format_alone_keeps_the_gtids(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(1, 100));
    open_good(dir);
    assert_place(feed_t(&feed), PLACE(1, 123));
    assert_good(dir, true);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_resume_from_start_compares_the_file(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(1, 500));
    open_good(dir);
    assert_int_equal(feed_settle_from_start(&feed), 0);
    assert_place(feed.at, PLACE(1, 4));
    assert_int_equal(feed_all(&feed), 0);
    assert_good(dir, true);
    feed_close(&feed);
    check_rmdir(dir);
}

/* ---- MariaDB's GTIDs ---- */

#define MARIA_BEFORE "2-1-18446744073709551615,7-1-1,4294967295-4294967295-1"

static const char *maria_text(const struct maria_state *s)
{
    static char text[200];
    struct buf b = {0};
    maria_state_format(s, &b);
    wr_u8(&b, 0);
    snprintf(text, sizeof text, "%s", (const char *)buf_bytes(&b).p);
    buf_fini(&b);
    return text;
}

/* Its first file is of a MariaDB; nothing behind that is fed. */
static void load_maria(struct feed_source *maria)
{
    feed_source_load(maria);
    free((void *)(uintptr_t)maria->data[0].p);
    size_t n;
    const uint8_t *p = check_data("binlog/mariadb-10.11-domains.binlog", &n);
    maria->data[0] = bytes_of(p, n);
}

static void store_maria_gtids_are_those_up_to_t(void **state)
{
    (void)state;
    static const struct {
        uint64_t end; /* what begins before is fed */
        const char *gtids;
    } cases[] = {
        {300, "0-5-2,0-1-3," MARIA_BEFORE},  {600, "0-5-2,0-1-4," MARIA_BEFORE},
        {700, "0-5-2,0-1-4," MARIA_BEFORE},  {840, "0-1-4,0-5-5," MARIA_BEFORE},
        {1000, "0-1-4,0-5-6," MARIA_BEFORE}, {1200, "0-1-4,0-5-7," MARIA_BEFORE},
    };
    struct feed_source maria;
    load_maria(&maria);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *dir = check_mkdir();
        assert_int_equal(feed_open(&feed, &maria, dir, feed_fast_fs()), 0);
        assert_int_equal(feed_settle(&feed), 0);
        assert_int_equal(feed_until(&feed, PLACE(0, cases[i].end)), 0);
        assert_string_equal(maria_text(store_maria(feed.store)), cases[i].gtids);
        assert_string_equal(maria_text(store_gtid_list(feed.store, 0)),
                            "0-5-2,0-1-3," MARIA_BEFORE);
        feed_close(&feed);
        assert_int_equal(feed_open(&feed, &maria, dir, feed_fast_fs()), 0);
        assert_string_equal(maria_text(store_maria(feed.store)), cases[i].gtids);
        assert_string_equal(maria_text(store_gtid_list(feed.store, 0)),
                            "0-5-2,0-1-3," MARIA_BEFORE);
        assert_int_equal(feed_settle_from_start(&feed), 0);
        assert_int_equal(feed_until(&feed, PLACE(0, maria.data[0].n)), 0);
        assert_string_equal(maria_text(store_maria(feed.store)), "0-1-4,0-5-7," MARIA_BEFORE);
        feed_close(&feed);
        check_rmdir(dir);
    }
    feed_source_free(&maria);
}

static void store_resume_other_bytes_diverged_and_nothing_written(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 754));
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    uint8_t other[91];
    memcpy(other, source.data[0].p + 663, sizeof other);
    other[40] ^= 1;
    assert_true(store_has_room(feed.store, 200));
    store_append(feed.store, bytes_of(other, sizeof other));
    store_event_end(feed.store, sizeof other, TRX_ENDED, NULL);
    assert_int_equal(feed_sync(&feed), -1);
    assert_int_equal(feed.err.kind, ERR_DIVERGED);
    assert_non_null(strstr(feed.err.text, "sends other bytes for mysql-bin.000001 at 663"));
    assert_int_equal(size_of(dir, "mysql-bin.000001"), 754);
    feed.failed = false;
    store_restart(feed.store);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_all(&feed), 0);
    assert_good(dir, true);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_next_file_before_all_is_compared_diverged(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 1716));
    open_good(dir);
    assert_int_equal(feed_settle_from_start(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(0, 754)), 0);
    assert_true(store_can_begin_file(feed.store));
    assert_int_equal(store_begin_file(feed.store, &source.name[1], &feed.err), -1);
    assert_int_equal(feed.err.kind, ERR_DIVERGED);
    assert_non_null(strstr(feed.err.text, "ends at 754 on the source, but 1716 bytes"));
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_next_file_not_the_successor_diverged(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(0, 1716)), 0);
    assert_true(store_can_begin_file(feed.store));
    assert_int_equal(store_begin_file(feed.store, &source.name[2], &feed.err), -1);
    assert_int_equal(feed.err.kind, ERR_DIVERGED);
    assert_int_equal(store_begin_file(feed.store, &source.name[0], &feed.err), -1);
    assert_int_equal(feed.err.kind, ERR_DIVERGED);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_next_file_there_already_diverged_and_left_alone(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(feed_until(&feed, PLACE(0, 1716)), 0);
    put_file(dir, "mysql-bin.000002", bytes_str("not ours"), "wb");
    assert_int_equal(feed_all(&feed), -1);
    assert_int_equal(feed.err.kind, ERR_DIVERGED);
    feed.failed = false;
    store_restart(feed.store);
    assert_int_equal(feed_settle(&feed), 0);
    assert_place(feed_t(&feed), PLACE(0, 1716));
    assert_int_equal(size_of(dir, "mysql-bin.000002"), 8);
    feed_close(&feed);
    check_rmdir(dir);
}

/* Resumes while syncs are under way, many times: T must hold what the cut left. */
static void store_resume_while_syncing_t_is_the_files_end(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    for (int i = 0; i < 2000; i++) {
        for (int n = 0; n < 6 && feed_cmp(feed.at, feed_end(&source)) < 0; n++)
            assert_int_equal(feed_event(&feed), 0);
        store_publish(feed.store);
        store_resume(feed.store);
        while (!store_settled(feed.store))
            store_work(feed.store);
        struct feed_place t = feed_t(&feed);
        if (t.pos)
            assert_int_equal(size_of(dir, source.name[t.file].text), t.pos);
        store_work(feed.store);
        assert_place(feed_t(&feed), t);
        assert_int_equal(feed_settle(&feed), 0);
        if (feed_cmp(feed.at, PLACE(2, 700)) > 0) {
            feed_close(&feed);
            check_rmdir(dir);
            dir = check_mkdir();
            open_good(dir);
            assert_int_equal(feed_settle(&feed), 0);
        }
    }
    feed_close(&feed);
    check_rmdir(dir);
}

/* ---- opening ---- */

static void store_open_index_missing_or_wrong_made_anew(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(1, 742));
    put_file(dir, "mysql-bin.index", bytes_str("./mysql-bin.000009\n"), "wb");
    open_good(dir);
    assert_good(dir, true);
    feed_close(&feed);
    char path[700];
    path_in(path, dir, "mysql-bin.index");
    unlink(path);
    open_good(dir);
    assert_good(dir, true);
    feed_close(&feed);
    check_rmdir(dir);
}

static void assert_open_fails(const char *dir, enum err_kind kind, const char *text)
{
    assert_int_equal(feed_open(&feed, &source, dir, feed_fast_fs()), -1);
    assert_int_equal(feed.err.kind, kind);
    if (!strstr(feed.err.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, feed.err.text);
}

static void store_open_middle_file_missing_corrupt(void **state)
{
    (void)state;
    char path[700];
    char *dir = dir_until(feed_end(&source));
    path_in(path, dir, "mysql-bin.000002");
    unlink(path);
    assert_open_fails(dir, ERR_CORRUPT, "mysql-bin.000001 is followed by mysql-bin.000003");
    check_rmdir(dir);
}

static void store_open_last_file_missing_corrupt(void **state)
{
    (void)state;
    char path[700];
    char *dir = dir_until(feed_end(&source));
    path_in(path, dir, "mysql-bin.000003");
    unlink(path);
    assert_open_fails(dir, ERR_CORRUPT, "mysql-bin.000003 was stored, but it is gone");
    check_rmdir(dir);
}

static void store_open_damaged_below_the_bound_corrupt_and_unchanged(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 1716));
    uint8_t damaged[1716];
    memcpy(damaged, source.data[0].p, sizeof damaged);
    damaged[1700] ^= 4;
    put_file(dir, "mysql-bin.000001", bytes_of(damaged, sizeof damaged), "wb");
    assert_open_fails(dir, ERR_CORRUPT, "in what was durable already; nothing was changed");
    assert_int_equal(size_of(dir, "mysql-bin.000001"), 1716);
    check_rmdir(dir);
}

static void store_open_last_file_shorter_than_the_bound_corrupt(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 1716));
    put_file(dir, "mysql-bin.000001", bytes_of(source.data[0].p, 1492), "wb");
    assert_open_fails(dir, ERR_CORRUPT, "before what was durable already");
    check_rmdir(dir);
}

/* A power cut soon after a file was begun can lose its first page and keep a later one. */
static void store_open_hole_in_a_file_behind_the_bound_is_a_torn_tail(void **state)
{
    (void)state;
    static const char *const bounds[] = {NULL, "mysql-bin.000001"};
    uint8_t image[742] = {0};
    memcpy(image + 512, source.data[1].p + 512, sizeof image - 512);
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        char *dir = dir_until(PLACE(0, 1716));
        char path[700];
        path_in(path, dir, "");
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (bounds[i])
            watermark_write(fs_posix(), fd, &source.name[0], 1246);
        else
            assert_int_equal(watermark_begin(fs_posix(), fd, &feed.err), 0);
        close(fd);
        put_file(dir, "mysql-bin.000002", bytes_of(image, sizeof image), "wb");
        const char *wrong = reopen_and_finish(dir, PLACE(0, 1716));
        if (wrong)
            fail_msg("bound %zu: %s", i, wrong);
        check_rmdir(dir);
    }
}

static void store_open_torn_tail_kept_aside_and_cut(void **state)
{
    (void)state;
    char torn[300];
    char *dir = dir_until(PLACE(0, 754));
    /* twice within a second: each tail has its own name */
    for (int i = 1; i <= 2; i++) {
        put_file(dir, "mysql-bin.000001", bytes_of(source.data[0].p + 754, 200), "ab");
        open_good(dir);
        assert_place(feed_t(&feed), PLACE(0, 754));
        assert_good(dir, true);
        feed_close(&feed);
        assert_int_equal(count_files(dir, ".torn-", torn), i);
        assert_int_equal(size_of(dir, torn), 200);
    }
    check_rmdir(dir);
}

static void store_open_unbegun_last_file_moved_aside(void **state)
{
    (void)state;
    char torn[300];
    char *dir = dir_until(PLACE(0, 1716));
    for (int i = 1; i <= 2; i++) {
        put_file(dir, "mysql-bin.000002", bytes_of(source.data[1].p, 60), "wb");
        open_good(dir);
        assert_place(feed_t(&feed), PLACE(0, 1716));
        assert_good(dir, true);
        feed_close(&feed);
        assert_int_equal(count_files(dir, "000002.torn-", torn), i);
        assert_int_equal(size_of(dir, torn), 60);
    }
    check_rmdir(dir);
}

static void store_open_full_disk_leaves_no_part_of_a_tail(void **state)
{
    (void)state;
    char torn[300];
    char *dir = dir_until(PLACE(0, 754));
    put_file(dir, "mysql-bin.000001", bytes_of(source.data[0].p + 754, 200), "ab");
    faultfs_reset(NULL);
    faultfs_space(100);
    assert_int_equal(feed_open(&feed, &source, dir, faultfs()), -1);
    assert_int_equal(feed.err.kind, ERR_NO_SPACE);
    assert_int_equal(count_files(dir, ".torn-", torn), 0);
    assert_int_equal(size_of(dir, "mysql-bin.000001"), 954);
    check_rmdir(dir);
}

static void store_open_twice_second_is_refused(void **state)
{
    (void)state;
    char *dir = check_mkdir();
    open_good(dir);
    struct store_opts opts = {dir, feed_fast_fs(), 4096, NULL, NULL};
    struct err err;
    assert_null(store_open(&opts, &err));
    assert_int_equal(err.kind, ERR_OTHER);
    assert_non_null(strstr(err.text, "another binlogd is running on"));
    feed_close(&feed);
    open_good(dir);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_open_again_keeps_its_uuid(void **state)
{
    (void)state;
    char uuid[STORE_UUID_MAX];
    char *dir = check_mkdir();
    open_good(dir);
    snprintf(uuid, sizeof uuid, "%s", store_server_uuid(feed.store));
    assert_int_equal(strlen(uuid), 36);
    feed_close(&feed);
    open_good(dir);
    assert_string_equal(store_server_uuid(feed.store), uuid);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_open_bad_uuid_refused(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 4));
    put_file(dir, "../server-uuid", bytes_str("not a uuid\n"), "wb");
    assert_int_equal(feed_open(&feed, &source, dir, feed_fast_fs()), -1);
    assert_non_null(strstr(feed.err.text, "/server-uuid: "));
    check_rmdir(dir);
}

/* Though the loop never learnt that the last of it was synced. */
static void store_stop_leaves_the_bound_of_all_that_is_durable(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 4));
    char path[700];
    struct watermark mark;
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    feed.at = PLACE(0, store_write_pos(feed.store));
    while (feed.at.file == 0 && feed.at.pos < source.data[0].n)
        assert_int_equal(feed_event(&feed), 0);
    store_publish(feed.store);
    assert_int_equal(store_stop(feed.store, &feed.err), 0);
    feed_close(&feed);
    path_in(path, dir, "");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    watermark_read(&mark, fs_posix(), fd);
    close(fd);
    assert_string_equal(mark.name.text, "mysql-bin.000001");
    assert_int_equal(mark.pos, source.data[0].n);
    check_rmdir(dir);
}

static void store_new_epoch_begins_empty_and_keeps_the_old(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(1, 742));
    char path[700];
    struct stat st;
    open_good(dir);
    assert_int_equal(feed_settle(&feed), 0);
    assert_int_equal(store_new_epoch(feed.store, "other", STORE_DIVERGES, &feed.err), 0);
    assert_true(store_empty(feed.store));
    assert_string_equal(store_source(feed.store), "other");
    assert_true(gtid_set_empty(store_gtids(feed.store)));
    assert_int_equal(store_bytes(feed.store), 0);
    feed.at = PLACE(0, 0);
    feed.reported = false;
    assert_int_equal(feed_until(&feed, PLACE(0, 754)), 0);
    assert_int_equal(store_end(feed.store).pos, 754);
    feed_close(&feed);
    assert_int_equal(size_of(dir, "mysql-bin.000002"), 742);
    snprintf(path, sizeof path, "%s/0002-other/mysql-bin.000001", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 754);
    open_good(dir);
    assert_string_equal(store_source(feed.store), "other");
    assert_place(feed_t(&feed), PLACE(0, 754));
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_files_have_their_modes_whatever_the_umask(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(0, 754));
    struct stat st;
    char path[700];
    path_in(path, dir, "mysql-bin.000001");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777 & ~FS_FILE_MODE, 0);
    path_in(path, dir, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777 & ~FS_DIR_MODE, 0);
    check_rmdir(dir);
}

/* ---- every call fails once ---- */

/* Opens with the faulty file system and feeds all; the result of the run is in feed. */
static void run_with_faults(const char *dir)
{
    feed = (struct feed){.batch = 2};
    if (feed_open(&feed, &source, dir, faultfs()) == 0 && feed_settle(&feed) == 0)
        feed_all(&feed);
}

/* After a failure other than a full disk: nothing becomes durable any more, no call is made but
 * what a thread may be about to write to the GTID index, upon which nothing rests. */
static void check_stands_still(void)
{
    uint64_t synced = store_synced(feed.store);
    faultfs_record(FAULTFS_CHANGES);
    for (int i = 0; i < 3; i++) {
        store_publish(feed.store);
        store_work(feed.store);
        usleep(200);
    }
    assert_int_equal(store_synced(feed.store), synced);
    char *calls = faultfs_recorded();
    int of_its_rename = 0; /* the rename itself may be over */
    for (char *line = strtok(calls, "\n"); line; line = strtok(NULL, "\n")) {
        of_its_rename += strcmp(line, "fsync directory") == 0;
        if (!strstr(line, ".gtid.index") && strcmp(line, "fsync directory") != 0)
            fail_msg("%s after the failure", line);
    }
    assert_true(of_its_rename <= 1);
    free(calls);
}

static void fail_every_call(int errnum, unsigned mask, size_t write_max)
{
    char what[80];
    for (uint64_t n = 1;; n++) {
        char *dir = check_mkdir();
        faultfs_reset(dir);
        faultfs_write_at_most(write_max);
        faultfs_fail(n, mask, errnum, FAULTFS_ONCE);
        run_with_faults(dir);
        bool fired = faultfs_failed(what);
        bool again = feed.failed && feed.err.kind == ERR_NO_SPACE && feed.store;
        if (feed.broken)
            fail_msg("%s, %s failed: %s", strerrorname_np(errnum), what, feed.broken);
        if (feed.failed && feed.store && !again)
            check_stands_still();
        if (again && feed.at.pos + feed.at.file) { /* the same daemon goes on */
            feed.failed = false;
            store_restart(feed.store);
            if (feed_settle(&feed) < 0 || feed_all(&feed) < 0)
                fail_msg("after a restart: %s", feed.err.text);
            assert_good(dir, true);
        }
        struct feed_place t = feed.t;
        feed_close(&feed);
        const char *wrong = reopen_and_finish(dir, t);
        if (wrong)
            fail_msg("%s, call %d, %s failed: %s", strerrorname_np(errnum), (int)n, what, wrong);
        check_rmdir(dir);
        if (!fired) {
            print_message("%s: %d calls\n", strerrorname_np(errnum), (int)n - 1);
            break;
        }
    }
}

static void store_each_call_fails_with_eio_durable_is_kept(void **state)
{
    (void)state;
    fail_every_call(EIO, FAULTFS_ALL, 0);
}

/* A directory that a recovery has to do something with. */
static char *dir_to_recover(size_t kind)
{
    static const struct feed_place ends[] = {{0, 1246}, {0, 1716}, {1, 100}, {2, 787}};
    char *dir = dir_until(ends[kind]);
    if (kind == 0) /* a tail to cut */
        put_file(dir, "mysql-bin.000001", bytes_of(source.data[0].p + 1246, 200), "ab");
    if (kind == 1) /* a file to move aside */
        put_file(dir, "mysql-bin.000002", bytes_of(source.data[1].p, 77), "wb");
    if (kind == 2) /* GTIDs to be found in the file before; no index */
        put_file(dir, "mysql-bin.index", bytes_str(""), "wb");
    return dir;
}

static void store_each_call_of_a_recovery_fails_durable_is_kept(void **state)
{
    (void)state;
    static const struct feed_place least[] = {{0, 1246}, {0, 1716}, {1, 123}, {2, 787}};
    char what[80];
    for (size_t kind = 0; kind < COUNT_OF(least); kind++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            char *dir = dir_to_recover(kind);
            faultfs_reset(dir);
            faultfs_fail(n, FAULTFS_ALL, EIO, FAULTFS_ONCE);
            int rc = feed_open(&feed, &source, dir, faultfs());
            fired = faultfs_failed(what);
            bool root = n <= 2; /* the directory and its lock: an operator's mistake as a rule */
            if (rc < 0 && (!fired || feed.err.kind != (root ? ERR_OTHER : ERR_IO)))
                fail_msg("kind %zu, %s failed: %s", kind, what, feed.err.text);
            if (rc == 0)
                assert_place(feed_t(&feed), least[kind]);
            feed_close(&feed);
            const char *wrong = reopen_and_finish(dir, least[kind]);
            if (wrong)
                fail_msg("kind %zu, %s failed, then: %s", kind, what, wrong);
            check_rmdir(dir);
        }
    }
}

static void store_open_file_before_a_format_alone_damaged_corrupt(void **state)
{
    (void)state;
    char *dir = dir_until(PLACE(1, 100));
    put_file(dir, "mysql-bin.000001", bytes_of(source.data[0].p, 1500), "wb");
    assert_int_equal(feed_open(&feed, &source, dir, feed_fast_fs()), -1);
    assert_int_equal(feed.err.kind, ERR_CORRUPT);
    assert_non_null(strstr(feed.err.text, "mysql-bin.000001: "));
    assert_non_null(strstr(feed.err.text, "; nothing was changed"));
    check_rmdir(dir);
}

/* Its own name is durable before anything in it is. */
static void store_new_directory_whose_name_cannot_be_synced_is_an_io_error(void **state)
{
    (void)state;
    char *dir = check_mkdir(), path[700];
    snprintf(path, sizeof path, "%s/data", dir);
    for (uint64_t n = 2; n <= 3; n++) { /* behind mkdirat: the open of "..", its fsync */
        char what[80];
        faultfs_reset(NULL);
        faultfs_fail(n, FAULTFS_ALL, EIO, FAULTFS_ONCE);
        assert_int_equal(feed_open(&feed, &source, path, faultfs()), -1);
        assert_true(faultfs_failed(what));
        assert_string_equal(what, n == 2 ? "openat .." : "fsync ..");
        assert_int_equal(feed.err.kind, ERR_IO);
        feed_close(&feed);
        assert_int_equal(rmdir(path), 0);
    }
    faultfs_reset(NULL);
    open_good(path);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_directory_that_cannot_be_used_is_refused_with_words(void **state)
{
    (void)state;
    char *dir = check_mkdir(), path[700];
    snprintf(path, sizeof path, "%s/data", dir);
    fclose(fopen(path, "w"));
    assert_int_equal(feed_open(&feed, &source, path, feed_fast_fs()), -1);
    assert_int_equal(feed.err.kind, ERR_OTHER);
    assert_non_null(strstr(feed.err.text, "cannot open the data directory"));
    feed_close(&feed);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, 65534, 65534), 0);
        assert_int_equal(feed_open(&feed, &source, dir, feed_fast_fs()), -1);
        assert_non_null(strstr(feed.err.text, "belongs to user id 65534, not to 0"));
        feed_close(&feed);
    }
    check_rmdir(dir);
}

static void store_each_change_fails_with_enospc_goes_on(void **state)
{
    (void)state;
    fail_every_call(ENOSPC, FAULTFS_CHANGES | FAULTFS_BIT(FAULTFS_OPENAT), 0);
}

static void store_each_change_fails_with_edquot_after_short_writes(void **state)
{
    (void)state;
    fail_every_call(EDQUOT, FAULTFS_CHANGES, 50);
}

/* The disk is full after every number of bytes, then there is room. */
static void store_disk_full_at_every_size_goes_on(void **state)
{
    (void)state;
    for (uint64_t space = 0; space < 4500; space += 37) {
        char *dir = check_mkdir();
        open_good(dir); /* the first start makes the uuid */
        feed_close(&feed);
        faultfs_reset(dir);
        faultfs_space(space);
        run_with_faults(dir);
        assert_non_null(feed.store);
        while (feed.failed) {
            assert_int_equal(feed.err.kind, ERR_NO_SPACE);
            struct feed_place t = feed_t(&feed);
            feed.failed = false;
            faultfs_space(1u << 20);
            store_restart(feed.store);
            assert_int_equal(feed_settle(&feed), 0);
            assert_place(feed_t(&feed), t);
            feed_all(&feed);
        }
        assert_good(dir, true);
        feed_close(&feed);
        check_rmdir(dir);
    }
}

/* ---- power cuts ---- */

struct cuts {
    unsigned states;
    size_t tail; /* a file of this size must be set aside at the end, if not 0 */
};

static bool set_aside(const char *dir, size_t size)
{
    char path[700];
    bool found = false;
    path_in(path, dir, "");
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".torn-") && size_of(dir, e->d_name) == (long)size)
            found = true;
    closedir(d);
    return found;
}

static void check_state(struct cuts *cuts, enum faultfs_loss loss, uint32_t seed,
                        struct feed_place least, const char *where)
{
    char *dir = check_mkdir();
    faultfs_power_cut(dir, loss, seed);
    const char *wrong = reopen_and_finish(dir, least);
    if (!wrong && cuts->tail && !set_aside(dir, cuts->tail))
        wrong = "neither the file nor a copy has its tail";
    cuts->states++;
    if (wrong)
        fail_msg("power cut at %s, loss %d, seed %u: %s", where, loss, seed, wrong);
    check_rmdir(dir);
}

static void check_states(struct cuts *cuts, uint32_t seeds, struct feed_place least,
                         const char *where)
{
    check_state(cuts, FAULTFS_LOSE_ALL, 0, least, where);
    check_state(cuts, FAULTFS_LOSE_NONE, 0, least, where);
    for (uint32_t seed = 1; seed <= seeds; seed++)
        for (int loss = FAULTFS_LOSE_TAIL; loss <= FAULTFS_LOSE_HOLES; loss++)
            check_state(cuts, (enum faultfs_loss)loss, seed * 7919, least, where);
}

#ifdef __SANITIZE_THREAD__
#define SEEDS 2
#else
#define SEEDS 6
#endif

/* batch: events per sync; room: whether the run goes over a reconnect in mid-transaction. */
static void cut_power_at_every_change(size_t batch, bool reconnect, struct cuts *cuts)
{
    char what[80];
    for (uint64_t n = 1;; n++) {
        char *dir = check_mkdir();
        faultfs_reset(dir);
        faultfs_fail(n, FAULTFS_CHANGES, EIO, FAULTFS_CRASH);
        feed = (struct feed){.batch = batch};
        if (feed_open(&feed, &source, dir, faultfs()) == 0 && feed_settle(&feed) == 0) {
            if (!reconnect || (feed_until(&feed, PLACE(0, 1400)) == 0 && feed_settle(&feed) == 0 &&
                               feed_until(&feed, PLACE(2, 700)) == 0 && feed_settle(&feed) == 0))
                feed_all(&feed);
        }
        assert_null(feed.broken);
        struct feed_place t = feed.t;
        feed_close(&feed);
        bool fired = faultfs_failed(what);
        check_states(cuts, SEEDS, t, fired ? what : "the end");
        check_rmdir(dir);
        if (!fired)
            break;
    }
}

static void store_power_cut_at_every_change_durable_is_kept(void **state)
{
    (void)state;
    struct cuts cuts = {0};
    cut_power_at_every_change(1, false, &cuts);
    cut_power_at_every_change(7, true, &cuts);
    cut_power_at_every_change(1000, false, &cuts);
    print_message("%u states\n", cuts.states);
    assert_true(cuts.states >= 500 * SEEDS);
}

/* A recovery that has a tail to cut, or a file to move, and loses power at any step. */
static void cut_power_in_recovery(const char *name, struct bytes tail, struct feed_place t,
                                  struct cuts *cuts)
{
    char what[80];
    cuts->tail = tail.n;
    for (uint64_t n = 1;; n++) {
        char *dir = dir_until(PLACE(0, t.pos));
        put_file(dir, name, tail, "ab");
        faultfs_reset(dir);
        faultfs_fail(n, FAULTFS_CHANGES, EIO, FAULTFS_CRASH);
        (void)feed_open(&feed, &source, dir, faultfs());
        feed_close(&feed);
        bool fired = faultfs_failed(what);
        check_states(cuts, SEEDS, t, fired ? what : "the end");
        check_rmdir(dir);
        if (!fired)
            break;
    }
}

static void store_power_cut_in_recovery_durable_is_kept(void **state)
{
    (void)state;
    struct cuts cuts = {0};
    cut_power_in_recovery("mysql-bin.000001", bytes_of(source.data[0].p + 1246, 200),
                          PLACE(0, 1246), &cuts);
    cut_power_in_recovery("mysql-bin.000002", bytes_of(source.data[1].p, 77), PLACE(0, 1716),
                          &cuts);
    print_message("%u states\n", cuts.states);
}

/* ---- a sync failed, and the disk works again ---- */

/* Feeds until the n-th sync fails, which it does once. Whether it did. */
static bool fail_sync(const char *dir, uint64_t n, size_t batch)
{
    char what[80];
    faultfs_reset(dir);
    faultfs_fail(n, FAULTFS_BIT(FAULTFS_FDATASYNC) | FAULTFS_BIT(FAULTFS_FSYNC), EIO, FAULTFS_ONCE);
    feed = (struct feed){.batch = batch};
    if (feed_open(&feed, &source, dir, faultfs()) == 0 && feed_settle(&feed) == 0)
        feed_all(&feed);
    feed_close(&feed);
    bool failed = faultfs_failed(what);
    faultfs_fail(0, 0, 0, FAULTFS_ONCE);
    return failed;
}

#define LOST_FROM 1246 /* in a file of 1716 bytes */

/* A whole file; the bound covers it as far as it is on the disk. What is behind that is gone from
 * there, and can be read all the same. */
static char *dir_with_lost_end(void)
{
    char path[700];
    char *dir = dir_until(PLACE(0, LOST_FROM));
    path_in(path, dir, "");
    int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    faultfs_reset(dir);
    int fd = faultfs()->openat(dirfd, "mysql-bin.000001", O_RDWR, 0);
    struct bytes end = bytes_of(source.data[0].p + LOST_FROM, 1716 - LOST_FROM);
    assert_int_equal(fs_pwrite_all(faultfs(), fd, end, LOST_FROM, &feed.err), 0);
    faultfs_fail(1, FAULTFS_BIT(FAULTFS_FDATASYNC), EIO, FAULTFS_ONCE);
    assert_int_equal(faultfs()->fdatasync(fd), -1);
    faultfs()->close(fd);
    close(dirfd);
    return dir;
}

static void store_start_writes_anew_what_is_not_on_the_disk_as_it_reads(void **state)
{
    (void)state;
    const unsigned mask = FAULTFS_CHANGES & ~FAULTFS_BIT(FAULTFS_MKDIRAT);
    char *dir = dir_with_lost_end();
    faultfs_record(mask);
    assert_int_equal(feed_open(&feed, &source, dir, faultfs()), 0);
    assert_place(feed_t(&feed), PLACE(0, 1716));
    char *calls = faultfs_recorded();
    assert_string_equal(calls, "fdatasync mysql-bin.000001\n"
                               "pwritev mysql-bin.000001.tmp 0 1716\n"
                               "fsync mysql-bin.000001.tmp\n"
                               "rename mysql-bin.000001.tmp mysql-bin.000001\n"
                               "fsync directory\n"
                               "fdatasync mysql-bin.000001\n"
                               "fsync directory\nfsync directory\n");
    free(calls);
    feed_close(&feed);
    put_file(dir, "mysql-bin.000001.tmp", bytes_str("of a crash"), "wb");
    faultfs_reset(dir);
    faultfs_record(mask);
    assert_int_equal(feed_open(&feed, &source, dir, faultfs()), 0);
    assert_place(feed_t(&feed), PLACE(0, 1716));
    calls = faultfs_recorded();
    assert_string_equal(calls, "fdatasync mysql-bin.000001\nunlinkat mysql-bin.000001.tmp\n"
                               "fdatasync mysql-bin.000001\n"
                               "fsync directory\nfsync directory\n");
    free(calls);
    feed_close(&feed);
    check_rmdir(dir);
}

static void store_start_without_room_to_write_anew_refused_and_nothing_lost(void **state)
{
    (void)state;
    char *dir = dir_with_lost_end();
    faultfs_space(1000);
    assert_int_equal(feed_open(&feed, &source, dir, faultfs()), -1);
    assert_int_equal(feed.err.kind, ERR_NO_SPACE);
    assert_non_null(strstr(feed.err.text, "cannot write mysql-bin.000001 anew: write: "));
    assert_int_equal(size_of(dir, "mysql-bin.000001.tmp"), -1);
    assert_int_equal(size_of(dir, "mysql-bin.000001"), 1716);
    faultfs_space(1u << 20);
    assert_int_equal(feed_open(&feed, &source, dir, faultfs()), 0);
    assert_place(feed_t(&feed), PLACE(0, 1716));
    feed_close(&feed);
    check_rmdir(dir);
}

static int direct_fd;

static int openat_no_direct(int fd, const char *name, int flags, mode_t mode)
{
    if (!(flags & O_DIRECT))
        return fs_posix()->openat(fd, name, flags, mode);
    errno = EINVAL;
    return -1;
}

static int openat_direct(int fd, const char *name, int flags, mode_t mode)
{
    int opened = fs_posix()->openat(fd, name, flags & ~O_DIRECT, mode);
    if (flags & O_DIRECT)
        direct_fd = opened;
    return opened;
}

static ssize_t pread_no_direct(int fd, void *buf, size_t n, off_t off)
{
    if (fd != direct_fd)
        return pread(fd, buf, n, off);
    direct_fd = -1; /* closed next */
    errno = EINVAL;
    return -1;
}

/* As of memory, or of blocks that are larger. */
static void store_start_on_a_file_system_that_reads_only_through_the_page_cache(void **state)
{
    (void)state;
    struct fs fs[2] = {*feed_fast_fs(), *feed_fast_fs()};
    fs[0].openat = openat_no_direct;
    fs[1].openat = openat_direct;
    fs[1].pread = pread_no_direct;
    for (size_t i = 0; i < COUNT_OF(fs); i++) {
        char *dir = dir_until(PLACE(0, 1716));
        direct_fd = -1;
        assert_int_equal(feed_open(&feed, &source, dir, &fs[i]), 0);
        assert_place(feed_t(&feed), PLACE(0, 1716));
        feed_close(&feed);
        check_rmdir(dir);
    }
}

/* What the next start takes for durable, and asks for more behind, outlives a power cut, though a
 * sync of what the page cache shows had failed. */
static void store_start_after_a_failed_sync_rests_on_what_is_on_disk(void **state)
{
    (void)state;
    struct cuts cuts = {0};
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        char *dir = check_mkdir();
        failed = fail_sync(dir, n, 2);
        struct feed_place before = feed.t;
        if (feed_open(&feed, &source, dir, faultfs()) < 0 || feed_settle(&feed) < 0)
            fail_msg("sync %d: %s", (int)n, feed.err.text);
        struct feed_place t = feed_t(&feed);
        assert_true(feed_cmp(t, before) >= 0);
        feed_close(&feed);
        check_states(&cuts, 1, t, "the start after a failed sync");
        check_rmdir(dir);
    }
    print_message("%u states\n", cuts.states);
}

/* The same, with a power cut in that start or a second failure in it. */
static void store_start_after_a_failed_sync_each_call_fails_durable_is_kept(void **state)
{
    (void)state;
    static const enum faultfs_mode modes[] = {FAULTFS_ONCE, FAULTFS_CRASH};
    struct cuts cuts = {0};
    char what[80];
    for (uint64_t n = 6; n <= 26; n += 20)
        for (size_t mode = 0; mode < COUNT_OF(modes); mode++) {
            bool fired = true;
            for (uint64_t m = 1; fired; m++) {
                char *dir = check_mkdir();
                assert_true(fail_sync(dir, n, 4));
                struct feed_place t = feed.t;
                faultfs_fail(m, FAULTFS_ALL, EIO, modes[mode]);
                if (feed_open(&feed, &source, dir, faultfs()) == 0)
                    t = feed_t(&feed);
                fired = faultfs_failed(what);
                feed_close(&feed);
                const char *where = fired ? what : "the end";
                check_state(&cuts, FAULTFS_LOSE_ALL, 0, t, where);
                check_state(&cuts, FAULTFS_LOSE_HOLES, (uint32_t)m, t, where);
                check_rmdir(dir);
            }
        }
    print_message("%u states\n", cuts.states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_append_three_files_all_durable),
        cmocka_unit_test(store_append_inside_transaction_leaves_t_at_its_begin),
        cmocka_unit_test(store_append_small_ring_waits_for_room),
        cmocka_unit_test(store_resume_every_place_goes_on_to_the_same_end),
        cmocka_unit_test(store_resume_after_half_an_event_forgets_it),
        cmocka_unit_test(store_resume_after_half_a_first_event_begins_the_file_again),
        cmocka_unit_test(store_reopen_twice_after_half_a_first_event_is_no_corruption),
        cmocka_unit_test(store_reopen_twice_inside_a_transaction_is_no_corruption),
        cmocka_unit_test(store_reopen_after_a_format_alone_keeps_the_gtids),
        cmocka_unit_test(store_resume_from_start_compares_the_file),
        cmocka_unit_test(store_maria_gtids_are_those_up_to_t),
        cmocka_unit_test(store_resume_other_bytes_diverged_and_nothing_written),
        cmocka_unit_test(store_next_file_before_all_is_compared_diverged),
        cmocka_unit_test(store_next_file_not_the_successor_diverged),
        cmocka_unit_test(store_next_file_there_already_diverged_and_left_alone),
        cmocka_unit_test(store_resume_while_syncing_t_is_the_files_end),
        cmocka_unit_test(store_open_index_missing_or_wrong_made_anew),
        cmocka_unit_test(store_open_middle_file_missing_corrupt),
        cmocka_unit_test(store_open_last_file_missing_corrupt),
        cmocka_unit_test(store_open_damaged_below_the_bound_corrupt_and_unchanged),
        cmocka_unit_test(store_open_last_file_shorter_than_the_bound_corrupt),
        cmocka_unit_test(store_open_hole_in_a_file_behind_the_bound_is_a_torn_tail),
        cmocka_unit_test(store_open_torn_tail_kept_aside_and_cut),
        cmocka_unit_test(store_open_unbegun_last_file_moved_aside),
        cmocka_unit_test(store_open_full_disk_leaves_no_part_of_a_tail),
        cmocka_unit_test(store_open_twice_second_is_refused),
        cmocka_unit_test(store_open_again_keeps_its_uuid),
        cmocka_unit_test(store_open_bad_uuid_refused),
        cmocka_unit_test(store_stop_leaves_the_bound_of_all_that_is_durable),
        cmocka_unit_test(store_new_epoch_begins_empty_and_keeps_the_old),
        cmocka_unit_test(store_files_have_their_modes_whatever_the_umask),
        cmocka_unit_test(store_each_call_fails_with_eio_durable_is_kept),
        cmocka_unit_test(store_each_call_of_a_recovery_fails_durable_is_kept),
        cmocka_unit_test(store_open_file_before_a_format_alone_damaged_corrupt),
        cmocka_unit_test(store_new_directory_whose_name_cannot_be_synced_is_an_io_error),
        cmocka_unit_test(store_directory_that_cannot_be_used_is_refused_with_words),
        cmocka_unit_test(store_each_change_fails_with_enospc_goes_on),
        cmocka_unit_test(store_each_change_fails_with_edquot_after_short_writes),
        cmocka_unit_test(store_disk_full_at_every_size_goes_on),
        cmocka_unit_test(store_power_cut_at_every_change_durable_is_kept),
        cmocka_unit_test(store_power_cut_in_recovery_durable_is_kept),
        cmocka_unit_test(store_start_writes_anew_what_is_not_on_the_disk_as_it_reads),
        cmocka_unit_test(store_start_without_room_to_write_anew_refused_and_nothing_lost),
        cmocka_unit_test(store_start_on_a_file_system_that_reads_only_through_the_page_cache),
        cmocka_unit_test(store_start_after_a_failed_sync_rests_on_what_is_on_disk),
        cmocka_unit_test(store_start_after_a_failed_sync_each_call_fails_durable_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
