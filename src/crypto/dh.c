/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

tw_err tw_dh_generate(const tw_group *group, tw_dh_key *out)
{
    EVP_PKEY_CTX *ctx = tw_group_generator(group);
    bool ok = ctx != NULL && EVP_PKEY_generate(ctx, &out->pkey) == 1;

    tw_group_generator_done(group, ctx);
    return ok ? TW_OK : TW_ERR_CRYPTO;
}

/* The public half of a NIST scalar, encoded. */
static tw_err nist_public(const tw_group *group, const BIGNUM *scalar, uint8_t *pk)
{
    BN_CTX *bn_ctx = BN_CTX_secure_new_ex(group->provider.libctx);
    EC_POINT *point = EC_POINT_new(group->curve);
    size_t len = 0;

    if (bn_ctx != NULL && point != NULL &&
        EC_POINT_mul(group->curve, point, scalar, NULL, NULL, bn_ctx) == 1) {
        len = EC_POINT_point2oct(group->curve, point, POINT_CONVERSION_UNCOMPRESSED, pk,
                                 group->alg->public_len, bn_ctx);
    }
    EC_POINT_free(point);
    BN_CTX_free(bn_ctx);
    return len == group->alg->public_len ? TW_OK : TW_ERR_CRYPTO;
}

/* `native` is the scalar in the machine's byte order, as OSSL_PARAM wants integers. */
static tw_err nist_assemble(const tw_group *group, uint8_t *native, const uint8_t *pk,
                            EVP_PKEY **out)
{
    const tw_dh_alg *alg = group->alg;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)alg->group, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, alg->private_len),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (uint8_t *)pk, alg->public_len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(group->provider.libctx, "EC", group->provider.properties);
    bool ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, params) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok ? TW_OK : TW_ERR_CRYPTO;
}

/* The public half is computed here with libcrypto's curve arithmetic, which no
 * provider offers as a service; a given one has to be equal to it. */
static tw_err nist_from_private(const tw_group *group, const uint8_t *sk, const uint8_t *pk,
                                EVP_PKEY **out)
{
    const tw_dh_alg *alg = group->alg;
    BIGNUM *scalar = BN_secure_new();
    uint8_t own[2 * TW_MAX_PRIVATE + 1];
    uint8_t native[TW_MAX_PRIVATE];
    tw_err err = TW_ERR_MEMORY;

    if (scalar == NULL || BN_bin2bn(sk, (int)alg->private_len, scalar) == NULL) {
        goto out;
    }
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    err = TW_ERR_KEY;
    if (BN_is_zero(scalar) || BN_cmp(scalar, EC_GROUP_get0_order(group->curve)) >= 0) {
        goto out;
    }
    err = nist_public(group, scalar, own);
    if (err == TW_OK && pk != NULL && memcmp(own, pk, alg->public_len) != 0) {
        err = TW_ERR_KEY;
    }
    if (err == TW_OK && BN_bn2nativepad(scalar, native, (int)alg->private_len) < 0) {
        err = TW_ERR_CRYPTO;
    }
    if (err == TW_OK) {
        err = nist_assemble(group, native, own, out);
    }
out:
    tw_wipe(native, sizeof(native));
    BN_clear_free(scalar);
    return err;
}

tw_err tw_dh_from_private(const tw_group *group, const uint8_t *sk, const uint8_t *pk,
                          tw_dh_key *out)
{
    const tw_provider *p = &group->provider;
    uint8_t own[2 * TW_MAX_PRIVATE + 1];
    tw_err err;

    if (group->alg->nist) {
        return nist_from_private(group, sk, pk, &out->pkey);
    }
    out->pkey = EVP_PKEY_new_raw_private_key_ex(p->libctx, group->alg->group, p->properties, sk,
                                                group->alg->private_len);
    if (out->pkey == NULL) {
        return TW_ERR_CRYPTO;
    }
    err = tw_dh_public(group, out, own);
    return err == TW_OK && pk != NULL && memcmp(own, pk, group->alg->public_len) != 0 ? TW_ERR_KEY
                                                                                      : err;
}

