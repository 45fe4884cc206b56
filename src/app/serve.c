/* Listeners, accounts, sessions, and answers to statements. */
#include "serve.h"

#include "admin/admin.h"
#include "admin/events.h"
#include "admin/gtid_pos.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "control.h"
#include "mysql/errcode.h"
#include "mysql/reply_writer.h"
#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define LISTENERS_MAX     32u
#define LISTENER_PRIORITY (-2) /* new clients after those that are there */
#define VERSION_UNKNOWN   "8.4.0"

struct serve {
    struct serve_opts opts;
    struct account_list *accounts;
    struct auth_rsa_key *rsa;
    struct tls *tls;
    struct hub *hub;
    struct worker *door; /* does what strangers make costly, at the lowest priority */
    struct worker_job door_begins;
    struct ev_async door_wake;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_n;
    char version[HANDSHAKE_VERSION_MAX];
    uint64_t started_us;
    char hostname[256];
    struct admin_session *session;    /* whose statement is being answered, */
    uint32_t asking;                  /* its id, */
    struct bytes asked;               /* the statement, */
    const struct gtid_pos_job *found; /* and what was read for it, if it is asked again */
    struct gtid_pos_job *finding;     /* a list: all that are being read */
    struct buf executed;              /* texts that facts point to, until the next query */
    struct buf purged;
    struct buf maria_pos;
    struct buf maria_state;
};

/* ---- facts ---- */

static uint32_t own_server_id(const struct serve *s)
{
    const struct config_dumper *c = &s->opts.config->dumper;
    if (c->present)
        return c->server_id;
    return (uint32_t)strtoul(store_server_uuid(s->opts.store), NULL, 16) |
           1u; /* its first digits */
}

static void update_version(struct serve *s)
{
    const char *stored = store_format(s->opts.store)->server_version;
    snprintf(s->version, sizeof s->version, "%s-binlogd", *stored ? stored : VERSION_UNKNOWN);
}

/* Texts of errors and names of columns changed with 8.0.26. */
static bool old_words(const char *version)
{
    unsigned major = 0, minor = 0, patch = 0;
    sscanf(version, "%u.%u.%u", &major, &minor, &patch);
    return strstr(version, "MariaDB") || major < 8 || (major == 8 && minor == 0 && patch < 26);
}

static const char *text_of(struct buf *b, const struct gtid_set *set)
{
    buf_clear(b);
    gtid_set_format(set, b);
    wr_u8(b, 0);
    return (const char *)buf_bytes(b).p;
}

static const char *maria_text(struct buf *b, const struct maria_state *state,
                              void (*format)(const struct maria_state *s, struct buf *out))
{
    buf_clear(b);
    format(state, b);
    wr_u8(b, 0);
    return (const char *)buf_bytes(b).p;
}

static const char *purged_text(struct serve *s)
{
    struct gtid_set set;
    struct err ignored;
    gtid_set_init(&set);
    if (store_chain_files(s->opts.store))
        (void)gtid_set_decode(store_chain_file(s->opts.store, 0).previous, &set, &ignored);
    const char *text = text_of(&s->purged, &set);
    gtid_set_fini(&set);
    return text;
}

static bool gtid_mode(const struct serve *s)
{
    return !gtid_set_empty(store_gtids(s->opts.store)) ||
           (s->opts.dumper && dumper_gtid_mode(s->opts.dumper));
}

/* Whether somebody waits for replicas is the dumper's to say; without one nobody does. */
static void fill_semi_sync(const struct serve *s, struct admin_facts *f)
{
    const struct config_server *c = &s->opts.config->server;
    struct dumper_stats d = {.downstream = DOWNSTREAM_OFF};
    if (s->opts.dumper)
        dumper_stats(s->opts.dumper, &d);
    f->semi_sync = c->wait_for_replicas ? ADMIN_SEMI_SYNC_ON : ADMIN_SEMI_SYNC_OFF;
    f->semi_sync_status = d.downstream == DOWNSTREAM_ON;
    /* With 0 we wait for ever, a source not at all. */
    f->semi_sync_timeout_ms =
        c->wait_for_replicas_timeout_ms ? c->wait_for_replicas_timeout_ms : UINT32_MAX;
    f->semi_sync_replicas = c->wait_for_replicas;
    f->semi_sync_waits = d.held_us > 0;
    f->semi_sync_yes = d.transactions_with;
    f->semi_sync_no = d.transactions_without;
    f->semi_sync_no_times = d.degraded_times;
}

