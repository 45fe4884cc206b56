/*
 * The status line: whether the data is safe, as key=value pairs, from what store and dumper say.
 */
#ifndef BINLOGD_APP_STATUS_H
#define BINLOGD_APP_STATUS_H

#include "app/config.h"
#include "dumper/dumper.h"

/* dumper may be NULL. Appends one line without its end. */
void status_format(struct buf *out, struct store *store, const struct dumper *dumper,
                   uint32_t replicas, const struct config *config);

#endif
