/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h: contexts, sequence numbers, one-shot messages, and what their arguments may be. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "inject.h"
#include "pair.h"
#include "rng.h"

static const triple export_only = {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA384,
                                   TW_AEAD_EXPORT_ONLY};

static pair p;

static void start(void)
{
    pair_start(&p, triple_default, MODE_BASE);
    pair_connect(&p);
}

static void end(void)
{
    pair_end(&p);
}

TestSuite(contexts, .init = start, .fini = end);

static uint64_t seq_of(const tw_hpke *hpke)
{
    uint64_t seq = UINT64_MAX;

    must_ok(tw_hpke_seq(hpke, &seq));
    return seq;
}

/* --- Messages. ----------------------------------------------------------------- */

Test(contexts, every_bit_of_a_message_and_of_its_aad_counts)
{
    static const uint8_t aad[] = {1, 2, 3};
    bytes sealed = bytes_new(20 + 16), opened = bytes_new(20);
    size_t len = 0;

    must_ok(tw_hpke_seal(p.seals, aad, 3, bytes_noise(20, 1).data, 20, sealed.data, 36, &len));
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        must_err(TW_ERR_AUTH,
                 tw_hpke_open(p.opens, aad, 3, sealed.data, 36, opened.data, 20, &len));
        must_bytes(bytes_new(20), opened);
        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    must_err(TW_ERR_AUTH, tw_hpke_open(p.opens, aad, 2, sealed.data, 36, opened.data, 20, &len));
    must_err(TW_ERR_AUTH, tw_hpke_open(p.opens, NULL, 0, sealed.data, 36, opened.data, 20, &len));
    must_ok(tw_hpke_open(p.opens, aad, 3, sealed.data, 36, opened.data, 20, &len));
    must_bytes(bytes_noise(20, 1), opened);
}

Test(contexts, an_empty_message_is_a_tag)
{
    uint8_t tag[16], none;
    size_t len = 0;

    must_ok(tw_hpke_seal(p.seals, NULL, 0, NULL, 0, tag, sizeof(tag), &len));
    must_size(16, len);
    for (size_t cut = 0; cut < sizeof(tag); cut++) {
        must_err(TW_ERR_AUTH, tw_hpke_open(p.opens, NULL, 0, tag, cut, &none, 1, &len));
    }
    must_ok(tw_hpke_open(p.opens, NULL, 0, tag, sizeof(tag), NULL, 0, &len));
    must_size(0, len);
    must_size(1, seq_of(p.opens));
}

Test(contexts, the_last_number_is_never_used)
{
    bytes sealed = pair_seal(&p, bytes_noise(10, 1)), opened;

    must_ok(tw_hpke_set_seq(p.opens, UINT64_MAX));
    must_err(TW_ERR_LIMIT, pair_open(&p, sealed, &opened));
    must_ok(tw_hpke_set_seq(p.opens, UINT64_MAX - 1));
    must_err(TW_ERR_AUTH, pair_open(&p, sealed, &opened));
    must(seq_of(p.opens) == UINT64_MAX - 1);
    must_ok(tw_hpke_set_seq(p.opens, 0));
    must_ok(pair_open(&p, sealed, &opened));
}

Test(contexts, an_export_only_suite_seals_nothing)
{
    uint8_t in[32] = {0}, out[64];
    size_t len = 1;
    pair q;

    for (mode m = MODE_BASE; m < MODES; m++) {
        pair_start(&q, export_only, m);
        pair_connect(&q);
        must_size(0, tw_hpke_tag_len(q.seals));
        must_size(0, q.suite->tag_len);
        must_err(TW_ERR_STATE, tw_hpke_seal(q.seals, NULL, 0, in, 1, out, sizeof(out), &len));
        must_err(TW_ERR_STATE, tw_hpke_seal(q.seals, NULL, 0, NULL, 0, out, sizeof(out), &len));
        must_err(TW_ERR_STATE, tw_hpke_open(q.opens, NULL, 0, in, 32, out, sizeof(out), &len));
        must_err(TW_ERR_STATE, tw_hpke_open(q.opens, NULL, 0, NULL, 0, out, sizeof(out), &len));
        must_err(TW_ERR_STATE, tw_hpke_set_seq(q.opens, 1));
        must_size(0, len);
        must_pass(&q); /* its exports */
        pair_end(&q);
    }
}

