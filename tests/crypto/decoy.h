/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DECOY_H
#define TESTS_DECOY_H

/*
 * A libcrypto provider of the test's own, which offers every algorithm that the library
 * needs, serves none, and counts whoever comes to it. Loaded before the provider that is
 * meant, it gets each request that does not name that one.
 */

#include <openssl/types.h>
#include <stddef.h>

/*
 * What it offers beside ciphers, HKDF and keys. The HKDF of libcrypto's default provider
 * takes digests and HMAC from wherever they come first, and its key generation random
 * bytes: beside that one, neither is the library's doing.
 */
enum {
    DECOY_HASHES = 1,
    DECOY_RANDOM = 2,
};
OSSL_PROVIDER *decoy_load(OSSL_LIB_CTX *libctx, unsigned offers);

/* decoy_visits is how often an algorithm of its was taken up since the program began. */
size_t decoy_visits(void);

#endif
