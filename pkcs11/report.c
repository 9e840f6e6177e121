/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void append(char *out, size_t cap, const char *format,
                                                         va_list args)
{
    size_t used = strlen(out);

    (void)vsnprintf(out + used, cap - used, format, args); /* a text may be cut */
}

tw_err fail_rv(failure *why, const char *function, CK_RV rv)
{
    verdict v = rv_judge(rv);

    *why = (failure){.err = v.err, .function = function, .rv = rv, .loss = v.loss};
    (void)snprintf(why->text, sizeof(why->text), "%s", v.advice == NULL ? "" : v.advice);
    return v.err;
}

tw_err fail_text(failure *why, tw_err err, const char *format, ...)
{
    va_list args;

    *why = (failure){.err = err};
    va_start(args, format);
    append(why->text, sizeof(why->text), format, args);
    va_end(args);
    return err;
}

void fail_add(failure *why, const char *format, ...)
{
    va_list args;

    if (why->text[0] != '\0' && strlen(why->text) + 2 < sizeof(why->text)) {
        strcat(why->text, "; ");
    }
    va_start(args, format);
    append(why->text, sizeof(why->text), format, args);
    va_end(args);
}

/* One line: labels come from the token and may hold anything. */
static void clean(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

void report(const settings *s, CK_SLOT_ID slot, const char *what, const failure *why)
{
    char text[640];
    const char *name = rv_judge(why->rv).name;
    tw_token_event event = {.size = sizeof(event),
                            .function = why->function,
                            .rv = why->rv,
                            .slot = slot,
                            .err = why->err,
                            .message = text};

    if (s->event == NULL) {
        return;
    }
    if (why->function == NULL) {
        (void)snprintf(text, sizeof(text), "%s: %s", what, why->text);
    } else {
        (void)snprintf(text, sizeof(text), "%s: %s gave %s (0x%lx)%s%s", what, why->function,
                       name == NULL ? "a code outside PKCS #11" : name, why->rv,
                       why->text[0] == '\0' ? "" : ": ", why->text);
    }
    clean(text);
    s->event(s->arg, &event);
}
