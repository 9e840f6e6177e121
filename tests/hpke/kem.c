/* SPDX-License-Identifier: Apache-2.0 */
/* kem.h, the public half: sizes, checks, encapsulation. */
#include <criterion/criterion.h>

#include <twoway/twoway.h>

#include "check.h"
#include "peers.h"
#include "rng.h"

static const struct {
    uint16_t id;
    size_t secret_len, enc_len, private_len;
} rfc9180_table2[] = {
    {TW_KEM_P256_HKDF_SHA256, 32, 65, 32},  {TW_KEM_P384_HKDF_SHA384, 48, 97, 48},
    {TW_KEM_P521_HKDF_SHA512, 64, 133, 66}, {TW_KEM_X25519_HKDF_SHA256, 32, 32, 32},
    {TW_KEM_X448_HKDF_SHA512, 64, 56, 56},
};

#define KEMS (sizeof(rfc9180_table2) / sizeof(rfc9180_table2[0]))

static tw_kem *kem_of(uint16_t id)
{
    tw_kem *kem = NULL;

    check_note("with %s", tw_kem_name(id));
    must_ok(tw_kem_new(id, NULL, &kem));
    return kem;
}

Test(kem, built_in_kems_have_the_sizes_of_rfc_9180)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_kem *kem = kem_of(rfc9180_table2[i].id);

        must(kem->id == rfc9180_table2[i].id);
        must_size(sizeof(tw_kem), kem->size);
        must_size(rfc9180_table2[i].secret_len, kem->secret_len);
        must_size(rfc9180_table2[i].enc_len, kem->enc_len);
        must_size(rfc9180_table2[i].enc_len, kem->public_len);
        tw_kem_free(kem);
    }
    tw_kem_free(NULL);
}

Test(kem, an_id_that_is_not_built_in_is_invalid)
{
    static const uint16_t unknown[] = {0, 1, 0x0013, 0x0030, 0xffff};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        tw_kem *kem = (tw_kem *)&kem;

        must_err(TW_ERR_INVALID, tw_kem_new(unknown[i], NULL, &kem));
        must(kem == NULL);
    }
    must_err(TW_ERR_INVALID, tw_kem_new(TW_KEM_X25519_HKDF_SHA256, NULL, NULL));
}

Test(kem, with_a_tw_rng_encap_draws_the_bytes_of_one_private_key_once)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_kem *kem = kem_of(rfc9180_table2[i].id);
        bytes ikm = bytes_noise(rfc9180_table2[i].private_len, 1);
        uint8_t secret[2][TW_MAX_SECRET], enc[2][TW_MAX_ENC];
        tw_key *key = NULL;

        must_ok(tw_key_generate(kem->id, NULL, NULL, &key));
        for (size_t n = 0; n < 2; n++) {
            script s;
            tw_rng rng = script_start(&s, ikm);

            must_ok(kem->encap(kem, &rng, key->public_key, NULL, secret[n], enc[n]));
            must(script_all_used(&s));
            must_size(1, s.draws);
            must_size(ikm.len, s.sizes[0]);
        }
        must_bytes(((bytes){secret[0], kem->secret_len}), ((bytes){secret[1], kem->secret_len}));
        must_bytes(((bytes){enc[0], kem->enc_len}), ((bytes){enc[1], kem->enc_len}));
        tw_key_free(key);
        tw_kem_free(kem);
    }
}

Test(kem, without_a_tw_rng_no_two_encapsulations_are_alike)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_kem *kem = kem_of(rfc9180_table2[i].id);
        uint8_t secret[2][TW_MAX_SECRET], enc[2][TW_MAX_ENC], back[TW_MAX_SECRET];
        tw_key *key = NULL;

        must_ok(tw_key_generate(kem->id, NULL, NULL, &key));
        for (size_t n = 0; n < 2; n++) {
            must_ok(kem->encap(kem, NULL, key->public_key, NULL, secret[n], enc[n]));
            must_ok(key->ops->decap(key, enc[n], NULL, back));
            must_bytes(((bytes){secret[n], kem->secret_len}), ((bytes){back, kem->secret_len}));
        }
        must(!bytes_equal(((bytes){enc[0], kem->enc_len}), ((bytes){enc[1], kem->enc_len})));
        must(!bytes_equal(((bytes){secret[0], kem->secret_len}),
                          ((bytes){secret[1], kem->secret_len})));
        tw_key_free(key);
        tw_kem_free(kem);
    }
}

Test(kem, a_source_of_randomness_that_fails_is_told)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_kem *kem = kem_of(rfc9180_table2[i].id);
        uint8_t secret[TW_MAX_SECRET], enc[TW_MAX_ENC];
        tw_key *key = NULL, *none = (tw_key *)&none;
        script s;
        tw_rng rng = script_start(&s, bytes_none);

        must_ok(tw_key_generate(kem->id, NULL, NULL, &key));
        must_err(TW_ERR_RANDOM, kem->encap(kem, &rng, key->public_key, NULL, secret, enc));
        must_err(TW_ERR_RANDOM, tw_key_generate(kem->id, &rng, NULL, &none));
        must(none == NULL);
        tw_key_free(key);
        tw_kem_free(kem);
    }
}

