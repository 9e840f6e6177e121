/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

#include <openssl/crypto.h>

/* RFC 9180 section 5.1. In base mode the context depends on suite and info alone,
 * and a server's info is the same all day: the last one seen is kept. */

enum { MODE_BASE = 0, MODE_PSK = 1, MODE_AUTH = 2, MODE_AUTH_PSK = 3 };

/* Section 9.5: a psk has at least 32 bytes of entropy, so at least 32 bytes. */
#define MIN_PSK_LEN 32

#define CACHED_INFO 256

typedef struct context_cache {
    size_t info_len;
    uint8_t info[CACHED_INFO];
    uint8_t context[1 + 2 * TW_MAX_HASH];
} context_cache;

static tw_err hash_of(const tw_builtin_suite *suite, tw_hmac *hmac, const char *label,
                      const uint8_t *in, size_t in_len, uint8_t *out)
{
    return tw_labeled_extract(hmac, &suite->id, NULL, 0, label, in, in_len, out);
}

/* key_schedule_context = mode || psk_id_hash || info_hash */
static tw_err make_context(const tw_builtin_suite *suite, tw_hmac *hmac, const uint8_t *info,
                           size_t info_len, const tw_hpke_auth *auth, uint8_t *out)
{
    size_t hash_len = suite->kit->hash.alg->hash_len;
    bool psk = auth != NULL && auth->psk_len > 0;
    bool identity = auth != NULL && (auth->sender != NULL || auth->sender_public != NULL);
    tw_err err = TW_OK;

    out[0] = (uint8_t)((psk ? MODE_PSK : MODE_BASE) | (identity ? MODE_AUTH : MODE_BASE));
    if (psk) {
        err = hash_of(suite, hmac, "psk_id_hash", auth->psk_id, auth->psk_id_len, out + 1);
    } else {
        memcpy(out + 1, suite->no_psk_id_hash, hash_len);
    }
    if (err == TW_OK) {
        err = hash_of(suite, hmac, "info_hash", info, info_len, out + 1 + hash_len);
    }
    return err;
}

/* The same through the cache. Nothing in it is secret. */
static tw_err base_context(const tw_builtin_suite *suite, tw_hmac *hmac, const uint8_t *info,
                           size_t info_len, uint8_t *out)
{
    context_cache *cache;
    tw_err err = TW_OK;

    if (info_len > CACHED_INFO) {
        return make_context(suite, hmac, info, info_len, NULL, out);
    }
    cache = tw_slots_take(&suite->contexts);
    if (cache == NULL || cache->info_len != info_len ||
        (info_len > 0 && memcmp(cache->info, info, info_len) != 0)) {
        if (cache == NULL) {
            cache = OPENSSL_malloc(sizeof(*cache));
        }
        if (cache == NULL) {
            return TW_ERR_MEMORY;
        }
        tw_copy(cache->info, info, info_len);
        cache->info_len = info_len;
        err = make_context(suite, hmac, info, info_len, NULL, cache->context);
    }
    if (err == TW_OK) {
        memcpy(out, cache->context, sizeof(cache->context));
    }
    if (err != TW_OK || !tw_slots_give(&suite->contexts, cache)) {
        OPENSSL_free(cache);
    }
    return err;
}

static tw_err expand_all(const tw_builtin_suite *suite, tw_hmac *hmac, const uint8_t *secret,
                         const uint8_t *context, tw_schedule *out)
{
    size_t hash_len = suite->kit->hash.alg->hash_len;
    tw_piece info = {context, 1 + 2 * hash_len};
    tw_err err = TW_OK;

    if (suite->kit->cipher.alg != NULL) {
        err = tw_labeled_expand(hmac, &suite->id, secret, hash_len, "key", &info, 1, out->key,
                                suite->kit->cipher.alg->key_len);
        if (err == TW_OK) {
            err = tw_labeled_expand(hmac, &suite->id, secret, hash_len, "base_nonce", &info, 1,
                                    out->base_nonce, TW_NONCE_LEN);
        }
    }
    if (err == TW_OK) {
        err = tw_labeled_expand(hmac, &suite->id, secret, hash_len, "exp", &info, 1,
                                out->exporter_secret, hash_len);
    }
    return err;
}

bool tw_schedule_takes(const uint8_t *info, size_t info_len, const tw_hpke_auth *auth)
{
    if (info == NULL && info_len > 0) {
        return false;
    }
    if (auth == NULL || (auth->psk == NULL && auth->psk_len == 0 && auth->psk_id == NULL &&
                         auth->psk_id_len == 0)) {
        return true;
    }
    return auth->psk != NULL && auth->psk_len >= MIN_PSK_LEN && auth->psk_id != NULL &&
           auth->psk_id_len > 0;
}

tw_err tw_schedule_make(const tw_builtin_suite *suite, const uint8_t *secret, const uint8_t *info,
                        size_t info_len, const tw_hpke_auth *auth, tw_schedule *out)
{
    uint8_t context[1 + 2 * TW_MAX_HASH];
    uint8_t prk[TW_MAX_HASH];
    tw_hmac hmac;
    tw_err err;

    memset(out, 0, sizeof(*out));
    err = tw_hmac_begin(&suite->kit->hash, &hmac);
    if (err == TW_OK) {
        err = auth == NULL ? base_context(suite, &hmac, info, info_len, context)
                           : make_context(suite, &hmac, info, info_len, auth, context);
    }
    if (err == TW_OK) {
        err = tw_labeled_extract(&hmac, &suite->id, secret, suite->kem->secret_len, "secret",
                                 auth == NULL ? NULL : auth->psk, auth == NULL ? 0 : auth->psk_len,
                                 prk);
    }
    if (err == TW_OK) {
        err = expand_all(suite, &hmac, prk, context, out);
    }
    tw_hmac_end(&hmac);
    tw_wipe(prk, sizeof(prk));
    if (err != TW_OK) {
        tw_wipe(out, sizeof(*out));
    }
    return err;
}

tw_err tw_schedule_init(tw_builtin_suite *suite)
{
    tw_hmac hmac;
    tw_err err = tw_hmac_begin(&suite->kit->hash, &hmac);

    if (err == TW_OK) {
        err = hash_of(suite, &hmac, "psk_id_hash", NULL, 0, suite->no_psk_id_hash);
    }
    tw_hmac_end(&hmac);
    return err;
}

void tw_schedule_clear(tw_builtin_suite *suite)
{
    context_cache *cache;

    while ((cache = tw_slots_take(&suite->contexts)) != NULL) {
        OPENSSL_free(cache);
    }
}
