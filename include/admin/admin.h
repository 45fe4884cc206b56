/*
 * The statements that replicas, tools and operators send, answered in MySQL's own words.
 *
 * The session layer hands over the text of a COM_QUERY and gets the packets of the answer. What is
 * true of the daemon comes in through a table of callbacks, what is true of one connection is kept
 * in its admin_session. No I/O, no clock of its own, nothing is global.
 */
#ifndef BINLOGD_ADMIN_ADMIN_H
#define BINLOGD_ADMIN_ADMIN_H

#include "base/buf.h"

#define ADMIN_USER_VARIABLES_MAX 64
#define ADMIN_USER_BYTES_MAX     65536u /* names and values of one session together */
#define ADMIN_QUERY_MAX          (1u << 20)
#define ADMIN_DATABASE_MAX       64

/* Bits of admin_session.rights, the values of enum config_right. */
enum admin_right {
    ADMIN_RIGHT_REPLICATE = 1, /* REPLICATION SLAVE */
    ADMIN_RIGHT_STATUS = 2,    /* REPLICATION CLIENT and PROCESS */
    ADMIN_RIGHT_ADMIN = 4,     /* everything */
};

/* Who is on the other side; strings are copied by admin_session_init. */
struct admin_login {
    uint32_t id; /* the thread id of the greeting */
    const char *user;
    const char *host;     /* the peer's address, "localhost" for a unix socket */
    const char *database; /* of the handshake response; NULL or "" for none */
    unsigned rights;      /* enum admin_right */
};

struct admin_variable; /* one @variable */

enum admin_level { ADMIN_ERROR, ADMIN_WARNING, ADMIN_NOTE };

/* Embedded in a connection; read the members, change them by the functions below. */
struct admin_session {
    uint32_t id;
    char *user;
    char *host;
    unsigned rights;
    char database[ADMIN_DATABASE_MAX + 1]; /* empty: none */
    struct admin_variable *variables;
    size_t variable_count;
    size_t variable_bytes;
    uint16_t warning_code; /* of the last statement, for SHOW WARNINGS; 0: none */
    enum admin_level warning_level;
    char *warning;
};

/* Whether USE of it would succeed: a session begins in no other database. */
bool admin_database_known(struct bytes name);

void admin_session_init(struct admin_session *s, const struct admin_login *login);
void admin_session_fini(struct admin_session *s);
/* What COM_RESET_CONNECTION does: user variables and warnings go, login and database stay. */
void admin_session_reset(struct admin_session *s);
/* The text of @name, without the @ and whatever its case: false when it is unset or NULL. *value
 * lives until the next statement of the session. A number is given as MySQL prints it. */
bool admin_session_get(const struct admin_session *s, const char *name, struct bytes *value);
/* As admin_session_get, of a whole number that is not negative; false also for anything else. */
bool admin_session_get_u64(const struct admin_session *s, const char *name, uint64_t *value);

enum admin_semi_sync {
    ADMIN_SEMI_SYNC_ABSENT, /* the variables do not exist: replicas go asynchronous (1193) */
    ADMIN_SEMI_SYNC_OFF,
    ADMIN_SEMI_SYNC_ON,
};

/* What is true of the daemon now. Strings are UTF-8, never NULL (filled with "" before the call)
 * and must live until admin_query returns. */
struct admin_facts {
    const char *version; /* as in the greeting, "9.7.4-binlogd"; decides which names are used */
    bool mariadb;        /* the source is MariaDB: its variables and functions exist */
    uint32_t server_id;
    const char *server_uuid;
    const char *hostname;
    const char *report_host;
    uint16_t port;       /* the first TCP listener's, or 0 */
    const char *socket;  /* path of the unix socket or "" */
    const char *datadir; /* the storage directory */
    bool ssl;            /* the listener offers TLS */
    uint32_t max_connections;

    const char *binlog_format;    /* these three are the source's, as far as known; */
    const char *binlog_row_image; /* "": what MySQL does unless told otherwise */
    const char *binlog_row_metadata;

    bool gtid_mode;
    const char *gtid_executed; /* of MySQL: complete and durable transactions; may be large */
    const char *gtid_purged;
    uint32_t gtid_domain_id;       /* MariaDB */
    const char *gtid_binlog_pos;   /* MariaDB: of each domain the last GTID at position, */
    const char *gtid_binlog_state; /* and of each domain and server_id */
    bool checksum;                 /* @@binlog_checksum is CRC32, otherwise NONE */
    const char *file;              /* newest binary log, "" when there is none */
    uint64_t position;             /* its durable end */

