/* What is said between login and dump, to sources of all versions. */
#include "source.h"

#include "base/log.h"
#include "base/mem.h"
#include "dumper/setup.h"
#include "mysql/repl.h"

#include <stdio.h>

#define OWN_UUID "aaaaaaaa-0000-0000-0000-aaaaaaaaaaaa"

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct channel channel;
static struct setup setup;
static struct setup_opts opts;
static enum setup_result result;
static struct err err;
static struct buf said; /* statements, a line each */

static void on_opened(void *ctx)
{
    (void)ctx;
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)ctx;
    (void)flags;
    result = setup_feed(&setup, part, &err);
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx, const char *reason)
{
    (void)ctx;
    (void)reason;
}

static const struct channel_ops ops = {
    .opened = on_opened, .part = on_part, .batch = on_batch, .closed = on_closed};

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    log_set_level(LOG_ERROR);
    opts = (struct setup_opts){.server_id = 99,
                               .server_uuid = OWN_UUID,
                               .report_host = "backup",
                               .report_port = 3310,
                               .heartbeat_ns = 2000000000u,
                               .semi_sync = true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setup_fini(&setup);
    channel_close(&channel, "the test is over");
    channel_fini(&channel);
    buf_fini(&said);
    peer_free(peer);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

/* One setup against a source; a NUL ends what was said. */
static void run(const struct source_profile *profile)
{
    channel_close(&channel, "next");
    err = (struct err){0};
    result = SETUP_MORE;
    buf_clear(&said);
    assert_int_equal(channel_dial(&channel, loop, &peer->addr, 0, &ops, NULL, &err), 0);
    peer_accept(peer);
    peer_turn(loop);
    setup_start(&setup, &channel, &opts, profile->version);
    while (result == SETUP_MORE) {
        struct bytes command = source_recv_command(peer);
        if (command.p[0] == COM_QUERY)
            wr_bytes(&said, bytes_skip(command, 1));
        else
            wr_fmt(&said, "command %u", command.p[0]);
        wr_u8(&said, '\n');
        assert_true(source_answer(peer, profile, command));
        struct channel *ch = &channel;
        uint64_t before = conn_received(ch->conn);
        RUN_UNTIL(loop, conn_received(ch->conn) > before);
        for (int i = 0; i < 3; i++)
            ev_run(loop, EVRUN_NOWAIT);
    }
    wr_u8(&said, 0);
}

static bool was_said(const char *text)
{
    return strstr((const char *)buf_bytes(&said).p, text) != NULL;
}

static void setup_says_everything_in_order(void **state)
{
    (void)state;
    run(&source_80);
    assert_int_equal(result, SETUP_DONE);
    assert_string_equal(
        (const char *)buf_bytes(&said).p,
        "SELECT UNIX_TIMESTAMP()\n"
        "SELECT @@GLOBAL.SERVER_ID\n"
        "SET @master_heartbeat_period = 2000000000, @source_heartbeat_period = 2000000000\n"
        "SET @master_binlog_checksum = @@global.binlog_checksum, "
        "@source_binlog_checksum = @@global.binlog_checksum\n"
        "SELECT @source_binlog_checksum\n"
        "SELECT @@GLOBAL.GTID_MODE\n"
        "SELECT @@GLOBAL.gtid_owned\n"
        "SELECT @@GLOBAL.gtid_executed\n"
        "SELECT @@GLOBAL.SERVER_UUID\n"
        "SET @slave_uuid = '" OWN_UUID "', @replica_uuid = '" OWN_UUID "'\n"
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'sync_binlog', "
        "'innodb_flush_log_at_trx_commit', 'binlog_checksum', 'rpl_semi_sync_source_enabled', "
        "'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_wait_point', "
        "'rpl_semi_sync_master_wait_point', 'rpl_semi_sync_source_wait_no_replica', "
        "'rpl_semi_sync_master_wait_no_slave', 'rpl_semi_sync_source_timeout', "
        "'rpl_semi_sync_master_timeout')\n"
        "command 21\n"
        "SELECT @@global.rpl_semi_sync_source_enabled\n"
        "SET @rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1\n"
        "SHOW BINARY LOGS\n");
}

static void setup_backlog_sums_what_follows_the_place(void **state)
{
    (void)state;
    static const char *const logs[] = {"a.000001", "1000", "a.000002", "5000000000",
                                       "a.000003", "300",  NULL};
    struct source_profile p = source_80;
    static const struct {
        const char *file;
        uint64_t pos;
        int64_t bytes;
    } cases[] = {
        {NULL, 4, 5000001296}, {"a.000001", 900, 5000000400}, {"a.000003", 4, 296},
        {"a.000003", 301, 0},  {"a.000004", 4, -1},
    };
    p.logs = logs;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct binfile_name name;
        if (cases[i].file)
            binfile_name_parse(&name, bytes_str(cases[i].file), &err);
        run(&p);
        assert_int_equal(result, SETUP_DONE);
        assert_int_equal(setup_backlog(&setup, cases[i].file ? &name : NULL, cases[i].pos),
                         cases[i].bytes);
    }
    run(&source_80); /* without the privilege */
    assert_int_equal(result, SETUP_DONE);
    assert_int_equal(setup_backlog(&setup, NULL, 4), -1);
}

