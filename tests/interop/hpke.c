/* SPDX-License-Identifier: Apache-2.0 */
/* HPKE for its own sake with the HPKE library below the Go package: every mode, both ways, the
 * exporter compared. Where a mode has a sender's identity, it is our key or the Go program's. */
#include "session.h"
#include "check.h"

/* --- We seal, the Go library opens. -------------------------------------------------------------
 */

static tw_hpke *seal_all(const plan *p, const session *s, bytes pk, bytes enc, bytes *sealed)
{
    tw_hpke_params params = params_of(p, s);
    tw_hpke *hpke = NULL;
    uint64_t seq = 0;

    must_ok(tw_hpke_sender(&params, pk.data, pk.len, enc.data, enc.len, &hpke));
    for (size_t i = 0; i < s->count; i++) {
        const text *t = &s->texts[i];
        size_t len = 0;

        sealed[i] = bytes_new(t->plain.len + tw_hpke_tag_len(hpke));
        must_ok(tw_hpke_seal(hpke, t->aad.data, t->aad.len, t->plain.data, t->plain.len,
                             sealed[i].data, sealed[i].len, &len));
        must_size(sealed[i].len, len);
    }
    must_ok(tw_hpke_seq(hpke, &seq));
    must_size(s->count, (size_t)seq);
    return hpke;
}

static void seal_in_one_shot(const plan *p, const session *s, bytes pk, bytes *enc, bytes *sealed)
{
    tw_hpke_params params = params_of(p, s);
    const text *t = &s->texts[0];
    tw_hpke_text what = {t->aad.data, t->aad.len, t->plain.data, t->plain.len};
    bytes all = bytes_new(enc->len + t->plain.len + p->built_in->tag_len);
    size_t len = 0;

    must_ok(tw_hpke_seal_once(&params, pk.data, pk.len, &what, all.data, all.len, &len));
    must_size(all.len, len);
    *sealed = bytes_from(all, enc->len);
    *enc = bytes_part(all, 0, enc->len);
}

static void we_seal_go_opens(run *r, const plan *p)
{
    bytes pk = p->keys->theirs_public[0], enc = bytes_new(p->built_in->enc_len), sealed[TEXTS];
    session s = session_of(p);
    tw_hpke *hpke = NULL;

    s.auth.sender = has_identity(p) ? plan_key(p) : NULL;
    if (in_one_shot(p)) {
        seal_in_one_shot(p, &s, pk, &enc, sealed);
    } else {
        hpke = seal_all(p, &s, pk, enc, sealed);
    }
    if (!go_opens(r, p, &s, own_public(p), enc, sealed)) {
        check_failed(__FILE__, __LINE__, r->go.error);
    }
    for (size_t i = 0; i < s.count; i++) {
        must_bytes(s.texts[i].plain, go_result(&r->go));
    }
    must_export_alike(&r->go, &s, hpke);
    tw_hpke_free(hpke);
}

/* --- The Go library seals, we open. -------------------------------------------------------------
 */

static tw_hpke *open_all(const plan *p, const session *s, bytes enc, const bytes *sealed)
{
    tw_hpke_params params = params_of(p, s);
    tw_hpke *hpke = NULL;

    must_ok(tw_hpke_receiver(&params, plan_key(p), enc.data, enc.len, &hpke));
    for (size_t i = 0; i < s->count; i++) {
        const text *t = &s->texts[i];
        bytes plain = bytes_new(sealed[i].len - tw_hpke_tag_len(hpke));
        size_t len = 0;

        must_ok(tw_hpke_open(hpke, t->aad.data, t->aad.len, sealed[i].data, sealed[i].len,
                             plain.data, plain.len, &len));
        must_bytes(t->plain, bytes_part(plain, 0, len));
    }
    return hpke;
}

static void open_in_one_shot(const plan *p, const session *s, bytes enc, bytes sealed)
{
    tw_hpke_params params = params_of(p, s);
    const text *t = &s->texts[0];
    bytes all = bytes_cat(enc, sealed), plain = bytes_new(t->plain.len);
    tw_hpke_text what = {t->aad.data, t->aad.len, all.data, all.len};
    size_t len = 0;

    must_ok(tw_hpke_open_once(&params, plan_key(p), &what, plain.data, plain.len, &len));
    must_bytes(t->plain, bytes_part(plain, 0, len));
}

static void go_seals_we_open(run *r, const plan *p)
{
    session s = session_of(p);
    bytes enc, sealed[TEXTS];

    s.auth.sender_public = has_identity(p) ? p->keys->theirs_public[1].data : NULL;
    go_seals(r, p, &s, &enc, sealed);
    if (in_one_shot(p)) {
        open_in_one_shot(p, &s, enc, sealed[0]);
    } else {
        tw_hpke *hpke = open_all(p, &s, enc, sealed);

        must_export_alike(&r->go, &s, hpke);
        tw_hpke_free(hpke);
    }
}

