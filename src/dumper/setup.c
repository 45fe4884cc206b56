/* The statements before a dump. */
#include "dumper/setup.h"

#include "base/clock.h"
#include "base/log.h"
#include "mysql/errcode.h"
#include "mysql/repl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef int (*check_fn)(struct setup *s, struct err *err);

/* write appends the command, or nothing to skip the step. check judges an answer that is no error;
 * NULL takes any. on_error is asked when the server answers with an error; NULL: it is fatal. */
struct step {
    void (*write)(const struct setup *s, struct buf *out);
    check_fn check;
    check_fn on_error;
};

static void query(struct buf *out, const char *sql)
{
    wr_u8(out, COM_QUERY);
    wr_str(out, sql);
}

static const char *cell(const struct setup *s)
{
    const char *text = resultset_get(&s->reply, 0, 0);
    return text ? text : "";
}

static int ignore(struct setup *s, struct err *err)
{
    (void)s;
    (void)err;
    return 0;
}

static int server_error(const struct setup *s, struct err *err)
{
    return err_set(err, "error %u: %s", s->reply.error.code, s->reply.error.message);
}

/* An unknown variable is an answer too: the server is older, or another. */
static int unknown_variable(struct setup *s, struct err *err)
{
    return s->reply.error.code == ER_UNKNOWN_SYSTEM_VARIABLE ? 0 : server_error(s, err);
}

static void write_time(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SELECT UNIX_TIMESTAMP()");
}

static int check_time(struct setup *s, struct err *err)
{
    (void)err;
    s->facts.clock_ahead_us = strtoll(cell(s), NULL, 10) * 1000000 - clock_wall_us();
    return 0;
}

static void write_server_id(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SELECT @@GLOBAL.SERVER_ID");
}

static int check_server_id(struct setup *s, struct err *err)
{
    s->facts.server_id = (uint32_t)strtoul(cell(s), NULL, 10);
    if (s->facts.server_id == s->opts->server_id)
        return err_kind_set(err, ERR_LONG,
                            "the source has the server_id %" PRIu32 " too: set another one in "
                            "[dumper] server_id",
                            s->opts->server_id);
    return 0;
}

static void write_heartbeat(const struct setup *s, struct buf *out)
{
    wr_u8(out, COM_QUERY);
    wr_fmt(out, "SET @master_heartbeat_period = %" PRIu64 ", @source_heartbeat_period = %" PRIu64,
           s->opts->heartbeat_ns, s->opts->heartbeat_ns);
}

static void write_checksum(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SET @master_binlog_checksum = @@global.binlog_checksum, "
               "@source_binlog_checksum = @@global.binlog_checksum");
}

static void write_ask_checksum(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SELECT @source_binlog_checksum");
}

static int check_checksum(struct setup *s, struct err *err)
{
    const char *name = cell(s);
    s->facts.crc32 = strcasecmp(name, "CRC32") == 0;
    if (!s->facts.crc32 && *name && strcasecmp(name, "NONE") != 0)
        return err_set(err, "the source has the unknown binlog_checksum %.20s", name);
    return 0;
}

static void write_gtid_mode(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SELECT @@GLOBAL.GTID_MODE");
}

static int check_gtid_mode(struct setup *s, struct err *err)
{
    (void)err;
    /* 5.6 takes the command, but looks for the next file right at the position. */
    s->facts.gtid_mode = strcasecmp(cell(s), "ON") == 0;
    s->facts.dump_by_gtid = s->facts.gtid_mode && !s->facts.older_than_57;
    return 0;
}

/* What waits for our own ACK is not executed yet, but it is owned. Owned first: what moves from
 * there in between is executed then. */
static void write_gtid_owned(const struct setup *s, struct buf *out)
{
    if (s->facts.gtid_mode)
        query(out, "SELECT @@GLOBAL.gtid_owned");
}

static void write_gtid_executed(const struct setup *s, struct buf *out)
{
    if (s->facts.gtid_mode)
        query(out, "SELECT @@GLOBAL.gtid_executed");
}

/* Owned GTIDs are printed as "uuid:7#12:8#13", each with the number of its thread. */
static void drop_owners(struct buf *dst, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "#");
        wr_bytes(dst, bytes_of(text, n));
        text += n;
        if (*text == '#')
            text += 1 + strspn(text + 1, "0123456789");
    }
}

static int check_gtids(struct setup *s, struct err *err)
{
    struct gtid_set set;
    struct buf text;
    gtid_set_init(&set);
    buf_init(&text);
    drop_owners(&text, cell(s));
    int rc = gtid_set_parse(buf_bytes(&text), &set, err);
    if (rc == 0) {
        gtid_set_union(&s->facts.gtids, &set);
        s->facts.gtids_known = true;
    } else {
        err_prefix(err, "the source's GTID set");
        err_malformed(err);
    }
    buf_fini(&text);
    gtid_set_fini(&set);
    return rc;
}

