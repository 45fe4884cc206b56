/*
 * Failed logins of each source address, and how long the next answer to it is held back.
 *
 * Bounded: the address that has been quiet for longest is forgotten for a new one. Each is also
 * forgotten by itself some time after its last failure, for an address can have many users.
 */
#ifndef BINLOGD_REPLICA_FAILURES_H
#define BINLOGD_REPLICA_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#define FAILURES_ADDRESSES_MAX (64u << 10)
#define FAILURES_FREE          5u /* before the first delay */
#define FAILURES_DELAY_S       1u /* doubled by each further failure */
#define FAILURES_DELAY_MAX_S   60u
#define FAILURES_FORGET_S      600u

struct failures;

/* For at most max addresses. Memory is taken as they come. */
struct failures *failures_new(size_t max);
void failures_free(struct failures *f);
/* source: addr_source; one of 0 is nobody and has no failures. now_us: clock_now_us. */
uint32_t failures_delay_s(const struct failures *f, uint64_t source, uint64_t now_us);
void failures_add(struct failures *f, uint64_t source, uint64_t now_us);
/* A good login. */
void failures_clear(struct failures *f, uint64_t source);
size_t failures_addresses(const struct failures *f);

#endif
