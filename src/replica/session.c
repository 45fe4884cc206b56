/*
 * One inbound session: login, commands, dump.
 *
 * Output is pulled: a dump appends one quantum, and the next only when the socket has taken the
 * last. So a slow replica costs one quantum of memory and is ended after a stall.
 */
#include "session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mysql/errcode.h"
#include "mysql/repl.h"
#include "mysql/reply.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define LOGIN_SECONDS    10.0
#define IDLE_SECONDS     28800.0 /* wait_timeout's default */
#define STALL_SECONDS    60.0
#define AGAIN_SECONDS    1e-6 /* the next turn of the loop */
#define ENDING_SECONDS   5.0
#define COMMAND_MAX      (16u << 20) /* a large GTID set */
#define SET_AT_ONCE_MAX  (64u << 10) /* a longer one is decoded by the worker */
#define SET_OPTION_MAX   1           /* MYSQL_OPTION_MULTI_STATEMENTS_OFF */
#define LOW_WATER        (DUMP_QUANTUM_MIN / 2)
#define SESSION_PRIORITY (-1) /* after the source's socket */
#define NS_PER_SECOND    1e9

/* ---- states ---- */

static void arm(struct session *s, double seconds)
{
    s->timer.repeat = seconds;
    ev_timer_again(s->opts->loop, &s->timer); /* 0 stops it */
    /* That it is to fire in the next turn has been forgotten by this. */
    if (s->killed)
        ev_feed_event(s->opts->loop, &s->timer, EV_TIMER);
}

static void enter(struct session *s, enum session_state state)
{
    static const char *const names[] = {
        [SESSION_LOGIN] = "login",
        [SESSION_COMMANDS] = "commands",
        [SESSION_DUMPING] = "dumping",
        [SESSION_ENDING] = "ending",
    };
    log_debug("replica", "session %" PRIu32 ": %s -> %s", s->id, names[s->state], names[state]);
    s->state = state;
    s->state_since_us = clock_now_us();
    switch (state) {
    case SESSION_LOGIN:
        arm(s, LOGIN_SECONDS);
        break;
    case SESSION_COMMANDS:
        arm(s, IDLE_SECONDS);
        break;
    case SESSION_DUMPING:
        arm(s, STALL_SECONDS);
        break;
    case SESSION_ENDING:
        arm(s, ENDING_SECONDS);
        break;
    }
}

/* Sends what stands in the output and closes when it is gone. Telling the client why can have shown
 * that it is gone itself. */
static void finish(struct session *s)
{
    if (!s->channel.conn)
        return;
    enter(s, SESSION_ENDING);
    conn_flush(s->channel.conn);
}

static struct buf *output(struct session *s)
{
    return conn_out(s->channel.conn);
}

/* Sends the message, and frees it. */
static void put_message(struct session *s, struct buf *message)
{
    channel_send(&s->channel, buf_bytes(message));
    buf_fini(message);
}

static void put_error(struct session *s, uint16_t code, const char *text)
{
    struct buf message = {0};
    reply_err_encode(&message, code, text);
    put_message(s, &message);
}

static void put_ok(struct session *s)
{
    struct buf message = {0};
    reply_ok_encode(&message, 0);
    put_message(s, &message);
}

/* ---- audit lines ---- */

#define WHO_MAX 600

/* What a client says of itself must not look like another field of the line. */
static void put_plain(char *dst, size_t cap, const char *said)
{
    size_t n = 0;
    for (; *said && n + 1 < cap; said++)
        dst[n++] = *said > ' ' && *said < 0x7f && *said != '"' && *said != '=' ? *said : '?';
    dst[n] = 0;
}

static const char *who(const struct session *s, char text[WHO_MAX])
{
    char address[ADDR_TEXT_MAX], user[ACCOUNT_NAME_MAX];
    addr_format(&s->peer, address);
    put_plain(user, sizeof user, login_server_user(s->acceptor.machine));
    snprintf(text, WHO_MAX, "user=%s address=%s", user, address);
    return text;
}

