/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct node {
    struct node *older;
    size_t number;
    void *data;
} node;

static _Thread_local node *newest;

const bytes bytes_none = {NULL, 0};

bytes bytes_new(size_t len)
{
    bytes made = {calloc(len > 0 ? len : 1, 1), len};
    node *kept = malloc(sizeof(*kept));

    must(made.data != NULL && kept != NULL);
    kept->older = newest;
    kept->number = newest == NULL ? 1 : newest->number + 1;
    kept->data = made.data;
    newest = kept;
    return made;
}

size_t bytes_mark(void)
{
    return newest == NULL ? 0 : newest->number;
}

void bytes_release(size_t mark)
{
    while (newest != NULL && newest->number > mark) {
        node *gone = newest;

        newest = gone->older;
        free(gone->data);
        free(gone);
    }
}

bytes bytes_of(const void *data, size_t len)
{
    bytes made = bytes_new(len);

    if (len > 0) {
        memcpy(made.data, data, len);
    }
    return made;
}

bytes bytes_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    must(c >= 'A' && c <= 'F');
    return c - 'A' + 10;
}

bytes bytes_hex(const char *hex)
{
    size_t len = strlen(hex);
    bytes made = bytes_new(len / 2);

    must(len % 2 == 0);
    for (size_t i = 0; i < made.len; i++) {
        made.data[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    }
    return made;
}

uint32_t noise_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* the constants of Numerical Recipes */
    return *state >> 8;
}

bytes bytes_noise(size_t len, uint32_t seed)
{
    bytes made = bytes_new(len);

    for (size_t i = 0; i < len; i++) {
        made.data[i] = (uint8_t)noise_next(&seed);
    }
    return made;
}

bytes bytes_cat(bytes a, bytes b)
{
    bytes made = bytes_new(a.len + b.len);

    if (a.len > 0) {
        memcpy(made.data, a.data, a.len);
    }
    if (b.len > 0) {
        memcpy(made.data + a.len, b.data, b.len);
    }
    return made;
}

bytes bytes_part(bytes whole, size_t from, size_t len)
{
    must(from <= whole.len && len <= whole.len - from);
    return (bytes){whole.data + from, len};
}

bytes bytes_from(bytes whole, size_t from)
{
    must(from <= whole.len);
    return bytes_part(whole, from, whole.len - from);
}

bool bytes_equal(bytes a, bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_starts(bytes whole, bytes start)
{
    return start.len <= whole.len && bytes_equal(bytes_part(whole, 0, start.len), start);
}

static void print_hex(char *out, size_t cap, bytes b, size_t from)
{
    size_t shown = b.len - from < 32 ? b.len - from : 32;

    must(cap > 2 * shown);
    out[0] = 0;
    for (size_t i = 0; i < shown; i++) {
        (void)snprintf(out + 2 * i, cap - 2 * i, "%02x", b.data[from + i]);
    }
}

void check_bytes(const char *file, int line, const char *what, bytes want, bytes got)
{
    size_t shorter = want.len < got.len ? want.len : got.len;
    size_t at = 0;
    char text[512], want_hex[80], got_hex[80];

    if (bytes_equal(want, got)) {
        return;
    }
    while (at < shorter && want.data[at] == got.data[at]) {
        at++;
    }
    print_hex(want_hex, sizeof(want_hex), want, at);
    print_hex(got_hex, sizeof(got_hex), got, at);
    (void)snprintf(text, sizeof(text), "%s: %zu bytes for %zu, differ from byte %zu: %s for %s",
                   what, got.len, want.len, at, got_hex, want_hex);
    check_failed(file, line, text);
}
