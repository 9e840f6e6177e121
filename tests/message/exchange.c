/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges: answers, roles, and what is saved of them. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "peers.h"
#include "stream.h"

static bytes saved(const tw_exchange *exchange)
{
    size_t len = 0, need = tw_exchange_save_len(exchange);
    bytes out = bytes_new(need);

    must_err(TW_ERR_SPACE, tw_exchange_save(exchange, out.data, need - 1, &len));
    must_size(need, len);
    must_err(TW_ERR_SPACE, tw_exchange_save(exchange, NULL, need, &len));
    must_size(need, len);
    must_bytes(bytes_new(need), out);
    must_ok(tw_exchange_save(exchange, out.data, need, &len));
    must_size(need, len);
    must(need <= TW_MAX_SAVE);
    return out;
}

static tw_err load(const tw_suite *suite, bytes from, tw_exchange **out)
{
    *out = (tw_exchange *)out;
    return tw_exchange_load(suite, NULL, from.data, from.len, out);
}

static void must_not_load(tw_err want, const tw_suite *suite, bytes from)
{
    tw_exchange *exchange;

    must_err(want, load(suite, from, &exchange));
    must(exchange == NULL);
}

/* One answer from `answered` to `asked`. */
static void must_answer(tw_exchange *answered, tw_exchange *asked, tw_err want)
{
    peers p = {.asked = asked, .answered = answered};
    bytes plain = bytes_noise(77, 3), opened;

    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m = message_seal(&p, KIND_RESPONSE, format_of(chunked == 1, 0), plain, 20);

        must_err(want, message_open(&p, &m, 9, &opened));
        must_bytes(want == TW_OK ? plain : bytes_new(0), opened);
    }
}

static const triple all_sizes[] = {
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM},
    {TW_KEM_P521_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305},
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA384, TW_AEAD_AES_128_GCM},
};

#define SIZES (sizeof(all_sizes) / sizeof(all_sizes[0]))

Test(exchange, may_answer_more_than_once_under_fresh_nonces)
{
    peers p;
    message first, second;
    bytes plain = bytes_text("the same answer"), opened;

    peers_start(&p, triple_default);
    first = message_seal(&p, KIND_RESPONSE, format_of(false, 0), plain, 0);
    second = message_seal(&p, KIND_RESPONSE, format_of(false, 0), plain, 0);
    must(!bytes_equal(first.head, second.head));
    must(!bytes_equal(first.body, second.body));
    /* In either order, and again. */
    must_ok(message_open(&p, &second, 0, &opened));
    must_bytes(plain, opened);
    must_ok(message_open(&p, &first, 0, &opened));
    must_bytes(plain, opened);
    must_ok(message_open(&p, &first, 0, &opened));
    second.head = first.head;
    must_err(TW_ERR_AUTH, message_open(&p, &second, 0, &opened));
    peers_end(&p);
}

Test(exchange, an_answer_is_bound_to_its_own_request)
{
    peers p, q;

    peers_start(&p, triple_default);
    peers_start_with(&q, p.suite, p.key, NULL); /* the same keys, another request */
    must_answer(p.answered, p.asked, TW_OK);
    must_answer(q.answered, q.asked, TW_OK);
    must_answer(p.answered, q.asked, TW_ERR_AUTH);
    must_answer(q.answered, p.asked, TW_ERR_AUTH);
    peers_end(&q);
    peers_end(&p);
}

