/* SPDX-License-Identifier: Apache-2.0 */
/* One to many. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "rng.h"
#include "stream.h"

#define RECEIVERS 3

typedef struct crowd {
    triple t;
    tw_suite *suite;
    tw_key *keys[RECEIVERS];
    tw_receiver *receivers[RECEIVERS];
    tw_exchange *asked[RECEIVERS];
    bytes encaps[RECEIVERS];
    bytes head, body;
} crowd;

static void start(crowd *c, triple t)
{
    *c = (crowd){.t = t};
    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &c->suite));
    for (uint8_t i = 0; i < RECEIVERS; i++) {
        must_ok(tw_key_generate(t.kem_id, NULL, NULL, &c->keys[i]));
        must_ok(tw_receiver_new(c->suite, i, c->keys[i], NULL, &c->receivers[i]));
        c->encaps[i] = bytes_new(tw_multi_encap_len(c->suite));
    }
    c->head = bytes_new(tw_multi_head_len(c->suite));
}

static void end(crowd *c)
{
    for (size_t i = 0; i < RECEIVERS; i++) {
        tw_exchange_free(c->asked[i]);
        tw_receiver_free(c->receivers[i]);
        tw_key_free(c->keys[i]);
    }
    tw_suite_free(c->suite);
}

static tw_err encap(crowd *c, tw_multi *multi, uint8_t i)
{
    return tw_multi_encap(multi, i, c->keys[i]->public_key, c->keys[i]->kem->public_len,
                          c->encaps[i].data, c->encaps[i].len, &c->asked[i]);
}

static tw_err accept(const crowd *c, size_t receiver, size_t encap, const tw_format *format,
                     bytes *opened, tw_exchange **exchange)
{
    tw_opener *opener;
    tw_err err = tw_receiver_accept_multi(c->receivers[receiver], format, c->encaps[encap].data,
                                          c->encaps[encap].len, c->head.data, c->head.len, &opener,
                                          exchange);

    *opened = bytes_new(0);
    return err == TW_OK ? open_in_steps(opener, c->body, format->chunked ? 11 : 0, opened) : err;
}

/* Encapsulations before, while and after the body is sealed. */
static void seal(crowd *c, const tw_format *format, bytes plain)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    stream s;

    must_ok(tw_multi_new(c->suite, format, NULL, c->head.data, c->head.len, &sealer, &multi));
    must_ok(encap(c, multi, 0));
    s = stream_seal(sealer);
    must_ok(stream_update(&s, bytes_part(plain, 0, 20)));
    must_ok(encap(c, multi, 1));
    must_ok(stream_final(&s, bytes_from(plain, 20)));
    must_ok(encap(c, multi, 2));
    tw_multi_free(multi);
    c->body = bytes_of(s.out, s.out_len);
    stream_end(&s);
}

static void must_answer(tw_exchange *answered, tw_exchange *asked, tw_err want)
{
    peers p = {.asked = asked, .answered = answered};
    bytes plain = bytes_noise(40, 2), opened;
    message m = message_seal(&p, KIND_RESPONSE, format_of(true, 0), plain, 20);

    must_err(want, message_open(&p, &m, 5, &opened));
    must_bytes(want == TW_OK ? plain : bytes_new(0), opened);
}

Test(multi, each_receiver_opens_the_body_and_answers_on_its_own)
{
    for (size_t n = 0; n < 5 * 3 * 2; n++) {
        triple t = {all_kems[n / 6], all_kdfs[n % 3], all_aeads[n / 2 % 3]};
        tw_format format = format_of(n % 2 == 1, 0);
        bytes plain = bytes_noise(50, 1), opened;
        tw_exchange *answered[RECEIVERS];
        crowd c;

        start(&c, t);
        seal(&c, &format, plain);
        for (size_t i = 0; i < RECEIVERS; i++) {
            must_ok(accept(&c, i, i, &format, &opened, &answered[i]));
            must_bytes(plain, opened);
        }
        for (size_t i = 0; i < RECEIVERS * RECEIVERS; i++) {
            must_answer(answered[i / RECEIVERS], c.asked[i % RECEIVERS],
                        i / RECEIVERS == i % RECEIVERS ? TW_OK : TW_ERR_AUTH);
        }
        for (size_t i = 0; i < RECEIVERS; i++) {
            tw_exchange_free(answered[i]);
        }
        end(&c);
    }
}

