/* Logging a channel in, against a scripted server, with and without TLS. */
#include "source.h"

#include "base/mem.h"
#include "link/login.h"
#include "mysql/caps.h"

#include <openssl/x509.h>
#include <stdio.h>

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct channel channel;
static struct login login;
static struct login_client_opts opts;
static struct tls *tls;
static unsigned done, closed, opened, parts;
static char reason[700];

static void on_opened(void *ctx)
{
    (void)ctx;
    opened++;
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)ctx;
    (void)part;
    (void)flags;
    parts++;
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx, const char *why)
{
    (void)ctx;
    closed++;
    snprintf(reason, sizeof reason, "%s", why);
}

static void on_done(void *ctx)
{
    (void)ctx;
    done++;
}

static const struct channel_ops ops = {
    .opened = on_opened, .part = on_part, .batch = on_batch, .closed = on_closed};

static void dial(void)
{
    struct err err;
    done = closed = opened = parts = 0;
    reason[0] = 0;
    assert_int_equal(channel_dial(&channel, loop, &peer->addr, 0, &ops, &login, &err), 0);
    login_start(&login, &channel, &opts, tls, "db.example", on_done);
    peer_accept(peer);
    peer->seq = 0;
}

static int set_up(void **state)
{
    (void)state;
    struct err err;
    struct tls_opts to = {.verify = TLS_VERIFY_NONE, .ca = "", .cert = "", .key = ""};
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    tls = tls_client_new(&to, &err);
    opts = (struct login_client_opts){.user = "repl", .password = "secret"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    channel_close(&channel, "the test is over");
    channel_fini(&channel);
    login_fini(&login);
    tls_free(tls);
    peer_free(peer);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

static void login_gives_the_channel_back(void **state)
{
    (void)state;
    static const size_t splits[] = {0, 1, 3};
    for (size_t i = 0; i < COUNT_OF(splits); i++) {
        if (i)
            channel_close(&channel, "next");
        dial();
        peer->split = splits[i];
        source_login(peer, &source_80);
        RUN_UNTIL(loop, done || closed);
        assert_string_equal(reason, "");
        assert_int_equal(opened, 1);
        assert_string_equal(login.greeting.server_version, "8.0.36");
        source_send(peer, bytes_str("for the owner"));
        RUN_UNTIL(loop, parts == 1);
        peer->split = 0;
    }
}

static void login_refused_says_why(void **state)
{
    (void)state;
    dial();
    source_send_err(peer, 1040, "Too many connections");
    peer_close(peer);
    RUN_UNTIL(loop, closed);
    assert_string_equal(reason, "the source refuses the login: error 1040: Too many connections");
    assert_true(login.failed);
    assert_int_equal(done, 0);
}

static void login_closed_by_the_server_is_told_to_the_owner(void **state)
{
    (void)state;
    dial();
    peer_close(peer);
    RUN_UNTIL(loop, closed);
    assert_string_equal(reason, "the peer closed the connection");
    assert_false(login.failed);
}

static void login_message_too_long_is_refused(void **state)
{
    (void)state;
    dial();
    peer_send(peer, bytes_of("\0\0\2\0", 4));
    uint8_t *bytes = mem_alloc(70000);
    peer_send(peer, bytes_of(bytes, 70000));
    free(bytes);
    RUN_UNTIL(loop, closed);
    assert_string_equal(reason, "a message is longer than 65536 bytes");
}

static void login_without_tls_offered_sends_nothing_when_required(void **state)
{
    (void)state;
    opts.tls = LOGIN_TLS_REQUIRED;
    dial();
    struct buf none;
    buf_init(&none);
    struct handshake_greeting g = {.caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION,
                                   .server_version = "8.0.36"};
    handshake_greeting_encode(&none, &g);
    source_send(peer, buf_bytes(&none));
    buf_fini(&none);
    RUN_UNTIL(loop, closed);
    assert_non_null(strstr(reason, "the server does not offer TLS"));
    peer_expect_eof(peer);
    assert_int_equal(peer->in.len, 0);
}

static SSL_CTX *server_ctx(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(cert), -1000);
    X509_gmtime_adj(X509_getm_notAfter(cert), 100000);
    X509_set_pubkey(cert, key);
    BUG_ON(!X509_sign(cert, key, EVP_sha256()));
    BUG_ON(SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

/* Up to where the peer has read the request for TLS. */
static void greet_with_tls(struct bytes behind)
{
    struct handshake_greeting g = {.caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION |
                                           CAP_PLUGIN_AUTH | CAP_SSL,
                                   .server_version = "8.0.36",
                                   .plugin = "mysql_native_password"};
    struct buf out, wire;
    buf_init(&out);
    buf_init(&wire);
    handshake_greeting_encode(&out, &g);
    wr_u24(&wire, (uint32_t)out.len);
    wr_u8(&wire, 0);
    wr_bytes(&wire, buf_bytes(&out));
    wr_bytes(&wire, behind);
    peer->seq = 1;
    peer_send(peer, buf_bytes(&wire));
    buf_fini(&out);
    buf_fini(&wire);
}

static void login_over_tls_and_its_refusal_arrive(void **state)
{
    (void)state;
    SSL_CTX *ctx = server_ctx();
    opts.tls = LOGIN_TLS_REQUIRED;
    for (int refuse = 0; refuse < 2; refuse++) {
        if (refuse)
            channel_close(&channel, "next");
        dial();
        greet_with_tls(bytes_str(""));
        struct bytes request = source_recv(peer);
        assert_int_equal(request.n, 32);
        assert_true(le32(request.p) & CAP_SSL);
        assert_true(peer_tls(peer, ctx));
        struct bytes response = source_recv(peer);
        assert_memory_equal(response.p + 32, "repl", 5);
        if (refuse) {
            source_send_err(peer, 1045, "Access denied for user 'repl'");
            SSL_shutdown(peer->ssl);
            peer_close(peer);
            RUN_UNTIL(loop, closed);
            assert_non_null(strstr(reason, "error 1045: Access denied for user 'repl'"));
        } else {
            source_send_ok(peer);
            RUN_UNTIL(loop, done);
        }
    }
    SSL_CTX_free(ctx);
}

static void login_bytes_behind_the_greeting_are_no_part_of_tls(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *reason;
    } cases[] = {
        {"\1\0", 2, "bytes in clear came where TLS begins"},
        {"\1\0\0\2x", 5, "a packet came when none may come"},
    };
    opts.tls = LOGIN_TLS_REQUIRED;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        dial();
        greet_with_tls(bytes_of(cases[i].bytes, cases[i].n));
        RUN_UNTIL(loop, closed);
        assert_string_equal(reason, cases[i].reason);
        assert_int_equal(done, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(login_gives_the_channel_back),
        TEST(login_refused_says_why),
        TEST(login_closed_by_the_server_is_told_to_the_owner),
        TEST(login_message_too_long_is_refused),
        TEST(login_without_tls_offered_sends_nothing_when_required),
        TEST(login_over_tls_and_its_refusal_arrive),
        TEST(login_bytes_behind_the_greeting_are_no_part_of_tls),
    };
    return RUN_TESTS(tests);
}
