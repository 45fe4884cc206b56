/* Starting of helper threads. */
#include "base/thread.h"

#include "base/mem.h"

#include <sched.h>
#include <signal.h>

void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    mem_need(pthread_create(thread, NULL, run, arg) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void thread_run_idle(void)
{
    static const struct sched_param none;
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}
