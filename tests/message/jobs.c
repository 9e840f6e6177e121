/* SPDX-License-Identifier: Apache-2.0 */
/* Pumps with several threads beside pumps with one: the same bytes, the same errors, in the
 * same order. A plain program, for the thread sanitizer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "jobs.h"
#include "plumbing.h"
#include "toy.h"

const size_t jobs_of[JOBS] = {2, 3, 8, 1000};

/* Every message has the same keys, so that two can be compared. */
static tw_err always_the_same(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 0x42, len);
    return TW_OK;
}

static const tw_rng same = {.fill = always_the_same};

void start(peers *p, uint16_t aead_id)
{
    tw_suite *suite;
    tw_key *key;

    must_ok(tw_suite_new(TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, aead_id, NULL, &suite));
    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &key));
    peers_start_with(p, suite, key, &same);
    p->own_suite = suite;
    p->own_key = key;
}

/* A body that is through, or failed, says so again and writes nothing. */
static void must_stay(tw_err err, tw_sealer *sealer, tw_opener *opener, size_t jobs, bytes more)
{
    plumbing *io = plumbing_new(more, 0);
    tw_pipe pipe = plumbing_pipe(io, jobs);

    must_err(err, sealer != NULL ? tw_sealer_pump(sealer, &pipe) : tw_opener_pump(opener, &pipe));
    plumbing_free(io);
}

/* --- Sealing, and opening.
 * ------------------------------------------------------------------------- */

bytes sealed_by(const peers *p, message *m, bytes plain, size_t most, size_t jobs)
{
    tw_sealer *sealer = message_begin(p, m->kind, m->format, m);
    plumbing *io = plumbing_new(plain, tw_sealer_bound(sealer, plain.len));
    tw_pipe pipe = plumbing_pipe(io, jobs);
    bytes out;

    io->most = most;
    must_ok(tw_sealer_pump(sealer, &pipe));
    must_stay(TW_ERR_STATE, sealer, NULL, jobs, bytes_noise(2 * LOT, 9));
    tw_sealer_free(sealer);
    out = plumbing_out(io);
    plumbing_free(io);
    return out;
}

tw_err opened_by(const peers *p, const message *m, size_t most, size_t jobs, bytes *out)
{
    tw_opener *opener;
    plumbing *io = plumbing_new(m->body, m->body.len);
    tw_pipe pipe = plumbing_pipe(io, jobs);
    tw_err err;

    must_ok(message_accept(p, m, &opener));
    io->most = most;
    err = tw_opener_pump(opener, &pipe);
    must_stay(err == TW_OK ? TW_ERR_STATE : err, NULL, opener, jobs, bytes_noise(2 * LOT, 9));
    tw_opener_free(opener);
    *out = plumbing_out(io);
    plumbing_free(io);
    return err;
}

static void must_be_the_same(const peers *p, kind k, size_t max_chunk, bytes plain, size_t most)
{
    message m = {.kind = k, .format = format_of(true, max_chunk)};
    bytes one = sealed_by(p, &m, plain, most, 1), opened;

    for (size_t i = 0; i < JOBS; i++) {
        size_t mark = bytes_mark();

        check_note("%zu bytes in chunks of %zu and reads of %zu, %zu jobs", plain.len, max_chunk,
                   most, jobs_of[i]);
        m.body = sealed_by(p, &m, plain, most, jobs_of[i]);
        must_bytes(one, m.body);
        must_ok(opened_by(p, &m, most, jobs_of[i], &opened));
        must_bytes(plain, opened);
        bytes_release(mark);
    }
}

static const size_t lengths[] = {0,           1,       CHUNK - 1,       CHUNK,           CHUNK + 1,
                                 LOT - 1,     LOT,     LOT + 1,         LOT + CHUNK - 1, 2 * LOT,
                                 2 * LOT + 9, 3 * LOT, 5 * LOT - CHUNK, 17 * LOT + 5};

