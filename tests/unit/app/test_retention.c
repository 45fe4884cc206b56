/* Purging as an operator asks for it, and the rules on the loop, on a directory with files of a
 * server whose times are set by the tests. */
#include "check.h"

#include "app/retention.h"
#include "base/mem.h"
#include "store/cursor.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILES 6
#define BEGUN 1000000000u /* the first; the others a day later each */
#define DAY   86400u

static struct {
    char *dir;
    struct ev_loop *loop;
    struct ev_timer tick; /* instead of what journal and worker wake */
    struct worker *worker;
    struct store *store;
    struct config config;
    struct retention *retention;
    size_t size; /* of each file */
    struct err err;
} t;

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_tick(struct ev_loop *loop, struct ev_timer *w, int revents)
{
    (void)loop;
    (void)w;
    (void)revents;
    store_work(t.store);
    worker_reap(t.worker);
}

/* Closed files are not checked at a start, so their times can be anything. */
static void write_files(void)
{
    uint8_t *data = check_data("20-stop-event-5.7.36.binlog", &t.size);
    char path[700];
    int root = open(t.dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(root, "0001-x", 0750), 0);
    close(root);
    for (unsigned i = 1; i <= FILES; i++) {
        snprintf(path, sizeof path, "%s/0001-x/mysql-bin.%06u", t.dir, i);
        FILE *f = fopen(path, "w");
        uint8_t begun[4];
        put_le32(begun, BEGUN + (i - 1) * DAY);
        fwrite(data, 1, t.size, f);
        if (i < FILES && fseek(f, 4, SEEK_SET) == 0)
            fwrite(begun, 1, sizeof begun, f);
        fclose(f);
    }
    free(data);
}

static int set_up(void **state)
{
    (void)state;
    log_open("/dev/null", LOG_ERROR, &t.err);
    t.dir = check_mkdir();
    write_files();
    t.loop = ev_loop_new(EVFLAG_NOENV);
    ev_timer_init(&t.tick, on_tick, 0.001, 0.001);
    ev_timer_start(t.loop, &t.tick);
    t.worker = worker_new(ignore, NULL);
    struct store_opts opts = {t.dir, fs_posix(), 4096, ignore, NULL};
    t.store = store_open(&opts, &t.err);
    assert_non_null(t.store);
    t.config = (struct config){0};
    struct retention_opts ro = {t.loop, t.worker, t.store, &t.config};
    t.retention = retention_new(&ro);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    retention_stop(t.retention);
    worker_free(t.worker);
    retention_free(t.retention);
    store_close(t.store);
    ev_loop_destroy(t.loop);
    check_rmdir(t.dir);
    log_close();
    return 0;
}

static void run_purged(void)
{
    while (store_purging(t.store))
        ev_run(t.loop, EVRUN_ONCE);
}

static void assert_first(const char *name)
{
    assert_string_equal(store_files(t.store)->at[0].text, name);
}

static void retention_purge_to_file_those_before_it_go(void **state)
{
    (void)state;
    struct retention_purged p;
    assert_int_equal(retention_purge_to(t.retention, bytes_str("mysql-bin.000003"), &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.asked, 2);
    assert_int_equal(p.purged, 2);
    assert_string_equal(p.kept, "");
    assert_first("mysql-bin.000003"); /* at once */
    run_purged();
    assert_int_equal(retention_purge_to(t.retention, bytes_str("mysql-bin.000003"), &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.asked, 0);
}

static void retention_purge_to_unknown_file_nothing_goes(void **state)
{
    (void)state;
    static const char *const names[] = {"", "mysql-bin.000009", "../x", "mysql-bin", "x.000001"};
    struct retention_purged p;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(retention_purge_to(t.retention, bytes_str(names[i]), &p, &t.err),
                         RETENTION_UNKNOWN);
    assert_int_equal(store_files(t.store)->n, FILES);
}

static void retention_purge_to_newest_keeps_the_one_before_it(void **state)
{
    (void)state;
    struct retention_purged p;
    assert_int_equal(retention_purge_to(t.retention, bytes_str("mysql-bin.000006"), &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.asked, 5);
    assert_int_equal(p.purged, 4);
    assert_string_equal(p.kept, "mysql-bin.000005");
    assert_int_equal(p.readers, 0);
    run_purged();
}

static void retention_purge_to_file_that_is_read_stays(void **state)
{
    (void)state;
    struct retention_purged p;
    struct cursor c;
    struct binfile_name name = store_files(t.store)->at[1];
    assert_int_equal(cursor_open(&c, t.store, &name, 4, &t.err), 0);
    assert_int_equal(retention_purge_to(t.retention, bytes_str("mysql-bin.000004"), &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.asked, 3);
    assert_int_equal(p.purged, 1);
    assert_string_equal(p.kept, "mysql-bin.000002");
    assert_int_equal(p.readers, 1);
    run_purged();
    cursor_close(&c);
}

static void retention_purge_before_time_files_that_ended_before_go(void **state)
{
    (void)state;
    struct retention_purged p;
    assert_int_equal(retention_purge_before(t.retention, BEGUN + DAY, &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.asked, 0);
    assert_int_equal(retention_purge_before(t.retention, BEGUN + DAY + 1, &p, &t.err),
                     RETENTION_PURGED);
    assert_int_equal(p.purged, 1);
    assert_int_equal(retention_purge_before(t.retention, INT64_MAX, &p, &t.err), RETENTION_PURGED);
    assert_int_equal(p.asked, 4); /* the newest is not asked for */
    assert_int_equal(p.purged, 3);
    run_purged();
    assert_first("mysql-bin.000005");
}

static void retention_rules_applied_soon_and_after_a_change(void **state)
{
    (void)state;
    t.config.storage.max_size = 4 * t.size;
    while (store_files(t.store)->n > 4)
        ev_run(t.loop, EVRUN_ONCE);
    run_purged();
    assert_first("mysql-bin.000003");
    t.config.storage.max_size = 3 * t.size;
    retention_reconfigure(t.retention);
    while (store_files(t.store)->n > 3)
        ev_run(t.loop, EVRUN_ONCE);
    run_purged();
    assert_first("mysql-bin.000004");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(retention_purge_to_file_those_before_it_go),
        TEST(retention_purge_to_unknown_file_nothing_goes),
        TEST(retention_purge_to_newest_keeps_the_one_before_it),
        TEST(retention_purge_to_file_that_is_read_stays),
        TEST(retention_purge_before_time_files_that_ended_before_go),
        TEST(retention_rules_applied_soon_and_after_a_change),
    };
    return RUN_TESTS(tests);
}
