/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies hold, and what a chunk costs. */
#include <criterion/criterion.h>
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

/* In steps that never hold a chunk whole, over and over: what holds one goes round. */
static void must_go_round(size_t chunk)
{
    bytes plain = bytes_noise(20 * chunk, 2), room = bytes_new(2 * chunk + 64);
    message m = message_seal(&both, KIND_RESPONSE, format_of(true, chunk), plain, chunk);
    size_t step = chunk / 3 + 1, len;
    tw_opener *opener;

    must_ok(message_accept(&both, &m, &opener));
    for (size_t at = 0; at + step < m.body.len; at += step) {
        if (at > 2 * chunk) {
            must_size(0, allocations_all().calls);
        }
        must_ok(tw_opener_update(opener, m.body.data + at, step, room.data, room.len, &len));
        if (at <= 2 * chunk) {
            allocations_reset();
        }
    }
    tw_opener_free(opener);
}

Test(memory, a_chunk_in_pieces_costs_no_allocation)
{
    static const size_t lengths[] = {50, 1000, TW_CHUNK_LEN, 3 * TW_CHUNK_LEN};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        check_note("of %zu bytes", lengths[i]);
        must_go_round(lengths[i]);
    }
}

Test(memory, a_stream_between_chunks_holds_no_buffer)
{
    enum { STREAMS = 50 };
    tw_opener *openers[STREAMS];
    bytes plain = bytes_noise(2 * TW_CHUNK_LEN, 1), room = bytes_new(2 * TW_CHUNK_LEN);
    message m = message_seal(&both, KIND_REQUEST, format_of(true, 0), plain, TW_CHUNK_LEN);
    size_t chunk = 4 + TW_CHUNK_LEN + TAG_LEN, before = allocations_ours().bytes, held, len;

    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(message_accept(&both, &m, &openers[i]));
        must_ok(tw_opener_update(openers[i], m.body.data, chunk / 2, room.data, room.len, &len));
        must_ok(tw_opener_update(openers[i], m.body.data + chunk / 2, chunk - chunk / 2, room.data,
                                 room.len, &len));
        must_size(TW_CHUNK_LEN, len);
    }
    held = allocations_ours().bytes - before;
    must(held <= STREAMS * STREAM_STATE / 4 + 2 * TW_CHUNK_LEN);
    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(tw_opener_final(openers[i], m.body.data + chunk, m.body.len - chunk, room.data,
                                room.len, &len));
        must_size(TW_CHUNK_LEN, len);
        tw_opener_free(openers[i]);
    }
    must(allocations_ours().bytes - before <= 2 * TW_CHUNK_LEN);
}

Test(memory, a_stream_that_ends_amid_a_chunk_leaves_its_buffer_to_the_next)
{
    bytes plain = bytes_noise(2 * TW_CHUNK_LEN, 1);
    message m = message_seal(&both, KIND_REQUEST, format_of(true, 0), plain, TW_CHUNK_LEN);
    static uint8_t out[TW_CHUNK_LEN];

    for (size_t i = 0; i < 3; i++) {
        size_t len;
        tw_opener *opener;

        must_ok(message_accept(&both, &m, &opener));
        allocations_reset();
        must_ok(tw_opener_update(opener, m.body.data, TW_CHUNK_LEN, out, sizeof(out), &len));
        must_size(i == 0 ? 1 : 0, allocations_all().calls);
        if (i == 1) {
            must_err(TW_ERR_TRUNCATED, tw_opener_final(opener, NULL, 0, out, sizeof(out), &len));
        }
        tw_opener_free(opener);
    }
}

Test(memory, a_stream_that_has_ended_holds_no_chunk)
{
    enum { LONG = 100000 };
    bytes plain = bytes_noise(LONG, 1), room = bytes_new((size_t)2 * LONG);
    message m = message_seal(&both, KIND_REQUEST, format_of(true, LONG), plain, 0);

    for (size_t way = 0; way < 3; way++) {
        size_t before = allocations_ours().bytes, len;
        tw_opener *opener;

        must_ok(message_accept(&both, &m, &opener));
        must_ok(tw_opener_update(opener, m.body.data, LONG, room.data, room.len, &len));
        must(allocations_ours().bytes - before >= LONG - 1);
        if (way < 2) { /* whole, and cut */
            must_err(way == 0 ? TW_OK : TW_ERR_AUTH,
                     tw_opener_final(opener, m.body.data + LONG, m.body.len - LONG - way, room.data,
                                     room.len, &len));
        } else { /* too long */
            must_err(TW_ERR_LIMIT,
                     tw_opener_update(opener, m.body.data, LONG, room.data, room.len, &len));
        }
        must(allocations_ours().bytes - before <= STREAM_STATE);
        tw_opener_free(opener);
    }
}

/* A reader that fails at last, and a writer. */
typedef struct source {
    bytes in;
    size_t reads_left;
} source;

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    source *s = arg;

    *len = s->in.len < cap ? s->in.len : cap;
    memcpy(buf, s->in.data, *len);
    s->in = bytes_from(s->in, *len);
    return s->reads_left-- > 0 ? TW_OK : TW_ERR_IO;
}

static tw_err write_none(void *arg, const uint8_t *buf, size_t len)
{
    (void)arg;
    (void)buf;
    return len > 0 ? TW_OK : TW_ERR_IO;
}

/* Opens a message in long chunks, or in the final chunk alone, by two threads. Each has two lots,
 * of which one holds a chunk as it came and as it leaves. */
static void must_hold(bytes plain, size_t step, size_t reads, tw_err answer)
{
    enum { LONG = 300000, LOTS = 4 };
    message m = message_seal(&both, KIND_RESPONSE, format_of(true, LONG), plain, step);
    source s = {m.body, reads};
    tw_pipe pipe = {.size = sizeof(tw_pipe), .read = read_some, .write = write_none, .jobs = 2};
    size_t before = allocations_ours().bytes;
    tw_opener *opener;

    pipe.arg = &s;
    must_ok(message_accept(&both, &m, &opener));
    allocations_reset();
    must_err(answer, tw_opener_pump(opener, &pipe));
    must(allocations_ours().peak - before <= (size_t)LOTS * (2 * LONG + STREAM_STATE));
    must(allocations_ours().bytes - before <= STREAM_STATE);
    tw_opener_free(opener);
}

Test(memory, a_pump_holds_chunks_and_little_else)
{
    must_hold(bytes_noise(2400000, 1), 300000, SIZE_MAX, TW_OK);
}

Test(memory, a_pump_that_failed_leaves_nothing_held)
{
    must_hold(bytes_noise(300000, 1), 0, 2, TW_ERR_IO);
}

/* What is written of chunks of one byte is 18 times what is read. */
Test(memory, a_pump_of_short_chunks_holds_no_more)
{
    enum { JOBS = 2, A_JOB = 4 * (128 << 10) };
    source s = {bytes_noise(600000, 1), SIZE_MAX};
    tw_pipe pipe = {.size = sizeof(tw_pipe), .read = read_some, .write = write_none, .jobs = JOBS};
    message m;
    tw_sealer *sealer = message_begin(&both, KIND_RESPONSE, format_of(true, 1), &m);
    size_t before = allocations_ours().bytes;

    pipe.arg = &s;
    allocations_reset();
    must_ok(tw_sealer_pump(sealer, &pipe));
    must(allocations_ours().peak - before <= JOBS * (A_JOB + STREAM_STATE));
    tw_sealer_free(sealer);
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
