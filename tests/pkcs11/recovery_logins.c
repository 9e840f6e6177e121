/* SPDX-License-Identifier: Apache-2.0 */
/* Which PINs are sent after a login that failed, when the ladder would have them sent again. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

#define VENDOR "0x800000a0"

static stand s;
static tw_token *token;
static tw_key *key;
static size_t before;

static void start(void)
{
    fault_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    before = fault_count("C_Login");
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(logins, .init = start, .fini = end);

static size_t logins(void)
{
    return fault_count("C_Login") - before;
}

static void must_work(void)
{
    check_note("(%s)", s.event_message);
    must_ok(tw_key_check(key));
    check_note("%s", "");
}

static void leave(void)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

static void finish(void)
{
    fault_script(&s, "# well again");
    must_work();
    leave();
}

Test(logins, no_pin_is_sent_when_the_last_try_is_near)
{
    fault_script(&s, "C_GetTokenInfo * set CKF_USER_PIN_FINAL_TRY\n"
                     "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID");
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "one more wrong PIN");
    }
    must_size(0, logins());
    finish();
}

Test(logins, a_pin_that_was_refused_on_the_way_is_not_sent_again)
{
    fault_script(&s, "C_DeriveKey /1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_Login * fail CKR_PIN_INCORRECT");
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        stand_forget(&s);
    }
    must_size(1, logins());
    fault_script(&s, "# well again");
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key)); /* by now it would be right */
    must_size(1, logins());
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* A device that fails says nothing of a PIN that was good a moment ago. */
Test(logins, one_that_fails_otherwise_is_tried_once_more)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_Login 1 fail CKR_FUNCTION_FAILED");
    must_work();
    must_size(2, logins());
    finish();
}

Test(logins, a_vendors_code_may_mean_a_wrong_pin_and_gets_it_twice_at_most)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\nC_Login * fail " VENDOR);
    for (int i = 0; i < 4; i++) {
        must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
        stand_forget(&s);
        usleep(600000); /* a restart is allowed again */
    }
    must_size(2, logins());
    leave();
}

/* It was good before: so it is sent again soon, but ever more seldom. */
Test(logins, a_device_that_fails_gets_it_again_after_longer_and_longer_pauses)
{
    static const char *const codes[] = {"CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR"};

    for (size_t i = 0; i < 2; i++) {
        struct timespec begun;

        before = fault_count("C_Login");
        fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\nC_Login * fail %s",
                     codes[i]);
        clock_gettime(CLOCK_MONOTONIC, &begun);
        while (ms_since(&begun) < 1000) {
            must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
            stand_forget(&s);
            usleep(10000);
        }
        must(logins() >= 3 && logins() <= 5);
        fault_script(&s, "# well again");
        for (int tries = 0; tw_key_check(key) != TW_OK; tries++) {
            must(tries < 1000);
            usleep(10000);
        }
        stand_forget(&s);
    }
    finish();
}

/* Where no PIN was ever accepted, the module has to begin anew before it gets this one again:
 * and tw_token_open does not restart it. */
Test(logins, opening_sends_it_once)
{
    fault_script(&s, "C_Login * fail " VENDOR);
    tw_key_free(key);
    tw_token_free(token);
    before = fault_count("C_Login");
    must_err(TW_ERR_TOKEN_FAILED,
             tw_token_open("pkcs11:token=hpke?pin-value=wrong", &s.options, &token));
    must_size(1, logins());
}

static void put_pin(const char *pin)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/pin", s.dir);
    write_file(path, pin);
}

Test(logins, several_refused_pins_are_remembered)
{
    static const char *const pins[] = {"wrong-1", "wrong-2", "wrong-3", "wrong-4"};
    char uri[256];

    tw_key_free(key);
    tw_token_free(token);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?pin-source=%s/pin", s.dir);
    put_pin(STAND_PIN);
    must_ok(tw_token_open(uri, &s.options, &token));
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    before = fault_count("C_Login");
    fault_script(&s, "C_DeriveKey * kill CKR_SESSION_HANDLE_INVALID");
    for (size_t i = 0; i < 8; i++) {
        put_pin(pins[i % 4]);
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        stand_forget(&s);
    }
    must_size(4, logins());
    put_pin(STAND_PIN "\n");
    finish();
}

Test(logins, a_pin_refused_as_locked_is_good_again_once_the_token_is_unlocked)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_Login 1 fail CKR_PIN_LOCKED\n"
                     "C_GetTokenInfo 2-3 set CKF_USER_PIN_LOCKED");
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        must_event(&s, TW_ERR_TOKEN_PIN, i == 0 ? "C_Login" : "C_GetTokenInfo", CKR_PIN_LOCKED,
                   "security officer");
    }
    must_size(1, logins());
    must_work();
    must_size(2, logins());
    tw_key_free(key);
    tw_token_free(token);
}

/* Another card in the reader does not get the first one's PIN, and loses none of its tries. */
Test(logins, no_pin_is_sent_to_another_token_in_the_slot)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_DEVICE_REMOVED\nC_GetTokenInfo 2- serial other");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "another token is in its slot");
    must_size(0, logins());
    finish();
}

