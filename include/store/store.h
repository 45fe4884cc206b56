/*
 * The store: the only place where the side that copies and the side that serves meet.
 *
 * A data directory holds one folder ("epoch") per source history, with the source's files under
 * their own names. The dumper resumes, appends events and is told what is durable; whoever reads
 * may read up to the durable end of the last complete transaction (T), never beyond.
 *
 * Positions: received >= durable T. Everything here runs on the loop; the journal thread does the
 * writing, and a second thread keeps the GTID index when there is something to do. Errors of the
 * storage come by the `failed` callback, once.
 */
#ifndef BINLOGD_STORE_STORE_H
#define BINLOGD_STORE_STORE_H

#include "base/worker.h"
#include "binlog/fde.h"
#include "binlog/gtid_set.h"
#include "binlog/maria.h"
#include "binlog/trx.h"
#include "store/binfile.h"
#include "store/gtid_index.h"
#include "store/journal.h"
#include "store/point.h"

#define STORE_UUID_MAX 64

struct store;

struct store_opts {
    const char *directory;
    const struct fs *fs;
    size_t ring_size; /* of the journal, bytes, a power of two */
    /* From the store's threads: call store_work on the loop. */
    void (*wake)(void *ctx);
    void *wake_ctx;
};

/* What store_work finds out, told on the loop. */
struct store_events {
    void (*durable)(void *ctx); /* store_synced, store_end or the settled state moved on */
    void (*room)(void *ctx);    /* there may be room again, after there was none */
    void (*failed)(void *ctx, const struct err *err);
};

/* A place in the copied files. file is "" when nothing is stored; it lives until the next call that
 * begins a file or an epoch, or purges. */
struct store_pos {
    const char *file;
    uint64_t pos;
};

/* Opens and locks the directory, makes what is missing, recovers the newest epoch: its last file is
 * made sure to be on the disk and scanned, a torn tail is set aside as NAME.torn-TIME and cut off,
 * the index is rebuilt when it differs. Kinds of errors: ERR_IO, ERR_NO_SPACE (no room for the
 * tail, or for the file where the disk lacks some of it), ERR_CORRUPT, ERR_OTHER (the directory is
 * in use). */
struct store *store_open(const struct store_opts *opts, struct err *err);
/* A store to ask only (files, sizes, times, T): nothing is changed, locked or repaired, so a daemon
 * may be running on the directory. Of its newest file only what is complete counts. */
struct store *store_look(const char *directory, const struct fs *fs, struct err *err);
/* Writes and syncs what was published; only store_close may follow. -1 with the reason when not all
 * of it became durable. */
int store_stop(struct store *s, struct err *err);
/* Stops it first if need be, and unlocks the directory. NULL is accepted. */
void store_close(struct store *s);
/* NULL: nobody is told. */
void store_set_events(struct store *s, const struct store_events *events, void *ctx);
/* The loop's part of the journal's work. */
void store_work(struct store *s);

/* The daemon's own server uuid, made at the first start. */
const char *store_server_uuid(const struct store *s);
/* The uuid (or what stands for it) of the source of the newest epoch; "" when there is none. */
const char *store_source(const struct store *s);
/* Number of the newest epoch; 0 when there is none. */
unsigned store_epoch(const struct store *s);

/* How a new epoch follows the one before. */
enum store_follow {
    STORE_DIVERGES, /* it may lack what the other holds; the first epoch too */
    STORE_JOINS /* its source has all that is stored, and its first file begins there or before */
};

/* Begins a new epoch for a source, when settled; its folder is durable on return (the loop waits
 * for it, once in a store's life). One that joins has the GTIDs of the other, whose files dumps by
 * GTID go on to read. */
int store_new_epoch(struct store *s, const char *source, enum store_follow follow, struct err *err);

/* Whether no file is stored in the newest epoch. */
bool store_empty(const struct store *s);
/* Once settled: where the dump has to begin, the start of the last event before T (or of the
 * file's first), so that at least one event comes again and is compared. */
