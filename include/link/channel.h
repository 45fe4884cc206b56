/*
 * A channel: packets of the client/server protocol over a connection.
 *
 * Joins what comes into messages, checks sequence numbers, frames what goes. Two ways to receive:
 * whole messages up to a limit (login, queries), or parts, for the messages of a dump, which can
 * have 1 GiB: a message of up to CHANNEL_WHOLE_MAX bytes in one packet comes as one part without
 * being copied, the first part of a longer one has at least that many bytes.
 */
#ifndef BINLOGD_LINK_CHANNEL_H
#define BINLOGD_LINK_CHANNEL_H

#include "mysql/packet.h"
#include "net/conn.h"

#define CHANNEL_WHOLE_MAX (64u << 10)
#define CHANNEL_READ_SIZE (512u << 10) /* of the connection below, when dialled */

/* Of an accepted connection: commands are short, and there are many connections. */
#define CHANNEL_ADOPT_READ_SIZE 4096u

#define CHANNEL_FIRST 1u
#define CHANNEL_LAST  2u

struct channel_ops {
    void (*opened)(void *ctx);
    void (*secured)(void *ctx);
    /* A part; FIRST and LAST both for a whole message. false: not now; the same part (or a longer
     * one) is offered again after channel_resume, which the owner owes. */
    bool (*part)(void *ctx, struct bytes part, unsigned flags);
    /* All that had come was handed over. */
    void (*batch)(void *ctx);
    /* As conn_ops.drained; NULL if not wanted. */
    void (*drained)(void *ctx);
    void (*closed)(void *ctx, const char *reason);
};

struct channel {
    struct conn *conn; /* NULL when closed */
    const struct channel_ops *ops;
    void *ctx;
    uint8_t seq;        /* of the next packet, in either direction */
    size_t message_max; /* 0: parts */
    size_t left;        /* bytes of the current packet still to come */
    bool in_packet;     /* its header was read */
    bool in_message;    /* a part was handed over, the last was not */
    bool securing;      /* what follows is TLS, no packets, until secured */
    bool packet_full;   /* the current packet is PACKET_PART_MAX long: another follows */
    bool malformed;     /* closed by us, because the peer broke the protocol */
    struct buf message; /* being joined, in message mode */
};

/* Dials; the channel must live until closed was called. message_max as in channel_receive. */
int channel_dial(struct channel *ch, struct ev_loop *loop, const struct addr *to, int priority,
                 const struct channel_ops *ops, void *ctx, struct err *err);
struct channel_adopt_opts {
    struct ev_loop *loop;
    int priority;
    size_t message_max; /* as in channel_receive, which can change it later */
    size_t low_water;   /* bytes of output, for drained */
    const struct channel_ops *ops;
    void *ctx;
    struct gate *gate; /* as in conn_opts, until channel_trust */
    struct worker *worker;
};

/* Takes over an accepted socket, which is closed if this fails. Parts do not work with its small
 * read buffer: message_max must not be 0. Any call that sends can end in closed; the memory of the
 * channel must live on until the callback of it, in which that happened, has returned. */
int channel_adopt(struct channel *ch, const struct channel_adopt_opts *opts, int fd,
                  struct err *err);
/* The peer is no stranger any longer. */
void channel_trust(struct channel *ch);
void channel_fini(struct channel *ch);
/* Who is called from now on. */
void channel_set_ops(struct channel *ch, const struct channel_ops *ops, void *ctx);
/* Whole messages of at most message_max bytes, or parts when it is 0. */
void channel_receive(struct channel *ch, size_t message_max);
/* Sends a message that goes on with the current exchange, or begins one with sequence number 0. */
void channel_send(struct channel *ch, struct bytes message);
void channel_send_command(struct channel *ch, struct bytes message);
/* Sends a message with sequence number 0 that leaves the count of the received ones alone. */
void channel_send_aside(struct channel *ch, struct bytes message);
/* Output that the socket has not yet taken, bytes; 0 when closed. */
size_t channel_queued(const struct channel *ch);
/* Goes on with TLS as conn_start_tls; secured follows. */
void channel_start_tls(struct channel *ch, struct tls *tls, const char *host);
/* Gives back the memory of empty buffers. */
void channel_trim(struct channel *ch);
/* The next packet that comes must have this sequence number. */
void channel_expect_seq(struct channel *ch, uint8_t seq);
void channel_pause(struct channel *ch);
void channel_resume(struct channel *ch);
void channel_close(struct channel *ch, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
