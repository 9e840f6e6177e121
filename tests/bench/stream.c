/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "stream.h"

/* Bodies alone: chunk after chunk with one call each. Heads are made beforehand. */

enum {
    RING = 256 << 10, /* bytes of ciphertext that are opened again and again */
    RING_CHUNKS = 64, /* of the common length: where it begins again, the head's work has taken
                       * the caches, and that is no chunk's cost */
};

static const size_t chunk_sizes[] = {64, 1024, 4096, 16384, 65536};

static size_t ring_count(size_t chunk)
{
    if (chunk > RING) {
        return 1;
    }
    return chunk == TW_CHUNK_LEN ? RING_CHUNKS : RING / chunk;
}

triple suite_of(uint16_t kem_id, uint16_t aead_id)
{
    return (triple){kem_id, TW_KDF_HKDF_SHA256, aead_id};
}

tw_format chunks_of(size_t chunk)
{
    return format_of(true, chunk);
}

enum {
    PAGE = 4096,
};

/* Two buffers in one allocation, half a page apart in their addresses: to read where there
 * was just written in another page costs a cipher some hundredths, and is a matter of luck. */
static uint8_t *allocate_apart(size_t first_len, size_t second_len, uint8_t **second)
{
    size_t first_room = (first_len + PAGE - 1) / PAGE * PAGE + PAGE / 2;
    size_t len = (first_room + second_len + PAGE - 1) / PAGE * PAGE;
    uint8_t *first = aligned_alloc(PAGE, len);

    must(first != NULL);
    memset(first, 0, len);
    *second = first + first_room;
    return first;
}

/* --- Sealing chunks. ------------------------------------------------------------------- */

struct sealing {
    tw_sealer *sealer;
    uint8_t *in, *out;
    size_t chunk, out_cap;
    bool shared; /* in and out */
};

sealing *sealing_new(const peers *p, size_t chunk, const sealing *first)
{
    sealing *s = allocate(sizeof(*s));
    message m;

    s->chunk = chunk;
    s->shared = first != NULL;
    s->sealer = message_begin(p, KIND_RESPONSE, chunks_of(chunk), &m);
    s->out_cap = tw_sealer_bound(s->sealer, chunk);
    if (first == NULL) {
        s->in = allocate_apart(chunk, s->out_cap, &s->out);
    } else {
        s->in = first->in;
        s->out = first->out;
    }
    return s;
}

uint64_t sealing_run(void *state, size_t count)
{
    sealing *s = state;
    uint64_t begun = busy_ns();
    size_t len;

    for (size_t i = 0; i < count; i++) {
        must_ok(tw_sealer_update(s->sealer, s->in, s->chunk, s->out, s->out_cap, &len));
    }
    return busy_ns() - begun;
}

void sealing_free(sealing *s)
{
    tw_sealer_free(s->sealer);
    if (!s->shared) {
        free(s->in);
    }
    free(s);
}

/* --- Opening them. --------------------------------------------------------------------- */

typedef struct opening {
    const peers *peers;
    message message;
    tw_opener *opener;
    uint8_t *ring, *out; /* chunks, without the final one */
    size_t chunk, piece, count, next;
} opening;

static opening *opening_new(const peers *p, size_t chunk)
{
    opening *o = allocate(sizeof(*o));
    tw_sealer *sealer = message_begin(p, KIND_RESPONSE, chunks_of(chunk), &o->message);
    bytes plain;
    size_t bound, len;

    o->peers = p;
    o->chunk = chunk;
    o->count = ring_count(chunk);
    plain = bytes_new(o->count * chunk);
    bound = tw_sealer_bound(sealer, plain.len);
    o->ring = allocate_apart(bound, chunk + 64, &o->out);
    must_ok(tw_sealer_update(sealer, plain.data, plain.len, o->ring, bound, &len));
    o->piece = len / o->count;
    o->next = o->count;
    tw_sealer_free(sealer);
    return o;
}

static void open_next(opening *o)
{
    size_t len;

    must_ok(tw_opener_update(o->opener, o->ring + o->next++ * o->piece, o->piece, o->out,
                             o->chunk + 64, &len));
}

/* Begins the ring again, with the same keys and so a new opener. It opens one chunk, since
 * a stream's first makes its context: that is the head's cost, and not a chunk's. */
static void opening_rewind(opening *o)
{
    tw_opener_free(o->opener);
    must_ok(message_accept(o->peers, &o->message, &o->opener));
    o->next = 0;
    open_next(o);
}

static uint64_t opening_run(void *state, size_t count)
{
    opening *o = state;
    uint64_t spent = 0;

    while (count > 0) {
        size_t take;
        uint64_t begun;

        if (o->next == o->count) {
            opening_rewind(o);
        }
        take = o->count - o->next < count ? o->count - o->next : count;
        begun = busy_ns();
        for (size_t i = 0; i < take; i++) {
            open_next(o);
        }
        spent += busy_ns() - begun;
        count -= take;
    }
    return spent;
}

