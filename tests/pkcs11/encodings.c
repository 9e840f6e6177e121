/* SPDX-License-Identifier: Apache-2.0 */
/* Curves, points and certificates as tokens hold them. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "check.h"
#include "key.h"

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

static const struct {
    const char *type, *group;
} openssl_names[] = {
    {"EC", "P-256"}, {"EC", "P-384"}, {"EC", "P-521"}, {"X25519", NULL}, {"X448", NULL}};

#define KEMS LENGTH(kems)

static void fill(uint8_t *out, size_t len)
{
    out[0] = 0x04; /* also the tag of an OCTET STRING */
    for (size_t i = 1; i < len; i++) {
        out[i] = (uint8_t)i;
    }
}

/* A copy of exactly `len` bytes, so that a sanitizer sees one read too many. */
static bool decode_exact(const curve *c, const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    bool good;

    must(copy != NULL);
    memcpy(copy, in, len);
    good = twp_point_decode(c, copy, len, out);
    free(copy);
    return good;
}

static void must_decode(const curve *c, const uint8_t *in, size_t len, const uint8_t *want)
{
    uint8_t out[MAX_PUBLIC_EC] = {0};

    check_note("(KEM 0x%04x, %zu bytes)", c->kem_id, len);
    must(decode_exact(c, in, len, out));
    must(memcmp(out, want, c->public_len) == 0);
}

Test(encodings, points_are_known_by_their_length)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t point[MAX_PUBLIC_EC], der[MAX_PUBLIC_EC + 3], out[MAX_PUBLIC_EC];
        size_t len;

        must(c != NULL && c->public_len <= MAX_PUBLIC_EC);
        fill(point, c->public_len);
        must_decode(c, point, c->public_len, point);
        len = twp_point_encode(c, point, der);
        must_size(c->public_len + (c->public_len < 128 ? 2 : 3), len);
        must_decode(c, der, len, point);
        for (size_t cut = 0; cut < len; cut++) {
            must(cut == c->public_len || !decode_exact(c, der, cut, out));
        }
        der[0] = 0x05;
        must(!decode_exact(c, der, len, out));
        der[0] = 0x04;
        der[1] ^= 1;
        must(!decode_exact(c, der, len, out));
    }
}

Test(encodings, a_tpms_malformed_p521_and_a_bit_string_are_read_too)
{
    const curve *p521 = twp_curve_by_kem(TW_KEM_P521_HKDF_SHA512);
    const curve *x25519 = twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256);
    uint8_t tpm[135] = {0x04, 0x85}, bits[35] = {0x03, 0x21, 0x00};

    fill(tpm + 2, 133);
    must_decode(p521, tpm, sizeof(tpm), tpm + 2);
    fill(bits + 3, 32);
    must_decode(x25519, bits, sizeof(bits), bits + 3);
}

Test(encodings, curves_are_known_by_their_parameters_alone)
{
    static const uint8_t named[] = {0x13, 0x0a, 'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9'};
    static const uint8_t old[] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
                                  0x01, 0x97, 0x55, 0x01, 0x05, 0x01};
    static const uint8_t ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

    must(twp_curve_by_params(named, sizeof(named)) == twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256));
    must(twp_curve_by_params(old, sizeof(old)) == twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256));
    must(twp_curve_by_params(ed25519, sizeof(ed25519)) == NULL);
    must(twp_curve_by_params(named, sizeof(named) - 1) == NULL);
    must(twp_curve_by_params(NULL, 0) == NULL);
    must(twp_curve_by_kem(0x0099) == NULL);
}

/* --- Certificates, made by libcrypto. ------------------------------------------------------- */

typedef struct made {
    uint8_t *spki, *certificate;
    size_t spki_len, certificate_len;
    uint8_t point[MAX_PUBLIC_EC];
} made;

static void make(size_t i, made *out)
{
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    EVP_PKEY *key = openssl_names[i].group != NULL
                        ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", openssl_names[i].group)
                        : EVP_PKEY_Q_keygen(NULL, NULL, openssl_names[i].type);
    X509 *x = X509_new();
    unsigned char *point = NULL;
    size_t point_len;
    int len;

    *out = (made){0};
    must(signer != NULL && key != NULL && x != NULL);
    must(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"hpke", -1, -1, 0) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(x), 1000) != NULL);
    must(X509_sign(x, signer, EVP_sha256()) > 0);
    len = i2d_X509(x, &out->certificate);
    must(len > 0);
    out->certificate_len = (size_t)len;
    len = i2d_PUBKEY(key, &out->spki);
    must(len > 0);
    out->spki_len = (size_t)len;
    point_len = EVP_PKEY_get1_encoded_public_key(key, &point);
    must(point_len > 0 && point_len <= sizeof(out->point));
    memcpy(out->point, point, point_len);
    OPENSSL_free(point);
    X509_free(x);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
}

