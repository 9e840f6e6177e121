/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: which key receives what, and which are listed. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "allocations.h"
#include "asked.h"
#include "check.h"
#include "inject.h"
#include "peers.h"
#include "rng.h"
#include "stream.h"

static tw_keyset *set;

static void start(void)
{
    must_ok(tw_keyset_new(NULL, NULL, &set));
}

static void end(void)
{
    tw_keyset_free(set);
}

TestSuite(keyset, .init = start, .fini = end);

static tw_key *generated(uint16_t kem_id)
{
    tw_key *key = NULL;

    must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
    return key;
}

static size_t listed(tw_config *configs, size_t cap)
{
    size_t count = 0;

    must_ok(tw_keyset_configs(set, configs, cap, &count));
    return count;
}

static void must_list(const char *ids)
{
    tw_config configs[8];
    size_t count = listed(configs, 8);

    must_size(strlen(ids), count);
    for (size_t i = 0; i < count; i++) {
        must(configs[i].key_id == ids[i]);
    }
}

/* --- Which key receives. -------------------------------------------------------------- */

Test(keyset, each_key_receives_with_each_of_its_suites)
{
    tw_config configs[5];

    for (uint8_t i = 0; i < 5; i++) {
        keyset_add(set, (uint8_t)(3 * i), all_kems[i], TW_KEY_ACTIVE);
    }
    must_size(5, listed(configs, 5));
    for (size_t n = 0; n < 5 * PAIRS; n++) {
        asked r = ask(&configs[n / PAIRS], n % PAIRS);
        const tw_receiver *receiver = asked_acquire(&r, set);

        must_receive(&r, receiver);
        tw_keyset_release(set, receiver);
        asked_end(&r);
    }
}

Test(keyset, a_header_that_names_no_key_or_suite_here_is_refused_before_any_key_is_used)
{
    static const uint8_t wrong[][TW_HEADER_LEN] = {
        {8, 0, 0x20, 0, 1, 0, 1}, /* the key id */
        {7, 0, 0x10, 0, 1, 0, 1}, /* the KEM */
        {7, 0, 0x20, 0, 2, 0, 1}, /* a KDF that is not listed */
        {7, 0, 0x20, 0, 1, 0, 2}, /* a pair that is not listed, of a KDF and an AEAD that are */
        {7, 0, 0x20, 0, 1, 0xff, 0xff}, {0, 0, 0, 0, 0, 0, 0},
    };
    static const uint8_t right[TW_HEADER_LEN] = {7, 0, 0x20, 0, 1, 0, 1};
    tw_key *inner = generated(TW_KEM_X25519_HKDF_SHA256);
    watched_key watched;
    const tw_receiver *receiver = NULL;

    watched_key_start(&watched, inner);
    must_ok(tw_keyset_add(set, 7, &watched.base, pairs, PAIRS, TW_KEY_ACTIVE));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        must_not_acquire(TW_ERR_KEY, set, bytes_of(wrong[i], TW_HEADER_LEN));
    }
    for (size_t len = 0; len < TW_HEADER_LEN; len++) {
        must_not_acquire(TW_ERR_TRUNCATED, set, bytes_of(right, len));
    }
    must_ok(tw_keyset_acquire(set, right, TW_HEADER_LEN, &receiver));
    tw_keyset_release(set, receiver);
    must_size(0, watched.calls);
    must_ok(tw_keyset_remove(set, 7)); /* what was refused holds nothing */
    must(watched.freed);
    tw_key_free(inner);
}

