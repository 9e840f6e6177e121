/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

/*
 * A stream pushes a body through its sealer or opener and holds every single
 * call to the contracts of twoway.h: one byte less than the bound is
 * TW_ERR_SPACE and changes nothing, a success stays within the bound, an error
 * leaves no byte of plaintext behind and an *out_len of 0.
 */

#include <twoway/twoway.h>

#include "bytes.h"

typedef struct stream {
    tw_sealer *sealer; /* one of the two; owned */
    tw_opener *opener;
    uint8_t *out; /* all that came out so far */
    size_t out_len, out_cap;
} stream;

stream stream_seal(tw_sealer *sealer);
stream stream_open(tw_opener *opener);
tw_err stream_update(stream *s, bytes in);
tw_err stream_final(stream *s, bytes in);
size_t stream_bound(const stream *s, size_t in_len);
bytes stream_out(const stream *s); /* a view until the next call */
void stream_end(stream *s);

/* seal_in_steps takes the sealer, pushes `plain` in updates of `step` bytes and an
 * empty final (0: all in final), and gives the body. */
bytes seal_in_steps(tw_sealer *sealer, bytes plain, size_t step);

/* open_in_steps takes the opener and pushes `body` in the same way. *plain is what
 * was released, on an error too. */
tw_err open_in_steps(tw_opener *opener, bytes body, size_t step, bytes *plain);

#endif
