/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of sessions, alone: its token is no more than a table with one call in it. Looks inside.
 * A plain program, which the thread sanitizer runs too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "token.h"

enum {
    MOST = 3, /* sessions */
    THREADS = 4,
    ROUNDS = 20000,
};

static CK_SESSION_HANDLE closed[8];
static size_t closed_count;

static CK_RV close_session(CK_SESSION_HANDLE handle)
{
    must(closed_count < LENGTH(closed));
    closed[closed_count++] = handle;
    return CKR_OK;
}

static CK_FUNCTION_LIST functions = {.C_CloseSession = close_session};
static module with = {.fn = &functions};
static tw_token token;

static void begin(void)
{
    memset(&token, 0x5a, sizeof(token)); /* init leaves nothing to chance */
    token.opt.max_sessions = MOST;
    token.opt.deadline_ms = 7;
    token.module = &with;
    must(pthread_mutex_init(&token.lock, NULL) == 0);
    twp_pool_init(&token);
    must_size(0, token.line.length);
    closed_count = 0;
}

static void end(void)
{
    twp_pool_clear(&token);
    must(token.idle == NULL && token.size == 0);
    must(pthread_mutex_destroy(&token.lock) == 0);
}

static session *take(void)
{
    failure why = {0};
    session *s = NULL;

    must(twp_pool_take(&token, NULL, &s, &why) == TW_OK);
    must(s != NULL && why.err == TW_OK);
    return s;
}

static void must_be_busy(size_t sessions)
{
    const struct timespec deadline = twp_time_in(10);
    failure why = {0};
    session *s = NULL;
    char text[64];

    must(twp_pool_take(&token, &deadline, &s, &why) == TW_ERR_TOKEN_BUSY);
    must(twp_time_passed(&deadline));
    must(s == NULL && why.err == TW_ERR_TOKEN_BUSY);
    (void)snprintf(text, sizeof(text), "all %zu sessions were in use for 7 ms", sessions);
    must(strncmp(why.text, text, strlen(text)) == 0);
}

