/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define STRENGTH 256 /* bits; AES-256's */

/* The generator of a library context may be anybody's: a provider that the caller asked
 * for draws with its own, seeded by the system. */
static bool draw_by_query(const tw_provider *provider, uint8_t *out, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, (char *)"AES-256-CTR", 0),
        OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_PROPERTIES, (char *)provider->properties,
                                         0),
        OSSL_PARAM_construct_end(),
    };
    EVP_RAND *rand = EVP_RAND_fetch(provider->libctx, "CTR-DRBG", provider->properties);
    EVP_RAND_CTX *ctx = rand == NULL ? NULL : EVP_RAND_CTX_new(rand, NULL);
    bool ok = ctx != NULL && EVP_RAND_instantiate(ctx, STRENGTH, 0, NULL, 0, params) == 1 &&
              EVP_RAND_generate(ctx, out, len, STRENGTH, 0, NULL, 0) == 1;

    EVP_RAND_CTX_free(ctx);
    EVP_RAND_free(rand);
    return ok;
}

tw_err tw_random(const tw_provider *provider, const tw_rng *rng, bool secret, uint8_t *out,
                 size_t len)
{
    OSSL_LIB_CTX *libctx = provider->libctx;
    bool filled;

    if (rng != NULL && rng->fill != NULL) {
        filled = rng->fill(rng->arg, out, len) == TW_OK;
    } else if (provider->properties != NULL) {
        filled = draw_by_query(provider, out, len);
    } else if (secret) {
        filled = RAND_priv_bytes_ex(libctx, out, len, 0) == 1;
    } else {
        filled = RAND_bytes_ex(libctx, out, len, 0) == 1;
    }
    if (!filled) {
        tw_wipe(out, len);
        return TW_ERR_RANDOM;
    }
    return TW_OK;
}
