/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak SECONDS HANG_SECONDS: a token that fails all the time, one that goes away and comes
 * back, and a call that hangs. Prints what came of it; 1 if something did that must not.
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

enum {
    DEADLINE_MS = 2000,
    GRACE_MS = 1500, /* for the token's own calls, on a machine that has other work */
    MOST_EVENTS = 256,
};

static stand s;
static int faults_found;

/* --- What the operator is told. ---------------------------------------------------------- */

typedef struct told {
    unsigned long count;
    char message[200];
} told;

static told events[MOST_EVENTS];
static size_t event_kinds;
static pthread_mutex_t event_lock = PTHREAD_MUTEX_INITIALIZER;

/* What was tried and with which key makes no difference. */
static void on_event(void *arg, const tw_token_event *event)
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

static void print_events(void)
{
    qsort(events, event_kinds, sizeof(events[0]), more);
    for (size_t i = 0; i < event_kinds && i < 10; i++) {
        printf("    %6lu  %s\n", events[i].count, events[i].message);
    }
    event_kinds = 0;
    memset(events, 0, sizeof(events));
}

/* --- Keys, senders and receivers. -------------------------------------------------------- */

typedef struct bench {
    tw_token *token;
    tw_key *keys[SOAK_KEYS];
    tw_suite *suite;
    tw_sender *senders[SOAK_KEYS];
    tw_receiver *receivers[SOAK_KEYS];
} bench;

static void bench_start(bench *b, size_t sessions)
{
    static const char *const labels[SOAK_KEYS] = {"a", "b"};

    fault_softhsm(&s);
    fault_script(&s, "%s", "");
    s.options.max_sessions = sessions;
    s.options.deadline_ms = DEADLINE_MS;
    s.options.event = on_event;
    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         &b->suite));
    b->token = stand_open(&s);
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        tw_key *key = stand_key(&s, b->token, TW_KEM_P256_HKDF_SHA256, labels[i]);

        b->keys[i] = key;
        must_ok(tw_sender_new(b->suite, 1, key->public_key, key->kem->public_len, NULL,
                              &b->senders[i]));
        must_ok(tw_receiver_new(b->suite, 1, key, NULL, &b->receivers[i]));
    }
}

static void bench_end(bench *b)
{
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        tw_sender_free(b->senders[i]);
        tw_receiver_free(b->receivers[i]);
        tw_key_free(b->keys[i]);
    }
    tw_token_free(b->token);
    tw_suite_free(b->suite);
    stand_end(&s);
}

static load *load_new(const bench *b)
{
    load *l = calloc(1, sizeof(*l));

    must(l != NULL);
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        l->senders[i] = b->senders[i];
        l->receivers[i] = b->receivers[i];
    }
    l->late_after_ms = DEADLINE_MS + GRACE_MS;
    return l;
}

/* --- The table. --------------------------------------------------------------------------- */

static void row(const char *what, unsigned long value)
{
    printf("  %-52s %10lu\n", what, value);
}

static void zero(const char *what, unsigned long value)
{
    printf("  %-52s %10lu%s\n", what, value, value == 0 ? "" : "   MUST BE 0");
    faults_found += value != 0;
}

static void bound(const char *what, double value, double most)
{
    printf("  %-52s %10.2f%s\n", what, value, value <= most ? "" : "   TOO MUCH");
    faults_found += value > most;
}

static void print_load(const load *l)
{
    unsigned long tried = load_total(l, tried), good = load_total(l, succeeded);

    row("exchanges tried", tried);
    row("exchanges that succeeded", good);
    printf("  %-52s %9.2f%%\n", "", 100.0 * (double)good / (double)tried);
    for (int err = 1; err < SOAK_CODES; err++) {
        if (load_failed(l, (tw_err)-err) > 0) {
            printf("    failed with %-40s %10lu\n", err_name((tw_err)-err),
                   load_failed(l, (tw_err)-err));
        }
    }
    printf("  %-52s %10.3f s\n", "the longest exchange",
           (double)load_most(l, offsetof(worker, longest_us)) / 1e6);
    zero("wrong results", load_total(l, wrong));
    zero("waits past the deadline", load_total(l, late));
}

static void print_checks(void)
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
        zero(checks[i], fault_count(checks[i]));
    }
}

/* --- A token that fails all the time. ------------------------------------------------------ */

/* Together one fault in fifty calls, of whatever function. */
static const char storm[] =
    "seed 1\n"
    "C_Initialize /2 renumber\n"
    "* ~80 fail CKR_SESSION_HANDLE_INVALID|CKR_SESSION_CLOSED|CKR_USER_NOT_LOGGED_IN|"
    "CKR_KEY_HANDLE_INVALID|CKR_OBJECT_HANDLE_INVALID|CKR_DEVICE_REMOVED|CKR_TOKEN_NOT_PRESENT|"
    "CKR_DEVICE_ERROR|CKR_GENERAL_ERROR|CKR_FUNCTION_FAILED|0x1e7|0x80000001\n"
    "* ~1000 fail CKR_HOST_MEMORY|CKR_DEVICE_MEMORY\n"
    "C_OpenSession ~200 fail CKR_SESSION_COUNT\n"
    "* ~500 kill CKR_SESSION_HANDLE_INVALID|CKR_DEVICE_REMOVED\n"
    "* ~1000 logout\n"
    "* ~400 wait 20\n"
    "C_GetAttributeValue ~500 length CKA_VALUE 0xffffffffffffffff\n"
    "C_GetAttributeValue ~500 drop CKA_VALUE 0 1\n";

