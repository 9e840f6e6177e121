/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

#define DEFAULT_MAX_WHOLE ((size_t)64 << 20)

/* Bytes of input taken at once, where chunks are shorter: what a reader has ready goes
 * through in one call, and nothing waits for more than a chunk. What leaves is not much more. */
#define PUMP_LEN ((size_t)128 << 10)

#define MAX_JOBS 256

/* Loops over the push functions. Every buffer is wiped before it goes. */

typedef struct pump {
    tw_pipe pipe;
    tw_hand hand;  /* the body */
    tw_team *team; /* NULL: none */
    tw_lot own;    /* the one lot without a team */
    size_t in_cap; /* of a new lot */
    bool alone;    /* the calling thread works with the body itself, lot by lot */
    bool by_chunk; /* an opener's lots end where chunks do, with any number of threads */
    bool short_read;
} pump;

static tw_err pump_init(pump *self, const tw_pipe *pipe, tw_hand hand, size_t in_cap)
{
    tw_err err;

    *self = (pump){.hand = hand, .in_cap = in_cap, .alone = true};
    if (pipe == NULL || !TW_HAS(tw_pipe, pipe, arg) || pipe->read == NULL || pipe->write == NULL) {
        return TW_ERR_INVALID;
    }
    self->pipe.read = pipe->read;
    self->pipe.write = pipe->write;
    self->pipe.arg = pipe->arg;
    self->pipe.max_whole = TW_HAS(tw_pipe, pipe, max_whole) ? pipe->max_whole : 0;
    self->pipe.jobs = TW_HAS(tw_pipe, pipe, jobs) ? pipe->jobs : 0;
    self->pipe.would_wait = TW_HAS(tw_pipe, pipe, would_wait) ? pipe->would_wait : NULL;
    if (self->pipe.max_whole == 0) {
        self->pipe.max_whole = DEFAULT_MAX_WHOLE;
    }
    if (self->pipe.jobs > MAX_JOBS) {
        self->pipe.jobs = MAX_JOBS;
    }
    err = tw_hand_over(&self->hand); /* what would be read for it is somebody else's */
    if (err == TW_OK && self->pipe.jobs > 1 && tw_hand_shares(&self->hand)) {
        self->alone = false;
        err = tw_team_new(&self->hand, self->pipe.jobs, &self->team);
    }
    return err;
}

/* Lots that were under way when something failed are lost, and with them the body's place. */
static tw_err pump_end(pump *self, tw_err err)
{
    if (err != TW_OK && self->team != NULL) {
        tw_hand_fail(&self->hand, err);
    }
    tw_team_free(self->team);
    tw_lot_clear(&self->own);
    return err;
}

/* Both keep what the buffer holds. */
static tw_err grow(uint8_t **buf, size_t *cap, size_t need)
{
    uint8_t *larger;

    if (need <= *cap) {
        return TW_OK;
    }
    larger = OPENSSL_clear_realloc(*buf, *cap, need);
    if (larger == NULL) {
        return TW_ERR_MEMORY;
    }
    *buf = larger;
    *cap = need;
    return TW_OK;
}

static tw_err double_in(tw_lot *lot, size_t most)
{
    size_t room = lot->in_room > most / 2 ? most : lot->in_room * 2;

    if (room <= lot->in_room) {
        return TW_ERR_LIMIT;
    }
    lot->in_room = room;
    return grow(&lot->in, &lot->in_cap, room);
}

static tw_err write_out(pump *self, const tw_lot *lot)
{
    if (lot->out_len == 0) {
        return TW_OK;
    }
    return self->pipe.write(self->pipe.arg, lot->out, lot->out_len) == TW_OK ? TW_OK : TW_ERR_IO;
}

/* --- Lots on their way. -------------------------------------------------------------------- */

static tw_err write_oldest(pump *self, bool *none)
{
    tw_lot *lot = tw_team_take_back(self->team);

    *none = lot == NULL;
    if (lot == NULL) {
        return TW_OK;
    }
    return lot->err == TW_OK ? write_out(self, lot) : lot->err;
}

/* Until no lot is under way. */
static tw_err drain(pump *self)
{
    bool none = self->team == NULL;
    tw_err err = TW_OK;

    while (err == TW_OK && !none) {
        err = write_oldest(self, &none);
    }
    return err;
}