Test(keyset, a_key_has_as_many_suites_as_there_may_be)
{
    static const uint8_t unlisted[TW_HEADER_LEN] = {1, 0, 0x20, 0, 2, 0, 2};
    static const uint8_t header[TW_HEADER_LEN] = {2, 0, 0x20, 0, 2, 0, 2};
    tw_symmetric many[TW_MAX_SYMMETRIC];
    const tw_receiver *receiver = NULL;
    tw_config configs[2];

    for (size_t i = 0; i < TW_MAX_SYMMETRIC; i++) {
        many[i] = pairs[i % PAIRS];
    }
    must_ok(tw_keyset_add(set, 1, generated(TW_KEM_X25519_HKDF_SHA256), many, TW_MAX_SYMMETRIC,
                          TW_KEY_ACTIVE));
    many[TW_MAX_SYMMETRIC - 1] = (tw_symmetric){TW_KDF_HKDF_SHA384, TW_AEAD_AES_256_GCM};
    must_ok(tw_keyset_add(set, 2, generated(TW_KEM_X25519_HKDF_SHA256), many, TW_MAX_SYMMETRIC,
                          TW_KEY_ACTIVE));
    must_not_acquire(TW_ERR_KEY, set, bytes_of(unlisted, TW_HEADER_LEN));
    must_ok(tw_keyset_acquire(set, header, TW_HEADER_LEN, &receiver)); /* by the last of them */
    tw_keyset_release(set, receiver);
    must_size(2, listed(configs, 2));
    must(memcmp(configs[1].symmetric, many, sizeof(many)) == 0);
}

Test(keyset, one_to_many_is_received_by_the_encapsulations_header)
{
    tw_config config;
    tw_suite *suite = NULL;
    tw_multi *multi = NULL;
    tw_sealer *sealer = NULL;
    tw_opener *opener = NULL;
    const tw_receiver *receiver = NULL;
    bytes head = bytes_new(12), encap, plain = bytes_noise(100, 1), body, opened;

    keyset_add(set, 9, TW_KEM_P256_HKDF_SHA256, TW_KEY_PENDING);
    config = keyset_only(set);
    must_ok(tw_suite_new(config.kem_id, pairs[1].kdf_id, pairs[1].aead_id, NULL, &suite));
    encap = bytes_new(tw_multi_encap_len(suite));
    must_ok(tw_multi_new(suite, NULL, NULL, head.data, head.len, &sealer, &multi));
    must_ok(tw_multi_encap(multi, config.key_id, config.public_key, config.public_len, encap.data,
                           encap.len, NULL));
    body = seal_in_steps(sealer, plain, 0);
    must_ok(tw_keyset_acquire(set, encap.data, encap.len, &receiver));
    must_ok(tw_receiver_accept_multi(receiver, NULL, encap.data, encap.len, head.data, head.len,
                                     &opener, NULL));
    tw_keyset_release(set, receiver);
    must_ok(open_in_steps(opener, body, 0, &opened));
    must_bytes(plain, opened);
    tw_multi_free(multi);
    tw_suite_free(suite);
}

/* --- What it is made with. ------------------------------------------------------------- */

