/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9180's own vectors: all four modes, both ends, with every intermediate value. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <twoway/hpke.h>
#include <twoway/twoway.h>

#include "check.h"
#include "hpke/hpke.h"
#include "rng.h"
#include "vectors.h"

enum { BASE, PSK, AUTH, AUTH_PSK };

typedef struct group {
    uint16_t kem_id;
    size_t mode;
} group;

static group groups[] = {
    {0x0010, BASE}, {0x0010, PSK}, {0x0010, AUTH}, {0x0010, AUTH_PSK},
    {0x0012, BASE}, {0x0012, PSK}, {0x0012, AUTH}, {0x0012, AUTH_PSK},
    {0x0020, BASE}, {0x0020, PSK}, {0x0020, AUTH}, {0x0020, AUTH_PSK},
    {0x0021, BASE}, {0x0021, PSK}, {0x0021, AUTH}, {0x0021, AUTH_PSK},
};

/* One vector, set up for both ends. */
typedef struct setting {
    const json_t *v;
    tw_suite *suite;
    tw_key *receiver, *sender; /* sender is NULL without auth */
    tw_hpke_auth sending, receiving;
    bytes info, enc;
} setting;

static tw_key *private_key(const json_t *v, const char *sk, const char *pk)
{
    bytes private = vector_bytes(v, sk), public = vector_bytes(v, pk);
    tw_key *key = NULL;

    must_ok(tw_key_from_private(vector_id(v, "kem_id"), private.data, private.len, NULL, &key));
    must_bytes(public, ((bytes){(uint8_t *)key->public_key, key->kem->public_len}));
    return key;
}

static void start(setting *s, const json_t *v)
{
    bytes psk = vector_bytes_or_none(v, "psk"), psk_id = vector_bytes_or_none(v, "psk_id");

    *s = (setting){.v = v, .info = vector_bytes(v, "info"), .enc = vector_bytes(v, "enc")};
    must_ok(tw_suite_new(vector_id(v, "kem_id"), vector_id(v, "kdf_id"), vector_id(v, "aead_id"),
                         NULL, &s->suite));
    s->receiver = private_key(v, "skRm", "pkRm");
    s->sending = (tw_hpke_auth){
        .psk = psk.data, .psk_len = psk.len, .psk_id = psk_id.data, .psk_id_len = psk_id.len};
    s->receiving = s->sending;
    if (json_object_get(v, "skSm") != NULL) {
        s->sender = private_key(v, "skSm", "pkSm");
        s->sending.sender = s->sender;
        s->receiving.sender_public = s->sender->public_key;
    }
}

static void end(setting *s)
{
    tw_key_free(s->receiver);
    tw_key_free(s->sender);
    tw_suite_free(s->suite);
}

static void must_encapsulate(const setting *s)
{
    const tw_kem *kem = s->receiver->kem;
    bytes secret = bytes_new(kem->secret_len), enc = bytes_new(kem->enc_len);
    script random;
    tw_rng rng = script_start(&random, vector_bytes(s->v, "ikmE"));

    must_ok(kem->encap(kem, &rng, s->receiver->public_key, s->sender, secret.data, enc.data));
    must(script_all_used(&random));
    must_bytes(s->enc, enc);
    must_bytes(vector_bytes(s->v, "shared_secret"), secret);
    secret = bytes_new(kem->secret_len);
    must_ok(s->receiver->ops->decap(s->receiver, enc.data, s->receiving.sender_public,
                                    secret.data));
    must_bytes(vector_bytes(s->v, "shared_secret"), secret);
}

static void must_schedule(const setting *s)
{
    const tw_builtin_suite *suite = tw_builtin_suite_of(s->suite);
    bytes secret = vector_bytes(s->v, "shared_secret");
    bytes key = vector_bytes(s->v, "key"), nonce = vector_bytes(s->v, "base_nonce");
    tw_schedule schedule;

    must_ok(tw_schedule_make(suite, secret.data, s->info.data, s->info.len,
                             &s->receiving, &schedule));
    must_bytes(key, ((bytes){schedule.key, key.len}));
    must_bytes(nonce, ((bytes){schedule.base_nonce, nonce.len}));
    must_bytes(vector_bytes(s->v, "exporter_secret"),
               ((bytes){schedule.exporter_secret, suite->kit->hash.alg->hash_len}));
}

