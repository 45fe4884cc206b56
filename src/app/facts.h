/*
 * What is true now, collected once from store, dumper and sessions. The status line, the screen and
 * the JSON of `binlogd status`, /metrics and /healthz are all written from it, so that they cannot
 * disagree.
 */
#ifndef BINLOGD_APP_FACTS_H
#define BINLOGD_APP_FACTS_H

#include "app/config.h"
#include "dumper/dumper.h"
#include "replica/hub.h"

struct facts_from {
    struct store *store;
    const struct dumper *dumper; /* NULL without [dumper] */
    struct hub *hub;             /* NULL: nobody is served */
    const struct config *config;
    int64_t started_us; /* wall clock */
};

struct facts_replica {
    uint32_t session;
    uint32_t server_id;
    char host[ADDR_TEXT_MAX];
    const char *user; /* lives as long as the session */
    const char *uuid;
    bool by_gtid;
    struct store_pos pos; /* of the next event for it */
    int64_t bytes_behind; /* what is durable; -1: unknown */
    bool semi_sync;
    struct store_pos acked; /* by it; file "" when there is none */
};

/* Pointers live until the loop goes on. Times are microseconds since 1970, 0: never. */
struct facts {
    const struct facts_from *from;
    int64_t now_us;
    int64_t started_us;
    const char *state; /* of the dumper, or SERVING without one */
    bool safe;         /* every commit that the source acknowledges is durable here: PROTECTING */
    int64_t safe_us;   /* since when it is so, or is not */
    char source[300];  /* HOST:PORT or a path; "" without [dumper] */
    struct dumper_stats dumper;
    struct store_pos received, durable;
    struct journal_stats journal;
    const struct gtid_set *gtids;
    const struct maria_state *maria; /* of a MariaDB source; the other of the two is empty */
    size_t files;
    uint64_t bytes;
    unsigned epoch;
    struct store_purge_stats purged;
    uint64_t disk_free, disk_size;
    uint32_t oldest_s, newest_s; /* timestamps of events; 0: unknown */
    struct hub_stats hub;
    struct store_pos acked; /* by wait_for_replicas of them; file "" when there is none */
    struct facts_replica *replicas;
    size_t replica_n;
};

/* Frees nothing that was there; facts_fini when done. */
void facts_collect(struct facts *f, const struct facts_from *from);
void facts_fini(struct facts *f);

/* Tries that ended, by what the operator would do about it; NULL past the last kind. */
const char *facts_error_kind(size_t i);
uint64_t facts_errors(const struct facts *f, size_t i);

#endif
