/* SPDX-License-Identifier: Apache-2.0 */
#include "inject.h"

static tw_err watched_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                            uint8_t *secret)
{
    watched_key *self = (watched_key *)key;

    atomic_fetch_add(&self->calls, 1);
    if (self->answers != NULL && *self->answers != TW_OK) {
        return *self->answers++;
    }
    if (key->kem->check(key->kem, enc) != TW_OK) {
        return TW_ERR_FORMAT;
    }
    atomic_fetch_add(&self->operations, 1);
    return self->inner->ops->decap(self->inner, enc, sender_public, secret);
}

static void watched_key_free(tw_key *key)
{
    atomic_store(&((watched_key *)key)->freed, true);
}

void watched_key_start(watched_key *k, const tw_key *inner)
{
    *k = (watched_key){
        .base = {&k->ops, inner->kem, inner->public_key},
        .inner = inner,
        .ops = {.size = sizeof(tw_key_ops), .decap = watched_decap, .free = watched_key_free},
    };
}

static tw_err watched_check(const tw_kem *kem, const uint8_t *pk)
{
    watched_kem *self = (watched_kem *)kem;

    self->checks++;
    return self->inner->check(self->inner, pk);
}

static tw_err watched_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                            const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    watched_kem *self = (watched_kem *)kem;

    self->encaps++;
    return self->answer != TW_OK ? self->answer
                                 : self->inner->encap(self->inner, rng, pk, sender, secret, enc);
}

static void watched_kem_free(tw_kem *kem)
{
    ((watched_kem *)kem)->freed = true;
}

void watched_kem_start(watched_kem *k, const tw_kem *inner)
{
    *k = (watched_kem){.base = *inner, .inner = inner};
    k->base.size = sizeof(tw_kem);
    k->base.check = watched_check;
    k->base.encap = watched_encap;
    k->base.free = watched_kem_free;
}
