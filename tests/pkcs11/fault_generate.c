/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made by tokens that make other ones than they were asked for. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static CK_FUNCTION_LIST *fn;
static CK_SESSION_HANDLE session;

static void start(void)
{
    fault_softhsm(&s);
    token = stand_open(&s);
    fn = stand_raw(&s);
    session = raw_session(&s, fn);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(making, .init = start, .fini = end);

static tw_err make_called(const char *label, tw_key **out)
{
    return tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, label, NULL, 0, out);
}

static tw_err make(tw_key **out)
{
    return make_called("a", out);
}

/* On the token: SoftHSM loses objects of a session when it refuses a template. */
static size_t objects(void)
{
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE on_token = {CKA_TOKEN, &yes, sizeof(yes)};
    CK_OBJECT_HANDLE found[32];
    CK_ULONG count;

    fault_script(&s, "# well again");
    must(fn->C_FindObjectsInit(session, &on_token, 1) == CKR_OK);
    must(fn->C_FindObjects(session, found, 32, &count) == CKR_OK);
    must(fn->C_FindObjectsFinal(session) == CKR_OK);
    return count;
}

static bool may(CK_ATTRIBUTE_TYPE type)
{
    CK_OBJECT_HANDLE object = raw_find(fn, session, CKO_PRIVATE_KEY, "a");
    CK_BBOOL value = 7;
    CK_ATTRIBUTE a = {type, &value, sizeof(value)};

    must(fn->C_GetAttributeValue(session, object, &a, 1) == CKR_OK);
    return value == CK_TRUE;
}

static void must_make(tw_key **key)
{
    check_note("(%s)", s.event_message);
    must_ok(make(key));
    must_no_event(&s);
    must_size(2, objects());
    must_ok(tw_key_check(*key));
    check_note("%s", "");
}

static void finish(tw_key *key)
{
    tw_key_free(key);
    must(fn->C_CloseSession(session) == CKR_OK);
    tw_token_free(token);
    fault_clean(NULL);
}

static void must_make_despite(const char *script)
{
    tw_key *key;

    fault_script(&s, "%s", script);
    must_make(&key);
    finish(key);
}

Test(making, goes_on_where_keys_derive_only_if_they_may_decrypt)
{
    must_make_despite("C_DeriveKey * key CKA_DECRYPT=01 0x182");
}

/* SoftHSM lets a key do what nothing was said of, a TPM does not. */
Test(making, says_that_a_key_may_decrypt_where_nothing_else_helps)
{
    must_make_despite("C_DeriveKey * key CKA_DECRYPT=01 0x182\n"
                      "C_GenerateKeyPair * demand CKA_DECRYPT=01 CKR_DEVICE_ERROR");
}

Test(making, asks_for_no_key_that_may_decrypt_at_first)
{
    must_make_despite("C_GenerateKeyPair * refuse CKA_DECRYPT=01 CKR_DEVICE_ERROR");
}

Test(making, goes_on_where_nothing_may_be_said_of_decryption)
{
    must_make_despite("C_GenerateKeyPair * refuse CKA_DECRYPT CKR_DEVICE_ERROR");
}

/* DEVICE_REMOVED is no reason to ask otherwise: it would show that the next may decrypt too. */
static void must_ask_for_no_decryption(const char *label)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * refuse CKA_DECRYPT=01 CKR_DEVICE_REMOVED");
    must_ok(make_called(label, &key));
    tw_key_free(key);
}

Test(making, asks_for_no_key_that_may_decrypt_for_a_failure_that_passes)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair 1-2 fail CKR_DEVICE_ERROR");
    must_make(&key);
    must(may(CKA_DERIVE) && !may(CKA_DECRYPT));
    must_ask_for_no_decryption("b");
    finish(key);
}

/* The token may do that and no more: one failure that lasts tells nothing of it. */
Test(making, what_a_failing_device_does_not_make_is_asked_of_it_again)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair 1-4 fail CKR_DEVICE_ERROR");
    must_make(&key);
    must(may(CKA_DERIVE) && may(CKA_DECRYPT));
    must_ask_for_no_decryption("b");
    finish(key);
}

