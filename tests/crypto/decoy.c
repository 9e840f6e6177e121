/* SPDX-License-Identifier: Apache-2.0 */
#include "decoy.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdatomic.h>
#include <stdint.h>

static atomic_size_t visits;

size_t decoy_visits(void)
{
    return atomic_load(&visits);
}

/* What makes a context, of every operation alike: nobody gets any further. */
static void *turn_away(void *provider)
{
    (void)provider;
    atomic_fetch_add(&visits, 1);
    return NULL;
}

/* What libcrypto wants to see in a table, and never calls without a context. */
static int unreached(void)
{
    return 0;
}

#define TURN_AWAY(id)                                                                              \
    {                                                                                              \
        (id), (void (*)(void))turn_away                                                            \
    }
#define UNREACHED(id)                                                                              \
    {                                                                                              \
        (id), (void (*)(void))unreached                                                            \
    }

/* Sizes are asked for when an algorithm is fetched; 32 and 12 are as good as any. */
static int get_params(OSSL_PARAM params[])
{
    static const struct {
        const char *name;
        size_t value;
    } sizes[] = {
        {OSSL_DIGEST_PARAM_BLOCK_SIZE, 64}, {OSSL_DIGEST_PARAM_SIZE, 32},
        {OSSL_CIPHER_PARAM_KEYLEN, 32},     {OSSL_CIPHER_PARAM_IVLEN, 12},
        {OSSL_CIPHER_PARAM_BLOCK_SIZE, 1},
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        OSSL_PARAM *p = OSSL_PARAM_locate(params, sizes[i].name);

        if (p != NULL && OSSL_PARAM_set_size_t(p, sizes[i].value) != 1) {
            return 0;
        }
    }
    return 1;
}

static const OSSL_DISPATCH digest[] = {
    TURN_AWAY(OSSL_FUNC_DIGEST_NEWCTX),
    UNREACHED(OSSL_FUNC_DIGEST_FREECTX),
    UNREACHED(OSSL_FUNC_DIGEST_INIT),
    UNREACHED(OSSL_FUNC_DIGEST_UPDATE),
    UNREACHED(OSSL_FUNC_DIGEST_FINAL),
    {OSSL_FUNC_DIGEST_GET_PARAMS, (void (*)(void))get_params},
    {0, NULL},
};

static const OSSL_DISPATCH cipher[] = {
    TURN_AWAY(OSSL_FUNC_CIPHER_NEWCTX),
    UNREACHED(OSSL_FUNC_CIPHER_FREECTX),
    UNREACHED(OSSL_FUNC_CIPHER_ENCRYPT_INIT),
    UNREACHED(OSSL_FUNC_CIPHER_DECRYPT_INIT),
    UNREACHED(OSSL_FUNC_CIPHER_UPDATE),
    UNREACHED(OSSL_FUNC_CIPHER_FINAL),
    {OSSL_FUNC_CIPHER_GET_PARAMS, (void (*)(void))get_params},
    {0, NULL},
};

static const OSSL_DISPATCH kdf[] = {
    TURN_AWAY(OSSL_FUNC_KDF_NEWCTX),
    UNREACHED(OSSL_FUNC_KDF_FREECTX),
    UNREACHED(OSSL_FUNC_KDF_DERIVE),
    {0, NULL},
};

static const OSSL_DISPATCH mac[] = {
    TURN_AWAY(OSSL_FUNC_MAC_NEWCTX), UNREACHED(OSSL_FUNC_MAC_FREECTX),
    UNREACHED(OSSL_FUNC_MAC_INIT),   UNREACHED(OSSL_FUNC_MAC_UPDATE),
    UNREACHED(OSSL_FUNC_MAC_FINAL),  {0, NULL},
};

static void *new_generation(void *provider, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    (void)params;
    return turn_away(provider);
}

static const OSSL_DISPATCH keymgmt[] = {
    TURN_AWAY(OSSL_FUNC_KEYMGMT_NEW),
    UNREACHED(OSSL_FUNC_KEYMGMT_FREE),
    UNREACHED(OSSL_FUNC_KEYMGMT_HAS),
    {OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))new_generation},
    UNREACHED(OSSL_FUNC_KEYMGMT_GEN),
    UNREACHED(OSSL_FUNC_KEYMGMT_GEN_CLEANUP),
    UNREACHED(OSSL_FUNC_KEYMGMT_IMPORT),
    UNREACHED(OSSL_FUNC_KEYMGMT_IMPORT_TYPES),
    {0, NULL},
};

