/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of twoway.h on heads: senders, receivers, pendings, exchanges, one to many. */

#include <string.h>

#include "world.h"

static void key_and_suite(void)
{
    world_chunked(false);
    want_key();
    want_suite();
}

/* The opener opens the body that was sealed. */
static void must_open(tw_opener *opener)
{
    uint8_t out[sizeof(WORLD_TEXT)];
    size_t len;

    failures_pause(true);
    must_ok(tw_opener_final(opener, w.body, w.body_len, out, sizeof(out), &len));
    failures_pause(false);
    must(len == sizeof(out) && memcmp(out, WORLD_TEXT, len) == 0);
}

/* --- Requests. ------------------------------------------------------------------------------- */

static tw_err sender_new(void)
{
    tw_sender *sender = POISON(tw_sender);
    tw_err err = tw_sender_new(w.suite, 1, w.key->public_key, w.suite->public_len, NULL, &sender);

    made(err, sender);
    RELEASE(tw_sender_free(sender));
    return err;
}

static tw_err receiver_new(void)
{
    tw_receiver *receiver = POISON(tw_receiver);
    tw_err err = tw_receiver_new(w.suite, 1, w.key, NULL, &receiver);

    made(err, receiver);
    RELEASE(tw_receiver_free(receiver));
    return err;
}

static tw_err sender_request(void)
{
    room head;
    tw_sealer *body = POISON(tw_sealer);
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err;

    room_fill(&head);
    err = tw_sender_request(w.sender, &w.format, head.bytes, sizeof(head), &body, &exchange);
    made(err, body);
    made(err, exchange);
    room_check(&head, err);
    RELEASE(tw_sealer_free(body));
    RELEASE(tw_exchange_free(exchange));
    return err;
}

static tw_err header_parse(void)
{
    tw_header header;

    return tw_header_parse(w.head, w.head_len, &header);
}

static tw_err receiver_accept(void)
{
    tw_opener *body = POISON(tw_opener);
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err = tw_receiver_accept(w.receiver, &w.format, w.head, w.head_len, &body, &exchange);

    made(err, body);
    made(err, exchange);
    if (err == TW_OK) {
        must_open(body);
    }
    RELEASE(tw_opener_free(body));
    RELEASE(tw_exchange_free(exchange));
    return err;
}

/* --- In three steps. ------------------------------------------------------------------------- */

static tw_err receiver_begin(void)
{
    tw_pending *pending = POISON(tw_pending);
    tw_err err = tw_receiver_begin(w.receiver, &w.format, w.head, w.head_len, &pending);

    made(err, pending);
    RELEASE(tw_pending_free(pending));
    return err;
}

static void begun(void)
{
    want_request();
    must_ok(tw_receiver_begin(w.receiver, &w.format, w.head, w.head_len, &w.pending));
}

static tw_err pending_perform(void)
{
    return tw_pending_perform(w.pending);
}

static void decapsulated(void)
{
    const uint8_t *enc;
    size_t enc_len;

    begun();
    enc = tw_pending_enc(w.pending, &enc_len);
    must_ok(w.key->ops->decap(w.key, enc, NULL, w.secret));
}

static tw_err pending_supply(void)
{
    return tw_pending_supply(w.pending, w.secret, w.key->kem->secret_len);
}

static void performed(void)
{
    begun();
    must_ok(tw_pending_perform(w.pending));
}

static tw_err pending_finish(void)
{
    tw_opener *body = POISON(tw_opener);
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err = tw_pending_finish(w.pending, &body, &exchange);

    made(err, body);
    made(err, exchange);
    if (err == TW_OK) {
        must_open(body);
    }
    RELEASE(tw_opener_free(body));
    RELEASE(tw_exchange_free(exchange));
    return err;
}

/* --- Answers. -------------------------------------------------------------------------------- */

static tw_err exchange_respond(void)
{
    room head;
    tw_sealer *body = POISON(tw_sealer);
    tw_err err;

    room_fill(&head);
    err = tw_exchange_respond(w.answered, &w.format, head.bytes, sizeof(head), &body);
    made(err, body);
    room_check(&head, err);
    RELEASE(tw_sealer_free(body));
    return err;
}

static tw_err exchange_receive(void)
{
    tw_opener *body = POISON(tw_opener);
    tw_err err = tw_exchange_receive(w.asked, &w.format, w.head, w.head_len, &body);

    made(err, body);
    if (err == TW_OK) {
        must_open(body);
    }
    RELEASE(tw_opener_free(body));
    return err;
}

