/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, logins, slots and modules lost underneath, and what brings them back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "stand.h"

#define ALWAYS 1, ~0u

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    stand_shim(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(recover, .init = start, .fini = end);

static void finish(void)
{
    tw_key_free(key);
    tw_token_free(token);
    must_size(0, (size_t)shim_state()->sessions);
}

static void must_recover(void)
{
    check_note("(%s)", s.event_message);
    must_ok(tw_key_check(key));
    must_no_event(&s);
    check_note("%s", "");
}

static CK_SLOT_ID slot_of(CK_FUNCTION_LIST *fn)
{
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_SESSION_INFO info;

    must(fn->C_GetSessionInfo(session, &info) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    return info.slotID;
}

static void log_out(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);

    must(fn->C_Logout(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

Test(recover, from_a_logout)
{
    log_out();
    must_recover();
    must_size(1, shim_state()->logins);
    must_recover();
    must_size(1, shim_state()->logins);
    finish();
}

Test(recover, from_all_sessions_closed)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);

    must(fn->C_CloseAllSessions(slot_of(fn)) == CKR_OK);
    must_recover();
    must_size(1, shim_state()->logins);
    tw_key_free(key);
    tw_token_free(token);
}

Test(recover, from_a_module_that_someone_finalised)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);

    must(fn->C_Finalize(NULL) == CKR_OK);
    must_recover();
    must_recover();
    must_size(1, shim_state()->calls[SHIM_Initialize]);
    finish();
    must(fn->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* SoftHSM numbers its objects anew, and otherwise, at each initialisation. */
Test(recover, and_never_uses_another_key_whose_handle_was_this_ones)
{
    static const char *const labels[] = {"b", "c", "d", "e"};
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_OBJECT_HANDLE before, after = 0;
    unsigned changes = 0;

    for (size_t i = 0; i < 4; i++) {
        tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, labels[i]));
    }
    for (int round = 0; round < 20; round++) {
        CK_SESSION_HANDLE session = raw_session(&s, fn);

        before = raw_find(fn, session, CKO_PRIVATE_KEY, "a");
        must(fn->C_Finalize(NULL) == CKR_OK);
        must(fn->C_Initialize(&args) == CKR_OK);
        must_recover();
        session = raw_session(&s, fn);
        after = raw_find(fn, session, CKO_PRIVATE_KEY, "a");
        changes += before != after;
    }
    must(changes > 0);
    tw_key_free(key);
    tw_token_free(token);
}

Test(recover, finds_a_key_again_whose_public_half_the_caller_gave)
{
    uint8_t pk[TW_MAX_PUBLIC];
    size_t len = key->kem->public_len;

    memcpy(pk, key->public_key, len);
    tw_key_free(key);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), pk, len, &key));
    log_out();
    must_recover();
    finish();
}

/* SoftHSM was seen to hide one object until initialised anew. */
Test(recover, finds_a_key_again_whose_public_half_is_gone)
{
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    log_out();
    must_recover();
    must_size(0, shim_state()->calls[SHIM_Finalize]);
    finish();
}

static void destroy_key(void)
{
    raw_destroy(&s, CKO_PRIVATE_KEY, "a");
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
}

Test(recover, refuses_another_key_of_the_same_name)
{
    tw_key *other;

    destroy_key();
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no longer has the key");
    other = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    log_out();
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no longer has the key");
    must_ok(tw_key_check(other));
    tw_key_free(other);
    finish();
}

/* --- What the device says of itself. ------------------------------------------------------- */

static void must_recover_from(shim_function function, CK_RV rv)
{
    shim_clear();
    check_note("(0x%lx)", rv);
    shim_says((shim_rule){function, 1, 1, rv, 0, NULL});
    must_recover();
    must(shim_state()->calls[function] > 1);
}

Test(recover, from_one_failure_of_each_kind)
{
    static const CK_RV codes[] = {CKR_SESSION_HANDLE_INVALID,
                                  CKR_SESSION_CLOSED,
                                  CKR_USER_NOT_LOGGED_IN,
                                  CKR_KEY_HANDLE_INVALID,
                                  CKR_OBJECT_HANDLE_INVALID,
                                  CKR_DEVICE_REMOVED,
                                  CKR_TOKEN_NOT_PRESENT,
                                  CKR_DEVICE_ERROR,
                                  CKR_GENERAL_ERROR,
                                  CKR_FUNCTION_FAILED,
                                  0x1e7,
                                  0x80000001};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        must_recover_from(SHIM_DeriveKey, codes[i]);
        must_recover_from(SHIM_GetAttributeValue, codes[i]);
    }
    finish();
}

Test(recover, does_not_repeat_a_refusal)
{
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_KEY_FUNCTION_NOT_PERMITTED, 0, NULL});
    must_err(TW_ERR_TOKEN_POLICY, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_KEY_FUNCTION_NOT_PERMITTED,
               "use key 'a'");
    must_size(1, shim_state()->calls[SHIM_DeriveKey]);
    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_HOST_MEMORY, 0, NULL});
    must_err(TW_ERR_MEMORY, tw_key_check(key));
    must_event(&s, TW_ERR_MEMORY, "C_DeriveKey", CKR_HOST_MEMORY, "");
    must_size(1, shim_state()->calls[SHIM_DeriveKey]);
    finish();
}

Test(recover, restarts_a_module_of_its_own_when_an_error_lasts)
{
    shim_says((shim_rule){SHIM_DeriveKey, 1, 2, CKR_DEVICE_ERROR, 0, NULL});
    must_recover();
    must_size(1, shim_state()->calls[SHIM_Finalize]);
    must_size(1, shim_state()->calls[SHIM_Initialize]);
    finish();
}

