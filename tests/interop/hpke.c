/* SPDX-License-Identifier: Apache-2.0 */
/* HPKE for its own sake with the HPKE library below the Go package: every mode, both ways, the
 * exporter compared. Where a mode has a sender's identity, it is our key or the Go program's. */
#include "interop.h"
#include "check.h"

enum {
    BASE,
    PSK,
    AUTH,
    AUTH_PSK,
    MODES,
    TEXTS = 4,
    EXPORTS = 3,
};

typedef struct text {
    bytes aad, plain;
} text;

typedef struct session {
    bytes info, psk, psk_id;
    text texts[TEXTS];
    size_t count; /* of texts; one, when it is sealed or opened in one shot */
    bytes labels[EXPORTS];
    size_t lens[EXPORTS];
    size_t exports;
    tw_hpke_auth auth;
} session;

static bool has_psk(const plan *p)
{
    return p->mode == PSK || p->mode == AUTH_PSK;
}

static bool has_identity(const plan *p)
{
    return p->mode == AUTH || p->mode == AUTH_PSK;
}

static bool in_one_shot(const plan *p)
{
    return p->number % 2 == 1;
}

static size_t hash_len(triple suite)
{
    return suite.kdf_id == TW_KDF_HKDF_SHA256 ? 32 : suite.kdf_id == TW_KDF_HKDF_SHA384 ? 48 : 64;
}

static session session_of(const plan *p)
{
    static const size_t info_lens[] = {0, 20, 1100};
    static const size_t text_lens[TEXTS] = {0, 1, 5000, 100};
    session s = {.info = bytes_noise(info_lens[p->number % 3], 1), .count = TEXTS};

    if (has_psk(p)) {
        s.psk = bytes_noise(32 + p->number, 2);
        s.psk_id = bytes_noise(1 + p->number, 3);
        s.auth.psk = s.psk.data;
        s.auth.psk_len = s.psk.len;
        s.auth.psk_id = s.psk_id.data;
        s.auth.psk_id_len = s.psk_id.len;
    }
    for (size_t i = 0; i < TEXTS; i++) {
        s.texts[i].plain = bytes_noise(text_lens[(i + p->number) % TEXTS], (uint32_t)i);
        s.texts[i].aad = bytes_noise(i * 20, (uint32_t)i);
    }
    s.labels[0] = bytes_new(0);
    s.labels[1] = bytes_text("a label");
    s.labels[2] = bytes_noise(100, 4);
    s.lens[0] = 1;
    s.lens[1] = 32;
    s.lens[2] = 255 * hash_len(p->suite); /* the most there is, RFC 9180 section 5.3 */
    s.exports = EXPORTS;
    if (in_one_shot(p)) {
        s.count = 1;
        s.exports = 0;
    }
    return s;
}

static tw_hpke_params params_of(const plan *p, const session *s)
{
    return (tw_hpke_params){
        .size = sizeof(tw_hpke_params),
        .suite = p->built_in,
        .info = s->info.data,
        .info_len = s->info.len,
        .auth = p->mode == BASE ? NULL : &s->auth,
    };
}

static void go_exports(go *g, const session *s)
{
    go_number(g, s->exports);
    for (size_t i = 0; i < s->exports; i++) {
        go_bytes(g, s->labels[i]);
        go_number(g, s->lens[i]);
    }
}

/* Asks for what go_exports listed, and compares. */
static void must_export_alike(go *g, const session *s, const tw_hpke *hpke)
{
    for (size_t i = 0; i < s->exports; i++) {
        bytes ours = bytes_new(s->lens[i]);

        must_ok(tw_hpke_export(hpke, s->labels[i].data, s->labels[i].len, ours.data, ours.len));
        must_bytes(go_result(g), ours);
    }
}

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
    const tw_key *own = plan_key(p);
    session s = session_of(p);
    tw_hpke *hpke = NULL;

    s.auth.sender = has_identity(p) ? own : NULL;
    if (in_one_shot(p)) {
        seal_in_one_shot(p, &s, pk, &enc, sealed);
    } else {
        hpke = seal_all(p, &s, pk, enc, sealed);
    }
    go_call(&r->go, "open");
    go_number(&r->go, p->mode);
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->keys->theirs[0]);
    go_bytes(&r->go, enc);
    go_bytes(&r->go, s.info);
    go_bytes(&r->go, s.psk);
    go_bytes(&r->go, s.psk_id);
    go_bytes(&r->go, bytes_of(own->public_key, own->kem->public_len));
    go_number(&r->go, s.count);
    for (size_t i = 0; i < s.count; i++) {
        go_bytes(&r->go, s.texts[i].aad);
        go_bytes(&r->go, sealed[i]);
    }
    go_exports(&r->go, &s);
    go_ask(&r->go);
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

static void go_seals(run *r, const plan *p, const session *s)
{
    const tw_key *own = plan_key(p);

    go_call(&r->go, "seal");
    go_number(&r->go, p->mode);
    go_suite(&r->go, p->suite);
    go_bytes(&r->go, bytes_of(own->public_key, own->kem->public_len));
    go_bytes(&r->go, s->info);
    go_bytes(&r->go, s->psk);
    go_bytes(&r->go, s->psk_id);
    go_number(&r->go, p->keys->theirs[1]);
    go_number(&r->go, s->count);
    for (size_t i = 0; i < s->count; i++) {
        go_bytes(&r->go, s->texts[i].aad);
        go_bytes(&r->go, s->texts[i].plain);
    }
    go_exports(&r->go, s);
    go_ask(&r->go);
}

static void go_seals_we_open(run *r, const plan *p)
{
    session s = session_of(p);
    bytes enc, sealed[TEXTS];

    s.auth.sender_public = has_identity(p) ? p->keys->theirs_public[1].data : NULL;
    go_seals(r, p, &s);
    enc = go_result(&r->go);
    for (size_t i = 0; i < s.count; i++) {
        sealed[i] = go_result(&r->go);
    }
    if (in_one_shot(p)) {
        open_in_one_shot(p, &s, enc, sealed[0]);
    } else {
        tw_hpke *hpke = open_all(p, &s, enc, sealed);

        must_export_alike(&r->go, &s, hpke);
        tw_hpke_free(hpke);
    }
}

void hpke_all(run *r, const plan *p)
{
    plan own = *p;

    for (own.mode = BASE; own.mode < MODES; own.mode++) {
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
