/* SPDX-License-Identifier: Apache-2.0 */
/* Back-ends supplied through public headers alone: a key, a KEM, a whole suite, a
 * source of randomness. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "rng.h"
#include "stream.h"
#include "toy.h"

/* Every kind of message between the peers, whole and chunked. */
static void must_exchange(const peers *p)
{
    bytes plain = bytes_noise(100, 1), opened;

    for (size_t chunked = 0; chunked < 2; chunked++) {
        for (kind k = 0; k < KINDS; k++) {
            message m = message_seal(p, k, format_of(chunked == 1, 0), plain, 0);

            check_note("of a %s", kind_name(k));
            must_ok(message_open(p, &m, 9, &opened));
            must_bytes(plain, opened);
            m.body.data[m.body.len - 1] ^= 1;
            must_err(TW_ERR_AUTH, message_open(p, &m, 9, &opened));
            must_size(0, opened.len);
        }
    }
}

Test(injection, a_private_key_of_ones_own)
{
    for (size_t i = 0; i < 5; i++) {
        tw_suite *suite = NULL;
        tw_key *inner = NULL;
        watched_key key;
        peers p;

        must_ok(tw_suite_new(all_kems[i], TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &inner));
        watched_key_start(&key, inner);
        peers_start_with(&p, suite, &key.base, NULL);
        must_exchange(&p);
        must(key.operations > 4);
        must_ok(tw_key_check(&key.base));
        peers_end(&p);
        must(!key.freed);
        tw_key_free(&key.base);
        must(key.freed);
        tw_key_free(inner);
        tw_suite_free(suite);
    }
}

Test(injection, a_kem_of_ones_own)
{
    for (size_t i = 0; i < 5; i++) {
        tw_suite *suite = NULL;
        tw_kem *inner = NULL;
        tw_key *key = NULL;
        watched_kem kem;
        peers p;

        must_ok(tw_kem_new(all_kems[i], NULL, &inner));
        watched_kem_start(&kem, inner);
        must_ok(tw_suite_with_kem(&kem.base, TW_KDF_HKDF_SHA384, TW_AEAD_CHACHA20_POLY1305, NULL,
                                  &suite));
        must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
        peers_start_with(&p, suite, key, NULL);
        must(kem.checks > 0);
        must_exchange(&p);
        must_size(5, kem.encaps); /* two requests, two multi, and the one of the exchanges */
        peers_end(&p);
        tw_suite_free(suite);
        must(!kem.freed); /* the suite borrows it */
        tw_kem_free(&kem.base);
        must(kem.freed);
        tw_key_free(key);
        tw_kem_free(inner);
    }
}

Test(injection, what_a_kem_answers_reaches_the_sender)
{
    static const struct {
        tw_err answer, seen;
    } cases[] = {{TW_ERR_RANDOM, TW_ERR_RANDOM},
                 {TW_ERR_KEY, TW_ERR_KEY},
                 {TW_ERR_MEMORY, TW_ERR_MEMORY},
                 {(tw_err)-99, TW_ERR_BACKEND}};
    tw_suite *suite = NULL;
    tw_kem *inner = NULL;
    tw_key *key = NULL;
    watched_kem kem;
    peers p;

    must_ok(tw_kem_new(TW_KEM_X25519_HKDF_SHA256, NULL, &inner));
    watched_kem_start(&kem, inner);
    must_ok(tw_suite_with_kem(&kem.base, 1, 1, NULL, &suite));
    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &key));
    peers_start_with(&p, suite, key, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tw_sealer *sealer = (tw_sealer *)&sealer;
        tw_exchange *exchange = (tw_exchange *)&exchange;
        uint8_t head[TW_MAX_HEAD];

        kem.answer = cases[i].answer;
        must_err(cases[i].seen,
                 tw_sender_request(p.sender, NULL, head, sizeof(head), &sealer, &exchange));
        must(sealer == NULL && exchange == NULL);
    }
    peers_end(&p);
    tw_suite_free(suite);
    tw_key_free(key);
    tw_kem_free(inner);
}

/* One toy, its peers, and the count of contexts that must come out even. */
typedef struct toys {
    toy t;
    peers p;
} toys;

static void start(toys *s)
{
    peers_start_with(&s->p, &s->t.suite, &s->t.key, NULL);
}

static void end(toys *s)
{
    peers_end(&s->p);
    must_size(s->t.contexts_made, s->t.contexts_freed);
}

Test(injection, a_whole_suite_of_ones_own)
{
    toys s;

    toy_start(&s.t);
    start(&s);
    must_exchange(&s.p);
    must(s.t.contexts_made > 0 && s.t.seals > 0 && s.t.opens > 0);
    must_size(0, s.t.exports); /* the exchange has the exporter secret and needs none */
    must(tw_exchange_save_len(s.p.asked) == 4 + 1 + 7 + TOY_ENC + 32);
    end(&s);
}

