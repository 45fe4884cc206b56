/*
 * The two login machines against each other in memory, and the server's one against what no
 * honest client sends.
 */
#include "check.h"

#include "capture.h"
#include "mysql/caps.h"
#include "mysql/errcode.h"
#include "mysql/lenenc.h"
#include "mysql/login_client.h"
#include "mysql/login_server.h"
#include "mysql/reply.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#define PASSWORD "Repl-secret_7"
#define ROUNDS   3000

#define CAPS_MODERN                                                                                \
    (CAP_LONG_PASSWORD | CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH |               \
     CAP_PLUGIN_AUTH_LENENC)

static struct err err;
static struct auth_rsa_key *rsa;
static struct account_list *accounts;

static const struct account *find(void *ctx, const char *user)
{
    (void)ctx;
    const struct account *decoy = account_list_decoy(accounts, user);
    const struct account *a = account_list_find(accounts, user);
    return a ? a : decoy;
}

static const struct login_server_opts plain = {
    .version = "9.7.4-binlogd",
    .connection_id = 77,
    .host = "192.0.2.1",
    .find = find,
};

static struct login_server_opts with_tls(enum login_server_tls tls)
{
    struct login_server_opts opts = plain;
    opts.tls = tls;
    return opts;
}

static void add_account(const char *name, enum auth_plugin plugin)
{
    struct account a;
    assert_int_equal(account_init(&a, name, PASSWORD, plugin, &err), 0);
    a.rights = 5;
    assert_int_equal(account_list_add(accounts, &a, &err), 0);
    account_fini(&a);
}

