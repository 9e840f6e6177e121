/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

/* Certificates made by libcrypto, always the same of the same key and wishes. */

#include <openssl/types.h>

#include "bytes.h"

enum { MOST_EXTENSIONS = 3 };

typedef struct certificate_wish {
    struct {
        const char *name, *value; /* as in openssl's x509v3_config(5); NULL: no more */
    } extensions[MOST_EXTENSIONS];
    int64_t not_before, not_after; /* both 0: from 2020 to 2120 */
} certificate_wish;

EVP_PKEY *public_pkey(uint16_t kem_id, const uint8_t *pk, size_t pk_len);
bytes certificate_of(EVP_PKEY *key, const certificate_wish *wish); /* DER */
bytes certificate_pem(bytes der);

#endif