static void fill_facts(void *ctx, struct admin_facts *f)
{
    struct serve *s = ctx;
    const struct config *c = s->opts.config;
    struct store_pos end = store_end(s->opts.store);
    struct hub_stats hub;
    hub_stats(s->hub, &hub);
    f->version = s->version;
    f->mariadb = strstr(s->version, "MariaDB") != NULL;
    f->server_id = own_server_id(s);
    f->server_uuid = store_server_uuid(s->opts.store);
    f->hostname = s->hostname;
    f->report_host = c->dumper.present ? c->dumper.report_host : "";
    f->port = s->listener_n ? listener_port(s->listeners[0]) : 0;
    f->socket = c->server.socket;
    f->datadir = c->storage.directory;
    f->ssl = s->tls != NULL;
    f->max_connections = c->server.max_connections;
    f->gtid_mode = gtid_mode(s);
    f->gtid_executed = text_of(&s->executed, store_gtids(s->opts.store));
    f->gtid_purged = purged_text(s);
    f->gtid_binlog_pos =
        maria_text(&s->maria_pos, store_maria(s->opts.store), maria_state_format_last);
    f->gtid_binlog_state =
        maria_text(&s->maria_state, store_maria(s->opts.store), maria_state_format);
    f->checksum = store_format(s->opts.store)->crc_len > 0;
    f->file = end.file;
    f->position = end.pos;
    f->semi_sync_clients = hub.semi_sync;
    fill_semi_sync(s, f);
    f->now_us = clock_wall_us();
    f->uptime_s = (clock_now_us() - s->started_us) / 1000000u;
    f->threads_connected = hub.connected;
    f->threads_running = hub.dumping + 1;
    f->max_used_connections = hub.max_used;
    f->connections = hub.connections;
    f->aborted_connects = hub.refused;
    f->questions = hub.questions;
}

static void each_log(void *ctx, admin_log_fn fn, void *arg)
{
    struct serve *s = ctx;
    for (size_t i = 0; i < store_serving(s->opts.store); i++) {
        struct admin_log log = {store_files(s->opts.store)->at[i].text,
                                store_file_size(s->opts.store, i)};
        fn(arg, &log);
    }
}

struct each {
    admin_replica_fn replica;
    admin_thread_fn thread;
    void *arg;
};

static void tell_replica(void *arg, const struct hub_session_info *info)
{
    struct each *e = arg;
    if (!info->registered)
        return;
    struct admin_replica r = {info->server_id, info->report_host, info->report_port, info->uuid};
    e->replica(e->arg, &r);
}

static void each_replica(void *ctx, admin_replica_fn fn, void *arg)
{
    struct serve *s = ctx;
    struct each e = {.replica = fn, .arg = arg};
    hub_each(s->hub, tell_replica, &e);
}

static void tell_thread(void *arg, const struct hub_session_info *info)
{
    struct each *e = arg;
    struct admin_thread t = {
        .id = info->id,
        .user = info->user,
        .host = info->host,
        .command = !info->dumping  ? "Sleep"
                   : info->by_gtid ? "Binlog Dump GTID"
                                   : "Binlog Dump",
        .time_s = info->since_s,
        .state =
            info->dumping ? "Source has sent all binlog to replica; waiting for more updates" : "",
    };
    e->thread(e->arg, &t);
}

static void each_thread(void *ctx, admin_thread_fn fn, void *arg)
{
    struct serve *s = ctx;
    struct each e = {.thread = fn, .arg = arg};
    hub_each(s->hub, tell_thread, &e);
}

static bool kill_session(void *ctx, uint32_t id, enum admin_kill what)
{
    struct serve *s = ctx;
    switch (what) {
    case ADMIN_KILL_CONNECTION:
        return hub_kill(s->hub, id);
    case ADMIN_KILL_QUERY: /* no other statement can be interrupted */
        return hub_kill_dump(s->hub, id);
    }
    return false;
}

/* ---- SHOW BINLOG EVENTS, which reads a file ---- */

struct events_job {
    struct worker_job job; /* first: the worker hands it back */
    struct serve *serve;
    uint32_t session;
    char name[BINFILE_NAME_MAX + 1];
    struct events_request request;
    struct buf answer;
};

static void events_run(struct worker_job *job)
{
    struct events_job *e = (struct events_job *)job;
    events_answer(&e->answer, &e->request);
}