/* "sha" and "nat" are there, after the plugins. */
static int set_up(void **state)
{
    (void)state;
    accounts = account_list_new();
    add_account("sha", AUTH_PLUGIN_CACHING_SHA2);
    add_account("nat", AUTH_PLUGIN_NATIVE);
    err = (struct err){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    account_list_free(accounts);
    return 0;
}

/* A step behind the check of a password, if there is one. */
static enum login_step checked(struct login_server *ls, enum login_step step, struct err *e)
{
    struct login_check check;
    if (step != LOGIN_WANT_CHECK)
        return step;
    login_server_take_check(ls, &check);
    login_check_run(&check);
    bool right = check.right;
    login_check_fini(&check);
    return login_server_checked(ls, right, e);
}

/* From memory of exactly the right size, so that a read past the end is found. */
static enum login_step feed(struct login_server *ls, struct bytes payload)
{
    struct bytes copy = capture_copy(payload);
    enum login_step step = checked(ls, login_server_feed(ls, copy, &err), &err);
    capture_free(copy);
    return step;
}

/* ---- machine against machine ---- */

/* Changes what the client sends in its answer to the greeting. */
enum tamper { AS_IT_IS, NO_SCRAMBLE };

struct talk {
    struct login_server_opts server;
    struct login_client_opts client;
    enum tamper tamper;
    bool client_done;
    bool server_done;
    bool secured;
    struct login_server *ls;
    struct login_client *lc;
    struct err client_err;
    struct err server_err;
    struct buf told; /* by the server, with lengths between */
};

static void rewrite_answer(struct talk *t, struct bytes sent, struct buf *out)
{
    struct handshake_answer a;
    char user[64], plugin[64];
    assert_int_equal(handshake_answer_decode(&a, sent, UINT32_MAX, &err), 0);
    assert_int_equal(bytes_to_str(a.user, user, sizeof user), 0);
    assert_int_equal(bytes_to_str(a.plugin, plugin, sizeof plugin), 0);
    struct handshake_response r = {.caps = a.caps,
                                   .user = user,
                                   .plugin = plugin,
                                   .auth = bytes_str("?"),
                                   .charset = a.charset};
    handshake_response_encode(out, &r);
    t->tamper = AS_IT_IS;
}

static void server_acts(struct talk *t, enum login_step step)
{
    struct err e = {0};
    if (step == LOGIN_WANT_TLS) {
        t->secured = true;
        assert_int_equal(login_server_secured(t->ls, &e), LOGIN_MORE);
        assert_int_equal(login_client_secured(t->lc, &e), LOGIN_MORE);
    }
    t->server_done = step == LOGIN_DONE;
}

static void client_to_server(struct talk *t)
{
    struct bytes payload;
    while (login_client_take(t->lc, &payload)) {
        struct buf changed = {0};
        if (t->tamper == NO_SCRAMBLE && payload.n > 32)
            rewrite_answer(t, payload, &changed);
        else
            wr_bytes(&changed, payload);
        enum login_step step = login_server_feed(t->ls, buf_bytes(&changed), &t->server_err);
        server_acts(t, checked(t->ls, step, &t->server_err));
        buf_fini_secret(&changed);
    }
}

static void server_to_client(struct talk *t)
{
    struct bytes payload;
    while (login_server_take(t->ls, &payload)) {
        wr_u32(&t->told, (uint32_t)payload.n);
        wr_bytes(&t->told, payload);
        enum login_step step = login_client_feed(t->lc, payload, &t->client_err);
        t->client_done = step == LOGIN_DONE;
    }
}

static void converse(struct talk *t)
{
    t->client_done = t->server_done = t->secured = false;
    t->ls = login_server_new(&t->server);
    t->lc = login_client_new(&t->client);
    for (int turn = 0; turn < 10; turn++) {
        server_to_client(t);
        client_to_server(t);
    }
}

static void talk_fini(struct talk *t)
{
    login_server_free(t->ls);
    login_client_free(t->lc);
    buf_fini(&t->told);
}

static struct talk talk_of(const char *user, const char *password, enum login_server_tls server_tls,
                           enum login_tls client_tls)
{
    struct talk t = {
        .server = with_tls(server_tls),
        .client = {.user = user, .password = password, .tls = client_tls},
    };
    t.server.rsa = rsa;
    return t;
}

static void login_with_the_right_password_succeeds_everywhere(void **state)
{
    (void)state;
    static const struct {
        enum login_server_tls server;
        enum login_tls client;
        bool local;
        bool secured;
    } ways[] = {
        {LOGIN_SERVER_TLS_OFF, LOGIN_TLS_OFF, false, false},
        {LOGIN_SERVER_TLS_OFF, LOGIN_TLS_PREFERRED, false, false},
        {LOGIN_SERVER_TLS_OFFERED, LOGIN_TLS_OFF, false, false},
        {LOGIN_SERVER_TLS_OFFERED, LOGIN_TLS_PREFERRED, false, true},
        {LOGIN_SERVER_TLS_REQUIRED, LOGIN_TLS_REQUIRED, false, true},
        {LOGIN_SERVER_TLS_REQUIRED, LOGIN_TLS_OFF, true, false},
        {LOGIN_SERVER_TLS_REQUIRED, LOGIN_TLS_REQUIRED, true, true},
    };
    static const char *const users[] = {"sha", "nat"};
    for (size_t i = 0; i < COUNT_OF(ways) * 2; i++) {
        const char *user = users[i % 2];
        struct talk t = talk_of(user, PASSWORD, ways[i / 2].server, ways[i / 2].client);
        t.server.local = t.client.local = ways[i / 2].local;
        converse(&t);
        assert_string_equal(t.client_err.text, "");
        assert_true(t.client_done);
        assert_true(t.server_done);
        assert_int_equal(t.secured, ways[i / 2].secured);
        assert_string_equal(login_server_user(t.ls), user);
        assert_string_equal(login_server_account(t.ls)->name, user);
        assert_int_equal(login_server_account(t.ls)->rights, 5);
        assert_string_equal(login_server_database(t.ls), "");
        assert_false(login_server_denied(t.ls));
        talk_fini(&t);
    }
}

/* How the password itself travels when no scramble came. */
enum full_way { FULL_TLS, FULL_LOCAL, FULL_RSA_ASKED, FULL_RSA_PINNED };

static struct talk full_talk(enum full_way way, const char *user, const char *password, char *pem)
{
    struct talk t = talk_of(user, password, LOGIN_SERVER_TLS_OFFERED,
                            way == FULL_TLS ? LOGIN_TLS_REQUIRED : LOGIN_TLS_OFF);
    t.tamper = NO_SCRAMBLE;
    t.server.local = t.client.local = way == FULL_LOCAL;
    t.client.get_public_key = way == FULL_RSA_ASKED;
    t.client.public_key = way == FULL_RSA_PINNED ? pem : NULL;
    return t;
}

static char *public_pem(void)
{
    struct bytes pem = auth_rsa_key_public(rsa);
    char *text = calloc(1, pem.n + 1);
    memcpy(text, pem.p, pem.n);
    return text;
}

static void login_without_scramble_takes_the_password_itself(void **state)
{
    (void)state;
    char *pem = public_pem();
    for (enum full_way way = FULL_TLS; way <= FULL_RSA_PINNED; way++) {
        struct talk t = full_talk(way, "sha", PASSWORD, pem);
        converse(&t);
        assert_string_equal(t.client_err.text, "");
        assert_true(t.client_done && t.server_done);
        talk_fini(&t);
        t = full_talk(way, "sha", "Repl-secret_8", pem);
        converse(&t);
        assert_false(t.client_done || t.server_done);
        assert_non_null(strstr(t.client_err.text, "(using password: YES)"));
        assert_true(login_server_denied(t.ls));
        talk_fini(&t);
    }
    free(pem);
}

static void login_without_scramble_or_a_way_to_ask_is_denied(void **state)
{
    (void)state;
    struct talk t = talk_of("sha", PASSWORD, LOGIN_SERVER_TLS_OFF, LOGIN_TLS_OFF);
    t.server.rsa = NULL;
    t.tamper = NO_SCRAMBLE;
    converse(&t);
    assert_false(t.server_done);
    assert_non_null(strstr(t.client_err.text, "error 1045: Access denied for user 'sha'@"));
    talk_fini(&t);
}

/* Blanks the nonce of a greeting or switch, and the user's name wherever it stands. */
static void blank(struct buf *told, const char *user)
{
    uint8_t *p = told->data + told->off;
    size_t n = strlen(user);
    for (size_t i = 0; i + n <= told->len; i++)
        if (memcmp(p + i, user, n) == 0)
            memset(p + i, '*', n);
    struct rd r = rd_of(buf_bytes(told));
    while (rd_left(&r)) {
        uint32_t size = rd_u32(&r);
        uint8_t *payload = p + (r.p - p);
        rd_take(&r, size);
        if (payload[0] == 10) {
            memset(payload + 1 + strlen(plain.version) + 1 + 4, 0, 8);
            memset(payload + size - sizeof AUTH_CACHING_SHA2 - 13, 0, 12);
        } else if (payload[0] == 0xfe) {
            memset(payload + size - 21, 0, 20);
        }
    }
}

static void refusals_of_a_wrong_password_and_of_an_unknown_user_are_the_same(void **state)
{
    (void)state;
    char *pem = public_pem();
    static const enum auth_plugin plugins[] = {AUTH_PLUGIN_NATIVE, AUTH_PLUGIN_CACHING_SHA2};
    for (size_t i = 0; i < COUNT_OF(plugins) * 10; i++) {
        bool full = i / 2 >= 1 && i / 2 <= 4;
        const char *password = i / 2 == 6 ? "" : "wrong";
        account_list_free(accounts);
        accounts = account_list_new();
        add_account("known", plugins[i % 2]);
        struct talk a = talk_of("known", password, LOGIN_SERVER_TLS_OFFERED,
                                i / 2 == 5 ? LOGIN_TLS_REQUIRED : LOGIN_TLS_OFF);
        struct talk b = a;
        if (full) {
            a = full_talk(i / 2 - 1, "known", password, pem);
            b = full_talk(i / 2 - 1, "other", password, pem);
        }
        b.client.user = "other";
        converse(&a);
        converse(&b);
        assert_false(a.server_done || b.server_done);
        blank(&a.told, "known");
        blank(&b.told, "other");
        assert_int_equal(a.told.len, b.told.len);
        assert_memory_equal(buf_bytes(&a.told).p, buf_bytes(&b.told).p, a.told.len);
        talk_fini(&a);
        talk_fini(&b);
    }
    free(pem);
}

static unsigned asked;

static bool admit_nobody(void *ctx, const struct account *account)
{
    (void)ctx;
    asked += *account->name != 0;
    return false;
}

/* Asked only when the password is right, whatever way it came. */
static void account_that_has_enough_connections_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password;
        unsigned asked;
    } cases[] = {{"sha", PASSWORD, 1}, {"nat", PASSWORD, 1}, {"sha", "wrong", 0}, {"x", "y", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct talk t =
            talk_of(cases[i].user, cases[i].password, LOGIN_SERVER_TLS_OFF, LOGIN_TLS_OFF);
        t.server.admit = admit_nobody;
        asked = 0;
        converse(&t);
        assert_false(t.server_done || t.client_done);
        assert_int_equal(asked, cases[i].asked);
        const char *said = strstr(t.client_err.text, "error 1203: User ");
        assert_int_equal(said != NULL, cases[i].asked);
        assert_int_equal(login_server_denied(t.ls), !cases[i].asked);
        talk_fini(&t);
    }
}

