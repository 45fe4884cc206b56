/* The dumper end to end: a scripted source, a real store in a directory of its own. */
#include "source.h"

#include "base/log.h"
#include "base/mem.h"
#include "dumper/dumper.h"
#include "mysql/errcode.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_1    "mysql-bin.000001"
#define FILE_2    "mysql-bin.000002"
#define RING      (4u << 20)
#define RETRY_MAX 400

static struct ev_loop *loop;
static struct ev_async store_wake, worker_wake;
static char *dir;
static char *store_dir;
static char *log_path;
static struct peer *peer;
static struct worker *worker;
static struct store *store;
static struct dumper *dumper;
static struct dumper_opts opts;
static struct source_file file;
static struct buf scratch;
static unsigned ended;
static enum dumper_state ended_state;
static unsigned states_seen; /* bits */
static struct point acked;   /* by replicas, in tests that wait for them */

/* ---- a disk that waits, or is full, when told to ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool hold;
    unsigned waiting;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static atomic_bool disk_full;
static struct fs fs;

static int gated_fdatasync(int fd)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    while (gate.hold)
        pthread_cond_wait(&gate.cond, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
    return fdatasync(fd);
}

static ssize_t limited_pwritev(int fd, const struct iovec *iov, int count, off_t off)
{
    if (!atomic_load(&disk_full))
        return pwritev(fd, iov, count, off);
    errno = ENOSPC;
    return -1;
}

static void hold_syncs(bool hold)
{
    pthread_mutex_lock(&gate.lock);
    gate.hold = hold;
    pthread_cond_broadcast(&gate.cond);
    pthread_mutex_unlock(&gate.lock);
}

static bool sync_waits(void)
{
    pthread_mutex_lock(&gate.lock);
    bool waits = gate.waiting > 0;
    pthread_mutex_unlock(&gate.lock);
    return waits;
}

/* ---- wiring ---- */

static void on_store_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
    store_work(store);
}

static void on_worker_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
    worker_reap(worker);
}

static void wake(void *ctx)
{
    ev_async_send(loop, ctx);
}

static void on_state(void *ctx, enum dumper_state state)
{
    (void)ctx;
    states_seen |= 1u << state;
}

static void on_ended(void *ctx, enum dumper_state state)
{
    (void)ctx;
    ended++;
    ended_state = state;
}

static void open_store(void)
{
    struct err err = {0};
    struct store_opts so = {.directory = store_dir,
                            .fs = &fs,
                            .ring_size = RING,
                            .wake = wake,
                            .wake_ctx = &store_wake};
    store = store_open(&so, &err);
    assert_string_equal(err.text, "");
}

static int set_up(void **state)
{
    (void)state;
    char path[400];
    struct err err;
    loop = ev_loop_new(EVFLAG_NOENV);
    ev_async_init(&store_wake, on_store_wake);
    ev_set_priority(&store_wake, EV_MAXPRI);
    ev_async_start(loop, &store_wake);
    ev_async_init(&worker_wake, on_worker_wake);
    ev_async_start(loop, &worker_wake);
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/data", dir);
    store_dir = mem_strdup(path);
    snprintf(path, sizeof path, "%s/log", dir);
    log_path = mem_strdup(path);
    assert_int_equal(log_open(log_path, LOG_WARN, &err), 0);
    fs = *fs_posix();
    fs.fdatasync = gated_fdatasync;
    fs.pwritev = limited_pwritev;
    ended = states_seen = 0;
    acked = (struct point){0};
    peer = peer_unix(loop, dir);
    worker = worker_new(wake, &worker_wake);
    open_store();
    opts = (struct dumper_opts){
        .loop = loop,
        .worker = worker,
        .store = store,
        .host = peer->path,
        .login = {.user = "repl", .password = "secret", .tls = LOGIN_TLS_OFF, .local = true},
        .setup = {.server_id = 99,
                  .server_uuid = store_server_uuid(store),
                  .report_host = "",
                  .heartbeat_ns = 2000000000u,
                  .semi_sync = true},
        .heartbeat_ms = 5000,
        .connect_timeout_ms = 10000,
        .retry_max_ms = RETRY_MAX,
        .state_changed = on_state,
        .ended = on_ended,
    };
    return 0;
}

static void start(void)
{
    dumper = dumper_new(&opts);
    dumper_start(dumper);
}

static int tear_down(void **state)
{
    (void)state;
    hold_syncs(false);
    atomic_store(&disk_full, false);
    dumper_free(dumper);
    dumper = NULL;
    store_close(store);
    worker_free(worker);
    peer_free(peer);
    source_file_fini(&file);
    buf_fini(&scratch);
    log_close();
    ev_loop_destroy(loop);
    check_rmdir(dir);
    free(store_dir);
    free(log_path);
    return 0;
}

/* ---- helpers ---- */

static void turns(double seconds)
{
    double until = peer_clock() + seconds;
    while (peer_clock() < until)
        peer_turn(loop);
}

static struct dumper_stats stats(void)
{
    struct dumper_stats s;
    dumper_stats(dumper, &s);
    return s;
}

static unsigned log_count(const char *text)
{
    char line[3000];
    unsigned n = 0;
    FILE *f = fopen(log_path, "r");
    BUG_ON(!f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, text) != NULL;
    fclose(f);
    return n;
}

static void assert_stored(const char *folder, struct bytes expected)
{
    char path[600];
    uint8_t *data = mem_alloc(expected.n + 1);
    snprintf(path, sizeof path, "%s/%s", store_dir, folder);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(data, 1, expected.n + 1, f);
    fclose(f);
    assert_int_equal(n, expected.n);
    assert_memory_equal(data, expected.p, n);
    free(data);
}

static void add_trx(uint64_t gno)
{
    source_add_gtid(&file, gno);
    source_add_query(&file, "BEGIN");
    source_add_rows(&file, 100);
    source_add_xid(&file);
}

static void begin_file(uint32_t created)
{
    source_file_begin(&file, FILE_1, true, created);
    source_add_previous_gtids(&file);
    add_trx(1);
}

/* Sends the file's events from an offset on; the last of them with its own header. */
static void send_events(size_t from, enum source_header last)
{
    struct bytes all = buf_bytes(&file.bytes);
    while (from < all.n) {
        struct event_header h;
        event_header_decode(&h, all.p + from);
        source_send_event(peer, from == file.last ? last : SOURCE_SEMI,
                          bytes_of(all.p + from, h.length));
        from += h.length;
    }
}

static void send_rotate(uint64_t pos)
{
    source_send_event(peer, SOURCE_SEMI, source_fake_rotate(&scratch, file.name, pos, true));
}

