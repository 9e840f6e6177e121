/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

watch seen;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void watch_lock(void)
{
    pthread_mutex_lock(&lock);
}

void watch_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void watch_begin(void)
{
    seen.first_pid = getpid();
    /* A child must not find it locked by a thread that it has not. */
    (void)pthread_atfork(watch_lock, watch_unlock, watch_unlock);
}

static void raise_to(unsigned long *most, unsigned long now)
{
    *most = now > *most ? now : *most;
}

/* --- Calls. ------------------------------------------------------------------------- */

static void check_life(const call *c)
{
    bool begins = c->id == F_C_Initialize || c->id == F_C_GetFunctionList;

    if (!seen.initialised) {
        seen.checks[CHECK_EARLY] += !begins;
    } else if (seen.pid != getpid()) {
        seen.checks[CHECK_FORKED] += !begins && c->id != F_C_Finalize;
    } else if (c->id == F_C_Finalize) {
        seen.checks[CHECK_BUSY] += seen.in_flight > 1;
    }
}

void watch_enter(call *c)
{
    if (seen.in_flight > 0 && seen.last_pid != getpid()) {
        seen.in_flight = 0; /* those calls are the parent's */
    }
    seen.last_pid = getpid();
    seen.calls[c->id]++;
    seen.in_flight++;
    raise_to(&seen.most_in_flight, seen.in_flight);
    check_life(c);
    c->hit_count = script_match(c->id, c->hits, MOST_HITS);
    seen.acted[c->id] += c->hit_count > 0;
}

void watch_leave(call *c)
{
    (void)c;
    seen.in_flight--;
    raise_to(&seen.most_sessions, sessions_open());
    raise_to(&seen.most_objects, objects_made());
}

void watch_missing(const call *c, const char *what, lookup how)
{
    if (how != LOOKUP_OK && how != LOOKUP_NOBODY_KNOWS && getenv("FAULT_TELL") != NULL) {
        (void)fprintf(stderr, "fault: %s on a handle of no %s\n", function_name(c->id), what);
    }
    switch (how) {
    case LOOKUP_NEVER:
        seen.checks[CHECK_FOREIGN]++;
        break;
    case LOOKUP_CLOSED:
        seen.checks[CHECK_CLOSED]++;
        break;
    case LOOKUP_OLDER:
        seen.checks[CHECK_OLDER]++;
        break;
    default:
        break;
    }
}

/* --- Refused PINs. -------------------------------------------------------------------- */

typedef struct pin {
    CK_SLOT_ID slot;
    CK_ULONG len;
    CK_BYTE bytes[64];
} pin;

static pin refused[32];
static size_t refused_count;

bool pin_was_refused(CK_SLOT_ID slot, const CK_BYTE *bytes, CK_ULONG len)
{
    for (size_t i = 0; i < refused_count; i++) {
        if (refused[i].slot == slot && refused[i].len == len &&
            memcmp(refused[i].bytes, bytes, len) == 0) {
            return true;
        }
    }
    return false;
}

void pin_refused(CK_SLOT_ID slot, const CK_BYTE *bytes, CK_ULONG len)
{
    if (refused_count < LENGTH(refused) && len <= sizeof(refused[0].bytes) &&
        !pin_was_refused(slot, bytes, len)) {
        pin *p = &refused[refused_count++];

        *p = (pin){.slot = slot, .len = len};
        memcpy(p->bytes, bytes, len);
    }
}

/* --- Telling. --------------------------------------------------------------------------- */

static const char *const check_texts[CHECK_COUNT] = {
#define X(name, text) text,
    CHECKS(X)
#undef X
};

static unsigned long sum(const unsigned long *counts)
{
    unsigned long out = 0;

    for (function f = 0; f < FUNCTION_COUNT; f++) {
        out += counts[f];
    }
    return out;
}

/* What is open now would be left if this were the end; a parent's is not the child's. */
static unsigned long checked(check which)
{
    if (which == CHECK_SESSIONS && seen.initialised) {
        return seen.pid == getpid() ? sessions_open() : 0;
    }
    return seen.checks[which];
}

static unsigned long look_up(const char *what)
{
    const struct {
        const char *name;
        unsigned long value;
    } totals[] = {
        {"calls", sum(seen.calls)},
        {"faults", sum(seen.acted)},
        {"calls in flight", seen.in_flight},
        {"most calls in flight", seen.most_in_flight},
        {"most sessions", seen.most_sessions},
        {"most objects", seen.most_objects},
        {"interface lists", seen.interfaces},
    };

    for (function f = 0; f < FUNCTION_COUNT; f++) {
        if (strcmp(function_name(f), what) == 0) {
            return seen.calls[f];
        }
    }
    for (check i = 0; i < CHECK_COUNT; i++) {
        if (strcmp(check_texts[i], what) == 0) {
            return checked(i);
        }
    }
    for (size_t i = 0; i < LENGTH(totals); i++) {
        if (strcmp(totals[i].name, what) == 0) {
            return totals[i].value;
        }
    }
    (void)fprintf(stderr, "fault: nothing is counted as '%s'\n", what);
    abort();
}

__attribute__((visibility("default"))) unsigned long fault_tally(const char *what)
{
    unsigned long out;

    watch_lock();
    out = look_up(what);
    watch_unlock();
    return out;
}

static FILE *open_report(void)
{
    const char *path = getenv("FAULT_REPORT");
    char own[512];

    if (path == NULL) {
        return NULL;
    }
    if (seen.first_pid == getpid()) {
        return fopen(path, "we");
    }
    (void)snprintf(own, sizeof(own), "%s.%ld", path, (long)getpid());
    return fopen(own, "we");
}

void watch_report(void)
{
    static const char *const totals[] = {"calls", "faults", "most calls in flight", "most sessions",
                                         "most objects"};
    FILE *f = open_report();

    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < LENGTH(totals); i++) {
        (void)fprintf(f, "%-52s %10lu\n", totals[i], look_up(totals[i]));
    }
    for (check i = 0; i < CHECK_COUNT; i++) {
        (void)fprintf(f, "%-52s %10lu\n", check_texts[i], checked(i));
    }
    (void)fprintf(f, "\n%-30s %10s %10s\n", "function", "calls", "faults");
    for (function i = 0; i < FUNCTION_COUNT; i++) {
        if (seen.calls[i] > 0) {
            (void)fprintf(f, "%-30s %10lu %10lu\n", function_name(i), seen.calls[i], seen.acted[i]);
        }
    }
    (void)fclose(f);
}

__attribute__((destructor)) static void at_end(void)
{
    watch_lock();
    watch_report();
    watch_unlock();
}
