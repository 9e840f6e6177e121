/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

int core_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : (int)n;
}

void pin(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

void unpin(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < core_count(); i++) {
        CPU_SET((size_t)i, &set);
    }
    (void)sched_setaffinity(0, sizeof(set), &set);
}

/* One thread's part of a run. */
typedef struct worker {
    const side *side;
    pthread_barrier_t *start;
    atomic_size_t *left; /* operations that nobody has taken yet */
    size_t step;
    int core; /* negative: any */
    uint64_t begun, ended;
} worker;

static void *work(void *arg)
{
    worker *w = arg;

    if (w->core >= 0) {
        pin(w->core);
    }
    (void)pthread_barrier_wait(w->start);
    w->begun = now_ns();
    for (;;) {
        size_t left = atomic_load(w->left), take;

        do {
            take = left < w->step ? left : w->step;
        } while (!atomic_compare_exchange_weak(w->left, &left, left - take));
        if (take == 0) {
            w->ended = now_ns();
            return NULL;
        }
        (void)w->side->run(w->side->state, take);
    }
}

/* From when the first began to when the last ended. */
static uint64_t whole_time(const worker *workers, size_t count)
{
    uint64_t begun = workers[0].begun, ended = workers[0].ended;

    for (size_t i = 1; i < count; i++) {
        begun = workers[i].begun < begun ? workers[i].begun : begun;
        ended = workers[i].ended > ended ? workers[i].ended : ended;
    }
    return ended - begun;
}

static uint64_t together_run(void *state, size_t count)
{
    together *t = state;
    worker workers[TOGETHER_MAX];
    pthread_t threads[TOGETHER_MAX];
    pthread_barrier_t start;
    atomic_size_t left;
    size_t step = count / (t->count * 16);

    atomic_init(&left, count);
    must(pthread_barrier_init(&start, NULL, (unsigned)t->count) == 0);
    for (size_t i = 0; i < t->count; i++) {
        workers[i] = (worker){.side = &t->sides[i],
                              .start = &start,
                              .left = &left,
                              .step = step == 0 ? 1 : step,
                              .core = t->spread ? (int)i % core_count() : -1};
        must(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (size_t i = 0; i < t->count; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    must(pthread_barrier_destroy(&start) == 0);
    return whole_time(workers, t->count);
}

side side_of_together(together *t)
{
    return (side){together_run, t};
}
