/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <openssl/crypto.h>

void tw_body_init(tw_body *body, const tw_layout *layout, size_t tag_len, tw_kit *kit,
                  tw_hpke_ctx *ctx)
{
    *body = (tw_body){
        .ctx = ctx,
        .kit = tw_kit_ref(kit),
        .tag_len = tag_len,
        .max_chunk = layout->max_chunk,
        .chunked = layout->chunked,
    };
}

void tw_body_clear(tw_body *body)
{
    if (body->shared == NULL) {
        tw_ctx_free(body->ctx);
    } else if (atomic_fetch_sub(&body->shared->refs, 1) == 1) {
        tw_ctx_free(body->ctx);
        OPENSSL_free(body->shared);
    }
    tw_kit_unref(body->kit);
    *body = (tw_body){0};
}

tw_err tw_body_call(const uint8_t *in, size_t in_len, const uint8_t *out, size_t out_cap,
                    size_t bound, size_t *out_len)
{
    if (in == NULL && in_len > 0) {
        return TW_ERR_INVALID;
    }
    if (out_cap < bound) {
        *out_len = bound;
        return TW_ERR_SPACE;
    }
    if ((out == NULL && bound > 0) || tw_overlap(in, in_len, out, bound)) {
        return TW_ERR_INVALID;
    }
    return TW_OK;
}

tw_err tw_body_err(tw_err err)
{
    bool nothing_changed = err == TW_ERR_INVALID || err == TW_ERR_STATE || err == TW_ERR_SPACE;

    return nothing_changed ? TW_ERR_BACKEND : tw_backend_err(err);
}
