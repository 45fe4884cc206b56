/*
 * The login machine against packets of real servers and hostile ones: every way to authenticate,
 * every way to be refused, and that nothing leaves before it may.
 */
#include "check.h"

#include "capture.h"
#include "mysql/auth.h"
#include "mysql/caps.h"
#include "mysql/login_client.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define MYSQL97 "wire-mysql-9.7.txt"
#define MYSQL56 "wire-mysql-5.6.txt"
#define MARIADB "wire-mariadb-10.11.txt"

#define PASSWORD "Repl-secret_7"

static struct err err;

static const struct login_client_opts plain = {
    .user = "repl", .password = PASSWORD, .tls = LOGIN_TLS_OFF};

static const uint8_t ok_packet[] = {0, 0, 0, 2, 0, 0, 0};

static enum login_step feed(struct login_client *lc, const void *p, size_t n)
{
    struct bytes b = capture_copy(bytes_of(p, n));
    enum login_step step = login_client_feed(lc, b, &err);
    capture_free(b);
    return step;
}

static enum login_step feed_text(struct login_client *lc, const char *text)
{
    return feed(lc, text, strlen(text));
}

static enum login_step feed_captured(struct login_client *lc, const char *file, const char *name)
{
    struct bytes b = capture_packet(file, name, 0);
    assert_non_null(b.p);
    enum login_step step = login_client_feed(lc, b, &err);
    capture_free(b);
    return step;
}

static void assert_silent(struct login_client *lc)
{
    struct bytes sent;
    assert_false(login_client_take(lc, &sent));
}

static struct bytes sent_by(struct login_client *lc)
{
    struct bytes sent;
    assert_true(login_client_take(lc, &sent));
    struct bytes kept = sent;
    assert_false(login_client_take(lc, &sent));
    return kept;
}

static void assert_sent(struct login_client *lc, const void *p, size_t n)
{
    struct bytes sent = sent_by(lc);
    assert_int_equal(sent.n, n);
    assert_memory_equal(sent.p, p, n);
}

static void assert_sent_captured(struct login_client *lc, const char *file, const char *name)
{
    struct bytes expected = capture_packet(file, name, 0);
    assert_sent(lc, expected.p, expected.n);
    capture_free(expected);
}

/* The response names user and plugin and has these bytes between them; its capabilities. */
static uint32_t assert_response(struct login_client *lc, const char *user, struct bytes auth,
                                const char *plugin)
{
    struct rd r = rd_of(sent_by(lc));
    uint32_t caps = rd_u32(&r);
    rd_bytes(&r, 28);
    assert_true(bytes_eq(rd_cstr(&r), bytes_str(user)));
    assert_true(bytes_eq(rd_bytes(&r, rd_u8(&r)), auth));
    if (plugin)
        assert_true(bytes_eq(rd_cstr(&r), bytes_str(plugin)));
    assert_false(r.bad);
    assert_int_equal(rd_left(&r), 0);
    return caps;
}

static uint32_t assert_response_captured(struct login_client *lc, const char *file,
                                         const char *scramble, const char *plugin)
{
    struct bytes auth = capture_packet(file, scramble, 0);
    uint32_t caps = assert_response(lc, "repl", auth, plugin);
    capture_free(auth);
    return caps;
}

static void assert_failed(struct login_client *lc, enum login_step step, const char *text)
{
    assert_int_equal(step, LOGIN_FAILED);
    assert_string_equal(err.text, text);
    assert_silent(lc);
    assert_int_equal(feed(lc, ok_packet, sizeof ok_packet), LOGIN_FAILED); /* and for good */
    assert_silent(lc);
}

