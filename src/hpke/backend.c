/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

/* Far above any AEAD's, and far below what lengths could overflow with. */
#define MAX_TAG 64

tw_err tw_kem_usable(const tw_kem *kem)
{
    if (kem == NULL || !TW_HAS(tw_kem, kem, encap) || kem->check == NULL || kem->encap == NULL ||
        kem->secret_len == 0 || kem->secret_len > TW_MAX_SECRET || kem->enc_len == 0 ||
        kem->enc_len > TW_MAX_ENC || kem->public_len == 0 || kem->public_len > TW_MAX_PUBLIC) {
        return TW_ERR_INVALID;
    }
    return TW_OK;
}

tw_err tw_key_usable(const tw_key *key)
{
    if (key == NULL || key->ops == NULL || !TW_HAS(tw_key_ops, key->ops, decap) ||
        key->public_key == NULL) {
        return TW_ERR_INVALID;
    }
    return tw_kem_usable(key->kem);
}

tw_err tw_suite_usable(const tw_suite *suite)
{
    if (suite == NULL || !TW_HAS(tw_suite, suite, setup_receiver) || suite->setup_sender == NULL ||
        suite->setup_receiver == NULL || suite->enc_len == 0 || suite->enc_len > TW_MAX_ENC ||
        suite->public_len == 0 || suite->public_len > TW_MAX_PUBLIC || suite->tag_len > MAX_TAG) {
        return TW_ERR_INVALID;
    }
    return TW_OK;
}

tw_err tw_ctx_take(tw_hpke_ctx *ctx)
{
    if (ctx == NULL || ctx->ops == NULL || !TW_HAS(tw_hpke_ops, ctx->ops, export_secret) ||
        ctx->ops->seal == NULL || ctx->ops->open == NULL || ctx->ops->export_secret == NULL) {
        tw_ctx_free(ctx);
        return TW_ERR_BACKEND;
    }
    return TW_OK;
}

tw_err tw_backend_err(tw_err err)
{
    bool named =
        (err <= TW_OK && err >= TW_ERR_SPACE) || (err <= TW_ERR_MEMORY && err >= TW_ERR_LIMIT);

    return named ? err : TW_ERR_BACKEND;
}

void tw_kem_free(tw_kem *kem)
{
    if (kem != NULL && TW_HAS(tw_kem, kem, free) && kem->free != NULL) {
        kem->free(kem);
    }
}

void tw_key_free(tw_key *key)
{
    if (key != NULL && key->ops != NULL && TW_HAS(tw_key_ops, key->ops, free) &&
        key->ops->free != NULL) {
        key->ops->free(key);
    }
}

void tw_suite_free(tw_suite *suite)
{
    if (suite != NULL && TW_HAS(tw_suite, suite, free) && suite->free != NULL) {
        suite->free(suite);
    }
}

tw_err tw_key_check(const tw_key *key)
{
    uint8_t sealed[TW_MAX_SECRET], opened[TW_MAX_SECRET];
    uint8_t enc[TW_MAX_ENC];
    uint8_t differ = 0;
    tw_err err = tw_key_usable(key);

    if (err == TW_OK && key->ops->decap == NULL) {
        err = TW_ERR_STATE;
    }
    if (err != TW_OK) {
        return err;
    }
    err = tw_backend_err(key->kem->encap(key->kem, NULL, key->public_key, NULL, sealed, enc));
    if (err == TW_OK) {
        err = tw_backend_err(key->ops->decap(key, enc, NULL, opened));
    }
    for (size_t i = 0; err == TW_OK && i < key->kem->secret_len; i++) {
        differ |= sealed[i] ^ opened[i];
    }
    tw_wipe(sealed, sizeof(sealed));
    tw_wipe(opened, sizeof(opened));
    return err == TW_OK && differ != 0 ? TW_ERR_KEY : err;
}
