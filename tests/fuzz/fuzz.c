/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "support/check.h"
#include "support/peers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t rng_state;

static tw_err fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)noise_next(&rng_state);
    }
    return TW_OK;
}

tw_rng fuzz_rng(void)
{
    return (tw_rng){.fill = fill};
}

void fuzz_rng_reset(void)
{
    rng_state = 1;
}

/* place finds an id in a table, or answers its length. */
static size_t place(uint16_t id, const uint16_t *ids, size_t count)
{
    size_t i = 0;

    while (i < count && ids[i] != id) {
        i++;
    }
    return i;
}

const tw_suite *fuzz_suite(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id)
{
    static tw_suite *suites[COUNT(all_kems)][COUNT(all_kdfs)][COUNT(all_aeads)];
    size_t kem = place(kem_id, all_kems, COUNT(all_kems));
    size_t kdf = place(kdf_id, all_kdfs, COUNT(all_kdfs));
    size_t aead = place(aead_id, all_aeads, COUNT(all_aeads));

    if (kem == COUNT(all_kems) || kdf == COUNT(all_kdfs) || aead == COUNT(all_aeads)) {
        return NULL;
    }
    if (suites[kem][kdf][aead] == NULL) {
        must_ok(tw_suite_new(kem_id, kdf_id, aead_id, NULL, &suites[kem][kdf][aead]));
    }
    return suites[kem][kdf][aead];
}

const tw_key *fuzz_key(uint16_t kem_id)
{
    static tw_key *keys[COUNT(all_kems)];
    size_t kem = place(kem_id, all_kems, COUNT(all_kems));
    tw_rng rng = fuzz_rng();

    must(kem < COUNT(all_kems));
    if (keys[kem] == NULL) {
        fuzz_rng_reset();
        must_ok(tw_key_generate(kem_id, &rng, NULL, &keys[kem]));
    }
    return keys[kem];
}
