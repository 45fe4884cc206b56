/* The daemon: wiring and life. */
#include "app/app.h"

#include "app/config.h"
#include "app/retention.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control.h"
#include "dumper/dumper.h"
#include "metrics/exposition.h"
#include "metrics/http.h"
#include "mysql/auth.h"
#include "serve.h"
#include "status.h"
#include "status_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define RING_SIZE        (32u << 20)
#define PUBLIC_KEY_MAX   (64u << 10)
#define MONITOR_MS       10000u
#define LOG_TICK_S       5.0
#define JOURNAL_PRIORITY EV_MAXPRI /* what became durable comes before anything else */

struct app {
    const char *config_path;
    struct config config;
    struct ev_loop *loop;
    struct ev_async journal_wake;
    struct ev_async worker_wake;
    struct ev_signal signals[4];
    struct ev_timer status_timer;
    struct ev_timer watchdog_timer;
    struct ev_timer log_timer;
    struct worker *worker;
    struct store *store;
    struct tls *tls;
    char *public_key;
    struct dumper *dumper; /* NULL without [dumper] */
    struct serve *serve;
    struct retention *retention;
    struct control control;
    struct ev_timer shutdown; /* lets the answer to SHUTDOWN go out */
    struct status_socket *status_socket;
    struct http *http; /* NULL without [metrics] listen */
    int64_t started_us;
    enum app_exit exit;
};

const char *app_version(void)
{
    return BINLOGD_VERSION;
}

enum app_exit app_exit_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_USAGE:
        return APP_USAGE;
    case ERR_IO:
        return APP_FAILED;
    case ERR_DIVERGED:
        return APP_DIVERGED;
    case ERR_CORRUPT:
        return APP_CORRUPT;
    case ERR_OTHER:
    case ERR_NO_SPACE:
    case ERR_LONG:
    case ERR_MALFORMED:
        break;
    }
    return APP_ERROR;
}

/* ---- status ---- */

static struct facts_from where_facts_are(const struct app *a)
{
    return (struct facts_from){
        .store = a->store,
        .dumper = a->dumper,
        .hub = a->serve ? serve_hub(a->serve) : NULL,
        .config = &a->config,
        .started_us = a->started_us,
    };
}

static void say_status(struct app *a)
{
    struct facts_from from = where_facts_are(a);
    struct facts f;
    struct buf line;
    buf_init(&line);
    facts_collect(&f, &from);
    status_line(&line, &f);
    wr_u8(&line, 0);
    const char *text = (const char *)buf_bytes(&line).p;
    log_info("app", "status: %s", text);
    sd_notifyf(0, "STATUS=%s", text);
    facts_fini(&f);
    buf_fini(&line);
}

/* To `binlogd status`. */
static int on_status_asked(void *ctx, const char *request, struct buf *out)
{
    bool json = strcmp(request, "json") == 0;
    if (!json && strcmp(request, "screen") != 0)
        return -1;
    struct facts_from from = where_facts_are(ctx);
    struct facts f;
    facts_collect(&f, &from);
    int code = f.safe ? APP_OK : APP_ERROR;
    if (json)
        status_json(out, &f);
    else
        status_screen(out, &f);
    facts_fini(&f);
    return code;
}

/* To monitoring, by HTTP. */
static bool on_http(void *ctx, const char *path, struct http_answer *answer)
{
    bool metrics = strcmp(path, "/metrics") == 0;
    if (!metrics && strcmp(path, "/healthz") != 0)
        return false;
    struct facts_from from = where_facts_are(ctx);
    struct facts f;
    facts_collect(&f, &from);
    if (metrics) {
        answer->type = EXPOSITION_TYPE;
        status_metrics(answer->body, &f);
    } else {
        answer->status = f.safe ? 200 : 503;
        status_verdict(answer->body, &f);
    }
    facts_fini(&f);
    return true;
}

static void on_status_timer(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    say_status(t->data);
}

