/* SPDX-License-Identifier: Apache-2.0 */
/* A provider of the caller's, by property query. Beside it stands one that offers the
 * same and must not be asked. */
#include <criterion/criterion.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include <twoway/hpke.h>
#include <twoway/ohttp.h>

#include "certificates.h"
#include "check.h"
#include "crypto/crypto.h"
#include "decoy.h"
#include "served.h"

static OSSL_LIB_CTX *libctx;
static OSSL_PROVIDER *decoy, *real;
static tw_provider by_query;

static void start(void)
{
    libctx = OSSL_LIB_CTX_new();
    must(libctx != NULL);
    decoy = decoy_load(libctx, 0); /* first come, first asked */
    must(decoy != NULL);
    real = OSSL_PROVIDER_load(libctx, "default");
    must(real != NULL);
    by_query = (tw_provider){.libctx = libctx, .properties = "provider=default"};
}

static void end(void)
{
    must(OSSL_PROVIDER_unload(real) == 1);
    must(OSSL_PROVIDER_unload(decoy) == 1);
    OSSL_LIB_CTX_free(libctx);
}

TestSuite(provider, .init = start, .fini = end, .timeout = 120);

static triple nth(size_t n)
{
    return (triple){all_kems[n / 9], all_kdfs[n / 3 % 3], all_aeads[n % 3]};
}

Test(provider, with_a_query_it_serves_everything_and_nobody_else_is_asked)
{
    for (size_t n = 0; n < 45; n++) {
        must_be_served(&by_query, nth(n));
    }
    must_size(0, decoy_visits());
}

/* Shows that the test above can fail: whatever is not asked for by the query ends here. */
Test(provider, without_a_query_the_other_one_is_asked)
{
    tw_provider any = {.libctx = libctx};
    tw_suite *suite = NULL;
    tw_key *key = NULL;

    must(tw_suite_new(TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, &any,
                      &suite) != TW_OK);
    must(decoy_visits() > 0);
    must(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, &any, &key) != TW_OK);
    must(suite == NULL && key == NULL);
}

/* The other one really offers what it counts. */
Test(provider, the_other_one_offers_what_it_counts)
{
    static const char *const kems[] = {"EC", "X25519", "X448"};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(libctx, "AES-256-GCM", "provider=decoy");
    EVP_KDF *kdf = EVP_KDF_fetch(libctx, "HKDF", "provider=decoy");
    EVP_KEYEXCH *exchange = EVP_KEYEXCH_fetch(libctx, "ECDH", "provider=decoy");

    must(cipher != NULL && kdf != NULL && exchange != NULL);
    EVP_CIPHER_free(cipher);
    EVP_KDF_free(kdf);
    EVP_KEYEXCH_free(exchange);
    for (size_t i = 0; i < 3; i++) {
        EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(libctx, kems[i], "provider=decoy");

        must(keymgmt != NULL);
        EVP_KEYMGMT_free(keymgmt);
    }
}

Test(provider, a_query_that_nobody_serves_is_invalid)
{
    static const char *const queries[] = {"provider=nobody", "fips=yes", "provider=base"};
    char pem[1024], spki[1024];
    tw_certificate c = {.size = sizeof(c)};
    uint8_t pk[TW_MAX_PUBLIC];
    tw_key *key = NULL, *none;
    uint16_t id;
    size_t len, spki_len, out_len;
    EVP_PKEY *pkey;
    bytes der;

    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, &by_query, &key));
    must_ok(tw_key_to_pem(key, pem, sizeof(pem), &len));
    pkey = public_pkey(key->kem->id, key->public_key, key->kem->public_len);
    der = certificate_of(pkey, &(certificate_wish){0});
    for (size_t i = 0; i < 3; i++) {
        tw_provider nobody = {.libctx = libctx, .properties = queries[i]};

        must_not_be_served(&nobody, nth(0), "EC");
        must_not_be_served(&nobody, (triple){TW_KEM_X25519_HKDF_SHA256, 1, 1}, "X25519");
        for (size_t k = 0; k < 5; k++) {
            none = (tw_key *)&none;
            must_err(TW_ERR_INVALID, tw_key_generate(all_kems[k], NULL, &nobody, &none));
            must(none == NULL);
        }
        must_err(TW_ERR_INVALID, tw_key_from_pem(pem, len, &nobody, &none));
        must(none == NULL);
        must_ok(tw_public_to_pem(TW_KEM_P256_HKDF_SHA256, key->public_key, 65, &by_query, spki,
                                 sizeof(spki), &spki_len));
        must_err(TW_ERR_INVALID,
                 tw_public_from_pem(spki, spki_len, &nobody, &id, pk, sizeof(pk), &out_len));
        must_err(TW_ERR_INVALID, tw_public_from_certificate(der.data, der.len, &nobody, &c));
    }
    EVP_PKEY_free(pkey);
    tw_key_free(key);
}

