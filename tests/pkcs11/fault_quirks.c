/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens were seen to do that no token at hand does, by the fault module. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;

static void start(void)
{
    fault_softhsm(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(oddities, .init = start, .fini = end);

static tw_key *find(const char *label)
{
    char path[32];
    tw_key *key;

    (void)snprintf(path, sizeof(path), ";object=%s", label);
    check_note("(%s)", s.event_message);
    must_ok(tw_token_find_key(token, stand_uri(&s, path), NULL, 0, &key));
    check_note("%s", "");
    return key;
}

static void must_work(tw_key *key)
{
    check_note("(%s)", s.event_message);
    must_ok(tw_key_check(key));
    must_no_event(&s);
}

static void finish(tw_key *key)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* A key that was made in peace is found and used by the script's token. */
static void must_serve(uint16_t kem_id, const char *script)
{
    uint8_t pk[TW_MAX_PUBLIC];
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, kem_id, "a");
    memcpy(pk, key->public_key, key->kem->public_len);
    finish(key);
    fault_script(&s, "%s", script);
    token = stand_open(&s);
    key = find("a");
    must(memcmp(pk, key->public_key, key->kem->public_len) == 0);
    must_work(key);
    finish(key);
    must(fault_count("faults") > 0);
}

/* --- Points and curves. ---------------------------------------------------------------- */

Test(oddities, a_point_without_its_der_header)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_GetAttributeValue * drop CKA_EC_POINT 0 2");
}

Test(oddities, a_point_of_x25519_without_its_der_header)
{
    must_serve(TW_KEM_X25519_HKDF_SHA256, "C_GetAttributeValue * drop CKA_EC_POINT 0 2");
}

Test(oddities, a_point_of_p521_in_the_malformed_der_of_a_tpm)
{
    must_serve(TW_KEM_P521_HKDF_SHA512, "C_GetAttributeValue * drop CKA_EC_POINT 1 1");
}

Test(oddities, a_point_of_x25519_as_a_bit_string)
{
    must_serve(TW_KEM_X25519_HKDF_SHA256, "C_GetAttributeValue * drop CKA_EC_POINT 0 2\n"
                                          "C_GetAttributeValue * insert CKA_EC_POINT 0 032100");
}

Test(oddities, a_curve_by_its_name)
{
    must_serve(TW_KEM_X25519_HKDF_SHA256, "C_GetAttributeValue * answer CKA_EC_PARAMS "
                                          "130a63757276653235353139");
}

Test(oddities, a_curve_by_an_older_identifier)
{
    must_serve(TW_KEM_X25519_HKDF_SHA256, "C_GetAttributeValue * answer CKA_EC_PARAMS "
                                          "060a2b060104019755010501");
}

Test(oddities, a_key_type_that_is_no_guide)
{
    must_serve(TW_KEM_X25519_HKDF_SHA256, "C_GetAttributeValue * answer CKA_KEY_TYPE "
                                          "4100000000000000\nC_GetSlotInfo * wait 1");
}

/* --- Where the public half is. --------------------------------------------------------------- */

static void must_find_the_public_half(const char *attribute, const char *prefix)
{
    char hex[512] = "", script[1024];
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    for (size_t i = 0; i < key->kem->public_len; i++) {
        (void)snprintf(hex + 2 * i, sizeof(hex) - 2 * i, "%02x", key->public_key[i]);
    }
    tw_key_free(key);
    tw_token_free(token);
    (void)snprintf(script, sizeof(script),
                   "C_FindObjectsInit * hide CKO_PUBLIC_KEY\n"
                   "C_GetAttributeValue * answer %s %s%s",
                   attribute, prefix, hex);
    fault_script(&s, "%s", script);
    token = stand_open(&s);
    key = find("a");
    must_work(key);
    finish(key);
}

Test(oddities, the_public_half_in_the_private_objects_point)
{
    must_find_the_public_half("CKA_EC_POINT", "0441");
}

Test(oddities, the_public_half_in_the_private_objects_public_key_info)
{
    must_find_the_public_half("CKA_PUBLIC_KEY_INFO",
                              "3059301306072a8648ce3d020106082a8648ce3d030107034200");
}

/* --- Mechanisms, attributes and templates. ------------------------------------------------------
 */

Test(oddities, a_mechanism_list_that_is_empty)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_GetMechanismList * none\nC_GetSlotInfo * wait 1\n"
                                        "C_GetMechanismInfo * fail CKR_MECHANISM_INVALID");
}

Test(oddities, attributes_that_want_a_buffer_that_just_holds_them)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_GetAttributeValue * tight CKA_EC_POINT 0x150\n"
                                        "C_GetAttributeValue * tight CKA_EC_PARAMS 0x150\n"
                                        "C_GetAttributeValue * tight CKA_LABEL 0x150\n"
                                        "C_GetAttributeValue * tight CKA_ID 0x150\n"
                                        "C_GetAttributeValue * tight CKA_DERIVE 0x150\n"
                                        "C_GetAttributeValue * tight CKA_VALUE 0x150\n");
}

