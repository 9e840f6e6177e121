/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

tw_err twp_curve_read(const line *l, CK_OBJECT_HANDLE object, const curve **out)
{
    uint8_t *params;
    size_t len;
    tw_err err = twp_attr_get(l, object, CKA_EC_PARAMS, &params, &len);

    *out = err == TW_OK ? twp_curve_by_params(params, len) : NULL;
    free(params);
    return err;
}

tw_err twp_key_examine(const line *l, CK_OBJECT_HANDLE object, candidate *out)
{
    tw_err err;

    *out = (candidate){.object = object};
    err = twp_curve_read(l, object, &out->curve);
    if (err == TW_OK && out->curve != NULL) {
        err = twp_public_find(l, object, out->curve, out->public_key, &out->public_from);
    }
    return err;
}

tw_err twp_key_objects(const line *l, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *names,
                       CK_ULONG name_count, CK_OBJECT_HANDLE **out, size_t *count)
{
    CK_ATTRIBUTE match[3] = {{CKA_CLASS, &class, sizeof(class)}};

    memcpy(match + 1, names, name_count * sizeof(*names));
    return twp_object_find(l, match, name_count + 1, out, count);
}

/* --- Again, after a loss. --------------------------------------------------------- */

/* What tells that an object is the key: the public half that is its, or beside it; where several
 * private keys have the name, which all have the same beside them, its use as well; and its use
 * alone where the token does not hold the half, or not now: SoftHSM was seen to hide one object and
 * not the other. But not of one that says itself whose half it is. */
typedef enum proof { BY_HALF, BY_BOTH, BY_USE } proof;

static tw_err is_same(op *o, const token_key *k, CK_OBJECT_HANDLE object, proof by, bool *same)
{
    bool given = k->public_from == ORIGIN_CALLER, fits, inside;
    candidate c;
    tw_err err;

    *same = false;
    if (by == BY_USE ? k->each_login && !given : given) {
        return TW_OK;
    }
    err = twp_key_examine(&o->line, object, &c);
    if (err != TW_OK || c.curve != k->curve) {
        return err;
    }
    fits = c.public_from != ORIGIN_NONE &&
           memcmp(c.public_key, k->public_key, k->curve->public_len) == 0;
    inside = c.public_from == ORIGIN_POINT || c.public_from == ORIGIN_INFO;
    if (by == BY_HALF || (by == BY_BOTH && !fits) || (inside && !given)) {
        *same = fits;
        return TW_OK;
    }
    err = twp_key_compare(o, k, object, same);
    return !given && err == TW_ERR_TOKEN_POLICY ? TW_OK : err;
}

/* Private keys are hidden, not gone, when someone logs us out just now. */
tw_err twp_private_seen(op *o)
{
    if ((o->token->info.flags & CKF_LOGIN_REQUIRED) != 0 &&
        twp_session_is_public(o->token, o->session)) {
        return twp_fail_rv(o->line.why, "C_FindObjects", CKR_USER_NOT_LOGGED_IN);
    }
    return TW_OK;
}

static tw_err none_found(op *o)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE any = {CKA_CLASS, &class, sizeof(class)};
    bool others = false;
    tw_err err = twp_private_seen(o);

    if (err == TW_OK) {
        err = twp_object_any(&o->line, &any, 1, &others);
    }
    if (err != TW_OK) {
        return err;
    }
    (void)twp_fail_text(o->line.why, TW_ERR_TOKEN_ABSENT,
                        "the token no longer has the key: none of its name has its public half");
    /* SoftHSM whose files went away and came back shows none before it is initialised anew. */
    o->line.why->loss = others ? LOSS_MODULE : LOSS_KEYS;
    return TW_ERR_TOKEN_ABSENT;
}

static tw_err find_again(op *o, const token_key *k, CK_OBJECT_HANDLE *out)
{
    CK_ATTRIBUTE names[2];
    CK_OBJECT_HANDLE *objects;
    CK_ULONG n = 0;
    bool same = false;
    proof half;
    size_t count;
    tw_err err;

    if (k->id_len > 0) {
        names[n++] = (CK_ATTRIBUTE){CKA_ID, k->id, k->id_len};
    }
    if (k->label_len > 0) {
        names[n++] = (CK_ATTRIBUTE){CKA_LABEL, k->label, k->label_len};
    }
    err = twp_key_objects(&o->line, CKO_PRIVATE_KEY, names, n, &objects, &count);
    half = count > 1 && !k->each_login ? BY_BOTH : BY_HALF;
    for (size_t i = 0; err == TW_OK && !same && i < 2 * count; i++) {
        *out = objects[i < count ? i : i - count];
        err = is_same(o, k, *out, i < count ? half : BY_USE, &same);
    }
    free(objects);
    return err == TW_OK && !same ? none_found(o) : err;
}

