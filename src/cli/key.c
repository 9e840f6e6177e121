/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

bool is_uri(const char *text)
{
    return strncasecmp(text, "pkcs11:", 7) == 0;
}

static bool names_pin(const char *segment)
{
    const size_t len = strcspn(segment, "=");

    for (size_t i = 0; i + 3 <= len; i++) {
        if (strncasecmp(segment + i, "pin", 3) == 0) {
            return true;
        }
    }
    return false;
}

/* A PIN belongs into the query (RFC 7512 section 2.4), and is misplaced into the path. */
char *uri_for_message(const char *uri)
{
    const size_t scheme = is_uri(uri) ? 7 : 0;
    char *copy = strdup(uri);
    char *from, *to, *rest = NULL;

    if (copy == NULL) {
        return NULL;
    }
    copy[strcspn(copy, "?")] = '\0';
    to = copy + scheme;
    for (from = strtok_r(to, ";&", &rest); from != NULL; from = strtok_r(NULL, ";&", &rest)) {
        const size_t len = strlen(from);

        if (!names_pin(from)) {
            if (to > copy + scheme) {
                *to++ = ';';
            }
            memmove(to, from, len);
            to += len;
        }
    }
    tw_wipe(to, strlen(uri) - (size_t)(to - copy));
    return copy;
}

static void on_token_event(void *arg, const tw_token_event *event)
{
    (void)arg;
    (event->err == TW_OK ? warn : note)("token", "%s", event->message);
}

tw_token_options token_options(const options *o)
{
    return (tw_token_options){
        .size = sizeof(tw_token_options),
        .module = o->module,
        .pin = pin_supply,
        .pin_first = o->pin_source != NULL,
        .pin_unattended = o->pin_source != NULL && strcmp(o->pin_source, "ask") != 0,
        .never_export_dh = o->never_export_dh,
        .event = on_token_event,
        .arg = (void *)(uintptr_t)o, /* only read */
    };
}

int fail_uri(tw_err err, subject about, const char *uri)
{
    char *shown = uri_for_message(uri);
    const char *what = shown != NULL ? shown : "token";
    const int status =
        about == ABOUT_KEY && err == TW_ERR_INVALID
            ? fail(exit_status(err, about), what,
                   "expected one key of P-256, P-384, P-521, X25519 or X448, came several or "
                   "another kind; add object= or id=")
            : fail_tw(err, about, what);

    free(shown);
    return status;
}

int token_open(const options *o, const char *uri, tw_token **out)
{
    const tw_token_options settings = token_options(o);
    tw_err err;

    waiting_begin();
    err = tw_token_open(uri, &settings, out);
    (void)waiting_end();
    return err == TW_OK ? EX_OK : fail_uri(err, ABOUT_URI, uri);
}

/* `half` has no key unless one was given. */
static int find_key(const options *o, const tw_config *half, keyring *out)
{
    const uint8_t *given = half->public_len > 0 ? half->public_key : NULL;
    tw_err err;

    waiting_begin();
    err = tw_token_find_key(out->token, o->key, given, half->public_len, &out->key);
    (void)waiting_end();
    if (err == TW_ERR_KEY && given != NULL) {
        return fail(exit_status(err, ABOUT_KEY), public_path(o),
                    "expected the public half of the key that --key names, came another's; check "
                    "which belongs to it");
    }
    return err == TW_OK ? EX_OK : fail_uri(err, ABOUT_KEY, o->key);
}

static int open_in_token(const options *o, keyring *out)
{
    tw_config half = {0};
    int status = public_path(o) != NULL ? public_read(o, &half) : EX_OK;

    if (status == EX_OK) {
        status = token_open(o, o->key, &out->token);
    }
    return status == EX_OK ? find_key(o, &half, out) : status;
}

static int open_in_file(const options *o, keyring *out)
{
    blob pem;
    tw_err err;
    int status = blob_read(o->key, MAX_KEY_FILE, &pem);

    if (status != EX_OK) {
        return status;
    }
    err = tw_key_from_pem((const char *)pem.data, pem.len, NULL, &out->key);
    if (err != TW_OK && is_uri((const char *)pem.data)) {
        status = fail(EX_NOINPUT, o->key,
                      "expected a private key in PEM, came a file with a URI; say --key \"$(cat "
                      "'%s')\"",
                      o->key);
    } else if (err != TW_OK) {
        status = fail_tw(err, ABOUT_KEY, o->key);
    } else {
        blob_warn(o->key, &pem);
    }
    blob_free(&pem);
    return status;
}

int keyring_open(const options *o, keyring *out)
{
    int status;

    *out = (keyring){0};
    if (o->never_export_dh && !is_uri(o->key)) {
        return usage_error("expected a pkcs11: URI after --key with --never-export-dh, came a "
                           "file's name; a key in a file is in memory anyway");
    }
    status = is_uri(o->key) ? open_in_token(o, out) : open_in_file(o, out);
    if (status != EX_OK) {
        keyring_free(out);
    }
    return status;
}

void keyring_free(keyring *k)
{
    tw_key_free(k->key); /* before the token it lives in */
    tw_token_free(k->token);
    *k = (keyring){0};
}
