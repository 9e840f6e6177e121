/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider that has everything but one algorithm, each in its turn: what needs that one is
 * refused at the start, by name, and everything else is served. It is libcrypto's default
 * provider under another name, seen through a sieve.
 */
#include <criterion/criterion.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "served.h"

#define MOST 256 /* algorithms of one operation */

static OSSL_PROVIDER *whole;
static int lacking_operation; /* with lacking_name: what does not pass */
static const char *lacking_name;
static OSSL_ALGORITHM passed[OSSL_OP__HIGHEST + 1][MOST];

static bool is_named(const OSSL_ALGORITHM *algorithm, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = algorithm->algorithm_names; at != NULL; at = strchr(at, ':')) {
        at += *at == ':';
        if (strncasecmp(at, name, len) == 0 && (at[len] == ':' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static const OSSL_ALGORITHM *sieve(void *provider, int operation, int *no_cache)
{
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, operation, no_cache);
    size_t count = 0;

    (void)provider;
    for (; all != NULL && all->algorithm_names != NULL; all++) {
        if (operation != lacking_operation || !is_named(all, lacking_name)) {
            must(count + 1 < MOST);
            passed[operation][count] = *all;
            passed[operation][count++].property_definition = "provider=sieve";
        }
    }
    passed[operation][count] = (OSSL_ALGORITHM){0};
    return passed[operation];
}

static int start_sieve(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))sieve},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *provider = OSSL_PROVIDER_get0_provider_ctx(whole);
    return 1;
}

/* --- Which triple needs what. ----------------------------------------------------------- */

typedef struct need {
    const char *algorithm; /* as the error names it */
    const char *name;      /* as the provider has it */
    int operation;
    uint16_t kem_id, kdf_id, aead_id; /* who needs it; 0: all */
} need;

static const need needs[] = {
    {"AES-128-GCM", "AES-128-GCM", OSSL_OP_CIPHER, 0, 0, TW_AEAD_AES_128_GCM},
    {"AES-256-GCM", "AES-256-GCM", OSSL_OP_CIPHER, 0, 0, TW_AEAD_AES_256_GCM},
    {"ChaCha20-Poly1305", "ChaCha20-Poly1305", OSSL_OP_CIPHER, 0, 0, TW_AEAD_CHACHA20_POLY1305},
    {"SHA2-256", "SHA2-256", OSSL_OP_DIGEST, 0, TW_KDF_HKDF_SHA256, 0},
    {"SHA2-384", "SHA2-384", OSSL_OP_DIGEST, 0, TW_KDF_HKDF_SHA384, 0},
    {"SHA2-512", "SHA2-512", OSSL_OP_DIGEST, 0, TW_KDF_HKDF_SHA512, 0},
    {"HKDF", "HKDF", OSSL_OP_KDF, 0, 0, 0},
    {"X25519", "X25519", OSSL_OP_KEYMGMT, TW_KEM_X25519_HKDF_SHA256, 0, 0},
    {"X25519", "X25519", OSSL_OP_KEYEXCH, TW_KEM_X25519_HKDF_SHA256, 0, 0},
    {"X448", "X448", OSSL_OP_KEYMGMT, TW_KEM_X448_HKDF_SHA512, 0, 0},
    {"X448", "X448", OSSL_OP_KEYEXCH, TW_KEM_X448_HKDF_SHA512, 0, 0},
};
/* The three NIST curves are one algorithm. */
static const need of_nist[] = {
    {"EC", "EC", OSSL_OP_KEYMGMT, 0, 0, 0},
    {"ECDH", "ECDH", OSSL_OP_KEYEXCH, 0, 0, 0},
};

static bool is_nist(uint16_t kem_id)
{
    return kem_id == TW_KEM_P256_HKDF_SHA256 || kem_id == TW_KEM_P384_HKDF_SHA384 ||
           kem_id == TW_KEM_P521_HKDF_SHA512;
}

/* The digest of the KEM's own KDF, RFC 9180 section 7.1. */
static uint16_t kdf_of(uint16_t kem_id)
{
    return kem_id == TW_KEM_P384_HKDF_SHA384                                        ? 2
           : kem_id == TW_KEM_P521_HKDF_SHA512 || kem_id == TW_KEM_X448_HKDF_SHA512 ? 3
                                                                                    : 1;
}

static bool concerns(const need *n, bool nist_alone, triple t)
{
    return (!nist_alone || is_nist(t.kem_id)) && (n->kem_id == 0 || n->kem_id == t.kem_id) &&
           (n->kdf_id == 0 || n->kdf_id == t.kdf_id || n->kdf_id == kdf_of(t.kem_id)) &&
           (n->aead_id == 0 || n->aead_id == t.aead_id);
}

/* --- Tests. ------------------------------------------------------------------------------- */

static OSSL_PROVIDER *sieved;

static tw_provider start_without(int operation, const char *name)
{
    tw_provider provider = {.libctx = OSSL_LIB_CTX_new(), .properties = "provider=sieve"};

    lacking_operation = operation;
    lacking_name = name;
    whole = OSSL_PROVIDER_load(provider.libctx, "default");
    must(OSSL_PROVIDER_add_builtin(provider.libctx, "sieve", start_sieve) == 1);
    sieved = OSSL_PROVIDER_load(provider.libctx, "sieve");
    must(whole != NULL && sieved != NULL);
    return provider;
}

static void end_without(const tw_provider *provider)
{
    must(OSSL_PROVIDER_unload(sieved) == 1 && OSSL_PROVIDER_unload(whole) == 1);
    OSSL_LIB_CTX_free(provider->libctx);
}

static void must_refuse_who_needs(const need *n, bool nist_alone)
{
    tw_provider provider = start_without(n->operation, n->name);

    for (size_t i = 0; i < 45; i++) {
        triple t = {all_kems[i / 9], all_kdfs[i / 3 % 3], all_aeads[i % 3]};
        tw_suite *suite = NULL;

        check_note("without %s: %s, %s, %s", n->name, tw_kem_name(t.kem_id), tw_kdf_name(t.kdf_id),
                   tw_aead_name(t.aead_id));
        if (concerns(n, nist_alone, t)) {
            must_not_be_served(&provider, t, n->algorithm);
        } else {
            must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, &provider, &suite));
            tw_suite_free(suite);
        }
    }
    end_without(&provider);
}

Test(provider_lacking, one_algorithm_refuses_those_who_need_it_by_its_name_and_serves_the_rest)
{
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        must_refuse_who_needs(&needs[i], false);
    }
    for (size_t i = 0; i < sizeof(of_nist) / sizeof(of_nist[0]); i++) {
        must_refuse_who_needs(&of_nist[i], true);
    }
}

/* Nobody else's are taken in their place. */
Test(provider_lacking, random_bytes_refuses_what_draws_some)
{
    tw_provider provider = start_without(OSSL_OP_RAND, "CTR-DRBG");
    uint8_t head[TW_MAX_HEAD];
    tw_suite *suite = NULL;
    tw_sealer *sealer = (tw_sealer *)&sealer;
    tw_multi *multi = (tw_multi *)&multi;

    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, 1, 1, &provider, &suite));
    ERR_clear_error();
    must_err(TW_ERR_RANDOM, tw_multi_new(suite, NULL, NULL, head, sizeof(head), &sealer, &multi));
    must(sealer == NULL && multi == NULL);
    must_be_named("CTR-DRBG", &provider);
    tw_suite_free(suite);
    end_without(&provider);
}