static bool era_same(const era *a, const era *b)
{
    return a->epoch == b->epoch && a->generation == b->generation && a->logins == b->logins;
}

tw_err twp_key_handle(op *o, token_key *k, CK_OBJECT_HANDLE *out)
{
    tw_token *t = o->token;
    bool known;
    tw_err err;

    pthread_mutex_lock(&t->lock);
    known = era_same(&k->era, &o->session->era) && k->handle != CK_INVALID_HANDLE;
    *out = k->handle;
    pthread_mutex_unlock(&t->lock);
    if (known) {
        return TW_OK;
    }
    err = find_again(o, k, out);
    if (err == TW_OK) {
        pthread_mutex_lock(&t->lock);
        k->handle = *out;
        k->era = o->session->era;
        pthread_mutex_unlock(&t->lock);
    }
    return err;
}

/* --- For the first time. ------------------------------------------------------------ */

/* A public half from the caller decides between keys, and stands in where none is held. */
static tw_err choose(choice *s, candidate *c, failure *why)
{
    bool given_fits = s->given != NULL && c->curve != NULL && s->given_len == c->curve->public_len;

    if (c->curve == NULL) {
        s->foreign++;
        return TW_OK;
    }
    if (s->given != NULL && (!given_fits || (c->public_from != ORIGIN_NONE &&
                                             memcmp(c->public_key, s->given, s->given_len) != 0))) {
        s->others++;
        return TW_OK;
    }
    if (s->chosen.curve == NULL) {
        s->chosen = *c;
        return TW_OK;
    }
    if (c->public_from != ORIGIN_NONE && s->chosen.public_from != ORIGIN_NONE &&
        c->curve == s->chosen.curve &&
        memcmp(c->public_key, s->chosen.public_key, c->curve->public_len) == 0) {
        return TW_OK; /* the same key once more */
    }
    return twp_fail_text(why, TW_ERR_INVALID,
                         "several different keys match: name one by object= or id=");
}

static tw_err none_chosen(op *o, const choice *s)
{
    failure *why = o->line.why;
    tw_err err;

    if (s->others > 0) {
        return twp_fail_text(why, TW_ERR_KEY, "the public key given is not that of the key named");
    }
    if (s->foreign > 0) {
        return twp_fail_text(
            why, TW_ERR_TOKEN_POLICY,
            "the key named is not on a curve of HPKE: P-256, P-384, P-521, X25519, X448; RSA and "
            "ML-KEM keys do not serve");
    }
    err = twp_private_seen(o);
    return err != TW_OK
               ? err
               : twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                               "no such private key in this token: see twoway tokens for those "
                               "it has");
}

tw_err twp_key_choose(op *o, choice *s)
{
    const line *l = &o->line;
    CK_ATTRIBUTE names[2];
    CK_OBJECT_HANDLE *objects;
    size_t count;
    tw_err err =
        twp_key_objects(l, CKO_PRIVATE_KEY, names, twp_uri_names(s->uri, names), &objects, &count);

    s->chosen = (candidate){0};
    s->foreign = s->others = 0;
    for (size_t i = 0; err == TW_OK && i < count; i++) {
        candidate c;

        err = twp_key_examine(l, objects[i], &c);
        if (err == TW_OK) {
            err = choose(s, &c, l->why);
        }
    }
    free(objects);
    return err == TW_OK && s->chosen.curve == NULL ? none_chosen(o, s) : err;
}

tw_err twp_point_check(const token_key *k, tw_err refused, failure *why)
{
    tw_err err = k->kem->check(k->kem, k->public_key);

    if (err == TW_ERR_KEY) {
        return twp_fail_text(why, refused, "the public half is not a usable point of %s",
                             tw_kem_name(k->curve->kem_id));
    }
    return err == TW_OK ? TW_OK : twp_fail_text(why, err, "the public half cannot be looked at");
}

