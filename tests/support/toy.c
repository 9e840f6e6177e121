/* SPDX-License-Identifier: Apache-2.0 */
#include "toy.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define TAG 16 /* the length that messages ask of every suite */

typedef struct toy_ctx {
    tw_hpke_ctx base;
    toy *of;
    uint8_t mask;
    uint64_t seq;
    uint8_t sum; /* of the message in pieces */
} toy_ctx;

static uint8_t sum_of(const uint8_t *data, size_t len, uint8_t start)
{
    for (size_t i = 0; i < len; i++) {
        start = (uint8_t)(start * 31 + data[i] + 1);
    }
    return start;
}

static void mask(const toy_ctx *ctx, const uint8_t *in, size_t len, uint8_t *out)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = in[i] ^ ctx->mask;
    }
}

static void tag_of(const toy_ctx *ctx, const uint8_t *aad, size_t aad_len, uint8_t sum,
                   uint8_t *tag)
{
    memset(tag, sum_of(aad, aad_len, (uint8_t)(sum + ctx->seq)), TAG);
}

static tw_err toy_seal(tw_hpke_ctx *base, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    toy_ctx *ctx = (toy_ctx *)base;

    ctx->of->seals++;
    if (ctx->of->answer != TW_OK && ctx->of->good == 0) {
        return ctx->of->answer;
    }
    ctx->of->good -= ctx->of->answer != TW_OK;
    mask(ctx, in, in_len, out);
    tag_of(ctx, aad, aad_len, sum_of(out, in_len, 0), out + in_len);
    ctx->seq++;
    return TW_OK;
}

static tw_err toy_open(tw_hpke_ctx *base, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    toy_ctx *ctx = (toy_ctx *)base;
    uint8_t tag[TAG];

    ctx->of->opens++;
    if (ctx->of->answer != TW_OK) {
        return ctx->of->answer;
    }
    must(in_len >= TAG);
    tag_of(ctx, aad, aad_len, sum_of(in, in_len - TAG, 0), tag);
    if (memcmp(tag, in + in_len - TAG, TAG) != 0) {
        return TW_ERR_AUTH;
    }
    mask(ctx, in, in_len - TAG, out);
    ctx->seq++;
    return TW_OK;
}

static tw_err toy_export(const tw_hpke_ctx *base, const uint8_t *context, size_t context_len,
                         uint8_t *out, size_t out_len)
{
    const toy_ctx *ctx = (const toy_ctx *)base;

    ctx->of->exports++;
    memset(out, sum_of(context, context_len, ctx->mask), out_len);
    return ctx->of->answer;
}

static tw_err toy_seal_update(tw_hpke_ctx *base, const uint8_t *in, size_t in_len, uint8_t *out)
{
    toy_ctx *ctx = (toy_ctx *)base;

    ctx->of->pieces++;
    mask(ctx, in, in_len, out);
    ctx->sum = sum_of(out, in_len, ctx->sum);
    return ctx->of->answer;
}

static tw_err toy_seal_final(tw_hpke_ctx *base, uint8_t *tag)
{
    toy_ctx *ctx = (toy_ctx *)base;

    tag_of(ctx, NULL, 0, ctx->sum, tag);
    ctx->seq++;
    return ctx->of->answer;
}

/* As long as the hash of KDF 1, which its suite names. */
static tw_err toy_exporter_secret(const tw_hpke_ctx *base, uint8_t *out, size_t out_cap,
                                  size_t *out_len)
{
    const toy_ctx *ctx = (const toy_ctx *)base;

    must(out_cap >= 32);
    memset(out, ctx->mask, 32);
    *out_len = 32;
    return TW_OK;
}

static void toy_ctx_free(tw_hpke_ctx *base)
{
    toy_ctx *ctx = (toy_ctx *)base;

    atomic_fetch_add(&ctx->of->contexts_freed, 1);
    free(ctx);
}

static tw_err make(const tw_suite *suite, uint8_t secret, const uint8_t *info, size_t info_len,
                   tw_hpke_ctx **out)
{
    toy *self = (toy *)suite;
    toy_ctx *ctx;

    *out = NULL;
    if (self->no_context) {
        return TW_OK;
    }
    ctx = calloc(1, sizeof(*ctx));
    must(ctx != NULL);
    ctx->base.ops = &self->ops;
    ctx->of = self;
    ctx->mask = sum_of(info, info_len, secret);
    atomic_fetch_add(&self->contexts_made, 1);
    *out = &ctx->base;
    return TW_OK;
}

static tw_err toy_setup_sender(const tw_suite *suite, const tw_rng *rng, const uint8_t *pk,
                               const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                               uint8_t *enc, tw_hpke_ctx **ctx)
{
    must(auth == NULL);
    for (size_t i = 0; i < TOY_ENC; i++) {
        enc[i] = (uint8_t)(pk[0] + i);
    }
    if (rng != NULL && rng->fill(rng->arg, enc + 1, 1) != TW_OK) {
        return TW_ERR_RANDOM;
    }
    return make(suite, sum_of(enc, TOY_ENC, 0), info, info_len, ctx);
}

static tw_err toy_setup_receiver(const tw_suite *suite, const tw_key *key, const uint8_t *enc,
                                 const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                                 tw_hpke_ctx **ctx)
{
    uint8_t secret;
    tw_err err;

    must(auth == NULL);
    err = key->ops->decap(key, enc, NULL, &secret);
    return err == TW_OK ? make(suite, secret, info, info_len, ctx) : err;
}

static tw_err toy_check(const tw_kem *kem, const uint8_t *pk)
{
    (void)kem;
    return pk[0] == 0 ? TW_ERR_KEY : TW_OK;
}

static tw_err toy_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                        const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    (void)kem;
    (void)rng;
    (void)sender;
    memset(enc, pk[0], TOY_ENC);
    *secret = sum_of(enc, TOY_ENC, 0);
    return TW_OK;
}

static tw_err toy_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                        uint8_t *secret)
{
    if (key->kem->check(key->kem, enc) != TW_OK) {
        return TW_ERR_FORMAT;
    }
    must(sender_public == NULL);
    *secret = sum_of(enc, TOY_ENC, 0);
    return TW_OK;
}

void toy_start(toy *t)
{
    memset(t, 0, sizeof(*t));
    memset(t->public_key, 9, sizeof(t->public_key));
    t->suite = (tw_suite){.size = sizeof(tw_suite),
                          .kem_id = TOY_KEM,
                          .kdf_id = 1,
                          .aead_id = 1,
                          .enc_len = TOY_ENC,
                          .public_len = TOY_PUBLIC,
                          .tag_len = TAG,
                          .setup_sender = toy_setup_sender,
                          .setup_receiver = toy_setup_receiver};
    t->kem = (tw_kem){.size = sizeof(tw_kem),
                      .id = TOY_KEM,
                      .secret_len = 1,
                      .enc_len = TOY_ENC,
                      .public_len = TOY_PUBLIC,
                      .check = toy_check,
                      .encap = toy_encap};
    t->key_ops = (tw_key_ops){.size = sizeof(tw_key_ops), .decap = toy_decap};
    t->key = (tw_key){&t->key_ops, &t->kem, t->public_key};
    t->ops = (tw_hpke_ops){.size = sizeof(tw_hpke_ops),
                           .seal = toy_seal,
                           .open = toy_open,
                           .export_secret = toy_export,
                           .free = toy_ctx_free,
                           .seal_update = toy_seal_update,
                           .seal_final = toy_seal_final,
                           .exporter_secret = toy_exporter_secret};
}
