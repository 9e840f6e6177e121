/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h: every suite in every mode, and whose keys and secrets each mode insists on. */
#include <criterion/criterion.h>

#include "check.h"
#include "inject.h"
#include "pair.h"

/* P-256 and X25519 stand for the two kinds of curve where a test needs no more. */
static const triple two[] = {
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305},
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
};
#define TWO (sizeof(two) / sizeof(two[0]))

static const mode with_psk[] = {MODE_PSK, MODE_AUTH_PSK};
static const mode with_sender[] = {MODE_AUTH, MODE_AUTH_PSK};

Test(identities, every_suite_passes_messages_and_exports_in_every_mode)
{
    static const uint16_t aeads[] = {TW_AEAD_AES_128_GCM, TW_AEAD_AES_256_GCM,
                                     TW_AEAD_CHACHA20_POLY1305, TW_AEAD_EXPORT_ONLY};

    for (size_t n = 0; n < 5 * 3 * 4 * MODES; n++) {
        triple t = {all_kems[n / 48], all_kdfs[n / 16 % 3], aeads[n / 4 % 4]};
        size_t mark = bytes_mark();
        pair p;

        pair_start(&p, t, (mode)(n % MODES));
        pair_connect(&p);
        must_pass(&p);
        pair_end(&p);
        bytes_release(mark);
    }
}

/* The two ends of a pair that take part in different modes. */
static void must_not_understand(triple t, mode sending, mode receiving)
{
    pair p, other;

    pair_start(&p, t, sending);
    pair_start_with(&other, receiving, p.suite, p.receiver, p.own_identity);
    p.opener = other.opener;
    p.opener.auth = receiving == MODE_BASE ? NULL : &other.receiving;
    check_note("from mode %s to %s", mode_name(sending), mode_name(receiving));
    pair_connect(&p);
    must_refuse(&p);
    pair_end(&p);
}

Test(identities, no_mode_understands_another)
{
    for (size_t n = 0; n < TWO * MODES * MODES; n++) {
        mode sending = (mode)(n / MODES % MODES), receiving = (mode)(n % MODES);

        if (sending != receiving) {
            must_not_understand(two[n / (MODES * MODES)], sending, receiving);
        }
    }
}

Test(identities, an_enc_of_another_context_is_refused_in_every_mode)
{
    for (size_t n = 0; n < TWO * MODES; n++) {
        bytes other;
        pair p;

        pair_start(&p, two[n / MODES], (mode)(n % MODES));
        must_ok(pair_send(&p));
        other = bytes_of(p.enc.data, p.enc.len);
        must_ok(pair_send(&p));
        p.enc = other;
        must_ok(pair_receive(&p));
        must_refuse(&p);
        p.opener.info_len--; /* its own enc, with other info */
        pair_connect(&p);
        must_refuse(&p);
        pair_end(&p);
    }
}

Test(identities, another_psk_or_another_name_for_it_is_refused)
{
    for (size_t n = 0; n < TWO * 2 * 3; n++) {
        bytes psk = bytes_noise(32, 1), id = bytes_text("the elder kez");
        pair p;

        pair_start(&p, two[n / 6], with_psk[n % 2]);
        psk.data[31] ^= 1;
        if (n / 2 % 3 != 1) {
            p.receiving.psk = psk.data;
        }
        if (n / 2 % 3 != 0) {
            p.receiving.psk_id = id.data;
        }
        pair_connect(&p);
        must_refuse(&p);
        pair_end(&p);
    }
}

/* RFC 9180 section 5.1, VerifyPSKInputs, and section 9.5. */
static void must_be_invalid(pair *p, tw_hpke_auth auth)
{
    bytes enc = p->enc;
    const tw_key *sender = p->sending.sender;
    const uint8_t *sender_public = p->receiving.sender_public;

    p->sending = p->receiving = auth;
    p->sending.sender = sender;
    p->receiving.sender_public = sender_public;
    must_err(TW_ERR_INVALID, pair_receive(p));
    p->enc = bytes_new(enc.len);
    must_err(TW_ERR_INVALID, pair_send(p));
    must_bytes(bytes_new(enc.len), p->enc);
    p->enc = enc;
}

Test(identities, a_psk_that_will_not_do_costs_no_private_key_operation)
{
    static const uint8_t psk[32] = {1}, id[] = "name";
    static const tw_hpke_auth refused[] = {
        {.psk = psk, .psk_len = 31, .psk_id = id, .psk_id_len = 4},
        {.psk = psk, .psk_len = 1, .psk_id = id, .psk_id_len = 4},
        {.psk = psk, .psk_len = 0, .psk_id = id, .psk_id_len = 4},
        {.psk = psk, .psk_len = 32, .psk_id = id, .psk_id_len = 0},
        {.psk = psk, .psk_len = 32},
        {.psk = NULL, .psk_len = 32, .psk_id = id, .psk_id_len = 4},
        {.psk = psk, .psk_len = 32, .psk_id = NULL, .psk_id_len = 4},
        {.psk_id = id, .psk_id_len = 4},
    };

    for (size_t n = 0; n < TWO * 2; n++) {
        watched_key watched;
        pair p;

        pair_start(&p, two[n / 2], with_psk[n % 2]);
        must_ok(pair_send(&p)); /* an enc to receive with */
        watched_key_start(&watched, p.receiver);
        p.receiver = &watched.base;
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
            check_note("with refused psk %zu", i);
            must_be_invalid(&p, refused[i]);
        }
        must_size(0, watched.calls);
        pair_end(&p);
    }
}

