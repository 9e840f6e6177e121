/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys out of certificates. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include <twoway/twoway.h>

#include "certificates.h"
#include "check.h"
#include "peers.h"

#define KEMS (sizeof(all_kems) / sizeof(all_kems[0]))

static const certificate_wish plain = {0};

static tw_key *fresh(size_t i)
{
    tw_key *key = NULL;

    check_note("with %s", tw_kem_name(all_kems[i]));
    must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
    return key;
}

static EVP_PKEY *parsed(const tw_key *key)
{
    return public_pkey(key->kem->id, key->public_key, key->kem->public_len);
}

/* The certificate of a key with these wishes. */
static bytes made(const tw_key *key, const certificate_wish *wish)
{
    EVP_PKEY *pkey = parsed(key);
    bytes der = certificate_of(pkey, wish);

    EVP_PKEY_free(pkey);
    return der;
}

/* read leaves nothing in `out` and in libcrypto's queue when it fails. */
static tw_err read(bytes in, tw_certificate *out)
{
    tw_certificate none = {.size = sizeof(none)};
    tw_err err;

    memset(out, 0xff, sizeof(*out));
    out->size = sizeof(*out);
    err = tw_public_from_certificate(in.data, in.len, NULL, out);
    must(ERR_peek_error() == 0);
    must(err == TW_OK || memcmp(out, &none, sizeof(none)) == 0);
    return err;
}

static void must_not_read(tw_err want, bytes in)
{
    tw_certificate c;

    must_err(want, read(in, &c));
}

static void must_read(const tw_key *key, bytes in)
{
    tw_certificate c;

    must_ok(read(in, &c));
    must(c.kem_id == key->kem->id);
    must_bytes(((bytes){(uint8_t *)key->public_key, key->kem->public_len}),
               ((bytes){c.public_key, c.public_len}));
    must(c.for_sealing);
    must(c.not_before == 1577836800 && c.not_after == 4733510400);
}

Test(certificate, a_key_of_every_kem_is_read_from_pem_and_der)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        bytes der = made(key, &plain);

        must_read(key, der);
        must_read(key, certificate_pem(der));
        tw_key_free(key);
    }
}

Test(certificate, a_compressed_point_inside_becomes_an_uncompressed_one)
{
    for (size_t i = 0; i < 3; i++) {
        tw_key *key = fresh(i);
        EVP_PKEY *pkey = parsed(key);
        bytes der;

        must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                            "compressed") == 1);
        der = certificate_of(pkey, &plain);
        must(der.len < made(key, &plain).len);
        must_read(key, der);
        EVP_PKEY_free(pkey);
        tw_key_free(key);
    }
}

Test(certificate, the_first_of_a_pem_counts_whatever_stands_around_it)
{
    tw_key *key = fresh(0), *other = fresh(1);
    bytes pem = certificate_pem(made(key, &plain));
    bytes chain = certificate_pem(made(other, &plain)), text = bytes_text("0 s:CN = hpke\n");

    must_read(key, bytes_cat(pem, chain));
    must_read(other, bytes_cat(chain, pem));
    must_read(key, bytes_cat(text, bytes_cat(pem, text)));
    tw_key_free(other);
    tw_key_free(key);
}

Test(certificate, one_cut_at_any_byte_or_longer_is_malformed)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        certificate_wish wish = {{{"keyUsage", "critical,keyAgreement"}}, 0, 0};
        bytes der = made(key, &wish), pem = certificate_pem(der);

        for (size_t len = 0; len < der.len; len++) {
            must_not_read(TW_ERR_FORMAT, bytes_of(der.data, len));
        }
        for (size_t len = 0; len + 1 < pem.len; len++) { /* all but the last line's end counts */
            must_not_read(TW_ERR_FORMAT, bytes_of(pem.data, len));
        }
        must_not_read(TW_ERR_FORMAT, bytes_cat(der, bytes_text("x")));
        tw_key_free(key);
    }
}

/* Whatever byte is another: refused, or read as some key and some times. */
Test(certificate, one_altered_at_any_byte_does_no_harm)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        certificate_wish wish = {{{"keyUsage", "critical,keyAgreement"}}, 0, 0};
        bytes der = made(key, &wish);

        for (size_t at = 0; at < der.len; at++) {
            bytes bad = bytes_of(der.data, der.len);
            tw_certificate c;

            bad.data[at] ^= (uint8_t)(1 << at % 8);
            if (read(bad, &c) == TW_OK) {
                must(tw_kem_name(c.kem_id) != NULL && c.public_len <= TW_MAX_PUBLIC);
            }
        }
        tw_key_free(key);
    }
}

Test(certificate, its_times_are_told_as_seconds)
{
    static const struct {
        int64_t not_before, not_after;
    } times[] = {
        {1, 2},                     /* 1970 */
        {-630720000, 0},            /* 1950 */
        {2524607999, 2524608000},   /* UTCTime's last second, GeneralizedTime's first */
        {1700000000, 253402300799}, /* 9999-12-31 23:59:59: "no well-defined expiration" */
    };
    tw_key *key = fresh(3);

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        certificate_wish wish = {.not_before = times[i].not_before,
                                 .not_after = times[i].not_after};
        tw_certificate c;

        check_note("(%zu)", i);
        must_ok(read(made(key, &wish), &c));
        must(c.not_before == times[i].not_before);
        must(c.not_after == times[i].not_after);
    }
    tw_key_free(key);
}

