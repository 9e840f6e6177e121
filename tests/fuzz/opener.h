/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_OPENER_H
#define TESTS_FUZZ_OPENER_H

/*
 * The opener's input: a byte that says what kind of message, a byte for the most
 * plaintext in a chunk, a short for the plaintext's length, a byte that counts
 * splits and that many of them. The rest is either the message as it came from
 * the network, or alterations (mutate.h) of the one that our own sealer makes.
 */

#include "support/peers.h"

#define OPENER_CHUNKED     0x01
#define OPENER_RESPONSE    0x02
#define OPENER_GIVEN       0x04 /* the message itself follows */
#define OPENER_FINAL_EMPTY 0x08 /* all goes to updates, nothing to final */
#define OPENER_AEAD_SHIFT  4    /* index of all_aeads, modulo 3 */

#define OPENER_CHUNK_SIZES 4 /* 1, 7, 100, the default; the second byte modulo this */

typedef struct plan {
    bool given, final_empty;
    kind kind;
    size_t aead;
    tw_format format; /* the sealer's; the opener takes chunks of the default size */
    bytes plain;
    bytes splits;
} plan;

plan plan_read(bytes *in);

/* plan_most is what all plaintexts are a beginning of, so that it is known what a
 * message that was given may release. */
bytes plan_most(void);

/* The two peers; their randomness starts over. */
const peers *plan_peers(const plan *p);

/* plan_seal makes the message: *head_len bytes of head, then the body. */
bytes plan_seal(const plan *p, size_t *head_len);

/* plan_piece is the length of the next piece to push, at most `left`: the splits
 * in turn, over and over, all at once without any. *at starts at 0. */
size_t plan_piece(const plan *p, size_t *at, size_t left);

#endif
