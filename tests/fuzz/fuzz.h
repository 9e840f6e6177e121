/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

/*
 * What the targets share. A target is one function that libFuzzer calls with
 * what it made up, or replay.c with the seeds; a broken promise aborts. Nothing
 * in a run is random, so an input that fails once fails again.
 */

#include <twoway/kem.h>

#include "support/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Taking an input apart from its start: zeros once it is used up. */
uint8_t take_byte(bytes *in);
size_t take_short(bytes *in); /* two bytes, the higher first */
bytes take(bytes *in, size_t most);
/* take_length is a length of plaintext, at most FUZZ_PLAIN: one byte, itself below 240, from
 * there on one of those around which something changes. */
size_t take_length(bytes *in);
bytes take_copy(bytes *in, size_t most); /* alone in memory, so that reading on shows */

/* What all plaintexts are a beginning of. */
#define FUZZ_PLAIN 40000
bytes fuzz_plain(void);

/* A source of randomness that starts over at fuzz_rng_reset. One for all. */
tw_rng fuzz_rng(void);
void fuzz_rng_reset(void);

/* Suites and keys, made at the first use and kept; NULL: no such suite. */
const tw_suite *fuzz_suite(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id);
const tw_key *fuzz_key(uint16_t kem_id);

#endif
