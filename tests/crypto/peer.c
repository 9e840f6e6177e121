/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <openssl/err.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crypto/crypto.h"

/* A group remembers the point that it imported last. What it derives must not show it. */

static const tw_provider default_provider;

enum {
    OTHERS = 2,
};

typedef struct keys {
    tw_group group;
    tw_dh_key own, other[OTHERS];
    uint8_t own_point[133], point[OTHERS][133];
    uint8_t wanted[OTHERS][TW_MAX_DH]; /* as the other side derives it */
} keys;

static keys k;

static void start_with(uint16_t kem_id)
{
    memset(&k, 0, sizeof(k));
    must_ok(tw_group_init(&k.group, tw_dh_alg_find(kem_id), &default_provider));
    must_ok(tw_dh_generate(&k.group, &k.own));
    must_ok(tw_dh_public(&k.group, &k.own, k.own_point));
    for (size_t i = 0; i < OTHERS; i++) {
        must_ok(tw_dh_generate(&k.group, &k.other[i]));
        must_ok(tw_dh_public(&k.group, &k.other[i], k.point[i]));
        must_ok(tw_dh_derive(&k.group, &k.other[i], k.own_point, k.wanted[i]));
    }
}

static void end(void)
{
    for (size_t i = 0; i < OTHERS; i++) {
        tw_dh_key_clear(&k.other[i]);
    }
    tw_dh_key_clear(&k.own);
    tw_group_clear(&k.group);
}

static void must_derive(size_t i)
{
    uint8_t dh[TW_MAX_DH];

    must_ok(tw_dh_derive(&k.group, &k.own, k.point[i], dh));
    must_bytes(bytes_of(k.wanted[i], k.group.alg->dh_len), bytes_of(dh, k.group.alg->dh_len));
}

/* A point that differs from point 0 in one byte: off the curve. */
static void must_refuse_near(size_t at)
{
    uint8_t near[133], dh[TW_MAX_DH];

    memcpy(near, k.point[0], sizeof(near));
    near[at] ^= 1;
    must_err(TW_ERR_KEY, tw_dh_derive(&k.group, &k.own, near, dh));
    must_err(TW_ERR_KEY, tw_group_check(&k.group, near));
}

Test(peer, what_is_derived_does_not_depend_on_what_was_before)
{
    static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                    TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                    TW_KEM_X448_HKDF_SHA512};

    for (size_t i = 0; i < TW_COUNT(kems); i++) {
        start_with(kems[i]);
        must_derive(0);
        must_derive(0);
        must_derive(1);
        must_ok(tw_group_check(&k.group, k.point[0]));
        must_derive(1);
        must_derive(0);
        end();
    }
}

Test(peer, a_refused_point_is_not_taken_for_a_good_one_nor_spoils_it)
{
    start_with(TW_KEM_P256_HKDF_SHA256);
    must_derive(0);
    for (size_t at = 1; at < k.group.alg->public_len; at += 7) {
        must_refuse_near(at);
        must_refuse_near(at);
        must_derive(0);
    }
    must_refuse_near(k.group.alg->public_len - 1);
    must_derive(1);
    end();
}

/* x = 0, and y the root of b: a good point with a number that has no words. */
Test(peer, a_point_with_a_zero_is_taken)
{
    bytes zero = bytes_cat(bytes_hex("04"), bytes_new(32));
    bytes point = bytes_cat(
        zero, bytes_hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"));
    uint8_t dh[TW_MAX_DH];

    start_with(TW_KEM_P256_HKDF_SHA256);
    must_ok(tw_group_check(&k.group, point.data));
    must_ok(tw_dh_derive(&k.group, &k.own, point.data, dh));
    must_err(TW_ERR_KEY, tw_group_check(&k.group, bytes_cat(zero, bytes_new(32)).data));
    end();
}

/* The same numbers modulo p, written as larger ones. P-521 has room for that. */
Test(peer, a_coordinate_beyond_the_field_is_refused)
{
    start_with(TW_KEM_P521_HKDF_SHA512);
    for (size_t at = 1; at < 133; at += 66) {
        uint8_t other[133], dh[TW_MAX_DH];
        unsigned carry = 0;

        memcpy(other, k.point[0], sizeof(other));
        for (size_t i = 66; i-- > 0;) { /* p is 2^521 - 1 */
            carry += other[at + i] + (i == 0 ? 0x01u : 0xffu);
            other[at + i] = (uint8_t)carry;
            carry >>= 8;
        }
        must(carry == 0);
        must_err(TW_ERR_KEY, tw_group_check(&k.group, other));
        must_err(TW_ERR_KEY, tw_dh_derive(&k.group, &k.own, other, dh));
        must_derive(0);
    }
    end();
}

Test(peer, a_refusal_leaves_nothing_in_the_error_queue)
{
    start_with(TW_KEM_P256_HKDF_SHA256);
    must_refuse_near(1);
    must_refuse_near(64);
    must(ERR_peek_error() == 0);
    end();
}