static void on_watchdog_timer(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)t;
    (void)revents;
    sd_notify(0, "WATCHDOG=1");
}

static void on_log_timer(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)t;
    (void)revents;
    log_tick();
}

/* ---- what happens ---- */

static void wake_async(void *ctx, struct ev_async *async)
{
    struct app *a = ctx;
    ev_async_send(a->loop, async);
}

static void journal_wake(void *ctx)
{
    struct app *a = ctx;
    wake_async(a, &a->journal_wake);
}

static void worker_wake(void *ctx)
{
    struct app *a = ctx;
    wake_async(a, &a->worker_wake);
}

static void on_journal_wake(struct ev_loop *loop, struct ev_async *w, int revents)
{
    (void)loop;
    (void)revents;
    struct app *a = w->data;
    store_work(a->store);
}

static void on_worker_wake(struct ev_loop *loop, struct ev_async *w, int revents)
{
    (void)loop;
    (void)revents;
    struct app *a = w->data;
    worker_reap(a->worker);
}

static void on_state_changed(void *ctx, enum dumper_state state)
{
    (void)state;
    say_status(ctx);
}

static void stop(struct app *a, enum app_exit code)
{
    a->exit = code;
    ev_break(a->loop, EVBREAK_ALL);
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_store_failed(void *ctx, const struct err *err)
{
    log_error("app", "%s", err->text);
    stop(ctx, app_exit_of(err));
}

/* Without a dumper to tell. */
static const struct store_events store_events = {ignore, ignore, on_store_failed};

static void on_ended(void *ctx, enum dumper_state state)
{
    stop(ctx, state == DUMPER_DIVERGED  ? APP_DIVERGED
              : state == DUMPER_CORRUPT ? APP_CORRUPT
                                        : APP_FAILED);
}

/* ---- configuration to parts ---- */

static enum login_tls login_tls_of(const struct config_dumper *c)
{
    bool local = c->host[0] == '/';
    if (c->ssl_mode == CONFIG_SSL_DISABLED || (c->ssl_mode == CONFIG_SSL_PREFERRED && local))
        return LOGIN_TLS_OFF;
    return c->ssl_mode == CONFIG_SSL_PREFERRED ? LOGIN_TLS_PREFERRED : LOGIN_TLS_REQUIRED;
}

/* *tls stays NULL where TLS is never used. */
static int make_tls(const struct config_dumper *c, struct tls **tls, struct err *err)
{
    *tls = NULL;
    if (!c->present || login_tls_of(c) == LOGIN_TLS_OFF)
        return 0;
    struct tls_opts opts = {
        .verify = c->ssl_mode == CONFIG_SSL_VERIFY_IDENTITY ? TLS_VERIFY_IDENTITY
                  : c->ssl_mode == CONFIG_SSL_VERIFY_CA     ? TLS_VERIFY_CA
                                                            : TLS_VERIFY_NONE,
        .ca = c->ssl_ca,
        .cert = c->ssl_cert,
        .key = c->ssl_key,
    };
    *tls = tls_client_new(&opts, err);
    return *tls ? 0 : err_prefix(err, "[dumper]");
}

/* By trying it, so that a mistake shows at the start and not when a login needs the key. */
static int check_public_key(const char *pem, struct err *err)
{
    static const uint8_t nonce[HANDSHAKE_NONCE];
    struct buf out;
    buf_init(&out);
    int rc = auth_rsa_encrypt(&out, "", nonce, bytes_str(pem), err);
    buf_fini(&out);
    return rc;
}

static int load_public_key(const struct config_dumper *c, char **pem, struct err *err)
{
    size_t n;
    *pem = NULL;
    if (!c->present || !*c->public_key_file)
        return 0;
    if (fs_read_file(fs_posix(), AT_FDCWD, c->public_key_file, PUBLIC_KEY_MAX, pem, &n, err) < 0 ||
        !*pem)
        return err_kind_set(err, ERR_USAGE, "[dumper] public_key_file: cannot read %s",
                            c->public_key_file);
    if (check_public_key(*pem, err) < 0) {
        err->kind = ERR_USAGE;
        return err_prefix(err, "[dumper] public_key_file %s", c->public_key_file);
    }
    return 0;
}

static struct point replicas_acked(void *ctx)
{
    const struct app *a = ctx;
    return serve_acked(a->serve);
}

/* The kinds of start have the same order on both sides. */
static void describe_dumper(struct app *a, struct dumper_opts *o)
{
    const struct config_dumper *c = &a->config.dumper;
    struct err ignored; /* the configuration was checked */
    *o = (struct dumper_opts){
        .loop = a->loop,
        .worker = a->worker,
        .store = a->store,
        .host = c->host,
        .port = c->port,
        .login = {.user = c->user,
                  .password = c->password,
                  .tls = login_tls_of(c),
                  .local = c->host[0] == '/',
                  .get_public_key = c->get_public_key,
                  .public_key = a->public_key},
        .tls = a->tls,
        .setup = {.server_id = c->server_id,
                  .server_uuid = store_server_uuid(a->store),
                  .report_host = c->report_host,
                  .heartbeat_ns = (uint64_t)c->heartbeat_period_ms * 1000000u,
                  .semi_sync = c->semi_sync,
                  .want_latest = c->start.kind == CONFIG_START_LATEST && store_empty(a->store)},
        .heartbeat_ms = c->heartbeat_period_ms,
        .connect_timeout_ms = c->connect_timeout_ms,
        .retry_max_ms = c->retry_max_ms,
        .monitor_ms = MONITOR_MS,
        .start = c->start.kind == CONFIG_START_LATEST ? DUMPER_START_LATEST
                 : c->start.kind == CONFIG_START_FILE ? DUMPER_START_FILE
                                                      : DUMPER_START_EARLIEST,
        .on_divergence = c->on_divergence == CONFIG_DIVERGENCE_NEW_EPOCH  ? DUMPER_NEW_EPOCH
                         : c->on_divergence == CONFIG_DIVERGENCE_FAILOVER ? DUMPER_FAILOVER
                                                                          : DUMPER_STOP,
        .min_free = a->config.storage.min_free,
        .downstream = {.replicas = c->semi_sync ? a->config.server.wait_for_replicas : 0,
                       .timeout_ms = a->config.server.wait_for_replicas_timeout_ms,
                       .acked = replicas_acked,
                       .ctx = a},
        .state_changed = on_state_changed,
        .ended = on_ended,
        .ctx = a,
    };
    if (c->start.kind == CONFIG_START_FILE)
        (void)binfile_name_parse(&o->start_file, bytes_str(c->start.file), &ignored);
}

/* ---- signals ---- */

static int open_metrics(struct app *a, struct err *err)
{
    const struct config_metrics *c = &a->config.metrics;
    if (!a->http && c->listen.count) {
        struct http_opts opts = {.loop = a->loop, .answer = on_http, .ctx = a};
        a->http = http_new(&opts, err);
        if (!a->http)
            return -1;
    }
    return a->http ? http_listen(a->http, c->listen.items, c->listen.count, err) : 0;
}

/* Makes all parts follow a->config. On -1 some may do so already. */
static int follow_config(void *ctx, struct err *err)
{
    struct app *a = ctx;
    if (log_open(a->config.log.file, a->config.log.level, err) < 0 || open_metrics(a, err) < 0 ||
        serve_reconfigure(a->serve, &a->config, err) < 0)
        return -1;
    if (a->dumper) {
        struct dumper_opts opts;
        describe_dumper(a, &opts);
        dumper_reconfigure(a->dumper, &opts);
    }
    retention_reconfigure(a->retention);
    a->status_timer.repeat = a->config.log.status_interval_s;
    ev_timer_again(a->loop, &a->status_timer);
    return 0;
}

/* Nothing uses what belongs to a connection to the source, so that may change too. */
static bool source_stopped(const struct app *a)
{
    return a->dumper && dumper_stopped(a->dumper);
}

static int load_source_files(const struct config *c, struct tls **tls, char **pem, struct err *err)
{
    *pem = NULL;
    if (make_tls(&c->dumper, tls, err) == 0 && load_public_key(&c->dumper, pem, err) == 0)
        return 0;
    tls_free(*tls);
    *tls = NULL;
    return -1;
}

static void swap_source_files(struct app *a, struct tls **tls, char **pem)
{
    struct tls *old_tls = a->tls;
    char *old_pem = a->public_key;
    a->tls = *tls;
    a->public_key = *pem;
    *tls = old_tls;
    *pem = old_pem;
}

/* Takes the configuration over when all goes well. */
static int take_config(struct app *a, struct config *fresh, struct err *err)
{
    struct config old = a->config;
    struct err ignored;
    struct tls *tls = NULL;
    char *pem = NULL;
    bool stopped = source_stopped(a);
    if (stopped && load_source_files(fresh, &tls, &pem, err) < 0)
        return -1;
    if (stopped)
        swap_source_files(a, &tls, &pem);
    a->config = *fresh;
    int rc = follow_config(a, err);
    if (rc < 0) {
        a->config = old;
        if (stopped)
            swap_source_files(a, &tls, &pem);
        (void)follow_config(a, &ignored); /* which it did before */
    } else {
        config_free(&old);
    }
    if (stopped) {
        tls_free(tls);
        free(pem);
    }
    return rc;
}

/* Reads the configuration, and follows it or stays as it was. */
static int reread(void *ctx, struct err *err)
{
    struct app *a = ctx;
    struct config fresh;
    enum config_reload how =
        source_stopped(a) ? CONFIG_RELOAD_SOURCE_STOPPED : CONFIG_RELOAD_RUNNING;
    if (config_load(&fresh, a->config_path, err) == 0 &&
        config_reload_check(&a->config, &fresh, how, err) == 0 && take_config(a, &fresh, err) == 0)
        return 0;
    config_free(&fresh);
    return -1;
}

static void reload(struct app *a)
{
    struct err err;
    if (reread(a, &err) < 0) {
        log_error("app", "not reloaded, everything stays as it was: %s", err.text);
        return;
    }
    log_info("app", "configuration reloaded");
    /* The source may be mended, or another now; but not while a statement is changing it. */
    if (a->dumper && dumper_gave_up(a->dumper) && !told_busy(a->control.told))
        dumper_start(a->dumper);
}

static int check_source_files(void *ctx, const struct config *next, struct err *err)
{
    (void)ctx;
    struct tls *tls;
    char *pem;
    int rc = load_source_files(next, &tls, &pem, err);
    tls_free(tls);
    free(pem);
    return rc;
}

static void answer_session(void *ctx, uint32_t session, struct bytes packets)
{
    struct app *a = ctx;
    serve_answer(a->serve, session, packets);
}

static int reopen_log(void *ctx, struct err *err)
{
    struct app *a = ctx;
    if (log_open(a->config.log.file, a->config.log.level, err) < 0) {
        log_error("app", "%s", err->text);
        return -1;
    }
    log_info("app", "log reopened");
    return 0;
}

static void on_shutdown(struct ev_loop *loop, struct ev_timer *t, int revents)
{
    (void)loop;
    (void)revents;
    stop(t->data, APP_OK);
}

static void shut_down(void *ctx)
{
    struct app *a = ctx;
    ev_timer_init(&a->shutdown, on_shutdown, 0, 0);
    a->shutdown.data = a;
    ev_timer_start(a->loop, &a->shutdown);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
    (void)loop;
    (void)revents;
    struct app *a = w->data;
    struct err logged;
    switch (w->signum) {
    case SIGHUP:
        sd_notify(0, "RELOADING=1");
        reload(a);
        sd_notify(0, "READY=1");
        break;
    case SIGUSR1:
        (void)reopen_log(a, &logged);
        break;
    default:
        log_info("app", "signal %d: stopping", w->signum);
        stop(a, APP_OK);
        break;
    }
}

/* ---- start and end ---- */

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

/* Until there is a loop to act upon them they wait: a reload asked for while binlogd starts would
 * end it. Threads begin later, with none blocked. */
static void block_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signal_numbers / sizeof *signal_numbers; i++)
        sigaddset(&set, signal_numbers[i]);
    sigprocmask(how, &set, NULL);
}

