/* A dump, for dump.c, which sends it, and dump_start.c, which finds where it begins. */
#ifndef BINLOGD_REPLICA_DUMP_PRIV_H
#define BINLOGD_REPLICA_DUMP_PRIV_H

#include "dump_maria.h"
#include "replica/dump.h"

enum dump_stage {
    DUMP_AT_ROTATE, /* the artificial Rotate of a file is next */
    DUMP_AT_FORMAT, /* the format description of a file is next */
    DUMP_AT_EVENTS, /* events of the file */
    DUMP_AT_LONG    /* inside an event that is longer than the scratch */
};

/* An event that was sent, or where the dump began. */
struct dump_mark {
    struct point end;
    bool rotate; /* a Rotate event, for which replicas acknowledge the next file's beginning */
};

/* Where a dump left an epoch for the next: a file of that epoch, and the last event that asked for
 * an ACK there, which can come when newer events were sent. */
struct dump_left {
    struct binfile_name file;
    struct dump_mark flagged; /* of epoch 0: it has not left any */
};

struct dump {
    struct dump_opts opts;
    struct cursor cursor;
    enum dump_stage stage;
    bool first_file;
    uint64_t start_pos; /* in the present file */
    char asked[BINFILE_NAME_MAX + 1];
    uint64_t asked_pos;
    uint64_t format_end; /* end of the present file's format description */
    bool by_gtid;
    struct gtid_set has;      /* what the replica has */
    struct gtid_run run;      /* of the present file: jumped over when the cursor comes to it */
    struct dump_maria *maria; /* NULL: the files are MySQL's */
    bool skipping;            /* the present transaction is left out */
    bool skipped;             /* something was left out since the last event sent */
    bool begun;               /* a format description was sent */
    struct fde format;
    size_t quantum; /* of the present dump_fill, bytes */
    uint8_t seq;
    struct dump_mark sent;    /* as dump_sent */
    struct dump_mark flagged; /* the last that asked for an ACK */
    struct dump_left left;
    uint64_t passed;    /* bytes of events sent or left out */
    uint64_t cold_skip; /* bytes at the cursor that are in memory, before those that are not */
    /* A long event: what is left of the message, and of the packet. */
    uint64_t message_left;
    uint32_t packet_left;
    bool packet_full;
    bool long_asks; /* for an ACK */
    struct event_crc long_crc;
};

/* One of two texts: with source and replica, or with master and slave. */
const char *dump_words(const struct dump_opts *o, const char *new_text, const char *old_text);
/* Adds to an error's text what a source adds once a dump has begun: where it stands. */
void dump_add_place(const struct dump *d, struct err *err, uint64_t last_event, uint64_t last_byte);

#endif
