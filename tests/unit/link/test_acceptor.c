/* Both drivers of the login against each other, over real sockets, and clients that misbehave. */
#include "peer.h"

#include "base/mem.h"
#include "link/acceptor.h"
#include "link/login.h"
#include "mysql/caps.h"
#include "mysql/reply.h"
#include "net/listener.h"

#include <errno.h>
#include <openssl/pem.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD "Repl-secret_7"

/* One end of a connection and what it has seen. */
struct end {
    struct channel ch;
    bool in;     /* logged in */
    bool closed; /* with reason */
    char reason[400];
    struct buf got;
    unsigned messages;
};

static struct ev_loop *loop;
static char *dir;
static char path[200];
static struct err err;
static struct account_list *accounts;
static struct listener *listener;
static struct tls *server_tls, *client_tls;
static struct login_server_opts server_opts;
static struct acceptor acceptor;
static struct login login;
static struct login_client_opts client_opts;
static struct end server, client;
static struct gate gate; /* in use with the worker */
static struct worker *worker;
static struct ev_async worker_wake;
static struct auth_rsa_key *rsa;
static atomic_bool worker_may_go;

static const struct account *find(void *ctx, const char *user)
{
    (void)ctx;
    const struct account *decoy = account_list_decoy(accounts, user);
    const struct account *a = account_list_find(accounts, user);
    return a ? a : decoy;
}

static void on_nothing(void *ctx)
{
    (void)ctx;
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    struct end *e = ctx;
    wr_bytes(&e->got, part);
    e->messages += flags == (CHANNEL_FIRST | CHANNEL_LAST);
    return true;
}

