/* SPDX-License-Identifier: Apache-2.0 */
/* What real tokens were seen to do, shown by a module that stands in front of SoftHSM. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "stand.h"

#define ALWAYS 1, ~0u

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

TestSuite(quirks, .init = start, .fini = end);

/* What every test ends with: the key works, and nothing is left in the token. */
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

static tw_err find(const char *path, tw_key **key)
{
    return tw_token_find_key(token, stand_uri(&s, path), NULL, 0, key);
}

static bool has(const CK_ATTRIBUTE *a, CK_ULONG count, CK_ATTRIBUTE_TYPE type, bool value)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == type) {
            return a[i].ulValueLen != 1 || (*(const CK_BBOOL *)a[i].pValue == CK_TRUE) == value;
        }
    }
    return false;
}

/* --- The derived object. ---------------------------------------------------------------- */

static bool has_value_len(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    return has(a, count, CKA_VALUE_LEN, true);
}

static bool has_sensitive(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    return has(a, count, CKA_SENSITIVE, false) || has(a, count, CKA_SENSITIVE, true);
}

static bool has_raw_point(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)a;
    (void)count;
    return ((const CK_ECDH1_DERIVE_PARAMS *)m->pParameter)->ulPublicDataLen == 65;
}

static bool lacks_a_spelled_out_token(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    return !has(a, count, CKA_TOKEN, false) || has(a, count, CKA_ENCRYPT, true) ||
           has(a, count, CKA_DECRYPT, true);
}

static void must_settle_despite(shim_rule rule)
{
    tw_key *key;

    shim_says(rule);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_state()->calls[SHIM_DeriveKey] = 0;
    must_work(key);
    must_size(1, shim_state()->calls[SHIM_DeriveKey]); /* what worked is kept */
    must_size(0, (size_t)shim_state()->objects + 0 * (size_t)rule.rv);
    finish(key);
}

Test(quirks, asks_again_without_a_value_len)
{
    must_settle_despite(
        (shim_rule){SHIM_DeriveKey, ALWAYS, CKR_ATTRIBUTE_VALUE_INVALID, 0, has_value_len});
}

Test(quirks, asks_again_without_sensitive)
{
    must_settle_despite(
        (shim_rule){SHIM_DeriveKey, ALWAYS, CKR_TEMPLATE_INCONSISTENT, 0, has_sensitive});
}

Test(quirks, sends_the_point_in_der_only_when_raw_is_refused)
{
    must_settle_despite(
        (shim_rule){SHIM_DeriveKey, ALWAYS, CKR_MECHANISM_PARAM_INVALID, 0, has_raw_point});
}

Test(quirks, spells_out_that_the_derived_object_is_a_session_object)
{
    must_settle_despite((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_TEMPLATE_INCONSISTENT, 0,
                                    lacks_a_spelled_out_token});
}

static void must_refuse_length(CK_ULONG len)
{
    tw_key *key, *other;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_state()->value_len = len;
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, NULL, 0, "in place of 32");
    /* Opened now, it is a key whose output is not to be read. */
    must_ok(find(";object=a", &other));
    must_ok(tw_key_check(other));
    must_no_event(&s);
    tw_key_free(other);
    finish(key);
}

Test(quirks, refuses_a_length_of_minus_one)
{
    must_refuse_length((CK_ULONG)-1);
}

Test(quirks, refuses_an_output_that_was_cut)
{
    must_refuse_length(31);
}

Test(quirks, closes_the_session_of_an_object_that_will_not_go)
{
    tw_key *key;
    long before;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    before = shim_state()->sessions;
    shim_clear();
    shim_says((shim_rule){SHIM_DestroyObject, 1, 1, CKR_FUNCTION_FAILED, 0, NULL});
    must_work(key);
    must_size((size_t)before - 1, (size_t)shim_state()->sessions);
    must_work(key);
    must_no_event(&s);
    finish(key);
}

/* --- Making keys. ------------------------------------------------------------------------ */

static bool made_with_decrypt;

static bool note_decrypt(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    made_with_decrypt = has(a, count, CKA_DECRYPT, true);
    return false;
}

static bool is_without_decrypt(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    (void)a;
    (void)count;
    return !made_with_decrypt;
}

static size_t count_objects(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_OBJECT_HANDLE objects[32];
    CK_ULONG count = 0;

    must(fn->C_FindObjectsInit(session, NULL, 0) == CKR_OK);
    must(fn->C_FindObjects(session, objects, 32, &count) == CKR_OK);
    must(fn->C_FindObjectsFinal(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    return count;
}

Test(quirks, makes_a_key_that_may_decrypt_only_where_none_else_derives)
{
    tw_key *key;

    token = stand_open(&s);
    shim_says((shim_rule){SHIM_GenerateKeyPair, ALWAYS, CKR_OK, 0, note_decrypt});
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, 0x182, 0, is_without_decrypt});
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    must(made_with_decrypt);
    must_size(2, count_objects()); /* the attempts before it left nothing */
    must_work(key);
    finish(key);
}

