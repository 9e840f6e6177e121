/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <string.h>

#include "fuzz.h"
#include "message/message.h"
#include "support/check.h"

#define KEY_ID 7

static void make_keys(party *p, size_t aead, bool chunked, const uint8_t *secret)
{
    const char *label = chunked ? "message/bhttp chunked request" : "message/bhttp request";
    const tw_builtin_suite *suite = tw_builtin_suite_of(p->suite);
    tw_schedule schedule;
    tw_info info;

    must_ok(tw_info_make(label, p->head.data, &info));
    must_ok(tw_schedule_make(suite, secret, info.data, info.len, NULL, &schedule));
    tw_info_clear(&info);
    p->request[chunked].aead = aead;
    memcpy(p->request[chunked].key, schedule.key, sizeof(schedule.key));
    memcpy(p->request[chunked].base, schedule.base_nonce, sizeof(schedule.base_nonce));
    memcpy(p->exporter[chunked], schedule.exporter_secret, sizeof(schedule.exporter_secret));
}

static void party_make(party *p, size_t aead)
{
    const tw_key *key = fuzz_key(TW_KEM_X25519_HKDF_SHA256);
    tw_rng rng = fuzz_rng();
    tw_header header = {KEY_ID, key->kem->id, TW_KDF_HKDF_SHA256, all_aeads[aead]};
    uint8_t secret[TW_MAX_SECRET];

    p->suite = fuzz_suite(header.kem_id, header.kdf_id, header.aead_id);
    must_ok(tw_receiver_new(p->suite, KEY_ID, key, NULL, &p->receiver));
    tw_header_write(&header, p->start);
    fuzz_rng_reset();
    must_ok(
        key->kem->encap(key->kem, &rng, key->public_key, NULL, secret, p->start + TW_HEADER_LEN));
    p->head = (bytes){p->start, sizeof(p->start)};
    make_keys(p, aead, false, secret);
    make_keys(p, aead, true, secret);
}

const party *party_of(size_t aead)
{
    static party parties[3];

    if (parties[aead].suite == NULL) {
        party_make(&parties[aead], aead);
    }
    return &parties[aead];
}

keys party_response(const party *p, bool chunked, bytes nonce)
{
    const char *label = chunked ? "message/bhttp chunked response" : "message/bhttp response";
    const tw_builtin_suite *suite = tw_builtin_suite_of(p->suite);
    bytes salt = bytes_cat(bytes_from(p->head, TW_HEADER_LEN), nonce);
    keys made = {.aead = p->request[0].aead};
    uint8_t secret[TW_MAX_AEAD_KEY], prk[TW_MAX_HASH];
    tw_piece ikm = {secret, nonce.len}, for_key = {"key", 3}, for_nonce = {"nonce", 5};
    tw_hmac hmac;

    must_ok(tw_hmac_begin(&suite->kit->hash, &hmac));
    must_ok(tw_export(&hmac, &suite->id, p->exporter[0], (const uint8_t *)label, strlen(label),
                      secret, nonce.len));
    must_ok(tw_hkdf_extract(&hmac, salt.data, salt.len, &ikm, 1, prk));
    must_ok(tw_hkdf_expand(&hmac, prk, 32, &for_key, 1, made.key, suite->kit->cipher.alg->key_len));
    must_ok(tw_hkdf_expand(&hmac, prk, 32, &for_nonce, 1, made.base, sizeof(made.base)));
    tw_hmac_end(&hmac);
    return made;
}

tw_exchange *party_exchange(const party *p)
{
    static const uint8_t start[] = {'T', 'W', 'X', '1', TW_ROLE_SENDER};
    bytes saved =
        bytes_cat(bytes_cat(bytes_of(start, sizeof(start)), p->head), bytes_of(p->exporter[0], 32));
    tw_exchange *exchange = NULL;

    must_ok(tw_exchange_load(p->suite, NULL, saved.data, saved.len, &exchange));
    return exchange;
}
