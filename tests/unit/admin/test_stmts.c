/* Statements and their answers, against a daemon made of constants. */
#include "check.h"

#include "admin/admin.h"
#include "answer.h"
#include "real_answers.h"

#include <stdio.h>

/* A daemon, and what has been asked of it. */
struct daemon {
    struct admin_facts facts;
    uint32_t killed;
    enum admin_kill kill;
    struct admin_events events;
    bool no_logs;
    bool no_source;
    bool gave_up;
    enum admin_io io;
    bool refuses;
    int command;   /* enum admin_command, -1: none */
    char set[200]; /* what SET GLOBAL handed over */
};

struct fixture {
    struct daemon daemon;
    struct admin_env env;
    struct admin_session session;
    struct buf packets;
    struct buf text;
};

static void give_facts(void *ctx, struct admin_facts *f)
{
    struct daemon *d = ctx;
    *f = d->facts;
}

static void each_log(void *ctx, admin_log_fn fn, void *arg)
{
    static const struct admin_log logs[] = {{"mysql-bin.000001", 1234},
                                            {"mysql-bin.000002", 4294967297u}};
    struct daemon *d = ctx;
    for (size_t i = 0; i < COUNT_OF(logs) && !d->no_logs; i++)
        fn(arg, &logs[i]);
}

static void each_replica(void *ctx, admin_replica_fn fn, void *arg)
{
    static const struct admin_replica replica = {2, "r1", 3307, "uuid-of-r1"};
    (void)ctx;
    fn(arg, &replica);
}

static void each_thread(void *ctx, admin_thread_fn fn, void *arg)
{
    static const struct admin_thread threads[] = {
        {7, "repl", "10.0.0.1:5", NULL, "Query", 0, "init", "SHOW PROCESSLIST"},
        {8, "other", "10.0.0.2:6", "information_schema", "Binlog Dump GTID", 99,
         "Source has sent all binlog to replica; waiting for more updates", NULL},
        {9, "repl", "10.0.0.1:6", NULL, "Sleep", 3, "", NULL}};
    (void)ctx;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        fn(arg, &threads[i]);
}

static bool kill_thread(void *ctx, uint32_t id, enum admin_kill what)
{
    struct daemon *d = ctx;
    d->killed = id;
    d->kill = what;
    return true;
}

static enum admin_gtid_pos gtid_pos(void *ctx, struct bytes file, uint64_t position,
                                    struct buf *text)
{
    (void)ctx;
    if (bytes_eq(file, bytes_str("later")))
        return ADMIN_GTID_POS_LATER;
    if (!bytes_eq(file, bytes_str("mysql-bin.000001")))
        return ADMIN_GTID_POS_NONE;
    wr_fmt(text, "0-1-%llu", (unsigned long long)position);
    return ADMIN_GTID_POS_FOUND;
}

static void binlog_events(void *ctx, const struct admin_events *e, struct buf *out)
{
    struct daemon *d = ctx;
    d->events = *e;
    d->events.file = bytes_of(e->file.p ? "x" : NULL, e->file.n);
    static const uint8_t ok[] = {7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
    wr_bytes(out, bytes_of(ok, sizeof(ok)));
}

static bool tell_source(void *ctx, struct admin_source *s)
{
    struct daemon *d = ctx;
    if (d->no_source)
        return false;
    s->io = d->io;
    s->gave_up = d->gave_up;
    s->host = "db1";
    s->port = 3307;
    s->user = "copier";
    s->connect_retry_s = 5;
    s->file = "mysql-bin.000002";
    s->position = 5000000000u;
    s->space = 6000000000u;
    s->ssl = true;
    s->seconds_behind = 3;
    s->error_code = 2003;
    s->error = "no route";
    s->error_us = 1700000000000000;
    s->server_id = 11;
    s->uuid = "uuid-of-db1";
    s->auto_position = true;
    return true;
}

static bool do_command(void *ctx, enum admin_command command, struct admin_error *e)
{
    struct daemon *d = ctx;
    d->command = (int)command;
    *e = (struct admin_error){1105, "cannot"};
    return !d->refuses;
}

static void each_setting(void *ctx, admin_setting_fn fn, void *arg)
{
    static const struct admin_setting settings[] = {
        {"dumper.retry_max", "5", false, true},
        {"server.max_connections", "1000", true, true},
        {"storage.directory", "/data", false, false},
    };
    (void)ctx;
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        fn(arg, &settings[i]);
}

static bool set_settings(void *ctx, const struct admin_assignment *items, size_t n,
                         struct admin_error *e)
{
    struct daemon *d = ctx;
    size_t len = 0;
    d->set[0] = 0;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(d->set + len, sizeof(d->set) - len, "%s=%s;", items[i].name,
                                items[i].value ? items[i].value : "the default");
    *e = (struct admin_error){1231, "Variable 'x' can't be set to the value of 'y'"};
    return !d->refuses;
}

static bool purge_to(void *ctx, struct bytes name, struct admin_error *e)
{
    struct daemon *d = ctx;
    snprintf(d->set, sizeof(d->set), "to %.*s", (int)name.n, (const char *)name.p);
    if (d->refuses)
        *e = (struct admin_error){1373, "Target log not found in binlog index"};
    else if (bytes_eq(name, bytes_str("in-use")))
        *e = (struct admin_error){1867, "file x was not purged"};
    return !d->refuses;
}

static bool purge_before(void *ctx, int64_t seconds, struct admin_error *e)
{
    struct daemon *d = ctx;
    (void)e;
    snprintf(d->set, sizeof(d->set), "before %lld", (long long)seconds);
    return !d->refuses;
}

/* The answer comes later, so none does here. */
static bool change_source(void *ctx, const struct admin_change *change, struct admin_error *e)
{
    struct daemon *d = ctx;
    size_t len = 0;
    if (change->forget)
        len = (size_t)snprintf(d->set, sizeof(d->set), "forget;");
    for (size_t i = 0; i < ADMIN_CHANGE_COUNT; i++)
        if (change->value[i].p)
            len += (size_t)snprintf(d->set + len, sizeof(d->set) - len, "%zu=%.*s;", i,
                                    (int)change->value[i].n, (const char *)change->value[i].p);
    *e = (struct admin_error){1210, "no"};
    return !d->refuses;
}

static void begin(struct fixture *f, const char *version, unsigned rights)
{
    bool mariadb = strstr(version, "MariaDB") != NULL;
    *f = (struct fixture){0};
    f->daemon.facts = (struct admin_facts){.version = version,
                                           .mariadb = mariadb,
                                           .server_id = 4711,
                                           .server_uuid = "our-uuid",
                                           .hostname = "vm",
                                           .report_host = "",
                                           .port = 3306,
                                           .socket = "",
                                           .datadir = "/data",
                                           .binlog_format = "",
                                           .binlog_row_image = "",
                                           .binlog_row_metadata = "",
                                           .gtid_mode = true,
                                           .gtid_executed = "u:1-5",
                                           .gtid_purged = "u:1",
                                           .gtid_binlog_pos = "0-1-7,1-1-3",
                                           .gtid_binlog_state = "0-5-5,0-1-7,1-1-3",
                                           .checksum = true,
                                           .file = "mysql-bin.000002",
                                           .position = 4294967297u,
                                           .semi_sync = atoi(version) == 5 ? ADMIN_SEMI_SYNC_ABSENT
                                                                           : ADMIN_SEMI_SYNC_ON,
                                           .semi_sync_status = true,
                                           .semi_sync_timeout_ms = 10000,
                                           .semi_sync_replicas = 2,
                                           .semi_sync_clients = 1,
                                           .semi_sync_waits = 1,
                                           .semi_sync_yes = 41,
                                           .semi_sync_no = 3,
                                           .semi_sync_no_times = 2,
                                           .now_us = 1700000000123456,
                                           .uptime_s = 77,
                                           .questions = 154,
                                           .threads_connected = 3};
    f->daemon.command = -1;
    f->daemon.io = ADMIN_IO_WAITING;
    f->env = (struct admin_env){.ctx = &f->daemon,
                                .facts = give_facts,
                                .each_log = each_log,
                                .each_replica = each_replica,
                                .each_thread = each_thread,
                                .kill = kill_thread,
                                .gtid_pos = gtid_pos,
                                .binlog_events = binlog_events,
                                .source = tell_source,
                                .command = do_command,
                                .change = change_source,
                                .purge_to = purge_to,
                                .purge_before = purge_before,
                                .each_setting = each_setting,
                                .set = set_settings};
    const struct admin_login login = {7, "repl", "10.0.0.1", NULL, rights};
    admin_session_init(&f->session, &login);
    buf_init(&f->packets);
    buf_init(&f->text);
}

static void end(struct fixture *f)
{
    admin_session_fini(&f->session);
    buf_fini(&f->packets);
    buf_fini(&f->text);
}

static const char *ask_bytes(struct fixture *f, struct bytes sql)
{
    buf_clear(&f->packets);
    buf_clear(&f->text);
    admin_query(&f->session, &f->env, sql, &f->packets);
    answer_describe(buf_bytes(&f->packets), &f->text);
    return (const char *)buf_bytes(&f->text).p;
}

static const char *ask(struct fixture *f, const char *sql)
{
    return ask_bytes(f, bytes_str(sql));
}

struct exchange {
    const char *sql;
    const char *answer;
};

static void check_exchanges(struct fixture *f, const struct exchange *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *answer = ask(f, cases[i].sql);
        if (strcmp(answer, cases[i].answer) != 0)
            print_message("statement: %s\n", cases[i].sql);
        assert_string_equal(answer, cases[i].answer);
    }
}

#define NO_VARIABLE(name) "ERR 1193 HY000 Unknown system variable '" name "'"
#define NEAR                                                                                       \
    "ERR 1064 42000 You have an error in your SQL syntax; check the manual that corresponds to "   \
    "your MySQL server version for the right syntax to use near "
#define DENIED "ERR 1227 42000 Access denied; you need (at least one of) the "
#define VARS   "Variable_name:253:1,Value:253:0"

