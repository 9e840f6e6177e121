/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * The opener: any number of calls of any mix, each with 0 to 4 bytes. The AEAD is any: it
 * refuses or accepts as it likes, and writes what it likes.
 *
 * One call is proven from every state that the invariant below allows, and leaves another such
 * state; a new opener is in one. So by induction what is proven of one call holds for all
 * that follow each other. Bounds: 4 bytes a call, a largest chunk of 1 or 2 bytes, tags of 1 or 2
 * bytes, at most 3 bytes held before the call, in a buffer of its own and not one that lay idle.
 *
 * sources: src/message/body.c src/base/bytes.c src/base/varint.c src/hpke/backend.c
 * unwind: 9
 * unwindset: take_ordinary.0:5
 * break: src/message/opener.c: s/flow->out += ct_len - self->body.tag_len;/flow->out += ct_len;/
 * break: src/message/opener.c: s/if (self->state != IN_FINAL) {/if (false) {/
 * break: src/message/opener.c: s/tw_wipe(out, bound);/;/
 * break: src/message/opener.c: s/if (value > self->body.max_chunk + tag_len) {/if (false) {/
 * break: src/message/opener.c: s/if (ct_len < self->body.tag_len) {/if (false) {/
 * break: src/message/opener.c: s/final ? final_aad : NULL, final ? sizeof(final_aad) : 0, ct/NULL, 0, ct/
 * break: src/message/opener.c: s/most = tw_add(in_len, self->held.len);/most = in_len;/
 * break: src/message/opener.c: s/if (self->held.len == 0 && flow->in_len >= take) {/if (flow->in_len >= take) {/
 * break: src/message/opener.c: s/flow->in_len > self->body.max_chunk + self->body.tag_len$/false/
 * break: src/message/opener.c: s/if (value <= tag_len) {/if (value < tag_len) {/
 * break: src/message/opener.c: s/if (self->failed != TW_OK) {/if (false) {/
 */
/* clang-format on */
#include "message/opener.c"

#include <stdlib.h>
#include <string.h>

#include "proof.h"

enum { MOST_IN = 4, MOST_CHUNK = 2, MOST_TAG = 2, MOST_HELD = 3 };

/* What the AEAD saw in this call. */
static struct {
    const tw_opener *by;
    uint8_t *next; /* where the next plaintext has to go */
    size_t tag_len, max_chunk, released;
    bool chunked, refused;
    unsigned finals, after_final;
} seen;

static tw_err any_open(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                       size_t in_len, uint8_t *out)
{
    bool final = aad_len == sizeof(final_aad) && memcmp(aad, final_aad, aad_len) == 0;
    int code = nondet_int();

    prove(in_len >= seen.tag_len, "nothing shorter than a tag is opened");
    prove(!seen.chunked || in_len <= seen.max_chunk + seen.tag_len, "no chunk above the limit");
    prove(seen.chunked ? final || aad_len == 0 : aad_len == 0, "aad is empty or says final");
    prove(final || !seen.chunked || in_len > seen.tag_len, "an ordinary chunk is never empty");
    prove(!seen.chunked || seen.by->state == (final ? IN_FINAL : IN_CHUNK), "behind its length");
    prove(out == seen.next || in_len == seen.tag_len, "plaintext joins plaintext");
    prove(in_len == 0 || __CPROVER_r_ok(in, in_len), "the ciphertext is there to be read");
    prove(!seen.refused, "after a refusal nothing more is opened");
    seen.after_final += seen.finals > 0;
    if (in_len > seen.tag_len) { /* scratch, also where the tag is then bad */
        uint8_t *any = any_bytes(in_len - seen.tag_len);

        memcpy(out, any, in_len - seen.tag_len);
    }
    if (code != TW_OK) {
        seen.refused = true;
        return (tw_err)code;
    }
    seen.finals += final || !seen.chunked;
    seen.released += in_len - seen.tag_len;
    seen.next += in_len - seen.tag_len;
    return TW_OK;
}

/* What holds of every opener between two calls. */
static bool is_sound(const tw_opener *o)
{
    const size_t most = o->body.max_chunk + o->body.tag_len;
    bool held = o->held.len <= o->held.cap && o->held.cap <= most &&
                (o->held.data != NULL || o->held.cap == 0);

    switch (o->state) {
    case AT_LENGTH:
        return held && o->failed == TW_OK && o->held.len == 0 &&
               (o->length_len == 0 || (o->body.chunked && o->length_len < TW_VARINT_MAX_LEN &&
                                       o->length_len < tw_varint_size(o->length[0])));
    case IN_CHUNK:
        return held && o->failed == TW_OK && o->body.chunked && o->length_len == 0 &&
               o->chunk_len > o->body.tag_len && o->chunk_len <= most &&
               o->held.len < o->chunk_len;
    case IN_FINAL:
        return held && o->failed == TW_OK && o->body.chunked && o->length_len == 0 &&
               o->held.len <= most;
    case DONE:
        return o->held.data == NULL && o->held.len == 0 && o->held.cap == 0;
    }
    return false;
}

static const tw_hpke_ops any_ops = {.size = sizeof(tw_hpke_ops), .open = any_open};

static void a_new_opener_is_sound(void)
{
    tw_hpke_ctx ctx = {&any_ops};
    tw_body body = {.ctx = &ctx,
                    .chunked = nondet_bool(),
                    .tag_len = nondet_size(),
                    .max_chunk = nondet_size()};
    tw_opener *opener;

    assume(body.max_chunk <= TW_MAX_CHUNK && body.tag_len <= 64);
    if (tw_opener_make(&body, &opener) == TW_OK) {
        prove(is_sound(opener), "a new opener is sound");
        prove(opener->body.max_chunk >= TW_CHUNK_LEN, "it takes what every receiver takes");
    } else {
        prove(opener == NULL, "none without memory");
    }
}

static void any_call(tw_opener *o, bool final)
{
    const tw_opener before = *o;
    size_t in_len = nondet_size(), bound, cap = nondet_size(), len = nondet_size();
    uint8_t *in, *out;
    tw_err err;

    assume(in_len <= MOST_IN);
    in = any_bytes(in_len);
    bound = tw_opener_bound(o, in_len);
    prove(bound <= in_len + o->body.max_chunk, "the bound is within what twoway.h says");
    assume(cap <= bound); /* exactly the bound, so that one byte more is seen, or less */
    out = any_bytes(cap);
    seen.next = out;
    err = final ? tw_opener_final(o, in, in_len, out, cap, &len)
                : tw_opener_update(o, in, in_len, out, cap, &len);

    prove(is_sound(o), "an opener stays sound");
    if (err == TW_ERR_SPACE || err == TW_ERR_STATE) {
        prove(len == (err == TW_ERR_SPACE ? bound : 0), "it says how much room it needs");
        prove(err != TW_ERR_SPACE || cap < bound, "there was too little");
        prove(o->state == before.state && o->held.len == before.held.len &&
                  o->held.data == before.held.data && o->length_len == before.length_len &&
                  o->chunk_len == before.chunk_len && o->failed == before.failed,
              "such an error changes nothing");
        prove(seen.released == 0 && !seen.refused, "and opens nothing");
    } else if (err != TW_OK) {
        size_t i = nondet_size();

        prove(len == 0, "an error releases nothing");
        prove(o->state == DONE && o->failed == err, "it is for good");
        prove(err != TW_ERR_INVALID, "and is no fault of the call");
        if (before.failed == TW_OK && i < bound) {
            prove(out[i] == 0, "and leaves no byte behind");
        }
    } else {
        prove(cap == bound, "there was room");
        prove(len <= bound, "bound() is never exceeded");
        prove(len == seen.released, "what is released are the bytes whose tags were good");
        prove(!seen.refused, "no success after a refusal");
        prove(seen.after_final == 0, "nothing follows the final chunk");
        prove(seen.finals == (final ? 1 : 0), "success of final is a final chunk's; no other's is");
        prove(o->state == DONE || !final, "then it is over");
    }
    prove(before.failed == TW_OK || err == before.failed, "a failure is for good");
}

static void any_call_of_any_opener(void)
{
    tw_hpke_ctx ctx = {&any_ops};
    tw_opener o;

    o.body = (tw_body){.ctx = &ctx,
                       .chunked = nondet_bool(),
                       .tag_len = nondet_size(),
                       .max_chunk = nondet_size()};
    assume(o.body.tag_len >= 1 && o.body.tag_len <= MOST_TAG);
    assume(o.body.max_chunk >= 1 && o.body.max_chunk <= MOST_CHUNK);
    assume(o.held.cap <= MOST_HELD);
    o.held.data = o.held.cap == 0 ? NULL : malloc(MOST_HELD);
    assume(is_sound(&o));
    assume(o.failed == TW_OK || (o.failed <= TW_ERR_MEMORY && o.failed >= TW_ERR_LIMIT));
    seen.by = &o;
    seen.tag_len = o.body.tag_len;
    seen.max_chunk = o.body.max_chunk;
    seen.chunked = o.body.chunked;
    any_call(&o, nondet_bool());
}

int main(void)
{
    if (nondet_bool()) {
        a_new_opener_is_sound();
    } else {
        any_call_of_any_opener();
    }
}
