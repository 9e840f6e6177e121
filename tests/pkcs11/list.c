/* SPDX-License-Identifier: Apache-2.0 */
/* What a listing tells. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "stand.h"

static stand s;

static void start(void)
{
    stand_softhsm(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(list, .init = start, .fini = end);

typedef struct seen {
    size_t tokens, initialised, keys, private_keys, without_derive;
    tw_err login;
    char labels[64], uri[512];
    tw_err answer;
} seen;

static tw_err each(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    seen *n = arg;

    must(token->size == sizeof(*token));
    must(strncmp(token->uri, "pkcs11:", 7) == 0 && strstr(token->uri, "pin") == NULL);
    if (key == NULL) {
        n->tokens++;
        if ((token->flags & CKF_TOKEN_INITIALIZED) != 0) {
            n->initialised++;
            n->login = token->login;
            must(strcmp(token->model, "SoftHSM v2") == 0);
            must(strcmp(token->manufacturer, "SoftHSM project") == 0);
            must_size(16, strlen(token->serial));
            must(strcmp(token->module, TESTS_SOFTHSM) == 0);
        }
        return n->answer;
    }
    n->keys++;
    n->private_keys += key->private_seen;
    n->without_derive += !key->derive;
    must(key->public_key != NULL && key->public_len > 0);
    must(tw_kem_name(key->kem_id) != NULL);
    must_size(2, key->id_len);
    must(key->id[0] == key->label[0] && key->id[1] == (uint8_t)key->kem_id);
    strcat(n->labels, key->label);
    strcpy(n->uri, key->uri);
    return TW_OK;
}

static seen list(tw_err want, const char *uri)
{
    seen n = {0};

    check_note("(%s)", s.event_message);
    must_err(want, tw_token_list(uri, &s.options, each, &n));
    return n;
}

static void make_two(void)
{
    tw_token *token = stand_open(&s);

    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_key_free(stand_key(&s, token, TW_KEM_X25519_HKDF_SHA256, "b"));
    tw_token_free(token);
}

Test(list, tells_private_keys_after_a_login)
{
    seen n;
    tw_token *token;
    tw_key *key;

    make_two();
    n = list(TW_OK, stand_uri(&s, ""));
    must_size(1, n.tokens);
    must_size(2, n.keys);
    must_size(2, n.private_keys);
    must_size(0, n.without_derive);
    must_err(TW_OK, n.login);
    token = stand_open(&s);
    must_ok(tw_token_find_key(token, n.uri, NULL, 0, &key));
    tw_key_free(key);
    tw_token_free(token);
    must_no_event(&s);
}

Test(list, tells_public_keys_without_one)
{
    seen n;

    make_two();
    n = list(TW_OK, stand_uri_without_pin(&s, ""));
    must_size(1, n.tokens);
    must_size(2, n.keys);
    must_size(0, n.private_keys);
    must_err(TW_ERR_STATE, n.login);
    n = list(TW_OK, NULL);
    must_size(1, n.initialised);
    must_size(2, n.keys);
    must_no_event(&s);
}

Test(list, selects_keys_by_the_uri)
{
    make_two();
    must(strcmp(list(TW_OK, stand_uri(&s, ";object=b")).labels, "b") == 0);
    must(strcmp(list(TW_OK, stand_uri_without_pin(&s, ";id=a%10")).labels, "a") == 0);
    must_size(0, list(TW_OK, stand_uri(&s, ";object=c")).keys);
}

Test(list, goes_on_when_the_pin_is_wrong)
{
    seen n;

    make_two();
    n = list(TW_OK, "pkcs11:token=hpke?pin-value=wrong-pin");
    must_err(TW_ERR_TOKEN_PIN, n.login);
    must_size(2, n.keys);
    must_size(0, n.private_keys);
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "list token");
}

Test(list, sends_a_pin_to_one_token_alone)
{
    seen n;

    make_two();
    stand_add(&s, "second");
    n = list(TW_OK, "pkcs11:?pin-value=" STAND_PIN);
    must_size(2, n.initialised);
    must_err(TW_ERR_STATE, n.login);
    must_size(0, n.private_keys);
    n = list(TW_OK, stand_uri(&s, ""));
    must_err(TW_OK, n.login);
}

Test(list, says_when_there_is_nothing)
{
    must_size(0, list(TW_ERR_TOKEN_ABSENT, "pkcs11:token=other").tokens);
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no token matches");
    s.options.module = "/nowhere/module.so";
    must_size(0, list(TW_ERR_TOKEN_ABSENT, NULL).tokens);
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "/nowhere");
}

/* A token that was named by a program which makes a label of its own. */
static void add_named(CK_FUNCTION_LIST *fn, const char *name)
{
    CK_UTF8CHAR label[32] = {0}, pin[] = STAND_PIN;
    CK_SLOT_ID slots[8];
    CK_ULONG count = 8;
    CK_SESSION_HANDLE session;

    memcpy(label, name, strlen(name));
    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    must(fn->C_InitToken(slots[count - 1], pin, strlen(STAND_PIN), label) == CKR_OK);
    must(fn->C_OpenSession(slots[count - 1], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                           &session) == CKR_OK);
    must(fn->C_Login(session, CKU_SO, pin, strlen(STAND_PIN)) == CKR_OK);
    must(fn->C_InitPIN(session, pin, strlen(STAND_PIN)) == CKR_OK);
    must(fn->C_Logout(session) == CKR_OK && fn->C_CloseSession(session) == CKR_OK);
}

