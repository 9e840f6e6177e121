/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

size_t tw_varint_len(uint64_t value)
{
    if (value < 1u << 6) {
        return 1;
    }
    if (value < 1u << 14) {
        return 2;
    }
    return value < 1u << 30 ? 4 : 8;
}

size_t tw_varint_write(uint8_t *out, uint64_t value)
{
    static const uint8_t prefix[TW_VARINT_MAX_LEN + 1] = {
        [1] = 0x00, [2] = 0x40, [4] = 0x80, [8] = 0xc0};
    size_t len = tw_varint_len(value);

    for (size_t i = len; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
    out[0] |= prefix[len];
    return len;
}
