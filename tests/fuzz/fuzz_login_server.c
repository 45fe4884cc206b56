/*
 * The server's login machine fed by a client that does not know the password. The input's first
 * byte chooses the options; then each packet is its length (2 bytes) and its payload. Nobody gets
 * in, TLS is begun only where it is offered, and what is sent fits into what a machine may send.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rand.h"
#include "mysql/login_server.h"

#include <stdlib.h>

#define SENT_MAX    2
#define MESSAGE_MAX 2048

static struct account_list *accounts;
static struct auth_rsa_key *rsa;

static const struct account *find(void *ctx, const char *user)
{
    (void)ctx;
    const struct account *decoy = account_list_decoy(accounts, user);
    const struct account *a = account_list_find(accounts, user);
    return a ? a : decoy;
}

static void prepare(void)
{
    static const struct {
        const char *name;
        enum auth_plugin plugin;
    } known[] = {{"repl", AUTH_PLUGIN_CACHING_SHA2}, {"nat", AUTH_PLUGIN_NATIVE}};
    struct err err;
    char password[RAND_UUID_CHARS + 1];
    rand_uuid(password); /* a constant would be found in the program */
    accounts = account_list_new();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct account a;
        BUG_ON(account_init(&a, known[i].name, password, known[i].plugin, &err) < 0);
        BUG_ON(account_list_add(accounts, &a, &err) < 0);
        account_fini(&a);
    }
    rsa = auth_rsa_key_new();
}

static void check_sent(struct login_server *ls)
{
    struct bytes sent;
    int n = 0;
    while (login_server_take(ls, &sent))
        BUG_ON(++n > SENT_MAX || sent.n > MESSAGE_MAX);
}

static enum login_step feed(struct login_server *ls, struct bytes payload, struct err *err)
{
    /* Memory of just its size: a sanitizer sees a read past its end. */
    uint8_t *copy = mem_alloc(payload.n ? payload.n : 1);
    memcpy(copy, payload.p, payload.n);
    enum login_step step = login_server_feed(ls, bytes_of(copy, payload.n), err);
    free(copy);
    return step;
}

static enum login_step check(struct login_server *ls, struct err *err)
{
    struct login_check check;
    login_server_take_check(ls, &check);
    login_check_run(&check);
    bool right = check.right;
    login_check_fini(&check);
    return login_server_checked(ls, right, err);
}

static void run(struct login_server *ls, const struct login_server_opts *opts, struct rd *r)
{
    struct err err;
    enum login_step step = LOGIN_MORE;
    check_sent(ls);
    while (rd_left(r) && (step == LOGIN_MORE || step == LOGIN_WANT_TLS)) {
        uint16_t n = rd_u16(r);
        step = feed(ls, rd_bytes(r, n < rd_left(r) ? n : rd_left(r)), &err);
        if (step == LOGIN_WANT_CHECK)
            step = check(ls, &err);
        BUG_ON(step == LOGIN_DONE);
        BUG_ON(step == LOGIN_WANT_TLS && opts->tls == LOGIN_SERVER_TLS_OFF);
        BUG_ON(step == LOGIN_FAILED && (!memchr(err.text, 0, sizeof err.text) || !*err.text));
        check_sent(ls);
        if (step == LOGIN_WANT_TLS)
            step = login_server_secured(ls, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!accounts)
        prepare();
    struct rd r = rd_of(bytes_of(data, size));
    uint8_t choice = rd_u8(&r);
    struct login_server_opts opts = {
        .version = choice & 1 ? "9.7.4-binlogd" : "10.11.19-MariaDB-binlogd",
        .connection_id = 77,
        .host = "192.0.2.1",
        .tls = (enum login_server_tls)((choice >> 1 & 3) % 3),
        .local = choice >> 3 & 1,
        .rsa = choice >> 4 & 1 ? rsa : NULL,
        .find = find,
    };
    struct login_server *ls = login_server_new(&opts);
    run(ls, &opts, &r);
    login_server_free(ls);
    return 0;
}
