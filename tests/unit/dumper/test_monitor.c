/* What is asked of a source beside the stream, and what is made of its settings. */
#include "source.h"

#include "base/log.h"
#include "base/mem.h"
#include "dumper/monitor.h"
#include "mysql/errcode.h"

#include <string.h>
#include <unistd.h>

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct monitor monitor;
static struct monitor_opts opts;
static struct login_client_opts login = {.user = "repl", .password = "secret", .local = true};
static unsigned told;

static void on_told(void *ctx)
{
    (void)ctx;
    told++;
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    log_set_level(LOG_ERROR);
    told = 0;
    opts = (struct monitor_opts){.loop = loop,
                                 .login = &login,
                                 .host = peer->path,
                                 .interval_ms = 30,
                                 .timeout_ms = 10000,
                                 .scope = SETTINGS_SEMI_SYNC,
                                 .told = on_told};
    monitor_init(&monitor);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    monitor_fini(&monitor);
    peer_free(peer);
    check_rmdir(dir);
    ev_loop_destroy(loop);
    return 0;
}

static void expect_question(const char *words)
{
    struct bytes q = source_recv_command(peer);
    assert_non_null(memmem(q.p, q.n, words, strlen(words)));
}

/* Answers one round; status NULL: a source without the plugin. end NULL: no privilege. */
static void answer_round(const char *sync_binlog, const char *status, const char *end)
{
    const char *settings[] = {"log_bin", "ON", "sync_binlog", sync_binlog};
    const char *row[] = {"Rpl_semi_sync_source_status", status};
    const char *position[] = {end, "1234"};
    expect_question("SHOW GLOBAL VARIABLES");
    source_send_rows(peer, 2, 2, settings);
    expect_question("SHOW GLOBAL STATUS");
    source_send_rows(peer, 2, status ? 1 : 0, row);
    expect_question("SHOW BINARY LOG STATUS");
    if (end) {
        source_send_rows(peer, 2, 1, position);
        return;
    }
    source_send_err(peer, ER_SPECIFIC_ACCESS_DENIED_ERROR, "Access denied");
    expect_question("SHOW MASTER STATUS");
    source_send_err(peer, ER_SPECIFIC_ACCESS_DENIED_ERROR, "Access denied");
}

static void start(void)
{
    monitor_start(&monitor, &opts, &peer->addr);
    peer_accept(peer);
    source_login(peer, &source_80);
}

static void await_told(unsigned n)
{
    RUN_UNTIL(loop, told >= n);
}

static void answers_become_facts(void **state)
{
    (void)state;
    start();
    answer_round("1", "ON", "mysql-bin.000007");
    await_told(1);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_ON);
    assert_string_equal(monitor.facts.file.text, "mysql-bin.000007");
    assert_int_equal(monitor.facts.pos, 1234);
    assert_string_equal(monitor.facts.unsafe, "");
    assert_true(monitor.facts.at_us > 0);
}

static void later_round_replaces_the_facts(void **state)
{
    (void)state;
    start();
    answer_round("1", "ON", "mysql-bin.000007");
    await_told(1);
    answer_round("0", "OFF", NULL);
    await_told(2);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_OFF);
    assert_string_equal(monitor.facts.file.text, "");
    assert_string_equal(monitor.facts.unsafe, "sync_binlog = 0 (should be 1)");
}

static void facts_stand_while_a_round_is_under_way(void **state)
{
    (void)state;
    start();
    answer_round("1", "OFF", "mysql-bin.000007");
    await_told(1);
    expect_question("SHOW GLOBAL VARIABLES");
    assert_int_equal(monitor.facts.semi_sync, MONITOR_OFF);
    assert_string_equal(monitor.facts.file.text, "mysql-bin.000007");
}

static void source_without_semi_sync_is_unknown(void **state)
{
    (void)state;
    start();
    answer_round("1", NULL, "mysql-bin.000007");
    await_told(1);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_UNKNOWN);
}

static void lost_connection_makes_unknown_and_is_tried_again(void **state)
{
    (void)state;
    start();
    answer_round("1", "ON", "mysql-bin.000007");
    await_told(1);
    peer_close(peer);
    await_told(2);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_UNKNOWN);
    assert_int_equal(monitor.facts.at_us, 0);
    peer_accept(peer);
    source_login(peer, &source_80);
    answer_round("1", "ON", "mysql-bin.000007");
    await_told(3);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_ON);
}