static void await_durable(uint64_t pos)
{
    RUN_UNTIL(loop, store_end(store).pos == pos);
}

/* Start, first connection, one file with one transaction durable. */
static void stream_first_file(enum source_header last)
{
    begin_file(1000);
    start();
    source_accept(peer, &source_80);
    send_rotate(4);
    send_events(4, last);
    await_durable(file.bytes.len);
}

/* The next connection, up to the events that it asks for. */
static struct source_dump resume_with(const struct source_profile *profile, bool zeroed)
{
    struct source_dump d = source_decode_dump(source_accept(peer, profile));
    peer->seq = 1;
    send_rotate(d.pos);
    if (d.pos > 4)
        source_send_event(peer, SOURCE_SEMI, source_preamble(&scratch, &file, zeroed));
    return d;
}

/* ---- tests ---- */

static void first_dump_asks_for_the_first_file(void **state)
{
    (void)state;
    start();
    struct source_dump d = source_decode_dump(source_accept(peer, &source_80));
    assert_string_equal(d.file, "");
    assert_int_equal(d.pos, 4);
    assert_false(d.gtid);
    assert_string_equal(store_source(store), SOURCE_UUID);
    assert_int_equal(stats().connects, 1);
}

static void stream_is_stored_byte_for_byte(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    uint64_t first = file.bytes.len;
    source_add_rotate(&file, FILE_2);
    send_events(first, SOURCE_SEMI);
    await_durable(file.bytes.len);
    assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
    source_file_begin(&file, FILE_2, true, 1001);
    source_add_previous_gtids(&file);
    add_trx(2);
    send_rotate(4);
    send_events(4, SOURCE_SEMI);
    RUN_UNTIL(loop,
              strcmp(store_end(store).file, FILE_2) == 0 && store_end(store).pos == file.bytes.len);
    assert_stored("0001-" SOURCE_UUID "/" FILE_2, buf_bytes(&file.bytes));
    assert_int_equal(stats().transactions, 2);
    source_send_event(peer, SOURCE_SEMI,
                      source_heartbeat(&scratch, &file, (uint32_t)file.bytes.len));
    RUN_UNTIL(loop, stats().state == DUMPER_PROTECTING || stats().state == DUMPER_ASYNC);
}

/* All has come, and the disk takes its time. */
static void stream_first_file_unsynced(void)
{
    hold_syncs(true);
    begin_file(1000);
    start();
    source_accept(peer, &source_80);
    send_rotate(4);
    send_events(4, SOURCE_FLAGGED);
    RUN_UNTIL(loop, sync_waits() && stats().events >= 6);
    turns(0.05);
}

static void ack_leaves_only_after_the_sync(void **state)
{
    (void)state;
    stream_first_file_unsynced();
    assert_int_equal(peer_poll(peer), 0);
    assert_int_equal(stats().acks, 0);
    hold_syncs(false);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
    assert_int_equal(stats().state, DUMPER_PROTECTING);

    uint64_t first = file.bytes.len; /* with sequence number 1, as after each flagged event */
    add_trx(2);
    send_events(first, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().acks, 2);
    assert_int_equal(ended, 0);
}

static void older_source_gets_one_ack_for_each(void **state)
{
    (void)state;
    struct source_profile old = source_80;
    old.version = "5.6.51-log";
    old.semi_source = NULL;
    old.semi_master = "1";
    hold_syncs(true);
    begin_file(1000);
    start();
    source_accept(peer, &old);
    send_rotate(4);
    send_events(4, SOURCE_FLAGGED);
    uint64_t first = file.bytes.len;
    add_trx(2);
    send_events(first, SOURCE_FLAGGED);
    RUN_UNTIL(loop, stats().events >= 10);
    hold_syncs(false);
    source_expect_ack(peer, FILE_1, first);
    source_expect_ack(peer, FILE_1, file.bytes.len);
}

/* Counters go on through connections, so that they can be graphed. */
static void stats_count_over_all_connections(void **state)
{
    (void)state;
    static const char *const logs[] = {FILE_1, "5000", NULL};
    struct source_profile profile = source_80;
    profile.logs = logs;
    stream_first_file(SOURCE_FLAGGED);
    struct dumper_stats first = stats();
    assert_int_equal(first.total_events, first.events);
    assert_int_equal(first.total_bytes, file.bytes.len - 4);
    assert_int_equal(first.ack_time.count, first.acks);
    assert_int_equal(first.state, DUMPER_PROTECTING);
    assert_int_equal(first.bytes_behind, 0);
    assert_int_equal(first.protected_until_us, 0);
    assert_true(first.connected);
    assert_int_equal(store_newest_time(store), le32(buf_bytes(&file.bytes).p + EVENT_MAGIC_LEN));
    assert_int_equal(store_file_begun(store, 0), le32(buf_bytes(&file.bytes).p + EVENT_MAGIC_LEN));
    peer_close(peer);
    RUN_UNTIL(loop, !stats().connected);
    struct dumper_stats between = stats();
    assert_true(between.protected_until_us >= first.state_since_us);
    assert_int_equal(between.bytes_behind, -1);
    assert_int_equal(between.errors[ERR_OTHER], 1);
    struct source_dump d = resume_with(&profile, false);
    RUN_UNTIL(loop, stats().connected);
    assert_int_equal(stats().backlog, 5000 - d.pos);
    assert_int_equal(stats().bytes_behind, 5000 - d.pos);
    send_events(d.pos, SOURCE_SEMI);
    RUN_UNTIL(loop, stats().events > 0);
    assert_int_equal(stats().total_events, first.total_events + 1);
    assert_int_equal(stats().bytes_behind, 5000 - file.bytes.len);
    assert_int_equal(stats().state, DUMPER_CATCHING_UP);
}