static void seals_and_opens_the_same_bytes(void)
{
    size_t mark = bytes_mark();

    for (size_t a = 0; a < 3; a++) {
        peers p;

        start(&p, all_aeads[a]);
        for (size_t i = a; i < sizeof(lengths) / sizeof(lengths[0]); i += a == 0 ? 1 : 4) {
            must_be_the_same(&p, (kind)(i % KINDS), 0, bytes_noise(lengths[i], 1), 0);
            bytes_release(mark);
        }
        for (kind k = 0; k < KINDS; k++) {
            must_be_the_same(&p, k, 0, bytes_noise(3 * LOT + 77, 1), 50000);
            bytes_release(mark);
        }
        must_be_the_same(&p, KIND_REQUEST, 1, bytes_noise(3000, 1), 0);
        must_be_the_same(&p, KIND_REQUEST, 100, bytes_noise(3 * LOT, 1), 999);
        must_be_the_same(&p, KIND_REQUEST, 47, bytes_noise(LOT, 1), 0); /* 64 on their way */
        must_be_the_same(&p, KIND_RESPONSE, 2 * LOT + 3, bytes_noise(9 * LOT + 1, 1), 0);
        must_be_the_same(&p, KIND_RESPONSE, 2 * LOT + 3, bytes_noise(5 * LOT + 1, 1), 33333);
        bytes_release(mark);
        peers_end(&p);
    }
    (void)puts("ok: several threads seal and open the same bytes as one");
}

void bed_start(bed *b)
{
    start(&b->p, TW_AEAD_AES_128_GCM);
    b->plain = bytes_noise(CHUNKS * CHUNK + 100, 3);
    b->m = (message){.kind = KIND_RESPONSE, .format = format_of(true, 0)};
    b->m.body = sealed_by(&b->p, &b->m, b->plain, 0, 1);
    b->piece = 4 + CHUNK + 16;
}

/* --- Readers and writers. ------------------------------------------------------------------ */