static void there_are_as_many_as_may_be_and_the_last_used_comes_first(void)
{
    session *all[MOST];

    begin();
    for (size_t i = 0; i < MOST; i++) {
        all[i] = take();
        must(all[i]->handle == CK_INVALID_HANDLE);
        all[i]->handle = 100 + i;
        must_size(i + 1, token.size);
    }
    must(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    must_be_busy(MOST);
    twp_pool_give(&token, all[1]);
    twp_pool_give(&token, all[0]);
    must(take() == all[0]);
    must(take() == all[1]);
    must_be_busy(MOST);
    for (size_t i = 0; i < MOST; i++) {
        twp_pool_give(&token, all[i]);
    }
    must_size(MOST, token.size);
    atomic_store(&with.generation, 0);
    for (size_t i = 0; i < MOST; i++) {
        all[i]->era = (era){0};
    }
    all[0]->handle = CK_INVALID_HANDLE; /* nothing to close */
    end();
    must_size(2, closed_count);
    must(closed[0] == 102 && closed[1] == 101);
}

static void what_is_forgotten_is_not_closed(void)
{
    session *s;

    begin();
    s = take();
    s->handle = 100;
    twp_pool_give(&token, s);
    (void)take();
    twp_pool_give(&token, s);
    twp_pool_forget(&token);
    must(token.idle == NULL && token.size == 0 && closed_count == 0);
    must_size(MOST, token.limit);
    end();
}

static void the_last_place_is_not_given_up(void)
{
    session *all[MOST];

    begin();
    all[0] = take();
    must(!twp_pool_lost(&token, all[0]));
    must_size(1, token.size);
    for (size_t i = 1; i < MOST; i++) {
        all[i] = take();
    }
    must(twp_pool_lost(&token, all[2]));
    must_be_busy(2); /* the token has no more, whatever may be */
    must(twp_pool_lost(&token, all[1]));
    must_be_busy(1);
    must(!twp_pool_lost(&token, all[0]));
    twp_pool_give(&token, all[0]);
    end();
}

static void after_a_while_it_grows_again(void)
{
    session *all[MOST];
    struct timespec early = twp_time_in(4900), late;

    begin();
    for (size_t i = 0; i < MOST; i++) {
        all[i] = take();
    }
    must(twp_pool_lost(&token, all[2]));
    late = twp_time_in(5000);
    must(early.tv_sec < token.shrunk.tv_sec ||
         (early.tv_sec == token.shrunk.tv_sec && early.tv_nsec < token.shrunk.tv_nsec));
    must(token.shrunk.tv_sec < late.tv_sec ||
         (token.shrunk.tv_sec == late.tv_sec && token.shrunk.tv_nsec <= late.tv_nsec));
    token.shrunk = twp_time_in(0);
    twp_pool_give(&token, all[1]);
    all[1] = take(); /* there is one, so the limit stays */
    must_size(2, token.limit);
    all[2] = take();
    must_size(MOST, token.limit);
    must_be_busy(MOST); /* and no further */
    for (size_t i = 0; i < MOST; i++) {
        twp_pool_give(&token, all[i]);
    }
    end();
}

typedef struct waiter_thread {
    pthread_t thread;
    session *got;
} waiter_thread;

static void *wait_for_one(void *arg)
{
    waiter_thread *w = arg;

    w->got = take();
    return NULL;
}

static void start_waiting(waiter_thread *w, size_t in_line)
{
    size_t length = 0;

    must(pthread_create(&w->thread, NULL, wait_for_one, w) == 0);
    for (int i = 0; length < in_line; i++) {
        must(i < 10000);
        usleep(1000);
        pthread_mutex_lock(&token.lock);
        length = token.line.length;
        pthread_mutex_unlock(&token.lock);
    }
}

static void who_waited_longest_gets_what_comes_back_or_grows(void)
{
    session *all[MOST];
    waiter_thread first, second;

    begin();
    for (size_t i = 0; i < MOST; i++) {
        all[i] = take();
    }
    must(twp_pool_lost(&token, all[2]));
    start_waiting(&first, 1);
    start_waiting(&second, 2);
    twp_pool_give(&token, all[0]);
    must(pthread_join(first.thread, NULL) == 0);
    must(first.got == all[0] && token.idle == NULL);
    token.shrunk = twp_time_in(0);
    must_be_busy(MOST); /* the new place is not for who came last */
    must(pthread_join(second.thread, NULL) == 0);
    must(second.got != NULL && second.got != all[0] && second.got != all[1]);
    twp_pool_give(&token, all[0]);
    twp_pool_give(&token, all[1]);
    twp_pool_give(&token, second.got);
    end();
}

/* A session's handle says who has it. */
static void *use_often(void *arg)
{
    const CK_SESSION_HANDLE me = *(const CK_SESSION_HANDLE *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        session *s = take();

        must(s->handle == CK_INVALID_HANDLE);
        s->handle = me;
        if (i % 64 == 0) {
            sched_yield();
        }
        must(s->handle == me);
        s->handle = CK_INVALID_HANDLE;
        if (i % 16 != 0 || !twp_pool_lost(&token, s)) {
            twp_pool_give(&token, s);
        }
        if (i % 32 == 0) {
            pthread_mutex_lock(&token.lock);
            token.shrunk = twp_time_in(0);
            pthread_mutex_unlock(&token.lock);
        }
    }
    return NULL;
}

static void no_session_is_with_two_at_once(void)
{
    pthread_t threads[THREADS];
    CK_SESSION_HANDLE numbers[THREADS];
    size_t idle = 0;

    begin();
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = 1 + i;
        must(pthread_create(&threads[i], NULL, use_often, &numbers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    for (const session *s = token.idle; s != NULL; s = s->next) {
        idle++;
    }
    must(idle >= 1 && idle <= MOST);
    must_size(idle, token.size);
    end();
}

int main(void)
{
    there_are_as_many_as_may_be_and_the_last_used_comes_first();
    what_is_forgotten_is_not_closed();
    the_last_place_is_not_given_up();
    after_a_while_it_grows_again();
    who_waited_longest_gets_what_comes_back_or_grows();
    no_session_is_with_two_at_once();
    puts("6 passed, 0 failed");
    return 0;
}
