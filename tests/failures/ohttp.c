/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of ohttp.h: configurations and key sets. */

#include <string.h>

#include "world.h"

static tw_config config;
static tw_keyset *set;
static uint8_t encoded[2048];
static size_t encoded_len;

static void a_config(void)
{
    want_key();
    config = (tw_config){.key_id = 1,
                         .kem_id = now->kem_id,
                         .public_len = w.key->kem->public_len,
                         .symmetric = {{now->kdf_id, now->aead_id}, {1, 1}},
                         .symmetric_count = 2};
    memcpy(config.public_key, w.key->public_key, config.public_len);
}

/* The first that is served, never a later one because something failed. */
static tw_err config_choose(void)
{
    size_t index = SIZE_MAX;
    tw_header suite;
    tw_err err = tw_config_choose(&config, 1, now->provider, &index, &suite);

    must_size(0, index);
    must(err != TW_OK || (suite.kdf_id == now->kdf_id && suite.aead_id == now->aead_id));
    return err;
}

static tw_err config_encode(void)
{
    return tw_config_encode(&config, 1, false, encoded, sizeof(encoded), &encoded_len);
}

static void an_encoding(void)
{
    a_config();
    must_ok(config_encode());
}

static tw_err config_decode(void)
{
    tw_config out;
    size_t count;

    return tw_config_decode(encoded, encoded_len, &out, 1, &count);
}

/* --- Key sets. ------------------------------------------------------------------------------- */

static const tw_symmetric *pairs(void)
{
    static tw_symmetric two[2];

    two[0] = (tw_symmetric){now->kdf_id, now->aead_id};
    two[1] = (tw_symmetric){now->kdf_id == 1 ? 3 : 1, now->aead_id};
    return two;
}

static tw_err keyset_new(void)
{
    tw_keyset *made_set = POISON(tw_keyset);
    tw_err err = tw_keyset_new(NULL, now->provider, &made_set);

    made(err, made_set);
    RELEASE(tw_keyset_free(made_set));
    return err;
}

static void empty_set(void)
{
    want_key();
    must_ok(tw_keyset_new(NULL, now->provider, &set));
}

static tw_err keyset_add(void)
{
    tw_err err = tw_keyset_add(set, 1, w.key, pairs(), 2, TW_KEY_ACTIVE);
    size_t count;

    if (err == TW_OK) {
        w.key = NULL; /* it is the set's now */
    }
    must_err(err == TW_OK ? TW_ERR_SPACE : TW_OK, tw_keyset_configs(set, NULL, 0, &count));
    return err;
}

static void end_set(void)
{
    tw_keyset_free(set);
    set = NULL;
}

static void full_set(void)
{
    want_request();
    must_ok(tw_keyset_new(NULL, now->provider, &set));
    must_ok(tw_keyset_add(set, 1, w.key, pairs(), 2, TW_KEY_ACTIVE));
    w.key = NULL;
}

static tw_err keyset_acquire(void)
{
    const tw_receiver *receiver = POISON(const tw_receiver);
    tw_err err = tw_keyset_acquire(set, w.head, w.head_len, &receiver);

    made(err, receiver);
    RELEASE(tw_keyset_release(set, receiver));
    return err;
}

static tw_err keyset_configs(void)
{
    size_t count;

    return tw_keyset_configs(set, &config, 1, &count);
}

static tw_err keyset_set_state(void)
{
    return tw_keyset_set_state(set, 1, TW_KEY_RETIRING);
}

static tw_err keyset_remove(void)
{
    return tw_keyset_remove(set, 1);
}

const operation ohttp_operations[] = {
    {"tw_config_choose", a_config, config_choose, NULL, SERVES},
    {"tw_config_encode", a_config, config_encode, NULL, SERVES},
    {"tw_config_decode", an_encoding, config_decode, NULL, SERVES},
    {"tw_keyset_new", NULL, keyset_new, NULL, SERVES},
    {"tw_keyset_add", empty_set, keyset_add, end_set, SERVES},
    {"tw_keyset_acquire", full_set, keyset_acquire, end_set, SERVES},
    {"tw_keyset_configs", full_set, keyset_configs, end_set, SERVES},
    {"tw_keyset_set_state", full_set, keyset_set_state, end_set, SERVES},
    {"tw_keyset_remove", full_set, keyset_remove, end_set, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
