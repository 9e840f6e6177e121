/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider that is loaded later, and preferred from then on, works beside what was made by the
 * one before it. This one is libcrypto's default under another name, so what passes from one to
 * the other is exported and imported. Of a key object that is written over libcrypto then hands
 * out the copy that it made before (OpenSSL 3.0 to 3.6 at least).
 */
#include <criterion/criterion.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crypto/crypto.h"

enum { PEERS = 4, MOST_ALGORITHMS = 64 };

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

/* --- The provider. ---------------------------------------------------------------------------- */

static OSSL_PROVIDER *original;

static const OSSL_ALGORITHM *twin_query(void *ctx, int operation, int *no_cache)
{
    static OSSL_ALGORITHM tables[2][MOST_ALGORITHMS];
    OSSL_ALGORITHM *table = tables[operation == OSSL_OP_KEYMGMT];
    const OSSL_ALGORITHM *from;
    size_t count = 0;

    (void)ctx;
    if (operation != OSSL_OP_KEYMGMT && operation != OSSL_OP_KEYEXCH) {
        return NULL;
    }
    from = OSSL_PROVIDER_query_operation(original, operation, no_cache);
    for (; from[count].algorithm_names != NULL; count++) {
        must(count + 1 < MOST_ALGORITHMS);
        table[count] = from[count];
        table[count].property_definition = "provider=twin";
    }
    table[count] = (OSSL_ALGORITHM){0};
    return table;
}

static void twin_teardown(void *ctx)
{
    (void)ctx;
}

static int twin_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                     const OSSL_DISPATCH **out, void **ctx)
{
    static const OSSL_DISPATCH table[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))twin_query},
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))twin_teardown},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = table;
    *ctx = OSSL_PROVIDER_get0_provider_ctx(original);
    return 1;
}

/* --- The tests. ------------------------------------------------------------------------------- */

typedef struct side {
    tw_group group;
    tw_dh_key key;
    uint8_t point[133];
} side;

static void make(side *s, uint16_t kem_id, OSSL_LIB_CTX *libctx)
{
    const tw_provider provider = {.libctx = libctx};

    memset(s, 0, sizeof(*s));
    must_ok(tw_group_init(&s->group, tw_dh_alg_find(kem_id), &provider));
    must_ok(tw_dh_generate(&s->group, &s->key));
    must_ok(tw_dh_public(&s->group, &s->key, s->point));
}

static void end(side *s)
{
    tw_dh_key_clear(&s->key);
    tw_group_clear(&s->group);
}

static void must_agree(side *ours, const tw_dh_key *own, const uint8_t *own_point, side *theirs)
{
    uint8_t dh[TW_MAX_DH], wanted[TW_MAX_DH];
    size_t len = ours->group.alg->dh_len;

    must_ok(tw_dh_derive(&ours->group, own, theirs->point, dh));
    must_ok(tw_dh_derive(&theirs->group, &theirs->key, own_point, wanted));
    must_bytes(bytes_of(wanted, len), bytes_of(dh, len));
}

static void must_serve(uint16_t kem_id)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    side ours, theirs[PEERS];
    OSSL_PROVIDER *twin;

    must(libctx != NULL);
    original = OSSL_PROVIDER_load(libctx, "default");
    must(original != NULL && OSSL_PROVIDER_add_builtin(libctx, "twin", twin_init) == 1);
    make(&ours, kem_id, libctx);
    for (size_t i = 0; i < PEERS; i++) {
        make(&theirs[i], kem_id, NULL);
    }
    must_agree(&ours, &ours.key, ours.point, &theirs[0]);
    twin = OSSL_PROVIDER_load(libctx, "twin");
    must(twin != NULL && EVP_set_default_properties(libctx, "?provider=twin") == 1);
    for (size_t i = 0; i < 3 * PEERS; i++) {
        side *to = &theirs[i % PEERS];
        tw_dh_key once = {0};
        uint8_t point[133];

        must_agree(&ours, &ours.key, ours.point, to);
        must_ok(tw_dh_generate(&ours.group, &once));
        must_ok(tw_dh_public(&ours.group, &once, point));
        must_agree(&ours, &once, point, to);
        tw_dh_key_clear(&once);
    }
    for (size_t i = 0; i < PEERS; i++) {
        end(&theirs[i]);
    }
    end(&ours);
    (void)OSSL_PROVIDER_unload(twin);
    (void)OSSL_PROVIDER_unload(original);
    OSSL_LIB_CTX_free(libctx);
}

Test(later, each_point_is_derived_with_whatever_provider_has_come)
{
    for (size_t i = 0; i < TW_COUNT(kems); i++) {
        must_serve(kems[i]);
    }
}
