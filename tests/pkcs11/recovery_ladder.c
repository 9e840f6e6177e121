/* SPDX-License-Identifier: Apache-2.0 */
/* What is lost, step by step up the ladder, and that it comes back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

/* Counts since `begin_counting`. */
static size_t counted(const char *what, bool begin)
{
    static struct {
        const char *what;
        size_t before;
    } marks[16];
    size_t i = 0;

    while (marks[i].what != NULL && strcmp(marks[i].what, what) != 0) {
        i++;
    }
    marks[i].what = what;
    if (begin) {
        marks[i].before = fault_count(what);
    }
    return fault_count(what) - marks[i].before;
}

static void count_anew(void)
{
    static const char *const all[] = {"C_Initialize", "C_Finalize",  "C_OpenSession",
                                      "C_Login",      "C_DeriveKey", "C_GetSlotList"};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        (void)counted(all[i], true);
    }
}

static size_t count(const char *what)
{
    return counted(what, false);
}

static void start(void)
{
    fault_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    count_anew();
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(ladder, .init = start, .fini = end);

static void must_work(void)
{
    check_note("(%s)", s.event_message);
    must_ok(tw_key_check(key));
    must_no_event(&s);
    check_note("%s", "");
}

static void well_again(void)
{
    fault_script(&s, "# well again");
}

static void finish(void)
{
    well_again();
    must_work();
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* --- (a) Sessions, logins, handles. ---------------------------------------------------------- */

Test(ladder, a_session_that_dies_costs_one_retry)
{
    static const char *const codes[] = {"CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED",
                                        "CKR_USER_NOT_LOGGED_IN", "CKR_KEY_HANDLE_INVALID",
                                        "CKR_OBJECT_HANDLE_INVALID"};
    static const char *const calls[] = {"C_DeriveKey", "C_GetAttributeValue"};

    for (size_t i = 0; i < 10; i++) {
        fault_script(&s, "%s 1 kill %s", calls[i % 2], codes[i / 2]);
        count_anew();
        must_work();
        must_size(2, count("C_DeriveKey"));
        must_size(1, count("C_OpenSession"));
        must_size(1, count("C_Login")); /* it was the only session */
        must_size(0, count("C_Initialize"));
    }
    finish();
}

Test(ladder, sessions_that_die_one_after_the_other_cost_no_request)
{
    fault_script(&s, "C_DeriveKey /2 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_GetAttributeValue /50 kill CKR_SESSION_CLOSED");
    for (int i = 0; i < 100; i++) {
        must_work();
    }
    must_size(0, count("C_Initialize"));
    finish();
}

Test(ladder, a_session_that_says_it_is_well_is_not_believed)
{
    fault_script(&s, "C_DeriveKey 1 fail CKR_USER_NOT_LOGGED_IN");
    must_work();
    must_size(1, count("C_OpenSession"));
    finish();
}

Test(ladder, a_logout_before_any_call_of_an_operation_is_overcome)
{
    for (int n = 1; n <= 3; n++) {
        fault_script(&s, "* %d logout", n);
        must_work();
    }
    finish();
}

/* --- Handles that name something else. ---------------------------------------------------------
 */

Test(ladder, no_other_key_is_used_whose_handle_was_this_ones)
{
    tw_key *other = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "b");
    size_t wrong = 0;

    for (int i = 0; i < 6; i++) {
        tw_key *first = i % 2 == 0 ? other : key, *second = i % 2 == 0 ? key : other;

        /* Each restart numbers handles by who is looked for first. */
        fault_script(&s, "C_Initialize * renumber\nC_DeriveKey ! fail CKR_DEVICE_ERROR");
        usleep(i == 0 ? 0 : 600000);
        for (int tries = 0; tw_key_check(first) != TW_OK; tries++) {
            must(tries < 200);
            usleep(100000);
        }
        stand_forget(&s);
        must_ok(tw_key_check(second)); /* which would say KEY if it were the other */
        wrong += count("C_Initialize") != (size_t)i + 1;
        fault_script(&s, "C_Initialize * renumber");
    }
    must_size(0, wrong);
    tw_key_free(other);
    finish();
}

Test(ladder, a_logout_that_renumbers_uses_no_other_key)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    tw_key *other = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "b");

    fault_script(&s, "C_Initialize * renumber\nC_DeriveKey ! fail CKR_DEVICE_ERROR");
    must_work();
    for (int i = 0; i < 6; i++) {
        CK_SESSION_HANDLE session = raw_session(&s, fn);

        must(fn->C_Logout(session) == CKR_OK);
        must(fn->C_CloseSession(session) == CKR_OK);
        must_ok(tw_key_check(i % 2 == 0 ? other : key));
        must_ok(tw_key_check(i % 2 == 0 ? key : other));
    }
    tw_key_free(other);
    finish();
}

