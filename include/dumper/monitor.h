/*
 * The monitor: a second, quiet connection to the source that asks again and again what the stream
 * does not tell: whether the source's semi-sync is ON (Rpl_semi_sync_source_status), how far its
 * log goes, and whether its settings are still safe.
 *
 * Nothing depends on its working: while it cannot ask, its facts are unknown and the copying goes
 * on. It never says anything that a source could take for an ACK.
 */
#ifndef BINLOGD_DUMPER_MONITOR_H
#define BINLOGD_DUMPER_MONITOR_H

#include "dumper/settings.h"
#include "link/login.h"
#include "store/binfile.h"

enum monitor_semi_sync {
    MONITOR_UNKNOWN, /* not asked yet, or the source has no semi-sync */
    MONITOR_OFF,     /* no commit waits for an ACK at present */
    MONITOR_ON
};

struct monitor_facts {
    enum monitor_semi_sync semi_sync;
    struct binfile_name file; /* where the source's log ends; text "" when unknown, for which the */
    uint64_t pos;             /* account may lack REPLICATION CLIENT */
    uint64_t at_us;           /* clock_now_us of the answers; 0: never */
    char unsafe[SETTINGS_TEXT_MAX]; /* as settings_judge */
};

struct monitor_opts {
    struct ev_loop *loop;
    const struct login_client_opts *login; /* with tls and host, as for login_start */
    struct tls *tls;
    const char *host;
    uint32_t interval_ms; /* between questions; 0: never ask */
    uint32_t timeout_ms;  /* for an answer */
    enum settings_scope scope;
    void (*told)(void *ctx); /* the facts are new; must not stop or free the monitor */
    void *ctx;
};

struct monitor {
    struct monitor_opts opts;
    struct addr addr;
    struct ev_timer timer; /* the next questions, or the deadline of these */
    struct channel channel;
    struct login login;
    struct resultset reply;
    enum monitor_phase {
        MONITOR_STOPPED,
        MONITOR_WAITING, /* for the time of the next questions */
        MONITOR_LOGIN,   /* awaits the end of the login */
        MONITOR_ASKING   /* awaits an answer */
    } phase;
    size_t question;
    struct monitor_facts facts; /* of the last round of questions */
    struct monitor_facts next;  /* of the present one, as far as it is answered */
    char last_error[300];       /* logged once, until an answer came */
};

void monitor_init(struct monitor *m);
void monitor_fini(struct monitor *m);
/* Asks the server at the address from now on. What opts points to must live until stop. */
void monitor_start(struct monitor *m, const struct monitor_opts *opts, const struct addr *addr);
/* Closes the connection; the facts are unknown again. */
void monitor_stop(struct monitor *m);

#endif