static void refusal_names_user_host_and_whether_a_password_came(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password, *text, *log;
    } cases[] = {
        {"sha", "x", "Access denied for user 'sha'@'192.0.2.1' (using password: YES)", "wrong"},
        {"nat", "x", "Access denied for user 'nat'@'192.0.2.1' (using password: YES)", "wrong"},
        {"sha", "", "Access denied for user 'sha'@'192.0.2.1' (using password: NO)", "no pass"},
        {"nat", "", "Access denied for user 'nat'@'192.0.2.1' (using password: NO)", "no pass"},
        {"", PASSWORD, "Access denied for user ''@'192.0.2.1' (using password: YES)", "no such"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct talk t =
            talk_of(cases[i].user, cases[i].password, LOGIN_SERVER_TLS_OFF, LOGIN_TLS_OFF);
        converse(&t);
        assert_false(t.server_done);
        assert_non_null(strstr(t.client_err.text, cases[i].text));
        assert_non_null(strstr(t.server_err.text, cases[i].text));
        assert_non_null(strstr(t.server_err.text, cases[i].log));
        assert_true(login_server_denied(t.ls));
        talk_fini(&t);
    }
}

static void login_in_clear_where_tls_is_required_is_refused(void **state)
{
    (void)state;
    struct talk t = talk_of("sha", PASSWORD, LOGIN_SERVER_TLS_REQUIRED, LOGIN_TLS_OFF);
    converse(&t);
    assert_false(t.server_done);
    assert_non_null(strstr(t.client_err.text,
                           "error 3159: Connections using insecure transport are prohibited while "
                           "--require_secure_transport=ON."));
    assert_false(login_server_denied(t.ls));
    assert_string_equal(login_server_user(t.ls), "");
    talk_fini(&t);
}

/* ---- the server's machine alone ---- */

struct visit {
    struct login_server *ls;
    struct handshake_greeting greeting;
    struct bytes told; /* the last payload of the server */
};

static struct visit visit(const struct login_server_opts *opts)
{
    struct visit v = {.ls = login_server_new(opts)};
    assert_true(login_server_take(v.ls, &v.told));
    assert_int_equal(handshake_greeting_decode(&v.greeting, v.told, &err), 0);
    struct bytes more;
    assert_false(login_server_take(v.ls, &more));
    return v;
}

static enum login_step say(struct visit *v, struct bytes payload)
{
    enum login_step step = feed(v->ls, payload);
    while (login_server_take(v->ls, &v->told))
        ;
    return step;
}

static void assert_told_err(const struct visit *v, uint16_t code, const char *text)
{
    struct reply_err e;
    assert_true(reply_is_err(v->told));
    reply_err_decode(&e, v->told);
    assert_int_equal(e.code, code);
    assert_string_equal(e.message, text);
}

struct answer {
    uint32_t caps;
    const char *user;
    struct bytes auth;
    const char *database;
    const char *plugin;
    struct bytes attrs; /* with their length */
};