static void on_closed(void *ctx, const char *reason)
{
    struct end *e = ctx;
    e->closed = true;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

static void on_server_in(void *ctx)
{
    struct end *e = ctx;
    e->in = true;
    channel_trust(&e->ch);
}

static void on_client_in(void *ctx)
{
    struct end *e = ctx;
    e->in = true;
}

static bool hold; /* the answer, when it is decided */

static bool on_judged(void *ctx)
{
    (void)ctx;
    return hold;
}

static const struct acceptor_ops acceptor_ops = {.judged = on_judged, .done = on_server_in};

static const struct channel_ops ops = {
    .opened = on_nothing, .part = on_part, .batch = on_nothing, .closed = on_closed};

static void on_accepted(void *ctx, int fd, const struct addr *peer)
{
    (void)ctx;
    (void)peer;
    struct channel_adopt_opts opts = {
        .loop = loop,
        .message_max = ACCEPTOR_MESSAGE_MAX,
        .ops = &ops,
        .ctx = &server,
        .gate = worker ? &gate : NULL,
        .worker = worker,
    };
    assert_int_equal(channel_adopt(&server.ch, &opts, fd, &err), 0);
    struct acceptor_opts acceptor_opts = {&server_opts, server_tls, &acceptor_ops, worker};
    acceptor_start(&acceptor, &server.ch, &acceptor_opts);
}

static void add_account(const char *name, enum auth_plugin plugin)
{
    struct account a;
    assert_int_equal(account_init(&a, name, PASSWORD, plugin, &err), 0);
    assert_int_equal(account_list_add(accounts, &a, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    snprintf(path, sizeof path, "%s/s", dir);
    accounts = account_list_new();
    add_account("sha", AUTH_PLUGIN_CACHING_SHA2);
    add_account("nat", AUTH_PLUGIN_NATIVE);
    server_opts = (struct login_server_opts){
        .version = "8.0.1-binlogd", .connection_id = 9, .host = "localhost", .find = find};
    client_opts = (struct login_client_opts){.user = "sha", .password = PASSWORD};
    struct listener_opts opts = {.loop = loop, .accepted = on_accepted};
    listener = listener_open(&opts, path, &err);
    assert_non_null(listener);
    return 0;
}

static void end_fini(struct end *e)
{
    channel_close(&e->ch, "the test is over");
    channel_fini(&e->ch);
    buf_fini(&e->got);
    *e = (struct end){0};
}

static void hang_up(void)
{
    end_fini(&server);
    end_fini(&client);
    acceptor_fini(&acceptor);
    login_fini(&login);
}

static void wake(void *ctx)
{
    (void)ctx;
    ev_async_send(loop, &worker_wake);
}

static void on_wake(struct ev_loop *l, struct ev_async *w, int revents)
{
    (void)l;
    (void)w;
    (void)revents;
    worker_reap(worker);
}

/* From now on clients are strangers, whose costly steps the worker does. */
static void open_door(void)
{
    gate_init(&gate, loop, 0);
    ev_async_init(&worker_wake, on_wake);
    ev_async_start(loop, &worker_wake);
    worker = worker_new(wake, NULL);
}

static void close_door(void)
{
    if (!worker)
        return;
    worker_free(worker);
    worker = NULL;
    gate_fini(&gate);
    ev_async_stop(loop, &worker_wake);
}

static int tear_down(void **state)
{
    (void)state;
    hold = false;
    hang_up();
    close_door();
    auth_rsa_key_free(rsa);
    rsa = NULL;
    listener_close(listener);
    account_list_free(accounts);
    tls_free(server_tls);
    tls_free(client_tls);
    server_tls = client_tls = NULL;
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

static void make_tls(void)
{
    char cert_path[300], key_path[300];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    BUG_ON(!X509_sign(cert, key, EVP_sha256()));
    snprintf(cert_path, sizeof cert_path, "%s/cert", dir);
    snprintf(key_path, sizeof key_path, "%s/key", dir);
    mode_t before = umask(077);
    FILE *f = fopen(cert_path, "w"), *g = fopen(key_path, "w");
    umask(before);
    BUG_ON(!PEM_write_X509(f, cert) || !PEM_write_PrivateKey(g, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    fclose(g);
    X509_free(cert);
    EVP_PKEY_free(key);
    struct tls_opts server_side = {.ca = "", .cert = cert_path, .key = key_path};
    struct tls_opts client_side = {.ca = "", .cert = "", .key = ""};
    server_tls = tls_server_new(&server_side, &err);
    client_tls = tls_client_new(&client_side, &err);
    assert_non_null(server_tls);
    assert_non_null(client_tls);
    server_opts.tls = LOGIN_SERVER_TLS_OFFERED;
}

static void dial(void)
{
    assert_int_equal(
        channel_dial(&client.ch, loop, listener_addr(listener), 0, &ops, &client, &err), 0);
    login_start(&login, &client.ch, &client_opts, client_tls, "localhost", on_client_in);
}

static void login_over_a_socket_ends_on_both_sides(void **state)
{
    (void)state;
    static const char *const users[] = {"sha", "nat"};
    for (size_t i = 0; i < COUNT_OF(users) * 2; i++) {
        if (i == 2) {
            make_tls();
            client_opts.tls = LOGIN_TLS_REQUIRED;
        }
        client_opts.user = users[i % 2];
        dial();
        RUN_UNTIL(loop, (client.in && server.in) || client.closed);
        assert_true(client.in);
        assert_string_equal(login.greeting.server_version, "8.0.1-binlogd");
        assert_int_equal(login.greeting.thread_id, 9);
        assert_string_equal(login_server_user(acceptor.machine), users[i % 2]);
        assert_int_equal(*conn_tls_version(server.ch.conn) != 0, i >= 2);
        channel_send_command(&client.ch, bytes_str("\x0e"));
        RUN_UNTIL(loop, server.messages == 1);
        channel_send(&server.ch, bytes_of("\0\0\0\2\0\0\0", 7));
        RUN_UNTIL(loop, client.messages == 1);
        hang_up();
    }
}

static void strangers_log_in_with_the_help_of_a_worker(void **state)
{
    open_door();
    login_over_a_socket_ends_on_both_sides(state);
}

static void refusal_reaches_the_client_and_closes(void **state)
{
    (void)state;
    client_opts.password = "wrong";
    dial();
    RUN_UNTIL(loop, client.closed && server.closed);
    assert_false(client.in || server.in);
    assert_true(acceptor.failed && acceptor.denied);
    assert_non_null(strstr(client.reason, "error 1045: Access denied for user 'sha'@'localhost'"));
    assert_string_equal(server.reason, "Access denied for user 'sha'@'localhost' "
                                       "(using password: YES): wrong password");
}

static void turns(unsigned n)
{
    while (n--)
        peer_turn(loop);
}

static void held_answer_comes_when_it_is_released(void **state)
{
    (void)state;
    static const char *const passwords[] = {PASSWORD, "wrong"};
    hold = true;
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        client_opts.password = passwords[i];
        dial();
        RUN_UNTIL(loop, acceptor.held);
        turns(20);
        assert_false(client.in || client.closed || server.in || server.closed);
        assert_int_equal(acceptor.denied, i);
        acceptor_release(&acceptor);
        RUN_UNTIL(loop, client.in || client.closed);
        assert_int_equal(client.in, i == 0);
        assert_int_equal(server.in, i == 0);
        hang_up();
    }
}

static void packet_before_a_held_answer_closes(void **state)
{
    (void)state;
    hold = true;
    dial();
    RUN_UNTIL(loop, acceptor.held);
    channel_send(&client.ch, bytes_str("\x0e"));
    RUN_UNTIL(loop, server.closed);
    assert_string_equal(server.reason, "a packet came before the answer to the last");
    assert_false(server.in);
}

static void client_that_leaves_before_a_held_answer_is_gone(void **state)
{
    (void)state;
    hold = true;
    client_opts.password = "wrong";
    dial();
    RUN_UNTIL(loop, acceptor.held);
    channel_close(&client.ch, "no patience");
    RUN_UNTIL(loop, server.closed);
    assert_true(acceptor.denied);
}

/* Each turn is another's. */
static void on_turn(struct ev_loop *l, struct ev_prepare *w, int revents)
{
    (void)w;
    (void)revents;
    gate.turn = ev_iteration(l) + 1; /* is counted when it has been prepared */
}

static void packet_that_waits_at_the_gate_is_read_when_trusted(void **state)
{
    (void)state;
    struct ev_prepare taken;
    hold = true;
    open_door();
    dial();
    RUN_UNTIL(loop, acceptor.held);
    ev_prepare_init(&taken, on_turn);
    ev_prepare_start(loop, &taken);
    channel_send_command(&client.ch, bytes_str("\x0e"));
    RUN_UNTIL(loop, gate.head != NULL);
    turns(5);
    acceptor_release(&acceptor);
    assert_true(server.in);
    RUN_UNTIL(loop, server.messages == 1);
    ev_prepare_stop(loop, &taken);
}

/* ---- a raw client ---- */

static int raw = -1;

static void raw_connect(void)
{
    const struct addr *a = listener_addr(listener);
    raw = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(raw, (const struct sockaddr *)&a->ss, a->len), 0);
    RUN_UNTIL(loop, server.ch.conn != NULL);
}

static void raw_send(const struct buf *b)
{
    struct bytes all = buf_bytes(b);
    while (all.n && server.ch.conn) {
        ssize_t n = send(raw, all.p, all.n, MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN);
        all = bytes_skip(all, n > 0 ? (size_t)n : 0);
        peer_turn(loop);
    }
}

static void messages_over_the_limit_close(void **state)
{
    (void)state;
    struct buf b = {0};
    raw_connect();
    wr_u24(&b, ACCEPTOR_MESSAGE_MAX + 1);
    wr_u8(&b, 1);
    wr_zero(&b, ACCEPTOR_MESSAGE_MAX + 1);
    raw_send(&b);
    RUN_UNTIL(loop, server.closed);
    assert_string_equal(server.reason, "a message is longer than 65536 bytes");
    buf_fini(&b);
    close(raw);
}

static void packets_out_of_order_close(void **state)
{
    (void)state;
    struct buf b = {0};
    raw_connect();
    wr_u24(&b, 1);
    wr_u8(&b, 7);
    wr_u8(&b, 0);
    raw_send(&b);
    RUN_UNTIL(loop, server.closed);
    assert_string_equal(server.reason, "packets out of order: sequence number 7 came, 1 was due");
    buf_fini(&b);
    close(raw);
}

/* What is packets in clear behind the request for TLS is for OpenSSL, never for the login. */
static void login_in_clear_behind_the_request_for_tls_is_not_read(void **state)
{
    (void)state;
    struct buf b = {0};
    make_tls();
    raw_connect();
    wr_u24(&b, 32);
    wr_u8(&b, 1);
    wr_u32(&b, 0x000aa285 | 0x800);
    wr_zero(&b, 28);
    wr_u24(&b, 10);
    wr_u8(&b, 2);
    wr_zero(&b, 10);
    raw_send(&b);
    RUN_UNTIL(loop, server.closed);
    assert_non_null(strstr(server.reason, "TLS handshake: TLS error: "));
    assert_false(acceptor.failed);
    buf_fini(&b);
    close(raw);
}

static void client_that_leaves_is_gone(void **state)
{
    (void)state;
    raw_connect();
    close(raw);
    RUN_UNTIL(loop, server.closed);
    assert_false(acceptor.denied);
}

/* After login a command longer than the read buffer is joined, and its memory given back. */
static void long_commands_are_joined(void **state)
{
    (void)state;
    const size_t n = 3u << 20;
    struct buf b = {0};
    dial();
    RUN_UNTIL(loop, client.in && server.in);
    channel_receive(&server.ch, 16u << 20);
    wr_zero(&b, n);
    channel_send_command(&client.ch, buf_bytes(&b));
    RUN_UNTIL(loop, server.messages == 1);
    assert_int_equal(server.got.len, n);
    assert_int_equal(server.ch.message.cap, 0);
    buf_fini(&b);
}

static void raw_packet(struct bytes payload, uint8_t seq)
{
    struct buf b = {0};
    packet_encode(&b, payload, seq);
    raw_send(&b);
    buf_fini(&b);
}

/* Asks for the key and sends what is no password of it. */
static void raw_encrypted_password(void)
{
    uint8_t junk[256] = {1};
    struct buf b = {0};
    struct handshake_response r = {
        .caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH,
        .user = "sha",
        .plugin = AUTH_CACHING_SHA2,
        .auth = bytes_str("?"),
    };
    handshake_response_encode(&b, &r);
    raw_connect();
    raw_packet(buf_bytes(&b), 1);
    raw_packet(bytes_str("\x02"), 3);
    raw_packet(bytes_of(junk, sizeof junk), 5);
    buf_fini(&b);
}

static void encrypted_password_is_checked_by_the_worker(void **state)
{
    (void)state;
    rsa = auth_rsa_key_new();
    server_opts.rsa = rsa;
    for (int i = 0; i < 2; i++) {
        if (i)
            open_door();
        raw_encrypted_password();
        RUN_UNTIL(loop, server.closed);
        assert_true(acceptor.denied);
        assert_non_null(strstr(server.reason, ": wrong password"));
        close(raw);
        hang_up();
    }
}

static void stop_worker(struct worker_job *job)
{
    (void)job;
    while (!atomic_load(&worker_may_go))
        sched_yield();
}

static void on_stopped(struct worker_job *job)
{
    (void)job;
}

static struct worker_job stopper = {.run = stop_worker, .done = on_stopped};

/* What the worker has of it outlives it. */
static void strangers_that_are_ended_while_the_worker_is_busy_are_gone(void **state)
{
    (void)state;
    rsa = auth_rsa_key_new();
    server_opts.rsa = rsa;
    for (int i = 0; i < 2; i++) {
        open_door();
        atomic_store(&worker_may_go, false);
        worker_submit(worker, &stopper);
        if (i == 0) {
            raw_encrypted_password();
            RUN_UNTIL(loop, acceptor.checking != NULL);
        } else {
            make_tls();
            client_opts.tls = LOGIN_TLS_REQUIRED;
            dial();
            turns(50);
            assert_false(client.in || server.closed);
        }
        channel_close(&server.ch, "over");
        assert_true(server.closed);
        hang_up();
        turns(3);
        atomic_store(&worker_may_go, true);
        close_door();
        if (i == 0)
            close(raw);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(login_over_a_socket_ends_on_both_sides),
        T(strangers_log_in_with_the_help_of_a_worker),
        T(refusal_reaches_the_client_and_closes),
        T(held_answer_comes_when_it_is_released),
        T(packet_before_a_held_answer_closes),
        T(client_that_leaves_before_a_held_answer_is_gone),
        T(packet_that_waits_at_the_gate_is_read_when_trusted),
        T(encrypted_password_is_checked_by_the_worker),
        T(strangers_that_are_ended_while_the_worker_is_busy_are_gone),
        T(messages_over_the_limit_close),
        T(packets_out_of_order_close),
        T(login_in_clear_behind_the_request_for_tls_is_not_read),
        T(client_that_leaves_is_gone),
        T(long_commands_are_joined),
    };
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    return RUN_TESTS(tests);
}
