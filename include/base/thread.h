/* Starting of helper threads. Signals stay the loop's: a helper blocks them all. */
#ifndef BINLOGD_BASE_THREAD_H
#define BINLOGD_BASE_THREAD_H

#include <pthread.h>

/* The caller joins it. That a thread cannot be had at the start ends the process. */
void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* The calling thread gets the lowest priority: on a busy machine it runs seldom, so it must not
 * hold a lock for long that others want. */
void thread_lower(void);

#endif
