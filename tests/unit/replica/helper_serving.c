/* A hub over a real store. */
#include "helper_serving.h"

#include "base/log.h"
#include "base/mem.h"
#include "binlog/event_body.h"
#include "mysql/errcode.h"
#include "mysql/login_client.h"
#include "mysql/reply.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSWORD    "Repl-secret_7"
#define RING        (4u << 20)
#define PIECE       (64u << 10)
#define CLIENTS_MAX 64u
#define VALUES_MAX  8u

struct serving serving;

static struct ev_async store_wake, worker_wake;
static struct worker *worker;
static char *dir;
static struct peer *clients[CLIENTS_MAX];
static size_t client_n;
static struct trx trx;
static struct gtid gtid;

/* ---- the SQL of a session ---- */

struct values {
    size_t n;
    char text[VALUES_MAX][100];
};

static bool sql_knows_database(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "known") == 0;
}

static void *sql_open(void *ctx, uint32_t id, const char *user, const char *host,
                      const char *database, unsigned rights)
{
    (void)ctx, (void)id, (void)user, (void)host, (void)database, (void)rights;
    return mem_alloc(sizeof(struct values));
}

static void sql_close(void *ctx, void *state)
{
    (void)ctx;
    free(state);
}

static void sql_reset(void *ctx, void *state)
{
    (void)ctx;
    ((struct values *)state)->n = 0;
}

static void answer_ok(struct buf *out)
{
    struct buf ok = {0};
    reply_ok_encode(&ok, 0);
    packet_encode(out, buf_bytes(&ok), 1);
    buf_fini(&ok);
}

static void sql_query(void *ctx, void *state, struct bytes sql, struct buf *out)
{
    (void)ctx;
    struct values *v = state;
    if (bytes_eq(sql, bytes_str("later")))
        return;
    if (bytes_eq(sql, bytes_str("kill"))) {
        BUG_ON(!hub_kill(serving.hub, 1));
        answer_ok(out);
        return;
    }
    BUG_ON(v->n == VALUES_MAX || bytes_to_str(sql, v->text[v->n++], sizeof v->text[0]) < 0);
    answer_ok(out);
}

static void sql_init_db(void *ctx, void *state, struct bytes name, struct buf *out)
{
    (void)ctx, (void)state, (void)name;
    answer_ok(out);
}

static void sql_statistics(void *ctx, struct buf *text)
{
    (void)ctx;
    wr_str(text, "Uptime: 1");
}

static bool sql_variable(void *ctx, void *state, const char *name, struct bytes *value)
{
    (void)ctx;
    const struct values *v = state;
    size_t n = strlen(name);
    for (size_t i = 0; i < v->n; i++)
        if (strncmp(v->text[i], name, n) == 0 && v->text[i][n] == '=') {
            *value = bytes_str(v->text[i] + n + 1);
            return true;
        }
    return false;
}

static const struct hub_sql sql = {sql_knows_database, sql_open,    sql_close,      sql_reset,
                                   sql_query,          sql_init_db, sql_statistics, sql_variable};

/* ---- wiring ---- */

static void on_store_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l, (void)w, (void)revents;
    store_work(serving.store);
}

static void on_worker_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l, (void)w, (void)revents;
    worker_reap(worker);
}

static void wake(void *ctx)
{
    ev_async_send(serving.loop, ctx);
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const struct err *err)
{
    (void)ctx;
    fprintf(stderr, "the store failed: %s\n", err->text);
    abort();
}

static void on_moved(void *ctx)
{
    (void)ctx;
    serving.moved++;
    hub_moved(serving.hub);
}

static void on_acked(void *ctx)
{
    (void)ctx;
    serving.acked++;
}

static bool may_come(void *ctx, const char *user, const struct addr *peer)
{
    (void)ctx, (void)user, (void)peer;
    return true;
}

static struct account_list *make_accounts(void)
{
    static const struct {
        const char *name;
        unsigned rights;
    } users[] = {{"repl", HUB_RIGHT_REPLICATE}, {"look", 2}};
    struct account_list *l = account_list_new();
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        struct account a;
        struct err err;
        BUG_ON(account_init(&a, users[i].name, PASSWORD, AUTH_PLUGIN_NATIVE, &err) < 0);
        a.rights = users[i].rights;
        BUG_ON(account_list_add(l, &a, &err) < 0);
        account_fini(&a);
    }
    return l;
}

static const struct store_events events = {on_nothing, on_nothing, on_failed};

static void open_store(void)
{
    struct err err = {0};
    struct store_opts so = {dir, fs_posix(), RING, wake, &store_wake};
    serving.store = store_open(&so, &err);
    assert_string_equal(err.text, "");
    store_set_events(serving.store, &events, NULL);
    store_set_reader(serving.store, on_moved, NULL);
    store_resume(serving.store);
    RUN_UNTIL(serving.loop, store_settled(serving.store));
    assert_int_equal(store_new_epoch(serving.store, SOURCE_UUID, STORE_DIVERGES, &err), 0);
}