Test(making, what_a_token_refuses_to_make_is_not_asked_of_it_again)
{
    tw_key *key;
    size_t before;

    fault_script(&s, "C_GenerateKeyPair 1-2 fail CKR_TEMPLATE_INCONSISTENT");
    before = fault_count("C_GenerateKeyPair");
    must_make(&key);
    must_size(before + 3, fault_count("C_GenerateKeyPair"));
    must(may(CKA_DERIVE) && may(CKA_DECRYPT));
    tw_key_free(key);
    fault_script(&s, "C_GenerateKeyPair * demand CKA_DECRYPT=01 CKR_TEMPLATE_INCONSISTENT");
    must_ok(make_called("b", &key));
    must_size(before + 4, fault_count("C_GenerateKeyPair"));
    finish(key);
}

/* SoftHSM's keys may do everything that is not said of them. */
Test(making, a_key_that_may_do_more_is_narrowed)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * refuse CKA_SIGN CKR_TEMPLATE_INCONSISTENT");
    must_make(&key);
    must(may(CKA_DERIVE) && !may(CKA_SIGN) && !may(CKA_SIGN_RECOVER));
    must(!may(CKA_DECRYPT) && !may(CKA_UNWRAP));
    finish(key);
}

Test(making, a_key_that_will_not_be_narrowed_is_made_when_there_is_no_other)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * refuse CKA_SIGN CKR_TEMPLATE_INCONSISTENT\n"
                     "C_SetAttributeValue * fail CKR_ATTRIBUTE_READ_ONLY");
    must_make(&key);
    must(may(CKA_DERIVE) && may(CKA_SIGN));
    finish(key);
}

/* It refused the word for a moment. What it made meanwhile was not taken. */
Test(making, a_key_for_derivation_alone_is_waited_for)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair 1-3 refuse CKA_SIGN CKR_TEMPLATE_INCONSISTENT\n"
                     "C_SetAttributeValue * fail CKR_ATTRIBUTE_READ_ONLY");
    must_make(&key);
    must(may(CKA_DERIVE) && !may(CKA_SIGN));
    finish(key);
}

Test(making, a_key_that_does_not_stay_inside_is_none)
{
    static const char *const lies[] = {"CKA_PRIVATE 00", "CKA_SENSITIVE 00", "CKA_EXTRACTABLE 01",
                                       "CKA_ALWAYS_SENSITIVE 00", "CKA_NEVER_EXTRACTABLE 00"};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        tw_key *key = (tw_key *)&s;

        fault_script(&s, "C_GetAttributeValue * answer %s", lies[i]);
        check_note("(%s)", lies[i]);
        must_err(TW_ERR_TOKEN_POLICY, make(&key));
        must(key == NULL);
        must_event(&s, TW_ERR_TOKEN_POLICY, NULL, 0, "not private, sensitive and never");
        must_size(0, objects());
    }
    finish(NULL);
}

/* The first is not what was asked for and does not go: beside it, the second would be one of two.
 */
Test(making, what_an_attempt_left_goes_when_another_succeeds)
{
    tw_key *key;

    fault_script(&s, "C_GetAttributeValue 1-2 answer CKA_SENSITIVE 00\n"
                     "C_DestroyObject 1-2 fail CKR_GENERAL_ERROR");
    must_make(&key);
    finish(key);
}

/* As a network HSM whose answer is lost. */
Test(making, what_was_made_though_it_was_said_to_fail_goes_when_another_succeeds)
{
    must_make_despite("C_GenerateKeyPair 1 late CKR_DEVICE_ERROR");
}