static const char *replica_of(const struct session *s, char text[WHO_MAX])
{
    char uuid[SESSION_UUID_MAX];
    put_plain(uuid, sizeof uuid, *s->uuid ? s->uuid : "-");
    who(s, text);
    size_t n = strlen(text);
    snprintf(text + n, WHO_MAX - n, " server_id=%" PRIu32 " uuid=%s", s->server_id, uuid);
    return text;
}

static void log_login(const struct session *s)
{
    char text[WHO_MAX];
    const char *tls = conn_tls_version(s->channel.conn);
    hub_log(s->hub, HUB_LINES_AUDIT, "session %" PRIu32 ": login: %s plugin=%s tls=%s", s->id,
            who(s, text), auth_plugin_name(login_server_account(s->acceptor.machine)->plugin),
            *tls ? tls : "-");
}

static void log_begin(const struct session *s, const struct dump_opts *o, uint64_t start)
{
    char text[WHO_MAX];
    bool by_gtid = s->by_gtid || (o->maria && o->maria->position.p);
    hub_log(s->hub, HUB_LINES_AUDIT,
            "session %" PRIu32 ": dump begins: %s start=%s:%" PRIu64 " by=%s semi_sync=%s", s->id,
            replica_of(s, text), dump_pos(s->dump).file, start, by_gtid ? "gtid" : "position",
            o->semi_sync ? "on" : "off");
}

static void log_refused(const struct session *s, const char *why)
{
    char text[WHO_MAX];
    hub_log(s->hub, HUB_LINES_REFUSED, "session %" PRIu32 ": dump refused: %s reason=\"%s\"", s->id,
            replica_of(s, text), why);
}

static void log_end(const struct session *s, const char *why)
{
    char text[WHO_MAX];
    struct store_pos pos = dump_pos(s->dump);
    hub_log(s->hub, HUB_LINES_AUDIT,
            "session %" PRIu32 ": dump ends: %s end=%s:%" PRIu64 " bytes=%" PRIu64 " reason=\"%s\"",
            s->id, replica_of(s, text), pos.file, pos.pos, dump_passed(s->dump), why);
}

/* ---- dumping ---- */

static void fail_dump(struct session *s, const char *text)
{
    log_end(s, text);
    dump_put_error(s->dump, output(s), text);
    finish(s);
}

/* ---- what the replica has acknowledged ---- */

static void set_acked(struct session *s, struct point acked)
{
    if (point_cmp(&acked, &s->acked) <= 0)
        return;
    s->acked = acked;
    hub_session_acked(s->hub, s);
}

/* What was left out behind the last event that it has acknowledged, it has. */
static void credit_left_out(struct session *s)
{
    struct point sent = dump_sent(s->dump);
    if (s->semi_sync && s->waiting && point_cmp(&s->acked, &sent) >= 0)
        set_acked(s, dump_point(s->dump));
}

static int take_ack(struct session *s, struct bytes payload, struct err *err)
{
    struct repl_ack ack;
    struct binfile_name file;
    struct point acked;
    if (repl_ack_decode(&ack, payload, err) < 0 || binfile_name_parse(&file, ack.file, err) < 0)
        return -1;
    /* The file can have been purged since it was sent. */
    if (dump_acked(s->dump, &file, ack.pos, &s->acked, &acked) < 0)
        return err_set(err, "the replica acknowledges %s at %" PRIu64 ", which it was not sent",
                       file.text, ack.pos);
    set_acked(s, acked);
    return 0;
}

/* A replica that acknowledges what it cannot have is not to be relied upon. */
static void on_ack(struct session *s, struct bytes payload)
{
    struct err err;
    if (!s->semi_sync)
        channel_close(&s->channel, "a command came while dumping");
    else if (take_ack(s, payload, &err) < 0)
        channel_close(&s->channel, "%s", err.text);
    else
        credit_left_out(s);
}

/* ---- sending ---- */

/* As a source does while it leaves out transactions for long. */
static void beat_while_skipping(struct session *s)
{
    if (s->heartbeat_s > 0 && (double)(clock_now_us() - s->sent_us) >= s->heartbeat_s * 1e6)
        dump_heartbeat(s->dump, output(s));
}