static void pending_acks_are_dropped_on_disconnect(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    uint64_t first = file.bytes.len;
    add_trx(2);
    hold_syncs(true);
    send_events(first, SOURCE_FLAGGED);
    RUN_UNTIL(loop, sync_waits() && stats().events >= 10);
    peer_close(peer);
    turns(0.3);
    assert_false(peer_try_accept(peer)); /* asking would acknowledge what is not durable */
    hold_syncs(false);
    struct source_dump d = resume_with(&source_80, false);
    assert_int_equal(d.pos, file.last);
    send_events(file.last, SOURCE_SEMI);
    uint64_t second = file.bytes.len;
    turns(0.05);
    assert_int_equal(peer_poll(peer), 0);
    add_trx(3);
    send_events(second, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    turns(0.02);
    assert_int_equal(peer_poll(peer), 0);
}

static void resume_compares_the_last_event_and_goes_on(void **state)
{
    (void)state;
    for (int gtid = 0; gtid < 2; gtid++) {
        struct source_profile profile = source_80;
        profile.gtid_mode = gtid ? "ON" : "OFF";
        if (gtid) {
            tear_down(NULL);
            set_up(NULL);
        }
        stream_first_file(SOURCE_SEMI);
        source_send_event(peer, SOURCE_SEMI, source_add_gtid(&file, 2)); /* not complete */
        RUN_UNTIL(loop, store_received(store).pos == file.bytes.len);
        uint64_t incomplete = file.last;
        peer_close(peer);
        buf_truncate(&file.bytes, incomplete);
        add_trx(2);
        struct source_dump d = resume_with(&profile, !gtid);
        assert_int_equal(d.gtid, gtid);
        assert_int_equal(d.set_bytes, gtid ? 8 : 0);
        assert_string_equal(d.file, FILE_1);
        assert_true(d.pos > 4 && d.pos < incomplete);
        send_events(d.pos, SOURCE_FLAGGED);
        source_expect_ack(peer, FILE_1, file.bytes.len);
        assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
        assert_int_equal(ended, 0);
    }
}

static void resume_survives_a_restart_of_the_store(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    dumper_free(dumper);
    store_close(store);
    open_store();
    uint32_t created = le32(buf_bytes(&file.bytes).p + EVENT_MAGIC_LEN);
    assert_int_equal(store_file_begun(store, 0), created);
    assert_int_equal(store_newest_time(store), created); /* all events have the same */
    opts.store = store;
    opts.setup.server_uuid = store_server_uuid(store);
    start();
    struct source_dump d = resume_with(&source_80, false);
    assert_int_equal(d.pos, file.last);
    send_events(file.last, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
}

/* ---- replicas that are waited for ---- */

static struct point replicas_acked(void *ctx)
{
    (void)ctx;
    return acked;
}

static void wait_for_replicas(uint32_t timeout_ms)
{
    opts.downstream = (struct downstream_opts){1, timeout_ms, replicas_acked, NULL};
}

static void replicas_have(struct point p)
{
    acked = p;
    dumper_replicas_moved(dumper);
}

static void assert_no_ack(double seconds)
{
    turns(seconds);
    assert_int_equal(peer_poll(peer), 0);
}

static void ack_leaves_only_after_the_replicas_have_it(void **state)
{
    (void)state;
    wait_for_replicas(0);
    stream_first_file(SOURCE_FLAGGED);
    struct point end = store_end_point(store);
    assert_no_ack(0.05);
    assert_int_equal(stats().acks, 0);
    assert_true(stats().held_us > 0);
    replicas_have((struct point){end.epoch, end.file, end.pos - 1});
    assert_no_ack(0.02);
    replicas_have(end);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().held_us, 0);
    assert_int_equal(stats().transactions_with, 1);

    uint64_t first = file.bytes.len; /* what they have is not durable here */
    hold_syncs(true);
    add_trx(2);
    send_events(first, SOURCE_FLAGGED);
    RUN_UNTIL(loop, sync_waits() && stats().events >= 10);
    replicas_have((struct point){end.epoch, end.file + 1, 4});
    assert_no_ack(0.05);
    hold_syncs(false);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().transactions_with, 2);
    assert_int_equal(stats().transactions_without, 0);
}

