/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

/*
 * S2: the token runs DHKEM's own HKDF (RFC 9180 section 4.1) on a DH output that it keeps.
 * What is hashed before the output is joined to it inside, the extract gives a key that
 * stays, and the expand a data object: expanding into a readable key is refused, for its
 * base is sensitive.
 */

#define MECHANISM_CONCATENATE_BASE_AND_KEY 0x360
#define MECHANISM_HKDF_DERIVE              0x402a
#define MECHANISM_HKDF_DATA                0x402b
#define SALT_NULL                          1

/* PKCS #11 3.0 section 2.44.2; under another name than newer headers give it. */
typedef struct hkdf_params {
    CK_BBOOL extract, expand;
    CK_MECHANISM_TYPE hash;
    CK_ULONG salt_type;
    CK_BYTE *salt;
    CK_ULONG salt_len;
    CK_OBJECT_HANDLE salt_key;
    CK_BYTE *info;
    CK_ULONG info_len;
} hkdf_params;

enum {
    MOST_PREFIX = 64,
    MOST_INFO = 64 + 3 * MAX_PUBLIC_EC,
    MOST_STEPS = 6,
};

/* What the steps leave in the token, to be destroyed at the end. */
typedef struct chain {
    op *o;
    const agreement *a;
    CK_OBJECT_HANDLE key;
    CK_OBJECT_HANDLE made[MOST_STEPS];
    size_t count;
} chain;

static CK_OBJECT_HANDLE last_of(const chain *c)
{
    return c->made[c->count - 1];
}

static tw_err step_dh(chain *c, const uint8_t *point)
{
    tw_err err = twp_derive_dh(c->o, c->key, c->a, point, false, &c->made[c->count]);

    c->count += err == TW_OK;
    return err;
}

/* A secret that stays inside, out of `base`. */
static tw_err step_key(chain *c, CK_MECHANISM_TYPE type, void *params, size_t params_len,
                       CK_OBJECT_HANDLE base)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE kind = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &kind, sizeof(kind)},
        {CKA_TOKEN, &no, sizeof(no)},       {CKA_SENSITIVE, &yes, sizeof(yes)},
        {CKA_EXTRACTABLE, &no, sizeof(no)}, {CKA_DERIVE, &yes, sizeof(yes)},
    };
    CK_MECHANISM mechanism = {type, params, params_len};
    CK_RV rv = c->o->line.fn->C_DeriveKey(c->o->line.session, &mechanism, base, template,
                                          LENGTH(template), &c->made[c->count]);

    c->count += rv == CKR_OK;
    return rv == CKR_OK ? TW_OK : twp_fail_rv(c->o->line.why, "C_DeriveKey", rv);
}

/* "HPKE-v1" || suite_id || "eae_prk" || dh, where the host's own output comes first. */
static tw_err step_prefix(chain *c)
{
    const agreement *a = c->a;
    uint8_t data[MOST_PREFIX + TW_MAX_DH];
    CK_KEY_DERIVATION_STRING_DATA params = {data, 0};
    size_t len = 0;
    tw_err err = tw_dhkem_prefix(a->key->base.kem, data, MOST_PREFIX, &len);

    if (err != TW_OK) {
        return twp_fail_text(c->o->line.why, err, "the KEM's key derivation failed");
    }
    if (a->host_dh != NULL) {
        memcpy(data + len, a->host_dh, a->key->curve->dh_len);
        len += a->key->curve->dh_len;
    }
    params.ulLen = len;
    err = step_key(c, CKM_CONCATENATE_DATA_AND_BASE, &params, sizeof(params), last_of(c));
    tw_wipe(data, sizeof(data));
    return err;
}

/* The auth modes' second output goes behind the first. */
static tw_err step_second(chain *c)
{
    CK_OBJECT_HANDLE base = last_of(c);
    CK_OBJECT_HANDLE second;
    tw_err err = step_dh(c, c->a->points[1]);

    if (err != TW_OK) {
        return err;
    }
    second = last_of(c);
    return step_key(c, MECHANISM_CONCATENATE_BASE_AND_KEY, &second, sizeof(second), base);
}

static tw_err step_extract(chain *c)
{
    hkdf_params params = {
        .extract = CK_TRUE, .hash = c->a->key->curve->hash, .salt_type = SALT_NULL};

    return step_key(c, MECHANISM_HKDF_DERIVE, &params, sizeof(params), last_of(c));
}

static tw_err step_expand(chain *c)
{
    const agreement *a = c->a;
    const tw_kem *kem = a->key->base.kem;
    uint8_t info[MOST_INFO];
    size_t info_len = 0;
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG len = kem->secret_len;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_TOKEN, &no, sizeof(no)},
                               {CKA_VALUE_LEN, &len, sizeof(len)}};
    hkdf_params params = {
        .expand = CK_TRUE, .hash = a->key->curve->hash, .salt_type = SALT_NULL, .info = info};
    CK_MECHANISM mechanism = {MECHANISM_HKDF_DATA, &params, sizeof(params)};
    CK_RV rv;

    if (tw_dhkem_info(kem, a->enc, a->recipient_public, a->sender_public, info, sizeof(info),
                      &info_len) != TW_OK) {
        return twp_fail_text(c->o->line.why, TW_ERR_INVALID, "the KEM's key derivation failed");
    }
    params.info_len = info_len;
    rv = c->o->line.fn->C_DeriveKey(c->o->line.session, &mechanism, last_of(c), template,
                                    LENGTH(template), &c->made[c->count]);
    c->count += rv == CKR_OK;
    return rv == CKR_OK ? TW_OK : twp_fail_rv(c->o->line.why, "C_DeriveKey", rv);
}

static tw_err run_hkdf(op *o, CK_OBJECT_HANDLE key, const agreement *a)
{
    chain c = {.o = o, .a = a, .key = key};
    tw_err err = step_dh(&c, a->points[0]);

    if (err == TW_OK) {
        err = step_prefix(&c);
    }
    if (err == TW_OK && a->point_count > 1) {
        err = step_second(&c);
    }
    if (err == TW_OK) {
        err = step_extract(&c);
    }
    if (err == TW_OK) {
        err = step_expand(&c);
    }
    if (err == TW_OK) {
        err = twp_value_read(o, last_of(&c), a->secret, a->key->base.kem->secret_len);
    }
    while (c.count > 0) {
        twp_object_destroy(o, c.made[--c.count]);
    }
    return err;
}

const strategy twp_strategy_hkdf = {"S2", false, run_hkdf};
