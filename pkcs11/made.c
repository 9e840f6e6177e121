/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdlib.h>

/*
 * What a token made is looked at, for it may have made another key than it was asked for.
 */

typedef struct demand {
    CK_ATTRIBUTE_TYPE type;
    bool value, unsaid; /* what it has to be; what it counts as where the token does not say */
} demand;

/* Each of them keeps the key where it is, and whom it serves. */
static const demand demands[] = {
    {CKA_SENSITIVE, true, false},        {CKA_EXTRACTABLE, false, true},
    {CKA_PRIVATE, true, true},           {CKA_ALWAYS_SENSITIVE, true, true},
    {CKA_NEVER_EXTRACTABLE, true, true},
};

static const CK_ATTRIBUTE_TYPE others[] = {CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP};

static tw_err keeps_inside(const line *l, CK_OBJECT_HANDLE object)
{
    for (size_t i = 0; i < LENGTH(demands); i++) {
        bool value = false;
        tw_err err = twp_attr_bool(l, object, demands[i].type, demands[i].unsaid, &value);

        if (err != TW_OK) {
            return err;
        }
        if (value != demands[i].value) {
            return twp_fail_text(l->why, TW_ERR_TOKEN_POLICY,
                                 "the token made a key that is not private, sensitive and never "
                                 "extractable, though it was asked for one");
        }
    }
    return TW_OK;
}

static tw_err narrow(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool *wide)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE off = {type, &no, sizeof(no)};
    bool value = false;
    tw_err err = twp_attr_bool(l, object, type, false, &value);

    if (err == TW_OK && value &&
        l->fn->C_SetAttributeValue(l->session, object, &off, 1) == CKR_OK) {
        err = twp_attr_bool(l, object, type, true, &value);
    }
    *wide = *wide || value;
    return err;
}

tw_err twp_made_check(const line *l, CK_OBJECT_HANDLE object, bool may_decrypt, bool *wide)
{
    tw_err err = keeps_inside(l, object);

    *wide = false;
    for (size_t i = 0; err == TW_OK && i < LENGTH(others); i++) {
        if (others[i] != CKA_DECRYPT || !may_decrypt) {
            err = narrow(l, object, others[i], wide);
        }
    }
    return err;
}

tw_err twp_made_public(const line *l, CK_OBJECT_HANDLE private, CK_OBJECT_HANDLE public,
                       token_key *k)
{
    uint8_t *point;
    size_t len;
    tw_err err = twp_attr_get(l, public, CKA_EC_POINT, &point, &len);

    k->public_from = ORIGIN_NONE;
    if (err == TW_OK && point != NULL && twp_point_decode(k->curve, point, len, k->public_key)) {
        k->public_from = ORIGIN_OBJECT;
    }
    free(point);
    if (err == TW_OK && k->public_from == ORIGIN_NONE) {
        err = twp_public_find(l, private, k->curve, k->public_key, &k->public_from);
    }
    if (err == TW_OK && k->public_from == ORIGIN_NONE) {
        err = twp_fail_text(l->why, TW_ERR_TOKEN_FAILED,
                            "the public half of the new key is no point");
    }
    return err == TW_OK ? twp_point_check(k, TW_ERR_TOKEN_FAILED, l->why) : err;
}
