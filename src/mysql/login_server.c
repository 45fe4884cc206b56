/* The server's side of the connection phase. */
#include "mysql/login_server.h"

#include "base/mem.h"
#include "base/rand.h"
#include "mysql/caps.h"
#include "mysql/errcode.h"
#include "mysql/reply.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define CHARSET_UTF8MB4 45

/* DEPRECATE_EOF is not offered: one form of result sets is enough for all. */
#define CAPS_OFFERED                                                                               \
    (CAP_LONG_PASSWORD | CAP_LONG_FLAG | CAP_CONNECT_WITH_DB | CAP_PROTOCOL_41 | CAP_INTERACTIVE | \
     CAP_TRANSACTIONS | CAP_SECURE_CONNECTION | CAP_MULTI_RESULTS | CAP_PLUGIN_AUTH |              \
     CAP_CONNECT_ATTRS | CAP_PLUGIN_AUTH_LENENC)

/* Packets of caching_sha2_password after its scramble (manual, "Caching_sha2_password"). */
#define SHA2_MORE_DATA   0x01
#define SHA2_FAST_OK     0x03
#define SHA2_FULL        0x04
#define SHA2_REQUEST_KEY 0x02

#define OUT_MAX 2

enum login_server_state {
    LOGIN_SERVER_AT_ANSWER,   /* awaits the answer to the greeting, or before it the SSLRequest */
    LOGIN_SERVER_AT_TLS,      /* awaits that the caller has TLS up */
    LOGIN_SERVER_AT_SWITCH,   /* awaits the scramble of the account's plugin */
    LOGIN_SERVER_AT_PASSWORD, /* awaits the password, in clear or encrypted, or a request for the
                                 key to encrypt it with */
    LOGIN_SERVER_AT_CHECK,    /* awaits whether the encrypted password is right */
    LOGIN_SERVER_AT_END
};

struct login_server {
    const struct login_server_opts *opts;
    enum login_server_state state;
    uint32_t offered;
    uint32_t caps;
    uint8_t nonce[HANDSHAKE_NONCE]; /* the greeting's, or that of the switch */
    char user[ACCOUNT_NAME_MAX];
    char database[LOGIN_SERVER_DATABASE_MAX];
    struct account account;
    bool tls;      /* it is up */
    bool key_sent; /* it is asked for once */
    bool denied;
    struct buf cipher; /* the encrypted password, at the check */
    struct buf out[OUT_MAX];
    size_t out_n;
    size_t out_taken;
};

/* 7-bit without NUL, as servers do: some clients treat the nonce as text. */
static void make_nonce(uint8_t nonce[HANDSHAKE_NONCE])
{
    rand_bytes(nonce, HANDSHAKE_NONCE);
    for (int i = 0; i < HANDSHAKE_NONCE; i++)
        while (!(nonce[i] &= 0x7f))
            rand_bytes(&nonce[i], 1);
}

static struct buf *begin_out(struct login_server *ls)
{
    BUG_ON(ls->out_n == OUT_MAX);
    struct buf *out = &ls->out[ls->out_n++];
    buf_clear(out);
    return out;
}

static void forget_out(struct login_server *ls)
{
    ls->out_n = ls->out_taken = 0;
}

static void greet(struct login_server *ls)
{
    struct handshake_greeting g = {
        .thread_id = ls->opts->connection_id,
        .caps = ls->offered,
        .charset = CHARSET_UTF8MB4,
        .status = REPLY_STATUS_AUTOCOMMIT,
        .plugin = AUTH_CACHING_SHA2,
    };
    snprintf(g.server_version, sizeof g.server_version, "%s", ls->opts->version);
    memcpy(g.nonce, ls->nonce, sizeof g.nonce);
    handshake_greeting_encode(begin_out(ls), &g);
}

struct login_server *login_server_new(const struct login_server_opts *opts)
{
    struct login_server *ls = mem_alloc(sizeof *ls);
    ls->opts = opts;
    ls->offered = CAPS_OFFERED | (opts->tls == LOGIN_SERVER_TLS_OFF ? 0 : CAP_SSL);
    make_nonce(ls->nonce);
    greet(ls);
    return ls;
}