/* A greeting made by hand: flags beside those that each server has, and a plugin. */
static struct bytes greeting_with(uint32_t caps, const char *plugin)
{
    struct handshake_greeting g = {.server_version = "8.0.36", .thread_id = 5, .charset = 45};
    g.caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | caps;
    memset(g.nonce, 'n', sizeof g.nonce);
    snprintf(g.plugin, sizeof g.plugin, "%s", plugin);
    struct buf out;
    buf_init(&out);
    handshake_greeting_encode(&out, &g);
    struct bytes b = capture_copy(buf_bytes(&out));
    buf_fini(&out);
    return b;
}

static enum login_step greet(struct login_client *lc, uint32_t caps, const char *plugin)
{
    struct bytes b = greeting_with(caps, plugin);
    enum login_step step = login_client_feed(lc, b, &err);
    capture_free(b);
    return step;
}

static struct bytes switch_to(const char *plugin)
{
    struct buf out;
    buf_init(&out);
    wr_u8(&out, 0xfe);
    wr_cstr(&out, plugin);
    wr_cstr(&out, "SSSSSSSSSSSSSSSSSSSS");
    struct bytes b = capture_copy(buf_bytes(&out));
    buf_fini(&out);
    return b;
}

static enum login_step feed_switch(struct login_client *lc, const char *plugin)
{
    struct bytes b = switch_to(plugin);
    enum login_step step = login_client_feed(lc, b, &err);
    capture_free(b);
    return step;
}

/* Native passwords */

static void login_with_native_password_is_what_real_servers_accept(void **state)
{
    (void)state;
    static const char *const files[] = {MYSQL56, MARIADB};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct login_client *lc = login_client_new(&plain);
        assert_silent(lc);
        assert_int_equal(feed_captured(lc, files[i], "native.greeting"), LOGIN_MORE);
        uint32_t caps = assert_response_captured(lc, files[i], "native.scramble", AUTH_NATIVE);
        assert_int_equal(caps & CAP_SSL, 0);
        assert_int_equal(feed_captured(lc, files[i], "native.ok"), LOGIN_DONE);
        assert_silent(lc);
        login_client_free(lc);
    }
}

static void login_gives_the_greeting_to_the_caller(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    feed_captured(lc, MYSQL97, "fast.greeting");
    assert_string_equal(login_client_greeting(lc)->server_version, "9.7.4-2");
    assert_int_equal(login_client_greeting(lc)->thread_id, 15);
    login_client_free(lc);
    login_client_free(NULL);
}

static void login_to_a_server_without_plugins_names_none(void **state)
{
    (void)state;
    uint8_t nonce[HANDSHAKE_NONCE], auth[AUTH_NATIVE_LEN];
    memset(nonce, 'n', sizeof nonce);
    auth_native_scramble(auth, PASSWORD, nonce);
    struct login_client *lc = login_client_new(&plain);
    assert_int_equal(greet(lc, 0, ""), LOGIN_MORE);
    assert_response(lc, "repl", bytes_of(auth, sizeof auth), NULL);
    assert_int_equal(feed(lc, ok_packet, sizeof ok_packet), LOGIN_DONE);
    login_client_free(lc);
}

/* caching_sha2_password */

static void login_with_sha2_known_to_the_server_is_fast(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    assert_int_equal(feed_captured(lc, MYSQL97, "fast.greeting"), LOGIN_MORE);
    assert_response_captured(lc, MYSQL97, "fast.scramble", AUTH_CACHING_SHA2);
    assert_int_equal(feed_captured(lc, MYSQL97, "fast.known"), LOGIN_MORE);
    assert_silent(lc);
    assert_int_equal(feed_captured(lc, MYSQL97, "fast.ok"), LOGIN_DONE);
    assert_silent(lc);
    login_client_free(lc);
}