/* As a client writes it, in each of the forms that caps ask for. */
static void write_answer(struct buf *out, const struct answer *a)
{
    wr_u32(out, a->caps);
    wr_u32(out, 1u << 24);
    wr_u8(out, 45);
    wr_zero(out, 23);
    wr_cstr(out, a->user);
    if (a->caps & CAP_PLUGIN_AUTH_LENENC)
        lenenc_int_encode(out, a->auth.n);
    else if (a->caps & CAP_SECURE_CONNECTION)
        wr_u8(out, (uint8_t)a->auth.n);
    wr_bytes(out, a->auth);
    if (!(a->caps & (CAP_PLUGIN_AUTH_LENENC | CAP_SECURE_CONNECTION)))
        wr_u8(out, 0);
    if (a->database)
        wr_cstr(out, a->database);
    if (a->plugin)
        wr_cstr(out, a->plugin);
    wr_bytes(out, a->attrs);
}

static enum login_step say_answer(struct visit *v, const struct answer *a)
{
    struct buf out = {0};
    write_answer(&out, a);
    enum login_step step = say(v, buf_bytes(&out));
    buf_fini(&out);
    return step;
}

static void greeting_offers_what_is_honoured(void **state)
{
    (void)state;
    struct login_server_opts opts = with_tls(LOGIN_SERVER_TLS_OFFERED);
    struct visit v = visit(&plain), w = visit(&opts);
    assert_string_equal(v.greeting.server_version, "9.7.4-binlogd");
    assert_int_equal(v.greeting.thread_id, 77);
    assert_int_equal(v.greeting.status, REPLY_STATUS_AUTOCOMMIT);
    assert_string_equal(v.greeting.plugin, AUTH_CACHING_SHA2);
    assert_int_equal(v.greeting.caps, CAPS_MODERN | CAP_LONG_FLAG | CAP_CONNECT_WITH_DB |
                                          CAP_INTERACTIVE | CAP_TRANSACTIONS | CAP_MULTI_RESULTS |
                                          CAP_CONNECT_ATTRS);
    assert_int_equal(w.greeting.caps, v.greeting.caps | CAP_SSL);
    login_server_free(v.ls);
    login_server_free(w.ls);
}

static void greeting_cuts_a_long_version(void **state)
{
    (void)state;
    char text[300];
    memset(text, '8', sizeof text - 1);
    text[sizeof text - 1] = 0;
    struct login_server_opts opts = plain;
    opts.version = text;
    struct visit v = visit(&opts);
    assert_int_equal(strlen(v.greeting.server_version), HANDSHAKE_VERSION_MAX - 1);
    login_server_free(v.ls);
}

static void nonce_is_new_each_time_and_plain_text(void **state)
{
    (void)state;
    uint8_t last[HANDSHAKE_NONCE] = {0};
    for (int i = 0; i < 500; i++) {
        struct visit v = visit(&plain);
        assert_memory_not_equal(v.greeting.nonce, last, sizeof last);
        memcpy(last, v.greeting.nonce, sizeof last);
        for (size_t j = 0; j < sizeof last; j++)
            assert_in_range(last[j], 1, 127);
        login_server_free(v.ls);
    }
}

static void answer_is_read_in_every_form_of_its_scramble(void **state)
{
    (void)state;
    static const uint32_t forms[] = {CAP_SECURE_CONNECTION,
                                     CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH_LENENC,
                                     CAP_PLUGIN_AUTH_LENENC, 0};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct visit v = visit(&plain);
        auth_sha2_scramble(auth, PASSWORD, v.greeting.nonce);
        while (!forms[i] && memchr(auth, 0, sizeof auth)) {
            login_server_free(v.ls);
            v = visit(&plain);
            auth_sha2_scramble(auth, PASSWORD, v.greeting.nonce);
        }
        struct answer a = {
            .caps = CAP_PROTOCOL_41 | CAP_PLUGIN_AUTH | CAP_CONNECT_WITH_DB | forms[i],
            .user = "sha",
            .auth = bytes_of(auth, sizeof auth),
            .database = "stock",
            .plugin = AUTH_CACHING_SHA2,
        };
        assert_int_equal(say_answer(&v, &a), LOGIN_DONE);
        assert_string_equal(login_server_database(v.ls), "stock");
        login_server_free(v.ls);
    }
}

static struct answer right_answer(const struct visit *v, uint8_t auth[AUTH_CACHING_SHA2_LEN])
{
    auth_sha2_scramble(auth, PASSWORD, v->greeting.nonce);
    return (struct answer){
        .caps = CAPS_MODERN,
        .user = "sha",
        .auth = bytes_of(auth, AUTH_CACHING_SHA2_LEN),
        .plugin = AUTH_CACHING_SHA2,
    };
}

static bool knows_stock(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "stock") == 0;
}

/* Who has the wrong password does not learn what there is. */
static void login_into_an_unknown_database_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *database;
        bool wrong_password;
        uint16_t error; /* 0: it is not refused */
        const char *text;
    } cases[] = {{"stock", false, 0, ""},
                 {"", false, 0, ""},
                 {"other", false, ER_BAD_DB_ERROR, "Unknown database 'other'"},
                 {"other", true, ER_ACCESS_DENIED_ERROR,
                  "Access denied for user 'sha'@'192.0.2.1' (using password: YES)"}};
    struct login_server_opts opts = plain;
    opts.knows_database = knows_stock;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct visit v = visit(&opts);
        struct answer a = right_answer(&v, auth);
        auth[0] ^= cases[i].wrong_password;
        a.caps |= CAP_CONNECT_WITH_DB;
        a.database = cases[i].database;
        assert_int_equal(say_answer(&v, &a), cases[i].error ? LOGIN_FAILED : LOGIN_DONE);
        if (cases[i].error)
            assert_told_err(&v, cases[i].error, cases[i].text);
        assert_int_equal(login_server_denied(v.ls), cases[i].wrong_password);
        login_server_free(v.ls);
    }
}

