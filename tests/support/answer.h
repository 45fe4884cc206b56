/*
 * Answers as text, to be compared with a table: "OK", "ERR 1193 HY000 Unknown …", or the columns as
 * "name:type:flags", separated by commas, and for each row " | " and its cells. Checks the packets'
 * sequence numbers on the way: an answer that is not well formed becomes "BROKEN …".
 */
#ifndef BINLOGD_TESTS_ADMIN_ANSWER_H
#define BINLOGD_TESTS_ADMIN_ANSWER_H

#include "base/buf.h"
#include "base/bytes.h"

/* Appends the text, with a NUL behind it that does not count. */
void answer_describe(struct bytes packets, struct buf *text);

#endif