static void opening_free(opening *o)
{
    tw_opener_free(o->opener);
    free(o->ring);
    free(o);
}

/* --- The same, bare. ------------------------------------------------------------------- */

struct bare_stream {
    bare_aead *aead;
    uint8_t *ring, *out;
    size_t chunk, piece, count, next;
    bool seal, shared;
};

/* Ciphertext lies where it does in a stream, behind its length: it is not the alignment
 * that is compared. */
static size_t length_of(size_t len)
{
    return len < 64 ? 1 : len < 16384 ? 2 : 4; /* RFC 9000 section 16 */
}

static uint8_t *ciphertext_of(bare_stream *s, size_t i)
{
    return s->ring + i * s->piece + length_of(s->chunk + 16);
}

bare_stream *bare_stream_new(uint16_t aead_id, bool seal, size_t chunk, const bare_stream *first)
{
    bare_stream *s = allocate(sizeof(*s));

    *s = (bare_stream){.chunk = chunk, .piece = length_of(chunk + 16) + chunk + 16, .seal = seal};
    s->shared = first != NULL;
    s->count = seal ? 1 : ring_count(chunk);
    if (first == NULL) {
        s->ring = allocate_apart(s->piece * s->count, s->piece, &s->out);
    } else {
        s->ring = first->ring;
        s->out = first->out;
    }
    s->aead = bare_aead_new(aead_id, true);
    for (size_t i = 0; !seal && i < s->count; i++) {
        bare_aead_chunk(s->aead, s->out, chunk, ciphertext_of(s, i));
    }
    bare_aead_free(s->aead);
    s->aead = bare_aead_new(aead_id, seal);
    return s;
}

static uint64_t bare_seal_run(bare_stream *s, size_t count)
{
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_aead_chunk(s->aead, s->out, s->chunk, ciphertext_of(s, 0));
    }
    return busy_ns() - begun;
}

/* Reads the clock as often as opening_run does, and leaves out the same chunk. */
static uint64_t bare_open_run(bare_stream *s, size_t count)
{
    uint64_t spent = 0;

    while (count > 0) {
        size_t take;
        uint64_t begun;

        if (s->next == s->count) {
            s->next = 0;
            bare_aead_rewind(s->aead);
            if (s->count > 1) {
                bare_aead_chunk(s->aead, ciphertext_of(s, s->next++), s->chunk, s->out);
            }
        }
        take = s->count - s->next < count ? s->count - s->next : count;
        begun = busy_ns();
        for (size_t i = 0; i < take; i++) {
            bare_aead_chunk(s->aead, ciphertext_of(s, s->next++), s->chunk, s->out);
        }
        spent += busy_ns() - begun;
        count -= take;
    }
    return spent;
}

uint64_t bare_stream_run(void *state, size_t count)
{
    bare_stream *s = state;

    return s->seal ? bare_seal_run(s, count) : bare_open_run(s, count);
}

void bare_stream_free(bare_stream *s)
{
    bare_aead_free(s->aead);
    if (!s->shared) {
        free(s->ring);
    }
    free(s);
}

/* --- Rows. ------------------------------------------------------------------------------- */

static void seal_row(const plan *p, const peers *ends, uint16_t aead_id, size_t chunk)
{
    row r = row_named(SPEED, "stream/seal/%s/%zu", tw_aead_name(aead_id), chunk);
    sealing *s;
    bare_stream *bare;

    if (!is_wanted(p, r.name)) {
        return;
    }
    s = sealing_new(ends, chunk, NULL);
    bare = bare_stream_new(aead_id, true, chunk, NULL);
    r.bytes = chunk;
    r.ours = (side){sealing_run, s};
    r.bare = (side){bare_stream_run, bare};
    compare(p, &r);
    sealing_free(s);
    bare_stream_free(bare);
}

static void open_row(const plan *p, const peers *ends, uint16_t aead_id, size_t chunk)
{
    row r = row_named(SPEED, "stream/open/%s/%zu", tw_aead_name(aead_id), chunk);
    opening *o;
    bare_stream *bare;

    if (!is_wanted(p, r.name)) {
        return;
    }
    o = opening_new(ends, chunk);
    bare = bare_stream_new(aead_id, false, chunk, NULL);
    r.bytes = chunk;
    r.ours = (side){opening_run, o};
    r.bare = (side){bare_stream_run, bare};
    compare(p, &r);
    opening_free(o);
    bare_stream_free(bare);
}

void measure_stream(const plan *p)
{
    for (size_t a = 0; a < 3; a++) {
        peers ends;

        peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, all_aeads[a]));
        for (size_t i = 0; i < sizeof(chunk_sizes) / sizeof(chunk_sizes[0]); i++) {
            size_t mark = bytes_mark();

            seal_row(p, &ends, all_aeads[a], chunk_sizes[i]);
            open_row(p, &ends, all_aeads[a], chunk_sizes[i]);
            bytes_release(mark);
        }
        peers_end(&ends);
    }
}
