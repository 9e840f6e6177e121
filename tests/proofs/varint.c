/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* Varints (RFC 9000 section 16), for every value and every input: what is written is read
 * again, in as many bytes as were said, and nothing beyond them is touched.
 *
 * sources: src/base/varint.c
 * unwind: 9
 * break: src/base/base.h: s/i < len; i++/i <= len; i++/
 * break: src/base/varint.c: s/value < 1u << 14/value <= 1u << 14/
 * break: src/base/varint.c: s/\[4\] = 0x80/[4] = 0x40/
 * break: src/base/base.h: s/in\[0\] & 0x3f/in[0] \& 0x7f/
 */
/* clang-format on */
#include "base/base.h"

#include "proof.h"

static void any_value_comes_back(void)
{
    uint64_t value = nondet_u64();
    size_t len;
    uint8_t *out;

    assume(value < (uint64_t)1 << 62);
    len = tw_varint_len(value);
    prove(len == 1 || len == 2 || len == 4 || len == 8, "a length of four");
    out = any_bytes(len);
    prove(tw_varint_write(out, value) == len, "it writes as many bytes as it said");
    prove(tw_varint_size(out[0]) == len, "the first byte tells the length");
    prove(tw_varint_read(out) == value, "what was written is read");
}

static void any_input_is_read_within_its_length(void)
{
    uint8_t first = nondet_byte();
    size_t len = tw_varint_size(first);
    uint8_t *in;

    prove(len <= TW_VARINT_MAX_LEN, "no longer than the longest");
    in = any_bytes(len);
    in[0] = first;
    prove(tw_varint_read(in) < (uint64_t)1 << 62, "no value beyond 62 bits");
}

int main(void)
{
    any_value_comes_back();
    any_input_is_read_within_its_length();
}
