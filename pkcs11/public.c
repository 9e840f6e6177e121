/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdlib.h>

/*
 * Where tokens keep the public half of a private key: an object of its own beside it, the
 * private object's EC_POINT, its CKA_PUBLIC_KEY_INFO, or a certificate of the same id.
 * The first that decodes is taken; that it belongs to the private key shows when the key
 * is tried.
 */

typedef bool decode(const curve *c, const uint8_t *in, size_t len, uint8_t *out);

typedef struct name {
    uint8_t *id, *label;
    size_t id_len, label_len;
} name;

static tw_err read_as(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                      decode *decoder, const curve *c, uint8_t *out, bool *found)
{
    uint8_t *value;
    size_t len;
    tw_err err = twp_attr_get(l, object, type, &value, &len);

    *found = err == TW_OK && value != NULL && decoder(c, value, len, out);
    free(value);
    return err;
}

tw_err twp_point_read(const line *l, CK_OBJECT_HANDLE object, const curve *c, uint8_t *out,
                      bool *found)
{
    const curve *own;
    tw_err err = twp_curve_read(l, object, &own);

    *found = false;
    return err == TW_OK && own == c
               ? read_as(l, object, CKA_EC_POINT, twp_point_decode, c, out, found)
               : err;
}

static tw_err read_certificate(const line *l, CK_OBJECT_HANDLE object, const curve *c, uint8_t *out,
                               bool *found)
{
    return read_as(l, object, CKA_VALUE, twp_certificate_point, c, out, found);
}

typedef tw_err reader(const line *l, CK_OBJECT_HANDLE object, const curve *c, uint8_t *out,
                      bool *found);

/* The first object of a class and name that `read` can read. */
static tw_err search(const line *l, CK_OBJECT_CLASS class, const name *id, const name *label,
                     reader *read, const curve *c, uint8_t *out, bool *found)
{
    CK_ATTRIBUTE match[3] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE *objects;
    CK_ULONG n = 1;
    size_t count;
    tw_err err;

    if (id != NULL) {
        match[n++] = (CK_ATTRIBUTE){CKA_ID, id->id, id->id_len};
    }
    if (label != NULL) {
        match[n++] = (CK_ATTRIBUTE){CKA_LABEL, label->label, label->label_len};
    }
    err = twp_object_find(l, match, n, &objects, &count);
    for (size_t i = 0; err == TW_OK && !*found && i < count; i++) {
        err = read(l, objects[i], c, out, found);
    }
    free(objects);
    return err;
}

/* The object beside it: of the same id and label, of the same id, and where there is no
 * id, of the same label. */
static tw_err search_public(const line *l, const name *n, const curve *c, uint8_t *out, bool *found)
{
    const name *id = n->id_len > 0 ? n : NULL, *label = n->label_len > 0 ? n : NULL;
    tw_err err = TW_OK;

    if (label != NULL) {
        err = search(l, CKO_PUBLIC_KEY, id, label, twp_point_read, c, out, found);
    }
    if (err == TW_OK && !*found && id != NULL) {
        err = search(l, CKO_PUBLIC_KEY, id, NULL, twp_point_read, c, out, found);
    }
    return err;
}

tw_err twp_public_find(const line *l, CK_OBJECT_HANDLE key, const curve *c, uint8_t *out,
                       origin *from)
{
    name n = {0};
    bool found = false;
    tw_err err;

    *from = ORIGIN_NONE;
    err = twp_attr_get(l, key, CKA_ID, &n.id, &n.id_len);
    if (err == TW_OK) {
        err = twp_attr_get(l, key, CKA_LABEL, &n.label, &n.label_len);
    }
    if (err == TW_OK) {
        err = search_public(l, &n, c, out, &found);
        *from = found ? ORIGIN_OBJECT : ORIGIN_NONE;
    }
    if (err == TW_OK && !found) {
        err = read_as(l, key, CKA_EC_POINT, twp_point_decode, c, out, &found);
        *from = found ? ORIGIN_POINT : ORIGIN_NONE;
    }
    if (err == TW_OK && !found) {
        err = read_as(l, key, CKA_PUBLIC_KEY_INFO, twp_spki_point, c, out, &found);
        *from = found ? ORIGIN_INFO : ORIGIN_NONE;
    }
    if (err == TW_OK && !found && n.id_len > 0) {
        err = search(l, CKO_CERTIFICATE, &n, NULL, read_certificate, c, out, &found);
        *from = found ? ORIGIN_CERTIFICATE : ORIGIN_NONE;
    }
    free(n.id);
    free(n.label);
    return err;
}