/* Points in a form that is not 0x04 || x || y, and points off the curve. */
static void must_refuse_bad_points(const tw_kem *kem, const tw_key *key, bytes point)
{
    static const uint8_t forms[] = {0x00, 0x02, 0x03, 0x05, 0x06, 0x07, 0xff};
    uint8_t secret[TW_MAX_SECRET], enc[TW_MAX_ENC];

    must_ok(kem->check(kem, point.data));
    for (size_t i = 0; i < sizeof(forms); i++) {
        point.data[0] = forms[i];
        must_err(TW_ERR_KEY, kem->check(kem, point.data));
        must_err(TW_ERR_KEY, kem->encap(kem, NULL, point.data, NULL, secret, enc));
        must_err(TW_ERR_FORMAT, key->ops->decap(key, point.data, NULL, secret));
    }
    point.data[0] = 0x04;
    for (size_t bit = 0; bit < 8; bit++) {
        point.data[point.len - 1] ^= (uint8_t)(1u << bit);
        must_err(TW_ERR_KEY, kem->check(kem, point.data));
        must_err(TW_ERR_FORMAT, key->ops->decap(key, point.data, NULL, secret));
        point.data[point.len - 1] ^= (uint8_t)(1u << bit);
    }
    must_ok(kem->check(kem, point.data));
}

Test(kem, nist_points_are_uncompressed_and_on_the_curve)
{
    for (size_t i = 0; i < 3; i++) {
        tw_kem *kem = kem_of(rfc9180_table2[i].id);
        bytes zeros = bytes_new(kem->public_len);
        tw_key *key = NULL;

        must_ok(tw_key_generate(kem->id, NULL, NULL, &key));
        must_refuse_bad_points(kem, key, bytes_of(key->public_key, kem->public_len));
        must_err(TW_ERR_KEY, kem->check(kem, zeros.data)); /* infinity's first byte */
        zeros.data[0] = 0x04;
        must_err(TW_ERR_KEY, kem->check(kem, zeros.data));
        tw_key_free(key);
        tw_kem_free(kem);
    }
}

/* RFC 7748's fields, and what is small in them; X25519's with the top bit set too. */
static const char *const small_x25519[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
static const char *const small_x448[] = {
    "00000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000",
    "01000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000",
    "feffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "feffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "feffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "00000000000000000000000000000000000000000000000000000000"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static void must_refuse_small(uint16_t kem_id, const char *const *points, size_t count, bool flip)
{
    tw_kem *kem = kem_of(kem_id);
    uint8_t secret[TW_MAX_SECRET], enc[TW_MAX_ENC];
    tw_key *key = NULL;

    must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
    for (size_t i = 0; i < count; i++) {
        bytes point = bytes_hex(points[i]);

        check_note("with small point %zu of %s", i, tw_kem_name(kem_id));
        for (size_t high = 0; high <= (flip ? 1 : 0); high++) {
            point.data[point.len - 1] ^= (uint8_t)(high << 7);
            must_err(TW_ERR_KEY, kem->check(kem, point.data));
            must_err(TW_ERR_KEY, kem->encap(kem, NULL, point.data, NULL, secret, enc));
            must_err(TW_ERR_FORMAT, key->ops->decap(key, point.data, NULL, secret));
        }
        /* Its neighbours are as good as any. */
        point.data[5] ^= 0x10;
        must_ok(kem->check(kem, point.data));
    }
    tw_key_free(key);
    tw_kem_free(kem);
}

Test(kem, points_of_small_order_are_refused)
{
    must_refuse_small(TW_KEM_X25519_HKDF_SHA256, small_x25519, 7, true);
    must_refuse_small(TW_KEM_X448_HKDF_SHA512, small_x448, 5, false);
}

Test(kem, a_value_that_is_not_canonical_is_taken)
{
    /* 2^255 - 19 + 2, which is 2: no small order, so it is a key like another. */
    bytes x25519 = bytes_hex("efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    tw_kem *kem = kem_of(TW_KEM_X25519_HKDF_SHA256);
    uint8_t secret[TW_MAX_SECRET], enc[TW_MAX_ENC];
    tw_key *key = NULL;

    must_ok(kem->check(kem, x25519.data));
    must_ok(kem->encap(kem, NULL, x25519.data, NULL, secret, enc));
    must_ok(tw_key_generate(kem->id, NULL, NULL, &key));
    must_ok(key->ops->decap(key, x25519.data, NULL, secret));
    tw_key_free(key);
    tw_kem_free(kem);
}
