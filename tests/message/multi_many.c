/* SPDX-License-Identifier: Apache-2.0 */
/* One to many with many: a thousand receivers, and who is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "chunks.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"

#define MANY      1000
#define CHUNK     512
#define BODY_LEN  5000
#define KEY_COUNT 16 /* receivers differ in their key id too */

/* The receivers' side of the crowd: each has a key and an id of its own. */
typedef struct crowd {
    tw_suite *suite;
    tw_format format;
    bytes plain, head, body;
    size_t count;
    tw_key *keys[MANY];
    bytes encaps[MANY];
    tw_exchange *asked[MANY];
} crowd;

static crowd c;

static void start(void)
{
    c = (crowd){.format = format_of(true, CHUNK), .plain = bytes_noise(BODY_LEN, 1)};
    must_ok(tw_suite_new(TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         &c.suite));
    c.head = bytes_new(tw_multi_head_len(c.suite));
}

static void end(void)
{
    for (size_t i = 0; i < c.count; i++) {
        tw_exchange_free(c.asked[i]);
        tw_key_free(c.keys[i]);
    }
    tw_suite_free(c.suite);
}

TestSuite(many, .init = start, .fini = end, .timeout = 120);

static uint8_t id_of(size_t receiver)
{
    return (uint8_t)(receiver % KEY_COUNT);
}

static void add(tw_multi *multi, size_t until)
{
    for (; c.count < until; c.count++) {
        size_t i = c.count;

        must_ok(tw_key_generate(c.suite->kem_id, NULL, NULL, &c.keys[i]));
        c.encaps[i] = bytes_new(tw_multi_encap_len(c.suite));
        must_ok(tw_multi_encap(multi, id_of(i), c.keys[i]->public_key, c.suite->public_len,
                               c.encaps[i].data, c.encaps[i].len, &c.asked[i]));
    }
}

/* A third of them before the body, a third amid it, the rest after its end. */
static void seal_to(size_t receivers)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    stream s;

    must_ok(tw_multi_new(c.suite, &c.format, NULL, c.head.data, c.head.len, &sealer, &multi));
    s = stream_seal(sealer);
    add(multi, receivers / 3);
    must_ok(stream_update(&s, bytes_part(c.plain, 0, BODY_LEN / 2)));
    add(multi, 2 * receivers / 3);
    must_ok(stream_final(&s, bytes_from(c.plain, BODY_LEN / 2)));
    c.body = bytes_of(s.out, s.out_len);
    stream_end(&s);
    add(multi, receivers);
    tw_multi_free(multi);
}

static tw_err begin(const tw_key *key, uint8_t key_id, bytes encap, tw_pending **out)
{
    tw_receiver *receiver = NULL;
    tw_err err;

    must_ok(tw_receiver_new(c.suite, key_id, key, NULL, &receiver));
    err = tw_receiver_begin_multi(receiver, &c.format, encap.data, encap.len, c.head.data,
                                  c.head.len, out);
    tw_receiver_free(receiver);
    return err;
}

/* The three-step accept, whose answer must be the one of accept at once. */
static tw_err receive(const tw_key *key, uint8_t key_id, bytes encap, bytes body, bytes *opened,
                      tw_exchange **answered)
{
    tw_pending *pending = NULL;
    tw_opener *opener = NULL;
    tw_err err = begin(key, key_id, encap, &pending);

    *opened = bytes_new(0);
    if (err == TW_OK) {
        must_ok(tw_pending_perform(pending));
        err = tw_pending_finish(pending, &opener, answered);
        must(err == TW_OK || *answered == NULL);
    }
    tw_pending_free(pending);
    return err == TW_OK ? open_in_steps(opener, body, 700, opened) : err;
}

