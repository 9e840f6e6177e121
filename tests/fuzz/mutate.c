/* SPDX-License-Identifier: Apache-2.0 */
#include "mutate.h"

#include "fuzz.h"
#include "support/check.h"

#include <string.h>

#define MAX_CHUNKS  64
#define MAX_MESSAGE 131072
#define MAX_ROUNDS  16
#define TAG_LEN     16

/* Chunks as they lie in a message, the length before each included. */
typedef struct span {
    size_t at, len;
    size_t prefix; /* bytes of the length */
} span;

typedef struct layout {
    span chunk[MAX_CHUNKS];
    size_t count;
    bool complete; /* the last one is the final one */
} layout;

/* RFC 9000 section 16, written again so that the library is not its own judge. */
static size_t varint_size(uint8_t first)
{
    return (size_t)1 << (first >> 6);
}

static uint64_t varint_value(bytes in)
{
    uint64_t value = in.data[0] & 0x3f;

    for (size_t i = 1; i < in.len; i++) {
        value = value << 8 | in.data[i];
    }
    return value;
}

static bytes varint_of(uint64_t value, uint8_t log_size)
{
    bytes made = bytes_new((size_t)1 << log_size);

    for (size_t i = made.len; i-- > 0; value >>= 8) {
        made.data[i] = (uint8_t)value;
    }
    made.data[0] = (uint8_t)((made.data[0] & 0x3f) | log_size << 6);
    return made;
}

/* False where no whole chunk begins. */
static bool find_chunk(bytes message, size_t at, span *chunk, bool *final)
{
    size_t left = message.len - at;
    uint64_t promised;

    if (left == 0) {
        return false;
    }
    *chunk = (span){.at = at, .prefix = varint_size(message.data[at])};
    if (chunk->prefix > left) {
        return false;
    }
    promised = varint_value(bytes_part(message, at, chunk->prefix));
    left -= chunk->prefix;
    if (promised > left) {
        return false;
    }
    *final = promised == 0;
    chunk->len = chunk->prefix + (*final ? left : (size_t)promised);
    return true;
}

static layout find_chunks(bytes message, size_t head_len)
{
    layout found = {.count = 0};
    size_t at = head_len;

    while (found.count < MAX_CHUNKS &&
           find_chunk(message, at, &found.chunk[found.count], &found.complete)) {
        at += found.chunk[found.count++].len;
    }
    return found;
}

/* replace puts `with` where `len` bytes were. */
static bytes replace(bytes whole, size_t at, size_t len, bytes with)
{
    return bytes_cat(bytes_cat(bytes_part(whole, 0, at), with), bytes_from(whole, at + len));
}

static bytes chunk_bytes(bytes message, const span *chunk)
{
    return bytes_part(message, chunk->at, chunk->len);
}

static bytes swap(bytes message, const span *a, const span *b)
{
    bytes between;

    if (a->at > b->at) {
        return swap(message, b, a);
    }
    if (a == b) {
        return message;
    }
    between = bytes_part(message, a->at + a->len, b->at - a->at - a->len);
    between = bytes_cat(bytes_cat(chunk_bytes(message, b), between), chunk_bytes(message, a));
    return replace(message, a->at, b->at + b->len - a->at, between);
}

static bytes widen(bytes message, const span *chunk, uint8_t log_size)
{
    uint64_t value = varint_value(bytes_part(message, chunk->at, chunk->prefix));
    size_t size = (size_t)1 << log_size;

    if (size < 8 && value >> (8 * size - 2) != 0) {
        return message;
    }
    return replace(message, chunk->at, chunk->prefix, varint_of(value, log_size));
}

static bytes alter_chunks(bytes message, const layout *l, alteration what, bytes *in)
{
    const span *chunk = &l->chunk[take_byte(in) % l->count];
    const span *last = &l->chunk[l->count - 1];

    switch (what) {
    case ALTER_DROP:
        return replace(message, chunk->at, chunk->len, bytes_none);
    case ALTER_DOUBLE:
        return replace(message, chunk->at, 0, chunk_bytes(message, chunk));
    case ALTER_SWAP:
        return swap(message, chunk, &l->chunk[take_byte(in) % l->count]);
    case ALTER_CONTINUE:
        return l->complete ? replace(message, last->at, last->prefix,
                                     varint_of(last->len - last->prefix, 2))
                           : message;
    case ALTER_FINISH:
        return replace(bytes_part(message, 0, chunk->at + chunk->len), chunk->at, chunk->prefix,
                       varint_of(0, 0));
    default:
        return widen(message, chunk, take_byte(in) % 4);
    }
}

static bytes alter_bytes(bytes message, alteration what, bytes *in)
{
    size_t at = take_short(in) % (message.len + 1);
    size_t left = message.len - at;
    size_t len, to;

    switch (what) {
    case ALTER_FLIP:
        message = bytes_of(message.data, message.len);
        if (left > 0) {
            message.data[at] ^= (uint8_t)(1u << take_byte(in) % 8);
        }
        return message;
    case ALTER_REPLACE:
        len = take_byte(in) % (left + 1);
        return replace(message, at, len, take(in, take_byte(in)));
    case ALTER_COPY:
        len = take_short(in) % (left + 1);
        to = take_short(in) % (message.len + 1);
        return replace(message, to, 0, bytes_part(message, at, len));
    default:
        return bytes_part(message, 0, at);
    }
}

bytes traded(bytes plain, bytes body, uint64_t mask, bool *complete)
{
    static size_t start[MAX_MESSAGE / TAG_LEN]; /* of each chunk's plaintext */
    bytes made = bytes_new(plain.len);
    size_t count = 0, len = 0;
    bool final = false;
    span chunk;

    for (size_t at = 0; find_chunk(body, at, &chunk, &final); at += chunk.len) {
        must(count + 1 < sizeof(start) / sizeof(*start));
        start[count + 1] = start[count] + chunk.len - chunk.prefix - TAG_LEN;
        count++;
    }
    must(final && start[count] == plain.len);
    *complete = false;
    for (size_t i = 0; !*complete && (i ^ mask) < count; i++) {
        const size_t from = i ^ mask, part = start[from + 1] - start[from];

        memcpy(made.data + len, plain.data + start[from], part);
        len += part;
        *complete = from == count - 1;
    }
    return bytes_part(made, 0, len);
}

bytes mutate(bytes message, size_t head_len, bool chunked, bytes in, bool *intact)
{
    bytes original = message;
    bool widened_only = true;

    for (int round = 0; round < MAX_ROUNDS && in.len > 0; round++) {
        alteration what = take_byte(&in) % ALTERATIONS;
        layout l = {.count = 0};

        if (what < ALTER_DROP) {
            message = alter_bytes(message, what, &in);
        } else if (chunked && message.len > head_len) {
            l = find_chunks(message, head_len);
        }
        if (l.count > 0) {
            message = alter_chunks(message, &l, what, &in);
        }
        widened_only = widened_only && what == ALTER_WIDEN;
        if (message.len > MAX_MESSAGE) {
            break;
        }
    }
    *intact = widened_only || bytes_equal(message, original);
    return message;
}