/* Every statement of every row of the table of senders, word for word. */
static void statements_of_all_senders_are_answered(void **state)
{
    static const struct exchange cases[] = {
        /* MySQL 5.6 and 5.7 */
        {"SELECT UNIX_TIMESTAMP()", "UNIX_TIMESTAMP():8:81 | 1700000000"},
        {"SHOW VARIABLES LIKE 'SERVER_ID'", VARS " | server_id,4711"},
        {"SET @master_heartbeat_period= 1799999979520", "OK"},
        {"SET @master_binlog_checksum= @@global.binlog_checksum", "OK"},
        {"SELECT @master_binlog_checksum", "@master_binlog_checksum:251:0 | CRC32"},
        {"SELECT @@GLOBAL.GTID_MODE", "@@GLOBAL.GTID_MODE:253:0 | ON"},
        {"SHOW VARIABLES LIKE 'SERVER_UUID'", VARS " | server_uuid,our-uuid"},
        {"SET @slave_uuid= 'U'", "OK"},
        {"SELECT @@GLOBAL.SERVER_ID", "@@GLOBAL.SERVER_ID:8:a0 | 4711"},
        {"SELECT @@GLOBAL.SERVER_UUID", "@@GLOBAL.SERVER_UUID:253:0 | our-uuid"},
        {"SELECT @@global.rpl_semi_sync_master_enabled",
         "@@global.rpl_semi_sync_master_enabled:8:80 | 1"},
        {"SET @rpl_semi_sync_slave= 1", "OK"},
        /* 8.0.26 and later */
        {"SET @master_heartbeat_period = 30000001024, @source_heartbeat_period = 30000001024",
         "OK"},
        {"SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = "
         "@@global.binlog_checksum",
         "OK"},
        {"SELECT @source_binlog_checksum", "@source_binlog_checksum:251:0 | CRC32"},
        {"SET @slave_uuid = 'U', @replica_uuid = 'U'", "OK"},
        {"SELECT @@global.rpl_semi_sync_source_enabled",
         "@@global.rpl_semi_sync_source_enabled:8:80 | 1"},
        {"SET @rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1", "OK"},
        {"SET @rpl_semi_sync_replica = 1", "OK"},
        /* mysqlbinlog */
        {"SELECT VERSION()", "VERSION():253:1 | 9.7.4-binlogd"},
        {"SET @master_binlog_checksum='NONE'", "OK"},
        {"SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'", "OK"},
        /* Go */
        {"SHOW GLOBAL VARIABLES LIKE 'BINLOG_CHECKSUM'", VARS " | binlog_checksum,CRC32"},
        {"SET @master_binlog_checksum='NONE', @source_binlog_checksum='NONE'", "OK"},
        {"SET @mariadb_slave_capability=4", "OK"},
        {"SHOW VARIABLES WHERE Variable_name IN ('rpl_semi_sync_master_enabled', "
         "'rpl_semi_sync_source_enabled')",
         VARS " | rpl_semi_sync_master_enabled,ON | rpl_semi_sync_source_enabled,ON"},
        {"SET @rpl_semi_sync_slave = 1, @rpl_semi_sync_replica = 1;", "OK"},
        {"KILL 9", "OK"},
        /* Java */
        {"show global variables like 'binlog_checksum'", VARS " | binlog_checksum,CRC32"},
        {"set @master_binlog_checksum= @@global.binlog_checksum", "OK"},
        {"select @@server_id", "@@server_id:8:a0 | 4711"},
        {"set @master_heartbeat_period=30000001024", "OK"},
        {"show master status", "File:253:1,Position:8:a1,Binlog_Do_DB:253:1,Binlog_Ignore_DB:253:1,"
                               "Executed_Gtid_Set:253:1 | mysql-bin.000002,4294967297,,,u:1-5"},
        {"show global variables like 'gtid_purged'", VARS " | gtid_purged,u:1"},
        {"SHOW VARIABLES LIKE 'log_bin'", VARS " | log_bin,ON"},
        {"SHOW VARIABLES LIKE 'binlog_format'", VARS " | binlog_format,ROW"},
        {"SHOW VARIABLES LIKE 'binlog_row_image'", VARS " | binlog_row_image,FULL"},
        /* ripple, kingbus, percona, pinloki, MaxScale */
        {"SHOW VARIABLES LIKE 'server_name'", VARS},
        {"SET @server_name='x'", "OK"},
        {"SHOW VARIABLES WHERE Variable_Name LIKE 'rpl_semi_sync_master_enabled' OR Variable_Name "
         "LIKE 'rpl_semi_sync_enabled'",
         VARS " | rpl_semi_sync_master_enabled,ON"},
        {"SET @master_binlog_checksum = 'CRC32'", "OK"},
        {"SELECT @@gtid_mode", "@@gtid_mode:253:0 | ON"},
        {"SELECT @@binlog_format;", "@@binlog_format:253:0 | ROW"},
        {"SELECT @@gtid_purged", "@@gtid_purged:253:0 | u:1"},
        {"SELECT @@GLOBAL.SERVER_ID;", "@@GLOBAL.SERVER_ID:8:a0 | 4711"},
        {"SELECT @@GLOBAL.SERVER_UUID;", "@@GLOBAL.SERVER_UUID:253:0 | our-uuid"},
        {"SELECT VERSION();", "VERSION():253:1 | 9.7.4-binlogd"},
        {"SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'", "OK"},
        {"SELECT @@GLOBAL.gtid_purged", "@@GLOBAL.gtid_purged:253:0 | u:1"},
        {"SET @slave_connect_state='0-1-5'", "OK"},
        {"SET @slave_gtid_strict_mode=1", "OK"},
        {"SET @slave_gtid_ignore_duplicates=1", "OK"},
        {"SET NAMES latin1", "OK"},
        {"SET NAMES utf8", "OK"},
        {"SELECT 1", "1:8:81 | 1"},
        {"SELECT IF(@@global.log_bin, 'ON', 'OFF')",
         "IF(@@global.log_bin, 'ON', 'OFF'):253:1 | ON"},
        /* clients by hand */
        {"select @@version_comment limit 1", "@@version_comment:253:0 | binlogd"},
        {"select USER()", "USER():253:0 | repl@10.0.0.1"},
        {"SELECT DATABASE()", "DATABASE():253:0 | NULL"},
        {"SET NAMES 'utf8mb4';", "OK"},
        {"select concat(@@version, ' ', @@version_comment)",
         "concat(@@version, ' ', @@version_comment):253:0 | 9.7.4-binlogd binlogd"},
        /* orchestrator */
        {"show variables like 'maxscale%'", VARS},
        {"show global status like 'Uptime'", VARS " | Uptime,77"},
        {"select @@global.hostname, ifnull(@@global.report_host, ''), @@global.server_id, "
         "@@global.version, @@global.version_comment, @@global.read_only, @@global.binlog_format, "
         "@@global.log_bin, @@global.log_slave_updates",
         "@@global.hostname:253:0,ifnull(@@global.report_host, ''):253:1,@@global.server_id:8:a0,"
         "@@global.version:253:0,@@global.version_comment:253:0,@@global.read_only:8:80,"
         "@@global.binlog_format:253:0,@@global.log_bin:8:80,@@global.log_slave_updates:8:80 | "
         "vm,,4711,9.7.4-binlogd,binlogd,1,ROW,1,1"},
        {"SHOW GLOBAL STATUS LIKE 'rpl_semi_sync_source_%'",
         VARS " | Rpl_semi_sync_source_clients,1 | Rpl_semi_sync_source_no_times,2"
              " | Rpl_semi_sync_source_no_tx,3 | Rpl_semi_sync_source_status,ON"
              " | Rpl_semi_sync_source_wait_sessions,1 | Rpl_semi_sync_source_yes_tx,41"},
        {"SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_master_%'",
         VARS " | rpl_semi_sync_master_enabled,ON | rpl_semi_sync_master_timeout,10000"
              " | rpl_semi_sync_master_wait_for_slave_count,2"
              " | rpl_semi_sync_master_wait_no_slave,ON"
              " | rpl_semi_sync_master_wait_point,AFTER_SYNC"},
        {"SELECT @@rpl_semi_sync_source_wait_for_replica_count, @@rpl_semi_sync_source_timeout",
         "@@rpl_semi_sync_source_wait_for_replica_count:8:a0,@@rpl_semi_sync_source_timeout:8:a0 | "
         "2,10000"},
        {"show global status like 'rpl_semi_sync_%_status'",
         VARS " | Rpl_semi_sync_master_status,ON | Rpl_semi_sync_source_status,ON"},
        {"select @@global.gtid_mode, @@global.server_uuid, @@global.gtid_purged",
         "@@global.gtid_mode:253:0,@@global.server_uuid:253:0,@@global.gtid_purged:253:0 | "
         "ON,our-uuid,u:1"},
        {"show slave hosts", "Server_id:3:a1,Host:253:1,Port:3:a1,Master_id:3:a1,Slave_UUID:253:1 "
                             "| 2,r1,3307,4711,uuid-of-r1"},
        {"show replicas", "Server_Id:3:a1,Host:253:1,Port:3:a1,Source_Id:3:a1,Replica_UUID:253:1 "
                          "| 2,r1,3307,4711,uuid-of-r1"},
        {"SHOW BINARY LOGS", "Log_name:253:1,File_size:8:a1,Encrypted:253:1 | "
                             "mysql-bin.000001,1234,No | mysql-bin.000002,4294967297,No"},
        {"SHOW WARNINGS", "Level:253:1,Code:3:a1,Message:253:1"},
        {"SELECT @unset, @UNSET", "@unset:253:80,@UNSET:253:80 | NULL,NULL"},
        {"SELECT @@nosuch", NO_VARIABLE("nosuch")},
    };
    struct fixture f;
    begin(&f, "9.7.4-binlogd", ADMIN_RIGHT_REPLICATE | ADMIN_RIGHT_STATUS);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

static void answer_that_needs_a_file_is_owed(void **state)
{
    struct fixture f;
    begin(&f, "10.11.6-MariaDB", ADMIN_RIGHT_ADMIN);
    admin_query(&f.session, &f.env, bytes_str("SELECT 1, binlog_gtid_pos('later', 900)"),
                &f.packets);
    assert_int_equal(f.packets.len, 0);
    assert_int_equal(f.session.warning_code, 0);
    end(&f);
    (void)state;
}

static void a_mariadb_replica_is_answered(void **state)
{
    static const struct exchange cases[] = {
        {"SELECT UNIX_TIMESTAMP()", "UNIX_TIMESTAMP():8:81 | 1700000000"},
        {"SHOW VARIABLES LIKE 'SERVER_ID'", VARS " | server_id,4711"},
        {"SET @master_heartbeat_period= 30000001024", "OK"},
        {"SET @master_binlog_checksum= @@global.binlog_checksum", "OK"},
        {"SELECT @master_binlog_checksum", "@master_binlog_checksum:251:0 | CRC32"},
        {"SET skip_replication=1", "OK"},
        {"SET @mariadb_slave_capability=4", "OK"},
        {"SELECT @@GLOBAL.gtid_domain_id", "@@GLOBAL.gtid_domain_id:8:a0 | 0"},
        {"SELECT @@gtid_binlog_pos, @@global.gtid_current_pos, @@gtid_slave_pos",
         "@@gtid_binlog_pos:253:0,@@global.gtid_current_pos:253:0,@@gtid_slave_pos:253:0 | "
         "0-1-7,1-1-3,0-1-7,1-1-3,0-1-7,1-1-3"},
        {"SELECT @@gtid_binlog_state", "@@gtid_binlog_state:253:0 | 0-5-5,0-1-7,1-1-3"},
        {"SET @slave_connect_state=''", "OK"},
        {"SET @slave_gtid_strict_mode=0", "OK"},
        {"SET @slave_gtid_ignore_duplicates=0", "OK"},
        {"SET @slave_until_gtid='0-1-5'", "OK"},
        {"SELECT binlog_gtid_pos('mysql-bin.000001',4)",
         "binlog_gtid_pos('mysql-bin.000001',4):251:0 | 0-1-4"},
        {"SELECT BINLOG_GTID_POS('nosuch',4)", "BINLOG_GTID_POS('nosuch',4):251:0 | NULL"},
        {"SELECT binlog_gtid_pos('x')",
         "ERR 1582 42000 Incorrect parameter count in the call to native function "
         "'binlog_gtid_pos'"},
        {"SHOW VARIABLES LIKE 'rpl_semi_sync_master_enabled'",
         VARS " | rpl_semi_sync_master_enabled,ON"},
        {"SET @rpl_semi_sync_slave= 1", "OK"},
        {"KILL 9", "OK"},
        {"SHOW MASTER STATUS", "File:253:1,Position:8:a1,Binlog_Do_DB:253:1,"
                               "Binlog_Ignore_DB:253:1 | mysql-bin.000002,4294967297,,"},
        {"SHOW BINARY LOGS", "Log_name:253:1,File_size:8:a1 | mysql-bin.000001,1234 | "
                             "mysql-bin.000002,4294967297"},
        {"SHOW SLAVE HOSTS", "Server_id:3:a1,Host:253:1,Port:3:a1,Master_id:3:a1 | 2,r1,3307,4711"},
        {"SELECT @@gtid_mode", NO_VARIABLE("gtid_mode")},
        {"FOO", "ERR 1064 42000 You have an error in your SQL syntax; check the manual that "
                "corresponds to your MariaDB server version for the right syntax to use near "
                "'FOO' at line 1"},
    };
    struct fixture f;
    begin(&f, "10.11.19-MariaDB-binlogd", ADMIN_RIGHT_REPLICATE | ADMIN_RIGHT_STATUS);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

/* The columns of an answer with rows, the low byte of their flags only; else all of it. */
static void strip_rows(const char *answer, char *dst, size_t cap)
{
    const char *bar = strstr(answer, " | ");
    bool rows = strncmp(answer, "ERR", 3) != 0 && bar;
    snprintf(dst, cap, "%.*s", rows ? (int)(bar - answer) : (int)strlen(answer), answer);
}

static void check_real_answers(const char *version, unsigned bit)
{
    struct fixture nobody, all;
    begin(&nobody, version, 0);
    begin(&all, version, 7);
    memcpy(nobody.session.user, "none", 4);
    for (size_t i = 0; i < COUNT_OF(real_answers); i++) {
        const struct real_answer *r = &real_answers[i];
        static char ours[16384], real[16384];
        if (!(r->versions & bit))
            continue;
        strip_rows(ask(r->rights ? &all : &nobody, r->sql), ours, sizeof(ours));
        const char *tilde = strchr(r->answer, '~');
        if (tilde)
            snprintf(real, sizeof(real), "%s%s", NEAR, tilde + 2);
        else
            snprintf(real, sizeof(real), "%s", r->answer);
        if (strcmp(ours, real) != 0)
            print_message("statement: %s\n", r->sql);
        assert_string_equal(ours, real);
    }
    end(&nobody);
    end(&all);
}

static void answers_have_the_form_of_mysql_9_7(void **state)
{
    check_real_answers("9.7.4", MYSQL_97);
    (void)state;
}

static void answers_have_the_form_of_mysql_5_6(void **state)
{
    check_real_answers("5.6.24-log", MYSQL_56);
    (void)state;
}

static void sources_without_semi_sync_have_no_such_variables(void **state)
{
    static const struct exchange cases[] = {
        {"SELECT @@global.rpl_semi_sync_source_enabled",
         NO_VARIABLE("rpl_semi_sync_source_enabled")},
        {"SELECT @@global.rpl_semi_sync_master_enabled",
         NO_VARIABLE("rpl_semi_sync_master_enabled")},
        {"SHOW VARIABLES LIKE 'rpl_semi%'", VARS},
        {"SHOW STATUS LIKE 'rpl_semi%'", VARS},
    };
    struct fixture f;
    begin(&f, "9.7.4-binlogd", 0);
    f.daemon.facts.semi_sync = ADMIN_SEMI_SYNC_ABSENT;
    check_exchanges(&f, cases, COUNT_OF(cases));
    f.daemon.facts.semi_sync = ADMIN_SEMI_SYNC_OFF;
    assert_string_equal(ask(&f, "SELECT @@rpl_semi_sync_source_enabled"),
                        "@@rpl_semi_sync_source_enabled:8:80 | 0");
    end(&f);
    (void)state;
}

static void rights_decide_what_is_shown(void **state)
{
    static const struct {
        const char *sql;
        unsigned rights; /* any of them opens it */
        const char *refusal;
    } cases[] = {
        {"SHOW MASTER STATUS", ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT"},
        {"SHOW BINARY LOG STATUS", ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT"},
        {"SHOW BINARY LOGS", ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT"},
        {"SHOW REPLICA STATUS", ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT"},
        {"SHOW SLAVE STATUS", ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT"},
        {"SHOW REPLICAS", ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"},
        {"SHOW SLAVE HOSTS", ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"},
        {"SHOW BINLOG EVENTS", ADMIN_RIGHT_REPLICATE, "REPLICATION SLAVE"},
        {"SET GLOBAL read_only = 0", ADMIN_RIGHT_ADMIN, "SUPER or SYSTEM_VARIABLES_ADMIN"},
        {"SET @@global.server_id = 1", ADMIN_RIGHT_ADMIN, "SUPER or SYSTEM_VARIABLES_ADMIN"},
        {"SET GLOBAL read_only = 0, SESSION server_id = 1", ADMIN_RIGHT_ADMIN,
         "SUPER or SYSTEM_VARIABLES_ADMIN"},
        {"SET PERSIST server_id = 1", ADMIN_RIGHT_ADMIN, "SUPER or SYSTEM_VARIABLES_ADMIN"},
        {"SET GLOBAL TRANSACTION READ ONLY", ADMIN_RIGHT_ADMIN, "SUPER or SYSTEM_VARIABLES_ADMIN"},
        {"START REPLICA", ADMIN_RIGHT_ADMIN, "SUPER or REPLICATION_SLAVE_ADMIN"},
        {"START SLAVE UNTIL x", ADMIN_RIGHT_ADMIN, "SUPER or REPLICATION_SLAVE_ADMIN"},
        {"STOP REPLICA IO_THREAD", ADMIN_RIGHT_ADMIN, "SUPER or REPLICATION_SLAVE_ADMIN"},
        {"RESET REPLICA ALL", ADMIN_RIGHT_ADMIN, "RELOAD"},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST='h'", ADMIN_RIGHT_ADMIN,
         "SUPER or REPLICATION_SLAVE_ADMIN"},
        {"FLUSH LOGS", ADMIN_RIGHT_ADMIN, "RELOAD"},
        {"PURGE BINARY LOGS TO 'x'", ADMIN_RIGHT_ADMIN, "SUPER or BINLOG_ADMIN"},
        {"PURGE BINARY LOGS BEFORE NOW()", ADMIN_RIGHT_ADMIN, "SUPER or BINLOG_ADMIN"},
        {"FLUSH STATUS", ADMIN_RIGHT_ADMIN, "RELOAD or FLUSH_STATUS"},
        {"SHUTDOWN", ADMIN_RIGHT_ADMIN, "SHUTDOWN"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (unsigned rights = 0; rights < 8; rights++) {
            struct fixture f;
            begin(&f, "9.7.4", rights);
            const char *answer = ask(&f, cases[i].sql);
            bool open = cases[i].rights && (rights & (cases[i].rights | ADMIN_RIGHT_ADMIN));
            char refusal[256];
            snprintf(refusal, sizeof(refusal), DENIED "%s privilege(s) for this operation",
                     cases[i].refusal);
            assert_int_equal(strcmp(answer, refusal) != 0, open);
            end(&f);
        }
    }
    (void)state;
}

static void the_process_list_shows_others_only_with_the_right_to(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE);
    assert_null(strstr(ask(&f, "SHOW PROCESSLIST"), "other"));
    assert_non_null(strstr(ask(&f, "SHOW PROCESSLIST"), " | 9,repl,10.0.0.1:6,NULL,Sleep,3,,NULL"));
    f.session.rights = ADMIN_RIGHT_STATUS;
    assert_non_null(strstr(ask(&f, "show full processlist"), " | 8,other,10.0.0.2:6,"));
    end(&f);
    (void)state;
}

static void kill_reaches_only_those_it_may(void **state)
{
    static const struct exchange cases[] = {
        {"KILL 8", "ERR 1095 HY000 You are not owner of thread 8"},
        {"KILL 10", "ERR 1094 HY000 Unknown thread id: 10"},
        {"KILL 4294967305", "ERR 1094 HY000 Unknown thread id: 4294967305"},
        {"KILL x", "ERR 1054 42S22 Unknown column 'x' in 'field list'"},
        {"KILL", NEAR "'' at line 1"},
        {"KILL 9 9", NEAR "'9' at line 1"},
    };
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE);
    check_exchanges(&f, cases, COUNT_OF(cases));
    assert_int_equal(f.daemon.killed, 0);
    assert_string_equal(ask(&f, "kill query 9"), "OK");
    assert_int_equal(f.daemon.killed, 9);
    assert_int_equal(f.daemon.kill, ADMIN_KILL_QUERY);
    assert_string_equal(ask(&f, "KILL CONNECTION CONNECTION_ID()"),
                        "ERR 1317 70100 Query execution was interrupted");
    assert_int_equal(f.daemon.killed, 7);
    assert_int_equal(f.daemon.kill, ADMIN_KILL_CONNECTION);
    f.session.rights = ADMIN_RIGHT_ADMIN;
    assert_string_equal(ask(&f, "KILL 8"), "OK");
    end(&f);
    (void)state;
}

static void expressions_are_evaluated(void **state)
{
    static const struct exchange cases[] = {
        {"SELECT 1+2*3-4", "1+2*3-4:8:81 | 3"},
        {"SELECT -(-5), - -5, +5", "-(-5):8:81,- -5:8:81,+5:8:81 | 5,5,5"},
        {"SELECT -1.5, -1e3", "-1.5:246:81,-1e3:5:81 | -1.5,-1000"},
        {"SELECT 9223372036854775807 + 1", "9223372036854775807 + 1:8:a1 | 9223372036854775808"},
        {"SELECT 18446744073709551615 + 1", "ERR 1690 22003 BIGINT value is out of range"},
        {"SELECT 1e308 * 1e308", "ERR 1690 22003 DOUBLE value is out of range"},
        {"SELECT '3x' + 1", "'3x' + 1:5:81 | 4"},
        {"SELECT 'inf' + 0, 'nan' + 0, '0x10' + 0",
         "'inf' + 0:5:81,'nan' + 0:5:81,'0x10' + 0:5:81 | 0,0,0"},
        {"SELECT 2 > 10, '2' > '10', 2 > '10'",
         "2 > 10:8:81,'2' > '10':8:81,2 > '10':8:81 | 0,1,0"},
        {"SELECT 'a' = 'A', 'a' < 'b', 'a' <> 'a '",
         "'a' = 'A':8:81,'a' < 'b':8:81,'a' <> 'a ':8:81 | 1,1,1"},
        {"SELECT NULL = 1, NULL <=> NULL, 1 <=> NULL, NULL IS NULL, 1 IS NOT NULL",
         "NULL = 1:6:80,NULL <=> NULL:8:81,1 <=> NULL:8:81,NULL IS NULL:8:81,1 IS NOT NULL:8:81 | "
         "NULL,1,0,1,1"},
        {"SELECT 1 AND NULL, 0 AND NULL, 1 OR NULL, 0 OR NULL, NOT NULL, NOT 0",
         "1 AND NULL:6:80,0 AND NULL:8:81,1 OR NULL:8:81,0 OR NULL:6:80,NOT NULL:6:80,NOT 0:8:81 | "
         "NULL,0,1,NULL,NULL,1"},
        {"SELECT 1 IN (2, 1), 1 IN (2), 1 NOT IN (2), NULL IN (1), 1 IN (2, NULL)",
         "1 IN (2, 1):8:81,1 IN (2):8:81,1 NOT IN (2):8:81,NULL IN (1):6:80,1 IN (2, NULL):6:80 | "
         "1,0,1,NULL,NULL"},
        {"SELECT 'abc' LIKE 'A%', 'abc' NOT LIKE 'A%', NULL LIKE 'a'",
         "'abc' LIKE 'A%':8:81,'abc' NOT LIKE 'A%':8:81,NULL LIKE 'a':6:80 | 1,0,NULL"},
        {"SELECT COALESCE(NULL, NULL), NULLIF(1,1), NULLIF(1,2)",
         "COALESCE(NULL, NULL):6:80,NULLIF(1,1):8:80,NULLIF(1,2):8:80 | NULL,NULL,1"},
        {"SELECT IF(NULL, 1, 2), IF('1', 'a', 2)",
         "IF(NULL, 1, 2):8:81,IF('1', 'a', 2):253:1 | 2,a"},
        {"SELECT CONCAT('a', NULL), CONCAT(1, 'b')",
         "CONCAT('a', NULL):253:0,CONCAT(1, 'b'):253:0 | NULL,1b"},
        {"SELECT NOW(), NOW(3), UTC_TIMESTAMP",
         "NOW():12:81,NOW(3):12:81,UTC_TIMESTAMP:12:81 | 2023-11-14 22:13:20,2023-11-14 "
         "22:13:20.123,2023-11-14 22:13:20"},
        {"SELECT NOW(7)", "ERR 1426 42000 Too big precision specified for 'now'. Maximum is 6."},
        {"SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())",
         "TIMEDIFF(NOW(), UTC_TIMESTAMP()):253:1 | 00:00:00"},
        {"SELECT 0x4142, x'61', _utf8'a' 'b'", "0x4142:253:a1,x'61':253:a1,_utf8'a' 'b':253:1 | "
                                               "AB,a,ab"},
        {"SELECT 1 'a b', 2 AS \"c\", 3 d, 4 `limit`",
         "a b:8:81,c:8:81,d:8:81,limit:8:81 | 1,2,3,4"},
        {"SELECT SQL_NO_CACHE 1 FROM DUAL LIMIT 1", "1:8:81 | 1"},
        {"SELECT 1 LIMIT 0", "1:8:81"},
        {"SELECT 1 LIMIT 1, 5", "1:8:81"},
        {"SELECT 1 LIMIT 5 OFFSET 0", "1:8:81 | 1"},
        {"SELECT 1 LIMIT x", NEAR "'x' at line 1"},
        {"SELECT 1\nFROM t", NEAR "'FROM t' at line 2"},
        {"SELECT nosuch(1)", "ERR 1305 42000 FUNCTION nosuch does not exist"},
        {"DO 1, SLEEP", "ERR 1054 42S22 Unknown column 'SLEEP' in 'field list'"},
        {"DO 1, 2", "OK"},
        {"/* ping */ SELECT 1", "1:8:81 | 1"},
        {"SELECT @@session.server_id", "ERR 1238 HY000 Variable 'server_id' is a GLOBAL variable"},
        {"SELECT @@global.warning_count",
         "ERR 1238 HY000 Variable 'warning_count' is a SESSION variable"},
    };
    struct fixture f;
    begin(&f, "9.7.4", 0);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

static void set_stores_all_or_nothing(void **state)
{
    static const struct exchange cases[] = {
        {"SET @a = 1, @b = @a", "OK"},
        {"SELECT @a, @b, @A", "@a:8:80,@b:251:80,@A:8:80 | 1,NULL,1"},
        {"SET @b = @a, @a = 2", "OK"},
        {"SELECT @a, @b", "@a:8:80,@b:8:80 | 2,1"},
        {"SET @a = 3, @b = @@nosuch", NO_VARIABLE("nosuch")},
        {"SET @a = 4, nosuch = 1", NO_VARIABLE("nosuch")},
        {"SET @a = 5, @b", NEAR "'' at line 1"},
        {"SELECT @a", "@a:8:80 | 2"},
        {"SET @a = NULL", "OK"},
        {"SELECT @a", "@a:8:80 | NULL"},
        {"SET @a = 'x', autocommit = ON, SESSION sql_mode = '', @@session.time_zone = '+00:00'",
         "OK"},
        {"SET @x = IF(@@gtid_mode = 'ON', CONCAT(@a, 'y'), 0)", "OK"},
        {"SELECT @x", "@x:251:0 | xy"},
        {"SET @a = 1.50, @b = 1e1, @c = TRUE", "OK"},
        {"SELECT @a, @b, @c", "@a:246:80,@b:5:80,@c:8:80 | 1.50,10,1"},
        {"SET server_id = 5", "ERR 1229 HY000 Variable 'server_id' is a GLOBAL variable and should "
                              "be set with SET GLOBAL"},
        {"SET warning_count = 5",
         "ERR 1238 HY000 Variable 'warning_count' is a read only variable"},
        {"SET @a = b", "ERR 1054 42S22 Unknown column 'b' in 'field list'"},
        {"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY", "OK"},
        {"SET CHARACTER SET utf8", "OK"},
        {"SET NAMES utf8mb4 COLLATE utf8mb4_bin, @q = 1", "OK"},
        {"SET NAMES klingon", "ERR 1115 42000 Unknown character set: 'klingon'"},
        {"SET GLOBAL nosuch = 1", NO_VARIABLE("nosuch")},
    };
    struct fixture f;
    begin(&f, "9.7.4", 0);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

static void variables_can_be_read_by_the_session(void **state)
{
    struct fixture f;
    struct bytes value;
    uint64_t n = 0;
    begin(&f, "9.7.4", 0);
    assert_false(admin_session_get(&f.session, "replica_uuid", &value));
    ask(&f,
        "SET @Replica_UUID = 'abc', @n = NULL, @source_heartbeat_period = 30000001024, @m = -1");
    assert_true(admin_session_get(&f.session, "replica_uuid", &value));
    assert_true(bytes_eq(value, bytes_str("abc")));
    assert_false(admin_session_get(&f.session, "n", &value));
    assert_true(admin_session_get_u64(&f.session, "source_heartbeat_period", &n));
    assert_int_equal(n, 30000001024u);
    assert_false(admin_session_get_u64(&f.session, "replica_uuid", &n));
    assert_false(admin_session_get_u64(&f.session, "m", &n));
    admin_session_reset(&f.session);
    assert_false(admin_session_get(&f.session, "replica_uuid", &value));
    assert_string_equal(f.session.user, "repl");
    end(&f);
    (void)state;
}

static void user_variables_are_bounded(void **state)
{
    static char sql[ADMIN_USER_BYTES_MAX + 100];
    struct fixture f;
    begin(&f, "9.7.4", 0);
    for (unsigned i = 0; i < ADMIN_USER_VARIABLES_MAX; i++) {
        snprintf(sql, sizeof(sql), "SET @v%u = %u", i, i);
        assert_string_equal(ask(&f, sql), "OK");
    }
    assert_int_equal(strncmp(ask(&f, "SET @more = 1"), "ERR 1105 HY000 ", 15), 0);
    assert_string_equal(ask(&f, "SET @v1 = 5"), "OK");
    size_t n = (size_t)snprintf(sql, sizeof(sql), "SET @v1 = '");
    memset(sql + n, 'x', ADMIN_USER_BYTES_MAX);
    sql[n + ADMIN_USER_BYTES_MAX] = '\'';
    assert_int_equal(
        strncmp(ask_bytes(&f, bytes_of(sql, n + ADMIN_USER_BYTES_MAX + 1)), "ERR 1105", 8), 0);
    assert_string_equal(ask(&f, "SELECT @v1"), "@v1:8:80 | 5");
    assert_true(f.session.variable_bytes <= ADMIN_USER_BYTES_MAX);
    end(&f);
    (void)state;
}

static void the_last_error_is_kept_for_show_warnings(void **state)
{
    static const struct exchange cases[] = {
        {"SELECT @@nosuch", NO_VARIABLE("nosuch")},
        {"SELECT @@warning_count", "@@warning_count:8:a0 | 1"},
        {"SHOW COUNT(*) WARNINGS", "@@session.warning_count:8:a0 | 1"},
        {"SHOW ERRORS", "Level:253:1,Code:3:a1,Message:253:1 | Error,1193,Unknown system variable "
                        "'nosuch'"},
        {"SHOW WARNINGS LIMIT 0", "Level:253:1,Code:3:a1,Message:253:1"},
        {"SELECT 1", "1:8:81 | 1"},
        {"SHOW WARNINGS", "Level:253:1,Code:3:a1,Message:253:1"},
    };
    struct fixture f;
    begin(&f, "9.7.4", 0);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

static void show_filters_as_asked(void **state)
{
    static const struct exchange cases[] = {
        {"SHOW VARIABLES LIKE 'server\\_id'", VARS " | server_id,4711"},
        {"SHOW SESSION VARIABLES WHERE `variable_name` = 'SERVER_ID' AND Value > 5",
         VARS " | server_id,4711"},
        {"SHOW VARIABLES WHERE Variable_name NOT LIKE '%' OR value = 'our-uuid'",
         VARS " | server_uuid,our-uuid"},
        {"SHOW GLOBAL VARIABLES LIKE 'warning_count'", VARS},
        {"SHOW VARIABLES LIKE 'warning_count'", VARS " | warning_count,0"},
        {"SHOW VARIABLES WHERE foo = 1", "ERR 1054 42S22 Unknown column 'foo' in 'where clause'"},
        {"SHOW VARIABLES WHERE Variable_name = 'x' x", NEAR "'x' at line 1"},
        {"SHOW VARIABLES LIKE server_id", NEAR "'server_id' at line 1"},
        {"SHOW GLOBAL", NEAR "'GLOBAL' at line 1"},
        {"SHOW DATABASES", "Database:253:1 | information_schema"},
        {"SHOW SCHEMAS LIKE 'x%'", "Database (x%):253:1"},
        {"SHOW TABLES", "ERR 1046 3D000 No database selected"},
        {"USE nosuch", "ERR 1049 42000 Unknown database 'nosuch'"},
        {"USE INFORMATION_SCHEMA", "OK"},
        {"SELECT DATABASE()", "DATABASE():253:0 | information_schema"},
        {"SHOW TABLES", "Tables_in_information_schema:253:1"},
        {"SHOW GRANTS", "Grants for repl@%:253:1 | GRANT PROCESS, REPLICATION SLAVE, REPLICATION "
                        "CLIENT ON *.* TO `repl`@`%`"},
        {"SHOW GRANTS FOR CURRENT_USER()", "Grants for repl@%:253:1 | GRANT PROCESS, REPLICATION "
                                           "SLAVE, REPLICATION CLIENT ON *.* TO `repl`@`%`"},
        {"SHOW GRANTS FOR x", NEAR "'FOR x' at line 1"},
        {"BEGIN", "OK"},
        {"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "OK"},
        {"COMMIT WORK", "OK"},
        {"ROLLBACK TO x", NEAR "'TO x' at line 1"},
        {"", "ERR 1065 42000 Query was empty"},
        {" ; ;", "ERR 1065 42000 Query was empty"},
        {" /* nothing */ ", "OK"},
        {"/* nothing */;", "OK"},
        {"-- nothing", "OK"},
        {"# nothing\n", "OK"},
        {"/*!99999 nothing */", "OK"},
        {"/*!99999 nothing */ BEGIN", "OK"},
        {"/*!40101 SET NAMES utf8 */;", "OK"},
        {"/* open", NEAR "'/* open' at line 1"},
    };
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE | ADMIN_RIGHT_STATUS);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    (void)state;
}

static void binlog_events_are_handed_over(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE);
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS"), "OK");
    assert_null(f.daemon.events.file.p);
    assert_int_equal(f.daemon.events.position, 4);
    assert_int_equal(f.daemon.events.count, UINT64_MAX);
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS IN '' LIMIT 0"), "OK");
    assert_non_null(f.daemon.events.file.p);
    assert_int_equal(f.daemon.events.file.n, 0);
    assert_int_equal(f.daemon.events.count, UINT64_MAX);
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS LIMIT 1, 0"), "OK");
    assert_int_equal(f.daemon.events.count, 0);
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS IN 'x' FROM 99 LIMIT 2, 7"), "OK");
    assert_int_equal(f.daemon.events.file.n, 1);
    assert_int_equal(f.daemon.events.position, 99);
    assert_int_equal(f.daemon.events.skip, 2);
    assert_int_equal(f.daemon.events.count, 7);
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS IN x"), NEAR "'x' at line 1");
    assert_string_equal(ask(&f, "SHOW BINLOG EVENTS FROM 'x'"), NEAR "''x'' at line 1");
    end(&f);
    (void)state;
}

static void without_logs_there_is_no_position(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_STATUS);
    f.daemon.no_logs = true;
    f.daemon.facts.file = "";
    assert_null(strstr(ask(&f, "SHOW BINARY LOG STATUS"), " | "));
    assert_null(strstr(ask(&f, "SHOW BINARY LOGS"), " | "));
    end(&f);
    (void)state;
}

static void an_empty_environment_is_enough(void **state)
{
    static const char *const statements[] = {"SHOW VARIABLES",
                                             "SHOW STATUS",
                                             "SHOW BINARY LOG STATUS",
                                             "SHOW BINARY LOGS",
                                             "SHOW REPLICAS",
                                             "SHOW PROCESSLIST",
                                             "KILL 1",
                                             "SHOW BINLOG EVENTS",
                                             "SELECT @@version",
                                             "SELECT @@hostname",
                                             "SHOW MASTER STATUS"};
    struct fixture f;
    begin(&f, "9.7.4", 7);
    f.env = (struct admin_env){0};
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        assert_string_not_equal(ask(&f, statements[i]), "BROKEN");
    end(&f);
    (void)state;
}

static void the_source_is_shown_in_the_words_of_the_statement(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_STATUS);
    const char *row = strstr(ask(&f, "SHOW REPLICA STATUS"), " | ");
    assert_string_equal(
        row, " | Waiting for source to send event,db1,copier,3307,5,mysql-bin.000002,5000000000,"
             "mysql-bin.000002,4294967297,mysql-bin.000002,Yes,No,,,,,,,0,,0,4294967297,6000000000,"
             "None,,0,Yes,,,,,,3,No,2003,no route,0,,,11,uuid-of-db1,,0,NULL,,0,,231114 22:13:20,,"
             ",,u:1-5,u:1-5,1,,,,,0,");
    const char *answer = ask(&f, "SHOW SLAVE STATUS NONBLOCKING");
    assert_memory_equal(answer, "Slave_IO_State:253:1,Master_Host:253:1,", 38);
    assert_non_null(strstr(answer, ",Relay_Master_Log_File:253:1,Slave_IO_Running:253:1,"));
    assert_non_null(strstr(answer, ",Replicate_Do_DB:253:1,"));
    assert_non_null(strstr(answer, ",Channel_Name:253:1,Master_TLS_Version:253:1 | "));
    assert_non_null(strstr(answer, " | Waiting for master to send event,db1,"));
    f.daemon.no_source = true;
    assert_null(strstr(ask(&f, "SHOW REPLICA STATUS FOR CHANNEL ''"), " | "));
    assert_string_equal(ask(&f, "SHOW REPLICA STATUS FOR CHANNEL 'x'"),
                        "ERR 3074 HY000 Replica channel 'x' does not exist.");
    f.daemon.facts.version = "5.6.24";
    assert_non_null(strstr(ask(&f, "SHOW SLAVE STATUS"), ",Auto_Position:3:a1"));
    assert_null(strstr(ask(&f, "SHOW SLAVE STATUS"), "Channel_Name"));
    end(&f);
    (void)state;
}

#define NOTE(code, text)                                                                           \
    "Level:253:1,Code:3:a1,Message:253:1 | Note," #code "," text, "@@error_count:8:a0 | 0"

static void replication_is_started_and_stopped_as_it_stands(void **state)
{
    enum { NONE = -1, RUNS, STANDS, GAVE_UP, ABSENT };
    static const struct {
        int is;
        const char *sql;
        const char *answer;
        int command;
    } cases[] = {
        {STANDS, "START REPLICA", "OK", ADMIN_START_SOURCE},
        {STANDS, "START SLAVE IO_THREAD", "OK", ADMIN_START_SOURCE},
        {STANDS, "START REPLICA FOR CHANNEL ''", "OK", ADMIN_START_SOURCE},
        {RUNS, "START REPLICA", "OK", NONE},
        {STANDS, "START REPLICA SQL_THREAD",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'SQL_THREAD'", NONE},
        {STANDS, "START REPLICA UNTIL SOURCE_LOG_POS=4",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'UNTIL'", NONE},
        {STANDS, "START REPLICA USER='a'",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'USER'", NONE},
        {STANDS, "START REPLICA FOR CHANNEL 'x'",
         "ERR 3074 HY000 Replica channel 'x' does not exist.", NONE},
        {ABSENT, "START REPLICA",
         "ERR 1200 HY000 The server is not configured as replica; fix in config file or with "
         "CHANGE "
         "REPLICATION SOURCE TO",
         NONE},
        {ABSENT, "START SLAVE",
         "ERR 1200 HY000 The server is not configured as slave; fix in config file or with CHANGE "
         "MASTER TO",
         NONE},
        {RUNS, "STOP REPLICA", "OK", ADMIN_STOP_SOURCE},
        {RUNS, "STOP SLAVE SQL_THREAD, IO_THREAD", "OK", ADMIN_STOP_SOURCE},
        {RUNS, "STOP REPLICA SQL_THREAD", "OK", NONE},
        {STANDS, "STOP REPLICA", "OK", NONE},
        {GAVE_UP, "STOP REPLICA", "OK", ADMIN_STOP_SOURCE},
        {GAVE_UP, "START REPLICA", "OK", ADMIN_START_SOURCE},
        {ABSENT, "STOP REPLICA", "OK", NONE},
        {STANDS, "RESET REPLICA", "OK", ADMIN_RESET_SOURCE},
        {ABSENT, "RESET REPLICA ALL", "OK", NONE},
        {RUNS, "RESET REPLICA",
         "ERR 3081 HY000 This operation cannot be performed with running replication threads; run "
         "STOP REPLICA FOR CHANNEL '' first",
         NONE},
        {RUNS, "RESET SLAVE ALL",
         "ERR 1198 HY000 This operation cannot be performed with a running slave; run STOP SLAVE "
         "first",
         NONE},
        {RUNS, "FLUSH LOGS", "OK", ADMIN_FLUSH_LOGS},
        {RUNS, "FLUSH LOCAL BINARY LOGS, ERROR LOGS", "OK", ADMIN_FLUSH_LOGS},
        {RUNS, "FLUSH BINARY LOGS", "OK", NONE},
        {RUNS, "FLUSH TABLES", NEAR "'TABLES' at line 1", NONE},
        {RUNS, "SHUTDOWN", "OK", ADMIN_SHUTDOWN},
        {RUNS, "SHUTDOWN NOW", NEAR "'NOW' at line 1", NONE},
        {RUNS, "STOP", NEAR "'' at line 1", NONE},
        {RUNS, "STOP REPLICA SQL_THREAD,", NEAR "'' at line 1", NONE},
        {RUNS, "RESET REPLICA FOR CHANNEL x", NEAR "'x' at line 1", NONE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
        f.daemon.io = cases[i].is == RUNS ? ADMIN_IO_QUEUEING : ADMIN_IO_STOPPED;
        f.daemon.gave_up = cases[i].is == GAVE_UP;
        f.daemon.no_source = cases[i].is == ABSENT;
        const char *answer = ask(&f, cases[i].sql);
        if (strcmp(answer, cases[i].answer) != 0 || f.daemon.command != cases[i].command)
            print_message("statement: %s\n", cases[i].sql);
        assert_string_equal(answer, cases[i].answer);
        assert_int_equal(f.daemon.command, cases[i].command);
        end(&f);
    }
    (void)state;
}

static void what_is_so_already_is_a_note(void **state)
{
    static const struct {
        enum admin_io io;
        const char *sql;
        const char *shown;
        const char *errors;
    } cases[] = {
        {ADMIN_IO_WAITING, "START REPLICA",
         NOTE(3083, "Replication thread(s) for channel '' are already runnning.")},
        {ADMIN_IO_WAITING, "START SLAVE", NOTE(1254, "Slave is already running")},
        {ADMIN_IO_STOPPED, "STOP REPLICA",
         NOTE(3084, "Replication thread(s) for channel '' are already stopped.")},
        {ADMIN_IO_STOPPED, "STOP SLAVE", NOTE(1255, "Slave already has been stopped")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
        f.daemon.io = cases[i].io;
        assert_string_equal(ask(&f, cases[i].sql), "OK");
        assert_string_equal(ask(&f, "SHOW WARNINGS"), cases[i].shown);
        assert_null(strstr(ask(&f, "SHOW ERRORS"), " | "));
        assert_string_equal(ask(&f, "SHOW COUNT(*) WARNINGS"), "@@session.warning_count:8:a0 | 1");
        assert_string_equal(ask(&f, cases[i].sql), "OK");
        assert_string_equal(ask(&f, "SELECT @@error_count"), cases[i].errors);
        end(&f);
    }
    (void)state;
}

static void keys_of_the_configuration_are_global_variables(void **state)
{
    static const struct exchange shown[] = {
        {"SHOW VARIABLES LIKE 'dumper%'", VARS " | dumper.retry_max,5"},
        {"SHOW GLOBAL VARIABLES WHERE Variable_name = 'server.max_connections'",
         VARS " | server.max_connections,1000"},
        {"SELECT @@global.server.max_connections, @@dumper.retry_max",
         "@@global.server.max_connections:8:a0,@@dumper.retry_max:253:0 | 1000,5"},
        {"SELECT @@dumper.nosuch", NO_VARIABLE("dumper.nosuch")},
    };
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_STATUS);
    check_exchanges(&f, shown, COUNT_OF(shown));
    end(&f);
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE);
    assert_string_equal(ask(&f, "SHOW VARIABLES LIKE 'dumper%'"), VARS);
    assert_string_equal(ask(&f, "SELECT @@dumper.retry_max"), NO_VARIABLE("dumper.retry_max"));
    end(&f);
    (void)state;
}

static void set_global_hands_all_over_at_once(void **state)
{
    static const struct {
        const char *sql;
        const char *answer;
        const char *set;
    } cases[] = {
        {"SET GLOBAL max_connections = 7", "OK", "server.max_connections=7;"},
        {"SET @@GLOBAL.max_connections = DEFAULT", "OK", "server.max_connections=the default;"},
        {"SET GLOBAL dumper.retry_max = 0.5, @a = 1, GLOBAL server.max_connections = 3+4", "OK",
         "dumper.retry_max=0.5;server.max_connections=7;"},
        {"SET GLOBAL max_connections = 7, dumper.retry_max = 3", "OK",
         "server.max_connections=7;dumper.retry_max=3;"},
        {"SET GLOBAL max_connections = 7, @a = 1, NAMES utf8, @@autocommit = 1, dumper.retry_max=3",
         "OK", "server.max_connections=7;dumper.retry_max=3;"},
        {"SET GLOBAL max_connections = 7, @@dumper.retry_max = 3",
         "ERR 1229 HY000 Variable 'dumper.retry_max' is a GLOBAL variable and should be set with "
         "SET GLOBAL",
         ""},
        {"SET GLOBAL max_connections = 7, SESSION autocommit = 1, dumper.retry_max = 3",
         "ERR 1229 HY000 Variable 'dumper.retry_max' is a GLOBAL variable and should be set with "
         "SET GLOBAL",
         ""},
        {"SET @@GLOBAL.max_connections = 7, dumper.retry_max = 3",
         "ERR 1229 HY000 Variable 'dumper.retry_max' is a GLOBAL variable and should be set with "
         "SET GLOBAL",
         ""},
        {"SET @@global.dumper.retry_max = '9'", "OK", "dumper.retry_max=9;"},
        {"SET GLOBAL `dumper`.`retry_max` = OFF", "OK", "dumper.retry_max=OFF;"},
        {"SET GLOBAL max_connections = 7, GLOBAL nosuch = 1", NO_VARIABLE("nosuch"), ""},
        {"SET GLOBAL max_connections = 7, @b = @@nosuch", NO_VARIABLE("nosuch"), ""},
        {"SET GLOBAL dumper.nosuch = 1", NO_VARIABLE("dumper.nosuch"), ""},
        {"SET GLOBAL max_connections = 'x'",
         "ERR 1232 42000 Incorrect argument type to variable 'max_connections'", ""},
        {"SET GLOBAL max_connections = 1.5",
         "ERR 1232 42000 Incorrect argument type to variable 'max_connections'", ""},
        {"SET GLOBAL max_connections = NULL",
         "ERR 1232 42000 Incorrect argument type to variable 'max_connections'", ""},
        {"SET GLOBAL dumper.retry_max = NULL",
         "ERR 1231 42000 Variable 'dumper.retry_max' can't be set to the value of 'NULL'", ""},
        {"SET GLOBAL dumper.retry_max = '5\\nhost=evil'",
         "ERR 1231 42000 Variable 'dumper.retry_max' can't be set to a value with a control "
         "character in it",
         ""},
        {"SET GLOBAL dumper.retry_max = '5\\0'",
         "ERR 1231 42000 Variable 'dumper.retry_max' can't be set to a value with a control "
         "character in it",
         ""},
        {"SET GLOBAL storage.directory = 'x'",
         "ERR 1238 HY000 Variable 'storage.directory' is a read only variable", ""},
        {"SET GLOBAL version = 1", "ERR 1238 HY000 Variable 'version' is a read only variable", ""},
        {"SET GLOBAL sql_log_bin = 1",
         "ERR 1228 HY000 Variable 'sql_log_bin' is a SESSION variable and can't be used with SET "
         "GLOBAL",
         ""},
        {"SET max_connections = 1",
         "ERR 1229 HY000 Variable 'max_connections' is a GLOBAL variable and should be set with "
         "SET "
         "GLOBAL",
         ""},
        {"SET dumper.retry_max = 1",
         "ERR 1229 HY000 Variable 'dumper.retry_max' is a GLOBAL variable and should be set with "
         "SET GLOBAL",
         ""},
        {"SET PERSIST max_connections = 1",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'SET PERSIST'", ""},
        {"SET GLOBAL dumper. = 1", NEAR "'= 1' at line 1", ""},
        {"SET GLOBAL max_connections = 7 8", NEAR "'8' at line 1", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
        const char *answer = ask(&f, cases[i].sql);
        if (strcmp(answer, cases[i].answer) != 0)
            print_message("statement: %s\n", cases[i].sql);
        assert_string_equal(answer, cases[i].answer);
        assert_string_equal(f.daemon.set, cases[i].set);
        end(&f);
    }
    (void)state;
}

static void a_refused_set_global_stores_nothing(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
    f.daemon.refuses = true;
    assert_string_equal(ask(&f, "SET @a = 1, GLOBAL max_connections = 7"),
                        "ERR 1231 42000 Variable 'x' can't be set to the value of 'y'");
    assert_string_equal(ask(&f, "SELECT @a IS NULL"), "@a IS NULL:8:81 | 1");
    end(&f);
    (void)state;
}

static void change_hands_over_what_was_given(void **state)
{
    static const struct {
        const char *sql;
        const char *answer; /* "" for one that comes later */
        const char *given;
    } cases[] = {
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST='h', SOURCE_PORT=7, source_user='u', "
         "SOURCE_PASSWORD='it''s', SOURCE_SSL=1 FOR CHANNEL ''",
         "", "0=h;1=7;2=u;3=it's;7=1;"},
        {"CHANGE MASTER TO MASTER_HOST='h', MASTER_LOG_FILE='f', MASTER_LOG_POS=4, "
         "MASTER_HEARTBEAT_PERIOD=0.5, GET_MASTER_PUBLIC_KEY=1",
         "", "0=h;4=f;5=4;12=0.5;15=1;"},
        {"CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1, SOURCE_BIND='', SOURCE_DELAY=0, "
         "PRIVILEGE_CHECKS_USER=NULL",
         "", "6=1;"},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=(), SOURCE_RETRY_COUNT=0, "
         "ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=OFF, SOURCE_PORT=7",
         "", "1=7;"},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=(1, 2)",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'ignore_server_ids'", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT=10",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'retry_count'", ""},
        {"CHANGE REPLICATION SOURCE TO ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=LOCAL",
         "ERR 1235 42000 This version of MySQL doesn't yet support "
         "'assign_gtids_to_anonymous_transactions'",
         ""},
        {"CHANGE REPLICATION SOURCE TO ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=ON",
         NEAR "'ON' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=(,)", NEAR "',)' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=(1", NEAR "'' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS=1", NEAR "'1' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO IGNORE_SERVER_IDS", NEAR "'' at line 1", ""},
        {"RESET REPLICA ALL", "", "forget;"},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST=''",
         "ERR 1210 HY000 Incorrect arguments to SOURCE_HOST", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST='h', SOURCE_PASSWORD='a\\nhost=evil'",
         "ERR 1210 HY000 Incorrect arguments to SOURCE_PASSWORD: the value holds a control "
         "character",
         ""},
        {"CHANGE MASTER TO MASTER_LOG_FILE='a\rb'",
         "ERR 1210 HY000 Incorrect arguments to MASTER_LOG_FILE: the value holds a control "
         "character",
         ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_USER='a\\0b'",
         "ERR 1210 HY000 Incorrect arguments to SOURCE_USER: the value holds a control character",
         ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_BIND='\x7f'",
         "ERR 1210 HY000 Incorrect arguments to SOURCE_BIND: the value holds a control character",
         ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_DELAY=3",
         "ERR 1235 42000 This version of MySQL doesn't yet support 'delay'", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD=4294968",
         "ERR 1624 HY000 The requested value for the heartbeat period is either negative or "
         "exceeds "
         "the maximum allowed (4294967 seconds).",
         ""},
        {"CHANGE MASTER TO MASTER_AUTO_POSITION=1, MASTER_LOG_POS=4",
         "ERR 1776 HY000 Parameters MASTER_LOG_FILE, MASTER_LOG_POS, RELAY_LOG_FILE and "
         "RELAY_LOG_POS cannot be set when MASTER_AUTO_POSITION is active.",
         ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST='h' FOR CHANNEL 'x'",
         "ERR 3074 HY000 Replica channel 'x' does not exist.", ""},
        {"CHANGE REPLICATION SOURCE TO", NEAR "'' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO MASTER_HOST='h'", NEAR "'MASTER_HOST='h'' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_NONSENSE=1", NEAR "'SOURCE_NONSENSE=1' at line 1",
         ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_PORT='x'", NEAR "''x'' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_PORT=1.5", NEAR "'1.5' at line 1", ""},
        {"CHANGE REPLICATION SOURCE TO SOURCE_HOST='a',", NEAR "'' at line 1", ""},
        {"CHANGE NONSENSE", NEAR "'NONSENSE' at line 1", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
        f.daemon.io = ADMIN_IO_STOPPED;
        const char *answer = ask(&f, cases[i].sql);
        if (*cases[i].answer)
            assert_string_equal(answer, cases[i].answer);
        else
            assert_int_equal(f.packets.len, 0);
        assert_string_equal(f.daemon.set, cases[i].given);
        end(&f);
    }
    (void)state;
}

static void change_is_refused_while_the_source_is_read_or_when_there_is_none(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
    assert_string_equal(ask(&f, "CHANGE REPLICATION SOURCE TO SOURCE_PORT=1"),
                        "ERR 3021 HY000 This operation cannot be performed with a running replica "
                        "io thread; run STOP REPLICA IO_THREAD FOR CHANNEL '' first.");
    assert_string_equal(ask(&f, "CHANGE MASTER TO MASTER_PORT=1"),
                        "ERR 1198 HY000 This operation cannot be performed with a running slave; "
                        "run STOP SLAVE first");
    f.daemon.io = ADMIN_IO_STOPPED;
    f.daemon.refuses = true;
    assert_string_equal(ask(&f, "CHANGE REPLICATION SOURCE TO SOURCE_PORT=1"), "ERR 1210 HY000 no");
    f.daemon.no_source = true;
    assert_non_null(strstr(ask(&f, "CHANGE REPLICATION SOURCE TO SOURCE_PORT=1"), "ERR 1794 "));
    end(&f);
    (void)state;
}

/* Now is 1700000000, 2023-11-14 22:13:20. */
static void purge_is_handed_over_with_its_limit(void **state)
{
    static const struct {
        const char *sql;
        const char *answer;
        const char *purged;
    } cases[] = {
        {"PURGE BINARY LOGS TO 'mysql-bin.000002'", "OK", "to mysql-bin.000002"},
        {"purge master logs to 'x'", "OK", "to x"},
        {"PURGE BINARY LOGS BEFORE '2023-11-14 22:13:20'", "OK", "before 1700000000"},
        {"PURGE BINARY LOGS BEFORE '2023-11-14T22:13:20.5'", "OK", "before 1700000000"},
        {"PURGE BINARY LOGS BEFORE '2023-11-14'", "OK", "before 1699920000"},
        {"PURGE BINARY LOGS BEFORE NOW()", "OK", "before 1700000000"},
        {"PURGE BINARY LOGS BEFORE CURRENT_TIMESTAMP - INTERVAL 1 HOUR", "OK", "before 1699996400"},
        {"PURGE BINARY LOGS BEFORE NOW() - INTERVAL '3' DAY", "OK", "before 1699740800"},
        {"PURGE MASTER LOGS BEFORE DATE_SUB(NOW(), INTERVAL 1 WEEK)", "OK", "before 1699395200"},
        {"PURGE BINARY LOGS BEFORE '2023-11-14' + INTERVAL 1 SECOND", "OK", "before 1699920001"},
        {"PURGE BINARY LOGS BEFORE 'abc'", "OK", ""},
        {"PURGE BINARY LOGS BEFORE NULL", "OK", ""},
        {"PURGE BINARY LOGS BEFORE 1", "OK", ""},
        {"PURGE BINARY LOGS", NEAR "'' at line 1", ""},
        {"PURGE BINARY LOGS TO", NEAR "'' at line 1", ""},
        {"PURGE BINARY LOGS TO x", NEAR "'x' at line 1", ""},
        {"PURGE BINARY LOGS BEFORE NOW() - INTERVAL 3 PARSEC", NEAR "'PARSEC' at line 1", ""},
        {"PURGE BINARY LOGS BEFORE NOW() x", NEAR "'x' at line 1", ""},
        {"PURGE NONSENSE", NEAR "'NONSENSE' at line 1", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
        const char *answer = ask(&f, cases[i].sql);
        if (strcmp(answer, cases[i].answer) != 0)
            print_message("statement: %s\n", cases[i].sql);
        assert_string_equal(answer, cases[i].answer);
        assert_string_equal(f.daemon.set, cases[i].purged);
        end(&f);
    }
    (void)state;
}

static void purge_that_keeps_a_file_warns(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
    assert_string_equal(ask(&f, "PURGE BINARY LOGS TO 'in-use'"), "OK");
    assert_non_null(strstr(ask(&f, "SHOW WARNINGS"), " | Warning,1867,file x was not purged"));
    assert_string_equal(ask(&f, "PURGE BINARY LOGS TO 'x'"), "OK");
    assert_null(strstr(ask(&f, "SHOW WARNINGS"), "1867"));
    end(&f);
    (void)state;
}

static void what_the_daemon_refuses_is_told(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_ADMIN);
    f.daemon.refuses = true;
    assert_string_equal(ask(&f, "FLUSH LOGS"), "ERR 1105 HY000 cannot");
    assert_string_equal(ask(&f, "PURGE BINARY LOGS TO 'x'"),
                        "ERR 1373 HY000 Target log not found in binlog index");
    f.env.purge_to = NULL;
    assert_string_equal(ask(&f, "PURGE BINARY LOGS TO 'x'"),
                        "ERR 1235 42000 This version of MySQL doesn't yet support 'PURGE BINARY "
                        "LOGS'");
    end(&f);
    (void)state;
}

static void tables_about_the_server_are_read(void **state)
{
    static const struct exchange cases[] = {
        {"SELECT * FROM information_schema.processlist LIMIT 1",
         "ID:8:a1,USER:253:1,HOST:253:1,DB:253:1,COMMAND:253:1,TIME:8:a1,STATE:253:1,INFO:253:1 | "
         "7,repl,10.0.0.1:5,NULL,Query,0,init,SHOW PROCESSLIST"},
        {"SELECT substring_index(host, ':', 1) AS h, id FROM INFORMATION_SCHEMA.PROCESSLIST WHERE "
         "command IN ('Binlog Dump', 'Binlog Dump GTID')",
         "h:253:1,id:8:a1 | 10.0.0.2,8"},
        {"SELECT id FROM performance_schema.processlist WHERE time > 1 ORDER BY id LIMIT 1, 5",
         "id:8:a1 | 9"},
        {"SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'repl'",
         "COUNT(*):8:a1 | 2"},
        {"SELECT variable_value v FROM performance_schema.global_variables WHERE variable_name = "
         "'server_id'",
         "v:253:1 | 4711"},
        {"SELECT variable_value FROM performance_schema.global_status WHERE variable_name LIKE "
         "'upt%' LIMIT 1",
         "variable_value:253:1 | 77"},
        {"SELECT nosuch FROM information_schema.processlist",
         "ERR 1054 42S22 Unknown column 'nosuch' in 'field list'"},
        {"SELECT id FROM information_schema.processlist WHERE nosuch = 1",
         "ERR 1054 42S22 Unknown column 'nosuch' in 'where clause'"},
        {"SELECT id FROM information_schema.processlist WHERE", NEAR "'' at line 1"},
        {"SELECT id FROM information_schema.processlist x y", NEAR "'x y' at line 1"},
        {"SELECT user, count(*) AS n FROM information_schema.processlist GROUP BY user",
         "user:253:0,n:253:0"},
        {"SELECT page_size, IF(a, b, c) AS x, t.ops FROM information_schema.innodb_cmp t JOIN u",
         "page_size:253:0,x:253:0,ops:253:0"},
        {"SELECT count(*) FROM information_schema.tables", "count(*):253:0 | 0"},
        {"SELECT FROM information_schema.tables",
         NEAR "'FROM information_schema.tables' at line 1"},
        {"SELECT a FROM mysql.user", NEAR "'FROM mysql.user' at line 1"},
        {"SELECT a FROM processlist", NEAR "'FROM processlist' at line 1"},
        {"USE information_schema", "OK"},
        {"SELECT COUNT(*) FROM processlist", "COUNT(*):8:a1 | 3"},
        {"SHOW ENGINE INNODB STATUS", "Type:253:1,Name:253:1,Status:253:1"},
        {"SELECT SUBSTRING_INDEX('a.b.c', '.', 2) x, SUBSTRING_INDEX('a.b.c', '.', -2) y, "
         "SUBSTRING_INDEX('a.b', '.', 0) z, SUBSTRING_INDEX('a', '', 1) e, "
         "SUBSTRING_INDEX(NULL, '.', 1) n",
         "x:253:1,y:253:1,z:253:1,e:253:1,n:253:0 | a.b,b.c,,,NULL"},
    };
    struct fixture f;
    begin(&f, "9.7.4", ADMIN_RIGHT_STATUS);
    check_exchanges(&f, cases, COUNT_OF(cases));
    end(&f);
    begin(&f, "9.7.4", ADMIN_RIGHT_REPLICATE);
    assert_string_equal(ask(&f, "SELECT COUNT(*) FROM information_schema.processlist"),
                        "COUNT(*):8:a1 | 2");
    end(&f);
    (void)state;
}

/* Text of n times unit between a beginning and an end. */
static const char *ask_repeated(struct fixture *f, const char *start, const char *unit, size_t n,
                                const char *tail)
{
    struct buf sql;
    buf_init(&sql);
    wr_str(&sql, start);
    for (size_t i = 0; i < n; i++)
        wr_str(&sql, unit);
    wr_str(&sql, tail);
    const char *answer = ask_bytes(f, buf_bytes(&sql));
    buf_fini(&sql);
    return answer;
}

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        print_message("%.300s\n", text);
    assert_memory_equal(text, start, strlen(start));
}

static void too_much_is_refused_and_the_session_lives(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", 7);
    starts_with(ask_repeated(&f, "SELECT ", "(", 1000000, ""), NEAR);
    starts_with(ask_repeated(&f, "SELECT ", "IF(1,", 3000, ""), NEAR);
    starts_with(ask_repeated(&f, "SELECT ", "NOT ", 4000, "1"), "NOT NOT ");
    starts_with(ask_repeated(&f, "SELECT ", "-", 500000, "1"), "");
    starts_with(ask_repeated(&f, "SELECT '", "x", 500000, ""), NEAR);
    starts_with(ask_repeated(&f, "SELECT '", "x", 500000, "'"), "xxx");
    starts_with(ask_repeated(&f, "", "x", ADMIN_QUERY_MAX + 1, ""), "ERR 1153 08S01 ");
    starts_with(ask_repeated(&f, "SELECT @@", "x", 100000, ""),
                "ERR 1193 HY000 Unknown system variable 'xxx");
    starts_with(ask_repeated(&f, "SELECT CONCAT(1", ",1", 40, ")"), NEAR);
    starts_with(ask_repeated(&f, "SHOW VARIABLES WHERE 1", " OR 1", 200, ""), VARS " | ");
    starts_with(ask_repeated(&f, "SHOW VARIABLES WHERE 1", " OR 1", 2000, ""), "ERR 3024 HY000 ");
    starts_with(ask_repeated(&f, "KILL ", "9", 400, ""), "ERR 1094 HY000 ");
    assert_string_equal(ask(&f, "SELECT 1"), "1:8:81 | 1");
    end(&f);
    (void)state;
}

static void work_is_bounded(void **state)
{
    static char set[60100];
    struct fixture f;
    begin(&f, "9.7.4", 7);
    size_t n = (size_t)snprintf(set, sizeof(set), "SET @a = '");
    memset(set + n, 'a', 60000);
    set[n + 60000] = '\'';
    assert_string_equal(ask_bytes(&f, bytes_of(set, n + 60001)), "OK");
    starts_with(ask_repeated(&f, "SELECT @a LIKE '%", "a", 30000, "b'"), "ERR 3024 HY000 ");
    starts_with(ask_repeated(&f, "SELECT 1", ",CONCAT(@a,@a,@a,@a,@a,@a,@a,@a)", 200, ""),
                "ERR 3024 HY000 ");
    starts_with(ask_repeated(&f, "SELECT @a", ",@a", 2000, ""), "ERR 3024 HY000 ");
    assert_string_equal(ask(&f, "SELECT 1"), "1:8:81 | 1");
    end(&f);
    (void)state;
}

static void any_bytes_are_answered(void **state)
{
    uint32_t seed = 1;
    struct fixture f;
    begin(&f, "9.7.4", 7);
    for (int round = 0; round < 3000; round++) {
        uint8_t noise[64];
        static const char words[] =
            "SELECT SHOW SET @@ @a ( ) , ' \" ` = VARIABLES LIKE IN /* */ --";
        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1664525u + 1013904223u;
            noise[i] = seed >> 31 ? (uint8_t)(seed >> 23)
                                  : (uint8_t)words[(seed >> 8) % (sizeof(words) - 1)];
        }
        memcpy(noise, round % 2 ? "SELECT " : "SET @a=", 7);
        assert_string_not_equal(ask_bytes(&f, bytes_of(noise, sizeof(noise))), "BROKEN");
    }
    end(&f);
    (void)state;
}

static void com_init_db_and_com_statistics_are_answered(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", 0);
    admin_init_db(&f.session, &f.env, bytes_str("nosuch"), &f.packets);
    answer_describe(buf_bytes(&f.packets), &f.text);
    assert_string_equal(buf_bytes(&f.text).p, "ERR 1049 42000 Unknown database 'nosuch'");
    buf_clear(&f.packets);
    buf_clear(&f.text);
    admin_init_db(&f.session, &f.env, bytes_str(""), &f.packets);
    answer_describe(buf_bytes(&f.packets), &f.text);
    assert_string_equal(buf_bytes(&f.text).p, "ERR 1046 3D000 No database selected");
    buf_clear(&f.packets);
    buf_clear(&f.text);
    admin_init_db(&f.session, &f.env, bytes_str("information_schema"), &f.packets);
    answer_describe(buf_bytes(&f.packets), &f.text);
    assert_string_equal(buf_bytes(&f.text).p, "OK");
    assert_string_equal(f.session.database, "information_schema");
    buf_clear(&f.text);
    admin_statistics(&f.env, &f.text);
    wr_u8(&f.text, 0);
    assert_string_equal(buf_bytes(&f.text).p,
                        "Uptime: 77  Threads: 3  Questions: 154  Slow queries: 0  Opens: 0  Flush "
                        "tables: 0  Open tables: 0  Queries per second avg: 2.000");
    end(&f);
    (void)state;
}

static void an_answer_is_appended_to_what_is_there(void **state)
{
    struct fixture f;
    begin(&f, "9.7.4", 0);
    wr_str(&f.packets, "before");
    admin_query(&f.session, &f.env, bytes_str("SHOW VARIABLES WHERE @@nosuch"), &f.packets);
    assert_memory_equal(buf_bytes(&f.packets).p, "before", 6);
    answer_describe(bytes_skip(buf_bytes(&f.packets), 6), &f.text);
    assert_string_equal(buf_bytes(&f.text).p, NO_VARIABLE("nosuch"));
    end(&f);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_of_all_senders_are_answered),
        cmocka_unit_test(answer_that_needs_a_file_is_owed),
        cmocka_unit_test(a_mariadb_replica_is_answered),
        cmocka_unit_test(answers_have_the_form_of_mysql_9_7),
        cmocka_unit_test(answers_have_the_form_of_mysql_5_6),
        cmocka_unit_test(sources_without_semi_sync_have_no_such_variables),
        cmocka_unit_test(rights_decide_what_is_shown),
        cmocka_unit_test(the_process_list_shows_others_only_with_the_right_to),
        cmocka_unit_test(kill_reaches_only_those_it_may),
        cmocka_unit_test(expressions_are_evaluated),
        cmocka_unit_test(set_stores_all_or_nothing),
        cmocka_unit_test(variables_can_be_read_by_the_session),
        cmocka_unit_test(user_variables_are_bounded),
        cmocka_unit_test(the_last_error_is_kept_for_show_warnings),
        cmocka_unit_test(show_filters_as_asked),
        cmocka_unit_test(binlog_events_are_handed_over),
        cmocka_unit_test(without_logs_there_is_no_position),
        cmocka_unit_test(an_empty_environment_is_enough),
        cmocka_unit_test(the_source_is_shown_in_the_words_of_the_statement),
        cmocka_unit_test(replication_is_started_and_stopped_as_it_stands),
        cmocka_unit_test(what_is_so_already_is_a_note),
        cmocka_unit_test(what_the_daemon_refuses_is_told),
        cmocka_unit_test(tables_about_the_server_are_read),
        cmocka_unit_test(purge_is_handed_over_with_its_limit),
        cmocka_unit_test(purge_that_keeps_a_file_warns),
        cmocka_unit_test(change_hands_over_what_was_given),
        cmocka_unit_test(change_is_refused_while_the_source_is_read_or_when_there_is_none),
        cmocka_unit_test(keys_of_the_configuration_are_global_variables),
        cmocka_unit_test(set_global_hands_all_over_at_once),
        cmocka_unit_test(a_refused_set_global_stores_nothing),
        cmocka_unit_test(too_much_is_refused_and_the_session_lives),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(any_bytes_are_answered),
        cmocka_unit_test(com_init_db_and_com_statistics_are_answered),
        cmocka_unit_test(an_answer_is_appended_to_what_is_there),
    };
    return RUN_TESTS(tests);
}
