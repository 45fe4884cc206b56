/*
 * The tables of vars.h. What cannot differ in a server without tables is a constant; the rest is
 * read from the facts each time.
 */
#include "admin/vars.h"

#include "admin/sql.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static struct bytes number(struct vars_view *v, uint64_t n)
{
    int len = snprintf(v->scratch, sizeof(v->scratch), "%" PRIu64, n);
    return bytes_of(v->scratch, (size_t)len);
}

static struct bytes truth(bool b)
{
    return bytes_str(b ? "1" : "0");
}

static struct bytes or_else(const char *s, const char *otherwise)
{
    return bytes_str(*s ? s : otherwise);
}

/* value(NAME, RESULT): the getter get_NAME; f are the facts, v is the view. */
#define value(name, result)                                                                        \
    static struct bytes get_##name(struct vars_view *v)                                            \
    {                                                                                              \
        const struct admin_facts *f = v->facts;                                                    \
        (void)f;                                                                                   \
        return result;                                                                             \
    }

/* Tables from here on, an entry a line: to the formatter they are no statements. */
/* clang-format off */
value(binlog_checksum, bytes_str(f->checksum ? "CRC32" : "NONE"))
value(binlog_format, or_else(f->binlog_format, "ROW"))
value(binlog_row_image, or_else(f->binlog_row_image, "FULL"))
value(binlog_row_metadata, or_else(f->binlog_row_metadata, "MINIMAL"))
value(connection_id, number(v, v->session->id))
value(datadir, bytes_str(f->datadir))
value(enforce_gtid, bytes_str(f->gtid_mode ? "ON" : "OFF"))
value(gtid_domain_id, number(v, f->gtid_domain_id))
value(gtid_executed, bytes_str(f->gtid_executed))
value(gtid_mode, bytes_str(f->gtid_mode ? "ON" : "OFF"))
value(gtid_purged, bytes_str(f->gtid_purged))
value(have_ssl, bytes_str(f->ssl ? "YES" : "DISABLED"))
value(hostname, bytes_str(f->hostname))
value(max_allowed_packet, number(v, ADMIN_QUERY_MAX))
value(max_connections, number(v, f->max_connections))
value(port, number(v, f->port))
value(report_host, *f->report_host ? bytes_str(f->report_host) : bytes_of(NULL, 0))
value(report_port, number(v, f->port))
value(semi_sync_enabled, truth(f->semi_sync == ADMIN_SEMI_SYNC_ON))
value(server_id, number(v, f->server_id))
value(server_uuid, bytes_str(f->server_uuid))
value(socket, bytes_str(f->socket))
value(timestamp, bytes_of(v->scratch, (size_t)snprintf(v->scratch, sizeof(v->scratch),
                                                       "%" PRId64 ".%06" PRId64,
                                                       f->now_us / 1000000,
                                                       f->now_us % 1000000)))
value(tls_version, bytes_str(f->ssl ? "TLSv1.2,TLSv1.3" : ""))
value(version, bytes_str(f->version))
value(warning_count, truth(v->session->warning_code != 0))
value(error_count, truth(v->session->warning_code && v->session->warning_level == ADMIN_ERROR))
value(aborted_clients, number(v, f->aborted_clients))
value(aborted_connects, number(v, f->aborted_connects))
value(bytes_received, number(v, f->bytes_received))
value(bytes_sent, number(v, f->bytes_sent))
value(connections, number(v, f->connections))
value(max_used_connections, number(v, f->max_used_connections))
value(questions, number(v, f->questions))
value(semi_sync_clients, number(v, f->semi_sync_clients))
value(semi_sync_yes, number(v, f->semi_sync_yes))
value(semi_sync_no, number(v, f->semi_sync_no))
value(threads_connected, number(v, f->threads_connected))
value(threads_running, number(v, f->threads_running))
value(uptime, number(v, f->uptime_s))
value(semi_sync_no_times, number(v, f->semi_sync_no_times))
value(semi_sync_replicas, number(v, f->semi_sync_replicas))
value(semi_sync_status, truth(f->semi_sync_status))
value(semi_sync_timeout, number(v, f->semi_sync_timeout_ms))
value(semi_sync_waits, number(v, f->semi_sync_waits))
#undef value