static void login_with_sha2_over_tls_sends_the_password_in_it(void **state)
{
    (void)state;
    static const enum login_tls modes[] = {LOGIN_TLS_PREFERRED, LOGIN_TLS_REQUIRED};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct login_client_opts opts = plain;
        opts.tls = modes[i];
        struct login_client *lc = login_client_new(&opts);
        assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_WANT_TLS);
        struct bytes sent = sent_by(lc);
        assert_int_equal(sent.n, 32);
        assert_int_equal(le32(sent.p) & CAP_SSL, CAP_SSL);
        uint8_t request[32];
        memcpy(request, sent.p, sizeof request);
        assert_int_equal(login_client_secured(lc, &err), LOGIN_MORE);
        uint32_t caps = assert_response_captured(lc, MYSQL97, "full.scramble", AUTH_CACHING_SHA2);
        assert_int_equal(caps, le32(request)); /* the response repeats the SSLRequest */
        assert_int_equal(feed_captured(lc, MYSQL97, "full.wanted"), LOGIN_MORE);
        assert_sent(lc, PASSWORD, sizeof PASSWORD);
        assert_int_equal(feed_captured(lc, MYSQL97, "full.ok"), LOGIN_DONE);
        login_client_free(lc);
    }
}

static void login_with_sha2_over_a_unix_socket_sends_the_password(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.local = true;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_MORE);
    uint32_t caps = assert_response_captured(lc, MYSQL97, "full.scramble", AUTH_CACHING_SHA2);
    assert_int_equal(caps & CAP_SSL, 0);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.wanted"), LOGIN_MORE);
    assert_sent(lc, PASSWORD, sizeof PASSWORD);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.ok"), LOGIN_DONE);
    login_client_free(lc);
}

static void login_with_sha2_asks_for_the_rsa_key_when_allowed(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.get_public_key = true;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_MORE);
    assert_response_captured(lc, MYSQL97, "full.scramble", AUTH_CACHING_SHA2);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.wanted"), LOGIN_MORE);
    assert_sent_captured(lc, MYSQL97, "full.key_request");
    assert_int_equal(feed_captured(lc, MYSQL97, "full.key"), LOGIN_MORE);
    struct bytes real = capture_packet(MYSQL97, "full.encrypted", 0);
    assert_int_equal(sent_by(lc).n, real.n); /* OAEP is random: only the length can be equal */
    capture_free(real);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.ok"), LOGIN_DONE);
    login_client_free(lc);
}

static char *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    long n = BIO_get_mem_data(bio, &text);
    char *pem = strndup(text, (size_t)n);
    BIO_free(bio);
    return pem;
}

static void assert_decrypts_to_password(EVP_PKEY *key, struct bytes in, const uint8_t *nonce)
{
    uint8_t clear[256];
    size_t n = sizeof clear;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, clear, &n, in.p, in.n), 1);
    EVP_PKEY_CTX_free(ctx);
    assert_int_equal(n, sizeof PASSWORD);
    for (size_t i = 0; i < n; i++)
        clear[i] ^= nonce[i % HANDSHAKE_NONCE];
    assert_memory_equal(clear, PASSWORD, n);
}

static void login_with_sha2_uses_a_pinned_key_without_asking(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    char *pem = pem_of(key);
    struct login_client_opts opts = plain;
    opts.public_key = pem;
    opts.get_public_key = true;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_MORE);
    sent_by(lc);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.wanted"), LOGIN_MORE);
    assert_decrypts_to_password(key, sent_by(lc), login_client_greeting(lc)->nonce);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.ok"), LOGIN_DONE);
    login_client_free(lc);
    free(pem);
    EVP_PKEY_free(key);
}

static void login_with_sha2_after_a_switch_encrypts_with_its_nonce(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    char *pem = pem_of(key);
    struct login_client_opts opts = plain;
    opts.public_key = pem;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(greet(lc, CAP_PLUGIN_AUTH, AUTH_NATIVE), LOGIN_MORE);
    sent_by(lc);
    assert_int_equal(feed_switch(lc, AUTH_CACHING_SHA2), LOGIN_MORE);
    sent_by(lc);
    assert_int_equal(feed(lc, "\1\4", 2), LOGIN_MORE);
    assert_decrypts_to_password(key, sent_by(lc), (const uint8_t *)"SSSSSSSSSSSSSSSSSSSS");
    login_client_free(lc);
    free(pem);
    EVP_PKEY_free(key);
}

