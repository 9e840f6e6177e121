/* SPDX-License-Identifier: Apache-2.0 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

enum {
    MOST_EVENTS = 256,
};

int soak_failures;

/* --- What the operator is told. ---------------------------------------------------------- */

typedef struct told {
    unsigned long count;
    char message[200];
} told;

static told events[MOST_EVENTS];
static size_t event_kinds;
static pthread_mutex_t event_lock = PTHREAD_MUTEX_INITIALIZER;

/* What was tried and with which key makes no difference. */
void soak_event(void *arg, const tw_token_event *event)
{
    const char *colon = strchr(event->message, ':');
    const char *what = colon == NULL ? event->message : colon + 2;
    size_t i = 0, most = sizeof(events[0].message) - 1;

    (void)arg;
    pthread_mutex_lock(&event_lock);
    while (i < event_kinds && strncmp(events[i].message, what, most) != 0) {
        i++;
    }
    if (i == event_kinds && i < MOST_EVENTS) {
        (void)snprintf(events[i].message, sizeof(events[i].message), "%s", what);
        event_kinds++;
    }
    if (i < MOST_EVENTS) {
        events[i].count++;
    }
    pthread_mutex_unlock(&event_lock);
}

static int more(const void *a, const void *b)
{
    const told *x = a, *y = b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

void print_events(void)
{
    qsort(events, event_kinds, sizeof(events[0]), more);
    for (size_t i = 0; i < event_kinds && i < 10; i++) {
        printf("    %6lu  %s\n", events[i].count, events[i].message);
    }
    event_kinds = 0;
    memset(events, 0, sizeof(events));
}

/* --- The table. --------------------------------------------------------------------------- */

void print_row(const char *what, unsigned long value)
{
    printf("  %-52s %10lu\n", what, value);
}

void print_zero(const char *what, unsigned long value)
{
    printf("  %-52s %10lu%s\n", what, value, value == 0 ? "" : "   MUST BE 0");
    soak_failures += value != 0;
}

void print_bound(const char *what, double value, double most)
{
    printf("  %-52s %10.2f%s\n", what, value, value <= most ? "" : "   TOO MUCH");
    soak_failures += value > most;
}

void print_load(const load *l)
{
    unsigned long tried = load_total(l, tried), good = load_total(l, succeeded);

    print_row("exchanges tried", tried);
    print_row("exchanges that succeeded", good);
    printf("  %-52s %9.2f%%\n", "", 100.0 * (double)good / (double)tried);
    for (int err = 1; err < SOAK_CODES; err++) {
        if (load_failed(l, (tw_err)-err) > 0) {
            printf("    failed with %-40s %10lu\n", err_name((tw_err)-err),
                   load_failed(l, (tw_err)-err));
        }
    }
    printf("  %-52s %10.3f s\n", "the longest exchange",
           (double)load_most(l, offsetof(worker, longest_us)) / 1e6);
    print_zero("wrong results", load_total(l, wrong));
    print_zero("waits past the deadline", load_total(l, late));
}

void print_checks(void)
{
    static const char *const checks[] = {
        "sessions left open",
        "objects left behind",
        "refused PINs sent again",
        "calls without an initialisation",
        "calls on a handle of an older initialisation",
        "calls on a handle that was closed",
        "calls on a handle that was never given",
        "calls on a session that another call was using",
        "finalisations with a call in flight",
    };

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        print_zero(checks[i], fault_count(checks[i]));
    }
}
