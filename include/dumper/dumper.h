/*
 * The dumper: keeps one connection to the source and lets its stream flow into the store.
 *
 * Life of a connection: settle the store, resolve, connect, log in, set up, dump; when it ends,
 * wait (100 ms, doubling up to retry_max) and begin again, for ever. Three things end it for good:
 * the storage failed, the source's history is not ours, stored bytes are damaged. And a source that
 * has logged us in and ten times in a row sends what cannot be right (ERR_MALFORMED), so that
 * nothing more becomes durable, is not asked again: DUMPER_STOPPED.
 */
#ifndef BINLOGD_DUMPER_DUMPER_H
#define BINLOGD_DUMPER_DUMPER_H

#include "dumper/downstream.h"
#include "dumper/monitor.h"
#include "dumper/stream.h"

enum dumper_state {
    DUMPER_CONNECTING,  /* no stream yet */
    DUMPER_CATCHING_UP, /* the stream is behind the source */
    DUMPER_PROTECTING,  /* up to date, and the source waits for our ACKs: nothing can be lost */
    DUMPER_ASYNC,       /* up to date, but the source does not wait for us */
    DUMPER_WAIT_SPACE,  /* the disk is full */
    DUMPER_FAILED,      /* the storage failed */
    DUMPER_DIVERGED,    /* the source's history is not the one stored here */
    DUMPER_CORRUPT,     /* stored bytes are damaged */
    DUMPER_STOPPED      /* by the operator, or because the source sends what cannot be stored; until
                         * dumper_start */
};

/* What the connection is doing, in the terms of MySQL's I/O thread. */
enum dumper_io {
    DUMPER_IO_STOPPED,
    DUMPER_IO_CONNECTING,
    DUMPER_IO_RECONNECTING, /* waits for the next try */
    DUMPER_IO_CHECKING,     /* asks who the source is */
    DUMPER_IO_REQUESTING,   /* the dump, of which nothing has come yet */
    DUMPER_IO_QUEUEING,     /* catches up */
    DUMPER_IO_WAITING,      /* is up to date */
    DUMPER_IO_NO_SPACE
};

enum dumper_divergence {
    DUMPER_STOP,     /* end with DUMPER_DIVERGED */
    DUMPER_FAILOVER, /* another server may go on, when by GTID it has all that is stored */
    DUMPER_NEW_EPOCH /* whatever it is, it goes on in a new epoch */
};

enum dumper_start { DUMPER_START_EARLIEST, DUMPER_START_LATEST, DUMPER_START_FILE };

struct dumper_opts {
    struct ev_loop *loop;
    struct worker *worker; /* for resolving names */
    struct store *store;
    const char *host;
    uint16_t port;
    struct login_client_opts login;
    struct tls *tls; /* NULL with LOGIN_TLS_OFF */
    struct setup_opts setup;
    uint32_t heartbeat_ms;
    uint32_t connect_timeout_ms; /* from resolving to the dump request */
    uint32_t retry_max_ms;
    uint32_t monitor_ms; /* between two looks at the source's status; 0: none */
    enum dumper_start start;
    struct binfile_name start_file;
    enum dumper_divergence on_divergence;
    struct downstream_opts downstream;
    uint64_t min_free; /* bytes that must be free before a full disk is tried again */
    /* The state changed. */
    void (*state_changed)(void *ctx, enum dumper_state state);
    /* Nothing more will happen until the operator acts; the state says why. */
    void (*ended)(void *ctx, enum dumper_state state);
    void *ctx;
};

struct dumper_stats {
    enum dumper_state state;
    int64_t state_since_us;     /* wall clock */
    int64_t protected_until_us; /* when DUMPER_PROTECTING was left last; 0: not since the start */
    bool connected;             /* a dump runs */
    uint64_t connects;          /* dumps begun */
    uint64_t events;            /* of the present connection */
    uint64_t transactions;
    uint64_t total_events; /* of all connections */
    uint64_t total_transactions;
    uint64_t total_bytes;       /* of events */
    uint64_t errors[ERR_KINDS]; /* tries that ended, by enum err_kind */
    uint64_t acks;              /* sent since start */
    struct histogram ack_time;  /* from receiving to acknowledging, for each ACK the longest */
    enum downstream_state downstream;
    uint64_t held_us;        /* that something has been waiting for replicas; 0: nothing is */
    uint64_t degraded_times; /* since start */
    /* Transactions acknowledged to the source since start while replicas were to be waited for:
     * those that enough of them had, and the others. */
    uint64_t transactions_with;
    uint64_t transactions_without;
    int64_t seconds_behind; /* -1: unknown */
    /* Bytes that the source has and that have not come yet: exact within its newest file when the
     * monitor knows its end, else of what it had when this dump began, which was `backlog`. -1:
     * unknown. */
    int64_t bytes_behind;
    int64_t backlog;
    uint64_t dump_us;         /* since the dump began, microseconds; 0 without */
    uint64_t dump_bytes;      /* of events, since then */
    bool gave_up;             /* dumper_gave_up */
    const char *last_error;   /* "": all is well since */
    unsigned last_error_code; /* MySQL's number for it; 0 without one */
    int64_t last_error_us;    /* when, wall clock; 0 without one */
    enum dumper_io io;
    uint32_t source_id;      /* server_id of the source last seen; 0 before the first */
    const char *source_uuid; /* or what stands for it; "" before the first */
    const char *version;     /* of the source; "" before the first login */
    /* What the monitor found; lives as long as the dumper. */
    const struct monitor_facts *source;
    const char *unsafe; /* the source's settings that are not lossless, as settings_judge */
};

struct dumper;

/* opts are copied; what they point to must outlive the dumper, or be replaced by reconfigure. The
 * store's events are the dumper's from now on. */
struct dumper *dumper_new(const struct dumper_opts *opts);
void dumper_start(struct dumper *d);
/* Closes the connection and stays so until dumper_start; what came is still written and synced. */
void dumper_stop(struct dumper *d);
/* Stopped by dumper_stop, because of what the source sends, or for good. */
bool dumper_stopped(const struct dumper *d);
/* Of these three the second. */
bool dumper_gave_up(const struct dumper *d);
/* Of a stopped one: forgets the last error and which source it was. */
void dumper_forget(struct dumper *d);
/* Takes other strings and limits for the next connection, and what replicas must have at once;
 * loop, worker and store must be the same. */
void dumper_reconfigure(struct dumper *d, const struct dumper_opts *opts);
/* Replicas have acknowledged more. */
void dumper_replicas_moved(struct dumper *d);
/* Closes the connection; no callback comes any more. */
void dumper_free(struct dumper *d);

/* Whether the source last seen had gtid_mode=ON. */
bool dumper_gtid_mode(const struct dumper *d);
void dumper_stats(const struct dumper *d, struct dumper_stats *stats);
const char *dumper_state_name(enum dumper_state state);

#endif
