/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_PUSH_H
#define TESTS_FUZZ_PUSH_H

/* A body is pushed in any pieces: their lengths come in turn, over and over, a byte for each;
 * without any, all goes at once. */

#include "support/stream.h"

typedef struct pieces {
    bytes lengths;
    bool final_empty; /* all goes to updates, nothing to final */
} pieces;

/* pieces_next is the length of the next piece, at most `left`; *at starts at 0. */
size_t pieces_next(const pieces *p, size_t *at, size_t left);

/* push_body gives a body to an opener; a whole message takes final alone. */
tw_err push_body(stream *s, bool chunked, bytes body, const pieces *p);

/* push_pumped has a pump of that many threads open it. */
tw_err push_pumped(tw_opener *opener, bytes body, const pieces *p, size_t jobs, bytes *out);

#endif
