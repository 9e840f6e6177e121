/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PLUMBING_H
#define TESTS_PLUMBING_H

/*
 * A reader and a writer for a pump of several threads. Both hold it to what it promises: they
 * are called by the thread that called the pump, never two at once, the other threads block
 * signals and are gone afterwards, and before a reader is asked that had no more ready,
 * all that was complete has been written.
 */

#include <pthread.h>

#include <twoway/twoway.h>

#include "bytes.h"

typedef struct plumbing {
    bytes in;                       /* what is left of it */
    size_t most;                    /* read at once; 0: as much as is asked for */
    size_t reads_left, writes_left; /* before one fails */
    size_t writes;
    size_t ahead;               /* the most reads from one write to the next */
    bool waits;                 /* before each read, which is short or not */
    size_t chunk_in, chunk_out; /* on either side; 0: what has been written is not looked at */
    size_t threads;             /* the most that were there beside the caller when it wrote */
    /* Its own. */
    pthread_t caller;
    size_t taken, since;
    bool was_short, ended;
    uint8_t *out;
    size_t out_len, out_cap;
} plumbing;

plumbing *plumbing_new(bytes in, size_t out_cap);
tw_pipe plumbing_pipe(plumbing *p, size_t jobs);
bytes plumbing_out(const plumbing *p); /* a copy */
void plumbing_free(plumbing *p);       /* says that there is but one thread left */

#endif
