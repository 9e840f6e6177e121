/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RNG_H
#define TESTS_RNG_H

/* A source of randomness that hands out a script and remembers how it was asked. */

#include <twoway/kem.h>

#include "bytes.h"

#define SCRIPT_DRAWS 16 /* sizes remembered */

typedef struct script {
    bytes left;
    size_t draws;
    size_t sizes[SCRIPT_DRAWS];
    tw_err error; /* the answer once the script runs out */
} script;

/* script_start begins `s` and returns a tw_rng that borrows it. */
tw_rng script_start(script *s, bytes bytes_to_give);

/* script_all_used says that the library drew the script's last byte. */
bool script_all_used(const script *s);

#endif
