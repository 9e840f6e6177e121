/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and their responses. */
#include <stdio.h>
#include <string.h>

#include "stage.h"

STEP(sender_request)
{
    stage *t = arg;

    must_ok(
        tw_sender_request(t->sender, &t->format, t->head.data, t->head.len, &t->sealer, &t->asked));
}

STEP(sealer_update)
{
    stage *t = arg;

    must_ok(
        tw_sealer_update(t->sealer, t->plain.data, 20000, t->body.data, t->body.len, &t->body_len));
}

STEP(sealer_final)
{
    stage *t = arg;
    size_t len;

    must_ok(tw_sealer_final(t->sealer, t->plain.data + 20000, 20000, t->body.data + t->body_len,
                            t->body.len - t->body_len, &len));
    t->body_len += len;
}

STEP(sealer_free)
{
    stage *t = arg;

    tw_sealer_free(t->sealer);
    t->sealer = NULL;
}

STEP(receiver_begin)
{
    stage *t = arg;

    must_ok(tw_receiver_begin(t->receiver, &t->format, t->head.data,
                              tw_receiver_head_len(t->receiver), &t->pending));
}

STEP(pending_perform)
{
    stage *t = arg;

    must_ok(tw_pending_perform(t->pending));
}

STEP(pending_supply)
{
    stage *t = arg;
    size_t enc_len;
    bytes secret = held(t->key->kem->secret_len);

    must_ok(t->key->ops->decap(t->key, tw_pending_enc(t->pending, &enc_len), NULL, secret.data));
    must_ok(tw_pending_supply(t->pending, secret.data, secret.len));
}

STEP(pending_finish)
{
    stage *t = arg;

    must_ok(tw_pending_finish(t->pending, &t->opener, &t->answered));
}

STEP(pending_free)
{
    stage *t = arg;

    tw_pending_free(t->pending);
    t->pending = NULL;
}

/* A chunk in two pieces, so that some of it is held. */
STEP(opener_update)
{
    stage *t = arg;
    size_t len;

    must_ok(tw_opener_update(t->opener, t->body.data, 9000, t->out.data, t->out.len, &len));
    must_ok(tw_opener_update(t->opener, t->body.data + 9000, t->body_len - 9000, t->out.data,
                             t->out.len, &len));
}

STEP(opener_final)
{
    stage *t = arg;
    size_t len;

    must_ok(tw_opener_final(t->opener, t->format.chunked ? NULL : t->body.data,
                            t->format.chunked ? 0 : t->body_len, t->out.data, t->out.len, &len));
}

/* Good chunks, then one that is none: what it opened to is wiped with the others. */
STEP(opener_refuses)
{
    stage *t = arg;
    size_t len;
    tw_err err;

    t->body.data[t->body_len - 1] ^= 1;
    err = t->format.chunked ? tw_opener_update(t->opener, t->body.data, t->body_len, t->out.data,
                                               t->out.len, &len)
                            : TW_OK;
    must_ok(err);
    must_err(TW_ERR_AUTH,
             tw_opener_final(t->opener, t->format.chunked ? NULL : t->body.data,
                             t->format.chunked ? 0 : t->body_len, t->out.data, t->out.len, &len));
    t->body.data[t->body_len - 1] ^= 1;
}

STEP(opener_free)
{
    stage *t = arg;

    tw_opener_free(t->opener);
    t->opener = NULL;
}

STEP(exchange_save)
{
    stage *t = arg;

    must_ok(tw_exchange_save(t->asked, t->text.data, t->text.len, &t->len));
    tw_exchange_free(t->asked);
    t->asked = NULL;
}

STEP(exchange_load)
{
    stage *t = arg;

    must_err(TW_ERR_TRUNCATED,
             tw_exchange_load(t->suite, NULL, t->text.data, t->len - 1, &t->asked));
    must_ok(tw_exchange_load(t->suite, NULL, t->text.data, t->len, &t->asked));
}

STEP(exchange_respond)
{
    stage *t = arg;

    must_ok(tw_exchange_respond(t->answered, &t->format, t->head.data, t->head.len, &t->sealer));
}

STEP(exchange_receive)
{
    stage *t = arg;

    must_ok(tw_exchange_receive(t->asked, &t->format, t->head.data,
                                tw_exchange_response_head_len(t->asked), &t->opener));
}

void exchanges_free(void *arg)
{
    stage *t = arg;

    tw_exchange_free(t->asked);
    tw_exchange_free(t->answered);
    t->asked = t->answered = NULL;
}

void seal_body(const char *besides)
{
    char allowed[200];

    (void)snprintf(allowed, sizeof(allowed), "%s " BODY, besides);
    DO(sealer_update, allowed);
    DO(sealer_final, allowed);
    DO(sealer_free, besides);
}

void open_body(const char *besides)
{
    char allowed[200];

    (void)snprintf(allowed, sizeof(allowed), "%s " BODY, besides);
    if (st.format.chunked) {
        DO(opener_update, allowed);
    }
    DO(opener_final, allowed);
    DO(opener_free, besides);
}

static void one_to_one(const void *arg, bool chunked)
{
    stage_begin(arg);
    st.format = (tw_format){.size = sizeof(tw_format), .chunked = chunked};
    DO(peers_new, KEY);
    DO(sender_request, KEY " " HPKE);
    seal_body(KEY " " EXCHANGE);
    DO(receiver_begin, KEY " " EXCHANGE);
    DO(pending_perform, KEY " " HPKE);
    DO(pending_finish, KEY " " HPKE);
    DO(pending_free, KEY " " HPKE);
    open_body(KEY " " EXCHANGE);
    DO(exchange_save, KEY " " EXCHANGE);
    DO(exchange_load, KEY " " EXCHANGE);
    DO(exchange_respond, KEY " " HPKE);
    seal_body(KEY " " EXCHANGE);
    DO(exchange_receive, KEY " " HPKE);
    open_body(KEY " " EXCHANGE);
    DO(exchange_receive, KEY " " HPKE);
    DO(opener_refuses, KEY " " HPKE);
    DO(opener_free, KEY " " EXCHANGE);
    DO(exchanges_free, KEY);
    DO(peers_free, "");
    stage_end();
}

void whole(const void *arg)
{
    one_to_one(arg, false);
}

void chunked(const void *arg)
{
    one_to_one(arg, true);
}

/* Where nobody goes on: what was begun is freed, and holds nothing. */
void given_up(const void *arg)
{
    stage_begin(arg);
    st.format = (tw_format){.size = sizeof(tw_format), .chunked = true};
    DO(peers_new, KEY);
    DO(sender_request, KEY " " HPKE);
    DO(sealer_update, KEY " " HPKE);
    DO(receiver_begin, KEY " " HPKE);
    DO(pending_free, KEY " " HPKE);
    DO(receiver_begin, KEY " " HPKE);
    DO(pending_supply, KEY " " HPKE);
    DO(pending_free, KEY " " HPKE);
    DO(sealer_free, KEY " " EXCHANGE);
    DO(exchanges_free, KEY);
    DO(peers_free, "");
    stage_end();
}
