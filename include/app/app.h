/*
 * The daemon put together: configuration, store, dumper, signals, status, systemd, on one loop.
 */
#ifndef BINLOGD_APP_APP_H
#define BINLOGD_APP_APP_H

/* Exit codes; scripts and the systemd unit rely on them. */
enum app_exit {
    APP_OK = 0,
    APP_ERROR = 1,
    APP_USAGE = 2,  /* command line or configuration */
    APP_FAILED = 3, /* the storage failed */
    APP_DIVERGED = 4,
    APP_CORRUPT = 5
};

/* Runs in the foreground until SIGTERM or SIGINT, or until nothing more can be done. */
enum app_exit app_run(const char *config_path);
/* Checks the configuration and the files it names; prints the values that hold, or what is wrong.
 */
enum app_exit app_check(const char *config_path);
const char *app_version(void);

#endif
