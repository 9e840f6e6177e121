/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

/* Points of others: which are refused, and how the others get into a key object. */

/* u-coordinates of small order, little-endian, for X25519 with the top bit clear:
 * 0, 1, two of order 8, p-1, p, p+1; for X448: 0, 1, p-1, p, p+1. The ends of the
 * long ones are written out and the middle filled. */
static bool is_small_x25519(const uint8_t *pk)
{
    static const uint8_t order8[2][32] = {
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
         0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
         0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
         0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
         0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57}};
    uint8_t u[32];
    uint8_t ones = 0xff;
    uint8_t bits = 0;

    memcpy(u, pk, sizeof(u));
    u[31] &= 0x7f;
    if (memcmp(u, order8[0], sizeof(u)) == 0 || memcmp(u, order8[1], sizeof(u)) == 0) {
        return true;
    }
    for (size_t i = 1; i < 31; i++) {
        ones &= u[i];
        bits |= u[i];
    }
    /* 0 and 1; p is 2^255 - 19, so p-1, p and p+1 begin with ec, ed, ee. */
    return (u[0] <= 1 && (bits | u[31]) == 0) ||
           (u[0] >= 0xec && u[0] <= 0xee && ones == 0xff && u[31] == 0x7f);
}

static bool is_small_x448(const uint8_t *pk)
{
    uint8_t special[56] = {0};

    /* p is 2^448 - 2^224 - 1: all ones but for bit 224. */
    if (memcmp(pk + 1, special, sizeof(special) - 1) == 0) {
        return pk[0] <= 1;
    }
    memset(special, 0xff, sizeof(special));
    special[28] = 0xfe;
    if (memcmp(pk + 1, special + 1, sizeof(special) - 1) == 0) {
        return pk[0] >= 0xfe;
    }
    memset(special, 0, 28);
    special[28] = 0xff;
    return memcmp(pk, special, sizeof(special)) == 0;
}

static bool has_small_order(const tw_dh_alg *alg, const uint8_t *pk)
{
    return alg->kem_id == TW_KEM_X25519_HKDF_SHA256 ? is_small_x25519(pk) : is_small_x448(pk);
}

EVP_PKEY *tw_group_scratch(const tw_group *group)
{
    static const uint8_t nine[TW_MAX_PRIVATE] = {9};
    const tw_provider *p = &group->provider;
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string("group", (char *)group->alg->group, 0),
                            OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *scratch = NULL;

    if (!group->alg->nist) {
        return EVP_PKEY_new_raw_public_key_ex(p->libctx, group->alg->group, p->properties, nine,
                                              group->alg->public_len);
    }
    ctx = EVP_PKEY_CTX_new_from_name(p->libctx, "EC", p->properties);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &scratch, EVP_PKEY_KEY_PARAMETERS, params) != 1) {
        scratch = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return scratch;
}

void tw_peer_free(tw_peer *peer)
{
    if (peer != NULL) {
        EVP_PKEY_free(peer->pkey);
        BN_CTX_free(peer->bn_ctx);
        BN_free(peer->x);
        BN_free(peer->y);
        BN_free(peer->t);
        OPENSSL_free(peer);
    }
}

static tw_err peer_new(const tw_group *group, tw_peer **out)
{
    tw_peer *peer = OPENSSL_zalloc(sizeof(*peer));
    bool ok;

    *out = NULL;
    if (peer == NULL) {
        return TW_ERR_MEMORY;
    }
    peer->pkey = tw_group_scratch(group);
    ok = peer->pkey != NULL;
    if (ok && group->alg->nist) {
        peer->bn_ctx = BN_CTX_new_ex(group->provider.libctx);
        peer->x = BN_new();
        peer->y = BN_new();
        peer->t = BN_new();
        ok = peer->bn_ctx != NULL && peer->x != NULL && peer->y != NULL && peer->t != NULL;
    }
    if (!ok) {
        tw_peer_free(peer);
        return TW_ERR_CRYPTO;
    }
    *out = peer;
    return TW_OK;
}

/* y^2 = (x^2 + a) x + b. libcrypto's import asks the same, but with an error for its queue,
 * which makes refusing dear. */
