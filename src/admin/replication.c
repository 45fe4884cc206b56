/*
 * The statements about the connection to the source: SHOW REPLICA STATUS, START, STOP and RESET
 * REPLICA, and what they are called with the older words.
 *
 * There is one channel, and of the two threads of a replica only the one that receives: nothing is
 * applied. What would be executed is what is complete and durable, for that is what replicas get.
 */
#include "admin/admin_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define COUNT_OF(a)     (sizeof(a) / sizeof(a)[0])
#define COLUMNS_56      54 /* of SHOW SLAVE STATUS up to 5.6 */
#define COLUMNS_57      57
#define COLUMN_NAME_MAX 40
#define TIME_TEXT_MAX   24

enum words { WORDS_NEW, WORDS_OLD };

enum cell {
    CELL_EMPTY,
    CELL_ZERO,
    CELL_NULL,
    CELL_NO,
    CELL_NONE,
    CELL_IO_STATE,
    CELL_HOST,
    CELL_USER,
    CELL_PORT,
    CELL_CONNECT_RETRY,
    CELL_RECEIVED_FILE,
    CELL_RECEIVED_POSITION,
    CELL_DURABLE_FILE,
    CELL_DURABLE_POSITION,
    CELL_IO_RUNNING,
    CELL_SPACE,
    CELL_SSL,
    CELL_SSL_CA,
    CELL_SSL_CERT,
    CELL_SSL_KEY,
    CELL_SSL_VERIFY,
    CELL_SECONDS_BEHIND,
    CELL_ERROR_CODE,
    CELL_ERROR,
    CELL_ERROR_TIME,
    CELL_SERVER_ID,
    CELL_UUID,
    CELL_INFO_FILE,
    CELL_GTIDS,
    CELL_AUTO_POSITION,
    CELL_PUBLIC_KEY,
    CELL_GET_PUBLIC_KEY
};

