/*
 * Transaction boundaries: told each event of a stream in order, says where transactions end.
 *
 * A file may be cut, served or continued only where no transaction is open. What ends one: Xid,
 * XA_prepare, Transaction_payload, COMMIT and ROLLBACK, a statement of its own (DDL) and its kin;
 * MariaDB's Gtid event begins one by itself unless it says "standalone".
 */
#ifndef BINLOGD_BINLOG_TRX_H
#define BINLOGD_BINLOG_TRX_H

#include "binlog/fde.h"

enum trx_state {
    TRX_OUTSIDE,   /* no transaction is open */
    TRX_ANNOUNCED, /* a GTID came: BEGIN or a single statement follows */
    TRX_STATEMENT, /* events that belong to the next Query came (Intvar, User_var, …) */
    TRX_OPEN       /* between BEGIN and what ends it */
};

struct trx {
    enum trx_state state;
};

enum trx_verdict {
    TRX_INSIDE, /* after this event a transaction is open */
    TRX_ENDED,  /* this event completed a transaction */
    TRX_NEUTRAL /* no transaction is open, and none ended here */
};

/* event: from its header on; of a long event at least the first 64 KiB. Malformed bodies give
 * TRX_INSIDE: whatever they are, nothing is complete. */
enum trx_verdict trx_feed(struct trx *t, const struct fde *f, const struct event_header *h,
                          struct bytes event);

#endif
