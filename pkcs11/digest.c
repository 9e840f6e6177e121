/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

/*
 * S3: a token without HKDF can still hash a key that it keeps. DHKEM's extract is HMAC
 * with a key of zeros (RFC 9180 section 4.1, RFC 5869 section 2.2), and HMAC is
 *
 *     H(opad || H(ipad || "HPKE-v1" || suite_id || "eae_prk" || dh))
 *
 * where only the inner hash meets the secret. The outer one could be made anywhere; it is
 * asked of the token too, because this library calls no libcrypto. The PRK leaves the
 * token, the DH output does not.
 */

enum {
    MOST_BLOCK = 128,
    MOST_HASH = 64,
    MOST_PREFIX = 64,
    INNER_PAD = 0x36,
    OUTER_PAD = 0x5c,
};

static tw_err start(op *o, const curve *c, uint8_t pad)
{
    CK_MECHANISM mechanism = {c->hash, NULL, 0};
    uint8_t block[MOST_BLOCK];
    CK_RV rv = o->line.fn->C_DigestInit(o->line.session, &mechanism);

    if (rv != CKR_OK) {
        return twp_fail_rv(o->line.why, "C_DigestInit", rv);
    }
    memset(block, pad, c->hash_block);
    rv = o->line.fn->C_DigestUpdate(o->line.session, block, c->hash_block);
    return rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_DigestUpdate", rv);
}

static tw_err add(op *o, uint8_t *data, size_t len)
{
    CK_RV rv = o->line.fn->C_DigestUpdate(o->line.session, data, len);

    return rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_DigestUpdate", rv);
}

static tw_err add_key(op *o, CK_OBJECT_HANDLE object)
{
    CK_RV rv = o->line.fn->C_DigestKey(o->line.session, object);

    return rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_DigestKey", rv);
}

static tw_err finish(op *o, const curve *c, uint8_t *out)
{
    CK_ULONG len = c->hash_len;
    CK_RV rv = o->line.fn->C_DigestFinal(o->line.session, out, &len);

    if (rv != CKR_OK) {
        return twp_fail_rv(o->line.why, "C_DigestFinal", rv);
    }
    return len == c->hash_len ? TW_OK
                              : twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED,
                                              "the token gave a hash of %lu bytes", len);
}

static tw_err add_prefix(op *o, const agreement *a)
{
    uint8_t data[MOST_PREFIX + TW_MAX_DH];
    size_t len = 0;
    tw_err err = tw_dhkem_prefix(a->key->base.kem, data, MOST_PREFIX, &len);

    if (err != TW_OK) {
        return twp_fail_text(o->line.why, err, "the KEM's key derivation failed");
    }
    if (a->host_dh != NULL) {
        memcpy(data + len, a->host_dh, a->key->curve->dh_len);
        len += a->key->curve->dh_len;
    }
    err = add(o, data, len);
    tw_wipe(data, sizeof(data));
    return err;
}

static tw_err inner_hash(op *o, const agreement *a, const CK_OBJECT_HANDLE *dh, uint8_t *out)
{
    tw_err err = start(o, a->key->curve, INNER_PAD);

    if (err == TW_OK) {
        err = add_prefix(o, a);
    }
    for (size_t i = 0; err == TW_OK && i < a->point_count; i++) {
        err = add_key(o, dh[i]);
    }
    return err == TW_OK ? finish(o, a->key->curve, out) : err;
}

static tw_err outer_hash(op *o, const curve *c, uint8_t *inner, uint8_t *out)
{
    tw_err err = start(o, c, OUTER_PAD);

    if (err == TW_OK) {
        err = add(o, inner, c->hash_len);
    }
    return err == TW_OK ? finish(o, c, out) : err;
}

/* A digest that was begun must not meet the next one, nor may its session go on. */
static void abandon(op *o)
{
    uint8_t left[MOST_HASH];
    CK_ULONG len = sizeof(left);

    (void)o->line.fn->C_DigestFinal(o->line.session, left, &len);
    tw_wipe(left, sizeof(left));
    o->broken = true;
}

static tw_err extract(op *o, const agreement *a, const CK_OBJECT_HANDLE *dh, uint8_t *prk)
{
    uint8_t inner[MOST_HASH];
    tw_err err = inner_hash(o, a, dh, inner);

    if (err == TW_OK) {
        err = outer_hash(o, a->key->curve, inner, prk);
    }
    if (err != TW_OK) {
        abandon(o);
    }
    tw_wipe(inner, sizeof(inner));
    return err;
}

static tw_err run_digest(op *o, CK_OBJECT_HANDLE key, const agreement *a)
{
    CK_OBJECT_HANDLE dh[2];
    uint8_t prk[MOST_HASH];
    size_t made = 0;
    tw_err err = TW_OK;

    for (size_t i = 0; err == TW_OK && i < a->point_count; i++) {
        err = twp_derive_dh(o, key, a, a->points[i], false, &dh[i]);
        made += err == TW_OK;
    }
    if (err == TW_OK) {
        err = extract(o, a, dh, prk);
    }
    if (err == TW_OK) {
        err = tw_dhkem_expand(a->key->base.kem, prk, a->key->curve->hash_len, a->enc,
                              a->recipient_public, a->sender_public, a->secret);
        if (err != TW_OK) {
            err = twp_fail_text(o->line.why, err, "the KEM's key derivation failed");
        }
    }
    while (made > 0) {
        twp_object_destroy(o, dh[--made]);
    }
    tw_wipe(prk, sizeof(prk));
    return err;
}

const strategy twp_strategy_digest = {"S3", false, run_digest};