/* --- What differs between the two ends is refused. ----------------------------------------------
 */

enum {
    OTHER_INFO,
    OTHER_PSK,
    OTHER_PSK_ID,
    OTHER_SENDER,
    OTHERS,
};

/* What a receiver has been told that was told something else than the sender. */
static session other_session(const plan *p)
{
    session s = session_of(p);

    switch (p->number) {
    case OTHER_INFO:
        s.info = bytes_cat(s.info, bytes_new(1));
        break;
    case OTHER_PSK:
        s.psk = bytes_noise(s.psk.len, 5);
        break;
    case OTHER_PSK_ID:
        s.psk_id = bytes_cat(s.psk_id, bytes_new(1));
        break;
    default:
        break;
    }
    s.auth.psk = s.psk.data;
    s.auth.psk_id = s.psk_id.data;
    s.auth.psk_id_len = s.psk_id.len;
    return s;
}

static void other_at_go(run *r, const plan *p)
{
    bytes enc = bytes_new(p->built_in->enc_len), sealed[TEXTS];
    session s = session_of(p), other = other_session(p);
    bytes sender = p->number == OTHER_SENDER ? p->keys->theirs_public[1] : own_public(p);

    check_note("Go has been told something else: %zu", p->number);
    s.auth.sender = plan_key(p);
    tw_hpke_free(seal_all(p, &s, p->keys->theirs_public[0], enc, sealed));
    must(!go_opens(r, p, &other, sender, enc, sealed));
    must(go_opens(r, p, &s, own_public(p), enc, sealed));
}

static void other_at_ours(run *r, const plan *p)
{
    session s = session_of(p), other = other_session(p);
    tw_hpke_params params = params_of(p, &other);
    bytes enc, sealed[TEXTS], out;
    tw_hpke *hpke = NULL;
    size_t len = 0;

    check_note("we have been told something else: %zu", p->number);
    other.auth.sender_public = p->keys->theirs_public[p->number == OTHER_SENDER ? 0 : 1].data;
    go_seals(r, p, &s, &enc, sealed);
    must_ok(tw_hpke_receiver(&params, plan_key(p), enc.data, enc.len, &hpke));
    out = bytes_new(sealed[0].len);
    must_err(TW_ERR_AUTH, tw_hpke_open(hpke, s.texts[0].aad.data, s.texts[0].aad.len,
                                       sealed[0].data, sealed[0].len, out.data, out.len, &len));
    tw_hpke_free(hpke);
}

/* --- All of it. ------------------------------------------------------------------------------- */

static void each_mode(run *r, plan own)
{
    for (own.mode = BASE; own.mode <= AUTH_PSK; own.mode++) {
        for (own.number = 0; own.number < 6; own.number++) {
            own.by_token = false;
            attempt(r, GO_HPKE + (column)own.mode, go_seals_we_open, &own, 1);
            attempt(r, WE_HPKE + (column)own.mode, we_seal_go_opens, &own, 1);
            own.by_token = own.keys->token != NULL && own.number < 2;
            if (own.by_token) {
                attempt(r, GO_HPKE_TOKEN, go_seals_we_open, &own, 1);
            }
            if (own.by_token && has_identity(&own)) {
                attempt(r, WE_HPKE_TOKEN, we_seal_go_opens, &own, 1);
            }
        }
    }
}

static void standard_library(run *r, plan own)
{
    own.mode = STANDARD;
    for (own.number = 0; own.number < 3; own.number++) {
        attempt(r, GO_HPKE_STANDARD, go_seals_we_open, &own, 1);
        attempt(r, WE_HPKE_STANDARD, we_seal_go_opens, &own, 1);
    }
}

/* An export-only suite, which the other library does not have. */
static void export_only(run *r, plan own)
{
    tw_suite *suite = NULL;

    own.suite.aead_id = TW_AEAD_EXPORT_ONLY;
    must_ok(tw_suite_new(own.suite.kem_id, own.suite.kdf_id, own.suite.aead_id, NULL, &suite));
    own.built_in = suite;
    standard_library(r, own);
    tw_suite_free(suite);
}

void hpke_all(run *r, const plan *p)
{
    plan own = *p;

    each_mode(r, own);
    if (r->standard && p->suite.kem_id != TW_KEM_X448_HKDF_SHA512) { /* which it has not */
        standard_library(r, own);
        export_only(r, own);
    }
    own.mode = AUTH_PSK;
    for (own.number = 0; own.number < OTHERS; own.number++) {
        attempt(r, ODDITIES, other_at_go, &own, 1);
        attempt(r, ODDITIES, other_at_ours, &own, 1);
    }
}
