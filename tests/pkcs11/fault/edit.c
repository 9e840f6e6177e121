/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <string.h>

/*
 * Answers to C_GetAttributeValue, made other than the wrapped module gave them. The module
 * fills roomy buffers of ours; what came of them is brought into the caller's at the end.
 * A question for the length alone is answered accordingly.
 */

void edit_borrow(call *c, const rule *r)
{
    attributes *t = &c->templates[0];

    (void)r;
    if (c->id != F_C_GetAttributeValue || c->theirs != NULL || t->count > MOST_HITS) {
        return;
    }
    c->theirs = *t->list;
    for (CK_ULONG i = 0; i < t->count; i++) {
        c->changed[i] = c->theirs[i];
        if (c->theirs[i].pValue != NULL) {
            c->changed[i].pValue = c->room[i];
            c->changed[i].ulValueLen = sizeof(c->room[i]);
        }
    }
    *t->list = c->changed;
}

void edit_return(call *c)
{
    for (CK_ULONG i = 0; c->theirs != NULL && i < c->templates[0].count; i++) {
        const CK_ATTRIBUTE *from = &c->changed[i];
        CK_ATTRIBUTE *to = &c->theirs[i];
        CK_ULONG cap = to->ulValueLen;

        to->ulValueLen = from->ulValueLen;
        if (to->pValue == NULL || from->ulValueLen == CK_UNAVAILABLE_INFORMATION) {
            continue;
        }
        if (from->ulValueLen > cap && c->rv == CKR_OK) {
            to->ulValueLen = CK_UNAVAILABLE_INFORMATION;
            c->rv = CKR_BUFFER_TOO_SMALL;
        } else if (from->ulValueLen <= cap) {
            memcpy(to->pValue, from->pValue, from->ulValueLen);
        }
    }
}

static CK_ATTRIBUTE *meant(const call *c, const rule *r, CK_ULONG *cap)
{
    for (CK_ULONG i = 0; c->theirs != NULL && i < c->templates[0].count; i++) {
        CK_ATTRIBUTE *a = &(*c->templates[0].list)[i];

        if (a->type == r->attribute) {
            *cap = c->theirs[i].ulValueLen;
            return a;
        }
    }
    return NULL;
}

/* The attribute that the rule means, if the module gave it. */
static CK_ATTRIBUTE *given(const call *c, const rule *r)
{
    CK_ULONG cap;
    CK_ATTRIBUTE *a = meant(c, r, &cap);

    return a != NULL && c->rv == CKR_OK && a->ulValueLen != CK_UNAVAILABLE_INFORMATION ? a : NULL;
}

/* Only said: the bytes that came are brought over all the same. */
void edit_length(call *c, const rule *r)
{
    CK_ATTRIBUTE *a = given(c, r);

    for (CK_ULONG i = 0; a != NULL && i < c->templates[0].count; i++) {
        CK_ATTRIBUTE *to = &c->theirs[i];

        if (to->type == r->attribute && to->pValue != NULL && to->ulValueLen >= a->ulValueLen) {
            memcpy(to->pValue, a->pValue, a->ulValueLen);
        }
    }
    if (a != NULL) {
        a->ulValueLen = r->number[0];
    }
}

void edit_drop(call *c, const rule *r)
{
    CK_ATTRIBUTE *a = given(c, r);
    CK_ULONG from = r->number[0], n = r->number[1];

    if (a == NULL || a->ulValueLen < n) {
        return;
    }
    a->ulValueLen -= n;
    if (a->pValue != NULL && from < a->ulValueLen) {
        memmove((uint8_t *)a->pValue + from, (uint8_t *)a->pValue + from + n, a->ulValueLen - from);
    }
}

void edit_insert(call *c, const rule *r)
{
    CK_ATTRIBUTE *a = given(c, r);
    CK_ULONG from;

    if (a == NULL || a->ulValueLen + r->len > sizeof(c->room[0])) {
        return;
    }
    from = r->number[0] < a->ulValueLen ? r->number[0] : a->ulValueLen;
    if (a->pValue != NULL) {
        memmove((uint8_t *)a->pValue + from + r->len, (uint8_t *)a->pValue + from,
                a->ulValueLen - from);
        memcpy((uint8_t *)a->pValue + from, r->bytes, r->len);
    }
    a->ulValueLen += r->len;
}

void edit_answer(call *c, const rule *r)
{
    CK_ULONG cap;
    CK_ATTRIBUTE *a = meant(c, r, &cap);

    if (a != NULL) {
        c->rv = CKR_OK;
        a->ulValueLen = r->len;
        if (a->pValue != NULL) {
            memcpy(a->pValue, r->bytes, r->len);
        }
    }
}

static void withhold(call *c, const rule *r, CK_RV rv)
{
    CK_ATTRIBUTE *a = given(c, r);

    if (a != NULL) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        c->rv = rv;
    }
}

void edit_absent(call *c, const rule *r)
{
    withhold(c, r, CKR_ATTRIBUTE_TYPE_INVALID);
}

void edit_keep(call *c, const rule *r)
{
    withhold(c, r, CKR_ATTRIBUTE_SENSITIVE);
}

void edit_tight(call *c, const rule *r)
{
    CK_ULONG cap = 0;
    CK_ATTRIBUTE *a = meant(c, r, &cap);

    if (a != NULL && a->pValue != NULL && given(c, r) != NULL && cap > a->ulValueLen) {
        withhold(c, r, r->code);
    }
}
