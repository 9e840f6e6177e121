/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SOAK_H
#define TESTS_SOAK_H

/* Threads that exchange messages with keys in a token, and what comes of it. */

#include <pthread.h>
#include <stdatomic.h>

#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

enum {
    SOAK_THREADS = 8,
    SOAK_KEYS = 2,
    SOAK_CODES = 32, /* -tw_err, each below this */
};

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
#define load_total(l, member)           load_sum((l), offsetof(worker, member), 0)
#define load_total_but_first(l, member) load_sum((l), offsetof(worker, member), 1)
unsigned long load_failed(const load *l, tw_err err);
unsigned long load_most(const load *l, size_t member);

long long soak_now(void); /* microseconds */
void soak_sleep(unsigned ms);

#endif
