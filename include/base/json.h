/* JSON strings. The rest of a document is plain enough to be written by wr_fmt. */
#ifndef BINLOGD_BASE_JSON_H
#define BINLOGD_BASE_JSON_H

#include "base/buf.h"

/* Appends the text in quotes: control characters are escaped, and each byte that is no part of
 * well-formed UTF-8 becomes U+FFFD, so that the document can always be read. */
void json_string(struct buf *out, const char *text);

#endif
