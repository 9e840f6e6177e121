/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak SECONDS HANG_SECONDS: a token that fails all the time, a PIN that is refused, tokens that
 * go away and come back, and a call that hangs. Prints what came of it; 1 if something did that
 * must not.
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fault_stand.h"

static stand s;

static void start(bench *b, size_t sessions)
{
    fault_softhsm(&s);
    fault_script(&s, "%s", "");
    bench_open(b, &s, sessions);
}

static void end(bench *b)
{
    bench_end(b);
    stand_end(&s);
    print_checks();
    print_events();
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
    start(&b, 6);
    l = bench_load(&b);
    calls = fault_count("calls");
    fault_script(&s, "%s", storm);
    load_start(l, SOAK_THREADS);
    soak_sleep(seconds * 1000);
    load_stop(l);
    calls = fault_count("calls") - calls;
    faults = fault_count("faults");
    fault_script(&s, "%s", "");
    print_row("calls of the module", calls);
    printf("  %-52s %10.1f\n", "calls for each fault", (double)calls / (double)faults);
    print_row("initialisations", fault_count("C_Initialize"));
    print_row("logins", fault_count("C_Login"));
    print_load(l);
    end(&b);
    free(l);
}

/* --- A PIN that is refused under load. ------------------------------------------------------- */

/* The token is logged out at each use, so that it has to log in anew. */
static void soak_pin(unsigned seconds)
{
    bench b = {0};
    unsigned long logins;
    load *l;

    printf("\n%u threads, %u seconds, a login that is refused\n", SOAK_THREADS, seconds);
    start(&b, SOAK_THREADS);
    l = bench_load(&b);
    load_start(l, SOAK_THREADS);
    soak_sleep(500);
    logins = fault_count("C_Login");
    fault_script(&s, "C_DeriveKey * logout\n"
                     "C_Login * fail CKR_PIN_INCORRECT");
    soak_sleep(seconds * 1000);
    logins = fault_count("C_Login") - logins;
    load_stop(l);
    print_row("logins", logins);
    print_zero("beyond the first", logins - 1);
    print_load(l);
    end(&b);
    free(l);
}

/* --- A call that hangs. ---------------------------------------------------------------------- */

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
    start(&b, SOAK_THREADS);
    l = bench_load(&b);
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
    print_zero("exchanges that failed", done);
    print_zero("slower than half as fast (1: yes)", during < before / 2);
    print_load(l);
    end(&b);
    free(l);
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
    unsigned hang = argc > 2 ? (unsigned)atoi(argv[2]) : 3;

    must(seconds > 0 && hang > 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    soak_faults(seconds);
    soak_pin(1);
    soak_away();
    soak_remote();
    soak_joined();
    soak_hang(hang);
    printf("\n%s\n", soak_failures == 0 ? "all is well" : "NOT all is well");
    return soak_failures != 0;
}
