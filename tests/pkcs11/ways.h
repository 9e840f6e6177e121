/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WAYS_H
#define TESTS_WAYS_H

/* The ways from a token's key to a shared secret, by number; looks inside of a key. */

#include <stddef.h>

#include <twoway/kem.h>

#define WAYS 3

const char *way_name(size_t way);    /* "S1" */
size_t way_taken(const tw_key *key); /* the one that its token was seen to serve it by */

/* way_take makes the key go this way from now on; false: its token cannot. */
bool way_take(tw_key *key, size_t way);

#endif
