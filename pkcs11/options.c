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

static tw_err own_text(const char **text)
{
    if (*text == NULL) {
        return TW_OK;
    }
    *text = strdup(*text);
    return *text == NULL ? TW_ERR_MEMORY : TW_OK;
}

static tw_err own_provider(const tw_provider **provider)
{
    tw_provider *copy;

    if (*provider == NULL) {
        return TW_OK;
    }
    copy = malloc(sizeof(*copy));
    if (copy != NULL) {
        *copy = **provider;
    }
    *provider = copy;
    return copy == NULL ? TW_ERR_MEMORY : TW_OK;
}

/* Each is tried, so that each holds a copy or NULL. */
static tw_err own_all(settings *s)
{
    tw_err a = own_text(&s->module), b = own_text(&s->init_args), c = own_provider(&s->provider);

    return a != TW_OK ? a : b != TW_OK ? b : c;
}

/* A caller built against an older header has a shorter struct: what lies beyond its
 * size counts as absent. */
tw_err twp_settings_copy(settings *out, const tw_token_options *options)
{
    size_t len;
    tw_err err;

    *out = (settings){.size = sizeof(*out)};
    if (options != NULL) {
        if (options->size < offsetof(tw_token_options, init_args)) {
            return TW_ERR_INVALID;
        }
        len = options->size < sizeof(*out) ? options->size : sizeof(*out);
        /* cppcheck-suppress pointerSize ; a pointer's size is meant: never a part of one */
        memcpy(out, options, len - len % sizeof(void *));
    }
    if (out->max_sessions > MOST_SESSIONS) {
        *out = (settings){0};
        return TW_ERR_INVALID;
    }
    out->max_sessions = out->max_sessions == 0 ? DEFAULT_SESSIONS : out->max_sessions;
    out->deadline_ms = out->deadline_ms == 0 ? DEFAULT_DEADLINE_MS : out->deadline_ms;
    err = own_all(out);
    if (err != TW_OK) {
        twp_settings_clear(out);
    }
    return err;
}

void twp_settings_clear(settings *s)
{
    free((void *)(uintptr_t)s->module);
    free((void *)(uintptr_t)s->init_args);
    free((void *)(uintptr_t)s->provider);
    *s = (settings){0};
}
