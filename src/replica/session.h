/* One inbound session; only the hub sees this. */
#ifndef BINLOGD_REPLICA_SESSION_H
#define BINLOGD_REPLICA_SESSION_H

#include "mysql/repl.h"
#include "replica/dump.h"
#include "replica/hub.h"

#define SESSION_UUID_MAX 37

enum session_state {
    SESSION_LOGIN,    /* awaits the end of the login */
    SESSION_COMMANDS, /* awaits a command */
    SESSION_DUMPING,  /* sends events; awaits room, the disk, or that T moves */
    SESSION_ENDING    /* awaits that the last words are sent */
};

struct session {
    struct session *next;
    struct session **link; /* what points at this one */
    struct hub *hub;
    const struct hub_opts *opts;
    uint8_t *scratch;
    struct hub_stats *stats;
    enum session_state state;
    uint32_t id;
    struct addr peer;
    char host[ADDR_TEXT_MAX]; /* without the port; "localhost" for a unix socket */
    bool local;
    struct channel channel;
    struct acceptor acceptor;
    struct login_server_opts login;
    uint64_t source;      /* addr_source of peer */
    uint32_t entering_at; /* the hub's; while it logs in */
    bool admitted;        /* logged in, or about to be told so */
    bool owed;            /* an answer comes later; no command is taken before */
    bool killed;
    struct ev_timer timer; /* deadline of the state, or the next heartbeat */
    void *sql;
    uint64_t state_since_us;
    /* Of COM_REGISTER_SLAVE and the dump. */
    uint32_t server_id;
    char report_host[REPL_HOST_MAX];
    uint16_t report_port;
    char uuid[SESSION_UUID_MAX];
    struct dump *dump;
    struct set_job *set_job; /* decodes the GTID set of the dump that was asked for */
    bool by_gtid;
    bool semi_sync;
    struct point acked; /* by the replica, in whatever way */
    bool waiting;       /* for T to move */
    bool again;         /* goes on in the next turn */
    double heartbeat_s;
    uint64_t sent_us; /* when the dump last had something to send */
};

struct session_opts {
    struct hub *hub;
    const struct hub_opts *opts;
    struct gate *gate; /* until it has logged in */
    uint8_t *scratch;
    struct hub_stats *stats;
    const struct addr *peer;
    uint32_t id;
};

/* Takes the socket. NULL when the client is gone already. */
struct session *session_new(const struct session_opts *so, int fd);
/* Begins the login. When its connection closes, which can be at once, the session tells the hub,
 * which frees it later, for its callbacks are still running. */
void session_begin(struct session *s);
void session_free(struct session *s);
/* Goes on sending, if it waits for T. */
void session_moved(struct session *s);
/* Closes it. A reason for the client (error 1236), or NULL. */
void session_end(struct session *s, const char *last_words, const char *reason);

/* The answer to a query that could not be given at once. */
void session_answer(struct session *s, struct bytes packets);
/* Closes it in a later turn of the loop: it may be the one that asked for it. */
void session_kill(struct session *s);
/* The same of a session that dumps; the others go on. */
void session_kill_dump(struct session *s);

/* The hub's part. The login is decided: for how many seconds its answer is to be held back. */
uint32_t hub_judged(struct hub *h, struct session *s);
/* Whether the account may have this session besides those that it has. */
bool hub_admits(const struct hub *h, const struct account *account);
void hub_logged_in(struct hub *h, struct session *s);

/* Lines that clients can cause; of each kind so many are written in a while, the rest is counted.
 */
enum hub_lines {
    HUB_LINES_REFUSED, /* connections, logins and dumps; warnings */
    HUB_LINES_AUDIT    /* logins, dumps and their ends */
};
void hub_log(struct hub *h, enum hub_lines kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A session begins to dump, its replica has acknowledged more, or it is gone. */
void hub_dump_begins(struct hub *h, struct session *s);
void hub_session_acked(struct hub *h, const struct session *s);
void hub_session_gone(struct hub *h, struct session *s);

#endif
