/* Removing the oldest files: what the list, the index and the disk hold then, what keeps files, and
 * what is left after failed calls, a full disk and power cuts at every step. */
#include "helper_feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "faultfs.h"
#include "store/cursor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 7
#define TIME  1700000000u

/* A store with as many copies of one file as are wanted, under names that follow each other. */
static struct {
    struct bytes content;
    char *dir;
    struct store *store;
    struct worker *worker;
    sem_t wake;
    bool failed;
    struct err err;
} t;

static void on_wake(void *ctx)
{
    (void)ctx;
    sem_post(&t.wake);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const struct err *err)
{
    (void)ctx;
    t.failed = true;
    t.err = *err;
}

static const struct store_events events = {ignore, ignore, on_failed};

static int set_up(void **state)
{
    struct err err;
    size_t n;
    (void)state;
    uint8_t *p = check_data("20-stop-event-5.7.36.binlog", &n);
    t.content = bytes_of(p, n);
    return log_open("/dev/null", LOG_ERROR, &err);
}

static int tear_down(void **state)
{
    (void)state;
    free((void *)(uintptr_t)t.content.p);
    log_close();
    return 0;
}

static struct binfile_name name_of(unsigned number)
{
    struct binfile_name name;
    struct err err;
    char text[32];
    snprintf(text, sizeof text, "mysql-bin.%06u", number);
    BUG_ON(binfile_name_parse(&name, bytes_str(text), &err) < 0);
    return name;
}

static bool open_store(const char *dir, const struct fs *fs)
{
    struct store_opts opts = {dir, fs, 1u << 16, on_wake, NULL};
    t.failed = false;
    sem_init(&t.wake, 0, 0);
    t.worker = worker_new(on_wake, NULL);
    t.store = store_open(&opts, &t.err);
    if (!t.store)
        return false;
    store_set_events(t.store, &events, NULL);
    return true;
}

static void close_store(void)
{
    worker_free(t.worker);
    store_close(t.store);
    t.store = NULL;
    sem_destroy(&t.wake);
}

static void turn(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    BUG_ON(sem_timedwait(&t.wake, &until) < 0);
    store_work(t.store);
    worker_reap(t.worker);
}

static bool wait_purged(void)
{
    while (store_purging(t.store) && !t.failed)
        turn();
    return !t.failed;
}

static bool wait_settled(void)
{
    store_resume(t.store);
    while (!store_settled(t.store) && !t.failed)
        turn();
    return !t.failed;
}

/* Appends the file as the source's file of that number, whole. */
static void append_file(unsigned number)
{
    struct binfile_name name = name_of(number);
    while (!store_can_begin_file(t.store))
        turn();
    if (store_begin_file(t.store, &name, &t.err) < 0)
        fail_msg("%s", t.err.text);
    for (size_t at = EVENT_MAGIC_LEN; at < t.content.n;) {
        struct event_header h;
        event_header_decode(&h, t.content.p + at);
        while (!store_has_room(t.store, h.length))
            turn();
        store_append(t.store, bytes_of(t.content.p + at, h.length));
        if (h.type == EVENT_PREVIOUS_GTIDS) {
            uint8_t set[8] = {0};
            assert_int_equal(store_set_previous_gtids(t.store, bytes_of(set, 8), &t.err), 0);
        }
        store_event_time(t.store, TIME + number);
        store_event_end(t.store, h.length, TRX_ENDED, NULL);
        at += h.length;
    }
    store_publish(t.store);
    store_hurry(t.store);
}

/* After a resume the source sends the last event once more. */
static void append_last_event_again(void)
{
    size_t at = (size_t)store_resume_pos(t.store).pos;
    assert_true(store_has_room(t.store, t.content.n - at));
    store_append(t.store, bytes_of(t.content.p + at, t.content.n - at));
    store_event_end(t.store, (uint32_t)(t.content.n - at), TRX_ENDED, NULL);
}

static bool wait_durable(void)
{
    while (!t.failed && store_synced(t.store) < store_offset(t.store))
        turn();
    store_work(t.store);
    return !t.failed;
}

