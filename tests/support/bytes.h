/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BYTES_H
#define TESTS_BYTES_H

/*
 * Byte strings for tests. Each is allocated exactly, so that a sanitizer sees a
 * read or write one byte beyond it, and is kept until bytes_release gives back
 * all that this thread made since a mark.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bytes {
    uint8_t *data; /* never NULL unless the value is bytes_none */
    size_t len;
} bytes;

extern const bytes bytes_none; /* NULL, 0 */

bytes bytes_new(size_t len); /* zeroed */
bytes bytes_of(const void *data, size_t len);
bytes bytes_hex(const char *hex); /* fails the test on anything but pairs of digits */
bytes bytes_text(const char *text);
bytes bytes_noise(size_t len, uint32_t seed); /* reproducible, far from uniform secrets */
bytes bytes_cat(bytes a, bytes b);
bytes bytes_part(bytes whole, size_t from, size_t len); /* a view, nothing copied */
bytes bytes_from(bytes whole, size_t from);             /* a view of the rest */
bool bytes_equal(bytes a, bytes b);
bool bytes_starts(bytes whole, bytes start);

size_t bytes_mark(void);
void bytes_release(size_t mark);

/* noise_next is the generator behind bytes_noise, for tests that choose at random. */
uint32_t noise_next(uint32_t *state);

/* check_bytes prints both in hex, up to a limit, with the first difference. */
void check_bytes(const char *file, int line, const char *what, bytes want, bytes got);
#define must_bytes(want, got) check_bytes(__FILE__, __LINE__, #got, (want), (got))

#endif
