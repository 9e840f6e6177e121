/* SPDX-License-Identifier: Apache-2.0 */
/* HPKE's auth modes with keys in tokens: who asked and who may read, each proved by a key
 * that never leaves its token. */
#include <criterion/criterion.h>

#include <twoway/twoway.h>

#include "check.h"
#include "pair.h"
#include "stand.h"

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(identities, .fini = end, .timeout = 300);

/* Every mode, with either key in the token, then both. */
static void every_mode(tw_token *token, uint16_t kem_id)
{
    tw_key *receiver = stand_key(&s, token, kem_id, "a"),
           *identity = stand_key(&s, token, kem_id, "b");
    tw_key *soft = NULL;
    tw_suite *suite = NULL;

    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM, NULL, &suite));
    must_ok(tw_key_generate(kem_id, NULL, NULL, &soft));
    for (mode m = MODE_BASE; m < MODES; m++) {
        const tw_key *ends[][2] = {{receiver, soft}, {soft, identity}, {receiver, identity}};

        for (size_t i = 0; i < 3; i++) {
            pair p;

            pair_start_with(&p, m, suite, ends[i][0], ends[i][1]);
            pair_connect(&p);
            must_pass(&p);
            pair_end(&p);
        }
    }
    must_no_event(&s);
    tw_key_free(soft);
    tw_suite_free(suite);
    tw_key_free(identity);
    tw_key_free(receiver);
}

static void every_mode_over_softhsm(uint16_t kem_id)
{
    tw_token *token;

    stand_softhsm(&s);
    token = stand_open(&s);
    every_mode(token, kem_id);
    tw_token_free(token);
}

Test(identities, p256_keys_in_a_token_serve_every_mode)
{
    every_mode_over_softhsm(TW_KEM_P256_HKDF_SHA256);
}

Test(identities, p384_keys_in_a_token_serve_every_mode)
{
    every_mode_over_softhsm(TW_KEM_P384_HKDF_SHA384);
}

Test(identities, p521_keys_in_a_token_serve_every_mode)
{
    every_mode_over_softhsm(TW_KEM_P521_HKDF_SHA512);
}

Test(identities, x25519_keys_in_a_token_serve_every_mode)
{
    every_mode_over_softhsm(TW_KEM_X25519_HKDF_SHA256);
}

Test(identities, x448_keys_in_a_token_serve_every_mode)
{
    every_mode_over_softhsm(TW_KEM_X448_HKDF_SHA512);
}

#ifdef TESTS_NSS
Test(identities, keys_in_nss_serve_every_mode)
{
    tw_token *token;

    stand_nss(&s);
    token = stand_open(&s);
    every_mode(token, TW_KEM_P256_HKDF_SHA256);
    tw_token_free(token);
}
#endif

/* The two outputs of an auth mode are joined inside, by C_DigestKey here, by HKDF there. */
Test(identities, keys_serve_every_mode_without_a_dh_output_leaving_softhsm)
{
    tw_token *token;

    stand_softhsm(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    every_mode(token, TW_KEM_P521_HKDF_SHA512);
    tw_token_free(token);
}

#ifdef TESTS_NSS
Test(identities, keys_serve_every_mode_without_a_dh_output_leaving_nss)
{
    tw_token *token;

    stand_nss(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
    every_mode(token, TW_KEM_P384_HKDF_SHA384);
    tw_token_free(token);
}
#endif

/* --- What is refused, and what it costs. -------------------------------------------- */

/* Both keys in the token, its calls counted. */
static void start_counted(pair *p, tw_token **token, tw_key **receiver, tw_key **identity,
                          tw_suite **suite)
{
    stand_shim(&s);
    *token = stand_open(&s);
    *receiver = stand_key(&s, *token, TW_KEM_P256_HKDF_SHA256, "a");
    *identity = stand_key(&s, *token, TW_KEM_P256_HKDF_SHA256, "b");
    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         suite));
    pair_start_with(p, MODE_AUTH, *suite, *receiver, *identity);
}

static void end_counted(pair *p, tw_token *token, tw_key *receiver, tw_key *identity,
                        tw_suite *suite)
{
    pair_end(p);
    tw_suite_free(suite);
    tw_key_free(identity);
    tw_key_free(receiver);
    tw_token_free(token);
}

Test(identities, an_impostors_key_in_the_same_token_is_refused)
{
    tw_key *receiver, *identity, *impostor;
    tw_token *token;
    tw_suite *suite;
    pair p;

    start_counted(&p, &token, &receiver, &identity, &suite);
    impostor = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "c");
    p.sending.sender = impostor;
    pair_connect(&p);
    must_refuse(&p);
    tw_key_free(impostor);
    end_counted(&p, token, receiver, identity, suite);
}

/* AuthEncap adds one DH of the token's to the host's; AuthDecap is two of the token's. */
Test(identities, the_token_derives_once_to_prove_and_twice_to_verify)
{
    tw_key *receiver, *identity;
    tw_token *token;
    tw_suite *suite;
    pair p;

    start_counted(&p, &token, &receiver, &identity, &suite);
    shim_clear();
    must_ok(pair_send(&p));
    must_size(1, shim_state()->calls[SHIM_DeriveKey]);
    must_ok(pair_receive(&p));
    must_size(3, shim_state()->calls[SHIM_DeriveKey]);
    must_size(0, (size_t)shim_state()->objects);
    must_pass(&p);
    end_counted(&p, token, receiver, identity, suite);
}

Test(identities, a_bad_public_key_reaches_no_token)
{
    tw_key *receiver, *identity;
    bytes enc, zeros;
    tw_token *token;
    tw_suite *suite;
    pair p;

    start_counted(&p, &token, &receiver, &identity, &suite);
    must_ok(pair_send(&p));
    enc = p.enc;
    zeros = bytes_new(enc.len);
    shim_clear();
    p.receiving.sender_public = zeros.data;
    must_err(TW_ERR_KEY, pair_receive(&p));
    p.receiving.sender_public = identity->public_key;
    p.enc = zeros;
    must_err(TW_ERR_FORMAT, pair_receive(&p));
    must_size(0, shim_state()->calls[SHIM_DeriveKey]);
    must_no_event(&s);
    end_counted(&p, token, receiver, identity, suite);
}

/* A failing device is named as such, whichever of its derivations fails. */
Test(identities, a_token_that_fails_amid_the_two_derivations_is_named)
{
    tw_key *receiver, *identity;
    tw_token *token;
    tw_suite *suite;
    pair p;

    start_counted(&p, &token, &receiver, &identity, &suite);
    for (unsigned call = 1; call <= 2; call++) {
        must_ok(pair_send(&p));
        shim_clear();
        shim_says((shim_rule){
            .function = SHIM_DeriveKey, .from = call, .to = 100, .rv = CKR_DEVICE_ERROR});
        must_err(TW_ERR_TOKEN_FAILED, pair_receive(&p));
        must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR, "use key 'a'");
        must_size(0, (size_t)shim_state()->objects);
        shim_clear();
    }
    shim_says(
        (shim_rule){.function = SHIM_DeriveKey, .from = 1, .to = 100, .rv = CKR_DEVICE_ERROR});
    must_err(TW_ERR_TOKEN_FAILED, pair_send(&p));
    must_bytes(bytes_new(p.enc.len), p.enc);
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_DeriveKey", CKR_DEVICE_ERROR,
               "authenticate with key 'b'");
    shim_clear();
    pair_connect(&p);
    must_pass(&p);
    end_counted(&p, token, receiver, identity, suite);
}
