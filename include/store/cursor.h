/*
 * A cursor reads the stored files of the present epoch in order, up to T and never beyond; one that
 * goes along the chain also those of older epochs, and from the end of an epoch on to the next.
 *
 * It never waits for the disk: what is not in the page cache is CURSOR_COLD, upon which
 * cursor_fetch brings it there on a worker thread. The cursor holds one descriptor and no buffer,
 * so that a thousand idle ones cost next to nothing. While it is open, its file and those behind it
 * are not purged; so it must not be moved.
 */
#ifndef BINLOGD_STORE_CURSOR_H
#define BINLOGD_STORE_CURSOR_H

#include "base/worker.h"
#include "store/store.h"

#define CURSOR_FETCH_BYTES (1u << 20)

struct cursor_fetch; /* private */

enum cursor_scope {
    CURSOR_IN_EPOCH,   /* names and positions are those of one epoch: it ends with it */
    CURSOR_ALONG_CHAIN /* store_chain_file */
};

struct cursor {
    struct store *store;
    enum cursor_scope scope;
    unsigned epoch; /* of the file */
    struct binfile_name file;
    int fd;
    uint64_t pos;   /* of the next byte to be read */
    bool unchecked; /* what is read comes from the disk: CRCs say whether it is as it was written */
    uint64_t limit; /* of what may be read in this file; moves with T in the newest */
    struct cursor_fetch *fetch;
    struct cursor *next; /* among the store's */
    struct cursor **link;
};

enum cursor_result {
    CURSOR_DATA,     /* bytes were read */
    CURSOR_AT_END,   /* at T: more comes when store_end moves */
    CURSOR_FILE_END, /* the file is complete and read, and another follows: cursor_next_file */
    CURSOR_COLD,     /* not in memory: cursor_fetch */
    CURSOR_FAILED    /* err says why */
};

/* Opens the file at pos, which is not checked against anything. -1 if the file is not in the list
 * or cannot be opened. */
int cursor_open(struct cursor *c, struct store *store, const struct binfile_name *file,
                uint64_t pos, struct err *err);
/* Opens a file of the chain at its start, to go along the chain. */
int cursor_open_chained(struct cursor *c, struct store *store, const struct store_chained *at,
                        struct err *err);
/* Also cancels a fetch. */
void cursor_close(struct cursor *c);
/* Reads at most n bytes at pos + skip without moving; *got is 1 or more with CURSOR_DATA. */
enum cursor_result cursor_peek(struct cursor *c, uint64_t skip, void *dst, size_t n, size_t *got,
                               struct err *err);
void cursor_advance(struct cursor *c, uint64_t n);
/* What of the file, from the cursor on, a replica has (store_gtid_run). */
struct gtid_run cursor_gtid_run(const struct cursor *c, const struct gtid_set *has);
/* Goes on at the start of the next file (position 0). */
int cursor_next_file(struct cursor *c, struct err *err);
/* Brings what is at pos + skip into memory and then calls done on the loop (worker_reap). */
void cursor_fetch(struct cursor *c, struct worker *w, uint64_t skip, void (*done)(void *ctx),
                  void *ctx);

#endif