static void begin_file(const char *name)
{
    source_file_fini(&serving.file);
    source_file_begin(&serving.file, name, true, 1000);
    source_add_previous_gtids(&serving.file);
    serving.stored = 0;
}

static void open_log(void)
{
    char path[400];
    struct err err;
    snprintf(path, sizeof path, "%s/log", dir);
    assert_int_equal(log_open(path, LOG_INFO, &err), 0);
}

unsigned serving_logged(const char *text)
{
    char line[3000];
    unsigned n = 0;
    snprintf(line, sizeof line, "%s/log", dir);
    FILE *f = fopen(line, "r");
    BUG_ON(!f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

int serving_set_up(void **state)
{
    (void)state;
    serving = (struct serving){.loop = ev_loop_new(EVFLAG_NOENV)};
    trx = (struct trx){TRX_OUTSIDE};
    gtid = (struct gtid){0};
    client_n = 0;
    ev_async_init(&store_wake, on_store_wake);
    ev_async_start(serving.loop, &store_wake);
    ev_async_init(&worker_wake, on_worker_wake);
    ev_async_start(serving.loop, &worker_wake);
    worker = worker_new(wake, &worker_wake);
    dir = check_mkdir();
    open_log();
    open_store();
    serving.opts = (struct hub_opts){
        .loop = serving.loop,
        .worker = worker,
        .store = serving.store,
        .server_id = 4711,
        .version = "9.7.4-binlogd",
        .accounts = make_accounts(),
        .max_connections = CLIENTS_MAX,
        .acked = on_acked,
        .may_come = may_come,
        .sql = &sql,
    };
    serving.hub = hub_new(&serving.opts);
    begin_file(SERVING_FILE_1);
    serving_store();
    return 0;
}

int serving_tear_down(void **state)
{
    (void)state;
    hub_free(serving.hub);
    while (client_n)
        peer_free(clients[--client_n]);
    store_close(serving.store);
    worker_free(worker);
    account_list_free(serving.opts.accounts);
    source_file_fini(&serving.file);
    log_close();
    ev_loop_destroy(serving.loop);
    check_rmdir(dir);
    return 0;
}

void serving_turns(double seconds)
{
    double until = peer_clock() + seconds;
    while (peer_clock() < until)
        peer_turn(serving.loop);
}

/* ---- what is stored ---- */

void serving_add_trx(uint64_t gno)
{
    source_add_gtid(&serving.file, gno);
    source_add_query(&serving.file, "BEGIN");
    source_add_rows(&serving.file, 100);
    source_add_xid(&serving.file);
}

static void append(struct bytes event)
{
    while (event.n) {
        size_t n = event.n < PIECE ? event.n : PIECE;
        RUN_UNTIL(serving.loop, store_has_room(serving.store, n + EVENT_MAGIC_LEN));
        store_append(serving.store, bytes_of(event.p, n));
        store_publish(serving.store);
        event = bytes_skip(event, n);
    }
}

static void store_event(const struct fde *format, struct bytes event)
{
    struct event_header h;
    struct err err;
    event_header_decode(&h, event.p);
    struct bytes body = bytes_of(event.p, event.n - EVENT_CRC);
    if (h.type == EVENT_GTID)
        BUG_ON(event_gtid_decode(&gtid, &h, body, &err) < 0);
    if (h.type == EVENT_PREVIOUS_GTIDS)
        BUG_ON(store_set_previous_gtids(serving.store, event_previous_gtids_set(body), &err) < 0);
    enum trx_verdict v = trx_feed(&trx, format, &h, event);
    append(event);
    store_event_end(serving.store, h.length, v, v == TRX_ENDED && gtid.gno ? &gtid : NULL);
    if (v == TRX_ENDED)
        gtid.gno = 0;
}

void serving_store(void)
{
    struct bytes all = buf_bytes(&serving.file.bytes);
    struct fde format;
    struct err err;
    BUG_ON(fde_decode(&format, source_fde(&serving.file), &err) < 0);
    if (!serving.stored) {
        struct binfile_name name;
        RUN_UNTIL(serving.loop, store_can_begin_file(serving.store));
        BUG_ON(binfile_name_parse(&name, bytes_str(serving.file.name), &err) < 0);
        assert_int_equal(store_begin_file(serving.store, &name, &err), 0);
        store_set_format(serving.store, &format);
        serving.stored = EVENT_MAGIC_LEN;
    }
    while (serving.stored < all.n) {
        struct event_header h;
        event_header_decode(&h, all.p + serving.stored);
        store_event(&format, bytes_of(all.p + serving.stored, h.length));
        serving.stored += h.length;
    }
    store_publish(serving.store);
    store_hurry(serving.store);
    RUN_UNTIL(serving.loop, serving_end().pos == all.n);
}

void serving_rotate(const char *next)
{
    source_add_rotate(&serving.file, next);
    serving_store();
    begin_file(next);
}

void serving_join(const char *file)
{
    struct err err = {0};
    store_resume(serving.store);
    RUN_UNTIL(serving.loop, store_settled(serving.store));
    (void)store_new_epoch(serving.store, "another", STORE_JOINS, &err);
    assert_string_equal(err.text, "");
    begin_file(file);
}

struct point serving_end(void)
{
    return store_end_point(serving.store);
}

void serving_wait_for_replicas(uint32_t n)
{
    serving.opts.wait_for_replicas = n;
    hub_reconfigure(serving.hub, &serving.opts);
}

/* ---- clients ---- */

struct peer *serving_connect(void)
{
    int fds[2];
    struct addr from = {.ss.ss_family = AF_UNIX, .len = sizeof(sa_family_t)};
    BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0);
    BUG_ON(client_n == CLIENTS_MAX);
    struct peer *p = clients[client_n++] = mem_alloc(sizeof *p);
    p->loop = serving.loop;
    p->listener = -1;
    p->fd = fds[0];
    hub_accept(serving.hub, fds[1], &from);
    return p;
}

bool serving_try_login(struct peer *p, const char *user, const char *password)
{
    struct login_client_opts o = {
        .user = user, .password = password, .tls = LOGIN_TLS_OFF, .local = true};
    struct login_client *lc = login_client_new(&o);
    enum login_step step = LOGIN_MORE;
    struct bytes payload;
    struct err err;
    while (step == LOGIN_MORE) {
        step = login_client_feed(lc, source_recv(p), &err);
        while (login_client_take(lc, &payload))
            source_send(p, payload);
    }
    login_client_free(lc);
    return step == LOGIN_DONE;
}

struct peer *serving_login(const char *user)
{
    struct peer *p = serving_connect();
    assert_true(serving_try_login(p, user, PASSWORD));
    return p;
}

void serving_send_command(struct peer *p, struct bytes command)
{
    p->seq = 0;
    source_send(p, command);
}

struct bytes serving_command(struct peer *p, struct bytes command)
{
    serving_send_command(p, command);
    return source_recv(p);
}

void serving_set(struct peer *p, const char *assignment)
{
    struct buf b = {0};
    wr_u8(&b, COM_QUERY);
    wr_str(&b, assignment);
    assert_int_equal(serving_command(p, buf_bytes(&b)).p[0], REPLY_OK);
    buf_fini(&b);
}

unsigned serving_error(struct bytes packet)
{
    return packet.n > 2 && packet.p[0] == REPLY_ERR ? le16(packet.p + 1) : 0;
}

void serving_dump(struct peer *p, uint32_t server_id, const char *file, uint64_t pos)
{
    struct repl_dump d = {server_id, 0, file, pos};
    struct buf b = {0};
    repl_dump_encode(&b, &d);
    serving_send_command(p, buf_bytes(&b));
    buf_fini(&b);
}

struct peer *serving_replica(uint32_t server_id, const char *uuid, uint64_t pos)
{
    struct peer *p = serving_login("repl");
    char text[80];
    serving_set(p, "rpl_semi_sync_replica=1");
    serving_set(p, "source_binlog_checksum=CRC32");
    snprintf(text, sizeof text, "replica_uuid=%s", uuid);
    if (*uuid)
        serving_set(p, text);
    serving_dump(p, server_id, SERVING_FILE_1, pos);
    bool flagged;
    serving_event(p, &flagged); /* the artificial Rotate, and the format description */
    serving_event(p, &flagged);
    if (pos < serving_end().pos && serving_end().file == 1)
        serving_events_until(p, serving_end().pos);
    return p;
}

struct bytes serving_event(struct peer *p, bool *flagged)
{
    struct err err = {0};
    struct bytes b = source_recv(p);
    int prefix = repl_event_prefix_decode(b, true, flagged, &err);
    assert_string_equal(err.text, "");
    if (*flagged)
        p->seq = 1;
    return bytes_skip(b, (size_t)prefix);
}

bool serving_events_until(struct peer *p, uint64_t pos)
{
    bool flagged = false;
    struct event_header h = {0};
    while (h.log_pos != (uint32_t)pos)
        event_header_decode(&h, serving_event(p, &flagged).p);
    return flagged;
}

void serving_ack(struct peer *p, const char *file, uint64_t pos)
{
    struct buf message = {0}, out = {0};
    repl_ack_encode(&message, pos, file);
    packet_encode(&out, buf_bytes(&message), 0);
    peer_send(p, buf_bytes(&out));
    buf_fini(&message);
    buf_fini(&out);
}

void serving_await_sessions(uint32_t n)
{
    struct hub_stats stats;
    RUN_UNTIL(serving.loop, (hub_stats(serving.hub, &stats), stats.connected == n));
}
