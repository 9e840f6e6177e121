/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9180's own vectors once more, through hpke.h alone: what its users can reach. */
#include <criterion/criterion.h>
#include <stdio.h>

#include <twoway/hpke.h>
#include <twoway/twoway.h>

#include "check.h"
#include "rng.h"
#include "vectors.h"

enum { BASE, PSK, AUTH, AUTH_PSK };

typedef struct setting {
    const json_t *v;
    tw_suite *suite;
    tw_key *receiver, *identity; /* identity is NULL without auth */
    tw_hpke_auth sending, receiving;
    tw_hpke_params params; /* the receiver's */
    tw_hpke *seals, *opens;
} setting;

static tw_key *private_key(const json_t *v, const char *member)
{
    bytes private = vector_bytes(v, member);
    tw_key *key = NULL;

    must_ok(tw_key_from_private(vector_id(v, "kem_id"), private.data, private.len, NULL, &key));
    return key;
}

static void set_up_keys(setting *s)
{
    bytes psk = vector_bytes_or_none(s->v, "psk"), psk_id = vector_bytes_or_none(s->v, "psk_id");

    must_ok(tw_suite_new(vector_id(s->v, "kem_id"), vector_id(s->v, "kdf_id"),
                         vector_id(s->v, "aead_id"), NULL, &s->suite));
    s->receiver = private_key(s->v, "skRm");
    s->sending = (tw_hpke_auth){
        .psk = psk.data, .psk_len = psk.len, .psk_id = psk_id.data, .psk_id_len = psk_id.len};
    s->receiving = s->sending;
    if (json_object_get(s->v, "skSm") != NULL) {
        s->identity = private_key(s->v, "skSm");
        s->sending.sender = s->identity;
        s->receiving.sender_public = vector_bytes(s->v, "pkSm").data;
    }
}

static tw_hpke_params sender_params(const setting *s, const tw_rng *rng)
{
    tw_hpke_params params = s->params;

    params.auth = &s->sending;
    params.rng = rng;
    return params;
}

static void start(setting *s, const json_t *v)
{
    bytes info = vector_bytes(v, "info"), pk = vector_bytes(v, "pkRm");
    bytes want = vector_bytes(v, "enc"), enc = bytes_new(want.len);
    script random;
    tw_rng rng = script_start(&random, vector_bytes(v, "ikmE"));
    tw_hpke_params sending;

    *s = (setting){.v = v};
    set_up_keys(s);
    s->params = (tw_hpke_params){.size = sizeof(tw_hpke_params),
                                 .suite = s->suite,
                                 .info = info.data,
                                 .info_len = info.len,
                                 .auth = &s->receiving};
    sending = sender_params(s, &rng);
    must_ok(tw_hpke_sender(&sending, pk.data, pk.len, enc.data, enc.len, &s->seals));
    must_bytes(want, enc);
    must(script_all_used(&random));
    must_ok(tw_hpke_receiver(&s->params, s->receiver, enc.data, enc.len, &s->opens));
}

static void end(setting *s)
{
    tw_hpke_free(s->seals);
    tw_hpke_free(s->opens);
    tw_key_free(s->receiver);
    tw_key_free(s->identity);
    tw_suite_free(s->suite);
}

static void must_export(const setting *s, const tw_hpke *hpke)
{
    json_t *list = vector_list(s->v, "exports"), *e;
    size_t i;

    must_size(3, json_array_size(list));
    json_array_foreach(list, i, e)
    {
        bytes context = vector_bytes(e, "exporter_context"), got = bytes_new(vector_size(e, "L"));

        must_ok(tw_hpke_export(hpke, context.data, context.len, got.data, got.len));
        must_bytes(vector_bytes(e, "exported_value"), got);
    }
}

/* The sender can reach a number only by sealing on. */
static void seal_until(tw_hpke *seals, uint64_t seq)
{
    uint8_t sealed[16];
    uint64_t now = 0;
    size_t len;

    must_ok(tw_hpke_seq(seals, &now));
    for (; now < seq; now++) {
        must_ok(tw_hpke_seal(seals, NULL, 0, NULL, 0, sealed, sizeof(sealed), &len));
    }
    must_ok(tw_hpke_seq(seals, &now));
    must(now == seq);
}

