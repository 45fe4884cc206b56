/*
 * The socket DIR/binlogd.sock, by which `binlogd status` asks the daemon: mode 0600, and only root
 * and the daemon's own account are heard.
 *
 * A request is one line, "screen" or "json". The answer is a line "CODE LENGTH" with the exit code
 * for the asker and the number of bytes that follow, then those. Private to one version: a program
 * reads what `binlogd status --json` prints.
 */
#ifndef BINLOGD_APP_STATUS_SOCKET_H
#define BINLOGD_APP_STATUS_SOCKET_H

#include "base/buf.h"
#include "base/err.h"

#include <ev.h>

#define STATUS_SOCKET_NAME     "binlogd.sock"
#define STATUS_SOCKET_SECONDS  5.0 /* for a request and its answer, on either side */
#define STATUS_SOCKET_LINE_MAX 64  /* of a request, and of the answer's first line */
#define STATUS_SOCKET_PATH_MAX 64

struct status_socket;

struct status_socket_opts {
    struct ev_loop *loop;
    const char *directory;
    /* Appends the answer; returns the exit code for the asker, or -1 for an unknown request. */
    int (*answer)(void *ctx, const char *request, struct buf *out);
    void *ctx;
};

/* NULL with the reason when the socket cannot be had. */
struct status_socket *status_socket_new(const struct status_socket_opts *opts, struct err *err);
/* Removes the socket too. NULL is accepted. */
void status_socket_free(struct status_socket *c);

/* The path of the socket through an open directory: that of the data directory may be longer than
 * the address of a unix socket can be. */
void status_socket_path(char dst[STATUS_SOCKET_PATH_MAX], int dirfd);

#endif
