/*
 * What is said to a source between login and dump: a table of statements, each with the check of
 * its reply, for MySQL 5.5 to 9.x and MariaDB.
 *
 * Unknown variables (error 1193) are how the versions are told apart. The facts that the replies
 * give decide how to dump and what an ACK promises.
 */
#ifndef BINLOGD_DUMPER_SETUP_H
#define BINLOGD_DUMPER_SETUP_H

#include "binlog/gtid_set.h"
#include "dumper/ack.h"
#include "dumper/settings.h"
#include "link/channel.h"
#include "mysql/handshake.h"
#include "store/binfile.h"

#define SETUP_SOURCE_MAX 64

struct setup_opts {
    uint32_t server_id;
    const char *server_uuid;
    const char *report_host;
    uint16_t report_port;
    uint64_t heartbeat_ns;
    bool semi_sync;
    bool want_latest; /* ask for the source's current file */
};

struct setup_facts {
    char version[HANDSHAKE_VERSION_MAX];
    bool mariadb;
    bool older_than_57;
    uint32_t server_id;
    char source[SETUP_SOURCE_MAX]; /* the server_uuid, or "server-id-N" where there is none */
    bool gtid_mode;                /* ON */
    bool gtids_known;              /* with gtid_mode: gtids is what the source says */
    struct gtid_set gtids;         /* gtid_executed, and gtid_owned: commits that wait for ACKs */
    bool dump_by_gtid; /* COM_BINLOG_DUMP_GTID takes a file and a position: 5.7 with gtid_mode=ON */
    bool crc32;        /* checksum of what the source writes at present */
    bool semi_sync_plugin;  /* the variables are there */
    bool semi_sync_enabled; /* the source's switch is on */
    enum ack_mode ack_mode;
    int64_t clock_ahead_us;         /* the source's clock minus ours */
    struct binfile_name latest;     /* with want_latest */
    char unsafe[SETTINGS_TEXT_MAX]; /* as settings_judge */
};

struct setup {
    struct channel *channel;
    const struct setup_opts *opts;
    struct setup_facts facts;
    size_t step;
    struct resultset reply;
};

/* Sends the first statement. version: the greeting's. */
void setup_start(struct setup *s, struct channel *ch, const struct setup_opts *opts,
                 const char *version);
void setup_fini(struct setup *s);

/* Once done: how many bytes the source's files hold from a place on, NULL for all; -1 when it does
 * not say (SHOW BINARY LOGS needs REPLICATION CLIENT, or the file is not there). Asked once. */
int64_t setup_backlog(struct setup *s, const struct binfile_name *file, uint64_t pos);

enum setup_result { SETUP_MORE, SETUP_DONE, SETUP_FAILED };

/* Feeds a message that came. ERR_LONG is for what an operator has to change, ERR_MALFORMED for what
 * no source says. */
enum setup_result setup_feed(struct setup *s, struct bytes payload, struct err *err);

#endif