static void must_seal(const setting *s)
{
    json_t *list = vector_list(s->v, "encryptions"), *e;
    size_t i, len = 0;

    must_size(6, json_array_size(list));
    json_array_foreach(list, i, e)
    {
        bytes aad = vector_bytes(e, "aad"), pt = vector_bytes(e, "pt"), ct = vector_bytes(e, "ct");
        bytes sealed = bytes_new(ct.len);

        seal_until(s->seals, vector_size(e, "seq"));
        must_ok(tw_hpke_seal(s->seals, aad.data, aad.len, pt.data, pt.len, sealed.data, sealed.len,
                             &len));
        must_bytes(ct, sealed);
    }
}

/* From the last to the first, each by its number. */
static void must_open(const setting *s)
{
    json_t *list = vector_list(s->v, "encryptions");
    size_t len = 0;

    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *e = json_array_get(list, i);
        bytes aad = vector_bytes(e, "aad"), pt = vector_bytes(e, "pt"), ct = vector_bytes(e, "ct");
        bytes opened = bytes_new(pt.len);

        must_ok(tw_hpke_set_seq(s->opens, vector_size(e, "seq")));
        must_ok(tw_hpke_open(s->opens, aad.data, aad.len, ct.data, ct.len, opened.data, opened.len,
                             &len));
        must_bytes(pt, opened);
    }
}

/* The first encryption of each vector is one whole message, section 6.1. */
static void must_pass_once(const setting *s)
{
    const json_t *e = json_array_get(vector_list(s->v, "encryptions"), 0);
    bytes aad = vector_bytes(e, "aad"), pt = vector_bytes(e, "pt"), pk = vector_bytes(s->v, "pkRm");
    bytes want = bytes_cat(vector_bytes(s->v, "enc"), vector_bytes(e, "ct"));
    bytes sealed = bytes_new(want.len), opened = bytes_new(pt.len);
    tw_hpke_text text = {.aad = aad.data, .aad_len = aad.len, .in = pt.data, .in_len = pt.len};
    script random;
    tw_rng rng = script_start(&random, vector_bytes(s->v, "ikmE"));
    tw_hpke_params sending = sender_params(s, &rng);
    size_t len = 0;

    must_size(0, vector_size(e, "seq"));
    must_ok(tw_hpke_seal_once(&sending, pk.data, pk.len, &text, sealed.data, sealed.len, &len));
    must_size(want.len, len);
    must_bytes(want, sealed);
    text.in = sealed.data;
    text.in_len = sealed.len;
    must_ok(tw_hpke_open_once(&s->params, s->receiver, &text, opened.data, opened.len, &len));
    must_bytes(pt, opened);
}

Test(modes, both_ends_follow_every_vector)
{
    json_t *root = vectors_load("rfc9180-trimmed.json"), *v;
    size_t i, of_mode[4] = {0};

    json_array_foreach(root, i, v)
    {
        size_t mode = vector_size(v, "mode"), mark = bytes_mark();
        setting s;

        must(mode <= AUTH_PSK);
        check_note("in vector %zu: KEM %04x, mode %zu", i, vector_id(v, "kem_id"), mode);
        start(&s, v);
        must_export(&s, s.seals);
        must_export(&s, s.opens);
        if (s.suite->aead_id != TW_AEAD_EXPORT_ONLY) {
            must_seal(&s);
            must_open(&s);
            must_pass_once(&s);
        }
        end(&s);
        bytes_release(mark);
        of_mode[mode]++;
    }
    for (size_t mode = BASE; mode <= AUTH_PSK; mode++) {
        must_size(32, of_mode[mode]);
    }
    printf("%zu vectors of RFC 9180, in four modes through hpke.h, both ends\n", i);
    json_decref(root);
}
