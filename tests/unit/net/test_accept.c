/* Accepted connections: output by demand, memory given back, and TLS in the role of the server. */
#include "peer.h"

#include "base/mem.h"
#include "net/conn.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 4096
#define LOW_WATER 1000

struct side {
    struct conn *c;
    struct tls *tls;
    unsigned drained;
    unsigned secured;
    size_t refill; /* bytes to append whenever output ran low */
    struct buf got;
    char reason[300];
};

static struct ev_loop *loop;
static char *dir;
static struct side side;
static int client = -1;
static struct err err;

/* 'T' asks for TLS, and is all that is used up then. */
static size_t on_data(void *ctx, struct bytes in)
{
    struct side *s = ctx;
    if (s->tls && !s->secured && in.p[0] == 'T') {
        conn_start_tls(s->c, s->tls, NULL);
        return 1;
    }
    wr_bytes(&s->got, in);
    return in.n;
}

static void on_secured(void *ctx)
{
    struct side *s = ctx;
    s->secured++;
}

static void on_drained(void *ctx)
{
    struct side *s = ctx;
    s->drained++;
    if (s->refill) {
        wr_zero(conn_out(s->c), s->refill);
        conn_flush(s->c);
    }
}

static void on_closed(void *ctx, const char *reason)
{
    struct side *s = ctx;
    s->c = NULL;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static const struct conn_ops ops = {
    .data = on_data, .secured = on_secured, .drained = on_drained, .closed = on_closed};

static int set_up(void **state)
{
    (void)state;
    int fds[2];
    loop = ev_loop_new(EVFLAG_NOENV);
    dir = check_mkdir();
    side = (struct side){0};
    err = (struct err){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    client = fds[1];
    struct conn_opts opts = {
        .loop = loop, .read_size = READ_SIZE, .low_water = LOW_WATER, .ops = &ops, .ctx = &side};
    side.c = conn_accept(&opts, fds[0], &err);
    assert_non_null(side.c);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (side.c)
        conn_close(side.c, "the test is over");
    tls_free(side.tls);
    buf_fini(&side.got);
    close(client);
    ev_loop_destroy(loop);
    check_rmdir(dir);
    return 0;
}

static void turn(int n)
{
    while (n--)
        peer_turn(loop);
}

static void accept_takes_bytes_and_gives_them(void **state)
{
    (void)state;
    struct addr peer;
    char big[3 * READ_SIZE], text[ADDR_TEXT_MAX];
    memset(big, 'b', sizeof big);
    assert_int_equal(write(client, big, sizeof big), sizeof big);
    RUN_UNTIL(loop, side.got.len == sizeof big);
    wr_str(conn_out(side.c), "answer");
    conn_flush(side.c);
    assert_int_equal(read(client, big, sizeof big), 6);
    conn_peer(side.c, &peer);
    addr_format(&peer, text);
    assert_string_equal(text, "unix:");
    conn_trim(side.c);
    assert_int_equal(write(client, "x", 1), 1);
    RUN_UNTIL(loop, side.got.len == sizeof big + 1);
}

static void accept_of_what_is_no_connection_fails_and_closes_it(void **state)
{
    (void)state;
    struct conn_opts opts = {.loop = loop, .read_size = READ_SIZE, .ops = &ops, .ctx = &side};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_null(conn_accept(&opts, fd, &err));
    assert_string_equal(err.text,
                        "cannot take the connection: Transport endpoint is not connected");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void drained_comes_once_and_never_inside_flush(void **state)
{
    (void)state;
    turn(3);
    assert_int_equal(side.drained, 0);
    wr_str(conn_out(side.c), "some");
    conn_flush(side.c);
    assert_int_equal(conn_out(side.c)->len, 0);
    assert_int_equal(side.drained, 0);
    turn(5);
    assert_int_equal(side.drained, 1);
    conn_flush(side.c); /* nothing to flush */
    turn(5);
    assert_int_equal(side.drained, 1);
}

static size_t discard(size_t most)
{
    static char sink[1 << 16];
    ssize_t n = recv(client, sink, most < sizeof sink ? most : sizeof sink, MSG_DONTWAIT);
    return n < 0 ? 0 : (size_t)n;
}

static void drained_waits_for_a_slow_reader(void **state)
{
    (void)state;
    const size_t all = 4u << 20;
    wr_zero(conn_out(side.c), all);
    conn_flush(side.c);
    turn(20);
    assert_true(conn_out(side.c)->len > LOW_WATER);
    assert_int_equal(side.drained, 0);
    size_t read_n = 0;
    while (read_n < all) {
        assert_true(side.drained == 0 || conn_out(side.c)->len <= LOW_WATER);
        read_n += discard(SIZE_MAX);
        ev_run(loop, EVRUN_NOWAIT);
    }
    turn(3);
    assert_int_equal(side.drained, 1);
}

/* An owner that appends whenever it may must not keep the loop from others. */
static void drained_is_called_once_in_a_turn(void **state)
{
    (void)state;
    side.refill = 10;
    wr_str(conn_out(side.c), "start");
    conn_flush(side.c);
    for (unsigned i = 0; i < 20; i++) {
        unsigned before = side.drained;
        ev_run(loop, EVRUN_NOWAIT);
        assert_in_range(side.drained, before, before + 1);
    }
    assert_true(side.drained > 10);
    side.refill = 0;
}

/* ---- TLS ---- */

static const char *in_dir(const char *name)
{
    static char paths[32][300];
    static unsigned next;
    char *p = paths[next++ % COUNT_OF(paths)];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static void write_identity(const char *name, int mode)
{
    char file[40];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    BUG_ON(!X509_sign(cert, key, EVP_sha256()));
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *f = fopen(in_dir(file), "w");
    BUG_ON(!f || !PEM_write_X509(f, cert));
    fclose(f);
    snprintf(file, sizeof file, "%s.key", name);
    f = fopen(in_dir(file), "w");
    BUG_ON(!f || !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    chmod(in_dir(file), (mode_t)mode);
    EVP_PKEY_free(key);
    X509_free(cert);
}

static void make_server(const char *ca)
{
    write_identity("server", 0640);
    struct tls_opts opts = {.ca = ca, .cert = in_dir("server.pem"), .key = in_dir("server.key")};
    side.tls = tls_server_new(&opts, &err);
    assert_string_equal(err.text, "");
    assert_non_null(side.tls);
}

struct tls_client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in; /* memory; the test moves the bytes */
    BIO *out;
};

static struct tls_client tls_client_of(int min, int max)
{
    struct tls_client t = {.ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_security_level(t.ctx, 0);
    SSL_CTX_set_min_proto_version(t.ctx, min);
    SSL_CTX_set_max_proto_version(t.ctx, max);
    t.ssl = SSL_new(t.ctx);
    t.in = BIO_new(BIO_s_mem());
    t.out = BIO_new(BIO_s_mem());
    SSL_set_bio(t.ssl, t.in, t.out);
    SSL_set_connect_state(t.ssl);
    return t;
}

static void tls_client_free(struct tls_client *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
}

/* Sends what the client has made; the first of it behind `clear`, in one write. split: in pieces of
 * so many bytes. */
static void send_made(struct tls_client *t, const char *clear, size_t split)
{
    struct buf all = {0};
    char *p;
    long n = BIO_get_mem_data(t->out, &p);
    wr_str(&all, clear);
    wr_bytes(&all, bytes_of(p, (size_t)n));
    (void)BIO_reset(t->out);
    while (all.len) {
        size_t most = split && split < all.len ? split : all.len;
        assert_int_equal(send(client, buf_bytes(&all).p, most, MSG_NOSIGNAL), most);
        buf_consume(&all, most);
        if (split)
            turn(1);
    }
    buf_fini(&all);
}

static void recv_made(struct tls_client *t)
{
    char in[8192];
    ssize_t n = recv(client, in, sizeof in, MSG_DONTWAIT);
    if (n > 0)
        BIO_write(t->in, in, (int)n);
}

/* The request and the first message together, then to the end. */
static bool handshake(struct tls_client *t, const char *clear, size_t split)
{
    for (int i = 0; i < 200 && side.c; i++) {
        ERR_clear_error();
        int rc = SSL_do_handshake(t->ssl);
        if (BIO_pending(t->out))
            send_made(t, clear, split);
        clear = "";
        if (rc == 1 && side.secured)
            return true;
        turn(1);
        recv_made(t);
    }
    return false;
}

static void assert_talks(struct tls_client *t)
{
    char in[20] = "";
    assert_int_equal(SSL_write(t->ssl, "question", 8), 8);
    send_made(t, "", 0);
    RUN_UNTIL(loop, side.got.len == 8);
    assert_memory_equal(buf_bytes(&side.got).p, "question", 8);
    wr_str(conn_out(side.c), "answer");
    conn_flush(side.c);
    turn(2);
    recv_made(t);
    assert_int_equal(SSL_read(t->ssl, in, sizeof in), 6);
    assert_string_equal(in, "answer");
}

/* A client does not wait for an answer to its request for TLS. */
static void tls_begins_with_what_came_behind_the_request(void **state)
{
    (void)state;
    static const size_t splits[] = {0, 1, 2, 7, 100, 250};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < COUNT_OF(splits) * 2; i++) {
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        make_server("");
        struct tls_client t = tls_client_of(versions[i % 2], versions[i % 2]);
        assert_true(handshake(&t, "T", splits[i / 2]));
        assert_string_equal(conn_tls_version(side.c), i % 2 ? "TLSv1.3" : "TLSv1.2");
        assert_talks(&t);
        tls_client_free(&t);
    }
}

static void tls_below_12_is_refused(void **state)
{
    (void)state;
    make_server("");
    struct tls_client t = tls_client_of(TLS1_VERSION, TLS1_1_VERSION);
    assert_false(handshake(&t, "T", 0));
    assert_null(side.c);
    assert_non_null(strstr(side.reason, "TLS handshake: TLS error: "));
    tls_client_free(&t);
}

static void clear_bytes_behind_the_request_close(void **state)
{
    (void)state;
    make_server("");
    assert_int_equal(write(client, "T\x20\0\0\2in clear, as if nothing were", 34), 34);
    RUN_UNTIL(loop, !side.c);
    assert_non_null(strstr(side.reason, "TLS handshake: TLS error: "));
    assert_int_equal(side.got.len, 0);
}

static void client_that_goes_during_the_handshake_is_gone(void **state)
{
    (void)state;
    make_server("");
    assert_int_equal(write(client, "T\x16\3\1\2", 5), 5);
    turn(3);
    assert_non_null(side.c);
    shutdown(client, SHUT_RDWR);
    RUN_UNTIL(loop, !side.c);
    assert_string_equal(side.reason, "the peer closed the connection");
}

static void client_certificate_is_checked_if_shown(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool accepted;
    } cases[] = {{NULL, true}, {"known", true}, {"stranger", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (i) {
            tear_down(NULL);
            set_up(NULL);
        }
        write_identity("known", 0600);
        write_identity("stranger", 0600);
        make_server(in_dir("known.pem"));
        struct tls_client t = tls_client_of(TLS1_2_VERSION, TLS1_2_VERSION);
        char file[40];
        if (cases[i].name) {
            snprintf(file, sizeof file, "%s.pem", cases[i].name);
            assert_int_equal(SSL_use_certificate_file(t.ssl, in_dir(file), SSL_FILETYPE_PEM), 1);
            snprintf(file, sizeof file, "%s.key", cases[i].name);
            assert_int_equal(SSL_use_PrivateKey_file(t.ssl, in_dir(file), SSL_FILETYPE_PEM), 1);
        }
        assert_int_equal(handshake(&t, "T", 0), cases[i].accepted);
        if (!cases[i].accepted)
            assert_non_null(strstr(side.reason, "the client's certificate is refused: "));
        tls_client_free(&t);
    }
}

static void server_needs_a_key_that_others_cannot_read(void **state)
{
    (void)state;
    write_identity("server", 0644);
    struct tls_opts opts = {.ca = "", .cert = in_dir("server.pem"), .key = in_dir("server.key")};
    assert_null(tls_server_new(&opts, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.text, "/server.key can be read or written by others (mode 0644): "
                                     "take that from them with chmod o-rwx"));
    chmod(opts.key, 0640);
    tls_free(tls_server_new(&opts, &err));
    opts.key = in_dir("absent.key");
    assert_null(tls_server_new(&opts, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(accept_takes_bytes_and_gives_them),
        T(accept_of_what_is_no_connection_fails_and_closes_it),
        T(drained_comes_once_and_never_inside_flush),
        T(drained_waits_for_a_slow_reader),
        T(drained_is_called_once_in_a_turn),
        T(tls_begins_with_what_came_behind_the_request),
        T(tls_below_12_is_refused),
        T(clear_bytes_behind_the_request_close),
        T(client_that_goes_during_the_handshake_is_gone),
        T(client_certificate_is_checked_if_shown),
        T(server_needs_a_key_that_others_cannot_read),
    };
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    return RUN_TESTS(tests);
}