static void login_with_sha2_without_a_safe_way_fails(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_MORE);
    sent_by(lc);
    assert_failed(lc, feed_captured(lc, MYSQL97, "full.wanted"),
                  "caching_sha2_password needs a secure connection: use ssl_mode=required, or set "
                  "get_public_key=on, or pin the server's key with public_key_file");
    login_client_free(lc);
}

static void login_with_a_pinned_key_that_is_no_key_fails(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.public_key = "no key";
    struct login_client *lc = login_client_new(&opts);
    feed_captured(lc, MYSQL97, "full.greeting");
    sent_by(lc);
    assert_failed(lc, feed_captured(lc, MYSQL97, "full.wanted"),
                  "the RSA public key is not readable as PEM");
    login_client_free(lc);
}

static struct login_client *login_awaiting_the_key(struct login_client_opts *opts)
{
    *opts = plain;
    opts->get_public_key = true;
    struct login_client *lc = login_client_new(opts);
    feed_captured(lc, MYSQL97, "full.greeting");
    sent_by(lc);
    feed_captured(lc, MYSQL97, "full.wanted");
    sent_by(lc);
    return lc;
}

static void login_given_no_key_when_asked_fails(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"", 0, "the server did not send its RSA public key"},
        {"\0\0\0\2\0\0\0", 7, "the server did not send its RSA public key"},
        {"\xfesha256_password\0", 17, "the server did not send its RSA public key"},
        {"\1", 1, "the RSA public key is not readable as PEM"},
        {"\1\4", 2, "the RSA public key is not readable as PEM"},
        {"\xff\xe8\x03#HY000key lost", 17, "the source refuses the login: error 1000: key lost"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct login_client_opts opts;
        struct login_client *lc = login_awaiting_the_key(&opts);
        assert_failed(lc, feed(lc, cases[i].bytes, cases[i].n), cases[i].text);
        login_client_free(lc);
    }
}

static void feed_cut_key(struct bytes cut, void *arg)
{
    (void)arg;
    struct login_client_opts opts;
    struct login_client *lc = login_awaiting_the_key(&opts);
    assert_int_equal(login_client_feed(lc, cut, &err), LOGIN_FAILED);
    assert_silent(lc);
    login_client_free(lc);
}

static void login_given_a_cut_key_fails(void **state)
{
    (void)state;
    struct bytes key = capture_packet(MYSQL97, "full.key", 0);
    struct bytes but_newline = bytes_of(key.p, key.n - 1);
    capture_truncate(but_newline, feed_cut_key, NULL);
    capture_free(key);
}

/* No password */

static void login_without_a_password_sends_no_scramble(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.user = "nopw";
    opts.password = "";
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(feed_captured(lc, MYSQL97, "nopw.greeting"), LOGIN_MORE);
    assert_response(lc, "nopw", bytes_of("", 0), AUTH_CACHING_SHA2);
    assert_int_equal(feed_captured(lc, MYSQL97, "nopw.ok"), LOGIN_DONE);
    login_client_free(lc);
}

static void login_without_a_password_answers_a_switch(void **state)
{
    (void)state;
    static const struct {
        const char *plugin;
        size_t n;
    } cases[] = {{AUTH_NATIVE, 0}, {AUTH_CACHING_SHA2, 1}};
    struct login_client_opts opts = plain;
    opts.password = "";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct login_client *lc = login_client_new(&opts);
        greet(lc, CAP_PLUGIN_AUTH, "sha256_password");
        sent_by(lc);
        assert_int_equal(feed_switch(lc, cases[i].plugin), LOGIN_MORE);
        struct bytes sent = sent_by(lc);
        assert_true(bytes_eq(sent, bytes_of("\0", cases[i].n)));
        login_client_free(lc);
    }
}

/* Switch of plugin */

