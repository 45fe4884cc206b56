/* Drives the server's login machine over a channel. */
#include "link/acceptor.h"

#include "base/mem.h"
#include "base/worker.h"

#include <stdlib.h>

/* Decrypts a password, for as long as it takes, with or without the acceptor. */
struct checking {
    struct worker_job job; /* first: the worker hands it back */
    struct acceptor *a;    /* NULL when it has gone */
    struct login_check check;
};

static void check_run(struct worker_job *job)
{
    login_check_run(&((struct checking *)job)->check);
}

/* The packets of one step go out together. */
static void send_all(struct acceptor *a)
{
    struct channel *ch = a->channel;
    struct bytes payload;
    bool some = false;
    while (ch->conn && login_server_take(a->machine, &payload)) {
        ch->seq = packet_encode(conn_out(ch->conn), payload, ch->seq);
        some = true;
    }
    if (some)
        conn_flush(ch->conn);
}

static void check(struct acceptor *a);

static void answer(struct acceptor *a, enum login_step step)
{
    struct channel *ch = a->channel;
    send_all(a);
    if (!ch->conn)
        return;
    switch (step) {
    case LOGIN_MORE:
        break;
    case LOGIN_WANT_TLS:
        channel_start_tls(ch, a->tls, NULL);
        break;
    case LOGIN_WANT_CHECK:
        check(a);
        break;
    case LOGIN_DONE:
        channel_expect_seq(ch, 0);
        channel_set_ops(ch, a->owner_ops, a->owner_ctx);
        a->ops->done(a->owner_ctx);
        break;
    case LOGIN_FAILED:
        channel_close(ch, "%s", a->err.text);
        break;
    }
}

static void act(struct acceptor *a, enum login_step step)
{
    bool decided = step == LOGIN_DONE || step == LOGIN_FAILED;
    a->failed = step == LOGIN_FAILED;
    a->denied = a->failed && login_server_denied(a->machine);
    a->end = step;
    a->held = decided && a->ops->judged && a->ops->judged(a->owner_ctx);
    if (!a->held)
        answer(a, step);
}

static void check_done(struct worker_job *job)
{
    struct checking *c = (struct checking *)job;
    struct acceptor *a = c->a;
    bool right = c->check.right;
    login_check_fini(&c->check);
    free(c);
    if (!a)
        return;
    a->checking = NULL;
    act(a, login_server_checked(a->machine, right, &a->err));
}

static void check(struct acceptor *a)
{
    struct checking *c = mem_alloc(sizeof *c);
    c->job.run = check_run;
    c->job.done = check_done;
    c->a = a;
    login_server_take_check(a->machine, &c->check);
    a->checking = c;
    if (a->worker) {
        worker_submit(a->worker, &c->job);
        return;
    }
    check_run(&c->job);
    check_done(&c->job);
}

/* Its end concerns nobody. */
static void forget_check(struct acceptor *a)
{
    if (a->checking)
        a->checking->a = NULL;
    a->checking = NULL;
}

static void on_secured(void *ctx)
{
    struct acceptor *a = ctx;
    act(a, login_server_secured(a->machine, &a->err));
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct acceptor *a = ctx;
    if (a->held || a->checking)
        channel_close(a->channel, "a packet came before the answer to the last");
    else
        act(a, login_server_feed(a->machine, part, &a->err));
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx, const char *reason)
{
    struct acceptor *a = ctx;
    forget_check(a);
    channel_set_ops(a->channel, a->owner_ops, a->owner_ctx);
    a->owner_ops->closed(a->owner_ctx, reason);
}

static const struct channel_ops acceptor_ops = {
    .secured = on_secured,
    .part = on_part,
    .batch = on_batch,
    .closed = on_closed,
};

void acceptor_start(struct acceptor *a, struct channel *ch, const struct acceptor_opts *opts)
{
    acceptor_fini(a);
    a->channel = ch;
    a->owner_ops = ch->ops;
    a->owner_ctx = ch->ctx;
    a->tls = opts->tls;
    a->ops = opts->ops;
    a->worker = opts->worker;
    a->machine = login_server_new(opts->login);
    channel_set_ops(ch, &acceptor_ops, a);
    channel_receive(ch, ACCEPTOR_MESSAGE_MAX);
    act(a, LOGIN_MORE);
}

void acceptor_release(struct acceptor *a)
{
    BUG_ON(!a->held);
    a->held = false;
    answer(a, a->end);
}

void acceptor_fini(struct acceptor *a)
{
    forget_check(a);
    login_server_free(a->machine);
    *a = (struct acceptor){0};
}
