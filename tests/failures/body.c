/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of twoway.h on bodies: sealers, openers, and the pumps. */

#include <string.h>

#include "world.h"

static const uint8_t text[] = WORLD_TEXT;

/* --- Sealers. -------------------------------------------------------------------------------- */

static void sealer(bool chunked)
{
    world_chunked(chunked);
    want_sender();
    must_ok(tw_sender_request(w.sender, &w.format, w.head, sizeof(w.head), &w.sealer, NULL));
}

static void sealer_whole(void)
{
    sealer(false);
}

static void sealer_chunked(void)
{
    sealer(true);
}

typedef tw_err push(tw_sealer *sealer, const uint8_t *in, size_t in_len, uint8_t *out,
                    size_t out_cap, size_t *out_len);

static tw_err seal(push *how)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = how(w.sealer, text, sizeof(text), out.bytes, sizeof(out), &len);
    must(err == TW_OK ? len >= sizeof(text) : len == 0);
    room_check(&out, err);
    return err;
}

static tw_err sealer_update(void)
{
    return seal(tw_sealer_update);
}

static tw_err sealer_final(void)
{
    return seal(tw_sealer_final);
}

/* A final after an update takes another way through a whole message. */
static void sealer_begun(void)
{
    sealer(false);
    must_ok(sealer_update());
}

/* --- Openers. -------------------------------------------------------------------------------- */

static void opener(bool chunked)
{
    world_chunked(chunked);
    want_accepted();
}

static void opener_whole(void)
{
    opener(false);
}

static void opener_chunked(void)
{
    opener(true);
}

static tw_err opened(tw_err err, const room *out, size_t len)
{
    must_size(err == TW_OK ? sizeof(text) : 0, len);
    room_check(out, err);
    must(err != TW_OK || memcmp(text, out->bytes, len) == 0);
    return err;
}

static tw_err opener_final(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_opener_final(w.opener, w.body, w.body_len, out.bytes, sizeof(out), &len);
    return opened(err, &out, len);
}

/* A body that comes in two parts has to be held. */
static tw_err opener_update(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_opener_update(w.opener, w.body, w.body_len / 2, out.bytes, sizeof(out), &len);
    must_size(0, len);
    room_check(&out, err);
    return err;
}

static void opener_begun(void)
{
    opener(true);
    must_ok(opener_update());
}

static tw_err opener_end(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_opener_final(w.opener, w.body + w.body_len / 2, w.body_len - w.body_len / 2, out.bytes,
                          sizeof(out), &len);
    return opened(err, &out, len);
}

/* --- Pumps. ---------------------------------------------------------------------------------- */

static struct {
    const uint8_t *from;
    size_t left, written;
} flow;

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    (void)arg;
    *len = flow.left < cap ? flow.left : cap;
    memcpy(buf, flow.from, *len);
    flow.left -= *len;
    flow.from += *len;
    return TW_OK;
}

static tw_err write_all(void *arg, const uint8_t *buf, size_t len)
{
    (void)arg;
    (void)buf;
    flow.written += len;
    return TW_OK;
}

static const tw_pipe the_pipe = {.size = sizeof(the_pipe), .read = read_some, .write = write_all};

static tw_err sealer_pump(void)
{
    flow.from = text;
    flow.left = sizeof(text);
    return tw_sealer_pump(w.sealer, &the_pipe);
}

static tw_err opener_pump(void)
{
    flow.from = w.body;
    flow.left = w.body_len;
    flow.written = 0;
    return tw_opener_pump(w.opener, &the_pipe);
}

const operation body_operations[] = {
    {"tw_sealer_update, whole", sealer_whole, sealer_update, NULL, DIES},
    {"tw_sealer_update, chunked", sealer_chunked, sealer_update, NULL, DIES},
    {"tw_sealer_final, whole", sealer_whole, sealer_final, NULL, DIES},
    {"tw_sealer_final, chunked", sealer_chunked, sealer_final, NULL, DIES},
    {"tw_sealer_final after an update", sealer_begun, sealer_final, NULL, DIES},
    {"tw_opener_final, whole", opener_whole, opener_final, NULL, DIES},
    {"tw_opener_final, chunked", opener_chunked, opener_final, NULL, DIES},
    {"tw_opener_update", opener_chunked, opener_update, NULL, DIES},
    {"tw_opener_final after an update", opener_begun, opener_end, NULL, DIES},
    {"tw_sealer_pump, whole", sealer_whole, sealer_pump, NULL, EITHER},
    {"tw_sealer_pump, chunked", sealer_chunked, sealer_pump, NULL, EITHER},
    {"tw_opener_pump, whole", opener_whole, opener_pump, NULL, EITHER},
    {"tw_opener_pump, chunked", opener_chunked, opener_pump, NULL, EITHER},
    {NULL, NULL, NULL, NULL, SERVES},
};
