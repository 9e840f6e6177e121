/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

/* What is there, for a person to read. Each token is asked by itself: what it holds is
 * collected first and told afterwards, when it is left alone again. */

typedef struct row {
    const curve *curve;
    uint8_t public_key[MAX_PUBLIC_EC];
    bool has_public, private_seen, derive;
    uint8_t *label, *id; /* the label zero-terminated, as twp_attr_get leaves it */
    size_t label_len, id_len;
} row;

typedef struct rows {
    const token_uri *uri;
    bool with_public; /* public keys too, in place of private ones that are hidden */
    row *list;
    size_t count;
} rows;

static void rows_clear(rows *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->list[i].label);
        free(r->list[i].id);
    }
    free(r->list);
    r->list = NULL;
    r->count = 0;
}

static row *add_row(rows *r, failure *why) /* NULL: no memory */
{
    row *bigger = realloc(r->list, (r->count + 1) * sizeof(*r->list));

    if (bigger == NULL) {
        (void)twp_fail_text(why, TW_ERR_MEMORY, "no memory");
        return NULL;
    }
    r->list = bigger;
    bigger[r->count] = (row){.derive = true};
    return &bigger[r->count++];
}

static tw_err read_names(const line *l, CK_OBJECT_HANDLE object, row *w)
{
    tw_err err = twp_attr_get(l, object, CKA_LABEL, &w->label, &w->label_len);

    return err == TW_OK ? twp_attr_get(l, object, CKA_ID, &w->id, &w->id_len) : err;
}

static tw_err add_private(const line *l, CK_OBJECT_HANDLE object, rows *r)
{
    candidate c;
    row *w;
    tw_err err = twp_key_examine(l, object, &c);

    if (err != TW_OK || c.curve == NULL) {
        return err;
    }
    w = add_row(r, l->why);
    if (w == NULL) {
        return TW_ERR_MEMORY;
    }
    w->curve = c.curve;
    w->has_public = c.public_from != ORIGIN_NONE;
    w->private_seen = true;
    memcpy(w->public_key, c.public_key, sizeof(c.public_key));
    err = twp_attr_bool(l, object, CKA_DERIVE, true, &w->derive);
    return err == TW_OK ? read_names(l, object, w) : err;
}

static bool has_row(const rows *r, const curve *c, const uint8_t *public_key)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].curve == c && r->list[i].has_public &&
            memcmp(r->list[i].public_key, public_key, c->public_len) == 0) {
            return true;
        }
    }
    return false;
}

static tw_err add_public(const line *l, CK_OBJECT_HANDLE object, rows *r)
{
    uint8_t point[MAX_PUBLIC_EC];
    const curve *c;
    bool found = false;
    row *w;
    tw_err err = twp_curve_read(l, object, &c);

    if (err != TW_OK || c == NULL) {
        return err;
    }
    err = twp_point_read(l, object, c, point, &found);
    if (err != TW_OK || !found || has_row(r, c, point)) {
        return err;
    }
    w = add_row(r, l->why);
    if (w == NULL) {
        return TW_ERR_MEMORY;
    }
    w->curve = c;
    w->has_public = true;
    memcpy(w->public_key, point, c->public_len);
    return read_names(l, object, w);
}

static tw_err collect_class(const line *l, CK_OBJECT_CLASS class, rows *r)
{
    CK_ATTRIBUTE names[2];
    CK_OBJECT_HANDLE *objects;
    size_t count;
    tw_err err = twp_key_objects(l, class, names, twp_uri_names(r->uri, names), &objects, &count);

    for (size_t i = 0; err == TW_OK && i < count; i++) {
        err =
            class == CKO_PRIVATE_KEY ? add_private(l, objects[i], r) : add_public(l, objects[i], r);
    }
    free(objects);
    return err;
}

static tw_err collect(op *o, void *arg)
{
    rows *r = arg;
    tw_err err;

    rows_clear(r); /* of an earlier attempt */
    err = collect_class(&o->line, CKO_PRIVATE_KEY, r);
    return err == TW_OK && r->with_public ? collect_class(&o->line, CKO_PUBLIC_KEY, r) : err;
}

/* --- Telling. ------------------------------------------------------------------------ */

typedef struct listing {
    const char *uri;
    const tw_token_options *options;
    tw_err (*each)(void *arg, const tw_token_info *token, const tw_token_key_info *key);
    void *arg;
} listing;

static tw_err tell_key(const listing *l, const tw_token_info *token, const CK_TOKEN_INFO *info,
                       const row *w)
{
    CK_ATTRIBUTE label = {CKA_LABEL, w->label, w->label_len}, id = {CKA_ID, w->id, w->id_len};
    char *uri = twp_uri_format(info, w->label_len > 0 ? &label : NULL, w->id_len > 0 ? &id : NULL);
    tw_token_key_info key = {
        .size = sizeof(key),
        .uri = uri,
        .label = w->label == NULL ? "" : (const char *)w->label,
        .id = w->id,
        .id_len = w->id_len,
        .kem_id = w->curve->kem_id,
        .public_key = w->has_public ? w->public_key : NULL,
        .public_len = w->has_public ? w->curve->public_len : 0,
        .private_seen = w->private_seen,
        .derive = w->derive,
    };
    tw_err err;

    if (uri == NULL) {
        return TW_ERR_MEMORY;
    }
    if (w->label != NULL) {
        twp_text_utf8((char *)w->label); /* its bytes are in the URI by now */
    }
    err = l->each(l->arg, token, &key);
    free(uri);
    return err;
}