tw_err tw_dh_public(const tw_group *group, const tw_dh_key *key, uint8_t *pk)
{
    size_t len = 0;

    if (EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pk,
                                        group->alg->public_len, &len) != 1 ||
        len != group->alg->public_len) {
        return TW_ERR_CRYPTO;
    }
    return TW_OK;
}

/* --- Deriving. --------------------------------------------------------------- */

/* For each peer that is set libcrypto looks up how to handle keys, under locks that all threads
 * share: a fiftieth of an answered request. It is spared where what a context derives follows
 * its peer's key object as other points are written into that. libcrypto's own providers do so,
 * but nothing promises it: each context is tried, as it is used again. Its app data is then the
 * key object that it follows, or this. */
static char follows_none;

static EVP_PKEY *followed_by(EVP_PKEY_CTX *ctx)
{
    void *data = EVP_PKEY_CTX_get_app_data(ctx);

    return data == &follows_none ? NULL : data;
}

static void deriver_free(EVP_PKEY_CTX *ctx)
{
    if (ctx != NULL) {
        EVP_PKEY_free(followed_by(ctx));
        EVP_PKEY_CTX_free(ctx);
    }
}

static EVP_PKEY_CTX *deriver_new(const tw_group *group, const tw_dh_key *key)
{
    const tw_provider *p = &group->provider;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(p->libctx, key->pkey, p->properties);

    if (ctx != NULL && EVP_PKEY_derive_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

void tw_dh_key_clear(tw_dh_key *key)
{
    EVP_PKEY_CTX *ctx;

    while ((ctx = tw_slots_take(&key->derivers)) != NULL) {
        deriver_free(ctx);
    }
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}

/* Whether the provider that derives is the key object's own. Where another one has been loaded
 * since, and is preferred, libcrypto gives it a copy, keeps that, and hands it out again after the
 * key object was written over (OpenSSL 3.0 to 3.6 at least): another peer's point. */
static bool is_at_home(EVP_PKEY_CTX *ctx, const EVP_PKEY *peer)
{
    return EVP_PKEY_get0_provider(peer) == EVP_PKEY_CTX_get0_provider(ctx);
}

/* No second validation: tw_group_check has seen the point to be on the curve. But a provider
 * that the caller asked for is to see for itself. */
static bool set_peer(const tw_group *group, EVP_PKEY_CTX *ctx, EVP_PKEY *peer)
{
    EVP_PKEY *given = is_at_home(ctx, peer) ? peer : EVP_PKEY_dup(peer);
    bool ok = given != NULL &&
              EVP_PKEY_derive_set_peer_ex(ctx, given, group->provider.properties != NULL) == 1;

    if (given != peer) {
        EVP_PKEY_free(given);
    }
    return ok;
}

static bool derive(const tw_group *group, EVP_PKEY_CTX *ctx, uint8_t *dh)
{
    size_t len = group->alg->dh_len;

    return EVP_PKEY_derive(ctx, dh, &len) == 1 && len == group->alg->dh_len;
}

static bool write_point(const tw_group *group, EVP_PKEY *pkey, const uint8_t *pk)
{
    return EVP_PKEY_set1_encoded_public_key(pkey, pk, group->alg->public_len) == 1;
}

static tw_err derive_setting(const tw_group *group, EVP_PKEY_CTX *ctx, const uint8_t *pk,
                             uint8_t *dh)
{
    tw_peer *peer;
    tw_err err = tw_group_peer(group, pk, &peer);

    if (err == TW_OK) {
        err = set_peer(group, ctx, peer->pkey) && derive(group, ctx, dh) ? TW_OK : TW_ERR_CRYPTO;
        tw_group_peer_done(group, peer);
    }
    return err;
}

/* What a context derives after its peer was written over must be what it derives when it is told
 * of that, and so not what it derived before. Points that give the same as the one before are for
 * a peer to choose: its negative, or those that differ from it by a point of small order. This
 * depends on secrets, and tells no more than what libcrypto does, and whether such a point came. */
static bool has_followed(const uint8_t *before, const uint8_t *after, const uint8_t *told,
                         size_t len)
{
    return CRYPTO_memcmp(before, told, len) != 0 && CRYPTO_memcmp(after, told, len) == 0;
}

/* The context's peer is our own public half, and then, without being told, pk. False: something
 * was refused. */
static bool try_points(const tw_group *group, EVP_PKEY_CTX *ctx, EVP_PKEY *peer,
                       const uint8_t *own, const uint8_t *pk, uint8_t *dh, bool *follows)
{
    uint8_t before[TW_MAX_DH], after[TW_MAX_DH];
    bool ok = write_point(group, peer, own) && set_peer(group, ctx, peer) &&
              derive(group, ctx, before) && write_point(group, peer, pk) &&
              derive(group, ctx, after) && set_peer(group, ctx, peer) && derive(group, ctx, dh);

    *follows = ok && has_followed(before, after, dh, group->alg->dh_len);
    tw_wipe(before, sizeof(before));
    tw_wipe(after, sizeof(after));
    return ok;
}

/* Once for a context, whatever comes of it: a peer can make no message dearer than that, and
 * what is refused here is not refused to the message. */
static tw_err try_following(const tw_group *group, const tw_dh_key *key, EVP_PKEY_CTX **ctx,
                            const uint8_t *pk, uint8_t *dh)
{
    uint8_t own[2 * TW_MAX_PRIVATE + 1];
    EVP_PKEY *peer = NULL;
    bool follows = false, ok;

    (void)ERR_set_mark();
    ok = tw_dh_public(group, key, own) == TW_OK && (peer = tw_group_scratch(group)) != NULL &&
         is_at_home(*ctx, peer) && try_points(group, *ctx, peer, own, pk, dh, &follows);
    (void)ERR_pop_to_mark();
    EVP_PKEY_CTX_set_app_data(*ctx, follows ? (void *)peer : &follows_none);
    if (!follows) {
        EVP_PKEY_free(peer);
    }
    if (ok) {
        return TW_OK;
    }
    deriver_free(*ctx); /* what it is left with is unknown */
    *ctx = deriver_new(group, key);
    if (*ctx == NULL) {
        return TW_ERR_CRYPTO;
    }
    EVP_PKEY_CTX_set_app_data(*ctx, &follows_none);
    return derive_setting(group, *ctx, pk, dh);
}

/* With a context that was used before: the key is no ephemeral one, and to try is worth it. */
static tw_err derive_again(const tw_group *group, const tw_dh_key *key, EVP_PKEY_CTX **ctx,
                           const uint8_t *pk, uint8_t *dh)
{
    EVP_PKEY *peer = followed_by(*ctx);
    tw_err err;

    if (group->provider.properties != NULL ||
        (peer == NULL && EVP_PKEY_CTX_get_app_data(*ctx) != NULL)) {
        return derive_setting(group, *ctx, pk, dh);
    }
    err = tw_group_check(group, pk);
    if (err != TW_OK) {
        return err;
    }
    if (peer == NULL) {
        return try_following(group, key, ctx, pk, dh);
    }
    return write_point(group, peer, pk) && derive(group, *ctx, dh) ? TW_OK : TW_ERR_CRYPTO;
}

tw_err tw_dh_derive(const tw_group *group, const tw_dh_key *key, const uint8_t *pk, uint8_t *dh)
{
    EVP_PKEY_CTX *ctx = tw_slots_take(&key->derivers);
    tw_err err;

    if (ctx != NULL) {
        err = derive_again(group, key, &ctx, pk, dh);
    } else {
        ctx = deriver_new(group, key);
        err = ctx == NULL ? TW_ERR_CRYPTO : derive_setting(group, ctx, pk, dh);
    }
    if (err != TW_OK) {
        tw_wipe(dh, group->alg->dh_len);
    }
    if (err == TW_ERR_CRYPTO || (ctx != NULL && !tw_slots_give(&key->derivers, ctx))) {
        deriver_free(ctx);
    }
    return err;
}