static void acks_go_without_replicas_after_the_timeout_until_these_have_all(void **state)
{
    (void)state;
    wait_for_replicas(300);
    double began = peer_clock();
    stream_first_file(SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_true(peer_clock() - began >= 0.3);
    assert_int_equal(stats().downstream, DOWNSTREAM_DEGRADED);
    uint64_t first = file.bytes.len;
    struct point old = store_end_point(store);
    add_trx(2);
    send_events(first, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    replicas_have(old);
    assert_int_equal(stats().downstream, DOWNSTREAM_DEGRADED);
    replicas_have(store_end_point(store));
    assert_int_equal(stats().downstream, DOWNSTREAM_ON);
    assert_int_equal(stats().transactions_with, 0);
    assert_int_equal(stats().transactions_without, 2);

    first = file.bytes.len;
    add_trx(3);
    send_events(first, SOURCE_FLAGGED);
    await_durable(file.bytes.len);
    assert_no_ack(0.02);
    replicas_have(store_end_point(store));
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().transactions_with, 1);
    assert_int_equal(stats().degraded_times, 1);
    assert_int_equal(log_count("gets its ACKs without them"), 1);
}

static void flag_inside_a_transaction_needs_what_is_complete_before_it(void **state)
{
    (void)state;
    wait_for_replicas(0);
    stream_first_file(SOURCE_SEMI);
    replicas_have(store_end_point(store));
    source_send_event(peer, SOURCE_FLAGGED, source_add_gtid(&file, 2));
    source_expect_ack(peer, FILE_1, file.bytes.len);
}

static void older_source_is_held_and_not_taken_for_dead(void **state)
{
    (void)state;
    struct source_profile old = source_80;
    old.version = "5.6.51-log";
    old.semi_source = NULL;
    old.semi_master = "1";
    opts.heartbeat_ms = 50;
    wait_for_replicas(0);
    begin_file(1000);
    start();
    source_accept(peer, &old);
    send_rotate(4);
    send_events(4, SOURCE_FLAGGED);
    assert_no_ack(0.4); /* it blocks and sends no heartbeats */
    assert_int_equal(stats().connects, 1);
    replicas_have(store_end_point(store));
    source_expect_ack(peer, FILE_1, file.bytes.len);
}

static void reconnecting_does_not_acknowledge_more_than_replicas_have(void **state)
{
    (void)state;
    wait_for_replicas(0);
    stream_first_file(SOURCE_FLAGGED);
    peer_close(peer);
    turns(0.3);
    assert_false(peer_try_accept(peer)); /* asking would be an ACK */
    assert_true(stats().held_us > 0);
    struct point end = store_end_point(store);
    replicas_have((struct point){end.epoch, end.file, end.pos - 1});
    turns(0.1);
    assert_false(peer_try_accept(peer));
    replicas_have(end);
    resume_with(&source_80, false);
    send_events(file.last, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
}

static void reconnecting_waits_no_longer_than_the_timeout(void **state)
{
    (void)state;
    wait_for_replicas(200);
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    double began = peer_clock();
    resume_with(&source_80, false);
    assert_true(peer_clock() - began >= 0.2);
    assert_int_equal(stats().downstream, DOWNSTREAM_DEGRADED);
}

static void reload_switches_the_waiting_on_and_off(void **state)
{
    (void)state;
    stream_first_file(SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    wait_for_replicas(0);
    dumper_reconfigure(dumper, &opts);
    uint64_t first = file.bytes.len;
    add_trx(2);
    send_events(first, SOURCE_FLAGGED);
    await_durable(file.bytes.len);
    assert_no_ack(0.02);
    wait_for_replicas(50); /* counts from when the ACK was held */
    dumper_reconfigure(dumper, &opts);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    wait_for_replicas(0);
    replicas_have(store_end_point(store));
    dumper_reconfigure(dumper, &opts);
    first = file.bytes.len;
    add_trx(3);
    send_events(first, SOURCE_FLAGGED);
    await_durable(file.bytes.len);
    assert_no_ack(0.02);
    opts.downstream.replicas = 0;
    dumper_reconfigure(dumper, &opts);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().downstream, DOWNSTREAM_OFF);
}

/* What each kind of divergence does after a first file is stored. */
static void diverge_by_bytes(void)
{
    resume_with(&source_80, false);
    buf_clear(&scratch);
    wr_bytes(&scratch, source_last(&file));
    scratch.data[scratch.off + EVENT_HEADER] ^= 1;
    source_mend_crc(&scratch);
    source_send_event(peer, SOURCE_FLAGGED, buf_bytes(&scratch));
}

static void diverge_by_format(void)
{
    struct source_dump d = source_decode_dump(source_accept(peer, &source_80));
    struct source_file other = {0};
    send_rotate(d.pos);
    source_file_begin(&other, FILE_1, true, 5555);
    source_send_event(peer, SOURCE_SEMI, source_fde(&other));
    source_file_fini(&other);
}

#define OTHER_UUID "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"

/* A connection on which the dumper says all but asks for no dump. */
static void answer_setup(const struct source_profile *profile)
{
    peer_accept(peer);
    source_login(peer, profile);
    while (!peer->eof) {
        RUN_UNTIL(loop, peer->eof || peer_poll(peer));
        if (!peer->eof)
            assert_true(source_answer(peer, profile, source_recv_command(peer)));
    }
}

/* Another server, that knows nothing of GTIDs. */
static void diverge_by_uuid(void)
{
    struct source_profile other = source_80;
    other.uuid = OTHER_UUID;
    other.gtid_executed = NULL;
    answer_setup(&other);
}

static void diverge_by_gtids(void)
{
    struct source_profile lost = source_80;
    lost.gtid_executed = SOURCE_UUID ":2-9, " OTHER_UUID ":1";
    answer_setup(&lost);
}

static void diverge_by_error(void)
{
    source_accept(peer, &source_80);
    source_send_err(peer, 1236,
                    "Client requested source to start replication from position > file size");
}

static const struct {
    void (*act)(void);
    const char *text;
} divergences[] = {
    {diverge_by_bytes, "the source sends other bytes for " FILE_1 " at "},
    {diverge_by_format, FILE_1 " on the source is another file than the one stored here"},
    {diverge_by_uuid, "this source is aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa, but what is stored "
                      "comes from " SOURCE_UUID},
    {diverge_by_gtids, "lacks transactions that are stored here: it was reset or restored, or lost "
                       "its last ones: " SOURCE_UUID ":1"},
    {diverge_by_error, "the source does not have what is stored here"},
};

static void divergence_ends_with_nothing_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(divergences); i++) {
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        stream_first_file(SOURCE_SEMI);
        peer_close(peer);
        divergences[i].act();
        RUN_UNTIL(loop, ended);
        assert_int_equal(ended_state, DUMPER_DIVERGED);
        assert_non_null(strstr(stats().last_error, divergences[i].text));
        assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
        peer_expect_eof(peer);
        assert_int_equal(peer->in.len, 0); /* no ACK */
        turns(0.15);
        assert_false(peer_try_accept(peer));
        assert_int_equal(ended, 1);
    }
}

static void divergence_begins_a_new_epoch_when_told_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(divergences); i++) {
        char folder[200];
        struct source_profile profile = source_80;
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        opts.on_divergence = DUMPER_NEW_EPOCH;
        stream_first_file(SOURCE_SEMI);
        peer_close(peer);
        divergences[i].act();
        if (divergences[i].act == diverge_by_uuid)
            profile.uuid = OTHER_UUID;
        struct source_dump d = source_decode_dump(source_accept(peer, &profile));
        assert_string_equal(d.file, "");
        assert_int_equal(d.pos, 4);
        assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
        begin_file(9999);
        send_rotate(4);
        send_events(4, SOURCE_FLAGGED);
        source_expect_ack(peer, FILE_1, file.bytes.len);
        snprintf(folder, sizeof folder, "0002-%s/" FILE_1, profile.uuid);
        assert_stored(folder, buf_bytes(&file.bytes));
        assert_int_equal(ended, 0);
    }
}

/* The other server's file that holds the first transaction that is not here. */
static void name_join_file(const struct source_profile *other)
{
    struct source_dump d = source_decode_dump(source_accept(peer, other));
    assert_true(d.gtid);
    assert_string_equal(d.file, "");
    assert_int_equal(d.set_bytes, 8 + 16 + 8 + 16); /* one uuid with one interval */
    peer->seq = 1;
    source_send_event(peer, SOURCE_SEMI, source_fake_rotate(&scratch, "mysql-bin.000031", 4, true));
}

static void failover_joins_at_the_file_that_the_new_source_names(void **state)
{
    (void)state;
    struct source_profile other = source_80;
    other.uuid = OTHER_UUID;
    other.gtid_executed = SOURCE_UUID ":1-7," OTHER_UUID ":1-3";
    opts.on_divergence = DUMPER_FAILOVER;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    name_join_file(&other);
    struct source_dump d = source_decode_dump(source_accept(peer, &other));
    assert_string_equal(d.file, "mysql-bin.000031");
    assert_int_equal(d.pos, 4);
    assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
    source_file_fini(&file);
    source_file_begin(&file, "mysql-bin.000031", true, 9999);
    source_add_previous_gtids(&file);
    add_trx(2);
    peer->seq = 1;
    send_rotate(4);
    send_events(4, SOURCE_FLAGGED);
    source_expect_ack(peer, "mysql-bin.000031", file.bytes.len);
    assert_stored("0002-" OTHER_UUID "/mysql-bin.000031", buf_bytes(&file.bytes));
    assert_int_equal(ended, 0);
}

