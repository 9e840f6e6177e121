/* SPDX-License-Identifier: Apache-2.0 */
/* Heads: their lengths, and what is refused before a private key is used. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <string.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"

/* Peers whose private key counts its uses. */
typedef struct watched {
    tw_suite *suite;
    tw_key *inner;
    watched_key key;
    peers both;
} watched;

static watched w;

static void start(triple t)
{
    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &w.suite));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &w.inner));
    watched_key_start(&w.key, w.inner);
    peers_start_with(&w.both, w.suite, &w.key.base, NULL);
    w.key.operations = 0;
    w.key.calls = 0;
}

static void end(void)
{
    peers_end(&w.both);
    must(!w.key.freed); /* the receiver only borrows it */
    tw_key_free(w.inner);
    tw_suite_free(w.suite);
}

static const triple p256 = {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM};

/* Both ways in must refuse alike: in one step and in three. */
static void must_refuse(tw_err want, const message *m)
{
    tw_opener *opener;
    tw_pending *pending = (tw_pending *)&pending;

    must_err(want, message_accept(&w.both, m, &opener));
    must(opener == NULL);
    if (m->kind == KIND_REQUEST) {
        must_err(want, tw_receiver_begin(w.both.receiver, &m->format, m->head.data, m->head.len,
                                         &pending));
        must(pending == NULL);
    } else if (m->kind == KIND_MULTI) {
        must_err(want, tw_receiver_begin_multi(w.both.receiver, &m->format, m->encap.data,
                                               m->encap.len, m->head.data, m->head.len, &pending));
        must(pending == NULL);
    }
    must_size(0, w.key.operations);
    must(ERR_peek_error() == 0);
}

static bytes longer(bytes b)
{
    return bytes_cat(b, bytes_noise(1, 1));
}

Test(heads, their_lengths_are_those_of_the_table)
{
    for (size_t kem = 0; kem < 5; kem++) {
        for (size_t aead = 0; aead < 3; aead++) {
            static const size_t enc_lens[] = {65, 97, 133, 32, 56}, response[] = {16, 32, 32};
            peers p;

            peers_start(&p, (triple){all_kems[kem], TW_KDF_HKDF_SHA256, all_aeads[aead]});
            must_size(7 + enc_lens[kem], tw_sender_head_len(p.sender));
            must_size(7 + enc_lens[kem], tw_receiver_head_len(p.receiver));
            must_size(response[aead], tw_exchange_response_head_len(p.asked));
            must_size(response[aead], tw_exchange_response_head_len(p.answered));
            must_size(12, tw_multi_head_len(p.suite));
            must_size(7 + enc_lens[kem] + 32 + 16, tw_multi_encap_len(p.suite));
            peers_end(&p);
        }
    }
    must(TW_MAX_HEAD >= 7 + 133 + 32 + 16);
}

Test(heads, one_that_is_short_is_truncated_and_one_that_is_long_is_invalid)
{
    start(triple_default);
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&w.both, k, format_of(false, 0), bytes_noise(5, 1), 0), cut = m;

        w.key.operations = 0;
        for (size_t len = 0; len < m.head.len; len++) {
            check_note("of a %s with %zu bytes of head", kind_name(k), len);
            cut.head = bytes_of(m.head.data, len);
            must_refuse(TW_ERR_TRUNCATED, &cut);
        }
        cut.head = bytes_none;
        must_refuse(TW_ERR_TRUNCATED, &cut);
        cut.head = (bytes){NULL, m.head.len};
        must_refuse(TW_ERR_INVALID, &cut);
        cut.head = longer(m.head);
        must_refuse(TW_ERR_INVALID, &cut);
        cut = m;
        for (size_t len = 0; k == KIND_MULTI && len < m.encap.len; len++) {
            check_note("of a %s with %zu bytes of encap", kind_name(k), len);
            cut.encap = bytes_of(m.encap.data, len);
            must_refuse(TW_ERR_TRUNCATED, &cut);
        }
        if (k == KIND_MULTI) {
            cut.encap = longer(m.encap);
            must_refuse(TW_ERR_INVALID, &cut);
        }
    }
    end();
}

Test(heads, a_header_that_names_another_key_or_suite_never_meets_the_private_key)
{
    start(triple_default);
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&w.both, k, format_of(false, 0), bytes_noise(5, 1), 0);
        bytes named = k == KIND_MULTI ? m.encap : m.head;

        if (k == KIND_RESPONSE) {
            continue; /* has no header */
        }
        w.key.operations = 0;
        for (size_t bit = 0; bit < 8 * TW_HEADER_LEN; bit++) {
            check_note("of a %s with bit %zu of the header flipped", kind_name(k), bit);
            named.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            must_refuse(TW_ERR_KEY, &m);
            named.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    end();
}

Test(heads, an_enc_off_the_curve_never_meets_the_private_key)
{
    start(p256);
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&w.both, k, format_of(false, 0), bytes_noise(5, 1), 0);
        bytes enc = bytes_from(k == KIND_MULTI ? m.encap : m.head, TW_HEADER_LEN);

        if (k == KIND_RESPONSE) {
            continue;
        }
        w.key.operations = 0;
        for (size_t bit = 0; bit < 8; bit++) {
            enc.data[0] ^= (uint8_t)(1u << bit);
            must_refuse(TW_ERR_FORMAT, &m);
            enc.data[0] ^= (uint8_t)(1u << bit);
            enc.data[64] ^= (uint8_t)(1u << bit);
            must_refuse(TW_ERR_FORMAT, &m);
            enc.data[64] ^= (uint8_t)(1u << bit);
        }
        memset(enc.data, 0, 65);
        must_refuse(TW_ERR_FORMAT, &m);
    }
    end();
}