void login_server_free(struct login_server *ls)
{
    if (!ls)
        return;
    for (int i = 0; i < OUT_MAX; i++)
        buf_fini_secret(&ls->out[i]);
    buf_fini(&ls->cipher);
    mem_wipe(ls, sizeof *ls);
    free(ls);
}

bool login_server_take(struct login_server *ls, struct bytes *payload)
{
    if (ls->out_taken == ls->out_n)
        return false;
    *payload = buf_bytes(&ls->out[ls->out_taken++]);
    return true;
}

bool login_server_denied(const struct login_server *ls)
{
    return ls->denied;
}

const char *login_server_user(const struct login_server *ls)
{
    return ls->user;
}

const char *login_server_database(const struct login_server *ls)
{
    return ls->database;
}

const struct account *login_server_account(const struct login_server *ls)
{
    return &ls->account;
}

uint32_t login_server_caps(const struct login_server *ls)
{
    return ls->caps;
}

static bool is_secure(const struct login_server *ls)
{
    return ls->tls || ls->opts->local;
}

static enum login_step failed(struct login_server *ls)
{
    ls->state = LOGIN_SERVER_AT_END;
    return LOGIN_FAILED;
}

static enum login_step refuse_more(struct login_server *ls, struct err *err)
{
    char text[ACCOUNT_NAME_MAX + 100];
    snprintf(text, sizeof text,
             "User %.64s already has more than 'max_user_connections' active connections",
             ls->user);
    reply_err_encode(begin_out(ls), ER_TOO_MANY_USER_CONNECTIONS, text);
    err_set(err, "%s", text);
    return failed(ls);
}

static enum login_step refuse_database(struct login_server *ls, struct err *err)
{
    char text[100];
    snprintf(text, sizeof text, "Unknown database '%.64s'", ls->database);
    reply_err_encode(begin_out(ls), ER_BAD_DB_ERROR, text);
    err_set(err, "%s", text);
    return failed(ls);
}

static enum login_step done(struct login_server *ls, struct err *err)
{
    const struct login_server_opts *o = ls->opts;
    if (o->admit && !o->admit(o->ctx, &ls->account))
        return refuse_more(ls, err);
    if (*ls->database && o->knows_database && !o->knows_database(o->ctx, ls->database))
        return refuse_database(ls, err);
    reply_ok_encode(begin_out(ls), 0);
    ls->state = LOGIN_SERVER_AT_END;
    return LOGIN_DONE;
}

/* The client gets the server's usual text, err says what was wrong. */
static enum login_step bad_handshake(struct login_server *ls)
{
    reply_err_encode(begin_out(ls), ER_HANDSHAKE_ERROR, "Bad handshake");
    return failed(ls);
}

/* The 48 bytes are those of a server's text. */
static enum login_step deny(struct login_server *ls, const char *using_password, const char *why,
                            struct err *err)
{
    char text[400];
    snprintf(text, sizeof text, "Access denied for user '%.48s'@'%.255s' (using password: %s)",
             ls->user, ls->opts->host, using_password);
    reply_err_encode(begin_out(ls), ER_ACCESS_DENIED_ERROR, text);
    err_set(err, "%s: %s", text, why);
    ls->denied = true;
    return failed(ls);
}

static enum login_step deny_password(struct login_server *ls, struct err *err)
{
    return deny(ls, "YES", ls->account.decoy ? "no such account here" : "wrong password", err);
}

static enum login_step require_tls(struct login_server *ls, struct err *err)
{
    reply_err_encode(begin_out(ls), ER_SECURE_TRANSPORT_REQUIRED,
                     "Connections using insecure transport are prohibited while "
                     "--require_secure_transport=ON.");
    err_set(err, "the client does not use TLS, which require_ssl asks for");
    return failed(ls);
}

static enum login_step refuse_old(struct login_server *ls, bool speaks_41, struct err *err)
{
    const char *text = "Client does not support authentication protocol requested by server; "
                       "consider upgrading MySQL client";
    if (speaks_41)
        reply_err_encode(begin_out(ls), ER_NOT_SUPPORTED_AUTH_MODE, text);
    else
        reply_err_encode_early(begin_out(ls), ER_NOT_SUPPORTED_AUTH_MODE, text);
    err_set(err, "the client is too old: it does not speak %s",
            speaks_41 ? "of authentication plugins" : "protocol 4.1");
    return failed(ls);
}

