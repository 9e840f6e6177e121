/* SPDX-License-Identifier: Apache-2.0 */
#include <twoway/hpke.h>

#include <openssl/crypto.h>

#include "hpke/hpke.h"

/* The public face of a context: who may do what, and with how much room. */
struct tw_hpke {
    tw_hpke_ctx *ctx;
    size_t tag_len;
    bool sending;
};

/* An auth that says nothing is base mode. One that holds the other side's half of
 * an identity is a mistake that would silently lose the authentication. */
static tw_err params_read(const tw_hpke_params *params, bool sending, tw_hpke_params *out)
{
    const tw_hpke_auth *auth;

    if (params == NULL || !TW_HAS(tw_hpke_params, params, auth) ||
        tw_suite_usable(params->suite) != TW_OK || (params->info == NULL && params->info_len > 0)) {
        return TW_ERR_INVALID;
    }
    *out = (tw_hpke_params){
        .suite = params->suite,
        .info = params->info,
        .info_len = params->info_len,
        .auth = params->auth,
        .rng = TW_HAS(tw_hpke_params, params, rng) ? params->rng : NULL,
    };
    auth = out->auth;
    if (auth == NULL) {
        return TW_OK;
    }
    if (sending ? auth->sender_public != NULL : auth->sender != NULL) {
        return TW_ERR_INVALID;
    }
    if (auth->sender == NULL && auth->sender_public == NULL && auth->psk == NULL &&
        auth->psk_id == NULL && auth->psk_len == 0 && auth->psk_id_len == 0) {
        out->auth = NULL;
    }
    return TW_OK;
}

/* Whether an output would be written over what a context is set up with. */
static bool params_overlap(const tw_hpke_params *params, const uint8_t *out, size_t out_len)
{
    const tw_hpke_auth *auth = params->auth;

    if (tw_overlap(params->info, params->info_len, out, out_len)) {
        return true;
    }
    return auth != NULL &&
           (tw_overlap(auth->psk, auth->psk_len, out, out_len) ||
            tw_overlap(auth->psk_id, auth->psk_id_len, out, out_len) ||
            tw_overlap(auth->sender_public, params->suite->public_len, out, out_len));
}

static bool text_overlaps(const tw_hpke_text *text, const uint8_t *out, size_t out_len)
{
    return tw_overlap(text->aad, text->aad_len, out, out_len) ||
           tw_overlap(text->in, text->in_len, out, out_len);
}

/* Asked before a private key is used, or a fresh one made. */
static tw_err text_fits(const tw_hpke_text *text, const tw_suite *suite)
{
    if (text == NULL || (text->aad == NULL && text->aad_len > 0) ||
        (text->in == NULL && text->in_len > 0)) {
        return TW_ERR_INVALID;
    }
    return suite->tag_len == 0 ? TW_ERR_STATE : TW_OK;
}

static tw_err wrap(const tw_suite *suite, bool sending, tw_hpke_ctx *ctx, tw_hpke **out)
{
    tw_hpke *self;
    tw_err err = tw_ctx_take(ctx);

    if (err != TW_OK) {
        return err;
    }
    self = OPENSSL_zalloc(sizeof(*self));
    if (self == NULL) {
        tw_ctx_free(ctx);
        return TW_ERR_MEMORY;
    }
    self->ctx = ctx;
    self->tag_len = suite->tag_len;
    self->sending = sending;
    *out = self;
    return TW_OK;
}

tw_err tw_hpke_sender(const tw_hpke_params *params, const uint8_t *pk, size_t pk_len, uint8_t *enc,
                      size_t enc_cap, tw_hpke **out)
{
    tw_hpke_params read;
    tw_hpke_ctx *ctx = NULL;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (params_read(params, true, &read) != TW_OK || pk == NULL) {
        return TW_ERR_INVALID;
    }
    if (enc == NULL || enc_cap < read.suite->enc_len) {
        return TW_ERR_SPACE;
    }
    if (pk_len != read.suite->public_len) {
        return TW_ERR_KEY;
    }
    if (tw_overlap(pk, pk_len, enc, read.suite->enc_len) ||
        params_overlap(&read, enc, read.suite->enc_len)) {
        return TW_ERR_INVALID;
    }
    err = tw_backend_err(read.suite->setup_sender(read.suite, read.rng, pk, read.info,
                                                  read.info_len, read.auth, enc, &ctx));
    if (err == TW_OK) {
        err = wrap(read.suite, true, ctx, out);
    }
    if (err != TW_OK) {
        tw_wipe(enc, read.suite->enc_len);
    }
    return err;
}