/* As behind a binlogd that went on with another source. */
static void failover_to_other_files_of_the_same_server_asks_by_gtid(void **state)
{
    (void)state;
    struct source_profile later = source_80;
    later.gtid_executed = SOURCE_UUID ":1-7," OTHER_UUID ":1-3";
    opts.on_divergence = DUMPER_FAILOVER;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    diverge_by_format();
    name_join_file(&later);
    struct source_dump d = source_decode_dump(source_accept(peer, &later));
    assert_string_equal(d.file, "mysql-bin.000031");
    assert_string_equal(store_source(store), SOURCE_UUID);
    assert_int_equal(store_epoch(store), 2);
    assert_int_equal(ended, 0);
    assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
}

static void failover_to_other_files_that_lack_something_is_refused(void **state)
{
    (void)state;
    struct source_profile reset = source_80;
    reset.gtid_executed = OTHER_UUID ":1-3";
    opts.on_divergence = DUMPER_FAILOVER;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    diverge_by_format();
    answer_setup(&reset);
    RUN_UNTIL(loop, ended);
    assert_int_equal(ended_state, DUMPER_DIVERGED);
    assert_non_null(strstr(stats().last_error, "lacks transactions that are stored here"));
}

static void failover_to_a_server_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *executed, *text;
        uint16_t error;
    } cases[] = {
        {OTHER_UUID ":1-3", "lacks transactions that are stored here", 0},
        {NULL, "without GTIDs on both nobody knows where to go on", 0},
        {SOURCE_UUID ":1-7", "cannot go on where the stored files end: error 1236: purged", 1236},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct source_profile other = source_80;
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        other.uuid = OTHER_UUID;
        other.gtid_executed = cases[i].executed;
        opts.on_divergence = DUMPER_FAILOVER;
        stream_first_file(SOURCE_SEMI);
        peer_close(peer);
        if (cases[i].error) {
            source_accept(peer, &other);
            peer->seq = 1;
            source_send_err(peer, cases[i].error, "purged");
        } else {
            answer_setup(&other);
        }
        RUN_UNTIL(loop, ended);
        assert_int_equal(ended_state, DUMPER_DIVERGED);
        assert_non_null(strstr(stats().last_error, cases[i].text));
        assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
    }
}

static void new_epoch_with_start_latest_asks_for_the_current_file(void **state)
{
    (void)state;
    struct source_profile profile = source_80;
    profile.latest_old = "mysql-bin.000042";
    opts.on_divergence = DUMPER_NEW_EPOCH;
    stream_first_file(SOURCE_SEMI);
    opts.start = DUMPER_START_LATEST;
    dumper_reconfigure(dumper, &opts);
    peer_close(peer);
    diverge_by_format();
    struct source_dump d = source_decode_dump(source_accept(peer, &profile));
    assert_string_equal(d.file, "mysql-bin.000042");
    assert_int_equal(d.pos, 4);
}

static void full_disk_waits_for_space_and_goes_on(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    uint64_t first = file.bytes.len;
    add_trx(2);
    atomic_store(&disk_full, true);
    send_events(first, SOURCE_FLAGGED);
    RUN_UNTIL(loop, stats().state == DUMPER_WAIT_SPACE);
    assert_non_null(strstr(stats().last_error, "No space left on device"));
    peer_expect_eof(peer);
    assert_int_equal(peer->in.len, 0);
    turns(0.1);
    assert_int_equal(ended, 0);
    atomic_store(&disk_full, false);
    struct source_dump d = resume_with(&source_80, false);
    assert_true(d.pos < first);
    send_events(d.pos, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_stored("0001-" SOURCE_UUID "/" FILE_1, buf_bytes(&file.bytes));
    assert_int_equal(stats().state, DUMPER_PROTECTING);
}

static void catching_up_after_a_full_disk_shows(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    uint64_t first = file.bytes.len;
    add_trx(2);
    atomic_store(&disk_full, true);
    send_events(first, SOURCE_SEMI);
    RUN_UNTIL(loop, stats().state == DUMPER_WAIT_SPACE);
    atomic_store(&disk_full, false);
    struct source_dump d = resume_with(&source_80, false);
    send_events(d.pos, SOURCE_SEMI);
    await_durable(file.bytes.len);
    assert_int_equal(stats().state, DUMPER_CATCHING_UP);
}

static void silence_for_three_heartbeats_reconnects(void **state)
{
    (void)state;
    opts.heartbeat_ms = 100;
    double began = peer_clock();
    stream_first_file(SOURCE_SEMI);
    peer_expect_eof(peer);
    assert_true(peer_clock() - began >= 0.3);
    assert_int_equal(log_count("nothing came for 3 heartbeats (300 ms)"), 1);
    resume_with(&source_80, false);
}

static void heartbeats_keep_the_connection(void **state)
{
    (void)state;
    opts.heartbeat_ms = 200;
    stream_first_file(SOURCE_SEMI);
    for (int i = 0; i < 10; i++) {
        turns(0.1);
        source_send_event(peer, SOURCE_SEMI,
                          source_heartbeat(&scratch, &file, (uint32_t)file.bytes.len));
    }
    peer_poll(peer);
    assert_false(peer->eof);
    assert_int_equal(stats().connects, 1);
}

static void back_off_doubles_and_the_reason_is_logged_once(void **state)
{
    (void)state;
    static const double least[] = {0.09, 0.19, 0.39, 0.39};
    start();
    peer_accept(peer);
    for (size_t i = 0; i < COUNT_OF(least); i++) {
        peer_close(peer);
        double closed = peer_clock();
        peer_accept(peer);
        double waited = peer_clock() - closed;
        assert_true(waited > least[i] && waited < 5 * least[i] + 1);
    }
    assert_int_equal(log_count("the peer closed the connection"), 1);
    assert_int_equal(stats().state, DUMPER_CONNECTING);
}

static void try_without_an_answer_counts_as_waiting(void **state)
{
    (void)state;
    opts.connect_timeout_ms = 600;
    log_set_level(LOG_DEBUG);
    start();
    peer_accept(peer);
    for (int i = 0; i < 3; i++) {
        peer_expect_eof(peer);
        peer_accept(peer);
    }
    assert_int_equal(log_count("next try in 100 ms"), 3);
    assert_int_equal(log_count("no answer within connect_timeout (600 ms)"), 1);
}

static void refused_login_is_retried_with_the_reason(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 2; i++) {
        struct source_profile profile = source_80;
        peer_accept(peer);
        peer->seq = 0;
        source_send_err(peer, 1040, "Too many connections");
        (void)profile;
        peer_expect_eof(peer);
    }
    assert_int_equal(log_count("error 1040: Too many connections"), 1);
}

