/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of kem.h: KEMs, private keys, suites. */

#include <string.h>

#include "world.h"

/* --- KEMs. ----------------------------------------------------------------------------------- */

static tw_err kem_new(void)
{
    tw_kem *kem = POISON(tw_kem);
    tw_err err = tw_kem_new(now->kem_id, now->provider, &kem);

    made(err, kem);
    RELEASE(tw_kem_free(kem));
    return err;
}

static void kem_and_key(void)
{
    want_kem();
    want_key();
}

static tw_err kem_check(void)
{
    return w.kem->check(w.kem, w.key->public_key);
}

static tw_err opens_to(const uint8_t *secret, const uint8_t *enc, const uint8_t *sender)
{
    uint8_t got[TW_MAX_SECRET];

    failures_pause(true);
    must_ok(w.key->ops->decap(w.key, enc, sender, got));
    failures_pause(false);
    must(memcmp(secret, got, w.kem->secret_len) == 0);
    return TW_OK;
}

static tw_err encap(const tw_rng *rng, const tw_key *sender)
{
    room secret, enc;
    tw_err err;

    room_fill(&secret);
    err = w.kem->encap(w.kem, rng, w.key->public_key, sender, secret.bytes, enc.bytes);
    room_check(&secret, err);
    return err == TW_OK
               ? opens_to(secret.bytes, enc.bytes, sender == NULL ? NULL : sender->public_key)
               : err;
}

static tw_err kem_encap(void)
{
    return encap(NULL, NULL);
}

static tw_err fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 7, len);
    return TW_OK;
}

static tw_err kem_encap_rng(void)
{
    const tw_rng rng = {.fill = fill};

    return encap(&rng, NULL);
}

static tw_err kem_encap_auth(void)
{
    return encap(NULL, w.identity);
}

/* --- Private keys. --------------------------------------------------------------------------- */

static tw_err decap(const uint8_t *sender_public)
{
    room got;
    tw_err err;

    room_fill(&got);
    err = w.key->ops->decap(w.key, w.enc, sender_public, got.bytes);
    room_check(&got, err);
    must(err != TW_OK || memcmp(w.secret, got.bytes, w.key->kem->secret_len) == 0);
    return err;
}

static tw_err key_decap(void)
{
    return decap(NULL);
}

static void encap_auth(void)
{
    want_key();
    must_ok(w.key->kem->encap(w.key->kem, NULL, w.key->public_key, w.identity, w.secret, w.enc));
}

static tw_err key_decap_auth(void)
{
    return decap(w.identity->public_key);
}

static tw_err key_check(void)
{
    return tw_key_check(w.key);
}

/* --- DHKEM's parts. -------------------------------------------------------------------------- */

/* A KEM of someone else's has no hash of ours, and one is made for it. */
static tw_err dhkem_secret(const tw_kem *kem)
{
    uint8_t dh[TW_MAX_DH];
    room secret;
    tw_err err;
    size_t dh_len = now->kem_id == TW_KEM_P521_HKDF_SHA512   ? 66
                    : now->kem_id == TW_KEM_P384_HKDF_SHA384 ? 48
                    : now->kem_id == TW_KEM_X448_HKDF_SHA512 ? 56
                                                             : 32;

    memset(dh, 5, sizeof(dh));
    room_fill(&secret);
    err =
        tw_dhkem_secret(kem, dh, dh_len, w.key->public_key, w.key->public_key, NULL, secret.bytes);
    room_check(&secret, err);
    return err;
}

static tw_err dhkem_secret_own(void)
{
    return dhkem_secret(w.kem);
}

static tw_err no_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                       const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    (void)kem;
    (void)rng;
    (void)pk;
    (void)sender;
    (void)secret;
    (void)enc;
    return TW_ERR_BACKEND;
}

static tw_err dhkem_secret_foreign(void)
{
    tw_kem foreign = *w.kem;

    foreign.encap = no_encap;
    return dhkem_secret(&foreign);
}

static tw_err dhkem_expand(void)
{
    uint8_t prk[TW_MAX_SECRET];
    room secret;
    tw_err err;

    memset(prk, 5, sizeof(prk));
    room_fill(&secret);
    err = tw_dhkem_expand(w.kem, prk, w.kem->secret_len, w.key->public_key, w.key->public_key, NULL,
                          secret.bytes);
    room_check(&secret, err);
    return err;
}

static tw_err dhkem_prefix(void)
{
    uint8_t out[64];
    size_t len;

    return tw_dhkem_prefix(w.kem, out, sizeof(out), &len);
}

static tw_err dhkem_info(void)
{
    uint8_t out[1024];
    size_t len;

    return tw_dhkem_info(w.kem, w.key->public_key, w.key->public_key, NULL, out, sizeof(out), &len);
}

/* --- Suites. --------------------------------------------------------------------------------- */

static tw_err suite_new(void)
{
    tw_suite *suite = POISON(tw_suite);
    tw_err err = tw_suite_new(now->kem_id, now->kdf_id, now->aead_id, now->provider, &suite);

    made(err, suite);
    RELEASE(tw_suite_free(suite));
    return err;
}

static tw_err suite_with_kem(void)
{
    tw_suite *suite = POISON(tw_suite);
    tw_err err = tw_suite_with_kem(w.kem, now->kdf_id, now->aead_id, now->provider, &suite);

    made(err, suite);
    RELEASE(tw_suite_free(suite));
    return err;
}

const operation kem_operations[] = {
    {"tw_kem_new", NULL, kem_new, NULL, SERVES},
    {"tw_kem.check", kem_and_key, kem_check, NULL, SERVES},
    {"tw_kem.encap", kem_and_key, kem_encap, NULL, SERVES},
    {"tw_kem.encap with a tw_rng", kem_and_key, kem_encap_rng, NULL, SERVES},
    {"tw_kem.encap by an identity", kem_and_key, kem_encap_auth, NULL, SERVES},
    {"tw_key_ops.decap", want_encap, key_decap, NULL, SERVES},
    {"tw_key_ops.decap from an identity", encap_auth, key_decap_auth, NULL, SERVES},
    {"tw_key_check", want_key, key_check, NULL, SERVES},
    {"tw_dhkem_secret", kem_and_key, dhkem_secret_own, NULL, SERVES},
    {"tw_dhkem_secret of a foreign KEM", kem_and_key, dhkem_secret_foreign, NULL, SERVES},
    {"tw_dhkem_expand", kem_and_key, dhkem_expand, NULL, SERVES},
    {"tw_dhkem_prefix", kem_and_key, dhkem_prefix, NULL, SERVES},
    {"tw_dhkem_info", kem_and_key, dhkem_info, NULL, SERVES},
    {"tw_suite_new", NULL, suite_new, NULL, SERVES},
    {"tw_suite_with_kem", want_kem, suite_with_kem, NULL, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
