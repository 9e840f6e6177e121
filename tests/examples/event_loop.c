/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in an event loop. A peer sends a chunked request and shuts down its side; it is
 * answered with what it said, chunk for chunk while it still speaks. Nothing here waits but the
 * key's step, on a thread of its own; and nothing grows: what a body's call can give is known
 * before, so that it fits where it waits to be sent.
 *
 *   event_loop SOCKET KEY-URI
 */
#include "common.h"
#include "loop.h"

#define TEXT (LOOP_TAKE + TW_CHUNK_LEN) /* an opener's bound for what is read at a time */
_Static_assert(LOOP_GIVE >= TEXT + 20 * (TEXT / TW_CHUNK_LEN + 1), "a sealer's bound for that");

static const tw_format chunked = {.size = sizeof(tw_format), .chunked = true};
static gateway g;

static tw_err meet(talk *t, const uint8_t *head, size_t len)
{
    return tw_receiver_begin(g.receiver, &chunked, head, len, &t->pending);
}

static tw_err greet(talk *t, uint8_t *out, size_t *len)
{
    tw_err err = tw_pending_finish(t->pending, &t->request, &t->exchange);

    *len = tw_exchange_response_head_len(t->exchange);
    return err == TW_OK ? tw_exchange_respond(t->exchange, &chunked, out, LOOP_GIVE, &t->answer)
                        : err;
}

/* The last chunk opens only once nothing can follow it: `last`, which comes with no bytes. */
static tw_err take(talk *t, const uint8_t *in, size_t len, bool last, uint8_t *out, size_t *given)
{
    uint8_t text[TEXT];
    tw_err err = (last ? tw_opener_final : tw_opener_update)(t->request, in, len, text, TEXT, &len);

    if (err == TW_OK) {
        err = (last ? tw_sealer_final : tw_sealer_update)(t->answer, text, len, out, LOOP_GIVE,
                                                          given);
    }
    tw_wipe(text, sizeof(text));
    return err;
}

int serve(const char *path, const char *uri)
{
    int stop = stop_signals(); /* before there is a thread that would take them */

    gateway_open(&g, uri);
    loop_run(listen_at(path), stop, tw_receiver_head_len(g.receiver),
             &(server){.meet = meet, .work = tw_pending_perform, .greet = greet, .take = take});
    gateway_close(&g);
    return 0;
}