static const OSSL_DISPATCH keyexch[] = {
    TURN_AWAY(OSSL_FUNC_KEYEXCH_NEWCTX),   UNREACHED(OSSL_FUNC_KEYEXCH_FREECTX),
    UNREACHED(OSSL_FUNC_KEYEXCH_INIT),     UNREACHED(OSSL_FUNC_KEYEXCH_DERIVE),
    UNREACHED(OSSL_FUNC_KEYEXCH_SET_PEER), {0, NULL},
};

static void *new_random(void *provider, void *parent, const OSSL_DISPATCH *of_parent)
{
    (void)parent;
    (void)of_parent;
    return turn_away(provider);
}

static const OSSL_DISPATCH generator[] = {
    {OSSL_FUNC_RAND_NEWCTX, (void (*)(void))new_random},
    UNREACHED(OSSL_FUNC_RAND_FREECTX),
    UNREACHED(OSSL_FUNC_RAND_INSTANTIATE),
    UNREACHED(OSSL_FUNC_RAND_UNINSTANTIATE),
    UNREACHED(OSSL_FUNC_RAND_GENERATE),
    UNREACHED(OSSL_FUNC_RAND_GET_CTX_PARAMS),
    UNREACHED(OSSL_FUNC_RAND_ENABLE_LOCKING),
    UNREACHED(OSSL_FUNC_RAND_LOCK),
    UNREACHED(OSSL_FUNC_RAND_UNLOCK),
    {0, NULL},
};

#define PROPERTIES "provider=decoy"

static const OSSL_ALGORITHM digests[] = {
    {"SHA2-256:SHA-256:SHA256", PROPERTIES, digest, NULL},
    {"SHA2-384:SHA-384:SHA384", PROPERTIES, digest, NULL},
    {"SHA2-512:SHA-512:SHA512", PROPERTIES, digest, NULL},
    {NULL, NULL, NULL, NULL},
};
static const OSSL_ALGORITHM ciphers[] = {
    {"AES-128-GCM:id-aes128-GCM", PROPERTIES, cipher, NULL},
    {"AES-256-GCM:id-aes256-GCM", PROPERTIES, cipher, NULL},
    {"ChaCha20-Poly1305", PROPERTIES, cipher, NULL},
    {NULL, NULL, NULL, NULL},
};
static const OSSL_ALGORITHM kdfs[] = {{"HKDF", PROPERTIES, kdf, NULL}, {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM macs[] = {{"HMAC", PROPERTIES, mac, NULL}, {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM keymgmts[] = {
    {"EC:id-ecPublicKey", PROPERTIES, keymgmt, NULL},
    {"X25519", PROPERTIES, keymgmt, NULL},
    {"X448", PROPERTIES, keymgmt, NULL},
    {NULL, NULL, NULL, NULL},
};
static const OSSL_ALGORITHM keyexchs[] = {
    {"ECDH", PROPERTIES, keyexch, NULL},
    {"X25519", PROPERTIES, keyexch, NULL},
    {"X448", PROPERTIES, keyexch, NULL},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM rands[] = {
    {"CTR-DRBG", PROPERTIES, generator, NULL},
    {NULL, NULL, NULL, NULL},
};

static unsigned offered; /* by the process's last decoy */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_DIGEST:
        return (offered & DECOY_HASHES) != 0 ? digests : NULL;
    case OSSL_OP_MAC:
        return (offered & DECOY_HASHES) != 0 ? macs : NULL;
    case OSSL_OP_RAND:
        return (offered & DECOY_RANDOM) != 0 ? rands : NULL;
    case OSSL_OP_CIPHER:
        return ciphers;
    case OSSL_OP_KDF:
        return kdfs;
    case OSSL_OP_KEYMGMT:
        return keymgmts;
    case OSSL_OP_KEYEXCH:
        return keyexchs;
    default:
        return NULL;
    }
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {0, NULL},
    };

    (void)in;
    *out = functions;
    *provider = (void *)(uintptr_t)handle;
    return 1;
}

OSSL_PROVIDER *decoy_load(OSSL_LIB_CTX *libctx, unsigned offers)
{
    offered = offers;
    return OSSL_PROVIDER_add_builtin(libctx, "decoy", start) == 1
               ? OSSL_PROVIDER_load(libctx, "decoy")
               : NULL;
}