static const struct {
    struct source_profile profile;
    struct setup_facts facts;
} versions[] = {
    {{.version = "5.5.62", .server_id = "7"}, /* no checksums, no GTIDs, no plugin */
     {.version = "5.5.62", .older_than_57 = true, .source = "server-id-7", .ack_mode = ACK_EACH}},
    {{.version = "5.6.51-log",
      .server_id = "7",
      .uuid = SOURCE_UUID,
      .gtid_mode = "ON",
      .checksum = "CRC32",
      .semi_master = "1"},
     {.version = "5.6.51-log",
      .older_than_57 = true,
      .source = SOURCE_UUID,
      .crc32 = true,
      .semi_sync_plugin = true,
      .semi_sync_enabled = true,
      .ack_mode = ACK_EACH}},
    {{.version = "5.7.44-log",
      .server_id = "7",
      .uuid = SOURCE_UUID,
      .gtid_mode = "OFF",
      .checksum = "NONE",
      .semi_master = "0"},
     {.version = "5.7.44-log",
      .source = SOURCE_UUID,
      .semi_sync_plugin = true,
      .ack_mode = ACK_LATEST}},
    {{.version = "8.0.36",
      .server_id = "7",
      .uuid = SOURCE_UUID,
      .gtid_mode = "ON",
      .checksum = "CRC32"},
     {.version = "8.0.36",
      .source = SOURCE_UUID,
      .dump_by_gtid = true,
      .crc32 = true,
      .ack_mode = ACK_LATEST}},
    {{.version = "9.7.0",
      .server_id = "7",
      .uuid = SOURCE_UUID,
      .gtid_mode = "ON_PERMISSIVE",
      .checksum = "CRC32",
      .semi_source = "1"},
     {.version = "9.7.0",
      .source = SOURCE_UUID,
      .crc32 = true,
      .semi_sync_plugin = true,
      .semi_sync_enabled = true,
      .ack_mode = ACK_LATEST}},
    {{.version = "5.5.5-10.11.6-MariaDB-log",
      .server_id = "7",
      .checksum = "CRC32",
      .semi_master = "1"},
     {.version = "10.11.6-MariaDB-log",
      .mariadb = true,
      .source = "server-id-7",
      .crc32 = true,
      .semi_sync_plugin = true,
      .semi_sync_enabled = true,
      .ack_mode = ACK_LATEST}},
    {{.version = "11.4.2-MariaDB", .server_id = "7", .checksum = "NONE", .semi_master = "0"},
     {.version = "11.4.2-MariaDB",
      .mariadb = true,
      .source = "server-id-7",
      .semi_sync_plugin = true,
      .ack_mode = ACK_LATEST}},
};

static void setup_tells_the_versions_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        const struct setup_facts *want = &versions[i].facts, *have = &setup.facts;
        run(&versions[i].profile);
        assert_string_equal(err.text, "");
        assert_int_equal(result, SETUP_DONE);
        assert_string_equal(have->version, want->version);
        assert_int_equal(have->mariadb, want->mariadb);
        assert_int_equal(have->older_than_57, want->older_than_57);
        assert_int_equal(have->server_id, 7);
        assert_string_equal(have->source, want->source);
        assert_int_equal(have->dump_by_gtid, want->dump_by_gtid);
        assert_int_equal(have->crc32, want->crc32);
        assert_int_equal(have->semi_sync_plugin, want->semi_sync_plugin);
        assert_int_equal(have->semi_sync_enabled, want->semi_sync_enabled);
        assert_int_equal(have->ack_mode, want->ack_mode);
        assert_int_equal(was_said("mariadb_slave_capability = 4"), want->mariadb);
        assert_int_equal(was_said("SET @rpl_semi_sync_replica"), want->semi_sync_plugin);
        assert_true(have->clock_ahead_us < 0);
    }
}

