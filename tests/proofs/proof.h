/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROOF_H
#define PROOF_H

/*
 * What the proofs have in common. CBMC runs each file's main() for every value of what the
 * nondet functions return, within the bounds that the file states: scripts/prove. A read or
 * write outside of an object, an overflow of signed numbers, a loop that goes on beyond its
 * bound and an assertion that can fail are all told as failures; allocations may fail.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

bool nondet_bool(void);
int nondet_int(void);
uint8_t nondet_byte(void);
uint16_t nondet_u16(void);
uint64_t nondet_u64(void);
size_t nondet_size(void);

#define assume(condition)       __CPROVER_assume(condition)
#define prove(condition, claim) __CPROVER_assert(condition, claim)

/* Exactly len bytes of any value: one beyond them is outside of their object. */
enum { MOST_BYTES = 100 };
uint8_t *any_bytes(size_t len);

/* Byte for byte, where CBMC would copy object for object, which takes it far longer. Every
 * file is compiled with this. */
#define memcpy copy_bytes
#define memset set_bytes

static inline void *copy_bytes(void *out, const void *in, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((unsigned char *)out)[i] = ((const unsigned char *)in)[i];
    }
    return out;
}

static inline void *set_bytes(void *out, int value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((unsigned char *)out)[i] = (unsigned char)value;
    }
    return out;
}

#endif