Test(multi, another_receivers_encapsulation_is_refused_by_its_key_id_or_its_tag)
{
    tw_format format = format_of(false, 0);
    tw_receiver *same_id = NULL;
    bytes opened;
    crowd c;

    start(&c, triple_default);
    seal(&c, &format, bytes_noise(50, 1));
    must_err(TW_ERR_KEY, accept(&c, 0, 1, &format, &opened, NULL));
    must_ok(tw_receiver_new(c.suite, 1, c.keys[0], NULL, &same_id));
    tw_receiver_free(c.receivers[0]);
    c.receivers[0] = same_id;
    must_err(TW_ERR_AUTH, accept(&c, 0, 1, &format, &opened, NULL));
    end(&c);
}

Test(multi, body_and_encapsulations_of_two_messages_do_not_mix)
{
    tw_format format = format_of(true, 0);
    bytes plain = bytes_noise(50, 1), opened, first_encap;
    crowd c;

    start(&c, triple_default);
    seal(&c, &format, plain);
    first_encap = c.encaps[0];
    c.encaps[0] = bytes_new(first_encap.len);
    for (size_t i = 0; i < RECEIVERS; i++) {
        tw_exchange_free(c.asked[i]);
        c.asked[i] = NULL;
    }
    seal(&c, &format, plain);
    must_ok(accept(&c, 0, 0, &format, &opened, NULL));
    must_bytes(plain, opened);
    c.encaps[0] = first_encap;
    must_err(TW_ERR_AUTH, accept(&c, 0, 0, &format, &opened, NULL));
    must_size(0, opened.len);
    end(&c);
}

/*
 * What the format does not promise. Its head, the nonce that chunk i's is made of by XOR with i, is
 * bound to nothing: with n added to it, also by XOR, what was chunk i XOR n opens as chunk i.
 */
Test(multi, who_changes_the_head_of_chunks_can_reorder_them_or_drop_what_came_first)
{
    enum { CHUNK = 20, CHUNKS = 4, SEALED = 1 + CHUNK + 16 };
    static const uint8_t order[CHUNKS][CHUNKS] = {{0, 1, 2, 3}, {1, 0, 3}, {2, 3}, {3}};
    static const size_t count[CHUNKS] = {4, 3, 2, 1};
    tw_format format = format_of(true, CHUNK);
    bytes plain = bytes_noise(CHUNK * CHUNKS, 1), sealed, opened;
    crowd c;

    start(&c, triple_default);
    seal(&c, &format, plain);
    sealed = c.body;
    for (uint8_t n = 0; n < CHUNKS; n++) {
        bytes want = bytes_new(0);

        c.body = bytes_new(0);
        for (size_t i = 0; i < count[n]; i++) {
            size_t from = order[n][i], at = from * SEALED;

            c.body = bytes_cat(c.body, from == CHUNKS - 1 ? bytes_from(sealed, at)
                                                          : bytes_part(sealed, at, SEALED));
            want = bytes_cat(want, bytes_part(plain, from * CHUNK, CHUNK));
        }
        c.head.data[c.head.len - 1] ^= n;
        must_ok(accept(&c, 0, 0, &format, &opened, NULL));
        must_bytes(want, opened);
        c.head.data[c.head.len - 1] ^= n;
    }
    end(&c);
}

