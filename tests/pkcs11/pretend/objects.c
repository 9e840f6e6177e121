/* SPDX-License-Identifier: Apache-2.0 */
#include "pretend.h"

#include <string.h>

#include "encoding.h"
#include "support/check.h"

pretend_object pretend_objects[PRETEND_OBJECTS];

static CK_OBJECT_HANDLE next_object = 100;

pretend_object *pretend_find(CK_OBJECT_HANDLE handle)
{
    for (size_t i = 0; i < PRETEND_OBJECTS && handle != 0; i++) {
        if (pretend_objects[i].handle == handle) {
            return &pretend_objects[i];
        }
    }
    return NULL;
}

pretend_object *pretend_add(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class)
{
    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        pretend_object *o = &pretend_objects[i];

        if (o->handle == 0) {
            *o = (pretend_object){.handle = next_object++, .session = session, .class = class};
            pretend->objects += session != 0;
            return o;
        }
    }
    return NULL;
}

static void drop(pretend_object *o)
{
    pretend->objects -= o->session != 0;
    o->handle = 0;
}

void pretend_remove_of(CK_SESSION_HANDLE session)
{
    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        if (pretend_objects[i].handle != 0 && pretend_objects[i].session == session) {
            drop(&pretend_objects[i]);
        }
    }
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    pretend_object *o = pretend_find(object);

    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (o == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    drop(o);
    return CKR_OK;
}

/* --- Attributes. ----------------------------------------------------------------------------- */

/* What a private key may do, and where it stays. */
static bool read_flag(const pretend_object *o, CK_ATTRIBUTE_TYPE type, CK_BBOOL *out)
{
    bool private = o->class == CKO_PRIVATE_KEY;

    switch (type) {
    case CKA_PRIVATE:
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_DERIVE:
        *out = private ? CK_TRUE : CK_FALSE;
        return true;
    case CKA_ALWAYS_AUTHENTICATE:
        *out = private && pretend->each_login ? CK_TRUE : CK_FALSE;
        return true;
    case CKA_EXTRACTABLE:
    case CKA_SIGN:
    case CKA_SIGN_RECOVER:
    case CKA_DECRYPT:
    case CKA_UNWRAP:
        *out = CK_FALSE;
        return true;
    default:
        return false;
    }
}

static CK_KEY_TYPE type_of(const pretend_object *o)
{
    if (o->key == NULL) {
        return CKK_GENERIC_SECRET;
    }
    return o->key->kem->id <= TW_KEM_P521_HKDF_SHA512 ? 0x03 : 0x41; /* EC, EC_MONTGOMERY */
}

static bool copy(const void *from, size_t from_len, uint8_t *out, size_t *len)
{
    if (from_len > 0) {
        memcpy(out, from, from_len);
    }
    *len = from_len;
    return true;
}

/* A copy of what an object has of one attribute; false: it has none. */
static bool read_value(const pretend_object *o, CK_ATTRIBUTE_TYPE type, uint8_t *out, size_t *len)
{
    const curve *c = o->key == NULL ? NULL : twp_curve_by_kem(o->key->kem->id);
    CK_KEY_TYPE key_type = type_of(o);

    switch (type) {
    case CKA_CLASS:
        return copy(&o->class, sizeof(o->class), out, len);
    case CKA_KEY_TYPE:
        return copy(&key_type, sizeof(key_type), out, len);
    case CKA_LABEL:
        return copy(o->label, o->label_len, out, len);
    case CKA_ID:
        return copy(o->id, o->id_len, out, len);
    case CKA_EC_PARAMS:
        return c != NULL && copy(c->params[0].data, c->params[0].len, out, len);
    case CKA_EC_POINT:
        *len = c == NULL ? 0 : twp_point_encode(c, o->key->public_key, out);
        return c != NULL && o->class == CKO_PUBLIC_KEY;
    case CKA_VALUE:
        return o->value_len > 0 && copy(o->value, o->value_len, out, len);
    default:
        *len = 1;
        return read_flag(o, type, out);
    }
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a,
                          CK_ULONG count)
{
    const pretend_object *o = pretend_find(object);
    uint8_t value[PRETEND_MOST_VALUE];
    size_t len;

    PRETEND_ASKED();
    must(count == 1); /* all that the library asks for at once */
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (o == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (!read_value(o, a->type, value, &len)) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (a->type == CKA_VALUE && !o->readable) {
        a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_SENSITIVE;
    }
    if (a->pValue != NULL) {
        if (a->ulValueLen < len) {
            a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
            return CKR_BUFFER_TOO_SMALL;
        }
        memcpy(a->pValue, value, len);
        pretend_bytes(a->pValue, len);
    }
    a->ulValueLen = len;
    pretend_number(&a->ulValueLen);
    return CKR_OK;
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a,
                          CK_ULONG count)
{
    (void)a;
    (void)count;
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    return pretend_find(object) == NULL ? CKR_OBJECT_HANDLE_INVALID : CKR_OK;
}

/* A copy would be as closed as what it is of, and so there is none. */
CK_RV C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a,
                   CK_ULONG count, CK_OBJECT_HANDLE *out)
{
    (void)a;
    (void)count;
    (void)out;
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    return pretend_find(object) == NULL ? CKR_OBJECT_HANDLE_INVALID : CKR_ACTION_PROHIBITED;
}

/* --- Searches. ------------------------------------------------------------------------------- */

static struct {
    bool active;
    CK_OBJECT_HANDLE found[PRETEND_OBJECTS];
    size_t count, given;
} search;

static bool matches(const pretend_object *o, const CK_ATTRIBUTE *match, CK_ULONG count)
{
    uint8_t value[PRETEND_MOST_VALUE];
    size_t len;

    for (CK_ULONG i = 0; i < count; i++) {
        if (!read_value(o, match[i].type, value, &len) || len != match[i].ulValueLen ||
            (len > 0 && memcmp(value, match[i].pValue, len) != 0)) {
            return false;
        }
    }
    return true;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *match, CK_ULONG count)
{
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    search.active = true;
    search.count = search.given = 0;
    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        const pretend_object *o = &pretend_objects[i];

        if (o->handle != 0 && matches(o, match, count)) {
            search.found[search.count++] = o->handle;
        }
    }
    return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out, CK_ULONG room,
                    CK_ULONG *count)
{
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (!search.active) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    for (*count = 0; *count < room && search.given < search.count; (*count)++) {
        out[*count] = search.found[search.given++];
        pretend_number(&out[*count]);
    }
    pretend_number(count);
    return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
    PRETEND_ASKED();
    search.active = false;
    return pretend_has_session(session) ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}
