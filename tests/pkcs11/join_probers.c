/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that look after a joined key's tokens. A plain program, which the thread sanitizer
 * runs too. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "join_stand.h"

static join_stand j;

static atomic_uint another_key;

static void count_another_key(void *arg, const tw_token_event *event)
{
    (void)arg;
    atomic_fetch_add(&another_key, event->err == TW_ERR_KEY);
}

/* Who looks for a token then still knows which key it has to have: the sanitizers, and what
 * overwrites freed memory, tell. */
static void the_key_is_freed_while_one_comes(void)
{
    size_t before;

    join_begin(&j, true);
    j.s.options.event = count_another_key;
    j.members[2] = j.members[0]; /* behind the one that is there */
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(&j.members[1], 2, &j.key));
    before = fault_count("C_OpenSession");
    fault_script(&j.s, "C_OpenSession 1 wait 300");
    for (int i = 0; fault_count("C_OpenSession") == before; i++) {
        must(i < 10000);
        usleep(1000);
    }
    tw_key_free(j.key);
    j.key = NULL;
    must_size(0, atomic_load(&another_key));
}

static struct timespec call_began;

static double since_it_began(void)
{
    struct timespec now;

    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)(now.tv_sec - call_began.tv_sec) +
           (double)(now.tv_nsec - call_began.tv_nsec) / 1e9;
}

/* Registered before there is a module, so that this comes after all that it does at the end; but
 * before the sanitizers, with _exit too, look for what nobody freed. */
static void the_call_is_over(void)
{
    (void)syscall(SYS_exit_group, since_it_began() < 0.25 ? 1 : 0);
}

static int exit_amid_a_call(void)
{
    size_t before;

    must(atexit(the_call_is_over) == 0);
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_ok(tw_key_check(j.key));
    before = fault_count("C_OpenSession");
    fault_script(&j.s, "C_OpenSession 1 wait 300");
    while (fault_count("C_OpenSession") == before) {
        usleep(1000);
    }
    must(clock_gettime(CLOCK_MONOTONIC, &call_began) == 0);
    exit(0); /* nothing is freed, as in a program that has failed */
}

/* What works with a token while its module's destructors run crashes. */
static void a_program_that_ends_waits_for_one(void)
{
    pid_t child;
    int status;

    join_begin(&j, true);
    child = fork();
    if (child == 0) {
        _exit(exit_amid_a_call());
    }
    must(child > 0 && waitpid(child, &status, 0) == child);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static volatile sig_atomic_t handled;

static void handle(int number)
{
    handled = number;
}

/* The program blocks one only after that thread was there, as who has a signalfd does. */
static void signals_are_the_programs(void)
{
    const struct sigaction action = {.sa_handler = handle};
    const struct timespec now = {0};
    sigset_t set;

    must(sigaction(SIGUSR1, &action, NULL) == 0);
    join_begin(&j, true);
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_err(TW_ERR_TOKEN_ABSENT, join_state(&j, 0));
    must(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    must(kill(getpid(), SIGUSR1) == 0);
    usleep(100000); /* time to take it, for any thread that may */
    must_size(0, (size_t)handled);
    must(sigtimedwait(&set, NULL, &now) == SIGUSR1);
}

static atomic_uint typed;

/* The right one at first, then another wrong one each time. */
static tw_err mistype(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    unsigned n = atomic_fetch_add(&typed, 1);

    (void)arg;
    (void)label;
    *len = (size_t)(n == 0 ? snprintf(buf, cap, "%s", STAND_PIN)
                           : snprintf(buf, cap, "mistyped-%u", n));
    return TW_OK;
}

static tw_err use_both(void)
{
    tw_err err = tw_key_check(j.key);

    return err == TW_OK ? tw_key_check(j.key) : err;
}

/* Who types it would spend all tries, while the other serves: a use asks, and one probe. */
static void a_person_is_not_asked_for_a_refused_pin_again(void)
{
    join_begin(&j, true);
    j.members[0].uri = "pkcs11:token=hpke;object=a";
    j.s.options.pin = mistype;
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID");
    must_ok(use_both());
    join_wait_until(&j, 0, TW_ERR_TOKEN_PIN);
    sleep(2); /* four probes */
    must_size(3, atomic_load(&typed));
    must_ok(use_both());
    must_size(3, atomic_load(&typed));
}

/* A try costs nothing where there is no PIN to send, and a secret may come later than its user. */
static void a_pin_file_may_come_later(void)
{
    char path[128], uri[256];
    size_t before;

    join_begin(&j, true);
    (void)snprintf(path, sizeof(path), "%s/pin", j.s.dir);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke;object=a?pin-source=%s", path);
    j.members[0].uri = uri;
    before = fault_count("C_Login");
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_err(TW_ERR_TOKEN_PIN, join_state(&j, 0));
    must_ok(use_both());
    must_size(before, fault_count("C_Login"));
    write_file(path, STAND_PIN "\n");
    join_wait_until(&j, 0, TW_OK);
    must_size(before + 1, fault_count("C_Login"));
}

int main(void)
{
    static void (*const tests[])(void) = {
        the_key_is_freed_while_one_comes,
        a_program_that_ends_waits_for_one,
        signals_are_the_programs,
        a_person_is_not_asked_for_a_refused_pin_again,
        a_pin_file_may_come_later,
    };
    size_t count = sizeof(tests) / sizeof(tests[0]);

    for (size_t i = 0; i < count; i++) {
        tests[i]();
        join_end(&j);
    }
    printf("%zu passed, 0 failed\n", count);
    return 0;
}
