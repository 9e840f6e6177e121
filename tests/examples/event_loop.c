/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in an event loop. A peer sends a chunked request and shuts down its side; it is
 * answered with what it said, chunk for chunk while it still speaks. Nothing here waits, but
 * for the key, on a thread of its own; and nothing grows: what a body's call can give is known
 * before, so that it fits where it waits to be sent.
 *
 *   event_loop SOCKET KEY-URI
 */
#include <stdlib.h>

#include "common.h"
#include "loop.h"

#define TEXT (LOOP_TAKE + TW_CHUNK_LEN) /* an opener's bound for what is read at a time */
_Static_assert(LOOP_GIVE >= TEXT + 20 * (TEXT / TW_CHUNK_LEN + 1), "a sealer's bound for that");

struct talk {
    uint8_t head[TW_MAX_HEAD];
    size_t head_len;
    tw_pending *pending;
    tw_err performed;
    tw_exchange *exchange;
    tw_opener *request;
    tw_sealer *answer;
};

static const tw_format chunked = {.size = sizeof(tw_format), .chunked = true};
static gateway g;

static struct talk *meet(peer *p)
{
    p->want = tw_receiver_head_len(g.receiver);
    return calloc(1, sizeof(struct talk));
}

static void part(struct talk *t)
{
    tw_sealer_free(t->answer), tw_opener_free(t->request);
    tw_exchange_free(t->exchange), tw_pending_free(t->pending);
    free(t);
}

/* Once the head is there, all is checked that needs no key. */
static bool take_head(peer *p, const uint8_t *in, size_t len)
{
    struct talk *t = p->talk;

    for (size_t i = 0; i < len; i++) {
        t->head[t->head_len++] = in[i];
    }
    p->want -= len;
    p->working = p->want == 0;
    return len > 0 && (!p->working || tw_receiver_begin(g.receiver, &chunked, t->head, t->head_len,
                                                        &t->pending) == TW_OK);
}

static void use_key(struct talk *t)
{
    t->performed = tw_pending_perform(t->pending);
}

static bool start_answer(peer *p)
{
    struct talk *t = p->talk;

    p->want = LOOP_TAKE;
    if (t->performed != TW_OK ||
        tw_pending_finish(t->pending, &t->request, &t->exchange) != TW_OK ||
        tw_exchange_respond(t->exchange, &chunked, p->out, sizeof(p->out), &t->answer) != TW_OK) {
        return false;
    }
    p->len = tw_exchange_response_head_len(t->exchange);
    return true;
}

static bool take_body(peer *p, const uint8_t *in, size_t len)
{
    uint8_t text[TEXT];
    size_t text_len;
    tw_err err = tw_opener_update(p->talk->request, in, len, text, sizeof(text), &text_len);

    if (err == TW_OK) {
        err = tw_sealer_update(p->talk->answer, text, text_len, p->out, sizeof(p->out), &p->len);
    }
    tw_wipe(text, sizeof(text));
    return err == TW_OK;
}

/* The last chunk opens only now that nothing can follow it. */
static bool take_end(peer *p)
{
    uint8_t text[TEXT];
    size_t text_len;
    tw_err err = tw_opener_final(p->talk->request, NULL, 0, text, sizeof(text), &text_len);

    if (err == TW_OK) {
        err = tw_sealer_final(p->talk->answer, text, text_len, p->out, sizeof(p->out), &p->len);
    }
    tw_wipe(text, sizeof(text));
    p->parting = true;
    return err == TW_OK;
}

static bool take(peer *p, const uint8_t *in, size_t len)
{
    return p->talk->request == NULL ? take_head(p, in, len)
           : len > 0                ? take_body(p, in, len)
                                    : take_end(p);
}

int main(int argc, char **argv)
{
    static const server s = {meet, part, take, use_key, start_answer};
    int stop = stop_signals(); /* before there is a thread that would take them */

    if (argc != 3) {
        errx(64, "usage: event_loop SOCKET KEY-URI");
    }
    gateway_open(&g, argv[2]);
    loop_run(listen_at(argv[1]), stop, &s);
    gateway_close(&g);
}
