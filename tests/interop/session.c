/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"
#include "check.h"

bool is_export_only(const plan *p)
{
    return p->suite.aead_id == TW_AEAD_EXPORT_ONLY;
}

bool has_psk(const plan *p)
{
    return p->mode == PSK || p->mode == AUTH_PSK;
}

bool has_identity(const plan *p)
{
    return p->mode == AUTH || p->mode == AUTH_PSK;
}

bool in_one_shot(const plan *p)
{
    return p->number % 2 == 1 && !is_export_only(p);
}

static size_t hash_len(triple suite)
{
    return suite.kdf_id == TW_KDF_HKDF_SHA256 ? 32 : suite.kdf_id == TW_KDF_HKDF_SHA384 ? 48 : 64;
}

session session_of(const plan *p)
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
    if (is_export_only(p)) {
        s.count = 0;
    }
    return s;
}

bytes own_public(const plan *p)
{
    const tw_key *own = plan_key(p);

    return bytes_of(own->public_key, own->kem->public_len);
}

tw_hpke_params params_of(const plan *p, const session *s)
{
    return (tw_hpke_params){
        .size = sizeof(tw_hpke_params),
        .suite = p->built_in,
        .info = s->info.data,
        .info_len = s->info.len,
        .auth = has_psk(p) || has_identity(p) ? &s->auth : NULL,
    };
}

/* The Go program's side: its key, and the other side's public one. */
static void go_session(go *g, const plan *p, const session *s, size_t key, bytes peer)
{
    go_number(g, p->mode);
    go_suite(g, p->suite);
    go_number(g, key);
    go_bytes(g, peer);
    go_bytes(g, s->info);
    go_bytes(g, s->psk);
    go_bytes(g, s->psk_id);
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
void must_export_alike(go *g, const session *s, const tw_hpke *hpke)
{
    for (size_t i = 0; i < s->exports; i++) {
        bytes ours = bytes_new(s->lens[i]);

        must_ok(tw_hpke_export(hpke, s->labels[i].data, s->labels[i].len, ours.data, ours.len));
        must_bytes(go_result(g), ours);
    }
}

bool go_opens(run *r, const plan *p, const session *s, bytes sender, bytes enc, const bytes *sealed)
{
    go_call(&r->go, "open");
    go_session(&r->go, p, s, p->keys->theirs[0], sender);
    go_bytes(&r->go, enc);
    go_number(&r->go, s->count);
    for (size_t i = 0; i < s->count; i++) {
        go_bytes(&r->go, s->texts[i].aad);
        go_bytes(&r->go, sealed[i]);
    }
    go_exports(&r->go, s);
    return go_asked(&r->go);
}

void go_seals(run *r, const plan *p, const session *s, bytes *enc, bytes *sealed)
{
    go_call(&r->go, "seal");
    go_session(&r->go, p, s, p->keys->theirs[1], own_public(p));
    go_number(&r->go, s->count);
    for (size_t i = 0; i < s->count; i++) {
        go_bytes(&r->go, s->texts[i].aad);
        go_bytes(&r->go, s->texts[i].plain);
    }
    go_exports(&r->go, s);
    go_ask(&r->go);
    *enc = go_result(&r->go);
    for (size_t i = 0; i < s->count; i++) {
        sealed[i] = go_result(&r->go);
    }
}