Test(keyset, its_receivers_draw_their_response_nonces_from_its_randomness)
{
    script source;
    bytes noise = bytes_noise(16, 3), nonce = bytes_new(16);
    tw_rng rng = script_start(&source, noise);
    tw_keyset *scripted = NULL;
    tw_opener *opener = NULL;
    tw_sealer *sealer = NULL;
    tw_exchange *answered = NULL;
    tw_config config;
    asked r;

    must_ok(tw_keyset_new(&rng, NULL, &scripted));
    keyset_add(scripted, 7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    config = keyset_only(scripted);
    r = ask(&config, 0);
    must_ok(tw_receiver_accept(asked_acquire(&r, scripted), NULL, r.head.data, r.head.len, &opener,
                               &answered));
    must_ok(tw_exchange_respond(answered, NULL, nonce.data, nonce.len, &sealer));
    must_bytes(noise, nonce);
    tw_sealer_free(sealer);
    tw_opener_free(opener);
    tw_exchange_free(answered);
    tw_keyset_free(scripted);
    asked_end(&r);
}

Test(keyset, its_suites_are_of_its_provider)
{
    static const tw_provider absent = {.properties = "provider=absent"};
    tw_keyset *served_by_none = NULL;
    tw_key *key = generated(TW_KEM_X25519_HKDF_SHA256);

    must_ok(tw_keyset_new(NULL, &absent, &served_by_none));
    must_err(TW_ERR_INVALID, tw_keyset_add(served_by_none, 1, key, pairs, 1, TW_KEY_ACTIVE));
    must_ok(tw_keyset_add(set, 1, key, pairs, 1, TW_KEY_ACTIVE));
    tw_keyset_free(served_by_none);
}

/* Suites stay for good, so that rotation must find those that are there. */
Test(keyset, rotation_holds_no_more_memory_than_the_first_key_did)
{
    size_t held = 0;

    for (size_t i = 0; i < 3; i++) {
        keyset_add(set, 1, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
        must_ok(tw_keyset_remove(set, 1));
        must_size(i == 0 ? allocations_ours().bytes : held, allocations_ours().bytes);
        held = allocations_ours().bytes;
    }
    tw_keyset_free(set);
    set = NULL;
    must_size(0, allocations_ours().bytes);
}

/* --- States and the configuration list. ------------------------------------------------ */

Test(keyset, configurations_list_the_active_then_the_pending_in_the_order_of_adding)
{
    must_list("");
    keyset_add(set, 'a', TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    keyset_add(set, 'b', TW_KEM_X25519_HKDF_SHA256, TW_KEY_RETIRING);
    keyset_add(set, 'c', TW_KEM_P256_HKDF_SHA256, TW_KEY_ACTIVE);
    keyset_add(set, 'd', TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    keyset_add(set, 'e', TW_KEM_P521_HKDF_SHA512, TW_KEY_ACTIVE);
    must_list("cead");
    must_ok(tw_keyset_set_state(set, 'a', TW_KEY_ACTIVE));
    must_list("aced");
    must_ok(tw_keyset_set_state(set, 'c', TW_KEY_RETIRING));
    must_list("aed");
    must_ok(tw_keyset_set_state(set, 'b', TW_KEY_PENDING));
    must_list("aebd");
    must_ok(tw_keyset_remove(set, 'e'));
    must_list("abd");
    keyset_add(set, 'e', TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_list("aebd");
    must_ok(tw_keyset_remove(set, 'c'));
    must_list("aebd");
}

Test(keyset, every_state_receives)
{
    static const tw_key_state states[] = {TW_KEY_PENDING, TW_KEY_ACTIVE, TW_KEY_RETIRING};
    tw_config config;
    asked r;

    keyset_add(set, 7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    config = keyset_only(set);
    r = ask(&config, 0);
    for (size_t i = 0; i < 3; i++) {
        const tw_receiver *receiver;

        must_ok(tw_keyset_set_state(set, 7, states[i]));
        receiver = asked_acquire(&r, set);
        must_receive(&r, receiver);
        tw_keyset_release(set, receiver);
    }
    must_ok(tw_keyset_remove(set, 7));
    must_not_acquire(TW_ERR_KEY, set, r.head);
    asked_end(&r);
}

Test(keyset, the_list_is_what_a_sender_can_decode_and_choose_from)
{
    tw_config configs[3], decoded[3];
    uint8_t text[1024];
    size_t len = 0, count = 0, index = 9;
    tw_header chosen;

    keyset_add(set, 1, TW_KEM_P256_HKDF_SHA256, TW_KEY_PENDING);
    keyset_add(set, 2, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_size(2, listed(configs, 3));
    must_ok(tw_config_encode(configs, 2, false, text, sizeof(text), &len));
    must_ok(tw_config_decode(text, len, decoded, 3, &count));
    must_size(2, count);
    must_ok(tw_config_choose(decoded, count, NULL, &index, &chosen));
    must_size(0, index);
    must(chosen.key_id == 2 && chosen.kem_id == TW_KEM_X25519_HKDF_SHA256);
    must(chosen.kdf_id == pairs[0].kdf_id && chosen.aead_id == pairs[0].aead_id);
    for (size_t i = 0; i < 2; i++) {
        must_size(PAIRS, decoded[i].symmetric_count);
        must(memcmp(decoded[i].symmetric, pairs, sizeof(pairs)) == 0);
    }
}

Test(keyset, a_configuration_is_the_keys_and_nothing_that_lay_there_before)
{
    const tw_key *key = keyset_add(set, 3, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    tw_config configs[2], want[2];

    memset(want, 0xa5, sizeof(want));
    memset(configs, 0xa5, sizeof(configs));
    memset(&want[0], 0, sizeof(want[0]));
    want[0].key_id = 3;
    want[0].kem_id = TW_KEM_X25519_HKDF_SHA256;
    want[0].public_len = key->kem->public_len;
    memcpy(want[0].public_key, key->public_key, key->kem->public_len);
    memcpy(want[0].symmetric, pairs, sizeof(pairs));
    want[0].symmetric_count = PAIRS;
    must_size(1, listed(configs, 2));
    must(memcmp(want, configs, sizeof(want)) == 0);
}

Test(keyset, too_short_a_list_says_how_long_it_must_be)
{
    tw_config configs[3];
    size_t count = 0;

    for (uint8_t i = 0; i < 3; i++) {
        keyset_add(set, i, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    }
    for (size_t cap = 0; cap < 3; cap++) {
        must_err(TW_ERR_SPACE, tw_keyset_configs(set, cap == 0 ? NULL : configs, cap, &count));
        must_size(3, count);
    }
    must_size(3, listed(configs, 3));
}

/* The set frees what it has, once. */
Test(keyset, a_key_that_is_there_already_is_not_taken_again)
{
    tw_key *key = generated(TW_KEM_X25519_HKDF_SHA256);
    const tw_receiver *receiver = NULL;
    uint8_t head[TW_HEADER_LEN] = {1, 0, 0x20, 0, 1, 0, 1};

    must_ok(tw_keyset_add(set, 1, key, pairs, PAIRS, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, pairs, PAIRS, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 2, key, pairs, PAIRS, TW_KEY_ACTIVE));
    must_list("\1");
    must_ok(tw_keyset_acquire(set, head, sizeof(head), &receiver));
    must_ok(tw_keyset_remove(set, 1));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 2, key, pairs, PAIRS, TW_KEY_ACTIVE));
    keyset_add(set, 1, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE); /* another under its id */
    tw_keyset_release(set, receiver);                             /* now it is freed */
    must_list("\1");
}

/* --- Arguments. ------------------------------------------------------------------------- */

Test(keyset, arguments_out_of_range_are_invalid)
{
    tw_symmetric many[TW_MAX_SYMMETRIC + 1];
    tw_key *key = generated(TW_KEM_X25519_HKDF_SHA256);
    const tw_receiver *receiver = NULL;
    const uint8_t head[TW_HEADER_LEN] = {1, 0, 0x20, 0, 1, 0, 1};
    tw_config config;
    size_t count = 9;

    for (size_t i = 0; i < TW_MAX_SYMMETRIC + 1; i++) {
        many[i] = pairs[i % PAIRS];
    }
    must_err(TW_ERR_INVALID, tw_keyset_new(NULL, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_keyset_add(NULL, 1, key, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, NULL, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, NULL, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, pairs, 0, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, many, 17, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, pairs, 1, (tw_key_state)0));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, key, pairs, 1, (tw_key_state)4));
    must_err(TW_ERR_KEY, tw_keyset_set_state(set, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_set_state(set, 1, (tw_key_state)0));
    must_err(TW_ERR_INVALID, tw_keyset_set_state(NULL, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_KEY, tw_keyset_remove(set, 1));
    must_err(TW_ERR_INVALID, tw_keyset_remove(NULL, 1));
    must_err(TW_ERR_INVALID, tw_keyset_acquire(NULL, head, sizeof(head), &receiver));
    must_err(TW_ERR_INVALID, tw_keyset_acquire(set, head, sizeof(head), NULL));
    must_err(TW_ERR_INVALID, tw_keyset_configs(NULL, &config, 1, &count));
    must_size(0, count);
    must_err(TW_ERR_INVALID, tw_keyset_configs(set, &config, 1, NULL));
    must_err(TW_ERR_INVALID, tw_keyset_configs(set, NULL, 1, &count));
    must_ok(tw_keyset_add(set, 1, key, many, TW_MAX_SYMMETRIC, TW_KEY_ACTIVE));
    tw_keyset_release(set, NULL);
    tw_keyset_release(NULL, NULL);
    must_ok(tw_keyset_acquire(set, head, sizeof(head), &receiver));
    tw_keyset_release(NULL, receiver);
    tw_keyset_release(set, receiver);
    tw_keyset_free(NULL);
}
