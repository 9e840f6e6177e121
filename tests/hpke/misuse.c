/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h held to its errors, and over a suite of one's own. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/hpke.h>
#include <twoway/twoway.h>

#include "check.h"
#include "peers.h"
#include "rng.h"
#include "toy.h"

typedef struct pair {
    tw_suite *suite;
    tw_key *key;
    tw_hpke_params params;
    uint8_t enc[TW_MAX_ENC];
    tw_hpke *sender, *receiver;
} pair;

static void start(pair *p, uint16_t aead_id)
{
    *p = (pair){.suite = NULL};
    must_ok(tw_suite_new(TW_KEM_X25519_HKDF_SHA256, 1, aead_id, NULL, &p->suite));
    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &p->key));
    p->params = (tw_hpke_params){.size = sizeof(tw_hpke_params), .suite = p->suite};
    must_ok(tw_hpke_sender(&p->params, p->key->public_key, 32, p->enc, 32, &p->sender));
    must_ok(tw_hpke_receiver(&p->params, p->key, p->enc, 32, &p->receiver));
}

static void end(pair *p)
{
    tw_hpke_free(p->sender);
    tw_hpke_free(p->receiver);
    tw_key_free(p->key);
    tw_suite_free(p->suite);
}

Test(misuse, each_side_does_its_own_part)
{
    uint8_t in[20] = {0}, out[40];
    size_t len = 1;
    pair p;

    start(&p, 1);
    must_err(TW_ERR_STATE, tw_hpke_seal(p.receiver, NULL, 0, in, 4, out, sizeof(out), &len));
    must_size(0, len);
    must_err(TW_ERR_STATE, tw_hpke_open(p.sender, NULL, 0, in, 20, out, sizeof(out), &len));
    must_size(0, len);
    end(&p);
}

Test(misuse, an_export_only_suite_exports_alone)
{
    uint8_t in[20] = {0}, out[40], a[32], b[32];
    tw_hpke_text text = {NULL, 0, in, sizeof(in)};
    size_t len = 1;
    pair p;

    start(&p, TW_AEAD_EXPORT_ONLY);
    must_size(0, tw_hpke_tag_len(p.sender));
    must_err(TW_ERR_STATE, tw_hpke_seal(p.sender, NULL, 0, in, 4, out, sizeof(out), &len));
    must_err(TW_ERR_STATE, tw_hpke_open(p.receiver, NULL, 0, in, 20, out, sizeof(out), &len));
    must_ok(tw_hpke_export(p.sender, NULL, 0, a, sizeof(a)));
    must_ok(tw_hpke_export(p.receiver, NULL, 0, b, sizeof(b)));
    must_bytes(((bytes){a, sizeof(a)}), ((bytes){b, sizeof(b)}));
    {
        uint8_t once[60];

        must_err(TW_ERR_STATE, tw_hpke_seal_once(&p.params, p.key->public_key, 32, &text, once,
                                                 sizeof(once), &len));
        must_size(0, len);
    }
    end(&p);
}

Test(misuse, an_export_is_at_most_255_blocks)
{
    bytes out = bytes_new(255 * 32 + 1);
    pair p;

    start(&p, 1);
    must_ok(tw_hpke_export(p.sender, NULL, 0, out.data, out.len - 1));
    must_err(TW_ERR_INVALID, tw_hpke_export(p.sender, NULL, 0, out.data, out.len));
    must_ok(tw_hpke_export(p.sender, NULL, 0, NULL, 0));
    must_err(TW_ERR_INVALID, tw_hpke_export(p.sender, NULL, 1, out.data, 1));
    must_err(TW_ERR_INVALID, tw_hpke_export(p.sender, NULL, 0, NULL, 1));
    must_err(TW_ERR_INVALID, tw_hpke_export(NULL, NULL, 0, out.data, 1));
    end(&p);
}

Test(misuse, lengths_and_points_are_checked_before_anything_else)
{
    bytes pk, enc = bytes_new(33);
    tw_hpke *hpke = (tw_hpke *)&hpke;
    pair p;

    start(&p, 1);
    pk = bytes_of(p.key->public_key, 32);
    must_err(TW_ERR_SPACE, tw_hpke_sender(&p.params, pk.data, 32, enc.data, 31, &hpke));
    must(hpke == NULL);
    must_err(TW_ERR_KEY, tw_hpke_sender(&p.params, pk.data, 31, enc.data, 33, &hpke));
    must_err(TW_ERR_KEY, tw_hpke_sender(&p.params, enc.data, 32, pk.data, 32, &hpke));
    for (size_t len = 0; len < 32; len++) {
        must_err(TW_ERR_TRUNCATED, tw_hpke_receiver(&p.params, p.key, p.enc, len, &hpke));
    }
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.params, p.key, p.enc, 33, &hpke));
    must_err(TW_ERR_FORMAT, tw_hpke_receiver(&p.params, p.key, enc.data, 32, &hpke));
    must(hpke == NULL);
    end(&p);
}

