/*
 * The login machine fed with packets. The input's first byte chooses the options; then each packet
 * is its length (2 bytes) and its payload. Before TLS is up nothing but an SSLRequest may leave
 * when TLS is required, and the password in clear never outside TLS and unix sockets.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "mysql/caps.h"
#include "mysql/login_client.h"

#include <stdlib.h>

#define PASSWORD    "A-password-that-no-input-holds"
#define SSL_REQUEST 32

static const char pinned[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDfBfoQGch+H8OqZW1s6lwpfhq7\n"
                             "/ullVju1ggbjun5lrRTNE2/ev0mrxkyRrXoO2lSqmnNEmKX6RyaiyplWLOQraj4d\n"
                             "xrmz2/FVFUkTv+KloIKEX4wQsLYb96fxqsXH1J0+iVUnGEfM91qIH3kDWTNKnX42\n"
                             "Un/liyQXBgXy9+ZmCQIDAQAB\n"
                             "-----END PUBLIC KEY-----\n";

struct session {
    struct login_client *lc;
    const struct login_client_opts *opts;
    bool secured;
};

static void check_sent(const struct session *s, enum login_step step)
{
    struct bytes sent;
    if (!login_client_take(s->lc, &sent)) {
        BUG_ON(step == LOGIN_WANT_TLS);
        return;
    }
    BUG_ON(step == LOGIN_FAILED || step == LOGIN_DONE);
    if (step == LOGIN_WANT_TLS)
        BUG_ON(sent.n != SSL_REQUEST || !(le32(sent.p) & CAP_SSL));
    else
        BUG_ON(s->opts->tls == LOGIN_TLS_REQUIRED && !s->secured);
    if (!s->secured && !s->opts->local)
        BUG_ON(sent.n && memmem(sent.p, sent.n, PASSWORD, strlen(PASSWORD)));
    BUG_ON(login_client_take(s->lc, &sent));
}

static enum login_step feed(struct session *s, struct bytes payload, struct err *err)
{
    /* Memory of just its size: a sanitizer sees a read past its end. */
    uint8_t *copy = mem_alloc(payload.n ? payload.n : 1);
    memcpy(copy, payload.p, payload.n);
    enum login_step step = login_client_feed(s->lc, bytes_of(copy, payload.n), err);
    free(copy);
    return step;
}

static void run(struct session *s, struct rd *r)
{
    struct err err;
    enum login_step step = LOGIN_MORE;
    while (rd_left(r) && (step == LOGIN_MORE || step == LOGIN_WANT_TLS)) {
        uint16_t n = rd_u16(r);
        struct bytes payload = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
        step = feed(s, payload, &err);
        check_sent(s, step);
        if (step == LOGIN_WANT_TLS && rd_left(r) && *r->p != 0xff) {
            s->secured = true;
            step = login_client_secured(s->lc, &err);
            BUG_ON(step != LOGIN_MORE);
            check_sent(s, step);
        }
        if (step == LOGIN_FAILED)
            BUG_ON(!memchr(err.text, 0, sizeof err.text) || !*err.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(bytes_of(data, size));
    uint8_t choice = rd_u8(&r);
    struct login_client_opts opts = {
        .user = "repl",
        .password = choice & 1 ? PASSWORD : "",
        .tls = (enum login_tls)(choice >> 1 & 3) % 3,
        .local = choice >> 3 & 1,
        .get_public_key = choice >> 4 & 1,
        .public_key = choice >> 5 & 1 ? pinned : NULL,
    };
    struct session s = {login_client_new(&opts), &opts, false};
    run(&s, &r);
    login_client_free(s.lc);
    return 0;
}