static struct bytes get_gtid_binlog_pos(struct vars_view *v)
{
    return bytes_str(v->facts->gtid_binlog_pos);
}

static struct bytes get_gtid_binlog_state(struct vars_view *v)
{
    return bytes_str(v->facts->gtid_binlog_state);
}

#define READ_ONLY   false
#define SETTABLE    true
#define FIXED(text) text, NULL
#define FROM(name)  NULL, get_##name

static const struct vars_entry system_table[] = {
    {"auto_increment_increment", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"auto_increment_offset", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"autocommit", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"bind_address", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("*")},
    {"binlog_checksum", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(binlog_checksum)},
    {"binlog_encryption", VARS_BOOL, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FIXED("0")},
    {"binlog_format", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FROM(binlog_format)},
    {"binlog_row_image", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FROM(binlog_row_image)},
    {"binlog_row_metadata", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(binlog_row_metadata)},
    {"binlog_row_value_options", VARS_TEXT, VARS_BOTH, VARS_MYSQL, SETTABLE, FIXED("")},
    {"binlog_rows_query_log_events", VARS_BOOL, VARS_BOTH, VARS_MYSQL, SETTABLE, FIXED("0")},
    {"binlog_transaction_compression", VARS_BOOL, VARS_BOTH, VARS_MYSQL, SETTABLE, FIXED("0")},
    {"character_set_client", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4")},
    {"character_set_connection", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4")},
    {"character_set_database", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4")},
    {"character_set_filesystem", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("binary")},
    {"character_set_results", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4")},
    {"character_set_server", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4")},
    {"character_set_system", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("utf8mb3")},
    {"collation_connection", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4_general_ci")},
    {"collation_database", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4_general_ci")},
    {"collation_server", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("utf8mb4_general_ci")},
    {"completion_type", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("NO_CHAIN")},
    {"connect_timeout", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("10")},
    {"datadir", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(datadir)},
    {"default_storage_engine", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("InnoDB")},
    {"div_precision_increment", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("4")},
    {"enforce_gtid_consistency", VARS_TEXT, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FROM(enforce_gtid)},
    {"error_count", VARS_NUMBER, VARS_SESSION, VARS_ANY, READ_ONLY, FROM(error_count)},
    {"event_scheduler", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("OFF")},
    {"explicit_defaults_for_timestamp", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"foreign_key_checks", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"group_concat_max_len", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1024")},
    {"gtid_binlog_pos", VARS_TEXT, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FROM(gtid_binlog_pos)},
    {"gtid_binlog_state", VARS_TEXT, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FROM(gtid_binlog_state)},
    {"gtid_current_pos", VARS_TEXT, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FROM(gtid_binlog_pos)},
    {"gtid_domain_id", VARS_NUMBER, VARS_BOTH, VARS_MARIADB, SETTABLE, FROM(gtid_domain_id)},
    {"gtid_executed", VARS_TEXT, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FROM(gtid_executed)},
    {"gtid_ignore_duplicates", VARS_BOOL, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FIXED("0")},
    {"gtid_mode", VARS_TEXT, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FROM(gtid_mode)},
    {"gtid_next", VARS_TEXT, VARS_SESSION, VARS_MYSQL, READ_ONLY, FIXED("AUTOMATIC")},
    {"gtid_owned", VARS_TEXT, VARS_BOTH, VARS_MYSQL, READ_ONLY, FIXED("")},
    {"gtid_purged", VARS_TEXT, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FROM(gtid_purged)},
    {"gtid_slave_pos", VARS_TEXT, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FROM(gtid_binlog_pos)},
    {"gtid_strict_mode", VARS_BOOL, VARS_GLOBAL, VARS_MARIADB, READ_ONLY, FIXED("0")},
    {"have_openssl", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(have_ssl)},
    {"have_ssl", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(have_ssl)},
    {"hostname", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(hostname)},
    {"identity", VARS_NUMBER, VARS_SESSION, VARS_ANY, SETTABLE, FIXED("0")},
    {"init_connect", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("")},
    {"innodb_flush_log_at_trx_commit", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"innodb_lock_wait_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("50")},
    {"innodb_read_only", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"interactive_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("28800")},
    {"last_insert_id", VARS_NUMBER, VARS_SESSION, VARS_ANY, SETTABLE, FIXED("0")},
    {"lc_messages", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("en_US")},
    {"lc_time_names", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("en_US")},
    {"license", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("GPL")},
    {"lock_wait_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("31536000")},
    {"log_bin", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"log_replica_updates", VARS_BOOL, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FIXED("1")},
    {"log_slave_updates", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"lower_case_file_system", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"lower_case_table_names", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"max_allowed_packet", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FROM(max_allowed_packet)},
    {"max_connections", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(max_connections)},
    {"max_execution_time", VARS_NUMBER, VARS_BOTH, VARS_MYSQL, SETTABLE, FIXED("0")},
    {"net_buffer_length", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FIXED("16384")},
    {"net_read_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("30")},
    {"net_retry_count", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("10")},
    {"net_write_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("60")},
    {"performance_schema", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"port", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(port)},
    {"protocol_version", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("10")},
    {"pseudo_thread_id", VARS_NUMBER, VARS_SESSION, VARS_ANY, SETTABLE, FROM(connection_id)},
    {"query_cache_size", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"query_cache_type", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("OFF")},
    {"read_only", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"report_host", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(report_host)},
    {"report_port", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(report_port)},
    {"rpl_semi_sync_master_enabled", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_enabled)},
    {"rpl_semi_sync_master_timeout", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_timeout)},
    {"rpl_semi_sync_master_wait_for_slave_count", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_replicas)},
    {"rpl_semi_sync_master_wait_no_slave", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FIXED("1")},
    {"rpl_semi_sync_master_wait_point", VARS_TEXT, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FIXED("AFTER_SYNC")},
    {"rpl_semi_sync_source_enabled", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_enabled)},
    {"rpl_semi_sync_source_timeout", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_timeout)},
    {"rpl_semi_sync_source_wait_for_replica_count", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_replicas)},
    {"rpl_semi_sync_source_wait_no_replica", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FIXED("1")},
    {"rpl_semi_sync_source_wait_point", VARS_TEXT, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FIXED("AFTER_SYNC")},
    {"server_id", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(server_id)},
    {"server_uuid", VARS_TEXT, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FROM(server_uuid)},
    {"session_track_gtids", VARS_TEXT, VARS_BOTH, VARS_MYSQL, SETTABLE, FIXED("OFF")},
    {"session_track_schema", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"session_track_state_change", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"session_track_system_variables", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("")},
    {"skip_name_resolve", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"skip_networking", VARS_BOOL, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"skip_replication", VARS_BOOL, VARS_SESSION, VARS_MARIADB, SETTABLE, FIXED("0")},
    {"socket", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(socket)},
    {"sql_auto_is_null", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"sql_big_selects", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"sql_log_bin", VARS_BOOL, VARS_SESSION, VARS_ANY, SETTABLE, FIXED("1")},
    {"sql_mode", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("NO_ENGINE_SUBSTITUTION")},
    {"sql_notes", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"sql_quote_show_create", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"sql_safe_updates", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"sql_select_limit", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("18446744073709551615")},
    {"sql_warnings", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"super_read_only", VARS_BOOL, VARS_GLOBAL, VARS_MYSQL, READ_ONLY, FIXED("1")},
    {"sync_binlog", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("1")},
    {"system_time_zone", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("UTC")},
    {"thread_cache_size", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"time_zone", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("SYSTEM")},
    {"timestamp", VARS_TEXT, VARS_SESSION, VARS_ANY, SETTABLE, FROM(timestamp)},
    {"tls_version", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(tls_version)},
    {"transaction_isolation", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("REPEATABLE-READ")},
    {"transaction_read_only", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"tx_isolation", VARS_TEXT, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("REPEATABLE-READ")},
    {"tx_read_only", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("0")},
    {"unique_checks", VARS_BOOL, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("1")},
    {"version", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(version)},
    {"version_comment", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("binlogd")},
    {"version_compile_os", VARS_TEXT, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("Linux")},
    {"wait_timeout", VARS_NUMBER, VARS_BOTH, VARS_ANY, SETTABLE, FIXED("28800")},
    {"warning_count", VARS_NUMBER, VARS_SESSION, VARS_ANY, READ_ONLY, FROM(warning_count)},
};

static const struct vars_entry status_table[] = {
    {"Aborted_clients", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(aborted_clients)},
    {"Aborted_connects", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(aborted_connects)},
    {"Bytes_received", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FROM(bytes_received)},
    {"Bytes_sent", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FROM(bytes_sent)},
    {"Connections", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(connections)},
    {"Flush_commands", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Max_used_connections", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(max_used_connections)},
    {"Open_files", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Open_tables", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Opened_tables", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Queries", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(questions)},
    {"Questions", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FROM(questions)},
    {"Rpl_semi_sync_master_clients", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_clients)},
    {"Rpl_semi_sync_master_no_times", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_no_times)},
    {"Rpl_semi_sync_master_no_tx", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_no)},
    {"Rpl_semi_sync_master_status", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_status)},
    {"Rpl_semi_sync_master_wait_sessions", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_waits)},
    {"Rpl_semi_sync_master_yes_tx", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_yes)},
    {"Rpl_semi_sync_source_clients", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_clients)},
    {"Rpl_semi_sync_source_no_times", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_no_times)},
    {"Rpl_semi_sync_source_no_tx", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_no)},
    {"Rpl_semi_sync_source_status", VARS_BOOL, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_status)},
    {"Rpl_semi_sync_source_wait_sessions", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_waits)},
    {"Rpl_semi_sync_source_yes_tx", VARS_NUMBER, VARS_GLOBAL, VARS_SEMI_SYNC, READ_ONLY, FROM(semi_sync_yes)},
    {"Slow_queries", VARS_NUMBER, VARS_BOTH, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Threads_cached", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FIXED("0")},
    {"Threads_connected", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(threads_connected)},
    {"Threads_created", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(connections)},
    {"Threads_running", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(threads_running)},
    {"Uptime", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(uptime)},
    {"Uptime_since_flush_status", VARS_NUMBER, VARS_GLOBAL, VARS_ANY, READ_ONLY, FROM(uptime)},
};
/* clang-format on */

