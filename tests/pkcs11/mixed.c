/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a token and in software side by side: one key set, one message to both. */
#include <criterion/criterion.h>

#include <twoway/ohttp.h>

#include "asked.h"
#include "check.h"
#include "peers.h"
#include "stand.h"
#include "stream.h"

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(mixed, .fini = end, .timeout = 120);

/* A rotation from software into the token, with requests to either on their way. */
Test(mixed, a_key_set_rotates_from_software_into_a_token)
{
    asked before, amid;
    tw_config configs[2];
    const tw_receiver *first, *second;
    tw_keyset *set = NULL;
    tw_token *token;
    size_t count = 0;

    stand_softhsm(&s);
    token = stand_open(&s);
    must_ok(tw_keyset_new(NULL, NULL, &set));
    keyset_add(set, 1, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    must_ok(tw_keyset_add(set, 2, stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "next"), pairs,
                          PAIRS, TW_KEY_PENDING));
    must_ok(tw_keyset_configs(set, configs, 2, &count));
    must_size(2, count);
    must(configs[0].key_id == 1 && configs[1].key_id == 2);
    before = ask(&configs[0], 0);
    amid = ask(&configs[1], 2);
    must_ok(tw_keyset_set_state(set, 2, TW_KEY_ACTIVE));
    must_ok(tw_keyset_set_state(set, 1, TW_KEY_RETIRING));
    must(keyset_only(set).key_id == 2);
    first = asked_acquire(&before, set);
    second = asked_acquire(&amid, set);
    must_ok(tw_keyset_remove(set, 1));
    must_receive(&before, first);
    must_receive(&amid, second);
    tw_keyset_release(set, first);
    must_ok(tw_keyset_remove(set, 2));
    must_receive(&amid, second); /* the token's key is still out */
    tw_keyset_release(set, second);
    must_not_acquire(TW_ERR_KEY, set, amid.head);
    asked_end(&before);
    asked_end(&amid);
    tw_keyset_free(set);
    tw_token_free(token);
    must_no_event(&s);
}

static void must_open_with(const tw_suite *suite, const tw_key *key, uint8_t key_id, bytes encap,
                           bytes head, bytes body, bytes plain)
{
    tw_receiver *receiver = NULL;
    tw_opener *opener = NULL;
    bytes opened;

    must_ok(tw_receiver_new(suite, key_id, key, NULL, &receiver));
    must_ok(tw_receiver_accept_multi(receiver, NULL, encap.data, encap.len, head.data, head.len,
                                     &opener, NULL));
    must_ok(open_in_steps(opener, body, 0, &opened));
    must_bytes(plain, opened);
    tw_receiver_free(receiver);
}

Test(mixed, one_message_goes_to_keys_in_software_and_in_a_token)
{
    bytes plain = bytes_noise(1000, 1), body, head, encap[2];
    tw_key *keys[2] = {NULL, NULL};
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    tw_suite *suite = NULL;
    tw_token *token;

    stand_softhsm(&s);
    token = stand_open(&s);
    must_ok(tw_suite_new(TW_KEM_P384_HKDF_SHA384, TW_KDF_HKDF_SHA384, TW_AEAD_AES_256_GCM, NULL,
                         &suite));
    must_ok(tw_key_generate(TW_KEM_P384_HKDF_SHA384, NULL, NULL, &keys[0]));
    keys[1] = stand_key(&s, token, TW_KEM_P384_HKDF_SHA384, "a");
    head = bytes_new(tw_multi_head_len(suite));
    must_ok(tw_multi_new(suite, NULL, NULL, head.data, head.len, &sealer, &multi));
    for (uint8_t i = 0; i < 2; i++) {
        encap[i] = bytes_new(tw_multi_encap_len(suite));
        must_ok(tw_multi_encap(multi, i, keys[i]->public_key, suite->public_len, encap[i].data,
                               encap[i].len, NULL));
    }
    body = seal_in_steps(sealer, plain, 100);
    for (uint8_t i = 0; i < 2; i++) {
        must_open_with(suite, keys[i], i, encap[i], head, body, plain);
        tw_key_free(keys[i]);
    }
    tw_multi_free(multi);
    tw_suite_free(suite);
    tw_token_free(token);
    must_no_event(&s);
}
