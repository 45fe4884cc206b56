/*
 * One dump: from stored files to the packets that a replica gets.
 *
 * The owner calls dump_fill whenever its output has room; the dump appends packets and says why it
 * stopped. It knows neither sockets nor timers. Only what is durable and complete is sent (up to
 * T), a GTID dump leaves out the transactions that the replica has. One that names no file goes
 * along the chain of epochs; the others end with theirs. What MariaDB does otherwise is in
 * dump_maria.
 */
#ifndef BINLOGD_REPLICA_DUMP_H
#define BINLOGD_REPLICA_DUMP_H

#include "binlog/fde.h"
#include "binlog/gtid_set.h"
#include "store/cursor.h"

#define DUMP_SCRATCH (128u << 10)
/* One dump_fill stops once it has appended so much: little at first, twice as much each time that
 * the output has drained meanwhile, so that only who reads is given large pieces. A session's
 * output has at most about twice that. */
#define DUMP_QUANTUM_MIN (128u << 10)
#define DUMP_QUANTUM_MAX (512u << 10)

enum dump_checksum {
    DUMP_CHECKSUM_UNDECLARED, /* the replica knows no checksums */
    DUMP_CHECKSUM_NONE,       /* knows them; what is stored keeps its own */
    DUMP_CHECKSUM_CRC32
};

/* What a MariaDB replica asks for beside the position. */
struct dump_maria_request {
    struct bytes position; /* @slave_connect_state; p is NULL in a dump by file and position */
    struct bytes until;    /* @slave_until_gtid; p is NULL when it is not set */
    bool strict;           /* @slave_gtid_strict_mode */
    bool ignore_duplicates;
    unsigned capability; /* @mariadb_slave_capability */
    bool annotate;       /* it wants Annotate_rows events */
    /* Filled by dump_new: */
    uint16_t code;              /* of the error, when not 1236 */
    char ahead[MARIA_TEXT_MAX]; /* a GTID that the replica has and that is not here yet */
};

struct dump_opts {
    struct store *store;
    struct worker *worker;
    uint8_t *scratch;   /* DUMP_SCRATCH bytes that all dumps of the loop share */
    uint32_t server_id; /* in made-up events */
    bool old_words;     /* error texts say master and slave, as before 8.0.26 */
    bool semi_sync;     /* events have the semi-sync header */
    bool nonblock;      /* EOF at the end instead of waiting */
    bool heartbeat_v2;
    enum dump_checksum checksum;
    struct dump_maria_request *maria; /* the files are MariaDB's; only dump_new looks at it */
    /* Whether ACKs are wanted now: then the last event up to T, or to a file's end, asks for one.
     * Only with semi_sync. */
    bool (*acks_wanted)(void *ctx);
    void (*fetched)(void *ctx); /* after DUMP_COLD: call dump_fill again */
    void *ctx;
};

struct dump;

/* By position: name may be empty, for the first file; MariaDB's GTIDs go before both. By GTID: set
 * is what the replica has (taken over, left empty), name as before or empty to let the set decide.
 * NULL and an ERR packet's text in err, code 1236, when what is asked for cannot be given. */
struct dump *dump_new(const struct dump_opts *opts, struct bytes name, uint64_t pos,
                      struct err *err);
struct dump *dump_new_gtid(const struct dump_opts *opts, struct bytes name, uint64_t pos,
                           struct gtid_set *set, struct err *err);
void dump_free(struct dump *d);

enum dump_result {
    DUMP_MORE,  /* the quantum is used up: call again when the output has drained */
    DUMP_IDLE,  /* at T: call again when it moves */
    DUMP_COLD,  /* awaits the disk: fetched will be called */
    DUMP_EOF,   /* non-blocking and at the end: the EOF packet was appended */
    DUMP_FAILED /* err has the text for error 1236 */
};

enum dump_result dump_fill(struct dump *d, struct buf *out, struct err *err);
/* Appends a heartbeat for the place last sent; nothing before the first event went out. */
void dump_heartbeat(struct dump *d, struct buf *out);
/* Appends an ERR packet that ends the dump, error 1236; nothing inside a long event, where no
 * packet of another kind may stand. */
void dump_put_error(struct dump *d, struct buf *out, const char *text);
/* Where the dump is, for lists. */
struct store_pos dump_pos(const struct dump *d);
struct point dump_point(const struct dump *d);
/* End of the last event of a file that was sent, or the place where the dump began: an ACK can name
 * no higher one. */
struct point dump_sent(const struct dump *d);
/* The point of an ACK that names a file and a position, from a replica that acknowledged up to
 * acked before; -1: it was not sent that. */
int dump_acked(const struct dump *d, const struct binfile_name *file, uint64_t pos,
               const struct point *acked, struct point *point);
uint64_t dump_passed(const struct dump *d); /* bytes of events, sent or left out */

#endif
