/* SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"

#include "check.h"
#include "peers.h"
#include "stream.h"

/* In one of them the KDF alone is another than before, in one the AEAD. */
const tw_symmetric pairs[PAIRS] = {
    {TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
    {TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305},
    {TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305},
};

const tw_key *keyset_add(tw_keyset *set, uint8_t key_id, uint16_t kem_id, tw_key_state state)
{
    tw_key *key = NULL;

    must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
    must_ok(tw_keyset_add(set, key_id, key, pairs, PAIRS, state));
    return key;
}

tw_config keyset_only(tw_keyset *set)
{
    tw_config config;
    size_t count = 0;

    must_ok(tw_keyset_configs(set, &config, 1, &count));
    must_size(1, count);
    return config;
}

asked ask(const tw_config *config, size_t pair)
{
    asked a = {.plain = bytes_noise(100, config->key_id)};
    const tw_symmetric *symmetric = &config->symmetric[pair];
    tw_sealer *sealer = NULL;
    tw_sender *sender = NULL;

    must_ok(tw_suite_new(config->kem_id, symmetric->kdf_id, symmetric->aead_id, NULL, &a.suite));
    must_ok(tw_sender_new(a.suite, config->key_id, config->public_key, config->public_len, NULL,
                          &sender));
    a.head = bytes_new(tw_sender_head_len(sender));
    must_ok(tw_sender_request(sender, NULL, a.head.data, a.head.len, &sealer, &a.exchange));
    a.body = seal_in_steps(sealer, a.plain, 30);
    tw_sender_free(sender);
    return a;
}

void asked_end(asked *a)
{
    tw_exchange_free(a->exchange);
    tw_suite_free(a->suite);
    *a = (asked){.suite = NULL};
}

const tw_receiver *asked_acquire(const asked *a, tw_keyset *set)
{
    const tw_receiver *receiver = NULL;

    must_ok(tw_keyset_acquire(set, a->head.data, a->head.len, &receiver));
    must(receiver != NULL);
    return receiver;
}

void must_open(const asked *a, tw_opener *opener)
{
    bytes opened;

    must_ok(open_in_steps(opener, a->body, 0, &opened));
    must_bytes(a->plain, opened);
}

void must_answer(const asked *a, tw_exchange *answered)
{
    peers p = {.asked = a->exchange, .answered = answered};
    bytes plain = bytes_noise(40, 2), opened;
    message m = message_seal(&p, KIND_RESPONSE, format_of(false, 0), plain, 20);

    must_ok(message_open(&p, &m, 0, &opened));
    must_bytes(plain, opened);
}

void must_receive(const asked *a, const tw_receiver *receiver)
{
    tw_opener *opener = NULL;
    tw_exchange *answered = NULL;

    must_ok(tw_receiver_accept(receiver, NULL, a->head.data, a->head.len, &opener, &answered));
    must_open(a, opener);
    must_answer(a, answered);
    tw_exchange_free(answered);
}

void must_not_acquire(tw_err want, tw_keyset *set, bytes head)
{
    const tw_receiver *receiver = (const tw_receiver *)&receiver;

    must_err(want, tw_keyset_acquire(set, head.data, head.len, &receiver));
    must(receiver == NULL);
}