static void pump(struct session *s)
{
    struct err err;
    s->waiting = s->again = false;
    size_t out_before = channel_queued(&s->channel);
    enum dump_result r = dump_fill(s->dump, output(s), &err);
    if (r == DUMP_MORE && channel_queued(&s->channel) == out_before)
        beat_while_skipping(s);
    bool silent = channel_queued(&s->channel) == out_before;
    if (!silent)
        s->sent_us = clock_now_us();
    switch (r) {
    case DUMP_MORE: /* drained comes when there is room */
    case DUMP_COLD:
        arm(s, STALL_SECONDS);
        break;
    case DUMP_IDLE:
        s->waiting = true;
        arm(s, s->heartbeat_s);
        credit_left_out(s);
        break;
    case DUMP_EOF:
        log_end(s, "all sent");
        finish(s);
        return;
    case DUMP_FAILED:
        if (err.kind == ERR_CORRUPT)
            log_error("replica", "a stored file is damaged and not served: %s", err.text);
        fail_dump(s, err.text);
        return;
    }
    conn_flush(s->channel.conn);
    if (r == DUMP_MORE && silent && s->channel.conn) {
        s->again = true; /* all was left out: nothing will drain */
        arm(s, AGAIN_SECONDS);
    }
    if (r == DUMP_IDLE && s->channel.conn && !channel_queued(&s->channel))
        channel_trim(&s->channel);
}

static void on_fetched(void *ctx)
{
    struct session *s = ctx;
    if (s->state == SESSION_DUMPING)
        pump(s);
}

void session_moved(struct session *s)
{
    if (s->state == SESSION_DUMPING && s->waiting && !channel_queued(&s->channel))
        pump(s);
}

static void on_drained(void *ctx)
{
    struct session *s = ctx;
    if (s->state == SESSION_ENDING && !channel_queued(&s->channel))
        channel_close(&s->channel, "done");
    else if (s->state == SESSION_DUMPING)
        pump(s);
}

static void beat(struct session *s)
{
    dump_heartbeat(s->dump, output(s));
    conn_flush(s->channel.conn);
}

/* ---- the request for a dump ---- */

static uint64_t variable_u64(struct session *s, const char *name)
{
    struct bytes text;
    char digits[24];
    if (!s->opts->sql->variable(s->opts->ctx, s->sql, name, &text) ||
        bytes_to_str(text, digits, sizeof digits) < 0)
        return 0;
    return strtoull(digits, NULL, 10);
}

/* Both generations of a name; the new one counts when both are set. */
static bool variable2(struct session *s, const char *new_name, const char *old_name,
                      struct bytes *text)
{
    const struct hub_sql *sql = s->opts->sql;
    return sql->variable(s->opts->ctx, s->sql, new_name, text) ||
           sql->variable(s->opts->ctx, s->sql, old_name, text);
}

static enum dump_checksum declared_checksum(struct session *s)
{
    struct bytes text;
    if (!variable2(s, "source_binlog_checksum", "master_binlog_checksum", &text))
        return DUMP_CHECKSUM_UNDECLARED;
    bool crc = text.n == 5 && strncasecmp((const char *)text.p, "CRC32", 5) == 0;
    return crc ? DUMP_CHECKSUM_CRC32 : DUMP_CHECKSUM_NONE;
}

static void read_variables(struct session *s)
{
    struct bytes uuid;
    s->uuid[0] = 0;
    if (variable2(s, "replica_uuid", "slave_uuid", &uuid) &&
        bytes_to_str(uuid, s->uuid, sizeof s->uuid) < 0)
        s->uuid[0] = 0;
    s->semi_sync =
        variable_u64(s, "rpl_semi_sync_replica") || variable_u64(s, "rpl_semi_sync_slave");
    uint64_t ns = variable_u64(s, "source_heartbeat_period");
    if (!ns)
        ns = variable_u64(s, "master_heartbeat_period");
    s->heartbeat_s = (double)ns / NS_PER_SECOND;
    if (ns && s->heartbeat_s < 0.001)
        s->heartbeat_s = 0.001;
}

static bool acks_wanted(void *ctx)
{
    const struct session *s = ctx;
    return s->opts->wait_for_replicas > 0;
}

