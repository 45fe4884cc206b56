/*
 * The hub: all sessions of clients, from their sockets to their dumps.
 *
 * It owns what sessions share (limits, the scratch of dumps, the list for SHOW REPLICAS and
 * SHOW PROCESSLIST) and wakes those that wait when T moves. What a statement means is somebody
 * else's: the owner gives a table of functions.
 */
#ifndef BINLOGD_REPLICA_HUB_H
#define BINLOGD_REPLICA_HUB_H

#include "link/acceptor.h"
#include "store/store.h"

#define HUB_RIGHT_REPLICATE 1u /* bit of account.rights */

/* SQL of one session; state is what open returned. */
struct hub_sql {
    /* Whether a session can begin in it. */
    bool (*knows_database)(void *ctx, const char *name);
    void *(*open)(void *ctx, uint32_t id, const char *user, const char *host, const char *database,
                  unsigned rights);
    void (*close)(void *ctx, void *state);
    void (*reset)(void *ctx, void *state);
    /* Each appends the packets of the answer, the first with sequence number 1. A query that
     * appends nothing is answered later, by hub_answer. */
    void (*query)(void *ctx, void *state, struct bytes sql, struct buf *out);
    void (*init_db)(void *ctx, void *state, struct bytes name, struct buf *out);
    void (*statistics)(void *ctx, struct buf *text);
    /* The text of a user variable; false when it is not set. */
    bool (*variable)(void *ctx, void *state, const char *name, struct bytes *value);
};

struct hub_opts {
    struct ev_loop *loop;
    struct worker *worker;
    struct worker *door; /* for the TLS handshakes of strangers; NULL: the loop does them */
    struct store *store;
    uint32_t server_id;  /* in made-up events */
    const char *version; /* of the greeting */
    bool old_words;      /* the source is older than 8.0.26 */
    struct account_list *accounts;
    struct auth_rsa_key *rsa;
    struct tls *tls; /* NULL: TLS is not offered */
    bool require_tls;
    uint32_t wait_for_replicas; /* whose ACKs are asked for; 0: nobody's */
    void (*acked)(void *ctx);   /* hub_acked moved */
    uint32_t max_connections;   /* cut to what the process may have open */
    /* Whether the user may come from there. */
    bool (*may_come)(void *ctx, const char *user, const struct addr *peer);
    const struct hub_sql *sql;
    void *ctx; /* of sql, acked and may_come */
};

struct hub;

/* opts are copied; what they point to must outlive the hub or be replaced by hub_reconfigure. */
struct hub *hub_new(const struct hub_opts *opts);
/* For sessions that log in from now on. */
void hub_reconfigure(struct hub *h, const struct hub_opts *opts);
void hub_free(struct hub *h);
/* Takes an accepted socket. */
void hub_accept(struct hub *h, int fd, const struct addr *peer);
/* T moved. */
void hub_moved(struct hub *h);
/* The highest point up to where wait_for_replicas of them, one of each server_id and uuid, have
 * acknowledged all; all zero when there is none. Asking for a position, and having the GTIDs of
 * what would come, is an ACK too. */
struct point hub_acked(const struct hub *h);

struct hub_session_info {
    uint32_t id;
    const char *user;
    char host[ADDR_TEXT_MAX];
    bool dumping;
    bool by_gtid;
    bool registered; /* or dumping with a server_id */
    uint32_t server_id;
    const char *report_host;
    uint16_t report_port;
    const char *uuid;
    uint64_t since_s; /* seconds in the present command or idle */
    struct store_pos pos;
    bool semi_sync;     /* the dump's events have the semi-sync header */
    struct point acked; /* by it */
};

void hub_each(struct hub *h, void (*fn)(void *arg, const struct hub_session_info *info), void *arg);
/* The packets of an answer that was owed; nothing happens when the session is gone. */
void hub_answer(struct hub *h, uint32_t id, struct bytes packets);
/* Ends a session in a later turn of the loop; false when there is none. */
bool hub_kill(struct hub *h, uint32_t id);
/* The same of one that dumps; any other goes on, and that is true too. */
bool hub_kill_dump(struct hub *h, uint32_t id);

struct hub_stats {
    uint32_t connected;
    uint32_t dumping;
    uint32_t semi_sync; /* of these, with the semi-sync header */
    uint32_t max_used;
    uint64_t connections;
    uint64_t refused; /* logins that failed */
    uint64_t delayed; /* answers to logins held back after failures from the same address */
    uint64_t questions;
};

void hub_stats(const struct hub *h, struct hub_stats *stats);

#endif
