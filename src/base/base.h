/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_BASE_BASE_H
#define TWOWAY_BASE_BASE_H

/* What every layer stands on: bytes, QUIC varints, buffers that wipe themselves,
 * slots that pool objects. Nothing here knows of HPKE. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <twoway/error.h>

/* Whether `member` lies within the size that the maker of *obj was compiled with. */
#define TW_HAS(type, obj, member) ((obj)->size >= offsetof(type, member) + sizeof((obj)->member))

#define TW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void tw_store16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

static inline uint16_t tw_load16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

/* Both saturate at SIZE_MAX, which no buffer reaches. */
static inline size_t tw_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}
size_t tw_mul(size_t a, size_t b);

/* Whether the two ranges share a byte. */
static inline bool tw_overlap(const void *a, size_t a_len, const void *b, size_t b_len)
{
    uintptr_t pa = (uintptr_t)a;
    uintptr_t pb = (uintptr_t)b;

    if (a_len == 0 || b_len == 0) {
        return false;
    }
    return pa < pb ? pb - pa < a_len : pa - pb < b_len;
}

/* memcpy that takes NULL for 0 bytes. */
void tw_copy(void *out, const void *in, size_t len);

/* RFC 9000 section 16. */
#define TW_VARINT_MAX_LEN 8
size_t tw_varint_len(uint64_t value);
size_t tw_varint_write(uint8_t *out, uint64_t value); /* returns the length */
/* The first byte tells the length, 1, 2, 4 or 8; read takes that many. */
static inline size_t tw_varint_size(uint8_t first)
{
    return (size_t)1 << (first >> 6);
}
static inline uint64_t tw_varint_read(const uint8_t *in)
{
    size_t len = tw_varint_size(in[0]);
    uint64_t value = in[0] & 0x3f;

    for (size_t i = 1; i < len; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

/*
 * Slots hold idle objects that are dear to make and serve one thread at a time.
 * Taking and giving are single atomic exchanges; a thread looks first where it
 * looked last, so that two threads seldom meet. The objects belong to no thread:
 * whoever frees the slots frees them all.
 */
#define TW_SLOTS      8
#define TW_CACHE_LINE 64
typedef struct tw_slots {
    struct {
        char apart[TW_CACHE_LINE - sizeof(void *)]; /* a cache line for each, and nothing else */
        _Atomic(void *) object;
    } slot[TW_SLOTS];
    char apart[TW_CACHE_LINE - sizeof(void *)];
} tw_slots;

/* Both act on objects that are constant to the eye of the caller. take returns
 * NULL when all are out; give returns false when it is full: free the object. */
void *tw_slots_take(const tw_slots *slots);
bool tw_slots_give(const tw_slots *slots, void *object);

/* A growing buffer for secrets: what it leaves behind is wiped. Starts zeroed. */
typedef struct tw_buf {
    uint8_t *data;
    size_t len, cap;
} tw_buf;

/* tw_buf_append copies `len` bytes to the end. It at least doubles when it grows,
 * but never goes beyond `most` bytes, which the caller has checked to suffice. */
tw_err tw_buf_append(tw_buf *buf, const uint8_t *in, size_t len, size_t most);
void tw_buf_free(tw_buf *buf);

/* An empty buffer can lie in slots while nobody needs it: its streams then share it. give
 * frees it when they are full; take leaves *buf empty when they are. What was in it is not
 * wiped before it is freed: for bytes that were on the wire. */
void tw_buf_give(tw_buf *buf, const tw_slots *idle);
void tw_buf_take(tw_buf *buf, const tw_slots *idle);

#endif
