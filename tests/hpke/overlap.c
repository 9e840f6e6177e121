/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h: no input overlaps an output, whichever input of whichever call. What lies side by side
 * serves. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "pair.h"

static pair p;

static void start(void)
{
    pair_start(&p, triple_default, MODE_AUTH_PSK);
    pair_connect(&p);
}

static void end(void)
{
    pair_end(&p);
}

TestSuite(overlap, .init = start, .fini = end);

Test(overlap, input_and_output_do_not_overlap)
{
    bytes whole = bytes_noise(100, 1), before = bytes_of(whole.data, 100), opened;
    uint8_t *b = whole.data;
    size_t len = 1;

    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, b, 20, b, 36, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, b + 35, 20, b, 36, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, NULL, 0, b, 20, b + 19, 36, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 0, b, 36, b, 20, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, NULL, 0, b, 36, b + 35, 20, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, b + 50, 3, b, 20, b + 20, 36, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, b + 55, 3, b, 20, b + 20, 36, &len));
    must_err(TW_ERR_INVALID, tw_hpke_seal(p.seals, b + 18, 3, b, 18, b + 20, 34, &len));
    must_err(TW_ERR_INVALID, tw_hpke_open(p.opens, b + 59, 3, b, 36, b + 40, 20, &len));
    must_size(0, len);
    must_bytes(before, whole);
    must_ok(tw_hpke_seal(p.seals, NULL, 0, b, 20, b + 20, 36, &len)); /* side by side */
    must_ok(pair_open(&p, bytes_part(whole, 20, 36), &opened));
    must_bytes(bytes_part(before, 0, 20), opened);
}

/* What is read after something was written would be another key, info or context. */
Test(overlap, what_is_set_up_with_or_exported_by_does_not_overlap_what_is_written)
{
    bytes pk = bytes_of(p.receiver->public_key, p.suite->public_len), room = bytes_new(200);
    size_t n = p.suite->public_len;
    tw_hpke_params params = p.sender;
    tw_hpke *none = (tw_hpke *)&none;
    uint8_t first[64];

    memcpy(room.data + 50, pk.data, n);
    for (size_t at = 0; at < 3; at++) {
        must_err(TW_ERR_INVALID,
                 tw_hpke_sender(&params, room.data + 50, n, room.data + 50 + at - 1, n, &none));
        must(none == NULL);
    }
    params.info = room.data + 20;
    params.info_len = 10;
    must_err(TW_ERR_INVALID, tw_hpke_sender(&params, pk.data, n, room.data, n, &none));
    must_bytes(pk, bytes_part(room, 50, n));
    must_ok(tw_hpke_sender(&params, room.data + 50, n, room.data + 50 + n, n, &none));
    tw_hpke_free(none);
    must_err(TW_ERR_INVALID, tw_hpke_export(p.seals, room.data, 10, room.data + 9, 64));
    must_ok(tw_hpke_export(p.seals, room.data, 10, room.data + 10, 64));
    must_ok(tw_hpke_export(p.seals, room.data, 10, first, 64));
    must(memcmp(first, room.data + 10, 64) == 0);
}

/* --- Each input in turn, at the beginning and at the end of an output. ----------------------- */

enum { PLAIN_LEN = 20, SEALED_LEN = 32 + PLAIN_LEN + 16, AT = 200, ROOM = 500 };

/* All that a call reads. */
typedef struct reads {
    const uint8_t *pk;
    tw_hpke_params params;
    tw_hpke_auth auth;
    tw_hpke_text text;
} reads;

typedef tw_err call(reads *r, uint8_t *out, size_t out_len);

static tw_err set_up(reads *r, uint8_t *out, size_t out_len)
{
    tw_hpke *made = NULL;
    tw_err err = tw_hpke_sender(&r->params, r->pk, 32, out, out_len, &made);

    tw_hpke_free(made);
    return err;
}

static tw_err seal(reads *r, uint8_t *out, size_t out_len)
{
    size_t len = 1;
    tw_err err = tw_hpke_seal_once(&r->params, r->pk, 32, &r->text, out, out_len, &len);

    must_size(err == TW_OK ? SEALED_LEN : 0, len);
    return err;
}

static tw_err open_it(reads *r, uint8_t *out, size_t out_len)
{
    size_t len = 1;
    tw_err err = tw_hpke_open_once(&r->params, p.receiver, &r->text, out, out_len, &len);

    must_size(err == TW_OK ? PLAIN_LEN : 0, len);
    return err;
}

/* With the input that `at` says, of the members of `r`, beside the output and over a byte of it. */
static void must_not_overlap(call *makes, size_t out_len, reads *r, const uint8_t **at, size_t len)
{
    const size_t over[] = {AT - out_len + 1, AT + len - 1, AT};
    const size_t beside[] = {AT - out_len, AT + len};
    const uint8_t *elsewhere = *at;
    bytes room = bytes_noise(ROOM, 1), before;

    memcpy(room.data + AT, *at, len);
    before = bytes_of(room.data, room.len);
    *at = room.data + AT;
    for (size_t i = 0; i < 3; i++) {
        must_err(TW_ERR_INVALID, makes(r, room.data + over[i], out_len));
        must_bytes(before, room);
    }
    for (size_t i = 0; i < 2; i++) {
        must_ok(makes(r, room.data + beside[i], out_len));
    }
    *at = elsewhere;
}

static void must_keep_params_apart(call *makes, size_t out_len, reads *r)
{
    must_not_overlap(makes, out_len, r, &r->params.info, r->params.info_len);
    must_not_overlap(makes, out_len, r, &r->auth.psk, r->auth.psk_len);
    must_not_overlap(makes, out_len, r, &r->auth.psk_id, r->auth.psk_id_len);
}

static void must_keep_text_apart(call *makes, size_t out_len, reads *r)
{
    must_not_overlap(makes, out_len, r, &r->text.in, r->text.in_len);
    must_not_overlap(makes, out_len, r, &r->text.aad, r->text.aad_len);
}

Test(overlap, no_input_of_a_sender_or_a_one_shot_call_lies_in_its_output)
{
    bytes plain = bytes_noise(PLAIN_LEN, 1), sealed = bytes_new(SEALED_LEN);
    reads r = {.pk = p.receiver->public_key,
               .params = p.sender,
               .auth = p.sending,
               .text = {(const uint8_t *)"aad", 3, plain.data, plain.len}};

    r.params.auth = &r.auth;
    must_not_overlap(set_up, 32, &r, &r.pk, 32);
    must_keep_params_apart(set_up, 32, &r);
    must_not_overlap(seal, SEALED_LEN, &r, &r.pk, 32);
    must_keep_params_apart(seal, SEALED_LEN, &r);
    must_keep_text_apart(seal, SEALED_LEN, &r);

    must_ok(seal(&r, sealed.data, sealed.len));
    r.text.in = sealed.data;
    r.text.in_len = sealed.len;
    r.params = p.opener;
    r.auth = p.receiving;
    r.params.auth = &r.auth;
    must_not_overlap(open_it, PLAIN_LEN, &r, &r.auth.sender_public, 32);
    must_keep_params_apart(open_it, PLAIN_LEN, &r);
    must_keep_text_apart(open_it, PLAIN_LEN, &r);
}
