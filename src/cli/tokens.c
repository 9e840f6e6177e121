/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "cli.h"

enum { TOKEN_INITIALISED = 0x400 }; /* CKF_TOKEN_INITIALIZED */

static void print_name(const char *text)
{
    bool shown;

    for (size_t step; *text != '\0'; text += step) {
        step = name_step(text, &shown);
        printf("%.*s", shown ? (int)step : 1, shown ? text : "?");
    }
}

static void print_maker(const tw_token_info *token)
{
    print_name(token->manufacturer);
    printf(" ");
    print_name(token->model);
}

static const char *login_remark(const tw_token_info *token)
{
    switch (token->login) {
    case TW_OK:
        return "";
    case TW_ERR_STATE:
        return ", not logged in";
    default:
        return ", login failed";
    }
}

static void print_token(const tw_token_info *token)
{
    if ((token->flags & TOKEN_INITIALISED) == 0) {
        printf("slot   %lu holds a token that is not initialised (", token->slot);
        print_maker(token);
        printf(")\n");
        return;
    }
    printf("token  ");
    print_name(token->label);
    printf(" (");
    print_maker(token);
    printf(", serial ");
    print_name(token->serial);
    printf("%s)\n       %s\n", login_remark(token), token->uri);
}

static const char *ability(const tw_token_info *token, const tw_token_key_info *key)
{
    if (!key->private_seen) {
        return token->login == TW_ERR_STATE
                   ? "public half seen; log in with --pin-source to see the private one"
                   : "public half seen; the private one shows after a login";
    }
    if (!key->derive) {
        return "cannot receive: its CKA_DERIVE is false";
    }
    return key->public_key != NULL
               ? "can receive"
               : "can receive with its public half, which the token lacks: give --public or "
                 "--certificate";
}

static void print_key(const tw_token_info *token, const tw_token_key_info *key)
{
    printf("  key  %s ", kem_text(key->kem_id).s);
    print_name(key->label);
    printf(key->id_len > 0 ? ", id " : ", no id");
    print_hex(key->id, key->id_len);
    printf(", %s\n       %s\n", ability(token, key), key->uri);
}

typedef struct listing {
    tw_err login;  /* the first that failed */
    size_t closed; /* tokens without a login */
} listing;

static tw_err on_item(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    listing *l = arg;

    progress_clear();
    if (key != NULL) {
        print_key(token, key);
        return TW_OK;
    }
    print_token(token);
    l->closed += (token->flags & TOKEN_INITIALISED) != 0 && token->login == TW_ERR_STATE;
    if (token->login != TW_OK && token->login != TW_ERR_STATE && l->login == TW_OK) {
        l->login = token->login;
    }
    return TW_OK;
}

static int fail_list(tw_err err, const options *o)
{
    if (err == TW_ERR_TOKEN_ABSENT) {
        return fail(exit_status(err, ABOUT_WORK), "tokens",
                    "expected a token%s, came none; see that it is there, and check --module or "
                    "p11-kit's configuration",
                    o->token != NULL ? " that --token names" : "");
    }
    return o->token != NULL ? fail_uri(err, ABOUT_URI, o->token)
                            : fail_tw(err, ABOUT_WORK, "tokens");
}

static int list_tokens(const options *o)
{
    listing l = {.login = TW_OK};
    tw_token_options settings = token_options(o);
    tw_err err;

    if (o->pin_source == NULL) {
        settings.pin = NULL; /* only a PIN that was given; none is asked for */
    }
    waiting_begin();
    err = tw_token_list(o->token, &settings, on_item, &l);
    (void)waiting_end();
    if (err == TW_OK) {
        err = l.login;
    }
    if (err == TW_OK && o->pin_source != NULL && l.closed > 0) {
        warn("tokens", "expected one token for the PIN of --pin-source, came several, so that it "
                       "was not tried; name one with --token, or its module with --module");
    }
    return err == TW_OK ? EX_OK : fail_list(err, o);
}

int run_tokens(const options *o)
{
    if (o->check == NULL && (o->no_scratch || public_path(o) != NULL)) {
        return usage_error("expected --check with --no-scratch, --public or --certificate, came "
                           "none");
    }
    if (o->public_file != NULL && o->certificate != NULL) {
        return usage_error("expected --public or --certificate, came both");
    }
    if (o->check != NULL && o->token != NULL) {
        return usage_error("expected --token or --check, came both");
    }
    if (o->token != NULL && !is_uri(o->token)) {
        return usage_error("expected a URI such as pkcs11:token=hpke after --token, came another "
                           "text");
    }
    return o->check != NULL ? check_token(o) : list_tokens(o);
}
