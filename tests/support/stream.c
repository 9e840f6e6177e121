/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define CANARY 0xa5

stream stream_seal(tw_sealer *sealer)
{
    must(sealer != NULL);
    return (stream){.sealer = sealer};
}

stream stream_open(tw_opener *opener)
{
    must(opener != NULL);
    return (stream){.opener = opener};
}

size_t stream_bound(const stream *s, size_t in_len)
{
    return s->sealer != NULL ? tw_sealer_bound(s->sealer, in_len)
                             : tw_opener_bound(s->opener, in_len);
}

static tw_err call(stream *s, bool final, bytes in, uint8_t *out, size_t cap, size_t *len)
{
    if (s->sealer != NULL) {
        return final ? tw_sealer_final(s->sealer, in.data, in.len, out, cap, len)
                     : tw_sealer_update(s->sealer, in.data, in.len, out, cap, len);
    }
    return final ? tw_opener_final(s->opener, in.data, in.len, out, cap, len)
                 : tw_opener_update(s->opener, in.data, in.len, out, cap, len);
}

static void keep(stream *s, const uint8_t *data, size_t len)
{
    if (len > s->out_cap - s->out_len) {
        s->out_cap = 2 * s->out_cap + len;
        s->out = realloc(s->out, s->out_cap);
        must(s->out != NULL);
    }
    if (len > 0) {
        memcpy(s->out + s->out_len, data, len);
        s->out_len += len;
    }
}

/* Contract 5: an error wipes what the call wrote, so only canaries and zeros stay. */
static void must_be_wiped(const uint8_t *out, size_t len)
{
    bool wiped = true;

    for (size_t i = 0; i < len; i++) {
        wiped = wiped && (out[i] == CANARY || out[i] == 0);
    }
    must(wiped);
}

/* The fuzz targets come by here with every piece: memcmp is much faster than a loop. */
static bool is_untouched(const uint8_t *out, size_t len)
{
    return len == 0 || (out[0] == CANARY && memcmp(out, out + 1, len - 1) == 0);
}

/* Contract 1: below the bound nothing changes, and the bound is what it reports. */
static tw_err refuse_small(stream *s, bool final, bytes in, uint8_t *out, size_t bound)
{
    size_t len = SIZE_MAX;
    tw_err err = call(s, final, in, out, bound - 1, &len);

    if (err == TW_ERR_SPACE) {
        must_size(bound, len);
        must_size(bound, stream_bound(s, in.len));
    } else {
        must(err != TW_OK);
        must_size(0, len);
    }
    must(is_untouched(out, bound - 1));
    return err;
}

static tw_err push(stream *s, bool final, bytes in)
{
    size_t bound = stream_bound(s, in.len);
    size_t len = SIZE_MAX;
    uint8_t *out = malloc(bound > 0 ? bound : 1);
    tw_err err = TW_ERR_SPACE;

    must(out != NULL);
    memset(out, CANARY, bound);
    if (bound > 0) {
        err = refuse_small(s, final, in, out, bound);
    }
    if (err == TW_ERR_SPACE) {
        err = call(s, final, in, out, bound, &len);
        if (err == TW_OK) {
            must(len <= bound);
            keep(s, out, len);
        } else {
            must_size(0, len);
            must_be_wiped(out, bound);
        }
    }
    free(out);
    return err;
}

tw_err stream_update(stream *s, bytes in)
{
    return push(s, false, in);
}

tw_err stream_final(stream *s, bytes in)
{
    return push(s, true, in);
}

bytes stream_out(const stream *s)
{
    return (bytes){s->out, s->out_len};
}

void stream_end(stream *s)
{
    tw_sealer_free(s->sealer);
    tw_opener_free(s->opener);
    free(s->out);
    *s = (stream){0};
}

static tw_err in_steps(stream *s, bytes in, size_t step)
{
    tw_err err = TW_OK;

    if (step == 0) {
        return stream_final(s, in);
    }
    while (err == TW_OK && in.len > 0) {
        size_t take = in.len < step ? in.len : step;

        err = stream_update(s, bytes_part(in, 0, take));
        in = bytes_from(in, take);
    }
    return err == TW_OK ? stream_final(s, bytes_none) : err;
}

bytes seal_in_steps(tw_sealer *sealer, bytes plain, size_t step)
{
    stream s = stream_seal(sealer);
    bytes body;

    must_ok(in_steps(&s, plain, step));
    body = bytes_of(s.out, s.out_len);
    stream_end(&s);
    return body;
}

tw_err open_in_steps(tw_opener *opener, bytes body, size_t step, bytes *plain)
{
    stream s = stream_open(opener);
    tw_err err = in_steps(&s, body, step);

    *plain = bytes_of(s.out, s.out_len);
    stream_end(&s);
    return err;
}
