/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum {
    MAX_ROUNDS = 1024,
    MIN_ROUNDS = 3,
    MAX_SIDES = 4, /* ours, bare, libcrypto's alone, the peer's */
};

static uint64_t read_clock(clockid_t which)
{
    struct timespec t;

    must(clock_gettime(which, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t busy_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

size_t resident_bytes(void)
{
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    must(status != NULL && fscanf(status, "%*u %lu", &pages) == 1);
    (void)fclose(status);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void *allocate(size_t len)
{
    void *p = calloc(1, len);

    must(p != NULL);
    return p;
}

row row_named(sense way, const char *format, ...)
{
    row r = {.sense = way};
    va_list values;

    va_start(values, format);
    (void)vsnprintf(r.name, sizeof(r.name), format, values);
    va_end(values);
    return r;
}

bool is_wanted(const plan *p, const char *name)
{
    if (p->served != NULL) {
        return strcmp(p->served->name, name) == 0;
    }
    return p->only == NULL || strncmp(name, p->only, strlen(p->only)) == 0;
}

bool has_group(const plan *p, const char *start)
{
    const char *asked = p->served != NULL ? p->served->name : p->only;
    size_t len = asked == NULL ? 0 : strlen(asked);

    /* One of the two begins with the other. */
    return len == 0 || strncmp(asked, start, len < strlen(start) ? len : strlen(start)) == 0;
}

/* --- What came of it. ---------------------------------------------------------------- */

typedef struct summary {
    double least, median;
} summary;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static summary summarize(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return (summary){values[0], values[count / 2]};
}

static double ratio(sense way, double ours, double theirs)
{
    return way == SPEED ? theirs / ours : ours / theirs;
}

/* `bare` is what libcrypto alone takes, where theirs is a peer's time; 0 for nothing. */
static void emit(const row *r, const char *suffix, summary ours, summary theirs, double bare,
                 unsigned rounds)
{
    double least = ratio(r->sense, ours.least, theirs.least);
    double median = ratio(r->sense, ours.median, theirs.median);

    (void)printf("{\"row\": \"%s%s\", \"sense\": \"%s\", \"unit\": \"ns\", \"value\": %.6g, "
                 "\"median\": %.6g, \"ours\": %.6g, \"beside\": %.6g, \"bytes\": %zu, "
                 "\"bare\": %.6g, \"rounds\": %u}\n",
                 r->name, suffix, r->sense == SPEED ? "speed" : "cost",
                 r->by_median ? median : least, median, ours.least, theirs.least, r->bytes, bare,
                 rounds);
    (void)fflush(stdout);
}

void figure(const plan *p, const char *name, const char *unit, double value, double of_bare)
{
    char beside[48] = "null";

    if (!is_wanted(p, name) || p->served != NULL) {
        return;
    }
    if (of_bare >= 0) {
        (void)snprintf(beside, sizeof(beside), "%.6g", of_bare);
    }
    (void)printf("{\"row\": \"%s\", \"sense\": \"figure\", \"unit\": \"%s\", \"value\": %.6g, "
                 "\"beside\": %s}\n",
                 name, unit, value, beside);
    (void)fflush(stdout);
}

/* --- In turns. -------------------------------------------------------------------------- */

typedef struct runner {
    side side;
    peer *peer; /* instead of side */
    const char *name;
    size_t count; /* operations in one round */
    double per_operation[MAX_ROUNDS];
} runner;

static uint64_t run_once(runner *r)
{
    uint64_t ns = 0;

    if (r->peer == NULL) {
        return r->side.run(r->side.state, r->count);
    }
    must(peer_run(r->peer, r->name, r->count, &ns));
    return ns;
}

/* Finds how many operations fill a slice; warms caches on the way. */
static void calibrate(runner *r, const plan *p)
{
    uint64_t ns;

    for (r->count = 1;; r->count *= 2) {
        ns = run_once(r);
        if (p->smoke || ns >= p->slice_ns / 2) {
            break;
        }
    }
    if (!p->smoke && ns < p->slice_ns) {
        r->count = (size_t)((double)r->count * (double)p->slice_ns / (double)(ns + 1));
    }
}

static unsigned take_turns(const plan *p, runner *runners, size_t count)
{
    uint64_t begun = now_ns();
    unsigned least = p->smoke ? 1 : MIN_ROUNDS;
    unsigned rounds = 0;

    while (rounds < least ||
           (rounds < p->rounds && rounds < MAX_ROUNDS && now_ns() - begun < p->budget_ns)) {
        for (size_t i = 0; i < count; i++) {
            runner *r = &runners[(rounds + i) % count]; /* none is always first */

            r->per_operation[rounds] = (double)run_once(r) / (double)r->count;
        }
        rounds++;
    }
    return rounds;
}

void compare(const plan *p, const row *r)
{
    static runner runners[MAX_SIDES];
    summary ours, bare = {0, 0};
    size_t count = 0, alone = 1; /* where the bare side is all that libcrypto does */
    unsigned rounds;
    uint64_t none;
    bool with_peer;

    if (p->served != NULL) {
        serve_row(p->served, r);
        return;
    }
    with_peer = p->peer != NULL && peer_run(p->peer, r->name, 0, &none);
    runners[count++] = (runner){.side = r->ours};
    if (r->bare.run != NULL) {
        runners[count++] = (runner){.side = r->bare};
    }
    if (with_peer && r->alone.run != NULL) {
        alone = count;
        runners[count++] = (runner){.side = r->alone};
    }
    if (with_peer) {
        runners[count++] = (runner){.peer = p->peer, .name = r->name};
    }
    for (size_t i = 0; i < count; i++) {
        calibrate(&runners[i], p);
    }
    rounds = take_turns(p, runners, count);
    ours = summarize(runners[0].per_operation, rounds);
    if (r->bare.run != NULL) {
        bare = summarize(runners[1].per_operation, rounds);
        emit(r, "", ours, bare, 0, rounds);
    }
    if (with_peer) {
        char suffix[ROW_NAME];

        (void)snprintf(suffix, sizeof(suffix), "/beside-%s", p->peer->name);
        if (alone > 1) {
            bare = summarize(runners[alone].per_operation, rounds);
        }
        emit(r, suffix, ours, summarize(runners[count - 1].per_operation, rounds), bare.least,
             rounds);
    }
}

/* --- Distributions. ------------------------------------------------------------------------ */

static double time_one(const side *s)
{
    uint64_t begun = now_ns();

    (void)s->run(s->state, 1);
    return (double)(now_ns() - begun);
}

void percentiles(const plan *p, const row *r)
{
    static const struct {
        const char *suffix;
        double part;
    } points[] = {{"/p50", 0.5}, {"/p99", 0.99}, {"/p99.9", 0.999}};
    double *ours, *bare;

    if (p->served != NULL) {
        return; /* a peer has sums, not samples */
    }
    ours = malloc(p->samples * sizeof(*ours));
    bare = malloc(p->samples * sizeof(*bare));
    must(ours != NULL && bare != NULL);
    for (size_t i = 0; i < p->samples; i++) {
        ours[i] = time_one(&r->ours);
        bare[i] = time_one(&r->bare);
    }
    (void)summarize(ours, p->samples);
    (void)summarize(bare, p->samples);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        size_t at = (size_t)((double)p->samples * points[i].part);
        summary mine = {ours[at], ours[at]}, theirs = {bare[at], bare[at]};

        emit(r, points[i].suffix, mine, theirs, 0, (unsigned)p->samples);
    }
    free(ours);
    free(bare);
}
