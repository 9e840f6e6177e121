/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stddef.h>
#include <string.h>

enum {
    FIRST_BUCKET_US = 125,
};

void twp_count_begin(tw_token *t, struct timespec *begun)
{
    twp_token_adopt(t); /* which counts anew who is in flight */
    atomic_fetch_add_explicit(&t->counters.in_flight, 1, memory_order_relaxed);
    clock_gettime(CLOCK_MONOTONIC, begun);
}

static size_t bucket_of(const struct timespec *begun)
{
    struct timespec now;
    unsigned long long us;
    size_t i = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    us = (unsigned long long)((now.tv_sec - begun->tv_sec) * 1000000ll +
                              (now.tv_nsec - begun->tv_nsec) / 1000);
    while (i < TW_TOKEN_BUCKETS - 1 && us >= (unsigned long long)FIRST_BUCKET_US << i) {
        i++;
    }
    return i;
}

static atomic_ullong *counter_of(counters *c, tw_err err)
{
    switch (err) {
    case TW_ERR_TOKEN_ABSENT:
        return &c->absent;
    case TW_ERR_TOKEN_PIN:
        return &c->pin;
    case TW_ERR_TOKEN_BUSY:
        return &c->busy;
    case TW_ERR_TOKEN_POLICY:
        return &c->policy;
    case TW_ERR_TOKEN_FAILED:
        return &c->failed;
    default:
        return &c->other;
    }
}

static void add(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void twp_count_end(tw_token *t, tw_err err, const struct timespec *begun)
{
    counters *c = &t->counters;

    add(&c->latency[bucket_of(begun)]);
    add(&c->operations);
    if (err != TW_OK) {
        add(counter_of(c, err));
    }
    atomic_fetch_sub_explicit(&c->in_flight, 1, memory_order_relaxed);
}

static uint64_t read_counter(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_counters(const counters *c, tw_token_counts *out)
{
    out->operations = read_counter(&c->operations);
    out->absent = read_counter(&c->absent);
    out->pin = read_counter(&c->pin);
    out->busy = read_counter(&c->busy);
    out->policy = read_counter(&c->policy);
    out->failed = read_counter(&c->failed);
    out->other = read_counter(&c->other);
    out->retries = read_counter(&c->retries);
    out->recoveries = read_counter(&c->recoveries);
    out->logins = read_counter(&c->logins);
    for (size_t i = 0; i < TW_TOKEN_BUCKETS; i++) {
        out->latency[i] = read_counter(&c->latency[i]);
    }
    out->in_flight = atomic_load_explicit(&c->in_flight, memory_order_relaxed);
}

static void read_state(tw_token *t, tw_token_counts *out)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&t->lock);
    out->waiting = t->line.length;
    out->sessions = t->size;
    out->session_limit = t->limit;
    out->slot = t->slot;
    out->gone = atomic_load(&t->gone);
    out->gone_s = out->gone ? (uint64_t)(now.tv_sec - t->gone_since.tv_sec) : 0;
    pthread_mutex_unlock(&t->lock);
}

/* A caller built against an older header has a shorter struct, and gets that much. */
tw_err tw_token_stats(const tw_token *token, tw_token_counts *out)
{
    tw_token *t = (tw_token *)(uintptr_t)token; /* its lock is what changes */
    tw_token_counts all = {0};
    size_t size;

    if (token == NULL || out == NULL || out->size < offsetof(tw_token_counts, latency)) {
        return TW_ERR_INVALID;
    }
    size = out->size < sizeof(all) ? out->size : sizeof(all);
    all.size = out->size;
    twp_token_adopt(t);
    read_counters(&t->counters, &all);
    read_state(t, &all);
    memset(out, 0, out->size);
    memcpy(out, &all, size);
    return TW_OK;
}
