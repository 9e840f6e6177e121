/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENCODING_H
#define ENCODING_H

/* The encodings of curves and points, which know nothing of tokens; curve.c, der.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <p11-kit/pkcs11.h>

#define MAX_PUBLIC_EC 133 /* the longest Npk here: P-521's */
typedef struct bytes {
    const uint8_t *data;
    size_t len;
} bytes;

typedef struct curve {
    uint16_t kem_id;
    size_t public_len, dh_len;
    CK_MECHANISM_TYPE hash; /* of the KEM's KDF */
    size_t hash_len, hash_block;
    bytes params[3]; /* encodings of CKA_EC_PARAMS, the usual one first */
} curve;
const curve *twp_curve_by_kem(uint16_t kem_id);
const curve *twp_curve_by_params(const uint8_t *params, size_t len);

/* twp_point_decode takes CKA_EC_POINT in any form that tokens use and writes c->public_len
 * bytes; twp_point_encode writes a DER OCTET STRING, at most 3 more. twp_point_copy takes one
 * of the KEM's own form and nothing around it. */
bool twp_point_copy(const curve *c, const uint8_t *point, uint8_t *out);
bool twp_point_decode(const curve *c, const uint8_t *in, size_t len, uint8_t *out);
size_t twp_point_encode(const curve *c, const uint8_t *point, uint8_t *out);

/* The curve's point in a SubjectPublicKeyInfo, or in the one of a certificate. */
bool twp_spki_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out);
bool twp_certificate_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out);

#endif
