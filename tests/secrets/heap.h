/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HEAP_H
#define TESTS_HEAP_H

/*
 * The C library's allocator with two additions, for programs that look for what is left
 * behind: what others allocate in a call of theirs can be kept apart from the rest, and
 * what a test allocates for itself can leave nothing.
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct heap {
    unsigned char *start; /* never given twice, so that all that was ever there still is */
    size_t used, len;
} heap;

/* heap_new is set aside (vault.h) under this name. */
heap *heap_new(const char *name, size_t len);

/* From now on this thread allocates from there; NULL: as usual. Returns what was before. */
heap *heap_use(heap *h);

/* From now on what this thread frees is wiped first. */
void heap_wipe(bool wipe);

#endif
