/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of hpke.h. */

#include <string.h>

#include "world.h"

static const uint8_t text[] = WORLD_TEXT;
static const uint8_t psk[32] = {1}, psk_id[] = {2};

static void key_and_suite(void)
{
    want_key();
    want_suite();
    w.params = (tw_hpke_params){.size = sizeof(w.params), .suite = w.suite};
}

static tw_err sender(const tw_hpke_params *params)
{
    room enc;
    tw_hpke *hpke = POISON(tw_hpke);
    tw_err err;

    room_fill(&enc);
    err = tw_hpke_sender(params, w.key->public_key, w.suite->public_len, enc.bytes, sizeof(enc),
                         &hpke);
    made(err, hpke);
    room_check(&enc, err);
    RELEASE(tw_hpke_free(hpke));
    return err;
}

static tw_err hpke_sender(void)
{
    return sender(&w.params);
}

/* All that a mode can have. */
static tw_hpke_auth auth_of(bool sending)
{
    return (tw_hpke_auth){.sender = sending ? w.identity : NULL,
                          .sender_public = sending ? NULL : w.identity->public_key,
                          .psk = psk,
                          .psk_len = sizeof(psk),
                          .psk_id = psk_id,
                          .psk_id_len = sizeof(psk_id)};
}

static tw_err hpke_sender_auth(void)
{
    const tw_hpke_auth auth = auth_of(true);
    tw_hpke_params params = w.params;

    params.auth = &auth;
    return sender(&params);
}

static tw_err receiver(const tw_hpke_params *params)
{
    tw_hpke *hpke = POISON(tw_hpke);
    tw_err err = tw_hpke_receiver(params, w.key, w.enc, w.suite->enc_len, &hpke);

    made(err, hpke);
    RELEASE(tw_hpke_free(hpke));
    return err;
}

static void encapsulated(void)
{
    want_encap();
    want_suite();
    w.params = (tw_hpke_params){.size = sizeof(w.params), .suite = w.suite};
}

static tw_err hpke_receiver(void)
{
    return receiver(&w.params);
}

static tw_err hpke_receiver_auth(void)
{
    const tw_hpke_auth auth = auth_of(false);
    tw_hpke_params params = w.params;

    params.auth = &auth;
    return receiver(&params);
}

/* What was sealed opens: an error has taken no number. */
static tw_err hpke_seal(void)
{
    room out;
    uint8_t opened[sizeof(text)];
    size_t len = SIZE_MAX, opened_len;
    tw_err err;

    room_fill(&out);
    err = tw_hpke_seal(w.sends, NULL, 0, text, sizeof(text), out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? sizeof(text) + 16 : 0, len);
    room_check(&out, err);
    if (err == TW_OK) {
        failures_pause(true);
        must_ok(
            tw_hpke_open(w.receives, NULL, 0, out.bytes, len, opened, sizeof(opened), &opened_len));
        failures_pause(false);
        must(memcmp(text, opened, sizeof(text)) == 0);
    }
    return err;
}

static void sealed(void)
{
    want_hpke();
    must_ok(
        tw_hpke_seal(w.sends, NULL, 0, text, sizeof(text), w.body, sizeof(w.body), &w.body_len));
}

static tw_err hpke_open(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_hpke_open(w.receives, NULL, 0, w.body, w.body_len, out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? sizeof(text) : 0, len);
    room_check(&out, err);
    must(err != TW_OK || memcmp(text, out.bytes, len) == 0);
    return err;
}

static tw_err hpke_export(void)
{
    room out;
    uint8_t twin[40];
    tw_err err;

    room_fill(&out);
    err = tw_hpke_export(w.sends, text, sizeof(text), out.bytes, sizeof(twin));
    room_check(&out, err);
    if (err == TW_OK) {
        failures_pause(true);
        must_ok(tw_hpke_export(w.receives, text, sizeof(text), twin, sizeof(twin)));
        failures_pause(false);
        must(memcmp(out.bytes, twin, sizeof(twin)) == 0);
    }
    return err;
}

static tw_err hpke_seq(void)
{
    uint64_t seq;
    tw_err err = tw_hpke_seq(w.receives, &seq);

    return err == TW_OK ? tw_hpke_set_seq(w.receives, seq) : err;
}

static tw_err hpke_seal_once(void)
{
    const tw_hpke_text in = {.in = text, .in_len = sizeof(text)};
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_hpke_seal_once(&w.params, w.key->public_key, w.suite->public_len, &in, out.bytes,
                            sizeof(out), &len);
    must_size(err == TW_OK ? w.suite->enc_len + sizeof(text) + 16 : 0, len);
    room_check(&out, err);
    if (err == TW_OK) {
        const tw_hpke_text sealed_text = {.in = out.bytes, .in_len = len};
        uint8_t opened[sizeof(text)];

        failures_pause(true);
        must_ok(tw_hpke_open_once(&w.params, w.key, &sealed_text, opened, sizeof(opened), &len));
        failures_pause(false);
        must(memcmp(text, opened, sizeof(text)) == 0);
    }
    return err;
}

static void sealed_once(void)
{
    const tw_hpke_text in = {.in = text, .in_len = sizeof(text)};

    key_and_suite();
    must_ok(tw_hpke_seal_once(&w.params, w.key->public_key, w.suite->public_len, &in, w.body,
                              sizeof(w.body), &w.body_len));
}

static tw_err hpke_open_once(void)
{
    const tw_hpke_text in = {.in = w.body, .in_len = w.body_len};
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_hpke_open_once(&w.params, w.key, &in, out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? sizeof(text) : 0, len);
    room_check(&out, err);
    must(err != TW_OK || memcmp(text, out.bytes, len) == 0);
    return err;
}

const operation hpke_operations[] = {
    {"tw_hpke_sender", key_and_suite, hpke_sender, NULL, SERVES},
    {"tw_hpke_sender with psk and identity", key_and_suite, hpke_sender_auth, NULL, SERVES},
    {"tw_hpke_receiver", encapsulated, hpke_receiver, NULL, SERVES},
    {"tw_hpke_receiver with psk and identity", encapsulated, hpke_receiver_auth, NULL, SERVES},
    {"tw_hpke_seal", want_hpke, hpke_seal, NULL, SERVES},
    {"tw_hpke_open", sealed, hpke_open, NULL, SERVES},
    {"tw_hpke_export", want_hpke, hpke_export, NULL, SERVES},
    {"tw_hpke_seq and tw_hpke_set_seq", want_hpke, hpke_seq, NULL, SERVES},
    {"tw_hpke_seal_once", key_and_suite, hpke_seal_once, NULL, SERVES},
    {"tw_hpke_open_once", sealed_once, hpke_open_once, NULL, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