static void bad_event_is_retried_more_and_more_slowly(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    double waited = 0;
    add_trx(2);
    for (int i = 0; i < 4; i++) {
        double closed = peer_clock();
        struct source_dump d = resume_with(&source_80, false);
        waited = peer_clock() - closed;
        (void)d;
        turns(0.02); /* so that all is well up to here */
        buf_clear(&scratch);
        wr_bytes(&scratch, source_last(&file));
        scratch.data[scratch.off + scratch.len - 1] ^= 1;
        source_send_event(peer, SOURCE_SEMI, buf_bytes(&scratch));
        peer_expect_eof(peer);
    }
    assert_true(waited > 0.39);
    assert_int_equal(log_count("Xid event with log_pos"), 1);
}

/* ---- a source that sends what cannot be right ---- */

#define TRIES 10u

/* Connections, from accepting on; the dumper is to end them. */
static void send_bad_event(void)
{
    resume_with(&source_80, false);
    buf_clear(&scratch);
    wr_bytes(&scratch, source_last(&file));
    scratch.data[scratch.off + scratch.len - 1] ^= 1;
    source_send_event(peer, SOURCE_SEMI, buf_bytes(&scratch));
}

static void send_wrong_sequence_number(void)
{
    resume_with(&source_80, false);
    peer->seq += 7;
    source_send_event(peer, SOURCE_SEMI, source_last(&file));
}

static void ask_for_a_local_file(void)
{
    resume_with(&source_80, false);
    source_send(peer, bytes_str("\xfb/etc/passwd"));
}

static void ask_for_a_local_file_before_the_dump(void)
{
    peer_accept(peer);
    source_login(peer, &source_80);
    source_recv_command(peer);
    source_send(peer, bytes_str("\xfb/etc/passwd"));
}

static void answer_out_of_order(void)
{
    peer_accept(peer);
    source_login(peer, &source_80);
    source_recv_command(peer);
    peer->seq += 7;
    source_send_ok(peer);
}

static void rotate_to_an_illegal_name(void)
{
    resume_with(&source_80, false);
    source_send_event(peer, SOURCE_SEMI, source_fake_rotate(&scratch, "../x.000001", 4, true));
}

/* What is here already, and good heartbeats, do not count as something new. */
static void send_wrong_heartbeat(void)
{
    struct source_dump d = resume_with(&source_80, false);
    uint32_t end = (uint32_t)store_end(store).pos;
    source_send_event(peer, SOURCE_SEMI,
                      bytes_of(buf_bytes(&file.bytes).p + d.pos, end - (size_t)d.pos));
    for (int i = 0; i < 3; i++)
        source_send_event(peer, SOURCE_SEMI, source_heartbeat(&scratch, &file, end));
    RUN_UNTIL(loop, stats().state == DUMPER_PROTECTING);
    assert_string_equal(stats().last_error, "");
    source_send_event(peer, SOURCE_SEMI, source_heartbeat(&scratch, &file, end + 1));
}

/* Connections that end otherwise. */
static void close_at_once(void)
{
    peer_accept(peer);
    peer_close(peer);
}

static void close_amid_an_event(void)
{
    resume_with(&source_80, false);
    const uint8_t beginning[] = {64, 0, 0, peer->seq, 0, 0xef, 0};
    peer_send(peer, bytes_of(beginning, sizeof beginning));
    peer_close(peer);
}

static void end_with_an_error(void)
{
    resume_with(&source_80, false);
    source_send_err(peer, 1236, "log event entry exceeded max_allowed_packet");
}

static void end_the_dump(void)
{
    resume_with(&source_80, false);
    source_send(peer, bytes_of("\xfe\0\0\2\0", 5));
}

static void refuse_the_login(void)
{
    peer_accept(peer);
    peer->seq = 0;
    source_send_err(peer, 1045, "Access denied");
}

static void greet_with_nonsense(void)
{
    peer_accept(peer);
    peer->seq = 7;
    source_send(peer, bytes_str("HTTP/1.1 400 Bad Request"));
}

static void repeat(void (*act)(void), unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        act();
        if (peer->fd >= 0)
            peer_expect_eof(peer);
    }
    RUN_UNTIL(loop, !stats().connected);
}

/* One good transaction is durable, another is not sent; tries follow each other quickly. */
static void stream_and_misbehave(void)
{
    opts.retry_max_ms = 20;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    add_trx(2);
}

static void assert_gave_up(void)
{
    RUN_UNTIL(loop, stats().state != DUMPER_CONNECTING);
    assert_int_equal(stats().state, DUMPER_STOPPED);
    assert_true(stats().gave_up && dumper_stopped(dumper));
    assert_int_equal(stats().io, DUMPER_IO_STOPPED);
    turns(0.2);
    assert_false(peer_try_accept(peer));
    assert_int_equal(ended, 0);
}

static void nonsense_ten_times_in_a_row_stops_the_copying(void **state)
{
    (void)state;
    stream_and_misbehave();
    repeat(send_bad_event, TRIES - 1);
    assert_int_equal(stats().state, DUMPER_CONNECTING);
    repeat(send_bad_event, 1);
    assert_gave_up();
    assert_int_equal(stats().errors[ERR_MALFORMED], TRIES);
    assert_int_equal(stats().last_error_code, ER_REPLICA_FATAL_ERROR);
    assert_int_equal(log_count("stopped after 10 tries that brought nothing new; mend the source, "
                               "then START REPLICA or start binlogd again: source "),
                     1);
    assert_non_null(strstr(stats().last_error, "stopped after 10 tries"));
    assert_non_null(strstr(stats().last_error, ": Xid event with log_pos "));
}

static void every_kind_of_nonsense_stops_the_copying(void **state)
{
    (void)state;
    void (*const acts[])(void) = {
        send_wrong_sequence_number, ask_for_a_local_file,      ask_for_a_local_file_before_the_dump,
        answer_out_of_order,        rotate_to_an_illegal_name, send_wrong_heartbeat,
    };
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        stream_and_misbehave();
        repeat(acts[i], TRIES);
        assert_gave_up();
    }
}