static void start_watchers(struct app *a)
{
    for (size_t i = 0; i < sizeof signal_numbers / sizeof *signal_numbers; i++) {
        ev_signal_init(&a->signals[i], on_signal, signal_numbers[i]);
        a->signals[i].data = a;
        ev_signal_start(a->loop, &a->signals[i]);
    }
    block_signals(SIG_UNBLOCK);
    ev_async_init(&a->journal_wake, on_journal_wake);
    ev_set_priority(&a->journal_wake, JOURNAL_PRIORITY);
    ev_async_init(&a->worker_wake, on_worker_wake);
    a->journal_wake.data = a->worker_wake.data = a;
    ev_async_start(a->loop, &a->journal_wake);
    ev_async_start(a->loop, &a->worker_wake);
    ev_init(&a->status_timer, on_status_timer);
    a->status_timer.data = a;
    a->status_timer.repeat = a->config.log.status_interval_s;
    ev_timer_again(a->loop, &a->status_timer);
    ev_timer_init(&a->log_timer, on_log_timer, LOG_TICK_S, LOG_TICK_S);
    ev_timer_start(a->loop, &a->log_timer);
    ev_init(&a->watchdog_timer, on_watchdog_timer);
    uint64_t watchdog_us = 0;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        a->watchdog_timer.repeat = (double)watchdog_us / 2e6;
        ev_timer_again(a->loop, &a->watchdog_timer);
    }
}