Test(oddities, a_token_that_refuses_every_attribute_that_some_refuse)
{
    must_serve(TW_KEM_P256_HKDF_SHA256,
               "C_DeriveKey * demand CKA_TOKEN=00 CKR_TEMPLATE_INCONSISTENT\n"
               "C_DeriveKey * refuse CKA_ENCRYPT CKR_ATTRIBUTE_TYPE_INVALID\n"
               "C_DeriveKey * refuse CKA_DECRYPT CKR_ATTRIBUTE_TYPE_INVALID\n"
               "C_DigestInit * fail CKR_FUNCTION_NOT_SUPPORTED\n" /* no S3, which asks for less */
               "C_DeriveKey * refuse CKA_PRIVATE CKR_ATTRIBUTE_VALUE_INVALID\n"
               "C_DeriveKey * refuse CKA_VALUE_LEN CKR_ATTRIBUTE_READ_ONLY\n"
               "C_DeriveKey * refuse CKA_SENSITIVE CKR_TEMPLATE_INCONSISTENT");
}

/* A settled key, and from then on values that are not Ndh bytes, or are said to be. */
static void must_refuse_value(const char *action, const char *function, CK_RV rv, const char *part)
{
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    fault_script(&s, "C_GetAttributeValue * %s", action);
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, function, rv, part);
    fault_script(&s, "# well again");
    must_work(key);
    finish(key);
}

Test(oddities, an_output_cut_on_the_left)
{
    must_refuse_value("drop CKA_VALUE 0 1", NULL, 0, "31 bytes in place of 32");
}

Test(oddities, an_output_cut_on_the_right)
{
    must_refuse_value("drop CKA_VALUE end 1", NULL, 0, "31 bytes in place of 32");
}

Test(oddities, an_output_padded_on_the_left)
{
    must_refuse_value("insert CKA_VALUE 0 00", "C_GetAttributeValue", CKR_BUFFER_TOO_SMALL, "");
}

Test(oddities, an_output_padded_on_the_right)
{
    must_refuse_value("insert CKA_VALUE end 00", "C_GetAttributeValue", CKR_BUFFER_TOO_SMALL, "");
}

Test(oddities, an_output_of_no_bytes)
{
    must_refuse_value("length CKA_VALUE 0", NULL, 0, "0 bytes in place of 32");
}

Test(oddities, an_output_of_minus_one_bytes)
{
    must_refuse_value("length CKA_VALUE 0xffffffffffffffff", NULL, 0, "-1 bytes in place of 32");
}

/* CloudHSM: no CKD_NULL, so no raw output for HPKE. */
Test(oddities, a_token_with_key_derivations_of_its_own_only)
{
    tw_key *key = (tw_key *)&s;

    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    fault_script(&s, "C_DeriveKey * fail CKR_MECHANISM_PARAM_INVALID");
    must_err(TW_ERR_TOKEN_POLICY, tw_token_find_key(token, stand_uri(&s, ""), NULL, 0, &key));
    must(key == NULL);
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_MECHANISM_PARAM_INVALID, "CKD_NULL");
    finish(NULL);
}

/* --- Sessions, logins, initialisation.
 * ------------------------------------------------------------ */

Test(oddities, a_token_that_derives_in_read_write_sessions_alone)
{
    must_serve(TW_KEM_P256_HKDF_SHA256,
               "C_DeriveKey * noflag CKF_RW_SESSION CKR_SESSION_READ_ONLY");
}

Test(oddities, a_token_without_read_only_sessions)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_OpenSession * noflag CKF_RW_SESSION CKR_GENERAL_ERROR\n"
                                        "C_GetInfo * wait 1\nC_GetSlotInfo * wait 1");
}

Test(oddities, a_token_without_read_write_sessions)
{
    must_serve(TW_KEM_P256_HKDF_SHA256,
               "C_OpenSession * flag CKF_RW_SESSION CKR_TOKEN_WRITE_PROTECTED");
}

Test(oddities, a_login_that_another_has_done_already)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_SESSION_HANDLE session;
    tw_key *key;

    must(fn->C_Initialize(&args) == CKR_OK);
    session = raw_session(&s, fn);
    must(fn->C_Login(session, CKU_USER, (CK_UTF8CHAR *)STAND_PIN, strlen(STAND_PIN)) == CKR_OK);
    fault_script(&s, "C_GetSessionInfo * fail CKR_FUNCTION_NOT_SUPPORTED");
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    must_work(key);
    must_size(2, fault_count("C_Login"));
    tw_key_free(key);
    tw_token_free(token);
    must_size(0, fault_count("C_Finalize"));
    must(fn->C_CloseSession(session) == CKR_OK);
    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_clean(NULL);
}

