/* SPDX-License-Identifier: Apache-2.0 */
/* One body to many, HPKE alone, pumps. */
#include <string.h>

#include "stage.h"

/* --- One to many. ----------------------------------------------------------------------------- */

STEP(multi_new)
{
    stage *t = arg;

    must_ok(
        tw_multi_new(t->suite, &t->format, NULL, t->head.data, t->head.len, &t->sealer, &t->multi));
}

STEP(multi_encap)
{
    stage *t = arg;

    must_ok(tw_multi_encap(t->multi, 1, t->key->public_key, t->suite->public_len, t->encap.data,
                           t->encap.len, &t->asked));
}

STEP(multi_free)
{
    stage *t = arg;

    tw_multi_free(t->multi);
}

STEP(accept_multi)
{
    stage *t = arg;

    must_ok(tw_receiver_accept_multi(t->receiver, &t->format, t->encap.data,
                                     tw_multi_encap_len(t->suite), t->head.data,
                                     tw_multi_head_len(t->suite), &t->opener, &t->answered));
}

/* Nobody goes on. */
STEP(begin_multi)
{
    stage *t = arg;

    must_ok(tw_receiver_begin_multi(t->receiver, &t->format, t->encap.data,
                                    tw_multi_encap_len(t->suite), t->head.data,
                                    tw_multi_head_len(t->suite), &t->pending));
    must_ok(tw_pending_perform(t->pending));
}

STEP(pending_free)
{
    stage *t = arg;

    tw_pending_free(t->pending);
}

void one_to_many(const void *arg)
{
    stage_begin(arg);
    st.format = (tw_format){.size = sizeof(tw_format), .chunked = true};
    DO(peers_new, KEY);
    DO(multi_new, KEY " random_bytes " BODY);
    DO(multi_encap, KEY " random_bytes " HPKE);
    seal_body(KEY " random_bytes AEAD_key " EXCHANGE);
    DO(multi_free, KEY " " EXCHANGE);
    DO(begin_multi, KEY " random_bytes plaintext " HPKE);
    DO(pending_free, KEY " " EXCHANGE);
    DO(accept_multi, KEY " random_bytes plaintext " HPKE);
    open_body(KEY " random_bytes plaintext " EXCHANGE);
    DO(exchanges_free, KEY);
    DO(peers_free, "");
    stage_end();
}

/* --- hpke.h. ------------------------------------------------------------------------------------
 */

STEP(hpke_keys)
{
    stage *t = arg;
    static const uint8_t psk_id[] = "which";
    bytes psk = held_secret("psk", 32);

    must_ok(tw_key_generate(t->s->kem_id, NULL, &t->provider, &t->key));
    must_ok(tw_key_generate(t->s->kem_id, NULL, &t->provider, &t->identity));
    t->sending = t->receiving =
        (tw_hpke_auth){.psk = psk.data, .psk_len = psk.len, .psk_id = psk_id, .psk_id_len = 5};
    t->sending.sender = t->identity;
    t->receiving.sender_public = t->identity->public_key;
    t->from = t->to = (tw_hpke_params){.size = sizeof(tw_hpke_params), .suite = t->suite};
}

STEP(hpke_connect)
{
    stage *t = arg;

    must_ok(tw_hpke_sender(&t->from, t->key->public_key, t->suite->public_len, t->enc.data,
                           t->enc.len, &t->seals));
    must_ok(tw_hpke_receiver(&t->to, t->key, t->enc.data, t->suite->enc_len, &t->opens));
}

STEP(hpke_pass)
{
    stage *t = arg;
    size_t len;

    must_ok(tw_hpke_seal(t->seals, NULL, 0, t->plain.data, t->plain.len, t->body.data, t->body.len,
                         &t->body_len));
    must_ok(
        tw_hpke_open(t->opens, NULL, 0, t->body.data, t->body_len, t->out.data, t->out.len, &len));
    t->body.data[3] ^= 1;
    must_ok(tw_hpke_set_seq(t->opens, 0));
    must_err(TW_ERR_AUTH, tw_hpke_open(t->opens, NULL, 0, t->body.data, t->body_len, t->out.data,
                                       t->out.len, &len));
}

STEP(hpke_export)
{
    stage *t = arg;

    must_ok(tw_hpke_export(t->opens, NULL, 0, t->text.data, 100));
}

