/*
 * What the files of the store share: an epoch, which is one folder with the files of one source
 * history, and its recovery at start.
 */
#ifndef BINLOGD_STORE_PRIV_H
#define BINLOGD_STORE_PRIV_H

#include "store/cursor.h"
#include "store/gtid_index.h"
#include "store/scan.h"
#include "store/store.h"

#define EPOCH_FOLDER_MAX (STORE_UUID_MAX + 16) /* bytes of a folder's name */

/* A place at the end of an event. It holds the number of the file and not its index in the list,
 * from whose beginning files are removed. */
struct place {
    uint64_t file;       /* its number; meaningless when the list is empty */
    uint64_t pos;        /* end of the event */
    uint64_t last_start; /* start of the event */
    uint64_t before;     /* size of all files before that one, as closed_bytes */
};

/* Of a file's GTID index, once the file is complete. */
enum epoch_indexed {
    EPOCH_INDEX_MISSING, /* to be made from the file */
    EPOCH_INDEX_UNSAVED, /* known, to be written to the index file */
    EPOCH_INDEX_SAVED,
    EPOCH_INDEX_FAILED /* could not be made */
};

struct epoch_file {
    struct bytes previous; /* malloc'ed: the encoded set of its Previous_gtids event */
    bool has_list;         /* its Gtid_list event is known: */
    struct maria_state list;
    uint64_t size;           /* of a complete file, bytes */
    bool checked;            /* its CRCs, and it was not read from the disk since */
    uint32_t begun;          /* timestamp of its Format_description event; 0: not known */
    struct gtid_index index; /* up to T */
    enum epoch_indexed indexed;
};

struct epoch {
    int dirfd; /* -1: there is none */
    unsigned number;
    char source[STORE_UUID_MAX];
    struct binfile_list files;
    struct epoch_file *facts; /* by file, as far as they are known */
    size_t facts_n;
    struct fde format;     /* of the newest file */
    uint64_t closed_bytes; /* size of all files but the last, with those removed since the start */
    uint64_t purged_bytes; /* of those */
    uint32_t newest;       /* the highest timestamp in the newest file */
    struct place end;      /* T: end of the last complete transaction that is durable */
    struct gtid_set gtids; /* of all transactions up to T, and those before the first file */
    struct maria_state maria; /* the same of a MariaDB source */
};

void epoch_init(struct epoch *e);
void epoch_fini(struct epoch *e);
/* Opens the folder with the highest number, if any, and recovers it. */
int epoch_open_newest(struct epoch *e, const struct fs *fs, int rootfd, struct err *err);
/* The same without recovering it: what is torn, damaged or unbegun is left out. */
int epoch_look(struct epoch *e, const struct fs *fs, int rootfd, struct err *err);
/* Opens the folder of an epoch that is not written any more: its files, with the facts that their
 * first events tell, but no GTIDs. e is initialised, and to be freed in any case. */
int epoch_open_complete(struct epoch *e, const struct fs *fs, int rootfd, const char *folder,
                        struct err *err);

struct epoch_create_opts {
    const struct fs *fs;
    int rootfd;
    unsigned number;
    const char *source;
    const struct epoch *before; /* that it follows; NULL: it is the first */
    enum store_follow follow;
};

/* Makes a folder, durable on return, and e from it. */
int epoch_create(struct epoch *e, const struct epoch_create_opts *opts, struct err *err);
/* The name of an epoch's folder. */
void epoch_folder(unsigned number, const char *source, char dst[EPOCH_FOLDER_MAX]);

/* The index in the list of the file with the number: a list is an unbroken sequence. */
size_t epoch_index(const struct epoch *e, uint64_t number);
/* What is known of a file, with room for it if it is new. */
struct epoch_file *epoch_file(struct epoch *e, size_t file);
/* Forgets what is known of a file. */
void epoch_forget(struct epoch *e, size_t file);
/* Removes the first n files from the list, with what is known of them. */
void epoch_drop(struct epoch *e, size_t n);
/* Copies the set. */
void epoch_set_previous(struct epoch *e, size_t file, struct bytes set);
/* Takes the list over, and leaves another. */
void epoch_set_list(struct epoch *e, size_t file, struct maria_state *list);
/* The empty set where there is none. */
struct bytes epoch_previous(const struct epoch *e, size_t file);

/* Whether dumps by GTID may read an epoch: the present one, or one that it is chained to. */
bool store_chains(const struct store *s, unsigned epoch);
/* The file behind one of an epoch of the chain, in that epoch or the next. False when there is none
 * yet that holds anything up to T. */
bool store_next_chained(const struct store *s, unsigned epoch, const struct binfile_name *file,
                        struct store_chained *next);
/* As store_open_file, in an epoch of the chain. */
int store_open_chained(const struct store *s, unsigned epoch, const struct binfile_name *file,
                       struct err *err);

/* Whether what the page cache holds of the file is known to be what the source sent: it came in
 * this process' life, or was scanned at its start. Not so once it was read from the disk. */
bool store_is_checked(const struct store *s, unsigned epoch, const struct binfile_name *file);
void store_uncheck(struct store *s, unsigned epoch, const struct binfile_name *file);

/* An open cursor keeps its file and those behind it from being removed. */
void store_add_cursor(struct store *s, struct cursor *c);
void store_remove_cursor(struct cursor *c);

#endif
