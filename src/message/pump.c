/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

#define DEFAULT_MAX_WHOLE ((size_t)64 << 20)

/* Bytes of input taken at once, where chunks are shorter: what a reader has ready goes
 * through in one call, and nothing waits for more than a chunk. */
#define PUMP_LEN ((size_t)128 << 10)

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

/* Reads until there are `enough` bytes, taking what else the reader has ready; *ended at
 * its end. */
static tw_err fill(pump *self, size_t enough, bool *ended)
{
    while (self->in_len < enough && !*ended) {
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
    tw_err err = fill(self, self->in_cap, &ended);

    while (err == TW_OK && !ended) {
        err = grow_in(self, tw_add(most, 1)); /* one more shows what is too long */
        if (err == TW_OK) {
            err = fill(self, self->in_cap, &ended);
        }
    }
    return err == TW_OK && self->in_len > most ? TW_ERR_LIMIT : err;
}

/* Seals the whole chunks that have been read; what is left moves to the front. */
static tw_err seal_chunks(pump *self, tw_sealer *sealer, size_t chunk)
{
    size_t take = self->in_len - self->in_len % chunk;
    size_t len = 0;
    tw_err err = tw_sealer_update(sealer, self->in, take, self->out, self->out_cap, &len);

    self->in_len -= take;
    memmove(self->in, self->in + take, self->in_len);
    return err == TW_OK ? drain(self, len) : err;
}

static tw_err seal_last(pump *self, tw_sealer *sealer)
{
    size_t len = 0;
    tw_err err = ensure_out(self, tw_sealer_bound(sealer, self->in_len));

    if (err == TW_OK) {
        err = tw_sealer_final(sealer, self->in, self->in_len, self->out, self->out_cap, &len);
    }
    return err == TW_OK ? drain(self, len) : err;
}

tw_err tw_sealer_pump(tw_sealer *sealer, const tw_pipe *pipe)
{
    size_t chunk, cap;
    bool ended = false;
    pump self;
    tw_err err;

    if (sealer == NULL) {
        return TW_ERR_INVALID;
    }
    chunk = tw_sealer_chunk(sealer);
    cap = chunk == 0 ? TW_CHUNK_LEN : chunk < PUMP_LEN ? PUMP_LEN - PUMP_LEN % chunk : chunk;
    err = pump_init(&self, pipe, cap, tw_sealer_bound(sealer, cap));
    if (err == TW_OK && chunk == 0) {
        err = fill_whole(&self, self.pipe.max_whole);
        ended = true;
    }
    while (err == TW_OK && !ended) {
        err = fill(&self, chunk, &ended);
        if (err == TW_OK && !ended) {
            err = seal_chunks(&self, sealer, chunk);
        }
    }
    if (err == TW_OK) {
        err = seal_last(&self, sealer);
    }
    pump_clear(&self);
    return err;
}

/* Opens what has been read, and with `final` what is held. */
static tw_err open_read(pump *self, tw_opener *opener, bool final)
{
    size_t len = 0;
    tw_err err = ensure_out(self, tw_opener_bound(opener, self->in_len));

    if (err == TW_OK) {
        err = (final ? tw_opener_final : tw_opener_update)(opener, self->in, self->in_len,
                                                           self->out, self->out_cap, &len);
        self->in_len = 0;
    }
    return err == TW_OK ? drain(self, len) : err;
}

tw_err tw_opener_pump(tw_opener *opener, const tw_pipe *pipe)
{
    bool ended = false, whole;
    pump self;
    tw_err err;

    if (opener == NULL) {
        return TW_ERR_INVALID;
    }
    whole = tw_opener_is_whole(opener);
    err = pump_init(&self, pipe, whole ? TW_CHUNK_LEN : PUMP_LEN,
                    whole ? TW_CHUNK_LEN : PUMP_LEN + TW_CHUNK_LEN);
    if (err == TW_OK && whole) {
        err = fill_whole(&self, tw_add(self.pipe.max_whole, tw_opener_tag_len(opener)));
        ended = true;
    }
    while (err == TW_OK && !ended) {
        err = fill(&self, 1, &ended);
        if (err == TW_OK && !ended) {
            err = open_read(&self, opener, false);
        }
    }
    if (err == TW_OK) {
        err = open_read(&self, opener, true);
    }
    pump_clear(&self);
    return err;
}
