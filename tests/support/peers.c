/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"
#include "check.h"
#include "stream.h"

const triple triple_default = {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM};

const uint16_t all_kems[5] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                              TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                              TW_KEM_X448_HKDF_SHA512};
const uint16_t all_kdfs[3] = {TW_KDF_HKDF_SHA256, TW_KDF_HKDF_SHA384, TW_KDF_HKDF_SHA512};
const uint16_t all_aeads[3] = {TW_AEAD_AES_128_GCM, TW_AEAD_AES_256_GCM, TW_AEAD_CHACHA20_POLY1305};

const char *kind_name(kind k)
{
    static const char *const names[KINDS] = {"request", "response", "multi"};

    return names[k];
}

/* One request that nobody reads, for the two exchanges it leaves. */
static void make_exchanges(peers *p)
{
    bytes head = bytes_new(tw_sender_head_len(p->sender));
    tw_sealer *sealer = NULL;
    tw_opener *opener = NULL;

    must_ok(tw_sender_request(p->sender, NULL, head.data, head.len, &sealer, &p->asked));
    must_ok(tw_receiver_accept(p->receiver, NULL, head.data, head.len, &opener, &p->answered));
    tw_sealer_free(sealer);
    tw_opener_free(opener);
}

void peers_start_with(peers *p, const tw_suite *suite, const tw_key *key, const tw_rng *rng)
{
    *p = (peers){.suite = suite, .key = key, .rng = rng};
    must_ok(
        tw_sender_new(suite, PEERS_KEY_ID, key->public_key, key->kem->public_len, rng, &p->sender));
    must_ok(tw_receiver_new(suite, PEERS_KEY_ID, key, rng, &p->receiver));
    make_exchanges(p);
}

void peers_start(peers *p, triple t)
{
    tw_suite *suite = NULL;
    tw_key *key = NULL;

    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &suite));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &key));
    peers_start_with(p, suite, key, NULL);
    p->own_suite = suite;
    p->own_key = key;
}

void peers_end(peers *p)
{
    tw_exchange_free(p->asked);
    tw_exchange_free(p->answered);
    tw_sender_free(p->sender);
    tw_receiver_free(p->receiver);
    tw_key_free(p->own_key);
    tw_suite_free(p->own_suite);
    *p = (peers){0};
}

tw_format format_of(bool chunked, size_t max_chunk)
{
    return (tw_format){.size = sizeof(tw_format), .chunked = chunked, .max_chunk = max_chunk};
}

static tw_sealer *multi_begin(const peers *p, message *m)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;

    m->head = bytes_new(tw_multi_head_len(p->suite));
    m->encap = bytes_new(tw_multi_encap_len(p->suite));
    must_ok(tw_multi_new(p->suite, &m->format, p->rng, m->head.data, m->head.len, &sealer, &multi));
    must_ok(tw_multi_encap(multi, PEERS_KEY_ID, p->key->public_key, p->key->kem->public_len,
                           m->encap.data, m->encap.len, NULL));
    tw_multi_free(multi);
    return sealer;
}

tw_sealer *message_begin(const peers *p, kind k, tw_format format, message *m)
{
    tw_sealer *sealer = NULL;

    *m = (message){.kind = k, .format = format};
    switch (k) {
    case KIND_REQUEST:
        m->head = bytes_new(tw_sender_head_len(p->sender));
        must_ok(tw_sender_request(p->sender, &m->format, m->head.data, m->head.len, &sealer, NULL));
        return sealer;
    case KIND_RESPONSE:
        m->head = bytes_new(tw_exchange_response_head_len(p->answered));
        must_ok(tw_exchange_respond(p->answered, &m->format, m->head.data, m->head.len, &sealer));
        return sealer;
    default:
        return multi_begin(p, m);
    }
}

message message_seal(const peers *p, kind k, tw_format format, bytes plain, size_t step)
{
    message m;
    tw_sealer *sealer = message_begin(p, k, format, &m);

    m.body = seal_in_steps(sealer, plain, step);
    return m;
}

tw_err message_accept(const peers *p, const message *m, tw_opener **out)
{
    *out = NULL;
    switch (m->kind) {
    case KIND_REQUEST:
        return tw_receiver_accept(p->receiver, &m->format, m->head.data, m->head.len, out, NULL);
    case KIND_RESPONSE:
        return tw_exchange_receive(p->asked, &m->format, m->head.data, m->head.len, out);
    default:
        return tw_receiver_accept_multi(p->receiver, &m->format, m->encap.data, m->encap.len,
                                        m->head.data, m->head.len, out, NULL);
    }
}

tw_err message_open(const peers *p, const message *m, size_t step, bytes *plain)
{
    tw_opener *opener = NULL;
    tw_err err = message_accept(p, m, &opener);

    *plain = bytes_new(0);
    if (err != TW_OK) {
        must(opener == NULL);
        return err;
    }
    return open_in_steps(opener, m->body, m->format.chunked ? step : 0, plain);
}
