/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* How the cost grows: with the length of one message, and with the number of streams
 * that are open at once. Both seal, so that no ciphertext has to be ready. */

enum {
    PIECE = 1 << 20, /* of input, sealed again and again */
};

static const size_t lengths[] = {0,       1 << 6,  1 << 10, 1 << 12, 1 << 14,
                                 1 << 17, 1 << 20, 1 << 24, 1 << 27, 1 << 30};
static const size_t stream_counts[] = {1, 10, 100, 1000, 10000};

/* --- One message. ------------------------------------------------------------------- */

typedef struct lengthy {
    const peers *peers;
    bare_dh *dh;
    bare_aead *aead;
    uint8_t *in, *out;
    size_t out_cap, len;
} lengthy;

static void send_lengthy(lengthy *l)
{
    const tw_format format = chunks_of(TW_CHUNK_LEN);
    uint8_t head[TW_MAX_HEAD];
    size_t left = l->len, len;
    tw_sealer *sealer;

    must_ok(tw_sender_request(l->peers->sender, &format, head, sizeof(head), &sealer, NULL));
    for (; left > PIECE; left -= PIECE) {
        must_ok(tw_sealer_update(sealer, l->in, PIECE, l->out, l->out_cap, &len));
    }
    must_ok(tw_sealer_final(sealer, l->in, left, l->out, l->out_cap, &len));
    tw_sealer_free(sealer);
}

static uint64_t lengthy_run(void *state, size_t count)
{
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        send_lengthy(state);
    }
    return busy_ns() - begun;
}

static uint64_t bare_lengthy_run(void *state, size_t count)
{
    lengthy *l = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_dh_send(l->dh, 0, false);
        for (size_t at = 0; at < l->len || at == 0; at += TW_CHUNK_LEN) {
            size_t left = l->len - at, take = left < TW_CHUNK_LEN ? left : TW_CHUNK_LEN;

            /* Through the same input and output as ours. */
            bare_aead_chunk(l->aead, l->in + at % PIECE, take, l->out + at % PIECE);
        }
    }
    return busy_ns() - begun;
}

void measure_length(const plan *p)
{
    lengthy l = {.in = allocate(PIECE), .out = allocate(PIECE + (PIECE >> 4))};
    peers ends;

    l.out_cap = PIECE + (PIECE >> 4);
    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    l.peers = &ends;
    l.dh = bare_dh_new(TW_KEM_X25519_HKDF_SHA256);
    l.aead = bare_aead_new(TW_AEAD_AES_128_GCM, true);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        row r = row_named(COST, "length/%zu", lengths[i]);

        if (is_wanted(p, r.name)) {
            l.len = r.bytes = lengths[i];
            r.ours = (side){lengthy_run, &l};
            r.bare = (side){bare_lengthy_run, &l};
            compare(p, &r);
        }
    }
    bare_aead_free(l.aead);
    bare_dh_free(l.dh);
    peers_end(&ends);
    free(l.in);
    free(l.out);
}

/* --- Many streams, a chunk of each in turn. ---------------------------------------------- */

typedef struct crowd {
    sealing **ours;
    bare_stream **bare;
    size_t count, next, next_bare;
} crowd;

static uint64_t crowd_run(void *state, size_t count)
{
    crowd *c = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        (void)sealing_run(c->ours[c->next++ % c->count], 1);
    }
    return busy_ns() - begun;
}

static uint64_t bare_crowd_run(void *state, size_t count)
{
    crowd *c = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        (void)bare_stream_run(c->bare[c->next_bare++ % c->count], 1);
    }
    return busy_ns() - begun;
}

static void streams_row(const plan *p, const peers *ends, size_t count)
{
    row r = row_named(COST, "streams/%zu", count);
    crowd c = {.count = count};

    if (!is_wanted(p, r.name)) {
        return;
    }
    c.ours = allocate(count * sizeof(*c.ours));
    c.bare = allocate(count * sizeof(*c.bare));
    for (size_t i = 0; i < count; i++) {
        c.ours[i] = sealing_new(ends, TW_CHUNK_LEN, c.ours[0]);
        c.bare[i] = bare_stream_new(TW_AEAD_AES_128_GCM, true, TW_CHUNK_LEN, c.bare[0]);
    }
    r.bytes = TW_CHUNK_LEN;
    r.ours = (side){crowd_run, &c};
    r.bare = (side){bare_crowd_run, &c};
    compare(p, &r);
    for (size_t i = count; i-- > 0;) {
        sealing_free(c.ours[i]);
        bare_stream_free(c.bare[i]);
    }
    free(c.ours);
    free(c.bare);
}

void measure_streams(const plan *p)
{
    peers ends;

    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    for (size_t i = 0; i < sizeof(stream_counts) / sizeof(stream_counts[0]); i++) {
        size_t mark = bytes_mark();

        streams_row(p, &ends, stream_counts[i]);
        bytes_release(mark);
    }
    peers_end(&ends);
}