struct store_pos store_resume_pos(const struct store *s);
/* Once settled: the Format_description event of that file as it is stored; empty when nothing is.
 */
struct bytes store_fde(const struct store *s);

/* Prepares for a new connection to the source, whatever the last one left: when all that was
 * published is durable, everything behind T is cut off and appending goes on at store_resume_pos,
 * where what is stored already is compared. Nothing may be asked of the source before
 * store_settled is true, for asking is an ACK. from_start: begin at the file's first event. */
void store_resume(struct store *s);
void store_resume_from_start(struct store *s);
bool store_settled(const struct store *s);
/* After a failure of kind ERR_NO_SPACE or ERR_DIVERGED: makes the store usable again, with T as it
 * was. Call store_resume next. */
void store_restart(struct store *s);
/* Bytes that can still be written to the data directory's file system, and its size. */
uint64_t store_free_space(const struct store *s);
uint64_t store_disk_size(const struct store *s);

/* Whether n bytes may be appended, with their events' ends, or a file begun. When not, `room` is
 * called when it may be otherwise. */
bool store_has_room(struct store *s, size_t n);
bool store_can_begin_file(struct store *s);
/* Begins the next file. Its first bytes, the magic, are appended by this. -1 (ERR_DIVERGED) if the
 * name is not the successor of the present file's, or not all that is stored of that was compared.
 */
int store_begin_file(struct store *s, const struct binfile_name *name, struct err *err);
/* Appends bytes of events to the present file. */
void store_append(struct store *s, struct bytes data);
/* The bytes of one event are complete. gtid: of the transaction that ended, or NULL. length in
 * bytes. */
void store_event_end(struct store *s, uint32_t length, enum trx_verdict verdict,
                     const struct gtid *gtid);
/* The timestamp of an event that was appended, if it has one; that of the first is the file's. */
void store_event_time(struct store *s, uint32_t timestamp);
/* The format description of the file being appended. */
void store_set_format(struct store *s, const struct fde *format);
/* The Previous_gtids event of the file being appended: the encoded set. Of the first file, these
 * are GTIDs of the store too. -1 if it is malformed, or (ERR_DIVERGED) if the epoch joined another
 * and something is missing between the two. */
int store_set_previous_gtids(struct store *s, struct bytes set, struct err *err);
/* Of a MariaDB source: the GTID of the transaction that begins, and the Gtid_list event of the file
 * being appended, from its header on without the CRC; of the first file, its GTIDs are of the store
 * too. -1 if it is malformed. */
void store_begin_maria_gtid(struct store *s, const struct maria_gtid *gtid);
int store_set_gtid_list(struct store *s, struct bytes event, struct err *err);
/* Hands what was appended to the journal; call it when a batch of events is done. */
void store_publish(struct store *s);
/* Somebody waits for what was appended: once published, it is made durable at once. */
void store_hurry(struct store *s);

/* File position behind the last byte appended, in the present file. */
uint64_t store_write_pos(const struct store *s);
const struct binfile_name *store_write_file(const struct store *s);
/* Stream offsets, for comparing only: of the last byte appended, and up to where all is durable;
 * the latter moves together with T, in store_work. */
uint64_t store_offset(const struct store *s);
uint64_t store_synced(const struct store *s);
/* End of the last event received whole, and T. */
struct store_pos store_received(const struct store *s);
struct store_pos store_end(const struct store *s);
/* The same places as points; all zero when nothing is stored. The last is behind the last byte
 * appended. */
struct point store_end_point(const struct store *s);
struct point store_write_point(const struct store *s);
/* A point with its file's name; "" when the file is not in the list of an epoch of the chain. */
struct store_pos store_pos_of(const struct store *s, const struct point *p);
/* The GTIDs of all transactions up to T, with those before the first file, and with what was stored
 * when the epoch joined another. */
