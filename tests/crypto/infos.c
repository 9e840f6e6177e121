/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before libcrypto's EVP_KDF_derive in this program: OpenSSL 3.6 takes no more than five
 * pieces of info, where earlier ones join however many there are. */
#include <dlfcn.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "check.h"

enum { MOST_INFOS = 5 };

int EVP_KDF_derive(EVP_KDF_CTX *ctx, unsigned char *key, size_t keylen, const OSSL_PARAM params[])
{
    int (*real)(EVP_KDF_CTX *, unsigned char *, size_t, const OSSL_PARAM *);
    void *found = dlsym(RTLD_NEXT, "EVP_KDF_derive");
    size_t infos = 0;

    must(found != NULL);
    memcpy(&real, &found, sizeof(real));
    for (const OSSL_PARAM *p = params; p->key != NULL; p++) {
        infos += strcmp(p->key, OSSL_KDF_PARAM_INFO) == 0;
    }
    must(infos <= MOST_INFOS);
    return real(ctx, key, keylen, params);
}
