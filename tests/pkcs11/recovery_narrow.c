/* SPDX-License-Identifier: Apache-2.0 */
/* A session that only reads, as opening one that may write failed, and a token that is well by now.
 */
#include <criterion/criterion.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    fault_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
}

static void end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
    stand_end(&s);
}

TestSuite(narrow, .init = start, .fini = end, .timeout = 60);

/* The next session is opened while this goes on. */
static void reopen_amid(const char *rule)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n%s", rule);
    must_ok(tw_key_check(key));
    must_no_event(&s);
}

Test(narrow, sessions_are_opened_once_more)
{
    tw_key *made;

    reopen_amid("C_OpenSession 1 fail CKR_DEVICE_ERROR");
    fault_script(&s, "# well again");
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", NULL, 0, &made));
    tw_key_free(made);
}

/* A TPM derives in none of them. */
Test(narrow, sessions_are_given_up_when_they_will_not_do)
{
    reopen_amid("C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR");
    fault_script(&s, "C_DeriveKey * noflag CKF_RW_SESSION CKR_SESSION_READ_ONLY");
    must_ok(tw_key_check(key));
    must_no_event(&s);
}

Test(narrow, sessions_are_a_failure_while_no_other_opens)
{
    reopen_amid("C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR");
    fault_script(&s, "C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR\n"
                     "C_DeriveKey * noflag CKF_RW_SESSION CKR_SESSION_READ_ONLY");
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_SESSION_READ_ONLY, "may write");
    fault_script(&s, "# well again");
    must_ok(tw_key_check(key));
}

Test(narrow, sessions_leave_other_refusals_what_they_are)
{
    reopen_amid("C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR");
    fault_script(&s, "C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR\n"
                     "C_DeriveKey * fail CKR_KEY_FUNCTION_NOT_PERMITTED");
    must_err(TW_ERR_TOKEN_POLICY, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_KEY_FUNCTION_NOT_PERMITTED, "");
}

Test(narrow, sessions_of_a_token_that_is_write_protected_are_its_policy)
{
    tw_key *made;

    reopen_amid("C_OpenSession * flag CKF_RW_SESSION CKR_DEVICE_ERROR");
    reopen_amid("C_OpenSession * flag CKF_RW_SESSION CKR_TOKEN_WRITE_PROTECTED");
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", NULL, 0, &made));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_GenerateKeyPair", CKR_SESSION_READ_ONLY,
               "write-protected");
}
