/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in an event loop. A peer sends a chunked request and shuts down its side; it is
 * answered with what it said, chunk for chunk while it still speaks. Nothing here waits, but
 * for the key, on a thread of its own; and nothing grows: what a body's call can give is known
 * before, so that it fits where it waits to be sent.
 *
 *   event_loop SOCKET KEY-URI
 */
#include "common.h"
#include "loop.h"

#define TEXT (LOOP_TAKE + TW_CHUNK_LEN) /* an opener's bound for what is read at a time */
_Static_assert(LOOP_GIVE >= TEXT + 20 * (TEXT / TW_CHUNK_LEN + 1), "a sealer's bound for that");

struct talk {
    tw_pending *pending;
    tw_exchange *exchange;
    tw_opener *request;
    tw_sealer *answer;
};
static const tw_format chunked = {.size = sizeof(tw_format), .chunked = true};
static gateway g;

/* All is checked that needs no key. */
static bool meet(struct talk *t, const uint8_t *head, size_t len)
{
    return tw_receiver_begin(g.receiver, &chunked, head, len, &t->pending) == TW_OK;
}

static bool use_key(struct talk *t)
{
    return tw_pending_perform(t->pending) == TW_OK;
}

static bool greet(struct talk *t, uint8_t *out, size_t *len)
{
    if (tw_pending_finish(t->pending, &t->request, &t->exchange) != TW_OK ||
        tw_exchange_respond(t->exchange, &chunked, out, LOOP_GIVE, &t->answer) != TW_OK) {
        return false;
    }
    *len = tw_exchange_response_head_len(t->exchange);
    return true;
}

/* The last chunk opens only once nothing can follow it: `last`, which comes with no bytes. */
static bool take(struct talk *t, const uint8_t *in, size_t len, bool last, uint8_t *out,
                 size_t *out_len)
{
    uint8_t text[TEXT];
    tw_err err = (last ? tw_opener_final : tw_opener_update)(t->request, in, len, text, TEXT, &len);

    if (err == TW_OK) {
        err = (last ? tw_sealer_final : tw_sealer_update)(t->answer, text, len, out, LOOP_GIVE,
                                                          out_len);
    }
    tw_wipe(text, sizeof(text));
    return err == TW_OK;
}

static void part(struct talk *t)
{
    tw_sealer_free(t->answer), tw_opener_free(t->request);
    tw_exchange_free(t->exchange), tw_pending_free(t->pending);
}

int serve(const char *path, const char *uri)
{
    int stop = stop_signals(); /* before there is a thread that would take them */

    gateway_open(&g, uri);
    loop_run(listen_at(path), stop,
             &(server){sizeof(struct talk), tw_receiver_head_len(g.receiver), meet, use_key, greet,
                       take, part});
    gateway_close(&g);
    return 0;
}
