/* SPDX-License-Identifier: Apache-2.0 */
/* The library's part of an exchange. */
#include "interop.h"
#include "check.h"
#include "stream.h"

/* --- Sending. ------------------------------------------------------------------------------ */

static void send_one(const plan *p, sent *s)
{
    bytes pk = receiver_public(p, s, 0), head;
    tw_format format = plan_format(p, false);
    tw_sender *sender = NULL;
    tw_sealer *sealer = NULL;

    must_ok(tw_sender_new(p->built_in, p->key_id, pk.data, pk.len, NULL, &sender));
    head = bytes_new(tw_sender_head_len(sender));
    must_ok(tw_sender_request(sender, &format, head.data, head.len, &sealer, &s->exchanges[0]));
    s->message = bytes_cat(head, seal_in_steps(sealer, plan_question(p), p->our_pace));
    tw_sender_free(sender);
}

static void add_receivers(const plan *p, tw_multi *multi, sent *s, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < s->count; i++) {
        bytes pk = receiver_public(p, s, i);

        must_ok(tw_multi_encap(multi, (uint8_t)(p->key_id + i), pk.data, pk.len, s->encaps[i].data,
                               s->encaps[i].len, &s->exchanges[i]));
    }
}

/* Receivers are added before the body, in its middle and after it. */
static void send_many(const plan *p, sent *s)
{
    bytes question = plan_question(p), head = bytes_new(tw_multi_head_len(p->built_in));
    size_t half = question.len / 2;
    tw_format format = plan_format(p, false);
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    stream body;

    for (size_t i = 0; i < s->count; i++) {
        s->encaps[i] = bytes_new(tw_multi_encap_len(p->built_in));
    }
    must_ok(tw_multi_new(p->built_in, &format, NULL, head.data, head.len, &sealer, &multi));
    body = stream_seal(sealer);
    add_receivers(p, multi, s, 0, 1);
    must_ok(stream_update(&body, bytes_part(question, 0, half)));
    add_receivers(p, multi, s, 1, 2);
    must_ok(stream_final(&body, bytes_from(question, half)));
    add_receivers(p, multi, s, 2, s->count);
    s->message = bytes_cat(head, stream_out(&body));
    stream_end(&body);
    tw_multi_free(multi);
}

void we_send(const plan *p, sent *s)
{
    if (p->many) {
        send_many(p, s);
    } else {
        send_one(p, s);
    }
}

/* --- Receiving and answering. ----------------------------------------------------------------- */

/* A pace that would take more than a few hundred steps is no better than a longer one. */
static tw_err open_body(tw_opener *opener, const plan *p, bytes body, bytes *plain)
{
    size_t step = p->our_pace < body.len / 300 ? 997 : p->our_pace;

    return open_in_steps(opener, body, p->chunked && p->our_pace != 0 ? step : 0, plain);
}

static tw_err accept(const tw_receiver *receiver, const tw_format *format, bytes encap, bytes head,
                     tw_opener **body, tw_exchange **exchange)
{
    if (encap.len == 0) {
        return tw_receiver_accept(receiver, format, head.data, head.len, body, exchange);
    }
    return tw_receiver_accept_multi(receiver, format, encap.data, encap.len, head.data, head.len,
                                    body, exchange);
}

/* A message that ends within its head is given as it is. */
static bytes head_of(const tw_receiver *receiver, const plan *p, bytes sealed)
{
    size_t len = p->many ? tw_multi_head_len(p->built_in) : tw_receiver_head_len(receiver);

    return bytes_part(sealed, 0, len < sealed.len ? len : sealed.len);
}

tw_err we_open(const plan *p, const sent *s, size_t receiver, bytes *plain, tw_exchange **exchange)
{
    tw_format format = plan_format(p, false);
    tw_receiver *own = NULL;
    tw_opener *opener = NULL;
    bytes head;
    tw_err err;

    *plain = bytes_none;
    must_ok(tw_receiver_new(p->built_in, (uint8_t)(p->key_id + receiver), plan_key(p), NULL, &own));
    head = head_of(own, p, s->message);
    err = accept(own, &format, s->encaps[receiver], head, &opener, exchange);
    tw_receiver_free(own);
    if (err != TW_OK) {
        return err;
    }
    err = open_body(opener, p, bytes_from(s->message, head.len), plain);
    if (err != TW_OK && exchange != NULL) {
        tw_exchange_free(*exchange);
        *exchange = NULL;
    }
    return err;
}

bytes we_answer(const plan *p, const sent *s, size_t receiver)
{
    tw_format format = plan_format(p, true);
    tw_exchange *exchange = NULL;
    tw_sealer *sealer = NULL;
    bytes question, head;

    must_ok(we_open(p, s, receiver, &question, &exchange));
    must_bytes(plan_question(p), question);
    head = bytes_new(tw_exchange_response_head_len(exchange));
    must_ok(tw_exchange_respond(exchange, &format, head.data, head.len, &sealer));
    tw_exchange_free(exchange);
    return bytes_cat(head, seal_in_steps(sealer, plan_answer(p, receiver), p->our_pace));
}

tw_err we_open_answer(const plan *p, tw_exchange *exchange, bytes sealed, bytes *plain)
{
    size_t head_len = tw_exchange_response_head_len(exchange);
    bytes head = bytes_part(sealed, 0, head_len < sealed.len ? head_len : sealed.len);
    tw_format format = plan_format(p, true);
    tw_opener *opener = NULL;
    tw_err err = tw_exchange_receive(exchange, &format, head.data, head.len, &opener);

    *plain = bytes_none;
    return err == TW_OK ? open_body(opener, p, bytes_from(sealed, head.len), plain) : err;
}

bytes we_receive(const plan *p, const sent *s, size_t receiver, bytes sealed)
{
    bytes plain;

    must_ok(we_open_answer(p, s->exchanges[receiver], sealed, &plain));
    tw_exchange_free(s->exchanges[receiver]);
    return plain;
}