Test(injection, a_suite_without_its_exporter_secret_cannot_be_saved)
{
    uint8_t out[TW_MAX_SAVE];
    size_t len;
    toys s;

    toy_start(&s.t);
    s.t.ops.exporter_secret = NULL;
    start(&s);
    must_exchange(&s.p);
    must(s.t.exports > 0);
    must_size(0, tw_exchange_save_len(s.p.asked));
    must_size(0, tw_exchange_save_len(s.p.answered));
    must_err(TW_ERR_INVALID, tw_exchange_save(s.p.asked, out, sizeof(out), &len));
    must_size(0, len);
    end(&s);
}

Test(injection, a_smaller_table_lacks_what_lies_beyond_its_size)
{
    toys s;

    toy_start(&s.t);
    s.t.ops.size = offsetof(tw_hpke_ops, exporter_secret);
    start(&s);
    must_exchange(&s.p);
    must_size(0, tw_exchange_save_len(s.p.asked));
    end(&s);
    toy_start(&s.t);
    s.t.ops.size = offsetof(tw_hpke_ops, seal_update);
    start(&s);
    must_exchange(&s.p);
    end(&s);
}

Test(injection, a_suite_that_seals_no_pieces_takes_final_alone)
{
    bytes plain = bytes_noise(40, 1), opened;
    toys s;

    toy_start(&s.t);
    for (size_t with = 0; with < 2; with++) {
        message m;
        stream sealing;

        if (with == 0) {
            s.t.ops.size = offsetof(tw_hpke_ops, seal_update);
        } else {
            s.t.ops.size = sizeof(tw_hpke_ops);
        }
        start(&s);
        sealing = stream_seal(message_begin(&s.p, KIND_REQUEST, format_of(false, 0), &m));
        must_err(with == 0 ? TW_ERR_STATE : TW_OK,
                 stream_update(&sealing, bytes_part(plain, 0, 10)));
        must_size(with, s.t.pieces);
        must_ok(stream_final(&sealing, with == 0 ? plain : bytes_from(plain, 10)));
        m.body = bytes_of(sealing.out, sealing.out_len);
        stream_end(&sealing);
        must_ok(message_open(&s.p, &m, 0, &opened));
        must_bytes(plain, opened);
        end(&s);
    }
}

static void must_be_invalid(toy *t)
{
    tw_sender *sender = (tw_sender *)&sender;
    tw_receiver *receiver = (tw_receiver *)&receiver;
    tw_sealer *sealer = (tw_sealer *)&sealer;
    tw_multi *multi = (tw_multi *)&multi;
    uint8_t head[12];

    must_err(TW_ERR_INVALID, tw_sender_new(&t->suite, 1, t->public_key, TOY_PUBLIC, NULL, &sender));
    must_err(TW_ERR_INVALID, tw_receiver_new(&t->suite, 1, &t->key, NULL, &receiver));
    must_err(TW_ERR_INVALID, tw_multi_new(&t->suite, NULL, NULL, head, 12, &sealer, &multi));
    must(sender == NULL && receiver == NULL && sealer == NULL && multi == NULL);
}

Test(injection, a_suite_that_lacks_what_it_must_have_is_invalid)
{
    static const uint16_t no_kdfs[] = {0, 4, 0x10}, no_aeads[] = {0, 4, TW_AEAD_EXPORT_ONLY};
    toy t;

    for (size_t i = 0; i < 3; i++) {
        toy_start(&t);
        t.suite.kdf_id = no_kdfs[i];
        must_be_invalid(&t);
        toy_start(&t);
        t.suite.aead_id = no_aeads[i];
        must_be_invalid(&t);
    }
    toy_start(&t);
    t.suite.size = 0;
    must_be_invalid(&t);
    t.suite.size = offsetof(tw_suite, setup_receiver);
    must_be_invalid(&t);
    toy_start(&t);
    t.suite.setup_sender = NULL;
    must_be_invalid(&t);
    toy_start(&t);
    t.suite.setup_receiver = NULL;
    must_be_invalid(&t);
    toy_start(&t);
    t.suite.enc_len = TW_MAX_ENC + 1;
    must_be_invalid(&t);
    toy_start(&t);
    t.suite.public_len = TW_MAX_PUBLIC + 1;
    must_be_invalid(&t);
    toy_start(&t);
    t.suite.tag_len = SIZE_MAX - 20; /* would overflow the lengths that it is added to */
    must_be_invalid(&t);
}

Test(injection, a_key_that_does_not_fit_its_suite_is_invalid)
{
    tw_receiver *receiver = (tw_receiver *)&receiver;
    toy t;

    toy_start(&t);
    t.kem.id++;
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, &t.key, NULL, &receiver));
    must(receiver == NULL);
    toy_start(&t);
    t.kem.enc_len++;
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, &t.key, NULL, &receiver));
    toy_start(&t);
    t.kem.size = 0;
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, &t.key, NULL, &receiver));
    toy_start(&t);
    t.key_ops.size = 0;
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, &t.key, NULL, &receiver));
    toy_start(&t);
    t.key.public_key = NULL;
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, &t.key, NULL, &receiver));
    must_err(TW_ERR_INVALID, tw_receiver_new(&t.suite, 1, NULL, NULL, &receiver));
}

