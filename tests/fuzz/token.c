/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A token that answers what it likes. Whatever that is, each function of pkcs11.h comes back
 * with a code of its own and with what belongs to that code, tells one line of every failure
 * without the PIN in it, and sends a PIN that was refused no second time; calls that fail, but do
 * not lie, never lead to a wrong secret.
 */

#include <stdio.h>
#include <string.h>

#include <twoway/pkcs11.h>

#include "fuzz.h"
#include "pretend.h"
#include "script.h"
#include "support/check.h"

#define USUAL_URI "pkcs11:token=pretend;id=%01"
#define ODD_LABEL "\033[2J\xc2\x9b\xff\n\x7f"

/* --- The user's part. ------------------------------------------------------------------------ */

static void one_line(const char *text)
{
    must(text != NULL && strstr(text, PRETEND_PIN) == NULL);
    for (const char *at = text; *at != '\0'; at++) {
        must((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

static void on_event(void *arg, const tw_token_event *event)
{
    (void)arg;
    must(event->size == sizeof(*event));
    must(event->err != TW_OK);
    one_line(event->message);
    script.events++;
}

typedef struct user {
    pretend_token token;
    tw_token_options options;
    char uri[512];
    bool wrong_pin, honest; /* honest: nothing else will come of the token */
    uint8_t doing;
} user;

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    const user *u = arg;
    const char *pin = u->wrong_pin ? "wrong" : PRETEND_PIN;

    must(label != NULL && cap >= sizeof(PRETEND_PIN));
    *len = strlen(pin);
    memcpy(buf, pin, *len);
    return TW_OK;
}

/* One call of the library's is over: what failed was told. */
static tw_err over(tw_err err)
{
    check_note("(%s after %zu calls of the token, %zu lies)", err_name(err), script.calls,
               script.lies);
    must(err == TW_OK || err == TW_ERR_MEMORY || err == TW_ERR_INVALID || err == TW_ERR_STATE ||
         err == TW_ERR_KEY || (err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED));
    must(err == TW_OK || script.events > 0);
    must(!pretend->pin_sent_again);
    script.events = 0;
    check_note("%s", "");
    return err;
}

static void read_user(user *u, bytes *in)
{
    uint8_t like = take_byte(in), second = take_byte(in);
    static const uint16_t kems[] = {TW_KEM_X25519_HKDF_SHA256, TW_KEM_P256_HKDF_SHA256,
                                    TW_KEM_X25519_HKDF_SHA256, TW_KEM_X448_HKDF_SHA512,
                                    TW_KEM_X25519_HKDF_SHA256, TW_KEM_P256_HKDF_SHA256,
                                    TW_KEM_X25519_HKDF_SHA256, TW_KEM_P521_HKDF_SHA512};

    u->doing = take_byte(in);
    u->token.kem_id = kems[second % 8];
    u->token.keeps_dh = (like & SCRIPT_KEEPS_DH) != 0;
    u->token.runs_hkdf = (like & SCRIPT_RUNS_HKDF) != 0;
    u->token.hashes_keys = (like & SCRIPT_HASHES_KEYS) != 0;
    u->token.no_public = (like & SCRIPT_NO_PUBLIC) != 0;
    u->token.each_login = (like & SCRIPT_EACH_LOGIN) != 0;
    u->token.der_alone = (like & SCRIPT_DER_ALONE) != 0;
    u->token.label = (u->doing & SCRIPT_ODD) != 0 ? ODD_LABEL : NULL;
    u->wrong_pin = (like & SCRIPT_WRONG_PIN) != 0;
    u->options.never_export_dh = (like & SCRIPT_NEVER_EXPORT) != 0;
    (void)snprintf(u->uri, sizeof(u->uri), "%s", USUAL_URI);
    if (second >= SCRIPT_URI) {
        bytes text = take(in, take_byte(in));

        (void)snprintf(u->uri, sizeof(u->uri), "pkcs11:%.*s", (int)text.len, (char *)text.data);
    }
}

/* --- What is done with it. ------------------------------------------------------------------- */

/* A secret that is given is the right one, unless something was a lie. */
static void got_secret(tw_err err, const uint8_t *want, const uint8_t *got, size_t len)
{
    if (over(err) == TW_OK) {
        must(script.lies > 0 || memcmp(want, got, len) == 0);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        must(got[i] == 0);
    }
}

static void use(const tw_key *key, bool auth)
{
    const tw_key *twin = pretend_key();
    const tw_kem *kem = twin->kem;
    uint8_t enc[TW_MAX_ENC], want[TW_MAX_SECRET], got[TW_MAX_SECRET];
    tw_rng rng = fuzz_rng();

    must_ok(kem->encap(kem, &rng, twin->public_key, auth ? twin : NULL, want, enc));
    memset(got, 0xa5, sizeof(got));
    got_secret(key->ops->decap(key, enc, auth ? twin->public_key : NULL, got), want, got,
               kem->secret_len);
}

/* As the sender's identity: what it encapsulates, its software twin opens. */
static void authenticate(const tw_key *key)
{
    const tw_key *twin = pretend_key();
    const tw_kem *kem = twin->kem;
    uint8_t enc[TW_MAX_ENC], want[TW_MAX_SECRET] = {0}, got[TW_MAX_SECRET];
    tw_rng rng = fuzz_rng();
    tw_err err;

    memset(got, 0, sizeof(got));
    err = kem->encap(kem, &rng, twin->public_key, key, got, enc);
    if (err == TW_OK) {
        must_ok(twin->ops->decap(twin, enc, twin->public_key, want));
    }
    got_secret(err, want, got, kem->secret_len);
}

static void name_again(const tw_key *key)
{
    size_t need = 0, len = 0;
    char uri[4096];
    tw_err err = tw_token_key_uri(key, NULL, 0, &need);

    /* What a token says of itself may be more than p11-kit takes. */
    must(err == TW_ERR_SPACE || (err == TW_ERR_MEMORY && script.lies > 0));
    if (err == TW_ERR_SPACE && need <= sizeof(uri)) {
        must_ok(tw_token_key_uri(key, uri, sizeof(uri), &len));
        must_size(need, len + 1);
        must_size(len, strlen(uri));
        must(strncmp(uri, "pkcs11:", 7) == 0);
    }
}

static void use_key(const user *u, tw_key *key)
{
    if ((u->doing & SCRIPT_USE) != 0) {
        use(key, false);
        use(key, (u->doing & SCRIPT_AUTH) != 0);
    }
    if ((u->doing & SCRIPT_AUTH) != 0) {
        authenticate(key);
    }
    name_again(key);
    tw_key_free(key);
}

/* Each byte of it is there to be read. */
static void read_all(const uint8_t *data, size_t len)
{
    static volatile uint8_t sum;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
}

static tw_err on_item(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    (void)arg;
    must(token->size == sizeof(*token) && strncmp(token->uri, "pkcs11:", 7) == 0);
    must(strlen(token->label) <= 32 && strlen(token->manufacturer) <= 32);
    must(strlen(token->model) <= 16 && strlen(token->serial) <= 16);
    if (key != NULL) {
        must(key->size == sizeof(*key) && strncmp(key->uri, "pkcs11:", 7) == 0);
        must(strlen(key->label) < 16384 && key->id_len <= 16384);
        must(tw_kem_name(key->kem_id) != NULL);
        must((key->public_key == NULL) == (key->public_len == 0));
        read_all(key->public_key, key->public_len);
        read_all(key->id, key->id_len);
    }
    return TW_OK;
}

/* A token of which all is true serves, unless it cannot. */
static bool can_serve(const user *u)
{
    bool raw = !u->token.keeps_dh && !u->options.never_export_dh;

    return (raw || u->token.runs_hkdf || u->token.hashes_keys) &&
           (!u->token.no_public || (u->doing & SCRIPT_GIVEN) != 0);
}

static void work(user *u, tw_token *token)
{
    const tw_key *twin = pretend_key();
    bool given = (u->doing & SCRIPT_GIVEN) != 0;
    tw_token_counts counts = {.size = sizeof(counts)};
    tw_key *key = (tw_key *)&key;
    tw_err err = over(tw_token_find_key(token, u->uri, given ? twin->public_key : NULL,
                                        given ? twin->kem->public_len : 0, &key));

    must((err == TW_OK) == (key != NULL));
    must(!u->honest || (err == TW_OK) == can_serve(u));
    if (err == TW_OK) {
        use_key(u, key);
    }
    if ((u->doing & SCRIPT_GENERATE) != 0) {
        key = (tw_key *)&key;
        err = over(
            tw_token_generate(token, u->token.kem_id, "new", (const uint8_t *)"\x02", 1, &key));
        must((err == TW_OK) == (key != NULL));
        tw_key_free(key);
    }
    must_ok(tw_token_stats(token, &counts));
    must(counts.in_flight == 0 && counts.waiting == 0 && counts.sessions <= 1);
}

static tw_err on_finding(void *arg, const tw_token_finding *finding)
{
    (void)arg;
    must(finding->size == sizeof(*finding) && finding->step != NULL);
    must((finding->verdict == TW_VERDICT_FAILED) == (finding->err != TW_OK));
    one_line(finding->text);
    if (finding->advice != NULL) {
        one_line(finding->advice);
    }
    script.events++;
    return TW_OK;
}

static void examine(user *u)
{
    bool given = (u->doing & SCRIPT_GIVEN) != 0;
    const tw_token_check_options how = {.size = sizeof(how),
                                        .public_key = given ? pretend_key()->public_key : NULL,
                                        .public_len = given ? pretend_key()->kem->public_len : 0,
                                        .speed_ms = 1};
    tw_err err = over(tw_token_check(u->uri, &u->options, &how, on_finding, NULL));

    must(!u->honest || u->wrong_pin || (err == TW_OK) == can_serve(u));
    pretend_forget_pin();
}

static void visit(user *u)
{
    tw_token *token = (tw_token *)&token;
    tw_err err;

    if ((u->doing & SCRIPT_LIST) != 0) {
        (void)over(tw_token_list(u->uri, &u->options, on_item, NULL));
        pretend_forget_pin();
    }
    if ((u->doing & SCRIPT_CHECK) != 0) {
        examine(u);
    }
    err = over(tw_token_open(u->uri, &u->options, &token));
    must((err == TW_OK) == (token != NULL));
    must(!u->honest || (err == TW_OK) == !u->wrong_pin);
    if (err == TW_OK) {
        work(u, token);
        tw_token_free(token);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    user u = {.token = {.before = script_before, .number = script_number, .bytes = script_bytes},
              .options = {.size = sizeof(u.options),
                          .module = pretend_path(),
                          .deadline_ms = 20,
                          .max_sessions = 1,
                          .pin = give_pin,
                          .event = on_event,
                          .arg = &u}};
    bytes in = bytes_of(data, size);

    read_user(&u, &in);
    script_start(in);
    u.honest = in.len == 0 && strcmp(u.uri, USUAL_URI) == 0;
    fuzz_rng_reset();
    pretend_start(&u.token);
    visit(&u);
    must(!u.honest || (u.token.sessions == 0 && !u.token.initialised));
    pretend_end();
    bytes_release(mark);
    return 0;
}
