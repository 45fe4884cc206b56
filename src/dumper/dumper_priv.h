/*
 * The dumper, for the files that it is made of: dumper.c, the life of its connections;
 * dumper_request.c, what is said before a dump; dumper_copy.c, the dump; dumper_stats.c, what is
 * told of all that.
 */
#ifndef BINLOGD_DUMPER_DUMPER_PRIV_H
#define BINLOGD_DUMPER_DUMPER_PRIV_H

#include "dumper/dumper.h"

enum dumper_phase {
    PHASE_STOPPED,   /* not started, or ended for good */
    PHASE_SETTLING,  /* awaits that all that came is durable and the last file is open */
    PHASE_REPLICAS,  /* awaits that replicas have what the dump request acknowledges */
    PHASE_RESOLVING, /* awaits the worker's answer */
    PHASE_DIALLING,  /* awaits the connection */
    PHASE_LOGIN,     /* awaits the login machine's end */
    PHASE_SETUP,     /* awaits replies to statements */
    PHASE_JOINING,   /* awaits the name of the file that another server would begin with */
    PHASE_STREAMING, /* awaits events, or at least heartbeats */
    PHASE_BACKOFF,   /* awaits the time of the next try */
    PHASE_NO_SPACE   /* awaits that the disk has room again */
};

struct dumper {
    struct dumper_opts opts;
    enum dumper_phase phase;
    enum dumper_state state;
    int64_t state_since_us;
    int64_t protected_until_us;
    struct ev_timer deadline; /* of the present phase */
    struct channel channel;

    /* Tries to connect, and how they end. */
    uint32_t retry_ms;
    uint64_t tried_us; /* when the present try began */
    struct addr_lookup *lookup;
    struct addr_list addrs;
    size_t addr; /* the one being tried */
    struct login login;
    struct {
        uint64_t free;     /* bytes, when the disk was found full */
        uint64_t since_us; /* when that was */
    } full;
    bool restart_store; /* the journal stopped and must be started anew before the next dump */
    struct err err;     /* why the connection was closed by us; text "" otherwise */
    struct {
        unsigned tries;
        struct point end; /* T at the last of them */
    } malformed;          /* what came, so that the connection was ended */
    bool gave_up;         /* stopped because of that */
    uint64_t errors[ERR_KINDS];
    char last_error[600];
    unsigned last_error_code;
    int64_t last_error_us;

    /* What to ask for. */
    struct setup setup;
    char version[HANDSHAKE_VERSION_MAX];
    bool other_files; /* the source has others than are stored: it is to be judged by GTID */
    bool new_epoch;   /* begin one before the next dump: */
    enum store_follow follow;
    struct binfile_name join; /* with which file of its source it begins; text "": as start says */
    bool from_start;          /* compare the last file from its start */

    /* The dump. */
    struct stream stream;
    struct ack_queue acks;
    struct downstream downstream;
    struct buf ack_message; /* reused, so that an ACK allocates nothing */
    struct monitor monitor;
    char unsafe[SETTINGS_TEXT_MAX]; /* what was last said about the source's settings */
    struct ev_timer gather;         /* runs while reading pauses to let bytes gather */
    uint64_t received;              /* conn_received after the last batch */
    bool read_paused;
    struct point begun;   /* T when the present dump began */
    bool at_end;          /* it has been up to date: */
    uint64_t end;         /* stream offset of what had come then */
    struct store_pos had; /* received when the monitor told something last */
    int64_t backlog;
    uint64_t dump_since_us;
    uint64_t connects;
    struct {
        uint64_t events, transactions, bytes;
    } before; /* in all connections before this one */
    uint64_t acks_sent;
    uint64_t acked_transactions; /* of the present connection */
    uint64_t transactions_with;
    uint64_t transactions_without;
    struct histogram ack_time;
};

/* ---- dumper.c ---- */

void dumper_set_state(struct dumper *d, enum dumper_state state);
void dumper_enter(struct dumper *d, enum dumper_phase phase);
/* The deadline of the phase, from now on; 0: none. */
void dumper_arm(struct dumper *d, uint32_t ms);
/* How long the source may be silent. */
uint32_t dumper_silence_ms(const struct dumper *d);
/* The next try follows soon, and what goes wrong then is said anew. */
void dumper_all_is_well(struct dumper *d);
/* Closes the connection because of err, which decides how it goes on. */
void dumper_give_up(struct dumper *d, const struct err *err);
/* As channel_ops.closed, of every connection of the dumper. */
void dumper_on_closed(void *ctx, const char *reason);

/* ---- dumper_request.c ---- */

/* Logged in: takes the channel over, up to the dump request. */
void dumper_request_start(struct dumper *d);

/* ---- dumper_copy.c ---- */

void dumper_copy_init(struct dumper *d);
void dumper_copy_fini(struct dumper *d);
/* Takes the channel over for the answer to a dump request, which is to be sent then. As
 * stream_start. */
void dumper_copy_start(struct dumper *d, const struct binfile_name *file, uint64_t pos);
/* Sends the ACKs that are due; while a dump runs. */
void dumper_copy_send_acks(struct dumper *d);
/* As store_events. */
void dumper_copy_durable(struct dumper *d);
void dumper_copy_room(struct dumper *d);
/* Asks the source for its status from now on, as the options say. */
void dumper_copy_watch(struct dumper *d);

#endif