static void capabilities_that_were_not_offered_are_ignored(void **state)
{
    (void)state;
    uint8_t auth[AUTH_CACHING_SHA2_LEN];
    struct visit v = visit(&plain);
    struct answer a = right_answer(&v, auth);
    a.caps = UINT32_MAX;
    a.database = "";
    a.attrs = bytes_of("\x06\x01k\x03vvv", 7);
    assert_int_equal(say_answer(&v, &a), LOGIN_DONE);
    assert_int_equal(login_server_caps(v.ls), v.greeting.caps);
    login_server_free(v.ls);
}

static void attributes_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct bytes attrs;
        enum login_step step;
    } cases[] = {
        {{(const uint8_t *)"", 0}, LOGIN_DONE},
        {{(const uint8_t *)"\0", 1}, LOGIN_DONE},
        {{(const uint8_t *)"\x04\x01k\x01v", 5}, LOGIN_DONE},
        {{(const uint8_t *)"\x04\x01k\x01v\x07", 6}, LOGIN_DONE}, /* what newer clients add */
        {{(const uint8_t *)"\x02\x01k", 3}, LOGIN_FAILED},
        {{(const uint8_t *)"\x04\x01k\x09v", 5}, LOGIN_FAILED},
        {{(const uint8_t *)"\x05\x01k\x01v", 5}, LOGIN_FAILED},
        {{(const uint8_t *)"\xfb", 1}, LOGIN_FAILED},
        {{(const uint8_t *)"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 9}, LOGIN_FAILED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct visit v = visit(&plain);
        struct answer a = right_answer(&v, auth);
        a.caps |= CAP_CONNECT_ATTRS;
        a.attrs = cases[i].attrs;
        assert_int_equal(say_answer(&v, &a), cases[i].step);
        if (cases[i].step == LOGIN_FAILED)
            assert_told_err(&v, ER_HANDSHAKE_ERROR, "Bad handshake");
        login_server_free(v.ls);
    }
}

static void names_that_are_too_long_are_refused(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int i = 0; i < 2; i++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct visit v = visit(&plain);
        struct answer a = right_answer(&v, auth);
        a.caps |= CAP_CONNECT_WITH_DB;
        a.user = i ? a.user : name;
        a.database = i ? name : "";
        assert_int_equal(say_answer(&v, &a), LOGIN_FAILED);
        assert_told_err(&v, ER_HANDSHAKE_ERROR, "Bad handshake");
        login_server_free(v.ls);
    }
}

#define TOO_OLD                                                                                    \
    "Client does not support authentication protocol requested by server; "                        \
    "consider upgrading MySQL client"

static void clients_before_41_are_refused_in_their_own_form(void **state)
{
    (void)state;
    struct visit v = visit(&plain);
    assert_int_equal(say(&v, bytes_of("\x05\x24\0\0\0root\0abcdefgh", 18)), LOGIN_FAILED);
    assert_told_err(&v, ER_NOT_SUPPORTED_AUTH_MODE, TOO_OLD);
    assert_int_equal(v.told.p[3], 'C'); /* no SQLSTATE */
    login_server_free(v.ls);
}

static void clients_before_plugins_log_in_to_native_accounts_only(void **state)
{
    (void)state;
    uint8_t auth[AUTH_NATIVE_LEN];
    struct visit v = visit(&plain), w = visit(&plain);
    struct answer a = {.caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION, .user = "nat"};
    a.auth = bytes_of(auth, sizeof auth);
    auth_native_scramble(auth, PASSWORD, v.greeting.nonce);
    assert_int_equal(say_answer(&v, &a), LOGIN_DONE);
    a.user = "sha";
    auth_native_scramble(auth, PASSWORD, w.greeting.nonce);
    assert_int_equal(say_answer(&w, &a), LOGIN_FAILED);
    assert_told_err(&w, ER_NOT_SUPPORTED_AUTH_MODE, TOO_OLD);
    assert_int_equal(w.told.p[3], '#');
    login_server_free(v.ls);
    login_server_free(w.ls);
}

/* A plugin that is not known, or left out, leads to that of the account. */
static void plugins_other_than_the_accounts_are_switched_once(void **state)
{
    (void)state;
    static const char *const used[] = {AUTH_CACHING_SHA2, "mysql_clear_password", "", NULL};
    for (size_t i = 0; i < COUNT_OF(used); i++) {
        uint8_t auth[AUTH_NATIVE_LEN];
        struct handshake_auth_switch s;
        struct visit v = visit(&plain);
        struct answer a = {
            .caps = CAPS_MODERN, .user = "nat", .auth = bytes_str("secret"), .plugin = used[i]};
        assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
        assert_int_equal(handshake_auth_switch_decode(&s, v.told, &err), 0);
        assert_string_equal(s.plugin, AUTH_NATIVE);
        assert_memory_not_equal(s.nonce, v.greeting.nonce, HANDSHAKE_NONCE);
        auth_native_scramble(auth, PASSWORD, s.nonce);
        assert_int_equal(say(&v, bytes_of(auth, sizeof auth)), LOGIN_DONE);
        login_server_free(v.ls);
    }
}