static void describe_dump(struct session *s, const struct repl_dump_request *r, struct dump_opts *o)
{
    *o = (struct dump_opts){
        .store = s->opts->store,
        .worker = s->opts->worker,
        .scratch = s->scratch,
        .server_id = s->opts->server_id,
        .old_words = s->opts->old_words,
        .semi_sync = s->semi_sync,
        .acks_wanted = acks_wanted,
        .nonblock = (r->flags & REPL_DUMP_NON_BLOCK) || r->server_id == 0,
        .heartbeat_v2 = (r->flags & REPL_DUMP_HEARTBEAT_V2) && s->by_gtid,
        .checksum = declared_checksum(s),
        .fetched = on_fetched,
        .ctx = s,
    };
}

static void refuse_dump(struct session *s, uint16_t code, const char *text, const char *why)
{
    put_error(s, code, text);
    log_refused(s, why);
    finish(s);
}

/* False when the files are not MariaDB's. */
static bool describe_maria(struct session *s, const struct repl_dump_request *r,
                           struct dump_maria_request *m)
{
    const struct hub_sql *sql = s->opts->sql;
    *m = (struct dump_maria_request){
        .strict = variable_u64(s, "slave_gtid_strict_mode"),
        .ignore_duplicates = variable_u64(s, "slave_gtid_ignore_duplicates"),
        .capability = (unsigned)variable_u64(s, "mariadb_slave_capability"),
        .annotate = r->flags & REPL_DUMP_MARIADB_ANNOTATE,
    };
    if (!sql->variable(s->opts->ctx, s->sql, "slave_connect_state", &m->position))
        m->position.p = NULL;
    if (!sql->variable(s->opts->ctx, s->sql, "slave_until_gtid", &m->until))
        m->until.p = NULL;
    return !s->by_gtid && strstr(store_format(s->opts->store)->server_version, "MariaDB");
}

/* set: of a dump by GTID, is taken over. */
static void start_dump(struct session *s, const struct repl_dump_request *r, struct gtid_set *set)
{
    struct dump_opts o;
    struct dump_maria_request maria;
    struct err err;
    describe_dump(s, r, &o);
    o.maria = describe_maria(s, r, &maria) ? &maria : NULL;
    s->dump = s->by_gtid ? dump_new_gtid(&o, r->file, r->pos, set, &err)
                         : dump_new(&o, r->file, r->pos, &err);
    if (!s->dump) {
        uint16_t code = maria.code ? maria.code : ER_SOURCE_FATAL_ERROR_READING_BINLOG;
        refuse_dump(s, code, err.text, err.text);
        return;
    }
    log_begin(s, &o, r->pos);
    if (o.maria && *maria.ahead)
        log_warn("replica",
                 "session %" PRIu32 ": server_id %" PRIu32
                 " is ahead: it has GTID %s, which is not here yet",
                 s->id, s->server_id, maria.ahead);
    hub_dump_begins(s->hub, s);
    enter(s, SESSION_DUMPING);
    if (s->semi_sync)
        set_acked(s, dump_sent(s->dump));
    pump(s);
}

/* ---- the GTID set of the request ---- */

struct set_job {
    struct worker_job job;   /* first: the worker hands it back */
    struct session *session; /* NULL when it is gone */
    struct buf command;
    struct repl_dump_request request; /* points into command */
    struct gtid_set set;
    struct err err;
    int rc;
};

static void start_with_set(struct session *s, struct set_job *j)
{
    if (j->rc == 0)
        start_dump(s, &j->request, &j->set);
    else
        refuse_dump(s, ER_MALFORMED_GTID_SET_ENCODING, "Malformed GTID set encoding.", j->err.text);
}

static void set_run(struct worker_job *job)
{
    struct set_job *j = (struct set_job *)job;
    j->rc = gtid_set_decode(j->request.gtids, &j->set, &j->err);
}

static void set_done(struct worker_job *job)
{
    struct set_job *j = (struct set_job *)job;
    struct session *s = j->session;
    if (s) {
        s->set_job = NULL;
        s->owed = false;
        start_with_set(s, j);
        channel_resume(&s->channel);
    }
    gtid_set_fini(&j->set);
    buf_fini(&j->command);
    free(j);
}

