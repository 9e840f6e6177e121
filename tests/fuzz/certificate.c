/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A certificate from a file or out of a token. The core lets libcrypto read it, PKCS#11's
 * side reads as much DER as leads to the key: where both find one, it is the same.
 */

#include <string.h>

#include <openssl/err.h>

#include <twoway/twoway.h>

#include "encoding.h"
#include "support/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

static tw_err read_certificate(const uint8_t *data, size_t size, tw_certificate *out)
{
    static const tw_certificate none = {.size = sizeof(none)};
    tw_err err;

    memset(out, 0xff, sizeof(*out));
    out->size = sizeof(*out);
    err = tw_public_from_certificate(data, size, NULL, out);
    must(ERR_peek_error() == 0);
    if (err != TW_OK) {
        must(err == TW_ERR_FORMAT || err == TW_ERR_INVALID || err == TW_ERR_KEY);
        must(memcmp(out, &none, sizeof(none)) == 0);
    }
    return err;
}

/* libcrypto would find it behind DER that goes on, where the other does not look. */
static bool has_pem(const uint8_t *data, size_t size)
{
    static const char begin[] = "-----BEGIN";
    const size_t len = sizeof(begin) - 1;

    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp(data + i, begin, len) == 0) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_certificate read;
    const tw_err err = read_certificate(data, size, &read);
    uint8_t point[MAX_PUBLIC_EC];

    for (size_t i = 0; i < sizeof(kems) / sizeof(kems[0]); i++) {
        const curve *c = twp_curve_by_kem(kems[i]);

        must(err != TW_OK || read.kem_id != kems[i] || read.public_len == c->public_len);
        (void)twp_spki_point(c, data, size, point);
        if (!twp_certificate_point(c, data, size, point) || err != TW_OK || has_pem(data, size)) {
            continue;
        }
        must(read.kem_id == kems[i]);
        point[0] = c->public_len % 2 == 1 ? 4 : point[0]; /* libcrypto takes hybrid points too */
        must(memcmp(point, read.public_key, read.public_len) == 0);
    }
    return 0;
}