static bool all_are_indexed(void)
{
    for (unsigned i = 1; i < FILES; i++) {
        struct binfile_name name = name_of(i);
        struct gtid_run run = store_gtid_run(t.store, &name, 0, store_gtids(t.store));
        if (run.from == run.to)
            return false;
    }
    return true;
}

/* So that no other thread writes to the GTID index while calls are counted: the files were appended
 * as if they had no GTIDs, and recovery sees that they have some. */
static void make_index(void)
{
    assert_true(open_store(t.dir, feed_fast_fs()));
    while (!all_are_indexed())
        turn();
    close_store();
}

/* A directory with the files 1 to FILES, and an open store on it. */
static void make(const struct fs *fs)
{
    t.dir = check_mkdir();
    assert_true(open_store(t.dir, feed_fast_fs()));
    assert_true(wait_settled());
    assert_int_equal(store_new_epoch(t.store, FEED_SOURCE, STORE_DIVERGES, &t.err), 0);
    for (unsigned i = 1; i <= FILES; i++)
        append_file(i);
    assert_true(wait_durable());
    if (!fs)
        return;
    close_store();
    make_index();
    faultfs_reset(t.dir);
    assert_true(open_store(t.dir, fs));
    assert_true(wait_settled());
}

static void unmake(void)
{
    close_store();
    check_rmdir(t.dir);
}

static void purge(size_t n)
{
    if (store_purge(t.store, t.worker, n, &t.err) < 0)
        fail_msg("%s", t.err.text);
}

static char *read_text(const char *dir, const char *name, size_t *n)
{
    char path[700];
    struct err err;
    char *data;
    snprintf(path, sizeof path, "%s/" FEED_FOLDER "/%s", dir, name);
    BUG_ON(fs_read_file(fs_posix(), AT_FDCWD, path, 1u << 20, &data, n, &err) < 0);
    return data;
}

