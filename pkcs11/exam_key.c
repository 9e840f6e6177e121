/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <stdlib.h>
#include <string.h>

/*
 * The key itself: found, described, and tried in every way that a token can serve one.
 * Nothing here changes it. A DH output that is read, by S1, is that of a point made here:
 * whoever has that point's private half could make it without the token.
 */

/* --- What the key is. --------------------------------------------------------------------- */

typedef enum said {
    SAID_NOT,
    SAID_NO,
    SAID_YES,
} said;

enum {
    A_PRIVATE,
    A_SENSITIVE,
    A_ALWAYS_SENSITIVE,
    A_EXTRACTABLE,
    A_NEVER_EXTRACTABLE,
    A_LOCAL,
    A_DERIVE,
    A_SIGN,
    A_SIGN_RECOVER,
    A_DECRYPT,
    A_UNWRAP,
    A_MODIFIABLE,
    A_ALWAYS_AUTHENTICATE,
    A_COUNT,
};

static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *name;
} attributes[A_COUNT] = {
    [A_PRIVATE] = {CKA_PRIVATE, "PRIVATE"},
    [A_SENSITIVE] = {CKA_SENSITIVE, "SENSITIVE"},
    [A_ALWAYS_SENSITIVE] = {CKA_ALWAYS_SENSITIVE, "ALWAYS_SENSITIVE"},
    [A_EXTRACTABLE] = {CKA_EXTRACTABLE, "EXTRACTABLE"},
    [A_NEVER_EXTRACTABLE] = {CKA_NEVER_EXTRACTABLE, "NEVER_EXTRACTABLE"},
    [A_LOCAL] = {CKA_LOCAL, "LOCAL"},
    [A_DERIVE] = {CKA_DERIVE, "DERIVE"},
    [A_SIGN] = {CKA_SIGN, "SIGN"},
    [A_SIGN_RECOVER] = {CKA_SIGN_RECOVER, "SIGN_RECOVER"},
    [A_DECRYPT] = {CKA_DECRYPT, "DECRYPT"},
    [A_UNWRAP] = {CKA_UNWRAP, "UNWRAP"},
    [A_MODIFIABLE] = {CKA_MODIFIABLE, "MODIFIABLE"},
    [A_ALWAYS_AUTHENTICATE] = {CKA_ALWAYS_AUTHENTICATE, "ALWAYS_AUTHENTICATE"},
};

static tw_err read_said(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, said *out)
{
    uint8_t *value;
    size_t len;
    tw_err err = twp_attr_get(l, object, type, &value, &len);

    *out = err != TW_OK || len != 1 ? SAID_NOT : value[0] == CK_FALSE ? SAID_NO : SAID_YES;
    free(value);
    return err;
}

static bool may_do_more(const said s[A_COUNT])
{
    return s[A_SIGN] == SAID_YES || s[A_SIGN_RECOVER] == SAID_YES || s[A_DECRYPT] == SAID_YES ||
           s[A_UNWRAP] == SAID_YES;
}

/* The worst of it, for one line. */
static void judge_attributes(const said s[A_COUNT], remark *r)
{
    static const char another[] = "make a new key inside the token with twoway keygen --token, and "
                                  "give its configuration to senders";

    if (s[A_SENSITIVE] == SAID_NO || s[A_EXTRACTABLE] == SAID_YES) {
        twp_remark(r, TW_VERDICT_WEAK, another,
                   "someone with the PIN can take the key out of the token");
    } else if (s[A_DERIVE] == SAID_NO) {
        twp_remark(r, TW_VERDICT_WEAK,
                   "set CKA_DERIVE with C_SetAttributeValue, or import the key again with "
                   "pkcs11-tool --write-object --type privkey --usage-derive",
                   "not for derivation, which most tokens then refuse");
    } else if (s[A_ALWAYS_SENSITIVE] == SAID_NO || s[A_NEVER_EXTRACTABLE] == SAID_NO) {
        twp_remark(r, TW_VERDICT_WEAK, another,
                   "said to stay inside now, but it was outside or could be taken out before");
    } else if (s[A_PRIVATE] == SAID_NO) {
        twp_remark(r, TW_VERDICT_WEAK, another, "the key can be used without a login");
    } else if (may_do_more(s)) {
        twp_remark(r, TW_VERDICT_WEAK,
                   "give a key that receives no other use: make one with twoway keygen --token",
                   "said to stay inside; it may do more than derive");
    } else {
        twp_remark(r, TW_VERDICT_OK, NULL, "said to stay inside, and for derivation alone");
    }
}

static void describe_attributes(const said s[A_COUNT], bool bounded, remark *r)
{
    judge_attributes(s, r);
    for (size_t i = 0; i < A_COUNT; i++) {
        twp_remark_add(r, "%s%s=%s", i == 0 ? ": " : " ", attributes[i].name,
                       s[i] == SAID_NOT   ? "?"
                       : s[i] == SAID_YES ? "1"
                                          : "0");
    }
    twp_remark_add(r, " DERIVE_TEMPLATE=%s", bounded ? "1" : "0");
}

