/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>

/*
 * Places for sessions, of which there are at most `limit`. A thread that finds none
 * waits in line, and who gives one back hands it to the head of the line: so none is
 * overtaken, and none waits past its deadline because others are quicker.
 */

typedef struct waiter {
    pthread_cond_t wake;
    session *given;
    struct waiter *next;
} waiter;

enum {
    GROW_AFTER_MS = 5000, /* how long to believe a token that it has no session left */
};

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

/* --- Turns. -------------------------------------------------------------------- */

void twp_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void twp_turn_init(turn *u)
{
    pthread_mutex_init(&u->lock, NULL);
    twp_cond_init(&u->over);
    u->taken = false;
}

void twp_turn_clear(turn *u)
{
    pthread_cond_destroy(&u->over);
    pthread_mutex_destroy(&u->lock);
}

bool twp_turn_take(turn *u, const struct timespec *deadline)
{
    bool mine;
    int rc = 0;

    pthread_mutex_lock(&u->lock);
    while (u->taken && rc == 0) {
        rc = pthread_cond_timedwait(&u->over, &u->lock, deadline);
    }
    mine = !u->taken;
    u->taken = true;
    pthread_mutex_unlock(&u->lock);
    return mine;
}

void twp_turn_give(turn *u)
{
    pthread_mutex_lock(&u->lock);
    u->taken = false;
    pthread_cond_signal(&u->over);
    pthread_mutex_unlock(&u->lock);
}

/* --- Places. -------------------------------------------------------------------- */

void twp_pool_init(tw_token *t)
{
    t->idle = NULL;
    t->size = 0;
    t->limit = t->opt.max_sessions;
    t->first = NULL;
    t->last = &t->first;
    t->waiting = 0;
}

/* The parent's sessions are not the child's to close, and the threads that held some, or
 * waited, do not exist here. */
void twp_pool_forget(tw_token *t)
{
    while (t->idle != NULL) {
        session *s = t->idle;

        t->idle = s->next;
        free(s);
    }
    twp_pool_init(t);
}

void twp_pool_clear(tw_token *t)
{
    for (session *s = t->idle; s != NULL; s = s->next) {
        twp_session_close(t, s);
    }
    twp_pool_forget(t);
}

static session *take_now(tw_token *t)
{
    session *s = t->idle;

    if (s != NULL) {
        t->idle = s->next;
        return s;
    }
    if (t->size >= t->limit && t->limit < t->opt.max_sessions && twp_time_passed(&t->shrunk)) {
        t->limit = t->opt.max_sessions;
    }
    if (t->size < t->limit) {
        s = calloc(1, sizeof(*s));
        t->size += s != NULL;
    }
    return s;
}

/* Takes a waiter out of the line whose time has come. */
static void leave_line(tw_token *t, waiter *w)
{
    waiter **at = &t->first;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    if (t->last == &w->next) {
        t->last = at;
    }
}

static session *wait_in_line(tw_token *t, const struct timespec *deadline)
{
    waiter w = {0};
    int rc = 0;

    twp_cond_init(&w.wake);
    *t->last = &w;
    t->last = &w.next;
    t->waiting++;
    while (w.given == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&w.wake, &t->lock, deadline);
    }
    if (w.given == NULL) {
        leave_line(t, &w);
    }
    t->waiting--;
    pthread_cond_destroy(&w.wake);
    return w.given;
}

tw_err twp_pool_take(tw_token *t, const struct timespec *deadline, session **out, failure *why)
{
    bool no_memory;
    size_t size;

    pthread_mutex_lock(&t->lock);
    *out = t->first == NULL ? take_now(t) : NULL;
    no_memory = *out == NULL && t->size == 0;
    if (*out == NULL && !no_memory) {
        *out = wait_in_line(t, deadline);
    }
    size = t->size;
    pthread_mutex_unlock(&t->lock);
    if (*out != NULL) {
        return TW_OK;
    }
    if (no_memory) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    return twp_fail_text(
        why, TW_ERR_TOKEN_BUSY,
        "all %zu sessions were in use for %u ms: raise max_sessions or deadline_ms, or "
        "send this token less",
        size, t->opt.deadline_ms);
}

void twp_pool_give(tw_token *t, session *s)
{
    waiter *w;

    pthread_mutex_lock(&t->lock);
    w = t->first;
    if (w != NULL) {
        t->first = w->next;
        if (t->first == NULL) {
            t->last = &t->first;
        }
        w->given = s;
        pthread_cond_signal(&w->wake);
    } else {
        s->next = t->idle;
        t->idle = s;
    }
    pthread_mutex_unlock(&t->lock);
}

bool twp_pool_lost(tw_token *t, session *s)
{
    bool others;

    pthread_mutex_lock(&t->lock);
    others = t->size > 1;
    if (others) {
        t->size--;
        t->limit = t->size;
        t->shrunk = twp_time_in(GROW_AFTER_MS);
    }
    pthread_mutex_unlock(&t->lock);
    if (others) {
        free(s);
    }
    return others;
}
