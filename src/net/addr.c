/* Addresses and the lookup job. */
#include "net/addr.h"

#include "base/bytes.h"
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

void addr_host(const struct addr *a, char *dst)
{
    strcpy(dst, "localhost");
    if (a->ss.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->ss)->sin6_addr, dst, ADDR_TEXT_MAX);
    else if (a->ss.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->ss)->sin_addr, dst, ADDR_TEXT_MAX);
}

void addr_unmap(struct addr *a)
{
    struct sockaddr_in6 in6;
    memcpy(&in6, &a->ss, sizeof in6);
    if (a->ss.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    *a = (struct addr){.len = sizeof in};
    memcpy(&a->ss, &in, sizeof in);
}

static int parse_unix(struct addr *a, const char *path, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path)
        return err_set(err, "the socket path %s is longer than %zu bytes", path,
                       sizeof un.sun_path - 1);
    strcpy(un.sun_path, path);
    memcpy(&a->ss, &un, sizeof un);
    a->len = sizeof un;
    return 0;
}

static void look_up_unix(struct addr_lookup *l)
{
    if (parse_unix(&l->list.at[0], l->host, &l->err) == 0)
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

static int parse_port(const char *text, uint16_t *port)
{
    unsigned long v = 0;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 5 || text[n] || (v = strtoul(text, NULL, 10)) > UINT16_MAX)
        return -1;
    *port = (uint16_t)v;
    return 0;
}

static int parse_inet(struct addr *a, const char *host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
        return -1;
    memcpy(&a->ss, &in, sizeof in);
    a->len = sizeof in;
    return 0;
}

static int parse_inet6(struct addr *a, const char *host, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
        return -1;
    memcpy(&a->ss, &in6, sizeof in6);
    a->len = sizeof in6;
    return 0;
}

int addr_parse(struct addr *a, const char *text, struct err *err)
{
    *a = (struct addr){0};
    if (*text == '/')
        return parse_unix(a, text, err);
    char host[INET6_ADDRSTRLEN];
    uint16_t port;
    bool six = *text == '[';
    const char *end = strrchr(text, ':');
    size_t n = end ? (size_t)(end - text) : 0;
    if (six && (n < 2 || text[n - 1] != ']'))
        n = 0;
    struct bytes part = six && n ? bytes_of(text + 1, n - 2) : bytes_of(text, n);
    if (n && bytes_to_str(part, host, sizeof host) == 0 && parse_port(end + 1, &port) == 0 &&
        (six ? parse_inet6(a, host, port) : parse_inet(a, host, port)) == 0)
        return 0;
    return err_set(err, "%s is no address: ADDRESS:PORT, [ADDRESS]:PORT, or the path of a socket",
                   text);
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

/* The bytes of an IP address; their number, 0 for another family. */
static size_t ip_bytes(const struct addr *a, const uint8_t **p)
{
    if (a->ss.ss_family == AF_INET) {
        *p = (const uint8_t *)&((const struct sockaddr_in *)&a->ss)->sin_addr;
        return sizeof(struct in_addr);
    }
    if (a->ss.ss_family == AF_INET6) {
        *p = (const uint8_t *)&((const struct sockaddr_in6 *)&a->ss)->sin6_addr;
        return sizeof(struct in6_addr);
    }
    return 0;
}

uint64_t addr_source(const struct addr *a)
{
    const uint8_t *p = NULL;
    size_t n = ip_bytes(a, &p);
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < sizeof v; i++)
        v = v << 8 | p[i];
    if (n == sizeof(struct in_addr))
        return UINT64_C(0xffff) << 32 | v; /* no such /64 is in use */
    return n && !v ? 1 : v;                /* ::1 and the like */
}

static bool same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
    size_t whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return !rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool addr_in(const struct addr *a, const char *network)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t wanted[sizeof(struct in6_addr)];
    const uint8_t *have = NULL;
    size_t n = ip_bytes(a, &have), host_n = strcspn(network, "/");
    if (!n || host_n >= sizeof host)
        return false;
    memcpy(host, network, host_n);
    host[host_n] = 0;
    if (inet_pton(a->ss.ss_family, host, wanted) != 1)
        return false;
    unsigned long bits = network[host_n] ? strtoul(network + host_n + 1, NULL, 10) : 8 * n;
    return bits <= 8 * n && same_bits(have, wanted, bits);
}