static void describe_key(const token_key *k, remark *r)
{
    char id[65];

    twp_hex(k->id, k->id_len, id, sizeof(id));
    twp_remark(r, TW_VERDICT_OK, NULL, "%s '%.*s', %s%s", tw_kem_name(k->curve->kem_id),
               (int)k->label_len, k->label == NULL ? "" : (const char *)k->label,
               k->id_len == 0 ? "no id" : "id ", id);
    if (k->each_login) {
        twp_remark_add(r, ", wants the PIN for each use");
    }
}

static void describe_public(const token_key *k, remark *r)
{
    static const char *const origins[] = {
        [ORIGIN_NONE] = "nowhere",
        [ORIGIN_OBJECT] = "a public key object of its name",
        [ORIGIN_POINT] = "CKA_EC_POINT of the private key",
        [ORIGIN_INFO] = "CKA_PUBLIC_KEY_INFO of the private key",
        [ORIGIN_CERTIFICATE] = "a certificate of its id",
        [ORIGIN_CALLER] = "the caller, as the token holds none",
    };

    twp_remark(r, TW_VERDICT_OK, NULL, "from %s", origins[k->public_from]);
}

/* --- Finding it. ---------------------------------------------------------------------------- */

typedef struct look {
    exam *e;
    choice choice;
    bool described, has_public, bounded;
    said said[A_COUNT];
} look;

/* CKA_DERIVE_TEMPLATE holds attributes: that there are some is all that is asked. */
static bool has_template(const line *l, CK_OBJECT_HANDLE object)
{
    CK_ATTRIBUTE a = {CKA_DERIVE_TEMPLATE, NULL, 0};

    return l->fn->C_GetAttributeValue(l->session, object, &a, 1) == CKR_OK &&
           a.ulValueLen != CK_UNAVAILABLE_INFORMATION && a.ulValueLen > 0;
}

static tw_err find(op *o, void *arg)
{
    look *at = arg;
    exam *e = at->e;
    CK_OBJECT_HANDLE object;
    tw_err err;

    twp_key_free(e->key); /* of an earlier attempt */
    e->key = NULL;
    at->described = at->has_public = false;
    err = twp_key_choose(o, &at->choice);
    if (err == TW_OK) {
        err = twp_key_take(o, &at->choice, &e->key);
    }
    object = at->choice.chosen.object;
    for (size_t i = 0; err == TW_OK && i < A_COUNT; i++) {
        err = read_said(&o->line, object, attributes[i].type, &at->said[i]);
    }
    if (err == TW_OK) {
        at->described = true;
        at->bounded = has_template(&o->line, object);
        err = twp_key_public(e->key, &at->choice, o->line.why);
        at->has_public = err == TW_OK;
    }
    return err;
}

static choice choice_of(const exam *e)
{
    return (choice){
        .uri = &e->token->uri, .given = e->opt.public_key, .given_len = e->opt.public_len};
}

static tw_err find_key(exam *e)
{
    look at = {.e = e, .choice = choice_of(e)};
    failure why = {0};
    tw_err err;
    remark r;

    (void)twp_token_run(e->token, RUN_GENTLY, find, &at, &why);

    if (e->key == NULL) {
        return twp_exam_fail(e, "key", &why,
                             "see the keys that there are with twoway tokens --pin-source; name "
                             "one by object= or id=, or make one with twoway keygen --token");
    }
    describe_key(e->key, &r);
    err = twp_exam_tell(e, "key", &r);
    if (err == TW_OK && !at.described) {
        return twp_exam_fail(e, "attributes", &why, twp_exam_advice(why.err));
    }
    if (err == TW_OK) {
        describe_attributes(at.said, at.bounded, &r);
        err = twp_exam_tell(e, "attributes", &r);
    }
    if (err == TW_OK && !at.has_public) {
        return twp_exam_fail(e, "public", &why,
                             "put the public key or a certificate into the token, under the "
                             "private key's id");
    }
    if (err == TW_OK) {
        describe_public(e->key, &r);
        err = twp_exam_tell(e, "public", &r);
    }
    return err;
}

/* --- The three ways. -------------------------------------------------------------------------- */

typedef struct way_trial {
    exam *e;
    const strategy *way;
    trial trial;
    recipe recipe; /* when it works */
} way_trial;

/* The object is looked up by its name: what twp_key_handle finds again after a loss it may have to
 * use, and how is not known yet. */
static tw_err try_way(op *o, void *arg)
{
    way_trial *a = arg;
    token_key *k = a->e->key;
    choice c = choice_of(a->e);
    tw_err err = twp_key_choose(o, &c);

    a->trial = (trial){0};
    if (err == TW_OK) {
        err = twp_way_try(o, k, c.chosen.object, a->way, &a->trial);
    }
    a->recipe = k->recipe;
    return err;
}