Test(injection, a_suite_that_makes_no_context_is_a_failing_back_end)
{
    toys s;
    message m;
    tw_opener *opener;
    tw_sealer *sealer = (tw_sealer *)&sealer;
    uint8_t head[TW_MAX_HEAD];

    toy_start(&s.t);
    start(&s);
    m = message_seal(&s.p, KIND_REQUEST, format_of(false, 0), bytes_noise(4, 1), 0);
    s.t.no_context = true;
    must_err(TW_ERR_BACKEND,
             tw_sender_request(s.p.sender, NULL, head, sizeof(head), &sealer, NULL));
    must(sealer == NULL);
    must_err(TW_ERR_BACKEND, message_accept(&s.p, &m, &opener));
    must(opener == NULL);
    end(&s);
}

/* Contract 5 promises that SPACE, STATE and INVALID change nothing; a back-end that
 * answers them in the middle of a body cannot keep that promise for us. */
Test(injection, what_a_suite_answers_amid_a_body_is_sticky_and_never_the_callers_fault)
{
    static const struct {
        tw_err answer, seen;
    } cases[] = {{TW_ERR_CRYPTO, TW_ERR_CRYPTO},   {TW_ERR_LIMIT, TW_ERR_LIMIT},
                 {TW_ERR_SPACE, TW_ERR_BACKEND},   {TW_ERR_STATE, TW_ERR_BACKEND},
                 {TW_ERR_INVALID, TW_ERR_BACKEND}, {(tw_err)-500, TW_ERR_BACKEND}};

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        tw_format format = format_of(i % 2 == 1, 0);
        stream sealing, opening;
        tw_opener *opener;
        message m, unused;
        toys s;

        toy_start(&s.t);
        start(&s);
        m = message_seal(&s.p, KIND_REQUEST, format, bytes_noise(20, 1), 0);
        sealing = stream_seal(message_begin(&s.p, KIND_REQUEST, format, &unused));
        must_ok(message_accept(&s.p, &m, &opener));
        opening = stream_open(opener);
        s.t.answer = cases[i / 2].answer;
        must_err(cases[i / 2].seen, stream_final(&sealing, bytes_noise(20, 1)));
        must_err(cases[i / 2].seen, stream_final(&opening, m.body));
        s.t.answer = TW_OK;
        must_err(cases[i / 2].seen, stream_final(&sealing, bytes_noise(20, 1)));
        must_err(cases[i / 2].seen, stream_final(&opening, m.body));
        stream_end(&sealing);
        stream_end(&opening);
        end(&s);
    }
}

/* stream.c looks for bytes of the chunks that were sealed before the one that failed. */
Test(injection, a_sealer_that_fails_amid_a_call_takes_back_what_the_call_wrote)
{
    for (size_t good = 0; good < 4; good++) {
        stream sealing;
        message m;
        toys s;

        toy_start(&s.t);
        start(&s);
        sealing = stream_seal(message_begin(&s.p, KIND_REQUEST, format_of(true, 10), &m));
        s.t.answer = TW_ERR_CRYPTO;
        s.t.good = good;
        must_err(TW_ERR_CRYPTO, stream_final(&sealing, bytes_noise(40, 1)));
        must_size(0, stream_out(&sealing).len);
        stream_end(&sealing);
        end(&s);
    }
}

Test(injection, randomness_of_ones_own_is_drawn_once_a_message)
{
    tw_suite *suite = NULL;
    tw_key *key = NULL;
    script s;
    tw_rng rng;
    bytes random = bytes_noise(400, 9);
    peers p;
    message m;

    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, 1, 2, NULL, &suite));
    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, NULL, &key));
    rng = script_start(&s, random);
    peers_start_with(&p, suite, key, &rng);
    must_size(1, s.draws);
    must_size(32, s.sizes[0]);
    m = message_seal(&p, KIND_RESPONSE, format_of(true, 0), bytes_noise(9, 1), 0);
    must_size(2, s.draws);
    must_size(32, s.sizes[1]); /* max(Nk, Nn) */
    must_bytes(bytes_part(random, 32, 32), m.head);
    m = message_seal(&p, KIND_REQUEST, format_of(true, 0), bytes_noise(9, 1), 0);
    must_size(3, s.draws);
    s.left = bytes_none;
    {
        uint8_t head[TW_MAX_HEAD];
        tw_sealer *sealer = (tw_sealer *)&sealer;
        tw_exchange *exchange = (tw_exchange *)&exchange;

        must_err(TW_ERR_RANDOM,
                 tw_sender_request(p.sender, NULL, head, sizeof(head), &sealer, &exchange));
        must(sealer == NULL && exchange == NULL);
        sealer = (tw_sealer *)&sealer;
        must_err(TW_ERR_RANDOM, tw_exchange_respond(p.answered, NULL, head, sizeof(head), &sealer));
        must(sealer == NULL);
    }
    peers_end(&p);
    tw_key_free(key);
    tw_suite_free(suite);
}