const struct vars_entry *vars_system_at(size_t i)
{
    return i < COUNT_OF(system_table) ? &system_table[i] : NULL;
}

const struct vars_entry *vars_status_at(size_t i)
{
    return i < COUNT_OF(status_table) ? &status_table[i] : NULL;
}

bool vars_exists(const struct vars_entry *v, const struct admin_facts *facts)
{
    switch (v->where) {
    case VARS_ANY:
        return true;
    case VARS_MYSQL:
        return !facts->mariadb;
    case VARS_MARIADB:
        return facts->mariadb;
    case VARS_SEMI_SYNC:
        return facts->semi_sync != ADMIN_SEMI_SYNC_ABSENT;
    }
    return false;
}

const struct vars_entry *vars_find(const struct admin_facts *facts, struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(system_table); i++) {
        const struct vars_entry *v = &system_table[i];
        if (sql_same(name, v->name))
            return vars_exists(v, facts) ? v : NULL;
    }
    return NULL;
}

struct bytes vars_value(const struct vars_entry *v, struct vars_view *view)
{
    return v->fixed ? bytes_str(v->fixed) : v->get(view);
}

struct bytes vars_shown(const struct vars_entry *v, struct vars_view *view)
{
    struct bytes value = vars_value(v, view);
    if (v->type == VARS_BOOL)
        return bytes_str(value.n && value.p[0] == '1' ? "ON" : "OFF");
    return value.p ? value : bytes_of("", 0);
}
