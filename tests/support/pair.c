/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include "check.h"

const char *mode_name(mode m)
{
    static const char *const names[MODES] = {"base", "psk", "auth", "auth_psk"};

    return names[m];
}

bool mode_has_psk(mode m)
{
    return m == MODE_PSK || m == MODE_AUTH_PSK;
}

bool mode_has_sender(mode m)
{
    return m == MODE_AUTH || m == MODE_AUTH_PSK;
}

void pair_start_with(pair *p, mode m, const tw_suite *suite, const tw_key *receiver,
                     const tw_key *identity)
{
    *p = (pair){.suite = suite, .receiver = receiver, .identity = identity};
    check_note("in mode %s with %s", mode_name(m), tw_kem_name(suite->kem_id));
    p->info = bytes_text("tests of every mode");
    if (mode_has_psk(m)) {
        p->psk = bytes_noise(32, 1);
        p->psk_id = bytes_text("the elder key");
    }
    p->sending = (tw_hpke_auth){.psk = p->psk.data,
                                .psk_len = p->psk.len,
                                .psk_id = p->psk_id.data,
                                .psk_id_len = p->psk_id.len};
    p->receiving = p->sending;
    if (mode_has_sender(m)) {
        p->sending.sender = identity;
        p->receiving.sender_public = identity->public_key;
    }
    p->sender = (tw_hpke_params){.size = sizeof(tw_hpke_params),
                                 .suite = suite,
                                 .info = p->info.data,
                                 .info_len = p->info.len};
    p->opener = p->sender;
    if (m != MODE_BASE) {
        p->sender.auth = &p->sending;
        p->opener.auth = &p->receiving;
    }
    p->enc = bytes_new(suite->enc_len);
}

void pair_start(pair *p, triple t, mode m)
{
    tw_suite *suite = NULL;
    tw_key *receiver = NULL, *identity = NULL;

    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &suite));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &receiver));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &identity));
    pair_start_with(p, m, suite, receiver, identity);
    p->own_suite = suite;
    p->own_receiver = receiver;
    p->own_identity = identity;
}

static void disconnect(pair *p)
{
    tw_hpke_free(p->seals);
    tw_hpke_free(p->opens);
    p->seals = p->opens = NULL;
}

void pair_end(pair *p)
{
    disconnect(p);
    tw_key_free(p->own_receiver);
    tw_key_free(p->own_identity);
    tw_suite_free(p->own_suite);
    *p = (pair){0};
}

tw_err pair_send(pair *p)
{
    tw_err err;

    tw_hpke_free(p->seals);
    p->seals = (tw_hpke *)&p->seals;
    err = tw_hpke_sender(&p->sender, p->receiver->public_key, p->receiver->kem->public_len,
                         p->enc.data, p->enc.len, &p->seals);
    must((err == TW_OK) == (p->seals != NULL));
    return err;
}

tw_err pair_receive(pair *p)
{
    tw_err err;

    tw_hpke_free(p->opens);
    p->opens = (tw_hpke *)&p->opens;
    err = tw_hpke_receiver(&p->opener, p->receiver, p->enc.data, p->enc.len, &p->opens);
    must((err == TW_OK) == (p->opens != NULL));
    return err;
}

void pair_connect(pair *p)
{
    must_ok(pair_send(p));
    must_ok(pair_receive(p));
}

bytes pair_seal(pair *p, bytes plain)
{
    bytes sealed = bytes_new(plain.len + tw_hpke_tag_len(p->seals));
    size_t len = 0;

    must_ok(tw_hpke_seal(p->seals, NULL, 0, plain.data, plain.len, sealed.data, sealed.len, &len));
    must_size(sealed.len, len);
    return sealed;
}

tw_err pair_open(pair *p, bytes sealed, bytes *plain)
{
    size_t len = SIZE_MAX, tag_len = tw_hpke_tag_len(p->opens);
    bytes out = bytes_new(sealed.len < tag_len ? 0 : sealed.len - tag_len);
    tw_err err = tw_hpke_open(p->opens, NULL, 0, sealed.data, sealed.len, out.data, out.len, &len);

    must_size(err == TW_OK ? out.len : 0, len);
    if (err != TW_OK) {
        must_bytes(bytes_new(out.len), out); /* wiped */
    }
    *plain = bytes_part(out, 0, len);
    return err;
}

static bytes exported(const tw_hpke *hpke)
{
    bytes out = bytes_new(40);

    must_ok(tw_hpke_export(hpke, (const uint8_t *)"context", 7, out.data, out.len));
    return out;
}

void must_pass(pair *p)
{
    bytes plain = bytes_noise(100, 3), opened;

    if (p->suite->aead_id != TW_AEAD_EXPORT_ONLY) {
        must_ok(pair_open(p, pair_seal(p, plain), &opened));
        must_bytes(plain, opened);
    }
    must_bytes(exported(p->seals), exported(p->opens));
}

void must_refuse(pair *p)
{
    bytes opened;

    if (p->suite->aead_id != TW_AEAD_EXPORT_ONLY) {
        must_err(TW_ERR_AUTH, pair_open(p, pair_seal(p, bytes_noise(100, 3)), &opened));
    }
    must(!bytes_equal(exported(p->seals), exported(p->opens)));
}