static void login_follows_a_switch_as_real_servers_accept(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *first; /* the plugin of a greeting made by hand, so that a switch is due */
    } cases[] = {{MYSQL97, AUTH_NATIVE},
                 {MYSQL56, AUTH_CACHING_SHA2},
                 {MARIADB, AUTH_CACHING_SHA2},
                 {MYSQL97, "authentication_ldap_sasl_client"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct login_client *lc = login_client_new(&plain);
        assert_int_equal(greet(lc, CAP_PLUGIN_AUTH, cases[i].first), LOGIN_MORE);
        sent_by(lc);
        assert_int_equal(feed_captured(lc, cases[i].file, "switch.request"), LOGIN_MORE);
        assert_sent_captured(lc, cases[i].file, "switch.scramble");
        if (strcmp(cases[i].file, MYSQL97) == 0) {
            assert_int_equal(feed_captured(lc, MYSQL97, "switch.known"), LOGIN_MORE);
            assert_silent(lc);
        }
        assert_int_equal(feed_captured(lc, cases[i].file, "switch.ok"), LOGIN_DONE);
        login_client_free(lc);
    }
}

static void login_switched_twice_fails(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    greet(lc, CAP_PLUGIN_AUTH, AUTH_CACHING_SHA2);
    sent_by(lc);
    assert_int_equal(feed_switch(lc, AUTH_NATIVE), LOGIN_MORE);
    sent_by(lc);
    assert_failed(lc, feed_switch(lc, AUTH_CACHING_SHA2),
                  "the server switches the authentication plugin twice");
    login_client_free(lc);
}

static void login_switched_to_an_unknown_plugin_fails(void **state)
{
    (void)state;
    static const char *const plugins[] = {"mysql_clear_password", "sha256_password",
                                          "client_ed25519", "mysql_old_password", ""};
    for (size_t i = 0; i < COUNT_OF(plugins); i++) {
        for (int secure = 0; secure < 2; secure++) {
            struct login_client_opts opts = plain;
            opts.local = secure;
            char text[200];
            snprintf(text, sizeof text,
                     "the server wants the authentication plugin \"%s\": make the account use "
                     "caching_sha2_password or mysql_native_password",
                     plugins[i]);
            struct login_client *lc = login_client_new(&opts);
            greet(lc, CAP_PLUGIN_AUTH, AUTH_CACHING_SHA2);
            sent_by(lc);
            enum login_step step = feed_switch(lc, plugins[i]);
            assert_int_equal(err.kind, ERR_LONG);
            assert_failed(lc, step, text);
            login_client_free(lc);
        }
    }
}

static void login_switched_in_the_old_way_fails(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    greet(lc, CAP_PLUGIN_AUTH, AUTH_NATIVE);
    sent_by(lc);
    assert_failed(lc, feed(lc, "\xfe", 1), "malformed request to switch the authentication plugin");
    login_client_free(lc);
}

static void feed_cut_switch(struct bytes cut, void *arg)
{
    (void)arg;
    struct login_client *lc = login_client_new(&plain);
    greet(lc, CAP_PLUGIN_AUTH, AUTH_CACHING_SHA2);
    sent_by(lc);
    size_t name = 1 + sizeof AUTH_NATIVE;
    assert_int_equal(login_client_feed(lc, cut, &err), cut.n < name ? LOGIN_FAILED : LOGIN_MORE);
    login_client_free(lc);
}

static void login_given_a_cut_switch_fails(void **state)
{
    (void)state;
    struct bytes b = capture_packet(MYSQL56, "switch.request", 0);
    capture_truncate(b, feed_cut_switch, NULL);
    capture_free(b);
}

/* Refusals */

static void login_refused_instead_of_the_greeting_fails(void **state)
{
    (void)state;
    static const enum login_tls modes[] = {LOGIN_TLS_OFF, LOGIN_TLS_PREFERRED, LOGIN_TLS_REQUIRED};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct login_client_opts opts = plain;
        opts.tls = modes[i];
        struct login_client *lc = login_client_new(&opts);
        assert_failed(lc, feed_captured(lc, MYSQL97, "too_many"),
                      "the source refuses the login: error 1040: Too many connections");
        login_client_free(lc);
    }
}

