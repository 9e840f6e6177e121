/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <openssl/rand.h>

tw_err tw_random(const tw_provider *provider, const tw_rng *rng, bool secret, uint8_t *out,
                 size_t len)
{
    OSSL_LIB_CTX *libctx = provider->libctx;
    bool filled;

    if (rng != NULL && rng->fill != NULL) {
        filled = rng->fill(rng->arg, out, len) == TW_OK;
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