Test(misuse, arguments_out_of_range_are_invalid)
{
    tw_hpke *hpke = (tw_hpke *)&hpke;
    uint8_t in[64] = {0}, out[64];
    tw_hpke_params bad;
    size_t len = 1;
    pair p;

    start(&p, 1);
    for (size_t i = 0; i < 4; i++) {
        bad = p.params;
        bad.size = i == 0 ? 0 : bad.size;
        bad.suite = i == 1 ? NULL : bad.suite;
        bad.info_len = i == 2 ? 1 : 0;
        must_err(TW_ERR_INVALID,
                 tw_hpke_sender(i == 3 ? NULL : &bad, p.key->public_key, 32, out, 64, &hpke));
        must(hpke == NULL);
        hpke = (tw_hpke *)&hpke;
        must_err(TW_ERR_INVALID,
                 tw_hpke_receiver(i == 3 ? NULL : &bad, p.key, p.enc, 32, &hpke));
        must(hpke == NULL);
    }
    must_err(TW_ERR_INVALID, tw_hpke_sender(&p.params, NULL, 32, out, 64, &hpke));
    must_err(TW_ERR_INVALID, tw_hpke_sender(&p.params, p.key->public_key, 32, out, 64, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.params, NULL, p.enc, 32, &hpke));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.params, p.key, NULL, 32, &hpke));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.params, p.key, p.enc, 32, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.sender, NULL, 1, in, 4, out, 64, &len));
    must_size(0, len);
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.sender, NULL, 0, NULL, 4, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.sender, NULL, 0, in, 4, NULL, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.sender, NULL, 0, in, 4, in, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.sender, NULL, 0, in, 4, out, 64, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_seal(NULL, NULL, 0, in, 4, out, 64, &len));
    must_err(TW_ERR_SPACE, tw_hpke_seal(p.sender, NULL, 0, in, SIZE_MAX - 3, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.receiver, NULL, 1, in, 20, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.receiver, NULL, 0, NULL, 20, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.receiver, NULL, 0, in, 20, NULL, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.receiver, NULL, 0, in, 20, in + 19, 40, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.receiver, NULL, 0, in, 20, out, 64, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_open(NULL, NULL, 0, in, 20, out, 64, &len));
    end(&p);
}

Test(misuse, a_sender_draws_from_the_randomness_it_is_given)
{
    bytes first = bytes_new(32), second = bytes_new(32);
    tw_hpke *hpke = NULL;
    script s;
    tw_rng rng;
    pair p;

    start(&p, 1);
    p.params.rng = &rng;
    rng = script_start(&s, bytes_noise(32, 1));
    must_ok(tw_hpke_sender(&p.params, p.key->public_key, 32, first.data, 32, &hpke));
    must(script_all_used(&s));
    tw_hpke_free(hpke);
    must_err(TW_ERR_RANDOM, tw_hpke_sender(&p.params, p.key->public_key, 32, second.data, 32,
                                           &hpke));
    must(hpke == NULL);
    rng = script_start(&s, bytes_noise(32, 1));
    must_ok(tw_hpke_sender(&p.params, p.key->public_key, 32, second.data, 32, &hpke));
    must_bytes(first, second);
    tw_hpke_free(hpke);
    end(&p);
}

Test(misuse, a_suite_of_ones_own_serves_contexts_too)
{
    tw_hpke *sender = NULL, *receiver = NULL;
    uint8_t enc[TOY_ENC], sealed[25], opened[9];
    tw_hpke_params params;
    uint64_t seq = 0;
    size_t len = 0;
    toy t;

    toy_start(&t);
    params = (tw_hpke_params){.size = sizeof(params), .suite = &t.suite};
    must_ok(tw_hpke_sender(&params, t.public_key, TOY_PUBLIC, enc, sizeof(enc), &sender));
    must_ok(tw_hpke_receiver(&params, &t.key, enc, sizeof(enc), &receiver));
    must_ok(tw_hpke_seal(sender, NULL, 0, (const uint8_t *)"some text", 9, sealed, 25, &len));
    must_ok(tw_hpke_open(receiver, NULL, 0, sealed, 25, opened, 9, &len));
    must(memcmp(opened, "some text", 9) == 0);
    must_err(TW_ERR_INVALID, tw_hpke_seq(sender, &seq)); /* the toy cannot tell */
    must_err(TW_ERR_INVALID, tw_hpke_set_seq(receiver, 3));
    t.no_context = true;
    {
        tw_hpke *none = (tw_hpke *)&none;

        must_err(TW_ERR_BACKEND,
                 tw_hpke_sender(&params, t.public_key, TOY_PUBLIC, enc, sizeof(enc), &none));
        must(none == NULL);
    }
    tw_hpke_free(sender);
    tw_hpke_free(receiver);
    must_size(t.contexts_made, t.contexts_freed);
}
