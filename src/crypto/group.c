/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

/* Whether the provider has its keys and can derive: what it lacks is to be known before the
 * first message. */
static tw_err has_group(const tw_dh_alg *alg, const tw_provider *provider)
{
    EVP_KEYMGMT *keys =
        EVP_KEYMGMT_fetch(provider->libctx, alg->nist ? "EC" : alg->group, provider->properties);
    EVP_KEYEXCH *exchange = NULL;
    tw_err err = TW_OK;

    if (keys != NULL) {
        exchange = EVP_KEYEXCH_fetch(provider->libctx, alg->nist ? "ECDH" : alg->group,
                                     provider->properties);
    }
    if (exchange == NULL) {
        err = tw_fetch_failed();
    }
    EVP_KEYEXCH_free(exchange);
    EVP_KEYMGMT_free(keys);
    return err;
}

static tw_err equation_init(tw_group *group)
{
    tw_equation *e = &group->equation;
    BN_CTX *ctx = BN_CTX_new_ex(group->provider.libctx);
    bool ok;

    e->p = BN_new();
    e->a = BN_new();
    e->b = BN_new();
    e->mont = BN_MONT_CTX_new();
    ok = ctx != NULL && e->p != NULL && e->a != NULL && e->b != NULL && e->mont != NULL &&
         EC_GROUP_get_curve(group->curve, e->p, e->a, e->b, ctx) == 1 &&
         BN_MONT_CTX_set(e->mont, e->p, ctx) == 1 &&
         BN_to_montgomery(e->a, e->a, e->mont, ctx) == 1 &&
         BN_to_montgomery(e->b, e->b, e->mont, ctx) == 1;
    BN_CTX_free(ctx);
    return ok ? TW_OK : TW_ERR_CRYPTO;
}

static void equation_clear(tw_equation *e)
{
    BN_free(e->p);
    BN_free(e->a);
    BN_free(e->b);
    BN_MONT_CTX_free(e->mont);
}

tw_err tw_group_init(tw_group *group, const tw_dh_alg *alg, const tw_provider *provider)
{
    EVP_PKEY_CTX *ctx;
    tw_err err = has_group(alg, provider);

    memset(group, 0, sizeof(*group));
    group->alg = alg;
    group->provider = *provider;
    if (err == TW_OK && alg->nist) {
        group->curve =
            EC_GROUP_new_by_curve_name_ex(provider->libctx, provider->properties, alg->nid);
        err = group->curve == NULL ? TW_ERR_CRYPTO : equation_init(group);
    }
    if (err == TW_OK) {
        ctx = tw_group_generator(group);
        err = ctx == NULL ? TW_ERR_CRYPTO : TW_OK;
        tw_group_generator_done(group, ctx);
    }
    return err;
}

void tw_group_clear(tw_group *group)
{
    EVP_PKEY_CTX *ctx;
    tw_peer *peer;

    while ((ctx = tw_slots_take(&group->generators)) != NULL) {
        EVP_PKEY_CTX_free(ctx);
    }
    while ((peer = tw_slots_take(&group->peers)) != NULL) {
        tw_peer_free(peer);
    }
    equation_clear(&group->equation);
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
