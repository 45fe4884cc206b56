/* The program: what holds for the whole process, and then the command line. */
#include "app/command.h"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MAPPED_FROM (128 << 10) /* bytes */

/* Secrets must not be read from a core or through ptrace by others of the same account. */
static void protect_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, BINLOGD_DUMPABLE);
    umask(0027);
}

/* Each replica takes two descriptors, and the usual soft limit of 1024 is for programs that use
 * select. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Large buffers go back to the system when they are freed; left to itself, the allocator keeps more
 * and more of them once one was freed. */
static void give_memory_back(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

int main(int argc, char **argv)
{
    protect_process();
    raise_descriptor_limit();
    give_memory_back();
    return command_run(argc, argv);
}