static void events_done(struct worker_job *job)
{
    struct events_job *e = (struct events_job *)job;
    if (e->serve->hub)
        hub_answer(e->serve->hub, e->session, buf_bytes(&e->answer));
    close(e->request.fd);
    buf_fini(&e->answer);
    free(e);
}

/* The file that was asked for, the first when none was; -1 when it is not served. */
static ssize_t find_log(const struct store *store, struct bytes name)
{
    struct binfile_name file;
    struct err ignored;
    if (!name.p)
        return store_serving(store) ? 0 : -1;
    if (binfile_name_parse(&file, name, &ignored) < 0 || !store_serves(store, &file))
        return -1;
    return binfile_list_find(store_files(store), &file);
}

static void binlog_events(void *ctx, const struct admin_events *events, struct buf *out)
{
    struct serve *s = ctx;
    struct store *store = s->opts.store;
    struct err err;
    ssize_t at = find_log(store, events->file);
    int fd = at < 0 ? -1 : store_open_file(store, &store_files(store)->at[at], &err);
    if (fd < 0) {
        struct reply_writer w;
        reply_writer_init(&w, out, 1);
        reply_writer_err(&w, ER_ERROR_WHEN_EXECUTING_COMMAND,
                         "Error when executing command SHOW BINLOG EVENTS: Could not find target "
                         "log");
        return;
    }
    struct events_job *e = mem_alloc(sizeof *e);
    e->job.run = events_run;
    e->job.done = events_done;
    e->serve = s;
    e->session = s->asking;
    strcpy(e->name, store_files(store)->at[at].text);
    e->request = (struct events_request){
        .fs = store_fs(store),
        .fd = fd,
        .name = e->name,
        .end = store_file_size(store, (size_t)at),
        .position = events->position,
        .skip = events->skip,
        .count = events->count,
    };
    worker_submit(s->opts.worker, &e->job);
}

static void ask(struct serve *s, struct admin_session *session, struct bytes sql, struct buf *out);

/* ---- BINLOG_GTID_POS, which may have to read a file ---- */

struct gtid_pos_job {
    struct worker_job job; /* first: the worker hands it back */
    struct serve *serve;
    struct gtid_pos_job *next; /* of serve->finding */
    void *session;             /* NULL when it has gone */
    uint32_t id;
    struct buf sql; /* the statement, to be asked again */
    size_t file;
    struct gtid_pos_request request;
    bool found;
    struct buf text;
};

static void gtid_pos_run(struct worker_job *job)
{
    struct gtid_pos_job *g = (struct gtid_pos_job *)job;
    g->found = gtid_pos_find(&g->request, &g->text);
}

static void gtid_pos_answer(struct gtid_pos_job *g)
{
    struct buf packets = {0};
    g->serve->found = g;
    ask(g->serve, g->session, buf_bytes(&g->sql), &packets);
    g->serve->found = NULL;
    hub_answer(g->serve->hub, g->id, buf_bytes(&packets));
    buf_fini(&packets);
}

static void gtid_pos_done(struct worker_job *job)
{
    struct gtid_pos_job *g = (struct gtid_pos_job *)job;
    struct gtid_pos_job **link = &g->serve->finding;
    while (*link != g)
        link = &(*link)->next;
    *link = g->next;
    if (g->session)
        gtid_pos_answer(g);
    close(g->request.fd);
    buf_fini(&g->sql);
    buf_fini(&g->text);
    free(g);
}

static void gtid_pos_start(struct serve *s, size_t file, uint64_t position, int fd)
{
    struct gtid_pos_job *g = mem_alloc(sizeof *g);
    g->job.run = gtid_pos_run;
    g->job.done = gtid_pos_done;
    g->serve = s;
    g->session = s->session;
    g->id = s->asking;
    wr_bytes(&g->sql, s->asked);
    g->file = file;
    g->request = (struct gtid_pos_request){
        .fs = store_fs(s->opts.store),
        .fd = fd,
        .end = store_file_size(s->opts.store, file),
        .position = position,
    };
    g->next = s->finding;
    s->finding = g;
    worker_submit(s->opts.worker, &g->job);
}

/* Of what was read for the statement; one that asks for two places gets NULL for the other. */
static enum admin_gtid_pos gtid_pos_found(const struct gtid_pos_job *g, size_t file,
                                          uint64_t position, struct buf *text)
{
    if (!g->found || g->file != file || g->request.position != position)
        return ADMIN_GTID_POS_NONE;
    wr_bytes(text, buf_bytes(&g->text));
    return ADMIN_GTID_POS_FOUND;
}

