/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char note[160];

static const struct {
    tw_err err;
    const char *name;
} names[] = {
    {TW_OK, "OK"},
    {TW_ERR_INVALID, "INVALID"},
    {TW_ERR_STATE, "STATE"},
    {TW_ERR_SPACE, "SPACE"},
    {TW_ERR_MEMORY, "MEMORY"},
    {TW_ERR_RANDOM, "RANDOM"},
    {TW_ERR_CRYPTO, "CRYPTO"},
    {TW_ERR_BACKEND, "BACKEND"},
    {TW_ERR_IO, "IO"},
    {TW_ERR_TOKEN_ABSENT, "TOKEN_ABSENT"},
    {TW_ERR_TOKEN_PIN, "TOKEN_PIN"},
    {TW_ERR_TOKEN_BUSY, "TOKEN_BUSY"},
    {TW_ERR_TOKEN_POLICY, "TOKEN_POLICY"},
    {TW_ERR_TOKEN_FAILED, "TOKEN_FAILED"},
    {TW_ERR_FORMAT, "FORMAT"},
    {TW_ERR_KEY, "KEY"},
    {TW_ERR_AUTH, "AUTH"},
    {TW_ERR_TRUNCATED, "TRUNCATED"},
    {TW_ERR_LIMIT, "LIMIT"},
};

const char *err_name(tw_err err)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].err == err) {
            return names[i].name;
        }
    }
    return "an unknown code";
}

void check_err(const char *file, int line, const char *call, tw_err want, tw_err got)
{
    char text[512];

    if (want != got) {
        (void)snprintf(text, sizeof(text), "wanted %s, got %s from %s", err_name(want),
                       err_name(got), call);
        check_failed(file, line, text);
    }
}

void check_size(const char *file, int line, const char *what, size_t want, size_t got)
{
    char text[512];

    if (want != got) {
        (void)snprintf(text, sizeof(text), "wanted %zu, got %zu from %s", want, got, what);
        check_failed(file, line, text);
    }
}

void check_note(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(note, sizeof(note), format, values);
    va_end(values);
}

const char *check_note_text(void)
{
    return note;
}
