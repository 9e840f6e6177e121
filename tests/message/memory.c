/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies hold, what a chunk costs, and what happens when there is no more. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <string.h>

#include "allocations.h"
#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"

#define STREAM_STATE 2048 /* of ours for one stream, beside its chunk */

static peers both;

static void start(void)
{
    peers_start(&both, triple_default);
}

static void end(void)
{
    peers_end(&both);
    must_size(0, allocations_ours().bytes);
}

TestSuite(memory, .init = start, .fini = end);

/* Pushes `in` piecemeal to an opener with the largest chunk allowed: what it holds grows
 * with what has come, whatever the length before it promised. */
static void must_grow_with_input(bytes prefix, bytes in)
{
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&both, k, format_of(true, (size_t)1 << 24), bytes_new(0), 0);
        size_t before = allocations_ours().bytes, received = 0, len;
        tw_opener *opener;
        uint8_t out[4096];

        must_ok(message_accept(&both, &m, &opener));
        must_ok(tw_opener_update(opener, prefix.data, prefix.len, out, sizeof(out), &len));
        for (size_t piece = 1; received + piece <= in.len && piece < 2000; piece += 7) {
            size_t bound = tw_opener_bound(opener, piece), mark = bytes_mark();
            bytes room = bytes_new(bound);

            must_ok(tw_opener_update(opener, in.data + received, piece, room.data, bound, &len));
            must_size(0, len);
            received += piece;
            must(allocations_ours().bytes - before <= 2 * received + STREAM_STATE);
            bytes_release(mark);
        }
        tw_opener_free(opener);
        must_size(before, allocations_ours().bytes);
    }
}

Test(memory, an_opener_grows_with_the_bytes_received_not_with_those_promised)
{
    must_grow_with_input(varint_of(1 << 24, 0), bytes_new(300000));
}

Test(memory, a_final_chunk_grows_with_the_bytes_received)
{
    must_grow_with_input(varint_of(0, 0), bytes_new(300000));
}

static void must_cost_nothing(tw_sealer *sealer, tw_opener *opener)
{
    static uint8_t plain[TW_CHUNK_LEN], sealed[TW_CHUNK_LEN + 40], opened[TW_CHUNK_LEN + 40];

    for (size_t i = 0; i < 20; i++) {
        size_t sealed_len = 0, opened_len = 0;

        allocations_reset();
        must_ok(
            tw_sealer_update(sealer, plain, sizeof(plain), sealed, sizeof(sealed), &sealed_len));
        must_ok(tw_opener_update(opener, sealed, sealed_len, opened, sizeof(opened), &opened_len));
        must_size(sizeof(plain), opened_len);
        must_size(0, i == 0 ? 0 : allocations_all().calls);
    }
}

Test(memory, a_chunk_costs_no_allocation)
{
    for (size_t i = 0; i < 3; i++) {
        peers p;

        peers_start(&p, (triple){TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, all_aeads[i]});
        for (kind k = 0; k < KINDS; k++) {
            message m;
            tw_sealer *sealer = message_begin(&p, k, format_of(true, 0), &m);
            tw_opener *opener;

            must_ok(message_accept(&p, &m, &opener));
            must_cost_nothing(sealer, opener);
            tw_sealer_free(sealer);
            tw_opener_free(opener);
        }
        peers_end(&p);
    }
}

Test(memory, a_stream_holds_its_chunk_and_little_else)
{
    for (kind k = 0; k < KINDS; k++) {
        size_t before = allocations_ours().bytes, len;
        message m;
        tw_sealer *sealer = message_begin(&both, k, format_of(true, 0), &m);
        tw_opener *opener;
        static uint8_t in[TW_CHUNK_LEN], out[TW_CHUNK_LEN + 64];
        bytes prefix = varint_of(TW_CHUNK_LEN + TAG_LEN, 0);

        check_note("of a %s", kind_name(k));
        must(allocations_ours().bytes - before <= STREAM_STATE);
        tw_sealer_free(sealer);
        before = allocations_ours().bytes;
        must_ok(message_accept(&both, &m, &opener));
        must(allocations_ours().bytes - before <= STREAM_STATE);
        must_ok(tw_opener_update(opener, prefix.data, prefix.len, out, sizeof(out), &len));
        must_ok(tw_opener_update(opener, in, sizeof(in), out, sizeof(out), &len));
        must(allocations_ours().bytes - before <= TW_CHUNK_LEN + TAG_LEN + STREAM_STATE);
        tw_opener_free(opener);
    }
}

Test(memory, a_message_costs_few_allocations_of_ours)
{
    for (kind k = 0; k < KINDS; k++) {
        message m = message_seal(&both, k, format_of(false, 0), bytes_noise(1024, 1), 0);
        bytes opened;

        allocations_reset();
        m = message_seal(&both, k, m.format, bytes_noise(1024, 1), 0);
        must(allocations_ours().calls <= 12);
        allocations_reset();
        must_ok(message_open(&both, &m, 0, &opened));
        must(allocations_ours().calls <= 12);
    }
}

/* One message of each kind, sealed, opened, saved and loaded; whatever fails first. */
typedef struct scene {
    uint8_t head[TW_MAX_HEAD], encap[TW_MAX_HEAD], body[200], saved[TW_MAX_SAVE];
    size_t len;
    tw_sealer *sealer;
    tw_opener *opener;
    tw_exchange *asked, *answered, *loaded;
    tw_multi *multi;
} scene;

static void scene_end(scene *s)
{
    tw_sealer_free(s->sealer);
    tw_opener_free(s->opener);
    tw_exchange_free(s->asked);
    tw_exchange_free(s->answered);
    tw_exchange_free(s->loaded);
    tw_multi_free(s->multi);
}