/* A set can have a million intervals, or hundreds of thousands of sources: a quarter of a second
 * that the ACKs must not wait. */
static void decode_aside(struct session *s, struct bytes payload)
{
    struct set_job *j = mem_alloc(sizeof *j);
    j->job.run = set_run;
    j->job.done = set_done;
    j->session = s;
    wr_bytes(&j->command, payload);
    BUG_ON(repl_dump_gtid_decode(&j->request, buf_bytes(&j->command), &j->err) < 0);
    s->set_job = j;
    s->owed = true;
    worker_submit(s->opts->worker, &j->job);
}

static void take_request(struct session *s, const struct repl_dump_request *r, struct bytes payload)
{
    struct set_job j = {.request = *r};
    s->server_id = r->server_id;
    read_variables(s);
    if (s->by_gtid && r->gtids.n > SET_AT_ONCE_MAX) {
        decode_aside(s, payload);
        return;
    }
    if (s->by_gtid)
        set_run(&j.job);
    start_with_set(s, &j);
    gtid_set_fini(&j.set);
}

static void on_dump(struct session *s, struct bytes payload)
{
    struct repl_dump_request r;
    struct err err;
    s->by_gtid = payload.p[0] == COM_BINLOG_DUMP_GTID;
    int rc =
        s->by_gtid ? repl_dump_gtid_decode(&r, payload, &err) : repl_dump_decode(&r, payload, &err);
    if (!(login_server_account(s->acceptor.machine)->rights & HUB_RIGHT_REPLICATE)) {
        put_error(s, ER_SPECIFIC_ACCESS_DENIED_ERROR,
                  "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) "
                  "for this operation");
        log_refused(s, "the account has not the right to replicate");
    } else if (rc < 0) {
        put_error(s, ER_MALFORMED_PACKET, REPL_MALFORMED);
        finish(s);
    } else {
        take_request(s, &r, payload);
    }
}

static void on_register(struct session *s, struct bytes payload)
{
    struct repl_registered r;
    struct err err;
    if (repl_register_decode(&r, payload, &err) < 0) {
        bool malformed = strcmp(err.text, REPL_MALFORMED) == 0;
        put_error(s, malformed ? ER_MALFORMED_PACKET : ER_UNKNOWN_ERROR, err.text);
        return;
    }
    s->server_id = r.server_id;
    strcpy(s->report_host, r.host);
    s->report_port = r.port;
    read_variables(s); /* the list of replicas shows the uuid from now on, as a source's does */
    put_ok(s);
}

/* ---- commands ---- */

static void on_statistics(struct session *s)
{
    struct buf text = {0};
    s->opts->sql->statistics(s->opts->ctx, &text);
    put_message(s, &text);
}

/* Whether statements come one by one is nothing to us, for there is never more than one. */
static void on_set_option(struct session *s, struct bytes option)
{
    struct buf message = {0};
    if (option.n < 2 || le16(option.p) > SET_OPTION_MAX) {
        bool cut = option.n < 2;
        put_error(s, cut ? ER_MALFORMED_PACKET : ER_UNKNOWN_COM_ERROR,
                  cut ? REPL_MALFORMED : "Unknown command");
        return;
    }
    reply_eof_encode(&message, 0);
    put_message(s, &message);
}

static void on_query(struct session *s, struct bytes text)
{
    size_t before = output(s)->len;
    s->opts->sql->query(s->opts->ctx, s->sql, text, output(s));
    s->owed = output(s)->len == before;
    conn_flush(s->channel.conn);
}

