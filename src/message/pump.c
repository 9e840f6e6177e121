/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <openssl/crypto.h>

#define DEFAULT_MAX_WHOLE ((size_t)64 << 20)

/* Loops over the push functions. A buffer of plaintext is wiped before it goes. */

typedef struct pump {
    tw_pipe pipe;
    uint8_t *in, *out;
    size_t in_cap, in_len, out_cap;
} pump;

static tw_err pump_init(pump *self, const tw_pipe *pipe, size_t in_cap, size_t out_cap)
{
    *self = (pump){.in_cap = in_cap, .out_cap = out_cap};
    if (pipe == NULL || !TW_HAS(tw_pipe, pipe, arg) || pipe->read == NULL || pipe->write == NULL) {
        return TW_ERR_INVALID;
    }
    self->pipe.read = pipe->read;
    self->pipe.write = pipe->write;
    self->pipe.arg = pipe->arg;
    self->pipe.max_whole = TW_HAS(tw_pipe, pipe, max_whole) ? pipe->max_whole : 0;
    if (self->pipe.max_whole == 0) {
        self->pipe.max_whole = DEFAULT_MAX_WHOLE;
    }
    self->in = OPENSSL_malloc(in_cap);
    self->out = OPENSSL_malloc(out_cap);
    return self->in == NULL || self->out == NULL ? TW_ERR_MEMORY : TW_OK;
}

static void pump_clear(pump *self)
{
    OPENSSL_clear_free(self->in, self->in_cap);
    OPENSSL_clear_free(self->out, self->out_cap);
}

/* Fills the input as far as the reader goes; *ended at its end. */
static tw_err fill(pump *self, bool *ended)
{
    while (self->in_len < self->in_cap && !*ended) {
        size_t len = 0;
        size_t room = self->in_cap - self->in_len;

        if (self->pipe.read(self->pipe.arg, self->in + self->in_len, room, &len) != TW_OK ||
            len > room) {
            return TW_ERR_IO;
        }
        self->in_len += len;
        *ended = len == 0;
    }
    return TW_OK;
}

static tw_err drain(pump *self, size_t len)
{
    if (len == 0) {
        return TW_OK;
    }
    return self->pipe.write(self->pipe.arg, self->out, len) == TW_OK ? TW_OK : TW_ERR_IO;
}

/* The output grows to what one call may need. */
static tw_err ensure_out(pump *self, size_t need)
{
    uint8_t *larger;

    if (need <= self->out_cap) {
        return TW_OK;
    }
    larger = OPENSSL_clear_realloc(self->out, self->out_cap, need);
    if (larger == NULL) {
        return TW_ERR_MEMORY;
    }
    self->out = larger;
    self->out_cap = need;
    return TW_OK;
}

/* Doubles the input for a message that is taken as one piece. */
static tw_err grow_in(pump *self, size_t most)
{
    size_t cap = self->in_cap > most / 2 ? most : self->in_cap * 2;
    uint8_t *larger;

    if (self->in_len > most || cap <= self->in_cap) {
        return TW_ERR_LIMIT;
    }
    larger = OPENSSL_clear_realloc(self->in, self->in_cap, cap);
    if (larger == NULL) {
        return TW_ERR_MEMORY;
    }
    self->in = larger;
    self->in_cap = cap;
    return TW_OK;
}

/* Reads all of a whole message, up to `most` bytes. */
static tw_err fill_whole(pump *self, size_t most)
{
    bool ended = false;
    tw_err err = fill(self, &ended);

    while (err == TW_OK && !ended) {
        err = grow_in(self, tw_add(most, 1)); /* one more shows what is too long */
        if (err == TW_OK) {
            err = fill(self, &ended);
        }
    }
    return err == TW_OK && self->in_len > most ? TW_ERR_LIMIT : err;
}

tw_err tw_sealer_pump(tw_sealer *sealer, const tw_pipe *pipe)
{
    size_t piece, len = 0;
    bool ended = false, whole;
    pump self;
    tw_err err;

    if (sealer == NULL) {
        return TW_ERR_INVALID;
    }
    piece = tw_sealer_chunk(sealer);
    whole = piece == 0;
    piece = whole ? TW_CHUNK_LEN : piece;
    err = pump_init(&self, pipe, piece, tw_sealer_bound(sealer, piece));
    if (err == TW_OK && whole) {
        err = fill_whole(&self, self.pipe.max_whole);
        ended = true;
    }
    while (err == TW_OK && !ended) {
        err = fill(&self, &ended);
        if (err == TW_OK && !ended) {
            err = tw_sealer_update(sealer, self.in, self.in_len, self.out, self.out_cap, &len);
            self.in_len = 0;
            err = err == TW_OK ? drain(&self, len) : err;
        }
    }
    if (err == TW_OK) {
        err = ensure_out(&self, tw_sealer_bound(sealer, self.in_len));
    }
    if (err == TW_OK) {
        err = tw_sealer_final(sealer, self.in, self.in_len, self.out, self.out_cap, &len);
        err = err == TW_OK ? drain(&self, len) : err;
    }
    pump_clear(&self);
    return err;
}

tw_err tw_opener_pump(tw_opener *opener, const tw_pipe *pipe)
{
    size_t len = 0;
    bool ended = false, whole;
    pump self;
    tw_err err;

    if (opener == NULL) {
        return TW_ERR_INVALID;
    }
    whole = tw_opener_is_whole(opener);
    err = pump_init(&self, pipe, TW_CHUNK_LEN, TW_CHUNK_LEN);
    if (err == TW_OK && whole) {
        err = fill_whole(&self, tw_add(self.pipe.max_whole, tw_opener_tag_len(opener)));
        ended = true;
    }
    while (err == TW_OK && !ended) {
        err = fill(&self, &ended);
        if (err == TW_OK && !ended) {
            err = ensure_out(&self, tw_opener_bound(opener, self.in_len));
        }
        if (err == TW_OK && !ended) {
            err = tw_opener_update(opener, self.in, self.in_len, self.out, self.out_cap, &len);
            self.in_len = 0;
            err = err == TW_OK ? drain(&self, len) : err;
        }
    }
    if (err == TW_OK) {
        err = ensure_out(&self, tw_opener_bound(opener, self.in_len));
    }
    if (err == TW_OK) {
        err = tw_opener_final(opener, self.in, self.in_len, self.out, self.out_cap, &len);
        err = err == TW_OK ? drain(&self, len) : err;
    }
    pump_clear(&self);
    return err;
}
