/* TLS of a connection: certificates made here, a server of OpenSSL at the other end. */
#include "peer.h"

#include "base/mem.h"
#include "net/conn.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY 86400l

struct side {
    struct conn *c;
    struct tls *tls;
    const char *host;
    size_t keep; /* bytes of the request for TLS that are left unused */
    size_t unit; /* later bytes are used up in multiples of this */
    bool close_in_secured;
    bool pause_in_secured;
    unsigned secured;
    unsigned closed;
    unsigned offers;
    struct buf got;
    char reason[300];
};

static struct ev_loop *loop;
static char *dir;
static struct peer *peer;
static struct side side;

/* ---- certificates ---- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    BUG_ON(!ext);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

/* Signed by issuer, or by itself when that is NULL; valid until so many seconds from now. */
static struct identity make_identity(const char *name, const char *alt, long until,
                                     const struct identity *issuer)
{
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    BUG_ON(!id.key || !id.cert);
    X509_set_version(id.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -2 * DAY);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), until);
    X509_set_pubkey(id.cert, id.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer ? issuer->cert : id.cert));
    add_extension(id.cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt)
        add_extension(id.cert, NID_subject_alt_name, alt);
    BUG_ON(!X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));
    return id;
}

static void free_identity(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static const char *write_cert(const struct identity *id, const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    BUG_ON(!f || !PEM_write_X509(f, id->cert));
    fclose(f);
    return path;
}

static SSL_CTX *server_ctx(const struct identity *id)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BUG_ON(SSL_CTX_use_certificate(ctx, id->cert) != 1);
    BUG_ON(SSL_CTX_use_PrivateKey(ctx, id->key) != 1);
    return ctx;
}

/* ---- the client's side ---- */

static void on_opened(void *ctx)
{
    (void)ctx;
}

/* "T" asks for TLS, as a server's greeting does. */
static size_t on_data(void *ctx, struct bytes in)
{
    struct side *s = ctx;
    s->offers++;
    if (!s->secured && in.p[0] == 'T') {
        wr_str(conn_out(s->c), "R");
        conn_flush(s->c);
        conn_start_tls(s->c, s->tls, s->host);
        return in.n - s->keep;
    }
    size_t n = s->unit ? in.n - in.n % s->unit : in.n;
    wr_bytes(&s->got, bytes_of(in.p, n));
    return n;
}

static void on_secured(void *ctx)
{
    struct side *s = ctx;
    s->secured++;
    if (s->close_in_secured)
        conn_close(s->c, "enough in secured");
    else if (s->pause_in_secured)
        conn_pause(s->c);
}

