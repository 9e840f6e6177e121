/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tw_key that a token's key is to the rest of the world. */

static void what_text(const char *doing, const token_key *k, char *out, size_t cap)
{
    (void)snprintf(out, cap, "%s '%.*s' (%s)", doing, (int)k->label_len,
                   k->label == NULL ? "" : (const char *)k->label, tw_kem_name(k->curve->kem_id));
}

/* NSS, logged out amid a derivation, says that the token cannot do that: it cannot read the key. */
tw_err twp_answer_holds(op *o, tw_err err)
{
    bool refused = err == TW_ERR_TOKEN_POLICY;

    if (refused && twp_private_seen(o) != TW_OK) {
        return o->line.why->err;
    }
    if ((err == TW_OK || refused) &&
        atomic_load(&o->token->module->logins) != o->session->era.logins) {
        err = twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED,
                            "a new login came before the key was used: it may have been another");
        o->line.why->loss = LOSS_HANDLE;
    }
    return err;
}

tw_err twp_key_agree(op *o, void *arg)
{
    const agreement *a = arg;
    CK_OBJECT_HANDLE object;
    tw_err err;

    /* The handle is found again where a loss made it stale; nothing else of it changes. */
    err = twp_key_handle(o, (token_key *)(uintptr_t)a->key, &object);
    if (err == TW_OK) {
        err = a->key->recipe.strategy->run(o, object, a);
    }
    return twp_answer_holds(o, err);
}

static tw_err run_agreement(const char *doing, const token_key *k, agreement *a)
{
    failure why = {0};
    struct timespec begun;
    tw_err err;

    twp_count_begin(k->token, &begun);
    err = twp_token_run(k->token, RUN_RETRY, twp_key_agree, a, &why);
    twp_count_end(k->token, err, &begun);
    if (err != TW_OK) {
        char what[160];

        tw_wipe(a->secret, k->kem->secret_len);
        what_text(doing, k, what, sizeof(what));
        twp_token_report(k->token, what, &why);
    }
    return err;
}

/* RFC 9180 section 4.1, Decap and AuthDecap. A peer's point is refused here, before an
 * operation is spent: what a token says of a bad one looks like its own failure. */
static tw_err token_key_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                              uint8_t *secret)
{
    const token_key *k = (const token_key *)key;
    agreement a = {.key = k,
                   .points = {enc, sender_public},
                   .point_count = sender_public == NULL ? 1 : 2,
                   .enc = enc,
                   .recipient_public = k->public_key,
                   .sender_public = sender_public,
                   .secret = secret};
    tw_err err = k->kem->check(k->kem, enc);

    if (err != TW_OK) {
        return err == TW_ERR_KEY ? TW_ERR_FORMAT : err;
    }
    if (sender_public != NULL) {
        err = k->kem->check(k->kem, sender_public);
    }
    return err == TW_OK ? run_agreement("use key", k, &a) : err;
}

/* AuthEncap: the host has made DH(skE, pkR), the token adds DH(skS, pkR). */
static tw_err token_key_auth_encap(const tw_key *key, const uint8_t *pk, const uint8_t *dh,
                                   size_t dh_len, const uint8_t *enc, uint8_t *secret)
{
    const token_key *k = (const token_key *)key;
    agreement a = {.key = k,
                   .points = {pk},
                   .point_count = 1,
                   .host_dh = dh,
                   .enc = enc,
                   .recipient_public = pk,
                   .sender_public = k->public_key,
                   .secret = secret};
    tw_err err;

    if (dh_len != k->curve->dh_len) {
        return TW_ERR_INVALID;
    }
    err = k->kem->check(k->kem, pk);
    return err == TW_OK ? run_agreement("authenticate with key", k, &a) : err;
}

static void token_key_free(tw_key *key)
{
    twp_key_free((token_key *)key);
}

static const tw_key_ops token_key_ops = {
    .size = sizeof(tw_key_ops),
    .decap = token_key_decap,
    .auth_encap = token_key_auth_encap,
    .free = token_key_free,
};

tw_err twp_key_new(tw_token *t, const curve *c, token_key **out, failure *why)
{
    token_key *k = calloc(1, sizeof(*k));
    tw_err err;

    *out = NULL;
    if (k == NULL) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    err = tw_kem_new(c->kem_id, t->opt.provider, &k->kem);
    if (err != TW_OK) {
        free(k);
        return twp_fail_text(why, err, "this libcrypto has no %s", tw_kem_name(c->kem_id));
    }
    k->base.ops = &token_key_ops;
    k->base.kem = k->kem;
    k->base.public_key = k->public_key;
    k->token = t;
    k->curve = c;
    *out = k;
    return TW_OK;
}

void twp_key_free(token_key *k)
{
    if (k != NULL) {
        tw_kem_free(k->kem);
        free(k->label);
        free(k->id);
        free(k);
    }
}

tw_err twp_key_name(token_key *k, const char *label, const uint8_t *id, size_t id_len)
{
    k->label = label == NULL ? NULL : (uint8_t *)strdup(label);
    k->id = id_len == 0 ? NULL : calloc(1, id_len);
    if ((label != NULL && k->label == NULL) || (id_len > 0 && k->id == NULL)) {
        return TW_ERR_MEMORY;
    }
    k->label_len = label == NULL ? 0 : strlen(label);
    k->id_len = id_len;
    if (id_len > 0) {
        memcpy(k->id, id, id_len);
    }
    return TW_OK;
}

tw_err tw_token_key_uri(const tw_key *key, char *out, size_t out_cap, size_t *out_len)
{
    const token_key *k = (const token_key *)key;
    CK_ATTRIBUTE label = {CKA_LABEL, NULL, 0}, id = {CKA_ID, NULL, 0};
    CK_TOKEN_INFO info;
    size_t len;
    char *text;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (key == NULL || key->ops != &token_key_ops || (out == NULL && out_cap > 0)) {
        return TW_ERR_INVALID;
    }
    label = (CK_ATTRIBUTE){CKA_LABEL, k->label, k->label_len};
    id = (CK_ATTRIBUTE){CKA_ID, k->id, k->id_len};
    twp_token_adopt(k->token);
    pthread_mutex_lock(&k->token->lock);
    info = k->token->info;
    pthread_mutex_unlock(&k->token->lock);
    text = twp_uri_format(&info, k->label_len > 0 ? &label : NULL, k->id_len > 0 ? &id : NULL);
    if (text == NULL) {
        return TW_ERR_MEMORY;
    }
    len = strlen(text);
    *out_len = len < out_cap ? len : len + 1;
    if (len < out_cap) {
        memcpy(out, text, len + 1);
    }
    free(text);
    return len < out_cap ? TW_OK : TW_ERR_SPACE;
}
