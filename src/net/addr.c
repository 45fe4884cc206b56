/* Addresses and the lookup job. */
#include "net/addr.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

struct addr_lookup {
    struct worker_job job; /* first: the worker hands it back */
    char *host;
    uint16_t port;
    struct addr_list list;
    struct err err;
    addr_lookup_fn fn; /* NULL once cancelled; only the loop touches it */
    void *ctx;
};

void addr_format(const struct addr *a, char *dst)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (a->ss.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&a->ss;
        snprintf(dst, ADDR_TEXT_MAX, "unix:%s", un->sun_path);
    } else if (a->ss.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->ss;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(dst, ADDR_TEXT_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->ss;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(dst, ADDR_TEXT_MAX, "%s:%u", host, ntohs(in->sin_port));
    }
}

static void look_up_unix(struct addr_lookup *l)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(l->host) >= sizeof un.sun_path) {
        err_set(&l->err, "the socket path %s is longer than %zu bytes", l->host,
                sizeof un.sun_path - 1);
        return;
    }
    strcpy(un.sun_path, l->host);
    memcpy(&l->list.at[0].ss, &un, sizeof un);
    l->list.at[0].len = sizeof un;
    l->list.n = 1;
}

static void look_up_name(struct addr_lookup *l)
{
    char port[8];
    snprintf(port, sizeof port, "%u", l->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(l->host, port, &hints, &found);
    if (rc != 0) {
        err_set(&l->err, "cannot resolve the host name %s: %s", l->host, gai_strerror(rc));
        return;
    }
    for (struct addrinfo *ai = found; ai && l->list.n < ADDR_LIST_MAX; ai = ai->ai_next) {
        struct addr *a = &l->list.at[l->list.n++];
        memcpy(&a->ss, ai->ai_addr, ai->ai_addrlen);
        a->len = ai->ai_addrlen;
    }
    freeaddrinfo(found);
}

static void lookup_run(struct worker_job *job)
{
    struct addr_lookup *l = (struct addr_lookup *)job;
    if (l->host[0] == '/')
        look_up_unix(l);
    else
        look_up_name(l);
}

static void lookup_done(struct worker_job *job)
{
    struct addr_lookup *l = (struct addr_lookup *)job;
    if (l->fn)
        l->fn(l->ctx, &l->list, &l->err);
    free(l->host);
    free(l);
}

struct addr_lookup *addr_lookup_start(struct worker *w, const char *host, uint16_t port,
                                      addr_lookup_fn fn, void *ctx)
{
    struct addr_lookup *l = mem_alloc(sizeof *l);
    l->job.run = lookup_run;
    l->job.done = lookup_done;
    l->host = mem_strdup(host);
    l->port = port;
    l->fn = fn;
    l->ctx = ctx;
    worker_submit(w, &l->job);
    return l;
}

void addr_lookup_cancel(struct addr_lookup *l)
{
    if (l)
        l->fn = NULL;
}