static enum admin_gtid_pos gtid_pos(void *ctx, struct bytes name, uint64_t position,
                                    struct buf *text)
{
    struct serve *s = ctx;
    const struct store *store = s->opts.store;
    struct err err;
    /* To MariaDB an empty name is the first file's. */
    ssize_t file = find_log(store, name.n ? name : bytes_of(NULL, 0));
    if (file < 0 || position > store_file_size(store, (size_t)file))
        return ADMIN_GTID_POS_NONE;
    bool at_end = (size_t)file + 1 == store_serving(store) && position == store_end(store).pos;
    const struct maria_state *list = store_gtid_list(store, (size_t)file);
    if (at_end || (position <= EVENT_MAGIC_LEN && list)) {
        maria_state_format_last(at_end ? store_maria(store) : list, text);
        return ADMIN_GTID_POS_FOUND;
    }
    if (s->found)
        return gtid_pos_found(s->found, (size_t)file, position, text);
    int fd = store_open_file(store, &store_files(store)->at[file], &err);
    if (fd < 0)
        return ADMIN_GTID_POS_NONE;
    gtid_pos_start(s, (size_t)file, position, fd);
    return ADMIN_GTID_POS_LATER;
}

/* ---- the source, and what statements change ---- */

static bool tell_source(void *ctx, struct admin_source *source)
{
    struct serve *s = ctx;
    return control_source(s->opts.control, source);
}

static bool command(void *ctx, enum admin_command what, struct admin_error *e)
{
    struct serve *s = ctx;
    return control_command(s->opts.control, what, e);
}

static bool purge_to(void *ctx, struct bytes name, struct admin_error *e)
{
    struct serve *s = ctx;
    return control_purge_to(s->opts.control, name, e);
}

static bool purge_before(void *ctx, int64_t seconds, struct admin_error *e)
{
    struct serve *s = ctx;
    return control_purge_before(s->opts.control, seconds, e);
}

static bool change(void *ctx, const struct admin_change *what, struct admin_error *e)
{
    struct serve *s = ctx;
    return control_change(s->opts.control, s->asking, what, e);
}

static void each_setting(void *ctx, admin_setting_fn fn, void *arg)
{
    struct serve *s = ctx;
    control_each_setting(s->opts.control, fn, arg);
}

static bool set(void *ctx, const struct admin_assignment *items, size_t n, struct admin_error *e)
{
    struct serve *s = ctx;
    return control_set(s->opts.control, items, n, e);
}

/* ---- SQL of a session ---- */

static struct admin_env env_of(struct serve *s)
{
    return (struct admin_env){
        .ctx = s,
        .facts = fill_facts,
        .each_log = each_log,
        .each_replica = each_replica,
        .each_thread = each_thread,
        .kill = kill_session,
        .gtid_pos = gtid_pos,
        .binlog_events = binlog_events,
        .source = tell_source,
        .command = command,
        .change = change,
        .purge_to = purge_to,
        .purge_before = purge_before,
        .each_setting = each_setting,
        .set = set,
    };
}

static void ask(struct serve *s, struct admin_session *session, struct bytes sql, struct buf *out)
{
    struct admin_env env = env_of(s);
    s->session = session;
    s->asking = session->id;
    s->asked = sql;
    admin_query(session, &env, sql, out);
}

static bool sql_knows_database(void *ctx, const char *name)
{
    (void)ctx;
    return admin_database_known(bytes_str(name));
}

static void *sql_open(void *ctx, uint32_t id, const char *user, const char *host,
                      const char *database, unsigned rights)
{
    (void)ctx;
    struct admin_session *session = mem_alloc(sizeof *session);
    struct admin_login login = {id, user, host, database, rights};
    admin_session_init(session, &login);
    return session;
}

static void sql_close(void *ctx, void *state)
{
    struct serve *s = ctx;
    for (struct gtid_pos_job *g = s->finding; g; g = g->next)
        if (g->session == state)
            g->session = NULL;
    admin_session_fini(state);
    free(state);
}

static void sql_reset(void *ctx, void *state)
{
    (void)ctx;
    admin_session_reset(state);
}

static void sql_query(void *ctx, void *state, struct bytes sql, struct buf *out)
{
    ask(ctx, state, sql, out);
}

static void sql_init_db(void *ctx, void *state, struct bytes name, struct buf *out)
{
    struct admin_env env = env_of(ctx);
    admin_init_db(state, &env, name, out);
}

