/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of pkcs11.h with a token that is open: finding, using and making keys. */

#include <string.h>

#include "token_world.h"

static uint8_t enc[TW_MAX_ENC], secret[TW_MAX_SECRET];

/* --- Keys. ----------------------------------------------------------------------------------- */

static void opened(void)
{
    token_plain();
    want_token();
}

static tw_err find_key(void)
{
    tw_key *found = POISON(tw_key);
    tw_err err = token_told(tw_token_find_key(token, uri, NULL, 0, &found));

    made(err, found);
    RELEASE(tw_key_free(found));
    return err;
}

static void opened_without_public(void)
{
    static const pretend_token like = {.no_public = true};

    token_begin(&like);
    want_token();
}

static tw_err find_key_given(void)
{
    tw_key *found = POISON(tw_key);
    tw_err err = token_told(tw_token_find_key(token, uri, pretend_key()->public_key,
                                              pretend_key()->kem->public_len, &found));

    made(err, found);
    RELEASE(tw_key_free(found));
    return err;
}

static void want_secret(const tw_key *sender)
{
    const tw_key *twin = pretend_key();

    must_ok(twin->kem->encap(twin->kem, NULL, twin->public_key, sender, secret, enc));
}

static void using(const pretend_token *like)
{
    token_begin(like);
    want_token_key();
    want_secret(NULL);
}

static void using_value(void)
{
    static const pretend_token like = {.label = NULL};

    using(&like);
}

static void using_hkdf(void)
{
    static const pretend_token like = {.keeps_dh = true, .runs_hkdf = true};

    using(&like);
}

static void using_digest(void)
{
    static const pretend_token like = {.keeps_dh = true, .hashes_keys = true};

    using(&like);
}

static void using_each_login(void)
{
    static const pretend_token like = {.each_login = true};

    using(&like);
}

static tw_err decap(const uint8_t *sender_public)
{
    room got;
    tw_err err;

    room_fill(&got);
    err = token_told(key->ops->decap(key, enc, sender_public, got.bytes));
    room_check(&got, err);
    must(err != TW_OK || memcmp(secret, got.bytes, key->kem->secret_len) == 0);
    return err;
}

static tw_err key_decap(void)
{
    return decap(NULL);
}

static void using_identity(void)
{
    using_value();
    want_secret(pretend_key());
}

static tw_err key_decap_auth(void)
{
    return decap(pretend_key()->public_key);
}

static tw_err key_auth_encap(void)
{
    const tw_key *twin = pretend_key();
    uint8_t dh[TW_MAX_DH] = {1};
    size_t dh_len = now->kem_id == TW_KEM_P521_HKDF_SHA512   ? 66
                    : now->kem_id == TW_KEM_P384_HKDF_SHA384 ? 48
                    : now->kem_id == TW_KEM_X448_HKDF_SHA512 ? 56
                                                             : 32;
    room got;
    tw_err err;

    room_fill(&got);
    err = token_told(key->ops->auth_encap(key, twin->public_key, dh, dh_len, enc, got.bytes));
    room_check(&got, err);
    return err;
}

/* A key pair that was made for nothing is taken away again, where the token lets it be. */
static tw_err generate(void)
{
    size_t before_count = keys_in_token();
    tw_key *new_key = POISON(tw_key);
    tw_err err = token_told(
        tw_token_generate(token, now->kem_id, "new", (const uint8_t *)"\x05", 1, &new_key));

    made(err, new_key);
    must_size(err == TW_OK ? before_count + 2 : before_count, keys_in_token());
    if (err == TW_OK) {
        RELEASE(tw_key_free(new_key));
        for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
            if (pretend_objects[i].session == 0 && pretend_objects[i].id[0] == 5) {
                pretend_objects[i].handle = 0;
            }
        }
    }
    return err;
}

static tw_err key_uri(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_token_key_uri(key, (char *)out.bytes, sizeof(out), &len);
    must(err == TW_OK ? strlen((char *)out.bytes) == len : len == 0);
    room_check(&out, err);
    return err;
}

static tw_err key_stats(void)
{
    tw_token_counts counts = {.size = sizeof(counts)};

    return tw_token_stats(token, &counts);
}

const operation token_operations[] = {
    {"tw_token_find_key", opened, find_key, token_end, SERVES},
    {"tw_token_find_key with a public half", opened_without_public, find_key_given, token_end,
     SERVES},
    {"tw_key_ops.decap, reading the output", using_value, key_decap, token_end, SERVES},
    {"tw_key_ops.decap, HKDF inside", using_hkdf, key_decap, token_end, SERVES},
    {"tw_key_ops.decap, hashing inside", using_digest, key_decap, token_end, SERVES},
    {"tw_key_ops.decap, a login for each", using_each_login, key_decap, token_end, SERVES},
    {"tw_key_ops.decap from an identity, in a token", using_identity, key_decap_auth, token_end,
     SERVES},
    {"tw_key_ops.auth_encap", using_value, key_auth_encap, token_end, SERVES},
    {"tw_token_generate", opened, generate, token_end, SERVES},
    {"tw_token_key_uri", using_value, key_uri, token_end, SERVES},
    {"tw_token_stats", opened, key_stats, token_end, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