static void put_file(const char *name, const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s/" FEED_FOLDER "/%s", t.dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool exists(const char *name)
{
    char path[700];
    snprintf(path, sizeof path, "%s/" FEED_FOLDER "/%s", t.dir, name);
    return access(path, F_OK) == 0;
}

static int count_logs(const char *dir)
{
    struct binfile_list list = {0};
    struct err err;
    char path[700];
    snprintf(path, sizeof path, "%s/" FEED_FOLDER, dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    BUG_ON(binfile_list_read_dir(&list, fs_posix(), fd, &err) < 0);
    close(fd);
    int n = (int)list.n;
    binfile_list_fini(&list);
    return n;
}

/* The first thing wrong with an open store that has the files first to last, or NULL. */
static const char *wrong_with(const char *dir, unsigned first, unsigned last)
{
    const struct binfile_list *files = store_files(t.store);
    size_t n;
    if (files->n != last - first + 1)
        return "another number of files";
    if (count_logs(dir) != (int)files->n)
        return "the directory holds other files than the list";
    for (unsigned i = first; i <= last; i++) {
        struct binfile_name name = name_of(i);
        if (!binfile_name_eq(&files->at[i - first], &name))
            return "another name";
        if (store_file_size(t.store, i - first) != t.content.n)
            return "another size";
        char *data = read_text(dir, name.text, &n);
        bool same = data && n == t.content.n && memcmp(data, t.content.p, n) == 0;
        free(data);
        if (!same)
            return "other bytes";
    }
    if (store_bytes(t.store) != files->n * t.content.n)
        return "another sum of bytes";
    char *index = read_text(dir, "mysql-bin.index", &n), *want = binfile_index_text(files);
    bool same = index && strcmp(index, want) == 0;
    free(index);
    free(want);
    return same ? NULL : "another index";
}

#define assert_holds(dir, first, last)                                                             \
    do {                                                                                           \
        const char *wrong_ = wrong_with(dir, first, last);                                         \
        if (wrong_)                                                                                \
            fail_msg("%s", wrong_);                                                                \
    } while (0)

static void reopen(void)
{
    close_store();
    if (!open_store(t.dir, feed_fast_fs()))
        fail_msg("%s", t.err.text);
}

/* ---- what goes and what stays ---- */

static void purge_oldest_files_gone_from_list_index_and_disk(void **state)
{
    (void)state;
    struct store_purge_stats stats;
    make(NULL);
    purge(3);
    assert_int_equal(store_files(t.store)->n, FILES - 3);
    assert_true(wait_purged());
    assert_holds(t.dir, 4, FILES);
    for (unsigned i = 4; i <= FILES; i++)
        assert_int_equal(store_file_begun(t.store, i - 4), TIME + i);
    assert_string_equal(store_end(t.store).file, "mysql-bin.000007");
    store_purge_stats(t.store, &stats);
    assert_int_equal(stats.files, 3);
    assert_int_equal(stats.bytes, 3 * t.content.n);
    reopen();
    assert_holds(t.dir, 4, FILES);
    unmake();
}

static void purge_index_durable_before_unlink_and_each_unlink_before_the_next(void **state)
{
    (void)state;
    make(faultfs());
    faultfs_record(FAULTFS_CHANGES);
    purge(2);
    assert_true(wait_purged());
    char *record = faultfs_recorded();
    assert_string_equal(record, "pwritev mysql-bin.index.tmp 0 95\n"
                                "fsync mysql-bin.index.tmp\n"
                                "rename mysql-bin.index.tmp mysql-bin.index\n"
                                "fsync directory\n"
                                "unlinkat mysql-bin.000001\n"
                                "fsync directory\n"
                                "unlinkat mysql-bin.000002\n"
                                "fsync directory\n");
    free(record);
    unmake();
}

static void purge_goes_on_with_appending_and_resuming(void **state)
{
    (void)state;
    make(NULL);
    purge(2);
    append_file(FILES + 1);
    purge(1); /* while the first is under way */
    append_file(FILES + 2);
    assert_true(wait_durable());
    assert_true(wait_purged());
    assert_holds(t.dir, 4, FILES + 2);
    assert_string_equal(store_end(t.store).file, "mysql-bin.000009");
    assert_true(wait_settled());
    assert_holds(t.dir, 4, FILES + 2);
    unmake();
}

static void purge_right_before_a_file_that_is_dropped(void **state)
{
    (void)state;
    make(NULL);
    struct binfile_name name = name_of(FILES + 1);
    assert_int_equal(store_begin_file(t.store, &name, &t.err), 0);
    purge(2);
    assert_true(wait_settled()); /* nothing of it was an event: it goes */
    assert_true(wait_purged());
    append_last_event_again();
    append_file(FILES + 1);
    assert_true(wait_durable());
    assert_holds(t.dir, 3, FILES + 1);
    unmake();
}

static void purge_removes_torn_copies_of_removed_files_only(void **state)
{
    (void)state;
    make(NULL);
    put_file("mysql-bin.000001.torn-20260101T000000Z", "a");
    put_file("mysql-bin.000002.torn-20260101T000000Z-2", "b");
    put_file("mysql-bin.000003.torn-20260101T000000Z", "c");
    put_file("other-bin.000001.torn-20260101T000000Z", "d");
    put_file("mysql-bin.000001.bak", "e");
    purge(2);
    assert_true(wait_purged());
    assert_false(exists("mysql-bin.000001.torn-20260101T000000Z"));
    assert_false(exists("mysql-bin.000002.torn-20260101T000000Z-2"));
    assert_true(exists("mysql-bin.000003.torn-20260101T000000Z"));
    assert_true(exists("other-bin.000001.torn-20260101T000000Z"));
    assert_true(exists("mysql-bin.000001.bak"));
    unmake();
}

/* They are no hindrance: the next purge finds them. */
static void purge_directory_that_cannot_be_read_leaves_torn_copies(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        char what[80];
        make(faultfs());
        put_file("mysql-bin.000001.torn-20260101T000000Z", "a");
        faultfs_fail(n, FAULTFS_BIT(FAULTFS_GETDENTS64), EIO, FAULTFS_ONCE);
        uint64_t warnings = log_total(LOG_WARN);
        purge(2);
        assert_true(wait_purged());
        assert_true(faultfs_failed(what));
        assert_int_equal(log_total(LOG_WARN), warnings + 1);
        assert_true(exists("mysql-bin.000001.torn-20260101T000000Z") || n == 2);
        assert_false(exists("mysql-bin.000002"));
        purge(1);
        assert_true(wait_purged());
        assert_false(exists("mysql-bin.000001.torn-20260101T000000Z"));
        unmake();
    }
}

/* ---- what keeps files ---- */

static void hold_newest_files_kept(void **state)
{
    (void)state;
    struct store_hold hold;
    make(NULL);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    assert_int_equal(hold.readers, 0);
    struct binfile_name name = name_of(FILES + 1);
    assert_int_equal(store_begin_file(t.store, &name, &t.err), 0);
    store_publish(t.store);
    store_hold(t.store, &hold); /* begun, but T is before it */
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    purge(hold.n);
    assert_true(wait_purged());
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 0);
    unmake();
}