Test(oddities, one_session_and_one_login_serve_for_long)
{
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    for (int i = 0; i < 50; i++) {
        must_work(key);
    }
    must_size(1, fault_count("C_OpenSession"));
    must_size(1, fault_count("C_Login"));
    finish(key);
}

Test(oddities, a_module_that_must_be_let_make_threads)
{
    must_serve(TW_KEM_P256_HKDF_SHA256,
               "C_Initialize * flag CKF_LIBRARY_CANT_CREATE_OS_THREADS CKR_NEED_TO_CREATE_THREADS\n"
               "C_GetSlotInfo * wait 1");
}

/* As p11-kit's own do, which speak to a command; then our handlers of forks run. */
Test(oddities, a_module_that_forks_as_it_is_initialised, .timeout = 20)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_Initialize * fork\nC_Finalize * fork\n"
                                        "C_OpenSession * fork\nC_Login * fork");
}

Test(oddities, a_module_that_cannot_lock)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_Initialize * flag CKF_OS_LOCKING_OK CKR_CANT_LOCK");
}

Test(oddities, a_table_without_what_its_version_promises)
{
    must_serve(TW_KEM_P256_HKDF_SHA256, "C_GetFunctionList * version 302");
    must_size(0, fault_count("interface lists")); /* nor is anything newer looked for */
}

/* Nor may it lack what that version does promise, whatever it would say when asked. */
Test(oddities, a_table_with_a_null_is_refused_before_it_is_called)
{
    static const size_t some[] = {offsetof(CK_FUNCTION_LIST, C_Initialize),
                                  offsetof(CK_FUNCTION_LIST, C_DeriveKey),
                                  offsetof(CK_FUNCTION_LIST, C_DigestKey)};
    char *table = (char *)stand_raw(&s);
    void *keep;

    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        memcpy(&keep, table + some[i], sizeof(keep));
        memset(table + some[i], 0, sizeof(keep));
        must_err(TW_ERR_TOKEN_FAILED, tw_token_open(stand_uri(&s, ""), &s.options, &token));
        must_event(&s, TW_ERR_TOKEN_FAILED, NULL, 0, "has NULL for C_");
        memcpy(table + some[i], &keep, sizeof(keep));
    }
    must_ok(tw_token_open(stand_uri(&s, ""), &s.options, &token));
    tw_token_free(token);
}

static tw_err no_item(void *arg, const tw_token_info *item, const tw_token_key_info *key)
{
    (void)arg;
    must(item == NULL && key == NULL);
    return TW_OK;
}

static void must_fail(tw_err want, const char *function, CK_RV rv)
{
    fault_script(&s, "%s * fail 0x%lx", function, rv);
    must_err(want, tw_token_open(stand_uri(&s, ""), &s.options, &token));
    must_event(&s, want, function, rv, "open token");
    must_err(want, tw_token_list(NULL, &s.options, no_item, NULL));
    must_event(&s, want, function, rv, "list tokens");
}

Test(oddities, a_module_that_fails_where_there_is_no_other)
{
    must_fail(TW_ERR_TOKEN_FAILED, "C_Initialize", CKR_GENERAL_ERROR);
    must_fail(TW_ERR_TOKEN_FAILED, "C_GetSlotList", CKR_DEVICE_ERROR);
    must_fail(TW_ERR_TOKEN_POLICY, "C_Initialize", CKR_FUNCTION_NOT_SUPPORTED);
}

/* Keys that no curve is said of: RSA, and the ML-KEM of version 3.2 (CKK_ML_KEM). */
Test(oddities, a_key_of_a_kind_that_no_kem_here_has)
{
    tw_key *key = (tw_key *)&s;

    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    fault_script(&s, "C_GetAttributeValue * absent CKA_EC_PARAMS\n"
                     "C_GetAttributeValue * answer CKA_KEY_TYPE 4900000000000000");
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    must(key == NULL);
    must_event(&s, TW_ERR_TOKEN_POLICY, NULL, 0, "RSA and ML-KEM keys do not serve");
    finish(NULL);
}

/* A buffer that nobody wrote to is no secret, on any curve. */
Test(oddities, a_secret_of_zeros_is_a_failure)
{
    static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_X25519_HKDF_SHA256};
    char zeros[2 * 32 + 1];

    memset(zeros, '0', sizeof(zeros) - 1);
    zeros[sizeof(zeros) - 1] = '\0';
    token = stand_open(&s);
    for (size_t i = 0; i < 2; i++) {
        tw_key *key = stand_key(&s, token, kems[i], i == 0 ? "a" : "b");

        fault_script(&s, "C_GetAttributeValue * answer CKA_VALUE %s", zeros);
        must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
        must_event(&s, TW_ERR_TOKEN_FAILED, NULL, 0, "a secret of zeros");
        fault_script(&s, "# well again");
        must_ok(tw_key_check(key));
        tw_key_free(key);
    }
    finish(NULL);
}
