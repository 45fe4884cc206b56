/* The client's side of the connection phase. */
#include "mysql/login_client.h"

#include "base/mem.h"
#include "mysql/auth.h"
#include "mysql/caps.h"
#include "mysql/errcode.h"
#include "mysql/reply.h"

#include <stdlib.h>

#define CHARSET_UTF8MB4 45
#define MAX_PACKET      (1u << 30)

/* Packets of caching_sha2_password after its scramble (manual, "Caching_sha2_password"). */
#define SHA2_MORE_DATA   0x01
#define SHA2_FAST_OK     0x03
#define SHA2_FULL        0x04
#define SHA2_REQUEST_KEY 0x02

enum login_state {
    LOGIN_AT_GREETING, /* awaits the server's first packet */
    LOGIN_AT_TLS,      /* awaits that the caller has TLS up */
    LOGIN_AT_RESULT,   /* awaits OK, ERR, a switch of plugin or more data of the plugin */
    LOGIN_AT_KEY,      /* awaits the RSA public key */
    LOGIN_AT_END
};

struct login_client {
    const struct login_client_opts *opts;
    enum login_state state;
    struct handshake_greeting greeting;
    uint8_t nonce[HANDSHAKE_NONCE]; /* the greeting's, or that of the last switch */
    char plugin[HANDSHAKE_PLUGIN_MAX];
    bool switched;
    bool secure; /* TLS is up, or the socket is local */
    bool out_ready;
    struct buf out;
};

struct login_client *login_client_new(const struct login_client_opts *opts)
{
    struct login_client *lc = mem_alloc(sizeof *lc);
    lc->opts = opts;
    lc->secure = opts->local;
    return lc;
}

void login_client_free(struct login_client *lc)
{
    if (!lc)
        return;
    buf_fini_secret(&lc->out);
    free(lc);
}

const struct handshake_greeting *login_client_greeting(const struct login_client *lc)
{
    return &lc->greeting;
}

bool login_client_take(struct login_client *lc, struct bytes *payload)
{
    bool ready = lc->out_ready;
    lc->out_ready = false;
    *payload = buf_bytes(&lc->out);
    return ready;
}

static struct buf *begin_out(struct login_client *lc)
{
    buf_clear(&lc->out);
    lc->out_ready = true;
    return &lc->out;
}

static bool plugin_is(const struct login_client *lc, const char *name)
{
    return strcmp(lc->plugin, name) == 0;
}

/* The first answer of the plugin in use; its length, 0 without a password. */
static size_t scramble(const struct login_client *lc, uint8_t out[AUTH_CACHING_SHA2_LEN])
{
    if (!*lc->opts->password)
        return 0;
    if (plugin_is(lc, AUTH_NATIVE)) {
        auth_native_scramble(out, lc->opts->password, lc->nonce);
        return AUTH_NATIVE_LEN;
    }
    auth_sha2_scramble(out, lc->opts->password, lc->nonce);
    return AUTH_CACHING_SHA2_LEN;
}

static void describe_self(const struct login_client *lc, struct handshake_response *r)
{
    r->caps = CAP_LONG_PASSWORD | CAP_LONG_FLAG | CAP_PROTOCOL_41 | CAP_TRANSACTIONS |
              CAP_SECURE_CONNECTION | (lc->greeting.caps & CAP_PLUGIN_AUTH);
    r->max_packet = MAX_PACKET;
    r->charset = CHARSET_UTF8MB4;
    r->user = lc->opts->user;
    r->plugin = lc->plugin;
    if (lc->secure && !lc->opts->local)
        r->caps |= CAP_SSL;
}

static enum login_step send_response(struct login_client *lc)
{
    uint8_t auth[AUTH_CACHING_SHA2_LEN];
    struct handshake_response r;
    describe_self(lc, &r);
    r.auth = bytes_of(auth, scramble(lc, auth));
    handshake_response_encode(begin_out(lc), &r);
    lc->state = LOGIN_AT_RESULT;
    return LOGIN_MORE;
}

static enum login_step send_ssl_request(struct login_client *lc)
{
    struct handshake_response r;
    describe_self(lc, &r);
    r.caps |= CAP_SSL;
    handshake_ssl_request_encode(begin_out(lc), &r);
    lc->state = LOGIN_AT_TLS;
    return LOGIN_WANT_TLS;
}

static enum login_step failed(struct login_client *lc)
{
    lc->state = LOGIN_AT_END;
    return LOGIN_FAILED;
}

static enum login_step on_greeting(struct login_client *lc, struct bytes payload, struct err *err)
{
    if (handshake_greeting_decode(&lc->greeting, payload, err) < 0)
        return failed(lc);
    memcpy(lc->nonce, lc->greeting.nonce, sizeof lc->nonce);
    /* A plugin we do not know gets the native answer; the server then names another, or refuses. */
    bool sha2 = strcmp(lc->greeting.plugin, AUTH_CACHING_SHA2) == 0;
    strcpy(lc->plugin, sha2 ? AUTH_CACHING_SHA2 : AUTH_NATIVE);
    bool offered = lc->greeting.caps & CAP_SSL;
    if (lc->opts->tls == LOGIN_TLS_REQUIRED && !offered) {
        err_kind_set(err, ERR_LONG,
                     "the server does not offer TLS, which ssl_mode asks for: give it a "
                     "certificate, or set ssl_mode=preferred");
        return failed(lc);
    }
    if (lc->opts->tls != LOGIN_TLS_OFF && offered)
        return send_ssl_request(lc);
    return send_response(lc);
}

