/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* What a sender wants of a certificate, which is the key in it. Whether to trust it is not
 * asked here: that takes a chain, names and revocation, and someone who knows all these. */

enum { /* bits of KeyUsage, RFC 5280 section 4.2.1.3 */
       KEY_AGREEMENT = 4,
       DECIPHER_ONLY = 8,
};

/* DER to its last byte. */
static X509 *read_der(const uint8_t *in, size_t in_len, const tw_provider *p)
{
    X509 *x = X509_new_ex(p->libctx, p->properties);
    const unsigned char *at = in;

    if (x != NULL && (d2i_X509(&x, &at, (long)in_len) == NULL || at != in + in_len)) {
        X509_free(x); /* NULL where reading failed */
        x = NULL;
    }
    return x;
}

/* The first certificate of a PEM, which may begin with text and go on with a chain. */
static X509 *read_pem(const uint8_t *in, size_t in_len, const tw_provider *p)
{
    BIO *bio = BIO_new_mem_buf(in, (int)in_len);
    X509 *x = X509_new_ex(p->libctx, p->properties);

    if (bio == NULL || x == NULL ||
        PEM_read_bio_X509(bio, &x, tw_pem_no_passphrase, NULL) == NULL) {
        X509_free(x);
        x = NULL;
    }
    BIO_free(bio);
    return x;
}

/* A sender enciphers, by key agreement. Section 4.2.1.3: keyAgreement is asserted for that,
 * and with decipherOnly "the subject public key may be used only for deciphering data". */
static bool usage_allows(const X509 *x)
{
    int found;
    ASN1_BIT_STRING *usage = X509_get_ext_d2i(x, NID_key_usage, &found, NULL);
    bool allowed = usage == NULL ? found == -1 /* none; or else malformed, or several */
                                 : ASN1_BIT_STRING_get_bit(usage, KEY_AGREEMENT) != 0 &&
                                       ASN1_BIT_STRING_get_bit(usage, DECIPHER_ONLY) == 0;

    ASN1_BIT_STRING_free(usage);
    return allowed;
}

/* Section 4.2: whoever uses a certificate must refuse it for a critical extension that he
 * does not know. */
static bool knows_what_is_critical(const X509 *x)
{
    for (int i = 0; i < X509_get_ext_count(x); i++) {
        X509_EXTENSION *extension = X509_get_ext(x, i);

        if (X509_EXTENSION_get_critical(extension) != 0 &&
            X509_supported_extension(extension) == 0) {
            return false;
        }
    }
    return true;
}

/* Seconds since 1970, in UTC. */
static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

    ASN1_TIME_free(epoch);
    *out = (int64_t)days * 86400 + seconds;
    return ok;
}

static tw_err take_apart(const X509 *x, const tw_provider *p, tw_certified_key *out)
{
    const EVP_PKEY *pkey = X509_get0_pubkey(x);
    tw_err err = pkey == NULL ? tw_pem_undecoded(X509_get_X509_PUBKEY(x), p, TW_ERR_INVALID)
                              : tw_pem_public_of(pkey, &out->key);

    if (err != TW_OK) {
        return err;
    }
    if (!seconds_of(X509_get0_notBefore(x), &out->not_before) ||
        !seconds_of(X509_get0_notAfter(x), &out->not_after)) {
        return TW_ERR_FORMAT;
    }
    out->for_sealing = usage_allows(x) && knows_what_is_critical(x);
    return TW_OK;
}

tw_err tw_certificate_read(const uint8_t *in, size_t in_len, const tw_provider *p,
                           tw_certified_key *out)
{
    tw_err err = TW_ERR_FORMAT;
    bool was_empty;
    X509 *x;

    memset(out, 0, sizeof(*out));
    if (in_len == 0 || in_len > INT_MAX) {
        return TW_ERR_FORMAT;
    }
    was_empty = tw_decoding_begin();
    x = read_der(in, in_len, p);
    if (x == NULL) {
        x = read_pem(in, in_len, p);
    }
    if (x != NULL) {
        err = take_apart(x, p, out);
    }
    if ((err != TW_OK || !out->for_sealing) && tw_decoding_lacked_memory(was_empty)) {
        err = TW_ERR_MEMORY;
    }
    tw_decoding_end(err);
    X509_free(x);
    return err;
}