/* Nor do they make up for it. */
static void other_ends_do_not_count_as_nonsense(void **state)
{
    (void)state;
    void (*const acts[])(void) = {close_at_once, close_amid_an_event, end_with_an_error,
                                  end_the_dump,  refuse_the_login,    greet_with_nonsense};
    stream_and_misbehave();
    repeat(send_bad_event, TRIES - 1);
    for (size_t i = 0; i < COUNT_OF(acts); i++)
        repeat(acts[i], 2);
    assert_int_equal(stats().errors[ERR_MALFORMED], TRIES - 1);
    assert_int_equal(stats().state, DUMPER_CONNECTING);
    repeat(send_bad_event, 1);
    assert_gave_up();
}

static void something_new_between_nonsense_counts_anew(void **state)
{
    (void)state;
    stream_and_misbehave();
    repeat(send_bad_event, TRIES - 1);
    struct source_dump d = resume_with(&source_80, false);
    send_events(d.pos, SOURCE_SEMI);
    await_durable(file.bytes.len);
    source_send_event(peer, SOURCE_SEMI, source_last(&file)); /* again: the first bad one */
    peer_expect_eof(peer);
    add_trx(3);
    repeat(send_bad_event, TRIES - 2);
    RUN_UNTIL(loop, stats().state == DUMPER_CONNECTING);
    repeat(send_bad_event, 1);
    assert_gave_up();
}

static void starting_after_nonsense_counts_anew(void **state)
{
    (void)state;
    stream_and_misbehave();
    repeat(send_bad_event, TRIES);
    assert_gave_up();
    dumper_start(dumper);
    assert_false(stats().gave_up);
    assert_string_equal(stats().last_error, "");
    repeat(send_bad_event, TRIES - 1);
    assert_int_equal(stats().state, DUMPER_CONNECTING);
    dumper_reconfigure(dumper, &opts); /* while it waits for the next try */
    repeat(send_bad_event, TRIES - 1);
    assert_int_equal(stats().state, DUMPER_CONNECTING);
    struct source_dump d = resume_with(&source_80, false);
    send_events(d.pos, SOURCE_SEMI);
    await_durable(file.bytes.len);
}

/* Which was meant to stop, stays so: a reload does not start it. */
static void stopping_after_nonsense_is_the_operators_stop(void **state)
{
    (void)state;
    stream_and_misbehave();
    repeat(send_bad_event, TRIES);
    assert_gave_up();
    dumper_stop(dumper);
    assert_false(dumper_gave_up(dumper));
    assert_int_equal(stats().state, DUMPER_STOPPED);
    assert_non_null(strstr(stats().last_error, "stopped after 10 tries"));
}

/* ---- ends of connections, and of the dumper ---- */

static void source_closing_before_the_dump_request_is_retried(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 3; i++) {
        struct source_profile profile = source_80;
        peer_accept(peer);
        source_login(peer, &profile);
        struct bytes command;
        do {
            command = source_recv_command(peer);
            if (memmem(command.p, command.n, "@rpl_semi_sync_replica", 22))
                break;
        } while (source_answer(peer, &profile, command));
        /* both before the loop turns: the dump request finds a closed socket */
        source_send_ok(peer);
        peer_close(peer);
    }
    source_accept(peer, &source_80);
}

