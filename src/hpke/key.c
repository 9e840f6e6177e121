/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

#include <openssl/crypto.h>

#include <twoway/twoway.h>

/* Private keys in software, and PEM. */

typedef struct soft_key {
    tw_key base;
    tw_kem *kem;
    tw_dh_key dh;
    uint8_t public_key[2 * TW_MAX_PRIVATE + 1];
} soft_key;

static const tw_dhkem *kem_of(const tw_key *key)
{
    return (const tw_dhkem *)key->kem;
}

/* Section 4.1, Decap and AuthDecap. */
static tw_err soft_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                         uint8_t *secret)
{
    const soft_key *self = (const soft_key *)key;
    const tw_group *group = &kem_of(key)->group;
    size_t dh_len = group->alg->dh_len;
    uint8_t dh[2 * TW_MAX_DH];
    tw_err err = tw_dh_derive(group, &self->dh, enc, dh); /* checks enc */

    if (err == TW_ERR_KEY) {
        err = TW_ERR_FORMAT;
    }
    if (err == TW_OK && sender_public != NULL) {
        err = tw_dh_derive(group, &self->dh, sender_public, dh + dh_len);
        dh_len *= 2;
    }
    if (err == TW_OK) {
        err = tw_dhkem_secret(key->kem, dh, dh_len, enc, key->public_key, sender_public, secret);
    }
    tw_wipe(dh, sizeof(dh));
    return err;
}

static tw_err soft_auth_encap(const tw_key *key, const uint8_t *pk, const uint8_t *dh,
                              size_t dh_len, const uint8_t *enc, uint8_t *secret)
{
    const soft_key *self = (const soft_key *)key;
    const tw_group *group = &kem_of(key)->group;
    uint8_t both[2 * TW_MAX_DH];
    tw_err err;

    if (dh_len != group->alg->dh_len) {
        return TW_ERR_INVALID;
    }
    memcpy(both, dh, dh_len);
    err = tw_dh_derive(group, &self->dh, pk, both + dh_len);
    if (err == TW_OK) {
        err = tw_dhkem_secret(key->kem, both, 2 * dh_len, enc, pk, key->public_key, secret);
    }
    tw_wipe(both, sizeof(both));
    return err;
}

static void soft_free(tw_key *key)
{
    soft_key *self = (soft_key *)key;

    tw_dh_key_clear(&self->dh);
    tw_kem_free(self->kem);
    OPENSSL_clear_free(self, sizeof(*self));
}

static const tw_key_ops soft_key_ops = {
    .size = sizeof(tw_key_ops),
    .decap = soft_decap,
    .auth_encap = soft_auth_encap,
    .free = soft_free,
};

const tw_dh_key *tw_soft_key_dh(const tw_key *key)
{
    return key != NULL && key->ops == &soft_key_ops ? &((const soft_key *)key)->dh : NULL;
}

/* A key object that has its KEM, but no key yet. */
static tw_err soft_new(uint16_t kem_id, const tw_provider *provider, soft_key **out)
{
    soft_key *self = OPENSSL_zalloc(sizeof(*self));
    tw_err err;

    *out = NULL;
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    err = tw_kem_new(kem_id, provider, &self->kem);
    if (err != TW_OK) {
        OPENSSL_free(self);
        return err;
    }
    self->base.ops = &soft_key_ops;
    self->base.kem = self->kem;
    self->base.public_key = self->public_key;
    *out = self;
    return TW_OK;
}

/* Hands the key over when all went well so far, and frees it when not. */
static tw_err soft_finish(soft_key *self, tw_err err, tw_key **out)
{
    if (err == TW_OK) {
        err = tw_dh_public(&kem_of(&self->base)->group, &self->dh, self->public_key);
    }
    if (err != TW_OK) {
        soft_free(&self->base);
        return err;
    }
    *out = &self->base;
    return TW_OK;
}

tw_err tw_key_generate(uint16_t kem_id, const tw_rng *rng, const tw_provider *p, tw_key **out)
{
    soft_key *self;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    err = soft_new(kem_id, p, &self);
    if (err != TW_OK) {
        return err;
    }
    err = tw_dhkem_generate(kem_of(&self->base), rng, &self->dh);
    return soft_finish(self, err, out);
}

static tw_err from_private(const tw_dh_alg *alg, const uint8_t *sk, const uint8_t *pk,
                           const tw_provider *p, tw_key **out)
{
    soft_key *self;
    tw_err err = soft_new(alg->kem_id, p, &self);

    if (err != TW_OK) {
        return err;
    }
    err = tw_dh_from_private(&kem_of(&self->base)->group, sk, pk, &self->dh);
    return soft_finish(self, err, out);
}

tw_err tw_key_from_private(uint16_t kem_id, const uint8_t *sk, size_t sk_len, const tw_provider *p,
                           tw_key **out)
{
    const tw_dh_alg *alg = tw_dh_alg_find(kem_id);

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (alg == NULL || sk == NULL || sk_len != alg->private_len) {
        return TW_ERR_INVALID;
    }
    return from_private(alg, sk, NULL, p, out);
}

