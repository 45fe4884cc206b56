/* Starting of helper threads. Signals stay the loop's: a helper blocks them all. */
#ifndef BINLOGD_BASE_THREAD_H
#define BINLOGD_BASE_THREAD_H

#include <pthread.h>

/* The caller joins it. That a thread cannot be had at the start ends the process. */
void thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* From now on the calling thread runs when no other wants the CPU, and stops as soon as one does: on
 * a busy machine seldom, so it must not hold a lock for long that others want. */
void thread_run_idle(void);

#endif
