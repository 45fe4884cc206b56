/*
 * What statements tell about the connection to the source and the configuration, and what they
 * change: whether it runs, single keys, the log, the end of the daemon.
 */
#ifndef BINLOGD_APP_CONTROL_H
#define BINLOGD_APP_CONTROL_H

#include "admin/admin.h"
#include "app/config.h"
#include "app/retention.h"
#include "dumper/dumper.h"
#include "told.h"

/* Belongs to the daemon, which fills it; all of it must outlive the sessions. */
struct control {
    struct dumper *dumper; /* NULL without [dumper] */
    struct store *store;
    struct config *config;
    void (*shutdown)(void *ctx); /* in a later turn of the loop */
    int (*flush_logs)(void *ctx, struct err *err);
    /* Makes all follow *config; -1 when that cannot be, and then not all does. */
    int (*follow)(void *ctx, struct err *err);
    void *ctx;
    struct told *told;
    struct retention *retention;
    char info_file[512]; /* what the source's info_file points to */
};

/* As the callbacks of struct admin_env. */
bool control_source(struct control *c, struct admin_source *s);
bool control_command(struct control *c, enum admin_command command, struct admin_error *e);
/* The same for the session; what the daemon answers later goes to it. */
bool control_change(struct control *c, uint32_t session, const struct admin_change *change,
                    struct admin_error *e);
bool control_purge_to(struct control *c, struct bytes name, struct admin_error *e);
bool control_purge_before(struct control *c, int64_t seconds, struct admin_error *e);
void control_each_setting(struct control *c, admin_setting_fn fn, void *arg);
bool control_set(struct control *c, const struct admin_assignment *items, size_t n,
                 struct admin_error *e);

#endif
