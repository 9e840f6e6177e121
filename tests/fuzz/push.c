/* SPDX-License-Identifier: Apache-2.0 */
#include "push.h"

#include <string.h>

#include "support/check.h"

#define MAX_PIECES 200 /* then all at once: pieces of nothing would never end */

/* A length below 250 is itself, the others multiples of 4096. */
static size_t length_of(uint8_t byte)
{
    return byte < 250 ? byte : (byte - 249u) * 4096u;
}

size_t pieces_next(const pieces *p, size_t *at, size_t left)
{
    size_t len = left;

    if (p->lengths.len > 0 && *at < MAX_PIECES) {
        len = length_of(p->lengths.data[*at % p->lengths.len]);
        *at += 1;
    }
    return len < left ? len : left;
}

tw_err push_body(stream *s, bool chunked, bytes body, const pieces *p)
{
    size_t at = 0;
    tw_err err = TW_OK;

    if (!chunked) {
        must_err(TW_ERR_STATE, stream_update(s, body));
        return stream_final(s, bytes_of(body.data, body.len));
    }
    while (err == TW_OK && body.len > 0) {
        size_t len = pieces_next(p, &at, body.len);

        if (len == body.len && !p->final_empty) {
            break;
        }
        err = stream_update(s, bytes_of(body.data, len)); /* alone, so that reading on shows */
        body = bytes_from(body, len);
    }
    return err == TW_OK ? stream_final(s, bytes_of(body.data, body.len)) : err;
}

/* --- The same by a pump. ---------------------------------------------------------------- */

typedef struct flow {
    bytes left, out;
    const pieces *cut;
    size_t at;
} flow;

static tw_err read_piece(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    flow *f = arg;

    do { /* a piece of nothing would be the end */
        *len = pieces_next(f->cut, &f->at, f->left.len < cap ? f->left.len : cap);
    } while (*len == 0 && f->left.len > 0);
    memcpy(buf, f->left.data, *len);
    f->left = bytes_from(f->left, *len);
    return TW_OK;
}

static tw_err write_piece(void *arg, const uint8_t *buf, size_t len)
{
    flow *f = arg;

    f->out = bytes_cat(f->out, bytes_of(buf, len));
    return TW_OK;
}

tw_err push_pumped(tw_opener *opener, bytes body, const pieces *p, size_t jobs, bytes *out)
{
    flow f = {.left = body, .out = bytes_new(0), .cut = p};
    tw_pipe pipe = {
        .size = sizeof(pipe), .read = read_piece, .write = write_piece, .arg = &f, .jobs = jobs};
    tw_err err = tw_opener_pump(opener, &pipe);

    *out = f.out;
    return err;
}
