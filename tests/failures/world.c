/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <string.h>

world w;

static const char text[] = WORLD_TEXT;

/* A label that is too long for the stack takes one allocation more. */
static const char *long_label(void)
{
    static char label[200];

    memset(label, 'x', sizeof(label) - 1);
    return label;
}

void world_chunked(bool chunked)
{
    w.format = (tw_format){.size = sizeof(w.format), .chunked = chunked, .label = long_label()};
}

void want_kem(void)
{
    must_ok(tw_kem_new(now->kem_id, now->provider, &w.kem));
}

void want_key(void)
{
    must_ok(tw_key_generate(now->kem_id, NULL, now->provider, &w.key));
    must_ok(tw_key_generate(now->kem_id, NULL, now->provider, &w.identity));
}

void want_suite(void)
{
    must_ok(tw_suite_new(now->kem_id, now->kdf_id, now->aead_id, now->provider, &w.suite));
}

void want_encap(void)
{
    want_key();
    must_ok(w.key->kem->encap(w.key->kem, NULL, w.key->public_key, NULL, w.secret, w.enc));
}

void want_sender(void)
{
    if (w.format.size == 0) {
        world_chunked(false);
    }
    want_key();
    want_suite();
    must_ok(tw_sender_new(w.suite, 1, w.key->public_key, w.suite->public_len, NULL, &w.sender));
    must_ok(tw_receiver_new(w.suite, 1, w.key, NULL, &w.receiver));
    w.head_len = tw_sender_head_len(w.sender);
}

static void seal_text(void)
{
    must_ok(tw_sealer_final(w.sealer, (const uint8_t *)text, sizeof(text), w.body, sizeof(w.body),
                            &w.body_len));
    tw_sealer_free(w.sealer);
    w.sealer = NULL;
}

void want_request(void)
{
    want_sender();
    must_ok(tw_sender_request(w.sender, &w.format, w.head, sizeof(w.head), &w.sealer, &w.asked));
    seal_text();
}

void want_accepted(void)
{
    want_request();
    must_ok(tw_receiver_accept(w.receiver, &w.format, w.head, w.head_len, &w.opener, &w.answered));
}

void want_response(void)
{
    want_accepted();
    tw_opener_free(w.opener);
    w.opener = NULL;
    must_ok(tw_exchange_respond(w.answered, &w.format, w.head, sizeof(w.head), &w.sealer));
    w.head_len = tw_exchange_response_head_len(w.answered);
    seal_text();
}

void want_multi(void)
{
    want_sender();
    must_ok(tw_multi_new(w.suite, &w.format, NULL, w.head, sizeof(w.head), &w.sealer, &w.multi));
    must_ok(tw_multi_encap(w.multi, 1, w.key->public_key, w.suite->public_len, w.encap,
                           sizeof(w.encap), NULL));
    w.head_len = tw_multi_head_len(w.suite);
    w.encap_len = tw_multi_encap_len(w.suite);
    seal_text();
}

void want_hpke(void)
{
    want_key();
    want_suite();
    w.params = (tw_hpke_params){.size = sizeof(w.params), .suite = w.suite};
    must_ok(tw_hpke_sender(&w.params, w.key->public_key, w.suite->public_len, w.enc, sizeof(w.enc),
                           &w.sends));
    must_ok(tw_hpke_receiver(&w.params, w.key, w.enc, w.suite->enc_len, &w.receives));
}

void world_end(void)
{
    tw_hpke_free(w.sends);
    tw_hpke_free(w.receives);
    tw_sealer_free(w.sealer);
    tw_opener_free(w.opener);
    tw_pending_free(w.pending);
    tw_multi_free(w.multi);
    tw_exchange_free(w.asked);
    tw_exchange_free(w.answered);
    tw_sender_free(w.sender);
    tw_receiver_free(w.receiver);
    tw_suite_free(w.suite);
    tw_key_free(w.key);
    tw_key_free(w.identity);
    tw_kem_free(w.kem);
    w = (world){.kem = NULL};
}
