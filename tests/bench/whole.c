/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>

#include "check.h"
#include "stream.h"

/* Whole messages: a response's keys, and all of it in one call. */

static const size_t whole_sizes[] = {1024, 65536, 1048576};

typedef struct whole {
    const peers *peers;
    message message;
    uint8_t *in, *out;
    size_t len;
} whole;

static uint64_t whole_seal_run(void *state, size_t count)
{
    whole *w = state;
    uint64_t begun = busy_ns();
    uint8_t head[64];
    size_t len;

    for (size_t i = 0; i < count; i++) {
        tw_sealer *sealer;

        must_ok(tw_exchange_respond(w->peers->answered, NULL, head, sizeof(head), &sealer));
        must_ok(tw_sealer_final(sealer, w->in, w->len, w->out, w->len + 16, &len));
        tw_sealer_free(sealer);
    }
    return busy_ns() - begun;
}

static uint64_t whole_open_run(void *state, size_t count)
{
    whole *w = state;
    uint64_t begun = busy_ns();
    size_t len;

    for (size_t i = 0; i < count; i++) {
        tw_opener *opener;

        must_ok(message_accept(w->peers, &w->message, &opener));
        must_ok(tw_opener_final(opener, w->message.body.data, w->message.body.len, w->out,
                                w->len + 16, &len));
        tw_opener_free(opener);
    }
    return busy_ns() - begun;
}

static void whole_row(const plan *p, const peers *ends, bool seal, size_t len)
{
    row r = row_named(SPEED, "whole/%s/%zu", seal ? "seal" : "open", len);
    whole w = {.peers = ends, .len = len};
    bare_stream *bare;
    size_t mark = bytes_mark();

    if (!is_wanted(p, r.name)) {
        return;
    }
    w.in = allocate(len);
    w.out = allocate(len + 16);
    w.message = message_seal(ends, KIND_RESPONSE, format_of(false, 0), bytes_new(len), len);
    bare = bare_stream_new(TW_AEAD_AES_128_GCM, seal, len, NULL);
    r.bytes = len;
    r.ours = (side){seal ? whole_seal_run : whole_open_run, &w};
    r.bare = (side){bare_stream_run, bare};
    compare(p, &r);
    bare_stream_free(bare);
    free(w.in);
    free(w.out);
    bytes_release(mark);
}

void measure_whole(const plan *p)
{
    peers ends;

    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    for (size_t i = 0; i < sizeof(whole_sizes) / sizeof(whole_sizes[0]); i++) {
        whole_row(p, &ends, true, whole_sizes[i]);
        whole_row(p, &ends, false, whole_sizes[i]);
    }
    peers_end(&ends);
}