STEP(hpke_free)
{
    stage *t = arg;

    tw_hpke_free(t->seals);
    tw_hpke_free(t->opens);
}

STEP(hpke_once)
{
    stage *t = arg;
    tw_hpke_text text = {.in = t->plain.data, .in_len = 1000};
    size_t len;

    must_ok(tw_hpke_seal_once(&t->from, t->key->public_key, t->suite->public_len, &text,
                              t->body.data, t->body.len, &t->body_len));
    text.in = t->body.data;
    text.in_len = t->body_len;
    must_ok(tw_hpke_open_once(&t->to, t->key, &text, t->out.data, t->out.len, &len));
    text.in_len--;
    must_err(TW_ERR_AUTH, tw_hpke_open_once(&t->to, t->key, &text, t->out.data, t->out.len, &len));
}

STEP(hpke_keys_free)
{
    stage *t = arg;

    tw_key_free(t->key);
    tw_key_free(t->identity);
}

void hpke(const void *arg)
{
    stage_begin(arg);
    DO(hpke_keys, KEY);
    for (int mode = 0; mode < 2; mode++) {
        st.from.auth = mode == 0 ? NULL : &st.sending;
        st.to.auth = mode == 0 ? NULL : &st.receiving;
        DO(hpke_connect, KEY " " HPKE);
        DO(hpke_pass, KEY " " HPKE);
        DO(hpke_export, KEY " " HPKE);
        DO(hpke_free, KEY);
        DO(hpke_once, KEY);
    }
    DO(hpke_keys_free, "");
    stage_end();
}

/* --- Pumps.
 * ---------------------------------------------------------------------------------------- */

typedef struct ends {
    bytes in, out;
    size_t total; /* of the input, which begins again and again until then */
    size_t at, len, most;
} ends;

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    ends *e = arg;
    size_t left = e->total - e->at;

    *len = left < cap ? left : cap;
    *len = *len < e->most ? *len : e->most;
    for (size_t i = 0; i < *len; i++) {
        buf[i] = e->in.data[(e->at + i) % e->in.len];
    }
    e->at += *len;
    return TW_OK;
}

static tw_err write_all(void *arg, const uint8_t *buf, size_t len)
{
    ends *e = arg;

    memcpy(e->out.data + e->len, buf, len);
    e->len += len;
    return TW_OK;
}

static void pump_both(stage *t, size_t total, size_t most, size_t jobs)
{
    bytes sealed = held(total + total / 500 + 1000), opened = held(total);
    ends e = {.in = t->plain, .out = sealed, .total = total, .most = most};
    tw_pipe pipe = {
        .size = sizeof(pipe), .read = read_some, .write = write_all, .arg = &e, .jobs = jobs};

    must_ok(tw_sender_request(t->sender, &t->format, t->head.data, t->head.len, &t->sealer, NULL));
    must_ok(tw_sealer_pump(t->sealer, &pipe));
    tw_sealer_free(t->sealer);
    must_ok(tw_receiver_accept(t->receiver, &t->format, t->head.data,
                               tw_receiver_head_len(t->receiver), &t->opener, NULL));
    e = (ends){.in = {sealed.data, e.len}, .out = opened, .total = e.len, .most = most};
    must_ok(tw_opener_pump(t->opener, &pipe));
    must_size(total, e.len);
    tw_opener_free(t->opener);
}

STEP(pumps)
{
    stage *t = arg;

    pump_both(t, t->plain.len, 7001, 1);
}

/* Enough of it at once that others are hired. */
STEP(pumps_by_three)
{
    pump_both(arg, 700000, 700000, 3);
}

void pump(const void *arg)
{
    stage_begin(arg);
    DO(peers_new, KEY);
    for (int chunks = 0; chunks < 2; chunks++) {
        st.format = (tw_format){.size = sizeof(tw_format), .chunked = chunks == 1};
        DO(pumps, KEY);
    }
    DO(peers_free, "");
    stage_end();
}

void threads(const void *arg)
{
    stage_begin(arg);
    DO(peers_new, KEY);
    st.format = (tw_format){.size = sizeof(tw_format), .chunked = true};
    DO(pumps_by_three, KEY);
    DO(peers_free, "");
    stage_end();
}
