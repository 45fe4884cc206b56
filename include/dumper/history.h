/*
 * Whether a source's history is the one that is stored, as far as GTIDs tell before a dump is asked
 * for, and where another server would go on.
 */
#ifndef BINLOGD_DUMPER_HISTORY_H
#define BINLOGD_DUMPER_HISTORY_H

#include "dumper/setup.h"

/* By GTID the source must have all that is stored: what it lacks was acknowledged and is lost
 * there. -1 (ERR_DIVERGED) names it. A source without GTIDs passes: bytes are compared later. */
int history_check(const struct setup_facts *facts, const struct gtid_set *ours, struct err *err);

/* The first packet that comes after COM_BINLOG_DUMP_GTID with what is stored and no file: an
 * artificial Rotate to the file that holds the first transaction that is not in the set, or an
 * error, when the source has purged such transactions (ERR_DIVERGED). All else is ERR_MALFORMED. */
int history_join_file(const struct setup_facts *facts, struct bytes packet,
                      struct binfile_name *file, struct err *err);

#endif
