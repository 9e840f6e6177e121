/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INJECT_H
#define TESTS_INJECT_H

/* Back-ends of a test's own that forward to the built-in ones, count their calls and
 * answer what they are told to. */

#include <stdatomic.h>
#include <stdbool.h>

#include <twoway/twoway.h>

typedef struct watched_key {
    tw_key base;
    const tw_key *inner;      /* borrowed */
    atomic_size_t calls;      /* of decap */
    atomic_size_t operations; /* of those, the ones that reached the private key */
    atomic_bool freed;
    const tw_err *answers; /* given in turn before it forwards; TW_OK ends them */
    tw_key_ops ops;
} watched_key;

/* watched_key_start fills `k`; it lives where the test put it. */
void watched_key_start(watched_key *k, const tw_key *inner);

typedef struct watched_kem {
    tw_kem base;
    const tw_kem *inner; /* borrowed */
    size_t checks, encaps;
    bool freed;
    tw_err answer; /* of encap, unless TW_OK */
} watched_kem;

void watched_kem_start(watched_kem *k, const tw_kem *inner);

#endif
