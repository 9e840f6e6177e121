/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that somebody altered, each held against the model of chunks.c: the code that
 * it names, nothing released beyond the authentic prefix, and nothing left in
 * libcrypto's error queue for a peer to fill. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <openssl/err.h>

#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"

#define LARGEST_VARINT ((UINT64_C(1) << 62) - 1)

typedef struct victim {
    peers both;
    message genuine;
    bytes plain;
} victim;

/* Chunks of 10, 10, 10, 7 bytes, and an empty final one or one of 7. */
static void start(victim *v, kind k, bool chunked, bool with_final_text)
{
    tw_sealer *sealer;
    stream s;

    peers_start(&v->both, triple_default);
    v->plain = bytes_noise(37, 5);
    sealer = message_begin(&v->both, k, format_of(chunked, 0), &v->genuine);
    s = stream_seal(sealer);
    for (size_t at = 0; chunked && at < 30; at += 10) {
        must_ok(stream_update(&s, bytes_part(v->plain, at, 10)));
    }
    if (chunked && !with_final_text) {
        must_ok(stream_update(&s, bytes_from(v->plain, 30)));
        must_ok(stream_final(&s, bytes_none));
    } else {
        must_ok(stream_final(&s, chunked ? bytes_from(v->plain, 30) : v->plain));
    }
    v->genuine.body = bytes_of(s.out, s.out_len);
    stream_end(&s);
}

static void end(victim *v)
{
    peers_end(&v->both);
}

static void judge(const victim *v, bytes altered)
{
    const message *g = &v->genuine;
    size_t mark = bytes_mark();
    verdict want = verdict_on(g->format.chunked, g->format.max_chunk, g->body, altered);
    message m = *g;

    m.body = altered;
    for (size_t step = 0; step <= 1; step++) {
        bytes released;

        must_err(want.err, message_open(&v->both, &m, step, &released));
        must(bytes_starts(v->plain, released));
        if (want.err == TW_OK || (step == 1 && g->format.chunked)) {
            must_size(want.prefix_len, released.len);
        } else {
            must_size(0, released.len);
        }
        must(ERR_peek_error() == 0);
    }
    bytes_release(mark);
}

typedef struct shape {
    kind kind;
    bool chunked, final_text;
} shape;

