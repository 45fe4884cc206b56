/*
 * The daemon put together: configuration, store, dumper, signals, status, systemd, on one loop.
 */
#ifndef BINLOGD_APP_APP_H
#define BINLOGD_APP_APP_H

#include "base/err.h"

#include <stdbool.h>

/* Exit codes; scripts and the systemd unit rely on them. */
enum app_exit {
    APP_OK = 0,
    APP_ERROR = 1,
    APP_USAGE = 2,  /* command line or configuration */
    APP_FAILED = 3, /* the storage failed */
    APP_DIVERGED = 4,
    APP_CORRUPT = 5
};

enum app_exit app_exit_of(const struct err *err);
/* Runs in the foreground until SIGTERM or SIGINT, or until nothing more can be done. */
enum app_exit app_run(const char *config_path);
/* Checks the configuration and the files it names; prints the values that hold, or what is wrong.
 */
enum app_exit app_check(const char *config_path);
struct app_purge {
    const char *to;     /* name of the first file to stay; NULL */
    const char *before; /* local time before which files end; NULL. Without either: by the rules. */
    bool dry_run;       /* only say what would go */
};

/* Removes files of a directory on which no daemon runs, or says which would go. */
enum app_exit app_purge(const char *config_path, const struct app_purge *what);

enum app_status_form { APP_STATUS_SCREEN, APP_STATUS_JSON };
enum app_status_times { APP_STATUS_ONCE, APP_STATUS_WATCH };

/* Asks the daemon that runs with this configuration and prints its answer; when none runs, what the
 * data directory tells. APP_OK only when every acknowledged commit is safe there: PROTECTING. */
enum app_exit app_status(const char *config_path, enum app_status_form form,
                         enum app_status_times times);
const char *app_version(void);

#endif
