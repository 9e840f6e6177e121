/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

/*
 * Published test vectors, read as JSON from the directory that TWOWAY_VECTORS
 * names, or shared/vectors beside the source tree. They are no part of the
 * source; vectors_main.c turns their absence into a visible skip.
 */

#include <jansson.h>
#include <stdint.h>

#include "bytes.h"

const char *vectors_directory(void);

/* vectors_load reads one file; the caller gives it back with json_decref. */
json_t *vectors_load(const char *name);

/* Members that a vector must have: absent or of another type fails the test. */
json_t *vector_list(const json_t *object, const char *member);
bytes vector_bytes(const json_t *object, const char *member);
bytes vector_bytes_or_none(const json_t *object, const char *member);
const char *vector_text(const json_t *object, const char *member);
size_t vector_size(const json_t *object, const char *member);
uint16_t vector_id(const json_t *object, const char *member);

#endif
