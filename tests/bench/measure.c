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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double ratio(sense way, double ours, double theirs)
{
    return way == SPEED ? theirs / ours : ours / theirs;
}

/* What is judged is `median`, of the rounds' own ratios: the machine is not as fast in each of
 * them, and the least times of two sides may come of different ones. `alone` is the same of all
 * that libcrypto has to do, 0 for nothing. */
static void emit(const row *r, const char *suffix, double ours, double theirs, double median,
                 double alone, unsigned rounds)
{
    (void)printf("{\"row\": \"%s%s\", \"sense\": \"%s\", \"unit\": \"ns\", \"value\": %.6g, "
                 "\"least\": %.6g, \"ours\": %.6g, \"beside\": %.6g, \"bytes\": %zu, "
                 "\"alone\": %.6g, \"rounds\": %u}\n",
                 r->name, suffix, r->sense == SPEED ? "speed" : "cost", median,
                 ratio(r->sense, ours, theirs), ours, theirs, r->bytes, alone, rounds);
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

/* Finds how many operations fill a slice; warms caches on the way. What an operation does but
 * once, such as opening a session, is not to pass for what each takes: a second run is asked. */
static void calibrate(runner *r, const plan *p)
{
    uint64_t ns;

    for (r->count = 1;; r->count *= 2) {
        ns = run_once(r);
        if (!p->smoke && ns >= p->slice_ns / 2) {
            ns = run_once(r);
        }
        if (p->smoke || ns >= p->slice_ns / 2) {
            break;
        }
    }
    if (!p->smoke && ns < p->slice_ns) {
        r->count = (size_t)((double)r->count * (double)p->slice_ns / (double)(ns + 1));
    }
}

/* Another side, or another process, had the caches before. */
static void warm(runner *r)
{
    size_t count = r->count;

    r->count = count / 4 + 1;
    (void)run_once(r);
    r->count = count;
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

            warm(r);
            r->per_operation[rounds] = (double)run_once(r) / (double)r->count;
        }
        rounds++;
    }
    return rounds;
}

static double least(const runner *r, unsigned rounds)
{
    double found = r->per_operation[0];

    for (unsigned i = 1; i < rounds; i++) {
        found = r->per_operation[i] < found ? r->per_operation[i] : found;
    }
    return found;
}

static double median_ratio(sense way, const runner *ours, const runner *theirs, unsigned rounds)
{
    static double ratios[MAX_ROUNDS];

    for (unsigned i = 0; i < rounds; i++) {
        ratios[i] = ratio(way, ours->per_operation[i], theirs->per_operation[i]);
    }
    qsort(ratios, rounds, sizeof(*ratios), by_value);
    return ratios[rounds / 2];
}

static void report(const row *r, const char *suffix, const runner *ours, const runner *theirs,
                   const runner *alone, unsigned rounds)
{
    emit(r, suffix, least(ours, rounds), least(theirs, rounds),
         median_ratio(r->sense, ours, theirs, rounds),
         alone == NULL ? 0 : median_ratio(r->sense, alone, theirs, rounds), rounds);
}

void compare(const plan *p, const row *r)
{
    static runner runners[MAX_SIDES];
    const runner *bare = NULL, *alone = NULL, *other = NULL;
    size_t count = 0;
    unsigned rounds;
    uint64_t none;

    if (p->served != NULL) {
        serve_row(p->served, r);
        return;
    }
    runners[count++] = (runner){.side = r->ours};
    if (r->bare.run != NULL) {
        bare = &runners[count];
        runners[count++] = (runner){.side = r->bare};
    }
    if (r->alone.run != NULL) {
        alone = &runners[count];
        runners[count++] = (runner){.side = r->alone};
    }
    if (p->peer != NULL && peer_run(p->peer, r->name, 0, &none)) {
        other = &runners[count];
        runners[count++] = (runner){.peer = p->peer, .name = r->name};
    }
    for (size_t i = 0; i < count; i++) {
        calibrate(&runners[i], p);
    }
    rounds = take_turns(p, runners, count);
    if (bare != NULL) {
        report(r, "", &runners[0], bare, alone, rounds);
    }
    if (other != NULL) {
        char suffix[ROW_NAME];

        (void)snprintf(suffix, sizeof(suffix), "/beside-%s", p->peer->name);
        report(r, suffix, &runners[0], other, alone != NULL ? alone : bare, rounds);
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
    qsort(ours, p->samples, sizeof(*ours), by_value);
    qsort(bare, p->samples, sizeof(*bare), by_value);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        size_t at = (size_t)((double)p->samples * points[i].part);

        emit(r, points[i].suffix, ours[at], bare[at], ratio(r->sense, ours[at], bare[at]), 0,
             (unsigned)p->samples);
    }
    free(ours);
    free(bare);
}
