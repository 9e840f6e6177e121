/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CHUNKS_H
#define TESTS_CHUNKS_H

/*
 * Chunked bodies taken apart and put together again, and a model of what an
 * opener must make of any bytes at all: the second implementation that a
 * thousand altered bodies are held against.
 */

#include <twoway/twoway.h>

#include "bytes.h"

#define TAG_LEN 16

/* QUIC's varint (RFC 9000 section 16), in `width` bytes: 1, 2, 4, 8, or 0 for the
 * shortest. */
bytes varint_of(uint64_t value, size_t width);

/* A chunk as it travels. */
bytes chunk_of(bytes ct);       /* its length first */
bytes final_chunk_of(bytes ct); /* a zero first */

#define MAX_CHUNKS 64

typedef struct chunks {
    bytes ct[MAX_CHUNKS]; /* the last is the final chunk's */
    size_t count;
} chunks;

chunks chunks_split(bytes body); /* of a body that is well formed */
bytes chunks_join(const chunks *c);

/* The verdict on `altered`, where `genuine` is what was sealed. `prefix_len` counts
 * the plaintext bytes that precede the first thing wrong. */
typedef struct verdict {
    tw_err err;
    size_t prefix_len;
} verdict;

verdict verdict_on(bool chunked, size_t max_chunk, bytes genuine, bytes altered);

#endif
