/*
 * Allocation that does not return failure.
 *
 * The daemon allocates at start, at connect and when a bounded buffer grows; sizes that come from
 * outside are checked against a limit first. If memory is out all the same, the process ends: it
 * has acknowledged nothing that is not on disk, so ending is safe, and carrying on half-built is
 * not.
 */
#ifndef BINLOGD_BASE_MEM_H
#define BINLOGD_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory of n bytes; freed with free(). */
void *mem_alloc(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
/* Ends the process in the same way unless ok: for a call into a library that fails of nothing else.
 */
void mem_need(bool ok);

/* Overwrites n bytes in a way that the compiler keeps; for secrets. NULL is accepted. */
void mem_wipe(void *p, size_t n);
/* Wipes a C string and frees it. NULL is accepted. */
void mem_free_secret(char *s);

/* A broken invariant of our own; never for what a peer, a file or a user can cause. */
#define BUG_ON(cond)                                                                               \
    do {                                                                                           \
        if (cond)                                                                                  \
            mem_bug(#cond, __FILE__, __LINE__);                                                    \
    } while (0)

void mem_bug(const char *cond, const char *file, int line) __attribute__((noreturn));

#endif
