/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL no = CK_FALSE, yes = CK_TRUE;

const char twp_another_token[] =
    "guard the PIN as you would the key itself, or use a token that keeps its keys";

/* --- What a token answers. ------------------------------------------------------------------- */

tw_err twp_answer_count(op *o, const char *function, CK_RV rv, answers *a)
{
    verdict v = twp_rv_judge(rv);
    bool no_means_no = v.err == TW_ERR_TOKEN_POLICY;
    char *text = no_means_no ? a->refusal : a->odd;

    if (rv == CKR_OK) {
        return TW_OK;
    }
    if (v.loss == LOSS_SESSION || v.loss == LOSS_SLOT || v.err == TW_ERR_MEMORY) {
        return twp_fail_rv(o->line.why, function, rv);
    }
    if (text[0] == '\0') {
        (void)snprintf(text, sizeof(a->refusal), "%s gave %s (0x%lx)", function,
                       v.name == NULL ? "a code of its own" : v.name, rv);
    }
    a->refused = a->refused || no_means_no;
    a->unclear = a->unclear || !no_means_no;
    return TW_OK;
}

void twp_answer_conclude(const answers *a, const char *what, remark *r)
{
    if (a->refused) {
        twp_remark(r, TW_VERDICT_OK, NULL, "%s is refused: %s", what, a->refusal);
    } else {
        twp_remark(r, TW_VERDICT_UNKNOWN, NULL, "%s fails, which tells nothing: %s", what, a->odd);
    }
}

/* --- Reading it. ------------------------------------------------------------------------- */

/* Its length, then itself; a length of none is a refusal in other words. */
static tw_err read_value(op *o, CK_OBJECT_HANDLE object, answers *a, bool *read)
{
    uint8_t value[256];
    CK_ATTRIBUTE secret = {CKA_VALUE, NULL, 0};
    CK_RV rv = CKR_OK;
    tw_err err = TW_OK;

    for (int i = 0; err == TW_OK && rv == CKR_OK && i < 2; i++) {
        rv = o->line.fn->C_GetAttributeValue(o->line.session, object, &secret, 1);
        if (rv == CKR_OK && (secret.ulValueLen == CK_UNAVAILABLE_INFORMATION ||
                             secret.ulValueLen == 0 || secret.ulValueLen > sizeof(value))) {
            rv = CKR_ATTRIBUTE_SENSITIVE;
        }
        secret.pValue = value;
        err = twp_answer_count(o, "C_GetAttributeValue", rv, a);
    }
    tw_wipe(value, sizeof(value));
    *read = err == TW_OK && rv == CKR_OK;
    return err;
}

tw_err twp_try_read(op *o, void *arg)
{
    subject *s = arg;
    CK_OBJECT_HANDLE object;
    answers a = {0};
    bool read = false;
    tw_err err = twp_key_handle(o, s->key, &object);

    if (err == TW_OK) {
        err = read_value(o, object, &a, &read);
    }
    if (err == TW_OK && read) {
        twp_remark(&s->remark, TW_VERDICT_WEAK, twp_another_token,
                   "the private key can be read, though it was made sensitive");
    } else if (err == TW_OK) {
        twp_answer_conclude(&a, "reading the private key", &s->remark);
    }
    return err;
}

/* --- Copying it. --------------------------------------------------------------------------- */

typedef struct copying {
    answers answers;
    bool made, loose, read; /* the last: one came about; it may leave; it did */
} copying;

static tw_err look_at_copy(op *o, CK_OBJECT_HANDLE copy, copying *c)
{
    bool sensitive = true, extractable = false;
    answers reading = {0};
    tw_err err = twp_attr_bool(&o->line, copy, CKA_SENSITIVE, true, &sensitive);

    if (err == TW_OK) {
        err = twp_attr_bool(&o->line, copy, CKA_EXTRACTABLE, false, &extractable);
    }
    if (err == TW_OK) {
        err = read_value(o, copy, &reading, &c->read);
    }
    c->loose = c->read || !sensitive || extractable;
    return err;
}

/* A copy that may leave the token, if it can be had; out of its session it does not live on. */
static tw_err copy_once(op *o, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n,
                        copying *c)
{
    CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
    CK_RV rv = o->line.fn->C_CopyObject(o->line.session, object, template, n, &copy);
    tw_err err = twp_answer_count(o, "C_CopyObject", rv, &c->answers);

    c->made = rv == CKR_OK;
    if (err == TW_OK && c->made) {
        err = look_at_copy(o, copy, c);
        twp_object_destroy(o, copy);
    }
    return err;
}

static void describe_copy(const copying *c, remark *r)
{
    if (c->loose) {
        twp_remark(r, TW_VERDICT_WEAK, twp_another_token,
                   c->read ? "a copy can be made and read, though the key was made sensitive"
                           : "a copy can be made that may leave the token");
    } else if (c->made) {
        twp_remark(r, TW_VERDICT_OK, NULL, "a copy can be made, but none that may leave the token");
    } else {
        twp_answer_conclude(&c->answers, "copying", r);
    }
}

