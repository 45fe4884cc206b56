/*
 * The stream of a dump: each packet of the source is checked and appended to the store.
 *
 * This is the way of a byte from the source to the disk: a part of a packet comes from the channel,
 * its event is checked (header, length, log_pos against our own 64-bit offset, CRC), copied once,
 * into the journal's ring, and the boundary tracker says whether a transaction ended there. What
 * the dump thread makes up (artificial Rotate, the format description before a resume, heartbeats)
 * is checked and not stored. Whatever is not as it must be ends the connection before it is
 * written; only of events too long to be held, bytes may be in the file already, and are cut off
 * again.
 */
#ifndef BINLOGD_DUMPER_STREAM_H
#define BINLOGD_DUMPER_STREAM_H

#include "dumper/setup.h"
#include "store/store.h"

enum stream_expect {
    STREAM_AT_ROTATE,   /* awaits the artificial Rotate that begins each dump */
    STREAM_AT_PREAMBLE, /* awaits the copy of the format description before a resume in mid-file */
    STREAM_AT_FORMAT,   /* awaits the format description of a new file */
    STREAM_AT_EVENTS    /* awaits events of the present file, or the Rotate to the next */
};

struct stream {
    struct store *store;
    struct ack_queue *acks;
    struct channel *channel;
    enum stream_expect expect;
    bool asked_for_file;
    struct binfile_name asked; /* the file of the request, and where in it */
    uint64_t asked_pos;
    bool rotate_crc;          /* whether an artificial Rotate ends with a CRC */
    bool semi_sync;           /* events have the semi-sync header */
    struct binfile_name next; /* file that the next format description begins */
    struct fde format;
    struct trx trx;
    struct gtid gtid;      /* of the open transaction; gno 0: none */
    struct point complete; /* end of the last complete transaction, or event outside one */

    /* A long event, of which a part was appended. */
    bool in_event;
    struct event_header long_header;
    bool long_ack;
    enum trx_verdict long_verdict;
    struct event_crc long_crc;

    /* For the status. */
    uint64_t events;
    uint64_t transactions;
    uint64_t bytes;          /* of events */
    uint32_t last_timestamp; /* of the last event that has one; the source's clock, seconds */
    bool idle;               /* the last thing that came was a heartbeat */
    bool flagged;            /* the source has asked for an ACK */
    bool live;               /* all since the request came: there was a heartbeat or a flag */
    bool unflagged;          /* once live, a transaction ended since the source last asked */
};

/* Prepares for the answer to a dump request. file NULL: the source's first file, from its start. */
void stream_start(struct stream *st, struct store *store, struct ack_queue *acks,
                  struct channel *channel, const struct setup_facts *facts,
                  const struct binfile_name *file, uint64_t pos);

enum stream_result {
    STREAM_TAKEN,
    STREAM_NO_ROOM, /* offer the part again when the store has room */
    STREAM_BAD      /* the connection must end; err: ERR_MALFORMED for what cannot be right */
};

/* flags: CHANNEL_FIRST, CHANNEL_LAST. */
enum stream_result stream_part(struct stream *st, struct bytes part, unsigned flags,
                               struct err *err);

#endif
