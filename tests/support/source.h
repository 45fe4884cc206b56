/*
 * A MySQL source for tests: its files, the packets of its dump, its answers to what a replica says
 * before. Built on the scripted peer.
 */
#ifndef BINLOGD_TESTS_SOURCE_H
#define BINLOGD_TESTS_SOURCE_H

#include "peer.h"

#include "binlog/event.h"

#define SOURCE_UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"

/* ---- files and events ---- */

/* A file as the source has it. */
struct source_file {
    char name[64];
    bool crc32;
    struct buf bytes;
    size_t last; /* offset of the last event */
};

/* Magic and format description. created tells files of one name from each other. */
void source_file_begin(struct source_file *f, const char *name, bool crc32, uint32_t created);
void source_file_fini(struct source_file *f);
/* Appends an event with right length, log_pos and CRC. What is returned lives until the next. */
struct bytes source_add(struct source_file *f, uint8_t type, struct bytes body);
struct bytes source_add_previous_gtids(struct source_file *f);
struct bytes source_add_gtid(struct source_file *f, uint64_t gno);
struct bytes source_add_query(struct source_file *f, const char *sql);
struct bytes source_add_xid(struct source_file *f);
struct bytes source_add_rotate(struct source_file *f, const char *next);
/* A Rows event with n bytes of some body. */
struct bytes source_add_rows(struct source_file *f, size_t n);
/* The last event that was added, and the bytes up to it. */
struct bytes source_last(const struct source_file *f);
struct bytes source_fde(const struct source_file *f);

/* What a dump thread makes up; out is cleared first. */
struct bytes source_fake_rotate(struct buf *out, const char *name, uint64_t pos, bool crc);
struct bytes source_heartbeat(struct buf *out, const struct source_file *f, uint32_t log_pos);
/* The format description before a resume: log_pos and created zeroed, or as they are. */
struct bytes source_preamble(struct buf *out, const struct source_file *f, bool zeroed);
/* Puts the right CRC at the event's end. */
void source_mend_crc(struct buf *event);

/* ---- packets ---- */

enum source_header { SOURCE_PLAIN, SOURCE_SEMI, SOURCE_FLAGGED };

/* Appends the bytes before an event, and the event. */
void source_wrap(struct buf *out, enum source_header header, struct bytes event);
/* Sends a message in as many packets as it needs. */
void source_send(struct peer *p, struct bytes message);
void source_send_event(struct peer *p, enum source_header header, struct bytes event);
/* The next message; it lives until the next call. Its sequence number must be the one due. */
struct bytes source_recv(struct peer *p);
/* The same, of a message that begins an exchange. */
struct bytes source_recv_command(struct peer *p);
void source_send_ok(struct peer *p);
void source_send_err(struct peer *p, uint16_t code, const char *text);
/* A result set of rows * columns cells; NULL is SQL NULL. */
void source_send_rows(struct peer *p, size_t columns, size_t rows, const char *const *cells);

/* ---- a whole conversation ---- */

struct source_profile {
    const char *version;
    const char *server_id;
    const char *uuid; /* of all these: NULL is error 1193 */
    const char *gtid_mode;
    const char *gtid_executed;
    const char *checksum;
    const char *semi_source; /* rpl_semi_sync_source_enabled */
    const char *semi_master;
    const char *log_bin;
    const char *latest;      /* SHOW BINARY LOG STATUS; NULL: error 1064 */
    const char *latest_old;  /* SHOW MASTER STATUS */
    const char *const *logs; /* SHOW BINARY LOGS: names and sizes, NULL behind; NULL: error 1227 */
    uint16_t register_error; /* 0: OK */
    bool tls_offered;
};

/* 8.0 with semi-sync on, gtid_mode ON and CRC32. */
extern const struct source_profile source_80;

/* Greeting and login of a connection that was accepted. */
void source_login(struct peer *p, const struct source_profile *profile);
/* Answers one statement of the setup; false when it is a dump request, which is left in message. */
bool source_answer(struct peer *p, const struct source_profile *profile, struct bytes command);
/* Accepts, logs in, answers everything up to the dump request, which is returned. */
struct bytes source_accept(struct peer *p, const struct source_profile *profile);

struct source_dump {
    bool gtid;
    char file[300];
    uint64_t pos;
    uint16_t flags;
    size_t set_bytes; /* of the GTID set; 8: the empty one */
};

struct source_dump source_decode_dump(struct bytes command);
/* Awaits an ACK, which must have the sequence number 0. */
void source_expect_ack(struct peer *p, const char *file, uint64_t pos);

#endif
