/* SPDX-License-Identifier: Apache-2.0 */
/* SubjectPublicKeyInfo in PEM whose key is none: libcrypto reads nothing of these. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include <twoway/twoway.h>

#include "certificates.h"
#include "check.h"
#include "peers.h"

#define KEMS (sizeof(all_kems) / sizeof(all_kems[0]))
#define NIST 3 /* of them, the first */

/* The PEM of a key of this KEM with `point` in the key's place, which ends it. */
static bytes pem_with(const tw_key *key, bytes point)
{
    size_t len = key->kem->public_len;
    EVP_PKEY *pkey = public_pkey(key->kem->id, key->public_key, len);
    unsigned char *der = NULL;
    int der_len = i2d_PUBKEY(pkey, &der);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    bytes pem;

    must(der_len > (int)len && point.len <= len);
    /* Outer length, and that of the bit string with its one byte more; both are of one byte
     * or the point is as long as before. */
    must(point.len == len || der_len < 128 + 2);
    der[1] = (unsigned char)(der[1] - (len - point.len));
    der[(size_t)der_len - len - 2] =
        (unsigned char)(der[(size_t)der_len - len - 2] - (len - point.len));
    memcpy(der + der_len - len, point.data, point.len);
    must(PEM_write_bio(bio, "PUBLIC KEY", "", der, (long)((size_t)der_len - len + point.len)) > 0);
    der_len = (int)BIO_get_mem_data(bio, &text);
    pem = bytes_of(text, (size_t)der_len);
    BIO_free(bio);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    return pem;
}

static tw_err read_pem(const tw_provider *p, bytes pem)
{
    uint8_t pk[TW_MAX_PUBLIC];
    uint16_t kem_id = 1;
    size_t len = 1;
    tw_err err = tw_public_from_pem((char *)pem.data, pem.len, p, &kem_id, pk, sizeof(pk), &len);

    must(err == TW_OK ? len > 0 : len == 0 && kem_id == 0);
    must(ERR_peek_error() == 0);
    return err;
}

Test(points, one_off_its_curve_is_told_as_such)
{
    for (size_t i = 0; i < NIST; i++) {
        tw_key *key = NULL;
        bytes pk;

        check_note("with %s", tw_kem_name(all_kems[i]));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
        pk = bytes_of(key->public_key, key->kem->public_len);
        must_ok(read_pem(NULL, pem_with(key, pk)));
        pk.data[pk.len - 1] ^= 1;
        must_err(TW_ERR_KEY, read_pem(NULL, pem_with(key, pk)));
        memset(pk.data, 0, pk.len);
        must_err(TW_ERR_KEY, read_pem(NULL, pem_with(key, pk)));
        tw_key_free(key);
    }
}

Test(points, a_compressed_one_without_a_second_coordinate_is_told_as_such)
{
    tw_key *key = NULL;
    size_t refused = 0;

    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, NULL, &key));
    for (uint8_t x = 0; x < 32; x++) { /* half of all x have none */
        bytes pk = bytes_new(33);
        tw_err err;

        pk.data[0] = 2;
        pk.data[32] = x;
        err = read_pem(NULL, pem_with(key, pk));
        must(err == TW_OK || err == TW_ERR_KEY);
        refused += err == TW_ERR_KEY;
    }
    must(refused > 0 && refused < 32);
    tw_key_free(key);
}

Test(points, one_of_another_length_is_told_as_such)
{
    for (size_t i = NIST; i < KEMS; i++) {
        tw_key *key = NULL;
        bytes pk;

        check_note("with %s", tw_kem_name(all_kems[i]));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
        pk = bytes_of(key->public_key, key->kem->public_len - 1);
        must_err(TW_ERR_KEY, read_pem(NULL, pem_with(key, pk)));
        tw_key_free(key);
    }
}