static enum login_step on_switch(struct login_client *lc, struct bytes payload, struct err *err)
{
    struct handshake_auth_switch s;
    if (lc->switched || handshake_auth_switch_decode(&s, payload, err) < 0) {
        if (lc->switched)
            err_set(err, "the server switches the authentication plugin twice");
        return failed(lc);
    }
    lc->switched = true;
    memcpy(lc->nonce, s.nonce, sizeof lc->nonce);
    strcpy(lc->plugin, s.plugin);
    if (!plugin_is(lc, AUTH_NATIVE) && !plugin_is(lc, AUTH_CACHING_SHA2)) {
        err_kind_set(err, ERR_LONG,
                     "the server wants the authentication plugin \"%s\": make the account "
                     "use " AUTH_CACHING_SHA2 " or " AUTH_NATIVE,
                     s.plugin);
        return failed(lc);
    }
    uint8_t auth[AUTH_CACHING_SHA2_LEN];
    struct bytes answer = bytes_of(auth, scramble(lc, auth));
    if (!answer.n && plugin_is(lc, AUTH_CACHING_SHA2))
        answer = bytes_of("", 1); /* this plugin says "no password" by a single NUL */
    wr_bytes(begin_out(lc), answer);
    return LOGIN_MORE;
}

static enum login_step send_encrypted(struct login_client *lc, struct bytes pem, struct err *err)
{
    if (auth_rsa_encrypt(begin_out(lc), lc->opts->password, lc->nonce, pem, err) < 0) {
        lc->out_ready = false;
        return failed(lc);
    }
    lc->state = LOGIN_AT_RESULT;
    return LOGIN_MORE;
}

static enum login_step full_authentication(struct login_client *lc, struct err *err)
{
    if (lc->secure) {
        wr_cstr(begin_out(lc), lc->opts->password);
        return LOGIN_MORE;
    }
    if (lc->opts->public_key)
        return send_encrypted(lc, bytes_str(lc->opts->public_key), err);
    if (lc->opts->get_public_key) {
        wr_u8(begin_out(lc), SHA2_REQUEST_KEY);
        lc->state = LOGIN_AT_KEY;
        return LOGIN_MORE;
    }
    err_kind_set(err, ERR_LONG,
                 AUTH_CACHING_SHA2
                 " needs a secure connection: use ssl_mode=required, or set "
                 "get_public_key=on, or pin the server's key with public_key_file");
    return failed(lc);
}

static enum login_step on_more_data(struct login_client *lc, struct bytes payload, struct err *err)
{
    if (plugin_is(lc, AUTH_CACHING_SHA2) && payload.n == 2) {
        if (payload.p[1] == SHA2_FAST_OK)
            return LOGIN_MORE;
        if (payload.p[1] == SHA2_FULL)
            return full_authentication(lc, err);
    }
    err_set(err, "unexpected data in the authentication");
    return failed(lc);
}

static enum login_step on_key(struct login_client *lc, struct bytes payload, struct err *err)
{
    if (!payload.n || payload.p[0] != SHA2_MORE_DATA) {
        err_set(err, "the server did not send its RSA public key");
        return failed(lc);
    }
    return send_encrypted(lc, bytes_skip(payload, 1), err);
}

static enum login_step on_err(struct login_client *lc, struct bytes payload, struct err *err)
{
    struct reply_err e;
    reply_err_decode(&e, payload);
    const char *hint = "";
    if (e.code == ER_ACCESS_DENIED_ERROR)
        hint = " (check user and password in [dumper], and the account's host on the source)";
    else if (e.code == ER_SECURE_TRANSPORT_REQUIRED)
        hint = " (set ssl_mode=required in [dumper])";
    err_set(err, "the source refuses the login: error %u: %s%s", e.code, e.message, hint);
    err->code = e.code;
    return failed(lc);
}

static enum login_step on_result(struct login_client *lc, struct bytes payload, struct err *err)
{
    switch (payload.n ? payload.p[0] : -1) {
    case REPLY_OK:
        lc->state = LOGIN_AT_END;
        return LOGIN_DONE;
    case SHA2_MORE_DATA:
        return on_more_data(lc, payload, err);
    case REPLY_EOF:
        return on_switch(lc, payload, err);
    default:
        err_set(err, "unexpected packet in the authentication");
        return failed(lc);
    }
}

enum login_step login_client_feed(struct login_client *lc, struct bytes payload, struct err *err)
{
    if (reply_is_err(payload))
        return on_err(lc, payload, err);
    switch (lc->state) {
    case LOGIN_AT_GREETING:
        return on_greeting(lc, payload, err);
    case LOGIN_AT_RESULT:
        return on_result(lc, payload, err);
    case LOGIN_AT_KEY:
        return on_key(lc, payload, err);
    case LOGIN_AT_TLS:
    case LOGIN_AT_END:
        break;
    }
    err_set(err, "a packet came when none may come");
    return failed(lc);
}

enum login_step login_client_secured(struct login_client *lc, struct err *err)
{
    if (lc->state != LOGIN_AT_TLS) {
        err_set(err, "TLS was not asked for");
        return failed(lc);
    }
    lc->secure = true;
    return send_response(lc);
}
