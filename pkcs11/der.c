/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

/* As much DER as leads to a public key in a certificate. What a token holds is not
 * trusted to be well formed: every step stays inside the bytes of its parent. */

enum {
    TAG_INTEGER = 0x02,
    TAG_BITS = 0x03,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
    TAG_VERSION = 0xa0,
};

/* Takes the next element off `rest`: with its header in `whole`, without in `content`. */
static bool next(bytes *rest, uint8_t *tag, bytes *whole, bytes *content)
{
    size_t at = 2, len;

    if (rest->len < 2) {
        return false;
    }
    *tag = rest->data[0];
    len = rest->data[1];
    if (len >= 0x80) {
        size_t count = len & 0x7f;

        if (count == 0 || count > 3 || rest->len - 2 < count) {
            return false;
        }
        for (len = 0; count > 0; count--) {
            len = len << 8 | rest->data[at++];
        }
    }
    if (rest->len - at < len) {
        return false;
    }
    *content = (bytes){rest->data + at, len};
    *whole = (bytes){rest->data, at + len};
    rest->data += at + len;
    rest->len -= at + len;
    return true;
}

/* The same, for one expected tag. */
static bool take(bytes *rest, uint8_t tag, bytes *content)
{
    bytes whole;
    uint8_t got;

    return next(rest, &got, &whole, content) && got == tag;
}

static bool is_ec_public_key(const bytes *oid)
{
    static const uint8_t value[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

    return oid->len == sizeof(value) && memcmp(oid->data, value, sizeof(value)) == 0;
}

/* SubjectPublicKeyInfo, RFC 5280 section 4.1: SEQUENCE { AlgorithmIdentifier, BIT STRING }.
 * The curve is the parameter of id-ecPublicKey (RFC 5480) or the algorithm itself (RFC
 * 8410). */
static bool spki_content(const curve *c, bytes spki, uint8_t *out)
{
    bytes algorithm, oid, whole, first, bits;
    uint8_t tag;

    if (!take(&spki, TAG_SEQUENCE, &algorithm) || !take(&spki, TAG_BITS, &bits) ||
        !next(&algorithm, &tag, &first, &oid) || tag != TAG_OID) {
        return false;
    }
    whole = first;
    if (is_ec_public_key(&oid) && !next(&algorithm, &tag, &whole, &oid)) {
        return false;
    }
    if (twp_curve_by_params(whole.data, whole.len) != c || bits.len != c->public_len + 1 ||
        bits.data[0] != 0) {
        return false;
    }
    return twp_point_copy(c, bits.data + 1, out);
}

bool twp_spki_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out)
{
    bytes rest = {der, len}, spki;

    return take(&rest, TAG_SEQUENCE, &spki) && spki_content(c, spki, out);
}

/* Certificate, RFC 5280 section 4.1: the key is the seventh field of what is signed, or
 * the sixth without a version. */
bool twp_certificate_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out)
{
    bytes rest = {der, len}, certificate, fields, whole, content;
    uint8_t tag;

    if (!take(&rest, TAG_SEQUENCE, &certificate) || !take(&certificate, TAG_SEQUENCE, &fields) ||
        !next(&fields, &tag, &whole, &content)) {
        return false;
    }
    if (tag == TAG_VERSION && !next(&fields, &tag, &whole, &content)) {
        return false;
    }
    if (tag != TAG_INTEGER) {
        return false;
    }
    for (int skip = 0; skip < 4; skip++) { /* signature, issuer, validity, subject */
        if (!take(&fields, TAG_SEQUENCE, &content)) {
            return false;
        }
    }
    return take(&fields, TAG_SEQUENCE, &content) && spki_content(c, content, out);
}
