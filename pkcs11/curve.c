/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

#define MECHANISM_SHA256 0x250
#define MECHANISM_SHA384 0x260
#define MECHANISM_SHA512 0x270

#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* RFC 9180 section 7.1. The encodings are object identifiers (RFC 5480, RFC 8410; the
 * older one of RFC draft times that NSS and GnuPG use) and names as PrintableString. */
static const curve curves[] = {
    {TW_KEM_P256_HKDF_SHA256,
     65,
     32,
     MECHANISM_SHA256,
     32,
     64,
     {BYTES("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), BYTES("\x13\x09secp256r1")}},
    {TW_KEM_P384_HKDF_SHA384,
     97,
     48,
     MECHANISM_SHA384,
     48,
     128,
     {BYTES("\x06\x05\x2b\x81\x04\x00\x22"), BYTES("\x13\x09secp384r1")}},
    {TW_KEM_P521_HKDF_SHA512,
     133,
     66,
     MECHANISM_SHA512,
     64,
     128,
     {BYTES("\x06\x05\x2b\x81\x04\x00\x23"), BYTES("\x13\x09secp521r1")}},
    {TW_KEM_X25519_HKDF_SHA256,
     32,
     32,
     MECHANISM_SHA256,
     32,
     64,
     {BYTES("\x06\x03\x2b\x65\x6e"),
      BYTES("\x13\x0a"
            "curve25519"),
      BYTES("\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01")}},
    {TW_KEM_X448_HKDF_SHA512,
     56,
     56,
     MECHANISM_SHA512,
     64,
     128,
     {BYTES("\x06\x03\x2b\x65\x6f"), BYTES("\x13\x08"
                                           "curve448")}},
};

const curve *twp_curve_by_kem(uint16_t kem_id)
{
    for (size_t i = 0; i < LENGTH(curves); i++) {
        if (curves[i].kem_id == kem_id) {
            return &curves[i];
        }
    }
    return NULL;
}

static bool has_params(const curve *c, const uint8_t *params, size_t len)
{
    for (size_t i = 0; i < LENGTH(c->params); i++) {
        const bytes *p = &c->params[i];

        if (p->data != NULL && p->len == len && memcmp(p->data, params, len) == 0) {
            return true;
        }
    }
    return false;
}

/* By CKA_EC_PARAMS alone: X25519 is seen under three values of CKA_KEY_TYPE. */
const curve *twp_curve_by_params(const uint8_t *params, size_t len)
{
    for (size_t i = 0; params != NULL && i < LENGTH(curves); i++) {
        if (has_params(&curves[i], params, len)) {
            return &curves[i];
        }
    }
    return NULL;
}

enum {
    TAG_BIT_STRING = 0x03,
    TAG_OCTET_STRING = 0x04,
    POINT_UNCOMPRESSED = 0x04,
};

/* A point of a NIST curve has a form of its own, of which KEMs take the uncompressed one alone:
 * the hybrid ones are as long. */
bool twp_point_copy(const curve *c, const uint8_t *point, uint8_t *out)
{
    bool nist = c->public_len != c->dh_len;

    if (nist && point[0] != POINT_UNCOMPRESSED) {
        return false;
    }
    memcpy(out, point, c->public_len);
    return true;
}

/* The forms are told apart by their exact length: 04 begins an uncompressed point and
 * an OCTET STRING alike. The last two rows are a TPM's P-521, whose length byte lacks
 * the 81 that DER asks for, and the BIT STRING that some use for X25519. */
bool twp_point_decode(const curve *c, const uint8_t *in, size_t len, uint8_t *out)
{
    size_t n = c->public_len;
    size_t skip = 0;

    if (len == n) {
        skip = 0;
    } else if (n < 0x80 && len == n + 2 && in[0] == TAG_OCTET_STRING && in[1] == n) {
        skip = 2;
    } else if (n >= 0x80 && len == n + 3 && in[0] == TAG_OCTET_STRING && in[1] == 0x81 &&
               in[2] == n) {
        skip = 3;
    } else if (n >= 0x80 && len == n + 2 && in[0] == TAG_OCTET_STRING && in[1] == n) {
        skip = 2;
    } else if (n < 0x7f && len == n + 3 && in[0] == TAG_BIT_STRING && in[1] == n + 1 &&
               in[2] == 0) {
        skip = 3;
    } else {
        return false;
    }
    return twp_point_copy(c, in + skip, out);
}

size_t twp_point_encode(const curve *c, const uint8_t *point, uint8_t *out)
{
    size_t at = 0;

    out[at++] = TAG_OCTET_STRING;
    if (c->public_len >= 0x80) {
        out[at++] = 0x81;
    }
    out[at++] = (uint8_t)c->public_len;
    memcpy(out + at, point, c->public_len);
    return at + c->public_len;
}