static void on_closed(void *ctx, const char *reason)
{
    struct side *s = ctx;
    s->closed++;
    s->c = NULL;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static const struct conn_ops ops = {
    .opened = on_opened, .secured = on_secured, .data = on_data, .closed = on_closed};

static void make_client(enum tls_verify verify, const char *ca)
{
    struct err err = {0};
    struct tls_opts opts = {.verify = verify, .ca = ca, .cert = "", .key = ""};
    side.tls = tls_client_new(&opts, &err);
    assert_string_equal(err.text, "");
}

/* Connects up to where the peer has read the request for TLS. */
static void dial(void)
{
    struct err err;
    struct conn_opts opts = {.loop = loop, .read_size = 65536, .ops = &ops, .ctx = &side};
    side.c = conn_dial(&opts, &peer->addr, &err);
    assert_non_null(side.c);
    peer_accept(peer);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    peer = peer_unix(loop, dir);
    side = (struct side){.host = "db.example"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (side.c)
        conn_close(side.c, "the test is over");
    tls_free(side.tls);
    buf_fini(&side.got);
    peer_free(peer);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

/* Both sides through the handshake, without looking at certificates. */
static void secure(void)
{
    struct identity id = make_identity("any", NULL, DAY, NULL);
    SSL_CTX *ctx = server_ctx(&id);
    make_client(TLS_VERIFY_NONE, "");
    dial();
    peer_send(peer, bytes_str("T"));
    peer_expect(peer, bytes_str("R"));
    assert_true(peer_tls(peer, ctx));
    RUN_UNTIL(loop, side.secured == 1 || side.closed);
    SSL_CTX_free(ctx);
    free_identity(&id);
}

static void assert_got(struct bytes expected)
{
    assert_int_equal(side.got.len, expected.n);
    assert_memory_equal(buf_bytes(&side.got).p, expected.p, expected.n);
}

static void tls_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct buf big;
    buf_init(&big);
    for (uint32_t i = 0; i < 300000; i++)
        wr_u32(&big, i * 2654435761u);
    secure();
    assert_string_equal(conn_tls_version(side.c), "TLSv1.3");
    peer_send(peer, buf_bytes(&big));
    RUN_UNTIL(loop, side.got.len == big.len);
    assert_got(buf_bytes(&big));
    assert_int_equal(conn_received(side.c), big.len + 1); /* and the T */
    wr_bytes(conn_out(side.c), buf_bytes(&big));
    conn_flush(side.c);
    struct bytes got = peer_recv(peer, big.len);
    assert_memory_equal(got.p, buf_bytes(&big).p, big.len);
    buf_fini(&big);
}

static void tls_survives_a_split_at_every_byte(void **state)
{
    (void)state;
    struct identity id = make_identity("any", NULL, DAY, NULL);
    SSL_CTX *ctx = server_ctx(&id);
    BIO *from_client = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());
    make_client(TLS_VERIFY_NONE, "");
    side.unit = 5; /* the first record stays unused while the second comes */
    dial();
    peer_send(peer, bytes_str("T"));
    peer_expect(peer, bytes_str("R"));
    peer->split = 1;
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, from_client, to_client);
    SSL_set_accept_state(ssl);
    double until = peer_clock() + PEER_TIMEOUT_S;
    bool sent = false;
    while (!side.got.len && peer_clock() < until) {
        uint8_t bytes[16384];
        size_t n = peer_poll(peer);
        if (n)
            BIO_write(from_client, peer_recv(peer, n).p, (int)n);
        ERR_clear_error();
        if (SSL_do_handshake(ssl) == 1 && !sent)
            sent = SSL_write(ssl, "hel", 3) == 3 && SSL_write(ssl, "lo", 2) == 2;
        int out = BIO_read(to_client, bytes, sizeof bytes);
        if (out > 0)
            peer_send(peer, bytes_of(bytes, (size_t)out));
        peer_turn(loop);
    }
    assert_int_equal(side.closed, 0);
    assert_got(bytes_str("hello"));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    free_identity(&id);
}

struct verify_case {
    enum tls_verify verify;
    bool right_ca;
    long until;
    const char *alt;
    const char *host;
    const char *reason; /* NULL: accepted */
};

static void tls_verify_judges_the_certificate(void **state)
{
    (void)state;
#define REFUSED "TLS handshake: the server's certificate is refused: "
    static const struct verify_case cases[] = {
        {TLS_VERIFY_NONE, false, -DAY, NULL, "other.example", NULL},
        {TLS_VERIFY_CA, true, DAY, NULL, "other.example", NULL},
        {TLS_VERIFY_CA, false, DAY, NULL, "db.example",
         REFUSED "unable to get local issuer certificate"},
        {TLS_VERIFY_CA, true, -DAY, NULL, "db.example", REFUSED "certificate has expired"},
        {TLS_VERIFY_IDENTITY, true, DAY, "DNS:db.example", "db.example", NULL},
        {TLS_VERIFY_IDENTITY, true, DAY, "DNS:*.test.example", "db.test.example", NULL},
        {TLS_VERIFY_IDENTITY, true, DAY, "DNS:d*.test.example", "db.test.example",
         REFUSED "hostname mismatch"},
        {TLS_VERIFY_IDENTITY, true, DAY, "DNS:db.example", "other.example",
         REFUSED "hostname mismatch"},
        {TLS_VERIFY_IDENTITY, true, DAY, "IP:127.0.0.1", "127.0.0.1", NULL},
        {TLS_VERIFY_IDENTITY, true, DAY, "IP:127.0.0.1", "127.0.0.2",
         REFUSED "IP address mismatch"},
        {TLS_VERIFY_IDENTITY, true, DAY, "DNS:127.0.0.1", "127.0.0.1",
         REFUSED "IP address mismatch"},
        {TLS_VERIFY_IDENTITY, true, -DAY, "DNS:db.example", "db.example",
         REFUSED "certificate has expired"},
    };
#undef REFUSED
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct verify_case *c = &cases[i];
        struct identity ca = make_identity("test CA", NULL, DAY, NULL);
        struct identity other = make_identity("another CA", NULL, DAY, NULL);
        struct identity id = make_identity("db.example", c->alt, c->until, &ca);
        SSL_CTX *ctx = server_ctx(&id);
        side = (struct side){.host = c->host};
        make_client(c->verify, c->verify == TLS_VERIFY_NONE
                                   ? ""
                                   : write_cert(c->right_ca ? &ca : &other, "ca.pem"));
        dial();
        peer_send(peer, bytes_str("T"));
        peer_expect(peer, bytes_str("R"));
        peer_tls(peer, ctx);
        RUN_UNTIL(loop, side.secured || side.closed);
        assert_string_equal(side.reason, c->reason ? c->reason : "");
        assert_int_equal(side.secured, c->reason == NULL);
        if (side.c)
            conn_close(side.c, "next");
        tls_free(side.tls);
        side.tls = NULL;
        SSL_CTX_free(ctx);
        free_identity(&id);
        free_identity(&other);
        free_identity(&ca);
    }
}

