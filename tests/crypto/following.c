/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context whose peer's key object is written over derives with what is written there: as
 * libcrypto's providers have it, and promised by nobody. Those that do otherwise are played by
 * calls in libcrypto's place, which give a context a copy of its peer, or refuse it a second use.
 */
#include <criterion/criterion.h>

#include <dlfcn.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crypto/crypto.h"

enum { PEERS = 6 };

static const tw_provider default_provider, by_query = {.properties = "provider=default"};
static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

static enum { FOLLOWS, COPIES_WHEN_TOLD, COPIES_WHEN_USED, DERIVES_ONCE, FAILS } manner;
static size_t set;         /* peers, since the count began */
static EVP_PKEY *set_last; /* and not used since */

static void (*found(const char *name))(void)
{
    void *address = dlsym(RTLD_NEXT, name);
    void (*function)(void);

    must(address != NULL);
    memcpy(&function, &address, sizeof(function));
    return function;
}

static int set_peer(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, int validate, bool copied)
{
    int (*real)(EVP_PKEY_CTX *, EVP_PKEY *, int) =
        (int (*)(EVP_PKEY_CTX *, EVP_PKEY *, int))found("EVP_PKEY_derive_set_peer_ex");
    EVP_PKEY *given = copied ? EVP_PKEY_dup(peer) : peer;
    int result;

    must(given != NULL);
    result = real(ctx, given, validate);
    if (copied) {
        EVP_PKEY_free(given);
    }
    return result;
}

int EVP_PKEY_derive_set_peer_ex(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, int validate)
{
    set++;
    set_last = peer;
    return set_peer(ctx, peer, validate, manner == COPIES_WHEN_TOLD);
}

int EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *out_len)
{
    int (*real)(EVP_PKEY_CTX *, unsigned char *, size_t *) =
        (int (*)(EVP_PKEY_CTX *, unsigned char *, size_t *))found("EVP_PKEY_derive");
    EVP_PKEY *fresh = set_last;

    set_last = NULL;
    if (manner == FAILS || (manner == DERIVES_ONCE && fresh == NULL)) {
        ERR_raise(ERR_LIB_EVP, ERR_R_OPERATION_FAIL);
        return 0;
    }
    if (manner == COPIES_WHEN_USED && fresh != NULL) {
        must(set_peer(ctx, fresh, 0, true) == 1);
    }
    return real(ctx, out, out_len);
}

typedef struct keys {
    tw_group group;
    tw_dh_key own;
    uint8_t own_point[133], point[PEERS][133];
    uint8_t wanted[PEERS][TW_MAX_DH]; /* as the other side derives it */
} keys;

static keys k;

static void start_with(uint16_t kem_id, const tw_provider *provider)
{
    memset(&k, 0, sizeof(k));
    must_ok(tw_group_init(&k.group, tw_dh_alg_find(kem_id), provider));
    must_ok(tw_dh_generate(&k.group, &k.own));
    must_ok(tw_dh_public(&k.group, &k.own, k.own_point));
    for (size_t i = 0; i < PEERS; i++) {
        tw_dh_key other = {0};

        must_ok(tw_dh_generate(&k.group, &other));
        must_ok(tw_dh_public(&k.group, &other, k.point[i]));
        must_ok(tw_dh_derive(&k.group, &other, k.own_point, k.wanted[i]));
        tw_dh_key_clear(&other);
    }
    set = 0;
}

static void end(void)
{
    tw_dh_key_clear(&k.own);
    tw_group_clear(&k.group);
}

static void must_derive(size_t i)
{
    uint8_t dh[TW_MAX_DH];

    must_ok(tw_dh_derive(&k.group, &k.own, k.point[i], dh));
    must_bytes(bytes_of(k.wanted[i], k.group.alg->dh_len), bytes_of(dh, k.group.alg->dh_len));
}

static void must_derive_all(void)
{
    for (size_t i = 0; i < PEERS; i++) {
        must_derive(i);
    }
}

/* Whether this libcrypto's contexts follow, asked without the library's help. */
static bool follows(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k.own.pkey, NULL);
    EVP_PKEY *peer = tw_group_scratch(&k.group);
    uint8_t dh[TW_MAX_DH];
    size_t len = sizeof(dh);

    must(EVP_PKEY_derive_init(ctx) == 1 && peer != NULL);
    must(EVP_PKEY_set1_encoded_public_key(peer, k.point[0], k.group.alg->public_len) == 1);
    must(EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1);
    must(EVP_PKEY_set1_encoded_public_key(peer, k.point[1], k.group.alg->public_len) == 1);
    must(EVP_PKEY_derive(ctx, dh, &len) == 1);
    EVP_PKEY_free(peer);
    EVP_PKEY_CTX_free(ctx);
    set = 0;
    return memcmp(dh, k.wanted[1], len) == 0;
}