Test(exchange, each_role_has_its_own_direction)
{
    bytes head = bytes_noise(64, 1);
    peers p;
    tw_sealer *sealer = (tw_sealer *)&sealer;
    tw_opener *opener = (tw_opener *)&opener;

    peers_start(&p, triple_default);
    must_err(TW_ERR_STATE, tw_exchange_respond(p.asked, NULL, head.data, head.len, &sealer));
    must(sealer == NULL);
    must_err(TW_ERR_STATE, tw_exchange_receive(p.answered, NULL, head.data, 16, &opener));
    must(opener == NULL);
    must_err(TW_ERR_INVALID, tw_exchange_respond(NULL, NULL, head.data, head.len, &sealer));
    must_err(TW_ERR_INVALID, tw_exchange_receive(NULL, NULL, head.data, 16, &opener));
    must_err(TW_ERR_INVALID, tw_exchange_respond(p.answered, NULL, head.data, head.len, NULL));
    must_err(TW_ERR_INVALID, tw_exchange_receive(p.asked, NULL, head.data, 16, NULL));
    must_err(TW_ERR_SPACE, tw_exchange_respond(p.answered, NULL, NULL, head.len, &sealer));
    must_err(TW_ERR_INVALID, tw_exchange_receive(p.asked, NULL, NULL, 1, &opener));
    must(sealer == NULL && opener == NULL);
    must_size(0, tw_exchange_response_head_len(NULL));
    must_size(0, tw_exchange_save_len(NULL));
    tw_exchange_free(NULL);
    peers_end(&p);
}

Test(exchange, saved_and_loaded_it_answers_as_before)
{
    for (size_t i = 0; i < SIZES; i++) {
        tw_exchange *asked, *answered;
        peers p;

        peers_start(&p, all_sizes[i]);
        must_ok(load(p.suite, saved(p.asked), &asked));
        must_ok(load(p.suite, saved(p.answered), &answered));
        must_answer(answered, asked, TW_OK);
        must_answer(p.answered, asked, TW_OK);
        must_answer(answered, p.asked, TW_OK);
        must_bytes(saved(p.asked), saved(asked));
        must_bytes(saved(p.answered), saved(answered));
        tw_exchange_free(asked);
        tw_exchange_free(answered);
        peers_end(&p);
    }
}

Test(exchange, its_saved_form_is_magic_role_header_enc_and_exporter_secret)
{
    static const size_t enc_lens[] = {65, 133, 32}, secret_lens[] = {32, 64, 48};

    for (size_t i = 0; i < SIZES; i++) {
        bytes asked, answered;
        tw_header header;
        peers p;

        peers_start(&p, all_sizes[i]);
        asked = saved(p.asked);
        answered = saved(p.answered);
        must_size(4 + 1 + 7 + enc_lens[i] + secret_lens[i], asked.len);
        must_bytes(bytes_text("TWX1\x01"), bytes_part(asked, 0, 5));
        must_bytes(bytes_text("TWX1\x02"), bytes_part(answered, 0, 5));
        must_bytes(bytes_from(asked, 5), bytes_from(answered, 5));
        must_ok(tw_exchange_peek(asked.data, asked.len, &header));
        must(header.key_id == PEERS_KEY_ID && header.kem_id == all_sizes[i].kem_id);
        must(header.kdf_id == all_sizes[i].kdf_id && header.aead_id == all_sizes[i].aead_id);
        peers_end(&p);
    }
}

Test(exchange, a_saved_one_cut_at_any_byte_is_truncated)
{
    peers p;
    bytes whole;
    tw_header header = {1, 1, 1, 1};

    peers_start(&p, triple_default);
    whole = saved(p.asked);
    for (size_t len = 0; len < whole.len; len++) {
        bytes cut = bytes_of(whole.data, len);

        must_not_load(TW_ERR_TRUNCATED, p.suite, cut);
        if (len < 12) {
            must_err(TW_ERR_TRUNCATED, tw_exchange_peek(cut.data, cut.len, &header));
            must(header.key_id == 0 && header.kem_id == 0);
        } else { /* the header is there */
            must_ok(tw_exchange_peek(cut.data, cut.len, &header));
            must(header.key_id == PEERS_KEY_ID);
        }
    }
    must_not_load(TW_ERR_TRUNCATED, p.suite, bytes_none);
    must_not_load(TW_ERR_FORMAT, p.suite, bytes_cat(whole, bytes_new(1)));
    peers_end(&p);
}