static void scramble_of_the_greetings_nonce_is_refused_after_a_switch(void **state)
{
    (void)state;
    uint8_t auth[AUTH_NATIVE_LEN];
    struct visit v = visit(&plain);
    struct answer a = {
        .caps = CAPS_MODERN, .user = "nat", .auth = bytes_str("x"), .plugin = "other"};
    assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
    auth_native_scramble(auth, PASSWORD, v.greeting.nonce);
    assert_int_equal(say(&v, bytes_of(auth, sizeof auth)), LOGIN_FAILED);
    login_server_free(v.ls);
}

static void ssl_request_is_honoured_once_and_only_in_its_own_form(void **state)
{
    (void)state;
    struct login_server_opts opts = with_tls(LOGIN_SERVER_TLS_REQUIRED);
    struct handshake_response r = {.caps = CAPS_MODERN | CAP_SSL};
    struct buf request = {0};
    handshake_ssl_request_encode(&request, &r);
    struct visit v = visit(&opts);
    assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_WANT_TLS);
    assert_int_equal(feed(v.ls, buf_bytes(&request)), LOGIN_FAILED);
    login_server_free(v.ls);

    v = visit(&opts);
    assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_WANT_TLS);
    assert_int_equal(login_server_secured(v.ls, &err), LOGIN_MORE);
    assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_FAILED);
    assert_told_err(&v, ER_HANDSHAKE_ERROR, "Bad handshake");
    login_server_free(v.ls);

    v = visit(&plain); /* not offered */
    assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_FAILED);
    assert_told_err(&v, ER_HANDSHAKE_ERROR, "Bad handshake");
    login_server_free(v.ls);

    wr_cstr(&request, "sha");
    v = visit(&opts);
    assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_FAILED);
    assert_told_err(&v, ER_HANDSHAKE_ERROR, "Bad handshake");
    login_server_free(v.ls);
    buf_fini(&request);
}

static void secured_unasked_fails(void **state)
{
    (void)state;
    struct visit v = visit(&plain);
    assert_int_equal(login_server_secured(v.ls, &err), LOGIN_FAILED);
    login_server_free(v.ls);
}

static void key_is_sent_once(void **state)
{
    (void)state;
    struct login_server_opts opts = plain;
    opts.rsa = rsa;
    struct visit v = visit(&opts);
    struct answer a = {
        .caps = CAPS_MODERN, .user = "sha", .auth = bytes_str("?"), .plugin = AUTH_CACHING_SHA2};
    assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
    assert_int_equal(say(&v, bytes_of("\x02", 1)), LOGIN_MORE);
    assert_memory_equal(v.told.p, "\x01-----BEGIN PUBLIC KEY-----", 27);
    assert_int_equal(say(&v, bytes_of("\x02", 1)), LOGIN_FAILED);
    assert_true(login_server_denied(v.ls));
    login_server_free(v.ls);
}

static void packets_after_the_end_fail(void **state)
{
    (void)state;
    uint8_t auth[AUTH_CACHING_SHA2_LEN];
    struct visit v = visit(&plain);
    struct answer a = right_answer(&v, auth);
    assert_int_equal(say_answer(&v, &a), LOGIN_DONE);
    assert_int_equal(feed(v.ls, bytes_str("x")), LOGIN_FAILED);
    struct bytes more;
    assert_false(login_server_take(v.ls, &more));
    login_server_free(v.ls);
}

static void done_says_fast_and_ok_in_two_packets(void **state)
{
    (void)state;
    uint8_t auth[AUTH_CACHING_SHA2_LEN];
    struct visit v = visit(&plain);
    struct answer a = right_answer(&v, auth);
    struct buf out = {0};
    struct bytes told;
    write_answer(&out, &a);
    assert_int_equal(feed(v.ls, buf_bytes(&out)), LOGIN_DONE);
    assert_true(login_server_take(v.ls, &told));
    assert_int_equal(told.n, 2);
    assert_memory_equal(told.p, "\x01\x03", 2);
    assert_true(login_server_take(v.ls, &told));
    assert_int_equal(told.n, 7);
    assert_memory_equal(told.p, "\0\0\0\x02\0\0\0", 7);
    assert_false(login_server_take(v.ls, &told));
    buf_fini(&out);
    login_server_free(v.ls);
}

/* ---- hostile bytes ---- */

static void truncated_answers_never_log_in(void **state)
{
    (void)state;
    struct buf out = {0};
    size_t needed = 0;
    for (size_t n = 0; n == 0 || n < out.len; n++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct visit v = visit(&plain);
        struct answer a = right_answer(&v, auth);
        a.caps |= CAP_CONNECT_WITH_DB | CAP_CONNECT_ATTRS;
        a.database = "db";
        a.attrs = bytes_of("\x04\x01k\x01v", 5);
        buf_clear(&out);
        write_answer(&out, &a);
        needed = out.len - 5; /* attributes may be left out */
        enum login_step step = say(&v, bytes_of(buf_bytes(&out).p, n));
        assert_int_equal(step == LOGIN_DONE, n == needed);
        login_server_free(v.ls);
    }
    assert_true(needed > 0);
    buf_fini(&out);
}