Test(quirks, leaves_nothing_of_a_key_that_does_not_work)
{
    tw_key *key = (tw_key *)&s;

    token = stand_open(&s);
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, 0x70007, 0, NULL});
    must_err(TW_ERR_TOKEN_FAILED,
             tw_token_generate(token, TW_KEM_X25519_HKDF_SHA256, "a", NULL, 0, &key));
    must(key == NULL);
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", 0x70007, "outside PKCS #11");
    must_size(0, count_objects());
    finish(NULL);
}

static bool asks_for_sensitive(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    return count == 1 && a->type == CKA_SENSITIVE;
}

Test(quirks, refuses_a_new_key_that_is_not_sensitive)
{
    tw_key *key;

    token = stand_open(&s);
    shim_says((shim_rule){SHIM_GetAttributeValue, ALWAYS, CKR_ATTRIBUTE_TYPE_INVALID, 0,
                          asks_for_sensitive});
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_POLICY, NULL, 0, "not private, sensitive");
    must_size(0, count_objects());
    finish(NULL);
}

Test(quirks, says_that_a_full_token_is_full_and_asks_no_further)
{
    tw_key *key;

    token = stand_open(&s);
    shim_says((shim_rule){SHIM_GenerateKeyPair, ALWAYS, CKR_DEVICE_MEMORY, 0, NULL});
    must_err(TW_ERR_TOKEN_FAILED,
             tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_GenerateKeyPair", CKR_DEVICE_MEMORY, "full");
    must_size(1, shim_state()->calls[SHIM_GenerateKeyPair]);
    finish(NULL);
}

/* --- Policy. ------------------------------------------------------------------------------- */

Test(quirks, names_a_code_that_is_in_no_standard)
{
    tw_key *key;

    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, 0xa000a, 0, NULL});
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", 0xa000a, "0xa000a");
    finish(key);
}

/* Off the curve, or of small order: as enc, and as who sent it. */
static void must_not_use(const tw_key *key, const uint8_t *bad)
{
    uint8_t secret[TW_MAX_SECRET];

    shim_clear();
    must_err(TW_ERR_FORMAT, key->ops->decap(key, bad, NULL, secret));
    must(key->ops->decap(key, key->public_key, bad, secret) != TW_OK);
    must_size(0, shim_state()->calls[SHIM_DeriveKey]);
    must_no_event(&s);
}

Test(quirks, never_spends_an_operation_on_a_bad_point)
{
    static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                    TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256};
    static const char *const names[] = {"a", "b", "c", "d"};

    token = stand_open(&s);
    for (size_t i = 0; i < sizeof(kems) / sizeof(kems[0]); i++) {
        uint8_t bad[TW_MAX_ENC] = {kems[i] == TW_KEM_X25519_HKDF_SHA256 ? 0 : 0x04};
        tw_key *key = stand_key(&s, token, kems[i], names[i]);

        must_not_use(key, bad);
        if (kems[i] == TW_KEM_X25519_HKDF_SHA256) {
            bad[0] = 1;
        } else {
            memcpy(bad, key->public_key, key->kem->public_len);
            bad[key->kem->public_len - 1] ^= 1; /* only just beside it */
        }
        must_not_use(key, bad);
        tw_key_free(key);
    }
    finish(NULL);
}

/* --- Sessions. ------------------------------------------------------------------------------- */

static bool is_read_write(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG flags)
{
    (void)m;
    (void)a;
    return (flags & CKF_RW_SESSION) != 0;
}

Test(quirks, opens_read_write_and_falls_back)
{
    tw_key *key;

    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_token_free(token);
    shim_clear();
    token = stand_open(&s);
    must_size(1, shim_state()->calls[SHIM_OpenSession]);
    tw_token_free(token);
    shim_says((shim_rule){SHIM_OpenSession, ALWAYS, CKR_TOKEN_WRITE_PROTECTED, 0, is_read_write});
    token = stand_open(&s);
    must_ok(find(";object=a", &key));
    must_work(key);
    must_no_event(&s);
    finish(key);
}

Test(quirks, says_that_a_token_has_no_session_left)
{
    shim_says((shim_rule){SHIM_OpenSession, ALWAYS, CKR_SESSION_COUNT, 0, NULL});
    must_err(TW_ERR_TOKEN_BUSY, tw_token_open(stand_uri(&s, ""), &s.options, &token));
    must_event(&s, TW_ERR_TOKEN_BUSY, "C_OpenSession", CKR_SESSION_COUNT, "no session left");
}

static void *hold(void *arg)
{
    must_ok(tw_key_check(arg));
    return NULL;
}

Test(quirks, waits_no_longer_than_the_deadline)
{
    tw_key *key;
    pthread_t holder;

    s.options.max_sessions = 1;
    s.options.deadline_ms = 50;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
    shim_says((shim_rule){SHIM_DeriveKey, 1, 1, CKR_OK, SHIM_HOLD, NULL});
    must(pthread_create(&holder, NULL, hold, key) == 0);
    while (shim_state()->calls[SHIM_DeriveKey] == 0) {
        usleep(1000);
    }
    must_err(TW_ERR_TOKEN_BUSY, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_BUSY, NULL, 0, "all 1 sessions were in use for 50 ms");
    shim_state()->release = true;
    must(pthread_join(holder, NULL) == 0);
    must_work(key);
    must_size(1, shim_state()->most_sessions);
    finish(key);
}