static void write_server_uuid(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SELECT @@GLOBAL.SERVER_UUID");
}

static bool source_name_ok(const char *text)
{
    size_t n = strspn(text, "0123456789abcdefABCDEF-");
    return n >= 1 && n < SETUP_SOURCE_MAX && !text[n];
}

static int check_server_uuid(struct setup *s, struct err *err)
{
    const char *uuid = cell(s);
    if (!source_name_ok(uuid))
        return err_kind_set(err, ERR_MALFORMED, "the source's server_uuid is malformed");
    if (strcasecmp(uuid, s->opts->server_uuid) == 0)
        return err_kind_set(err, ERR_LONG,
                            "the source has the same server_uuid as binlogd: remove the file "
                            "server-uuid from the data directory");
    strcpy(s->facts.source, uuid);
    return 0;
}

static void write_uuid(const struct setup *s, struct buf *out)
{
    wr_u8(out, COM_QUERY);
    wr_fmt(out, "SET @slave_uuid = '%s', @replica_uuid = '%s'", s->opts->server_uuid,
           s->opts->server_uuid);
}

/* 4: the replica understands all of MariaDB's events; otherwise the source leaves some out. */
static void write_mariadb(const struct setup *s, struct buf *out)
{
    if (s->facts.mariadb)
        query(out, "SET @mariadb_slave_capability = 4");
}

static void write_settings(const struct setup *s, struct buf *out)
{
    (void)s;
    settings_query(out);
}

static int check_settings(struct setup *s, struct err *err)
{
    return settings_judge(&s->reply, s->opts->semi_sync ? SETTINGS_SEMI_SYNC : SETTINGS_PLAIN,
                          s->facts.unsafe, err);
}

static void write_register(const struct setup *s, struct buf *out)
{
    struct repl_register r = {s->opts->server_id, s->opts->report_host, s->opts->report_port};
    repl_register_encode(out, &r);
}

static bool privilege_missing(const struct setup *s)
{
    return s->reply.error.code == ER_ACCESS_DENIED_ERROR ||
           s->reply.error.code == ER_SPECIFIC_ACCESS_DENIED_ERROR;
}

static int on_register_error(struct setup *s, struct err *err)
{
    server_error(s, err);
    if (!privilege_missing(s))
        return -1;
    err->kind = ERR_LONG;
    return err_prefix(err, "the account lacks a privilege: GRANT REPLICATION SLAVE ON *.* to it");
}

static void write_semi_sync_source(const struct setup *s, struct buf *out)
{
    if (s->opts->semi_sync)
        query(out, "SELECT @@global.rpl_semi_sync_source_enabled");
}

static void write_semi_sync_master(const struct setup *s, struct buf *out)
{
    if (s->opts->semi_sync && !s->facts.semi_sync_plugin)
        query(out, "SELECT @@global.rpl_semi_sync_master_enabled");
}

static int check_semi_sync(struct setup *s, struct err *err)
{
    (void)err;
    s->facts.semi_sync_plugin = true;
    s->facts.semi_sync_enabled = strcmp(cell(s), "1") == 0;
    return 0;
}

/* Both names: 9.x looks at the new one only, 8.0.25 and older at the old one only. Also where the
 * switch is off, so that switching it on later takes effect. */
static void write_semi_sync_opt_in(const struct setup *s, struct buf *out)
{
    if (s->facts.semi_sync_plugin)
        query(out, "SET @rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1");
}

static void write_latest_new(const struct setup *s, struct buf *out)
{
    if (s->opts->want_latest)
        query(out, "SHOW BINARY LOG STATUS"); /* 8.2 and later */
}

static void write_latest_old(const struct setup *s, struct buf *out)
{
    if (s->opts->want_latest && !s->facts.latest.text[0])
        query(out, "SHOW MASTER STATUS");
}

static int check_latest(struct setup *s, struct err *err)
{
    if (binfile_name_parse(&s->facts.latest, bytes_str(cell(s)), err) == 0)
        return 0;
    err_prefix(err, "cannot find the source's current file");
    return *cell(s) ? err_malformed(err) : -1;
}

static int on_latest_error(struct setup *s, struct err *err)
{
    if (s->reply.error.code == ER_PARSE_ERROR)
        return 0;
    server_error(s, err);
    if (!privilege_missing(s))
        return -1;
    err->kind = ERR_LONG;
    return err_prefix(err, "start=latest needs a privilege: GRANT REPLICATION CLIENT ON *.* to the "
                           "account");
}

/* Last, so that its answer is at hand when the place of the dump request is known. */
static void write_logs(const struct setup *s, struct buf *out)
{
    (void)s;
    query(out, "SHOW BINARY LOGS");
}

