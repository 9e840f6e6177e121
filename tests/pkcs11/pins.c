/* SPDX-License-Identifier: Apache-2.0 */
/* Which PINs are sent, and which never. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    s.options.pin_unattended = true;
    must_err(TW_ERR_TOKEN_PIN, tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &token));
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "one more wrong PIN");
    must_size(0, shim_state()->logins);
    s.options.pin_unattended = false;
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

/* Its security officer sets one, and that may be the same. */
Test(pins, that_came_before_the_token_had_one_were_not_refused)
{
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    log_out();
    shim_clear();
    shim_says((shim_rule){SHIM_Login, 1, 1, CKR_USER_PIN_NOT_INITIALIZED, 0, NULL});
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_USER_PIN_NOT_INITIALIZED, "no user PIN yet");
    must_work(key);
    finish(key);
}

/* --- Files, which a service has at boot. ----------------------------------------------------- */

static char path[128];

static const char *uri_of_file(const char *pin)
{
    static char uri[256];

    (void)snprintf(path, sizeof(path), "%s/pin", s.dir);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?pin-source=%s", path);
    write_file(path, pin);
    return uri;
}

static void must_open(tw_err want, const char *uri)
{
    check_note("(%s: %s)", uri, s.event_message);
    must_err(want, tw_token_open(uri, &s.options, &token));
    tw_token_free(token);
    check_note("%s", "");
}

Test(pins, come_from_systemds_credentials)
{
    static const char *const no_names[] = {"", ".", "..", ".pin", "../pin", "/pin", "a/pin"};
    char uri[128];

    (void)uri_of_file(STAND_PIN "\n");
    must(unsetenv("CREDENTIALS_DIRECTORY") == 0);
    must_open(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-source=credential:pin");
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "LoadCredential");
    must(setenv("CREDENTIALS_DIRECTORY", s.dir, 1) == 0);
    must_open(TW_OK, "pkcs11:token=hpke?pin-source=credential:pin");
    must_open(TW_OK, "pkcs11:token=hpke?pin-source=credential%3apin&pin-value=unused");
    must_no_event(&s);
    must_open(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-source=credential:none");
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "/none");
    for (size_t i = 0; i < sizeof(no_names) / sizeof(no_names[0]); i++) {
        (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?pin-source=credential:%s", no_names[i]);
        must_open(TW_ERR_INVALID, uri);
        stand_forget(&s);
    }
    must_size(2, shim_state()->logins);
}

Test(pins, that_everybody_may_read_are_warned_of_once)
{
    static const struct {
        mode_t mode;
        bool warned;
    } rows[] = {{0600, false}, {0640, false}, {0644, true}, {0602, true}, {0400, false}};
    tw_key *key;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *uri = uri_of_file(STAND_PIN);

        must(chmod(path, rows[i].mode) == 0);
        must_ok(tw_token_open(uri, &s.options, &token));
        check_note("(mode %03o)", (unsigned)rows[i].mode);
        if (rows[i].warned) {
            must_event(&s, TW_OK, NULL, 0, "everybody may read or change the PIN file");
        }
        if (i == 0) {
            tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
        }
        must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
        log_out();
        must_ok(tw_key_check(key));
        must_no_event(&s);
        tw_key_free(key);
        tw_token_free(token);
    }
}

/* The token's PIN is another from now on, and all that held the old login is lost. */
static void change_pin(const char *from, const char *to)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_SESSION_INFO info;

    must(fn->C_SetPIN(session, (CK_UTF8CHAR *)from, strlen(from), (CK_UTF8CHAR *)to, strlen(to)) ==
         CKR_OK);
    must(fn->C_GetSessionInfo(session, &info) == CKR_OK);
    must(fn->C_CloseAllSessions(info.slotID) == CKR_OK);
    shim_clear();
}

Test(pins, changed_in_the_token_and_on_disk_serve_without_a_restart)
{
    static const char other[] = "another-4711";
    tw_key *key;

    must_ok(tw_token_open(uri_of_file(STAND_PIN "\n"), &s.options, &token));
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    must_work(key);
    change_pin(STAND_PIN, other);
    (void)uri_of_file(other);
    must_work(key);
    must_work(key);
    must_size(1, shim_state()->logins); /* the old one was not sent */
    change_pin(other, STAND_PIN);
    for (int i = 0; i < 3; i++) { /* the file comes late */
        must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
        stand_forget(&s);
    }
    must_size(1, shim_state()->logins);
    (void)uri_of_file(STAND_PIN);
    must_work(key);
    must_size(2, shim_state()->logins);
    finish(key);
}
