/* SPDX-License-Identifier: Apache-2.0 */
/* One key in two tokens. A plain program, which the thread sanitizer runs too. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <twoway/twoway.h>

#include "check.h"
#include "join_stand.h"

enum {
    THREADS = 8,
    SLOW_MS = 500,
};

static join_stand j;

/* --- Load. ----------------------------------------------------------------------------------- */

static atomic_bool stop;
static atomic_size_t done, lost;

static void *work(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        if (tw_key_check(j.key) != TW_OK) {
            atomic_fetch_add(&lost, 1);
        }
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void start_work(pthread_t *threads, size_t count)
{
    atomic_store(&stop, false);
    for (size_t i = 0; i < count; i++) {
        must(pthread_create(&threads[i], NULL, work, NULL) == 0);
    }
}

/* It returns for how many milliseconds none was done, at most. */
static long do_more(size_t count)
{
    size_t last = atomic_load(&done), goal = last + count;
    struct timespec since;
    long longest = 0;

    clock_gettime(CLOCK_MONOTONIC, &since);
    while (last < goal) {
        size_t now = atomic_load(&done);
        long still = ms_since(&since);

        longest = still > longest ? still : longest;
        if (now != last) {
            clock_gettime(CLOCK_MONOTONIC, &since);
        }
        last = now;
        usleep(1000);
    }
    return longest;
}

static void end_work(pthread_t *threads, size_t count)
{
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
}

/* --- Tests. ---------------------------------------------------------------------------------- */

static void work_is_spread_and_losing_one_loses_no_request(void)
{
    pthread_t threads[THREADS];
    uint64_t before;

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 2, &j.key));
    must(memcmp(j.software->public_key, j.key->public_key, 65) == 0);
    start_work(threads, THREADS);
    (void)do_more(400);
    must(join_operations(&j, 0) > 40 && join_operations(&j, 1) > 40);
    for (int i = 0; i < 3; i++) {
        fault_script(&j.s, JOIN_GONE);
        (void)do_more(200);
        must_err(TW_ERR_TOKEN_ABSENT, join_state(&j, 0));
        must_ok(join_state(&j, 1));
        before = join_operations(&j, 0);
        (void)do_more(200);
        must(join_operations(&j, 0) < before + 20); /* its probes */
        fault_script(&j.s, "# back");
        join_wait_until(&j, 0, TW_OK);
        before = join_operations(&j, 0);
        (void)do_more(200);
        must(join_operations(&j, 0) > before);
    }
    end_work(threads, THREADS);
    must_size(0, atomic_load(&lost));
}

static void one_may_be_absent_at_first(void)
{
    join_begin(&j, true);
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_err(TW_ERR_TOKEN_ABSENT, join_state(&j, 0));
    must_ok(tw_key_check(j.key));
    fault_script(&j.s, "# comes");
    join_wait_until(&j, 0, TW_OK);
    for (int i = 0; i < 10; i++) {
        must_ok(tw_key_check(j.key));
    }
    must(join_operations(&j, 0) > 0);
}

static void when_all_are_gone_it_fails_at_once_and_serves_when_one_is_back(void)
{
    uint64_t asked;
    tw_err err;

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 1, &j.key));
    fault_script(&j.s, JOIN_GONE);
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(j.key));
    }
    fault_script(&j.s, "# back");
    asked = join_operations(&j, 0);
    err = tw_key_check(j.key);
    must(join_operations(&j, 0) > asked); /* no other is left: it is, although it is aside */
    must(err == TW_OK || err == TW_ERR_TOKEN_ABSENT); /* someone looked for it just then */
    join_wait_until(&j, 0, TW_OK);
    must_ok(tw_key_check(j.key));
    tw_key_free(j.key);
    j.key = NULL;
    fault_script(&j.s, JOIN_GONE);
    must_err(TW_ERR_TOKEN_ABSENT, tw_token_join(j.members, 1, &j.key));
    must(j.key == NULL);
}

static void another_key_is_no_member(void)
{
    join_begin(&j, false);
    must_err(TW_ERR_KEY, tw_token_join(j.members, 2, &j.key));
    must(j.key == NULL);
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, "# comes");
    join_wait_until(&j, 0, TW_ERR_KEY);
    must_ok(tw_key_check(j.key));
}