    enum admin_semi_sync semi_sync; /* towards replicas */
    bool semi_sync_status;          /* replicas are being waited for: not degraded */
    uint32_t semi_sync_timeout_ms;
    uint32_t semi_sync_replicas; /* how many are waited for */
    uint32_t semi_sync_clients;
    uint32_t semi_sync_waits; /* commits that are known to wait: one for all of them */
    uint64_t semi_sync_yes; /* transactions that enough replicas had when they were acknowledged */
    uint64_t semi_sync_no;  /* the others */
    uint64_t semi_sync_no_times; /* that waiting was given up */

    int64_t now_us; /* wall clock, since 1970-01-01 UTC */
    uint64_t uptime_s;
    uint32_t threads_connected;
    uint32_t threads_running;
    uint32_t max_used_connections;
    uint64_t connections; /* attempts since the start */
    uint64_t aborted_connects;
    uint64_t aborted_clients;
    uint64_t questions;
    uint64_t bytes_received;
    uint64_t bytes_sent;
};

struct admin_log {
    const char *name;
    uint64_t size; /* bytes that are served: complete and durable */
};

struct admin_replica {
    uint32_t server_id;
    const char *host; /* as it registered */
    uint16_t port;
    const char *uuid; /* @replica_uuid, "" when unknown */
};

struct admin_thread {
    uint32_t id;
    const char *user;
    const char *host;    /* with ":port" where there is one */
    const char *db;      /* NULL: none */
    const char *command; /* "Query", "Sleep", "Binlog Dump", "Binlog Dump GTID" */
    uint64_t time_s;
    const char *state;
    const char *info; /* NULL: none */
};

/* SHOW BINLOG EVENTS [IN file] [FROM position] [LIMIT [skip,] count]. */
struct admin_events {
    struct bytes file; /* p NULL: the first log */
    uint64_t position; /* 4 when not given */
    uint64_t skip;
    uint64_t count; /* UINT64_MAX when not given, or 0 with nothing to skip */
};

/* A key of the configuration, as the global variable SECTION.KEY. */
struct admin_setting {
    const char *name;
    const char *value; /* as it is written in the file */
    bool number;       /* a whole number and nothing else */
    bool settable;     /* while the daemon runs */
};

/* SET GLOBAL name = value. */
struct admin_assignment {
    const char *name;  /* of an admin_setting that is settable */
    const char *value; /* NULL: the default */
};

/* Called once per item, in order; the strings need to live during the call only. */
typedef void (*admin_log_fn)(void *arg, const struct admin_log *log);
typedef void (*admin_replica_fn)(void *arg, const struct admin_replica *replica);
typedef void (*admin_setting_fn)(void *arg, const struct admin_setting *setting);
typedef void (*admin_thread_fn)(void *arg, const struct admin_thread *thread);

enum admin_gtid_pos {
    ADMIN_GTID_POS_NONE,  /* there is no such file or offset: the answer is NULL */
    ADMIN_GTID_POS_FOUND, /* the text was appended */
    ADMIN_GTID_POS_LATER  /* a file has to be read: the query appends nothing, ask it again then */
};

enum admin_kill { ADMIN_KILL_CONNECTION, ADMIN_KILL_QUERY };

/* What the connection to the source is doing. */
enum admin_io {
    ADMIN_IO_STOPPED,
    ADMIN_IO_CONNECTING,
    ADMIN_IO_RECONNECTING, /* waits for the next try */
    ADMIN_IO_CHECKING,     /* asks who the source is */
    ADMIN_IO_REQUESTING,   /* the dump, of which nothing has come yet */
    ADMIN_IO_QUEUEING,     /* behind the source */
    ADMIN_IO_WAITING,      /* up to date */
    ADMIN_IO_NO_SPACE
};

/* For SHOW REPLICA STATUS; strings as in admin_facts. */
struct admin_source {
    enum admin_io io;
    bool gave_up;     /* stopped by itself, because of what the source sends */
    const char *host; /* or the path of a unix socket */
    uint16_t port;
    const char *user;
    uint32_t connect_retry_s;
    const char *file; /* received up to here */
    uint64_t position;
    uint64_t space; /* bytes of all copies */
    bool ssl;
    bool ssl_verify; /* the server's name */
    const char *ssl_ca;
    const char *ssl_cert;
    const char *ssl_key;
    const char *public_key;
    bool get_public_key;
    bool auto_position;
    int64_t seconds_behind; /* -1: unknown */
    unsigned error_code;
    const char *error;
    int64_t error_us; /* wall clock; 0: none */
    uint32_t server_id;
    const char *uuid;
    const char *info_file; /* where CHANGE REPLICATION SOURCE TO keeps what it was told */
};

