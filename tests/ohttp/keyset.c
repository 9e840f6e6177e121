/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: which key receives what, and for how long. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"

static const tw_symmetric pairs[] = {
    {TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
    {TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305},
    {TW_KDF_HKDF_SHA512, TW_AEAD_AES_256_GCM},
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

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

/* A software key of the set's own; what is returned serves to look at. */
static const tw_key *add(uint8_t key_id, uint16_t kem_id, tw_key_state state)
{
    tw_key *key = generated(kem_id);

    must_ok(tw_keyset_add(set, key_id, key, pairs, PAIRS, state));
    return key;
}

/* --- Requests to what a configuration says. ------------------------------------------ */

typedef struct request {
    tw_suite *suite;
    tw_exchange *asked;
    bytes plain, head, body;
} request;

static request ask(const tw_config *config, size_t pair)
{
    request r = {.plain = bytes_noise(100, config->key_id)};
    const tw_symmetric *symmetric = &config->symmetric[pair];
    tw_sealer *sealer = NULL;
    tw_sender *sender = NULL;

    must_ok(tw_suite_new(config->kem_id, symmetric->kdf_id, symmetric->aead_id, NULL, &r.suite));
    must_ok(tw_sender_new(r.suite, config->key_id, config->public_key, config->public_len, NULL,
                          &sender));
    r.head = bytes_new(tw_sender_head_len(sender));
    must_ok(tw_sender_request(sender, NULL, r.head.data, r.head.len, &sealer, &r.asked));
    r.body = seal_in_steps(sealer, r.plain, 30);
    tw_sender_free(sender);
    return r;
}

static void must_open(const request *r, tw_opener *opener)
{
    bytes opened;

    must_ok(open_in_steps(opener, r->body, 0, &opened));
    must_bytes(r->plain, opened);
}

static void must_answer(const request *r, tw_exchange *answered)
{
    peers p = {.asked = r->asked, .answered = answered};
    bytes plain = bytes_noise(40, 2), opened;
    message m = message_seal(&p, KIND_RESPONSE, format_of(false, 0), plain, 20);

    must_ok(message_open(&p, &m, 0, &opened));
    must_bytes(plain, opened);
}

static void must_receive(const tw_receiver *receiver, const request *r)
{
    tw_opener *opener = NULL;
    tw_exchange *answered = NULL;

    must_ok(tw_receiver_accept(receiver, NULL, r->head.data, r->head.len, &opener, &answered));
    must_open(r, opener);
    must_answer(r, answered);
    tw_exchange_free(answered);
}

static void request_end(request *r)
{
    tw_exchange_free(r->asked);
    tw_suite_free(r->suite);
}

static const tw_receiver *acquired(const request *r)
{
    const tw_receiver *receiver = NULL;

    must_ok(tw_keyset_acquire(set, r->head.data, r->head.len, &receiver));
    must(receiver != NULL);
    return receiver;
}

static void must_not_acquire(tw_err want, bytes head)
{
    const tw_receiver *receiver = (const tw_receiver *)&receiver;

    must_err(want, tw_keyset_acquire(set, head.data, head.len, &receiver));
    must(receiver == NULL);
}

/* The set's own word on its keys. */
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
        add((uint8_t)(3 * i), all_kems[i], TW_KEY_ACTIVE);
    }
    must_size(5, listed(configs, 5));
    for (size_t n = 0; n < 5 * PAIRS; n++) {
        request r = ask(&configs[n / PAIRS], n % PAIRS);
        const tw_receiver *receiver = acquired(&r);

        must_receive(receiver, &r);
        tw_keyset_release(set, receiver);
        request_end(&r);
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
        must_not_acquire(TW_ERR_KEY, bytes_of(wrong[i], TW_HEADER_LEN));
    }
    for (size_t len = 0; len < TW_HEADER_LEN; len++) {
        must_not_acquire(TW_ERR_TRUNCATED, bytes_of(right, len));
    }
    must_ok(tw_keyset_acquire(set, right, TW_HEADER_LEN, &receiver));
    tw_keyset_release(set, receiver);
    must_size(0, watched.calls);
    tw_keyset_free(set);
    set = NULL;
    tw_key_free(inner);
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

    add(9, TW_KEM_P256_HKDF_SHA256, TW_KEY_PENDING);
    must_size(1, listed(&config, 1));
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

/* --- States and the configuration list. ------------------------------------------------ */

Test(keyset, configurations_list_the_active_then_the_pending_in_the_order_of_adding)
{
    must_list("");
    add('a', TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    add('b', TW_KEM_X25519_HKDF_SHA256, TW_KEY_RETIRING);
    add('c', TW_KEM_P256_HKDF_SHA256, TW_KEY_ACTIVE);
    add('d', TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    add('e', TW_KEM_P521_HKDF_SHA512, TW_KEY_ACTIVE);
    must_list("cead");
    must_ok(tw_keyset_set_state(set, 'a', TW_KEY_ACTIVE));
    must_list("aced");
    must_ok(tw_keyset_set_state(set, 'c', TW_KEY_RETIRING));
    must_list("aed");
    must_ok(tw_keyset_set_state(set, 'b', TW_KEY_PENDING));
    must_list("aebd");
    must_ok(tw_keyset_remove(set, 'e'));
    must_list("abd");
    add('e', TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_list("aebd");
    must_ok(tw_keyset_remove(set, 'c'));
    must_list("aebd");
}

Test(keyset, every_state_receives)
{
    static const tw_key_state states[] = {TW_KEY_PENDING, TW_KEY_ACTIVE, TW_KEY_RETIRING};
    tw_config config;
    request r;

    add(7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_PENDING);
    must_size(1, listed(&config, 1));
    r = ask(&config, 0);
    for (size_t i = 0; i < 3; i++) {
        const tw_receiver *receiver;

        must_ok(tw_keyset_set_state(set, 7, states[i]));
        receiver = acquired(&r);
        must_receive(receiver, &r);
        tw_keyset_release(set, receiver);
    }
    must_ok(tw_keyset_remove(set, 7));
    must_not_acquire(TW_ERR_KEY, r.head);
    request_end(&r);
}

Test(keyset, the_list_is_what_a_sender_can_decode_and_choose_from)
{
    tw_config configs[3], decoded[3];
    uint8_t text[1024];
    size_t len = 0, count = 0, index = 9;
    tw_header chosen;

    add(1, TW_KEM_P256_HKDF_SHA256, TW_KEY_PENDING);
    add(2, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
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

Test(keyset, too_short_a_list_says_how_long_it_must_be)
{
    tw_config configs[3];
    size_t count = 0;

    for (uint8_t i = 0; i < 3; i++) {
        add(i, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    }
    for (size_t cap = 0; cap < 3; cap++) {
        must_err(TW_ERR_SPACE, tw_keyset_configs(set, cap == 0 ? NULL : configs, cap, &count));
        must_size(3, count);
    }
    must_size(3, listed(configs, 3));
}

/* --- Whose the keys are, and until when. ------------------------------------------------ */

Test(keyset, a_removed_key_serves_the_requests_that_hold_it_and_is_freed_with_the_last)
{
    tw_key *inner = generated(TW_KEM_X25519_HKDF_SHA256);
    const tw_receiver *first, *second;
    watched_key watched;
    tw_config config;
    request r;

    watched_key_start(&watched, inner);
    must_ok(tw_keyset_add(set, 7, &watched.base, pairs, PAIRS, TW_KEY_ACTIVE));
    must_size(1, listed(&config, 1));
    r = ask(&config, 0);
    first = acquired(&r);
    second = acquired(&r);
    must_ok(tw_keyset_remove(set, 7));
    must_not_acquire(TW_ERR_KEY, r.head);
    must_receive(first, &r);
    tw_keyset_release(set, first);
    must(!watched.freed);
    must_receive(second, &r);
    tw_keyset_release(set, second);
    must(watched.freed);
    request_end(&r);
    tw_key_free(inner);
}

Test(keyset, a_request_in_three_steps_outlives_its_keys_removal)
{
    tw_pending *pending = NULL;
    tw_opener *opener = NULL;
    const tw_receiver *receiver;
    tw_config config;
    request r;

    add(7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_size(1, listed(&config, 1));
    r = ask(&config, 1);
    receiver = acquired(&r);
    must_ok(tw_receiver_begin(receiver, NULL, r.head.data, r.head.len, &pending));
    must_ok(tw_keyset_remove(set, 7));
    must_ok(tw_pending_perform(pending));
    must_ok(tw_pending_finish(pending, &opener, NULL));
    tw_pending_free(pending);
    tw_keyset_release(set, receiver);
    must_open(&r, opener); /* a body needs neither */
    request_end(&r);
}

Test(keyset, a_key_id_may_be_given_to_another_key_while_the_first_is_still_out)
{
    const tw_receiver *old_receiver, *new_receiver;
    request old_request, new_request;
    tw_opener *opener = NULL;
    tw_config config;
    bytes opened;

    add(7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_size(1, listed(&config, 1));
    old_request = ask(&config, 0);
    old_receiver = acquired(&old_request);
    must_ok(tw_keyset_remove(set, 7));
    add(7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_size(1, listed(&config, 1));
    new_request = ask(&config, 0);
    new_receiver = acquired(&new_request);
    must(new_receiver != old_receiver);
    must_receive(old_receiver, &old_request);
    must_receive(new_receiver, &new_request);
    must_ok(tw_receiver_accept(new_receiver, NULL, old_request.head.data, old_request.head.len,
                               &opener, NULL));
    must_err(TW_ERR_AUTH, open_in_steps(opener, old_request.body, 0, &opened));
    tw_keyset_release(set, old_receiver);
    must_receive(new_receiver, &new_request);
    tw_keyset_release(set, new_receiver);
    request_end(&old_request);
    request_end(&new_request);
}

Test(keyset, a_key_belongs_to_the_set_from_the_moment_adding_succeeds)
{
    static const tw_symmetric unknown[] = {{1, 1}, {1, 9}};
    tw_key *inner = generated(TW_KEM_X25519_HKDF_SHA256);
    watched_key refused, listed_key, removed;

    watched_key_start(&refused, inner);
    watched_key_start(&listed_key, inner);
    watched_key_start(&removed, inner);
    must_ok(tw_keyset_add(set, 1, &listed_key.base, pairs, 1, TW_KEY_ACTIVE));
    must_ok(tw_keyset_add(set, 2, &removed.base, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, &refused.base, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 3, &refused.base, unknown, 2, TW_KEY_ACTIVE));
    must_list("\1\2");
    must_ok(tw_keyset_remove(set, 2));
    must(removed.freed && !listed_key.freed);
    tw_keyset_free(set);
    set = NULL;
    must(listed_key.freed && !refused.freed);
    tw_key_free(inner);
}

Test(keyset, exchanges_and_bodies_live_on_after_a_release)
{
    tw_exchange *answered = NULL;
    tw_opener *opener = NULL;
    const tw_receiver *receiver;
    tw_config config;
    request r;

    add(7, TW_KEM_P256_HKDF_SHA256, TW_KEY_ACTIVE);
    must_size(1, listed(&config, 1));
    r = ask(&config, 2);
    receiver = acquired(&r);
    must_ok(tw_receiver_accept(receiver, NULL, r.head.data, r.head.len, &opener, &answered));
    tw_keyset_release(set, receiver);
    must_ok(tw_keyset_remove(set, 7));
    must_open(&r, opener);
    must_answer(&r, answered);
    tw_exchange_free(answered);
    request_end(&r);
}

/* --- Arguments. ------------------------------------------------------------------------- */

Test(keyset, arguments_out_of_range_are_invalid)
{
    tw_symmetric many[TW_MAX_SYMMETRIC + 1];
    tw_key *key = generated(TW_KEM_X25519_HKDF_SHA256);
    const tw_receiver *receiver = NULL;
    uint8_t head[TW_HEADER_LEN] = {0};
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
    tw_keyset_free(NULL);
}