/* In the order of MySQL 8.4, the first COLUMNS_57 of which 5.7 has as well. */
static const struct {
    const char *name;
    enum reply_type type;
    enum cell cell;
} status_columns[] = {
    {"Replica_IO_State", REPLY_TYPE_VAR_STRING, CELL_IO_STATE},
    {"Source_Host", REPLY_TYPE_VAR_STRING, CELL_HOST},
    {"Source_User", REPLY_TYPE_VAR_STRING, CELL_USER},
    {"Source_Port", REPLY_TYPE_LONG, CELL_PORT},
    {"Connect_Retry", REPLY_TYPE_LONG, CELL_CONNECT_RETRY},
    {"Source_Log_File", REPLY_TYPE_VAR_STRING, CELL_RECEIVED_FILE},
    {"Read_Source_Log_Pos", REPLY_TYPE_LONGLONG, CELL_RECEIVED_POSITION},
    {"Relay_Log_File", REPLY_TYPE_VAR_STRING, CELL_DURABLE_FILE},
    {"Relay_Log_Pos", REPLY_TYPE_LONGLONG, CELL_DURABLE_POSITION},
    {"Relay_Source_Log_File", REPLY_TYPE_VAR_STRING, CELL_DURABLE_FILE},
    {"Replica_IO_Running", REPLY_TYPE_VAR_STRING, CELL_IO_RUNNING},
    {"Replica_SQL_Running", REPLY_TYPE_VAR_STRING, CELL_NO},
    {"Replicate_Do_DB", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Ignore_DB", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Do_Table", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Ignore_Table", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Wild_Do_Table", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Wild_Ignore_Table", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Last_Errno", REPLY_TYPE_LONG, CELL_ZERO},
    {"Last_Error", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Skip_Counter", REPLY_TYPE_LONG, CELL_ZERO},
    {"Exec_Source_Log_Pos", REPLY_TYPE_LONGLONG, CELL_DURABLE_POSITION},
    {"Relay_Log_Space", REPLY_TYPE_LONGLONG, CELL_SPACE},
    {"Until_Condition", REPLY_TYPE_VAR_STRING, CELL_NONE},
    {"Until_Log_File", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Until_Log_Pos", REPLY_TYPE_LONGLONG, CELL_ZERO},
    {"Source_SSL_Allowed", REPLY_TYPE_VAR_STRING, CELL_SSL},
    {"Source_SSL_CA_File", REPLY_TYPE_VAR_STRING, CELL_SSL_CA},
    {"Source_SSL_CA_Path", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_SSL_Cert", REPLY_TYPE_VAR_STRING, CELL_SSL_CERT},
    {"Source_SSL_Cipher", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_SSL_Key", REPLY_TYPE_VAR_STRING, CELL_SSL_KEY},
    {"Seconds_Behind_Source", REPLY_TYPE_LONGLONG, CELL_SECONDS_BEHIND},
    {"Source_SSL_Verify_Server_Cert", REPLY_TYPE_VAR_STRING, CELL_SSL_VERIFY},
    {"Last_IO_Errno", REPLY_TYPE_LONG, CELL_ERROR_CODE},
    {"Last_IO_Error", REPLY_TYPE_VAR_STRING, CELL_ERROR},
    {"Last_SQL_Errno", REPLY_TYPE_LONG, CELL_ZERO},
    {"Last_SQL_Error", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Replicate_Ignore_Server_Ids", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_Server_Id", REPLY_TYPE_LONG, CELL_SERVER_ID},
    {"Source_UUID", REPLY_TYPE_VAR_STRING, CELL_UUID},
    {"Source_Info_File", REPLY_TYPE_VAR_STRING, CELL_INFO_FILE},
    {"SQL_Delay", REPLY_TYPE_LONG, CELL_ZERO},
    {"SQL_Remaining_Delay", REPLY_TYPE_LONG, CELL_NULL},
    {"Replica_SQL_Running_State", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_Retry_Count", REPLY_TYPE_LONGLONG, CELL_ZERO}, /* no limit */
    {"Source_Bind", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Last_IO_Error_Timestamp", REPLY_TYPE_VAR_STRING, CELL_ERROR_TIME},
    {"Last_SQL_Error_Timestamp", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_SSL_Crl", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_SSL_Crlpath", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Retrieved_Gtid_Set", REPLY_TYPE_VAR_STRING, CELL_GTIDS},
    {"Executed_Gtid_Set", REPLY_TYPE_VAR_STRING, CELL_GTIDS},
    {"Auto_Position", REPLY_TYPE_LONG, CELL_AUTO_POSITION},
    {"Replicate_Rewrite_DB", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Channel_Name", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_TLS_Version", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
    {"Source_public_key_path", REPLY_TYPE_VAR_STRING, CELL_PUBLIC_KEY},
    {"Get_Source_public_key", REPLY_TYPE_LONG, CELL_GET_PUBLIC_KEY},
    {"Network_Namespace", REPLY_TYPE_VAR_STRING, CELL_EMPTY},
};

bool query_source(struct query *q, struct admin_source *s)
{
    *s = (struct admin_source){.seconds_behind = -1};
    s->host = s->user = s->file = s->ssl_ca = s->ssl_cert = s->ssl_key = "";
    s->public_key = s->error = s->uuid = s->info_file = "";
    return q->env->source && q->env->source(q->env->ctx, s);
}

static const char *io_state(enum admin_io io, enum words words)
{
    static const char *const names[][2] = {
        [ADMIN_IO_STOPPED] = {"", ""},
        [ADMIN_IO_CONNECTING] = {"Connecting to source", "Connecting to master"},
        [ADMIN_IO_RECONNECTING] = {"Waiting to reconnect after a failed source event read",
                                   "Waiting to reconnect after a failed master event read"},
        [ADMIN_IO_CHECKING] = {"Checking source version", "Checking master version"},
        [ADMIN_IO_REQUESTING] = {"Requesting binlog dump", "Requesting binlog dump"},
        [ADMIN_IO_QUEUEING] = {"Queueing source event to the relay log",
                               "Queueing master event to the relay log"},
        [ADMIN_IO_WAITING] = {"Waiting for source to send event",
                              "Waiting for master to send event"},
        [ADMIN_IO_NO_SPACE] = {"Waiting for disk space", "Waiting for disk space"},
    };
    return names[io][words];
}

static const char *io_running(enum admin_io io)
{
    if (io == ADMIN_IO_STOPPED)
        return "No";
    return io == ADMIN_IO_CONNECTING || io == ADMIN_IO_RECONNECTING ? "Connecting" : "Yes";
}

static void cell_text(struct query *q, const char *text)
{
    rows_cell(q, bytes_str(text));
}

static void cell_number(struct query *q, uint64_t n)
{
    reply_writer_cell_u64(&q->writer, n);
}

static void cell_time(struct query *q, int64_t at_us)
{
    char text[TIME_TEXT_MAX] = "";
    time_t seconds = (time_t)(at_us / 1000000);
    struct tm tm;
    if (at_us && gmtime_r(&seconds, &tm)) {
        snprintf(text, sizeof(text), "%02d", tm.tm_year % 100);
        strftime(text + 2, sizeof(text) - 2, "%m%d %H:%M:%S", &tm);
    }
    cell_text(q, text);
}

static void cell_optional(struct query *q, int64_t n)
{
    if (n < 0)
        rows_cell(q, bytes_of(NULL, 0));
    else
        cell_number(q, (uint64_t)n);
}

static void write_cell(struct query *q, const struct admin_source *s, enum cell cell,
                       enum words words)
{
    switch (cell) {
    case CELL_EMPTY:
        return cell_text(q, "");
    case CELL_ZERO:
        return cell_number(q, 0);
    case CELL_NULL:
        return cell_optional(q, -1);
    case CELL_NO:
        return cell_text(q, "No");
    case CELL_NONE:
        return cell_text(q, "None");
    case CELL_IO_STATE:
        return cell_text(q, io_state(s->io, words));
    case CELL_HOST:
        return cell_text(q, s->host);
    case CELL_USER:
        return cell_text(q, s->user);
    case CELL_PORT:
        return cell_number(q, s->port);
    case CELL_CONNECT_RETRY:
        return cell_number(q, s->connect_retry_s);
    case CELL_RECEIVED_FILE:
        return cell_text(q, s->file);
    case CELL_RECEIVED_POSITION:
        return cell_number(q, s->position);
    case CELL_DURABLE_FILE:
        return cell_text(q, q->facts.file);
    case CELL_DURABLE_POSITION:
        return cell_number(q, q->facts.position);
    case CELL_IO_RUNNING:
        return cell_text(q, io_running(s->io));
    case CELL_SPACE:
        return cell_number(q, s->space);
    case CELL_SSL:
        return cell_text(q, s->ssl ? "Yes" : "No");
    case CELL_SSL_CA:
        return cell_text(q, s->ssl_ca);
    case CELL_SSL_CERT:
        return cell_text(q, s->ssl_cert);
    case CELL_SSL_KEY:
        return cell_text(q, s->ssl_key);
    case CELL_SSL_VERIFY:
        return cell_text(q, s->ssl_verify ? "Yes" : "No");
    case CELL_SECONDS_BEHIND:
        return cell_optional(q, s->seconds_behind);
    case CELL_ERROR_CODE:
        return cell_number(q, s->error_code);
    case CELL_ERROR:
        return cell_text(q, s->error);
    case CELL_ERROR_TIME:
        return cell_time(q, s->error_us);
    case CELL_SERVER_ID:
        return cell_number(q, s->server_id);
    case CELL_UUID:
        return cell_text(q, s->uuid);
    case CELL_INFO_FILE:
        return cell_text(q, s->info_file);
    case CELL_GTIDS:
        return cell_text(q, q->facts.gtid_executed);
    case CELL_AUTO_POSITION:
        return cell_number(q, s->auto_position);
    case CELL_PUBLIC_KEY:
        return cell_text(q, s->public_key);
    case CELL_GET_PUBLIC_KEY:
        return cell_number(q, s->get_public_key);
    }
}

/* The older word for a column: Source is Master, Replica is Slave, but for Replicate_. */
static void old_name(const char *name, char *out)
{
    const char *at = strstr(name, "Source"), *word = "Master";
    size_t skip = strlen("Source");
    if (!at && strncmp(name, "Replica_", 8) == 0) {
        at = name;
        word = "Slave";
        skip = strlen("Replica");
    }
    if (at)
        snprintf(out, COLUMN_NAME_MAX, "%.*s%s%s", (int)(at - name), name, word, at + skip);
    else
        snprintf(out, COLUMN_NAME_MAX, "%s", name);
}

static void write_head(struct query *q, enum words words, size_t n)
{
    struct reply_column columns[COUNT_OF(status_columns)];
    char names[COUNT_OF(status_columns)][COLUMN_NAME_MAX];
    for (size_t i = 0; i < n; i++) {
        struct reply_column text = COLUMN_TEXT(status_columns[i].name);
        struct reply_column number = COLUMN_NUMBER(status_columns[i].name, LONG);
        number.type = status_columns[i].type;
        columns[i] = number.type == REPLY_TYPE_VAR_STRING ? text : number;
        if (words == WORDS_OLD) {
            old_name(columns[i].name, names[i]);
            columns[i].name = names[i];
        }
    }
    rows_head(q, columns, n);
}

bool query_take_channel(struct query *q, struct bytes *name)
{
    *name = bytes_of("", 0);
    if (!sql_match(&q->sql, "for channel"))
        return true;
    if (sql_peek(&q->sql)->kind != SQL_STRING)
        return query_fail_syntax(q);
    *name = sql_next(&q->sql)->value;
    return true;
}

bool query_need_channel(struct query *q, struct bytes name)
{
    return !name.n || query_fail_name(q, ER_REPLICA_CHANNEL_DOES_NOT_EXIST, "Replica channel '",
                                      name, "' does not exist.");
}

static bool show_source(struct query *q, enum words words, size_t n)
{
    struct admin_source s;
    struct bytes channel;
    if (!query_take_channel(q, &channel) || !query_end(q) ||
        !query_need(q, ADMIN_RIGHT_STATUS, "SUPER, REPLICATION CLIENT") ||
        !query_need_channel(q, channel))
        return false;
    write_head(q, words, n);
    if (query_source(q, &s)) {
        reply_writer_row_begin(&q->writer);
        for (size_t i = 0; i < n; i++)
            write_cell(q, &s, status_columns[i].cell, words);
        reply_writer_row_end(&q->writer);
    }
    return rows_end(q);
}

bool show_replica_status(struct query *q)
{
    return show_source(q, WORDS_NEW, COUNT_OF(status_columns));
}

bool show_slave_status(struct query *q)
{
    int major = 0, minor = 0;
    sscanf(q->facts.version, "%d.%d", &major, &minor);
    sql_match(&q->sql, "[nonblocking]");
    return show_source(q, WORDS_OLD, major == 5 && minor < 7 ? COLUMNS_56 : COLUMNS_57);
}

/* START, STOP, RESET */

static bool take_words(struct query *q, enum words *words)
{
    *words = WORDS_NEW;
    if (sql_take(&q->sql, "replica"))
        return true;
    *words = WORDS_OLD;
    return sql_take(&q->sql, "slave") || query_fail_syntax(q);
}

/* Which threads a statement is about; all when it names none. */
struct threads {
    bool io;
    bool sql;
};

static bool take_threads(struct query *q, struct threads *t)
{
    *t = (struct threads){false, false};
    do {
        if (sql_match(&q->sql, "io_thread|relay_thread"))
            t->io = true;
        else if (sql_take(&q->sql, "sql_thread"))
            t->sql = true;
        else if (t->io || t->sql)
            return query_fail_syntax(q);
    } while ((t->io || t->sql) && sql_take(&q->sql, ","));
    return true;
}

static bool not_supported(struct query *q, const char *what)
{
    return query_fail(q, ER_NOT_SUPPORTED_YET, "This version of MySQL doesn't yet support '%s'",
                      what);
}

static bool start_source(struct query *q, enum words words)
{
    struct admin_source s;
    bool old = words == WORDS_OLD;
    if (!query_source(q, &s))
        return query_fail(
            q, ER_BAD_SLAVE, "The server is not configured as %s; fix in config file or with %s",
            old ? "slave" : "replica", old ? "CHANGE MASTER TO" : "CHANGE REPLICATION SOURCE TO");
    if (s.io == ADMIN_IO_STOPPED)
        return query_command(q, ADMIN_START_SOURCE);
    if (old)
        return query_ok_but(q, ADMIN_NOTE, ER_SLAVE_WAS_RUNNING, "Slave is already running");
    return query_ok_but(q, ADMIN_NOTE, ER_REPLICA_CHANNEL_WAS_RUNNING,
                        "Replication thread(s) for channel '' are already runnning.");
}

/* There is no thread that applies, so what is about it alone cannot be done. */
bool start_replica(struct query *q)
{
    enum words words;
    struct threads threads;
    struct bytes channel;
    if (!take_words(q, &words) || !take_threads(q, &threads))
        return false;
    if (sql_match(&q->sql, "until"))
        return query_need_super(q, "REPLICATION_SLAVE_ADMIN") && not_supported(q, "UNTIL");
    if (sql_match(&q->sql, "user|password|default_auth|plugin_dir ="))
        return query_need_super(q, "REPLICATION_SLAVE_ADMIN") && not_supported(q, "USER");
    if (!query_take_channel(q, &channel) || !query_end(q) || !query_need_channel(q, channel) ||
        !query_need_super(q, "REPLICATION_SLAVE_ADMIN"))
        return false;
    return threads.sql ? not_supported(q, "SQL_THREAD") : start_source(q, words);
}

bool stop_replica(struct query *q)
{
    enum words words;
    struct threads threads;
    struct bytes channel;
    struct admin_source s;
    if (!take_words(q, &words) || !take_threads(q, &threads) || !query_take_channel(q, &channel) ||
        !query_end(q) || !query_need_channel(q, channel) ||
        !query_need_super(q, "REPLICATION_SLAVE_ADMIN"))
        return false;
    bool stops = query_source(q, &s) && (s.io != ADMIN_IO_STOPPED || s.gave_up);
    if (stops && (threads.io || !threads.sql))
        return query_command(q, ADMIN_STOP_SOURCE);
    if (words == WORDS_OLD)
        return query_ok_but(q, ADMIN_NOTE, ER_SLAVE_WAS_NOT_RUNNING,
                            "Slave already has been stopped");
    return query_ok_but(q, ADMIN_NOTE, ER_REPLICA_CHANNEL_WAS_NOT_RUNNING,
                        "Replication thread(s) for channel '' are already stopped.");
}

bool reset_replica(struct query *q)
{
    enum words words;
    struct bytes channel;
    struct admin_source s;
    if (!take_words(q, &words))
        return false;
    bool all = sql_take(&q->sql, "all");
    if (!query_take_channel(q, &channel) || !query_end(q) ||
        !query_need(q, ADMIN_RIGHT_ADMIN, "RELOAD") || !query_need_channel(q, channel))
        return false;
    if (!query_source(q, &s)) {
        reply_writer_ok(&q->writer, 0);
        return true;
    }
    if (s.io == ADMIN_IO_STOPPED && all)
        return query_change(q, &(struct admin_change){.forget = true});
    if (s.io == ADMIN_IO_STOPPED)
        return query_command(q, ADMIN_RESET_SOURCE);
    if (words == WORDS_OLD)
        return query_fail(q, ER_SLAVE_MUST_STOP,
                          "This operation cannot be performed with a running slave; run STOP SLAVE "
                          "first");
    return query_fail(q, ER_REPLICA_CHANNEL_MUST_STOP,
                      "This operation cannot be performed with running replication threads; run "
                      "STOP REPLICA FOR CHANNEL '' first");
}