Test(exchange, an_altered_magic_or_role_is_malformed)
{
    peers p;
    bytes whole;
    tw_header header;

    peers_start(&p, triple_default);
    whole = saved(p.asked);
    for (size_t bit = 0; bit < 8 * 5; bit++) {
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (whole.data[4] != 1 && whole.data[4] != 2) {
            must_not_load(TW_ERR_FORMAT, p.suite, whole);
            must_err(TW_ERR_FORMAT, tw_exchange_peek(whole.data, whole.len, &header));
        } else if (bit < 32) {
            must_not_load(TW_ERR_FORMAT, p.suite, whole);
            must_not_load(TW_ERR_FORMAT, p.suite, bytes_part(whole, 0, bit / 8 + 1));
            must_err(TW_ERR_FORMAT, tw_exchange_peek(whole.data, whole.len, &header));
        }
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    peers_end(&p);
}

Test(exchange, another_suite_is_invalid)
{
    peers p;
    bytes whole;
    tw_header header;

    peers_start(&p, triple_default);
    whole = saved(p.asked);
    for (size_t i = 0; i < 5 * 9; i++) {
        triple t = {all_kems[i / 9], all_kdfs[i / 3 % 3], all_aeads[i % 3]};
        bool same = t.kem_id == triple_default.kem_id && t.kdf_id == triple_default.kdf_id &&
                    t.aead_id == triple_default.aead_id;
        tw_suite *suite = NULL;

        must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &suite));
        if (!same) {
            must_not_load(TW_ERR_INVALID, suite, whole);
        }
        tw_suite_free(suite);
    }
    must_not_load(TW_ERR_INVALID, NULL, whole);
    must_not_load(TW_ERR_INVALID, p.suite, ((bytes){NULL, whole.len}));
    must_err(TW_ERR_INVALID, tw_exchange_load(p.suite, NULL, whole.data, whole.len, NULL));
    must_err(TW_ERR_INVALID, tw_exchange_peek(whole.data, whole.len, NULL));
    must_err(TW_ERR_INVALID, tw_exchange_peek(NULL, 1, &header));
    must_err(TW_ERR_INVALID, tw_exchange_save(p.asked, whole.data, whole.len, NULL));
    must_err(TW_ERR_INVALID, tw_exchange_save(NULL, whole.data, whole.len, &(size_t){0}));
    peers_end(&p);
}

Test(exchange, an_altered_enc_or_secret_answers_nothing)
{
    peers p;
    bytes whole;

    peers_start(&p, triple_default);
    whole = saved(p.answered);
    for (size_t at = 12; at < whole.len; at++) {
        tw_exchange *answered;

        whole.data[at] ^= 0x20;
        must_ok(load(p.suite, whole, &answered));
        must_answer(answered, p.asked, TW_ERR_AUTH);
        tw_exchange_free(answered);
        whole.data[at] ^= 0x20;
    }
    peers_end(&p);
}

Test(exchange, outlives_its_sender_and_receiver)
{
    tw_exchange *asked, *answered;
    peers p;

    peers_start(&p, triple_default);
    asked = p.asked;
    answered = p.answered;
    p.asked = p.answered = NULL;
    tw_sender_free(p.sender);
    tw_receiver_free(p.receiver);
    p.sender = NULL;
    p.receiver = NULL;
    must_answer(answered, asked, TW_OK);
    tw_exchange_free(asked);
    tw_exchange_free(answered);
    peers_end(&p);
}

Test(exchange, differs_for_each_label_and_layout)
{
    static const char *const labels[] = {NULL, "text/response", "text/respons", ""};
    bytes plain = bytes_noise(20, 1), opened;
    peers p;

    peers_start(&p, triple_default);
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++) {
            tw_format format = format_of(false, 0);
            message m;

            format.label = labels[i];
            m = message_seal(&p, KIND_RESPONSE, format, plain, 0);
            m.format.label = labels[j];
            must_err(i == j ? TW_OK : TW_ERR_AUTH, message_open(&p, &m, 0, &opened));
        }
    }
    peers_end(&p);
}
