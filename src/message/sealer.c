/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <openssl/crypto.h>

struct tw_sealer {
    tw_body body;
    enum { FRESH, STREAMING, DONE } state; /* STREAMING: a whole message has begun */
    tw_err failed;                         /* sticky */
};

/* Chunked draft section 6: a final chunk carries a zero length and this aad. */
static const uint8_t final_aad[] = {'f', 'i', 'n', 'a', 'l'};

tw_err tw_sealer_make(tw_body *body, tw_sealer **out)
{
    tw_sealer *self = OPENSSL_zalloc(sizeof(*self));

    *out = NULL;
    if (self == NULL) {
        tw_body_clear(body);
        return TW_ERR_MEMORY;
    }
    self->body = *body;
    *body = (tw_body){0};
    *out = self;
    return TW_OK;
}

void tw_sealer_free(tw_sealer *sealer)
{
    if (sealer != NULL) {
        tw_body_clear(&sealer->body);
        OPENSSL_free(sealer);
    }
}

static bool can_stream(const tw_body *body)
{
    const tw_hpke_ops *ops = body->ctx->ops;

    return TW_HAS(tw_hpke_ops, ops, seal_final) && ops->seal_update != NULL &&
           ops->seal_final != NULL;
}

size_t tw_sealer_chunk(const tw_sealer *sealer)
{
    if (sealer->body.chunked) {
        return sealer->body.max_chunk;
    }
    return can_stream(&sealer->body) ? TW_CHUNK_LEN : 0;
}

tw_err tw_sealer_over(const tw_sealer *sealer)
{
    return sealer->failed == TW_OK && sealer->state == DONE ? TW_ERR_STATE : sealer->failed;
}

bool tw_sealer_is_between(const tw_sealer *sealer)
{
    return sealer->body.chunked && sealer->state == FRESH && sealer->failed == TW_OK;
}

tw_body *tw_sealer_body(tw_sealer *sealer)
{
    return &sealer->body;
}

void tw_sealer_fail(tw_sealer *sealer, tw_err err)
{
    sealer->failed = err;
}

size_t tw_sealer_bound(const tw_sealer *sealer, size_t in_len)
{
    const tw_body *body;
    size_t per_chunk;

    if (sealer == NULL) {
        return 0;
    }
    body = &sealer->body;
    if (!body->chunked) {
        return tw_add(in_len, body->tag_len);
    }
    per_chunk = tw_varint_len(body->max_chunk + body->tag_len) + body->tag_len;
    return tw_add(in_len, tw_mul(tw_add(in_len / body->max_chunk, 1), per_chunk));
}

/* Seals one chunk to *out and moves all three pointers on. */
static tw_err seal_chunk(tw_sealer *self, size_t len, bool final, const uint8_t **in, uint8_t **out)
{
    tw_body *body = &self->body;
    uint8_t *at = *out;
    tw_err err;

    at += tw_varint_write(at, final ? 0 : len + body->tag_len);
    err = body->ctx->ops->seal(body->ctx, final ? final_aad : NULL, final ? sizeof(final_aad) : 0,
                               *in, len, at);
    *in = len == 0 ? *in : *in + len;
    *out = at + len + body->tag_len;
    return err;
}

static tw_err seal_chunks(tw_sealer *self, const uint8_t *in, size_t in_len, bool final,
                          uint8_t *out, size_t *out_len)
{
    const size_t most = self->body.max_chunk;
    uint8_t *at = out;
    tw_err err = TW_OK;

    while (err == TW_OK && in_len > (final ? most : 0)) {
        size_t take = in_len < most ? in_len : most;

        err = seal_chunk(self, take, false, &in, &at);
        in_len -= take;
    }
    if (err == TW_OK && final) {
        err = seal_chunk(self, in_len, true, &in, &at);
    }
    *out_len = (size_t)(at - out);
    return err;
}

static tw_err seal_whole(tw_sealer *self, const uint8_t *in, size_t in_len, bool final,
                         uint8_t *out, size_t *out_len)
{
    tw_hpke_ctx *ctx = self->body.ctx;
    tw_err err = TW_OK;

    *out_len = in_len + (final ? self->body.tag_len : 0);
    if (final && self->state == FRESH) {
        return ctx->ops->seal(ctx, NULL, 0, in, in_len, out);
    }
    self->state = STREAMING;
    if (in_len > 0 || !final) {
        err = ctx->ops->seal_update(ctx, in, in_len, out);
    }
    if (err == TW_OK && final) {
        err = ctx->ops->seal_final(ctx, out + in_len);
    }
    return err;
}

static tw_err seal(tw_sealer *self, const uint8_t *in, size_t in_len, bool final, uint8_t *out,
                   size_t out_cap, size_t *out_len)
{
    size_t bound = tw_sealer_bound(self, in_len);
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (self == NULL) {
        return TW_ERR_INVALID;
    }
    if (self->failed != TW_OK) {
        return self->failed;
    }
    if (self->state == DONE || (!self->body.chunked && !final && !can_stream(&self->body))) {
        return TW_ERR_STATE;
    }
    err = tw_body_call(in, in_len, out, out_cap, bound, out_len);
    if (err != TW_OK) {
        return err;
    }
    err = tw_body_err(self->body.chunked ? seal_chunks(self, in, in_len, final, out, out_len)
                                         : seal_whole(self, in, in_len, final, out, out_len));
    if (err != TW_OK) {
        tw_wipe(out, bound);
        *out_len = 0;
        self->failed = err;
    } else if (final) {
        self->state = DONE;
    }
    return err;
}

tw_err tw_sealer_update(tw_sealer *sealer, const uint8_t *in, size_t in_len, uint8_t *out,
                        size_t out_cap, size_t *out_len)
{
    return seal(sealer, in, in_len, false, out, out_cap, out_len);
}

tw_err tw_sealer_final(tw_sealer *sealer, const uint8_t *in, size_t in_len, uint8_t *out,
                       size_t out_cap, size_t *out_len)
{
    return seal(sealer, in, in_len, true, out, out_cap, out_len);
}
