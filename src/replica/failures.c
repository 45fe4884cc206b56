/* Failed logins by address: a hash table whose entries are also a list by age. */
#include "replica/failures.h"

#include "base/mem.h"
#include "base/rand.h"

#include <stdbool.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct entry {
    uint64_t source;
    uint64_t last_us; /* of its last failure */
    uint32_t count;
    uint32_t next; /* in its bucket, or among the free */
    uint32_t newer;
    uint32_t older;
};

struct failures {
    struct entry *at;
    uint32_t *buckets;
    uint32_t bucket_n; /* a power of 2 */
    uint32_t max;
    uint32_t touched; /* entries from here on were never used */
    uint32_t n;
    uint32_t free;
    uint32_t newest;
    uint32_t oldest;
    uint64_t seed; /* so that nobody can choose addresses that share a bucket */
};

struct failures *failures_new(size_t max)
{
    struct failures *f = mem_alloc(sizeof *f);
    BUG_ON(!max || max >= NONE / 2);
    f->max = (uint32_t)max;
    f->bucket_n = 1;
    while (f->bucket_n < max)
        f->bucket_n *= 2;
    f->at = mem_alloc(max * sizeof *f->at);
    f->buckets = mem_alloc(f->bucket_n * sizeof *f->buckets);
    for (uint32_t i = 0; i < f->bucket_n; i++)
        f->buckets[i] = NONE;
    f->free = f->newest = f->oldest = NONE;
    rand_bytes((uint8_t *)&f->seed, sizeof f->seed);
    return f;
}

void failures_free(struct failures *f)
{
    if (!f)
        return;
    free(f->at);
    free(f->buckets);
    free(f);
}

/* The finishing steps of MurmurHash3, which spread every bit over all. */
static uint32_t *bucket_of(const struct failures *f, uint64_t source)
{
    uint64_t h = source ^ f->seed;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return &f->buckets[(h ^ h >> 33) & (f->bucket_n - 1)];
}

static uint32_t find(const struct failures *f, uint64_t source)
{
    uint32_t i = *bucket_of(f, source);
    while (i != NONE && f->at[i].source != source)
        i = f->at[i].next;
    return i;
}

static void unlink_age(struct failures *f, uint32_t i)
{
    struct entry *e = &f->at[i];
    *(e->newer == NONE ? &f->newest : &f->at[e->newer].older) = e->older;
    *(e->older == NONE ? &f->oldest : &f->at[e->older].newer) = e->newer;
}

static void link_newest(struct failures *f, uint32_t i)
{
    f->at[i].newer = NONE;
    f->at[i].older = f->newest;
    *(f->newest == NONE ? &f->oldest : &f->at[f->newest].newer) = i;
    f->newest = i;
}

static void forget(struct failures *f, uint32_t i)
{
    uint32_t *link = bucket_of(f, f->at[i].source);
    while (*link != i)
        link = &f->at[*link].next;
    *link = f->at[i].next;
    unlink_age(f, i);
    f->at[i].next = f->free;
    f->free = i;
    f->n--;
}

static uint32_t take(struct failures *f, uint64_t source)
{
    if (f->n == f->max)
        forget(f, f->oldest);
    uint32_t i = f->free;
    if (i == NONE)
        i = f->touched++;
    else
        f->free = f->at[i].next;
    uint32_t *bucket = bucket_of(f, source);
    f->at[i] = (struct entry){.source = source, .next = *bucket};
    *bucket = i;
    f->n++;
    return i;
}

static bool is_stale(const struct entry *e, uint64_t now_us)
{
    return now_us - e->last_us >= FAILURES_FORGET_S * (uint64_t)1000000;
}

uint32_t failures_delay_s(const struct failures *f, uint64_t source, uint64_t now_us)
{
    uint32_t i = find(f, source);
    if (i == NONE || is_stale(&f->at[i], now_us) || f->at[i].count < FAILURES_FREE)
        return 0;
    uint32_t delay = FAILURES_DELAY_S;
    for (uint32_t n = FAILURES_FREE; n < f->at[i].count && delay < FAILURES_DELAY_MAX_S; n++)
        delay *= 2;
    return delay < FAILURES_DELAY_MAX_S ? delay : FAILURES_DELAY_MAX_S;
}

void failures_add(struct failures *f, uint64_t source, uint64_t now_us)
{
    if (!source)
        return;
    uint32_t i = find(f, source);
    if (i == NONE)
        i = take(f, source);
    else
        unlink_age(f, i);
    link_newest(f, i);
    struct entry *e = &f->at[i];
    if (is_stale(e, now_us))
        e->count = 0;
    if (e->count < UINT32_MAX)
        e->count++;
    e->last_us = now_us;
}

void failures_clear(struct failures *f, uint64_t source)
{
    uint32_t i = find(f, source);
    if (i != NONE)
        forget(f, i);
}

size_t failures_addresses(const struct failures *f)
{
    return f->n;
}