/* Nobody is there to know better: the second try might be the last but one. */
static void a_refused_pin_is_sent_once(void)
{
    size_t before;

    join_begin(&j, true);
    j.members[0].uri = "pkcs11:token=hpke;object=a?pin-value=wrong";
    fault_script(&j.s, JOIN_GONE);
    must_ok(tw_token_join(j.members, 2, &j.key));
    before = fault_count("C_Login");
    fault_script(&j.s, "# comes");
    join_wait_until(&j, 0, TW_ERR_TOKEN_PIN);
    usleep(500000);
    must_size(before + 1, fault_count("C_Login"));
    must_ok(tw_key_check(j.key));
}

/* A vendor's code may mean a wrong PIN: who looks whether the token is back does not spend a try
 * each time. */
static void one_refused_by_a_code_of_the_vendors_is_sent_twice(void)
{
    size_t before;

    join_begin(&j, true);
    fault_script(&j.s, "C_Login * fail 0x800000a0");
    before = fault_count("C_Login");
    must_ok(tw_token_join(j.members, 2, &j.key));
    for (int i = 0; fault_count("C_Login") < before + 2; i++) {
        must(i < 30);
        sleep(1);
    }
    sleep(3);
    must_size(before + 2, fault_count("C_Login"));
    must_err(TW_ERR_TOKEN_FAILED, join_state(&j, 0));
    must_ok(tw_key_check(j.key));
}

/* Nor is a person asked again and again, who asked for nothing. */
static const char pad[] = "C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH\n"
                          "C_Login * pinpad %s\n%s";

/* Once the first probe has ended: two seconds lie between the later ones at most. */
static void must_ask_nobody(void)
{
    size_t before = 0;

    for (int i = 0; fault_count("C_Login") != before; i++) {
        must(i < 4);
        before = fault_count("C_Login");
        sleep(2);
    }
    must_ok(tw_key_check(j.key));
}

static void nobody_is_asked_at_a_pin_pad_for_a_probe(void)
{
    join_begin(&j, true);
    fault_script(&j.s, pad, STAND_PIN, "");
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, pad, "cancelled", "C_DeriveKey * kill CKR_SESSION_HANDLE_INVALID\n");
    must_ok(tw_key_check(j.key));
    must_ok(tw_key_check(j.key));
    join_wait_until(&j, 0, TW_ERR_TOKEN_PIN);
    must_ask_nobody();
}

static void nor_where_the_token_never_had_the_key(void)
{
    join_begin(&j, true);
    fault_script(&j.s, pad, STAND_PIN, "C_FindObjectsInit * hide CKO_PRIVATE_KEY\n");
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_ask_nobody();
}

static void nor_where_the_token_is_there_without_the_key(void)
{
    join_begin(&j, true);
    fault_script(&j.s, pad, STAND_PIN, "");
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, pad, STAND_PIN,
                 "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                 "C_FindObjectsInit * hide CKO_PRIVATE_KEY\n");
    must_ok(tw_key_check(j.key));
    must_ok(tw_key_check(j.key));
    join_wait_until(&j, 0, TW_ERR_TOKEN_ABSENT);
    must_ask_nobody();
}

static void one_that_hangs_gets_no_more(void)
{
    pthread_t threads[THREADS];
    size_t hanging;
    long still;
    int tries = 0;

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, "C_DeriveKey * wait 3600000");
    hanging = fault_count("C_DeriveKey");
    start_work(threads, 2);
    while (fault_count("C_DeriveKey") == hanging) {
        usleep(1000);
    }
    sleep(3);
    start_work(threads + 2, THREADS - 2);
    do { /* again, when the machine is so slow that the other token seems to hang too */
        hanging = fault_count("C_DeriveKey");
        still = do_more(500);
    } while (still > SLOW_MS && ++tries < 3);
    must_size(hanging, fault_count("C_DeriveKey"));
    fault_script(&j.s, "# goes on");
    end_work(threads, THREADS);
    must_size(0, atomic_load(&lost));
}

static void it_is_a_senders_identity_too(void)
{
    uint8_t sent[TW_MAX_SECRET], got[TW_MAX_SECRET], enc[TW_MAX_ENC];
    const tw_kem *kem;
    tw_key *receiver;

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 2, &j.key));
    kem = j.software->kem;
    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, NULL, &receiver));
    for (int i = 0; i < 4; i++) {
        fault_script(&j.s, i == 2 ? JOIN_GONE : "# there");
        must_ok(kem->encap(kem, NULL, receiver->public_key, j.key, sent, enc));
        must_ok(receiver->ops->decap(receiver, enc, j.key->public_key, got));
        must(memcmp(sent, got, kem->secret_len) == 0);
    }
    tw_key_free(receiver);
}

