/* Asks the source how it is. */
#include "dumper/monitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "mysql/errcode.h"
#include "mysql/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PRIORITY   (-2) /* of the socket: behind all else */
#define FIRST_MS   1000u
#define OFF_MS     1000u /* until the source waits again, it is asked more often */
#define ANSWER_MAX (64u << 10)

/* ---- questions ---- */

static void write_settings(const struct monitor *m, struct buf *out)
{
    (void)m;
    settings_query(out);
}

static int take_settings(struct monitor *m, struct err *err)
{
    return settings_judge(&m->reply, m->opts.scope, m->next.unsafe, err);
}

static void write_status(const struct monitor *m, struct buf *out)
{
    (void)m;
    wr_u8(out, COM_QUERY);
    wr_str(out, "SHOW GLOBAL STATUS WHERE Variable_name IN "
                "('Rpl_semi_sync_source_status', 'Rpl_semi_sync_master_status')");
}

static int take_status(struct monitor *m, struct err *err)
{
    (void)err;
    const char *value = resultset_get(&m->reply, 0, 1);
    if (value)
        m->next.semi_sync = strcasecmp(value, "ON") == 0 ? MONITOR_ON : MONITOR_OFF;
    return 0;
}

static void write_end(const struct monitor *m, struct buf *out)
{
    (void)m;
    wr_u8(out, COM_QUERY);
    wr_str(out, "SHOW BINARY LOG STATUS"); /* 8.2 and later */
}

static void write_end_old(const struct monitor *m, struct buf *out)
{
    if (m->next.file.text[0])
        return;
    wr_u8(out, COM_QUERY);
    wr_str(out, "SHOW MASTER STATUS");
}

static int take_end(struct monitor *m, struct err *err)
{
    const char *file = resultset_get(&m->reply, 0, 0), *pos = resultset_get(&m->reply, 0, 1);
    if (!file || !pos)
        return 0;
    m->next.pos = strtoull(pos, NULL, 10);
    return binfile_name_parse(&m->next.file, bytes_str(file), err);
}

/* An error as the answer leaves a fact unknown, no more. */
static const struct {
    void (*write)(const struct monitor *m, struct buf *out); /* appends nothing: not asked */
    int (*take)(struct monitor *m, struct err *err);
} questions[] = {
    {write_settings, take_settings},
    {write_status, take_status},
    {write_end, take_end},
    {write_end_old, take_end},
};

#define QUESTIONS (sizeof questions / sizeof *questions)

/* ---- one round ---- */

static void arm(struct monitor *m, uint32_t ms)
{
    m->timer.repeat = ms / 1000.0;
    ev_timer_again(m->opts.loop, &m->timer);
}

static void wait_for_next(struct monitor *m)
{
    bool off = m->facts.semi_sync == MONITOR_OFF && m->opts.scope == SETTINGS_SEMI_SYNC;
    m->phase = MONITOR_WAITING;
    arm(m, off && OFF_MS < m->opts.interval_ms ? OFF_MS : m->opts.interval_ms);
}

static void round_done(struct monitor *m)
{
    m->facts = m->next;
    m->facts.at_us = clock_now_us();
    channel_trim(&m->channel);
    m->last_error[0] = 0;
    wait_for_next(m);
    m->opts.told(m->opts.ctx);
}

/* Asks from m->question on; the round is done when there is none left. */
static void ask(struct monitor *m)
{
    struct buf out;
    buf_init(&out);
    while (m->question < QUESTIONS && !out.len) {
        questions[m->question].write(m, &out);
        if (!out.len)
            m->question++;
    }
    if (out.len) {
        resultset_fini(&m->reply);
        resultset_init(&m->reply);
        channel_send_command(&m->channel, buf_bytes(&out));
    } else {
        round_done(m);
    }
    buf_fini(&out);
}

static void begin_round(struct monitor *m)
{
    m->phase = MONITOR_ASKING;
    m->question = 0;
    m->next = (struct monitor_facts){0};
    arm(m, m->opts.timeout_ms);
    ask(m);
}