static void text_of(const unsigned char *field, size_t len, char *out)
{
    twp_slot_text(field, len, out);
    twp_text_utf8(out);
}

static tw_err tell(const listing *l, const place *p, tw_err login, const rows *r)
{
    const CK_TOKEN_INFO *info = &p->info;
    char label[33], manufacturer[33], model[17], serial[17];
    char *uri = twp_uri_format(info, NULL, NULL);
    tw_token_info token = {.size = sizeof(token),
                           .uri = uri,
                           .label = label,
                           .manufacturer = manufacturer,
                           .model = model,
                           .serial = serial,
                           .module = p->module->path,
                           .slot = p->slot,
                           .flags = info->flags,
                           .login = login};
    tw_err err;

    if (uri == NULL) {
        return TW_ERR_MEMORY;
    }
    text_of(info->label, sizeof(info->label), label);
    text_of(info->manufacturerID, sizeof(info->manufacturerID), manufacturer);
    text_of(info->model, sizeof(info->model), model);
    text_of(info->serialNumber, sizeof(info->serialNumber), serial);
    err = l->each(l->arg, &token, NULL);
    for (size_t i = 0; err == TW_OK && i < r->count; i++) {
        err = tell_key(l, &token, info, &r->list[i]);
    }
    free(uri);
    return err;
}

/* --- One token after the other. ------------------------------------------------------- */

/* Fills `r` by one visit, logged in or not; a failure is told to the caller's event. */
static tw_err visit(const listing *l, const place *p, bool anonymous, rows *r)
{
    failure why = {0};
    tw_token *t = NULL;
    tw_err err = twp_token_new(l->uri, l->options, &t, &why);

    if (err != TW_OK) {
        return err;
    }
    twp_token_settle(t, p);
    t->anonymous = anonymous;
    r->uri = &t->uri;
    r->with_public = anonymous;
    err = twp_token_run(t, RUN_GENTLY, collect, r, &why);
    if (err != TW_OK) {
        rows_clear(r);
        twp_token_report(t, "list token", &why);
    }
    tw_token_free(t);
    return err;
}

static tw_err list_one(const listing *l, const place *p, bool log_in)
{
    bool wants_login = (p->info.flags & CKF_LOGIN_REQUIRED) != 0;
    tw_err login = wants_login ? TW_ERR_STATE : TW_OK;
    rows r = {0};
    tw_err err = TW_OK;

    if ((p->info.flags & CKF_TOKEN_INITIALIZED) != 0) {
        err = visit(l, p, wants_login && !log_in, &r);
        if (wants_login && log_in) {
            login = err;
        }
        if (err != TW_OK && wants_login && log_in && err != TW_ERR_MEMORY) {
            err = visit(l, p, true, &r);
        }
    }
    if (err != TW_ERR_MEMORY) { /* what else failed was told, and the list goes on */
        err = tell(l, p, login, &r);
    }
    rows_clear(&r);
    return err;
}

static size_t count_initialised(const places *p)
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        count += (p->list[i].info.flags & CKF_TOKEN_INITIALIZED) != 0;
    }
    return count;
}

tw_err tw_token_list(const char *uri, const tw_token_options *options,
                     tw_err (*each)(void *arg, const tw_token_info *token,
                                    const tw_token_key_info *key),
                     void *arg)
{
    listing l = {
        .uri = uri == NULL ? "pkcs11:" : uri, .options = options, .each = each, .arg = arg};
    failure why = {0};
    tw_token *probe = NULL;
    places found = {0};
    bool log_in;
    tw_err err;

    if (each == NULL) {
        return TW_ERR_INVALID;
    }
    err = twp_token_new(l.uri, options, &probe, &why);
    if (err != TW_OK) {
        return err;
    }
    err = twp_places_find(&found, &probe->opt, &probe->uri, &why);
    if (err == TW_OK && found.count == 0) {
        err = twp_fail_text(&why, TW_ERR_TOKEN_ABSENT, "no token matches the URI");
    }
    if (err != TW_OK) {
        twp_token_report(probe, "list tokens", &why);
    }
    log_in = twp_pin_given(&probe->opt, &probe->uri) && count_initialised(&found) == 1;
    for (size_t i = 0; err == TW_OK && i < found.count; i++) {
        err = list_one(&l, &found.list[i], log_in);
    }
    twp_places_clear(&found);
    tw_token_free(probe);
    return err;
}