static int open_parts(struct app *a, struct err *err)
{
    struct store_opts so = {
        .directory = a->config.storage.directory,
        .fs = fs_posix(),
        .ring_size = RING_SIZE,
        .wake = journal_wake,
        .wake_ctx = a,
    };
    if (make_tls(&a->config.dumper, &a->tls, err) < 0 ||
        load_public_key(&a->config.dumper, &a->public_key, err) < 0)
        return -1;
    a->store = store_open(&so, err);
    if (!a->store)
        return -1;
    a->worker = worker_new(worker_wake, a);
    if (a->config.dumper.present) {
        struct dumper_opts opts;
        describe_dumper(a, &opts);
        a->dumper = dumper_new(&opts);
    } else {
        store_set_events(a->store, &store_events, a);
    }
    struct told_opts told = {a->worker,          a->store, a->config_path, &a->config,
                             check_source_files, reread,   answer_session, a};
    a->control = (struct control){.dumper = a->dumper,
                                  .store = a->store,
                                  .config = &a->config,
                                  .shutdown = shut_down,
                                  .flush_logs = reopen_log,
                                  .follow = follow_config,
                                  .ctx = a,
                                  .told = told_new(&told)};
    struct serve_opts serve = {a->loop, a->worker, a->store, a->dumper, &a->config, &a->control};
    a->serve = serve_new(&serve, err);
    if (!a->serve)
        return -1;
    struct retention_opts retention = {a->loop, a->worker, a->store, &a->config};
    a->retention = retention_new(&retention);
    a->control.retention = a->retention;
    return open_metrics(a, err);
}

