/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include <openssl/evp.h>

#include "allocations.h"
#include "bytes.h"
#include "check.h"
#include "crypto/crypto.h"

#define AEADS 3

static const tw_provider default_provider;

typedef struct fixture {
    tw_cipher cipher;
    bytes key, nonce;
} fixture;

static void start(fixture *f, size_t i)
{
    const tw_aead_alg *alg = tw_aead_alg_find((uint16_t)(TW_AEAD_AES_128_GCM + i));

    check_note("with %s", alg->name);
    must_ok(tw_cipher_init(&f->cipher, alg, &default_provider));
    f->key = bytes_noise(alg->key_len, 1);
    f->nonce = bytes_noise(TW_NONCE_LEN, 2);
}

static tw_aead half(fixture *f, bool sealing)
{
    tw_aead aead;

    tw_aead_init(&aead, &f->cipher, sealing, f->key.data, f->nonce.data);
    return aead;
}

static bytes seal(tw_aead *aead, bytes aad, bytes plain)
{
    bytes sealed = bytes_new(plain.len + TW_TAG_LEN);

    must_ok(tw_aead_seal(aead, aad.data, aad.len, plain.data, plain.len, sealed.data));
    return sealed;
}

static tw_err open(tw_aead *aead, bytes aad, bytes sealed, bytes *plain)
{
    *plain = bytes_noise(sealed.len - TW_TAG_LEN, 77);
    return tw_aead_open(aead, aad.data, aad.len, sealed.data, sealed.len, plain->data);
}

Test(aead, opens_what_it_sealed_in_order)
{
    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        tw_aead sealer, opener;

        start(&f, i);
        sealer = half(&f, true);
        opener = half(&f, false);
        for (size_t len = 0; len < 100; len += 9) {
            bytes aad = bytes_noise(len % 4, 3), plain = bytes_noise(len, 4), out;

            must_ok(open(&opener, aad, seal(&sealer, aad, plain), &out));
            must_bytes(plain, out);
        }
        tw_aead_clear(&sealer);
        tw_aead_clear(&opener);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, message_n_uses_the_base_nonce_xor_n)
{
    static const uint64_t numbers[] = {0, 1, 2, 4, 255, 256, 0x0102030405060708};

    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        bytes plain = bytes_text("the same text each time");

        start(&f, i);
        for (size_t n = 0; n < TW_COUNT(numbers); n++) {
            tw_aead counted = half(&f, true), shifted = half(&f, true);

            counted.seq = numbers[n];
            for (size_t k = 0; k < 8; k++) {
                shifted.base[TW_NONCE_LEN - 1 - k] ^= (uint8_t)(numbers[n] >> (8 * k));
            }
            must_bytes(seal(&shifted, bytes_none, plain), seal(&counted, bytes_none, plain));
            tw_aead_clear(&counted);
            tw_aead_clear(&shifted);
        }
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, a_failed_opening_takes_no_number_and_leaves_no_text)
{
    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        tw_aead sealer, opener;
        bytes aad = bytes_text("aad"), plain = bytes_noise(40, 5), sealed, out;

        start(&f, i);
        sealer = half(&f, true);
        opener = half(&f, false);
        sealed = seal(&sealer, aad, plain);
        for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
            sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            must_err(TW_ERR_AUTH, open(&opener, aad, sealed, &out));
            must_bytes(bytes_new(plain.len), out);
            sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        must_err(TW_ERR_AUTH, open(&opener, bytes_text("aae"), sealed, &out));
        must_err(TW_ERR_AUTH, open(&opener, bytes_none, sealed, &out));
        must_err(TW_ERR_AUTH,
                 tw_aead_open(&opener, aad.data, aad.len, sealed.data, TW_TAG_LEN - 1, out.data));
        must_ok(open(&opener, aad, sealed, &out));
        must_bytes(plain, out);
        tw_aead_clear(&sealer);
        tw_aead_clear(&opener);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, the_last_number_is_never_used)
{
    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        tw_aead sealer, opener;
        bytes plain = bytes_noise(3, 6), sealed, out;

        start(&f, i);
        sealer = half(&f, true);
        opener = half(&f, false);
        sealer.seq = opener.seq = UINT64_MAX - 1;
        sealed = seal(&sealer, bytes_none, plain);
        must_ok(open(&opener, bytes_none, sealed, &out));
        must_err(TW_ERR_LIMIT, tw_aead_seal(&sealer, NULL, 0, plain.data, plain.len, sealed.data));
        must_err(TW_ERR_LIMIT, tw_aead_seal_update(&sealer, plain.data, plain.len, out.data));
        must_err(TW_ERR_LIMIT, open(&opener, bytes_none, sealed, &out));
        tw_aead_clear(&sealer);
        tw_aead_clear(&opener);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, a_message_in_pieces_is_the_message_at_once)
{
    for (size_t i = 0; i < AEADS; i++) {
        bytes plain = bytes_noise(333, 7);

        for (size_t step = 1; step < 400; step += 37) {
            fixture f;
            tw_aead at_once, in_pieces;
            bytes sealed = bytes_new(plain.len + TW_TAG_LEN);

            start(&f, i);
            at_once = half(&f, true);
            in_pieces = half(&f, true);
            for (size_t done = 0; done < plain.len; done += step) {
                size_t take = plain.len - done < step ? plain.len - done : step;

                must_ok(
                    tw_aead_seal_update(&in_pieces, plain.data + done, take, sealed.data + done));
            }
            must_ok(tw_aead_seal_final(&in_pieces, sealed.data + plain.len));
            must_bytes(seal(&at_once, bytes_none, plain), sealed);
            must(in_pieces.seq == 1);
            must_bytes(seal(&at_once, bytes_none, plain), seal(&in_pieces, bytes_none, plain));
            tw_aead_clear(&at_once);
            tw_aead_clear(&in_pieces);
            tw_cipher_clear(&f.cipher);
        }
    }
}