static void truncated_scrambles_never_log_in(void **state)
{
    (void)state;
    uint8_t auth[AUTH_NATIVE_LEN];
    for (size_t n = 0; n < sizeof auth; n++) {
        struct visit v = visit(&plain);
        struct handshake_auth_switch s;
        struct answer a = {
            .caps = CAPS_MODERN, .user = "nat", .auth = bytes_str("x"), .plugin = "other"};
        assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
        assert_int_equal(handshake_auth_switch_decode(&s, v.told, &err), 0);
        auth_native_scramble(auth, PASSWORD, s.nonce);
        assert_int_equal(say(&v, bytes_of(auth, n)), LOGIN_FAILED);
        login_server_free(v.ls);
    }
}

/* With TLS or on a unix socket it must have its NUL. */
static void truncated_passwords_never_log_in(void **state)
{
    (void)state;
    for (size_t n = 0; n <= sizeof PASSWORD; n++) {
        struct login_server_opts opts = plain;
        opts.local = true;
        struct visit v = visit(&opts);
        struct answer a = {.caps = CAPS_MODERN,
                           .user = "sha",
                           .auth = bytes_str("?"),
                           .plugin = AUTH_CACHING_SHA2};
        assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
        assert_memory_equal(v.told.p, "\x01\x04", 2);
        enum login_step step = say(&v, bytes_of(PASSWORD, n));
        assert_int_equal(step, n == sizeof PASSWORD ? LOGIN_DONE : LOGIN_FAILED);
        login_server_free(v.ls);
    }
}

static uint32_t random_state = 20240611;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static struct bytes random_bytes(uint8_t *dst, size_t cap)
{
    size_t n = next_random() % cap;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)next_random();
    return bytes_of(dst, n);
}

enum stage { STAGE_ANSWER, STAGE_SECURED, STAGE_SWITCH, STAGE_CLEAR, STAGE_RSA, STAGE_COUNT };

static struct visit visit_stage(const struct login_server_opts *opts, enum stage stage)
{
    struct visit v = visit(opts);
    struct handshake_response r = {.caps = CAPS_MODERN | CAP_SSL};
    struct buf request = {0};
    struct answer a = {.caps = CAPS_MODERN, .user = "sha", .auth = bytes_str("?")};
    a.plugin = stage == STAGE_SWITCH ? "other" : AUTH_CACHING_SHA2;
    handshake_ssl_request_encode(&request, &r);
    if (stage == STAGE_SECURED) {
        assert_int_equal(say(&v, buf_bytes(&request)), LOGIN_WANT_TLS);
        assert_int_equal(login_server_secured(v.ls, &err), LOGIN_MORE);
    } else if (stage != STAGE_ANSWER) {
        assert_int_equal(say_answer(&v, &a), LOGIN_MORE);
    }
    buf_fini(&request);
    return v;
}

static void garbage_never_logs_in_at_any_stage(void **state)
{
    (void)state;
    uint8_t noise[400];
    for (int i = 0; i < ROUNDS; i++) {
        enum stage stage = i % STAGE_COUNT;
        struct login_server_opts opts = with_tls(LOGIN_SERVER_TLS_OFFERED);
        opts.rsa = rsa;
        opts.local = stage == STAGE_CLEAR;
        struct visit v = visit_stage(&opts, stage);
        enum login_step step = LOGIN_MORE;
        for (int j = 0; j < 8 && step == LOGIN_MORE; j++)
            step = say(&v, random_bytes(noise, sizeof noise));
        assert_true(step == LOGIN_FAILED || step == LOGIN_WANT_TLS);
        login_server_free(v.ls);
    }
}

/* Each byte of a right answer in turn is another. */
static void changed_answers_never_end_without_a_verdict(void **state)
{
    (void)state;
    size_t n = 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t auth[AUTH_CACHING_SHA2_LEN];
        struct login_server_opts opts = with_tls(LOGIN_SERVER_TLS_OFFERED);
        struct visit v = visit(&opts);
        struct answer a = right_answer(&v, auth);
        struct buf out = {0};
        write_answer(&out, &a);
        n = out.len;
        out.data[i] ^= (uint8_t)(1u << (i % 8));
        enum login_step step = say(&v, buf_bytes(&out));
        assert_true(step != LOGIN_MORE || v.told.p[0] == REPLY_EOF || v.told.p[0] == 1);
        buf_fini(&out);
        login_server_free(v.ls);
    }
}

/* ---- accounts and keys ---- */

static void account_needs_a_name_and_a_password(void **state)
{
    (void)state;
    struct account a;
    char name[ACCOUNT_NAME_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(account_init(&a, "", "p", AUTH_PLUGIN_NATIVE, &err), -1);
    assert_string_equal(err.text, "an account's name must have 1 to 255 bytes");
    assert_int_equal(account_init(&a, name, "p", AUTH_PLUGIN_NATIVE, &err), -1);
    assert_int_equal(account_init(&a, name + 1, "p", AUTH_PLUGIN_NATIVE, &err), 0);
    assert_int_equal(account_init(&a, "x", "", AUTH_PLUGIN_NATIVE, &err), -1);
    assert_string_equal(err.text, "the account x has no password");
}

static void account_list_refuses_a_name_twice(void **state)
{
    (void)state;
    struct account a;
    assert_int_equal(account_init(&a, "sha", "p", AUTH_PLUGIN_NATIVE, &err), 0);
    assert_int_equal(account_list_add(accounts, &a, &err), -1);
    assert_string_equal(err.text, "the account sha is there twice");
    assert_null(account_list_find(accounts, "sh"));
    assert_null(account_list_find(accounts, "SHA"));
}

/* Neither asking again nor a restart changes what a decoy looks like, and both plugins occur. */
static void decoys_keep_their_plugin(void **state)
{
    (void)state;
    struct account_list *first = accounts;
    set_up(NULL);
    unsigned native = 0;
    for (int i = 0; i < 200; i++) {
        char name[20];
        snprintf(name, sizeof name, "user%d", i);
        const struct account *a = account_list_decoy(first, name);
        enum auth_plugin plugin = a->plugin;
        assert_true(a->decoy);
        assert_string_equal(a->name, name);
        assert_int_equal(account_list_decoy(first, name)->plugin, plugin);
        assert_int_equal(account_list_decoy(accounts, name)->plugin, plugin);
        native += plugin == AUTH_PLUGIN_NATIVE;
    }
    assert_in_range(native, 50, 150);
    account_list_free(first);
}

static struct bytes private_pem(EVP_PKEY *key, BIO *bio)
{
    char *p;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &p);
    return bytes_of(p, (size_t)n);
}