static void sql_statistics(void *ctx, struct buf *text)
{
    struct admin_env env = env_of(ctx);
    admin_statistics(&env, text);
}

static bool sql_variable(void *ctx, void *state, const char *name, struct bytes *value)
{
    (void)ctx;
    return admin_session_get(state, name, value);
}

static const struct hub_sql hub_sql = {
    .knows_database = sql_knows_database,
    .open = sql_open,
    .close = sql_close,
    .reset = sql_reset,
    .query = sql_query,
    .init_db = sql_init_db,
    .statistics = sql_statistics,
    .variable = sql_variable,
};

/* ---- configuration to parts ---- */

static struct account_list *make_accounts(const struct config *c, struct err *err)
{
    struct account_list *list = account_list_new();
    for (size_t i = 0; i < c->user_count; i++) {
        const struct config_user *u = &c->users[i];
        enum auth_plugin plugin = u->plugin == CONFIG_PLUGIN_MYSQL_NATIVE_PASSWORD
                                      ? AUTH_PLUGIN_NATIVE
                                      : AUTH_PLUGIN_CACHING_SHA2;
        struct account a;
        int rc = account_init(&a, u->name, u->password, plugin, err);
        if (rc == 0) {
            a.rights = u->rights;
            a.max_connections = u->max_connections;
            rc = account_list_add(list, &a, err);
        }
        account_fini(&a);
        if (rc < 0) {
            account_list_free(list);
            return NULL;
        }
    }
    return list;
}

static int make_tls(const struct config_server *c, struct tls **tls, struct err *err)
{
    struct tls_opts opts = {.ca = c->ssl_ca, .cert = c->ssl_cert, .key = c->ssl_key};
    /* A 9.x replica asks for TLS unless it is told otherwise. */
    *tls = *c->ssl_cert ? tls_server_new(&opts, err) : tls_server_new_self_signed();
    return *tls ? 0 : err_prefix(err, "[server]");
}

static const struct config_user *find_user(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->user_count; i++)
        if (strcmp(c->users[i].name, name) == 0)
            return &c->users[i];
    return NULL;
}

/* An empty list allows everybody; a unix socket's file mode says who may use it. */
static bool may_come(void *ctx, const char *name, const struct addr *peer)
{
    const struct serve *s = ctx;
    const struct config_user *u = find_user(s->opts.config, name);
    if (!u || !u->from.count || peer->ss.ss_family == AF_UNIX)
        return u != NULL;
    for (size_t i = 0; i < u->from.count; i++)
        if (addr_in(peer, u->from.items[i]))
            return true;
    return false;
}

static void on_acked(void *ctx)
{
    struct serve *s = ctx;
    if (s->opts.dumper)
        dumper_replicas_moved(s->opts.dumper);
}

static void describe_hub(struct serve *s, const struct config *c, struct hub_opts *o)
{
    update_version(s);
    *o = (struct hub_opts){
        .loop = s->opts.loop,
        .worker = s->opts.worker,
        .door = s->door,
        .store = s->opts.store,
        .server_id = own_server_id(s),
        .version = s->version,
        .old_words = old_words(s->version),
        .accounts = s->accounts,
        .rsa = s->rsa,
        .tls = s->tls,
        .require_tls = c->server.require_ssl,
        .max_connections = c->server.max_connections,
        .wait_for_replicas = c->server.wait_for_replicas,
        .acked = on_acked,
        .may_come = may_come,
        .sql = &hub_sql,
        .ctx = s,
    };
}

/* The source's version can be known since the last client came. */
static void on_accepted(void *ctx, int fd, const struct addr *peer)
{
    struct serve *s = ctx;
    struct hub_opts o;
    describe_hub(s, s->opts.config, &o);
    hub_reconfigure(s->hub, &o);
    hub_accept(s->hub, fd, peer);
}

static int add_listener(struct serve *s, struct listener *l)
{
    char text[ADDR_TEXT_MAX];
    if (!l)
        return -1;
    addr_format(listener_addr(l), text);
    log_info("app", "listening on %s", text);
    s->listeners[s->listener_n++] = l;
    return 0;
}