Test(making, what_was_made_as_the_token_got_full_goes)
{
    size_t before = fault_count("C_GenerateKeyPair");
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * late CKR_DEVICE_MEMORY");
    must_err(TW_ERR_TOKEN_FAILED, make(&key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_GenerateKeyPair", CKR_DEVICE_MEMORY, "is full");
    must_size(before + 1, fault_count("C_GenerateKeyPair"));
    must_size(0, objects());
    finish(NULL);
}

/* A private key that is hidden just then is not gone: the third search is for what is left. */
Test(making, what_an_attempt_left_goes_though_someone_logs_out_meanwhile)
{
    tw_key *key;

    fault_script(&s, "C_DeriveKey * fail CKR_DEVICE_REMOVED\n"
                     "C_DestroyObject 1-2 fail CKR_SESSION_HANDLE_INVALID\n"
                     "C_FindObjectsInit 3 logout");
    must_err(TW_ERR_TOKEN_ABSENT, make(&key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, "C_DeriveKey", CKR_DEVICE_REMOVED, "");
    fault_script(&s, "# well again");
    must_make(&key); /* the two of this one are all, and a name that is hidden is not free */
    finish(key);
}

/* Beside it no other is made, which would be one of two of its name. */
Test(making, what_will_not_go_makes_it_fail)
{
    tw_key *key = (tw_key *)&s;
    size_t before;

    fault_script(&s, "C_GetAttributeValue 1-2 answer CKA_SENSITIVE 00\n"
                     "C_DestroyObject * fail CKR_GENERAL_ERROR");
    before = fault_count("C_GenerateKeyPair");
    must_err(TW_ERR_TOKEN_POLICY, make(&key));
    must(key == NULL);
    must_event(&s, TW_ERR_TOKEN_POLICY, NULL, 0, "could not be removed");
    must_size(before + 1, fault_count("C_GenerateKeyPair"));
    session = raw_session(&s, fn);
    (void)objects(); /* well again */
    must_err(TW_ERR_STATE, make(&key));
    stand_forget(&s);
    finish(NULL);
}

/* A TPM's key that did not derive is in use for good; the next one, that may decrypt, is not taken
 * beside it. */
Test(making, what_goes_only_after_a_restart_costs_one)
{
    size_t before;
    tw_key *key;

    fault_script(&s, "C_DeriveKey * key CKA_DECRYPT=01 0x182\n"
                     "C_DestroyObject ! fail CKR_FUNCTION_FAILED");
    before = fault_count("C_Finalize");
    must_ok(make(&key));
    must_no_event(&s);
    must_size(before + 1, fault_count("C_Finalize"));
    session = raw_session(&s, fn);
    must_size(2, objects());
    tw_key_free(key);
    /* Once seen, it is known. */
    fault_script(&s, "C_DeriveKey * key CKA_DECRYPT=01 0x182\n"
                     "C_DestroyObject ! fail CKR_FUNCTION_FAILED");
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", NULL, 0, &key));
    must_no_event(&s);
    must_size(before + 1, fault_count("C_Finalize"));
    must_size(4, objects());
    finish(key);
}

/* tpm2-pkcs11 does not make the first, nor lets the second go, and both are asked for again, before
 * there was time for another restart. */
Test(making, what_goes_only_after_another_restart_waits_for_that)
{
    size_t before = fault_count("C_Finalize");
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * refuse CKA_SIGN CKR_GENERAL_ERROR\n"
                     "C_DeriveKey * key CKA_DECRYPT=01 0x182\n"
                     "C_DestroyObject 1-4 fail CKR_FUNCTION_FAILED\n"
                     "C_DestroyObject 7-12 fail CKR_FUNCTION_FAILED");
    must_ok(make(&key));
    must_no_event(&s);
    must_size(before + 2, fault_count("C_Finalize"));
    session = raw_session(&s, fn);
    must_size(2, objects());
    finish(key);
}

/* DEVICE_REMOVED is no reason to ask otherwise: it shows that the word was said. */
Test(making, under_a_policy_what_is_derived_is_said_to_stay_inside)
{
    static const char script[] =
        "C_GenerateKeyPair * refuse CKA_DERIVE_TEMPLATE CKR_DEVICE_REMOVED";
    tw_key *key;

    fault_script(&s, script);
    must_make(&key);
    tw_key_free(key);
    must(fn->C_CloseSession(session) == CKR_OK);
    tw_token_free(token);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    session = raw_session(&s, fn);
    fault_script(&s, script);
    must_err(TW_ERR_TOKEN_ABSENT,
             tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, "C_GenerateKeyPair", CKR_DEVICE_REMOVED, "");
    must_size(2, objects());
    /* SoftHSM does not take it: the key is made without, and the next not asked for with it. */
    must_ok(tw_token_generate(token, TW_KEM_P384_HKDF_SHA384, "b", NULL, 0, &key));
    must_size(4, objects());
    tw_key_free(key);
    fault_script(&s, script);
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "c", NULL, 0, &key));
    must_size(6, objects());
    must_ok(tw_key_check(key));
    finish(key);
}