tw_err twp_try_copy(op *o, void *arg)
{
    subject *s = arg;
    CK_ATTRIBUTE templates[][3] = {
        {{CKA_TOKEN, &no, sizeof(no)},
         {CKA_EXTRACTABLE, &yes, sizeof(yes)},
         {CKA_SENSITIVE, &no, sizeof(no)}},
        {{CKA_TOKEN, &no, sizeof(no)}, {CKA_EXTRACTABLE, &yes, sizeof(yes)}},
        {{CKA_TOKEN, &no, sizeof(no)}, {CKA_SENSITIVE, &no, sizeof(no)}},
        {{CKA_TOKEN, &no, sizeof(no)}}, /* as it is */
    };
    static const CK_ULONG lengths[] = {3, 2, 2, 1};
    CK_OBJECT_HANDLE object;
    copying c = {0};
    tw_err err = twp_key_handle(o, s->key, &object);

    for (size_t i = 0; err == TW_OK && !c.loose && i < LENGTH(templates); i++) {
        err = copy_once(o, object, templates[i], lengths[i], &c);
    }
    if (err == TW_OK) {
        describe_copy(&c, &s->remark);
    }
    return err;
}

/* --- Wrapping it.
 * ------------------------------------------------------------------------------------- */

static tw_err make_wrapper(op *o, answers *a, CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_VALUE_LEN, &len, sizeof(len)}, {CKA_TOKEN, &no, sizeof(no)},
        {CKA_WRAP, &yes, sizeof(yes)},      {CKA_ENCRYPT, &yes, sizeof(yes)},
    };
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_RV rv;

    *out = CK_INVALID_HANDLE;
    rv = o->line.fn->C_GenerateKey(o->line.session, &mechanism, template, LENGTH(template), out);
    if (rv != CKR_OK) {
        *out = CK_INVALID_HANDLE;
    }
    return twp_answer_count(o, "C_GenerateKey", rv, a);
}

/* *by: the mechanism that did it, or NULL. */
static tw_err wrap_any(op *o, CK_OBJECT_HANDLE wrapper, CK_OBJECT_HANDLE object, answers *a,
                       const char **by)
{
    static uint8_t iv[16];
    static const struct {
        CK_MECHANISM mechanism;
        const char *name;
    } ways[] = {
        {{CKM_AES_KEY_WRAP_PAD, NULL, 0}, "CKM_AES_KEY_WRAP_PAD"},
        {{CKM_AES_KEY_WRAP, NULL, 0}, "CKM_AES_KEY_WRAP"},
        {{CKM_AES_CBC_PAD, iv, sizeof(iv)}, "CKM_AES_CBC_PAD"},
    };
    answers lacking = {0};
    tw_err err = TW_OK;

    *by = NULL;
    for (size_t i = 0; err == TW_OK && *by == NULL && i < LENGTH(ways); i++) {
        CK_MECHANISM mechanism = ways[i].mechanism;
        uint8_t wrapped[1024];
        CK_ULONG len = sizeof(wrapped);
        CK_RV rv =
            o->line.fn->C_WrapKey(o->line.session, &mechanism, wrapper, object, wrapped, &len);

        tw_wipe(wrapped, sizeof(wrapped));
        *by = rv == CKR_OK ? ways[i].name : NULL;
        /* That the token has not got one of them says little of the key. */
        err = twp_answer_count(o, "C_WrapKey", rv, rv == CKR_MECHANISM_INVALID ? &lacking : a);
    }
    if (!a->refused && !a->unclear) {
        *a = lacking;
    }
    return err;
}

tw_err twp_try_wrap(op *o, void *arg)
{
    subject *s = arg;
    CK_OBJECT_HANDLE object, wrapper = CK_INVALID_HANDLE;
    answers making = {0}, a = {0};
    const char *by = NULL;
    tw_err err = twp_key_handle(o, s->key, &object);

    if (err == TW_OK) {
        err = make_wrapper(o, &making, &wrapper);
    }
    if (err == TW_OK && wrapper != CK_INVALID_HANDLE) {
        err = wrap_any(o, wrapper, object, &a, &by);
        twp_object_destroy(o, wrapper);
    }
    if (err != TW_OK) {
        return err;
    }
    if (wrapper == CK_INVALID_HANDLE) {
        twp_remark(&s->remark, TW_VERDICT_UNKNOWN, NULL,
                   "not tried, as the token makes no key to wrap with: %s",
                   making.refused ? making.refusal : making.odd);
    } else if (by != NULL) {
        twp_remark(&s->remark, TW_VERDICT_WEAK, twp_another_token,
                   "%s wraps the private key with a key of one's own, and so takes it out, though "
                   "it was made unextractable",
                   by);
    } else {
        twp_answer_conclude(&a, "wrapping the private key", &s->remark);
    }
    return TW_OK;
}
