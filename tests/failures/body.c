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

/* Chunks that are not the last leave at once, but none of a call in which a later one fails. */
static void opener_ahead(void)
{
    const size_t half = sizeof(text) / 2;
    size_t len;

    sealer(true);
    must_ok(tw_sealer_update(w.sealer, text, half, w.body, sizeof(w.body), &w.body_len));
    must_ok(tw_sealer_update(w.sealer, text + half, sizeof(text) - half, w.body + w.body_len,
                             sizeof(w.body) - w.body_len, &len));
    w.body_len += len;
    must_ok(tw_receiver_accept(w.receiver, &w.format, w.head, w.head_len, &w.opener, NULL));
}

static tw_err opener_release(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_opener_update(w.opener, w.body, w.body_len, out.bytes, sizeof(out), &len);
    return opened(err, &out, len);
}

/* --- Pumps. ---------------------------------------------------------------------------------- */

static struct {
    const uint8_t *from;
    size_t left, written;
    room out;
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
    must(len <= sizeof(flow.out) - flow.written);
    memcpy(flow.out.bytes + flow.written, buf, len);
    flow.written += len;
    return TW_OK;
}

static tw_pipe pipe_from(const uint8_t *from, size_t len, size_t jobs)
{
    flow.from = from;
    flow.left = len;
    flow.written = 0;
    return (tw_pipe){.size = sizeof(tw_pipe), .read = read_some, .write = write_all, .jobs = jobs};
}

/* The text is one piece: an error has written nothing of it, and a success all. */
static tw_err pump_to_seal(size_t jobs)
{
    const tw_pipe pipe = pipe_from(text, sizeof(text), jobs);
    tw_err err = tw_sealer_pump(w.sealer, &pipe);
    tw_opener *opener;
    room out;
    size_t len;

    must(err == TW_OK || flow.written == 0);
    if (err == TW_OK) {
        failures_pause(true);
        must_ok(tw_receiver_accept(w.receiver, &w.format, w.head, w.head_len, &opener, NULL));
        err = tw_opener_final(opener, flow.out.bytes, flow.written, out.bytes, sizeof(out), &len);
        must_ok(opened(err, &out, len));
        tw_opener_free(opener);
        failures_pause(false);
    }
    return err;
}

static tw_err sealer_pump(void)
{
    return pump_to_seal(1);
}

static tw_err sealer_pump_by_two(void)
{
    return pump_to_seal(2);
}

static tw_err pump_to_open(size_t jobs)
{
    const tw_pipe pipe = pipe_from(w.body, w.body_len, jobs);
    tw_err err = tw_opener_pump(w.opener, &pipe);

    must_size(err == TW_OK ? sizeof(text) : 0, flow.written);
    must(err != TW_OK || memcmp(text, flow.out.bytes, sizeof(text)) == 0);
    return err;
}

static tw_err opener_pump(void)
{
    return pump_to_open(1);
}

static tw_err opener_pump_by_two(void)
{
    return pump_to_open(2);
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
    {"tw_opener_update of two chunks", opener_ahead, opener_release, NULL, DIES},
    {"tw_opener_final after an update", opener_begun, opener_end, NULL, DIES},
    {"tw_sealer_pump, whole", sealer_whole, sealer_pump, NULL, EITHER},
    {"tw_sealer_pump, chunked", sealer_chunked, sealer_pump, NULL, EITHER},
    {"tw_sealer_pump, two at a time", sealer_chunked, sealer_pump_by_two, NULL, EITHER},
    {"tw_opener_pump, whole", opener_whole, opener_pump, NULL, EITHER},
    {"tw_opener_pump, chunked", opener_chunked, opener_pump, NULL, EITHER},
    {"tw_opener_pump, two at a time", opener_chunked, opener_pump_by_two, NULL, EITHER},
    {NULL, NULL, NULL, NULL, SERVES},
};