static void soak_faults(unsigned seconds)
{
    bench b = {0};
    load *l;
    unsigned long calls, faults;

    printf("\n%u threads, %u seconds, a fault every 50 calls\n", SOAK_THREADS, seconds);
    bench_start(&b, 6);
    l = load_new(&b);
    calls = fault_count("calls");
    fault_script(&s, "%s", storm);
    load_start(l, SOAK_THREADS);
    soak_sleep(seconds * 1000);
    load_stop(l);
    calls = fault_count("calls") - calls;
    faults = fault_count("faults");
    fault_script(&s, "%s", "");
    row("calls of the module", calls);
    printf("  %-52s %10.1f\n", "calls for each fault", (double)calls / (double)faults);
    row("initialisations", fault_count("C_Initialize"));
    row("logins", fault_count("C_Login"));
    print_load(l);
    bench_end(&b);
    print_checks();
    print_events();
    free(l);
}

/* --- A token directory that goes away and comes back. ---------------------------------------- */

static void move_tokens(const char *from, const char *to)
{
    char old[128], new[128];

    (void)snprintf(old, sizeof(old), "%s/%s", s.dir, from);
    (void)snprintf(new, sizeof(new), "%s/%s", s.dir, to);
    must(rename(old, new) == 0);
}

static void soak_away(unsigned seconds)
{
    bench b = {0};
    unsigned long before, failed;
    long long back;
    load *l;

    printf("\n4 threads, the token's directory away for %u seconds\n", seconds);
    bench_start(&b, 4);
    l = load_new(&b);
    load_start(l, 4);
    soak_sleep(1000);
    before = load_total(l, tried);
    move_tokens("tokens", "away");
    soak_sleep(seconds * 1000);
    failed = load_total(l, tried);
    atomic_store(&l->first_success_us, 0);
    move_tokens("away", "tokens");
    back = soak_now();
    for (int i = 0; atomic_load(&l->first_success_us) == 0 && i < 3000; i++) {
        soak_sleep(10);
    }
    soak_sleep(500);
    load_stop(l);
    row("exchanges in the second before", before);
    row("exchanges tried while it was away", failed - before);
    printf("  %-52s %10.3f s\n", "the longest failure",
           (double)load_most(l, offsetof(worker, longest_failure_us)) / 1e6);
    bound("seconds until the first success after its return",
          atomic_load(&l->first_success_us) == 0
              ? 999
              : (double)(atomic_load(&l->first_success_us) - back) / 1e6,
          9);
    print_load(l);
    bench_end(&b);
    print_checks();
    print_events();
    free(l);
}

/* --- A call that hangs. -------------------------------------------------------------------------
 */

static double rate_of_others(load *l, unsigned ms)
{
    unsigned long before = load_total(l, succeeded);
    long long begun = soak_now();

    soak_sleep(ms);
    return (double)(load_total(l, succeeded) - before) * 1e6 / (double)(soak_now() - begun);
}

static void soak_hang(unsigned seconds)
{
    bench b = {0};
    double before, during;
    unsigned long done;
    load *l;

    printf("\n%u threads, one call that hangs for %u seconds\n", SOAK_THREADS, seconds);
    bench_start(&b, SOAK_THREADS);
    l = load_new(&b);
    l->late_after_ms += seconds * 1000;
    load_start(l, SOAK_THREADS);
    soak_sleep(200);
    before = rate_of_others(l, 2000) * (SOAK_THREADS - 1) / (double)SOAK_THREADS;
    fault_script(&s, "C_DeriveKey 1 wait %u000", seconds);
    soak_sleep(100);
    during = rate_of_others(l, seconds * 1000 - 200);
    must_size(1, fault_count("calls in flight") > 0);
    load_stop(l);
    done = load_total(l, tried) - load_total(l, succeeded);
    printf("  %-52s %10.0f\n", "exchanges a second of seven threads before", before);
    printf("  %-52s %10.0f\n", "and of the other seven during it", during);
    zero("exchanges that failed", done);
    zero("slower than half as fast (1: yes)", during < before / 2);
    print_load(l);
    bench_end(&b);
    print_checks();
    free(l);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
    unsigned hang = argc > 2 ? (unsigned)atoi(argv[2]) : 3;

    must(seconds > 0 && hang > 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    soak_faults(seconds);
    soak_away(2);
    soak_hang(hang);
    printf("\n%s\n", faults_found == 0 ? "all is well" : "NOT all is well");
    return faults_found != 0;
}
