/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "check.h"

/* How long one request takes, not how many a second; and when its first plaintext byte
 * is there. */

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_X25519_HKDF_SHA256};
static const size_t chunks[] = {1024, 16384};

static void receive_row(const plan *p, uint16_t kem_id)
{
    row r = row_named(COST, "latency/receive/%s", tw_kem_name(kem_id));
    size_t mark = bytes_mark();
    receiving *ours;
    deriving *bare;
    peers ends;

    if (!is_wanted(p, r.name)) {
        return;
    }
    peers_start(&ends, suite_of(kem_id, TW_AEAD_AES_128_GCM));
    ours = receiving_new(&ends, format_of(false, 0), 1024, false);
    bare = deriving_new(kem_id);
    r.ours = (side){receiving_run, ours};
    r.bare = (side){deriving_run, bare};
    percentiles(p, &r);
    receiving_free(ours);
    deriving_free(bare);
    peers_end(&ends);
    bytes_release(mark);
}

/* --- The first byte: the head, and the first chunk of a stream that goes on. ------------- */

typedef struct first_byte {
    const peers *peers;
    message message;
    bare_stream *aead;
    deriving *dh;
    size_t piece;
} first_byte;

static uint64_t first_byte_run(void *state, size_t count)
{
    first_byte *f = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        uint8_t out[TW_CHUNK_LEN + 64];
        tw_opener *opener;
        size_t len;

        must_ok(message_accept(f->peers, &f->message, &opener));
        must_ok(tw_opener_update(opener, f->message.body.data, f->piece, out, sizeof(out), &len));
        must(len > 0);
        tw_opener_free(opener);
    }
    return busy_ns() - begun;
}

static uint64_t bare_first_byte_run(void *state, size_t count)
{
    first_byte *f = state;
    uint64_t spent = 0;

    for (size_t i = 0; i < count; i++) {
        spent += deriving_run(f->dh, 1) + bare_stream_run(f->aead, 1);
    }
    return spent;
}

static void first_byte_row(const plan *p, uint16_t kem_id, size_t chunk)
{
    row r = row_named(COST, "first-byte/%s/%zu", tw_kem_name(kem_id), chunk);
    size_t mark = bytes_mark();
    first_byte f;
    peers ends;

    if (!is_wanted(p, r.name)) {
        return;
    }
    peers_start(&ends, suite_of(kem_id, TW_AEAD_AES_128_GCM));
    f.peers = &ends;
    f.message = message_seal(&ends, KIND_REQUEST, chunks_of(chunk), bytes_new(4 * chunk), 0);
    f.piece = (chunk > 16383 - 16 ? 4 : 2) + chunk + 16;
    f.aead = bare_stream_new(TW_AEAD_AES_128_GCM, false, chunk, NULL);
    f.dh = deriving_new(kem_id);
    r.ours = (side){first_byte_run, &f};
    r.bare = (side){bare_first_byte_run, &f};
    compare(p, &r);
    deriving_free(f.dh);
    bare_stream_free(f.aead);
    peers_end(&ends);
    bytes_release(mark);
}

void measure_latency(const plan *p)
{
    for (size_t k = 0; k < sizeof(kems) / sizeof(kems[0]); k++) {
        receive_row(p, kems[k]);
        for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
            first_byte_row(p, kems[k], chunks[i]);
        }
    }
}