Test(heads, an_enc_of_small_order_never_meets_the_private_key)
{
    start(triple_default);
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&w.both, k, format_of(false, 0), bytes_noise(5, 1), 0);
        bytes enc = bytes_from(k == KIND_MULTI ? m.encap : m.head, TW_HEADER_LEN);

        if (k == KIND_RESPONSE) {
            continue;
        }
        w.key.operations = 0;
        memset(enc.data, 0, 32);
        must_refuse(TW_ERR_FORMAT, &m);
        enc.data[0] = 1;
        must_refuse(TW_ERR_FORMAT, &m);
    }
    end();
}

/* All that a head binds shows when the body is opened, or before. */
Test(heads, an_altered_one_opens_nothing)
{
    start(triple_default);
    for (size_t chunked = 0; chunked < 2; chunked++) {
        for (kind k = 0; k < KINDS; k++) {
            message m =
                message_seal(&w.both, k, format_of(chunked == 1, 0), bytes_noise(50, 1), 20);
            bytes parts[] = {k == KIND_REQUEST ? bytes_from(m.head, 7) : m.head,
                             k == KIND_MULTI ? bytes_from(m.encap, 7) : bytes_none};

            for (size_t i = 0; i < 2; i++) {
                for (size_t bit = 0; bit < 8 * parts[i].len; bit++) {
                    size_t mark = bytes_mark();
                    bytes opened;

                    check_note("of a %s with bit %zu flipped", kind_name(k), bit);
                    parts[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                    must_err(TW_ERR_AUTH, message_open(&w.both, &m, 1, &opened));
                    must_size(0, opened.len);
                    parts[i].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                    bytes_release(mark);
                }
            }
        }
    }
    end();
}

Test(heads, a_buffer_that_is_too_small_takes_none)
{
    bytes room = bytes_new(TW_MAX_HEAD);

    start(triple_default);
    for (size_t less = 1; less < 8; less++) {
        tw_sealer *sealer = (tw_sealer *)&sealer;
        tw_exchange *exchange = (tw_exchange *)&exchange;
        tw_multi *multi = (tw_multi *)&multi;

        must_err(TW_ERR_SPACE,
                 tw_sender_request(w.both.sender, NULL, room.data, 39 - less, &sealer, &exchange));
        must(sealer == NULL && exchange == NULL);
        sealer = (tw_sealer *)&sealer;
        must_err(TW_ERR_SPACE,
                 tw_exchange_respond(w.both.answered, NULL, room.data, 16 - less, &sealer));
        must(sealer == NULL);
        sealer = (tw_sealer *)&sealer;
        must_err(TW_ERR_SPACE,
                 tw_multi_new(w.suite, NULL, NULL, room.data, 12 - less, &sealer, &multi));
        must(sealer == NULL && multi == NULL);
        must_ok(tw_multi_new(w.suite, NULL, NULL, room.data, 12, &sealer, &multi));
        exchange = (tw_exchange *)&exchange;
        must_err(TW_ERR_SPACE, tw_multi_encap(multi, 1, w.inner->public_key, 32, room.data,
                                              87 - less, &exchange));
        must(exchange == NULL);
        tw_sealer_free(sealer);
        tw_multi_free(multi);
    }
    end();
}

Test(heads, the_header_is_read_from_the_first_seven_bytes)
{
    bytes in = bytes_hex("05002100020003ffff");
    tw_header header = {1, 1, 1, 1};

    must_ok(tw_header_parse(in.data, in.len, &header));
    must(header.key_id == 5 && header.kem_id == 0x21 && header.kdf_id == 2 && header.aead_id == 3);
    must_ok(tw_header_parse(in.data, 7, &header));
    for (size_t len = 0; len < 7; len++) {
        bytes cut = bytes_of(in.data, len);

        must_err(TW_ERR_TRUNCATED, tw_header_parse(cut.data, cut.len, &header));
        must(header.key_id == 0 && header.kem_id == 0);
    }
    must_err(TW_ERR_INVALID, tw_header_parse(NULL, 7, &header));
    must_err(TW_ERR_TRUNCATED, tw_header_parse(NULL, 0, &header));
    must_err(TW_ERR_INVALID, tw_header_parse(in.data, 7, NULL));
}

Test(heads, a_receiver_tells_what_it_answers_to)
{
    tw_header header;

    start((triple){TW_KEM_X448_HKDF_SHA512, TW_KDF_HKDF_SHA384, TW_AEAD_CHACHA20_POLY1305});
    header = tw_receiver_header(w.both.receiver);
    must(header.key_id == PEERS_KEY_ID && header.kem_id == TW_KEM_X448_HKDF_SHA512);
    must(header.kdf_id == TW_KDF_HKDF_SHA384 && header.aead_id == TW_AEAD_CHACHA20_POLY1305);
    end();
}