static void must_answer(tw_exchange *answered, tw_exchange *asked, tw_err want)
{
    peers p = {.asked = asked, .answered = answered};
    bytes plain = bytes_noise(40, 2), opened;
    message m = message_seal(&p, KIND_RESPONSE, format_of(false, 0), plain, 20);

    must_err(want, message_open(&p, &m, 0, &opened));
    must_bytes(want == TW_OK ? plain : bytes_new(0), opened);
}

/* --- A thousand. ----------------------------------------------------------------------- */

Test(many, a_thousand_receivers_open_one_body_and_each_answers_for_itself)
{
    size_t full = BODY_LEN / CHUNK;

    seal_to(MANY);
    /* Chunk for chunk a length of two bytes and a tag, and the final chunk's zero and tag. */
    must_size(BODY_LEN + full * (2 + TAG_LEN) + 1 + TAG_LEN, c.body.len);
    for (size_t i = 0; i < MANY; i++) {
        tw_exchange *answered = NULL;
        size_t mark = bytes_mark();
        bytes opened;

        check_note("by receiver %zu", i);
        must_ok(receive(c.keys[i], id_of(i), c.encaps[i], c.body, &opened, &answered));
        must_bytes(c.plain, opened);
        must_answer(answered, c.asked[i], TW_OK);
        must_answer(answered, c.asked[(i + 1) % MANY], TW_ERR_AUTH);
        tw_exchange_free(answered);
        bytes_release(mark);
    }
}

Test(many, no_two_encapsulations_are_alike_even_to_one_key)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    uint8_t seen[20][TW_MAX_HEAD];
    size_t len = tw_multi_encap_len(c.suite);
    tw_key *key = NULL;

    must_ok(tw_key_generate(c.suite->kem_id, NULL, NULL, &key));
    must_ok(tw_multi_new(c.suite, &c.format, NULL, c.head.data, c.head.len, &sealer, &multi));
    for (size_t i = 0; i < 20; i++) {
        must_ok(tw_multi_encap(multi, 1, key->public_key, c.suite->public_len, seen[i], len, NULL));
        for (size_t j = 0; j < i; j++) {
            must(memcmp(seen[i] + TW_HEADER_LEN, seen[j] + TW_HEADER_LEN, c.suite->enc_len) != 0);
            must(memcmp(seen[i] + len - 48, seen[j] + len - 48, 48) != 0);
        }
    }
    tw_sealer_free(sealer);
    tw_multi_free(multi);
    tw_key_free(key);
}

/* The body needs its multi no more than those do who were added before. */
Test(many, a_multi_freed_amid_the_body_leaves_the_body_whole)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    stream s;
    bytes opened;

    must_ok(tw_multi_new(c.suite, &c.format, NULL, c.head.data, c.head.len, &sealer, &multi));
    s = stream_seal(sealer);
    must_ok(stream_update(&s, bytes_part(c.plain, 0, BODY_LEN / 2)));
    add(multi, 2);
    tw_multi_free(multi);
    must_ok(stream_update(&s, bytes_from(c.plain, BODY_LEN / 2)));
    must_ok(stream_final(&s, bytes_none));
    c.body = bytes_of(s.out, s.out_len);
    stream_end(&s);
    for (size_t i = 0; i < 2; i++) {
        tw_exchange *answered = NULL;

        must_ok(receive(c.keys[i], id_of(i), c.encaps[i], c.body, &opened, &answered));
        must_bytes(c.plain, opened);
        must_answer(answered, c.asked[i], TW_OK);
        tw_exchange_free(answered);
    }
}

