/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys: how they are made, and the check that both halves belong together. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "peers.h"
#include "rng.h"

#define KEMS (sizeof(all_kems) / sizeof(all_kems[0]))

static const size_t private_lens[] = {32, 48, 66, 32, 56};

#define P521_ORDER                                                                                 \
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"                           \
    "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"

/* Orders of the NIST curves, FIPS 186-4 appendix D.1.2. */
static const char *const orders[] = {
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc529"
    "73",
    P521_ORDER,
};

static tw_err from_private(uint16_t kem_id, bytes sk, tw_key **out)
{
    check_note("with %s", tw_kem_name(kem_id));
    *out = (tw_key *)out;
    return tw_key_from_private(kem_id, sk.data, sk.len, NULL, out);
}

static void must_refuse(tw_err want, uint16_t kem_id, bytes sk)
{
    tw_key *key;

    must_err(want, from_private(kem_id, sk, &key));
    must(key == NULL);
}

Test(key, a_private_key_of_another_length_is_invalid)
{
    for (size_t i = 0; i < KEMS; i++) {
        bytes sk = bytes_noise(private_lens[i] + 1, 1);

        sk.data[0] = 0;
        must_refuse(TW_ERR_INVALID, all_kems[i], bytes_part(sk, 0, sk.len));
        must_refuse(TW_ERR_INVALID, all_kems[i], bytes_part(sk, 0, sk.len - 2));
        must_refuse(TW_ERR_INVALID, all_kems[i], bytes_part(sk, 0, 0));
        must_refuse(TW_ERR_INVALID, all_kems[i], bytes_none);
        must_refuse(TW_ERR_INVALID, all_kems[i], ((bytes){NULL, private_lens[i]}));
    }
}

Test(key, a_kem_that_is_not_built_in_is_invalid)
{
    tw_key *key = (tw_key *)&key;

    must_refuse(TW_ERR_INVALID, 0x0030, bytes_noise(32, 1));
    must_err(TW_ERR_INVALID, tw_key_generate(0x0030, NULL, NULL, &key));
    must(key == NULL);
}

Test(key, a_nist_scalar_is_at_least_one_and_below_the_order)
{
    for (size_t i = 0; i < 3; i++) {
        bytes sk = bytes_hex(orders[i]);
        tw_key *key;

        must_refuse(TW_ERR_KEY, all_kems[i], sk);
        must_refuse(TW_ERR_KEY, all_kems[i], bytes_new(private_lens[i]));
        sk.data[sk.len - 1]++;
        must_refuse(TW_ERR_KEY, all_kems[i], sk);
        memset(sk.data, 0xff, sk.len);
        must_refuse(TW_ERR_KEY, all_kems[i], sk);
        sk = bytes_hex(orders[i]);
        sk.data[sk.len - 1]--;
        must_ok(from_private(all_kems[i], sk, &key));
        must_ok(tw_key_check(key));
        tw_key_free(key);
        memset(sk.data, 0, sk.len);
        sk.data[sk.len - 1] = 1;
        must_ok(from_private(all_kems[i], sk, &key));
        must_ok(tw_key_check(key));
        tw_key_free(key);
    }
}

Test(key, any_x25519_and_x448_scalar_serves)
{
    for (size_t i = 3; i < KEMS; i++) {
        bytes sk = bytes_new(private_lens[i]);
        tw_key *key;

        must_ok(from_private(all_kems[i], sk, &key));
        must_ok(tw_key_check(key));
        tw_key_free(key);
        memset(sk.data, 0xff, sk.len);
        must_ok(from_private(all_kems[i], sk, &key));
        must_ok(tw_key_check(key));
        tw_key_free(key);
    }
}

/* RFC 9180 appendix A: what DeriveKeyPair makes of ikmR. */
static const struct {
    uint16_t kem_id;
    const char *ikm, *sk, *pk;
} pairs[] = {
    {TW_KEM_X25519_HKDF_SHA256, "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
     "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
     "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"},
    {TW_KEM_P256_HKDF_SHA256, "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
     "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
     "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f6"
     "2fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0"},
    {TW_KEM_P521_HKDF_SHA512,
     "39a28dc317c3e48b908948f99d608059f882d3d09c0541824bc25f94e6dee7aa0df1c644296b06fbb76e84aef5"
     "008f8a908e08fbabadf70658538d74753a85f8856a",
     "009227b4b91cf1eb6eecb6c0c0bae93a272d24e11c63bd4c34a581c49f9c3ca01c16bbd32a0a1fac22784f2ae9"
     "85c85f183baad103b2d02aee787179dfc1a94fea11",
     "0400b81073b1612cf7fdb6db07b35cf4bc17bda5854f3d270ecd9ea99f6c07b46795b8014b66c523ceed6f4829"
     "c18bc3886c891b63fa902500ce3ddeb1fbec7e608ac70050b76a0a7fc081dbf1cb30b005981113e635eb501a97"
     "3aba662d7f16fcc12897dd752d657d37774bb16197c0d9724eecc1ed65349fb6ac1f280749e7669766f8cd"},
};

Test(key, the_public_half_follows_from_the_private_one)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        tw_key *key;

        must_ok(from_private(pairs[i].kem_id, bytes_hex(pairs[i].sk), &key));
        must(key->kem->id == pairs[i].kem_id);
        must_bytes(bytes_hex(pairs[i].pk),
                   ((bytes){(uint8_t *)key->public_key, key->kem->public_len}));
        tw_key_free(key);
    }
}