static void tls_self_signed_is_refused_unless_it_is_the_ca(void **state)
{
    (void)state;
    struct identity id = make_identity("db.example", "DNS:db.example", DAY, NULL);
    struct identity other = make_identity("another CA", NULL, DAY, NULL);
    for (int own = 0; own < 2; own++) {
        SSL_CTX *ctx = server_ctx(&id);
        side = (struct side){.host = "db.example"};
        make_client(TLS_VERIFY_IDENTITY, write_cert(own ? &id : &other, "ca.pem"));
        dial();
        peer_send(peer, bytes_str("T"));
        peer_expect(peer, bytes_str("R"));
        peer_tls(peer, ctx);
        RUN_UNTIL(loop, side.secured || side.closed);
        assert_int_equal(side.secured, own);
        if (!own)
            assert_string_equal(
                side.reason,
                "TLS handshake: the server's certificate is refused: self-signed certificate");
        else
            conn_close(side.c, "done");
        tls_free(side.tls);
        side.tls = NULL;
        SSL_CTX_free(ctx);
    }
    free_identity(&id);
    free_identity(&other);
}

static void tls_1_1_is_refused(void **state)
{
    (void)state;
    struct identity id = make_identity("any", NULL, DAY, NULL);
    SSL_CTX *ctx = server_ctx(&id);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    make_client(TLS_VERIFY_NONE, "");
    dial();
    peer_send(peer, bytes_str("T"));
    peer_expect(peer, bytes_str("R"));
    assert_false(peer_tls(peer, ctx));
    RUN_UNTIL(loop, side.closed == 1);
    assert_int_equal(side.secured, 0);
    assert_non_null(strstr(side.reason, "TLS handshake: TLS error: "));
    assert_non_null(strstr(side.reason, "protocol version"));
    SSL_CTX_free(ctx);
    free_identity(&id);
}

static void tls_bytes_in_clear_behind_the_request_close(void **state)
{
    (void)state;
    make_client(TLS_VERIFY_NONE, "");
    side.keep = 4;
    dial();
    peer_send(peer, bytes_str("Tevil"));
    RUN_UNTIL(loop, side.closed == 1);
    assert_string_equal(side.reason, "bytes in clear came where TLS begins");
    assert_int_equal(side.got.len, 0);
}

static void tls_bytes_in_clear_for_a_handshake_close(void **state)
{
    (void)state;
    make_client(TLS_VERIFY_NONE, "");
    dial();
    peer_send(peer, bytes_str("T"));
    peer_expect(peer, bytes_str("R"));
    peer_send(peer, bytes_str("HTTP/1.1 200 OK\r\n\r\n"));
    RUN_UNTIL(loop, side.closed == 1);
    assert_non_null(strstr(side.reason, "TLS handshake: TLS error: "));
    assert_int_equal(side.got.len, 0);
}

