/* One helper thread with a queue of jobs. */
#include "base/worker.h"

#include "base/mem.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct queue {
    struct worker_job *head;
    struct worker_job **tail;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t todo_cond;
    struct queue todo;
    struct queue finished;
    bool stop;
    void (*wake)(void *ctx);
    void *ctx;
};

static void queue_init(struct queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static void queue_push(struct queue *q, struct worker_job *job)
{
    job->next = NULL;
    *q->tail = job;
    q->tail = &job->next;
}

static struct worker_job *queue_pop(struct queue *q)
{
    struct worker_job *job = q->head;
    if (job) {
        q->head = job->next;
        if (!q->head)
            q->tail = &q->head;
    }
    return job;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct worker_job *job = queue_pop(&w->todo);
        if (job) {
            pthread_mutex_unlock(&w->lock);
            job->run(job);
            pthread_mutex_lock(&w->lock);
            queue_push(&w->finished, job);
            /* The loop may take this thread's CPU at once, and wants the lock then. */
            pthread_mutex_unlock(&w->lock);
            w->wake(w->ctx);
            pthread_mutex_lock(&w->lock);
        } else if (w->stop) {
            break;
        } else {
            pthread_cond_wait(&w->todo_cond, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct worker *worker_new(void (*wake)(void *ctx), void *ctx)
{
    struct worker *w = mem_alloc(sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->todo_cond, NULL);
    queue_init(&w->todo);
    queue_init(&w->finished);
    w->wake = wake;
    w->ctx = ctx;
    thread_start(&w->thread, worker_main, w);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->todo_cond);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    worker_reap(w);
    pthread_cond_destroy(&w->todo_cond);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void worker_submit(struct worker *w, struct worker_job *job)
{
    pthread_mutex_lock(&w->lock);
    queue_push(&w->todo, job);
    pthread_cond_signal(&w->todo_cond);
    pthread_mutex_unlock(&w->lock);
}

void worker_reap(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct worker_job *job = w->finished.head;
    queue_init(&w->finished);
    pthread_mutex_unlock(&w->lock);
    while (job) {
        struct worker_job *next = job->next;
        job->done(job);
        job = next;
    }
}
