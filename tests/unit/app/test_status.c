/* The forms of the status, from facts made by hand. */
#include "check.h"

#include "status.h"

#include <stdio.h>

static struct config config;
static struct facts_from from = {.config = &config};
static struct gtid_set gtids;
static struct maria_state maria;
static struct facts f;
static struct monitor_facts seen;
static struct facts_replica replicas[20];
static struct buf out;

/* 2024-01-02 03:04:05 UTC, and some hours later. */
#define BEGUN INT64_C(1704164645000000)
#define NOW   (BEGUN + INT64_C(9000000000))

static int set_up(void **state)
{
    (void)state;
    static char directory[] = "/var/lib/binlogd";
    setenv("TZ", "UTC", 1);
    seen = (struct monitor_facts){0};
    config.storage.directory = directory;
    gtid_set_init(&gtids);
    f = (struct facts){
        .from = &from,
        .now_us = NOW,
        .started_us = BEGUN,
        .state = "PROTECTING",
        .safe = true,
        .safe_us = BEGUN + 1000000,
        .source = "db1:3306",
        .dumper = {.state = DUMPER_PROTECTING,
                   .state_since_us = BEGUN + 1000000,
                   .connected = true,
                   .backlog = -1,
                   .source_uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562",
                   .version = "8.0.36",
                   .source_id = 7,
                   .source = &seen,
                   .unsafe = "",
                   .last_error = ""},
        .received = {"mysql-bin.000042", 7811},
        .durable = {"mysql-bin.000042", 7811},
        .gtids = &gtids,
        .maria = &maria,
        .acked = {"", 0},
        .files = 12,
        .bytes = 910233,
        .epoch = 1,
        .disk_free = UINT64_C(120) << 30,
        .disk_size = UINT64_C(200) << 30,
    };
    buf_init(&out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static const char *text_of(void (*write)(struct buf *, const struct facts *))
{
    buf_clear(&out);
    write(&out, &f);
    wr_u8(&out, 0);
    return (const char *)buf_bytes(&out).p;
}

static void assert_says(void (*write)(struct buf *, const struct facts *), const char *words)
{
    const char *text = text_of(write);
    if (!strstr(text, words))
        print_message("%s", text);
    assert_non_null(strstr(text, words));
}

static void status_verdict_is_the_first_line(void **state)
{
    (void)state;
    static const char safe[] =
        "SAFE since 2024-01-02 03:04:06: every acknowledged commit is on this disk\n";
    static const char lost[] = "NOT SAFE since 2024-01-02 04:04:05: state CONNECTING\n";
    assert_string_equal(text_of(status_verdict), safe);
    assert_true(strncmp(text_of(status_screen), safe, sizeof safe - 1) == 0);
    f.safe = false;
    f.safe_us = BEGUN + INT64_C(3600000000);
    f.state = "CONNECTING";
    f.dumper.state = DUMPER_CONNECTING;
    assert_string_equal(text_of(status_verdict), lost);
    assert_true(strncmp(text_of(status_screen), lost, sizeof lost - 1) == 0);
    assert_says(status_json, "\"safe\":false,\"safe_changed\":1704168245.000000,\"state\":\"CONN");
}

static void catch_up(int64_t backlog, int64_t behind)
{
    f.dumper.state = DUMPER_CATCHING_UP;
    f.state = "CATCHING_UP";
    f.dumper.backlog = backlog;
    f.dumper.bytes_behind = behind;
    f.dumper.seconds_behind = 4000;
    f.dumper.dump_us = 2000000;
    f.dumper.dump_bytes = 20u << 20;
}

static void status_screen_shows_progress_while_catching_up(void **state)
{
    (void)state;
    assert_null(strstr(text_of(status_screen), "Catching up"));
    catch_up(80 << 20, 60 << 20);
    assert_says(status_screen, "Catching up [##########..............................]  25 %\n"
                               "            10.0 MiB/s, 6 s left\n");
    assert_says(status_screen, "Behind      60.0 MiB, 1 h 6 min\n");
    catch_up(80 << 20, 0); /* what came since is not in it */
    assert_says(status_screen, "] 100 %\n            10.0 MiB/s, 0 s left\n");
    catch_up(-1, -1);
    assert_null(strstr(text_of(status_screen), "["));
    assert_says(status_screen, "Catching up 10.0 MiB/s\n");
    assert_says(status_screen, "Behind      unknown bytes (needs REPLICATION CLIENT), 1 h 6 min\n");
    assert_says(status_json, "\"behind\":{\"bytes\":null,\"seconds\":4000,\"backlog_bytes\":null,");
}

static void add_replicas(size_t n)
{
    f.replicas = replicas;
    f.replica_n = n;
    for (size_t i = 0; i < n; i++) {
        replicas[i] = (struct facts_replica){.session = (uint32_t)i + 1,
                                             .server_id = 100,
                                             .host = "10.0.0.7",
                                             .user = "repl",
                                             .uuid = "",
                                             .pos = {"mysql-bin.000042", 4},
                                             .bytes_behind = 7807,
                                             .acked = {"", 0}};
    }
}

static void status_replicas_with_one_identity_are_one_series(void **state)
{
    (void)state;
    add_replicas(5);
    replicas[1].bytes_behind = 9000;
    replicas[2].server_id = 101;
    replicas[3].bytes_behind = -1;
    snprintf(replicas[3].host, sizeof replicas[3].host, "10.0.0.6");
    snprintf(replicas[4].host, sizeof replicas[4].host, "10.0.0.8");
    assert_says(status_metrics, "\nbinlogd_replica_lag_bytes{server_id=\"100\",host=\"10.0.0.7\"} "
                                "9000\n"
                                "binlogd_replica_lag_bytes{server_id=\"100\",host=\"10.0.0.8\"} "
                                "7807\n"
                                "binlogd_replica_lag_bytes{server_id=\"101\",host=\"10.0.0.7\"} "
                                "7807\n");
    assert_says(status_metrics, "\nbinlogd_replicas 5\n");
    assert_null(strstr(text_of(status_metrics), "10.0.0.6"));
}

static void status_screen_is_one_screen(void **state)
{
    (void)state;
    add_replicas(COUNT_OF(replicas));
    catch_up(1000, 10);
    const char *text = text_of(status_screen);
    size_t lines = 0;
    for (const char *p = text, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        assert_true(end - p <= 80);
        lines++;
    }
    assert_true(lines < 50);
    assert_says(status_screen, "            and 8 more (--json shows all)\n");
}

static void status_texts_of_others_are_harmless(void **state)
{
    (void)state;
    f.dumper.version = "8.0\x1b[2J\"\n\\";
    assert_says(status_screen, "            8.0?[2J\"?\\, server_id 7\n");
    assert_says(status_json, "\"version\":\"8.0\\u001b[2J\\\"\\u000a\\\\\"");
    assert_says(status_metrics, ",version=\"8.0?[2J\\\"\\n\\\\\",");
    f.dumper.unsafe = "sync_binlog = \x1b[2J (should be 1)";
    assert_says(status_screen, "            sync_binlog = ?[2J (should be 1)\n");
}

static void status_tells_that_the_source_is_not_asked_any_more(void **state)
{
    (void)state;
    f.state = "STOPPED";
    f.safe = false;
    f.dumper.state = DUMPER_STOPPED;
    f.dumper.connected = false;
    f.dumper.last_error =
        "stopped after 10 tries: source db1:3306: \"../\x1b[2J.000001\" is no name "
        "for a binary log file";
    f.dumper.last_error_us = BEGUN + 2000000;
    f.dumper.errors[ERR_MALFORMED] = 10;
    f.dumper.errors[ERR_OTHER] = 3;
    assert_says(status_screen, "\nState       STOPPED: stopped by STOP REPLICA\n");
    assert_says(status_json, "\"gave_up\":false,\"last_error\":\"stopped after 10 tries: ");
    f.dumper.gave_up = true;
    assert_says(status_screen, "\nState       STOPPED: the source sends what cannot be stored\n");
    assert_says(status_screen,
                "\n            stopped after 10 tries: source db1:3306: "
                "\"../?[2J.000001\" is no name\n            for a binary log file\n");
    assert_says(status_json, "\"gave_up\":true,");
    assert_says(status_json, "\"last_error_time\":1704164647.000000}");
    assert_says(status_json, "\"source\":3,");
    assert_says(status_json, "\"malformed\":10}");
    assert_says(status_metrics, "\nbinlogd_state{state=\"STOPPED\"} 1\n");
    assert_says(status_metrics, "\nbinlogd_errors_total{kind=\"malformed\"} 10\n");
    assert_says(status_line, "state=STOPPED ");
}

static void status_tells_what_the_monitor_found(void **state)
{
    (void)state;
    assert_null(strstr(text_of(status_metrics), "\nbinlogd_source_semi_sync_on "));
    assert_says(status_json, "\"semi_sync\":null,\"unsafe_settings\":\"\",\"file\":\"\",\"posi"
                             "tion\":null");
    assert_says(status_screen, "Settings    of the source are lossless\n");
    assert_says(status_metrics, "\nbinlogd_source_settings_lossless 1\n");
    seen = (struct monitor_facts){
        .semi_sync = MONITOR_OFF, .file = {.text = "mysql-bin.000043"}, .pos = 99};
    f.dumper.unsafe = "sync_binlog = 0 (should be 1), binlog_checksum = NONE (should be CRC32)";
    assert_says(status_metrics, "\nbinlogd_source_semi_sync_on 0\n");
    assert_says(status_metrics, "\nbinlogd_source_settings_lossless 0\n");
    assert_says(status_metrics, "\nbinlogd_source_file_number 43\n");
    assert_says(status_metrics, "\nbinlogd_source_position_bytes 99\n");
    assert_says(status_json, "\"semi_sync\":false,\"unsafe_settings\":\"sync_binlog = 0 (");
    assert_says(status_screen, "            at mysql-bin.000043:99\n"
                               "Settings    of the source, with which commits can be lost:\n"
                               "            sync_binlog = 0 (should be 1), binlog_checksum = NONE "
                               "(should be\n"
                               "            CRC32)\n");
    seen.semi_sync = MONITOR_ON;
    assert_says(status_metrics, "\nbinlogd_source_semi_sync_on 1\n");
    assert_says(status_json, "\"semi_sync\":true,");
}

static void status_tells_of_the_chain_when_replicas_are_waited_for(void **state)
{
    (void)state;
    f.acked = (struct store_pos){"mysql-bin.000042", 7000};
    assert_null(strstr(text_of(status_screen), "Chain"));
    assert_null(strstr(text_of(status_metrics), "\nbinlogd_chain_on "));
    assert_null(strstr(text_of(status_metrics), "\nbinlogd_chain_replicas "));
    assert_null(strstr(text_of(status_metrics), "\nbinlogd_chain_replicas_wanted "));
    config.server.wait_for_replicas = 2;
    f.dumper.downstream = DOWNSTREAM_ON;
    f.dumper.held_us = 1500;
    f.dumper.degraded_times = 4;
    f.hub.semi_sync = 1;
    f.dumper.transactions_with = 10;
    f.dumper.transactions_without = 3;
    assert_says(status_screen, "Chain       on: ACKs wait for 2 replicas; 1 acknowledges\n"
                               "            they have all up to mysql-bin.000042:7000, waiting for "
                               "1.5 ms\n"
                               "            10 transactions with them, 3 without; degraded 4 "
                               "times\n");
    assert_says(status_line,
                " replicas_acked=mysql-bin.000042:7000 wait_for_replicas=on acknowledging=1/2 "
                "held_ms=1");
    assert_says(status_metrics, "\nbinlogd_chain_on 1\n");
    assert_says(status_metrics, "\nbinlogd_chain_replicas 1\n");
    assert_says(status_metrics, "\nbinlogd_chain_replicas_wanted 2\n");
    assert_says(status_metrics, "\nbinlogd_chain_degraded_total 4\n");
    assert_says(status_metrics, "\nbinlogd_chain_transactions_total{replicas=\"without\"} 3\n");
    assert_says(status_metrics, "\nbinlogd_chain_held_seconds 0.001500\n");
    f.dumper.downstream = DOWNSTREAM_DEGRADED;
    f.dumper.held_us = f.hub.semi_sync = 0;
    assert_says(status_screen, "degraded: ACKs do not wait for 2 replicas; 0 acknowledge\n");
    assert_says(status_metrics, "\nbinlogd_chain_on 0\n");
    assert_says(status_json,
                "\"chain\":{\"state\":\"degraded\",\"wait_for_replicas\":2,\"replicas\":0,");
    config.server.wait_for_replicas = 0;
}

static void status_unknown_values_are_left_out_of_metrics(void **state)
{
    (void)state;
    f.dumper.bytes_behind = f.dumper.seconds_behind = -1;
    f.received.file = f.durable.file = "";
    const char *text = text_of(status_metrics);
    assert_null(strstr(text, "\nbinlogd_source_lag_seconds "));
    assert_null(strstr(text, "\nbinlogd_source_lag_bytes "));
    assert_null(strstr(text, "\nbinlogd_received_position_bytes "));
    assert_null(strstr(text, "\nbinlogd_oldest_event_timestamp_seconds "));
    assert_non_null(strstr(text, "\nbinlogd_state{state=\"PROTECTING\"} 1\n"));
    assert_non_null(strstr(text, "\nbinlogd_state{state=\"SERVING\"} 0\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_verdict_is_the_first_line),
        TEST(status_screen_shows_progress_while_catching_up),
        TEST(status_replicas_with_one_identity_are_one_series),
        TEST(status_screen_is_one_screen),
        TEST(status_texts_of_others_are_harmless),
        TEST(status_tells_that_the_source_is_not_asked_any_more),
        TEST(status_tells_what_the_monitor_found),
        TEST(status_tells_of_the_chain_when_replicas_are_waited_for),
        TEST(status_unknown_values_are_left_out_of_metrics),
    };
    return RUN_TESTS(tests);
}