tw_err tw_hpke_receiver(const tw_hpke_params *params, const tw_key *key, const uint8_t *enc,
                        size_t enc_len, tw_hpke **out)
{
    tw_hpke_params read;
    tw_hpke_ctx *ctx = NULL;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (params_read(params, false, &read) != TW_OK || tw_key_usable(key) != TW_OK ||
        (enc == NULL && enc_len > 0)) {
        return TW_ERR_INVALID;
    }
    if (enc_len != read.suite->enc_len) {
        return enc_len < read.suite->enc_len ? TW_ERR_TRUNCATED : TW_ERR_INVALID;
    }
    err = tw_backend_err(read.suite->setup_receiver(read.suite, key, enc, read.info, read.info_len,
                                                    read.auth, &ctx));
    return err == TW_OK ? wrap(read.suite, false, ctx, out) : err;
}

void tw_hpke_free(tw_hpke *hpke)
{
    if (hpke != NULL) {
        tw_ctx_free(hpke->ctx);
        OPENSSL_free(hpke);
    }
}

size_t tw_hpke_tag_len(const tw_hpke *hpke)
{
    return hpke == NULL ? 0 : hpke->tag_len;
}

/* What seal and open check alike; `need` is the output's length. */
static tw_err call(const tw_hpke *hpke, bool sending, const tw_hpke_text *text, const uint8_t *out,
                   size_t out_cap, size_t need, size_t *out_len)
{
    if ((text->aad == NULL && text->aad_len > 0) || (text->in == NULL && text->in_len > 0)) {
        return TW_ERR_INVALID;
    }
    if (hpke->sending != sending || hpke->tag_len == 0) {
        return TW_ERR_STATE;
    }
    if (out_cap < need) {
        *out_len = need;
        return TW_ERR_SPACE;
    }
    if ((out == NULL && need > 0) || text_overlaps(text, out, need)) {
        return TW_ERR_INVALID;
    }
    return TW_OK;
}

tw_err tw_hpke_seal(tw_hpke *hpke, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out, size_t out_cap, size_t *out_len)
{
    const tw_hpke_text text = {aad, aad_len, in, in_len};
    size_t need;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (hpke == NULL) {
        return TW_ERR_INVALID;
    }
    need = tw_add(in_len, hpke->tag_len);
    err = call(hpke, true, &text, out, out_cap, need, out_len);
    if (err != TW_OK) {
        return err;
    }
    err = tw_backend_err(hpke->ctx->ops->seal(hpke->ctx, aad, aad_len, in, in_len, out));
    if (err != TW_OK) {
        tw_wipe(out, need);
        return err;
    }
    *out_len = need;
    return TW_OK;
}

tw_err tw_hpke_open(tw_hpke *hpke, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out, size_t out_cap, size_t *out_len)
{
    const tw_hpke_text text = {aad, aad_len, in, in_len};
    size_t need;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (hpke == NULL) {
        return TW_ERR_INVALID;
    }
    need = in_len < hpke->tag_len ? 0 : in_len - hpke->tag_len;
    err = call(hpke, false, &text, out, out_cap, need, out_len);
    if (err != TW_OK) {
        return err;
    }
    if (in_len < hpke->tag_len) {
        return TW_ERR_AUTH;
    }
    err = tw_backend_err(hpke->ctx->ops->open(hpke->ctx, aad, aad_len, in, in_len, out));
    if (err != TW_OK) {
        tw_wipe(out, need);
        return err;
    }
    *out_len = need;
    return TW_OK;
}

