/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * Key configurations (RFC 9458 section 3): one of any KEM in 0 to 60 bytes, which has room for
 * X25519 and five pairs; whatever is in 0 to 12 bytes, lists with unknown KEMs among it; lists
 * of two that are as long as of X25519 with one pair each; with room for 0 to 2.
 *
 * sources: src/crypto/algorithms.c src/message/format.c
 * unwind: 17
 * unwindset: tw_config_decode.0:4,is_list.0:8,copy_bytes.0:57,set_bytes.0:200
 * break: src/ohttp/config.c: s/in_len < at + alg->public_len + 2/in_len < at + alg->public_len/
 * break: src/ohttp/config.c: s/len > in_len - at - 2/len > in_len - at/
 * break: src/ohttp/config.c: s/|| pairs_len != in_len - at//
 * break: src/ohttp/config.c: s/if (\*count < cap)/if (*count <= cap)/
 * break: src/ohttp/config.c: s/^        \*count = 0;/        ;/
 */
/* clang-format on */
#include <twoway/kem.h>

/* No key that fits here is longer, and CBMC is quicker with less. */
#undef TW_MAX_PUBLIC
#define TW_MAX_PUBLIC 56

#include "ohttp/config.c"

#include "proof.h"

static void must_be_whole(const tw_config *c)
{
    const tw_dh_alg *alg = tw_dh_alg_find(c->kem_id);

    prove(alg != NULL, "what is kept has a KEM");
    prove(c->public_len == alg->public_len, "and its public key's length");
    prove(c->symmetric_count >= 1 && c->symmetric_count <= TW_MAX_SYMMETRIC,
          "and at least one pair");
}

static void any_one(void)
{
    size_t len = nondet_size();
    tw_config config;
    bool known;
    tw_err err;

    assume(len <= 60);
    err = parse_one(any_bytes(len), len, &config, &known);
    prove(err == TW_OK || err == TW_ERR_FORMAT, "no other error");
    if (err == TW_OK && known) {
        must_be_whole(&config);
    }
}

static void decode(const uint8_t *in, size_t len)
{
    size_t cap = nondet_size(), count;
    tw_config two[2], *configs;
    tw_err err;

    assume(cap <= 2);
    configs = two + (2 - cap); /* one beyond is outside */
    err = tw_config_decode(in, len, configs, cap, &count);
    prove(err == TW_OK || err == TW_ERR_SPACE || err == TW_ERR_FORMAT, "no other error");
    prove(err != TW_OK || count <= cap, "a success is within the room");
    prove(err != TW_ERR_SPACE || count > cap, "too little room is said when it is");
    prove(err != TW_ERR_FORMAT || count == 0, "one bad configuration spoils the list");
    if (err == TW_OK && count > 0) {
        size_t i = nondet_size();

        assume(i < count);
        must_be_whole(&configs[i]);
    }
}

static void any_short_list(void)
{
    size_t len = nondet_size();

    assume(len <= 12);
    decode(any_bytes(len), len);
}

static void any_list_of_two(void)
{
    enum { ONE = 3 + 32 + 2 + 4 };
    uint8_t in[2 * (2 + ONE)]; /* of any value but for what follows */

    in[0] = in[2 + ONE] = 0;
    in[1] = in[3 + ONE] = ONE;
    decode(in, sizeof(in));
}

int main(void)
{
    unsigned which = nondet_byte();

    if (which == 0) {
        any_one();
    } else if (which == 1) {
        any_short_list();
    } else {
        any_list_of_two();
    }
}
