/* A MySQL source for tests. */
#include "source.h"

#include "base/mem.h"
#include "binlog/gtid.h"
#include "mysql/caps.h"
#include "mysql/errcode.h"
#include "mysql/handshake.h"
#include "mysql/lenenc.h"
#include "mysql/packet.h"
#include "mysql/repl.h"
#include "mysql/reply.h"

#include <stdio.h>
#include <strings.h>

#define TIMESTAMP  1700000017u
#define SERVER_ID  7u
#define TYPES      42
#define AT_LOG_POS 13

const struct source_profile source_80 = {
    .version = "8.0.36",
    .server_id = "7",
    .uuid = SOURCE_UUID,
    .gtid_mode = "ON",
    .gtid_executed = SOURCE_UUID ":1-1000000",
    .checksum = "CRC32",
    .semi_source = "1",
    .log_bin = "ON",
};

/* ---- files and events ---- */

static void add_header(struct buf *out, uint32_t timestamp, uint8_t type, size_t length,
                       uint32_t log_pos, uint16_t flags)
{
    wr_u32(out, timestamp);
    wr_u8(out, type);
    wr_u32(out, SERVER_ID);
    wr_u32(out, (uint32_t)length);
    wr_u32(out, log_pos);
    wr_u16(out, flags);
}

static void add_crc(struct buf *out, size_t from)
{
    struct bytes event = bytes_skip(buf_bytes(out), from);
    wr_u32(out, event_crc32(0, event));
}

static struct bytes add_event(struct source_file *f, uint8_t type, struct bytes body, bool crc)
{
    size_t length = EVENT_HEADER + body.n + (crc ? EVENT_CRC : 0);
    f->last = f->bytes.len;
    add_header(&f->bytes, TIMESTAMP, type, length, (uint32_t)(f->last + length), 0);
    wr_bytes(&f->bytes, body);
    if (crc)
        add_crc(&f->bytes, f->last);
    return source_last(f);
}

void source_file_begin(struct source_file *f, const char *name, bool crc32, uint32_t created)
{
    struct buf body;
    uint8_t lengths[TYPES] = {[EVENT_QUERY - 1] = 13,
                              [EVENT_ROTATE - 1] = 8,
                              [EVENT_FORMAT_DESCRIPTION - 1] = 98,
                              [EVENT_TABLE_MAP - 1] = 8,
                              [EVENT_WRITE_ROWS - 1] = 10,
                              [EVENT_GTID - 1] = 42,
                              [EVENT_ANONYMOUS_GTID - 1] = 42};
    char version[50] = "8.0.36";
    buf_init(&body);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->crc32 = crc32;
    buf_clear(&f->bytes);
    wr_bytes(&f->bytes, event_magic());
    wr_u16(&body, 4);
    wr_bytes(&body, bytes_of(version, sizeof version));
    wr_u32(&body, created);
    wr_u8(&body, EVENT_HEADER);
    wr_bytes(&body, bytes_of(lengths, sizeof lengths));
    wr_u8(&body, crc32 ? 1 : 0);
    add_event(f, EVENT_FORMAT_DESCRIPTION, buf_bytes(&body), true);
    buf_fini(&body);
}

void source_file_fini(struct source_file *f)
{
    buf_fini(&f->bytes);
}

struct bytes source_last(const struct source_file *f)
{
    return bytes_skip(buf_bytes(&f->bytes), f->last);
}

struct bytes source_fde(const struct source_file *f)
{
    const uint8_t *p = buf_bytes(&f->bytes).p + EVENT_MAGIC_LEN;
    struct event_header h;
    event_header_decode(&h, p);
    return bytes_of(p, h.length);
}

struct bytes source_add(struct source_file *f, uint8_t type, struct bytes body)
{
    return add_event(f, type, body, f->crc32);
}

static struct bytes add_and_free(struct source_file *f, uint8_t type, struct buf *body)
{
    source_add(f, type, buf_bytes(body));
    buf_fini(body);
    return source_last(f);
}

