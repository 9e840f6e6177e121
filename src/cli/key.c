/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>
#include <string.h>

#include "cli.h"

bool is_uri(const char *text)
{
    return strncmp(text, "pkcs11:", 7) == 0;
}

/* RFC 7512 section 2.4: pin-value stands in the query, one of the attributes that '&'
 * keeps apart. */
char *uri_for_message(const char *uri)
{
    static const char secret[] = "pin-value=";
    char *copy = strdup(uri);
    char *to = copy != NULL ? strchr(copy, '?') : NULL;
    char *rest = NULL;
    char joint = '?';

    if (to == NULL) {
        return copy;
    }
    for (char *from = strtok_r(to + 1, "&", &rest); from != NULL;
         from = strtok_r(NULL, "&", &rest)) {
        const size_t len = strlen(from);

        if (strncmp(from, secret, sizeof(secret) - 1) != 0) {
            *to++ = joint;
            memmove(to, from, len);
            to += len;
            joint = '&';
        }
    }
    tw_wipe(to, strlen(uri) - (size_t)(to - copy));
    return copy;
}

static void on_token_event(void *arg, const tw_token_event *event)
{
    (void)arg;
    note("token", "%s", event->message);
}

tw_token_options token_options(const options *o)
{
    return (tw_token_options){
        .size = sizeof(tw_token_options),
        .module = o->module,
        .pin = pin_supply,
        .pin_first = o->pin_source != NULL,
        .event = on_token_event,
        .arg = (void *)(uintptr_t)o, /* only read */
    };
}

static int fail_uri(tw_err err, subject about, const char *uri)
{
    char *shown = uri_for_message(uri);
    const int status = fail_tw(err, about, shown != NULL ? shown : "token");

    free(shown);
    return status;
}

int token_open(const options *o, const char *uri, tw_token **out)
{
    const tw_token_options settings = token_options(o);
    const tw_err err = tw_token_open(uri, &settings, out);

    return err == TW_OK ? EX_OK : fail_uri(err, ABOUT_URI, uri);
}

static int open_in_token(const options *o, keyring *out)
{
    tw_err err;
    int status = token_open(o, o->key, &out->token);

    if (status != EX_OK) {
        return status;
    }
    err = tw_token_find_key(out->token, o->key, NULL, 0, &out->key);
    return err == TW_OK ? EX_OK : fail_uri(err, ABOUT_KEY, o->key);
}

static int open_in_file(const options *o, keyring *out)
{
    blob pem;
    tw_err err;
    int status = blob_read(o->key, MAX_KEY_FILE, true, &pem);

    if (status != EX_OK) {
        return status;
    }
    err = tw_key_from_pem((const char *)pem.data, pem.len, NULL, &out->key);
    blob_free(&pem);
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_KEY, o->key);
}

int keyring_open(const options *o, keyring *out)
{
    int status;

    *out = (keyring){0};
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
