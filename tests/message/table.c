/* SPDX-License-Identifier: Apache-2.0 */
/* The table of exchanges: every KEM with every KDF and AEAD, every kind of message, whole
 * and chunked, of sizes around the edges. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "check.h"
#include "peers.h"
#include "stream.h"

static const size_t sizes[] = {0,     1, 1000, TW_CHUNK_LEN - 1, TW_CHUNK_LEN, TW_CHUNK_LEN + 1,
                               100000};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void must_carry(const peers *p, kind k, bool chunked, size_t size, size_t step)
{
    size_t mark = bytes_mark();
    bytes plain = bytes_noise(size, (uint32_t)size), opened;
    message m;

    check_note("of a %s %s of %zu bytes, KEM %04x, KDF %04x, AEAD %04x",
               chunked ? "chunked" : "whole", kind_name(k), size, p->suite->kem_id,
               p->suite->kdf_id, p->suite->aead_id);
    m = message_seal(p, k, format_of(chunked, 0), plain, step);
    must_ok(message_open(p, &m, step, &opened));
    must_bytes(plain, opened);
    bytes_release(mark);
}

static triple all_triples[45];

static struct criterion_test_params triples(void)
{
    for (size_t i = 0; i < 45; i++) {
        all_triples[i] = (triple){all_kems[i / 9], all_kdfs[i / 3 % 3], all_aeads[i % 3]};
    }
    return cr_make_param_array(triple, all_triples, 45);
}

ParameterizedTestParameters(table, every_suite_carries_every_kind_of_message)
{
    return triples();
}

ParameterizedTest(triple *t, table, every_suite_carries_every_kind_of_message)
{
    peers p;

    peers_start(&p, *t);
    for (size_t i = 0; i < SIZES * KINDS; i++) {
        must_carry(&p, (kind)(i % KINDS), false, sizes[i / KINDS], 0);
        must_carry(&p, (kind)(i % KINDS), true, sizes[i / KINDS], 0);
        must_carry(&p, (kind)(i % KINDS), true, sizes[i / KINDS], 7777);
    }
    peers_end(&p);
}

/* The same private key behind another receiver answers to its own suite alone. */
ParameterizedTestParameters(table, a_suite_opens_nothing_of_another)
{
    return triples();
}

ParameterizedTest(triple *t, table, a_suite_opens_nothing_of_another)
{
    triple other = {t->kem_id, (uint16_t)(t->kdf_id % 3 + 1), (uint16_t)(t->aead_id % 3 + 1)};
    tw_suite *suite = NULL;
    bytes opened;
    peers p, q;
    message m;

    peers_start(&p, *t);
    must_ok(tw_suite_new(other.kem_id, other.kdf_id, other.aead_id, NULL, &suite));
    peers_start_with(&q, suite, p.key, NULL);
    m = message_seal(&p, KIND_REQUEST, format_of(false, 0), bytes_noise(9, 1), 0);
    must_err(TW_ERR_KEY, message_open(&q, &m, 0, &opened));
    m = message_seal(&p, KIND_MULTI, format_of(false, 0), bytes_noise(9, 1), 0);
    must_err(TW_ERR_KEY, message_open(&q, &m, 0, &opened));
    peers_end(&q);
    tw_suite_free(suite);
    peers_end(&p);
}

static triple large[] = {
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
    {TW_KEM_P384_HKDF_SHA384, TW_KDF_HKDF_SHA384, TW_AEAD_AES_256_GCM},
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305},
};

ParameterizedTestParameters(table, ten_mebibytes_come_back)
{
    return cr_make_param_array(triple, large, sizeof(large) / sizeof(large[0]));
}

ParameterizedTest(triple *t, table, ten_mebibytes_come_back)
{
    peers p;

    peers_start(&p, *t);
    for (kind k = 0; k < KINDS; k++) {
        must_carry(&p, k, false, (size_t)10 << 20, 0);
        must_carry(&p, k, true, (size_t)10 << 20, 1 << 20);
    }
    peers_end(&p);
}