struct bytes source_add_previous_gtids(struct source_file *f)
{
    struct buf body;
    buf_init(&body);
    wr_u64(&body, 0);
    return add_and_free(f, EVENT_PREVIOUS_GTIDS, &body);
}

struct bytes source_add_gtid(struct source_file *f, uint64_t gno)
{
    struct buf body;
    uint8_t sid[GTID_SID_BYTES];
    struct err err;
    buf_init(&body);
    BUG_ON(gtid_uuid_parse(bytes_str(SOURCE_UUID), sid, &err) < 0);
    wr_u8(&body, 1);
    wr_bytes(&body, bytes_of(sid, sizeof sid));
    wr_u64(&body, gno);
    wr_u8(&body, 2);
    wr_u64(&body, gno - 1);
    wr_u64(&body, gno);
    return add_and_free(f, EVENT_GTID, &body);
}

struct bytes source_add_query(struct source_file *f, const char *sql)
{
    struct buf body;
    buf_init(&body);
    wr_u32(&body, 1);
    wr_u32(&body, 0);
    wr_u8(&body, 2);
    wr_u16(&body, 0);
    wr_u16(&body, 0);
    wr_cstr(&body, "db");
    wr_str(&body, sql);
    return add_and_free(f, EVENT_QUERY, &body);
}

struct bytes source_add_xid(struct source_file *f)
{
    return source_add(f, EVENT_XID, bytes_of("\1\2\3\4\5\6\7\10", 8));
}

struct bytes source_add_rotate(struct source_file *f, const char *next)
{
    struct buf body;
    buf_init(&body);
    wr_u64(&body, EVENT_MAGIC_LEN);
    wr_str(&body, next);
    return add_and_free(f, EVENT_ROTATE, &body);
}

struct bytes source_add_rows(struct source_file *f, size_t n)
{
    struct buf body;
    buf_init(&body);
    uint8_t *p = buf_reserve(&body, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 31 + (i >> 8));
    buf_commit(&body, n);
    return add_and_free(f, EVENT_WRITE_ROWS, &body);
}

struct bytes source_fake_rotate(struct buf *out, const char *name, uint64_t pos, bool crc)
{
    buf_clear(out);
    add_header(out, 0, EVENT_ROTATE, EVENT_HEADER + 8 + strlen(name) + (crc ? EVENT_CRC : 0), 0,
               EVENT_FLAG_ARTIFICIAL);
    wr_u64(out, pos);
    wr_str(out, name);
    if (crc)
        add_crc(out, 0);
    return buf_bytes(out);
}

struct bytes source_heartbeat(struct buf *out, const struct source_file *f, uint32_t log_pos)
{
    buf_clear(out);
    add_header(out, 0, EVENT_HEARTBEAT, EVENT_HEADER + strlen(f->name) + (f->crc32 ? EVENT_CRC : 0),
               log_pos, 0);
    wr_str(out, f->name);
    if (f->crc32)
        add_crc(out, 0);
    return buf_bytes(out);
}

struct bytes source_preamble(struct buf *out, const struct source_file *f, bool zeroed)
{
    buf_clear(out);
    wr_bytes(out, source_fde(f));
    if (zeroed) {
        memset(out->data + out->off + AT_LOG_POS, 0, 4);
        memset(out->data + out->off + EVENT_HEADER + 52, 0, 4);
    }
    source_mend_crc(out);
    return buf_bytes(out);
}

void source_mend_crc(struct buf *event)
{
    buf_truncate(event, event->len - EVENT_CRC);
    add_crc(event, 0);
}

/* ---- packets ---- */

void source_wrap(struct buf *out, enum source_header header, struct bytes event)
{
    wr_u8(out, REPLY_OK);
    if (header != SOURCE_PLAIN) {
        wr_u8(out, REPL_SEMI_SYNC_MAGIC);
        wr_u8(out, header == SOURCE_FLAGGED ? REPL_SEMI_SYNC_ACK : 0);
    }
    wr_bytes(out, event);
}

