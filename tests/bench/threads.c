/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>

#include "check.h"

/* Two threads beside one, with independent streams or messages over shared senders,
 * receivers and suites; and a bare loop, which tells what the machine itself gives. */

enum {
    THREADS = 2,
    CHUNK = 16384,
};

static void scale_row(const plan *p, const char *what, const side *sides)
{
    together one = {.sides = {sides[0]}, .count = 1, .spread = true};
    together both = {.sides = {sides[0], sides[1]}, .count = THREADS, .spread = true};
    row r = row_named(SPEED, "threads/%s/2", what);

    r.ours = side_of_together(&both);
    r.bare = side_of_together(&one);
    compare(p, &r);
}

static void scale_streams(const plan *p)
{
    side ours[THREADS], bare[THREADS];
    peers ends;

    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    for (size_t i = 0; i < THREADS; i++) {
        ours[i] = (side){sealing_run, sealing_new(&ends, CHUNK, NULL)};
        bare[i] = (side){bare_stream_run, bare_stream_new(TW_AEAD_AES_128_GCM, true, CHUNK, NULL)};
        /* libcrypto's contexts, made here as the bare ones: of two made one after the other by
         * threads that are gone by then the ends share a cache line. */
        (void)ours[i].run(ours[i].state, 1);
    }
    if (is_wanted(p, "threads/stream/2")) {
        scale_row(p, "stream", ours);
    }
    if (is_wanted(p, "threads/stream-bare/2")) {
        scale_row(p, "stream-bare", bare);
    }
    for (size_t i = 0; i < THREADS; i++) {
        sealing_free(ours[i].state);
        bare_stream_free(bare[i].state);
    }
    peers_end(&ends);
}

static void scale_messages(const plan *p)
{
    side ours[THREADS], bare[THREADS];
    peers ends;

    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    for (size_t i = 0; i < THREADS; i++) {
        ours[i] = (side){receiving_run, receiving_new(&ends, format_of(false, 0), 1024, true)};
        bare[i] = (side){deriving_run, deriving_new(TW_KEM_X25519_HKDF_SHA256)};
    }
    if (is_wanted(p, "threads/receive/2")) {
        scale_row(p, "receive", ours);
    }
    if (is_wanted(p, "threads/receive-bare/2")) {
        scale_row(p, "receive-bare", bare);
    }
    for (size_t i = 0; i < THREADS; i++) {
        receiving_free(ours[i].state);
        deriving_free(bare[i].state);
    }
    peers_end(&ends);
}

void measure_threads(const plan *given)
{
    plan longer = *given;
    size_t mark = bytes_mark();

    if (core_count() < THREADS) {
        (void)fprintf(stderr, "threads: left out on a machine of one core\n");
        return;
    }
    longer.slice_ns *= 8; /* beside which starting a thread is nothing */
    if (has_group(&longer, "threads/stream")) {
        scale_streams(&longer);
    }
    if (has_group(&longer, "threads/receive")) {
        scale_messages(&longer);
    }
    bytes_release(mark);
}
