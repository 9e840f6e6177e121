/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* Whether the provider can derive: what it lacks is to be known before the first message. */
static bool can_derive(const tw_dh_alg *alg, const tw_provider *provider)
{
    EVP_KEYEXCH *exchange =
        EVP_KEYEXCH_fetch(provider->libctx, alg->nist ? "ECDH" : alg->group, provider->properties);

    EVP_KEYEXCH_free(exchange);
    return exchange != NULL;
}

tw_err tw_group_init(tw_group *group, const tw_dh_alg *alg, const tw_provider *provider)
{
    EVP_PKEY_CTX *ctx;

    memset(group, 0, sizeof(*group));
    group->alg = alg;
    group->provider = *provider;
    if (alg->nist) {
        group->curve =
            EC_GROUP_new_by_curve_name_ex(provider->libctx, provider->properties, alg->nid);
        if (group->curve == NULL) {
            return TW_ERR_INVALID;
        }
    }
    ctx = tw_group_generator(group); /* shows whether the provider has it */
    tw_group_generator_done(group, ctx);
    return ctx != NULL && can_derive(alg, provider) ? TW_OK : TW_ERR_INVALID;
}

static void peer_free(tw_peer *peer)
{
    if (peer != NULL) {
        EVP_PKEY_free(peer->pkey);
        OPENSSL_free(peer);
    }
}

void tw_group_clear(tw_group *group)
{
    EVP_PKEY_CTX *ctx;
    tw_peer *peer;

    while ((ctx = tw_slots_take(&group->generators)) != NULL) {
        EVP_PKEY_CTX_free(ctx);
    }
    while ((peer = tw_slots_take(&group->peers)) != NULL) {
        peer_free(peer);
    }
    EC_GROUP_free(group->curve);
    group->curve = NULL;
}

EVP_PKEY_CTX *tw_group_generator(const tw_group *group)
{
    EVP_PKEY_CTX *ctx = tw_slots_take(&group->generators);

    if (ctx != NULL) {
        return ctx;
    }
    ctx = EVP_PKEY_CTX_new_from_name(group->provider.libctx,
                                     group->alg->nist ? "EC" : group->alg->group,
                                     group->provider.properties);
    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
        (group->alg->nist && EVP_PKEY_CTX_set_group_name(ctx, group->alg->group) != 1)) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

void tw_group_generator_done(const tw_group *group, EVP_PKEY_CTX *ctx)
{
    if (ctx != NULL && !tw_slots_give(&group->generators, ctx)) {
        EVP_PKEY_CTX_free(ctx);
    }
}

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

/* A key object to write points into: an X key of any value, an EC key of the curve. */
static EVP_PKEY *new_scratch(const tw_group *group)
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

static tw_peer *peer_new(const tw_group *group)
{
    tw_peer *peer = OPENSSL_zalloc(sizeof(*peer));

    if (peer != NULL && (peer->pkey = new_scratch(group)) == NULL) {
        peer_free(peer);
        peer = NULL;
    }
    return peer;
}

void tw_group_peer_done(const tw_group *group, tw_peer *peer)
{
    if (peer != NULL && !tw_slots_give(&group->peers, peer)) {
        peer_free(peer);
    }
}

/* libcrypto's import would take compressed and hybrid forms too; that it succeeds
 * proves the point to be on the curve, and the cofactor is 1. Only these reasons speak
 * of the point: any other failure, of memory above all, is not the peer's. */
static tw_err set_point(const tw_group *group, tw_peer *peer, const uint8_t *pk)
{
    size_t len = group->alg->public_len;
    tw_err err = TW_OK;

    if (peer->known && memcmp(peer->point, pk, len) == 0) {
        return TW_OK;
    }
    peer->known = false;
    ERR_set_mark();
    if (EVP_PKEY_set1_encoded_public_key(peer->pkey, pk, len) != 1) {
        int reason = ERR_GET_REASON(ERR_peek_last_error());

        err = reason == EC_R_POINT_IS_NOT_ON_CURVE || reason == EC_R_INVALID_ENCODING
                  ? TW_ERR_KEY
                  : TW_ERR_CRYPTO;
    } else {
        memcpy(peer->point, pk, len);
        peer->known = true;
    }
    ERR_pop_to_mark();
    return err;
}

tw_err tw_group_peer(const tw_group *group, const uint8_t *pk, tw_peer **out)
{
    tw_peer *peer;
    tw_err err;

    *out = NULL;
    if (group->alg->nist ? pk[0] != POINT_CONVERSION_UNCOMPRESSED
                         : has_small_order(group->alg, pk)) {
        return TW_ERR_KEY;
    }
    peer = tw_slots_take(&group->peers);
    if (peer == NULL) {
        peer = peer_new(group);
    }
    if (peer == NULL) {
        return TW_ERR_CRYPTO;
    }
    err = set_point(group, peer, pk);
    if (err != TW_OK) {
        tw_group_peer_done(group, peer); /* nobody reads it before it is written again */
        return err;
    }
    *out = peer;
    return TW_OK;
}

tw_err tw_group_check(const tw_group *group, const uint8_t *pk)
{
    tw_peer *peer;
    tw_err err;

    if (!group->alg->nist) {
        return has_small_order(group->alg, pk) ? TW_ERR_KEY : TW_OK;
    }
    err = tw_group_peer(group, pk, &peer);
    tw_group_peer_done(group, peer);
    return err;
}
