/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs made in a token: what they may do, and what is refused. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "check.h"
#include "stand.h"

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

#define KEMS (sizeof(kems) / sizeof(kems[0]))

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

TestSuite(generate, .init = start, .fini = end);

static bool flag(CK_FUNCTION_LIST *fn, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                 CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = 7;
    CK_ATTRIBUTE a = {type, &value, sizeof(value)};

    check_note("(attribute 0x%lx)", type);
    must(fn->C_GetAttributeValue(session, object, &a, 1) == CKR_OK);
    must(value <= 1);
    return value == CK_TRUE;
}

static void must_be_for_derivation_alone(const char *label)
{
    static const CK_ATTRIBUTE_TYPE yes[] = {
        CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
        CKA_DERIVE};
    static const CK_ATTRIBUTE_TYPE no[] = {CKA_EXTRACTABLE, CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT,
                                           CKA_UNWRAP};
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_OBJECT_HANDLE object = raw_find(fn, session, CKO_PRIVATE_KEY, label);
    uint8_t value[256];
    CK_ATTRIBUTE secret = {CKA_VALUE, value, sizeof(value)};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        must(flag(fn, session, object, yes[i]));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        must(!flag(fn, session, object, no[i]));
    }
    must(fn->C_GetAttributeValue(session, object, &secret, 1) == CKR_ATTRIBUTE_SENSITIVE);
    must(fn->C_CloseSession(session) == CKR_OK);
}

Test(generate, makes_keys_for_derivation_alone_on_five_curves)
{
    for (size_t i = 0; i < KEMS; i++) {
        char label[] = {(char)('a' + i), '\0'};
        const uint8_t id = (uint8_t)i;
        tw_key *key;

        must_ok(tw_token_generate(token, kems[i], label, &id, 1, &key));
        must_size(kems[i], key->kem->id);
        must_ok(tw_key_check(key));
        tw_key_free(key);
        must_be_for_derivation_alone(label);
    }
    must_no_event(&s);
}

Test(generate, gives_a_uri_that_finds_the_key_again)
{
    const uint8_t id[] = {0x00, 0xff, '%'};
    char uri[512], small[512];
    size_t len, need;
    tw_key *key, *found;

    must_ok(
        tw_token_generate(token, TW_KEM_X448_HKDF_SHA512, "a name; with \xc3\xa4?", id, 3, &key));
    must_ok(tw_token_key_uri(key, uri, sizeof(uri), &len));
    must_size(strlen(uri), len);
    must_err(TW_ERR_SPACE, tw_token_key_uri(key, small, len, &need));
    must_size(len + 1, need);
    must_ok(tw_token_key_uri(key, small, need, &need));
    must_err(TW_ERR_SPACE, tw_token_key_uri(key, NULL, 0, &need));
    must(strstr(uri, "pin") == NULL);
    must_ok(tw_token_find_key(token, uri, NULL, 0, &found));
    must(memcmp(key->public_key, found->public_key, key->kem->public_len) == 0);
    tw_key_free(found);
    tw_key_free(key);
    must_err(TW_ERR_INVALID, tw_token_key_uri(NULL, uri, sizeof(uri), &len));
}

Test(generate, works_with_a_label_or_an_id_alone)
{
    const uint8_t id = 7;
    tw_key *key;

    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "label alone", NULL, 0, &key));
    tw_key_free(key);
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, NULL, &id, 1, &key));
    tw_key_free(key);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=label%20alone"), NULL, 0, &key));
    tw_key_free(key);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";id=%07"), NULL, 0, &key));
    tw_key_free(key);
    must_no_event(&s);
}

Test(generate, refuses_a_label_or_id_that_is_there)
{
    const uint8_t id = 7, other = 8;
    tw_key *key, *again = (tw_key *)&s;

    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", &id, 1, &key));
    must_err(TW_ERR_STATE, tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", &id, 1, &again));
    must(again == NULL);
    must_event(&s, TW_ERR_STATE, NULL, 0, "of this id");
    must_err(TW_ERR_STATE,
             tw_token_generate(token, TW_KEM_X25519_HKDF_SHA256, "a", &other, 1, &again));
    must_event(&s, TW_ERR_STATE, NULL, 0, "of this label");
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "b", &other, 1, &again));
    tw_key_free(again);
    tw_key_free(key);
}

Test(generate, refuses_bad_arguments)
{
    const uint8_t id = 7;
    tw_key *key = (tw_key *)&s;

    must_err(TW_ERR_INVALID, tw_token_generate(token, 0x0099, "a", &id, 1, &key));
    must(key == NULL);
    must_err(TW_ERR_INVALID,
             tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, NULL, NULL, 0, &key));
    must_err(TW_ERR_INVALID, tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "", &id, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", NULL, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_generate(NULL, TW_KEM_P256_HKDF_SHA256, "a", &id, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", &id, 1, NULL));
    must_no_event(&s);
}