/* The body in small pieces, so that the opener has to hold some. */
static tw_err carry(scene *s)
{
    uint8_t out[200];
    size_t len;
    tw_err err = tw_sealer_final(s->sealer, (const uint8_t *)"some text", 9, s->body,
                                 sizeof(s->body), &s->len);

    for (size_t i = 0; err == TW_OK && i < s->len; i++) {
        err = tw_opener_update(s->opener, s->body + i, 1, out, sizeof(out), &len);
    }
    if (err == TW_OK) {
        err = tw_opener_final(s->opener, NULL, 0, out, sizeof(out), &len);
    }
    return err;
}

static tw_err one_request(scene *s, const tw_format *format)
{
    size_t head_len = tw_sender_head_len(both.sender);
    tw_err err =
        tw_sender_request(both.sender, format, s->head, sizeof(s->head), &s->sealer, &s->asked);

    if (err == TW_OK) {
        err =
            tw_receiver_accept(both.receiver, format, s->head, head_len, &s->opener, &s->answered);
    }
    return err == TW_OK ? carry(s) : err;
}

static tw_err one_response(scene *s, const tw_format *format)
{
    size_t saved_len = 0;
    tw_err err = tw_exchange_save(both.asked, s->saved, sizeof(s->saved), &saved_len);

    if (err == TW_OK) {
        err = tw_exchange_load(both.suite, NULL, s->saved, saved_len, &s->loaded);
    }
    if (err == TW_OK) {
        err = tw_exchange_respond(both.answered, format, s->head, sizeof(s->head), &s->sealer);
    }
    if (err == TW_OK) {
        err = tw_exchange_receive(s->loaded, format, s->head, 16, &s->opener);
    }
    return err == TW_OK ? carry(s) : err;
}

static tw_err one_multi(scene *s, const tw_format *format)
{
    tw_err err =
        tw_multi_new(both.suite, format, NULL, s->head, sizeof(s->head), &s->sealer, &s->multi);

    if (err == TW_OK) {
        err = tw_multi_encap(s->multi, PEERS_KEY_ID, both.key->public_key, 32, s->encap,
                             sizeof(s->encap), &s->asked);
    }
    if (err == TW_OK) {
        err = tw_receiver_accept_multi(both.receiver, format, s->encap,
                                       tw_multi_encap_len(both.suite), s->head, 12, &s->opener,
                                       &s->answered);
    }
    return err == TW_OK ? carry(s) : err;
}

static tw_err make_peers(scene *s, const tw_format *format)
{
    tw_suite *suite = NULL;
    tw_key *key = NULL;
    tw_sender *sender = NULL;
    tw_receiver *receiver = NULL;
    tw_err err = tw_suite_new(both.suite->kem_id, 3, 2, NULL, &suite);

    (void)s;
    (void)format;
    if (err == TW_OK) {
        err = tw_key_generate(both.suite->kem_id, NULL, NULL, &key);
    }
    if (err == TW_OK) {
        err = tw_sender_new(suite, 1, key->public_key, 32, NULL, &sender);
    }
    if (err == TW_OK) {
        err = tw_receiver_new(suite, 1, key, NULL, &receiver);
    }
    must((err == TW_OK) == (receiver != NULL));
    tw_sender_free(sender);
    tw_receiver_free(receiver);
    tw_key_free(key);
    tw_suite_free(suite);
    return err;
}

typedef tw_err (*deed)(scene *s, const tw_format *format);

/* Does the deed with allocation n failing, and gives what it answered. */
static tw_err try(deed deed_of, size_t n, bool of_ours)
{
    /* A label that is too long for the stack makes one allocation more. */
    static char label[200];
    tw_format format = format_of(true, 0);
    size_t before = allocations_ours().bytes;
    scene s = {.len = 0};
    tw_err err;

    memset(label, 'x', sizeof(label) - 1);
    format.label = label;
    allocations_reset();
    allocations_fail(n, of_ours);
    err = deed_of(&s, &format);
    allocations_fail(0, of_ours);
    scene_end(&s);
    must_size(before, allocations_ours().bytes);
    return err;
}

/* Lets the first, second, third ... allocation of ours fail until none is left. */
static size_t fail_each(deed deed_of)
{
    for (size_t n = 1;; n++) {
        tw_err err = try(deed_of, n, true);

        check_note("with allocation %zu failing", n);
        if (allocations_ours().failed == 0) {
            must_ok(err);
            return n - 1;
        }
        must_err(TW_ERR_MEMORY, err);
    }
}

Test(memory, an_allocation_that_fails_is_told_and_leaks_nothing)
{
    must(fail_each(one_request) >= 5);
    must(fail_each(one_response) >= 4);
    must(fail_each(one_multi) >= 5);
    must(fail_each(make_peers) >= 5);
}

/* The same with libcrypto's own allocations: nobody else is blamed, least of all the
 * peer. Some failures it copes with. */
static size_t fail_libcrypto(deed deed_of)
{
    size_t refused = 0;

    for (size_t n = 1;; n++) {
        tw_err err = try(deed_of, n, false);

        ERR_clear_error();
        check_note("with allocation %zu failing", n);
        if (allocations_all().failed == 0) {
            must_ok(err);
            return refused;
        }
        must(err == TW_OK || err == TW_ERR_MEMORY || err == TW_ERR_CRYPTO ||
             err == TW_ERR_RANDOM); /* the last from OpenSSL 3.5, whose generator allocates */
        refused += err != TW_OK;
    }
}

Test(memory, what_libcrypto_cannot_do_is_told_and_leaks_nothing_of_ours)
{
    must(fail_libcrypto(one_request) > 0);
    must(fail_libcrypto(one_response) > 0);
    must(fail_libcrypto(one_multi) > 0);
}
