/* Packets over a connection. */
#include "link/channel.h"

#include <stdarg.h>
#include <stdio.h>

static void on_opened(void *ctx)
{
    struct channel *ch = ctx;
    ch->ops->opened(ch->ctx);
}

static void on_secured(void *ctx)
{
    struct channel *ch = ctx;
    ch->securing = false;
    ch->ops->secured(ch->ctx);
}

static void on_drained(void *ctx)
{
    struct channel *ch = ctx;
    if (ch->ops->drained)
        ch->ops->drained(ch->ctx);
}

static void on_closed(void *ctx, const char *reason)
{
    struct channel *ch = ctx;
    ch->conn = NULL;
    ch->ops->closed(ch->ctx, reason);
}

/* Hands a part over, or joins it to the message. False when the owner refuses it or closed. */
static bool deliver(struct channel *ch, struct bytes part, unsigned flags)
{
    if (!ch->message_max || (flags == (CHANNEL_FIRST | CHANNEL_LAST) && part.n <= ch->message_max))
        return ch->ops->part(ch->ctx, part, flags);
    if (part.n > ch->message_max - ch->message.len) {
        ch->malformed = true;
        channel_close(ch, "a message is longer than %zu bytes", ch->message_max);
        return false;
    }
    size_t before = ch->message.len;
    wr_bytes(&ch->message, part);
    if (!(flags & CHANNEL_LAST))
        return true;
    bool taken = ch->ops->part(ch->ctx, buf_bytes(&ch->message), CHANNEL_FIRST | CHANNEL_LAST);
    if (taken || !ch->conn)
        buf_fini_secret(&ch->message); /* it may have been long, or held a password */
    else
        buf_truncate(&ch->message, before); /* a refused part comes again */
    return taken;
}

static bool read_header(struct channel *ch, const uint8_t *p)
{
    if (p[3] != ch->seq) {
        ch->malformed = true;
        channel_close(ch, "packets out of order: sequence number %u came, %u was due", p[3],
                      ch->seq);
        return false;
    }
    ch->seq++;
    ch->left = le24(p);
    ch->packet_full = ch->left == PACKET_PART_MAX;
    ch->in_packet = true;
    return true;
}

/* Hands over the next part of in; returns the bytes used, 0 when more must come first. */
static size_t take_part(struct channel *ch, struct bytes in)
{
    size_t header = 0;
    if (!ch->in_packet) {
        if (in.n < PACKET_HEADER || !read_header(ch, in.p))
            return 0;
        header = PACKET_HEADER;
    }
    size_t n = in.n - header < ch->left ? in.n - header : ch->left;
    bool short_first = !ch->message_max && !ch->in_message && n < ch->left && n < CHANNEL_WHOLE_MAX;
    unsigned flags = (ch->in_message ? 0 : CHANNEL_FIRST) |
                     (n == ch->left && !ch->packet_full ? CHANNEL_LAST : 0);
    bool nothing = n == 0 && ch->left;
    if (short_first || nothing || !deliver(ch, bytes_of(in.p + header, n), flags)) {
        if (header) { /* as if the header had not been read */
            ch->seq--;
            ch->in_packet = false;
        }
        return 0;
    }
    ch->left -= n;
    ch->in_packet = ch->left > 0;
    ch->in_message = !(flags & CHANNEL_LAST);
    return header + n;
}

static size_t on_data(void *ctx, struct bytes in)
{
    struct channel *ch = ctx;
    size_t used = 0, n = 1;
    while (ch->conn && !ch->securing && n && used < in.n) {
        n = take_part(ch, bytes_skip(in, used));
        used += n;
    }
    if (ch->conn)
        ch->ops->batch(ch->ctx);
    return used;
}

static const struct conn_ops channel_conn_ops = {
    .opened = on_opened,
    .secured = on_secured,
    .data = on_data,
    .closed = on_closed,
};

/* Of an accepted connection, which opened nothing and may send more than the socket takes. */
static const struct conn_ops channel_adopt_ops = {
    .secured = on_secured,
    .data = on_data,
    .drained = on_drained,
    .closed = on_closed,
};

int channel_dial(struct channel *ch, struct ev_loop *loop, const struct addr *to, int priority,
                 const struct channel_ops *ops, void *ctx, struct err *err)
{
    channel_fini(ch);
    ch->ops = ops;
    ch->ctx = ctx;
    ch->message_max = CHANNEL_WHOLE_MAX;
    struct conn_opts opts = {
        .loop = loop,
        .read_size = CHANNEL_READ_SIZE,
        .priority = priority,
        .ops = &channel_conn_ops,
        .ctx = ch,
    };
    ch->conn = conn_dial(&opts, to, err);
    return ch->conn ? 0 : -1;
}

int channel_adopt(struct channel *ch, const struct channel_adopt_opts *opts, int fd,
                  struct err *err)
{
    channel_fini(ch);
    ch->ops = opts->ops;
    ch->ctx = opts->ctx;
    ch->message_max = opts->message_max;
    struct conn_opts conn_opts = {
        .loop = opts->loop,
        .read_size = CHANNEL_ADOPT_READ_SIZE,
        .low_water = opts->low_water,
        .priority = opts->priority,
        .ops = &channel_adopt_ops,
        .ctx = ch,
        .gate = opts->gate,
        .worker = opts->worker,
    };
    ch->conn = conn_accept(&conn_opts, fd, err);
    return ch->conn ? 0 : -1;
}

void channel_trust(struct channel *ch)
{
    if (ch->conn)
        conn_trust(ch->conn);
}

void channel_fini(struct channel *ch)
{
    buf_fini_secret(&ch->message);
    *ch = (struct channel){0};
}

void channel_set_ops(struct channel *ch, const struct channel_ops *ops, void *ctx)
{
    ch->ops = ops;
    ch->ctx = ctx;
}

void channel_receive(struct channel *ch, size_t message_max)
{
    ch->message_max = message_max;
}

void channel_send(struct channel *ch, struct bytes message)
{
    if (!ch->conn)
        return;
    ch->seq = packet_encode(conn_out(ch->conn), message, ch->seq);
    conn_flush(ch->conn);
}

void channel_send_command(struct channel *ch, struct bytes message)
{
    ch->seq = 0;
    channel_send(ch, message);
}

void channel_send_aside(struct channel *ch, struct bytes message)
{
    if (!ch->conn)
        return;
    packet_encode(conn_out(ch->conn), message, 0);
    conn_flush(ch->conn);
}

size_t channel_queued(const struct channel *ch)
{
    return ch->conn ? conn_out(ch->conn)->len : 0;
}

void channel_start_tls(struct channel *ch, struct tls *tls, const char *host)
{
    if (!ch->conn)
        return;
    ch->securing = true;
    conn_start_tls(ch->conn, tls, host);
}

void channel_trim(struct channel *ch)
{
    if (ch->conn)
        conn_trim(ch->conn);
}

void channel_expect_seq(struct channel *ch, uint8_t seq)
{
    ch->seq = seq;
}

void channel_pause(struct channel *ch)
{
    if (ch->conn)
        conn_pause(ch->conn);
}

void channel_resume(struct channel *ch)
{
    if (ch->conn)
        conn_resume(ch->conn);
}

void channel_close(struct channel *ch, const char *fmt, ...)
{
    if (!ch->conn)
        return;
    char reason[500];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    conn_close(ch->conn, "%s", reason);
}