static void silent_source_is_left_after_the_timeout(void **state)
{
    (void)state;
    opts.timeout_ms = 50;
    monitor_start(&monitor, &opts, &peer->addr);
    peer_accept(peer);
    await_told(1);
    peer_expect_eof(peer);
}

static void garbage_closes_the_connection(void **state)
{
    (void)state;
    start();
    expect_question("SHOW GLOBAL VARIABLES");
    source_send(peer, bytes_of("\xfb/etc/passwd", 12));
    await_told(1);
    peer_expect_eof(peer);
    assert_int_equal(monitor.facts.semi_sync, MONITOR_UNKNOWN);
}

static void stopped_monitor_says_nothing_more(void **state)
{
    (void)state;
    start();
    expect_question("SHOW GLOBAL VARIABLES");
    monitor_stop(&monitor);
    peer_expect_eof(peer);
    assert_int_equal(told, 0);
}

/* ---- settings ---- */

static const struct {
    const char *name, *value;
    enum settings_scope scope;
    const char *unsafe;
} settings[] = {
    {"sync_binlog", "1", SETTINGS_SEMI_SYNC, ""},
    {"sync_binlog", "1000", SETTINGS_PLAIN, "sync_binlog = 1000 (should be 1)"},
    {"innodb_flush_log_at_trx_commit", "2", SETTINGS_PLAIN,
     "innodb_flush_log_at_trx_commit = 2 (should be 1)"},
    {"binlog_checksum", "NONE", SETTINGS_PLAIN, "binlog_checksum = NONE (should be CRC32)"},
    {"rpl_semi_sync_source_enabled", "OFF", SETTINGS_SEMI_SYNC,
     "rpl_semi_sync_source_enabled = OFF (should be ON)"},
    {"rpl_semi_sync_source_enabled", "OFF", SETTINGS_PLAIN, ""},
    {"rpl_semi_sync_master_wait_point", "AFTER_COMMIT", SETTINGS_SEMI_SYNC,
     "rpl_semi_sync_master_wait_point = AFTER_COMMIT (should be AFTER_SYNC)"},
    {"rpl_semi_sync_source_wait_no_replica", "OFF", SETTINGS_SEMI_SYNC,
     "rpl_semi_sync_source_wait_no_replica = OFF (should be ON)"},
    {"rpl_semi_sync_source_timeout", "10000", SETTINGS_SEMI_SYNC,
     "rpl_semi_sync_source_timeout = 10000 (should be 3600000 or more)"},
    {"rpl_semi_sync_master_timeout", "18446744073709551615", SETTINGS_SEMI_SYNC, ""},
    {"some_other", "0", SETTINGS_SEMI_SYNC, ""},
};

static void each_unsafe_setting_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *row[] = {settings[i].name, settings[i].value};
        struct monitor_facts *facts = &monitor.facts;
        monitor_stop(&monitor);
        opts.scope = settings[i].scope;
        told = 0;
        start();
        expect_question("SHOW GLOBAL VARIABLES");
        source_send_rows(peer, 2, 1, row);
        expect_question("SHOW GLOBAL STATUS");
        source_send_rows(peer, 2, 0, NULL);
        expect_question("SHOW BINARY LOG STATUS");
        source_send_err(peer, ER_PARSE_ERROR, "You have an error in your SQL syntax");
        expect_question("SHOW MASTER STATUS");
        source_send_rows(peer, 2, 0, NULL);
        await_told(1);
        assert_string_equal(facts->unsafe, settings[i].unsafe);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_become_facts),
        TEST(later_round_replaces_the_facts),
        TEST(facts_stand_while_a_round_is_under_way),
        TEST(source_without_semi_sync_is_unknown),
        TEST(lost_connection_makes_unknown_and_is_tried_again),
        TEST(silent_source_is_left_after_the_timeout),
        TEST(garbage_closes_the_connection),
        TEST(stopped_monitor_says_nothing_more),
        TEST(each_unsafe_setting_is_named),
    };
    return RUN_TESTS(tests);
}
