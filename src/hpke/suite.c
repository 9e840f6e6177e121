/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

#include <openssl/crypto.h>

/* The built-in suite: any KEM object with the KDFs and AEADs of libcrypto. */

static tw_err setup(const tw_builtin_suite *self, bool sealing, const uint8_t *secret,
                    const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                    tw_hpke_ctx **ctx)
{
    tw_schedule schedule;
    tw_err err = tw_schedule_make(self, secret, info, info_len, auth, &schedule);

    if (err == TW_OK) {
        err = tw_ctx_new(self->kit, &self->id, sealing, &schedule, ctx);
    }
    tw_wipe(&schedule, sizeof(schedule));
    return err;
}

static tw_err suite_setup_sender(const tw_suite *suite, const tw_rng *rng, const uint8_t *pk,
                                 const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                                 uint8_t *enc, tw_hpke_ctx **ctx)
{
    const tw_builtin_suite *self = (const tw_builtin_suite *)suite;
    const tw_key *sender = auth == NULL ? NULL : auth->sender;
    uint8_t secret[TW_MAX_SECRET];
    tw_err err;

    *ctx = NULL;
    if (!tw_schedule_takes(info, info_len, auth)) {
        return TW_ERR_INVALID;
    }
    if (sender != NULL && (tw_key_usable(sender) != TW_OK || sender->kem->id != suite->kem_id)) {
        return TW_ERR_INVALID;
    }
    err = tw_backend_err(self->kem->encap(self->kem, rng, pk, sender, secret, enc));
    if (err == TW_OK) {
        err = setup(self, true, secret, info, info_len, auth, ctx);
    }
    tw_wipe(secret, sizeof(secret));
    if (err != TW_OK) {
        tw_wipe(enc, suite->enc_len);
    }
    return err;
}

static tw_err suite_setup_receiver(const tw_suite *suite, const tw_key *key, const uint8_t *enc,
                                   const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                                   tw_hpke_ctx **ctx)
{
    const tw_builtin_suite *self = (const tw_builtin_suite *)suite;
    uint8_t secret[TW_MAX_SECRET];
    tw_err err;

    *ctx = NULL;
    if (!tw_schedule_takes(info, info_len, auth) || tw_key_usable(key) != TW_OK ||
        key->kem->id != suite->kem_id || key->kem->enc_len != self->kem->enc_len ||
        key->kem->secret_len != self->kem->secret_len) {
        return TW_ERR_INVALID;
    }
    if (key->ops->decap == NULL) {
        return TW_ERR_STATE;
    }
    err = tw_backend_err(
        key->ops->decap(key, enc, auth == NULL ? NULL : auth->sender_public, secret));
    if (err == TW_OK) {
        err = setup(self, false, secret, info, info_len, auth, ctx);
    }
    tw_wipe(secret, sizeof(secret));
    return err;
}

static void suite_free(tw_suite *suite)
{
    tw_builtin_suite *self = (tw_builtin_suite *)suite;

    tw_schedule_clear(self);
    tw_nonces_clear(&self->nonces);
    tw_kit_free(self->kit);
    tw_kit_free(atomic_load(&self->wider));
    tw_kem_free(self->own_kem);
    OPENSSL_free(self);
}

const tw_builtin_suite *tw_builtin_suite_of(const tw_suite *suite)
{
    return suite->setup_receiver == suite_setup_receiver ? (const tw_builtin_suite *)suite : NULL;
}

tw_err tw_suite_with_kem(const tw_kem *kem, uint16_t kdf_id, uint16_t aead_id,
                         const tw_provider *provider, tw_suite **out)
{
    tw_builtin_suite *self;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (tw_kem_usable(kem) != TW_OK) {
        return TW_ERR_INVALID;
    }
    self = OPENSSL_zalloc(sizeof(*self));
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    self->base = (tw_suite){
        .size = sizeof(tw_suite),
        .kem_id = kem->id,
        .kdf_id = kdf_id,
        .aead_id = aead_id,
        .enc_len = kem->enc_len,
        .public_len = kem->public_len,
        .tag_len = aead_id == TW_AEAD_EXPORT_ONLY ? 0 : TW_TAG_LEN,
        .setup_sender = suite_setup_sender,
        .setup_receiver = suite_setup_receiver,
        .free = suite_free,
    };
    self->kem = kem;
    self->id = tw_hpke_suite_id(kem->id, kdf_id, aead_id);
    err = tw_kit_new(kdf_id, aead_id, provider, &self->kit);
    if (err == TW_OK) {
        self->kit->owned = true;
        err = tw_schedule_init(self);
    }
    if (err != TW_OK) {
        suite_free(&self->base);
        return err;
    }
    *out = &self->base;
    return TW_OK;
}

tw_err tw_suite_new(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id, const tw_provider *provider,
                    tw_suite **out)
{
    tw_kem *kem;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    err = tw_kem_new(kem_id, provider, &kem);
    if (err == TW_OK) {
        err = tw_suite_with_kem(kem, kdf_id, aead_id, provider, out);
    }
    if (err != TW_OK) {
        tw_kem_free(kem);
        return err;
    }
    ((tw_builtin_suite *)*out)->own_kem = kem;
    return TW_OK;
}

tw_err tw_suite_kit(const tw_suite *suite, tw_kit **out)
{
    const tw_builtin_suite *builtin = tw_builtin_suite_of(suite);

    if (builtin != NULL) {
        *out = tw_kit_ref(builtin->kit);
        return TW_OK;
    }
    return tw_kit_new(suite->kdf_id, suite->aead_id, NULL, out);
}

/* Two threads may make one at once; the first to put it there is kept. */
static tw_err make_wider(tw_builtin_suite *self, tw_kit **out)
{
    tw_kit *made, *first = NULL;
    tw_err err = tw_kit_new(self->base.kdf_id, TW_AEAD_AES_256_GCM, &self->kit->provider, &made);

    if (err != TW_OK) {
        return err;
    }
    made->owned = true;
    if (!atomic_compare_exchange_strong(&self->wider, &first, made)) {
        tw_kit_free(made);
        made = first;
    }
    *out = tw_kit_ref(made);
    return TW_OK;
}

tw_err tw_suite_wider_kit(const tw_suite *suite, tw_kit **out)
{
    const tw_builtin_suite *builtin = tw_builtin_suite_of(suite);
    tw_kit *kit;

    if (builtin == NULL) {
        return tw_kit_new(suite->kdf_id, TW_AEAD_AES_256_GCM, NULL, out);
    }
    kit = atomic_load(&builtin->wider);
    if (kit == NULL) {
        return make_wider((tw_builtin_suite *)builtin, out);
    }
    *out = tw_kit_ref(kit);
    return TW_OK;
}

tw_err tw_suite_check_public(const tw_suite *suite, const uint8_t *pk)
{
    const tw_builtin_suite *builtin = tw_builtin_suite_of(suite);

    if (builtin == NULL) {
        return TW_OK;
    }
    return tw_backend_err(builtin->kem->check(builtin->kem, pk));
}
