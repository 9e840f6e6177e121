/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where `text` has an attribute called `name` ("pin-value="), or NULL. */
static const char *attribute(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    while (at != NULL && (at == text || strchr(":;?&", at[-1]) == NULL)) {
        at = strstr(at + 1, name);
    }
    return at;
}

/* A path, a PIN or a module's name would be cut there. What a token calls itself and its keys is
 * bytes of some length: ids have zeros among them, and there are names that end in one. */
static bool zero_cuts(const char *text)
{
    static const char *const bytes[] = {
        "id=", "object=", "token=", "serial=", "manufacturer=", "model="};

    for (const char *at = strstr(text, "%00"); at != NULL; at = strstr(at + 3, "%00")) {
        const char *start = at;
        bool cuts = true;

        while (start > text && strchr(":;?&", start[-1]) == NULL) {
            start--;
        }
        for (size_t i = 0; i < LENGTH(bytes); i++) {
            cuts = cuts && strncmp(start, bytes[i], strlen(bytes[i])) != 0;
        }
        if (cuts) {
            return true;
        }
    }
    return false;
}

/* p11-kit counts on from zero beyond the last number, which itself stands for any slot, and takes
 * none at all for zero. What is no digit it refuses. */
static bool slot_is_number(const char *text)
{
    const char *at = attribute(text, "slot-id=");

    if (at == NULL) {
        return true;
    }
    at += strlen("slot-id=");
    return *at >= '0' && *at <= '9' && strtoul(at, NULL, 10) != ULONG_MAX;
}

/* The attribute behind `at`, in the path, where they end at ";?", or in the query, at "&". */
static const char *after(const char *at, const char *ends)
{
    at += strcspn(at, ends);
    return *at == *ends ? at + 1 : NULL;
}

static size_t name_len(const char *at)
{
    return strcspn(at, "=;?&");
}

/* Those of RFC 7512, and of p11-kit of old; the last four are the query's. */
static const char *const standard[] = {
    "token", "manufacturer", "serial", "model", "library-manufacturer", "library-description",
    "library-version", "object", "type", "object-type", "objecttype", "id", "slot-manufacturer",
    "slot-description", "slot-id", "pin-source", "pin-value", "module-name", "module-path"};
enum { OF_THE_PATH = LENGTH(standard) - 4 };

/* The standard's own spelling of the name, or NULL. */
static const char *standard_name(const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(standard[i]) == name_len(at) && memcmp(standard[i], at, name_len(at)) == 0) {
            return standard[i];
        }
    }
    return NULL;
}

/* RFC 7512 section 2.3 has no name twice, but in the query a vendor's. p11-kit takes the last. */
static const char *given_twice(const char *first, const char *ends)
{
    for (const char *a = first; a != NULL; a = after(a, ends)) {
        size_t len = name_len(a);
        bool once = *ends == ';' || strncmp(a, "pin-", 4) == 0 || strncmp(a, "module-", 7) == 0;

        for (const char *b = after(a, ends); once && b != NULL; b = after(b, ends)) {
            if (name_len(b) == len && memcmp(a, b, len) == 0) {
                return a;
            }
        }
    }
    return NULL;
}

static tw_err check_names(const char *text, failure *why)
{
    const char *path = strchr(text, ':'), *query = strchr(text, '?'), *twice = NULL;

    /* What is behind one p11-kit would take for the query, so that any token had these names. */
    for (const char *at = path == NULL ? NULL : path + 1; at != NULL; at = after(at, ";?")) {
        if (*at == ';') {
            return twp_fail_text(why, TW_ERR_INVALID,
                                 "an empty attribute in the URI: take out the semicolon");
        }
    }
    if (path != NULL) {
        twice = given_twice(path + 1, ";?");
    }
    if (twice == NULL && query != NULL) {
        twice = given_twice(query + 1, "&");
    }
    if (twice == NULL) {
        return TW_OK;
    }
    twice = standard_name(twice, LENGTH(standard)); /* another may be a piece of a PIN */
    return twp_fail_text(why, TW_ERR_INVALID, "%s%s is in the URI twice",
                         twice == NULL ? "an attribute" : twice, twice == NULL ? "" : "=");
}

/* By its place in the path and not by its name, which may be a piece of a PIN. */
static tw_err unrecognized(const char *text, failure *why)
{
    const char *path = strchr(text, ':');
    unsigned number = 1;

    for (const char *at = path == NULL ? NULL : path + 1; at != NULL; at = after(at, ";?")) {
        if (name_len(at) > 0 && standard_name(at, OF_THE_PATH) == NULL) {
            return twp_fail_text(why, TW_ERR_INVALID,
                                 "attribute %u of the URI's path has a name that is not known",
                                 number);
        }
        number++;
    }
    return twp_fail_text(why, TW_ERR_INVALID,
                         "the URI has a value that is not known, or too long for any token");
}

/* What p11-kit would let pass: white space is taken out and a %00 ends a value early,
 * both of which could cut a PIN; and a PIN in the path part, where RFC 7512 section 2.3
 * has none and where it ends up in logs with the rest of the name. */