/* The login is the application's: what one token of ours does to it ends the handles that
 * another has, whose sessions live on. */
Test(ladder, another_tokens_login_ends_handles_too)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    tw_token *second = stand_open(&s);
    tw_key *theirs = stand_key(&s, second, TW_KEM_P256_HKDF_SHA256, "b");
    CK_SESSION_HANDLE session;

    fault_script(&s, "C_Initialize * renumber\nC_DeriveKey ! fail CKR_DEVICE_ERROR");
    must_ok(tw_key_check(theirs)); /* theirs has the first number */
    must_work();
    session = raw_session(&s, fn);
    must(fn->C_Logout(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    must_work(); /* and now ours has it */
    must_ok(tw_key_check(theirs));
    must_no_event(&s);
    tw_key_free(theirs);
    tw_token_free(second);
    finish();
}

/* --- (b) The device.
 * ------------------------------------------------------------------------------ */

#define REMOVED                                                                                    \
    "C_GetSlotList * none\n"                                                                       \
    "C_GetTokenInfo * fail CKR_TOKEN_NOT_PRESENT\n"                                                \
    "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT\n"                                                 \
    "C_DeriveKey * kill CKR_DEVICE_REMOVED\n"                                                      \
    "C_GetAttributeValue * kill CKR_DEVICE_REMOVED\n"                                              \
    "C_GetSessionInfo * kill CKR_DEVICE_REMOVED\n"                                                 \
    "C_FindObjectsInit * kill CKR_DEVICE_REMOVED\n"

Test(ladder, a_card_that_is_pulled_is_absent_and_one_put_back_is_found)
{
    fault_script(&s, REMOVED);
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
        must_size(1, s.events);
        must(s.event_rv == CKR_DEVICE_REMOVED || s.event_rv == CKR_TOKEN_NOT_PRESENT);
        stand_forget(&s);
    }
    finish();
}

Test(ladder, a_card_put_into_another_reader_is_found)
{
    fault_script(&s, REMOVED);
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    stand_forget(&s);
    fault_script(&s, "* * slots 4711");
    must_work();
    fault_script(&s, "* * slots 42\nC_DeriveKey 1 kill CKR_DEVICE_REMOVED");
    must_work();
    must_size(2, count("C_Login"));
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* --- (c) The module.
 * ---------------------------------------------------------------------------------- */

Test(ladder, an_error_that_lasts_restarts_the_module_once)
{
    static const char *const codes[] = {"CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR",
                                        "CKR_FUNCTION_FAILED", "0x1e7", "0x70007"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        count_anew();
        fault_script(&s, "C_DeriveKey ! fail %s", codes[i]);
        must_work();
        must_size(1, count("C_Finalize"));
        must_size(1, count("C_Initialize"));
        finish();
        token = stand_open(&s); /* a new one need not wait until it may be restarted again */
        must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    }
    finish();
}

/* Meanwhile its tokens are absent, whatever it says of that. */
Test(ladder, a_module_that_does_not_come_up_is_tried_again)
{
    fault_script(&s, "C_DeriveKey ! fail CKR_DEVICE_ERROR\n"
                     "C_Initialize 1-2 fail CKR_GENERAL_ERROR");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, "C_DeriveKey", CKR_DEVICE_ERROR, "");
    if (tw_key_check(key) != TW_OK) { /* half a second may have passed */
        must_event(&s, TW_ERR_TOKEN_ABSENT, "C_Initialize", CKR_GENERAL_ERROR, "a short while ago");
    }
    for (int i = 0; tw_key_check(key) != TW_OK; i++) {
        must(i < 50);
        usleep(100000);
    }
    stand_forget(&s);
    finish();
}