/* Options of CHANGE REPLICATION SOURCE TO. */
enum admin_change_key {
    ADMIN_CHANGE_HOST,
    ADMIN_CHANGE_PORT,
    ADMIN_CHANGE_USER,
    ADMIN_CHANGE_PASSWORD,
    ADMIN_CHANGE_LOG_FILE,
    ADMIN_CHANGE_LOG_POS,
    ADMIN_CHANGE_AUTO_POSITION,
    ADMIN_CHANGE_SSL,
    ADMIN_CHANGE_SSL_CA,
    ADMIN_CHANGE_SSL_CERT,
    ADMIN_CHANGE_SSL_KEY,
    ADMIN_CHANGE_SSL_VERIFY,
    ADMIN_CHANGE_HEARTBEAT, /* seconds, may have decimals */
    ADMIN_CHANGE_CONNECT_RETRY,
    ADMIN_CHANGE_PUBLIC_KEY,
    ADMIN_CHANGE_GET_PUBLIC_KEY,
    ADMIN_CHANGE_COUNT
};

/* Their values as text, digits for numbers; p is NULL for what was not given. */
struct admin_change {
    bool forget; /* RESET REPLICA ALL: all that was ever said */
    struct bytes value[ADMIN_CHANGE_COUNT];
};

/* What has no parameters; the rights were checked. */
enum admin_command {
    ADMIN_START_SOURCE, /* of what is stopped */
    ADMIN_STOP_SOURCE,  /* of what runs, or gave up */
    ADMIN_RESET_SOURCE, /* forgets the last error; of what is stopped */
    ADMIN_FLUSH_LOGS,   /* opens the log file anew */
    ADMIN_SHUTDOWN      /* ends the daemon some time after admin_query has returned */
};

/* Why the daemon did not do what was asked. */
struct admin_error {
    uint16_t code;
    char text[600];
};

/* What the daemon offers; ctx is handed to each. NULL members: no items, not found. */
struct admin_env {
    void *ctx;
    void (*facts)(void *ctx, struct admin_facts *facts);
    void (*each_log)(void *ctx, admin_log_fn fn, void *arg);
    void (*each_replica)(void *ctx, admin_replica_fn fn, void *arg);
    void (*each_thread)(void *ctx, admin_thread_fn fn, void *arg);
    /* Ends the connection, or only what it does, some time after admin_query has returned, for it
     * may be the caller's own; rights were checked. False when there is none. */
    bool (*kill)(void *ctx, uint32_t id, enum admin_kill what);
    /* MariaDB's BINLOG_GTID_POS: appends the text of the GTID position that precedes the offset; an
     * empty name is the first file. */
    enum admin_gtid_pos (*gtid_pos)(void *ctx, struct bytes file, uint64_t position,
                                    struct buf *text);
    /* Appends the whole answer to SHOW BINLOG EVENTS; rights were checked. */
    void (*binlog_events)(void *ctx, const struct admin_events *events, struct buf *out);
    /* The connection to the source, into what was filled with ""; false when there is none to be,
     * so that nothing can be started. */
    bool (*source)(void *ctx, struct admin_source *source);
    /* False when it could not be done, and *e says why. */
    bool (*command)(void *ctx, enum admin_command command, struct admin_error *e);
    /* Of a source that is stopped; rights were checked. True: the packets of the answer come later,
     * for this is kept on disk. */
    bool (*change)(void *ctx, const struct admin_change *change, struct admin_error *e);
    /* PURGE BINARY LOGS TO and BEFORE (seconds since 1970-01-01 UTC): removes the logs before the
     * one named, or those that were last written before then. Rights were checked; false when
     * it cannot be, and *e says why. True with a code in *e: done as far as that warning says. */
    bool (*purge_to)(void *ctx, struct bytes name, struct admin_error *e);
    bool (*purge_before)(void *ctx, int64_t seconds, struct admin_error *e);
    void (*each_setting)(void *ctx, admin_setting_fn fn, void *arg);
    /* All or nothing, until the configuration is read again; false when it cannot be, and *e says
     * why. Rights were checked. */
    bool (*set)(void *ctx, const struct admin_assignment *items, size_t n, struct admin_error *e);
};

/* Appends the packets of the answer to one COM_QUERY, the first with sequence number 1. What a
 * client can make of it is bounded: some 10 ms of work, about 8 MiB of values. */
void admin_query(struct admin_session *s, const struct admin_env *env, struct bytes sql,
                 struct buf *out);
/* The same for COM_INIT_DB. */
void admin_init_db(struct admin_session *s, const struct admin_env *env, struct bytes name,
                   struct buf *out);
/* Appends the text that COM_STATISTICS answers with: no packet, no NUL. */
void admin_statistics(const struct admin_env *env, struct buf *text);

#endif