static void hold_empty_store_nothing_may_go(void **state)
{
    (void)state;
    struct store_hold hold;
    t.dir = check_mkdir();
    assert_true(open_store(t.dir, feed_fast_fs()));
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 0);
    purge(0);
    assert_false(store_purging(t.store));
    unmake();
}

static void hold_file_of_a_cursor_and_all_behind_it_kept(void **state)
{
    (void)state;
    struct store_hold hold;
    struct cursor late, early, second;
    make(NULL);
    struct binfile_name at2 = name_of(2), at3 = name_of(3), at4 = name_of(4), at7 = name_of(7);
    assert_int_equal(cursor_open(&late, t.store, &at7, 4, &t.err), 0);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    assert_int_equal(cursor_open(&early, t.store, &at3, 4, &t.err), 0);
    assert_int_equal(cursor_open(&second, t.store, &at3, 4, &t.err), 0);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 2);
    assert_int_equal(hold.readers, 2);
    cursor_close(&second);
    purge(2);
    assert_true(wait_purged());
    assert_int_equal(cursor_next_file(&early, &t.err), 0); /* the list has shifted under it */
    assert_string_equal(early.file.text, at4.text);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 1);
    assert_int_equal(hold.readers, 1);
    cursor_close(&early);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES - 2);
    assert_int_equal(cursor_open(&early, t.store, &at2, 4, &t.err), -1); /* which is gone */
    cursor_close(&late);
    unmake();
}

static void hold_file_with_an_ack_owed_and_all_behind_it_kept(void **state)
{
    (void)state;
    struct store_hold hold;
    make(NULL);
    store_keep(t.store, 3);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 2);
    assert_int_equal(hold.readers, 0);
    store_keep(t.store, FILES);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    store_keep(t.store, 1);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, 0);
    store_keep(t.store, STORE_KEEP_NONE);
    store_hold(t.store, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    unmake();
}

static void purge_in_an_epoch_that_is_replaced_leaves_the_new_one_alone(void **state)
{
    (void)state;
    make(NULL);
    purge(3);
    assert_true(wait_settled());
    assert_int_equal(store_new_epoch(t.store, "other", STORE_DIVERGES, &t.err), 0);
    append_file(1);
    assert_true(wait_durable());
    assert_true(wait_purged());
    assert_int_equal(count_logs(t.dir), FILES - 3);
    assert_int_equal(store_files(t.store)->n, 1);
    assert_int_equal(store_bytes(t.store), t.content.n);
    unmake();
}

/* ---- failures ---- */

static const char *wrong_after_start(const char *dir, unsigned first_most)
{
    if (!open_store(dir, feed_fast_fs()))
        return t.err.text;
    const struct binfile_list *files = store_files(t.store);
    unsigned first = files->n ? (unsigned)files->at[0].number : 0;
    return first > first_most ? "more is gone than was purged" : wrong_with(dir, first, FILES);
}

static void fail_each_call(int errnum, unsigned mask, bool must_fail)
{
    char what[80];
    for (uint64_t n = 1;; n++) {
        make(faultfs());
        faultfs_fail(n, mask, errnum, FAULTFS_ONCE);
        purge(4);
        bool done = wait_purged();
        bool fired = faultfs_failed(what);
        if (fired && must_fail && done)
            fail_msg("%s: not told", what);
        if (!done)
            assert_int_equal(t.err.kind, ERR_IO);
        if (done && !must_fail)
            assert_holds(t.dir, 5, FILES);
        close_store();
        const char *wrong = wrong_after_start(t.dir, 5);
        if (wrong)
            fail_msg("%s, call %d, %s failed: %s", strerrorname_np(errnum), (int)n, what, wrong);
        unmake();
        if (!fired)
            break;
    }
}