static bool on_part(void *ctx, struct bytes part, unsigned flags)
{
    (void)flags;
    struct monitor *m = ctx;
    struct err err;
    int rc = 0;
    if (m->phase != MONITOR_ASKING) { /* an error before it closes, for example */
        channel_close(&m->channel, "the source said something unasked");
        return true;
    }
    switch (resultset_feed(&m->reply, part, &err)) {
    case RESULTSET_MORE:
        return true;
    case RESULTSET_ROWS:
        rc = questions[m->question].take(m, &err);
        break;
    case RESULTSET_OK:
    case RESULTSET_ERR:
        break;
    case RESULTSET_BROKEN:
        rc = -1;
        break;
    }
    if (rc < 0) {
        channel_close(&m->channel, "%s", err.text);
        return true;
    }
    m->question++;
    ask(m);
    return true;
}

static void on_batch(void *ctx)
{
    (void)ctx;
}

/* ---- connecting ---- */

static void forget(struct monitor *m)
{
    m->facts = (struct monitor_facts){0};
}

static void failed(struct monitor *m, const char *why)
{
    if (strcmp(m->last_error, why) != 0)
        log_info("monitor", "cannot ask the source for its status: %s", why);
    snprintf(m->last_error, sizeof m->last_error, "%s", why);
    forget(m);
    wait_for_next(m);
    m->opts.told(m->opts.ctx);
}

static void on_opened(void *ctx)
{
    (void)ctx;
}

static void on_closed(void *ctx, const char *reason)
{
    struct monitor *m = ctx;
    if (m->phase != MONITOR_STOPPED)
        failed(m, m->login.failed ? m->login.err.text : reason);
}

static const struct channel_ops channel_ops = {
    .opened = on_opened,
    .part = on_part,
    .batch = on_batch,
    .closed = on_closed,
};

static void on_logged_in(void *ctx)
{
    struct monitor *m = ctx;
    channel_receive(&m->channel, ANSWER_MAX);
    begin_round(m);
}

static void connect_source(struct monitor *m)
{
    struct err err;
    m->phase = MONITOR_LOGIN;
    arm(m, m->opts.timeout_ms);
    if (channel_dial(&m->channel, m->opts.loop, &m->addr, PRIORITY, &channel_ops, m, &err) < 0)
        failed(m, err.text);
    else
        login_start(&m->login, &m->channel, m->opts.login, m->opts.tls, m->opts.host, on_logged_in);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    struct monitor *m = timer->data;
    switch (m->phase) {
    case MONITOR_STOPPED:
        break;
    case MONITOR_WAITING:
        if (m->channel.conn)
            begin_round(m);
        else
            connect_source(m);
        break;
    case MONITOR_LOGIN:
    case MONITOR_ASKING:
        channel_close(&m->channel, "no answer within %u ms", m->opts.timeout_ms);
        break;
    }
}

void monitor_init(struct monitor *m)
{
    *m = (struct monitor){.phase = MONITOR_STOPPED};
    ev_init(&m->timer, on_timer);
    m->timer.data = m;
    resultset_init(&m->reply);
}

void monitor_fini(struct monitor *m)
{
    monitor_stop(m);
    channel_fini(&m->channel);
    login_fini(&m->login);
    resultset_fini(&m->reply);
}

void monitor_start(struct monitor *m, const struct monitor_opts *opts, const struct addr *addr)
{
    monitor_stop(m);
    if (!opts->interval_ms)
        return;
    m->opts = *opts;
    m->addr = *addr;
    m->phase = MONITOR_WAITING;
    arm(m, FIRST_MS < opts->interval_ms ? FIRST_MS : opts->interval_ms);
}

void monitor_stop(struct monitor *m)
{
    if (m->phase == MONITOR_STOPPED)
        return;
    m->phase = MONITOR_STOPPED;
    ev_timer_stop(m->opts.loop, &m->timer);
    channel_close(&m->channel, "the stream ended");
    forget(m);
}
