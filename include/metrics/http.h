/*
 * A small HTTP server on the loop, for what monitoring asks: GET and HEAD of a few paths.
 *
 * libmicrohttpd parses and answers; it has no thread, its epoll descriptor is a watcher like any
 * other. A connection serves one request and has HTTP_SECONDS for it; at most HTTP_CLIENTS are open
 * at a time, more are closed at once. Everything runs below the priority of replicas.
 */
#ifndef BINLOGD_METRICS_HTTP_H
#define BINLOGD_METRICS_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <ev.h>

#define HTTP_CLIENTS       16u
#define HTTP_SECONDS       10.0
#define HTTP_LISTENERS_MAX 16u

struct http;

struct http_answer {
    unsigned status;  /* 200, 503, … */
    const char *type; /* of the content; text that lives as long as the program */
    struct buf *body; /* append here */
};

struct http_opts {
    struct ev_loop *loop;
    /* Answers one path; false: there is no such path. answer is for 200 as it comes. */
    bool (*answer)(void *ctx, const char *path, struct http_answer *answer);
    void *ctx;
};

/* It listens nowhere yet. NULL with the reason when it cannot be had. */
struct http *http_new(const struct http_opts *opts, struct err *err);
/* Listens on these, as addr_parse takes them, and nowhere else: what it listens on already stays
 * open, port 0 keeps its port. -1: as before. */
int http_listen(struct http *h, char *const *where, size_t n, struct err *err);
/* NULL is accepted. */
void http_free(struct http *h);

#endif
