/* SPDX-License-Identifier: Apache-2.0 */
/* Each way from a token's key to the KEM's secret, whichever a key would have got: on
 * every curve and in both modes it gives what software gives. Looks inside. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "key.h"
#include "stand.h"

#define ROUNDS 4

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(strategies, .fini = end, .timeout = 300);

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

static void take_way(tw_key *key, const strategy *way)
{
    ((token_key *)key)->recipe = (recipe){.strategy = way};
}

/* What `sender` (NULL: nobody) encapsulates to `receiver` is what that makes of it. */
static void must_agree(const tw_key *receiver, const tw_key *sender)
{
    uint8_t sent[TW_MAX_SECRET] = {0}, got[TW_MAX_SECRET] = {0}, enc[TW_MAX_ENC];
    const tw_kem *kem = receiver->kem;

    for (int i = 0; i < ROUNDS; i++) {
        must_ok(kem->encap(kem, NULL, receiver->public_key, sender, sent, enc));
        must_ok(
            receiver->ops->decap(receiver, enc, sender == NULL ? NULL : sender->public_key, got));
        must(memcmp(sent, got, kem->secret_len) == 0);
    }
}

/* Base mode, then the auth modes with the token at either end and at both. */
static void must_serve(tw_key *receiver, tw_key *identity, const tw_key *soft, const strategy *way)
{
    take_way(receiver, way);
    take_way(identity, way);
    must_agree(receiver, NULL);
    must_agree(receiver, soft);
    must_agree(soft, identity);
    must_agree(receiver, identity);
    must_no_event(&s);
}

static void must_not_serve(tw_key *key, const strategy *way)
{
    uint8_t secret[TW_MAX_SECRET], enc[TW_MAX_ENC];

    take_way(key, way);
    must_ok(key->kem->encap(key->kem, NULL, key->public_key, NULL, secret, enc));
    must_err(TW_ERR_TOKEN_POLICY, key->ops->decap(key, enc, NULL, secret));
    must_size(1, s.events);
    stand_forget(&s);
}

/* 3.87 has none, 3.110 has. */
static bool is_nss_with_x25519(void)
{
    CK_INFO info;

    must(stand_raw(&s)->C_GetInfo(&info) == CKR_OK);
    must(info.libraryVersion.major == 3);
    return info.libraryVersion.minor >= 110;
}

/* `names` are the ways that the token can go, on the first `count` of the curves, and one more of a
 * newer NSS. */
static void table(size_t count, const char *names)
{
    tw_token *token = stand_open(&s);

    count += s.nss && is_nss_with_x25519();
    for (size_t i = 0; i < count; i++) {
        const char labels[2][2] = {{(char)('a' + i), '\0'}, {(char)('A' + i), '\0'}};
        tw_key *receiver = stand_key(&s, token, kems[i], labels[0]),
               *identity = stand_key(&s, token, kems[i], labels[1]), *soft;

        must_ok(tw_key_generate(kems[i], NULL, NULL, &soft));
        for (size_t w = 0; w < STRATEGY_COUNT; w++) {
            check_note("(%s with %s)", twp_strategies[w]->name, tw_kem_name(kems[i]));
            if (strstr(names, twp_strategies[w]->name) != NULL) {
                must_serve(receiver, identity, soft, twp_strategies[w]);
            } else {
                must_not_serve(receiver, twp_strategies[w]);
            }
        }
        tw_key_free(soft);
        tw_key_free(identity);
        tw_key_free(receiver);
    }
    tw_token_free(token);
}

Test(strategies, softhsm_goes_two_ways_on_five_curves)
{
    stand_softhsm(&s);
    table(5, "S1 S3");
}

#ifdef TESTS_NSS
Test(strategies, nss_goes_all_three_on_its_curves)
{
    stand_nss(&s);
    table(3, "S1 S2 S3");
}

Test(strategies, nss_in_fips_mode_goes_those_that_keep_the_output)
{
    stand_fips(&s);
    table(3, "S2 S3");
}
#endif
