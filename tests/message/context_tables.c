/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of an injected suite's contexts: too small, or without what they must have. */
#include <stddef.h>
#include <string.h>

#include <criterion/criterion.h>

#include <twoway/hpke.h>
#include <twoway/twoway.h>

#include "check.h"

enum { ENC = 5, PUBLIC = 3, TAG = 16 };

/* One context, which is lent out again and again: no heap hides how often it is freed. */
static tw_hpke_ops ops;
static tw_hpke_ctx context = {&ops};
static size_t made, freed;

static tw_err copy_and_tag(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                           size_t in_len, uint8_t *out)
{
    (void)ctx, (void)aad, (void)aad_len;
    for (size_t i = 0; i < in_len + TAG; i++) {
        out[i] = i < in_len ? in[i] : 0;
    }
    return TW_OK;
}

static tw_err copy(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                   size_t in_len, uint8_t *out)
{
    (void)ctx, (void)aad, (void)aad_len;
    for (size_t i = 0; i + TAG < in_len; i++) {
        out[i] = in[i];
    }
    return TW_OK;
}

static tw_err export_same(const tw_hpke_ctx *ctx, const uint8_t *label, size_t len, uint8_t *out,
                          size_t out_len)
{
    (void)ctx, (void)label, (void)len;
    memset(out, 3, out_len);
    return TW_OK;
}

static void count_free(tw_hpke_ctx *ctx)
{
    (void)ctx;
    freed++;
}

static tw_err lend(tw_hpke_ctx **out)
{
    made++;
    *out = &context;
    return TW_OK;
}

static tw_err setup_sender(const tw_suite *suite, const tw_rng *rng, const uint8_t *pk,
                           const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                           uint8_t *enc, tw_hpke_ctx **ctx)
{
    (void)suite, (void)rng, (void)pk, (void)info, (void)info_len, (void)auth;
    memset(enc, 1, ENC);
    return lend(ctx);
}

static tw_err setup_receiver(const tw_suite *suite, const tw_key *key, const uint8_t *enc,
                             const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                             tw_hpke_ctx **ctx)
{
    (void)suite, (void)key, (void)enc, (void)info, (void)info_len, (void)auth;
    return lend(ctx);
}

static tw_err take_any(const tw_kem *kem, const uint8_t *pk)
{
    (void)kem, (void)pk;
    return TW_OK;
}

static tw_err no_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                       const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    (void)kem, (void)rng, (void)pk, (void)sender, (void)secret, (void)enc;
    return TW_ERR_STATE;
}

static tw_err no_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                       uint8_t *secret)
{
    (void)key, (void)enc, (void)sender_public, (void)secret;
    return TW_ERR_STATE;
}

static const uint8_t public_key[PUBLIC] = {1, 2, 3};
static const tw_suite suite = {.size = sizeof(suite),
                               .kem_id = 0xff01,
                               .kdf_id = 1,
                               .aead_id = 1,
                               .enc_len = ENC,
                               .public_len = PUBLIC,
                               .tag_len = TAG,
                               .setup_sender = setup_sender,
                               .setup_receiver = setup_receiver};
static const tw_kem kem = {.size = sizeof(kem),
                           .id = 0xff01,
                           .secret_len = 1,
                           .enc_len = ENC,
                           .public_len = PUBLIC,
                           .check = take_any,
                           .encap = no_encap};
static const tw_key_ops key_ops = {.size = sizeof(key_ops), .decap = no_decap};
static const tw_key key = {&key_ops, &kem, public_key};

static void table_start(void)
{
    ops = (tw_hpke_ops){.size = sizeof(ops),
                        .seal = copy_and_tag,
                        .open = copy,
                        .export_secret = export_same,
                        .free = count_free};
    made = freed = 0;
}

/* Every way to a context, by HPKE alone and by messages: all come to the same. */
static void must_all_come_to(tw_err want)
{
    const tw_hpke_params params = {.size = sizeof(params), .suite = &suite};
    uint8_t head[TW_MAX_HEAD], encap[TW_MAX_HEAD], nonce[TW_MAX_HEAD], enc[ENC] = {0};
    tw_sender *sender;
    tw_receiver *receiver;
    tw_multi *multi;
    tw_sealer *sealer, *content;
    tw_opener *opener;
    tw_exchange *asked, *answered;
    tw_hpke *hpke;
    size_t head_len;

    must_err(want, tw_hpke_sender(&params, public_key, PUBLIC, enc, ENC, &hpke));
    tw_hpke_free(hpke);
    must_err(want, tw_hpke_receiver(&params, &key, enc, ENC, &hpke));
    tw_hpke_free(hpke);

    must_ok(tw_sender_new(&suite, 1, public_key, PUBLIC, NULL, &sender));
    must_ok(tw_receiver_new(&suite, 1, &key, NULL, &receiver));
    head_len = tw_receiver_head_len(receiver);
    must_err(want, tw_sender_request(sender, NULL, head, sizeof(head), &sealer, &asked));
    tw_sealer_free(sealer), tw_exchange_free(asked);
    memcpy(head, (const uint8_t[]){1, 0xff, 1, 0, 1, 0, 1}, 7);
    must_err(want, tw_receiver_accept(receiver, NULL, head, head_len, &opener, &answered));
    tw_exchange_free(answered), tw_opener_free(opener);

    must_ok(tw_multi_new(&suite, NULL, NULL, nonce, sizeof(nonce), &content, &multi));
    must_err(want, tw_multi_encap(multi, 1, public_key, PUBLIC, encap, sizeof(encap), &asked));
    memset(encap, 0, sizeof(encap));
    memcpy(encap, head, 7);
    must_err(want, tw_receiver_accept_multi(receiver, NULL, encap, tw_multi_encap_len(&suite),
                                            nonce, tw_multi_head_len(&suite), &opener, &answered));
    tw_exchange_free(asked), tw_exchange_free(answered);
    tw_sealer_free(content), tw_opener_free(opener);
    tw_multi_free(multi), tw_sender_free(sender), tw_receiver_free(receiver);
    must_size(6, made);
}

Test(context_tables, a_context_that_lacks_what_it_must_have_is_freed_all_the_same)
{
    table_start();
    ops.seal = NULL;
    must_all_come_to(TW_ERR_BACKEND);
    must_size(made, freed);
    table_start();
    ops.open = NULL;
    must_all_come_to(TW_ERR_BACKEND);
    must_size(made, freed);
    table_start();
    ops.export_secret = NULL;
    must_all_come_to(TW_ERR_BACKEND);
    must_size(made, freed);
}

Test(context_tables, a_member_beyond_the_size_is_not_called)
{
    static const size_t sizes[] = {
        offsetof(tw_hpke_ops, size),        offsetof(tw_hpke_ops, seal),
        offsetof(tw_hpke_ops, open),        offsetof(tw_hpke_ops, export_secret),
        offsetof(tw_hpke_ops, free),        offsetof(tw_hpke_ops, free) + sizeof(ops.free) - 1,
        offsetof(tw_hpke_ops, seal_update),
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        table_start();
        ops.size = sizes[i];
        must_all_come_to(i < 4 ? TW_ERR_BACKEND : TW_OK);
        must_size(i < 6 ? 0 : made, freed);
    }
}

Test(context_tables, nothing_has_to_be_freed)
{
    table_start();
    ops.free = NULL;
    must_all_come_to(TW_OK);
}
