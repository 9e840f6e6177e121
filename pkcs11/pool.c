/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>

/*
 * Places for sessions, of which there are at most `limit`. A thread that finds none
 * waits in line, and who gives one back hands it to the head of the line: so none is
 * overtaken, and none waits past its deadline because others are quicker.
 */

enum {
    GROW_AFTER_MS = 5000, /* how long to believe a token that it has no session left */
};

void twp_pool_init(tw_token *t)
{
    t->idle = NULL;
    t->size = 0;
    t->limit = t->opt.max_sessions;
    twp_queue_init(&t->line);
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

tw_err twp_pool_take(tw_token *t, const struct timespec *deadline, session **out, failure *why)
{
    bool no_memory;
    size_t size;

    pthread_mutex_lock(&t->lock);
    *out = take_now(t);
    no_memory = *out == NULL && t->size == 0;
    /* A new place, as the token may have more sessions again, is for who has waited longest. */
    if (*out != NULL && twp_queue_hand(&t->line, *out)) {
        *out = NULL;
    }
    if (*out == NULL && !no_memory) {
        *out = twp_queue_wait(&t->line, &t->lock, deadline);
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
    pthread_mutex_lock(&t->lock);
    if (!twp_queue_hand(&t->line, s)) {
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