static tw_err exchange_save(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_exchange_save(w.asked, out.bytes, sizeof(out), &len);
    room_check(&out, err);
    return err;
}

static void saved(void)
{
    want_request();
    must_ok(tw_exchange_save(w.asked, w.saved, sizeof(w.saved), &w.saved_len));
}

static tw_err exchange_peek(void)
{
    tw_header header;

    return tw_exchange_peek(w.saved, w.saved_len, &header);
}

static tw_err exchange_load(void)
{
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err = tw_exchange_load(w.suite, NULL, w.saved, w.saved_len, &exchange);

    made(err, exchange);
    RELEASE(tw_exchange_free(exchange));
    return err;
}

/* --- One to many. ---------------------------------------------------------------------------- */

static tw_err multi_new(void)
{
    room head;
    tw_sealer *body = POISON(tw_sealer);
    tw_multi *multi = POISON(tw_multi);
    tw_err err;

    room_fill(&head);
    err = tw_multi_new(w.suite, &w.format, NULL, head.bytes, sizeof(head), &body, &multi);
    made(err, body);
    made(err, multi);
    room_check(&head, err);
    RELEASE(tw_sealer_free(body));
    RELEASE(tw_multi_free(multi));
    return err;
}

static void must_accept(const uint8_t *encap)
{
    tw_opener *opener;

    failures_pause(true);
    must_ok(tw_receiver_accept_multi(w.receiver, &w.format, encap, w.encap_len, w.head, w.head_len,
                                     &opener, NULL));
    must_open(opener);
    tw_opener_free(opener);
    failures_pause(false);
}

static tw_err multi_encap(void)
{
    room encap;
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err;

    room_fill(&encap);
    err = tw_multi_encap(w.multi, 1, w.key->public_key, w.suite->public_len, encap.bytes,
                         sizeof(encap), &exchange);
    made(err, exchange);
    room_check(&encap, err);
    if (err == TW_OK) {
        must_accept(encap.bytes);
    }
    RELEASE(tw_exchange_free(exchange));
    return err;
}

static tw_err accept_multi(void)
{
    tw_opener *body = POISON(tw_opener);
    tw_exchange *exchange = POISON(tw_exchange);
    tw_err err = tw_receiver_accept_multi(w.receiver, &w.format, w.encap, w.encap_len, w.head,
                                          w.head_len, &body, &exchange);

    made(err, body);
    made(err, exchange);
    if (err == TW_OK) {
        must_open(body);
    }
    RELEASE(tw_opener_free(body));
    RELEASE(tw_exchange_free(exchange));
    return err;
}

static tw_err begin_multi(void)
{
    tw_pending *pending = POISON(tw_pending);
    tw_err err = tw_receiver_begin_multi(w.receiver, &w.format, w.encap, w.encap_len, w.head,
                                         w.head_len, &pending);

    made(err, pending);
    RELEASE(tw_pending_free(pending));
    return err;
}

const operation message_operations[] = {
    {"tw_sender_new", key_and_suite, sender_new, NULL, SERVES},
    {"tw_sender_request", want_sender, sender_request, NULL, SERVES},
    {"tw_header_parse", want_request, header_parse, NULL, SERVES},
    {"tw_receiver_new", key_and_suite, receiver_new, NULL, SERVES},
    {"tw_receiver_accept", want_request, receiver_accept, NULL, SERVES},
    {"tw_receiver_begin", want_request, receiver_begin, NULL, SERVES},
    {"tw_pending_perform", begun, pending_perform, NULL, DIES},
    {"tw_pending_supply", decapsulated, pending_supply, NULL, DIES},
    {"tw_pending_finish", performed, pending_finish, NULL, DIES},
    {"tw_exchange_respond", want_accepted, exchange_respond, NULL, SERVES},
    {"tw_exchange_receive", want_response, exchange_receive, NULL, SERVES},
    {"tw_exchange_save", want_request, exchange_save, NULL, SERVES},
    {"tw_exchange_peek", saved, exchange_peek, NULL, SERVES},
    {"tw_exchange_load", saved, exchange_load, NULL, SERVES},
    {"tw_multi_new", key_and_suite, multi_new, NULL, SERVES},
    {"tw_multi_encap", want_multi, multi_encap, NULL, SERVES},
    {"tw_receiver_accept_multi", want_multi, accept_multi, NULL, SERVES},
    {"tw_receiver_begin_multi", want_multi, begin_multi, NULL, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
