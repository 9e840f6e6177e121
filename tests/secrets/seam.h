/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SEAM_H
#define TESTS_SEAM_H

/*
 * The seam between our code and libcrypto. A program that links seam.c has every call that
 * the library makes with something secret pass through it: libcrypto then works on a stack
 * of its own, so that what is left on ours is ours, and the program hears what goes over
 * and what comes back. A call that is missing here shows: it works on our stack.
 *
 * The program says what it makes of it, in one of these ways.
 */

#include <stdbool.h>
#include <stddef.h>

/* These bytes go to libcrypto, to be what it says: whether any of them is secret. */
bool seam_give(const char *what, const void *data, size_t len);

/* The call is over: those that were given are the caller's again. */
void seam_returned(void);

/* These bytes came back, and are secret. `what` says which. */
void seam_take(const char *what, const void *data, size_t len);

/* libcrypto's stack. */
extern unsigned char seam_stack[1 << 20];

/* seam_elsewhere calls fn with at most eight integers or pointers on the stack that ends at
 * `end`, and returns what it returned. */
typedef unsigned long seam_word;
bool seam_crossed(void); /* whether such a call is under way */
seam_word seam_elsewhere(unsigned char *stack, size_t len, void *fn, const seam_word args[8]);

#endif