/* Asks for the password itself. */
static enum login_step begin_full(struct login_server *ls, struct err *err)
{
    if (!is_secure(ls) && !ls->opts->rsa)
        return deny(ls, "YES", "no scramble came, and there is no way to ask for the password",
                    err);
    struct buf *out = begin_out(ls);
    wr_u8(out, SHA2_MORE_DATA);
    wr_u8(out, SHA2_FULL);
    ls->state = LOGIN_SERVER_AT_PASSWORD;
    return LOGIN_MORE;
}

static enum login_step judge_native(struct login_server *ls, struct bytes scramble, struct err *err)
{
    bool right = auth_native_verify(scramble, ls->nonce, ls->account.native);
    return right && !ls->account.decoy ? done(ls, err) : deny_password(ls, err);
}

static enum login_step judge_sha2(struct login_server *ls, struct bytes scramble, struct err *err)
{
    if (scramble.n != AUTH_CACHING_SHA2_LEN)
        return begin_full(ls, err);
    bool right = auth_sha2_verify(scramble, ls->nonce, ls->account.sha2);
    if (!right || ls->account.decoy)
        return deny_password(ls, err);
    struct buf *out = begin_out(ls);
    wr_u8(out, SHA2_MORE_DATA);
    wr_u8(out, SHA2_FAST_OK);
    return done(ls, err);
}

static enum login_step judge(struct login_server *ls, struct bytes scramble, struct err *err)
{
    bool no_password = scramble.n == 0 || (scramble.n == 1 && scramble.p[0] == 0);
    if (no_password)
        return deny(ls, "NO", "no password was given", err);
    if (ls->account.plugin == AUTH_PLUGIN_NATIVE)
        return judge_native(ls, scramble, err);
    return judge_sha2(ls, scramble, err);
}

static enum login_step switch_plugin(struct login_server *ls)
{
    struct handshake_auth_switch s = {0};
    strcpy(s.plugin, auth_plugin_name(ls->account.plugin));
    make_nonce(ls->nonce);
    memcpy(s.nonce, ls->nonce, sizeof s.nonce);
    handshake_auth_switch_encode(begin_out(ls), &s);
    ls->state = LOGIN_SERVER_AT_SWITCH;
    return LOGIN_MORE;
}

/* Only with CLIENT_PLUGIN_AUTH does a client say which plugin it used, and can change it. As a
 * server does, an account whose plugin is not the greeting's is always asked anew: a MariaDB
 * replica names the right plugin but sends nothing for a greeting that it does not know. */
static enum login_step identify(struct login_server *ls, const struct handshake_answer *a,
                                struct err *err)
{
    bool names_plugin = a->caps & CAP_PLUGIN_AUTH;
    bool greeted = ls->account.plugin == AUTH_PLUGIN_CACHING_SHA2;
    if (!(a->caps & CAP_SECURE_CONNECTION) && !names_plugin)
        return refuse_old(ls, true, err);
    if (!names_plugin)
        return greeted ? refuse_old(ls, true, err) : judge(ls, a->auth, err);
    if (greeted && bytes_eq(a->plugin, bytes_str(AUTH_CACHING_SHA2)))
        return judge(ls, a->auth, err);
    return switch_plugin(ls);
}

static enum login_step on_response(struct login_server *ls, struct bytes payload, struct err *err)
{
    struct handshake_answer a;
    if (handshake_answer_decode(&a, payload, ls->offered, err) < 0)
        return bad_handshake(ls);
    if (bytes_to_str(a.user, ls->user, sizeof ls->user) < 0 ||
        bytes_to_str(a.database, ls->database, sizeof ls->database) < 0) {
        err_set(err, "the name of a user or database is too long");
        return bad_handshake(ls);
    }
    ls->caps = a.caps;
    const struct account *account = ls->opts->find(ls->opts->ctx, ls->user);
    BUG_ON(!account);
    ls->account = *account;
    return identify(ls, &a, err);
}

