/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * The sealer's framing: one call of any kind with 0 to 6 bytes of plaintext, chunks of 1 to 4
 * bytes, tags of 1 and 2. Chunked, a call depends on no call before it but for the numbers
 * of the AEAD's, which is any. What comes out is exactly a row of chunks, with a final one
 * where final was called, and never more than the bound; for the bound alone, every length.
 *
 * sources: src/message/body.c src/base/bytes.c src/base/varint.c src/hpke/backend.c
 * unwind: 12
 * unwindset: set_bytes$link1.0:101
 * break: src/message/sealer.c: s/tw_add(in_len \/ body->max_chunk, 1)/in_len \/ body->max_chunk/
 * break: src/message/sealer.c: s/final ? 0 : len + body->tag_len/len + body->tag_len/
 * break: src/message/sealer.c: s/in_len > (final ? most : 0)/in_len > 0/
 * break: src/message/sealer.c: s/tw_wipe(out, bound);/;/
 * break: src/message/sealer.c: s/final ? final_aad : NULL, final ? sizeof(final_aad) : 0/NULL, 0/
 * break: src/message/sealer.c: s/self->state == DONE ||/false ||/
 * break: src/message/sealer.c: s/(size_t)(at - out);/(size_t)(at - out) - (!final \&\& at > out);/
 */
/* clang-format on */
#include "message/sealer.c"

#include <stdlib.h>
#include <string.h>

#include "proof.h"

enum { MOST_IN = 6, MOST_CHUNK = 4, MOST_TAG = 2 };

static struct {
    size_t tag_len, sealed, finals;
    bool chunked, refused;
} seen;

static tw_err any_seal(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    bool final = aad_len == sizeof(final_aad) && memcmp(aad, final_aad, aad_len) == 0;
    int code = nondet_int();

    prove(in_len == 0 || __CPROVER_r_ok(in, in_len), "the plaintext is there to be read");
    prove(seen.chunked ? final || aad_len == 0 : aad_len == 0, "aad is empty or says final");
    prove(final || in_len > 0 || !seen.chunked, "an ordinary chunk is never empty");
    prove(seen.finals == 0 && !seen.refused, "nothing follows a final chunk or a failure");
    memset(out, nondet_byte(), in_len + seen.tag_len);
    if (code != TW_OK) {
        seen.refused = true;
        return (tw_err)code;
    }
    seen.finals += final || !seen.chunked;
    seen.sealed += in_len;
    return TW_OK;
}

/* Whether `out` is a row of chunks that hold what was sealed. */
static bool is_framed(const uint8_t *out, size_t len, const tw_sealer *s)
{
    size_t at = 0, plain = 0;

    while (at < len) {
        size_t size = tw_varint_size(out[at]);
        uint64_t chunk;

        if (size > len - at) {
            return false;
        }
        chunk = tw_varint_read(out + at);
        at += size;
        if (chunk == 0) { /* the final one, to the end */
            return len - at >= s->body.tag_len && seen.finals == 1 &&
                   plain + (len - at - s->body.tag_len) == seen.sealed;
        }
        if (chunk <= s->body.tag_len || chunk > s->body.max_chunk + s->body.tag_len ||
            chunk > len - at) {
            return false;
        }
        at += chunk;
        plain += chunk - s->body.tag_len;
    }
    return seen.finals == 0 && plain == seen.sealed;
}

static const tw_hpke_ops any_ops = {.size = sizeof(tw_hpke_ops), .seal = any_seal};

static void any_call(bool final)
{
    tw_hpke_ctx ctx = {&any_ops};
    tw_sealer s = {.body = {.ctx = &ctx,
                            .chunked = nondet_bool(),
                            .tag_len = nondet_size(),
                            .max_chunk = nondet_size()}};
    size_t in_len = nondet_size(), len, bound;
    uint8_t *in, *out;
    tw_err err;

    s.state = nondet_bool() ? FRESH : DONE;
    assume(s.body.tag_len >= 1 && s.body.tag_len <= MOST_TAG);
    assume(s.body.max_chunk >= 1 && s.body.max_chunk <= MOST_CHUNK && in_len <= MOST_IN);
    seen.tag_len = s.body.tag_len;
    seen.chunked = s.body.chunked;
    in = any_bytes(in_len);
    bound = tw_sealer_bound(&s, in_len);
    prove(!s.body.chunked || bound <= in_len + 20 * (in_len / s.body.max_chunk + 1),
          "the bound is within what twoway.h says");
    out = any_bytes(bound);
    bool was_done = s.state == DONE;
    err = final ? tw_sealer_final(&s, in, in_len, out, bound, &len)
                : tw_sealer_update(&s, in, in_len, out, bound, &len);

    prove(!was_done || err == TW_ERR_STATE, "nothing is sealed after the end");
    if (err == TW_OK) {
        prove(len <= bound, "bound() is never exceeded");
        prove(seen.sealed == in_len, "all of it was sealed");
        prove(!s.body.chunked || is_framed(out, len, &s), "it is a row of chunks");
        prove(!final || seen.finals == 1, "final makes a final chunk");
        prove(final || seen.finals == 0, "update makes none");
    } else if (err != TW_ERR_STATE) {
        size_t i = nondet_size();

        prove(len == 0 && s.failed == err, "an error is for good");
        if (i < bound) {
            prove(out[i] == 0, "and leaves no byte behind");
        }
    }
}

static void any_bound(void)
{
    static const size_t chunks[] = {1, 63, 64, 16383, 16384, (size_t)1 << 24};
    size_t which = nondet_size(), in_len = nondet_size(), bound;
    tw_sealer s = {.body = {.chunked = nondet_bool(), .tag_len = 16}};

    assume(which < sizeof(chunks) / sizeof(chunks[0]));
    s.body.max_chunk = chunks[which];
    bound = tw_sealer_bound(&s, in_len);
    prove(bound == SIZE_MAX || bound >= in_len + 16, "a bound does not wrap");
}

int main(void)
{
    if (nondet_bool()) {
        any_call(nondet_bool());
    } else {
        any_bound();
    }
}
