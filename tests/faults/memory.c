/*
 * Preloaded into the daemon: an allocation gives NULL, and all behind it too when MEMORY_STAYS_OUT
 * is set. Which one: the one with the number MEMORY_FAILS_AT, or the first from the place
 * MEMORY_FAILS_IN, which is a hash of the calls that led there; it is the same in each run without
 * randomised addresses. The count so far is at the start of the file MEMORY_COUNT_FILE;
 * MEMORY_PLACES_FILE gets the place of each, 4 bytes. A crash writes its calls to standard error.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH       10
#define OWN_FRAMES  3
#define CRASH_DEPTH 60
#define HASH_BEGIN  2166136261u
#define HASH_FACTOR 16777619u

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static atomic_ulong none;
static atomic_ulong *count = &none;
static atomic_bool failed;
static unsigned long fails_at;
static uint32_t fails_in;
static bool stays_out;
static int places = -1;

static void on_crash(int number)
{
    static const char text[] = "crashed in\n";
    void *calls[CRASH_DEPTH];
    if (write(STDERR_FILENO, text, sizeof text - 1) > 0)
        backtrace_symbols_fd(calls, backtrace(calls, CRASH_DEPTH), STDERR_FILENO);
    raise(number); /* as by default, once this returns */
}

static void catch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("MEMORY_FAILS_AT"), *path = getenv("MEMORY_COUNT_FILE");
    const char *in = getenv("MEMORY_FAILS_IN"), *to = getenv("MEMORY_PLACES_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *calls[1];
    if (fd >= 0)
        close(fd);
    backtrace(calls, 1); /* loads what it needs, with allocations of its own */
    if (shared != MAP_FAILED)
        count = shared;
    places = to ? open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    stays_out = getenv("MEMORY_STAYS_OUT") != NULL;
    fails_in = in ? (uint32_t)strtoul(in, NULL, 16) : 0;
    catch_crashes();
    atomic_store(count, 0);
    fails_at = at ? strtoul(at, NULL, 10) : 0;
}

static uint32_t place(void)
{
    void *calls[DEPTH];
    uint32_t hash = HASH_BEGIN;
    int n = backtrace(calls, DEPTH);
    for (int i = OWN_FRAMES; i < n; i++)
        for (unsigned shift = 0; shift < 48; shift += 8)
            hash = (hash ^ (uint32_t)((uintptr_t)calls[i] >> shift & 0xff)) * HASH_FACTOR;
    return hash;
}

/* Whether this is the one that is to fail. */
static bool is_it(void)
{
    unsigned long number = atomic_fetch_add(count, 1) + 1;
    if (places < 0 && !fails_in)
        return number == fails_at;
    uint32_t here = place();
    if (places >= 0 && write(places, &here, sizeof here) < 0)
        abort();
    return fails_in && here == fails_in;
}

static bool fails(void)
{
    bool before = atomic_load(&failed);
    bool now = before ? stays_out : is_it() && !atomic_exchange(&failed, true);
    if (now)
        errno = ENOMEM;
    return now;
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
