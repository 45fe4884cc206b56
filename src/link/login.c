/* Drives the client's login machine over a channel. */
#include "link/login.h"

#include "base/mem.h"

#include <stdlib.h>

static void act(struct login *l, enum login_step step)
{
    struct channel *ch = l->channel;
    struct bytes payload;
    if (login_client_take(l->machine, &payload))
        channel_send(ch, payload);
    switch (step) {
    case LOGIN_MORE:
        break;
    case LOGIN_WANT_CHECK: /* of servers */
        BUG_ON(true);
        break;
    case LOGIN_WANT_TLS:
        if (ch->conn)
            conn_start_tls(ch->conn, l->tls, l->host);
        break;
    case LOGIN_DONE:
        l->greeting = *login_client_greeting(l->machine);
        channel_set_ops(ch, l->owner_ops, l->owner_ctx);
        l->done(l->owner_ctx);
        break;
    case LOGIN_FAILED:
        l->failed = true;
        channel_close(ch, "%s", l->err.text);
        break;
    }
}

static void on_opened(void *ctx)
{
    struct login *l = ctx;
    l->owner_ops->opened(l->owner_ctx);
}

static void on_secured(void *ctx)
{
    struct login *l = ctx;
    act(l, login_client_secured(l->machine, &l->err));
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct login *l = ctx;
    act(l, login_client_feed(l->machine, part, &l->err));
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx, const char *reason)
{
    struct login *l = ctx;
    channel_set_ops(l->channel, l->owner_ops, l->owner_ctx);
    l->owner_ops->closed(l->owner_ctx, reason);
}

static const struct channel_ops login_ops = {
    .opened = on_opened,
    .secured = on_secured,
    .part = on_part,
    .batch = on_batch,
    .closed = on_closed,
};

void login_start(struct login *l, struct channel *ch, const struct login_client_opts *opts,
                 struct tls *tls, const char *host, void (*done)(void *ctx))
{
    login_fini(l);
    l->channel = ch;
    l->owner_ops = ch->ops;
    l->owner_ctx = ch->ctx;
    l->tls = tls;
    l->host = mem_strdup(host);
    l->done = done;
    l->machine = login_client_new(opts);
    channel_set_ops(ch, &login_ops, l);
}

void login_fini(struct login *l)
{
    login_client_free(l->machine);
    free(l->host);
    *l = (struct login){0};
}