/* Twice the same receiver is two exchanges: what answers one is no answer to the other. */
Test(many, a_receiver_added_twice_answers_each_for_itself)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    tw_exchange *asked[2] = {NULL, NULL}, *answered[2] = {NULL, NULL};
    bytes encaps[2], opened;
    tw_key *key = NULL;

    must_ok(tw_key_generate(c.suite->kem_id, NULL, NULL, &key));
    must_ok(tw_multi_new(c.suite, &c.format, NULL, c.head.data, c.head.len, &sealer, &multi));
    c.body = seal_in_steps(sealer, c.plain, 0);
    for (size_t i = 0; i < 2; i++) {
        encaps[i] = bytes_new(tw_multi_encap_len(c.suite));
        must_ok(tw_multi_encap(multi, 1, key->public_key, c.suite->public_len, encaps[i].data,
                               encaps[i].len, &asked[i]));
        must_ok(receive(key, 1, encaps[i], c.body, &opened, &answered[i]));
        must_bytes(c.plain, opened);
    }
    for (size_t i = 0; i < 4; i++) {
        must_answer(answered[i / 2], asked[i % 2], i / 2 == i % 2 ? TW_OK : TW_ERR_AUTH);
    }
    for (size_t i = 0; i < 2; i++) {
        tw_exchange_free(asked[i]);
        tw_exchange_free(answered[i]);
    }
    tw_multi_free(multi);
    tw_key_free(key);
}

/* --- Who is refused. ---------------------------------------------------------------------- */

static void must_refuse(tw_err want, size_t receiver, bytes encap)
{
    tw_exchange *answered = (tw_exchange *)&answered;
    bytes opened;

    must_err(want, receive(c.keys[receiver], id_of(receiver), encap, c.body, &opened, &answered));
    must_size(0, opened.len);
}

/* The header says which key: it is read before any key is used. The rest shows at the tag
 * of the sealed key, so that finish refuses and no body is ever made. */
Test(many, an_encapsulation_altered_anywhere_is_refused)
{
    size_t key_at = TW_HEADER_LEN + c.suite->enc_len;

    seal_to(1);
    for (size_t at = 0; at < c.encaps[0].len; at++) {
        bytes altered = bytes_of(c.encaps[0].data, c.encaps[0].len);

        /* X25519 does not see the top bit of its last byte, but the KEM's hash does. */
        altered.data[at] ^= at == key_at - 1 ? 0x80 : 0x01;
        check_note("at byte %zu", at);
        must_refuse(at < TW_HEADER_LEN ? TW_ERR_KEY : TW_ERR_AUTH, 0, altered);
    }
}

Test(many, an_encapsulation_cut_or_too_long_is_refused)
{
    tw_pending *pending;

    seal_to(1);
    for (size_t len = 0; len < c.encaps[0].len; len++) {
        pending = (tw_pending *)&pending;
        must_err(TW_ERR_TRUNCATED,
                 begin(c.keys[0], id_of(0), bytes_of(c.encaps[0].data, len), &pending));
        must(pending == NULL);
    }
    must_err(TW_ERR_INVALID,
             begin(c.keys[0], id_of(0), bytes_cat(c.encaps[0], bytes_new(1)), &pending));
    must(pending == NULL);
}

Test(many, a_receiver_that_was_not_addressed_opens_nothing)
{
    tw_key *stranger = NULL;
    tw_exchange *answered = (tw_exchange *)&answered;
    bytes opened;

    seal_to(3);
    must_ok(tw_key_generate(c.suite->kem_id, NULL, NULL, &stranger));
    for (size_t i = 0; i < 3; i++) {
        must_err(TW_ERR_AUTH, receive(stranger, id_of(i), c.encaps[i], c.body, &opened, &answered));
        must_err(TW_ERR_KEY, receive(stranger, 99, c.encaps[i], c.body, &opened, &answered));
        must_size(0, opened.len);
    }
    tw_key_free(stranger);
}

/* All share the suite: the same key under another KDF or AEAD sees it in the header, and a key
 * of another KEM is no key to add. */
