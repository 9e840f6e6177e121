/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* Headers (RFC 9458 section 4.3), for every header and inputs of 0 to 16 bytes.
 *
 * sources: src/message/format.c
 * unwind: 2
 * break: src/message/format.c: s/in_len < TW_HEADER_LEN/in_len < TW_HEADER_LEN - 1/
 * break: src/message/format.c: s/tw_store16(out + 3, header->kdf_id)/tw_store16(out + 3, header->kem_id)/
 * break: src/message/format.c: s/\.aead_id = tw_load16(in + 5)/.aead_id = tw_load16(in + 6)/
 */
/* clang-format on */
#include "message/message.h"

#include "proof.h"

static void any_header_comes_back(void)
{
    const tw_header header = {nondet_byte(), nondet_u16(), nondet_u16(), nondet_u16()};
    tw_header read;
    uint8_t *out = any_bytes(TW_HEADER_LEN);

    tw_header_write(&header, out);
    prove(tw_header_parse(out, TW_HEADER_LEN, &read) == TW_OK, "a header is read");
    prove(tw_header_equal(&header, &read), "and is the one that was written");
}

static void any_input_is_read_within_its_length(void)
{
    size_t len = nondet_size();
    uint8_t *in;
    tw_header header;
    tw_err err;

    assume(len <= 16);
    in = any_bytes(len);
    err = tw_header_parse(in, len, &header);
    prove(err == (len < TW_HEADER_LEN ? TW_ERR_TRUNCATED : TW_OK), "only length makes it fail");
    prove(err == TW_OK || (header.key_id == 0 && header.kem_id == 0 && header.kdf_id == 0 &&
                           header.aead_id == 0),
          "a failure leaves nothing");
}

int main(void)
{
    any_header_comes_back();
    any_input_is_read_within_its_length();
}
