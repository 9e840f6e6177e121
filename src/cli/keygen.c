/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli.h"

enum {
    NEW_ID_LEN = 8,
    MAX_PEM = 8192,
    MAX_URI = 4096,
};

static uint16_t kem_of(const options *o)
{
    return o->kem_id != 0 ? o->kem_id : TW_KEM_P256_HKDF_SHA256;
}

static int write_private(const tw_key *key, output *out)
{
    char pem[MAX_PEM];
    size_t len = 0;
    const tw_err err = tw_key_to_pem(key, pem, sizeof(pem), &len);
    int status =
        err == TW_OK ? output_put(out, pem, len) : fail_tw(err, ABOUT_WORK, output_name(out));

    tw_wipe(pem, sizeof(pem));
    return status == EX_OK ? output_commit(out) : status;
}

static int keygen_file(const options *o)
{
    const unsigned flags = OUTPUT_PRIVATE | (o->force ? 0 : OUTPUT_NEW);
    output *out;
    tw_key *key = NULL;
    tw_err err;
    int status = output_open(o->output, flags, NULL, &out);

    if (status != EX_OK) {
        return status;
    }
    err = tw_key_generate(kem_of(o), NULL, NULL, &key);
    status = err == TW_OK ? write_private(key, out) : fail_tw(err, ABOUT_WORK, "keygen");
    tw_key_free(key);
    return status;
}

static int write_public(const tw_key *key, output *out)
{
    char pem[MAX_PEM];
    size_t len = 0;
    const tw_err err = tw_public_to_pem(key->kem->id, key->public_key, key->kem->public_len, NULL,
                                        pem, sizeof(pem), &len);
    const int status =
        err == TW_OK ? output_put(out, pem, len) : fail_tw(err, ABOUT_WORK, output_name(out));

    return status == EX_OK ? output_commit(out) : status;
}

/* Another try would make another key, or fail for this one's name. */
static int print_uri(const tw_key *key)
{
    char uri[MAX_URI];
    size_t len = 0;
    const tw_err err = tw_token_key_uri(key, uri, sizeof(uri), &len);
    int status;

    if (err != TW_OK) {
        return fail_tw(err, ABOUT_WORK, "the new key's URI");
    }
    printf("%s\n", uri);
    status = text_flush();
    if (status != EX_OK) {
        (void)fail(status, uri,
                   "expected to print this, the new key's URI, came a failure; the key is in the "
                   "token: use this URI, or delete the key with its token's own tool");
    }
    return status;
}

static int generate_in_token(const options *o, tw_token *token, tw_key **key)
{
    const char *name = o->object != NULL ? o->object : "twoway";
    uint8_t random_id[NEW_ID_LEN];
    tw_err err;

    if (o->id_len == 0 && getrandom(random_id, sizeof(random_id), 0) != NEW_ID_LEN) {
        return fail_tw(TW_ERR_RANDOM, ABOUT_WORK, "keygen");
    }
    waiting_begin();
    err = tw_token_generate(token, kem_of(o), name, o->id_len != 0 ? o->id : random_id,
                            o->id_len != 0 ? o->id_len : sizeof(random_id), key);
    (void)waiting_end();
    if (err == TW_ERR_STATE) {
        return fail(EX_CANTCREAT, name,
                    "expected a new name and id for the key, came one that the token has already; "
                    "choose --object or --id, or delete that key with its token's own tool");
    }
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, "keygen");
}

/* The file for the public half is prepared before there is a key in the token, and the
 * URI printed before that file is: a key that was made can then always be found. */
static int keygen_token(const options *o)
{
    tw_token *token = NULL;
    tw_key *key = NULL;
    output *out = NULL;
    int status = EX_OK;

    if (o->output != NULL) {
        status = output_open(o->output, o->force ? 0 : OUTPUT_NEW, NULL, &out);
    }
    if (status == EX_OK) {
        status = token_open(o, o->token, &token);
    }
    if (status == EX_OK) {
        status = generate_in_token(o, token, &key);
    }
    if (status == EX_OK) {
        status = print_uri(key);
    }
    if (key != NULL && status == EX_OK && out != NULL) {
        status = write_public(key, out);
    }
    tw_key_free(key);
    tw_token_free(token);
    return status;
}

static bool names_object(const char *uri)
{
    static const char *const attributes[] = {":object=", ";object=", ":id=", ";id="};
    const size_t path = strcspn(uri, "?");

    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
        const char *at = strstr(uri, attributes[i]);

        if (at != NULL && (size_t)(at - uri) < path) {
            return true;
        }
    }
    return false;
}

int run_keygen(const options *o)
{
    if (o->token == NULL && (o->object != NULL || o->id_len != 0 || o->module != NULL ||
                             o->pin_source != NULL || o->never_export_dh)) {
        return usage_error("expected --token with --object, --id, --module, --pin-source or "
                           "--never-export-dh, came none");
    }
    if (o->token == NULL) {
        return keygen_file(o);
    }
    if (!is_uri(o->token)) {
        return usage_error("expected a URI such as pkcs11:token=hpke after --token, came another "
                           "text");
    }
    if (names_object(o->token)) {
        return usage_error("expected the URI of a token after --token, came a key's; name the new "
                           "key with --object and --id");
    }
    return keygen_token(o);
}