Test(many, a_receiver_of_another_suite_is_refused_by_the_header)
{
    static const uint16_t others[][2] = {{TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM},
                                         {TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305},
                                         {TW_KDF_HKDF_SHA512, TW_AEAD_AES_128_GCM}};
    uint8_t encap[TW_MAX_HEAD];
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    tw_pending *pending;

    seal_to(1);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        tw_receiver *receiver = NULL;
        tw_suite *suite = NULL;

        must_ok(tw_suite_new(c.suite->kem_id, others[i][0], others[i][1], NULL, &suite));
        must_ok(tw_receiver_new(suite, id_of(0), c.keys[0], NULL, &receiver));
        pending = (tw_pending *)&pending;
        must_err(TW_ERR_KEY,
                 tw_receiver_begin_multi(receiver, &c.format, c.encaps[0].data, c.encaps[0].len,
                                         c.head.data, c.head.len, &pending));
        must(pending == NULL);
        tw_receiver_free(receiver);
        tw_suite_free(suite);
    }
    must_ok(tw_multi_new(c.suite, NULL, NULL, c.head.data, c.head.len, &sealer, &multi));
    for (size_t i = 0; i < 5; i++) {
        tw_key *key = NULL;

        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
        must_err(all_kems[i] == c.suite->kem_id ? TW_OK : TW_ERR_KEY,
                 tw_multi_encap(multi, 1, key->public_key, key->kem->public_len, encap,
                                sizeof(encap), NULL));
        tw_key_free(key);
    }
    tw_sealer_free(sealer);
    tw_multi_free(multi);
}

/* Receivers KEY_COUNT apart have the same key id, so only the tag tells them apart. */
Test(many, swapped_encapsulations_are_refused)
{
    seal_to(KEY_COUNT + 1);
    must_refuse(TW_ERR_AUTH, 0, c.encaps[KEY_COUNT]);
    must_refuse(TW_ERR_AUTH, KEY_COUNT, c.encaps[0]);
    must_refuse(TW_ERR_KEY, 0, c.encaps[1]);
}

/* Each half of one receiver's encapsulation with the other half of another's. */
Test(many, halves_of_two_encapsulations_do_not_mix)
{
    size_t key_at = TW_HEADER_LEN + c.suite->enc_len;

    seal_to(KEY_COUNT + 1);
    must_refuse(
        TW_ERR_AUTH, 0,
        bytes_cat(bytes_part(c.encaps[0], 0, key_at), bytes_from(c.encaps[KEY_COUNT], key_at)));
    must_refuse(
        TW_ERR_AUTH, 0,
        bytes_cat(bytes_part(c.encaps[KEY_COUNT], 0, key_at), bytes_from(c.encaps[0], key_at)));
}

Test(many, a_chunked_body_cut_anywhere_is_refused)
{
    tw_exchange *answered = NULL;
    size_t final_at;
    bytes opened;

    seal_to(1);
    final_at = c.body.len - (1 + TAG_LEN + BODY_LEN / 2 % CHUNK);
    for (size_t len = 0; len < c.body.len; len += len < final_at - 20 ? 37 : 1) {
        size_t mark = bytes_mark();

        check_note("cut at %zu", len);
        must_err(len <= final_at ? TW_ERR_TRUNCATED : TW_ERR_AUTH,
                 receive(c.keys[0], id_of(0), c.encaps[0], bytes_of(c.body.data, len), &opened,
                         &answered));
        must(bytes_starts(c.plain, opened));
        tw_exchange_free(answered);
        bytes_release(mark);
    }
}

/* Begin spends no private-key operation, and perform exactly one. */
Test(many, three_steps_use_the_key_once)
{
    watched_key watched;
    tw_pending *pending = NULL;
    tw_opener *opener = NULL;
    bytes opened;

    seal_to(1);
    watched_key_start(&watched, c.keys[0]);
    must_ok(begin(&watched.base, id_of(0), c.encaps[0], &pending));
    must_size(0, watched.calls);
    must_ok(tw_pending_perform(pending));
    must_size(1, watched.operations);
    must_ok(tw_pending_finish(pending, &opener, NULL));
    must_size(1, watched.calls);
    tw_pending_free(pending);
    must_ok(open_in_steps(opener, c.body, 100, &opened));
    must_bytes(c.plain, opened);
}