/* A lot to be filled, which begins with `rest`. How much it may hold does not depend on what it
 * held before: what comes together, and leaves or fails together, is the same with each number
 * of threads. */
static tw_err next_lot(pump *self, const uint8_t *rest, size_t rest_len, tw_lot **out)
{
    tw_lot *lot = &self->own;
    size_t need = rest_len < self->in_cap ? self->in_cap : tw_add(rest_len, 1);
    bool none;
    tw_err err = TW_OK;

    while (err == TW_OK && self->team != NULL && (lot = tw_team_spare(self->team)) == NULL) {
        err = write_oldest(self, &none);
    }
    if (err == TW_OK) {
        err = grow(&lot->in, &lot->in_cap, need);
    }
    if (err == TW_OK) {
        if (rest_len > 0) {
            memmove(lot->in, rest, rest_len);
        }
        lot->in_len = rest_len;
        lot->in_room = need;
        *out = lot;
    }
    return err;
}

/* Passes on the first `take` bytes of a lot, `chunks` chunks, and goes on with the rest in
 * the next one. Where the next read may wait and no other lot is under way, as with a short
 * message, there is nothing to do for a second thread. */
static tw_err pass_on(pump *self, tw_lot **lot, size_t take, uint64_t chunks)
{
    tw_lot *full = *lot;
    bool here = self->alone || (self->short_read && tw_team_rests(self->team));
    tw_err err = grow(&full->out, &full->out_cap, tw_hand_bound(&self->hand, take));

    full->take = take;
    full->chunks = here ? 0 : chunks;
    if (err == TW_OK && here) {
        err = tw_hand_update(&self->hand, full);
        if (err == TW_OK) {
            err = write_out(self, full);
        }
    } else if (err == TW_OK) {
        err = tw_hand_reserve(&self->hand, full);
        if (err == TW_OK) {
            tw_team_hand_over(self->team);
        }
    }
    return err == TW_OK ? next_lot(self, full->in + take, full->in_len - take, lot) : err;
}

/* Whether what is under way must be written first. */
static bool may_wait(const pump *self)
{
    return self->short_read ||
           (self->pipe.would_wait != NULL && self->team != NULL && !tw_team_rests(self->team) &&
            self->pipe.would_wait(self->pipe.arg));
}

/* Reads until there are `enough` bytes, taking what else the reader has ready; *ended at its
 * end. While it may have to wait nothing is held back. */
static tw_err fill(pump *self, tw_lot *lot, size_t enough, bool *ended)
{
    while (lot->in_len < enough && !*ended) {
        size_t len = 0;
        size_t room = lot->in_room - lot->in_len;
        tw_err err = may_wait(self) ? drain(self) : TW_OK;

        if (err != TW_OK) {
            return err;
        }
        if (self->pipe.read(self->pipe.arg, lot->in + lot->in_len, room, &len) != TW_OK ||
            len > room) {
            err = drain(self);
            return err == TW_OK ? TW_ERR_IO : err;
        }
        lot->in_len += len;
        self->short_read = len < room;
        *ended = len == 0;
    }
    return TW_OK;
}

/* Reads all of a whole message, up to `most` bytes. */
static tw_err fill_whole(pump *self, tw_lot *lot, size_t most)
{
    bool ended = false;
    tw_err err = fill(self, lot, lot->in_room, &ended);

    while (err == TW_OK && !ended) {
        err = lot->in_len > most ? TW_ERR_LIMIT
                                 : double_in(lot, tw_add(most, 1)); /* one more shows it */
        if (err == TW_OK) {
            err = fill(self, lot, lot->in_room, &ended);
        }
    }
    return err == TW_OK && lot->in_len > most ? TW_ERR_LIMIT : err;
}

/* The end of the message is for the body itself, when all before it is through. */
static tw_err finish(pump *self, tw_lot *lot)
{
    tw_err err = drain(self);

    if (err == TW_OK) {
        err = grow(&lot->out, &lot->out_cap, tw_hand_bound(&self->hand, lot->in_len));
    }
    if (err == TW_OK) {
        err = tw_hand_final(&self->hand, lot);
    }
    return err == TW_OK ? write_out(self, lot) : err;
}