tw_err tw_hpke_export(const tw_hpke *hpke, const uint8_t *context, size_t context_len, uint8_t *out,
                      size_t out_len)
{
    if (hpke == NULL || (context == NULL && context_len > 0) || (out == NULL && out_len > 0) ||
        tw_overlap(context, context_len, out, out_len)) {
        return TW_ERR_INVALID;
    }
    return tw_backend_err(
        hpke->ctx->ops->export_secret(hpke->ctx, context, context_len, out, out_len));
}

tw_err tw_hpke_seq(const tw_hpke *hpke, uint64_t *out)
{
    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = 0;
    if (hpke == NULL || !TW_HAS(tw_hpke_ops, hpke->ctx->ops, seq) || hpke->ctx->ops->seq == NULL) {
        return TW_ERR_INVALID;
    }
    *out = hpke->ctx->ops->seq(hpke->ctx);
    return TW_OK;
}

tw_err tw_hpke_set_seq(tw_hpke *hpke, uint64_t seq)
{
    if (hpke == NULL || !TW_HAS(tw_hpke_ops, hpke->ctx->ops, set_seq) ||
        hpke->ctx->ops->set_seq == NULL) {
        return TW_ERR_INVALID;
    }
    if (hpke->sending) {
        return TW_ERR_STATE;
    }
    return tw_backend_err(hpke->ctx->ops->set_seq(hpke->ctx, seq));
}

tw_err tw_hpke_seal_once(const tw_hpke_params *params, const uint8_t *pk, size_t pk_len,
                         const tw_hpke_text *text, uint8_t *out, size_t out_cap, size_t *out_len)
{
    tw_hpke_params read;
    const tw_suite *suite;
    tw_hpke *hpke = NULL;
    size_t need;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (params_read(params, true, &read) != TW_OK) {
        return TW_ERR_INVALID;
    }
    suite = read.suite;
    err = text_fits(text, suite);
    if (err != TW_OK) {
        return err;
    }
    need = tw_add(text->in_len, suite->enc_len + suite->tag_len);
    if (out == NULL || out_cap < need) {
        *out_len = need;
        return TW_ERR_SPACE;
    }
    if (text_overlaps(text, out, need) || params_overlap(&read, out, need) ||
        tw_overlap(pk, pk_len, out, need)) {
        return TW_ERR_INVALID;
    }
    err = tw_hpke_sender(params, pk, pk_len, out, suite->enc_len, &hpke);
    if (err == TW_OK) {
        err = tw_hpke_seal(hpke, text->aad, text->aad_len, text->in, text->in_len,
                           out + suite->enc_len, out_cap - suite->enc_len, out_len);
    }
    tw_hpke_free(hpke);
    if (err == TW_OK) {
        *out_len += suite->enc_len;
    } else {
        tw_wipe(out, need);
    }
    return err;
}

tw_err tw_hpke_open_once(const tw_hpke_params *params, const tw_key *key, const tw_hpke_text *text,
                         uint8_t *out, size_t out_cap, size_t *out_len)
{
    tw_hpke_params read;
    size_t enc_len, spent, need;
    tw_hpke *hpke = NULL;
    tw_err err;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (params_read(params, false, &read) != TW_OK) {
        return TW_ERR_INVALID;
    }
    err = text_fits(text, read.suite);
    if (err != TW_OK) {
        return err;
    }
    enc_len = read.suite->enc_len;
    if (text->in_len < enc_len) {
        return TW_ERR_TRUNCATED;
    }
    spent = enc_len + read.suite->tag_len;
    need = text->in_len < spent ? 0 : text->in_len - spent;
    if (out_cap < need) { /* before a private-key operation is spent */
        *out_len = need;
        return TW_ERR_SPACE;
    }
    if ((out == NULL && need > 0) || text_overlaps(text, out, need) ||
        params_overlap(&read, out, need)) {
        return TW_ERR_INVALID;
    }
    err = tw_hpke_receiver(params, key, text->in, enc_len, &hpke);
    if (err == TW_OK) {
        err = tw_hpke_open(hpke, text->aad, text->aad_len, text->in + enc_len,
                           text->in_len - enc_len, out, out_cap, out_len);
    }
    tw_hpke_free(hpke);
    return err;
}
