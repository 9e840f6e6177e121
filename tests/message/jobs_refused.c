/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that are not what was sealed. */
#include <stdio.h>

#include "check.h"
#include "chunks.h"
#include "jobs.h"
#include "plumbing.h"

/* The same error as with one thread, as much before it, and nothing from where it first goes
 * wrong. */
static void must_refuse(const bed *b, bytes body, size_t good, const char *what)
{
    message m = b->m;
    bytes one, out;
    tw_err err;

    m.body = body;
    for (size_t most = 0; most <= 20000; most += 20000) {
        size_t mark = bytes_mark();

        err = opened_by(&b->p, &m, most, 1, &one);
        must(err != TW_OK);
        must(bytes_starts(b->plain, one) && one.len <= good);
        for (size_t i = 0; i < JOBS; i++) {
            check_note("%s after %zu bytes, reads of %zu, %zu jobs", what, good, most, jobs_of[i]);
            must_err(err, opened_by(&b->p, &m, most, jobs_of[i], &out));
            must_bytes(one, out);
        }
        bytes_release(mark);
    }
}

static void a_flipped_byte_in_any_chunk_ends_it_there(void)
{
    static const size_t places[] = {0, 1, 2, 3, 4, 5000, 4 + CHUNK - 1, 4 + CHUNK + 15};
    bed b;

    bed_start(&b);
    for (size_t c = 0; c <= CHUNKS; c++) {
        size_t mark = bytes_mark();
        bytes body = bytes_of(b.m.body.data, b.m.body.len);
        size_t at = c * b.piece + places[c % (sizeof(places) / sizeof(places[0]))];

        at = at < body.len ? at : body.len - 1;
        body.data[at] ^= 0x81;
        must_refuse(&b, body, c * CHUNK, "a flipped byte");
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a flipped byte in any chunk ends it there");
}

static void a_cut_stream_is_never_complete(void)
{
    bed b;

    bed_start(&b);
    for (size_t c = 0; c <= CHUNKS; c += 7) {
        for (size_t more = 0; more < 8; more++) {
            size_t len = c * b.piece + more * more * more * 50;

            must_refuse(&b, bytes_part(b.m.body, 0, len < b.m.body.len ? len : b.m.body.len - 1),
                        len / b.piece * CHUNK, "a cut");
        }
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a cut stream is never complete");
}

/* A short message whose lengths are of one byte and of two, cut and changed at every byte. */
static void every_byte_counts(void)
{
    static const size_t sizes[] = {1, 20, 60};
    peers p;

    start(&p, TW_AEAD_AES_128_GCM);
    for (size_t i = 0; i < 3; i++) {
        message m = {.kind = KIND_RESPONSE, .format = format_of(true, sizes[i])};
        bytes plain = bytes_noise(3 * sizes[i] + 3, 8), whole, one, out;
        size_t mark = bytes_mark();

        whole = sealed_by(&p, &m, plain, 0, 1);
        for (size_t n = 0; n < 2 * whole.len; n++) {
            tw_err err;

            m.body = n % 2 == 0 ? bytes_part(whole, 0, n / 2) : bytes_of(whole.data, whole.len);
            if (n % 2 == 1) {
                m.body.data[n / 2] ^= 0x41;
            }
            check_note("byte %zu of chunks of %zu, %s", n / 2, sizes[i],
                       n % 2 == 0 ? "cut" : "new");
            err = opened_by(&p, &m, 0, 1, &one);
            must(err != TW_OK);
            must_err(err, opened_by(&p, &m, 0, 2, &out));
            must(bytes_starts(plain, out));
            must_err(err, opened_by(&p, &m, 7, 2, &out));
            must(bytes_starts(plain, out));
        }
        bytes_release(mark);
    }
    peers_end(&p);
    bytes_release(0);
    (void)puts("ok: every byte counts");
}

static void chunks_out_of_order_are_refused(void)
{
    bed b;

    bed_start(&b);
    for (size_t c = 0; c + 1 < CHUNKS; c += 5) {
        bytes before = bytes_part(b.m.body, 0, c * b.piece);
        bytes one = bytes_part(b.m.body, c * b.piece, b.piece);
        bytes two = bytes_part(b.m.body, (c + 1) * b.piece, b.piece);
        bytes after = bytes_from(b.m.body, (c + 2) * b.piece);
        size_t mark = bytes_mark();

        must_refuse(&b, bytes_cat(bytes_cat(before, two), bytes_cat(one, after)), c * CHUNK,
                    "two in the other order");
        must_refuse(&b, bytes_cat(before, bytes_cat(two, after)), c * CHUNK, "one left out");
        must_refuse(&b, bytes_cat(bytes_cat(before, one), bytes_cat(one, bytes_cat(two, after))),
                    (c + 1) * CHUNK, "one twice");
        must_refuse(&b, bytes_cat(before, bytes_cat(bytes_hex("00"), bytes_from(b.m.body, c))),
                    c * CHUNK, "a final chunk in the middle");
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: chunks out of order are refused");
}

/* Whatever the reader would say next. */
static void a_length_that_is_wrong_ends_it_at_once(void)
{
    static const uint64_t wrong[] = {5, 16, CHUNK + 16 + 1};
    static const tw_err says[] = {TW_ERR_FORMAT, TW_ERR_AUTH, TW_ERR_LIMIT};
    bed b;

    bed_start(&b);
    for (size_t i = 0; i < 3 * (JOBS + 1); i++) {
        size_t mark = bytes_mark();
        bytes body = bytes_cat(bytes_part(b.m.body, 0, 3 * b.piece), varint_of(wrong[i % 3], 0));
        plumbing *io = plumbing_new(body, body.len);
        tw_pipe pipe = plumbing_pipe(io, i < 3 ? 1 : jobs_of[i / 3 - 1]);
        tw_opener *opener;

        io->reads_left = 1;
        must_ok(message_accept(&b.p, &b.m, &opener));
        must_err(says[i % 3], tw_opener_pump(opener, &pipe));
        must(bytes_starts(b.plain, plumbing_out(io)));
        tw_opener_free(opener);
        plumbing_free(io);
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a length that is wrong ends it at once");
}

/* Chunks of all lengths, some longer than a lot is at first, of which one is bad. */
static void how_much_comes_out_does_not_depend_on_the_threads(void)
{
    enum { MOST = 1 << 20, COUNT = 40 };
    static const size_t lens[] = {300000, 1,     5000,   140000, MOST, 70,
                                  131072, CHUNK, 200000, 16,     CHUNK};
    size_t begins[COUNT], at = 0;
    tw_sealer *sealer;
    bed b;

    start(&b.p, TW_AEAD_AES_128_GCM);
    b.plain = bytes_noise(MOST, 4);
    b.m = (message){.kind = KIND_RESPONSE, .format = format_of(true, MOST)};
    sealer = message_begin(&b.p, b.m.kind, b.m.format, &b.m);
    b.m.body = bytes_new(COUNT * (size_t)(MOST / 4));
    for (size_t i = 0; i < COUNT; i++) {
        size_t len;

        begins[i] = at;
        must_ok(tw_sealer_update(sealer, b.plain.data, lens[i % (sizeof(lens) / sizeof(lens[0]))],
                                 b.m.body.data + at, b.m.body.len - at, &len));
        at += len;
    }
    tw_sealer_free(sealer);
    b.m.body.len = at;
    for (size_t i = 0; i < COUNT; i += 3) {
        size_t mark = bytes_mark();
        bytes one, many;

        b.m.body.data[begins[i] + 6] ^= 1;
        must_err(TW_ERR_AUTH, opened_by(&b.p, &b.m, 0, 1, &one));
        for (size_t jobs = 2; jobs < 5; jobs += 2) {
            check_note("chunk %zu, %zu jobs", i, jobs);
            must_err(TW_ERR_AUTH, opened_by(&b.p, &b.m, 0, jobs, &many));
            must_bytes(one, many);
        }
        b.m.body.data[begins[i] + 6] ^= 1;
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: how much comes out does not depend on the threads");
}

void refusals(void)
{
    a_length_that_is_wrong_ends_it_at_once();
    a_flipped_byte_in_any_chunk_ends_it_there();
    a_cut_stream_is_never_complete();
    every_byte_counts();
    chunks_out_of_order_are_refused();
    how_much_comes_out_does_not_depend_on_the_threads();
}