static void tls_peer_closing_in_the_handshake_is_a_plain_close(void **state)
{
    (void)state;
    make_client(TLS_VERIFY_NONE, "");
    dial();
    peer_send(peer, bytes_str("T"));
    peer_expect(peer, bytes_str("R"));
    peer_recv(peer, 10);
    peer_poll(peer); /* closing with bytes unread would be a reset */
    peer_close(peer);
    RUN_UNTIL(loop, side.closed == 1);
    assert_string_equal(side.reason, "the peer closed the connection");
}

static void tls_peer_closing_is_a_plain_close_after_all_bytes(void **state)
{
    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        side = (struct side){.host = "db.example"};
        secure();
        peer_send(peer, bytes_str("last words"));
        if (notify)
            SSL_shutdown(peer->ssl);
        peer_close(peer);
        RUN_UNTIL(loop, side.closed == 1);
        assert_got(bytes_str("last words"));
        assert_string_equal(side.reason, "the peer closed the connection");
        tls_free(side.tls);
        side.tls = NULL;
        buf_fini(&side.got);
    }
}

static void tls_broken_record_closes_after_the_bytes_before_it(void **state)
{
    (void)state;
    secure();
    peer_send(peer, bytes_str("good"));
    SSL *ssl = peer->ssl;
    peer->ssl = NULL; /* below TLS */
    peer_send(peer, bytes_of("\x17\x03\x03\x00\x20 this record has no right tag...", 37));
    peer->ssl = ssl;
    RUN_UNTIL(loop, side.closed == 1);
    assert_got(bytes_str("good"));
    assert_non_null(strstr(side.reason, "read: TLS error: "));
}

static void tls_paused_keeps_what_openssl_holds_until_resume(void **state)
{
    (void)state;
    side.pause_in_secured = true;
    secure();
    peer_send(peer, bytes_str("held back"));
    for (int i = 0; i < 20; i++)
        peer_turn(loop);
    assert_int_equal(side.got.len, 0);
    conn_resume(side.c);
    RUN_UNTIL(loop, side.got.len == 9);
}

static void tls_close_inside_secured_is_safe(void **state)
{
    (void)state;
    side.close_in_secured = true;
    secure();
    assert_string_equal(side.reason, "enough in secured");
    assert_int_equal(side.closed, 1);
}

static void tls_files_missing_or_wrong_are_named(void **state)
{
    (void)state;
    struct identity id = make_identity("any", NULL, DAY, NULL);
    char cert[300];
    snprintf(cert, sizeof cert, "%s", write_cert(&id, "cert.pem"));
    const struct {
        struct tls_opts opts;
        const char *text;
    } cases[] = {
        {{TLS_VERIFY_CA, "/nonexistent/ca.pem", "", ""},
         "cannot read the certificates of ssl_ca /nonexistent/ca.pem: "},
        {{TLS_VERIFY_NONE, "", "/nonexistent/cert.pem", "k"},
         "cannot read the certificate of ssl_cert /nonexistent/cert.pem: "},
        {{TLS_VERIFY_NONE, "", cert, "/nonexistent/key.pem"},
         "cannot read the private key of ssl_key /nonexistent/key.pem: "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err;
        assert_null(tls_client_new(&cases[i].opts, &err));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
    }
    free_identity(&id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tls_carries_bytes_both_ways),
        TEST(tls_survives_a_split_at_every_byte),
        TEST(tls_verify_judges_the_certificate),
        TEST(tls_self_signed_is_refused_unless_it_is_the_ca),
        TEST(tls_1_1_is_refused),
        TEST(tls_bytes_in_clear_behind_the_request_close),
        TEST(tls_bytes_in_clear_for_a_handshake_close),
        TEST(tls_peer_closing_in_the_handshake_is_a_plain_close),
        TEST(tls_peer_closing_is_a_plain_close_after_all_bytes),
        TEST(tls_broken_record_closes_after_the_bytes_before_it),
        TEST(tls_paused_keeps_what_openssl_holds_until_resume),
        TEST(tls_close_inside_secured_is_safe),
        TEST(tls_files_missing_or_wrong_are_named),
    };
    return RUN_TESTS(tests);
}