static void source_closing_before_an_ack_is_retried_at_once(void **state)
{
    (void)state;
    stream_first_file(SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    peer_close(peer);
    struct source_dump d = resume_with(&source_80, false);
    send_events(d.pos, SOURCE_FLAGGED);
    peer_close(peer); /* behind stored events, whose ACK is due at once */
    double closed = peer_clock();
    RUN_UNTIL(loop, stats().state == DUMPER_CONNECTING);
    peer_accept(peer);
    assert_true(peer_clock() - closed < 2);
}

static void source_closing_amid_an_event_is_retried(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    assert_int_equal(stats().state, DUMPER_CATCHING_UP);
    const uint8_t beginning[] = {64, 0, 0, peer->seq, 0, 0xef, 0};
    peer_send(peer, bytes_of(beginning, sizeof beginning));
    peer_close(peer);
    RUN_UNTIL(loop, stats().state == DUMPER_CONNECTING);
    resume_with(&source_80, false);
}

static void accept_monitor(struct peer *asking)
{
    *asking = *peer; /* another connection to the same listener */
    asking->fd = -1;
    asking->in = asking->got = asking->message = (struct buf){0};
    peer_accept(asking);
    source_login(asking, &source_80);
}

static void end_monitor(struct peer *asking)
{
    peer_close(asking);
    buf_fini(&asking->in);
    buf_fini(&asking->got);
    buf_fini(&asking->message);
}

/* Answers one round of the monitor's questions. */
static void tell_monitor(struct peer *asking, const char *status, uint64_t pos)
{
    char at[24];
    snprintf(at, sizeof at, "%" PRIu64, pos);
    const char *settings[] = {"sync_binlog", "1000"};
    const char *row[] = {"Rpl_semi_sync_source_status", status};
    const char *end[] = {FILE_1, at};
    source_recv_command(asking);
    source_send_rows(asking, 2, 1, settings);
    source_recv_command(asking);
    source_send_rows(asking, 2, 1, row);
    source_recv_command(asking);
    source_send_rows(asking, 2, 1, end);
}

/* A source whose semi-sync is OFF flags events too, to be ON again when they are acknowledged. */
static void flags_of_a_source_that_is_off_protect_nothing(void **state)
{
    (void)state;
    opts.monitor_ms = 20;
    stream_first_file(SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().state, DUMPER_PROTECTING);
    struct peer asking;
    accept_monitor(&asking);
    tell_monitor(&asking, "OFF", file.bytes.len);
    RUN_UNTIL(loop, stats().state == DUMPER_ASYNC);
    uint64_t from = file.bytes.len;
    add_trx(2);
    peer->seq = 1;
    send_events(from, SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    assert_int_equal(stats().state, DUMPER_ASYNC);
    tell_monitor(&asking, "ON", file.bytes.len);
    RUN_UNTIL(loop, stats().state == DUMPER_PROTECTING);
    assert_int_equal(log_count("the source is not lossless, commits can be lost in a crash: "
                               "sync_binlog = 1000 (should be 1)"),
                     1);
    assert_string_equal(stats().source->file.text, FILE_1);
    end_monitor(&asking);
}

/* Such as one that was reset while it wrote its first file. */
static void source_whose_log_went_back_is_asked_again(void **state)
{
    (void)state;
    opts.monitor_ms = 20;
    stream_first_file(SOURCE_FLAGGED);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    struct peer asking;
    accept_monitor(&asking);
    tell_monitor(&asking, "ON", file.bytes.len);
    tell_monitor(&asking, "ON", file.bytes.len);
    assert_int_equal(stats().state, DUMPER_PROTECTING);
    tell_monitor(&asking, "ON", file.bytes.len - 1);
    peer_expect_eof(peer);
    end_monitor(&asking);
    assert_int_equal(log_count("which has come from it"), 1);
    resume_with(&source_80, false);
    assert_int_equal(ended, 0);
}

/* What came before the source waited for us is not acknowledged, and has to be safe all the same.
 */
static void end_of_the_log_protects_nothing_before_all_is_durable(void **state)
{
    (void)state;
    stream_first_file_unsynced();
    assert_int_equal(stats().state, DUMPER_CATCHING_UP);
    hold_syncs(false);
    source_expect_ack(peer, FILE_1, file.bytes.len);
    RUN_UNTIL(loop, stats().state == DUMPER_PROTECTING);
}

static void failed_storage_ends(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    peer_close(peer);
    dumper_free(dumper);
    store_close(store);
    open_store();
    opts.store = store;
    char path[600], away[700];
    snprintf(path, sizeof path, "%s/0001-" SOURCE_UUID "/" FILE_1, store_dir);
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    start();
    RUN_UNTIL(loop, ended);
    assert_int_equal(ended_state, DUMPER_FAILED);
    assert_non_null(strstr(stats().last_error, "cannot open " FILE_1));
    turns(0.15);
    assert_false(peer_try_accept(peer));
}

static void stopped_dumper_closes_and_goes_on_where_it_was_when_started(void **state)
{
    (void)state;
    stream_first_file(SOURCE_SEMI);
    assert_int_equal(stats().io, DUMPER_IO_QUEUEING);
    dumper_stop(dumper);
    assert_true(dumper_stopped(dumper));
    assert_int_equal(stats().io, DUMPER_IO_STOPPED);
    assert_int_equal(stats().state, DUMPER_STOPPED);
    peer_expect_eof(peer);
    turns(0.3); /* longer than the first wait for another try */
    assert_false(peer_try_accept(peer));
    assert_string_equal(stats().source_uuid, SOURCE_UUID);
    dumper_forget(dumper);
    assert_string_equal(stats().source_uuid, "");
    dumper_start(dumper);
    assert_int_equal(stats().io, DUMPER_IO_CONNECTING);
    struct source_dump d = resume_with(&source_80, false);
    assert_string_equal(d.file, FILE_1);
    assert_int_equal(ended, 0);
}

static void refusal_is_told_with_its_number_and_time(void **state)
{
    (void)state;
    start();
    peer_accept(peer);
    peer->seq = 0;
    source_send_err(peer, 1040, "Too many connections");
    peer_expect_eof(peer);
    RUN_UNTIL(loop, stats().last_error_code);
    assert_int_equal(stats().last_error_code, 1040);
    assert_true(stats().last_error_us > 0);
    assert_int_equal(stats().io, DUMPER_IO_CONNECTING);
    dumper_stop(dumper); /* while it waits for the next try */
    assert_int_equal(stats().last_error_code, 1040);
    turns(0.3);
    assert_false(peer_try_accept(peer));
}

static void free_in_every_phase_is_quiet(void **state)
{
    (void)state;
    for (int phase = 0; phase < 5; phase++) {
        if (phase) {
            tear_down(NULL);
            set_up(NULL);
        }
        start();
        if (phase >= 1)
            peer_accept(peer);
        if (phase >= 2)
            source_login(peer, &source_80);
        if (phase >= 3)
            while (source_answer(peer, &source_80, source_recv_command(peer)))
                ;
        if (phase >= 4)
            peer_close(peer);
        turns(0.02);
        dumper_free(dumper);
        dumper = NULL;
        turns(0.02);
        assert_int_equal(ended, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_dump_asks_for_the_first_file),
        TEST(stream_is_stored_byte_for_byte),
        TEST(ack_leaves_only_after_the_sync),
        TEST(older_source_gets_one_ack_for_each),
        TEST(stats_count_over_all_connections),
        TEST(pending_acks_are_dropped_on_disconnect),
        TEST(resume_compares_the_last_event_and_goes_on),
        TEST(resume_survives_a_restart_of_the_store),
        TEST(ack_leaves_only_after_the_replicas_have_it),
        TEST(acks_go_without_replicas_after_the_timeout_until_these_have_all),
        TEST(flag_inside_a_transaction_needs_what_is_complete_before_it),
        TEST(older_source_is_held_and_not_taken_for_dead),
        TEST(reconnecting_does_not_acknowledge_more_than_replicas_have),
        TEST(reconnecting_waits_no_longer_than_the_timeout),
        TEST(reload_switches_the_waiting_on_and_off),
        TEST(divergence_ends_with_nothing_changed),
        TEST(divergence_begins_a_new_epoch_when_told_to),
        TEST(failover_joins_at_the_file_that_the_new_source_names),
        TEST(failover_to_other_files_of_the_same_server_asks_by_gtid),
        TEST(failover_to_other_files_that_lack_something_is_refused),
        TEST(failover_to_a_server_that_does_not_fit_is_refused),
        TEST(new_epoch_with_start_latest_asks_for_the_current_file),
        TEST(full_disk_waits_for_space_and_goes_on),
        TEST(catching_up_after_a_full_disk_shows),
        TEST(silence_for_three_heartbeats_reconnects),
        TEST(heartbeats_keep_the_connection),
        TEST(back_off_doubles_and_the_reason_is_logged_once),
        TEST(try_without_an_answer_counts_as_waiting),
        TEST(refused_login_is_retried_with_the_reason),
        TEST(bad_event_is_retried_more_and_more_slowly),
        TEST(nonsense_ten_times_in_a_row_stops_the_copying),
        TEST(every_kind_of_nonsense_stops_the_copying),
        TEST(other_ends_do_not_count_as_nonsense),
        TEST(something_new_between_nonsense_counts_anew),
        TEST(starting_after_nonsense_counts_anew),
        TEST(stopping_after_nonsense_is_the_operators_stop),
        TEST(source_closing_before_the_dump_request_is_retried),
        TEST(source_closing_before_an_ack_is_retried_at_once),
        TEST(source_closing_amid_an_event_is_retried),
        TEST(flags_of_a_source_that_is_off_protect_nothing),
        TEST(source_whose_log_went_back_is_asked_again),
        TEST(end_of_the_log_protects_nothing_before_all_is_durable),
        TEST(failed_storage_ends),
        TEST(stopped_dumper_closes_and_goes_on_where_it_was_when_started),
        TEST(refusal_is_told_with_its_number_and_time),
        TEST(free_in_every_phase_is_quiet),
    };
    return RUN_TESTS(tests);
}