/* Copying goes on without it. */
static void open_status_socket(struct app *a)
{
    struct status_socket_opts opts = {a->loop, a->config.storage.directory, on_status_asked, a};
    struct err err;
    a->status_socket = status_socket_new(&opts, &err);
    if (!a->status_socket)
        log_warn("app", "`binlogd status` will not work: %s", err.text);
}

static void run_loop(struct app *a)
{
    log_info("app", "binlogd %s: %s, server_uuid %s", app_version(), a->config.storage.directory,
             store_server_uuid(a->store));
    if (geteuid() == 0)
        log_warn("app", "running as root, which binlogd does not need: use an account of its own");
    open_status_socket(a);
    sd_notify(0, "READY=1");
    say_status(a);
    if (a->dumper)
        dumper_start(a->dumper);
    else
        log_info("app", "no [dumper] section: nothing is copied");
    ev_run(a->loop, 0);
    sd_notify(0, "STOPPING=1");
}

/* A clean stop says that all that was received is on disk, so it must be. */
static void drain(struct app *a)
{
    struct err err;
    if (!a->store || store_stop(a->store, &err) == 0)
        return;
    log_error("app", "%s", err.text);
    if (a->exit == APP_OK)
        a->exit = app_exit_of(&err);
}

static void close_parts(struct app *a)
{
    status_socket_free(a->status_socket);
    http_free(a->http);
    serve_stop(a->serve);
    retention_stop(a->retention);
    told_stop(a->control.told);
    dumper_free(a->dumper);
    worker_free(a->worker);
    told_free(a->control.told);
    drain(a);
    serve_free(a->serve);
    retention_free(a->retention);
    store_close(a->store);
    tls_free(a->tls);
    free(a->public_key);
    config_free(&a->config);
    log_info("app", "stopped with exit code %d", a->exit);
    log_close();
}