typedef bool reader(const curve *c, const uint8_t *der, size_t len, uint8_t *out);

/* Read whole; cut at every byte; and with each byte altered, without reading beyond. */
static void must_read(reader *read, const curve *c, const uint8_t *der, size_t len,
                      const uint8_t *point)
{
    uint8_t out[MAX_PUBLIC_EC];

    must(read(c, der, len, out));
    must(memcmp(out, point, c->public_len) == 0);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        must(copy != NULL);
        memcpy(copy, der, cut);
        must(!read(c, copy, cut, out));
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        uint8_t *copy = malloc(len);

        must(copy != NULL);
        memcpy(copy, der, len);
        copy[at] ^= 0x81;
        (void)read(c, copy, len, out);
        free(copy);
    }
}

/* The other forms of a point that have its length: hybrid, and those that have none. */
Test(encodings, a_nist_point_is_uncompressed_or_none)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t point[MAX_PUBLIC_EC], der[MAX_PUBLIC_EC + 3], out[MAX_PUBLIC_EC];
        bool nist = openssl_names[i].group != NULL;
        made m;

        make(i, &m);
        for (unsigned form = 0; form < 256; form++) {
            fill(point, c->public_len);
            point[0] = (uint8_t)form;
            must(decode_exact(c, point, c->public_len, out) == (!nist || form == 4));
            must(decode_exact(c, der, twp_point_encode(c, point, der), out) ==
                 (!nist || form == 4));
            m.spki[m.spki_len - c->public_len] = (uint8_t)form;
            must(twp_spki_point(c, m.spki, m.spki_len, out) == (!nist || form == 4));
        }
        OPENSSL_free(m.spki);
        OPENSSL_free(m.certificate);
    }
}

Test(encodings, public_keys_are_read_from_certificates_and_infos)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t out[MAX_PUBLIC_EC];
        made m;

        check_note("(KEM 0x%04x)", kems[i]);
        make(i, &m);
        must_read(twp_spki_point, c, m.spki, m.spki_len, m.point);
        must_read(twp_certificate_point, c, m.certificate, m.certificate_len, m.point);
        must(!twp_spki_point(twp_curve_by_kem(kems[(i + 1) % KEMS]), m.spki, m.spki_len, out));
        must(!twp_certificate_point(c, m.spki, m.spki_len, out));
        OPENSSL_free(m.spki);
        OPENSSL_free(m.certificate);
    }
}

static size_t put_head(uint8_t *out, uint8_t tag, size_t len)
{
    size_t at = 0;

    out[at++] = tag;
    if (len >= 0x80) {
        out[at++] = 0x81;
    }
    out[at++] = (uint8_t)len;
    return at;
}

/* All lengths around it agree with a BIT STRING of any length. */
Test(encodings, a_public_key_of_another_length_is_none)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        const size_t right = c->public_len + 1;
        made m;

        make(i, &m);
        for (size_t len = 0; len <= right + 2; len++) {
            const size_t info = m.spki[1] < 0x80 ? 2 : 3, info_len = 2u + m.spki[info + 1];
            const size_t in_len = info_len + (len < 0x80 ? 2 : 3) + len;
            uint8_t head[3], out[MAX_PUBLIC_EC];
            const size_t head_len = put_head(head, 0x30, in_len);
            uint8_t *der = malloc(head_len + in_len), *at = der;

            must(der != NULL);
            memcpy(at, head, head_len);
            memcpy(at + head_len, m.spki + info, info_len);
            at += head_len + info_len;
            at += put_head(at, 0x03, len);
            memset(at, 0, len);
            memcpy(at, m.spki + m.spki_len - right, len < right ? len : right);
            check_note("(KEM 0x%04x, %zu bytes)", kems[i], len);
            must(twp_spki_point(c, der, head_len + in_len, out) == (len == right));
            free(der);
        }
        OPENSSL_free(m.spki);
        OPENSSL_free(m.certificate);
    }
}