void source_send(struct peer *p, struct bytes message)
{
    struct buf out;
    buf_init(&out);
    p->seq = packet_encode(&out, message, p->seq);
    peer_send(p, buf_bytes(&out));
    buf_fini(&out);
}

void source_send_event(struct peer *p, enum source_header header, struct bytes event)
{
    struct buf message;
    buf_init(&message);
    source_wrap(&message, header, event);
    source_send(p, buf_bytes(&message));
    buf_fini(&message);
    if (header == SOURCE_FLAGGED)
        p->seq = 1; /* the source's counter begins anew */
}

struct bytes source_recv(struct peer *p)
{
    size_t n;
    buf_clear(&p->message);
    do {
        struct bytes head = peer_recv(p, PACKET_HEADER);
        n = le24(head.p);
        assert_int_equal(head.p[3], p->seq);
        p->seq++;
        wr_bytes(&p->message, peer_recv(p, n));
    } while (n == PACKET_PART_MAX);
    return buf_bytes(&p->message);
}

struct bytes source_recv_command(struct peer *p)
{
    p->seq = 0;
    return source_recv(p);
}

void source_send_ok(struct peer *p)
{
    source_send(p, bytes_of("\0\0\0\2\0\0\0", 7));
}

void source_send_err(struct peer *p, uint16_t code, const char *text)
{
    struct buf out;
    buf_init(&out);
    wr_u8(&out, REPLY_ERR);
    wr_u16(&out, code);
    wr_str(&out, "#HY000");
    wr_str(&out, text);
    source_send(p, buf_bytes(&out));
    buf_fini(&out);
}

static void send_eof(struct peer *p)
{
    source_send(p, bytes_of("\376\0\0\2\0", 5));
}

void source_send_rows(struct peer *p, size_t columns, size_t rows, const char *const *cells)
{
    struct buf row;
    buf_init(&row);
    lenenc_int_encode(&row, columns);
    source_send(p, buf_bytes(&row));
    for (size_t i = 0; i < columns; i++)
        source_send(p, bytes_str("\3def"));
    send_eof(p);
    for (size_t i = 0; i < rows; i++) {
        buf_clear(&row);
        for (size_t c = 0; c < columns; c++) {
            const char *text = cells[i * columns + c];
            if (text)
                lenenc_str_encode(&row, bytes_str(text));
            else
                wr_u8(&row, 0xfb);
        }
        source_send(p, buf_bytes(&row));
    }
    send_eof(p);
    buf_fini(&row);
}

/* ---- a whole conversation ---- */

void source_login(struct peer *p, const struct source_profile *profile)
{
    struct handshake_greeting g = {
        .thread_id = 1,
        .caps = CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH |
                (profile->tls_offered ? CAP_SSL : 0),
        .plugin = "mysql_native_password",
        .nonce = "abcdefghijklmnopqrst",
    };
    struct buf out;
    buf_init(&out);
    snprintf(g.server_version, sizeof g.server_version, "%s", profile->version);
    handshake_greeting_encode(&out, &g);
    p->seq = 0;
    source_send(p, buf_bytes(&out));
    buf_fini(&out);
    source_recv(p);
    source_send_ok(p);
}

static void send_value(struct peer *p, const char *value)
{
    if (value)
        source_send_rows(p, 1, 1, &value);
    else
        source_send_err(p, ER_UNKNOWN_SYSTEM_VARIABLE, "Unknown system variable");
}

static void send_latest(struct peer *p, const char *file)
{
    const char *row[] = {file, "4"};
    if (file)
        source_send_rows(p, 2, 1, row);
    else
        source_send_err(p, ER_PARSE_ERROR, "You have an error in your SQL syntax");
}

static void send_logs(struct peer *p, const char *const *logs)
{
    size_t n = 0;
    while (logs && logs[n])
        n++;
    if (logs)
        source_send_rows(p, 2, n / 2, logs);
    else
        source_send_err(p, ER_SPECIFIC_ACCESS_DENIED_ERROR, "Access denied");
}

