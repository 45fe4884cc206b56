/* The tables of variables. */
#include "check.h"

#include "admin/vars.h"

static struct admin_facts facts_of(bool mariadb, enum admin_semi_sync semi_sync)
{
    struct admin_facts f = {.version = "9.7.4-binlogd",
                            .mariadb = mariadb,
                            .server_id = 4711,
                            .server_uuid = "0a0b",
                            .hostname = "vm",
                            .report_host = "",
                            .socket = "/run/s",
                            .datadir = "/data",
                            .binlog_format = "",
                            .binlog_row_image = "",
                            .binlog_row_metadata = "",
                            .gtid_mode = true,
                            .gtid_executed = "0a0b:1-5",
                            .gtid_purged = "",
                            .gtid_binlog_pos = "",
                            .gtid_binlog_state = "",
                            .checksum = true,
                            .file = "",
                            .semi_sync = semi_sync,
                            .now_us = 1700000000000123,
                            .uptime_s = 77};
    return f;
}

static void check_order(const struct vars_entry *(*at)(size_t i))
{
    for (size_t i = 0; at(i); i++) {
        assert_true((at(i)->fixed == NULL) != (at(i)->get == NULL));
        if (i)
            assert_true(strcmp(at(i - 1)->name, at(i)->name) < 0);
    }
}

static void tables_are_in_order(void **state)
{
    check_order(vars_system_at);
    check_order(vars_status_at);
    (void)state;
}

static void every_variable_has_a_value_that_is_what_its_type_says(void **state)
{
    struct admin_facts f = facts_of(false, ADMIN_SEMI_SYNC_ON);
    struct admin_session s = {.id = 9};
    struct vars_view view = {&f, &s, {0}};
    for (size_t i = 0; vars_system_at(i); i++) {
        const struct vars_entry *v = vars_system_at(i);
        struct bytes value = vars_value(v, &view);
        if (v->type == VARS_BOOL)
            assert_true(bytes_eq(value, bytes_str("0")) || bytes_eq(value, bytes_str("1")));
        if (v->type == VARS_NUMBER)
            assert_true(value.n > 0 && strspn((const char *)value.p, "0123456789") >= value.n);
        assert_non_null(vars_shown(v, &view).p);
    }
    (void)state;
}

static void names_that_peers_ask_for_exist(void **state)
{
    static const char *const names[] = {"version",
                                        "version_comment",
                                        "hostname",
                                        "report_host",
                                        "server_id",
                                        "server_uuid",
                                        "read_only",
                                        "super_read_only",
                                        "log_bin",
                                        "log_slave_updates",
                                        "log_replica_updates",
                                        "binlog_format",
                                        "binlog_row_image",
                                        "binlog_row_metadata",
                                        "binlog_checksum",
                                        "gtid_mode",
                                        "enforce_gtid_consistency",
                                        "gtid_executed",
                                        "gtid_purged",
                                        "rpl_semi_sync_source_enabled",
                                        "rpl_semi_sync_master_enabled",
                                        "sql_mode",
                                        "autocommit",
                                        "character_set_client",
                                        "character_set_results",
                                        "character_set_server",
                                        "collation_server",
                                        "max_allowed_packet",
                                        "lower_case_table_names",
                                        "time_zone",
                                        "system_time_zone",
                                        "wait_timeout",
                                        "interactive_timeout",
                                        "tx_isolation",
                                        "transaction_isolation",
                                        "auto_increment_increment",
                                        "net_write_timeout",
                                        "have_ssl",
                                        "datadir",
                                        "port",
                                        "socket",
                                        "SERVER_ID",
                                        "Gtid_Mode"};
    struct admin_facts f = facts_of(false, ADMIN_SEMI_SYNC_OFF);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_non_null(vars_find(&f, bytes_str(names[i])));
    assert_null(vars_find(&f, bytes_str("nosuch")));
    assert_null(vars_find(&f, bytes_str("")));
    (void)state;
}

static void products_have_their_own(void **state)
{
    struct admin_facts mysql = facts_of(false, ADMIN_SEMI_SYNC_ABSENT);
    struct admin_facts mariadb = facts_of(true, ADMIN_SEMI_SYNC_ON);
    assert_null(vars_find(&mysql, bytes_str("gtid_domain_id")));
    assert_non_null(vars_find(&mariadb, bytes_str("gtid_domain_id")));
    assert_null(vars_find(&mariadb, bytes_str("gtid_mode")));
    assert_null(vars_find(&mysql, bytes_str("rpl_semi_sync_source_enabled")));
    assert_non_null(vars_find(&mariadb, bytes_str("rpl_semi_sync_master_enabled")));
    (void)state;
}

static void values_come_from_the_facts(void **state)
{
    static const struct {
        const char *name, *value, *shown;
    } cases[] = {
        {"server_id", "4711", "4711"},
        {"gtid_mode", "ON", "ON"},
        {"gtid_executed", "0a0b:1-5", "0a0b:1-5"},
        {"binlog_checksum", "CRC32", "CRC32"},
        {"binlog_format", "ROW", "ROW"},
        {"rpl_semi_sync_source_enabled", "0", "OFF"},
        {"read_only", "1", "ON"},
        {"pseudo_thread_id", "9", "9"},
        {"timestamp", "1700000000.000123", "1700000000.000123"},
        {"have_ssl", "DISABLED", "DISABLED"},
    };
    struct admin_facts f = facts_of(false, ADMIN_SEMI_SYNC_OFF);
    struct admin_session s = {.id = 9};
    struct vars_view view = {&f, &s, {0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct vars_entry *v = vars_find(&f, bytes_str(cases[i].name));
        assert_true(bytes_eq(vars_value(v, &view), bytes_str(cases[i].value)));
        assert_true(bytes_eq(vars_shown(v, &view), bytes_str(cases[i].shown)));
    }
    assert_null(vars_value(vars_find(&f, bytes_str("report_host")), &view).p);
    assert_int_equal(vars_shown(vars_find(&f, bytes_str("report_host")), &view).n, 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_in_order),
        cmocka_unit_test(every_variable_has_a_value_that_is_what_its_type_says),
        cmocka_unit_test(names_that_peers_ask_for_exist),
        cmocka_unit_test(products_have_their_own),
        cmocka_unit_test(values_come_from_the_facts),
    };
    return RUN_TESTS(tests);
}