/* As SoftHSM is on a read-only file system, once it was logged into. It serves another session. */
Test(logins, a_token_that_cannot_tell_of_itself_needs_no_restart_while_its_user_is_there)
{
    CK_SESSION_HANDLE other = raw_session(&s, stand_raw(&s));
    size_t restarts = fault_count("C_Finalize");

    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_GetTokenInfo * fail CKR_GENERAL_ERROR");
    must_work();
    must_size(0, logins());
    must_size(restarts, fault_count("C_Finalize"));
    must(stand_raw(&s)->C_CloseSession(other) == CKR_OK);
    finish();
}

/* The person at the reader is asked once for one operation. */
Test(logins, who_types_on_the_token_is_asked_once)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_script(&s, "C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH\n"
                     "C_Login * pinpad " STAND_PIN);
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must_ok(tw_token_find_key(token, stand_uri_without_pin(&s, ";object=a"), NULL, 0, &key));
    before = fault_count("C_Login");
    fault_script(&s, "C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH\n"
                     "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_Login 1 fail CKR_FUNCTION_FAILED\n"
                     "C_Login * pinpad " STAND_PIN);
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_size(1, logins());
    stand_forget(&s);
    must_work();
    must_size(2, logins());
    leave();
}

/* --- Keys that want a login for each use. ------------------------------------------------------
 */

#define EACH_USE                                                                                   \
    "C_GetAttributeValue * answer CKA_ALWAYS_AUTHENTICATE 01\n"                                    \
    "C_Login * context " STAND_PIN "\n"                                                            \
    "C_DeriveKey * fresh CKR_USER_NOT_LOGGED_IN\n"

static void find_again(const char *script)
{
    tw_key_free(key);
    fault_script(&s, "%s", script);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    before = fault_count("C_Login");
}

Test(logins, a_key_that_wants_one_for_each_use_gets_it_before_the_derive)
{
    find_again(EACH_USE);
    for (int i = 0; i < 3; i++) {
        must_work();
    }
    must_size(3, logins());
    finish();
}

/* To look whether a private key is the one by its use would be one use, with a login, more. */
Test(logins, such_a_key_is_not_used_to_be_found_again)
{
    find_again(EACH_USE);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    before = fault_count("C_DeriveKey");
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n" EACH_USE);
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_size(before + 1, fault_count("C_DeriveKey"));
    stand_forget(&s);
    tw_key_free(key);
    tw_token_free(token);
}

Test(logins, on_a_pad_the_pin_is_typed_once_for_each_use)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_script(&s, "C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH\n"
                     "C_Login * pinpad " STAND_PIN "\n" EACH_USE);
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must_ok(tw_token_find_key(token, stand_uri_without_pin(&s, ";object=a"), NULL, 0, &key));
    before = fault_count("C_Login");
    for (int i = 0; i < 3; i++) {
        must_work();
    }
    must_size(3, logins());
    leave();
}

static void *use_once(void *arg)
{
    tw_err *err = arg;

    *err = tw_key_check(key);
    return NULL;
}

Test(logins, no_other_use_comes_between_that_login_and_the_derive)
{
    tw_err errs[2];
    pthread_t threads[2];
    size_t derived;

    find_again(EACH_USE);
    derived = fault_count("C_DeriveKey");
    fault_script(&s, EACH_USE "C_DeriveKey 1 wait 20000");
    must(pthread_create(&threads[0], NULL, use_once, &errs[0]) == 0);
    while (fault_count("C_DeriveKey") == derived) {
        usleep(1000);
    }
    must(pthread_create(&threads[1], NULL, use_once, &errs[1]) == 0);
    usleep(200000);
    must_size(1, logins()); /* its login would count for the other's derive */
    fault_script(&s, EACH_USE);
    for (int i = 0; i < 2; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        must_ok(errs[i]);
    }
    must_size(2, logins());
    finish();
}

Test(logins, a_token_that_wants_no_login_without_an_operation_may_derive)
{
    find_again("C_GetAttributeValue * answer CKA_ALWAYS_AUTHENTICATE 01\n"
               "C_Login * fail CKR_OPERATION_NOT_INITIALIZED");
    must_work();
    must_size(1, logins());
    finish();
}

Test(logins, a_pin_refused_for_one_use_is_not_sent_for_the_next)
{
    find_again(EACH_USE);
    fault_script(&s, "C_Login * fail CKR_PIN_INCORRECT");
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        stand_forget(&s);
    }
    must_size(1, logins());
    leave();
}

/* --- Where no session says whether it is a user's. ---------------------------------------------
 */

static void *use_thrice(void *arg)
{
    tw_err *err = arg;

    for (int i = 0; i < 3 && *err == TW_OK; i++) {
        *err = tw_key_check(key);
    }
    return NULL;
}

/* Each session logs in once, and each login ends the handles of all: that is no reason to begin all
 * sessions anew. */
Test(logins, of_sessions_that_do_not_say_come_once)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    tw_err errs[THREADS] = {TW_OK};

    fault_script(&s, "C_GetSessionInfo * fail CKR_FUNCTION_NOT_SUPPORTED\nC_DeriveKey * wait 50");
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, use_thrice, &errs[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        must_ok(errs[i]);
    }
    must(logins() <= THREADS);
    finish();
}
