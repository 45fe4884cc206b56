/*
 * Preloaded into the daemon: its allocation number MEMORY_FAILS_AT gives NULL, and all behind it
 * too when MEMORY_STAYS_OUT is set. The count so far is at the start of the file MEMORY_COUNT_FILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static atomic_ulong none;
static atomic_ulong *count = &none;
static unsigned long fails_at;
static int stays_out;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("MEMORY_FAILS_AT"), *path = getenv("MEMORY_COUNT_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (shared != MAP_FAILED)
        count = shared;
    stays_out = getenv("MEMORY_STAYS_OUT") != NULL;
    fails_at = at ? strtoul(at, NULL, 10) : 0;
}

static int fails(void)
{
    unsigned long number = atomic_fetch_add(count, 1) + 1;
    if (!fails_at || number < fails_at || (number > fails_at && !stays_out))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}