static tw_err pump_whole(pump *self, size_t most)
{
    tw_lot *lot;
    tw_err err = next_lot(self, NULL, 0, &lot);

    if (err == TW_OK) {
        err = fill_whole(self, lot, most);
    }
    return err == TW_OK ? finish(self, lot) : err;
}

static tw_err seal_chunks(pump *self, size_t chunk)
{
    bool ended = false;
    tw_lot *lot;
    tw_err err = next_lot(self, NULL, 0, &lot);

    while (err == TW_OK && !ended) {
        err = fill(self, lot, chunk, &ended);
        if (err == TW_OK && !ended) {
            size_t take = lot->in_len - lot->in_len % chunk;

            err = pass_on(self, &lot, take, take / chunk);
        }
    }
    return err == TW_OK ? finish(self, lot) : err;
}

/* Of a sealer: whole chunks, at least one. */
static size_t lot_len(const tw_sealer *sealer, size_t chunk)
{
    size_t fit = PUMP_LEN / chunk;                                      /* as they come */
    size_t leave = PUMP_LEN / (chunk + tw_sealer_bound(sealer, 0)) + 1; /* sealed */

    return chunk * (fit == 0 ? 1 : fit < leave ? fit : leave);
}

tw_err tw_sealer_pump(tw_sealer *sealer, const tw_pipe *pipe)
{
    size_t chunk, cap;
    pump self;
    tw_err err;

    if (sealer == NULL) {
        return TW_ERR_INVALID;
    }
    chunk = tw_sealer_chunk(sealer);
    cap = chunk == 0 ? TW_CHUNK_LEN : lot_len(sealer, chunk);
    err = pump_init(&self, pipe, (tw_hand){.sealer = sealer}, cap);
    if (err == TW_OK) {
        err = chunk == 0 ? pump_whole(&self, self.pipe.max_whole) : seal_chunks(&self, chunk);
    }
    return pump_end(&self, err);
}

/* Passes on the chunks that lie whole in a lot, for threads to open where there are any. What is
 * none of these is for the opener itself: the beginning of the final chunk, or nonsense. */
static tw_err pass_on_chunks(pump *self, const tw_opener *opener, tw_lot **lot)
{
    uint64_t chunks;
    bool goes_on;
    size_t take = tw_opener_scan(opener, (*lot)->in, (*lot)->in_len, &chunks, &goes_on);
    tw_err err = TW_OK;

    if (take > 0) {
        err = pass_on(self, lot, take, chunks);
    }
    if (err == TW_OK && !goes_on) {
        err = drain(self);
        self->alone = true;
        self->by_chunk = false;
        if (err == TW_OK) {
            err = pass_on(self, lot, (*lot)->in_len, 0);
        }
    }
    return err;
}

static tw_err open_chunks(pump *self, const tw_opener *opener)
{
    size_t longest = tw_opener_longest(opener);
    bool ended = false;
    tw_lot *lot;
    tw_err err = next_lot(self, NULL, 0, &lot);

    while (err == TW_OK && !ended) {
        if (lot->in_len == lot->in_room) { /* with a part of one chunk */
            err = double_in(lot, longest);
        }
        if (err == TW_OK) {
            err = fill(self, lot, lot->in_len + 1, &ended);
        }
        if (err == TW_OK && !ended) {
            err = self->by_chunk ? pass_on_chunks(self, opener, &lot)
                                 : pass_on(self, &lot, lot->in_len, 0);
        }
    }
    return err == TW_OK ? finish(self, lot) : err;
}

tw_err tw_opener_pump(tw_opener *opener, const tw_pipe *pipe)
{
    bool whole;
    pump self;
    tw_err err;

    if (opener == NULL) {
        return TW_ERR_INVALID;
    }
    whole = tw_opener_is_whole(opener);
    err = pump_init(&self, pipe, (tw_hand){.opener = opener}, whole ? TW_CHUNK_LEN : PUMP_LEN);
    self.by_chunk = tw_opener_is_between(opener);
    if (err == TW_OK) {
        err = whole ? pump_whole(&self, tw_add(self.pipe.max_whole, tw_opener_tag_len(opener)))
                    : open_chunks(&self, opener);
    }
    return pump_end(&self, err);
}