static void describe_way(size_t i, const recipe *how, remark *r)
{
    static const char *const texts[STRATEGY_COUNT] = {
        "the DH output is read, and the rest done on the host",
        "the token runs HKDF on the DH output, which stays inside",
        "the token hashes the DH output by C_DigestKey; it stays inside",
    };
    static const char *const shapes[SHAPE_COUNT] = {
        "", "",
        " (asked for without CKA_VALUE_LEN)",
        " (asked for without CKA_VALUE_LEN and CKA_SENSITIVE)",
    };

    twp_remark(r, TW_VERDICT_OK, NULL, "%s%s%s", texts[i], shapes[how->shape],
               how->der_point ? " (the point in DER)" : "");
}

/* A token that is not there, not open or not free has not answered. One that failed at this may
 * be well at the next: what is wrong with it shows then. */
static bool is_answer(tw_err err)
{
    return err == TW_ERR_TOKEN_POLICY || err == TW_ERR_TOKEN_FAILED || err == TW_ERR_KEY;
}

/* The failures of those ways that may be used, for no_way. */
static void collect(const exam *e, const way_trial *a, const failure *why, trial *all)
{
    if (e->token->opt.never_export_dh && a->way->exports_dh) {
        return;
    }
    twp_way_note(all, why, a->trial.refused, a->trial.wrong);
}

static tw_err one_way(exam *e, size_t i, recipe *recipes, trial *all)
{
    way_trial a = {.e = e, .way = twp_strategies[i]};
    failure why = {0};
    tw_err err = twp_token_run(e->token, RUN_GENTLY, try_way, &a, &why);
    char text[400];
    remark r;

    if (err != TW_OK && !is_answer(err)) {
        return twp_exam_fail(e, a.way->name, &why, twp_exam_advice(err));
    }
    e->works[i] = err == TW_OK;
    recipes[i] = a.recipe;
    if (err == TW_OK) {
        describe_way(i, &a.recipe, &r);
        return twp_exam_tell(e, a.way->name, &r);
    }
    if (a.trial.first.err != TW_OK) {
        why = a.trial.first;
    }
    collect(e, &a, &why, all);
    twp_fail_tell(&why, text, sizeof(text));
    twp_remark(&r, TW_VERDICT_NO, NULL, "%s", text);
    return twp_exam_tell(e, a.way->name, &r);
}

static const strategy *pick(const exam *e, bool never_export, size_t *index)
{
    for (size_t i = 0; i < STRATEGY_COUNT; i++) {
        if (e->works[i] && !(never_export && twp_strategies[i]->exports_dh)) {
            *index = i;
            return twp_strategies[i];
        }
    }
    return NULL;
}

static tw_err no_way(exam *e, trial *t)
{
    bool never_export = e->token->opt.never_export_dh;
    size_t i;

    e->key->recipe = (recipe){0};
    twp_way_explain(e->key, never_export, t);
    (void)twp_exam_fail(e, "policy", &t->first,
                        never_export && pick(e, false, &i) != NULL
                            ? "use another token, or leave never_export_dh out: S1 works"
                            : "use a key that is on a token which serves ECDH with CKD_NULL, with "
                              "CKA_DERIVE true: twoway keygen --token makes such a key");
    return e->stopped; /* what a new key would do is worth seeing */
}

static void describe_policy(const char *used, const char *other, bool never_export, remark *r)
{
    twp_remark(r, TW_VERDICT_OK, NULL, "%s is used", used);
    if (other == NULL) {
        twp_remark_add(r, "; with never_export_dh there would be no way");
    } else if (strcmp(used, other) == 0) {
        twp_remark_add(r, ", with never_export_dh and without");
    } else {
        twp_remark_add(r, "%s; %s it would be %s", never_export ? ", for never_export_dh" : "",
                       never_export ? "without" : "with never_export_dh", other);
    }
}

static tw_err choose_way(exam *e, const recipe *recipes, trial *t)
{
    bool never_export = e->token->opt.never_export_dh;
    size_t i = 0, j = 0;
    const strategy *used = pick(e, never_export, &i), *other = pick(e, !never_export, &j);
    remark r;

    if (used == NULL) {
        return no_way(e, t);
    }
    e->key->recipe = recipes[i];
    describe_policy(used->name, other == NULL ? NULL : other->name, never_export, &r);
    return twp_exam_tell(e, "policy", &r);
}

tw_err twp_exam_key(exam *e)
{
    recipe recipes[STRATEGY_COUNT] = {{0}};
    trial first = {0};
    tw_err err = find_key(e);

    for (size_t i = 0; err == TW_OK && i < STRATEGY_COUNT; i++) {
        err = one_way(e, i, recipes, &first);
    }
    return err == TW_OK ? choose_way(e, recipes, &first) : err;
}