static tw_err check_text(const char *text, failure *why)
{
    static const char *const pins[] = {"pin-source=", "pin-value="};
    const char *query = strchr(text, '?');

    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20) {
            return twp_fail_text(why, TW_ERR_INVALID,
                                 "white space in the URI: write %%20 for a space");
        }
    }
    if (zero_cuts(text)) {
        return twp_fail_text(why, TW_ERR_INVALID, "a zero byte (%%00) in the URI");
    }
    if (!slot_is_number(text)) {
        return twp_fail_text(why, TW_ERR_INVALID, "slot-id is not the number of a slot");
    }
    if (attribute(text, "pinfile=") != NULL) {
        return twp_fail_text(why, TW_ERR_INVALID, "pinfile is obsolete: use ?pin-source=");
    }
    for (size_t i = 0; i < LENGTH(pins); i++) {
        const char *at = attribute(text, pins[i]);

        if (at != NULL && (query == NULL || at < query)) {
            return twp_fail_text(why, TW_ERR_INVALID, "%s belongs behind a question mark", pins[i]);
        }
    }
    return check_names(text, why);
}

/* p11-kit frees the value without wiping it: keep a copy that is wiped. */
static tw_err take_pin_value(token_uri *u, failure *why)
{
    const char *value = p11_kit_uri_get_pin_value(u->uri);

    if (value == NULL) {
        return TW_OK;
    }
    u->pin_value = strdup(value);
    if (u->pin_value == NULL) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    tw_wipe((char *)(uintptr_t)value, strlen(value));
    p11_kit_uri_set_pin_value(u->uri, NULL);
    return TW_OK;
}

static bool are_small(const char *at, const char *ends)
{
    while (at != NULL) {
        size_t len = strcspn(at, *ends == ';' ? "=;?" : "=&");

        if (strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-_") < len) {
            return false;
        }
        at = after(at, ends);
    }
    return true;
}

/* Of other names p11-kit says the same as without memory. */
static bool all_names_are_small(const char *text)
{
    const char *path = strchr(text, ':'), *query = strchr(text, '?');

    return are_small(path == NULL ? NULL : path + 1, ";?") &&
           are_small(query == NULL ? NULL : query + 1, "&");
}

tw_err twp_uri_parse(token_uri *out, const char *text, failure *why)
{
    int result;
    tw_err err;

    *out = (token_uri){0};
    err = check_text(text, why);
    if (err != TW_OK) {
        return err;
    }
    out->uri = p11_kit_uri_new();
    if (out->uri == NULL) {
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, out->uri);
    if (result == P11_KIT_URI_UNEXPECTED && !all_names_are_small(text)) {
        err = twp_fail_text(why, TW_ERR_INVALID,
                            "the URI has an attribute whose name is not in small letters");
    } else if (result == P11_KIT_URI_UNEXPECTED) {
        err = twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    } else if (result != P11_KIT_URI_OK) {
        err = twp_fail_text(why, TW_ERR_INVALID, "not a PKCS #11 URI: %s",
                            p11_kit_uri_message(result));
    } else if (p11_kit_uri_any_unrecognized(out->uri)) {
        err = unrecognized(text, why);
    } else {
        err = take_pin_value(out, why);
    }
    if (err != TW_OK) {
        twp_uri_clear(out);
    }
    return err;
}

void twp_uri_clear(token_uri *u)
{
    if (u->uri != NULL) {
        const char *left = p11_kit_uri_get_pin_value(u->uri);

        if (left != NULL) {
            tw_wipe((char *)(uintptr_t)left, strlen(left));
        }
        p11_kit_uri_free(u->uri);
    }
    if (u->pin_value != NULL) {
        tw_wipe(u->pin_value, strlen(u->pin_value));
        free(u->pin_value);
    }
    *u = (token_uri){0};
}

CK_ULONG twp_uri_names(const token_uri *u, CK_ATTRIBUTE out[2])
{
    static const CK_ATTRIBUTE_TYPE types[] = {CKA_LABEL, CKA_ID};
    CK_ULONG n = 0;

    for (size_t i = 0; i < LENGTH(types); i++) {
        CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(u->uri, types[i]);

        if (a != NULL) {
            out[n++] = *a;
        }
    }
    return n;
}

static int set_object(P11KitUri *uri, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE class = {CKA_CLASS, &private_key, sizeof(private_key)};
    CK_ATTRIBUTE copy;
    int result = p11_kit_uri_set_attribute(uri, &class);

    if (result == P11_KIT_URI_OK && label != NULL) {
        copy = *label;
        result = p11_kit_uri_set_attribute(uri, &copy);
    }
    if (result == P11_KIT_URI_OK && id != NULL) {
        copy = *id;
        result = p11_kit_uri_set_attribute(uri, &copy);
    }
    return result;
}

char *twp_uri_format(const CK_TOKEN_INFO *info, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
    P11KitUri *uri = p11_kit_uri_new();
    int result = P11_KIT_URI_OK;
    char *text = NULL;

    if (uri == NULL) {
        return NULL;
    }
    *p11_kit_uri_get_token_info(uri) = *info;
    if (label != NULL || id != NULL) {
        result = set_object(uri, label, id);
    }
    if (result == P11_KIT_URI_OK) {
        result = p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text);
    }
    p11_kit_uri_free(uri);
    return result == P11_KIT_URI_OK ? text : NULL;
}