typedef struct named {
    const char *label; /* in: as it is told */
    char uri[512], key[64];
} named;

static tw_err keep_named(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    named *n = arg;

    if (key == NULL && strcmp(token->label, n->label) == 0) {
        strcpy(n->uri, token->uri);
    } else if (key != NULL) {
        strcpy(n->key, key->label);
    }
    return TW_OK;
}

/* It opens by the URI that is told. */
static named must_be_told(const char *label, const char *told)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    const uint8_t id = 7;
    named n = {.label = told};
    tw_token *token;
    tw_key *key;

    must(fn->C_Initialize(NULL) == CKR_OK);
    add_named(fn, label);
    must_ok(tw_token_list(NULL, &s.options, keep_named, &n));
    strcat(n.uri, "?pin-value=" STAND_PIN);
    check_note("(%s)", n.uri);
    must_ok(tw_token_open(n.uri, &s.options, &token));
    must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, label, &id, 1, &key));
    must_ok(tw_token_list(n.uri, &s.options, keep_named, &n));
    tw_key_free(key);
    tw_token_free(token);
    must_no_event(&s);
    must(fn->C_Finalize(NULL) == CKR_OK);
    return n;
}

Test(list, gives_a_uri_that_opens_a_token_whose_label_ends_in_zeros)
{
    must(strcmp(must_be_told("zeros", "zeros").key, "zeros") == 0);
}

/* Some are cut amid a character. */
Test(list, tells_utf8_of_a_label_that_is_none)
{
    must(strcmp(
             must_be_told("a-name-of-thirty-one-characters\xc3", "a-name-of-thirty-one-characters?")
                 .key,
             "a-name-of-thirty-one-characters?") == 0);
}

static const char *says; /* what the event of a listing has to */

/* Who is root has no configuration of its own for p11-kit. */
static int list_configured(void)
{
    seen n = {0};

    if ((getuid() == 0 && setreuid(65534, (uid_t)-1) != 0) || setenv("HOME", s.dir, 1) != 0 ||
        unsetenv("XDG_CONFIG_HOME") != 0) {
        return 1;
    }
    if (tw_token_list(NULL, &s.options, each, &n) != TW_ERR_TOKEN_ABSENT || n.tokens != 0) {
        return 2;
    }
    return strstr(s.event_message, says) != NULL && strstr(s.event_message, "--module") != NULL ? 0
                                                                                                : 3;
}

static bool was_named;

static void look_for_name(void *arg, const tw_token_event *event)
{
    static const char wanted[] = "module " TESTS_SOFTHSM " left out: C_Initialize gave ";

    (void)arg;
    was_named = was_named || strncmp(event->message, wanted, sizeof(wanted) - 1) == 0;
}

static int list_named(void)
{
    s.options.event = look_for_name;
    return list_configured() == 1 || !was_named ? 1 : 0;
}

static void must_say(const char *what, const char *file, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/.config/pkcs11/%s", s.dir, file);
    write_file(path, text);
    says = what;
    must_succeed(list_configured);
    must(remove(path) == 0);
}

Test(list, says_why_nothing_that_p11_kit_has_configured_can_be_used)
{
    static const char odd[] = "module: " TESTS_SOFTHSM "\nx-init-reserved: SoftHSM takes none\n";
    char conf[128];

    (void)snprintf(conf, sizeof(conf), "%s/.config/pkcs11/pkcs11.conf", s.dir);
    run_quietly("mkdir -p %s/.config/pkcs11/modules", s.dir);
    s.options.module = NULL;
    must_say("critical", "modules/gone.module", "module: /nowhere/module.so\ncritical: yes\n");
    must_say("pkcs11.conf", "pkcs11.conf", "user-config merge\n");
    must_say("has no module configured", "pkcs11.conf", "user-config: only\n");
    write_file(conf, "user-config: only\n");
    must_say("was left out", "modules/odd.module", odd);
    (void)snprintf(conf, sizeof(conf), "%s/.config/pkcs11/modules/odd.module", s.dir);
    write_file(conf, odd);
    must_succeed(list_named);
}

Test(list, refuses_bad_arguments)
{
    seen n = {0};

    must_err(TW_ERR_INVALID, tw_token_list(NULL, &s.options, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_token_list("pkcs12:", &s.options, each, &n));
    s.options.size = 1;
    must_err(TW_ERR_INVALID, tw_token_list(NULL, &s.options, each, &n));
    must_size(0, n.tokens);
}

Test(list, stops_when_told_so)
{
    seen n = {.answer = TW_ERR_IO};

    make_two();
    must_err(TW_ERR_IO, tw_token_list(stand_uri(&s, ""), &s.options, each, &n));
    must_size(1, n.tokens);
    must_size(0, n.keys);
}
