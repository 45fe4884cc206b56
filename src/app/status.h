/*
 * The status in each of its forms, written from the facts.
 */
#ifndef BINLOGD_APP_STATUS_H
#define BINLOGD_APP_STATUS_H

#include "facts.h"

/* The line of the log, key=value pairs, without its end. */
void status_line(struct buf *out, const struct facts *f);
/* One JSON object and a newline; docs/operations.md has its members. */
void status_json(struct buf *out, const struct facts *f);
/* A screen for a person, 80 columns; the first line says whether the data is safe. */
void status_screen(struct buf *out, const struct facts *f);
/* One line for a person, and its newline: whether every acknowledged commit is safe here. */
void status_verdict(struct buf *out, const struct facts *f);
/* What Prometheus scrapes. */
void status_metrics(struct buf *out, const struct facts *f);

/* off, on, degraded: whether replicas are waited for. */
const char *status_chain(const struct facts *f);
/* The set as text, or how many GTIDs in how many intervals when it is long. */
void status_gtids(struct buf *out, const struct facts *f);

#endif