const struct gtid_set *store_gtids(const struct store *s);
const struct binfile_list *store_files(const struct store *s);
/* The file of the list with the number. */
const struct binfile_name *store_file(const struct store *s, uint64_t number);
/* How many files of the list, from its beginning, hold anything up to T. */
size_t store_serving(const struct store *s);
/* Of a file that is served: the bytes up to T, or all of a complete one. */
uint64_t store_file_size(const struct store *s, size_t i);
/* Format of the newest file; server_version is "" when nothing is stored. */
const struct fde *store_format(const struct store *s);
/* The encoded set of the Previous_gtids event of the i-th file; the empty set where there is none.
 * It lives until the next call that begins a file or an epoch. */
struct bytes store_previous_gtids(const struct store *s, size_t i);

/* A file that a dump by GTID can begin in: of the present epoch, or of an older one that it is
 * chained to (each joined the one before it). Pointers live as those of store_previous_gtids. */
struct store_chained {
    unsigned epoch;
    const struct binfile_name *file;
    struct bytes previous; /* as store_previous_gtids */
};

/* How many there are, and the i-th of them, the oldest first. */
size_t store_chain_files(const struct store *s);
struct store_chained store_chain_file(const struct store *s, size_t i);
/* The GTIDs of all transactions up to the end of an older epoch of the chain; NULL: it is none. */
const struct gtid_set *store_chain_gtids(const struct store *s, unsigned epoch);

/* Of a MariaDB source: the last GTIDs up to T, with those before the first file, and the Gtid_list
 * of the i-th file, NULL while it is not known. They live until the loop goes on. */
const struct maria_state *store_maria(const struct store *s);
const struct maria_state *store_gtid_list(const struct store *s, size_t i);
/* The first transactions of the file, at or behind pos, that are all in has: bytes that a dump to a
 * replica with these GTIDs may jump over. Says "none" as long as the file's index is not known. */
struct gtid_run store_gtid_run(const struct store *s, const struct binfile_name *file, uint64_t pos,
                               const struct gtid_set *has);
/* Whether the file holds anything up to T: it is in the list and not behind T's file. */
bool store_serves(const struct store *s, const struct binfile_name *file);
/* Opens a file of the list for reading; the caller closes the descriptor. */
int store_open_file(const struct store *s, const struct binfile_name *file, struct err *err);
const struct fs *store_fs(const struct store *s);
/* Who reads: told on the loop that T moved. */
void store_set_reader(struct store *s, void (*moved)(void *ctx), void *ctx);
/* The timestamp with which the i-th file begins, seconds since 1970; 0 when it is not known. That
 * of the next file says that all in this one is as old or older. */
uint32_t store_file_begun(const struct store *s, size_t i);
/* The highest timestamp seen in the newest file. */
uint32_t store_newest_time(const struct store *s);

#define STORE_KEEP_FILES 2 /* up to T's, that are never removed: a recovery reads both */

#define STORE_KEEP_NONE UINT64_MAX

/* Keeps the file with the number and those behind it, until told otherwise: something in it waits
 * for its ACK. A new epoch forgets it. */
void store_keep(struct store *s, uint64_t number);

/* What may be removed: */
struct store_hold {
    size_t n;         /* so many files from the list's beginning */
    unsigned readers; /* cursors in the next, which keep it; 0: it is one of the newest, or kept */
};

void store_hold(const struct store *s, struct store_hold *hold);
/* Removes the n oldest files, at most as many as may be: from the list at once; from the index and
 * the disk in the background, by journal and worker, a failure of which is told as that of the
 * storage is. -1 when an earlier removal keeps it from beginning. The worker must be the same each
 * time, and be freed before the store is closed. */
int store_purge(struct store *s, struct worker *worker, size_t n, struct err *err);
/* Whether files are being removed. */
bool store_purging(const struct store *s);

struct store_purge_stats {
    uint64_t files; /* removed since the start */
    uint64_t bytes;
    const char *error; /* why nothing is removed before the next start; "" else */
};

void store_purge_stats(const struct store *s, struct store_purge_stats *stats);
/* Size of all files of the epoch, bytes. */
uint64_t store_bytes(const struct store *s);
void store_journal_stats(struct store *s, struct journal_stats *stats);

#endif