/* Whole messages have but one place. */
Test(multi, who_changes_the_head_of_a_whole_body_is_refused)
{
    tw_format format = format_of(false, 0);
    bytes opened;
    crowd c;

    start(&c, triple_default);
    seal(&c, &format, bytes_noise(50, 1));
    for (size_t bit = 0; bit < 8 * c.head.len; bit++) {
        c.head.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        must_err(TW_ERR_AUTH, accept(&c, 0, 0, &format, &opened, NULL));
        must_size(0, opened.len);
        c.head.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    end(&c);
}

/* The label binds the encapsulation: it goes into HPKE's info. */
Test(multi, the_label_is_bound_into_each_encapsulation)
{
    tw_format sent = format_of(true, 0), other = sent;
    bytes plain = bytes_noise(50, 1), opened;
    crowd c;

    start(&c, triple_default);
    sent.label = "text/request";
    seal(&c, &sent, plain);
    must_err(TW_ERR_AUTH, accept(&c, 0, 0, &other, &opened, NULL));
    other.label = "text/requesu";
    must_err(TW_ERR_AUTH, accept(&c, 0, 0, &other, &opened, NULL));
    other.label = "text/request";
    must_ok(accept(&c, 0, 0, &other, &opened, NULL));
    must_bytes(plain, opened);
    end(&c);
}

Test(multi, an_exchange_is_saved_as_a_requests_is)
{
    tw_format format = format_of(false, 0);
    bytes opened;
    tw_exchange *answered = NULL, *loaded = NULL;
    uint8_t saved[TW_MAX_SAVE];
    size_t len = 0;
    crowd c;

    start(&c, triple_default);
    seal(&c, &format, bytes_noise(50, 1));
    must_ok(accept(&c, 2, 2, &format, &opened, &answered));
    must_ok(tw_exchange_save(c.asked[2], saved, sizeof(saved), &len));
    must_ok(tw_exchange_load(c.suite, NULL, saved, len, &loaded));
    must_answer(answered, loaded, TW_OK);
    tw_exchange_free(loaded);
    must_ok(tw_exchange_save(answered, saved, sizeof(saved), &len));
    must_ok(tw_exchange_load(c.suite, NULL, saved, len, &loaded));
    must_answer(loaded, c.asked[2], TW_OK);
    tw_exchange_free(loaded);
    tw_exchange_free(answered);
    end(&c);
}

Test(multi, the_content_key_is_drawn_before_the_nonce)
{
    bytes random = bytes_noise(44, 5);
    script s;
    tw_rng rng = script_start(&s, random);
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    crowd c;

    start(&c, triple_default);
    must_ok(tw_multi_new(c.suite, NULL, &rng, c.head.data, c.head.len, &sealer, &multi));
    must(script_all_used(&s));
    must_bytes(bytes_from(random, 32), c.head);
    must_err(TW_ERR_RANDOM, encap(&c, multi, 0));
    must(c.asked[0] == NULL);
    must_bytes(bytes_new(c.encaps[0].len), c.encaps[0]);
    tw_sealer_free(sealer);
    tw_multi_free(multi);
    end(&c);
}

Test(multi, without_randomness_there_is_no_message)
{
    crowd c;

    start(&c, triple_default);
    for (size_t len = 0; len < 44; len++) {
        script s;
        tw_rng rng = script_start(&s, bytes_noise(len, 1));
        tw_sealer *sealer = (tw_sealer *)&sealer;
        tw_multi *multi = (tw_multi *)&multi;

        must_err(TW_ERR_RANDOM,
                 tw_multi_new(c.suite, NULL, &rng, c.head.data, c.head.len, &sealer, &multi));
        must(sealer == NULL && multi == NULL);
    }
    end(&c);
}

Test(multi, arguments_out_of_range_are_invalid)
{
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    uint8_t *pk, *head;
    crowd c;

    start(&c, triple_default);
    pk = bytes_of(c.keys[0]->public_key, 33).data;
    head = c.head.data;
    must_err(TW_ERR_INVALID, tw_multi_new(NULL, NULL, NULL, head, 12, &sealer, &multi));
    must_err(TW_ERR_INVALID, tw_multi_new(c.suite, NULL, NULL, head, 12, NULL, &multi));
    must_err(TW_ERR_INVALID, tw_multi_new(c.suite, NULL, NULL, head, 12, &sealer, NULL));
    must(sealer == NULL && multi == NULL);
    must_ok(tw_multi_new(c.suite, NULL, NULL, head, 12, &sealer, &multi));
    tw_sealer_free(sealer); /* a multi needs no body of its own any more */
    must_err(TW_ERR_INVALID, tw_multi_encap(NULL, 1, pk, 32, c.encaps[0].data, 87, NULL));
    must_err(TW_ERR_INVALID, tw_multi_encap(multi, 1, NULL, 32, c.encaps[0].data, 87, NULL));
    must_err(TW_ERR_KEY, tw_multi_encap(multi, 1, pk, 31, c.encaps[0].data, 87, NULL));
    must_err(TW_ERR_KEY, tw_multi_encap(multi, 1, pk, 33, c.encaps[0].data, 87, NULL));
    memcpy(c.encaps[0].data + 10, pk, 32); /* where enc goes, before pk is done with */
    must_err(TW_ERR_INVALID,
             tw_multi_encap(multi, 1, c.encaps[0].data + 10, 32, c.encaps[0].data, 87, NULL));
    must(memcmp(c.encaps[0].data + 10, pk, 32) == 0);
    memset(pk, 0, 32);
    must_err(TW_ERR_KEY, tw_multi_encap(multi, 1, pk, 32, c.encaps[0].data, 87, NULL));
    must_size(0, tw_multi_head_len(NULL));
    must_size(0, tw_multi_encap_len(NULL));
    tw_multi_free(multi);
    tw_multi_free(NULL);
    end(&c);
}
