/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_SESSIONS = 32,
    MOST_SESSIONS = 65536,
    DEFAULT_DEADLINE_MS = 10000,
};

static tw_err copy_text(char **out, const char *text)
{
    if (text == NULL) {
        return TW_OK;
    }
    *out = strdup(text);
    return *out == NULL ? TW_ERR_MEMORY : TW_OK;
}

/* A caller built against an older header has a shorter struct: what lies beyond its
 * size counts as absent. */
tw_err settings_copy(settings *out, const tw_token_options *options)
{
    tw_token_options o = {0};
    tw_err err;

    *out = (settings){0};
    if (options != NULL) {
        if (options->size < offsetof(tw_token_options, module) + sizeof(o.module)) {
            return TW_ERR_INVALID;
        }
        memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
    }
    if (o.max_sessions > MOST_SESSIONS) {
        return TW_ERR_INVALID;
    }
    out->max_sessions = o.max_sessions == 0 ? DEFAULT_SESSIONS : o.max_sessions;
    out->deadline_ms = o.deadline_ms == 0 ? DEFAULT_DEADLINE_MS : o.deadline_ms;
    out->never_export_dh = o.never_export_dh;
    out->pin_first = o.pin_first;
    out->pin = o.pin;
    out->event = o.event;
    out->arg = o.arg;
    if (o.provider != NULL) {
        out->provider = *o.provider;
    }
    err = copy_text(&out->module, o.module);
    if (err == TW_OK) {
        err = copy_text(&out->init_args, o.init_args);
    }
    if (err != TW_OK) {
        settings_clear(out);
    }
    return err;
}

void settings_clear(settings *s)
{
    free(s->module);
    free(s->init_args);
    *s = (settings){0};
}
