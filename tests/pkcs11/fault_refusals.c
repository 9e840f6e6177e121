/* SPDX-License-Identifier: Apache-2.0 */
/* What a token refuses since it was logged out: NSS cannot read the key then, and says
 * CKR_TEMPLATE_INCOMPLETE. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    fault_softhsm(&s);
    stand_add(&s, "second");
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
}

static void end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    must_no_event(&s);
    fault_clean(NULL);
    stand_end(&s);
}

TestSuite(refusals, .init = start, .fini = end, .timeout = 60);

Test(refusals, of_who_was_logged_out_are_none_of_the_key)
{
    fault_script(&s, "C_DeriveKey 1 logout\nC_DeriveKey 1 fail CKR_TEMPLATE_INCOMPLETE");
    must_ok(tw_key_check(key));
}

Test(refusals, of_who_was_logged_out_do_not_keep_a_key_from_being_found)
{
    size_t before = fault_count("C_DeriveKey");
    tw_key *again;

    fault_script(&s, "C_DeriveKey * fail CKR_TEMPLATE_INCOMPLETE"); /* how many ways there are */
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &again));
    stand_forget(&s);
    fault_script(&s, "C_DeriveKey 1 logout\nC_DeriveKey 1-%zu fail CKR_TEMPLATE_INCOMPLETE",
                 fault_count("C_DeriveKey") - before);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &again));
    tw_key_free(again);
}

static void *use(void *arg)
{
    *(tw_err *)arg = tw_key_check(key);
    return NULL;
}

/* `amid` is called while another thread waits in its first C_DeriveKey, as `script` says. */
static void use_with(const char *script, void (*amid)(void))
{
    size_t before = fault_count("C_DeriveKey");
    pthread_t thread;
    tw_err err = TW_OK;

    fault_script(&s, "%s", script);
    must(pthread_create(&thread, NULL, use, &err) == 0);
    while (fault_count("C_DeriveKey") == before) {
        usleep(1000);
    }
    usleep(100000);
    amid();
    must(pthread_join(thread, NULL) == 0);
    must_ok(err);
}

static void log_in_again(void)
{
    must_ok(tw_key_check(key));
}

Test(refusals, of_who_is_logged_in_again_are_none_either)
{
    use_with("C_DeriveKey 1 logout\nC_DeriveKey 1 wait 500\n"
             "C_DeriveKey 1 fail CKR_TEMPLATE_INCOMPLETE",
             log_in_again);
}

static void log_in_elsewhere(void)
{
    tw_token *second;

    must_ok(tw_token_open("pkcs11:token=second?pin-value=" STAND_PIN, &s.options, &second));
    tw_token_free(second);
}

/* A handle may have become another key's, and what came of that one is no answer. */
Test(refusals, and_what_is_derived_after_another_login_are_none)
{
    size_t before = fault_count("C_DeriveKey");

    use_with("C_DeriveKey 1 wait 500", log_in_elsewhere);
    must_size(before + 2, fault_count("C_DeriveKey"));
}

Test(refusals, of_who_is_logged_in_are_told)
{
    fault_script(&s, "C_DeriveKey * fail CKR_TEMPLATE_INCOMPLETE");
    must_err(TW_ERR_TOKEN_POLICY, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_TEMPLATE_INCOMPLETE, "cannot do that");
}