/* The pauses between them grow only where they do not help. */
Test(recover, from_errors_that_last_until_each_restart)
{
    for (int i = 0; i < 4; i++) {
        shim_clear();
        shim_says((shim_rule){SHIM_DeriveKey, 1, 2, CKR_DEVICE_ERROR, 0, NULL});
        must_recover();
        usleep(600000);
    }
    finish();
}

Test(recover, from_a_module_that_fails_once_to_come_up)
{
    shim_says((shim_rule){SHIM_DeriveKey, 1, 2, CKR_DEVICE_ERROR, 0, NULL});
    shim_says((shim_rule){SHIM_Initialize, 1, 1, CKR_GENERAL_ERROR, 0, NULL});
    must_recover();
    must_size(1, shim_state()->calls[SHIM_Finalize]);
    must_size(2, shim_state()->calls[SHIM_Initialize]);
    finish();
}

Test(recover, does_not_restart_again_and_again)
{
    time_t began = time(NULL);

    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_DEVICE_ERROR, 0, NULL});
    for (int i = 0; i < 20; i++) {
        must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
        must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "");
    }
    /* Half a second lies between two at first, then more. */
    must(shim_state()->calls[SHIM_Finalize] <= 1 + 2 * (unsigned)(time(NULL) - began + 1));
    finish();
}

Test(recover, does_not_restart_the_module_of_someone_else)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    finish();
    must(fn->C_Initialize(&args) == CKR_OK);
    token = stand_open(&s);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_DEVICE_ERROR, 0, NULL});
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "who initialised it");
    must_size(0, shim_state()->calls[SHIM_Finalize]);
    finish();
    must(fn->C_Finalize(NULL) == CKR_OK);
}

Test(recover, says_that_a_token_is_gone_and_finds_it_when_it_is_back)
{
    shim_says((shim_rule){SHIM_OpenSession, ALWAYS, CKR_TOKEN_NOT_PRESENT, 0, NULL});
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_DEVICE_REMOVED, 0, NULL});
    shim_says((shim_rule){SHIM_GetTokenInfo, ALWAYS, CKR_TOKEN_NOT_PRESENT, 0, NULL});
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, "C_DeriveKey", CKR_DEVICE_REMOVED, "plug the token in");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, "C_OpenSession", CKR_TOKEN_NOT_PRESENT,
               "plug the token in");
    shim_clear();
    must_recover();
    finish();
}

static void move_tokens(const char *from, const char *to)
{
    char old[128], new[128];

    (void)snprintf(old, sizeof(old), "%s/%s", s.dir, from);
    (void)snprintf(new, sizeof(new), "%s/%s", s.dir, to);
    must(rename(old, new) == 0);
}

Test(recover, from_a_token_directory_that_was_away)
{
    int failures = 0;

    move_tokens("tokens", "away");
    for (int i = 0; i < 3; i++) {
        failures += tw_key_check(key) != TW_OK;
    }
    move_tokens("away", "tokens");
    stand_forget(&s);
    for (int i = 0; tw_key_check(key) != TW_OK; i++) {
        must(i < 100);
        usleep(100000);
    }
    stand_forget(&s);
    must_recover();
    must(failures == 0 || failures == 3);
    finish();
}

/* 0.5 s lie between the first two, one between the next. */
Test(recover, restarts_seldom_for_a_key_that_is_gone_where_another_may_serve)
{
    tw_key *other = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "b");
    time_t began = time(NULL);

    destroy_key();
    for (int i = 0; i < 22; i++) {
        must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
        must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no longer has the key");
        usleep(100000);
    }
    must(shim_state()->calls[SHIM_Finalize] <= 3 || time(NULL) - began > 3);
    must_ok(tw_key_check(other));
    tw_key_free(other);
    finish();
}

/* SoftHSM looks for keys that were hidden from it once it is initialised anew. */
static void hide_keys(void)
{
    run_quietly("mkdir -p '%s/away' && cd '%s'/tokens/* && for o in *.object; do "
                "test $o = token.object || mv $o '%s/away'; done",
                s.dir, s.dir, s.dir);
}

static void show_keys(void)
{
    run_quietly("mv '%s'/away/* '%s'/tokens/*/", s.dir, s.dir);
}

/* What is a pause for others' sake is none where all that the module has is a token without a
 * key: */
Test(recover, soon_from_keys_that_were_away_for_long)
{
    int checks = 0;

    hide_keys();
    for (int i = 0; i < 20; i++) {
        checks += tw_key_check(key) == TW_ERR_TOKEN_ABSENT;
        usleep(100000);
    }
    must(checks >= 19);
    show_keys();
    for (int i = 0; tw_key_check(key) != TW_OK; i++) {
        must(i < 10); /* two of the longer pauses are past, the third would end in 1.5 s */
        usleep(100000);
    }
    stand_forget(&s);
    must_recover();
    finish();
}

/* and there is none behind a restart that helped. */
Test(recover, at_once_from_keys_that_were_away_shortly)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);

    for (int i = 0; i < 10; i++) {
        CK_SESSION_HANDLE session = raw_session(&s, fn);
        CK_OBJECT_HANDLE found;
        CK_ULONG count = 1;

        hide_keys();
        must(fn->C_FindObjectsInit(session, NULL, 0) == CKR_OK);
        must(fn->C_FindObjects(session, &found, 1, &count) == CKR_OK && count == 0);
        must(fn->C_CloseSession(session) == CKR_OK);
        show_keys();
        must_recover();
    }
    finish();
}
