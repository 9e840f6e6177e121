/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include <twoway/twoway.h>

#include "armor.h"
#include "fuzz.h"
#include "support/certificates.h"
#include "support/check.h"
#include "support/peers.h"

#define KEMS (sizeof(all_kems) / sizeof(all_kems[0]))

/* Takes what one of libcrypto's i2d functions made. */
static bytes der_of(unsigned char *data, int len)
{
    bytes der;

    must(len > 0);
    der = bytes_of(data, (size_t)len);
    OPENSSL_free(data);
    return der;
}

static bytes text_of(const tw_key *key)
{
    bytes text = bytes_new(4096);
    size_t len = 0;

    must_ok(tw_key_to_pem(key, (char *)text.data, text.len, &len));
    return bytes_part(text, 0, len);
}

static EVP_PKEY *pkey_of(const tw_key *key)
{
    bytes text = text_of(key);
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    must(pkey != NULL);
    BIO_free(bio);
    return pkey;
}

static bytes pkcs8_of(const EVP_PKEY *pkey)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *data = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &data);

    PKCS8_PRIV_KEY_INFO_free(info);
    return der_of(data, len);
}

static bytes sec1_of(const EVP_PKEY *pkey)
{
    unsigned char *data = NULL;
    int len = i2d_PrivateKey(pkey, &data);

    return der_of(data, len);
}

static bytes spki_of(EVP_PKEY *pkey)
{
    unsigned char *data = NULL;
    int len = i2d_PUBKEY(pkey, &data);

    return der_of(data, len);
}

static void pem_seed(const char *name, unsigned how, bytes content)
{
    const uint8_t first = (uint8_t)how;

    write_seed("pem", name, bytes_cat(bytes_of(&first, 1), content));
}

static void encoding_seed(const char *name, size_t curve, bytes content)
{
    const uint8_t first = (uint8_t)curve;

    write_seed("encoding", name, bytes_cat(bytes_of(&first, 1), content));
}

static void seed_named(void (*write)(const char *, bytes, size_t), const char *what, size_t kem,
                       bytes content)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s-%s", tw_kem_name(all_kems[kem]), what);
    write(name, content, kem);
}

static void as_pkcs8(const char *name, bytes content, size_t kem)
{
    (void)kem;
    pem_seed(name, ARMOR_PRIVATE, content);
}

static void as_public(const char *name, bytes content, size_t kem)
{
    (void)kem;
    pem_seed(name, ARMOR_AS_PUBLIC + ARMOR_PUBLIC, content);
}

static void as_sec1(const char *name, bytes content, size_t kem)
{
    (void)kem;
    pem_seed(name, ARMOR_EC_PRIVATE, content);
}

static void as_encoding(const char *name, bytes content, size_t kem)
{
    encoding_seed(name, kem, content);
}

static bool is_nist(size_t kem)
{
    return all_kems[kem] < TW_KEM_X25519_HKDF_SHA256;
}

/* Point and OCTET STRING, as tokens hold them. */
static void point_seeds(const tw_key *key, size_t kem)
{
    uint8_t len = (uint8_t)key->kem->public_len;
    const uint8_t brief[] = {4, len}, full[] = {4, 0x81, len};
    bytes point = bytes_of(key->public_key, len);

    seed_named(as_encoding, "point", kem, point);
    seed_named(as_encoding, "octets", kem,
               len < 0x80 ? bytes_cat(bytes_of(brief, 2), point)
                          : bytes_cat(bytes_of(full, 3), point));
}

static void odd_keys(void)
{
    EVP_PKEY *pkey = pkey_of(fuzz_key(TW_KEM_P256_HKDF_SHA256));
    EVP_PKEY *ed = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, fuzz_plain().data, 32);
    bytes text = text_of(fuzz_key(TW_KEM_X25519_HKDF_SHA256));
    bytes sec1;

    pem_seed("text", ARMOR_NONE, text);
    pem_seed("two", ARMOR_NONE, bytes_cat(text_of(fuzz_key(TW_KEM_P256_HKDF_SHA256)), text));
    pem_seed("other-kind", ARMOR_PRIVATE, pkcs8_of(ed));
    pem_seed("private-as-public", ARMOR_AS_PUBLIC + ARMOR_PRIVATE, pkcs8_of(pkey));
    pem_seed("encrypted", ARMOR_ENCRYPTED, pkcs8_of(pkey));
    must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                        "compressed") == 1);
    pem_seed("compressed", ARMOR_AS_PUBLIC + ARMOR_PUBLIC, spki_of(pkey));
    encoding_seed("compressed", 0, spki_of(pkey));
    encoding_seed("short", 3, /* X25519's, a byte less */
                  bytes_cat(bytes_hex("3029300506032b656e032000"), bytes_noise(31, 1)));
    must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                        "hybrid") == 1);
    pem_seed("hybrid", ARMOR_AS_PUBLIC + ARMOR_PUBLIC, spki_of(pkey));
    encoding_seed("hybrid", 0, spki_of(pkey));
    must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                        "uncompressed") == 1);
    must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, "explicit") == 1);
    pem_seed("explicit", ARMOR_EC_PRIVATE, sec1_of(pkey));
    pem_seed("explicit-public", ARMOR_AS_PUBLIC + ARMOR_PUBLIC, spki_of(pkey));
    must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, "named_curve") == 1);
    sec1 = sec1_of(pkey);
    sec1.data[sec1.len - 1] ^= 1;
    pem_seed("halves-apart", ARMOR_EC_PRIVATE, sec1);
    must(EVP_PKEY_set_int_param(pkey, OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 0) == 1);
    pem_seed("no-public", ARMOR_EC_PRIVATE, sec1_of(pkey));
    EVP_PKEY_free(pkey);
    EVP_PKEY_free(ed);
}

static void odd_certificates(void)
{
    static const certificate_wish plain = {.not_before = 0};
    EVP_PKEY *pkey = pkey_of(fuzz_key(TW_KEM_X25519_HKDF_SHA256));

    encoding_seed("certificate-text", 3, certificate_pem(certificate_of(pkey, &plain)));
    EVP_PKEY_free(pkey);
}

void key_seeds(void)
{
    static const certificate_wish wishes[] = {
        {.not_before = 0},
        {.extensions = {{"keyUsage", "critical,keyAgreement"},
                        {"basicConstraints", "critical,CA:FALSE"},
                        {"1.2.3.4", "critical,DER:0500"}}}};

    for (size_t i = 0; i < KEMS; i++) {
        const tw_key *key = fuzz_key(all_kems[i]);
        EVP_PKEY *pkey = pkey_of(key);

        seed_named(as_pkcs8, "pkcs8", i, pkcs8_of(pkey));
        seed_named(as_public, "public", i, spki_of(pkey));
        if (is_nist(i)) {
            seed_named(as_sec1, "sec1", i, sec1_of(pkey));
        }
        point_seeds(key, i);
        seed_named(as_encoding, "spki", i, spki_of(pkey));
        seed_named(as_encoding, "certificate", i, certificate_of(pkey, &wishes[i % 2]));
        EVP_PKEY_free(pkey);
    }
    odd_keys();
    odd_certificates();
}
