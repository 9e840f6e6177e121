/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOY_H
#define TESTS_TOY_H

/*
 * A whole suite of a test's own, made of public headers alone. It hides nothing (its
 * KEM sends the secret in the clear, its cipher is a XOR and its tag a sum); what it
 * shows is that messages work over any tw_suite, and how they call it.
 */

#include <stdatomic.h>

#include <twoway/twoway.h>

#define TOY_KEM    0xff01
#define TOY_ENC    5
#define TOY_PUBLIC 3

typedef struct toy {
    tw_suite suite;
    tw_kem kem;
    tw_key key;
    tw_key_ops key_ops;
    uint8_t public_key[TOY_PUBLIC];

    tw_hpke_ops ops; /* of the contexts it makes: a test takes members away */
    atomic_size_t contexts_made, contexts_freed;
    size_t seals, opens, exports, pieces;
    tw_err answer;   /* of seal, open and export, unless TW_OK */
    size_t good;     /* calls of seal that succeed before that */
    bool no_context; /* setup answers TW_OK and makes none */
} toy;

void toy_start(toy *t);

#endif
