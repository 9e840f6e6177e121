/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

struct tw_opener {
    tw_body body;
    enum { AT_LENGTH, IN_CHUNK, IN_FINAL, DONE } state;
    uint8_t length[TW_VARINT_MAX_LEN]; /* of the next chunk, as far as it has come */
    size_t length_len;
    size_t chunk_len; /* ciphertext bytes of the chunk at hand */
    tw_buf held;      /* of that chunk, what has come of it; grows as it comes */
    tw_err failed;    /* sticky */
};

/* Input on the way in and plaintext on the way out of one call. */
typedef struct passage {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
} passage;

static const uint8_t final_aad[] = {'f', 'i', 'n', 'a', 'l'};

tw_err tw_opener_make(tw_body *body, tw_opener **out)
{
    tw_opener *self = OPENSSL_zalloc(sizeof(*self));

    *out = NULL;
    if (self == NULL) {
        tw_body_clear(body);
        return TW_ERR_MEMORY;
    }
    self->body = *body;
    *body = (tw_body){0};
    /* Chunked draft section 6.3: every receiver takes chunks of this length. */
    if (self->body.max_chunk < TW_CHUNK_LEN) {
        self->body.max_chunk = TW_CHUNK_LEN;
    }
    *out = self;
    return TW_OK;
}

/* A stream that waits between two chunks holds no buffer of the common length: the next
 * stream to need one has it. What is longer stays, for it was the caller's wish. */
static void let_go(tw_opener *self)
{
    self->held.len = 0;
    if (self->held.data != NULL && self->held.cap <= TW_CHUNK_LEN + self->body.tag_len) {
        tw_buf_give(&self->held, &self->body.kit->buffers);
    }
}

static tw_err hold(tw_opener *self, const uint8_t *in, size_t len, size_t most)
{
    if (self->held.data == NULL) {
        tw_buf_take(&self->held, &self->body.kit->buffers);
    }
    return tw_buf_append(&self->held, in, len, most);
}

void tw_opener_free(tw_opener *opener)
{
    if (opener != NULL) {
        let_go(opener);
        tw_buf_free(&opener->held);
        tw_body_clear(&opener->body);
        OPENSSL_free(opener);
    }
}

tw_err tw_opener_over(const tw_opener *opener)
{
    return opener->failed == TW_OK && opener->state == DONE ? TW_ERR_STATE : opener->failed;
}

bool tw_opener_is_whole(const tw_opener *opener)
{
    return !opener->body.chunked;
}

size_t tw_opener_tag_len(const tw_opener *opener)
{
    return opener->body.tag_len;
}

bool tw_opener_is_between(const tw_opener *opener)
{
    return opener->body.chunked && opener->state == AT_LENGTH && opener->length_len == 0;
}

tw_body *tw_opener_body(tw_opener *opener)
{
    return &opener->body;
}

void tw_opener_fail(tw_opener *opener, tw_err err)
{
    opener->failed = err;
    opener->state = DONE;
    tw_buf_free(&opener->held);
}

size_t tw_opener_longest(const tw_opener *opener)
{
    return TW_VARINT_MAX_LEN + opener->body.max_chunk + opener->body.tag_len;
}

size_t tw_opener_scan(const tw_opener *opener, const uint8_t *in, size_t in_len, uint64_t *chunks,
                      bool *goes_on)
{
    const size_t tag_len = opener->body.tag_len;
    size_t at = 0;

    *chunks = 0;
    *goes_on = true;
    while (at < in_len && in_len - at >= tw_varint_size(in[at])) {
        size_t length_len = tw_varint_size(in[at]);
        uint64_t value = tw_varint_read(in + at);

        if (value <= tag_len || value > opener->body.max_chunk + tag_len) {
            *goes_on = false; /* the final chunk, or none at all */
            break;
        }
        if (in_len - at - length_len < value) {
            break;
        }
        at += length_len + (size_t)value;
        (*chunks)++;
    }
    return at;
}

/* Every chunk that opens is shorter by a tag than what was held and has come. */
static size_t bound_of(const tw_opener *self, size_t in_len)
{
    size_t most = tw_add(in_len, self->held.len);

    if (most == SIZE_MAX) {
        return SIZE_MAX;
    }
    return most > self->body.tag_len ? most - self->body.tag_len : 0;
}

size_t tw_opener_bound(const tw_opener *opener, size_t in_len)
{
    return opener == NULL ? 0 : bound_of(opener, in_len);
}

static tw_err open_one(tw_opener *self, const uint8_t *aad, size_t aad_len, const uint8_t *ct,
                       size_t ct_len, passage *flow)
{
    tw_hpke_ctx *ctx = self->body.ctx;
    tw_err err;

    if (ct_len < self->body.tag_len) {
        return TW_ERR_AUTH;
    }
    err = ctx->ops->open(ctx, aad, aad_len, ct, ct_len, flow->out);
    if (err == TW_OK && ct_len > self->body.tag_len) { /* where nothing comes out may be NULL */
        flow->out += ct_len - self->body.tag_len;
    }
    return err;
}

static tw_err open_chunk(tw_opener *self, const uint8_t *ct, size_t ct_len, bool final,
                         passage *flow)
{
    return open_one(self, final ? final_aad : NULL, final ? sizeof(final_aad) : 0, ct, ct_len,
                    flow);
}