/* One for the first, which may be all that a key derives; two to see what the second does. */
Test(following, a_peer_is_set_three_times_for_all_that_a_key_derives)
{
    for (size_t i = 0; i < TW_COUNT(kems); i++) {
        size_t wanted;

        start_with(kems[i], &default_provider);
        wanted = follows() ? 3 : 2 * PEERS + 1;
        must_derive_all();
        must_derive_all();
        must(set == wanted);
        end();
    }
}

/* Each, and once more in the trial. */
static void must_give_each(void)
{
    for (size_t i = 0; i < TW_COUNT(kems); i++) {
        start_with(kems[i], &default_provider);
        must_derive_all();
        must_derive_all();
        must(set == 2 * PEERS + 1);
        end();
    }
    manner = FOLLOWS;
}

Test(following, a_context_that_keeps_its_peer_is_given_each)
{
    manner = COPIES_WHEN_TOLD;
    must_give_each();
}

Test(following, a_context_that_keeps_what_it_derived_with_is_given_each)
{
    manner = COPIES_WHEN_USED;
    must_give_each();
}

Test(following, a_context_that_derives_once_for_a_peer_refuses_no_message)
{
    manner = DERIVES_ONCE;
    must_give_each();
    must(ERR_peek_error() == 0);
}

Test(following, a_provider_that_was_asked_for_is_given_each)
{
    start_with(TW_KEM_P256_HKDF_SHA256, &by_query);
    must_derive_all();
    must_derive_all();
    must(set == 2 * PEERS);
    end();
}

/* Another point that gives what our own gives: the negative, or with X25519's unused bit; X448
 * has but the same. */
static void twin_of_own(uint8_t *out)
{
    size_t len = k.group.alg->public_len;
    BIGNUM *y;

    memcpy(out, k.own_point, len);
    if (k.group.alg->nist) {
        y = BN_bin2bn(out + 1 + k.group.alg->dh_len, (int)k.group.alg->dh_len, NULL);
        must(y != NULL && BN_sub(y, k.group.equation.p, y) == 1);
        must(BN_bn2binpad(y, out + 1 + k.group.alg->dh_len, (int)k.group.alg->dh_len) > 0);
        BN_free(y);
    } else if (k.group.alg->kem_id == TW_KEM_X25519_HKDF_SHA256) {
        out[31] |= 0x80;
    }
}

/* Who sends that second tells nothing of whether the context follows. */
Test(following, a_point_that_gives_what_our_own_gives_is_no_trial)
{
    uint8_t twin[133], first[TW_MAX_DH], second[TW_MAX_DH];

    for (int kept = 0; kept < 2; kept++) {
        manner = kept == 1 ? COPIES_WHEN_TOLD : FOLLOWS;
        for (size_t i = 0; i < TW_COUNT(kems); i++) {
            start_with(kems[i], &default_provider);
            twin_of_own(twin);
            must_ok(tw_dh_derive(&k.group, &k.own, k.own_point, first));
            must_ok(tw_dh_derive(&k.group, &k.own, twin, second));
            must_bytes(bytes_of(first, k.group.alg->dh_len),
                       bytes_of(second, k.group.alg->dh_len));
            must_derive_all();
            must_derive_all();
            end();
        }
    }
    manner = FOLLOWS;
}

Test(following, a_refused_point_leaves_the_context_as_it_was)
{
    uint8_t bad[133], dh[TW_MAX_DH];
    size_t wanted;

    start_with(TW_KEM_P256_HKDF_SHA256, &default_provider);
    memcpy(bad, k.point[0], sizeof(bad));
    bad[64] ^= 1;
    wanted = follows() ? 3 : PEERS + 1;
    for (size_t i = 0; i < PEERS; i++) {
        must_derive(i);
        must_err(TW_ERR_KEY, tw_dh_derive(&k.group, &k.own, bad, dh));
    }
    must(set == wanted);
    end();
}

Test(following, what_fails_costs_one_message_and_the_next_is_derived_anew)
{
    uint8_t dh[TW_MAX_DH];

    for (size_t i = 0; i < TW_COUNT(kems); i++) {
        start_with(kems[i], &default_provider);
        for (size_t done = 0; done < PEERS; done++) {
            for (size_t before = 0; before < done; before++) {
                must_derive(before);
            }
            manner = FAILS;
            must_err(TW_ERR_CRYPTO, tw_dh_derive(&k.group, &k.own, k.point[done], dh));
            manner = FOLLOWS;
            must_derive(done);
        }
        must_derive_all();
        end();
    }
}
