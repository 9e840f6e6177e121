/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL no = CK_FALSE, yes = CK_TRUE;

/* --- Loosening it.
 * -------------------------------------------------------------------------------------- */

typedef struct change {
    CK_ATTRIBUTE_TYPE type;
    bool to;
    bool opens; /* the token, to the key or to its use */
    const char *name;
} change;

static const change changes[] = {
    {CKA_EXTRACTABLE, true, true, "EXTRACTABLE"},
    {CKA_SENSITIVE, false, true, "SENSITIVE"},
    {CKA_PRIVATE, false, true, "PRIVATE"},
    {CKA_SIGN, true, false, "SIGN"},
    {CKA_SIGN_RECOVER, true, false, "SIGN_RECOVER"},
    {CKA_DECRYPT, true, false, "DECRYPT"},
    {CKA_UNWRAP, true, false, "UNWRAP"},
};

/* Some say yes and do nothing: it counts when it can be seen. */
static tw_err change_one(op *o, CK_OBJECT_HANDLE object, const change *c, answers *a, bool *changed)
{
    CK_BBOOL value = c->to ? CK_TRUE : CK_FALSE;
    CK_ATTRIBUTE set = {c->type, &value, sizeof(value)};
    bool before, after;
    CK_RV rv;
    tw_err err = twp_attr_bool(&o->line, object, c->type, !c->to, &before);

    *changed = false;
    if (err != TW_OK || before == c->to) {
        return err;
    }
    rv = o->line.fn->C_SetAttributeValue(o->line.session, object, &set, 1);
    err = twp_answer_count(o, "C_SetAttributeValue", rv, a);
    if (err == TW_OK && rv == CKR_OK) {
        err = twp_attr_bool(&o->line, object, c->type, !c->to, &after);
        *changed = err == TW_OK && after == c->to;
    }
    return err;
}

tw_err twp_try_loosen(op *o, void *arg)
{
    subject *s = arg;
    CK_OBJECT_HANDLE object;
    answers a = {0};
    char done[2][80] = {"", ""}; /* what gives it a second use; what opens the token */
    tw_err err = twp_key_handle(o, s->key, &object);

    for (size_t i = 0; err == TW_OK && i < LENGTH(changes); i++) {
        char *list = done[changes[i].opens];
        size_t used = strlen(list);
        bool changed;

        err = change_one(o, object, &changes[i], &a, &changed);
        if (err == TW_OK && changed) {
            (void)snprintf(list + used, sizeof(done[0]) - used, " CKA_%s=%d", changes[i].name,
                           changes[i].to);
        }
    }
    if (err != TW_OK) {
        return err;
    }
    if (done[1][0] != '\0') {
        twp_remark(&s->remark, TW_VERDICT_WEAK, twp_another_token,
                   "the key can be opened to whoever has the PIN:%s%s", done[1], done[0]);
    } else if (done[0][0] != '\0') {
        twp_remark(&s->remark, TW_VERDICT_WEAK,
                   "guard the PIN: whoever has it can give the key a second use, though not take "
                   "it out",
                   "the key can be given more uses than derivation, but not opened:%s", done[0]);
    } else {
        twp_answer_conclude(&a, "loosening the key", &s->remark);
    }
    return TW_OK;
}

/* --- What is derived from it.
 * ------------------------------------------------------------------------------ */

/* Whether a DH output of it can be read; a key of its own, for what is tried here is not kept. */
static tw_err read_output(op *o, const subject *s, bool *read, trial *t)
{
    token_key once = *s->key;
    CK_OBJECT_HANDLE object;
    tw_err err = twp_key_handle(o, s->key, &object);

    *read = false;
    *t = (trial){0};
    if (err != TW_OK) {
        return err;
    }
    err = twp_way_try(o, &once, object, &twp_strategy_value, t);
    *read = err == TW_OK;
    return err == TW_OK || twp_way_failed(err, o->line.why) ? TW_OK : err;
}

/* An empty template, or one that allows all. */
static tw_err take_off(op *o, const subject *s, bool *read)
{
    CK_ATTRIBUTE open[] = {{CKA_SENSITIVE, &no, sizeof(no)}, {CKA_EXTRACTABLE, &yes, sizeof(yes)}};
    CK_ATTRIBUTE others[] = {{CKA_DERIVE_TEMPLATE, NULL, 0},
                             {CKA_DERIVE_TEMPLATE, open, sizeof(open)}};
    tw_err err = TW_OK;

    *read = false;
    for (size_t i = 0; err == TW_OK && !*read && i < LENGTH(others); i++) {
        CK_OBJECT_HANDLE object;
        answers a = {0};
        trial t;
        CK_RV rv;

        err = twp_key_handle(o, s->key, &object);
        if (err == TW_OK) {
            rv = o->line.fn->C_SetAttributeValue(o->line.session, object, &others[i], 1);
            err = twp_answer_count(o, "C_SetAttributeValue", rv, &a);
            if (err == TW_OK && rv == CKR_OK) {
                err = read_output(o, s, read, &t);
            }
        }
    }
    return err;
}

static void describe_output(const subject *s, bool kept, const char *how, remark *r)
{
    tw_token_verdict v = kept ? TW_VERDICT_OK : s->never_export ? TW_VERDICT_WEAK : TW_VERDICT_NO;

    twp_remark(
        r, v,
        v == TW_VERDICT_WEAK ? "guard the PIN: never_export_dh holds for this library alone here"
                             : NULL,
        "%s; DH outputs %s", how, kept ? "stay inside" : "can be had by someone with the PIN");
}

tw_err twp_try_template(op *o, void *arg)
{
    subject *s = arg;
    bool read, off = false;
    trial t;
    tw_err err = read_output(o, s, &read, &t);

    if (err == TW_OK && !read && s->bounded && s->readable) {
        err = take_off(o, s, &off);
    }
    if (err != TW_OK) {
        return err;
    }
    if (!read && !t.refused) {
        twp_remark(&s->remark, TW_VERDICT_UNKNOWN, NULL, "the token failed: %s", t.first.text);
    } else if (off) {
        describe_output(s, false, "CKA_DERIVE_TEMPLATE is enforced, but can be taken off",
                        &s->remark);
    } else if (!read && s->bounded && s->readable) {
        describe_output(s, true, "CKA_DERIVE_TEMPLATE is enforced", &s->remark);
    } else if (!read) {
        describe_output(s, true,
                        "the token makes no DH output readable, whatever CKA_DERIVE_TEMPLATE",
                        &s->remark);
    } else {
        describe_output(s, false,
                        s->bounded ? "CKA_DERIVE_TEMPLATE is taken and ignored"
                                   : "the token does not take CKA_DERIVE_TEMPLATE",
                        &s->remark);
    }
    return TW_OK;
}
