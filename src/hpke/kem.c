/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

#include <openssl/crypto.h>

static tw_err dhkem_check(const tw_kem *kem, const uint8_t *pk)
{
    return tw_group_check(&((const tw_dhkem *)kem)->group, pk);
}

static tw_err dhkem_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                          const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    const tw_dhkem *self = (const tw_dhkem *)kem;
    tw_dh_key ephemeral = {0};
    tw_err err = tw_dhkem_generate(self, rng, &ephemeral);

    if (err == TW_OK) {
        err = tw_dhkem_encap_dh(self, &ephemeral, pk, sender, secret, enc);
    }
    tw_dh_key_clear(&ephemeral);
    return err;
}

static void dhkem_free(tw_kem *kem)
{
    tw_dhkem *self = (tw_dhkem *)kem;

    tw_group_clear(&self->group);
    tw_hash_clear(&self->hash);
    OPENSSL_free(self);
}

const tw_dhkem *tw_dhkem_of(const tw_kem *kem)
{
    return kem->encap == dhkem_encap ? (const tw_dhkem *)kem : NULL;
}

tw_err tw_kem_new(uint16_t kem_id, const tw_provider *provider, tw_kem **out)
{
    static const tw_provider default_provider;
    const tw_dh_alg *alg = tw_dh_alg_find(kem_id);
    const tw_kdf_alg *kdf;
    tw_dhkem *self;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    provider = provider == NULL ? &default_provider : provider;
    if (alg == NULL) {
        return TW_ERR_INVALID;
    }
    self = OPENSSL_zalloc(sizeof(*self));
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    kdf = tw_kdf_alg_find(alg->kdf_id);
    self->base = (tw_kem){
        .size = sizeof(tw_kem),
        .id = kem_id,
        .secret_len = kdf->hash_len, /* Nsecret is Nh of the KEM's KDF, section 7.1 */
        .enc_len = alg->public_len,
        .public_len = alg->public_len,
        .check = dhkem_check,
        .encap = dhkem_encap,
        .free = dhkem_free,
    };
    self->id = tw_kem_suite_id(kem_id);
    err = tw_group_init(&self->group, alg, provider);
    if (err == TW_OK) {
        err = tw_hash_init(&self->hash, kdf, provider);
    }
    if (err != TW_OK) {
        dhkem_free(&self->base);
        return err;
    }
    *out = &self->base;
    return TW_OK;
}

tw_err tw_dhkem_encap_dh(const tw_dhkem *kem, const tw_dh_key *ephemeral, const uint8_t *pk,
                         const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    size_t dh_len = kem->group.alg->dh_len;
    uint8_t dh[TW_MAX_DH];
    tw_err err = tw_dh_derive(&kem->group, ephemeral, pk, dh);

    if (err == TW_OK) {
        err = tw_dh_public(&kem->group, ephemeral, enc);
    }
    if (err == TW_OK && sender == NULL) {
        err = tw_dhkem_secret(&kem->base, dh, dh_len, enc, pk, NULL, secret);
    } else if (err == TW_OK) {
        /* AuthEncap, section 4.1: the identity key may live in a token. */
        err = TW_HAS(tw_key_ops, sender->ops, auth_encap) && sender->ops->auth_encap != NULL
                  ? tw_backend_err(sender->ops->auth_encap(sender, pk, dh, dh_len, enc, secret))
                  : TW_ERR_INVALID;
    }
    tw_wipe(dh, sizeof(dh));
    return err;
}

tw_err tw_dhkem_encap_with(const tw_kem *kem, const tw_key *ephemeral, const uint8_t *pk,
                           const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    const tw_dhkem *self = tw_dhkem_of(kem);
    const tw_dh_key *dh = tw_soft_key_dh(ephemeral);

    if (self == NULL || dh == NULL || ephemeral->kem->id != kem->id) {
        return TW_ERR_INVALID;
    }
    return tw_dhkem_encap_dh(self, dh, pk, sender, secret, enc);
}

/* Section 7.1.3. A scalar of zero or beyond the order is drawn again. */
static tw_err derive_scalar(const tw_dhkem *kem, tw_hmac *hmac, const uint8_t *prk, tw_dh_key *out)
{
    const tw_dh_alg *alg = kem->group.alg;
    uint8_t sk[TW_MAX_PRIVATE];
    tw_err err = TW_ERR_KEY;

    for (unsigned counter = 0; err == TW_ERR_KEY && counter <= UINT8_MAX; counter++) {
        uint8_t byte = (uint8_t)counter;
        tw_piece info = {&byte, alg->nist ? 1 : 0};

        err = tw_labeled_expand(hmac, &kem->id, prk, kem->hash.alg->hash_len,
                                alg->nist ? "candidate" : "sk", &info, 1, sk, alg->private_len);
        if (alg->nist) {
            sk[0] &= alg->bitmask;
        }
        if (err == TW_OK) {
            err = tw_dh_from_private(&kem->group, sk, NULL, out);
        }
    }
    tw_wipe(sk, sizeof(sk));
    return err;
}

tw_err tw_dhkem_derive_pair(const tw_dhkem *kem, const uint8_t *ikm, tw_dh_key *out)
{
    uint8_t prk[TW_MAX_HASH];
    tw_hmac hmac;
    tw_err err = tw_hmac_begin(&kem->hash, &hmac);

    if (err == TW_OK) {
        err = tw_labeled_extract(&hmac, &kem->id, NULL, 0, "dkp_prk", ikm,
                                 kem->group.alg->private_len, prk);
    }
    if (err == TW_OK) {
        err = derive_scalar(kem, &hmac, prk, out);
    }
    tw_hmac_end(&hmac);
    tw_wipe(prk, sizeof(prk));
    return err;
}

tw_err tw_dhkem_generate(const tw_dhkem *kem, const tw_rng *rng, tw_dh_key *out)
{
    uint8_t ikm[TW_MAX_PRIVATE];
    tw_err err;

    if (rng == NULL || rng->fill == NULL) {
        return tw_dh_generate(&kem->group, out);
    }
    err = tw_random(&kem->group.provider, rng, true, ikm, kem->group.alg->private_len);
    if (err == TW_OK) {
        err = tw_dhkem_derive_pair(kem, ikm, out);
    }
    tw_wipe(ikm, sizeof(ikm));
    return err;
}
