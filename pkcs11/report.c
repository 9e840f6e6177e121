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

tw_err twp_fail_rv(failure *why, const char *function, CK_RV rv)
{
    verdict v = twp_rv_judge(rv);

    *why = (failure){.err = v.err, .function = function, .rv = rv, .loss = v.loss};
    (void)snprintf(why->text, sizeof(why->text), "%s", v.advice == NULL ? "" : v.advice);
    return v.err;
}

tw_err twp_fail_text(failure *why, tw_err err, const char *format, ...)
{
    va_list args;

    *why = (failure){.err = err};
    va_start(args, format);
    append(why->text, sizeof(why->text), format, args);
    va_end(args);
    return err;
}

void twp_fail_add(failure *why, const char *format, ...)
{
    va_list args;

    if (why->text[0] != '\0' && strlen(why->text) + 2 < sizeof(why->text)) {
        strcat(why->text, "; "); /* NOLINT(*.strcpy): it fits */
    }
    va_start(args, format);
    append(why->text, sizeof(why->text), format, args);
    va_end(args);
}

/* The bytes of the UTF-8 character at `p` (RFC 3629); 0 for what is none: longer than need be, half
 * of a UTF-16 pair, or beyond the last. */
static size_t character(const unsigned char *p)
{
    size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    unsigned char least = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80;
    unsigned char most = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;

    for (size_t i = 1; i < len; i++) {
        if (p[i] < least || p[i] > most) {
            return 0;
        }
        least = 0x80;
        most = 0xbf;
    }
    return len;
}

/* C0 and C1, and what ends a line or turns the direction of others in Unicode: U+2028 to U+202E,
 * U+2066 to U+2069. */
static bool is_control(const unsigned char *p)
{
    if (*p == 0xe2 && (p[1] == 0x80 || p[1] == 0x81)) {
        return p[1] == 0x80 ? p[2] >= 0xa8 && p[2] <= 0xae : p[2] >= 0xa6 && p[2] <= 0xa9;
    }
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0);
}

/* Labels come from the token and may hold anything. */
static void replace(char *text, bool controls)
{
    unsigned char *p = (unsigned char *)text;

    while (*p != '\0') {
        size_t len = character(p);

        if (len == 0 || (controls && is_control(p))) {
            len = len == 0 ? 1 : len;
            memset(p, '?', len);
        }
        p += len;
    }
}

/* One line: without controls. */
void twp_text_clean(char *text)
{
    replace(text, true);
}

void twp_text_utf8(char *text)
{
    replace(text, false);
}

void twp_fail_tell(const failure *why, char *out, size_t cap)
{
    const char *name = twp_rv_judge(why->rv).name;

    if (why->function == NULL) {
        (void)snprintf(out, cap, "%s", why->text);
    } else {
        (void)snprintf(out, cap, "%s gave %s (0x%lx)%s%s", why->function,
                       name == NULL ? "a code outside PKCS #11" : name, why->rv,
                       why->text[0] == '\0' ? "" : ": ", why->text);
    }
    twp_text_clean(out);
}

void twp_report(const settings *s, CK_SLOT_ID slot, const char *what, const failure *why)
{
    char text[640];
    tw_token_event event = {.size = sizeof(event),
                            .function = why->function,
                            .rv = why->rv,
                            .slot = slot,
                            .err = why->err,
                            .message = text};

    if (s->event == NULL) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%s: ", what);
    twp_text_clean(text);
    twp_fail_tell(why, text + strlen(text), sizeof(text) - strlen(text));
    s->event(s->arg, &event);
}

void twp_report_left_out(const settings *s, const char *path, CK_SLOT_ID slot, const failure *why)
{
    char what[256], number[32] = "";

    if (slot != TW_TOKEN_NO_SLOT) {
        (void)snprintf(number, sizeof(number), "slot %lu of ", slot);
    }
    (void)snprintf(what, sizeof(what), "%smodule %.200s left out", number,
                   path == NULL ? "without a path" : path);
    twp_report(s, slot, what, why);
}