static void login_refused_for_want_of_tls_says_what_to_set(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    feed_captured(lc, MYSQL97, "insecure.greeting");
    assert_response_captured(lc, MYSQL97, "insecure.scramble", AUTH_CACHING_SHA2);
    assert_int_equal(feed_captured(lc, MYSQL97, "insecure.known"), LOGIN_MORE);
    assert_failed(lc, feed_captured(lc, MYSQL97, "insecure.error"),
                  "the source refuses the login: error 3159: Connections using insecure transport "
                  "are prohibited while --require_secure_transport=ON. (set ssl_mode=required in "
                  "[dumper])");
    login_client_free(lc);
}

#define DENIED                                                                                     \
    "the source refuses the login: error 1045: Access denied for user 'repl'@'localhost' (using "  \
    "password: YES) (check user and password in [dumper], and the account's host on the source)"

static void login_denied_at_any_stage_says_what_to_check(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.get_public_key = true;
    static const char *const stages[][3] = {
        {NULL},
        {"full.greeting", NULL},
        {"full.greeting", "full.wanted", NULL},
        {"fast.greeting", "fast.known", NULL},
        {"switch.greeting", "switch.request", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        struct login_client *lc = login_client_new(&opts);
        struct bytes sent;
        for (const char *const *name = stages[i]; *name; name++) {
            assert_int_equal(feed_captured(lc, MYSQL97, *name), LOGIN_MORE);
            login_client_take(lc, &sent);
        }
        assert_failed(lc, feed_captured(lc, MARIADB, "denied.error"), DENIED);
        login_client_free(lc);
    }
}

static void login_denied_behind_the_encrypted_password_fails(void **state)
{
    (void)state;
    struct login_client_opts opts;
    struct login_client *lc = login_awaiting_the_key(&opts);
    assert_int_equal(feed_captured(lc, MYSQL97, "full.key"), LOGIN_MORE);
    sent_by(lc);
    assert_failed(lc, feed_captured(lc, MARIADB, "denied.error"), DENIED);
    login_client_free(lc);
}

/* TLS */

static void login_with_tls_required_but_not_offered_sends_nothing(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.tls = LOGIN_TLS_REQUIRED;
    struct login_client *lc = login_client_new(&opts);
    enum login_step step = feed_captured(lc, MYSQL56, "native.greeting");
    assert_int_equal(err.kind, ERR_LONG);
    assert_failed(lc, step,
                  "the server does not offer TLS, which ssl_mode asks for: give it a certificate, "
                  "or set ssl_mode=preferred");
    assert_int_equal(login_client_secured(lc, &err), LOGIN_FAILED);
    assert_silent(lc);
    login_client_free(lc);
}

static void login_with_tls_preferred_but_not_offered_goes_on_in_clear(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.tls = LOGIN_TLS_PREFERRED;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(feed_captured(lc, MYSQL56, "native.greeting"), LOGIN_MORE);
    uint32_t caps = assert_response_captured(lc, MYSQL56, "native.scramble", AUTH_NATIVE);
    assert_int_equal(caps & CAP_SSL, 0);
    assert_int_equal(feed_captured(lc, MYSQL56, "native.ok"), LOGIN_DONE);
    login_client_free(lc);
}

static void login_with_tls_off_ignores_the_offer(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    assert_int_equal(feed_captured(lc, MYSQL97, "fast.greeting"), LOGIN_MORE);
    assert_int_equal(
        assert_response_captured(lc, MYSQL97, "fast.scramble", AUTH_CACHING_SHA2) & CAP_SSL, 0);
    login_client_free(lc);
}

/* Whatever a server, or somebody between, says in clear before TLS is up gets no answer but the
 * SSLRequest, which holds neither user nor password. */
static void login_with_tls_required_sends_only_the_request_before_it(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *name;
        const char *text;
    } cases[] = {
        {MYSQL97, "fast.known", "a packet came when none may come"},
        {MYSQL97, "full.wanted", "a packet came when none may come"},
        {MYSQL97, "fast.ok", "a packet came when none may come"},
        {MYSQL97, "full.greeting", "a packet came when none may come"},
        {MYSQL56, "switch.request", "a packet came when none may come"},
        {MYSQL97, "full.key", "a packet came when none may come"},
        {MARIADB, "denied.error", DENIED},
    };
    struct login_client_opts opts = plain;
    opts.tls = LOGIN_TLS_REQUIRED;
    opts.get_public_key = true;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct login_client *lc = login_client_new(&opts);
        assert_int_equal(feed_captured(lc, MYSQL97, "full.greeting"), LOGIN_WANT_TLS);
        struct bytes sent = sent_by(lc);
        assert_int_equal(sent.n, 32);
        assert_null(memmem(sent.p, sent.n, "repl", 4));
        assert_failed(lc, feed_captured(lc, cases[i].file, cases[i].name), cases[i].text);
        assert_int_equal(login_client_secured(lc, &err), LOGIN_FAILED);
        assert_silent(lc);
        login_client_free(lc);
    }
}

