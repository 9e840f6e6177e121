/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <stdio.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "fuzz.h"
#include "support/check.h"
#include "support/peers.h"

/* --- config --------------------------------------------------------------- */

static tw_config config_of(uint16_t kem_id, uint8_t key_id, size_t pairs)
{
    const tw_key *key = fuzz_key(kem_id);
    tw_config c = {.key_id = key_id, .kem_id = kem_id, .public_len = key->kem->public_len};

    memcpy(c.public_key, key->public_key, c.public_len);
    for (size_t i = 0; i < pairs; i++) {
        c.symmetric[i] = (tw_symmetric){all_kdfs[i / 3 % 3], all_aeads[i % 3]};
    }
    c.symmetric_count = pairs;
    return c;
}

static void config_seed(const char *name, const tw_config *configs, size_t count, bool bare)
{
    bytes made = bytes_new(4096);
    size_t len = 0;

    must_ok(tw_config_encode(configs, count, bare, made.data, made.len, &len));
    write_seed("config", name, bytes_part(made, 0, len));
}

static void config_seeds(void)
{
    const tw_config two[] = {config_of(TW_KEM_X25519_HKDF_SHA256, 1, 3),
                             config_of(TW_KEM_P256_HKDF_SHA256, 2, 9)};
    const tw_config large = config_of(TW_KEM_P521_HKDF_SHA512, 255, TW_MAX_SYMMETRIC);
    /* A KEM that nobody knows, then one that everybody does. */
    static const uint8_t unknown[] = {0, 12, 9, 0x7f, 0x01, 1, 2, 3, 0, 4, 0, 1, 0, 1};
    bytes known = bytes_new(256);
    size_t len = 0;

    config_seed("list", two, 2, false);
    config_seed("bare", two, 1, true);
    config_seed("large", &large, 1, false);
    must_ok(tw_config_encode(two, 1, false, known.data, known.len, &len));
    write_seed("config", "unknown-kem",
               bytes_cat(bytes_of(unknown, sizeof(unknown)), bytes_part(known, 0, len)));
    write_seed("config", "header", bytes_hex("01002000010001"));
}

/* --- exchange ------------------------------------------------------------- */

static bytes saved(const tw_exchange *exchange)
{
    bytes made = bytes_new(tw_exchange_save_len(exchange));
    size_t len = 0;

    must_ok(tw_exchange_save(exchange, made.data, made.len, &len));
    return made;
}

static void exchange_seeds(void)
{
    tw_rng rng = fuzz_rng();
    char name[64];

    for (size_t i = 0; i < sizeof(all_kems) / sizeof(all_kems[0]); i++) {
        uint16_t kem_id = all_kems[i];
        peers p;

        const tw_key *key = fuzz_key(kem_id);

        fuzz_rng_reset();
        peers_start_with(&p, fuzz_suite(kem_id, all_kdfs[i % 3], all_aeads[i % 3]), key, &rng);
        (void)snprintf(name, sizeof(name), "%s-sender", tw_kem_name(kem_id));
        write_seed("exchange", name, saved(p.asked));
        (void)snprintf(name, sizeof(name), "%s-receiver", tw_kem_name(kem_id));
        write_seed("exchange", name, saved(p.answered));
        peers_end(&p);
    }
}

void stored_seeds(void)
{
    config_seeds();
    exchange_seeds();
}
