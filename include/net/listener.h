/*
 * A listening socket on the loop: hands over what it accepts, one connection in each turn, a few in
 * a millisecond.
 *
 * When the process has no descriptors left it stops accepting for a second instead of spinning, and
 * says so in the log.
 */
#ifndef BINLOGD_NET_LISTENER_H
#define BINLOGD_NET_LISTENER_H

#include "net/addr.h"

#include <ev.h>

struct listener;

struct listener_opts {
    struct ev_loop *loop;
    int priority; /* of its watchers, EV_MINPRI .. EV_MAXPRI */
    /* Takes fd, which is non-blocking. The listener must not be closed here. */
    void (*accepted)(void *ctx, int fd, const struct addr *peer);
    void *ctx;
    mode_t socket_mode; /* of a unix socket; 0: 0660 */
};

/* where: as addr_parse; port 0 takes any that is free; "[::]:PORT" is IPv6 only, so that it can
 * stand beside "0.0.0.0:PORT". A unix socket's mode is 0660 unless said otherwise, for
 * connecting needs a password besides; one that a dead process left is replaced, one that somebody
 * serves or another kind of file is an error. NULL with the reason if it cannot be had. */
struct listener *listener_open(const struct listener_opts *opts, const char *where,
                               struct err *err);
/* Takes over a listening stream socket that was inherited; fd is closed if this fails. */
struct listener *listener_adopt(const struct listener_opts *opts, int fd, struct err *err);
/* Closes it, and removes the unix socket that listener_open made. NULL is accepted. */
void listener_close(struct listener *l);
/* Where it listens, with the port that was chosen. */
const struct addr *listener_addr(const struct listener *l);
uint16_t listener_port(const struct listener *l); /* 0 for a unix socket */

#endif
