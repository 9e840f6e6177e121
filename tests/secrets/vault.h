/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VAULT_H
#define TESTS_VAULT_H

/*
 * What a test knows of secrets, in memory of its own, and the search for them in all the
 * rest of the process's writable memory. What a caller may hold (its keys, its plaintext,
 * what it was given) lies in the vault, so that whatever is found elsewhere is a copy that
 * somebody made.
 *
 * A secret is known by each of its blocks of eight bytes, as it is and back to front (a
 * big number on a little-endian machine): half a key is found, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed bytes that no search looks at. */
void *vault_new(size_t len);
void *vault_random(const char *name, size_t len); /* a secret of that name */

/* Memory that is searched for itself under a name of its own: a stack, a token's heap. Of
 * it *used bytes, or all with NULL. */
void vault_aside(const char *name, void *start, size_t len, const size_t *used);

/* From now on these bytes are a secret of that name. The name is copied. */
void secret_add(const char *name, const void *data, size_t len);

/* Whether a block of a known secret is in there, as it is or as HMAC mixes it with a pad;
 * what was mixed becomes a secret itself. */
bool secret_in(const void *data, size_t len);

#define FINDINGS 64

typedef struct finding {
    char secret[40];
    char place[40]; /* "stack", "heap", what was set aside, a file's name */
    size_t blocks;
    uintptr_t first;
} finding;

/* Looks everywhere: how many kinds there are, and the first FINDINGS of them in *out, which
 * is overwritten by the next search. */
size_t secrets_search(const finding **out);

#endif
