/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <string.h>

/* Answers to C_GetAttributeValue, made other than the wrapped module gave them. A question
 * for the length alone is answered accordingly. */

/* The n-th attribute that the rule means, of those whose buffers are known. */
static CK_ATTRIBUTE *meant(const call *c, const rule *r, size_t *at)
{
    CK_ULONG count = c->templates[0].count < MOST_HITS ? c->templates[0].count : MOST_HITS;

    if (c->id != F_C_GetAttributeValue) {
        return NULL;
    }
    for (; *at < count; (*at)++) {
        CK_ATTRIBUTE *a = &(*c->templates[0].list)[*at];

        if (a->type == r->attribute) {
            return a;
        }
    }
    return NULL;
}

static bool has_value(const call *c, const CK_ATTRIBUTE *a)
{
    return c->rv == CKR_OK && a->ulValueLen != CK_UNAVAILABLE_INFORMATION;
}

void edit_length(call *c, const rule *r)
{
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);

    if (a != NULL && has_value(c, a)) {
        a->ulValueLen = r->number[0];
    }
}

void edit_drop(call *c, const rule *r)
{
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);
    CK_ULONG from = r->number[0], n = r->number[1];

    if (a == NULL || !has_value(c, a) || a->ulValueLen < n) {
        return;
    }
    a->ulValueLen -= n;
    if (a->pValue != NULL && from < a->ulValueLen) {
        memmove((uint8_t *)a->pValue + from, (uint8_t *)a->pValue + from + n, a->ulValueLen - from);
    }
}

void edit_insert(call *c, const rule *r)
{
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);
    CK_ULONG from;

    if (a == NULL || !has_value(c, a)) {
        return;
    }
    from = r->number[0] < a->ulValueLen ? r->number[0] : a->ulValueLen;
    if (a->pValue != NULL && c->caps[at] < a->ulValueLen + r->len) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        c->rv = CKR_BUFFER_TOO_SMALL;
        return;
    }
    if (a->pValue != NULL) {
        memmove((uint8_t *)a->pValue + from + r->len, (uint8_t *)a->pValue + from,
                a->ulValueLen - from);
        memcpy((uint8_t *)a->pValue + from, r->bytes, r->len);
    }
    a->ulValueLen += r->len;
}

void edit_answer(call *c, const rule *r)
{
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);

    if (a == NULL) {
        return;
    }
    c->rv = CKR_OK;
    a->ulValueLen = r->len;
    if (a->pValue != NULL && c->caps[at] < r->len) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        c->rv = CKR_BUFFER_TOO_SMALL;
    } else if (a->pValue != NULL) {
        memcpy(a->pValue, r->bytes, r->len);
    }
}

static void withhold(call *c, const rule *r, CK_RV rv)
{
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);

    if (a != NULL && c->rv == CKR_OK) {
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
    size_t at = 0;
    CK_ATTRIBUTE *a = meant(c, r, &at);

    if (a != NULL && a->pValue != NULL && has_value(c, a) && c->caps[at] > a->ulValueLen) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        c->rv = r->code;
    }
}