static void login_secured_when_not_asked_fails(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    assert_failed(lc, login_client_secured(lc, &err), "TLS was not asked for");
    login_client_free(lc);
}

static void login_with_native_password_over_tls_is_done(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.tls = LOGIN_TLS_REQUIRED;
    struct login_client *lc = login_client_new(&opts);
    assert_int_equal(greet(lc, CAP_PLUGIN_AUTH | CAP_SSL, AUTH_NATIVE), LOGIN_WANT_TLS);
    sent_by(lc);
    assert_int_equal(login_client_secured(lc, &err), LOGIN_MORE);
    assert_int_equal(sent_by(lc).n, 32 + 5 + 1 + AUTH_NATIVE_LEN + sizeof AUTH_NATIVE);
    assert_int_equal(feed(lc, ok_packet, sizeof ok_packet), LOGIN_DONE);
    login_client_free(lc);
}

/* Garbage */

static void login_given_garbage_for_an_answer_fails(void **state)
{
    (void)state;
    static const char unexpected[] = "unexpected packet in the authentication";
    static const char data[] = "unexpected data in the authentication";
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"", 0, unexpected},
        {"\xfb/etc/passwd", 12, unexpected}, /* LOCAL INFILE */
        {"\2", 1, unexpected},
        {"\x0a"
         "8.0.36",
         7, unexpected},
        {"\1", 1, data},
        {"\1\0", 2, data},
        {"\1\5", 2, data},
        {"\1\4\0", 3, data},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct login_client *lc = login_client_new(&plain);
        feed_captured(lc, MYSQL97, "full.greeting");
        sent_by(lc);
        assert_failed(lc, feed(lc, cases[i].bytes, cases[i].n), cases[i].text);
        login_client_free(lc);
    }
}

static void login_asked_by_native_for_sha2_data_fails(void **state)
{
    (void)state;
    struct login_client_opts opts = plain;
    opts.local = true;
    struct login_client *lc = login_client_new(&opts);
    feed_captured(lc, MYSQL56, "native.greeting");
    sent_by(lc);
    assert_failed(lc, feed(lc, "\1\4", 2), "unexpected data in the authentication");
    login_client_free(lc);
}

static void login_given_a_malformed_greeting_fails(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    assert_failed(lc, feed_text(lc, "HTTP/1.1 400 Bad Request\r\n"),
                  "greeting of protocol version 72, only 10 is known");
    login_client_free(lc);
}

