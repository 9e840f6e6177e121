/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads on one token. A plain program: thread sanitizers and Criterion's arena
 * exclude each other.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <twoway/twoway.h>

#include "check.h"
#include "stand.h"

#define THREADS 8
#define ALWAYS  1, ~0u

enum {
    PATIENT_MS = 600000, /* who is to succeed does so, however slow a machine or a sanitizer is */
};

static stand s;

typedef struct crowd {
    const tw_key *key;
    int rounds;
    atomic_int done, failed, busy;
    _Atomic(tw_err) last; /* of those that failed */
} crowd;

static void *work(void *arg)
{
    crowd *c = arg;

    for (int i = 0; i < c->rounds; i++) {
        tw_err err = tw_key_check(c->key);

        if (err == TW_OK) {
            c->done++;
        } else if (err == TW_ERR_TOKEN_BUSY) {
            c->busy++;
        } else {
            c->last = err;
            c->failed++;
        }
    }
    return NULL;
}

static void run_crowd(crowd *c, int rounds, void (*meanwhile)(void))
{
    pthread_t threads[THREADS];

    c->rounds = rounds;
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, work, c) == 0);
    }
    if (meanwhile != NULL) {
        meanwhile();
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
}

/* A stand with one key, and a token opened with `sessions` at most. */
static tw_key *begin(size_t sessions, unsigned deadline_ms, tw_token **token)
{
    stand_shim(&s);
    s.options.max_sessions = sessions;
    s.options.deadline_ms = deadline_ms;
    *token = stand_open(&s);
    return stand_key(&s, *token, TW_KEM_P256_HKDF_SHA256, "a");
}

static void finish(tw_token *token, tw_key *key)
{
    tw_key_free(key);
    tw_token_free(token);
    must_size(0, (size_t)shim_state()->sessions);
    stand_end(&s);
}

static void all_are_served_by_a_pool_of(size_t sessions)
{
    tw_token *token;
    tw_key *key = begin(sessions, PATIENT_MS, &token);
    crowd c = {.key = key};

    shim_clear();
    run_crowd(&c, 50, NULL);
    must_size(THREADS * 50, (size_t)c.done);
    must(shim_state()->most_sessions <= sessions);
    must_size(0, (size_t)shim_state()->objects);
    must_no_event(&s);
    finish(token, key);
}

static void a_token_with_fewer_sessions_than_asked_serves_all(void)
{
    tw_token *token;
    tw_key *key = begin(8, PATIENT_MS, &token);
    crowd c = {.key = key};

    shim_clear();
    shim_says((shim_rule){SHIM_OpenSession, 2, ~0u, CKR_SESSION_COUNT, 0, NULL});
    run_crowd(&c, 30, NULL);
    must_size(THREADS * 30, (size_t)c.done);
    must(shim_state()->most_sessions <= 2);
    must_no_event(&s);
    finish(token, key);
}

/* After five seconds it is asked again, also where somebody waits all the time. */
static void a_token_that_has_sessions_again_gets_more(void)
{
    tw_token *token;
    tw_key *key = begin(THREADS, PATIENT_MS, &token);
    crowd c = {.key = key};

    shim_clear();
    shim_says((shim_rule){SHIM_OpenSession, ALWAYS, CKR_SESSION_COUNT, 0, NULL});
    run_crowd(&c, 10, NULL);
    must_size(1, (size_t)shim_state()->most_sessions);
    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_OK, 10, NULL});
    run_crowd(&c, 70, NULL);
    must_size(THREADS * 80, (size_t)c.done);
    must(shim_state()->most_sessions > 1);
    must_no_event(&s);
    finish(token, key);
}

static void a_module_that_cannot_lock_gets_one_call_at_a_time(void)
{
    tw_token *token;
    tw_key *key;
    crowd c = {0};

    stand_shim(&s);
    shim_state()->refuse_locking = true;
    s.options.deadline_ms = PATIENT_MS;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    c.key = key;
    run_crowd(&c, 20, NULL);
    must_size(THREADS * 20, (size_t)c.done);
    must(!shim_state()->overlapped);
    must_no_event(&s);
    finish(token, key);
}

static unsigned seconds_since(const struct timespec *began)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)(now.tv_sec - began->tv_sec + 1);
}

static crowd *watched;

/* Without which it would not end. */
static void let_go_when_the_others_are_done(void)
{
    while (watched->done < (THREADS - 1) * 20) {
        usleep(1000);
    }
    shim_state()->release = true;
}

static void a_call_that_hangs_keeps_its_own_session_alone(void)
{
    tw_token *token;
    tw_key *key = begin(2, PATIENT_MS, &token);
    crowd c = {.key = key};

    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, 5, 5, CKR_OK, SHIM_HOLD, NULL});
    watched = &c;
    run_crowd(&c, 20, let_go_when_the_others_are_done);
    must_size(THREADS * 20, (size_t)c.done);
    finish(token, key);
}

static void those_in_vain_are_told_that_it_is_busy(void)
{
    tw_token *token;
    tw_key *key = begin(1, 20, &token);
    crowd c = {.key = key};

    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_OK, 30, NULL});
    s.options.event = NULL;
    run_crowd(&c, 4, NULL);
    must(c.busy > 0 && c.done > 0 && c.failed == 0);
    must_size(THREADS * 4, (size_t)(c.done + c.busy));
    finish(token, key);
}

/* --- Losses under load. ------------------------------------------------------------------ */

