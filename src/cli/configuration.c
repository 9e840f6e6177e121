/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* RFC 9458 section 3.2: a list is `u16 length || configuration`, again and again, to
 * exactly its end. Anything else is one configuration alone. */
static bool is_list(const uint8_t *in, size_t len)
{
    size_t at = 0;

    while (len - at >= 2) {
        at += 2;
        const size_t item = (size_t)in[at - 2] << 8 | in[at - 1];

        if (item > len - at) {
            return false;
        }
        at += item;
    }
    return len > 0 && at == len;
}

static tw_err decode(const blob *file, config_list *out)
{
    tw_err err = tw_config_decode(file->data, file->len, NULL, 0, &out->count);

    if (err != TW_ERR_SPACE) {
        return err;
    }
    out->items = calloc(out->count, sizeof(*out->items));
    if (out->items == NULL) {
        return TW_ERR_MEMORY;
    }
    return tw_config_decode(file->data, file->len, out->items, out->count, &out->count);
}

static int decode_list(const char *path, const blob *file, config_list *out)
{
    const bool pem = file->len >= 10 && memcmp(file->data, "-----BEGIN", 10) == 0;
    tw_err err = decode(file, out);

    if (err == TW_OK && out->count == 0) {
        err = TW_ERR_KEY;
    }
    out->bare = !is_list(file->data, file->len);
    if (err == TW_OK) {
        return EX_OK;
    }
    config_list_free(out);
    return pem ? fail(EX_NOINPUT, path,
                      "expected a configuration, came a PEM; make a configuration of its key with "
                      "twoway config")
               : fail_tw(err, ABOUT_CONFIG, path);
}

int config_list_read(const char *path, config_list *out)
{
    blob file;
    int status = blob_read(path, MAX_CONFIG_FILE, &file);

    *out = (config_list){0};
    if (status == EX_OK) {
        status = decode_list(path, &file, out);
        blob_free(&file);
    }
    return status;
}

static void usual_suites(tw_config *c)
{
    static const tw_symmetric usual[] = {
        {TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
        {TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM},
        {TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305},
    };

    c->symmetric_count = sizeof(usual) / sizeof(*usual);
    memcpy(c->symmetric, usual, sizeof(usual));
}

/* What twoway config --certificate would make of it. */
static int list_of_certificate(const char *path, const blob *file, config_list *out, bool *found)
{
    tw_config c = {.key_id = 1};
    const int status = certificate_read(path, file, true, &c, found);

    if (status != EX_OK || !*found) {
        return status;
    }
    usual_suites(&c);
    out->items = malloc(sizeof(*out->items));
    if (out->items == NULL) {
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, path);
    }
    out->items[0] = c;
    out->count = 1;
    return EX_OK;
}

int receiver_read(const char *path, config_list *out)
{
    blob file;
    bool certificate;
    int status = blob_read(path, MAX_CONFIG_FILE, &file);

    *out = (config_list){0};
    if (status != EX_OK) {
        return status;
    }
    status = list_of_certificate(path, &file, out, &certificate);
    if (status == EX_OK && !certificate) {
        status = decode_list(path, &file, out);
    }
    blob_free(&file);
    return status;
}

void config_list_free(config_list *l)
{
    free(l->items);
    *l = (config_list){0};
}

static void show(const tw_config *c)
{
    printf("key id      %u\n", (unsigned)c->key_id);
    printf("KEM         %s\n", kem_text(c->kem_id).s);
    for (size_t i = 0; i < c->symmetric_count; i++) {
        printf("%-11s %s,%s\n", i == 0 ? "suites" : "", kdf_text(c->symmetric[i].kdf_id).s,
               aead_text(c->symmetric[i].aead_id).s);
    }
    printf("public key  ");
    print_hex(c->public_key, c->public_len);
    printf("\n");
}

static int show_all(const options *o)
{
    config_list list;
    const int status = config_list_read(o->show, &list);

    if (status != EX_OK) {
        return status;
    }
    if (list.bare) {
        printf("form        one configuration, bare\n");
    } else {
        printf("form        a list of %zu\n", list.count);
    }
    for (size_t i = 0; i < list.count; i++) {
        printf("\n");
        show(&list.items[i]);
    }
    config_list_free(&list);
    return EX_OK;
}

static int public_from_key(const options *o, tw_config *c)
{
    keyring k;
    const int status = keyring_open(o, &k);

    if (status == EX_OK) {
        c->kem_id = k.key->kem->id;
        c->public_len = k.key->kem->public_len;
        memcpy(c->public_key, k.key->public_key, c->public_len);
        keyring_free(&k);
    }
    return status;
}

static void choose_suites(const options *o, tw_config *c)
{
    if (o->suite_count > 0) {
        c->symmetric_count = o->suite_count;
        memcpy(c->symmetric, o->suites, o->suite_count * sizeof(*o->suites));
    } else {
        usual_suites(c);
    }
}

static int write_config(const options *o, const tw_config *c)
{
    uint8_t bytes[2 + 1 + 2 + TW_MAX_PUBLIC + 2 + 4 * TW_MAX_SYMMETRIC];
    size_t len = 0;
    output *out = NULL;
    const tw_err err = tw_config_encode(c, 1, o->bare, bytes, sizeof(bytes), &len);
    int status = err == TW_OK ? output_open(o->output, o->force ? 0 : OUTPUT_BINARY, NULL, &out)
                              : fail_tw(err, ABOUT_WORK, "config");

    if (status == EX_OK) {
        status = output_put(out, bytes, len);
    }
    return status == EX_OK ? output_commit(out) : status;
}

/* One source; but a token that lacks the public half of its key needs that beside. */
static int check_sources(const options *o)
{
    const int files = (o->public_file != NULL) + (o->certificate != NULL);
    const bool beside = o->key != NULL && is_uri(o->key) && files == 1;
    const int sources = (o->key != NULL) + (beside ? 0 : files) + (o->show != NULL);

    if (sources != 1) {
        return usage_error("expected one of --key, --public, --certificate and --show, came %s",
                           sources == 0 ? "none" : "several");
    }
    if (o->show != NULL &&
        (o->key_id != NO_KEY_ID || o->suite_count > 0 || o->bare || o->output != NULL)) {
        return usage_error("expected --show alone, came options for making a configuration");
    }
    return EX_OK;
}

int run_config(const options *o)
{
    tw_config c = {.key_id = (uint8_t)(o->key_id == NO_KEY_ID ? 1 : o->key_id)};
    int status = check_sources(o);

    if (status != EX_OK) {
        return status;
    }
    if (o->show != NULL) {
        return show_all(o);
    }
    choose_suites(o, &c);
    status = o->key != NULL ? public_from_key(o, &c) : public_read(o, &c);
    return status == EX_OK ? write_config(o, &c) : status;
}