Test(provider, a_pem_is_read_by_it)
{
    for (size_t k = 0; k < 5; k++) {
        tw_key *key = NULL, *again = NULL;
        uint8_t pk[TW_MAX_PUBLIC];
        size_t len, pk_len;
        char pem[1024];
        uint16_t id;

        must_ok(tw_key_generate(all_kems[k], NULL, &by_query, &key));
        must_ok(tw_key_to_pem(key, pem, sizeof(pem), &len));
        must_ok(tw_key_from_pem(pem, len, &by_query, &again));
        must_ok(tw_public_to_pem(all_kems[k], key->public_key, key->kem->public_len, &by_query, pem,
                                 sizeof(pem), &len));
        must_ok(tw_public_from_pem(pem, len, &by_query, &id, pk, sizeof(pk), &pk_len));
        must_size(0, decoy_visits());
        tw_key_free(key);
        tw_key_free(again);
    }
}

/* Random bytes too: what the library draws itself, for a body's key and a nonce. */
Test(provider, random_bytes_are_the_providers)
{
    OSSL_LIB_CTX *other = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *first, *second;
    tw_provider query = {.libctx = other, .properties = "provider=default"};
    tw_provider any = {.libctx = other}, nobody = {.libctx = other, .properties = "fips=yes"};
    uint8_t drawn[3][32] = {{0}}, zeros[32] = {0};

    first = decoy_load(other, DECOY_RANDOM);
    second = OSSL_PROVIDER_load(other, "default");
    must(first != NULL && second != NULL);
    for (size_t i = 0; i < 3; i++) {
        must_ok(tw_random(&query, NULL, i == 0, drawn[i], sizeof(drawn[i])));
    }
    must_size(0, decoy_visits());
    must(memcmp(drawn[0], drawn[1], 32) != 0 && memcmp(drawn[1], drawn[2], 32) != 0);
    must(memcmp(drawn[0], zeros, 32) != 0);
    must_err(TW_ERR_RANDOM, tw_random(&nobody, NULL, true, drawn[0], sizeof(drawn[0])));
    must(memcmp(drawn[0], zeros, 32) == 0);
    must_err(TW_ERR_RANDOM, tw_random(&any, NULL, true, drawn[1], sizeof(drawn[1])));
    must(decoy_visits() > 0);
    must(OSSL_PROVIDER_unload(first) == 1 && OSSL_PROVIDER_unload(second) == 1);
    OSSL_LIB_CTX_free(other);
}

/* A KEM of one provider, the rest of another that is not there. */
Test(provider, what_is_missing_is_named)
{
    tw_provider nobody = {.libctx = libctx, .properties = "provider=nobody"};
    tw_suite *suite = NULL;
    tw_kem *kem = NULL;

    must_ok(tw_kem_new(TW_KEM_P256_HKDF_SHA256, &by_query, &kem));
    must_err(TW_ERR_INVALID, tw_suite_with_kem(kem, 1, 1, &nobody, &suite));
    must(suite == NULL);
    tw_kem_free(kem);
}

/* libcrypto's HKDF refuses an output of no length. */
Test(provider, an_export_of_nothing_is_nothing)
{
    tw_hpke_params params = {.size = sizeof(params)};
    uint8_t enc[TW_MAX_ENC], out[1] = {7};
    tw_suite *suite = NULL;
    tw_key *key = NULL;
    tw_hpke *sender = NULL;

    for (size_t i = 0; i < 2; i++) {
        const tw_provider *p = i == 0 ? NULL : &by_query;

        must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, 1, 1, p, &suite));
        must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, p, &key));
        params.suite = suite;
        must_ok(tw_hpke_sender(&params, key->public_key, 65, enc, sizeof(enc), &sender));
        must_ok(tw_hpke_export(sender, enc, 9, out, 0));
        must_ok(tw_hpke_export(sender, NULL, 0, NULL, 0));
        must(out[0] == 7 && ERR_peek_error() == 0);
        tw_hpke_free(sender);
        tw_key_free(key);
        tw_suite_free(suite);
    }
}

Test(provider, a_configuration_is_chosen_by_what_the_provider_serves)
{
    tw_provider nobody = {.libctx = libctx, .properties = "provider=nobody"};
    tw_config config = {.key_id = 3,
                        .kem_id = TW_KEM_P256_HKDF_SHA256,
                        .symmetric = {{TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM}},
                        .symmetric_count = 1};
    tw_key *key = NULL;
    tw_header header;
    size_t index = 9;

    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, &by_query, &key));
    config.public_len = key->kem->public_len;
    memcpy(config.public_key, key->public_key, config.public_len);
    must_ok(tw_config_choose(&config, 1, &by_query, &index, &header));
    must_size(0, index);
    must_err(TW_ERR_KEY, tw_config_choose(&config, 1, &nobody, &index, &header));
    tw_key_free(key);
    must_size(0, decoy_visits());
}

/* A context of the caller's alone, with no query, is served by what it holds. */
Test(provider, a_library_context_of_the_callers_serves_everything)
{
    OSSL_LIB_CTX *own = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *only = OSSL_PROVIDER_load(own, "default");
    tw_provider provider = {.libctx = own, .properties = NULL};

    must(own != NULL && only != NULL);
    for (size_t n = 0; n < 45; n += 4) {
        must_be_served(&provider, nth(n));
    }
    must(OSSL_PROVIDER_unload(only) == 1);
    OSSL_LIB_CTX_free(own);
}
