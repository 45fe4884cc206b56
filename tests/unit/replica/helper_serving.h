/*
 * A hub over a real store, and clients of it that say what the test tells them to, all on one loop.
 * The SQL of a session knows "NAME=VALUE", which sets a user variable and is answered with OK,
 * "later", whose answer the test owes, and "kill", which ends the first session.
 */
#ifndef BINLOGD_TESTS_SERVING_H
#define BINLOGD_TESTS_SERVING_H

#include "source.h"

#include "mysql/repl.h"
#include "replica/hub.h"

#define SERVING_FILE_1 "mysql-bin.000001"
#define SERVING_FILE_2 "mysql-bin.000002"

struct serving {
    struct ev_loop *loop;
    struct store *store;
    struct hub *hub;
    struct hub_opts opts;
    struct source_file file; /* what is stored up to `stored`, and what will be */
    size_t stored;
    unsigned acked; /* times that the hub said so */
    unsigned moved; /* times that T moved */
};

extern struct serving serving;

/* cmocka's fixtures: an empty first file, a hub that waits for no replica. */
int serving_set_up(void **state);
int serving_tear_down(void **state);

/* Adds a transaction to the file; serving_store makes it durable. */
void serving_add_trx(uint64_t gno);
void serving_store(void);
/* Ends the file and begins the next, which is not stored yet. */
void serving_rotate(const char *next);
/* Another source goes on, in an epoch that joins, with the file, which is not stored yet. */
void serving_join(const char *file);
void serving_wait_for_replicas(uint32_t n);
struct point serving_end(void);
void serving_turns(double seconds);
/* Lines of the log with that text. */
unsigned serving_logged(const char *text);

/* A client that has connected, and one that has logged in; "repl" may replicate, "look" may not. */
struct peer *serving_connect(void);
struct peer *serving_login(const char *user);
bool serving_try_login(struct peer *p, const char *user, const char *password);
/* Sends a command and returns the answer's first packet. */
struct bytes serving_command(struct peer *p, struct bytes command);
void serving_send_command(struct peer *p, struct bytes command);
void serving_set(struct peer *p, const char *assignment);
/* The number of an ERR packet, 0 for anything else. */
unsigned serving_error(struct bytes packet);
/* Asks for the first file from a position on. */
void serving_dump(struct peer *p, uint32_t server_id, const char *file, uint64_t pos);
/* A semi-sync replica that was sent all that there is. */
struct peer *serving_replica(uint32_t server_id, const char *uuid, uint64_t pos);
/* The next event of a semi-sync dump; the sequence numbers begin anew behind one with the flag. */
struct bytes serving_event(struct peer *p, bool *flagged);
/* Reads events up to one that ends at the position; whether it asked for an ACK. */
bool serving_events_until(struct peer *p, uint64_t pos);
void serving_ack(struct peer *p, const char *file, uint64_t pos);
/* Awaits that the hub has that many sessions. */
void serving_await_sessions(uint32_t n);

#endif