Test(key, with_a_tw_rng_generate_derives_the_pair_from_what_it_draws)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        script s;
        tw_rng rng = script_start(&s, bytes_hex(pairs[i].ikm));
        tw_key *key = NULL;

        must_ok(tw_key_generate(pairs[i].kem_id, &rng, NULL, &key));
        must_size(1, s.draws);
        must(script_all_used(&s));
        must_bytes(bytes_hex(pairs[i].pk),
                   ((bytes){(uint8_t *)key->public_key, key->kem->public_len}));
        tw_key_free(key);
    }
}

Test(key, no_two_generated_keys_are_alike)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *a = NULL, *b = NULL;

        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &a));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &b));
        must(memcmp(a->public_key, b->public_key, a->kem->public_len) != 0);
        must_ok(tw_key_check(a));
        must_ok(tw_key_check(b));
        tw_key_free(a);
        tw_key_free(b);
    }
    tw_key_free(NULL);
}

/* A key whose private half is another's. */
static tw_err decap_of_other(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                             uint8_t *secret);

typedef struct crossed_key {
    tw_key base;
    const tw_key *other;
} crossed_key;

static const tw_key_ops crossed_ops = {.size = sizeof(tw_key_ops), .decap = decap_of_other};

static tw_err decap_of_other(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                             uint8_t *secret)
{
    const tw_key *other = ((const crossed_key *)key)->other;

    return other->ops->decap(other, enc, sender_public, secret);
}

Test(key, check_tells_a_pair_from_two_strangers)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *a = NULL, *b = NULL;
        crossed_key crossed;

        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &a));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &b));
        crossed = (crossed_key){{&crossed_ops, a->kem, a->public_key}, b};
        must_err(TW_ERR_KEY, tw_key_check(&crossed.base));
        crossed.other = a;
        must_ok(tw_key_check(&crossed.base));
        tw_key_free(a);
        tw_key_free(b);
    }
}

Test(key, check_refuses_a_key_that_lacks_its_tables)
{
    tw_key_ops ops = crossed_ops;
    tw_key *real = NULL;
    crossed_key key;

    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &real));
    key = (crossed_key){{&ops, real->kem, real->public_key}, real};
    must_ok(tw_key_check(&key.base));
    must_err(TW_ERR_INVALID, tw_key_check(NULL));
    ops.size = 0;
    must_err(TW_ERR_INVALID, tw_key_check(&key.base));
    ops.size = sizeof(ops);
    key.base.public_key = NULL;
    must_err(TW_ERR_INVALID, tw_key_check(&key.base));
    key.base = (tw_key){&ops, NULL, real->public_key};
    must_err(TW_ERR_INVALID, tw_key_check(&key.base));
    key.base = (tw_key){NULL, real->kem, real->public_key};
    must_err(TW_ERR_INVALID, tw_key_check(&key.base));
    tw_key_free(real);
}

static tw_err refuse_as_a_token(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                                uint8_t *secret)
{
    (void)key;
    (void)enc;
    (void)sender_public;
    (void)secret;
    return TW_ERR_TOKEN_POLICY;
}

static tw_err answer_nonsense(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                              uint8_t *secret)
{
    (void)key;
    (void)enc;
    (void)sender_public;
    (void)secret;
    return (tw_err)-777;
}

Test(key, check_passes_on_what_the_private_half_answers)
{
    tw_key_ops ops = crossed_ops;
    tw_key *real = NULL;
    crossed_key key;

    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &real));
    key = (crossed_key){{&ops, real->kem, real->public_key}, real};
    ops.decap = refuse_as_a_token;
    must_err(TW_ERR_TOKEN_POLICY, tw_key_check(&key.base));
    ops.decap = answer_nonsense;
    must_err(TW_ERR_BACKEND, tw_key_check(&key.base));
    tw_key_free(real);
}

/* --- Keys whose private half is elsewhere. ------------------------------------------ */

Test(key, a_public_half_alone_is_a_key_that_cannot_be_used_here)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *whole = NULL, *half = NULL;
        char pem[512];
        size_t len = 1;

        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &whole));
        must_ok(tw_key_from_public(all_kems[i], whole->public_key, whole->kem->public_len, NULL,
                                   &half));
        must(half->kem->id == all_kems[i] && half->public_key != whole->public_key);
        must(memcmp(half->public_key, whole->public_key, whole->kem->public_len) == 0);
        must_err(TW_ERR_STATE, tw_key_check(half));
        must_err(TW_ERR_INVALID, tw_key_to_pem(half, pem, sizeof(pem), &len));
        must_size(0, len);
        tw_key_free(half);
        tw_key_free(whole);
    }
}

Test(key, what_is_no_public_half_makes_none)
{
    static const uint8_t zeros[134];
    tw_provider nobody = {.properties = "provider=nobody"};
    tw_key *whole = NULL, *none;

    for (size_t i = 0; i < KEMS; i++) {
        size_t len;

        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &whole));
        len = whole->kem->public_len;
        for (size_t wrong = 0; wrong < 4; wrong++) {
            size_t lens[] = {0, len - 1, len + 1, len};
            const uint8_t *pk = wrong == 3 ? zeros : whole->public_key;

            none = (tw_key *)&none;
            must_err(TW_ERR_KEY, tw_key_from_public(all_kems[i], pk, lens[wrong], NULL, &none));
            must(none == NULL);
        }
        must_err(TW_ERR_INVALID, tw_key_from_public(all_kems[i], NULL, len, NULL, &none));
        must_err(TW_ERR_INVALID, tw_key_from_public(all_kems[i], zeros, len, NULL, NULL));
        must_err(TW_ERR_INVALID,
                 tw_key_from_public(all_kems[i], whole->public_key, len, &nobody, &none));
        must(none == NULL);
        tw_key_free(whole);
    }
    must_err(TW_ERR_INVALID, tw_key_from_public(0x30, zeros, 32, NULL, &none));
}
