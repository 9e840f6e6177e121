/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <string.h>

/* How many operations a second the key serves: for some tenths of a second in one thread, and
 * again in several. Each answer is held to the right one. */

enum {
    THREADS = 4,
};

typedef struct question {
    token_key *key;
    uint8_t enc[MAX_PUBLIC_EC], secret[TW_MAX_SECRET];
    struct timespec until;
} question;

typedef struct runner {
    const question *q;
    pthread_t thread;
    unsigned long done;
    tw_err err;  /* of the last, with the reason in: */
    failure why; /* where an operation that succeeded leaves what it met on its way */
} runner;

static tw_err ask_once(const question *q, failure *why)
{
    uint8_t got[TW_MAX_SECRET];
    agreement a = {.key = q->key,
                   .points = {q->enc},
                   .point_count = 1,
                   .enc = q->enc,
                   .recipient_public = q->key->public_key,
                   .secret = got};
    tw_err err = twp_token_run(q->key->token, RUN_GENTLY, twp_key_agree, &a, why);

    /* cppcheck-suppress uninitvar ; an agreement that is TW_OK has written it, through a.secret */
    if (err == TW_OK && memcmp(got, q->secret, q->key->kem->secret_len) != 0) {
        err = twp_fail_text(why, TW_ERR_TOKEN_FAILED, "the token gave a secret that is not right");
    }
    tw_wipe(got, sizeof(got));
    return err;
}

static void *run(void *arg)
{
    runner *r = arg;

    do {
        r->err = ask_once(r->q, &r->why);
        if (r->err != TW_OK) {
            break;
        }
        r->done++;
    } while (!twp_time_passed(&r->q->until));
    return NULL;
}

/* In the caller's thread and `more` others; a thread that the system will not give is not
 * missed. */
static tw_err measure(question *q, unsigned ms, unsigned more, double *rate, unsigned *threads,
                      failure *why)
{
    runner r[THREADS] = {{0}};
    struct timespec begun, now;
    unsigned long done;

    q->until = twp_time_in(ms);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (*threads = 1; *threads <= more; (*threads)++) {
        r[*threads].q = q;
        if (pthread_create(&r[*threads].thread, NULL, run, &r[*threads]) != 0) {
            break;
        }
    }
    r[0].q = q;
    (void)run(&r[0]);
    done = r[0].done;
    for (unsigned i = 1; i < *threads; i++) {
        (void)pthread_join(r[i].thread, NULL);
        done += r[i].done;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    *rate = (double)done /
            ((double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9);
    for (unsigned i = 0; i < *threads; i++) {
        if (r[i].err != TW_OK) {
            *why = r[i].why;
            return r[i].err;
        }
    }
    return TW_OK;
}

static unsigned threads_of(const exam *e)
{
    return e->token->opt.max_sessions < THREADS ? (unsigned)e->token->opt.max_sessions : THREADS;
}

static int digits(double rate)
{
    return rate < 100 ? 1 : 0;
}

static tw_err both(exam *e, question *q, remark *r, failure *why)
{
    unsigned threads = 1, more = threads_of(e) - 1;
    double one = 0, several = 0;
    tw_err err = measure(q, e->opt.speed_ms, 0, &one, &threads, why);

    if (err == TW_OK && more > 0) {
        err = measure(q, e->opt.speed_ms, more, &several, &threads, why);
    }
    twp_remark(r, TW_VERDICT_OK, NULL, "%.*f operations a second in one thread", digits(one), one);
    if (threads > 1) {
        twp_remark_add(r, ", %.*f in %u", digits(several), several, threads);
    }
    return err;
}

tw_err twp_exam_speed(exam *e)
{
    question q = {.key = e->key};
    failure why = {0};
    remark r;
    tw_err err;

    if (e->key->recipe.strategy == NULL) {
        return TW_OK;
    }
    if (e->key->each_login) {
        twp_remark(&r, TW_VERDICT_UNKNOWN, NULL,
                   "not measured: the key wants the PIN for each use");
        return twp_exam_tell(e, "speed", &r);
    }
    err = e->key->kem->encap(e->key->kem, NULL, e->key->public_key, NULL, q.secret, q.enc);
    if (err != TW_OK) {
        err = twp_fail_text(&why, err, "cannot encapsulate to the key's public half");
    } else {
        err = both(e, &q, &r, &why);
    }
    tw_wipe(q.secret, sizeof(q.secret));
    return err == TW_OK ? twp_exam_tell(e, "speed", &r)
                        : twp_exam_fail(e, "speed", &why,
                                        "look after the token: it served at "
                                        "first");
}