/* What the length before a chunk says. */
static tw_err take_value(tw_opener *self, uint64_t value)
{
    const size_t tag_len = self->body.tag_len;

    if (value == 0) {
        self->state = IN_FINAL;
        return TW_OK;
    }
    if (value <= tag_len) { /* an ordinary chunk is never empty */
        return value == tag_len ? TW_ERR_AUTH : TW_ERR_FORMAT;
    }
    if (value > self->body.max_chunk + tag_len) {
        return TW_ERR_LIMIT;
    }
    self->chunk_len = (size_t)value;
    self->state = IN_CHUNK;
    return TW_OK;
}

static void skip(passage *flow, size_t len)
{
    flow->in += len;
    flow->in_len -= len;
}

static tw_err take_length(tw_opener *self, passage *flow)
{
    size_t have = self->length_len;
    size_t need = tw_varint_size(have > 0 ? self->length[0] : *flow->in) - have;
    const uint8_t *length = flow->in;

    if (have > 0 || flow->in_len < need) { /* it does not lie whole in the input */
        size_t take = flow->in_len < need ? flow->in_len : need;

        memcpy(self->length + have, flow->in, take);
        self->length_len += take;
        if (take < need) {
            skip(flow, take);
            return TW_OK;
        }
        length = self->length;
        self->length_len = 0;
    }
    skip(flow, need);
    return take_value(self, tw_varint_read(length));
}

/* Opens the chunk at hand out of the input where it lies there whole, else out of
 * what is held once that is complete. */
static tw_err take_chunk(tw_opener *self, passage *flow)
{
    size_t take = self->chunk_len - self->held.len;
    tw_err err;

    if (self->held.len == 0 && flow->in_len >= take) {
        err = open_chunk(self, flow->in, take, false, flow);
    } else {
        take = flow->in_len < take ? flow->in_len : take;
        err = hold(self, flow->in, take, self->chunk_len);
        if (err != TW_OK || self->held.len < self->chunk_len) {
            skip(flow, take);
            return err;
        }
        err = open_chunk(self, self->held.data, self->chunk_len, false, flow);
    }
    skip(flow, take);
    let_go(self);
    self->state = AT_LENGTH;
    return err;
}

/* Goes on to the end of input or to the final chunk. */
static tw_err take_ordinary(tw_opener *self, passage *flow)
{
    tw_err err = TW_OK;

    while (err == TW_OK && flow->in_len > 0 && self->state != IN_FINAL) {
        err = self->state == AT_LENGTH ? take_length(self, flow) : take_chunk(self, flow);
    }
    return err;
}

static tw_err hold_final(tw_opener *self, const passage *flow)
{
    return hold(self, flow->in, flow->in_len, self->body.max_chunk + self->body.tag_len);
}

static tw_err end_chunks(tw_opener *self, passage *flow)
{
    tw_err err = TW_OK;

    if (self->state != IN_FINAL) {
        return TW_ERR_TRUNCATED;
    }
    if (self->held.len == 0) {
        return flow->in_len > self->body.max_chunk + self->body.tag_len
                   ? TW_ERR_LIMIT
                   : open_chunk(self, flow->in, flow->in_len, true, flow);
    }
    err = hold_final(self, flow);
    if (err == TW_OK) {
        err = open_chunk(self, self->held.data, self->held.len, true, flow);
    }
    return err;
}

static tw_err open_flow(tw_opener *self, bool final, passage *flow)
{
    tw_err err;

    if (!self->body.chunked) {
        return open_one(self, NULL, 0, flow->in, flow->in_len, flow);
    }
    err = take_ordinary(self, flow);
    if (err != TW_OK) {
        return err;
    }
    if (final) {
        return end_chunks(self, flow);
    }
    return flow->in_len == 0 ? TW_OK : hold_final(self, flow);
}

static tw_err open_call(tw_opener *self, const uint8_t *in, size_t in_len, bool final, uint8_t *out,
                        size_t out_cap, size_t *out_len)
{
    passage flow = {in, in_len, out};
    size_t bound;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (self == NULL) {
        return TW_ERR_INVALID;
    }
    if (self->failed != TW_OK) {
        return self->failed;
    }
    if (self->state == DONE || (!self->body.chunked && !final)) {
        return TW_ERR_STATE;
    }
    bound = bound_of(self, in_len);
    err = tw_body_call(in, in_len, out, out_cap, bound, out_len);
    if (err != TW_OK) {
        return err;
    }
    err = open_flow(self, final, &flow);
    if (err != TW_OK) {
        err = tw_body_err(err);
        tw_wipe(out, bound);
        self->failed = err;
    } else {
        *out_len = bound == 0 ? 0 : (size_t)(flow.out - out);
    }
    if (final || err != TW_OK) {
        self->state = DONE;
        let_go(self);
        tw_buf_free(&self->held);
    }
    return err;
}

tw_err tw_opener_update(tw_opener *opener, const uint8_t *in, size_t in_len, uint8_t *out,
                        size_t out_cap, size_t *out_len)
{
    return open_call(opener, in, in_len, false, out, out_cap, out_len);
}

tw_err tw_opener_final(tw_opener *opener, const uint8_t *in, size_t in_len, uint8_t *out,
                       size_t out_cap, size_t *out_len)
{
    return open_call(opener, in, in_len, true, out, out_cap, out_len);
}