static void purge_each_change_fails_with_eio_told_and_consistent(void **state)
{
    (void)state;
    fail_each_call(EIO, FAULTFS_CHANGES, true);
}

/* Of the index; unlinking needs no room. */
static void purge_each_write_fails_with_enospc_all_is_removed(void **state)
{
    (void)state;
    fail_each_call(ENOSPC, FAULTFS_BIT(FAULTFS_PWRITEV) | FAULTFS_BIT(FAULTFS_OPENAT), false);
}

static void purge_no_room_at_all_files_are_removed_all_the_same(void **state)
{
    (void)state;
    make(faultfs());
    faultfs_space(0);
    purge(4);
    assert_true(wait_purged());
    assert_int_equal(count_logs(t.dir), FILES - 4);
    close_store();
    assert_null(wrong_after_start(t.dir, 5));
    unmake();
}

/* The disk is full, the journal stands still, and the rules make room. */
static void purge_while_the_store_waits_for_space_makes_room(void **state)
{
    (void)state;
    make(faultfs());
    append_last_event_again();
    append_file(FILES + 1);
    assert_true(wait_durable());
    faultfs_space(0);
    append_file(FILES + 2);
    assert_false(wait_durable());
    assert_int_equal(t.err.kind, ERR_NO_SPACE);
    t.failed = false;
    purge(4);
    assert_true(wait_purged());
    assert_int_equal(store_files(t.store)->at[0].number, 5);
    faultfs_space(1u << 20);
    store_restart(t.store);
    assert_true(wait_settled());
    append_last_event_again();
    append_file(FILES + 2);
    assert_true(wait_durable());
    assert_holds(t.dir, 5, FILES + 2);
    unmake();
}

static void purge_file_that_cannot_be_removed_nothing_behind_it_goes(void **state)
{
    (void)state;
    struct store_purge_stats stats;
    make(faultfs());
    faultfs_fail(2, FAULTFS_BIT(FAULTFS_UNLINKAT), EPERM, FAULTFS_ONCE);
    purge(3);
    assert_true(wait_purged());
    store_purge_stats(t.store, &stats);
    assert_string_equal(stats.error, "cannot remove mysql-bin.000002: Operation not permitted");
    assert_int_equal(store_purge(t.store, t.worker, 1, &t.err), -1);
    assert_int_equal(count_logs(t.dir), FILES - 1);
    close_store();
    assert_null(wrong_after_start(t.dir, 2)); /* back in the list */
    unmake();
}

static void purge_without_descriptors_is_told_and_works_later(void **state)
{
    (void)state;
    make(faultfs());
    check_limit_fds(0);
    assert_int_equal(store_purge(t.store, t.worker, 3, &t.err), -1);
    check_limit_fds(-1);
    assert_int_equal(t.err.kind, ERR_IO);
    assert_false(store_purging(t.store));
    purge(3);
    assert_true(wait_purged());
    assert_holds(t.dir, 4, FILES);
    unmake();
}

/* Who was told has gone: the daemon stops. */
static void purge_failure_with_nobody_to_tell_ends_it(void **state)
{
    (void)state;
    struct store_purge_stats stats;
    make(faultfs());
    store_set_events(t.store, NULL, NULL);
    faultfs_fail(3, FAULTFS_BIT(FAULTFS_FSYNC), EIO, FAULTFS_ONCE); /* behind the first unlink */
    purge(3);
    assert_true(wait_purged());
    store_purge_stats(t.store, &stats);
    assert_string_equal(stats.error,
                        "cannot fsync the directory of mysql-bin.000001: Input/output error");
    assert_int_equal(count_logs(t.dir), FILES - 1);
    unmake();
}

/* ---- a look without opening ---- */

