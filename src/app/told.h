/*
 * What CHANGE REPLICATION SOURCE TO tells: from options to keys of [dumper], kept in the file
 * CONFIG_SOURCE_FILE of the storage directory, which the configuration is then read with.
 */
#ifndef BINLOGD_APP_TOLD_H
#define BINLOGD_APP_TOLD_H

#include "admin/admin.h"
#include "app/config.h"
#include "base/worker.h"
#include "store/store.h"

struct told;

struct told_opts {
    struct worker *worker;
    struct store *store;
    const char *config_path;
    const struct config *config; /* the one that holds */
    /* Whether the daemon could follow such a configuration; changes nothing. */
    int (*check)(void *ctx, const struct config *next, struct err *err);
    /* Reads the configuration anew and follows it. */
    int (*reread)(void *ctx, struct err *err);
    /* Sends the packets of an answer that is owed. */
    void (*answer)(void *ctx, uint32_t session, struct bytes packets);
    void *ctx;
};

struct told *told_new(const struct told_opts *opts);
/* Nothing is read anew and answered from now on; what is being written will be. */
void told_stop(struct told *t);
/* After the worker. */
void told_free(struct told *t);
/* Whether a change is under way, during which no connection may begin. */
bool told_busy(const struct told *t);
/* As the callback of struct admin_env, for this session. */
bool told_change(struct told *t, uint32_t session, const struct admin_change *change,
                 struct admin_error *e);

#endif
