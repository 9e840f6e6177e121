/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

/*
 * Watches every allocation that goes through libcrypto's allocator: libcrypto's own
 * and the library's, which are told apart by the source file they name. It
 * starts before main, because libcrypto takes another allocator only before it has
 * allocated anything.
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct allocations {
    size_t calls;  /* since the last reset */
    size_t asked;  /* bytes, in these calls */
    size_t bytes;  /* held now */
    size_t peak;   /* most held at once since the last reset */
    size_t failed; /* since the last reset */
} allocations;

/* The library's own, and all together. */
allocations allocations_ours(void);
allocations allocations_all(void);
void allocations_reset(void); /* counts to 0, peaks to what is held */

/* Allocation number n from now on (1 is the next), of the library's own or of all of
 * them, fails; 0: none. */
void allocations_fail(size_t n, bool of_ours);

/* Whether these bytes lie in any block that is allocated now. */
bool allocations_hold(const void *what, size_t len);

/* allocations_refuse counts one of ours that goes another way (malloc), and says whether it is
 * the one that fails. While they are paused none fails or counts. */
bool allocations_refuse(void);
void allocations_pause(bool pause);

#endif