Test(aead, one_message_stays_within_the_ciphers_limit)
{
    static const uint64_t limits[AEADS] = {68719476704, 68719476704, 274877906880};

    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        tw_aead sealer, opener;
        uint8_t in[4] = {0}, out[4];

        start(&f, i);
        sealer = half(&f, true);
        opener = half(&f, false);
        must(f.cipher.alg->max_len == limits[i]);
        must_err(TW_ERR_LIMIT, tw_aead_seal(&sealer, NULL, 0, in, (size_t)limits[i] + 1, out));
        must_err(TW_ERR_LIMIT,
                 tw_aead_open(&opener, NULL, 0, in, (size_t)limits[i] + 1 + TW_TAG_LEN, out));
        must_ok(tw_aead_seal_update(&sealer, in, 1, out));
        sealer.streamed = limits[i] - 2;
        must_err(TW_ERR_LIMIT, tw_aead_seal_update(&sealer, in, 3, out));
        must_ok(tw_aead_seal_update(&sealer, in, 2, out));
        must_err(TW_ERR_LIMIT, tw_aead_seal_update(&sealer, in, 1, out));
        tw_aead_clear(&sealer);
        tw_aead_clear(&opener);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, each_direction_refuses_the_others_work)
{
    fixture f;
    tw_aead sealer, opener;
    uint8_t in[TW_TAG_LEN] = {0}, out[2 * TW_TAG_LEN];

    start(&f, 0);
    sealer = half(&f, true);
    opener = half(&f, false);
    must_err(TW_ERR_STATE, tw_aead_open(&sealer, NULL, 0, in, sizeof(in), out));
    must_err(TW_ERR_STATE, tw_aead_seal(&opener, NULL, 0, in, sizeof(in), out));
    must_err(TW_ERR_STATE, tw_aead_seal_update(&opener, in, 1, out));
    must_err(TW_ERR_STATE, tw_aead_seal_final(&opener, out));
    must_err(TW_ERR_STATE, tw_aead_seal_final(&sealer, out));
    must_ok(tw_aead_seal_update(&sealer, in, 1, out));
    must_err(TW_ERR_STATE, tw_aead_seal(&sealer, NULL, 0, in, sizeof(in), out));
    tw_aead_clear(&sealer);
    tw_aead_clear(&opener);
    tw_cipher_clear(&f.cipher);
}

Test(aead, a_context_used_again_takes_the_new_key)
{
    for (size_t i = 0; i < AEADS; i++) {
        fixture f;
        tw_aead first, second, opener;
        bytes plain = bytes_noise(20, 8), sealed, out;

        start(&f, i);
        first = half(&f, true);
        sealed = seal(&first, bytes_none, plain);
        tw_aead_clear(&first);
        f.key.data[0] ^= 1;
        second = half(&f, true);
        must(!bytes_equal(sealed, seal(&second, bytes_none, plain)));
        opener = half(&f, false);
        must_err(TW_ERR_AUTH, open(&opener, bytes_none, sealed, &out));
        tw_aead_clear(&opener);
        f.key.data[0] ^= 1;
        opener = half(&f, false);
        must_ok(open(&opener, bytes_none, sealed, &out));
        tw_aead_clear(&opener);
        tw_aead_clear(&second);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, an_idle_context_holds_neither_key_nor_keystream)
{
    for (size_t i = 0; i < AEADS; i++) {
        const size_t used = 34; /* bytes of keystream; the rest of its block was made in vain */
        bytes longer, shorter;
        EVP_CIPHER_CTX *idle;
        fixture f;
        tw_aead sealer;

        start(&f, i);
        sealer = half(&f, true);
        longer = seal(&sealer, bytes_none, bytes_new(64)); /* of zeros: the keystream itself */
        tw_aead_clear(&sealer);
        sealer = half(&f, true);
        shorter = seal(&sealer, bytes_none, bytes_new(used));
        must(bytes_starts(longer, bytes_part(shorter, 0, used)));
        must(allocations_hold(f.key.data, f.key.len)); /* so that it could be seen */
        tw_aead_clear(&sealer);
        must(!allocations_hold(f.key.data, 8));
        must(!allocations_hold(longer.data, 8));
        must(!allocations_hold(longer.data + used + 2, 8));
        idle = tw_slots_take(&f.cipher.contexts[1]);
        must(idle != NULL);
        must(tw_slots_take(&f.cipher.contexts[1]) == NULL);
        EVP_CIPHER_CTX_free(idle);
        tw_cipher_clear(&f.cipher);
    }
}

Test(aead, a_stream_that_waits_has_no_context)
{
    fixture f;
    tw_aead sealer;

    start(&f, 0);
    sealer = half(&f, true);
    must(sealer.ctx == NULL);
    (void)seal(&sealer, bytes_none, bytes_new(1));
    must(sealer.ctx != NULL);
    tw_aead_clear(&sealer);
    tw_cipher_clear(&f.cipher);
}