static bool says(struct bytes command, const char *words)
{
    return memmem(command.p, command.n, words, strlen(words)) != NULL;
}

bool source_answer(struct peer *p, const struct source_profile *s, struct bytes command)
{
    const char *const settings[] = {"log_bin", s->log_bin, "sync_binlog", "1"};
    assert_true(command.n > 0);
    if (command.p[0] == COM_BINLOG_DUMP || command.p[0] == COM_BINLOG_DUMP_GTID)
        return false;
    if (command.p[0] == COM_REGISTER_SLAVE) {
        if (s->register_error)
            source_send_err(p, s->register_error, "Access denied");
        else
            source_send_ok(p);
    } else if (says(command, "UNIX_TIMESTAMP")) {
        send_value(p, "1700000000");
    } else if (says(command, "SERVER_ID")) {
        send_value(p, s->server_id);
    } else if (says(command, "SET @master_binlog_checksum")) {
        if (s->checksum)
            source_send_ok(p);
        else
            send_value(p, NULL);
    } else if (says(command, "SELECT @source_binlog_checksum")) {
        source_send_rows(p, 1, 1, &s->checksum);
    } else if (says(command, "GTID_MODE")) {
        send_value(p, s->gtid_mode);
    } else if (says(command, "gtid_owned")) {
        send_value(p, s->gtid_executed ? "" : NULL);
    } else if (says(command, "gtid_executed")) {
        send_value(p, s->gtid_executed);
    } else if (says(command, "SERVER_UUID")) {
        send_value(p, s->uuid);
    } else if (says(command, "SHOW GLOBAL VARIABLES")) {
        source_send_rows(p, 2, s->log_bin ? 2 : 0, settings);
    } else if (says(command, "SHOW BINARY LOG STATUS")) {
        send_latest(p, s->latest);
    } else if (says(command, "SHOW BINARY LOGS")) {
        send_logs(p, s->logs);
    } else if (says(command, "SHOW MASTER STATUS")) {
        send_latest(p, s->latest_old);
    } else if (says(command, "rpl_semi_sync_source_enabled")) {
        send_value(p, s->semi_source);
    } else if (says(command, "rpl_semi_sync_master_enabled")) {
        send_value(p, s->semi_master);
    } else {
        assert_true(says(command, "SET @"));
        source_send_ok(p);
    }
    return true;
}

struct bytes source_accept(struct peer *p, const struct source_profile *profile)
{
    peer_accept(p);
    source_login(p, profile);
    while (source_answer(p, profile, source_recv_command(p)))
        ;
    return buf_bytes(&p->message);
}

struct source_dump source_decode_dump(struct bytes command)
{
    struct source_dump d = {0};
    struct rd r = rd_of(command);
    struct bytes file;
    d.gtid = rd_u8(&r) == COM_BINLOG_DUMP_GTID;
    if (d.gtid) {
        d.flags = rd_u16(&r);
        rd_u32(&r);
        file = rd_bytes(&r, rd_u32(&r));
        d.pos = rd_u64(&r);
        d.set_bytes = rd_u32(&r);
        rd_bytes(&r, d.set_bytes);
    } else {
        d.pos = rd_u32(&r);
        d.flags = rd_u16(&r);
        rd_u32(&r);
        file = rd_rest(&r);
    }
    assert_false(r.bad);
    assert_int_equal(bytes_to_str(file, d.file, sizeof d.file), 0);
    return d;
}

void source_expect_ack(struct peer *p, const char *file, uint64_t pos)
{
    struct bytes head = peer_recv(p, PACKET_HEADER);
    size_t n = le24(head.p);
    assert_int_equal(head.p[3], 0);
    assert_int_equal(n, 9 + strlen(file));
    struct bytes ack = peer_recv(p, n);
    assert_int_equal(ack.p[0], REPL_SEMI_SYNC_MAGIC);
    assert_int_equal(le64(ack.p + 1), pos);
    assert_memory_equal(ack.p + 9, file, strlen(file));
}
