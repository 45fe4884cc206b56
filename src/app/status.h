/*
 * The status line: whether the data is safe, as key=value pairs, from what store and dumper say.
 */
#ifndef BINLOGD_APP_STATUS_H
#define BINLOGD_APP_STATUS_H

#include "app/config.h"
#include "dumper/dumper.h"

struct status_replicas {
    uint32_t dumping;
    struct point acked; /* by wait_for_replicas of them */
};

/* dumper may be NULL. Appends one line without its end. */
void status_format(struct buf *out, struct store *store, const struct dumper *dumper,
                   const struct status_replicas *replicas, const struct config *config);

#endif
