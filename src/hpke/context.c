/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

#include <openssl/crypto.h>

/* One direction's context: an AEAD, and for HPKE's own an exporter secret. */
typedef struct aead_ctx {
    tw_hpke_ctx base;
    tw_aead aead;
    tw_kit *kit; /* borrowed */
    tw_suite_id id;
    uint8_t exporter_secret[TW_MAX_HASH];
} aead_ctx;

static bool has_aead(const aead_ctx *self)
{
    return self->aead.cipher != NULL;
}

static tw_err ctx_seal(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    aead_ctx *self = (aead_ctx *)ctx;

    return has_aead(self) ? tw_aead_seal(&self->aead, aad, aad_len, in, in_len, out) : TW_ERR_STATE;
}

static tw_err ctx_open(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    aead_ctx *self = (aead_ctx *)ctx;

    return has_aead(self) ? tw_aead_open(&self->aead, aad, aad_len, in, in_len, out) : TW_ERR_STATE;
}

static tw_err ctx_seal_update(tw_hpke_ctx *ctx, const uint8_t *in, size_t in_len, uint8_t *out)
{
    aead_ctx *self = (aead_ctx *)ctx;

    return has_aead(self) ? tw_aead_seal_update(&self->aead, in, in_len, out) : TW_ERR_STATE;
}

static tw_err ctx_seal_final(tw_hpke_ctx *ctx, uint8_t *tag)
{
    aead_ctx *self = (aead_ctx *)ctx;

    return has_aead(self) ? tw_aead_seal_final(&self->aead, tag) : TW_ERR_STATE;
}

static tw_err ctx_export(const tw_hpke_ctx *ctx, const uint8_t *context, size_t context_len,
                         uint8_t *out, size_t out_len)
{
    const aead_ctx *self = (const aead_ctx *)ctx;
    tw_hmac hmac;
    tw_err err = tw_hmac_begin(&self->kit->hash, &hmac);

    if (err == TW_OK) {
        err =
            tw_export(&hmac, &self->id, self->exporter_secret, context, context_len, out, out_len);
    }
    tw_hmac_end(&hmac);
    return err;
}

static tw_err ctx_exporter_secret(const tw_hpke_ctx *ctx, uint8_t *out, size_t out_cap,
                                  size_t *out_len)
{
    const aead_ctx *self = (const aead_ctx *)ctx;
    size_t len = self->kit->hash.alg->hash_len;

    *out_len = len;
    if (out_cap < len) {
        return TW_ERR_SPACE;
    }
    memcpy(out, self->exporter_secret, len);
    return TW_OK;
}

static uint64_t ctx_seq(const tw_hpke_ctx *ctx)
{
    return ((const aead_ctx *)ctx)->aead.seq;
}

static tw_err ctx_set_seq(tw_hpke_ctx *ctx, uint64_t seq)
{
    aead_ctx *self = (aead_ctx *)ctx;

    if (!has_aead(self) || self->aead.sealing) {
        return TW_ERR_STATE;
    }
    self->aead.seq = seq;
    return TW_OK;
}

static void ctx_free(tw_hpke_ctx *ctx)
{
    aead_ctx *self = (aead_ctx *)ctx;

    tw_aead_clear(&self->aead);
    OPENSSL_clear_free(self, sizeof(*self));
}

static const tw_hpke_ops hpke_ops = {
    .size = sizeof(tw_hpke_ops),
    .seal = ctx_seal,
    .open = ctx_open,
    .export_secret = ctx_export,
    .free = ctx_free,
    .seal_update = ctx_seal_update,
    .seal_final = ctx_seal_final,
    .exporter_secret = ctx_exporter_secret,
    .seq = ctx_seq,
    .set_seq = ctx_set_seq,
};

/* Without an exporter secret there is nothing to export. */
static const tw_hpke_ops aead_ops = {
    .size = sizeof(tw_hpke_ops),
    .seal = ctx_seal,
    .open = ctx_open,
    .free = ctx_free,
    .seal_update = ctx_seal_update,
    .seal_final = ctx_seal_final,
};

static tw_err make(tw_kit *kit, const tw_hpke_ops *ops, bool sealing, const uint8_t *key,
                   const uint8_t *nonce, aead_ctx **out)
{
    aead_ctx *self = OPENSSL_zalloc(sizeof(*self));

    *out = self;
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    self->base.ops = ops;
    self->kit = kit;
    if (kit->cipher.alg != NULL) {
        tw_aead_init(&self->aead, &kit->cipher, sealing, key, nonce);
    }
    return TW_OK;
}

tw_err tw_aead_ctx_new(tw_kit *kit, bool sealing, const uint8_t *key, const uint8_t *nonce,
                       tw_hpke_ctx **out)
{
    aead_ctx *self;
    tw_err err = make(kit, &aead_ops, sealing, key, nonce, &self);

    *out = err == TW_OK ? &self->base : NULL;
    return err;
}

tw_err tw_ctx_new(tw_kit *kit, const tw_suite_id *id, bool sealing, const tw_schedule *schedule,
                  tw_hpke_ctx **out)
{
    aead_ctx *self;
    tw_err err = make(kit, &hpke_ops, sealing, schedule->key, schedule->base_nonce, &self);

    *out = NULL;
    if (err == TW_OK) {
        self->id = *id;
        memcpy(self->exporter_secret, schedule->exporter_secret, sizeof(self->exporter_secret));
        *out = &self->base;
    }
    return err;
}

bool tw_ctx_can_lend(const tw_hpke_ctx *ctx)
{
    return (ctx->ops == &hpke_ops || ctx->ops == &aead_ops) && has_aead((const aead_ctx *)ctx);
}

tw_err tw_ctx_lend(const tw_hpke_ctx *ctx, tw_hpke_ctx **out)
{
    const aead_ctx *self = (const aead_ctx *)ctx;
    aead_ctx *lent = OPENSSL_zalloc(sizeof(*lent));

    *out = NULL;
    if (lent == NULL) {
        return TW_ERR_MEMORY;
    }
    *out = &lent->base;
    lent->base.ops = &aead_ops;
    lent->kit = self->kit;
    tw_aead_lend(&self->aead, &lent->aead);
    return TW_OK;
}

tw_err tw_ctx_reserve(tw_hpke_ctx *ctx, uint64_t count, uint64_t *first)
{
    return tw_aead_reserve(&((aead_ctx *)ctx)->aead, count, first);
}

void tw_ctx_assign(tw_hpke_ctx *lent, uint64_t first, uint64_t count)
{
    tw_aead_assign(&((aead_ctx *)lent)->aead, first, count);
}

void tw_ctx_free(tw_hpke_ctx *ctx)
{
    if (ctx != NULL && ctx->ops != NULL && TW_HAS(tw_hpke_ops, ctx->ops, free) &&
        ctx->ops->free != NULL) {
        ctx->ops->free(ctx);
    }
}

tw_err tw_export(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *exporter_secret,
                 const uint8_t *context, size_t context_len, uint8_t *out, size_t out_len)
{
    tw_piece info = {context, context_len};

    return tw_labeled_expand(hmac, id, exporter_secret, hmac->hash->alg->hash_len, "sec", &info, 1,
                             out, out_len);
}
