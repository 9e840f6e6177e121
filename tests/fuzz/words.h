/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_WORDS_H
#define TESTS_FUZZ_WORDS_H

/*
 * The input of `command`: a byte that counts arguments, and for each a byte. Below 192 that
 * is a word of the table, modulo its length; from there on it is followed by (byte - 192)
 * bytes of its own. The rest is the content of the file "in".
 */

#include <stddef.h>

#define WORDS_OWN  192
#define WORDS_MOST 24

/* What no message may show, wherever the table lets it come. */
#define WORDS_PIN "Tiger-7391-pin"

/* A word may be two arguments, with a line feed between them. */
extern const char *const words[];
extern const size_t word_count;

/* words_place finds a word of the table. */
size_t words_place(const char *word);

#endif
