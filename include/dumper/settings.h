/*
 * The source's settings on which "acknowledged" depends: what to ask, and what is not as it should
 * be. A source is lossless only when it syncs its own log, waits for the ACK before it lets others
 * see the commit, and goes on waiting.
 */
#ifndef BINLOGD_DUMPER_SETTINGS_H
#define BINLOGD_DUMPER_SETTINGS_H

#include "base/buf.h"
#include "mysql/resultset.h"

#define SETTINGS_TEXT_MAX 512

/* Appends the statement; its reply has a row of name and value for each variable that exists. */
void settings_query(struct buf *out);
enum settings_scope {
    SETTINGS_PLAIN,    /* the source need not wait for ACKs */
    SETTINGS_SEMI_SYNC /* it is to wait for them */
};

/* Writes what is unsafe, "sync_binlog = 0 (should be 1), ...", or "" when nothing is. -1 (ERR_LONG)
 * when the source writes no binary log. */
int settings_judge(const struct resultset *reply, enum settings_scope scope,
                   char text[SETTINGS_TEXT_MAX], struct err *err);

#endif
