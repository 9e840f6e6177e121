/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SEARCH_H
#define TESTS_SEARCH_H

/*
 * The test that looks for secrets after each step. What the caller holds lies in the vault
 * (vault.h); what libcrypto is given and gives is learned at the seam (seam.h).
 */

#include "bytes.h"
#include "vault.h"

/* must_hold says that besides the caller nobody holds a secret but those named, which live
 * objects need, and those in the heap alone: "exp key". "" after all was freed. What was
 * set aside is only listed. */
#define must_hold(step, allowed) check_held(__FILE__, __LINE__, (step), (allowed))
void check_held(const char *file, int line, const char *step, const char *allowed);

/* deep runs fn far down the stack, so that what comes after it covers nothing of what it
 * left. */
void deep(void (*fn)(void *arg), void *arg);

/* scene runs one in a process of its own; scenes_end prints how many there were, and what
 * libcrypto, a token and others left in what is theirs. */
void scene(const char *name, void (*fn)(const void *arg), const void *arg);
int scenes_end(void);

/* The caller's bytes, in the vault. */
bytes held(size_t len);
bytes held_secret(const char *name, size_t len); /* random */

#endif