/* Freed as any; nothing of it is private. */
static const tw_key_ops public_key_ops = {.size = sizeof(tw_key_ops), .free = soft_free};

tw_err tw_key_from_public(uint16_t kem_id, const uint8_t *pk, size_t pk_len, const tw_provider *p,
                          tw_key **out)
{
    soft_key *self;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (pk == NULL) {
        return TW_ERR_INVALID;
    }
    err = soft_new(kem_id, p, &self);
    if (err != TW_OK) {
        return err;
    }
    err = pk_len == self->kem->public_len ? self->kem->check(self->kem, pk) : TW_ERR_KEY;
    if (err != TW_OK) {
        soft_free(&self->base);
        return err;
    }
    memcpy(self->public_key, pk, pk_len);
    self->base.ops = &public_key_ops;
    *out = &self->base;
    return TW_OK;
}

static const tw_provider *or_default(const tw_provider *p)
{
    static const tw_provider default_provider;

    return p == NULL ? &default_provider : p;
}

tw_err tw_key_from_pem(const char *pem, size_t pem_len, const tw_provider *p, tw_key **out)
{
    tw_pem_key read;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (pem == NULL) {
        return TW_ERR_INVALID;
    }
    err = tw_pem_read_private(pem, pem_len, or_default(p), &read);
    if (err == TW_OK) {
        /* A PEM whose public half is another key's would make every message unreadable. */
        err = from_private(read.alg, read.sk, read.pk, p, out);
    }
    tw_wipe(&read, sizeof(read));
    return err;
}

tw_err tw_key_to_pem(const tw_key *key, char *out, size_t out_cap, size_t *out_len)
{
    const tw_dh_key *dh = tw_soft_key_dh(key);

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (dh == NULL || (out == NULL && out_cap > 0)) {
        return TW_ERR_INVALID;
    }
    return tw_pem_write_private(dh, out, out_cap, out_len);
}

static tw_err check_public(const tw_pem_key *read, const tw_provider *p)
{
    tw_kem *kem = NULL;
    tw_err err = tw_kem_new(read->alg->kem_id, p, &kem);

    if (err == TW_OK) {
        err = kem->check(kem, read->pk);
    }
    tw_kem_free(kem);
    return err;
}

tw_err tw_public_from_pem(const char *pem, size_t pem_len, const tw_provider *p, uint16_t *kem_id,
                          uint8_t *out, size_t out_cap, size_t *out_len)
{
    tw_pem_key read;
    tw_err err;

    if (out_len != NULL) {
        *out_len = 0;
    }
    if (out_len == NULL || kem_id == NULL) {
        return TW_ERR_INVALID;
    }
    *kem_id = 0;
    if (pem == NULL || (out == NULL && out_cap > 0)) {
        return TW_ERR_INVALID;
    }
    err = tw_pem_read_public(pem, pem_len, or_default(p), &read);
    if (err == TW_OK) {
        err = check_public(&read, p);
    }
    if (err != TW_OK) {
        return err;
    }
    *kem_id = read.alg->kem_id;
    *out_len = read.alg->public_len;
    if (out == NULL || out_cap < *out_len) {
        return TW_ERR_SPACE;
    }
    memcpy(out, read.pk, *out_len);
    return TW_OK;
}

tw_err tw_public_from_certificate(const uint8_t *certificate, size_t certificate_len,
                                  const tw_provider *p, tw_certificate *out)
{
    tw_certified_key read;
    tw_err err;

    if (out == NULL || out->size < sizeof(*out)) {
        return TW_ERR_INVALID;
    }
    *out = (tw_certificate){.size = out->size};
    if (certificate == NULL) {
        return TW_ERR_INVALID;
    }
    err = tw_certificate_read(certificate, certificate_len, or_default(p), &read);
    if (err == TW_OK) {
        err = check_public(&read.key, p);
    }
    if (err != TW_OK) {
        return err;
    }
    out->kem_id = read.key.alg->kem_id;
    out->for_sealing = read.for_sealing;
    out->not_before = read.not_before;
    out->not_after = read.not_after;
    out->public_len = read.key.alg->public_len;
    memcpy(out->public_key, read.key.pk, out->public_len);
    return TW_OK;
}

tw_err tw_public_to_pem(uint16_t kem_id, const uint8_t *pk, size_t pk_len, const tw_provider *p,
                        char *out, size_t out_cap, size_t *out_len)
{
    tw_kem *kem = NULL;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (pk == NULL || (out == NULL && out_cap > 0)) {
        return TW_ERR_INVALID;
    }
    err = tw_kem_new(kem_id, p, &kem);
    if (err == TW_OK) {
        err = pk_len == kem->public_len ? kem->check(kem, pk) : TW_ERR_KEY;
    }
    if (err == TW_OK) {
        err = tw_pem_write_public(&((const tw_dhkem *)kem)->group, pk, out, out_cap, out_len);
    }
    tw_kem_free(kem);
    return err;
}