static void feed_cut_greeting(struct bytes cut, void *arg)
{
    (void)arg;
    struct login_client_opts opts = plain;
    opts.tls = LOGIN_TLS_REQUIRED;
    struct login_client *lc = login_client_new(&opts);
    enum login_step step = login_client_feed(lc, cut, &err);
    if (step == LOGIN_FAILED)
        assert_silent(lc);
    else /* cut within the plugin's name */
        assert_int_equal(step, LOGIN_WANT_TLS);
    login_client_free(lc);
}

static void login_given_a_cut_greeting_fails_or_asks_for_tls(void **state)
{
    (void)state;
    struct bytes b = capture_packet(MYSQL97, "full.greeting", 0);
    capture_truncate(b, feed_cut_greeting, NULL);
    capture_free(b);
}

static void login_that_is_done_takes_no_further_packet(void **state)
{
    (void)state;
    struct login_client *lc = login_client_new(&plain);
    feed_captured(lc, MYSQL56, "native.greeting");
    sent_by(lc);
    assert_int_equal(feed(lc, ok_packet, sizeof ok_packet), LOGIN_DONE);
    assert_failed(lc, feed(lc, ok_packet, sizeof ok_packet), "a packet came when none may come");
    login_client_free(lc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_with_native_password_is_what_real_servers_accept),
        cmocka_unit_test(login_gives_the_greeting_to_the_caller),
        cmocka_unit_test(login_to_a_server_without_plugins_names_none),
        cmocka_unit_test(login_with_sha2_known_to_the_server_is_fast),
        cmocka_unit_test(login_with_sha2_over_tls_sends_the_password_in_it),
        cmocka_unit_test(login_with_sha2_over_a_unix_socket_sends_the_password),
        cmocka_unit_test(login_with_sha2_asks_for_the_rsa_key_when_allowed),
        cmocka_unit_test(login_with_sha2_uses_a_pinned_key_without_asking),
        cmocka_unit_test(login_with_sha2_after_a_switch_encrypts_with_its_nonce),
        cmocka_unit_test(login_with_sha2_without_a_safe_way_fails),
        cmocka_unit_test(login_with_a_pinned_key_that_is_no_key_fails),
        cmocka_unit_test(login_given_no_key_when_asked_fails),
        cmocka_unit_test(login_given_a_cut_key_fails),
        cmocka_unit_test(login_without_a_password_sends_no_scramble),
        cmocka_unit_test(login_without_a_password_answers_a_switch),
        cmocka_unit_test(login_follows_a_switch_as_real_servers_accept),
        cmocka_unit_test(login_switched_twice_fails),
        cmocka_unit_test(login_switched_to_an_unknown_plugin_fails),
        cmocka_unit_test(login_switched_in_the_old_way_fails),
        cmocka_unit_test(login_given_a_cut_switch_fails),
        cmocka_unit_test(login_refused_instead_of_the_greeting_fails),
        cmocka_unit_test(login_refused_for_want_of_tls_says_what_to_set),
        cmocka_unit_test(login_denied_at_any_stage_says_what_to_check),
        cmocka_unit_test(login_denied_behind_the_encrypted_password_fails),
        cmocka_unit_test(login_with_tls_required_but_not_offered_sends_nothing),
        cmocka_unit_test(login_with_tls_preferred_but_not_offered_goes_on_in_clear),
        cmocka_unit_test(login_with_tls_off_ignores_the_offer),
        cmocka_unit_test(login_with_tls_required_sends_only_the_request_before_it),
        cmocka_unit_test(login_secured_when_not_asked_fails),
        cmocka_unit_test(login_with_native_password_over_tls_is_done),
        cmocka_unit_test(login_given_garbage_for_an_answer_fails),
        cmocka_unit_test(login_asked_by_native_for_sha2_data_fails),
        cmocka_unit_test(login_given_a_malformed_greeting_fails),
        cmocka_unit_test(login_given_a_cut_greeting_fails_or_asks_for_tls),
        cmocka_unit_test(login_that_is_done_takes_no_further_packet),
    };
    return RUN_TESTS(tests);
}
