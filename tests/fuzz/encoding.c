/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What tokens and files hold of a public key: a point, a SubjectPublicKeyInfo, a certificate, in
 * any form and as broken as it likes. The few lines of DER that PKCS#11's side has stay inside
 * their input, take nothing that is not there, and agree with libcrypto where that reads it
 * too, by itself and for the core.
 */

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include <twoway/twoway.h>

#include "encoding.h"
#include "support/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_part_of(bytes in, const curve *c, const uint8_t *point)
{
    must(memmem(in.data, in.len, point, c->public_len) != NULL);
}

static void point(const curve *c, bytes in)
{
    uint8_t out[MAX_PUBLIC_EC], again[MAX_PUBLIC_EC], encoded[MAX_PUBLIC_EC + 3];
    size_t len;

    if (!twp_point_decode(c, in.data, in.len, out)) {
        return;
    }
    is_part_of(in, c, out);
    len = twp_point_encode(c, out, encoded);
    must(len <= sizeof(encoded));
    must(twp_point_decode(c, encoded, len, again));
    must(memcmp(out, again, c->public_len) == 0);
}

/* libcrypto's key, if it is one of this curve's. */
static bool theirs(const curve *c, EVP_PKEY *key, uint8_t *out)
{
    static const struct {
        uint16_t kem_id;
        const char *name;
    } names[] = {{TW_KEM_P256_HKDF_SHA256, "prime256v1"},
                 {TW_KEM_P384_HKDF_SHA384, "secp384r1"},
                 {TW_KEM_P521_HKDF_SHA512, "secp521r1"},
                 {TW_KEM_X25519_HKDF_SHA256, "X25519"},
                 {TW_KEM_X448_HKDF_SHA512, "X448"}};
    char group[64] = "";
    size_t len = 0;

    if (key == NULL) {
        return false;
    }
    if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1) {
        (void)snprintf(group, sizeof(group), "%s", EVP_PKEY_get0_type_name(key));
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].kem_id == c->kem_id && strcmp(names[i].name, group) == 0) {
            return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out,
                                                   MAX_PUBLIC_EC, &len) == 1 &&
                   len == c->public_len;
        }
    }
    return false;
}

/* A point that is in the input uncompressed; libcrypto would take it compressed too. */
static void agree(const curve *c, bytes in, bool taken, const uint8_t *ours, EVP_PKEY *key)
{
    uint8_t other[MAX_PUBLIC_EC];

    if (taken) {
        is_part_of(in, c, ours);
        must(!theirs(c, key, other) || memcmp(ours, other, c->public_len) == 0);
    }
    EVP_PKEY_free(key);
}

static void spki(const curve *c, bytes in)
{
    const uint8_t *at = in.data;
    uint8_t out[MAX_PUBLIC_EC];

    agree(c, in, twp_spki_point(c, in.data, in.len, out), out, d2i_PUBKEY(NULL, &at, (long)in.len));
}

static void certificate(const curve *c, bytes in)
{
    const uint8_t *at = in.data;
    uint8_t out[MAX_PUBLIC_EC];
    bool taken = twp_certificate_point(c, in.data, in.len, out);
    X509 *x509 = d2i_X509(NULL, &at, (long)in.len);

    agree(c, in, taken, out, x509 == NULL ? NULL : X509_get_pubkey(x509));
    X509_free(x509);
}

/* The core, which lets libcrypto read it, DER or PEM. */
static tw_err from_file(bytes in, tw_certificate *out)
{
    static const tw_certificate none = {.size = sizeof(none)};
    tw_err err;

    ERR_clear_error();
    memset(out, 0xff, sizeof(*out));
    out->size = sizeof(*out);
    err = tw_public_from_certificate(in.data, in.len, NULL, out);
    must(ERR_peek_error() == 0);
    if (err != TW_OK) {
        must(err == TW_ERR_FORMAT || err == TW_ERR_INVALID || err == TW_ERR_KEY);
        must(memcmp(out, &none, sizeof(none)) == 0);
    }
    return err;
}

/* It may find another in PEM, behind DER that goes on. */
static void agree_with_file(const curve *c, bytes in)
{
    static const char begin[] = "-----BEGIN";
    uint8_t ours[MAX_PUBLIC_EC];
    tw_certificate read;
    tw_err err = from_file(in, &read);

    must(err != TW_OK || read.kem_id != c->kem_id || read.public_len == c->public_len);
    if (err == TW_OK && twp_certificate_point(c, in.data, in.len, ours) &&
        memmem(in.data, in.len, begin, sizeof(begin) - 1) == NULL) {
        must(read.kem_id == c->kem_id);
        must(memcmp(ours, read.public_key, read.public_len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t none;
    static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                    TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                    TW_KEM_X448_HKDF_SHA512};
    const curve *c = twp_curve_by_kem(kems[(size == 0 ? 0 : data[0]) % 5]);
    bytes in = {size == 0 ? &none : data + 1, size == 0 ? 0 : size - 1};

    point(c, in);
    spki(c, in);
    certificate(c, in);
    agree_with_file(c, in);
    ERR_clear_error();
    return 0;
}