/* libev's own aborts when memory is out. */
static void *allocate(void *p, long n)
{
    if (n)
        return mem_realloc(p, (size_t)n);
    free(p);
    return NULL;
}

/* libcrypto without memory leaves parts of itself unmade and uses them (3.0: the lock of its
 * properties, in EVP_MD_fetch). */
static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n)
        return mem_realloc(p, n);
    free(p);
    return NULL;
}

static void *crypto_malloc(size_t n, const char *file, int line)
{
    return crypto_realloc(NULL, n, file, line);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

enum app_exit app_run(const char *config_path)
{
    struct app a = {.config_path = config_path, .started_us = clock_wall_us()};
    struct err err;
    block_signals(SIG_BLOCK);
    mem_need(CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free));
    signal(SIGPIPE, SIG_IGN);
    if (config_load(&a.config, config_path, &err) < 0 ||
        log_open(a.config.log.file, a.config.log.level, &err) < 0) {
        log_error("app", "%s", err.text);
        config_free(&a.config);
        return APP_USAGE;
    }
    ev_set_allocator(allocate);
    a.loop = ev_default_loop(EVFLAG_NOENV);
    start_watchers(&a);
    if (open_parts(&a, &err) < 0) {
        a.exit = app_exit_of(&err);
        log_error("app", "%s", err.text);
    } else {
        run_loop(&a);
    }
    close_parts(&a);
    return a.exit;
}

/* Which of the values come from a statement. */
static void print_told(const struct config *c)
{
    struct config_key k;
    const char *comma = " ";
    if (!c->dumper.told)
        return;
    printf("; %s/" CONFIG_SOURCE_FILE ", of CHANGE REPLICATION SOURCE TO, sets",
           c->storage.directory);
    for (size_t i = 0; config_key_at(i, &k); i++) {
        if (!(c->dumper.told >> i & 1))
            continue;
        printf("%s%s", comma, k.key);
        comma = ", ";
    }
    printf("\n");
}

enum app_exit app_check(const char *config_path)
{
    struct config c;
    struct err err;
    if (config_load(&c, config_path, &err) < 0 || check_source_files(NULL, &c, &err) < 0) {
        fprintf(stderr, "binlogd: %s\n", err.text);
        config_free(&c);
        return APP_USAGE;
    }
    struct buf out;
    buf_init(&out);
    config_print(&c, &out);
    fwrite(buf_bytes(&out).p, 1, out.len, stdout);
    print_told(&c);
    printf("; %s: no mistakes found\n", config_path);
    buf_fini(&out);
    config_free(&c);
    return APP_OK;
}
