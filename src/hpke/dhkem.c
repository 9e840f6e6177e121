/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

/* ExtractAndExpand, RFC 9180 section 4.1, whole and in the parts that a token
 * which runs some of it needs. Works for any KEM object with a DHKEM's id. */

static const char extract_label[] = "eae_prk";
static const char expand_label[] = "shared_secret";

/* The KEM's own hash, or one made for this call and to be cleared by it. */
typedef struct kem_kdf {
    const tw_dh_alg *alg;
    const tw_hash *hash;
    tw_hash made;
    tw_hmac hmac;
    tw_suite_id id;
} kem_kdf;

static tw_err kdf_begin(const tw_kem *kem, kem_kdf *out)
{
    static const tw_provider default_provider;
    const tw_dhkem *own;
    tw_err err;

    out->hash = NULL;
    if (kem == NULL || (out->alg = tw_dh_alg_find(kem->id)) == NULL ||
        kem->public_len != out->alg->public_len || kem->enc_len != out->alg->public_len) {
        return TW_ERR_INVALID;
    }
    out->id = tw_kem_suite_id(kem->id);
    own = tw_dhkem_of(kem);
    if (own != NULL) {
        out->hash = &own->hash;
    } else {
        err = tw_hash_init(&out->made, tw_kdf_alg_find(out->alg->kdf_id), &default_provider);
        if (err != TW_OK) {
            return err;
        }
        out->hash = &out->made;
    }
    return tw_hmac_begin(out->hash, &out->hmac);
}

static void kdf_end(kem_kdf *kdf)
{
    if (kdf->hash != NULL) {
        tw_hmac_end(&kdf->hmac);
    }
    if (kdf->hash == &kdf->made) {
        tw_hash_clear(&kdf->made);
    }
}

static tw_err expand(kem_kdf *kdf, const uint8_t *prk, const uint8_t *enc,
                     const uint8_t *public_key, const uint8_t *sender_public, uint8_t *secret)
{
    size_t len = kdf->alg->public_len;
    tw_piece context[] = {{enc, len}, {public_key, len}, {sender_public, len}};

    return tw_labeled_expand(&kdf->hmac, &kdf->id, prk, kdf->hash->alg->hash_len, expand_label,
                             context, sender_public == NULL ? 2 : 3, secret,
                             kdf->hash->alg->hash_len);
}

/* RFC 7748 section 6: an all-zero output tells of a point of small order. Of a NIST
 * curve it is an x-coordinate like another, RFC 9180 section 7.1.4. */
static bool has_zero_half(const uint8_t *dh, size_t dh_len, size_t half)
{
    for (size_t at = 0; at < dh_len; at += half) {
        uint8_t bits = 0;

        for (size_t i = 0; i < half; i++) {
            bits |= dh[at + i];
        }
        if (bits == 0) {
            return true;
        }
    }
    return false;
}

tw_err tw_dhkem_secret(const tw_kem *kem, const uint8_t *dh, size_t dh_len, const uint8_t *enc,
                       const uint8_t *public_key, const uint8_t *sender_public, uint8_t *secret)
{
    uint8_t prk[TW_MAX_HASH];
    kem_kdf kdf;
    tw_err err;

    if (dh == NULL || enc == NULL || public_key == NULL || secret == NULL) {
        return TW_ERR_INVALID;
    }
    err = kdf_begin(kem, &kdf);
    if (err == TW_OK && dh_len != kdf.alg->dh_len * (sender_public == NULL ? 1 : 2)) {
        err = TW_ERR_INVALID;
    }
    if (err == TW_OK && !kdf.alg->nist && has_zero_half(dh, dh_len, kdf.alg->dh_len)) {
        err = TW_ERR_FORMAT;
    }
    if (err == TW_OK) {
        err = tw_labeled_extract(&kdf.hmac, &kdf.id, NULL, 0, extract_label, dh, dh_len, prk);
    }
    if (err == TW_OK) {
        err = expand(&kdf, prk, enc, public_key, sender_public, secret);
    }
    kdf_end(&kdf);
    tw_wipe(prk, sizeof(prk));
    return err;
}

tw_err tw_dhkem_expand(const tw_kem *kem, const uint8_t *prk, size_t prk_len, const uint8_t *enc,
                       const uint8_t *public_key, const uint8_t *sender_public, uint8_t *secret)
{
    kem_kdf kdf;
    tw_err err;

    if (prk == NULL || enc == NULL || public_key == NULL || secret == NULL) {
        return TW_ERR_INVALID;
    }
    err = kdf_begin(kem, &kdf);
    if (err == TW_OK && prk_len != kdf.hash->alg->hash_len) {
        err = TW_ERR_INVALID;
    }
    if (err == TW_OK) {
        err = expand(&kdf, prk, enc, public_key, sender_public, secret);
    }
    kdf_end(&kdf);
    return err;
}

/* Joins the pieces into out, or says how much room they need. */
static tw_err join(const tw_piece *pieces, size_t count, uint8_t *out, size_t out_cap,
                   size_t *out_len)
{
    size_t at = 0;

    *out_len = 0;
    for (size_t i = 0; i < count; i++) {
        *out_len += pieces[i].len;
    }
    if (*out_len > out_cap || out == NULL) {
        return TW_ERR_SPACE;
    }
    for (size_t i = 0; i < count; i++) {
        tw_copy(out + at, pieces[i].data, pieces[i].len);
        at += pieces[i].len;
    }
    return TW_OK;
}

tw_err tw_dhkem_prefix(const tw_kem *kem, uint8_t *out, size_t out_cap, size_t *out_len)
{
    tw_suite_id id;
    tw_piece pieces[2];

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (kem == NULL || tw_dh_alg_find(kem->id) == NULL) {
        return TW_ERR_INVALID;
    }
    id = tw_kem_suite_id(kem->id);
    pieces[0] = (tw_piece){id.bytes, id.len};
    pieces[1] = (tw_piece){extract_label, sizeof(extract_label) - 1};
    return join(pieces, TW_COUNT(pieces), out, out_cap, out_len);
}

tw_err tw_dhkem_info(const tw_kem *kem, const uint8_t *enc, const uint8_t *public_key,
                     const uint8_t *sender_public, uint8_t *out, size_t out_cap, size_t *out_len)
{
    const tw_dh_alg *alg;
    tw_suite_id id;
    uint8_t length[2];

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    alg = kem == NULL ? NULL : tw_dh_alg_find(kem->id);
    if (alg == NULL || enc == NULL || public_key == NULL) {
        return TW_ERR_INVALID;
    }
    id = tw_kem_suite_id(kem->id);
    tw_store16(length, (uint16_t)tw_kdf_alg_find(alg->kdf_id)->hash_len);
    tw_piece pieces[] = {{length, sizeof(length)},
                         {id.bytes, id.len},
                         {expand_label, sizeof(expand_label) - 1},
                         {enc, alg->public_len},
                         {public_key, alg->public_len},
                         {sender_public, sender_public == NULL ? 0 : alg->public_len}};
    return join(pieces, TW_COUNT(pieces), out, out_cap, out_len);
}
