/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

/*
 * Waiting: in line, until a deadline. Who has something to give hands it to the head of the
 * line, so that none is overtaken by those who come later or are quicker.
 */

typedef struct waiter {
    pthread_cond_t wake;
    void *given;
    struct waiter *next;
} waiter;

struct timespec twp_time_in(unsigned ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

bool twp_time_passed(const struct timespec *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* What is left until the deadline, by the clock that a mutex goes by. */
bool twp_mutex_take(pthread_mutex_t *mutex, const struct timespec *deadline)
{
    struct timespec now, until;

    if (deadline == NULL) {
        return pthread_mutex_lock(mutex) == 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += deadline->tv_sec - now.tv_sec;
    until.tv_nsec += deadline->tv_nsec - now.tv_nsec;
    if (until.tv_nsec < 0) {
        until.tv_nsec += 1000000000;
        until.tv_sec--;
    } else if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_mutex_timedlock(mutex, &until) == 0;
}

void twp_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* --- Lines. -------------------------------------------------------------------------- */

void twp_queue_init(queue *q)
{
    q->first = NULL;
    q->last = &q->first;
    q->length = 0;
}

static void leave(queue *q, waiter *w)
{
    waiter **at = &q->first;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    if (q->last == &w->next) {
        q->last = at;
    }
}

void *twp_queue_wait(queue *q, pthread_mutex_t *lock, const struct timespec *deadline)
{
    waiter w = {0};
    int rc = 0;

    twp_cond_init(&w.wake);
    *q->last = &w;
    /* cppcheck-suppress autoVariables ; whoever hands over, or leave(), takes it out again */
    q->last = &w.next;
    q->length++;
    while (w.given == NULL && rc == 0) {
        rc = deadline == NULL ? pthread_cond_wait(&w.wake, lock)
                              : pthread_cond_timedwait(&w.wake, lock, deadline);
    }
    if (w.given == NULL) {
        leave(q, &w);
    }
    q->length--;
    pthread_cond_destroy(&w.wake);
    return w.given;
}

bool twp_queue_hand(queue *q, void *thing)
{
    waiter *w = q->first;

    if (w == NULL) {
        return false;
    }
    q->first = w->next;
    if (q->first == NULL) {
        q->last = &q->first;
    }
    w->given = thing;
    pthread_cond_signal(&w->wake);
    return true;
}

/* --- Turns. -------------------------------------------------------------------------- */

void twp_turn_init(turn *u)
{
    pthread_mutex_init(&u->lock, NULL);
    twp_queue_init(&u->line);
    u->taken = false;
}

void twp_turn_clear(turn *u)
{
    pthread_mutex_destroy(&u->lock);
}

bool twp_turn_take(turn *u, const struct timespec *deadline)
{
    bool mine = true;

    pthread_mutex_lock(&u->lock);
    if (u->taken) {
        mine = twp_queue_wait(&u->line, &u->lock, deadline) != NULL;
    } else {
        u->taken = true;
    }
    pthread_mutex_unlock(&u->lock);
    return mine;
}

void twp_turn_give(turn *u)
{
    pthread_mutex_lock(&u->lock);
    u->taken = twp_queue_hand(&u->line, u);
    pthread_mutex_unlock(&u->lock);
}