static void setup_without_semi_sync_does_not_ask_for_it(void **state)
{
    (void)state;
    opts.semi_sync = false;
    run(&source_80);
    assert_int_equal(result, SETUP_DONE);
    assert_false(was_said("@@global.rpl_semi_sync_source_enabled"));
    assert_false(was_said("SET @rpl_semi_sync"));
    assert_false(setup.facts.semi_sync_plugin);
}

static void setup_finds_the_latest_file_by_either_name(void **state)
{
    (void)state;
    struct source_profile p = source_80;
    opts.want_latest = true;
    p.latest_old = "mysql-bin.000042";
    run(&p);
    assert_int_equal(result, SETUP_DONE);
    assert_string_equal(setup.facts.latest.text, "mysql-bin.000042");
    p.latest = "mysql-bin.000043";
    run(&p);
    assert_string_equal(setup.facts.latest.text, "mysql-bin.000043");
    assert_false(was_said("SHOW MASTER STATUS"));
}

static struct source_profile with(size_t i)
{
    struct source_profile p = source_80;
    switch (i) {
    case 0:
        p.server_id = "99";
        break;
    case 1:
        p.uuid = "AAAAAAAA-0000-0000-0000-aaaaaaaaaaaa";
        break;
    case 2:
        p.log_bin = "OFF";
        break;
    case 3:
        p.register_error = 1045;
        break;
    case 4:
        p.register_error = 1227;
        break;
    case 5:
        p.register_error = 2013;
        break;
    case 6:
        p.uuid = "../../etc";
        break;
    case 7:
        p.checksum = "SHA512";
        break;
    case 8:
        p.latest_old = "../x.000001";
        break;
    }
    return p;
}

static void setup_refuses_what_cannot_work(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_kind kind;
    } cases[] = {
        {"the source has the server_id 99 too", ERR_LONG},
        {"the source has the same server_uuid as binlogd", ERR_LONG},
        {"the source writes no binary log", ERR_LONG},
        {"the account lacks a privilege: GRANT REPLICATION SLAVE ON *.* to it: error 1045",
         ERR_LONG},
        {"the account lacks a privilege: GRANT REPLICATION SLAVE ON *.* to it: error 1227",
         ERR_LONG},
        {"error 2013: Access denied", ERR_OTHER},
        {"the source's server_uuid is malformed", ERR_MALFORMED},
        {"the source has the unknown binlog_checksum SHA512", ERR_OTHER},
        {"cannot find the source's current file: ", ERR_MALFORMED},
    };
    opts.want_latest = true;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct source_profile p = with(i);
        if (i < 8)
            p.latest = "mysql-bin.000001";
        run(&p);
        assert_int_equal(result, SETUP_FAILED);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
        assert_int_equal(err.kind, cases[i].kind);
    }
}

/* Any answer but the expected one at any step: refused, or taken as what the step allows. */
static void setup_survives_broken_answers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum err_kind kind;
    } answers[] = {
        {"\xfb/etc/passwd", 12, ERR_MALFORMED},
        {"", 0, ERR_MALFORMED},
        {"\xfc", 1, ERR_MALFORMED},
        {"\xff", 1, ERR_OTHER},
        {"\xfe", 1, ERR_MALFORMED},
    };
    for (size_t a = 0; a < COUNT_OF(answers); a++) {
        run(&source_80);
        result = SETUP_MORE;
        setup_start(&setup, &channel, &opts, "8.0.36");
        source_recv_command(peer);
        source_send(peer, bytes_of(answers[a].bytes, answers[a].n));
        RUN_UNTIL(loop, result != SETUP_MORE);
        assert_int_equal(result, SETUP_FAILED);
        assert_true(err.text[0] != 0);
        assert_int_equal(err.kind, answers[a].kind);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(setup_says_everything_in_order),
        TEST(setup_tells_the_versions_apart),
        TEST(setup_without_semi_sync_does_not_ask_for_it),
        TEST(setup_backlog_sums_what_follows_the_place),
        TEST(setup_finds_the_latest_file_by_either_name),
        TEST(setup_refuses_what_cannot_work),
        TEST(setup_survives_broken_answers),
    };
    return RUN_TESTS(tests);
}
