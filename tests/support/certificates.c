/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <twoway/twoway.h>

#include "check.h"

/* Ed25519 signs without chance (RFC 8032). */
static EVP_PKEY *signer(void)
{
    static const uint8_t secret[32] = {7};

    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
}

static void add_extensions(X509 *x, const certificate_wish *wish)
{
    for (size_t i = 0; i < MOST_EXTENSIONS && wish->extensions[i].name != NULL; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf(NULL, NULL, wish->extensions[i].name, wish->extensions[i].value);

        must(extension != NULL && X509_add_ext(x, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }
}

static void set_times(X509 *x, const certificate_wish *wish)
{
    bool usual = wish->not_before == 0 && wish->not_after == 0;

    must(ASN1_TIME_set(X509_getm_notBefore(x), usual ? 1577836800 : wish->not_before) != NULL);
    must(ASN1_TIME_set(X509_getm_notAfter(x), usual ? 4733510400 : wish->not_after) != NULL);
}

EVP_PKEY *public_pkey(uint16_t kem_id, const uint8_t *pk, size_t pk_len)
{
    char pem[1024];
    size_t len;
    EVP_PKEY *pkey;
    BIO *bio;

    must_ok(tw_public_to_pem(kem_id, pk, pk_len, NULL, pem, sizeof(pem), &len));
    bio = BIO_new_mem_buf(pem, (int)len);
    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    must(pkey != NULL);
    BIO_free(bio);
    return pkey;
}

bytes certificate_of(EVP_PKEY *key, const certificate_wish *wish)
{
    X509 *x = X509_new();
    EVP_PKEY *by = signer();
    unsigned char *der = NULL;
    bytes out;
    int len;

    must(key != NULL && by != NULL && x != NULL);
    must(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"hpke", -1, -1, 0) == 1);
    must(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
    set_times(x, wish);
    add_extensions(x, wish);
    must(X509_sign(x, by, NULL) > 0);
    len = i2d_X509(x, &der);
    must(len > 0);
    out = bytes_of(der, (size_t)len);
    OPENSSL_free(der);
    EVP_PKEY_free(by);
    X509_free(x);
    return out;
}

bytes certificate_pem(bytes der)
{
    const unsigned char *at = der.data;
    X509 *x = d2i_X509(NULL, &at, (long)der.len);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bytes out;
    long len;

    must(x != NULL && bio != NULL && PEM_write_bio_X509(bio, x) == 1);
    len = BIO_get_mem_data(bio, &text);
    must(len > 0);
    out = bytes_of(text, (size_t)len);
    BIO_free(bio);
    X509_free(x);
    return out;
}
