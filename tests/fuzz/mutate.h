/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

/* What an attacker between the peers can do to a message, as an input says. */

#include "support/bytes.h"

/* The first byte of each alteration, modulo ALTERATIONS. Places and lengths are
 * shorts, modulo what there is; chunks are counted from 0, by one byte. */
typedef enum alteration {
    ALTER_FLIP,     /* place, bit */
    ALTER_REPLACE,  /* place, bytes removed, bytes put there: count and themselves */
    ALTER_COPY,     /* from, length, to */
    ALTER_CUT,      /* place: what follows is gone */
    ALTER_DROP,     /* chunk */
    ALTER_DOUBLE,   /* chunk */
    ALTER_SWAP,     /* chunk, chunk */
    ALTER_CONTINUE, /* the final chunk becomes an ordinary one */
    ALTER_FINISH,   /* chunk: becomes the final one, what follows is gone */
    ALTER_WIDEN,    /* chunk, 0 to 3: its length written in 1, 2, 4 or 8 bytes */
    ALTERATIONS,
} alteration;

/* mutate applies every alteration that `in` has room for to a message of which
 * the first head_len bytes are the head. *intact says that the message means what
 * it meant: a length may be written in more bytes than it needs. */
bytes mutate(bytes message, size_t head_len, bool chunked, bytes in, bool *intact);

/* traded is what opens of a chunked `body` of `plain` when place i is filled by chunk i XOR mask,
 * up to a place that has none, or to the final chunk: complete. */
bytes traded(bytes plain, bytes body, uint64_t mask, bool *complete);

#endif