static void a_callback_that_fails_ends_it(void)
{
    bed b;

    bed_start(&b);
    for (size_t n = 0; n < 4 * JOBS; n++) {
        size_t mark = bytes_mark();
        plumbing *io = plumbing_new(n % 2 == 0 ? b.plain : b.m.body, b.m.body.len);
        tw_pipe pipe = plumbing_pipe(io, jobs_of[n / 4]);
        tw_sealer *sealer = message_begin(&b.p, KIND_RESPONSE, b.m.format, &(message){0});
        tw_opener *opener;

        must_ok(message_accept(&b.p, &b.m, &opener));
        *(n % 4 < 2 ? &io->reads_left : &io->writes_left) = 3;
        must_err(TW_ERR_IO,
                 n % 2 == 0 ? tw_sealer_pump(sealer, &pipe) : tw_opener_pump(opener, &pipe));
        must(bytes_starts(n % 2 == 0 ? b.m.body : b.plain, plumbing_out(io)));
        must_size(n % 4 < 2 ? 0 : 3, io->writes_left == SIZE_MAX ? 0 : io->writes);
        must_stay(TW_ERR_IO, n % 2 == 0 ? sealer : NULL, n % 2 == 0 ? NULL : opener, 3,
                  n % 2 == 0 ? io->in : b.m.body);
        tw_sealer_free(sealer);
        tw_opener_free(opener);
        plumbing_free(io);
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a callback that fails ends it");
}

/* A reader that has no more ready may wait for what is written: all of it has to be there. It
 * says so by a short read or, of one that was full, when it is asked. */
static void nothing_is_held_back_while_the_reader_waits(void)
{
    bed b;

    bed_start(&b);
    for (size_t i = 0; i < 3 * JOBS; i++) {
        size_t mark = bytes_mark();
        plumbing *io = plumbing_new(b.plain, b.m.body.len);
        tw_pipe pipe = plumbing_pipe(io, jobs_of[i / 3]);
        tw_sealer *sealer = message_begin(&b.p, KIND_RESPONSE, b.m.format, &(message){0});
        tw_opener *opener;

        /* A lot or two and then a short read, all that is asked for, one chunk. */
        io->most = i % 3 == 0 ? 3 * LOT - 7 : i % 3 == 1 ? 0 : CHUNK;
        io->waits = i % 3 == 1;
        io->chunk_in = CHUNK;
        io->chunk_out = b.piece;
        must_ok(tw_sealer_pump(sealer, &pipe));
        tw_sealer_free(sealer);
        plumbing_free(io);
        io = plumbing_new(b.m.body, b.m.body.len);
        pipe = plumbing_pipe(io, jobs_of[i / 3]);
        io->most = i % 3 == 0 ? LOT - 7 : i % 3 == 1 ? 0 : b.piece;
        io->waits = i % 3 == 1;
        io->chunk_in = b.piece;
        io->chunk_out = CHUNK;
        must_ok(message_accept(&b.p, &b.m, &opener));
        must_ok(tw_opener_pump(opener, &pipe));
        tw_opener_free(opener);
        plumbing_free(io);
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: nothing is held back while the reader waits");
}

/* Else they would wait for each other. */
static void each_thread_has_a_lot_to_work_on(void)
{
    bed b;

    bed_start(&b);
    for (size_t jobs = 2; jobs < 5; jobs++) {
        plumbing *in = plumbing_new(b.plain, b.m.body.len);
        plumbing *out = plumbing_new(b.m.body, b.m.body.len);
        tw_pipe pipe = plumbing_pipe(in, jobs);
        tw_sealer *sealer = message_begin(&b.p, KIND_RESPONSE, b.m.format, &(message){0});
        tw_opener *opener;

        must_ok(tw_sealer_pump(sealer, &pipe));
        pipe = plumbing_pipe(out, jobs);
        must_ok(message_accept(&b.p, &b.m, &opener));
        must_ok(tw_opener_pump(opener, &pipe));
        must(in->ahead >= jobs && out->ahead >= jobs);
        tw_sealer_free(sealer);
        tw_opener_free(opener);
        plumbing_free(in);
        plumbing_free(out);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: each thread has a lot to work on");
}

/* --- Bodies that have begun, and those that cannot be shared. -------------------------------- */

/* Opens what the first `early` bytes leave, with threads. */
static void must_go_on(const peers *p, const message *m, bytes plain, size_t early)
{
    bytes first = bytes_new(plain.len + 16);
    plumbing *io = plumbing_new(bytes_from(m->body, early), m->body.len);
    tw_pipe pipe = plumbing_pipe(io, 3);
    tw_opener *opener;
    size_t len;

    check_note("after %zu bytes", early);
    must_ok(message_accept(p, m, &opener));
    must_ok(tw_opener_update(opener, m->body.data, early, first.data, first.len, &len));
    must_ok(tw_opener_pump(opener, &pipe));
    must_bytes(plain, bytes_cat(bytes_part(first, 0, len), plumbing_out(io)));
    tw_opener_free(opener);
    plumbing_free(io);
}

/* Between two chunks, within the length of one, within one. A chunk of 272 bytes has a length
 * whose second byte could be taken for one, in more than a lot. */
static void an_opener_that_has_begun_goes_on(void)
{
    static const size_t early_of[] = {0, 1, 2, 3, 4, 5, CHUNK / 2};
    message m = {.kind = KIND_RESPONSE, .format = format_of(true, 272)};
    bytes plain = bytes_noise(2 * LOT, 6);
    bed b;

    bed_start(&b);
    m.body = sealed_by(&b.p, &m, plain, 0, 1);
    for (size_t i = 0; i < sizeof(early_of) / sizeof(early_of[0]); i++) {
        size_t mark = bytes_mark();

        must_go_on(&b.p, &b.m, b.plain, early_of[i]);
        must_go_on(&b.p, &b.m, b.plain, b.piece + early_of[i]);
        if (early_of[i] < 6) {
            must_go_on(&b.p, &m, plain, early_of[i]);
        }
        bytes_release(mark);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: an opener that has begun goes on");
}

static void a_sealer_that_has_begun_goes_on(void)
{
    static const size_t begun[] = {1, CHUNK, 2 * CHUNK + 9};
    bed b;

    bed_start(&b);
    for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
        plumbing *io = plumbing_new(bytes_from(b.plain, begun[i]), 2 * b.m.body.len);
        tw_pipe pipe = plumbing_pipe(io, 3);
        message m;
        tw_sealer *sealer = message_begin(&b.p, KIND_RESPONSE, b.m.format, &m);
        bytes first = bytes_new(tw_sealer_bound(sealer, begun[i])), opened;
        size_t len;

        must_ok(tw_sealer_update(sealer, b.plain.data, begun[i], first.data, first.len, &len));
        must_ok(tw_sealer_pump(sealer, &pipe));
        m.body = bytes_cat(bytes_part(first, 0, len), plumbing_out(io));
        must_ok(opened_by(&b.p, &m, 0, 1, &opened));
        must_bytes(b.plain, opened);
        tw_sealer_free(sealer);
        plumbing_free(io);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a sealer that has begun goes on");
}

static void whole_messages_and_foreign_suites_have_one_thread(void)
{
    bytes plain = bytes_noise(2 * LOT, 4), out;
    static toy t;
    peers p;

    toy_start(&t);
    peers_start_with(&p, &t.suite, &t.key, NULL);
    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m = {.kind = KIND_REQUEST, .format = format_of(chunked == 1, 0)};

        m.body = sealed_by(&p, &m, plain, 0, 4);
        must_ok(opened_by(&p, &m, 0, 4, &out));
        must_bytes(plain, out);
    }
    peers_end(&p);
    start(&p, TW_AEAD_CHACHA20_POLY1305);
    must_be_the_same(&p, KIND_REQUEST, 0, plain, 0);
    for (kind k = 0; k < KINDS; k++) {
        message m = {.kind = k, .format = format_of(false, 0)};

        m.body = sealed_by(&p, &m, plain, 0, 4);
        must_size(plain.len + 16, m.body.len);
        must_ok(opened_by(&p, &m, 0, 4, &out));
        must_bytes(plain, out);
    }
    peers_end(&p);
    bytes_release(0);
    (void)puts("ok: whole messages and foreign suites have one thread");
}

/* Threads cost more than they save where there is nothing to do for two of them. */
static void a_short_message_starts_no_thread(void)
{
    static const size_t len_of[] = {1, CHUNK, LOT - CHUNK, 3 * LOT};
    bed b;

    bed_start(&b);
    for (size_t i = 0; i < sizeof(len_of) / sizeof(len_of[0]); i++) {
        plumbing *in = plumbing_new(bytes_part(b.plain, 0, len_of[i]), b.m.body.len), *out;
        tw_pipe pipe = plumbing_pipe(in, 4);
        message m;
        tw_sealer *sealer = message_begin(&b.p, KIND_RESPONSE, b.m.format, &m);
        tw_opener *opener;

        must_ok(tw_sealer_pump(sealer, &pipe));
        m.body = plumbing_out(in);
        out = plumbing_new(m.body, b.m.body.len);
        pipe = plumbing_pipe(out, 4);
        must_ok(message_accept(&b.p, &m, &opener));
        must_ok(tw_opener_pump(opener, &pipe));
        must((in->threads > 0) == (len_of[i] > LOT) && (out->threads > 0) == (len_of[i] > LOT));
        tw_sealer_free(sealer);
        tw_opener_free(opener);
        plumbing_free(in);
        plumbing_free(out);
    }
    peers_end(&b.p);
    bytes_release(0);
    (void)puts("ok: a short message starts no thread");
}

int main(void)
{
    a_short_message_starts_no_thread(); /* before there was any */
    a_callback_that_fails_ends_it();
    nothing_is_held_back_while_the_reader_waits();
    each_thread_has_a_lot_to_work_on();
    a_sealer_that_has_begun_goes_on();
    an_opener_that_has_begun_goes_on();
    whole_messages_and_foreign_suites_have_one_thread();
    seals_and_opens_the_same_bytes();
    refusals(); /* which take the longest */
    return 0;
}