static enum login_step on_answer(struct login_server *ls, struct bytes payload, struct err *err)
{
    if (handshake_is_old(payload))
        return refuse_old(ls, false, err);
    bool asks_tls = payload.n >= 4 && le32(payload.p) & ls->offered & CAP_SSL && !ls->tls;
    if (asks_tls && !handshake_is_ssl_request(payload)) {
        err_set(err, "malformed request for TLS");
        return bad_handshake(ls);
    }
    if (asks_tls) {
        ls->state = LOGIN_SERVER_AT_TLS;
        return LOGIN_WANT_TLS;
    }
    if (ls->opts->tls == LOGIN_SERVER_TLS_REQUIRED && !is_secure(ls))
        return require_tls(ls, err);
    return on_response(ls, payload, err);
}

static enum login_step send_key(struct login_server *ls)
{
    struct buf *out = begin_out(ls);
    wr_u8(out, SHA2_MORE_DATA);
    wr_bytes(out, auth_rsa_key_public(ls->opts->rsa));
    ls->key_sent = true;
    return LOGIN_MORE;
}

static bool has_hash(struct bytes password, const uint8_t expected[AUTH_CACHING_SHA2_LEN])
{
    uint8_t hash[AUTH_CACHING_SHA2_LEN];
    auth_sha2_hash(hash, password);
    bool same = CRYPTO_memcmp(hash, expected, sizeof hash) == 0;
    mem_wipe(hash, sizeof hash);
    return same;
}

static enum login_step judge_password(struct login_server *ls, bool right, struct err *err)
{
    return right && !ls->account.decoy ? done(ls, err) : deny_password(ls, err);
}

static enum login_step on_password(struct login_server *ls, struct bytes payload, struct err *err)
{
    bool asks_key = payload.n == 1 && payload.p[0] == SHA2_REQUEST_KEY;
    if (asks_key && !is_secure(ls) && !ls->key_sent)
        return send_key(ls);
    if (!is_secure(ls)) {
        wr_bytes(&ls->cipher, payload);
        ls->state = LOGIN_SERVER_AT_CHECK;
        return LOGIN_WANT_CHECK;
    }
    bool ended = payload.n && payload.p[payload.n - 1] == 0;
    struct bytes password = bytes_of(payload.p, ended ? payload.n - 1 : 0);
    bool right = has_hash(password, ls->account.sha2);
    return judge_password(ls, right && ended, err);
}

void login_server_take_check(struct login_server *ls, struct login_check *check)
{
    BUG_ON(ls->state != LOGIN_SERVER_AT_CHECK);
    *check = (struct login_check){.rsa = ls->opts->rsa, .cipher = ls->cipher};
    memcpy(check->nonce, ls->nonce, sizeof check->nonce);
    memcpy(check->hash, ls->account.sha2, sizeof check->hash);
    buf_init(&ls->cipher);
}

void login_check_run(struct login_check *check)
{
    struct buf password;
    buf_init(&password);
    bool read =
        auth_rsa_decrypt(&password, check->rsa, buf_bytes(&check->cipher), check->nonce) == 0;
    check->right = has_hash(buf_bytes(&password), check->hash) && read;
    buf_fini_secret(&password);
}

void login_check_fini(struct login_check *check)
{
    buf_fini(&check->cipher);
    mem_wipe(check, sizeof *check);
}

enum login_step login_server_checked(struct login_server *ls, bool right, struct err *err)
{
    BUG_ON(ls->state != LOGIN_SERVER_AT_CHECK);
    forget_out(ls);
    return judge_password(ls, right, err);
}

enum login_step login_server_feed(struct login_server *ls, struct bytes payload, struct err *err)
{
    forget_out(ls);
    switch (ls->state) {
    case LOGIN_SERVER_AT_ANSWER:
        return on_answer(ls, payload, err);
    case LOGIN_SERVER_AT_SWITCH:
        return judge(ls, payload, err);
    case LOGIN_SERVER_AT_PASSWORD:
        return on_password(ls, payload, err);
    case LOGIN_SERVER_AT_TLS:
    case LOGIN_SERVER_AT_CHECK:
    case LOGIN_SERVER_AT_END:
        break;
    }
    err_set(err, "a packet came when none may come");
    return failed(ls);
}

enum login_step login_server_secured(struct login_server *ls, struct err *err)
{
    forget_out(ls);
    if (ls->state != LOGIN_SERVER_AT_TLS) {
        err_set(err, "TLS was not asked for");
        return failed(ls);
    }
    ls->tls = true;
    ls->state = LOGIN_SERVER_AT_ANSWER;
    return LOGIN_MORE;
}
