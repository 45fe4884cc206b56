/* The helper thread: jobs run in order, and each comes back. */
#include "check.h"

#include "base/mem.h"
#include "base/worker.h"

#include <pthread.h>
#include <semaphore.h>

#define JOBS 200

struct job {
    struct worker_job base;
    int number;
    pthread_t thread;
};

static struct {
    sem_t woken;
    int ran[JOBS], done[JOBS];
    int ran_n, done_n;
    struct job jobs[JOBS];
} t;

static void wake(void *ctx)
{
    (void)ctx;
    sem_post(&t.woken);
}

static void run(struct worker_job *base)
{
    struct job *job = (struct job *)base;
    job->thread = pthread_self();
    t.ran[t.ran_n++] = job->number;
}

static void done(struct worker_job *base)
{
    struct job *job = (struct job *)base;
    t.done[t.done_n++] = job->number;
}

static int set_up(void **state)
{
    (void)state;
    t.ran_n = t.done_n = 0;
    for (int i = 0; i < JOBS; i++)
        t.jobs[i] = (struct job){.base = {.run = run, .done = done}, .number = i};
    return sem_init(&t.woken, 0, 0);
}

static void assert_all_in_order(void)
{
    assert_int_equal(t.done_n, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(t.ran[i], i);
        assert_int_equal(t.done[i], i);
        assert_false(pthread_equal(t.jobs[i].thread, pthread_self()));
    }
}

static void worker_jobs_run_and_come_back_in_order(void **state)
{
    (void)state;
    struct worker *w = worker_new(wake, NULL);
    for (int i = 0; i < JOBS; i++)
        worker_submit(w, &t.jobs[i].base);
    while (t.done_n < JOBS) {
        while (sem_wait(&t.woken) < 0)
            continue;
        worker_reap(w);
    }
    worker_free(w);
    assert_all_in_order();
}

static void worker_free_finishes_what_was_submitted(void **state)
{
    (void)state;
    struct worker *w = worker_new(wake, NULL);
    for (int i = 0; i < JOBS; i++)
        worker_submit(w, &t.jobs[i].base);
    worker_free(w);
    assert_all_in_order();
}

static void worker_without_jobs(void **state)
{
    (void)state;
    struct worker *w = worker_new(wake, NULL);
    worker_reap(w);
    worker_free(w);
    worker_free(NULL);
    assert_int_equal(t.done_n, 0);
}

static void free_job(struct worker_job *base)
{
    free(base);
    t.done_n++;
}

static void worker_done_may_free_the_job(void **state)
{
    (void)state;
    struct worker *w = worker_new(wake, NULL);
    for (int i = 0; i < 10; i++) {
        struct job *job = mem_alloc(sizeof *job);
        *job = (struct job){.base = {.run = run, .done = free_job}, .number = i};
        worker_submit(w, &job->base);
    }
    worker_free(w);
    assert_int_equal(t.done_n, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(worker_jobs_run_and_come_back_in_order, set_up),
        cmocka_unit_test_setup(worker_free_finishes_what_was_submitted, set_up),
        cmocka_unit_test_setup(worker_without_jobs, set_up),
        cmocka_unit_test_setup(worker_done_may_free_the_job, set_up),
    };
    return RUN_TESTS(tests);
}