Test(identities, a_long_psk_and_a_long_name_serve)
{
    bytes psk = bytes_noise(1000, 4), id = bytes_noise(70000, 5);
    pair p;

    pair_start(&p, two[0], MODE_PSK);
    p.receiving.psk = p.sending.psk = psk.data;
    p.receiving.psk_len = p.sending.psk_len = psk.len;
    p.receiving.psk_id = p.sending.psk_id = id.data;
    p.receiving.psk_id_len = p.sending.psk_id_len = id.len;
    pair_connect(&p);
    must_pass(&p);
    pair_end(&p);
}

Test(identities, an_impostor_is_refused)
{
    for (size_t n = 0; n < TWO * 2; n++) {
        tw_key *impostor = NULL;
        pair p;

        pair_start(&p, two[n / 2], with_sender[n % 2]);
        must_ok(tw_key_generate(p.suite->kem_id, NULL, NULL, &impostor));
        p.sending.sender = impostor;
        pair_connect(&p);
        must_refuse(&p);
        p.receiving.sender_public = impostor->public_key;
        pair_connect(&p);
        must_pass(&p);
        tw_key_free(impostor);
        pair_end(&p);
    }
}

/* Zeros are off every curve here, or of small order. */
Test(identities, a_sender_public_that_is_no_key_is_told_at_once)
{
    for (size_t n = 0; n < 5 * 2; n++) {
        triple t = {all_kems[n / 2], TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM};
        pair p;

        pair_start(&p, t, with_sender[n % 2]);
        must_ok(pair_send(&p));
        p.receiving.sender_public = bytes_new(p.suite->public_len).data;
        must_err(TW_ERR_KEY, pair_receive(&p));
        pair_end(&p);
    }
}

Test(identities, both_halves_of_an_identity_at_one_end_are_invalid)
{
    for (size_t n = 0; n < TWO * 2; n++) {
        pair p;

        pair_start(&p, two[n / 2], with_sender[n % 2]);
        must_ok(pair_send(&p));
        p.sending.sender_public = p.receiving.sender_public;
        p.receiving.sender = p.sending.sender;
        must_err(TW_ERR_INVALID, pair_send(&p));
        must_err(TW_ERR_INVALID, pair_receive(&p));
        pair_end(&p);
    }
}

Test(identities, an_auth_that_says_nothing_is_base_mode)
{
    static const tw_hpke_auth nothing;

    for (size_t n = 0; n < TWO; n++) {
        pair p;

        pair_start(&p, two[n], MODE_BASE);
        p.sender.auth = &nothing;
        pair_connect(&p);
        must_pass(&p);
        p.opener.auth = &nothing;
        pair_connect(&p);
        must_pass(&p);
        pair_end(&p);
    }
}

/* --- Keys that live elsewhere. ------------------------------------------------------ */

Test(identities, the_receivers_key_may_be_injected_in_every_mode)
{
    for (mode m = MODE_BASE; m < MODES; m++) {
        watched_key watched;
        pair p;

        pair_start(&p, two[1], m);
        watched_key_start(&watched, p.receiver);
        p.receiver = &watched.base;
        pair_connect(&p);
        must_pass(&p);
        must_size(1, watched.operations);
        pair_end(&p);
    }
}

Test(identities, an_identity_that_can_only_receive_is_invalid)
{
    watched_key receives; /* has no auth_encap */
    pair p;

    pair_start(&p, two[1], MODE_AUTH);
    watched_key_start(&receives, p.identity);
    p.sending.sender = &receives.base;
    must_err(TW_ERR_INVALID, pair_send(&p));
    must_bytes(bytes_new(p.enc.len), p.enc);
    pair_end(&p);
}

static tw_err absent(const tw_key *key, const uint8_t *pk, const uint8_t *dh, size_t dh_len,
                     const uint8_t *enc, uint8_t *secret)
{
    (void)key, (void)pk, (void)dh, (void)dh_len, (void)enc, (void)secret;
    return TW_ERR_TOKEN_ABSENT;
}

Test(identities, what_an_injected_key_answers_reaches_the_caller)
{
    static const tw_err answers[] = {TW_ERR_TOKEN_BUSY, TW_OK};
    watched_key receiver, identity;
    pair p;

    pair_start(&p, two[1], MODE_AUTH);
    watched_key_start(&identity, p.identity);
    identity.ops.auth_encap = absent;
    p.sending.sender = &identity.base;
    must_err(TW_ERR_TOKEN_ABSENT, pair_send(&p));
    must_bytes(bytes_new(p.enc.len), p.enc);
    p.sending.sender = p.identity;
    must_ok(pair_send(&p));
    watched_key_start(&receiver, p.receiver);
    receiver.answers = answers;
    p.receiver = &receiver.base;
    must_err(TW_ERR_TOKEN_BUSY, pair_receive(&p));
    must_ok(pair_receive(&p));
    must_pass(&p);
    pair_end(&p);
}

/* Its Diffie-Hellman would be on another curve. */
Test(identities, an_identity_of_another_kem_is_invalid)
{
    for (size_t n = 0; n < TWO; n++) {
        tw_key *other;
        pair p;

        pair_start(&p, two[n], MODE_AUTH);
        must_ok(tw_key_generate(two[n].kem_id == TW_KEM_P256_HKDF_SHA256 ? TW_KEM_X25519_HKDF_SHA256
                                                                         : TW_KEM_P256_HKDF_SHA256,
                                NULL, NULL, &other));
        p.sending.sender = other;
        must_err(TW_ERR_INVALID, pair_send(&p));
        must_bytes(bytes_new(p.enc.len), p.enc);
        pair_end(&p);
        tw_key_free(other);
    }
}