/* Who did initialise it must not forget that because it could not be finalised once. */
Test(ladder, a_module_that_would_not_be_finalised_is_still_ours)
{
    fault_script(&s, "C_DeriveKey 1-2 fail CKR_DEVICE_ERROR\n"
                     "C_Finalize 1 fail CKR_GENERAL_ERROR");
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "C_Finalize to restart");
    must_work();
    tw_key_free(key);
    tw_token_free(token);
    must_size(2, count("C_Finalize"));
    fault_clean(NULL);
}

/* Nor because it would then say that it could not be initialised either. */
Test(ladder, a_module_that_does_neither_is_still_ours)
{
    size_t before = fault_count("C_Finalize");

    fault_script(&s, "* * fail CKR_GENERAL_ERROR");
    must(tw_key_check(key) != TW_OK);
    stand_forget(&s);
    must_size(before + 1, fault_count("C_Finalize"));
    fault_script(&s, "# well again");
    usleep(600000); /* it may be restarted again */
    must_work();
    tw_key_free(key);
    tw_token_free(token);
    must(stand_raw(&s)->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
    fault_clean("calls without an initialisation");
}

Test(ladder, a_module_of_others_is_not_finalised)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    tw_key_free(key);
    tw_token_free(token);
    must(fn->C_Initialize(&args) == CKR_OK);
    token = stand_open(&s);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    count_anew();
    fault_script(&s, "C_DeriveKey * fail CKR_GENERAL_ERROR");
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
        stand_forget(&s);
    }
    finish();
    must_size(0, count("C_Finalize"));
    must(fn->C_Finalize(NULL) == CKR_OK);
}

static void rename_key(CK_OBJECT_CLASS class, const char *from, const char *id, const char *label)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_ATTRIBUTE names[] = {{CKA_ID, (void *)(uintptr_t)id, strlen(id)},
                            {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};

    must(fn->C_SetAttributeValue(session, raw_find(fn, session, class, from), names, 2) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

/* Another key of that label, which may not be used just so, is not used to find that out. */
Test(ladder, a_key_is_found_by_its_public_half_before_any_other_is_used)
{
    uint8_t pk[TW_MAX_PUBLIC];

    tw_key_free(key);
    rename_key(CKO_PUBLIC_KEY, "a", "a\x10", "other");
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "b");
    memcpy(pk, key->public_key, key->kem->public_len);
    tw_key_free(key);
    rename_key(CKO_PRIVATE_KEY, "b", "", "a");
    rename_key(CKO_PUBLIC_KEY, "b", "", "a");
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), pk, 65, &key));
    fault_script(&s, "C_DeriveKey 1 fail CKR_GENERAL_ERROR\n"
                     "C_DeriveKey * key CKA_ID= CKR_USER_NOT_LOGGED_IN");
    must_work();
    finish();
}

/* Nor is one taken for it that has its public half beside it, being of its name. */
Test(ladder, a_key_of_the_same_id_and_label_is_told_by_its_use)
{
    tw_key_free(key);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "b");
    rename_key(CKO_PRIVATE_KEY, "a", "b\x10", "b");
    must_work();
    fault_script(&s, "C_DeriveKey 1 fail CKR_GENERAL_ERROR");
    must_work();
    finish();
}

/* Tokens of ours on one module: what restarts for one brings the other along. */
Test(ladder, a_restart_takes_the_other_tokens_of_the_module_along)
{
    tw_token *second = stand_open(&s);
    tw_key *theirs;

    must_ok(tw_token_find_key(second, stand_uri(&s, ";object=a"), NULL, 0, &theirs));
    fault_script(&s, "C_Initialize * renumber\nC_DeriveKey ! fail CKR_DEVICE_ERROR");
    must_work();
    must_ok(tw_key_check(theirs));
    must_work();
    must_size(1, count("C_Initialize"));
    must_no_event(&s);
    tw_key_free(theirs);
    tw_token_free(second);
    finish();
}
