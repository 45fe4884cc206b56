/*
 * Statements of one session, one a line; what any line sets is there for the next. The answer to
 * each must be packets in order, and the session must stay within its limits.
 */
#include "fuzz.h"

#include "admin/admin.h"
#include "base/mem.h"
#include "mysql/errcode.h"

static bool mariadb;

static void give_facts(void *ctx, struct admin_facts *f)
{
    (void)ctx;
    f->version = mariadb ? "10.11.19-MariaDB-binlogd" : "9.7.4-binlogd";
    f->mariadb = mariadb;
    f->server_id = 1;
    f->gtid_mode = true;
    f->gtid_executed = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77";
    f->checksum = true;
    f->file = "mysql-bin.000001";
    f->position = 4;
    f->semi_sync = ADMIN_SEMI_SYNC_ON;
    f->now_us = 1700000000123456;
}

static enum admin_gtid_pos gtid_pos(void *ctx, struct bytes file, uint64_t position,
                                    struct buf *text)
{
    (void)ctx;
    if (file.n == 0)
        return ADMIN_GTID_POS_NONE;
    wr_fmt(text, "0-1-%llu", (unsigned long long)position);
    return ADMIN_GTID_POS_FOUND;
}

static bool tell_source(void *ctx, struct admin_source *s)
{
    (void)ctx;
    s->host = "db1";
    return true;
}

static bool do_command(void *ctx, enum admin_command command, struct admin_error *e)
{
    (void)ctx;
    *e = (struct admin_error){ER_UNKNOWN_ERROR, "no"};
    return command == ADMIN_START_SOURCE;
}

/* What a change refuses is answered at once. */
static bool change(void *ctx, const struct admin_change *given, struct admin_error *e)
{
    (void)ctx;
    (void)given;
    *e = (struct admin_error){ER_WRONG_ARGUMENTS, "no"};
    return false;
}

static bool purge_before(void *ctx, int64_t seconds, struct admin_error *e)
{
    (void)ctx;
    (void)e;
    return seconds != 0;
}

static void each_thread(void *ctx, admin_thread_fn fn, void *arg)
{
    const struct admin_thread t = {7, "repl", "10.0.0.1:5", NULL, "Query", 0, "", NULL};
    (void)ctx;
    fn(arg, &t);
}

static void each_setting(void *ctx, admin_setting_fn fn, void *arg)
{
    const struct admin_setting s = {"dumper.retry_max", "5", false, true};
    (void)ctx;
    fn(arg, &s);
}

static bool set(void *ctx, const struct admin_assignment *items, size_t n, struct admin_error *e)
{
    (void)ctx;
    (void)e;
    for (size_t i = 0; i < n; i++)
        BUG_ON(strcmp(items[i].name, "dumper.retry_max") != 0);
    return true;
}

static void check_packets(struct bytes answer)
{
    struct rd r = rd_of(answer);
    uint8_t seq = 1;
    BUG_ON(answer.n == 0);
    while (rd_left(&r)) {
        uint32_t n = rd_u24(&r);
        BUG_ON(rd_u8(&r) != seq++);
        rd_bytes(&r, n);
        BUG_ON(r.bad);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct admin_env env = {.facts = give_facts,
                                  .gtid_pos = gtid_pos,
                                  .source = tell_source,
                                  .command = do_command,
                                  .change = change,
                                  .purge_before = purge_before,
                                  .each_thread = each_thread,
                                  .each_setting = each_setting,
                                  .set = set};
    const struct admin_login login = {7, "repl", "10.0.0.1", NULL, ADMIN_RIGHT_ADMIN};
    struct admin_session s;
    struct buf out;
    mariadb = size && data[0] == 'M';
    admin_session_init(&s, &login);
    buf_init(&out);
    while (size) {
        const uint8_t *nl = memchr(data, '\n', size);
        size_t n = nl ? (size_t)(nl - data) : size;
        buf_clear(&out);
        admin_query(&s, &env, bytes_of(data, n), &out);
        check_packets(buf_bytes(&out));
        BUG_ON(s.variable_count > ADMIN_USER_VARIABLES_MAX);
        BUG_ON(s.variable_bytes > ADMIN_USER_BYTES_MAX);
        data += n + (nl != NULL);
        size -= n + (nl != NULL);
    }
    admin_session_fini(&s);
    buf_fini(&out);
    return 0;
}