/* What is the peer's fault goes to no second token, and sets none aside. */
static void a_bad_point_is_the_peers(void)
{
    uint8_t enc[65] = {0x04}, secret[TW_MAX_SECRET];

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 2, &j.key));
    must_err(TW_ERR_FORMAT, j.key->ops->decap(j.key, enc, NULL, secret));
    must_ok(join_state(&j, 0));
    must_ok(join_state(&j, 1));
}

static void bad_arguments(void)
{
    const tw_token *token = (const tw_token *)&j;
    tw_err err;

    join_begin(&j, true);
    j.key = (tw_key *)&j.s;
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 0, &j.key));
    must(j.key == NULL);
    must_err(TW_ERR_INVALID, tw_token_join(NULL, 1, &j.key));
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 65, &j.key));
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 2, NULL));
    must_err(TW_ERR_INVALID, tw_token_joined(j.software, 0, &token, &err));
    must(token == NULL);
    must_err(TW_ERR_INVALID, tw_token_joined(NULL, 0, &token, &err));
    must_err(TW_ERR_INVALID, tw_token_joined(j.software, 0, NULL, &err));
    j.members[1].size--;
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 2, &j.key));
    j.members[1] = (tw_token_member){sizeof(j.members[1]), "no URI", NULL};
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 2, &j.key));
    j.members[1].uri = NULL;
    must_err(TW_ERR_INVALID, tw_token_join(j.members, 2, &j.key));
    must_ok(tw_token_join(j.members, 1, &j.key));
    must_err(TW_ERR_INVALID, tw_token_joined(j.key, 1, &token, &err));
}

/* Whoever exits with a token open: its module is not finalised at all, for libcrypto, which it may
 * need for that, takes its leave at the same time. */
static void a_process_may_exit_as_it_is(void)
{
    char report[160], line[256];
    size_t finalised;
    bool used = false;
    int status;
    pid_t pid;
    FILE *f;

    join_begin(&j, true);
    (void)snprintf(report, sizeof(report), "%s/report", j.s.dir);
    must(setenv("FAULT_REPORT", report, 1) == 0);
    finalised = fault_count("C_Finalize");
    pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        static tw_token *token;
        static tw_key *own;

        must_ok(tw_token_open(j.members[0].uri, &j.s.options, &token));
        must_ok(tw_token_find_key(token, j.members[0].uri, NULL, 0, &own));
        must_ok(tw_key_check(own));
        exit(0);
    }
    must(waitpid(pid, &status, 0) == pid);
    must_size(0, (size_t)status);
    must(unsetenv("FAULT_REPORT") == 0);
    (void)snprintf(report, sizeof(report), "%s/report.%d", j.s.dir, (int)pid);
    f = fopen(report, "re");
    must(f != NULL);
    while (fgets(line, sizeof(line), f) != NULL) {
        used = used || strncmp(line, "C_DeriveKey ", 12) == 0;
        must(strncmp(line, "C_Finalize ", 11) != 0 || (size_t)atol(line + 11) == finalised);
    }
    (void)fclose(f);
    must(used);
}

int main(void)
{
    static void (*const tests[])(void) = {
        work_is_spread_and_losing_one_loses_no_request,
        one_may_be_absent_at_first,
        when_all_are_gone_it_fails_at_once_and_serves_when_one_is_back,
        another_key_is_no_member,
        a_refused_pin_is_sent_once,
        one_refused_by_a_code_of_the_vendors_is_sent_twice,
        nobody_is_asked_at_a_pin_pad_for_a_probe,
        nor_where_the_token_never_had_the_key,
        nor_where_the_token_is_there_without_the_key,
        one_that_hangs_gets_no_more,
        it_is_a_senders_identity_too,
        a_bad_point_is_the_peers,
        bad_arguments,
        a_process_may_exit_as_it_is,
    };
    size_t count = sizeof(tests) / sizeof(tests[0]);

    for (size_t i = 0; i < count; i++) {
        tests[i]();
        join_end(&j);
    }
    printf("%zu passed, 0 failed\n", count);
    return 0;
}