tw_err twp_key_public(token_key *k, const choice *s, failure *why)
{
    const candidate *c = &s->chosen;
    bool held = c->public_from != ORIGIN_NONE;

    if (!held && s->given == NULL) {
        return twp_fail_text(
            why, TW_ERR_TOKEN_ABSENT,
            "the token holds no public half of the key: no object or certificate of "
            "its id, no EC_POINT in it; add one or give it");
    }
    k->public_from = held ? c->public_from : ORIGIN_CALLER;
    memcpy(k->public_key, held ? c->public_key : s->given, k->curve->public_len);
    return twp_point_check(k, held ? TW_ERR_TOKEN_FAILED : TW_ERR_KEY, why);
}

static tw_err describe(const line *l, CK_OBJECT_HANDLE object, token_key *k)
{
    tw_err err = twp_attr_get(l, object, CKA_LABEL, &k->label, &k->label_len);

    if (err == TW_OK) {
        err = twp_attr_get(l, object, CKA_ID, &k->id, &k->id_len);
    }
    if (err == TW_OK) {
        err = twp_attr_bool(l, object, CKA_DERIVE, true, &k->derive);
    }
    if (err == TW_OK) {
        err = twp_attr_bool(l, object, CKA_ALWAYS_AUTHENTICATE, false, &k->each_login);
    }
    return err;
}

tw_err twp_key_take(op *o, const choice *s, token_key **out)
{
    CK_OBJECT_HANDLE object = s->chosen.object;
    tw_err err = twp_key_new(o->token, s->chosen.curve, out, o->line.why);

    if (err == TW_OK) {
        err = describe(&o->line, object, *out);
    }
    if (err != TW_OK) {
        twp_key_free(*out);
        *out = NULL;
        return err;
    }
    (*out)->handle = object;
    (*out)->era = o->session->era;
    return TW_OK;
}

typedef struct first_find {
    choice choice;
    token_key *key; /* out */
} first_find;

static tw_err find_first(op *o, void *arg)
{
    first_find *f = arg;
    token_key *k = NULL;
    tw_err err = twp_key_choose(o, &f->choice);

    if (err == TW_OK) {
        err = twp_key_take(o, &f->choice, &k);
    }
    if (err == TW_OK) {
        err = twp_key_public(k, &f->choice, o->line.why);
    }
    if (err == TW_OK) {
        err = twp_key_settle(o, k, f->choice.chosen.object);
        err = err == TW_ERR_TOKEN_POLICY ? twp_answer_holds(o, err) : err;
    }
    if (err != TW_OK) {
        twp_key_free(k);
        return err;
    }
    f->key = k;
    return TW_OK;
}

static bool names_token(tw_token *t, const token_uri *u)
{
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(u->uri);
    bool same;

    twp_token_adopt(t);
    pthread_mutex_lock(&t->lock);
    same = (wanted == (CK_SLOT_ID)-1 || wanted == t->slot) &&
           p11_kit_uri_match_token_info(u->uri, &t->info);
    pthread_mutex_unlock(&t->lock);
    return same;
}

tw_err tw_token_find_key(tw_token *token, const char *uri, const uint8_t *public_key,
                         size_t public_len, tw_key **out)
{
    token_uri u = {0};
    first_find f = {.choice = {.uri = &u, .given = public_key, .given_len = public_len}};
    failure why = {0};
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (token == NULL || uri == NULL || (public_key == NULL && public_len > 0)) {
        return TW_ERR_INVALID;
    }
    err = twp_uri_parse(&u, uri, &why);
    if (err == TW_OK && !names_token(token, &u)) {
        err = twp_fail_text(&why, TW_ERR_TOKEN_ABSENT, "the URI names another token than this one");
    }
    if (err == TW_OK) {
        err = twp_token_run(token, RUN_GENTLY, find_first, &f, &why);
    }
    if (err == TW_OK) {
        *out = &f.key->base;
    } else {
        twp_token_report(token, "find key", &why);
    }
    twp_uri_clear(&u);
    return err;
}

tw_err twp_name_free(const line *l, CK_ATTRIBUTE *name)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};

    for (size_t i = 0; i < LENGTH(classes); i++) {
        CK_OBJECT_HANDLE *objects;
        size_t count;
        tw_err err = twp_key_objects(l, classes[i], name, 1, &objects, &count);

        free(objects);
        if (err != TW_OK) {
            return err;
        }
        if (count > 0) {
            return twp_fail_text(l->why, TW_ERR_STATE, "the token has a %s key of this %s already",
                                 classes[i] == CKO_PRIVATE_KEY ? "private" : "public",
                                 name->type == CKA_LABEL ? "label" : "id");
        }
    }
    return TW_OK;
}
