/*
 * Socket addresses: text to address without waiting on the loop, address to text.
 *
 * Names are resolved by a worker thread, for getaddrinfo can take as long as a name server likes.
 */
#ifndef BINLOGD_NET_ADDR_H
#define BINLOGD_NET_ADDR_H

#include "base/err.h"
#include "base/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_LIST_MAX 8
#define ADDR_TEXT_MAX 160

struct addr {
    struct sockaddr_storage ss;
    socklen_t len;
};

struct addr_list {
    size_t n;
    struct addr at[ADDR_LIST_MAX];
};

/* "127.0.0.1:3306", "[::1]:3306" or "unix:PATH"; dst has ADDR_TEXT_MAX bytes. */
void addr_format(const struct addr *a, char *dst);

/* The address alone, as a server shows it in user@host: "localhost" for a unix socket. */
void addr_host(const struct addr *a, char *dst);
/* Whether the address is the one given, or in the network given as ADDRESS/BITS; false also when
 * that is neither, and for a unix socket. */
bool addr_in(const struct addr *a, const char *network);
/* A number for who is behind it, whatever the port: the same for a whole /64 of IPv6, which is what
 * one customer gets. 0 for a unix socket. */
uint64_t addr_source(const struct addr *a);
/* Makes an IPv4 address of one that came in by an IPv6 socket (::ffff:192.0.2.1). */
void addr_unmap(struct addr *a);
/* "ADDRESS:PORT", "[ADDRESS]:PORT", numeric, or the path of a unix socket when it begins with '/'.
 */
int addr_parse(struct addr *a, const char *text, struct err *err);

struct addr_lookup;
/* list is empty and err set when the name cannot be resolved. Both live during the call only. */
typedef void (*addr_lookup_fn)(void *ctx, const struct addr_list *list, const struct err *err);

/* host: a name, an IPv4 or IPv6 address, or the path of a unix socket when it begins with '/'.
 * fn is called from worker_reap, exactly once unless cancelled; the lookup is freed after it. */
struct addr_lookup *addr_lookup_start(struct worker *w, const char *host, uint16_t port,
                                      addr_lookup_fn fn, void *ctx);
/* fn will not be called any more. The thread may still be busy with it. */
void addr_lookup_cancel(struct addr_lookup *l);

#endif