static const struct step steps[] = {
    {write_time, check_time, NULL},
    {write_server_id, check_server_id, NULL},
    {write_heartbeat, NULL, NULL},
    {write_checksum, NULL, unknown_variable},
    {write_ask_checksum, check_checksum, NULL},
    {write_gtid_mode, check_gtid_mode, unknown_variable},
    {write_gtid_owned, check_gtids, unknown_variable},
    {write_gtid_executed, check_gtids, unknown_variable},
    {write_server_uuid, check_server_uuid, unknown_variable},
    {write_uuid, NULL, NULL},
    {write_mariadb, NULL, NULL},
    {write_settings, check_settings, ignore},
    {write_latest_new, check_latest, on_latest_error},
    {write_latest_old, check_latest, on_latest_error},
    {write_register, NULL, on_register_error},
    {write_semi_sync_source, check_semi_sync, unknown_variable},
    {write_semi_sync_master, check_semi_sync, unknown_variable},
    {write_semi_sync_opt_in, NULL, NULL},
    {write_logs, NULL, ignore},
};

#define STEPS (sizeof steps / sizeof *steps)

/* Sends the next step's command; false when there is none left. */
static bool send_next(struct setup *s)
{
    struct buf out;
    buf_init(&out);
    while (s->step < STEPS && !out.len) {
        steps[s->step].write(s, &out);
        if (!out.len)
            s->step++;
    }
    bool more = out.len > 0;
    if (more) {
        resultset_fini(&s->reply);
        resultset_init(&s->reply);
        channel_send_command(s->channel, buf_bytes(&out));
    }
    buf_fini(&out);
    return more;
}

/* MariaDB 10 puts "5.5.5-" before its own version in the greeting, for old replicas. */
static const char *own_version(const char *version)
{
    static const char prefix[] = "5.5.5-";
    size_t n = sizeof prefix - 1;
    return strstr(version, "MariaDB") && strncmp(version, prefix, n) == 0 ? version + n : version;
}

static bool older_than_57(const char *version)
{
    unsigned major = 0, minor = 0;
    sscanf(version, "%u.%u", &major, &minor);
    return major == 5 && minor < 7;
}

void setup_start(struct setup *s, struct channel *ch, const struct setup_opts *opts,
                 const char *version)
{
    setup_fini(s);
    *s = (struct setup){.channel = ch, .opts = opts};
    version = own_version(version);
    snprintf(s->facts.version, sizeof s->facts.version, "%s", version);
    s->facts.mariadb = strstr(version, "MariaDB") != NULL;
    s->facts.older_than_57 = older_than_57(version);
    s->facts.ack_mode = s->facts.older_than_57 ? ACK_EACH : ACK_LATEST;
    channel_receive(ch, RESULTSET_BYTES_MAX);
    send_next(s);
}

int64_t setup_backlog(struct setup *s, const struct binfile_name *file, uint64_t pos)
{
    bool found = !file;
    int64_t bytes = 0;
    for (size_t row = 0; row < s->reply.rows; row++) {
        const char *name = resultset_get(&s->reply, row, 0);
        const char *size = resultset_get(&s->reply, row, 1);
        found = found || (file && name && strcmp(name, file->text) == 0);
        if (found && size)
            bytes += strtoll(size, NULL, 10);
    }
    bool known = found && s->reply.rows;
    resultset_fini(&s->reply); /* it may be long */
    resultset_init(&s->reply);
    if (!known)
        return -1;
    return bytes > (int64_t)pos ? bytes - (int64_t)pos : 0;
}

void setup_fini(struct setup *s)
{
    resultset_fini(&s->reply);
    gtid_set_fini(&s->facts.gtids);
}

static enum setup_result next_step(struct setup *s)
{
    s->step++;
    if (send_next(s))
        return SETUP_MORE;
    if (!s->facts.source[0])
        snprintf(s->facts.source, sizeof s->facts.source, "server-id-%" PRIu32, s->facts.server_id);
    return SETUP_DONE;
}

enum setup_result setup_feed(struct setup *s, struct bytes payload, struct err *err)
{
    const struct step *step = &steps[s->step];
    int rc = 0;
    switch (resultset_feed(&s->reply, payload, err)) {
    case RESULTSET_MORE:
        return SETUP_MORE;
    case RESULTSET_OK:
    case RESULTSET_ROWS:
        rc = step->check ? step->check(s, err) : 0;
        break;
    case RESULTSET_ERR:
        rc = step->on_error ? step->on_error(s, err) : server_error(s, err);
        if (rc < 0)
            err->code = s->reply.error.code;
        break;
    case RESULTSET_BROKEN:
        rc = err_malformed(err);
        break;
    }
    return rc < 0 ? SETUP_FAILED : next_step(s);
}
