/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>

static tw_err none_loaded(const token_uri *u, failure *why)
{
    const char *name = p11_kit_uri_get_module_name(u->uri);

    if (name != NULL) {
        return twp_fail_text(why, TW_ERR_TOKEN_ABSENT, "p11-kit has no module called %s configured",
                             name);
    }
    return twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                         "p11-kit has no module configured: name one by --module or module-path=");
}

static tw_err load(places *p, const settings *s, const token_uri *u, failure *why)
{
    const char *path = s->module != NULL ? s->module : p11_kit_uri_get_module_path(u->uri);

    if (path == NULL) {
        return twp_module_get_all(p11_kit_uri_get_module_name(u->uri), s->init_args, &p->modules,
                                  &p->module_count, s, why);
    }
    p->modules = calloc(1, sizeof(*p->modules));
    if (p->modules == NULL) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    if (twp_module_get(path, s->init_args, &p->modules[0], why) != TW_OK) {
        return why->err;
    }
    p->module_count = 1;
    return TW_OK;
}

static tw_err add_place(void *arg, const place *found, failure *why)
{
    places *p = arg;
    place *bigger = realloc(p->list, (p->count + 1) * sizeof(*p->list));

    if (bigger == NULL) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    p->list = bigger;
    p->list[p->count++] = *found;
    return TW_OK;
}

tw_err twp_places_find(places *out, const settings *s, const token_uri *u, failure *why)
{
    tw_err err;

    *out = (places){0};
    err = load(out, s, u, why);
    if (err == TW_OK && out->module_count == 0) {
        err = none_loaded(u, why);
    }
    for (size_t i = 0; err == TW_OK && i < out->module_count; i++) {
        failure each = {0};

        err = twp_slot_find(out->modules[i], u, NULL, s, add_place, out, &each);
        if (err != TW_OK && (err == TW_ERR_MEMORY || out->module_count == 1)) {
            *why = each;
        } else if (err != TW_OK) {
            twp_report_left_out(s, out->modules[i]->path, TW_TOKEN_NO_SLOT, &each);
            err = TW_OK;
        }
    }
    if (err != TW_OK) {
        twp_places_clear(out);
    }
    return err;
}

/* The one place of all that match, among tokens that were initialised: SoftHSM always
 * shows one more that was not. */
tw_err twp_places_only(const places *p, place *out, failure *why)
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        if ((p->list[i].info.flags & CKF_TOKEN_INITIALIZED) != 0) {
            *out = p->list[i];
            count++;
        }
    }
    if (count == 0) {
        return twp_fail_text(
            why, TW_ERR_TOKEN_ABSENT, "no initialised token matches the URI%s%s",
            p->module_count == 1 && p->modules[0]->path != NULL ? " in " : "",
            p->module_count == 1 && p->modules[0]->path != NULL ? p->modules[0]->path : "");
    }
    if (count > 1) {
        return twp_fail_text(why, TW_ERR_INVALID,
                             "%zu tokens match the URI: name one by token= or serial=", count);
    }
    return TW_OK;
}

void twp_places_clear(places *p)
{
    for (size_t i = 0; i < p->module_count; i++) {
        twp_module_put(p->modules[i]);
    }
    free(p->modules);
    free(p->list);
    *p = (places){0};
}