static shape shapes[] = {
    {KIND_REQUEST, false, false}, {KIND_RESPONSE, false, false}, {KIND_MULTI, false, false},
    {KIND_REQUEST, true, false},  {KIND_RESPONSE, true, false},  {KIND_MULTI, true, false},
    {KIND_REQUEST, true, true},   {KIND_RESPONSE, true, true},   {KIND_MULTI, true, true},
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

ParameterizedTestParameters(alter, any_cut)
{
    return cr_make_param_array(shape, shapes, SHAPES);
}

ParameterizedTest(shape *s, alter, any_cut)
{
    victim v;

    start(&v, s->kind, s->chunked, s->final_text);
    for (size_t len = 0; len <= v.genuine.body.len; len++) {
        check_note("of a %s cut at %zu", kind_name(s->kind), len);
        judge(&v, bytes_part(v.genuine.body, 0, len));
    }
    end(&v);
}

ParameterizedTestParameters(alter, any_flipped_bit)
{
    return cr_make_param_array(shape, shapes, SHAPES);
}

ParameterizedTest(shape *s, alter, any_flipped_bit)
{
    victim v;
    bytes altered;

    start(&v, s->kind, s->chunked, s->final_text);
    altered = bytes_of(v.genuine.body.data, v.genuine.body.len);
    for (size_t bit = 0; bit < 8 * altered.len; bit++) {
        check_note("of a %s with bit %zu flipped", kind_name(s->kind), bit);
        altered.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        judge(&v, altered);
        altered.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    end(&v);
}

ParameterizedTestParameters(alter, anything_appended_or_inserted)
{
    return cr_make_param_array(shape, shapes, SHAPES);
}

ParameterizedTest(shape *s, alter, anything_appended_or_inserted)
{
    static const uint8_t inserted[] = {0x00, 0x40, 0x80, 0xc0}; /* one of each width */
    victim v;

    start(&v, s->kind, s->chunked, s->final_text);
    for (size_t at = 0; at <= v.genuine.body.len; at++) {
        for (size_t i = 0; i < sizeof(inserted); i++) {
            uint8_t byte = inserted[i];
            bytes before = bytes_cat(bytes_part(v.genuine.body, 0, at), ((bytes){&byte, 1}));

            check_note("of a %s with %02x put in at %zu", kind_name(s->kind), byte, at);
            judge(&v, bytes_cat(before, bytes_from(v.genuine.body, at)));
        }
    }
    end(&v);
}

ParameterizedTestParameters(alter, random_bytes_in_random_places)
{
    return cr_make_param_array(shape, shapes, SHAPES);
}

ParameterizedTest(shape *s, alter, random_bytes_in_random_places)
{
    uint32_t chance = 1;
    victim v;

    start(&v, s->kind, s->chunked, s->final_text);
    for (size_t i = 0; i < 500; i++) {
        bytes altered = bytes_of(v.genuine.body.data, v.genuine.body.len);

        check_note("of a %s in random case %zu", kind_name(s->kind), i);
        do {
            altered.data[noise_next(&chance) % altered.len] = (uint8_t)noise_next(&chance);
        } while (noise_next(&chance) % 4 != 0);
        judge(&v, bytes_part(altered, 0, altered.len - noise_next(&chance) % 4));
    }
    end(&v);
}

static shape chunked_shapes[] = {
    {KIND_REQUEST, true, false}, {KIND_RESPONSE, true, false}, {KIND_MULTI, true, false},
    {KIND_REQUEST, true, true},  {KIND_RESPONSE, true, true},  {KIND_MULTI, true, true},
};

#define CHUNKED_SHAPES (sizeof(chunked_shapes) / sizeof(chunked_shapes[0]))

static chunks without(const chunks *c, size_t gone)
{
    chunks left = *c;

    left.count--;
    for (size_t i = gone; i < left.count; i++) {
        left.ct[i] = left.ct[i + 1];
    }
    return left;
}

static chunks with_second(const chunks *c, size_t doubled)
{
    chunks more = *c;

    more.count++;
    for (size_t i = more.count - 1; i > doubled; i--) {
        more.ct[i] = more.ct[i - 1];
    }
    return more;
}

ParameterizedTestParameters(alter, chunks_reordered_doubled_and_dropped)
{
    return cr_make_param_array(shape, chunked_shapes, CHUNKED_SHAPES);
}

ParameterizedTest(shape *s, alter, chunks_reordered_doubled_and_dropped)
{
    victim v;
    chunks c;

    start(&v, s->kind, true, s->final_text);
    c = chunks_split(v.genuine.body);
    for (size_t i = 0; i < c.count; i++) {
        chunks changed = without(&c, i);

        check_note("of a %s at chunk %zu", kind_name(s->kind), i);
        judge(&v, chunks_join(&changed));
        changed = with_second(&c, i);
        judge(&v, chunks_join(&changed));
        for (size_t j = 0; j < i; j++) {
            changed = c;
            changed.ct[i] = c.ct[j];
            changed.ct[j] = c.ct[i];
            judge(&v, chunks_join(&changed));
        }
    }
    end(&v);
}

ParameterizedTestParameters(alter, final_and_ordinary_chunks_exchanged)
{
    return cr_make_param_array(shape, chunked_shapes, CHUNKED_SHAPES);
}

ParameterizedTest(shape *s, alter, final_and_ordinary_chunks_exchanged)
{
    victim v;
    chunks c;
    bytes before;

    start(&v, s->kind, true, s->final_text);
    c = chunks_split(v.genuine.body);
    before = bytes_new(0);
    for (size_t i = 0; i + 1 < c.count; i++) {
        check_note("of a %s at chunk %zu", kind_name(s->kind), i);
        judge(&v, before); /* ends at a chunk's end: no final chunk */
        judge(&v, bytes_cat(before, final_chunk_of(c.ct[i])));
        judge(&v, bytes_cat(before, final_chunk_of(chunk_of(c.ct[i]))));
        before = bytes_cat(before, chunk_of(c.ct[i]));
    }
    judge(&v, before);
    judge(&v, bytes_cat(before, chunk_of(c.ct[c.count - 1])));
    judge(&v, bytes_cat(before, bytes_cat(chunk_of(c.ct[c.count - 1]), varint_of(0, 0))));
    end(&v);
}

ParameterizedTestParameters(alter, lengths_of_every_size_and_width)
{
    return cr_make_param_array(shape, chunked_shapes, CHUNKED_SHAPES);
}

ParameterizedTest(shape *s, alter, lengths_of_every_size_and_width)
{
    static const uint64_t lens[] = {1,
                                    2,
                                    15,
                                    16,
                                    17,
                                    25,
                                    26,
                                    27,
                                    63,
                                    16399,
                                    16400,
                                    16401,
                                    65535,
                                    UINT32_MAX,
                                    UINT64_C(1) << 32,
                                    LARGEST_VARINT - 1,
                                    LARGEST_VARINT};
    victim v;
    chunks c;

    start(&v, s->kind, true, s->final_text);
    c = chunks_split(v.genuine.body);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t width = 8; width > 0 && lens[i] >> (8 * width - 2) == 0; width /= 2) {
            bytes first = bytes_cat(varint_of(lens[i], width), c.ct[0]);
            chunks rest = without(&c, 0);

            check_note("of a %s with length %llu in %zu bytes", kind_name(s->kind),
                       (unsigned long long)lens[i], width);
            judge(&v, bytes_cat(first, chunks_join(&rest)));
            judge(&v, varint_of(lens[i], width));
            judge(&v, bytes_cat(varint_of(lens[i], width), bytes_noise(lens[i] % 20000, 1)));
        }
    }
    end(&v);
}