static void log_out_now_and_then(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);

    for (int i = 0; i < 10; i++) {
        usleep(20000);
        (void)fn->C_Logout(session);
    }
    (void)fn->C_CloseSession(session);
}

/* SoftHSM may be logged out between a retry's login and its derive, so a request may be
 * unlucky twice; but none comes to a wrong result, and all is well at the end. */
static void logouts_are_survived(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    tw_token *token;
    tw_key *key;
    crowd c = {0};

    stand_shim(&s);
    must(stand_raw(&s)->C_Initialize(&args) == CKR_OK); /* so that it is not restarted */
    s.options.max_sessions = 4;
    s.options.deadline_ms = PATIENT_MS;
    token = stand_open(&s);
    c.key = key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    run_crowd(&c, 150, log_out_now_and_then);
    printf("  %d of %d through ten logouts\n", c.done, THREADS * 150);
    printf("  the last: %s\n", s.event_message);
    must(c.done > THREADS * 150 * 9 / 10);
    must_ok(tw_key_check(key));
    finish(token, key);
    must(stand_raw(&s)->C_Finalize(NULL) == CKR_OK);
}

/* Half a second lies between restarts at least. */
static void each_restart_is_one_for_all(void)
{
    tw_token *token;
    tw_key *key = begin(4, PATIENT_MS, &token);
    crowd c = {.key = key};
    struct timespec began;

    shim_clear();
    clock_gettime(CLOCK_MONOTONIC, &began);
    shim_says((shim_rule){SHIM_DeriveKey, 50, 60, CKR_DEVICE_ERROR, 0, NULL});
    run_crowd(&c, 50, NULL);
    printf("  %d of %d through a device error, %u restarts (%s) %s\n", c.done, THREADS * 50,
           shim_state()->calls[SHIM_Finalize], err_name(c.last), s.event_message);
    must(c.done >= THREADS * 50 - 11);
    must(shim_state()->calls[SHIM_Finalize] <= 1 + seconds_since(&began) * 2);
    must_ok(tw_key_check(key));
    finish(token, key);
}

static void two_tokens_of_one_module_do_not_meet(void)
{
    tw_token *first, *second;
    tw_key *key = begin(2, PATIENT_MS, &first), *other;
    crowd c = {.key = key};

    second = stand_open(&s);
    must_ok(tw_token_find_key(second, stand_uri(&s, ";object=a"), NULL, 0, &other));
    run_crowd(&c, 20, NULL);
    must_ok(tw_key_check(other));
    tw_key_free(key);
    tw_token_free(first);
    c.key = other;
    c.done = 0;
    run_crowd(&c, 20, NULL);
    must_size(THREADS * 20, (size_t)c.done);
    must_no_event(&s);
    finish(second, other);
}

/* --- Threads that make keys. ------------------------------------------------------------------ */

typedef struct maker {
    tw_token *token;
    char label[3];
    uint8_t id;
    pthread_barrier_t *start;
    tw_err err; /* out */
} maker;

static void *make_key(void *arg)
{
    maker *m = arg;
    tw_key *key = NULL;

    pthread_barrier_wait(m->start);
    m->err = tw_token_generate(m->token, TW_KEM_P256_HKDF_SHA256, m->label, &m->id, 1, &key);
    must((m->err == TW_OK) == (key != NULL));
    tw_key_free(key);
    return NULL;
}

/* Of two labels and one id, by two tokens. */
static void must_make_one(tw_token *const tokens[2], uint8_t id)
{
    maker makers[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    size_t made = 0;

    must(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        makers[i] =
            (maker){tokens[i % 2], {i % 4 < 2 ? 'b' : 'c', (char)('0' + id)}, id, &start, TW_OK};
        must(pthread_create(&threads[i], NULL, make_key, &makers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        made += makers[i].err == TW_OK;
        must(makers[i].err == TW_OK || makers[i].err == TW_ERR_STATE);
    }
    must_size(1, made);
    must(pthread_barrier_destroy(&start) == 0);
}

static void one_key_is_made_of_a_name(void)
{
    tw_token *tokens[2];
    char path[32];

    stand_shim(&s);
    s.options.event = NULL; /* it counts for one thread */
    s.options.deadline_ms = PATIENT_MS;
    tokens[0] = stand_open(&s);
    tokens[1] = stand_open(&s);
    for (uint8_t id = 1; id <= 3; id++) {
        tw_key *key;

        must_make_one(tokens, id);
        (void)snprintf(path, sizeof(path), ";id=%%%02x", id);
        must_ok(tw_token_find_key(tokens[0], stand_uri(&s, path), NULL, 0, &key));
        tw_key_free(key);
    }
    tw_token_free(tokens[1]);
    finish(tokens[0], NULL);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
#define X(name) {#name, name}
        X(a_token_with_fewer_sessions_than_asked_serves_all),
        X(a_token_that_has_sessions_again_gets_more),
        X(a_module_that_cannot_lock_gets_one_call_at_a_time),
        X(a_call_that_hangs_keeps_its_own_session_alone),
        X(those_in_vain_are_told_that_it_is_busy),
        X(logouts_are_survived),
        X(each_restart_is_one_for_all),
        X(two_tokens_of_one_module_do_not_meet),
        X(one_key_is_made_of_a_name),
#undef X
    };
    static const size_t pools[] = {1, 2, 8};

    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        printf("all_are_served_by_a_pool_of %zu\n", pools[i]);
        all_are_served_by_a_pool_of(pools[i]);
    }
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].test();
    }
    return 0;
}
