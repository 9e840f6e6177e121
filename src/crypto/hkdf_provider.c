/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

/* HKDF as one service of the caller's provider: an HMAC put together from digests
 * would be none that a validated module vouches for. */

#define MAX_PARAMS 6

static tw_err run(tw_hmac *hmac, int mode, OSSL_PARAM *params, size_t count, uint8_t *out,
                  size_t out_len)
{
    const char *properties = hmac->hash->properties;

    params[count++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    params[count++] =
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hmac->hash->alg->digest, 0);
    params[count++] =
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_PROPERTIES, (char *)properties, 0);
    params[count] = OSSL_PARAM_construct_end();
    EVP_KDF_CTX_reset(hmac->kdf);
    if (EVP_KDF_derive(hmac->kdf, out, out_len, params) != 1) {
        tw_wipe(out, out_len);
        return TW_ERR_CRYPTO;
    }
    return TW_OK;
}

static OSSL_PARAM octets(const char *name, const void *data, size_t len)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)data, len);
}

/* The pieces in one, which the caller wipes and frees; NULL without memory. EVP_KDF takes but one
 * key, and of OpenSSL 3.6 no more than five pieces of info. */
static uint8_t *join(const tw_piece *pieces, size_t count, size_t *len)
{
    uint8_t *joined;
    size_t at = 0;

    *len = 0;
    for (size_t i = 0; i < count; i++) {
        *len = tw_add(*len, pieces[i].len);
    }
    joined = OPENSSL_malloc(*len == 0 ? 1 : *len);
    for (size_t i = 0; joined != NULL && i < count; i++) {
        tw_copy(joined + at, pieces[i].data, pieces[i].len);
        at += pieces[i].len;
    }
    return joined;
}

tw_err tw_provider_extract(tw_hmac *hmac, const uint8_t *salt, size_t salt_len, const tw_piece *ikm,
                           size_t ikm_count, uint8_t *prk)
{
    OSSL_PARAM params[MAX_PARAMS];
    size_t count = 0, len;
    uint8_t *key = join(ikm, ikm_count, &len);
    tw_err err;

    if (key == NULL) {
        return TW_ERR_MEMORY;
    }
    params[count++] = octets(OSSL_KDF_PARAM_KEY, key, len);
    if (salt_len > 0) {
        params[count++] = octets(OSSL_KDF_PARAM_SALT, salt, salt_len);
    }
    err = run(hmac, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, params, count, prk, hmac->hash->alg->hash_len);
    OPENSSL_clear_free(key, len);
    return err;
}

tw_err tw_provider_expand(tw_hmac *hmac, const uint8_t *prk, size_t prk_len, const tw_piece *info,
                          size_t info_count, uint8_t *out, size_t out_len)
{
    OSSL_PARAM params[MAX_PARAMS];
    size_t count = 0, len;
    uint8_t *joined = join(info, info_count, &len);
    tw_err err;

    if (joined == NULL) {
        tw_wipe(out, out_len);
        return TW_ERR_MEMORY;
    }
    params[count++] = octets(OSSL_KDF_PARAM_KEY, prk, prk_len);
    if (len > 0) {
        params[count++] = octets(OSSL_KDF_PARAM_INFO, joined, len);
    }
    err = run(hmac, EVP_KDF_HKDF_MODE_EXPAND_ONLY, params, count, out, out_len);
    OPENSSL_clear_free(joined, len);
    return err;
}