ParameterizedTestParameters(alter, a_length_that_is_not_minimal_is_taken)
{
    return cr_make_param_array(shape, chunked_shapes, CHUNKED_SHAPES);
}

ParameterizedTest(shape *s, alter, a_length_that_is_not_minimal_is_taken)
{
    victim v;
    chunks c;

    start(&v, s->kind, true, s->final_text);
    c = chunks_split(v.genuine.body);
    for (size_t width = 1; width <= 8; width *= 2) {
        message m = v.genuine;
        bytes opened;

        m.body = bytes_new(0);
        for (size_t i = 0; i + 1 < c.count; i++) {
            m.body = bytes_cat(m.body, bytes_cat(varint_of(c.ct[i].len, width), c.ct[i]));
        }
        m.body = bytes_cat(m.body, bytes_cat(varint_of(0, width), c.ct[c.count - 1]));
        must_ok(message_open(&v.both, &m, 1, &opened));
        must_bytes(v.plain, opened);
        judge(&v, m.body);
    }
    end(&v);
}

Test(alter, chunks_of_another_message_of_the_same_kind)
{
    for (kind k = 0; k < KINDS; k++) {
        victim v;
        chunks ours, theirs;
        message other;

        start(&v, k, true, false);
        other = message_seal(&v.both, k, format_of(true, 0), v.plain, 10);
        ours = chunks_split(v.genuine.body);
        theirs = chunks_split(other.body);
        must_size(ours.count, theirs.count);
        for (size_t i = 0; i < ours.count; i++) {
            chunks mixed = ours;

            mixed.ct[i] = theirs.ct[i];
            judge(&v, chunks_join(&mixed));
        }
        end(&v);
    }
}
