/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs keeps its own thread and its own session, and no one waits past the deadline. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

/* What hangs does so far longer than any machine is busy with other things. */
enum {
    DEADLINE_MS = 400,  /* of those who are to fail */
    PATIENT_MS = 10000, /* of those who are to succeed */
    IN_TIME_MS = 10000,
    HANG_MS = 60000,
    OTHERS = 6,
};

static stand s;
static tw_token *token;
static tw_key *key;

static void start_scripted(size_t sessions, unsigned deadline_ms, const char *script)
{
    fault_softhsm(&s);
    fault_script(&s, "%s", script);
    s.options.max_sessions = sessions;
    s.options.deadline_ms = deadline_ms;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    s.options.event = NULL;
}

static void start_with(size_t sessions, unsigned deadline_ms)
{
    start_scripted(sessions, deadline_ms, "# nothing");
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(wait, .fini = end, .timeout = 60);

/* --- One operation in a thread of its own. ---------------------------------------------- */

typedef struct timed {
    pthread_t thread;
    tw_err err;
    long ms;
} timed;

static void *use(void *arg)
{
    timed *t = arg;
    struct timespec begun, now;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    t->err = tw_key_check(key);
    clock_gettime(CLOCK_MONOTONIC, &now);
    t->ms = (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000;
    return NULL;
}

static void begin(timed *t)
{
    must(pthread_create(&t->thread, NULL, use, t) == 0);
}

static void join(timed *t)
{
    must(pthread_join(t->thread, NULL) == 0);
}

static void wait_for_calls(const char *function, size_t count)
{
    for (int i = 0; fault_count(function) < count; i++) {
        must(i < 5000);
        usleep(1000);
    }
}

/* One that is soon within its next call of `function`. */
static void begin_within(timed *t, const char *function, size_t calls)
{
    const size_t before = fault_count(function);

    begin(t);
    wait_for_calls(function, before + calls);
}

static void all_in_time(tw_err want, bool or_ok)
{
    static timed others[OTHERS];

    for (int i = 0; i < OTHERS; i++) {
        begin(&others[i]);
    }
    for (int i = 0; i < OTHERS; i++) {
        join(&others[i]);
        check_note("(thread %d, after %ld ms)", i, others[i].ms);
        must(others[i].ms < IN_TIME_MS);
        if (!or_ok || others[i].err != TW_OK) {
            must_err(want, others[i].err);
        }
    }
    check_note("%s", "");
}

static void release(timed *hanging)
{
    fault_script(&s, "# goes on");
    join(hanging);
}

static void finish(void)
{
    for (int i = 0; tw_key_check(key) != TW_OK; i++) { /* it may not be restarted at once */
        must(i < 100);
        usleep(100000);
    }
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* --- Hanging calls. ---------------------------------------------------------------------- */

Test(wait, a_call_that_hangs_is_only_its_own_threads)
{
    static timed hanging;

    start_with(OTHERS, PATIENT_MS);
    fault_script(&s, "C_DeriveKey 1 wait %d", HANG_MS);
    begin_within(&hanging, "C_DeriveKey", 1);
    for (int i = 0; i < 5; i++) {
        all_in_time(TW_OK, false);
    }
    release(&hanging);
    must_ok(hanging.err);
    finish();
}

Test(wait, calls_that_hang_in_every_session_make_the_token_busy)
{
    static timed hanging[2];
    size_t before;

    start_with(2, DEADLINE_MS);
    before = fault_count("C_DeriveKey");
    fault_script(&s, "C_DeriveKey * wait %d", HANG_MS);
    begin(&hanging[0]);
    begin(&hanging[1]);
    wait_for_calls("C_DeriveKey", before + 2);
    all_in_time(TW_ERR_TOKEN_BUSY, false);
    release(&hanging[0]);
    join(&hanging[1]);
    must_ok(hanging[0].err);
    must_ok(hanging[1].err);
    finish();
}

Test(wait, a_call_that_hangs_in_a_module_that_cannot_lock_makes_it_busy)
{
    static const char cannot_lock[] = "C_Initialize * flag CKF_OS_LOCKING_OK CKR_CANT_LOCK\n";
    static timed hanging;

    start_scripted(OTHERS + 1, DEADLINE_MS, cannot_lock);
    fault_script(&s, "%sC_DeriveKey 1 wait %d", cannot_lock, HANG_MS);
    begin_within(&hanging, "C_DeriveKey", 1);
    all_in_time(TW_ERR_TOKEN_BUSY, false);
    release(&hanging);
    must_ok(hanging.err);
    must_size(1, fault_count("most calls in flight"));
    finish();
}

/* Of those who lost the login one logs in, and it hangs. */
Test(wait, a_login_that_hangs_lets_the_others_go_in_time)
{
    static timed hanging;

    start_with(OTHERS + 1, DEADLINE_MS);
    fault_script(&s, "C_DeriveKey 1 logout\nC_Login 1 wait %d", HANG_MS);
    begin_within(&hanging, "C_Login", 1);
    all_in_time(TW_ERR_TOKEN_BUSY, false);
    release(&hanging);
    must_ok(hanging.err);
    finish();
}

Test(wait, a_search_for_the_slot_that_hangs_lets_the_others_go_in_time)
{
    static timed hanging;

    start_with(OTHERS + 1, DEADLINE_MS);
    fault_script(&s, "C_DeriveKey * kill CKR_DEVICE_REMOVED\nC_GetSlotList * wait %d", HANG_MS);
    begin_within(&hanging, "C_GetSlotList", 1);
    all_in_time(TW_ERR_TOKEN_ABSENT, false);
    release(&hanging);
    finish();
}

Test(wait, who_lost_a_session_alone_does_not_wait_for_that_search)
{
    static timed hanging;

    start_with(OTHERS + 1, PATIENT_MS);
    fault_script(&s,
                 "C_DeriveKey 1 kill CKR_DEVICE_REMOVED\nC_GetSlotList * wait %d\n"
                 "C_DeriveKey 2 kill CKR_SESSION_HANDLE_INVALID",
                 HANG_MS);
    begin_within(&hanging, "C_GetSlotList", 1);
    all_in_time(TW_OK, false);
    release(&hanging);
    must_ok(hanging.err);
    finish();
}

Test(wait, an_initialisation_that_hangs_lets_the_others_go_in_time)
{
    static timed hanging;

    start_with(OTHERS + 1, DEADLINE_MS);
    fault_script(&s, "C_DeriveKey ! fail CKR_DEVICE_ERROR\nC_Initialize * wait %d", HANG_MS);
    begin_within(&hanging, "C_Initialize", 1);
    all_in_time(TW_ERR_TOKEN_FAILED, false);
    release(&hanging);
    must_ok(hanging.err);
    finish();
}

/* The restart waits for the call that hangs; who comes meanwhile is served or told soon. */
Test(wait, a_restart_that_a_hanging_call_prevents_lets_the_others_go_in_time)
{
    static timed hanging, restarting;

    start_with(OTHERS + 2, DEADLINE_MS);
    fault_script(&s, "C_DeriveKey 1 wait %d\nC_DeriveKey 2-3 fail CKR_DEVICE_ERROR", HANG_MS);
    begin_within(&hanging, "C_DeriveKey", 1);
    begin_within(&restarting, "C_DeriveKey", 2); /* both failures are its own */
    all_in_time(TW_ERR_TOKEN_FAILED, true);
    join(&restarting);
    must_err(TW_ERR_TOKEN_FAILED, restarting.err);
    must_size(0, fault_count("finalisations with a call in flight"));
    release(&hanging);
    must_ok(hanging.err);
    finish();
}

static void wait_for_waiting(size_t count)
{
    tw_token_counts c = {.size = sizeof(c)};

    for (int i = 0; c.waiting < count; i++) {
        must(i < 5000);
        usleep(1000);
        must_ok(tw_token_stats(token, &c));
    }
}

/* Every retry has to stand in line again, but not for another deadline: the first holds the one
 * session for 2 s, the second loses it at once, and the third has it then for long. */
Test(wait, retries_have_no_deadline_of_their_own)
{
    enum { ALL_MS = 3000, FIRST_MS = 2000 };
    static timed waiting[3];
    size_t before;

    start_with(1, ALL_MS);
    before = fault_count("C_DeriveKey");
    fault_script(&s,
                 "C_DeriveKey 1 wait %d\nC_DeriveKey 2 kill CKR_SESSION_HANDLE_INVALID\n"
                 "C_DeriveKey 3- wait %d",
                 FIRST_MS, HANG_MS);
    begin(&waiting[0]);
    wait_for_calls("C_DeriveKey", before + 1);
    for (size_t i = 1; i < 3; i++) {
        begin(&waiting[i]);
        wait_for_waiting(i);
    }
    join(&waiting[1]);
    check_note("(after %ld ms)", waiting[1].ms);
    must_err(TW_ERR_TOKEN_BUSY, waiting[1].err);
    must(waiting[1].ms < FIRST_MS + ALL_MS - 100);
    check_note("%s", "");
    release(&waiting[0]);
    join(&waiting[2]);
    must_ok(waiting[0].err);
    finish();
}

/* All were at work when it went: the first finds that out, and for all. */
Test(wait, those_who_saw_it_go_do_not_each_look_for_it)
{
    static timed all[OTHERS];
    size_t before;

    start_with(OTHERS, PATIENT_MS);
    before = fault_count("C_DeriveKey");
    fault_script(&s, "C_DeriveKey * wait %d\nC_DeriveKey * kill CKR_DEVICE_REMOVED", HANG_MS);
    for (int i = 0; i < OTHERS; i++) {
        begin(&all[i]);
    }
    wait_for_calls("C_DeriveKey", before + OTHERS);
    before = fault_count("C_GetSlotList");
    fault_script(&s, "C_GetSlotList * none\nC_GetSlotList * wait 5\n"
                     "C_DeriveKey * kill CKR_DEVICE_REMOVED\n"
                     "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT");
    for (int i = 0; i < OTHERS; i++) {
        join(&all[i]);
        must_err(TW_ERR_TOKEN_ABSENT, all[i].err);
    }
    check_note("(%zu looks)", fault_count("C_GetSlotList") - before);
    must(fault_count("C_GetSlotList") - before < 2 * 8); /* two looks, a restart, two more */
    check_note("%s", "");
    fault_script(&s, "# back");
    finish();
}

/* While the token is gone one call looks for it, however long it takes, and the others do not
 * wait for what it finds. */
Test(wait, for_a_token_that_is_gone_one_call_waits_alone)
{
    static const char gone[] = "C_GetSlotList * none\nC_DeriveKey * kill CKR_DEVICE_REMOVED\n"
                               "C_OpenSession 1 wait %d\n"
                               "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT";
    enum { ALL_MS = 6000 }; /* in which all others come, and are told */
    timed looking, other;
    size_t tries;

    start_with(8, ALL_MS);
    fault_script(&s, gone, 0);
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    fault_script(&s, gone, HANG_MS);
    tries = fault_count("C_OpenSession");
    begin(&looking);
    wait_for_calls("C_OpenSession", tries + 1);
    for (int i = 0; i < OTHERS; i++) {
        begin(&other);
        join(&other);
        must_err(TW_ERR_TOKEN_ABSENT, other.err);
        must(other.ms < ALL_MS);
    }
    must_size(tries + 1, fault_count("C_OpenSession"));
    usleep((ALL_MS + 100) * 1000);
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key)); /* the next looks in its place */
    must(fault_count("C_OpenSession") > tries + 1);
    release(&looking);
    must_ok(tw_key_check(key));
    fault_script(&s, "C_DeriveKey 1 wait %d", HANG_MS);
    tries = fault_count("C_DeriveKey");
    begin(&looking); /* it is back: a call that hangs is one of many again */
    wait_for_calls("C_DeriveKey", tries + 1);
    must_ok(tw_key_check(key));
    release(&looking);
    must_ok(looking.err);
    finish();
}

/* The next has looked in the place of one that hung: that one's end is not its own. */
Test(wait, for_a_token_that_is_gone_no_two_look_though_one_hung)
{
    static const char gone[] = "C_GetSlotList * none\nC_DeriveKey * kill CKR_DEVICE_REMOVED\n"
                               "C_OpenSession 1 wait %d\nC_OpenSession %d wait %d\n"
                               "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT";
    timed hung, looking;
    size_t tries;

    start_with(8, 3000);
    fault_script(&s, gone, 0, 1, 0);
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    fault_script(&s, gone, 4500, 2, HANG_MS);
    tries = fault_count("C_OpenSession");
    begin(&hung);
    wait_for_calls("C_OpenSession", tries + 1);
    usleep(3100 * 1000);
    begin(&looking);
    wait_for_calls("C_OpenSession", tries + 2);
    join(&hung);
    must_err(TW_ERR_TOKEN_ABSENT, hung.err);
    tries = fault_count("C_OpenSession");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_size(tries, fault_count("C_OpenSession"));
    release(&looking);
    finish();
}
