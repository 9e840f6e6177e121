/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

uint8_t take_byte(bytes *in)
{
    uint8_t first = 0;

    if (in->len > 0) {
        first = in->data[0];
        *in = bytes_from(*in, 1);
    }
    return first;
}

size_t take_short(bytes *in)
{
    size_t high = take_byte(in);

    return high << 8 | take_byte(in);
}

bytes take(bytes *in, size_t most)
{
    size_t len = in->len < most ? in->len : most;
    bytes taken = bytes_part(*in, 0, len);

    *in = bytes_from(*in, len);
    return taken;
}

size_t take_length(bytes *in)
{
    static const size_t edges[16] = {255,   256,   1000,  4096,  16367, 16368,      16383, 16384,
                                     16385, 16400, 16401, 19999, 20000, FUZZ_PLAIN, 20001, 32768};
    uint8_t byte = take_byte(in);

    return byte < 240 ? byte : edges[byte - 240];
}

bytes take_copy(bytes *in, size_t most)
{
    bytes taken = take(in, most);

    return bytes_of(taken.data, taken.len);
}

bytes fuzz_plain(void)
{
    static uint8_t noise[FUZZ_PLAIN];
    static bool made;
    uint32_t state = 2;

    for (size_t i = 0; i < FUZZ_PLAIN && !made; i++) {
        noise[i] = (uint8_t)noise_next(&state);
    }
    made = true;
    return (bytes){noise, FUZZ_PLAIN};
}