static void must_export(const setting *s, const tw_hpke *hpke)
{
    json_t *list = vector_list(s->v, "exports"), *e;
    size_t i;

    must_size(3, json_array_size(list));
    json_array_foreach (list, i, e) {
        bytes context = vector_bytes(e, "exporter_context"), got = bytes_new(vector_size(e, "L"));

        must_ok(tw_hpke_export(hpke, context.data, context.len, got.data, got.len));
        must_bytes(vector_bytes(e, "exported_value"), got);
    }
}

/* Brings both sides to a vector's sequence number by messages in between. */
static void catch_up(tw_hpke *sender, tw_hpke *receiver, uint64_t until)
{
    uint8_t sealed[TW_TAG_LEN], none;
    uint64_t seq = 0;
    size_t len;

    must_ok(tw_hpke_seq(sender, &seq));
    for (; seq < until; seq++) {
        must_ok(tw_hpke_seal(sender, NULL, 0, NULL, 0, sealed, sizeof(sealed), &len));
        must_ok(tw_hpke_open(receiver, NULL, 0, sealed, sizeof(sealed), &none, 1, &len));
    }
    must_ok(tw_hpke_seq(receiver, &seq));
    must(seq == until);
}

static void must_seal_and_open(const setting *s, tw_hpke *sender, tw_hpke *receiver)
{
    json_t *list = vector_list(s->v, "encryptions"), *e;
    size_t i, len = 0;

    must_size(6, json_array_size(list));
    json_array_foreach (list, i, e) {
        bytes aad = vector_bytes(e, "aad"), pt = vector_bytes(e, "pt"), ct = vector_bytes(e, "ct");
        bytes sealed = bytes_new(ct.len), opened = bytes_new(pt.len);

        catch_up(sender, receiver, vector_size(e, "seq"));
        must_ok(tw_hpke_seal(sender, aad.data, aad.len, pt.data, pt.len, sealed.data, sealed.len,
                             &len));
        must_bytes(ct, sealed);
        must_ok(tw_hpke_open(receiver, aad.data, aad.len, ct.data, ct.len, opened.data, opened.len,
                             &len));
        must_bytes(pt, opened);
    }
}

static void must_follow(const setting *s)
{
    tw_hpke_params params = {.size = sizeof(params), .suite = s->suite, .info = s->info.data,
                             .info_len = s->info.len, .auth = &s->sending};
    tw_hpke *sender = NULL, *receiver = NULL;
    bytes enc = bytes_new(s->suite->enc_len);
    script random;
    tw_rng rng = script_start(&random, vector_bytes(s->v, "ikmE"));

    params.rng = &rng;
    must_ok(tw_hpke_sender(&params, s->receiver->public_key, s->suite->public_len, enc.data,
                           enc.len, &sender));
    must_bytes(s->enc, enc);
    params.auth = &s->receiving;
    must_ok(tw_hpke_receiver(&params, s->receiver, s->enc.data, s->enc.len, &receiver));
    must_export(s, sender);
    must_export(s, receiver);
    if (s->suite->aead_id != TW_AEAD_EXPORT_ONLY) {
        must_seal_and_open(s, sender, receiver);
    }
    tw_hpke_free(sender);
    tw_hpke_free(receiver);
}

ParameterizedTestParameters(rfc9180, both_ends_follow_every_vector)
{
    return cr_make_param_array(group, groups, sizeof(groups) / sizeof(groups[0]));
}

ParameterizedTest(group *g, rfc9180, both_ends_follow_every_vector)
{
    json_t *root = vectors_load("rfc9180-trimmed.json"), *v;
    size_t i, count = 0;

    json_array_foreach (root, i, v) {
        setting s;

        if (vector_id(v, "kem_id") != g->kem_id || vector_size(v, "mode") != g->mode) {
            continue;
        }
        check_note("in vector %zu: KEM %04x, mode %zu", i, g->kem_id, g->mode);
        start(&s, v);
        must_encapsulate(&s);
        must_schedule(&s);
        must_follow(&s);
        end(&s);
        count++;
    }
    must_size(8, count);
    json_decref(root);
}
