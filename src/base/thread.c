/* Starting of helper threads. */
#include "base/thread.h"

#include "base/mem.h"

#include <signal.h>
#include <sys/resource.h>

#define NICE 19

void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    mem_need(pthread_create(thread, NULL, run, arg) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void thread_lower(void)
{
    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone, on Linux */
}
