/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

static CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE generic_secret = CKK_GENERIC_SECRET;

enum {
    DERIVED_ATTRIBUTES = 7, /* PRIVATE and DERIVE are never both there */
};

/* TOKEN is spelled out because OpenSC insists. ENCRYPT and DECRYPT are not, because some
 * refuse them. What is not readable must be good for another derivation. */
static CK_ULONG derived_template(unsigned shape, bool readable, CK_ULONG *len,
                                 CK_ATTRIBUTE out[DERIVED_ATTRIBUTES])
{
    CK_ULONG n = 0;

    out[n++] = (CK_ATTRIBUTE){CKA_CLASS, &secret_key, sizeof(secret_key)};
    out[n++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &generic_secret, sizeof(generic_secret)};
    out[n++] = (CK_ATTRIBUTE){CKA_TOKEN, &no, sizeof(no)};
    out[n++] = (CK_ATTRIBUTE){CKA_EXTRACTABLE, readable ? &yes : &no, sizeof(no)};
    if (readable && shape == SHAPE_PUBLIC) {
        out[n++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, sizeof(no)};
    }
    if (shape < SHAPE_LEAST) {
        out[n++] = (CK_ATTRIBUTE){CKA_SENSITIVE, readable ? &no : &yes, sizeof(no)};
    }
    if (shape < SHAPE_NO_LEN) {
        out[n++] = (CK_ATTRIBUTE){CKA_VALUE_LEN, len, sizeof(*len)};
    }
    if (!readable) {
        out[n++] = (CK_ATTRIBUTE){CKA_DERIVE, &yes, sizeof(yes)};
    }
    return n;
}

static tw_err derive(op *o, CK_OBJECT_HANDLE key, const agreement *a, const uint8_t *point,
                     bool readable, CK_OBJECT_HANDLE *out)
{
    const curve *c = a->key->curve;
    const recipe *r = &a->key->recipe;
    uint8_t encoded[MAX_PUBLIC_EC + 3];
    CK_ATTRIBUTE template[DERIVED_ATTRIBUTES];
    CK_ULONG len = c->dh_len;
    CK_ECDH1_DERIVE_PARAMS params = {.kdf = CKD_NULL};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_RV rv;

    params.ulPublicDataLen = c->public_len;
    params.pPublicData = encoded;
    if (r->der_point) {
        params.ulPublicDataLen = twp_point_encode(c, point, encoded);
    } else {
        memcpy(encoded, point, c->public_len);
    }
    *out = CK_INVALID_HANDLE;
    rv = o->line.fn->C_DeriveKey(o->line.session, &mechanism, key, template,
                                 derived_template(r->shape, readable, &len, template), out);
    return rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_DeriveKey", rv);
}

/* A key may ask for a login before each use (CKA_ALWAYS_AUTHENTICATE). It counts for the next
 * use of the card, whoever's that is: nothing may come between. */
tw_err twp_derive_dh(op *o, CK_OBJECT_HANDLE key, const agreement *a, const uint8_t *point,
                     bool readable, CK_OBJECT_HANDLE *out)
{
    tw_token *t = o->token;
    tw_err err;

    if (!a->key->each_login) {
        return derive(o, key, a, point, readable, out);
    }
    if (!twp_turn_take(&t->login, o->deadline)) {
        return twp_fail_text(o->line.why, TW_ERR_TOKEN_BUSY,
                             "other uses of a key that wants a login for each took longer than "
                             "%u ms",
                             t->opt.deadline_ms);
    }
    err = twp_key_login(o);
    if (err == TW_OK) {
        err = derive(o, key, a, point, readable, out);
    }
    twp_turn_give(&t->login);
    return err;
}

/* A secret that stays behind would outlive this operation: end its session. */
void twp_object_destroy(op *o, CK_OBJECT_HANDLE object)
{
    if (o->line.fn->C_DestroyObject(o->line.session, object) != CKR_OK) {
        o->broken = true;
    }
}

/* Exactly Ndh bytes, leading zeros and all (RFC 9180 section 4.1): tokens have been seen
 * to pad, to cut at either end, and to answer CKR_OK with a length of -1. */
tw_err twp_value_read(op *o, CK_OBJECT_HANDLE object, uint8_t *out, size_t len)
{
    CK_ATTRIBUTE value = {CKA_VALUE, out, len};
    uint8_t any = 0;
    CK_RV rv;

    memset(out, 0, len);
    rv = o->line.fn->C_GetAttributeValue(o->line.session, object, &value, 1);
    if (rv != CKR_OK) {
        return twp_fail_rv(o->line.why, "C_GetAttributeValue", rv);
    }
    if (value.ulValueLen != len) {
        return twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED,
                             "the token gave a secret of %ld bytes in place of %zu",
                             (long)value.ulValueLen, len);
    }
    for (size_t i = 0; i < len; i++) {
        any |= out[i];
    }
    /* Every point was checked, and no peer can aim at the one whose x-coordinate is zero: that
     * takes the private key. So nothing was written. */
    if (any == 0) {
        return twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED, "the token gave a secret of zeros");
    }
    return TW_OK;
}

static tw_err one_dh(op *o, CK_OBJECT_HANDLE key, const agreement *a, const uint8_t *point,
                     uint8_t *out)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    tw_err err = twp_derive_dh(o, key, a, point, true, &object);

    if (err != TW_OK) {
        return err;
    }
    err = twp_value_read(o, object, out, a->key->curve->dh_len);
    twp_object_destroy(o, object);
    return err;
}

/* S1: derive, read, destroy; the rest on the host. */
static tw_err run_value(op *o, CK_OBJECT_HANDLE key, const agreement *a)
{
    size_t n = a->key->curve->dh_len, used = 0;
    uint8_t dh[2 * TW_MAX_DH];
    tw_err err = TW_OK;

    if (a->host_dh != NULL) {
        memcpy(dh, a->host_dh, n);
        used = n;
    }
    for (size_t i = 0; err == TW_OK && i < a->point_count; i++) {
        err = one_dh(o, key, a, a->points[i], dh + used);
        used += n;
    }
    if (err == TW_OK) {
        err = tw_dhkem_secret(a->key->base.kem, dh, used, a->enc, a->recipient_public,
                              a->sender_public, a->secret);
        if (err == TW_ERR_FORMAT) { /* every point was checked: this is no peer's doing */
            err = twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED,
                                "the token gave zeros as DH output");
        } else if (err != TW_OK) {
            err = twp_fail_text(o->line.why, err, "the KEM's key derivation failed");
        }
    }
    tw_wipe(dh, sizeof(dh));
    return err;
}

const strategy twp_strategy_value = {"S1", true, run_value};
