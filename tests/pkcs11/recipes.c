/* SPDX-License-Identifier: Apache-2.0 */
/* Which way a token was seen to serve a key, and that it stays with it, come what may. Looks
 * inside. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "exchange.h"
#include "stand.h"
#include "key.h"

#define ALWAYS 1, ~0u

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(recipes, .fini = end, .timeout = 300);

static void must_follow(const tw_key *key, const char *way)
{
    const recipe *r = &((const token_key *)key)->recipe;

    check_note("(%s, shape %u%s)", r->strategy->name, r->shape, r->der_point ? ", DER" : "");
    must(strcmp(r->strategy->name, way) == 0);
    must_size(r->strategy->exports_dh ? SHAPE_PUBLIC : SHAPE_WHOLE, r->shape);
    must(!r->der_point);
    check_note("%s", "");
}

/* A key on each curve, opened under both policies, with messages through it. */
static void serve(const uint16_t *kems, size_t count, const char *open, const char *closed)
{
    for (int never_export = 0; never_export < 2; never_export++) {
        tw_token *token;

        s.options.never_export_dh = never_export == 1;
        token = stand_open(&s);
        for (size_t i = 0; i < count; i++) {
            char label[] = {(char)('a' + 8 * never_export + (int)i), '\0'};
            tw_key *key = stand_key(&s, token, kems[i], label);

            must_follow(key, never_export == 1 ? closed : open);
            exchange_suites(key, kems[i]);
            tw_key_free(key);
        }
        tw_token_free(token);
    }
    must_no_event(&s);
}

static const uint16_t all[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                               TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                               TW_KEM_X448_HKDF_SHA512};

Test(recipes, softhsm_reads_the_output_or_hashes_it_inside)
{
    stand_softhsm(&s);
    serve(all, 5, "S1", "S3");
}

#ifdef TESTS_NSS
Test(recipes, nss_reads_the_output_or_runs_hkdf_inside)
{
    stand_nss(&s);
    serve(all, 3, "S1", "S2");
}

/* In FIPS mode a derived secret cannot be made readable. */
Test(recipes, nss_in_fips_mode_runs_hkdf_inside_whatever_was_asked)
{
    stand_fips(&s);
    serve(all, 3, "S2", "S2");
}
#endif

/* --- The same, watched. ----------------------------------------------------------------- */

static bool asks_for_extractable(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == CKA_EXTRACTABLE) {
            return *(const CK_BBOOL *)a[i].pValue == CK_TRUE;
        }
    }
    return true;
}

static bool asks_for_kept(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    return !asks_for_extractable(m, a, count);
}

static bool reads_value(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    (void)m;
    return count == 1 && a->type == CKA_VALUE;
}

static size_t forbidden;

static bool count_forbidden(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    forbidden += m->mechanism == CKM_ECDH1_DERIVE && asks_for_extractable(m, a, count);
    return false;
}

static bool count_values(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    forbidden += reads_value(m, a, count);
    return false;
}

static void watch_for_exports(void)
{
    forbidden = 0;
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_OK, 0, count_forbidden});
    shim_says((shim_rule){SHIM_GetAttributeValue, ALWAYS, CKR_OK, 0, count_values});
}

Test(recipes, under_never_export_dh_no_output_is_ever_asked_for)
{
    tw_token *token;
    tw_key *key;
    long objects;

    stand_shim(&s);
    watch_for_exports();
    s.options.never_export_dh = true;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    objects = shim_state()->objects;
    must_ok(tw_key_check(key));
    must(shim_state()->objects == objects);
    shim_clear();
    watch_for_exports();
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_DEVICE_ERROR, 0, asks_for_kept});
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(key)); /* and not by another way */
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "");
    must_size(0, forbidden);
    tw_key_free(key);
    tw_token_free(token);
}

Test(recipes, a_token_that_can_do_neither_is_refused_under_never_export_dh)
{
    tw_token *token;
    tw_key *key = (tw_key *)&s;

    stand_shim(&s);
    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_token_free(token);
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_TEMPLATE_INCONSISTENT, 0, asks_for_kept});
    s.options.never_export_dh = true;
    token = stand_open(&s);
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    must(key == NULL);
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_TEMPLATE_INCONSISTENT,
               "must not be exported");
    tw_token_free(token);
    s.options.never_export_dh = false;
    token = stand_open(&s);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    tw_key_free(key);
    tw_token_free(token);
}

/* A broken device is no policy: it may be well tomorrow. */
Test(recipes, a_token_that_fails_is_not_said_to_refuse_under_never_export_dh)
{
    tw_token *token;
    tw_key *key;

    stand_shim(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_DEVICE_ERROR, 0, NULL});
    must_err(TW_ERR_TOKEN_FAILED,
             tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "");
    tw_token_free(token);
}

