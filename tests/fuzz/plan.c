/* SPDX-License-Identifier: Apache-2.0 */
#include "opener.h"

#include "fuzz.h"
#include "support/check.h"
#include "support/stream.h"

#define MAX_PLAIN  40000
#define MAX_CHUNKS 40
#define MAX_PIECES 200 /* then all at once: splits of zeros would never end */

bytes plan_most(void)
{
    static uint8_t noise[MAX_PLAIN];
    static bool made;
    uint32_t state = 2;

    for (size_t i = 0; i < MAX_PLAIN && !made; i++) {
        noise[i] = (uint8_t)noise_next(&state);
    }
    made = true;
    return (bytes){noise, MAX_PLAIN};
}

plan plan_read(bytes *in)
{
    static const size_t sizes[OPENER_CHUNK_SIZES] = {1, 7, 100, 0};
    uint8_t what = take_byte(in);
    size_t chunk = sizes[take_byte(in) % OPENER_CHUNK_SIZES];
    size_t most = chunk == 0 ? MAX_PLAIN : MAX_CHUNKS * chunk;
    plan p = {
        .given = (what & OPENER_GIVEN) != 0,
        .final_empty = (what & OPENER_FINAL_EMPTY) != 0,
        .kind = (what & OPENER_RESPONSE) != 0 ? KIND_RESPONSE : KIND_REQUEST,
        .aead = (size_t)(what >> OPENER_AEAD_SHIFT) % 3,
        .format = format_of((what & OPENER_CHUNKED) != 0, chunk),
    };

    p.plain = bytes_part(plan_most(), 0, take_short(in) % (most + 1));
    p.splits = take(in, take_byte(in));
    return p;
}

const peers *plan_peers(const plan *p)
{
    static peers made[3];
    peers *pair = &made[p->aead];
    tw_rng rng = fuzz_rng();

    if (pair->suite == NULL) {
        const tw_key *key = fuzz_key(TW_KEM_X25519_HKDF_SHA256);

        fuzz_rng_reset();
        peers_start_with(pair, fuzz_suite(key->kem->id, TW_KDF_HKDF_SHA256, all_aeads[p->aead]),
                         key, &rng);
    }
    fuzz_rng_reset();
    return pair;
}

/* A split below 250 is itself, the others multiples of 4096. */
static size_t split_length(uint8_t split)
{
    return split < 250 ? split : (split - 249u) * 4096u;
}

size_t plan_piece(const plan *p, size_t *at, size_t left)
{
    size_t len = left;

    if (p->splits.len > 0 && *at < MAX_PIECES) {
        len = split_length(p->splits.data[*at % p->splits.len]);
        *at += 1;
    }
    return len < left ? len : left;
}

bytes plan_seal(const plan *p, size_t *head_len)
{
    message m;
    stream s = stream_seal(message_begin(plan_peers(p), p->kind, p->format, &m));
    bytes rest = p->plain;
    size_t at = 0;
    bytes whole;

    while (rest.len > 0) {
        size_t len = plan_piece(p, &at, rest.len);

        if (len == rest.len && !p->final_empty) {
            break;
        }
        must_ok(stream_update(&s, bytes_part(rest, 0, len)));
        rest = bytes_from(rest, len);
    }
    must_ok(stream_final(&s, rest));
    *head_len = m.head.len;
    whole = bytes_cat(m.head, stream_out(&s));
    stream_end(&s);
    return whole;
}
