/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_PLAN_H
#define TESTS_FUZZ_PLAN_H

/*
 * The input of `sealed`: a byte that says what kind of message, a byte for the most
 * plaintext in a chunk, the plaintext's length (take_length), a byte that counts pieces
 * and that many of them. The rest is alterations (mutate.h) of the message that our
 * own sealer makes.
 */

#include "push.h"
#include "support/peers.h"

#define PLAN_CHUNKED     0x01
#define PLAN_FINAL_EMPTY 0x02
#define PLAN_KIND_SHIFT  2 /* modulo 4, the last counts as one to many */
#define PLAN_AEAD_SHIFT  4 /* index of all_aeads, modulo 3 */

#define PLAN_CHUNK_SIZES 4 /* 1, 7, 100, the default; the second byte modulo this */

typedef struct plan {
    kind kind;
    size_t aead;
    tw_format format; /* the sealer's; the opener takes chunks of the default size */
    bytes plain;
    pieces pieces;
} plan;

plan plan_read(bytes *in);

/* The two peers; their randomness starts over. */
const peers *plan_peers(const plan *p);

/* plan_seal makes the message; of one to many the file of the receiver comes first. */
message plan_seal(const plan *p);

#endif