static tw_err check_equation(const tw_group *group, tw_peer *peer, const uint8_t *pk)
{
    const tw_equation *e = &group->equation;
    size_t len = group->alg->dh_len;
    BIGNUM *x = peer->x, *y = peer->y, *t = peer->t;

    if (BN_bin2bn(pk + 1, (int)len, x) == NULL || BN_bin2bn(pk + 1 + len, (int)len, y) == NULL) {
        return TW_ERR_CRYPTO;
    }
    if (BN_cmp(x, e->p) >= 0 || BN_cmp(y, e->p) >= 0) {
        return TW_ERR_KEY;
    }
    if (BN_to_montgomery(x, x, e->mont, peer->bn_ctx) != 1 ||
        BN_to_montgomery(y, y, e->mont, peer->bn_ctx) != 1 ||
        BN_mod_mul_montgomery(t, x, x, e->mont, peer->bn_ctx) != 1 ||
        BN_mod_add_quick(t, t, e->a, e->p) != 1 ||
        BN_mod_mul_montgomery(t, t, x, e->mont, peer->bn_ctx) != 1 ||
        BN_mod_add_quick(t, t, e->b, e->p) != 1 ||
        BN_mod_mul_montgomery(y, y, y, e->mont, peer->bn_ctx) != 1) {
        return TW_ERR_CRYPTO;
    }
    return BN_cmp(t, y) == 0 ? TW_OK : TW_ERR_KEY;
}

/* Remembers a point that is good, so that a request's is looked at once. */
static tw_err check_point(const tw_group *group, tw_peer *peer, const uint8_t *pk)
{
    size_t len = group->alg->public_len;
    tw_err err = TW_OK;

    if (peer->state != PEER_EMPTY && memcmp(peer->point, pk, len) == 0) {
        return TW_OK;
    }
    peer->state = PEER_EMPTY;
    if (group->alg->nist) {
        err = check_equation(group, peer, pk);
    }
    if (err == TW_OK) {
        memcpy(peer->point, pk, len);
        peer->state = PEER_CHECKED;
    }
    return err;
}

static tw_err import_point(const tw_group *group, tw_peer *peer)
{
    if (peer->state != PEER_IMPORTED) {
        if (EVP_PKEY_set1_encoded_public_key(peer->pkey, peer->point, group->alg->public_len) !=
            1) {
            return TW_ERR_CRYPTO;
        }
        peer->state = PEER_IMPORTED;
    }
    return TW_OK;
}

/* NIST curves: libcrypto would take compressed and hybrid forms too. */
static bool has_good_form(const tw_dh_alg *alg, const uint8_t *pk)
{
    return alg->nist ? pk[0] == POINT_CONVERSION_UNCOMPRESSED : !has_small_order(alg, pk);
}

/* A peer that has seen the point to be good. */
static tw_err take_checked(const tw_group *group, const uint8_t *pk, tw_peer **out)
{
    tw_peer *peer = tw_slots_take(&group->peers);
    tw_err err = peer == NULL ? peer_new(group, &peer) : TW_OK;

    *out = NULL;
    if (err != TW_OK) {
        return err;
    }
    err = check_point(group, peer, pk);
    if (err != TW_OK) {
        tw_group_peer_done(group, peer);
        return err;
    }
    *out = peer;
    return TW_OK;
}

tw_err tw_group_check(const tw_group *group, const uint8_t *pk)
{
    tw_peer *peer;
    tw_err err;

    if (!has_good_form(group->alg, pk)) {
        return TW_ERR_KEY;
    }
    if (!group->alg->nist) {
        return TW_OK;
    }
    err = take_checked(group, pk, &peer);
    if (err == TW_OK) {
        tw_group_peer_done(group, peer);
    }
    return err;
}

tw_err tw_group_peer(const tw_group *group, const uint8_t *pk, tw_peer **out)
{
    tw_err err;

    *out = NULL;
    if (!has_good_form(group->alg, pk)) {
        return TW_ERR_KEY;
    }
    err = take_checked(group, pk, out);
    if (err == TW_OK && (err = import_point(group, *out)) != TW_OK) {
        tw_peer_free(*out); /* what it holds is unknown */
        *out = NULL;
    }
    return err;
}

void tw_group_peer_done(const tw_group *group, tw_peer *peer)
{
    if (!tw_slots_give(&group->peers, peer)) {
        tw_peer_free(peer);
    }
}
