/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "fuzz.h"
#include "support/check.h"

#define MAX_CHUNKS 40

plan plan_read(bytes *in)
{
    static const size_t sizes[PLAN_CHUNK_SIZES] = {1, 7, 100, 0};
    uint8_t what = take_byte(in);
    size_t chunk = sizes[take_byte(in) % PLAN_CHUNK_SIZES];
    size_t most = chunk == 0 ? FUZZ_PLAIN : MAX_CHUNKS * chunk;
    size_t len = take_length(in);
    unsigned k = (what >> PLAN_KIND_SHIFT) % 4;
    plan p = {
        .kind = k < KINDS ? (kind)k : KIND_MULTI,
        .aead = (size_t)(what >> PLAN_AEAD_SHIFT) % 3,
        .format = format_of((what & PLAN_CHUNKED) != 0, chunk),
        .pieces = {.final_empty = (what & PLAN_FINAL_EMPTY) != 0},
    };

    p.plain = bytes_part(fuzz_plain(), 0, len < most ? len : most);
    p.pieces.lengths = take(in, take_byte(in));
    return p;
}

const peers *plan_peers(const plan *p)
{
    static peers made[3];
    static tw_rng rng; /* the peers keep a pointer to it */
    peers *pair = &made[p->aead];

    if (pair->suite == NULL) {
        const tw_key *key = fuzz_key(TW_KEM_X25519_HKDF_SHA256);

        rng = fuzz_rng();
        fuzz_rng_reset();
        peers_start_with(pair, fuzz_suite(key->kem->id, TW_KDF_HKDF_SHA256, all_aeads[p->aead]),
                         key, &rng);
    }
    fuzz_rng_reset();
    return pair;
}

message plan_seal(const plan *p)
{
    message m;
    stream s = stream_seal(message_begin(plan_peers(p), p->kind, p->format, &m));
    bytes rest = p->plain;
    size_t at = 0;

    while (rest.len > 0) {
        size_t len = pieces_next(&p->pieces, &at, rest.len);

        if (len == rest.len && !p->pieces.final_empty) {
            break;
        }
        must_ok(stream_update(&s, bytes_part(rest, 0, len)));
        rest = bytes_from(rest, len);
    }
    must_ok(stream_final(&s, rest));
    m.body = bytes_of(stream_out(&s).data, stream_out(&s).len);
    stream_end(&s);
    return m;
}
