/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a key and its public half, wherever the token keeps it. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "stand.h"

static stand s;
static tw_token *token;

static void start(void)
{
    stand_softhsm(&s);
    token = stand_open(&s);
}

static void end(void)
{
    tw_token_free(token);
    stand_end(&s);
}

TestSuite(find, .init = start, .fini = end);

static void must_find_given(tw_err want, const char *path, const uint8_t *pk, size_t pk_len)
{
    tw_key *key = (tw_key *)&s;

    check_note("(%s) %s", path, s.event_message);
    must_err(want, tw_token_find_key(token, stand_uri(&s, path), pk, pk_len, &key));
    must((want == TW_OK) == (key != NULL));
    if (key != NULL) {
        must_ok(tw_key_check(key));
    }
    check_note("%s", "");
    tw_key_free(key);
}

static void must_find(tw_err want, const char *path)
{
    must_find_given(want, path, NULL, 0);
}

static void make(uint16_t kem_id, const char *label)
{
    tw_key_free(stand_key(&s, token, kem_id, label));
}

/* An attribute set by someone else in the process. */
static void set_attribute(CK_OBJECT_CLASS class, const char *label, CK_ATTRIBUTE_TYPE type,
                          const void *value, size_t len)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_ATTRIBUTE a = {type, (void *)(uintptr_t)value, len};

    must(fn->C_SetAttributeValue(session, raw_find(fn, session, class, label), &a, 1) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

static void add(CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_OBJECT_HANDLE object;

    must(fn->C_CreateObject(session, attributes, count, &object) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

/* --- Which key. ------------------------------------------------------------------------ */

Test(find, takes_a_key_by_label_or_id_or_alone)
{
    make(TW_KEM_P256_HKDF_SHA256, "a");
    must_find(TW_OK, "");
    make(TW_KEM_X25519_HKDF_SHA256, "b");
    must_find(TW_OK, ";object=a");
    must_find(TW_OK, ";id=b%20"); /* 'b', 0x20 */
    must_find(TW_OK, ";object=b;id=b%20;type=private");
    must_find(TW_OK, ";object=b;type=public");
    must_no_event(&s);
}

Test(find, says_that_a_key_is_absent)
{
    must_find(TW_ERR_TOKEN_ABSENT, "");
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no such private key");
    make(TW_KEM_P256_HKDF_SHA256, "a");
    must_find(TW_ERR_TOKEN_ABSENT, ";object=b");
    must_find(TW_ERR_TOKEN_ABSENT, ";object=a;id=%01");
}

Test(find, refuses_the_uri_of_another_token)
{
    tw_key *key;

    make(TW_KEM_P256_HKDF_SHA256, "a");
    must_err(TW_ERR_TOKEN_ABSENT,
             tw_token_find_key(token, "pkcs11:token=b;object=a", NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "another token");
    must_ok(tw_token_find_key(token, "pkcs11:object=a", NULL, 0, &key));
    tw_key_free(key);
}

Test(find, refuses_bad_arguments)
{
    tw_key *key = (tw_key *)&s;

    must_err(TW_ERR_INVALID, tw_token_find_key(NULL, "pkcs11:", NULL, 0, &key));
    must(key == NULL);
    must_err(TW_ERR_INVALID, tw_token_find_key(token, NULL, NULL, 0, &key));
    must_err(TW_ERR_INVALID, tw_token_find_key(token, "pkcs11:", NULL, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_find_key(token, "pkcs11:", NULL, 0, NULL));
    must_no_event(&s);
    must_err(TW_ERR_INVALID, tw_token_find_key(token, "pkcs11:object", NULL, 0, &key));
    must_event(&s, TW_ERR_INVALID, NULL, 0, "not a PKCS #11 URI");
}

Test(find, refuses_to_choose_between_different_keys)
{
    make(TW_KEM_P256_HKDF_SHA256, "a");
    make(TW_KEM_P256_HKDF_SHA256, "b");
    must_find(TW_ERR_INVALID, "");
    must_event(&s, TW_ERR_INVALID, NULL, 0, "several different keys");
    must_find(TW_OK, ";object=b");
}

Test(find, takes_several_objects_of_one_key_for_one)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE copy;
    CK_ATTRIBUTE change = {CKA_LABEL, (void *)(uintptr_t) "copy", 4};

    make(TW_KEM_P384_HKDF_SHA384, "a");
    session = raw_session(&s, fn);
    must(fn->C_CopyObject(session, raw_find(fn, session, CKO_PRIVATE_KEY, "a"), &change, 1,
                          &copy) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    must_find(TW_OK, ";id=a%11");
    must_find(TW_OK, ";object=copy");
    must_find(TW_OK, "");
    must_no_event(&s);
}

Test(find, leaves_keys_on_other_curves_aside)
{
    run_quietly("pkcs11-tool --module %s --token-label hpke --login --pin %s --keypairgen "
                "--key-type rsa:2048 --label rsa",
                s.module, STAND_PIN);
    tw_token_free(token);
    token = stand_open(&s);
    must_find(TW_ERR_TOKEN_POLICY, ";object=rsa");
    must_event(&s, TW_ERR_TOKEN_POLICY, NULL, 0, "not on a curve of HPKE");
    make(TW_KEM_P256_HKDF_SHA256, "a");
    must_find(TW_OK, "");
}

/* --- The public half. --------------------------------------------------------------------- */

static size_t public_of(const char *path, uint8_t *out)
{
    tw_key *key;
    size_t len;

    must_ok(tw_token_find_key(token, stand_uri(&s, path), NULL, 0, &key));
    len = key->kem->public_len;
    memcpy(out, key->public_key, len);
    tw_key_free(key);
    return len;
}

Test(find, takes_the_public_half_from_the_caller_where_the_token_has_none)
{
    uint8_t pk[TW_MAX_PUBLIC], other[TW_MAX_PUBLIC];
    size_t len;

    make(TW_KEM_P256_HKDF_SHA256, "a");
    make(TW_KEM_P256_HKDF_SHA256, "b");
    len = public_of(";object=a", pk);
    (void)public_of(";object=b", other);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    must_find(TW_ERR_TOKEN_ABSENT, ";object=a");
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no public half");
    must_find_given(TW_OK, ";object=a", pk, len);
    must_no_event(&s);
    must_find_given(TW_ERR_KEY, ";object=a", other, len);
    must_event(&s, TW_ERR_KEY, NULL, 0, "does not belong");
    must_find_given(TW_ERR_KEY, ";object=a", pk, len - 1);
    stand_forget(&s);
    pk[len - 1] ^= 1;
    must_find_given(TW_ERR_KEY, ";object=a", pk, len);
    must_event(&s, TW_ERR_KEY, NULL, 0, "not a usable point");
}

Test(find, holds_the_callers_public_half_against_the_tokens)
{
    uint8_t pk[TW_MAX_PUBLIC], other[TW_MAX_PUBLIC];
    size_t len;

    make(TW_KEM_X25519_HKDF_SHA256, "a");
    make(TW_KEM_X25519_HKDF_SHA256, "b");
    len = public_of(";object=a", pk);
    (void)public_of(";object=b", other);
    must_find_given(TW_OK, ";object=a", pk, len);
    must_find_given(TW_OK, "", pk, len); /* it decides */
    must_no_event(&s);
    must_find_given(TW_ERR_KEY, ";object=a", other, len);
    must_event(&s, TW_ERR_KEY, NULL, 0, "not that of the key named");
}

/* SoftHSM refuses the second way, and by the third the answer is seen to be wrong. */
Test(find, says_that_a_public_half_is_not_the_keys_though_it_refuses_a_way)
{
    uint8_t other[TW_MAX_PUBLIC];
    size_t len;

    tw_token_free(token);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    make(TW_KEM_P256_HKDF_SHA256, "a");
    make(TW_KEM_P256_HKDF_SHA256, "b");
    len = public_of(";object=b", other);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    must_find_given(TW_ERR_KEY, ";object=a", other, len);
    must_event(&s, TW_ERR_KEY, NULL, 0, "does not belong to the public key that was given");
    set_attribute(CKO_PUBLIC_KEY, "b", CKA_ID, "a\x10", 2); /* a's id */
    must_find(TW_ERR_TOKEN_FAILED, ";object=a");
    must_event(&s, TW_ERR_TOKEN_FAILED, NULL, 0, "does not belong to the public key beside it");
}

Test(find, refuses_a_public_object_that_is_not_the_keys)
{
    make(TW_KEM_P256_HKDF_SHA256, "a");
    make(TW_KEM_P256_HKDF_SHA256, "b");
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    set_attribute(CKO_PUBLIC_KEY, "b", CKA_ID, "a\x10", 2); /* a's id */
    must_find(TW_ERR_TOKEN_FAILED, ";object=a");
    must_event(&s, TW_ERR_TOKEN_FAILED, NULL, 0, "does not belong");
}

Test(find, prefers_the_public_object_of_the_same_label)
{
    make(TW_KEM_P256_HKDF_SHA256, "a");
    make(TW_KEM_P256_HKDF_SHA256, "b");
    set_attribute(CKO_PUBLIC_KEY, "b", CKA_ID, "a\x10", 2);
    must_find(TW_OK, ";object=a");
}

Test(find, takes_the_public_half_from_a_certificate_of_the_same_id)
{
    run_quietly(
        "cd %s && openssl ecparam -name secp384r1 -genkey -noout -out key.pem && "
        "openssl req -x509 -new -key key.pem -subj /CN=hpke -days 9 -outform DER -out c.der && "
        "openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der && "
        "pkcs11-tool --module %s --token-label hpke --login --pin %s --write-object key.der "
        "--type privkey --id 77 --label cert --usage-derive && "
        "pkcs11-tool --module %s --token-label hpke --login --pin %s --write-object c.der "
        "--type cert --id 77 --label other",
        s.dir, s.module, STAND_PIN, s.module, STAND_PIN);
    tw_token_free(token);
    token = stand_open(&s);
    must_find(TW_OK, ";object=cert");
    must_no_event(&s);
}

/* A public object whose point has one of the encodings that are about. */
static void add_public(const uint8_t *point, size_t len)
{
    static CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    static CK_KEY_TYPE type = CKK_EC;
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static const char params[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    CK_ATTRIBUTE a[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &no, 1},
        {CKA_LABEL, (void *)(uintptr_t) "a", 1},
        {CKA_ID, (void *)(uintptr_t) "a\x10", 2},
        {CKA_EC_PARAMS, (void *)(uintptr_t)params, sizeof(params) - 1},
        {CKA_EC_POINT, (void *)(uintptr_t)point, len},
    };

    add(a, sizeof(a) / sizeof(a[0]));
}

Test(find, reads_points_raw_and_der_alike)
{
    uint8_t point[3 + 65] = {0x04, 0x41};

    make(TW_KEM_P256_HKDF_SHA256, "a");
    (void)public_of(";object=a", point + 2);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    add_public(point + 2, 65);
    must_find(TW_OK, ";object=a");
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    add_public(point, 67);
    must_find(TW_OK, ";object=a");
    must_no_event(&s);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    add_public(point, 66);
    must_find(TW_ERR_TOKEN_ABSENT, ";object=a");
}

/* --- Names. ------------------------------------------------------------------------------------
 */

/* Some programs count a label's zero to it. */
Test(find, finds_a_key_by_its_uri_though_its_label_has_a_zero)
{
    char uri[512];
    tw_key *key, *found;
    size_t len;

    make(TW_KEM_P256_HKDF_SHA256, "a");
    set_attribute(CKO_PRIVATE_KEY, "a", CKA_LABEL, "b\0", 2);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";id=a%10"), NULL, 0, &key));
    must_ok(tw_token_key_uri(key, uri, sizeof(uri), &len));
    must_ok(tw_token_find_key(token, uri, NULL, 0, &found));
    must(memcmp(key->public_key, found->public_key, key->kem->public_len) == 0);
    tw_key_free(found);
    tw_key_free(key);
    must_find(TW_ERR_TOKEN_ABSENT, ";object=b");
}

/* --- What was there a moment ago. ------------------------------------------------------------- */

/* Private keys are hidden then, as if there were none. */
Test(find, finds_a_key_though_someone_logged_out)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session;

    make(TW_KEM_P256_HKDF_SHA256, "a");
    session = raw_session(&s, fn);
    must(fn->C_Logout(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    must_find(TW_OK, ";object=a");
    must_no_event(&s);
    must_find(TW_ERR_TOKEN_ABSENT, ";object=b");
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no such private key");
}

/* --- What the key may do. --------------------------------------------------------------------- */

Test(find, says_how_to_mend_a_key_that_softhsm2_util_imported)
{
    CK_BBOOL yes = CK_TRUE;
    tw_token_free(token);
    run_quietly(
        "cd %s && openssl ecparam -name prime256v1 -genkey -noout -out key.pem && "
        "openssl pkcs8 -topk8 -nocrypt -in key.pem -out key.p8 && softhsm2-util --import key.p8 "
        "--token hpke --label imported --id 88 --pin %s",
        s.dir, STAND_PIN);
    token = stand_open(&s);
    must_find(TW_ERR_TOKEN_POLICY, ";object=imported");
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_KEY_FUNCTION_NOT_PERMITTED,
               "CKA_DERIVE");
    set_attribute(CKO_PRIVATE_KEY, "imported", CKA_DERIVE, &yes, 1);
    must_find(TW_OK, ";object=imported");
    must_no_event(&s);
}
