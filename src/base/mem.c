/* Allocation that ends the process when memory is out, and wiping of secrets. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_need(bool ok)
{
    if (!ok) {
        fputs("binlogd: out of memory\n", stderr);
        _exit(1);
    }
}

static void *checked(void *p)
{
    mem_need(p);
    return p;
}

void *mem_alloc(size_t n)
{
    return checked(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

char *mem_strdup(const char *s)
{
    return checked(strdup(s));
}

void mem_wipe(void *p, size_t n)
{
    if (p)
        explicit_bzero(p, n);
}

void mem_free_secret(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

void mem_bug(const char *cond, const char *file, int line)
{
    fprintf(stderr, "binlogd: broken invariant: %s (%s:%d)\n", cond, file, line);
    abort();
}