static void look_beside_an_open_store_sees_the_same_and_changes_nothing(void **state)
{
    (void)state;
    struct store_hold hold;
    struct store *look;
    make(NULL);
    faultfs_reset(NULL);
    put_file("mysql-bin.000008", "torn");
    look = store_look(t.dir, faultfs(), &t.err);
    assert_non_null(look);
    assert_int_equal(faultfs_count(FAULTFS_CHANGES), 0);
    assert_int_equal(store_files(look)->n, FILES);
    assert_int_equal(store_serving(look), FILES);
    assert_int_equal(store_bytes(look), store_bytes(t.store));
    for (size_t i = 0; i < FILES; i++)
        assert_int_equal(store_file_size(look, i), store_file_size(t.store, i));
    assert_true(store_file_begun(look, 0) > 0);
    assert_true(store_newest_time(look) >= store_file_begun(look, 0));
    store_hold(look, &hold);
    assert_int_equal(hold.n, FILES - STORE_KEEP_FILES);
    store_close(look);
    assert_true(exists("mysql-bin.000008"));
    assert_null(store_look("/nonexistent", fs_posix(), &t.err));
    assert_string_equal(t.err.text,
                        "cannot open the data directory /nonexistent: No such file or directory");
    unmake();
}

/* ---- power cuts ---- */

static void check_cut(enum faultfs_loss loss, uint32_t seed, bool done, const char *where)
{
    char *dir = check_mkdir();
    faultfs_power_cut(dir, loss, seed);
    const char *wrong = wrong_after_start(dir, 5);
    if (!wrong && done && store_files(t.store)->at[0].number != 5)
        wrong = "what was removed is back";
    if (wrong)
        fail_msg("power cut at %s, loss %d, seed %u: %s", where, loss, seed, wrong);
    close_store();
    check_rmdir(dir);
}

static void purge_power_cut_at_every_change_unbroken_and_whole(void **state)
{
    (void)state;
    char what[80];
    unsigned states = 0;
    for (uint64_t n = 1;; n++) {
        make(faultfs());
        faultfs_fail(n, FAULTFS_CHANGES, EIO, FAULTFS_CRASH);
        purge(4);
        bool done = wait_purged();
        bool fired = faultfs_failed(what);
        close_store();
        for (int loss = 0; loss < FAULTFS_LOSSES; loss++)
            for (uint32_t seed = 1; seed <= 8; seed++, states++)
                check_cut((enum faultfs_loss)loss, seed * 7919, done, fired ? what : "the end");
        check_rmdir(t.dir);
        if (!fired)
            break;
    }
    print_message("%u states\n", states);
    assert_true(states > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purge_oldest_files_gone_from_list_index_and_disk),
        cmocka_unit_test(purge_index_durable_before_unlink_and_each_unlink_before_the_next),
        cmocka_unit_test(purge_goes_on_with_appending_and_resuming),
        cmocka_unit_test(purge_right_before_a_file_that_is_dropped),
        cmocka_unit_test(purge_removes_torn_copies_of_removed_files_only),
        cmocka_unit_test(purge_directory_that_cannot_be_read_leaves_torn_copies),
        cmocka_unit_test(hold_newest_files_kept),
        cmocka_unit_test(hold_empty_store_nothing_may_go),
        cmocka_unit_test(hold_file_of_a_cursor_and_all_behind_it_kept),
        cmocka_unit_test(hold_file_with_an_ack_owed_and_all_behind_it_kept),
        cmocka_unit_test(purge_in_an_epoch_that_is_replaced_leaves_the_new_one_alone),
        cmocka_unit_test(purge_each_change_fails_with_eio_told_and_consistent),
        cmocka_unit_test(purge_each_write_fails_with_enospc_all_is_removed),
        cmocka_unit_test(purge_no_room_at_all_files_are_removed_all_the_same),
        cmocka_unit_test(purge_while_the_store_waits_for_space_makes_room),
        cmocka_unit_test(purge_file_that_cannot_be_removed_nothing_behind_it_goes),
        cmocka_unit_test(purge_without_descriptors_is_told_and_works_later),
        cmocka_unit_test(purge_failure_with_nobody_to_tell_ends_it),
        cmocka_unit_test(look_beside_an_open_store_sees_the_same_and_changes_nothing),
        cmocka_unit_test(purge_power_cut_at_every_change_unbroken_and_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
