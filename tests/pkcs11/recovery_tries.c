/* SPDX-License-Identifier: Apache-2.0 */
/* A token that tells how many of the PIN's tries are left has told whether one was refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

#define VENDOR "0x800000a0"

static stand s;
static tw_token *token;
static tw_key *key;
static size_t before;

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    (void)arg;
    (void)label;
    must(cap >= sizeof(STAND_PIN));
    *len = strlen(STAND_PIN);
    memcpy(buf, STAND_PIN, *len);
    return TW_OK;
}

static void start(void)
{
    fault_softhsm(&s);
    s.options.pin = give_pin;
    must_ok(tw_token_open("pkcs11:token=hpke", &s.options, &token));
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", NULL, 0, &key));
    before = fault_count("C_Login");
}

static void end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
    stand_end(&s);
}

TestSuite(tries, .init = start, .fini = end, .timeout = 60);

static size_t logins(void)
{
    return fault_count("C_Login") - before;
}

Test(tries, a_token_that_begins_to_count_has_refused_the_pin)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_GetTokenInfo 2- set CKF_USER_PIN_COUNT_LOW\n"
                     "C_Login * fail " VENDOR);
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_size(1, logins());
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_Login", 0x800000a0, "was not sent now");
}

/* Of two tries that were left it has taken one, whoever gave the PIN. */
Test(tries, a_token_that_tells_of_its_last_try_has_refused_the_pin)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_GetTokenInfo * set CKF_USER_PIN_COUNT_LOW\n"
                     "C_GetTokenInfo 2- set CKF_USER_PIN_FINAL_TRY\n"
                     "C_Login * fail " VENDOR);
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_size(1, logins());
}

Test(tries, a_token_that_counted_before_has_not_answered)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_GetTokenInfo * set CKF_USER_PIN_COUNT_LOW\n"
                     "C_Login 1 fail CKR_DEVICE_ERROR");
    must_ok(tw_key_check(key));
    must_size(2, logins());
}