/* --- Exports. -------------------------------------------------------------------- */

Test(contexts, exports_differ_by_context_and_by_length)
{
    uint8_t a[32], b[32], c[16];

    must_ok(tw_hpke_export(p.seals, (const uint8_t *)"a", 1, a, sizeof(a)));
    must_ok(tw_hpke_export(p.seals, (const uint8_t *)"b", 1, b, sizeof(b)));
    must_ok(tw_hpke_export(p.seals, (const uint8_t *)"a", 1, c, sizeof(c)));
    must(memcmp(a, b, sizeof(a)) != 0);
    must(memcmp(a, c, sizeof(c)) != 0); /* L is in the label, section 4 */
}

/* --- One-shot. --------------------------------------------------------------------- */

static tw_hpke_text text_of(bytes in)
{
    return (tw_hpke_text){
        .aad = (const uint8_t *)"aad", .aad_len = 3, .in = in.data, .in_len = in.len};
}

static bytes sealed_once(bytes plain)
{
    bytes sealed = bytes_new(p.suite->enc_len + plain.len + p.suite->tag_len);
    tw_hpke_text text = text_of(plain);
    size_t len = 0;

    must_ok(tw_hpke_seal_once(&p.sender, p.receiver->public_key, p.suite->public_len, &text,
                              sealed.data, sealed.len, &len));
    return sealed;
}

Test(contexts, a_one_shot_message_says_how_much_room_it_needs)
{
    bytes plain = bytes_noise(20, 1), sealed = sealed_once(plain), out = bytes_new(sealed.len);
    tw_hpke_text seal = text_of(plain), open = text_of(sealed);
    size_t len = 0;

    must_err(TW_ERR_SPACE, tw_hpke_seal_once(&p.sender, p.receiver->public_key, 32, &seal, out.data,
                                             sealed.len - 1, &len));
    must_size(sealed.len, len);
    must_err(TW_ERR_SPACE,
             tw_hpke_seal_once(&p.sender, p.receiver->public_key, 32, &seal, NULL, 0, &len));
    must_size(sealed.len, len);
    must_err(TW_ERR_SPACE, tw_hpke_open_once(&p.opener, p.receiver, &open, out.data, 19, &len));
    must_size(20, len);
    must_err(TW_ERR_SPACE, tw_hpke_open_once(&p.opener, p.receiver, &open, NULL, 0, &len));
    must_size(20, len);
    must_bytes(bytes_new(sealed.len), out);
    seal.in_len = SIZE_MAX;
    must_err(TW_ERR_SPACE, tw_hpke_seal_once(&p.sender, p.receiver->public_key, 32, &seal, out.data,
                                             out.len, &len));
    must_size(SIZE_MAX, len);
}

Test(contexts, a_one_shot_message_that_fails_leaves_no_bytes)
{
    bytes plain = bytes_noise(20, 1), out = bytes_noise(20 + 48, 2);
    tw_hpke_text text = text_of(plain);
    tw_hpke_params params = p.sender;
    size_t len = 1;
    script none;
    tw_rng rng = script_start(&none, bytes_none);

    params.rng = &rng;
    must_err(TW_ERR_RANDOM, tw_hpke_seal_once(&params, p.receiver->public_key, 32, &text, out.data,
                                              out.len, &len));
    must_size(0, len);
    must_bytes(bytes_new(out.len), out);
}