Test(certificate, its_extensions_say_whether_a_sender_may_use_the_key)
{
    static const struct {
        bool allowed;
        certificate_wish wish;
    } rows[] = {
        {true, {.extensions = {{"keyUsage", "keyAgreement"}}}},
        {true, {.extensions = {{"keyUsage", "critical,digitalSignature,keyAgreement"}}}},
        {true, {.extensions = {{"keyUsage", "keyAgreement,encipherOnly"}}}},
        {false, {.extensions = {{"keyUsage", "keyAgreement,decipherOnly"}}}},
        {false, {.extensions = {{"keyUsage", "digitalSignature"}}}},
        {false, {.extensions = {{"keyUsage", "critical,keyEncipherment,keyCertSign,cRLSign"}}}},
        {false, {.extensions = {{"keyUsage", "DER:03020700"}}}}, /* no bit at all */
        {false, {.extensions = {{"keyUsage", "DER:0402ffff"}}}}, /* no BIT STRING */
        {false, {.extensions = {{"keyUsage", "keyAgreement"}, {"keyUsage", "keyAgreement"}}}},
        {true, {.extensions = {{"extendedKeyUsage", "critical,emailProtection"}}}},
        {true, {.extensions = {{"basicConstraints", "critical,CA:TRUE"}}}},
        {true, {.extensions = {{"1.2.3.4", "DER:0500"}}}},
        {false, {.extensions = {{"1.2.3.4", "critical,DER:0500"}}}},
        {false, {.extensions = {{"keyUsage", "keyAgreement"}, {"1.2.3.4", "critical,DER:0500"}}}},
    };
    tw_key *key = fresh(0);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tw_certificate c;

        check_note("(row %zu)", i);
        must_ok(read(made(key, &rows[i].wish), &c));
        must(c.for_sealing == rows[i].allowed);
    }
    tw_key_free(key);
}

Test(certificate, a_key_without_a_kem_is_invalid)
{
    EVP_PKEY *others[] = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        check_note("with key %zu", i);
        must_not_read(TW_ERR_INVALID, certificate_of(others[i], &plain));
        EVP_PKEY_free(others[i]);
    }
}

/* The one place of the key's bytes in it, to be overwritten. */
static bytes with_key(const tw_key *key, const uint8_t *other)
{
    bytes der = made(key, &plain);
    size_t at = 0;

    while (memcmp(der.data + at, key->public_key, key->kem->public_len) != 0) {
        at++;
        must(at + key->kem->public_len <= der.len);
    }
    memcpy(der.data + at, other, key->kem->public_len);
    return der;
}

Test(certificate, a_point_that_no_private_key_should_meet_is_refused)
{
    static const uint8_t zeros[TW_MAX_PUBLIC];

    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        uint8_t pk[TW_MAX_PUBLIC];

        memcpy(pk, key->public_key, key->kem->public_len);
        pk[key->kem->public_len - 1] ^= 1;
        if (i < 3) { /* libcrypto reads no key with a point off its curve */
            must_not_read(TW_ERR_KEY, with_key(key, pk));
        }
        must_not_read(TW_ERR_KEY, with_key(key, zeros));
        tw_key_free(key);
    }
}

Test(certificate, what_is_none_is_malformed)
{
    tw_key *key = fresh(0);
    char pem[1024];
    size_t len;

    must_ok(tw_public_to_pem(key->kem->id, key->public_key, key->kem->public_len, NULL, pem,
                             sizeof(pem), &len));
    must_not_read(TW_ERR_FORMAT, bytes_of(pem, len));
    must_ok(tw_key_to_pem(key, pem, sizeof(pem), &len));
    must_not_read(TW_ERR_FORMAT, bytes_of(pem, len));
    must_not_read(TW_ERR_FORMAT, bytes_text("no certificate at all"));
    must_not_read(TW_ERR_FORMAT, bytes_noise(700, 1));
    must_not_read(TW_ERR_FORMAT, bytes_new(0));
    must_not_read(TW_ERR_FORMAT, bytes_text("-----BEGIN CERTIFICATE-----\n"
                                            "Proc-Type: 4,ENCRYPTED\n"
                                            "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF"
                                            "\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
                                            "-----END CERTIFICATE-----\n"));
    tw_key_free(key);
}

Test(certificate, arguments_out_of_range_are_invalid)
{
    tw_certificate c = {.size = sizeof(c) - 1};

    must_err(TW_ERR_INVALID, tw_public_from_certificate((const uint8_t *)"x", 1, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_public_from_certificate((const uint8_t *)"x", 1, NULL, &c));
    must_not_read(TW_ERR_INVALID, ((bytes){NULL, 5}));
}
