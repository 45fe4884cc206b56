/*
 * The side that clients connect to, put together: listeners, accounts, sessions, and the answers
 * to their statements from what store and dumper know.
 */
#ifndef BINLOGD_APP_SERVE_H
#define BINLOGD_APP_SERVE_H

#include "app/config.h"
#include "dumper/dumper.h"
#include "replica/hub.h"

struct control;
struct serve;

struct serve_opts {
    struct ev_loop *loop;
    struct worker *worker;
    struct store *store;
    struct dumper *dumper; /* NULL without [dumper]; told when replicas have acknowledged more */
    const struct config *config;
    struct control *control; /* for what statements change */
};

/* NULL when an address cannot be had or a certificate not be read. Without an address in the
 * configuration nothing listens, and inherited sockets do. */
struct serve *serve_new(const struct serve_opts *opts, struct err *err);
/* Takes accounts, certificate and limits of another configuration, all or nothing; the owner puts
 * it in the place that opts.config points to. */
int serve_reconfigure(struct serve *s, const struct config *config, struct err *err);
/* Sends the packets of an answer that a session is owed. */
void serve_answer(struct serve *s, uint32_t session, struct bytes packets);
/* Ends listeners and sessions. The worker's jobs are to be finished before serve_free. */
void serve_stop(struct serve *s);
void serve_free(struct serve *s);
/* As hub_acked. */
struct point serve_acked(const struct serve *s);
/* Its sessions; NULL after serve_stop. */
struct hub *serve_hub(const struct serve *s);

#endif