static void rsa_key_is_loaded_only_when_it_is_good(void **state)
{
    (void)state;
    struct {
        EVP_PKEY *key;
        const char *text;
    } cases[] = {
        {EVP_RSA_gen(2048), NULL},
        {EVP_RSA_gen(1024), "the private key is not one of RSA with 2048 bits or more"},
        {EVP_EC_gen("P-256"), "the private key is not one of RSA with 2048 bits or more"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        struct auth_rsa_key *key = auth_rsa_key_load(private_pem(cases[i].key, bio), &err);
        assert_int_equal(key != NULL, cases[i].text == NULL);
        if (cases[i].text)
            assert_string_equal(err.text, cases[i].text);
        auth_rsa_key_free(key);
        BIO_free(bio);
        EVP_PKEY_free(cases[i].key);
    }
    assert_null(auth_rsa_key_load(bytes_str("no key"), &err));
    assert_string_equal(err.text, "the RSA private key is not readable as unencrypted PEM");
    assert_null(auth_rsa_key_load(bytes_of("", 0), &err));
}

static void rsa_decryption_undoes_encryption_with_the_nonce(void **state)
{
    (void)state;
    uint8_t nonce[HANDSHAKE_NONCE], other[HANDSHAKE_NONCE] = {1};
    memset(nonce, 0x5a, sizeof nonce);
    struct buf cipher = {0}, clear = {0};
    assert_int_equal(auth_rsa_encrypt(&cipher, "a password longer than the nonce is", nonce,
                                      auth_rsa_key_public(rsa), &err),
                     0);
    assert_int_equal(auth_rsa_decrypt(&clear, rsa, buf_bytes(&cipher), nonce), 0);
    assert_int_equal(clear.len, 35);
    assert_memory_equal(buf_bytes(&clear).p, "a password longer than the nonce is", 35);
    buf_clear(&clear);
    assert_int_equal(auth_rsa_decrypt(&clear, rsa, buf_bytes(&cipher), other), -1);
    assert_int_equal(auth_rsa_decrypt(&clear, rsa, bytes_of("", 0), nonce), -1);
    for (size_t n = 1; n < cipher.len; n += 15)
        assert_int_equal(auth_rsa_decrypt(&clear, rsa, bytes_of(cipher.data, n), nonce), -1);
    cipher.data[7] ^= 1;
    assert_int_equal(auth_rsa_decrypt(&clear, rsa, buf_bytes(&cipher), nonce), -1);
    assert_int_equal(clear.len, 0);
    buf_fini(&cipher);
    buf_fini(&clear);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(login_with_the_right_password_succeeds_everywhere),
        T(login_without_scramble_takes_the_password_itself),
        T(login_without_scramble_or_a_way_to_ask_is_denied),
        T(refusals_of_a_wrong_password_and_of_an_unknown_user_are_the_same),
        T(account_that_has_enough_connections_is_refused),
        T(login_into_an_unknown_database_is_refused),
        T(refusal_names_user_host_and_whether_a_password_came),
        T(login_in_clear_where_tls_is_required_is_refused),
        T(greeting_offers_what_is_honoured),
        T(greeting_cuts_a_long_version),
        T(nonce_is_new_each_time_and_plain_text),
        T(answer_is_read_in_every_form_of_its_scramble),
        T(capabilities_that_were_not_offered_are_ignored),
        T(attributes_are_checked),
        T(names_that_are_too_long_are_refused),
        T(clients_before_41_are_refused_in_their_own_form),
        T(clients_before_plugins_log_in_to_native_accounts_only),
        T(plugins_other_than_the_accounts_are_switched_once),
        T(scramble_of_the_greetings_nonce_is_refused_after_a_switch),
        T(ssl_request_is_honoured_once_and_only_in_its_own_form),
        T(secured_unasked_fails),
        T(key_is_sent_once),
        T(packets_after_the_end_fail),
        T(done_says_fast_and_ok_in_two_packets),
        T(truncated_answers_never_log_in),
        T(truncated_scrambles_never_log_in),
        T(truncated_passwords_never_log_in),
        T(garbage_never_logs_in_at_any_stage),
        T(changed_answers_never_end_without_a_verdict),
        T(account_needs_a_name_and_a_password),
        T(account_list_refuses_a_name_twice),
        T(decoys_keep_their_plugin),
        T(rsa_key_is_loaded_only_when_it_is_good),
        T(rsa_decryption_undoes_encryption_with_the_nonce),
    };
    rsa = auth_rsa_key_new();
    int rc = RUN_TESTS(tests);
    auth_rsa_key_free(rsa);
    return rc;
}
