/*
 * One helper thread with a queue of jobs, for calls that may wait: name resolution, unlink.
 *
 * The loop submits a job, the thread runs it, `wake` is called from the thread, and the loop then
 * calls worker_reap, which runs each finished job's `done`. A job belongs to the worker between
 * submit and done; the thread holds no state besides the job it runs.
 */
#ifndef BINLOGD_BASE_WORKER_H
#define BINLOGD_BASE_WORKER_H

struct worker;

struct worker_job {
    void (*run)(struct worker_job *job);  /* in the thread */
    void (*done)(struct worker_job *job); /* on the loop; may free the job */
    struct worker_job *next;
};

/* wake is called from the thread when a job has finished; it must be async-safe towards the loop.
 */
struct worker *worker_new(void (*wake)(void *ctx), void *ctx);
/* Waits for the running job; jobs not yet run are run to their done as well. */
void worker_free(struct worker *w);
void worker_submit(struct worker *w, struct worker_job *job);
/* Runs `done` of every finished job. */
void worker_reap(struct worker *w);

#endif
