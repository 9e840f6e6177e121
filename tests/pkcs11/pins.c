/* SPDX-License-Identifier: Apache-2.0 */
/* Which PINs are sent, and which never. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "stand.h"

static stand s;
static tw_token *token;

static void start(void)
{
    stand_shim(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(pins, .init = start, .fini = end);

static void must_work(tw_key *key)
{
    check_note("(%s)", s.event_message);
    must_ok(tw_key_check(key));
    check_note("%s", "");
}

static void finish(tw_key *key)
{
    tw_key_free(key);
    tw_token_free(token);
    must_size(0, (size_t)shim_state()->sessions);
}

Test(pins, leaves_the_pin_to_a_token_that_has_its_own_pad)
{
    tw_key *key;

    shim_state()->set = CKF_PROTECTED_AUTHENTICATION_PATH;
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must(shim_state()->null_pin);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    must_work(key);
    finish(key);
}

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    (void)arg;
    (void)label;
    must(cap >= sizeof(STAND_PIN));
    *len = strlen(STAND_PIN);
    memcpy(buf, STAND_PIN, *len);
    return TW_OK;
}

Test(pins, spends_the_last_try_only_with_a_person)
{
    shim_state()->set = CKF_USER_PIN_FINAL_TRY;
    must_err(TW_ERR_TOKEN_PIN, tw_token_open(stand_uri(&s, ""), &s.options, &token));
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "one more wrong PIN");
    must_size(0, shim_state()->logins);
    s.options.pin = give_pin;
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must_size(1, shim_state()->logins);
    finish(NULL);
}

Test(pins, sends_no_pin_to_a_token_that_is_locked)
{
    shim_state()->set = CKF_USER_PIN_LOCKED;
    must_err(TW_ERR_TOKEN_PIN, tw_token_open(stand_uri(&s, ""), &s.options, &token));
    must_event(&s, TW_ERR_TOKEN_PIN, "C_GetTokenInfo", CKR_PIN_LOCKED, "security officer");
    must_size(0, shim_state()->logins);
}

Test(pins, needs_no_pin_where_the_token_wants_none)
{
    shim_state()->clear = CKF_LOGIN_REQUIRED;
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must_size(0, shim_state()->logins);
    finish(NULL);
}

Test(pins, sends_a_wrong_pin_once)
{
    must_err(TW_ERR_TOKEN_PIN,
             tw_token_open("pkcs11:token=hpke?pin-value=wrong", &s.options, &token));
    must_size(1, shim_state()->logins);
}

static void log_out(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);

    must(fn->C_Logout(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

Test(pins, never_sends_a_refused_pin_again_but_takes_a_mended_one)
{
    char path[128], uri[256];
    tw_key *key;

    (void)snprintf(path, sizeof(path), "%s/pin", s.dir);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?pin-source=%s", path);
    write_file(path, STAND_PIN);
    must_ok(tw_token_open(uri, &s.options, &token));
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    write_file(path, "wrong\n");
    log_out();
    shim_clear();
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "the PIN is wrong");
    must_size(1, shim_state()->logins);
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "was not sent now");
    must_size(1, shim_state()->logins);
    write_file(path, STAND_PIN "\n");
    must_work(key);
    must_size(2, shim_state()->logins);
    finish(key);
}