static int listen_all(struct serve *s, struct err *err)
{
    const struct config_server *c = &s->opts.config->server;
    struct listener_opts lo = {
        .loop = s->opts.loop, .priority = LISTENER_PRIORITY, .accepted = on_accepted, .ctx = s};
    int inherited = sd_listen_fds(1);
    for (int i = 0; i < inherited && s->listener_n < LISTENERS_MAX; i++)
        if (add_listener(s, listener_adopt(&lo, SD_LISTEN_FDS_START + i, err)) < 0)
            return -1;
    for (size_t i = 0; i < c->listen.count && !inherited && s->listener_n < LISTENERS_MAX; i++)
        if (add_listener(s, listener_open(&lo, c->listen.items[i], err)) < 0)
            return -1;
    if (*c->socket && s->listener_n < LISTENERS_MAX)
        return add_listener(s, listener_open(&lo, c->socket, err));
    return 0;
}

static void on_moved(void *ctx)
{
    struct serve *s = ctx;
    hub_moved(s->hub);
}

static void wake_door(void *ctx)
{
    struct serve *s = ctx;
    ev_async_send(s->opts.loop, &s->door_wake);
}

static void on_door_wake(struct ev_loop *loop, struct ev_async *w, int revents)
{
    (void)loop;
    (void)revents;
    struct serve *s = w->data;
    worker_reap(s->door);
}

static void door_run(struct worker_job *job)
{
    (void)job;
    thread_lower();
}

static void door_done(struct worker_job *job)
{
    (void)job;
}

static void open_door(struct serve *s)
{
    ev_async_init(&s->door_wake, on_door_wake);
    ev_set_priority(&s->door_wake, LISTENER_PRIORITY);
    s->door_wake.data = s;
    ev_async_start(s->opts.loop, &s->door_wake);
    s->door = worker_new(wake_door, s);
    s->door_begins = (struct worker_job){.run = door_run, .done = door_done};
    worker_submit(s->door, &s->door_begins);
}

/* The connections that it still has are closed already. */
static void close_door(struct serve *s)
{
    worker_free(s->door);
    s->door = NULL;
    ev_async_stop(s->opts.loop, &s->door_wake);
}

static int start(struct serve *s, struct err *err)
{
    struct hub_opts o;
    s->accounts = make_accounts(s->opts.config, err);
    if (!s->accounts || make_tls(&s->opts.config->server, &s->tls, err) < 0)
        return -1;
    if (s->opts.config->user_count)
        s->rsa = auth_rsa_key_new();
    open_door(s);
    describe_hub(s, s->opts.config, &o);
    s->hub = hub_new(&o);
    store_set_reader(s->opts.store, on_moved, s);
    if (!s->opts.config->user_count) {
        log_info("app", "no [user] section: nobody can log in, nothing listens");
        return 0;
    }
    return listen_all(s, err);
}

struct serve *serve_new(const struct serve_opts *opts, struct err *err)
{
    struct serve *s = mem_alloc(sizeof *s);
    s->opts = *opts;
    s->started_us = clock_now_us();
    if (gethostname(s->hostname, sizeof s->hostname - 1) < 0)
        s->hostname[0] = 0;
    if (start(s, err) == 0)
        return s;
    serve_free(s);
    return NULL;
}

int serve_reconfigure(struct serve *s, const struct config *config, struct err *err)
{
    struct account_list *accounts = make_accounts(config, err);
    struct tls *tls = NULL;
    if (!accounts || make_tls(&config->server, &tls, err) < 0) {
        account_list_free(accounts);
        return -1;
    }
    account_list_free(s->accounts);
    tls_free(s->tls); /* sessions that use it live on */
    s->accounts = accounts;
    s->tls = tls;
    struct hub_opts o;
    describe_hub(s, config, &o);
    hub_reconfigure(s->hub, &o);
    return 0;
}

void serve_answer(struct serve *s, uint32_t session, struct bytes packets)
{
    if (s->hub)
        hub_answer(s->hub, session, packets);
}

void serve_stop(struct serve *s)
{
    if (!s)
        return;
    store_set_reader(s->opts.store, NULL, NULL);
    for (; s->listener_n; s->listener_n--)
        listener_close(s->listeners[s->listener_n - 1]);
    hub_free(s->hub);
    s->hub = NULL;
    close_door(s);
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    serve_stop(s);
    account_list_free(s->accounts);
    auth_rsa_key_free(s->rsa);
    tls_free(s->tls);
    buf_fini(&s->executed);
    buf_fini(&s->purged);
    buf_fini(&s->maria_pos);
    buf_fini(&s->maria_state);
    free(s);
}

struct hub *serve_hub(const struct serve *s)
{
    return s->hub;
}

struct point serve_acked(const struct serve *s)
{
    return s->hub ? hub_acked(s->hub) : (struct point){0};
}
