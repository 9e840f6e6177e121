/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

/* A sealer or an opener, for what works on either alike. */

static tw_body *body_of(const tw_hand *hand)
{
    return hand->sealer != NULL ? tw_sealer_body(hand->sealer) : tw_opener_body(hand->opener);
}

bool tw_hand_shares(const tw_hand *hand)
{
    return (hand->sealer != NULL ? tw_sealer_is_between(hand->sealer)
                                 : tw_opener_is_between(hand->opener)) &&
           tw_ctx_can_lend(body_of(hand)->ctx);
}

tw_err tw_hand_over(const tw_hand *hand)
{
    return hand->sealer != NULL ? tw_sealer_over(hand->sealer) : tw_opener_over(hand->opener);
}

size_t tw_hand_bound(const tw_hand *hand, size_t in_len)
{
    return hand->sealer != NULL ? tw_sealer_bound(hand->sealer, in_len)
                                : tw_opener_bound(hand->opener, in_len);
}

tw_err tw_hand_reserve(const tw_hand *hand, tw_lot *lot)
{
    return tw_ctx_reserve(body_of(hand)->ctx, lot->chunks, &lot->first);
}

tw_err tw_hand_update(const tw_hand *hand, tw_lot *lot)
{
    if (lot->chunks > 0) {
        tw_ctx_assign(body_of(hand)->ctx, lot->first, lot->chunks);
    }
    return hand->sealer != NULL ? tw_sealer_update(hand->sealer, lot->in, lot->take, lot->out,
                                                   lot->out_cap, &lot->out_len)
                                : tw_opener_update(hand->opener, lot->in, lot->take, lot->out,
                                                   lot->out_cap, &lot->out_len);
}

tw_err tw_hand_final(const tw_hand *hand, tw_lot *lot)
{
    return hand->sealer != NULL ? tw_sealer_final(hand->sealer, lot->in, lot->in_len, lot->out,
                                                  lot->out_cap, &lot->out_len)
                                : tw_opener_final(hand->opener, lot->in, lot->in_len, lot->out,
                                                  lot->out_cap, &lot->out_len);
}

void tw_hand_fail(const tw_hand *hand, tw_err err)
{
    if (hand->sealer != NULL) {
        tw_sealer_fail(hand->sealer, err);
    } else {
        tw_opener_fail(hand->opener, err);
    }
}

tw_err tw_hand_lend(const tw_hand *hand, tw_hand *out)
{
    const tw_body *body = body_of(hand);
    const tw_layout layout = {.chunked = true, .max_chunk = body->max_chunk};
    tw_hpke_ctx *ctx;
    tw_body lent;
    tw_err err = tw_ctx_lend(body->ctx, &ctx);

    *out = (tw_hand){0};
    if (err != TW_OK) {
        return err;
    }
    tw_body_init(&lent, &layout, body->tag_len, body->kit, ctx);
    return hand->sealer != NULL ? tw_sealer_make(&lent, &out->sealer)
                                : tw_opener_make(&lent, &out->opener);
}

void tw_hand_free(tw_hand *hand)
{
    tw_sealer_free(hand->sealer);
    tw_opener_free(hand->opener);
}
