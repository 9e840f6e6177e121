/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>

#include "cli.h"

enum { TOKEN_INITIALISED = 0x400 }; /* CKF_TOKEN_INITIALIZED */

/* What a token calls itself is for it to say: no control characters reach the terminal. */
static void print_name(const char *text)
{
    for (; *text != '\0'; text++) {
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    }
}

static void print_maker(const tw_token_info *token)
{
    print_name(token->manufacturer);
    printf(" ");
    print_name(token->model);
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
    printf("%s)\n       %s\n", token->login == TW_ERR_STATE ? ", not logged in" : "", token->uri);
}

static const char *ability(const tw_token_key_info *key)
{
    if (!key->private_seen) {
        return "public half seen; log in with --pin-source to see the private one";
    }
    return key->derive ? "can receive" : "cannot receive: its CKA_DERIVE is false";
}

static void print_key(const tw_token_key_info *key)
{
    printf("  key  %s ", kem_text(key->kem_id).s);
    print_name(key->label);
    printf(", id ");
    print_hex(key->id, key->id_len);
    printf(", %s\n       %s\n", ability(key), key->uri);
}

typedef struct listing {
    const options *o;
    tw_err login; /* the first that failed */
} listing;

static tw_err on_item(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    listing *l = arg;

    if (key != NULL) {
        print_key(key);
        return TW_OK;
    }
    print_token(token);
    if (token->login != TW_OK && token->login != TW_ERR_STATE && l->login == TW_OK) {
        l->login = token->login;
    }
    return TW_OK;
}

int run_tokens(const options *o)
{
    listing l = {.o = o, .login = TW_OK};
    tw_token_options settings = token_options(o);
    tw_err err;

    if (o->pin_source == NULL) {
        settings.pin = NULL; /* only a PIN that was given; none is asked for */
    }
    err = tw_token_list(NULL, &settings, on_item, &l);
    if (err == TW_OK) {
        err = l.login;
    }
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, "tokens");
}