static void on_command(struct session *s, struct bytes payload)
{
    const struct hub_sql *sql = s->opts->sql;
    struct bytes rest = payload.n ? bytes_skip(payload, 1) : payload;
    s->stats->questions++;
    switch (payload.n ? payload.p[0] : -1) {
    case COM_QUIT:
        channel_close(&s->channel, "the client quits");
        break;
    case COM_PING:
        put_ok(s);
        break;
    case COM_QUERY:
        on_query(s, rest);
        break;
    case COM_INIT_DB:
        sql->init_db(s->opts->ctx, s->sql, rest, output(s));
        conn_flush(s->channel.conn);
        break;
    case COM_SHUTDOWN: /* of mariadb-admin, and of clients older than 5.7 */
        sql->query(s->opts->ctx, s->sql, bytes_str("SHUTDOWN"), output(s));
        conn_flush(s->channel.conn);
        break;
    case COM_STATISTICS:
        on_statistics(s);
        break;
    case COM_SET_OPTION:
        on_set_option(s, rest);
        break;
    case COM_RESET_CONNECTION:
        sql->reset(s->opts->ctx, s->sql);
        put_ok(s);
        break;
    case COM_REGISTER_SLAVE:
        on_register(s, payload);
        break;
    case COM_BINLOG_DUMP:
    case COM_BINLOG_DUMP_GTID:
        on_dump(s, payload);
        break;
    default:
        put_error(s, ER_UNKNOWN_COM_ERROR, "Unknown command");
        break;
    }
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct session *s = ctx;
    if (s->owed) {
        channel_pause(&s->channel);
        return false;
    }
    switch (s->state) {
    case SESSION_COMMANDS:
        on_command(s, part);
        if (s->channel.conn && s->state == SESSION_COMMANDS)
            enter(s, SESSION_COMMANDS);
        break;
    case SESSION_DUMPING:
        on_ack(s, part);
        break;
    case SESSION_LOGIN:
    case SESSION_ENDING:
        break;
    }
    if (s->channel.conn)
        channel_expect_seq(&s->channel, 0); /* commands and ACKs begin anew */
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

/* ---- begin and end ---- */

static void on_logged_in(void *ctx)
{
    struct session *s = ctx;
    const struct account *a = login_server_account(s->acceptor.machine);
    s->sql = s->opts->sql->open(s->opts->ctx, s->id, a->name, s->host,
                                login_server_database(s->acceptor.machine), a->rights);
    hub_logged_in(s->hub, s);
    channel_trust(&s->channel);
    log_login(s);
    channel_receive(&s->channel, COMMAND_MAX);
    enter(s, SESSION_COMMANDS);
}

static bool on_judged(void *ctx)
{
    struct session *s = ctx;
    uint32_t delay_s = hub_judged(s->hub, s);
    if (delay_s)
        arm(s, delay_s);
    return delay_s > 0;
}

static const struct acceptor_ops acceptor_ops = {.judged = on_judged, .done = on_logged_in};

static void on_closed(void *ctx, const char *reason)
{
    struct session *s = ctx;
    if (s->state == SESSION_LOGIN) {
        char text[WHO_MAX];
        s->stats->refused++;
        hub_log(s->hub, HUB_LINES_REFUSED, "session %" PRIu32 ": login failed: %s reason=\"%s\"",
                s->id, who(s, text), s->acceptor.failed ? s->acceptor.err.text : reason);
    } else if (s->state == SESSION_DUMPING) {
        log_end(s, reason);
    }
    hub_session_gone(s->hub, s);
    ev_timer_stop(s->opts->loop, &s->timer);
    if (s->sql)
        s->opts->sql->close(s->opts->ctx, s->sql);
    dump_free(s->dump);
    if (s->set_job)
        s->set_job->session = NULL;
    s->dump = NULL;
    s->sql = NULL;
}

static const struct channel_ops session_ops = {
    .part = on_part,
    .batch = on_batch,
    .drained = on_drained,
    .closed = on_closed,
};

void session_end(struct session *s, const char *last_words, const char *reason)
{
    if (last_words && s->state == SESSION_DUMPING)
        fail_dump(s, last_words);
    else
        channel_close(&s->channel, "%s", reason);
}

void session_answer(struct session *s, struct bytes packets)
{
    if (s->state != SESSION_COMMANDS || !s->channel.conn)
        return;
    wr_bytes(output(s), packets);
    s->owed = false;
    conn_flush(s->channel.conn);
    channel_resume(&s->channel);
}

void session_kill(struct session *s)
{
    s->killed = true;
    ev_feed_event(s->opts->loop, &s->timer, EV_TIMER);
}

void session_kill_dump(struct session *s)
{
    if (s->state == SESSION_DUMPING || s->set_job)
        session_kill(s);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    struct session *s = t->data;
    if (s->killed) {
        channel_close(&s->channel, "killed");
        return;
    }
    switch (s->state) {
    case SESSION_LOGIN:
        if (s->acceptor.held)
            acceptor_release(&s->acceptor);
        else
            channel_close(&s->channel, "no login within %.0f s", LOGIN_SECONDS);
        break;
    case SESSION_COMMANDS:
        channel_close(&s->channel, "idle for %.0f s", IDLE_SECONDS);
        break;
    case SESSION_DUMPING:
        if (s->again)
            pump(s);
        else if (s->waiting)
            beat(s);
        else if (!s->dump || channel_queued(&s->channel))
            channel_close(&s->channel, "the replica took nothing for %.0f s", STALL_SECONDS);
        break;
    case SESSION_ENDING:
        channel_close(&s->channel, "done");
        break;
    }
}

/* A name that is not there, or may not come from where it comes, goes the same way as one that is
 * and has another password. */
static const struct account *find_account(void *ctx, const char *user)
{
    struct session *s = ctx;
    const struct account *decoy = account_list_decoy(s->opts->accounts, user);
    const struct account *a = account_list_find(s->opts->accounts, user);
    return a && s->opts->may_come(s->opts->ctx, user, &s->peer) ? a : decoy;
}

/* Counted from here on, so that answers which are held back do not add up to more than the cap. */
static bool admit(void *ctx, const struct account *account)
{
    struct session *s = ctx;
    s->admitted = hub_admits(s->hub, account);
    return s->admitted;
}

static bool knows_database(void *ctx, const char *name)
{
    const struct session *s = ctx;
    return s->opts->sql->knows_database(s->opts->ctx, name);
}

struct session *session_new(const struct session_opts *so, int fd)
{
    const struct hub_opts *opts = so->opts;
    struct session *s = mem_alloc(sizeof *s);
    struct err err;
    s->hub = so->hub;
    s->opts = opts;
    s->scratch = so->scratch;
    s->stats = so->stats;
    s->id = so->id;
    s->peer = *so->peer;
    addr_unmap(&s->peer);
    s->source = addr_source(&s->peer);
    addr_host(&s->peer, s->host);
    s->local = s->peer.ss.ss_family == AF_UNIX;
    ev_init(&s->timer, on_timer);
    s->timer.data = s;
    struct channel_adopt_opts adopt = {
        .loop = opts->loop,
        .priority = SESSION_PRIORITY,
        .message_max = ACCEPTOR_MESSAGE_MAX,
        .low_water = LOW_WATER,
        .ops = &session_ops,
        .ctx = s,
        .gate = so->gate,
        .worker = opts->door,
    };
    if (channel_adopt(&s->channel, &adopt, fd, &err) < 0) {
        log_warn("replica", "%s: %s", s->host, err.text);
        free(s);
        return NULL;
    }
    s->login = (struct login_server_opts){
        .version = opts->version,
        .connection_id = s->id,
        .host = s->host,
        .tls = !opts->tls          ? LOGIN_SERVER_TLS_OFF
               : opts->require_tls ? LOGIN_SERVER_TLS_REQUIRED
                                   : LOGIN_SERVER_TLS_OFFERED,
        .local = s->local,
        .rsa = opts->rsa,
        .find = find_account,
        .admit = admit,
        .knows_database = knows_database,
        .ctx = s,
    };
    return s;
}

void session_begin(struct session *s)
{
    char text[ADDR_TEXT_MAX];
    addr_format(&s->peer, text);
    log_debug("replica", "session %" PRIu32 ": connection: address=%s", s->id, text);
    enter(s, SESSION_LOGIN);
    struct acceptor_opts opts = {&s->login, s->opts->tls, &acceptor_ops, s->opts->door};
    acceptor_start(&s->acceptor, &s->channel, &opts);
}

void session_free(struct session *s)
{
    acceptor_fini(&s->acceptor);
    channel_fini(&s->channel);
    free(s);
}
