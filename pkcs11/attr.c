/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>
#include <string.h>

/* The object has not got it, or keeps it: an answer, not a failure. */
static bool has_not(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE;
}

/* The length first: NSS 3.110 refuses large buffers for short values. */
tw_err twp_attr_get(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t **value,
                    size_t *len)
{
    CK_ATTRIBUTE a = {type, NULL, 0};
    CK_RV rv = l->fn->C_GetAttributeValue(l->session, object, &a, 1);

    *value = NULL;
    *len = 0;
    if (has_not(rv) || (rv == CKR_OK && a.ulValueLen == CK_UNAVAILABLE_INFORMATION)) {
        return TW_OK;
    }
    if (rv != CKR_OK) {
        return twp_fail_rv(l->why, "C_GetAttributeValue", rv);
    }
    if (a.ulValueLen > MAX_ATTR) {
        return twp_fail_text(l->why, TW_ERR_TOKEN_FAILED,
                             "attribute 0x%lx is said to have %lu bytes", type, a.ulValueLen);
    }
    *value = calloc(1, a.ulValueLen + 1);
    if (*value == NULL) {
        return twp_fail_text(l->why, TW_ERR_MEMORY, "no memory");
    }
    *len = a.ulValueLen;
    a.pValue = *value;
    rv = l->fn->C_GetAttributeValue(l->session, object, &a, 1);
    if (rv == CKR_OK && a.ulValueLen <= *len) {
        *len = a.ulValueLen;
        return TW_OK;
    }
    free(*value);
    *value = NULL;
    *len = 0;
    if (rv == CKR_OK && a.ulValueLen != CK_UNAVAILABLE_INFORMATION) {
        return twp_fail_text(l->why, TW_ERR_TOKEN_FAILED, "attribute 0x%lx grew while it was read",
                             type);
    }
    return rv == CKR_OK || has_not(rv) ? TW_OK : twp_fail_rv(l->why, "C_GetAttributeValue", rv);
}

tw_err twp_attr_bool(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool otherwise,
                     bool *out)
{
    uint8_t *value;
    size_t len;
    tw_err err = twp_attr_get(l, object, type, &value, &len);

    *out = otherwise;
    if (err == TW_OK && len == 1) {
        *out = value[0] != CK_FALSE;
    }
    free(value);
    return err;
}

enum {
    BATCH = 32,
    MOST_OBJECTS = 65536, /* a token that tells of more is broken */
};

/* Appends what one C_FindObjects gives; *got is 0 at the end. */
static tw_err find_some(const line *l, CK_OBJECT_HANDLE **out, size_t *count, CK_ULONG *got)
{
    CK_OBJECT_HANDLE *bigger = realloc(*out, (*count + BATCH) * sizeof(**out));
    CK_RV rv;

    *got = 0;
    if (bigger == NULL) {
        return twp_fail_text(l->why, TW_ERR_MEMORY, "no memory");
    }
    *out = bigger;
    memset(bigger + *count, 0, BATCH * sizeof(*bigger));
    rv = l->fn->C_FindObjects(l->session, *out + *count, BATCH, got);
    if (rv != CKR_OK) {
        return twp_fail_rv(l->why, "C_FindObjects", rv);
    }
    if (*got > BATCH || *count + *got > MOST_OBJECTS) {
        return twp_fail_text(l->why, TW_ERR_TOKEN_FAILED,
                             "C_FindObjects gave more than was asked for");
    }
    for (size_t i = 0; i < *got; i++) {
        if (bigger[*count + i] == CK_INVALID_HANDLE) {
            return twp_fail_text(l->why, TW_ERR_TOKEN_FAILED,
                                 "C_FindObjects counted an object that it did not give");
        }
    }
    *count += *got;
    return TW_OK;
}

static tw_err search(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count, bool all,
                     CK_OBJECT_HANDLE **out, size_t *count)
{
    CK_ULONG got = 1;
    CK_RV rv = l->fn->C_FindObjectsInit(l->session, match, match_count);
    tw_err err = TW_OK;

    *out = NULL;
    *count = 0;
    if (rv != CKR_OK) {
        return twp_fail_rv(l->why, "C_FindObjectsInit", rv);
    }
    while (err == TW_OK && got != 0 && (all || *count == 0)) {
        err = find_some(l, out, count, &got);
    }
    rv = l->fn->C_FindObjectsFinal(l->session);
    if (err == TW_OK && rv != CKR_OK) {
        err = twp_fail_rv(l->why, "C_FindObjectsFinal", rv);
    }
    if (err != TW_OK) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    return err;
}

tw_err twp_object_find(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count,
                       CK_OBJECT_HANDLE **out, size_t *count)
{
    return search(l, match, match_count, true, out, count);
}

tw_err twp_object_any(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count, bool *any)
{
    CK_OBJECT_HANDLE *some;
    size_t count;
    tw_err err = search(l, match, match_count, false, &some, &count);

    *any = count > 0;
    free(some);
    return err;
}
