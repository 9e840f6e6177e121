/* SPDX-License-Identifier: Apache-2.0 */
/* A fork beside an initialisation that hangs, and a child in which it does. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

/* What hangs does so far longer than any machine is busy with other things. */
enum {
    DEADLINE_MS = 500,
    IN_TIME_MS = 10000,
    HANG_MS = 60000,
    CHILD_FAILED = 1,
};

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    fault_softhsm(&s);
    s.options.deadline_ms = DEADLINE_MS;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    s.options.event = NULL;
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(hang, .init = start, .fini = end, .timeout = 60);

static void finish(void)
{
    must_ok(tw_key_check(key));
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

static void *use(void *arg)
{
    *(tw_err *)arg = tw_key_check(key);
    return NULL;
}

static void wait_for_one_more(size_t before)
{
    for (int i = 0; fault_count("C_Initialize") == before; i++) {
        must(i < 10000);
        usleep(1000);
    }
}

/* A thread whose use of the key initialises the module, once `lost` has befallen it. */
static void begin(const char *lost, pthread_t *thread, tw_err *err)
{
    size_t before = fault_count("C_Initialize");

    fault_script(&s, "%s\nC_Initialize 1 wait %d", lost, HANG_MS);
    must(pthread_create(thread, NULL, use, err) == 0);
    wait_for_one_more(before);
}

static int only_free(void)
{
    tw_key_free(key);
    tw_token_free(token);
    return 0;
}

static int use_and_free(void)
{
    for (int i = 0; i < 3; i++) {
        if (tw_key_check(key) != TW_OK) {
            return CHILD_FAILED;
        }
    }
    only_free();
    return fault_count("calls in a child on what its parent initialised") == 0 &&
                   fault_count("sessions left open") == 0
               ? 0
               : CHILD_FAILED;
}

Test(hang, of_an_initialisation_does_not_keep_who_forks)
{
    struct timespec begun;
    pthread_t thread;
    tw_err err;

    begin("C_DeriveKey ! fail CKR_DEVICE_ERROR", &thread, &err);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    must_succeed(only_free);
    must(ms_since(&begun) < IN_TIME_MS);
    must_succeed(use_and_free); /* its own does not hang, and SoftHSM bears no two at once */
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
    finish();
}

static int wait_in_vain(void)
{
    struct timespec begun;
    pthread_t thread;
    tw_err err;

    begin("# nothing", &thread, &err);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    return tw_key_check(key) == TW_ERR_TOKEN_FAILED && ms_since(&begun) < IN_TIME_MS ? 0
                                                                                     : CHILD_FAILED;
}

Test(hang, of_a_childs_initialisation_keeps_its_other_threads_until_the_deadline)
{
    must_succeed(wait_in_vain);
    fault_script(&s, "# the child's alone");
    finish();
}

static int open_and_use(void)
{
    return tw_token_open(stand_uri(&s, ""), &s.options, &token) == TW_OK &&
                   tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key) == TW_OK
               ? use_and_free()
               : CHILD_FAILED;
}

/* The module is down in the parent, and a thread there is about to bring it up. */
Test(hang, of_an_initialisation_anew_is_not_the_childs_that_opens_a_token)
{
    pthread_t thread;
    tw_err err;

    fault_script(&s, "C_DeriveKey * fail CKR_DEVICE_ERROR\nC_Initialize * fail CKR_GENERAL_ERROR");
    must(tw_key_check(key) != TW_OK);
    usleep(600000); /* not again at once */
    begin("# well again", &thread, &err);
    must_succeed(open_and_use);
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
    finish();
}

static void *open_token(void *arg)
{
    *(tw_err *)arg = tw_token_open(stand_uri(&s, ""), &s.options, &token);
    return NULL;
}

/* Who opens a token brings it up; and so would who uses one. */
Test(hang, of_a_module_that_is_down_keeps_no_use_beyond_its_deadline)
{
    tw_token *mine = token;
    struct timespec begun;
    pthread_t thread;
    size_t before;
    tw_err err;

    fault_script(&s, "C_DeriveKey * fail CKR_DEVICE_ERROR\nC_Initialize * fail CKR_GENERAL_ERROR");
    must(tw_key_check(key) != TW_OK);
    usleep(600000); /* not again at once */
    fault_script(&s, "C_Initialize 1 wait 20000");
    before = fault_count("C_Initialize");
    must(pthread_create(&thread, NULL, open_token, &err) == 0);
    wait_for_one_more(before);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    must(tw_key_check(key) != TW_OK);
    must(ms_since(&begun) < IN_TIME_MS);
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
    tw_token_free(token);
    token = mine;
    usleep(600000);
    finish();
}

/* One that takes one call at a time: a token there waits for the call of another's, as it is freed.
 */
Test(hang, of_another_call_leaves_no_session_of_a_token_that_is_freed)
{
    static const char cannot_lock[] = "C_Initialize * flag CKF_OS_LOCKING_OK CKR_CANT_LOCK\n";
    tw_token *other;
    pthread_t thread;
    size_t before;
    tw_err err;

    tw_key_free(key);
    tw_token_free(token);
    fault_script(&s, "%s", cannot_lock);
    must_ok(tw_token_open(stand_uri(&s, ""), &s.options, &token));
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    must_ok(tw_token_open(stand_uri(&s, ""), &s.options, &other));
    fault_script(&s, "%sC_DeriveKey 1 wait %d", cannot_lock, 4 * DEADLINE_MS);
    before = fault_count("C_DeriveKey");
    must(pthread_create(&thread, NULL, use, &err) == 0);
    for (int i = 0; fault_count("C_DeriveKey") == before; i++) {
        must(i < 10000);
        usleep(1000);
    }
    tw_token_free(other);
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
    finish();
}

/* --- A module that hangs as it is loaded. ---------------------------------------------------- */

static int nothing(void)
{
    return 0;
}

static void hear(void *told, const tw_token_event *event)
{
    *(bool *)told = strstr(event->message, "was forked while") != NULL;
}

/* What is taken in the child for good is not waited for. */
static int opens_none(void)
{
    tw_token_options options = s.options;
    bool told = false;
    tw_err err;

    options.event = hear;
    options.arg = &told;
    err = tw_token_open(stand_uri(&s, ""), &options, &token);
    if (err != TW_ERR_TOKEN_FAILED || !told) {
        return CHILD_FAILED;
    }
    options.module = NULL; /* nor where p11-kit's configuration is asked */
    return tw_token_open("pkcs11:token=none", &options, &token) == TW_ERR_TOKEN_FAILED
               ? 0
               : CHILD_FAILED;
}

TestSuite(load, .fini = end, .timeout = 60);

Test(load, of_a_module_does_not_keep_who_forks)
{
    struct timespec begun;
    pthread_t thread;
    tw_err err;

    fault_softhsm(&s);
    s.options.module = s.module;
    fault_script(&s, "C_GetFunctionList 1 wait %d", HANG_MS);
    must(pthread_create(&thread, NULL, open_token, &err) == 0);
    for (int i = 0; fault_count("C_GetFunctionList") == 0; i++) {
        must(i < 10000);
        usleep(1000);
    }
    clock_gettime(CLOCK_MONOTONIC, &begun);
    must_succeed(opens_none);
    must(ms_since(&begun) < IN_TIME_MS);
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
    must_succeed(nothing); /* the lock is as it was */
    tw_token_free(token);
    fault_clean(NULL);
}
