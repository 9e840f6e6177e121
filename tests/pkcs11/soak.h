/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SOAK_H
#define TESTS_SOAK_H

/* Threads that exchange messages with keys in tokens, what befalls these meanwhile, and what
 * comes of it. */

#include <pthread.h>
#include <stdatomic.h>

#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

#include "stand.h"

enum {
    SOAK_THREADS = 8,
    SOAK_KEYS = 2,
    SOAK_CODES = 32, /* -tw_err, each below this */
    SOAK_DEADLINE_MS = 2000,
    SOAK_GRACE_MS = 1500, /* for the token's own calls, on a machine that has other work */
};

/* --- soak_load.c --------------------------------------------------------------------- */

typedef struct load load;

typedef struct worker {
    pthread_t thread;
    load *load;
    unsigned number;
    atomic_ulong tried, succeeded, wrong, late;
    atomic_ulong failed[SOAK_CODES];
    atomic_ulong longest_us, longest_failure_us;
} worker;

struct load {
    const tw_receiver *receivers[SOAK_KEYS];
    const tw_sender *senders[SOAK_KEYS];
    unsigned late_after_ms; /* an exchange that takes longer is counted as late */
    unsigned threads;
    atomic_bool stop;
    atomic_llong first_success_us; /* since it was last set to 0; by soak_now */
    worker workers[SOAK_THREADS];
};

/* An exchange: a request sealed, opened through the token, answered, and the answer
 * opened. *wrong says that the token's step went well and what followed did not. */
tw_err soak_exchange(const load *l, unsigned which, unsigned long number, bool *wrong);

void load_start(load *l, unsigned threads);
void load_stop(load *l);

/* Sums over workers from `first` on. */
unsigned long load_sum(const load *l, size_t member, unsigned first);
#define load_total(l, member) load_sum((l), offsetof(worker, member), 0)
unsigned long load_failed(const load *l, tw_err err);
unsigned long load_all_failed(const load *l);
unsigned long load_most(const load *l, size_t member);

long long soak_now(void); /* microseconds */
void soak_sleep(unsigned ms);

/* --- soak_bench.c: keys, and a sender and a receiver for each. -------------------------- */

typedef struct bench {
    tw_token *token; /* NULL: the keys bring their own */
    tw_key *keys[SOAK_KEYS];
    tw_suite *suite;
    tw_sender *senders[SOAK_KEYS];
    tw_receiver *receivers[SOAK_KEYS];
} bench;

void bench_open(bench *b, stand *s, size_t sessions); /* the token of `s`, and new keys in it */
void bench_take(bench *b, tw_key *key);               /* one key, in place of all; owned */
void bench_end(bench *b);
load *bench_load(const bench *b); /* free() it */

/* --- soak_report.c: the table. ---------------------------------------------------------- */

extern int soak_failures; /* of what must not be */

void print_row(const char *what, unsigned long value);
void print_zero(const char *what, unsigned long value);
void print_bound(const char *what, double value, double most);
void print_load(const load *l);
void print_checks(void); /* of the fault module */
void print_events(void); /* the most frequent, which then are forgotten */
void soak_event(void *arg, const tw_token_event *event);

/* --- soak_losses.c ---------------------------------------------------------------------- */

void soak_away(void);
void soak_remote(void);
void soak_joined(void);

#endif
