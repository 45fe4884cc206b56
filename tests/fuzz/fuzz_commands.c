/* What a replica sends after login: COM_REGISTER_SLAVE, COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID and
 * ACKs, told by their first byte. What is decoded lies in the payload and within its limits. */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/gtid_set.h"
#include "mysql/repl.h"

static void check_inside(struct bytes part, struct bytes payload)
{
    BUG_ON(part.n && (part.p < payload.p || part.p + part.n > payload.p + payload.n));
}

static void check_failed(const struct err *err)
{
    BUG_ON(!memchr(err->text, 0, sizeof err->text) || !*err->text);
}

static void run_dump(struct bytes payload, bool gtid)
{
    struct repl_dump_request d;
    struct gtid_set set;
    struct err err;
    if ((gtid ? repl_dump_gtid_decode : repl_dump_decode)(&d, payload, &err) < 0) {
        check_failed(&err);
        return;
    }
    check_inside(d.file, payload);
    check_inside(d.gtids, payload);
    BUG_ON(!gtid && (d.gtids.n || d.pos > UINT32_MAX));
    gtid_set_init(&set);
    if (gtid && gtid_set_decode(d.gtids, &set, &err) < 0)
        check_failed(&err);
    gtid_set_fini(&set);
}

static void run_register(struct bytes payload)
{
    struct repl_registered r;
    struct err err;
    if (repl_register_decode(&r, payload, &err) < 0)
        check_failed(&err);
    else
        BUG_ON(!memchr(r.host, 0, sizeof r.host));
}

static void run_ack(struct bytes payload)
{
    struct repl_ack a;
    struct err err;
    if (repl_ack_decode(&a, payload, &err) < 0) {
        check_failed(&err);
        return;
    }
    check_inside(a.file, payload);
    BUG_ON(a.file.n == 0 || a.file.n > REPL_ACK_FILE_MAX || memchr(a.file.p, 0, a.file.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes payload = bytes_of(data, size);
    switch (size ? data[0] : 0) {
    case COM_BINLOG_DUMP:
        run_dump(payload, false);
        break;
    case COM_BINLOG_DUMP_GTID:
        run_dump(payload, true);
        break;
    case COM_REGISTER_SLAVE:
        run_register(payload);
        break;
    default:
        run_ack(payload);
        break;
    }
    return 0;
}
