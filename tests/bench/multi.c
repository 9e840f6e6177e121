/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "check.h"

/* One message of 1 KiB to many receivers, beside as many bare key generations and
 * derives. The cost is that of the message, not of one receiver. */

enum {
    PLAIN = 1024,
};

static const size_t receivers[] = {1, 10, 100, 1000};
static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_X25519_HKDF_SHA256};

typedef struct spreading {
    const tw_suite *suite;
    bytes public_keys[BARE_PEERS];
    size_t receivers;
} spreading;

static void spread_one(const spreading *s)
{
    uint8_t plain[PLAIN] = {0}, out[PLAIN + 16], head[TW_MAX_HEAD], encap[TW_MAX_HEAD];
    tw_sealer *sealer;
    tw_multi *multi;
    size_t len;

    must_ok(tw_multi_new(s->suite, NULL, NULL, head, sizeof(head), &sealer, &multi));
    must_ok(tw_sealer_final(sealer, plain, sizeof(plain), out, sizeof(out), &len));
    for (size_t i = 0; i < s->receivers; i++) {
        bytes pk = s->public_keys[i % BARE_PEERS];
        tw_exchange *exchange;

        must_ok(tw_multi_encap(multi, 1, pk.data, pk.len, encap, sizeof(encap), &exchange));
        tw_exchange_free(exchange);
    }
    tw_sealer_free(sealer);
    tw_multi_free(multi);
}

static uint64_t spreading_run(void *state, size_t count)
{
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        spread_one(state);
    }
    return busy_ns() - begun;
}

typedef struct bare_spreading {
    bare_dh *dh;
    bare_rest *rest;
    const bytes *public_keys;
    size_t receivers;
} bare_spreading;

static uint64_t bare_spreading_run(void *state, size_t count)
{
    bare_spreading *s = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count * s->receivers; i++) {
        bare_dh_send(s->dh, i % s->receivers, false);
    }
    return busy_ns() - begun;
}

/* With what is left out above: each receiver's point is read, ours is written, the keys are
 * derived, and the content's key is sealed. */
static uint64_t spread_alone_run(void *state, size_t count)
{
    bare_spreading *s = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count * s->receivers; i++) {
        bare_dh_send_to(s->dh, s->public_keys[i % s->receivers % BARE_PEERS].data);
        bare_rest_share(s->rest);
    }
    return busy_ns() - begun;
}

static void multi_row(const plan *p, uint16_t kem_id, size_t count)
{
    row r = row_named(COST, "multi/%s/%zu", tw_kem_name(kem_id), count);
    spreading ours = {.receivers = count};
    bare_spreading bare = {.receivers = count, .public_keys = ours.public_keys};
    tw_suite *suite;
    size_t mark = bytes_mark();

    if (!is_wanted(p, r.name)) {
        return;
    }
    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM, NULL, &suite));
    for (size_t i = 0; i < BARE_PEERS; i++) {
        tw_key *key;

        must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
        ours.public_keys[i] = bytes_of(key->public_key, key->kem->public_len);
        tw_key_free(key);
    }
    ours.suite = suite;
    bare.dh = bare_dh_new(kem_id);
    bare.rest = bare_rest_new(kem_id);
    r.ours = (side){spreading_run, &ours};
    r.bare = (side){bare_spreading_run, &bare};
    r.alone = (side){spread_alone_run, &bare};
    compare(p, &r);
    bare_dh_free(bare.dh);
    bare_rest_free(bare.rest);
    tw_suite_free(suite);
    bytes_release(mark);
}

void measure_multi(const plan *p)
{
    for (size_t k = 0; k < sizeof(kems) / sizeof(kems[0]); k++) {
        for (size_t i = 0; i < sizeof(receivers) / sizeof(receivers[0]); i++) {
            multi_row(p, kems[k], receivers[i]);
        }
    }
}