Test(contexts, a_one_shot_call_that_cannot_be_meant_costs_no_private_key_operation)
{
    bytes plain = bytes_noise(20, 1), sealed = sealed_once(plain);
    bytes out = bytes_noise(20 + 48, 2), before = bytes_of(out.data, out.len);
    tw_hpke_text seal = text_of(plain), open = text_of(sealed);
    watched_key watched;
    size_t len = 1;
    pair q;

    watched_key_start(&watched, p.receiver);
    must_err(TW_ERR_INVALID,
             tw_hpke_open_once(&p.opener, &watched.base, &open, NULL, out.len, &len));
    seal.aad = open.aad = NULL;
    must_err(TW_ERR_INVALID,
             tw_hpke_open_once(&p.opener, &watched.base, &open, out.data, out.len, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal_once(&p.sender, p.receiver->public_key, 32, &seal,
                                               out.data, out.len, &len));
    must_size(0, len);
    must_size(0, watched.calls);
    pair_start(&q, export_only, MODE_BASE);
    watched_key_start(&watched, q.receiver);
    seal.aad_len = open.aad_len = 0;
    must_err(TW_ERR_STATE,
             tw_hpke_open_once(&q.opener, &watched.base, &open, out.data, out.len, &len));
    seal.in_len = 3;
    must_err(TW_ERR_STATE, tw_hpke_seal_once(&q.sender, q.receiver->public_key, 65, &seal, out.data,
                                             out.len, &len));
    must_size(0, watched.calls);
    must_bytes(before, out);
    pair_end(&q);
}

Test(contexts, one_shot_arguments_out_of_range_are_invalid)
{
    bytes plain = bytes_noise(20, 1), sealed = sealed_once(plain), out = bytes_new(100);
    tw_hpke_text seal = text_of(plain), open = text_of(sealed);
    const uint8_t *pk = p.receiver->public_key;
    size_t len = 1;

    must_err(TW_ERR_INVALID, tw_hpke_seal_once(NULL, pk, 32, &seal, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal_once(&p.sender, NULL, 32, &seal, out.data, 100, &len));
    must_err(TW_ERR_KEY, tw_hpke_seal_once(&p.sender, pk, 31, &seal, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal_once(&p.sender, pk, 32, NULL, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal_once(&p.sender, pk, 32, &seal, out.data, 100, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_open_once(NULL, p.receiver, &open, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open_once(&p.opener, NULL, &open, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open_once(&p.opener, p.receiver, NULL, out.data, 100, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open_once(&p.opener, p.receiver, &open, out.data, 100, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_open_once(&p.opener, p.receiver, &open, NULL, 100, &len));
    open.in = NULL;
    must_err(TW_ERR_INVALID, tw_hpke_open_once(&p.opener, p.receiver, &open, out.data, 100, &len));
    must_size(0, len);
}

/* --- Arguments of contexts. ----------------------------------------------------------- */

Test(contexts, setting_up_with_arguments_out_of_range_is_invalid)
{
    uint8_t enc[32];
    const uint8_t *pk = p.receiver->public_key;
    tw_hpke_params params[4] = {p.sender, p.sender, p.sender, p.sender};
    tw_hpke *out;

    params[0].size = 0;
    params[1].size = offsetof(tw_hpke_params, auth); /* before there were modes */
    params[2].suite = NULL;
    params[3].info = NULL;
    for (size_t i = 0; i < 4; i++) {
        out = (tw_hpke *)&out;
        must_err(TW_ERR_INVALID, tw_hpke_sender(&params[i], pk, 32, enc, 32, &out));
        must(out == NULL);
        out = (tw_hpke *)&out;
        must_err(TW_ERR_INVALID, tw_hpke_receiver(&params[i], p.receiver, enc, 32, &out));
        must(out == NULL);
    }
    must_err(TW_ERR_INVALID, tw_hpke_sender(NULL, pk, 32, enc, 32, &out));
    must_err(TW_ERR_INVALID, tw_hpke_sender(&p.sender, NULL, 32, enc, 32, &out));
    must_err(TW_ERR_INVALID, tw_hpke_sender(&p.sender, pk, 32, enc, 32, NULL));
    must_err(TW_ERR_SPACE, tw_hpke_sender(&p.sender, pk, 32, enc, 31, &out));
    must_err(TW_ERR_SPACE, tw_hpke_sender(&p.sender, pk, 32, NULL, 32, &out));
    must_err(TW_ERR_KEY, tw_hpke_sender(&p.sender, pk, 31, enc, 32, &out));
    must_err(TW_ERR_KEY, tw_hpke_sender(&p.sender, bytes_new(32).data, 32, enc, 32, &out));
    must(out == NULL);
    must_err(TW_ERR_INVALID, tw_hpke_receiver(NULL, p.receiver, enc, 32, &out));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.opener, NULL, enc, 32, &out));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.opener, p.receiver, NULL, 32, &out));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.opener, p.receiver, enc, 32, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_receiver(&p.opener, p.receiver, enc, 33, &out));
    must_err(TW_ERR_TRUNCATED, tw_hpke_receiver(&p.opener, p.receiver, enc, 31, &out));
    must_err(TW_ERR_TRUNCATED, tw_hpke_receiver(&p.opener, p.receiver, NULL, 0, &out));
    must_err(TW_ERR_FORMAT, tw_hpke_receiver(&p.opener, p.receiver, bytes_new(32).data, 32, &out));
    must(out == NULL);
}

Test(contexts, params_of_a_caller_without_rng_serve)
{
    tw_hpke_params params = p.sender;
    uint8_t enc[32];
    tw_hpke *out = NULL;

    params.size = offsetof(tw_hpke_params, rng);
    params.rng = (const tw_rng *)&params; /* beyond its end: not to be read */
    must_ok(tw_hpke_sender(&params, p.receiver->public_key, 32, enc, 32, &out));
    tw_hpke_free(out);
}

Test(contexts, a_source_of_randomness_of_the_callers_makes_the_same_context_again)
{
    bytes ikm = bytes_noise(32, 9), sealed[2];

    for (size_t i = 0; i < 2; i++) {
        script s;
        tw_rng rng = script_start(&s, ikm);

        p.sender.rng = &rng;
        pair_connect(&p);
        must(script_all_used(&s));
        sealed[i] = pair_seal(&p, bytes_noise(10, 1));
    }
    must_bytes(sealed[0], sealed[1]);
}

Test(contexts, too_little_room_is_told_and_nothing_has_changed)
{
    bytes plain = bytes_noise(20, 1), sealed, out = bytes_new(36), opened;
    size_t len = 0;

    must_err(TW_ERR_SPACE, tw_hpke_seal(p.seals, NULL, 0, plain.data, 20, out.data, 35, &len));
    must_size(36, len);
    must_err(TW_ERR_SPACE, tw_hpke_seal(p.seals, NULL, 0, plain.data, 20, NULL, 0, &len));
    must_size(36, len);
    must_err(TW_ERR_SPACE,
             tw_hpke_seal(p.seals, NULL, 0, plain.data, SIZE_MAX, out.data, 36, &len));
    must_size(SIZE_MAX, len);
    must_bytes(bytes_new(36), out);
    sealed = pair_seal(&p, plain);
    must_err(TW_ERR_SPACE, tw_hpke_open(p.opens, NULL, 0, sealed.data, 36, out.data, 19, &len));
    must_size(20, len);
    must_err(TW_ERR_SPACE, tw_hpke_open(p.opens, NULL, 0, sealed.data, 36, NULL, 0, &len));
    must_size(20, len);
    must_ok(pair_open(&p, sealed, &opened));
    must_bytes(plain, opened);
}

Test(contexts, null_arguments_are_invalid)
{
    uint8_t in[32] = {0}, out[64];
    uint64_t seq = 1;
    size_t len = 1;

    must_err(TW_ERR_INVALID, tw_hpke_seal(NULL, NULL, 0, in, 1, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 1, in, 1, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, NULL, 1, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, in, 1, NULL, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, in, 1, out, 64, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_open(NULL, NULL, 0, in, 32, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 1, in, 32, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 0, NULL, 32, out, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 0, in, 32, NULL, 64, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 0, in, 32, out, 64, NULL));
    must_size(0, len);
    must_err(TW_ERR_INVALID, tw_hpke_export(NULL, NULL, 0, out, 1));
    must_err(TW_ERR_INVALID, tw_hpke_export(p.seals, NULL, 1, out, 1));
    must_err(TW_ERR_INVALID, tw_hpke_export(p.seals, NULL, 0, NULL, 1));
    must_err(TW_ERR_INVALID, tw_hpke_seq(NULL, &seq));
    must(seq == 0);
    must_err(TW_ERR_INVALID, tw_hpke_seq(p.seals, NULL));
    must_err(TW_ERR_INVALID, tw_hpke_set_seq(NULL, 1));
    must_size(0, tw_hpke_tag_len(NULL));
    must_size(16, tw_hpke_tag_len(p.seals));
    tw_hpke_free(NULL);
}