Test(recipes, what_cannot_be_read_is_hashed_inside_and_stays_so)
{
    tw_token *token;
    tw_key *key;

    stand_shim(&s);
    token = stand_open(&s);
    shim_says((shim_rule){SHIM_GetAttributeValue, ALWAYS, CKR_ATTRIBUTE_SENSITIVE, 0, reads_value});
    key = stand_key(&s, token, TW_KEM_X25519_HKDF_SHA256, "a");
    must_follow(key, "S3");
    shim_clear();
    watch_for_exports();
    must_ok(tw_key_check(key)); /* though it could be read now */
    must_size(0, forbidden);
    tw_key_free(key);
    tw_token_free(token);
}

/* --- Faults and what comes after them. ---------------------------------------------------- */

static bool other_way(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    forbidden += m->mechanism == CKM_ECDH1_DERIVE && asks_for_kept(m, a, count);
    return false;
}

/* What follows is held to the way that was pinned: any other counts as forbidden. */
static void watch_for_others(const char *way)
{
    bool exports = strcmp(way, "S1") == 0;

    shim_clear();
    forbidden = 0;
    shim_says(
        (shim_rule){SHIM_DeriveKey, ALWAYS, CKR_OK, 0, exports ? other_way : count_forbidden});
    if (strcmp(way, "S3") == 0) { /* S2 reads the KEM's secret so */
        shim_says((shim_rule){SHIM_GetAttributeValue, ALWAYS, CKR_OK, 0, count_values});
    }
}

/* A session lost, the slot, the module: each rung of recovery, under the key's feet. */
static void must_stay_through_losses(const tw_key *key, const char *way)
{
    static const struct {
        CK_RV rv;
        shim_function shows; /* what the recovery calls */
    } losses[] = {{CKR_SESSION_HANDLE_INVALID, SHIM_OpenSession},
                  {CKR_DEVICE_REMOVED, SHIM_GetSlotList},
                  {CKR_DEVICE_ERROR, SHIM_Initialize}};

    for (size_t i = 0; i < LENGTH(losses); i++) {
        watch_for_others(way);
        shim_says((shim_rule){SHIM_DeriveKey, 1, 2, losses[i].rv, 0, NULL});
        check_note("(%s, 0x%lx)", way, losses[i].rv);
        must_ok(tw_key_check(key));
        must(shim_state()->calls[losses[i].shows] > 0);
        must_size(0, forbidden);
        must_follow(key, way);
    }
}

/* The token's mind changes: what it served with it refuses now, for a while. */
static void must_fail_rather_than_change(const tw_key *key, const char *way)
{
    watch_for_others(way);
    shim_says((shim_rule){SHIM_DeriveKey, ALWAYS, CKR_ATTRIBUTE_VALUE_INVALID, 0,
                          strcmp(way, "S1") == 0 ? asks_for_extractable : asks_for_kept});
    must_err(TW_ERR_TOKEN_POLICY, tw_key_check(key));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_DeriveKey", CKR_ATTRIBUTE_VALUE_INVALID, "");
    must_size(0, forbidden);
    watch_for_others(way);
    must_ok(tw_key_check(key));
    must_size(0, forbidden);
    must_follow(key, way);
}

static void must_stay(tw_token *token, tw_key *key, const char *way)
{
    must_follow(key, way);
    must_stay_through_losses(key, way);
    must_fail_rather_than_change(key, way);
    must_no_event(&s);
    tw_key_free(key);
    tw_token_free(token);
}

Test(recipes, reading_the_output_is_not_given_up_for_another_way)
{
    tw_token *token;

    stand_shim(&s);
    token = stand_open(&s);
    must_stay(token, stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"), "S1");
}

Test(recipes, hashing_inside_is_not_given_up_under_never_export_dh)
{
    tw_token *token;

    stand_shim(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    must_stay(token, stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"), "S3");
}

Test(recipes, hashing_inside_is_not_given_up_where_reading_was_refused_once)
{
    tw_token *token;

    stand_shim(&s);
    token = stand_open(&s);
    shim_says(
        (shim_rule){SHIM_DeriveKey, ALWAYS, CKR_ATTRIBUTE_VALUE_INVALID, 0, asks_for_extractable});
    must_stay(token, stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"), "S3");
}

/* Such a key is recognised after a loss by using it, and that goes its way too. */
Test(recipes, hashing_inside_is_not_given_up_by_a_key_whose_public_half_was_given)
{
    uint8_t pk[MAX_PUBLIC_EC];
    tw_token *token;
    tw_key *key;

    stand_shim(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    memcpy(pk, key->public_key, key->kem->public_len);
    tw_key_free(key);
    raw_destroy(&s, CKO_PUBLIC_KEY, "a");
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), pk, 65, &key));
    must_stay(token, key, "S3");
}

#ifdef TESTS_NSS
Test(recipes, hkdf_inside_is_not_given_up_under_never_export_dh)
{
    tw_token *token;

    stand_nss(&s);
    must(setenv("TWOWAY_SHIM_MODULE", TESTS_NSS, 1) == 0);
    (void)snprintf(s.module, sizeof(s.module), "%s", TESTS_SHIM);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    must_stay(token, stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"), "S2");
}
#endif
