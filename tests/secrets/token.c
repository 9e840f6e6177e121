/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a token: what is left on the host of its PIN, of what it derives and of the message,
 * after each operation and after every free. SoftHSM's own copies are its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <twoway/hpke.h>
#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

#include "check.h"
#include "search.h"
#include "token_side.h"

#define PIN_LEN 24

/* --- A token. --------------------------------------------------------------------------------- */

static char dir[64];

static struct stage {
    bytes pin, uri, uri_without_pin, uri_with_file, plain, out, head, body;
    tw_token_options options;
    tw_token *token;
    tw_key *key;
    tw_suite *suite;
    tw_sender *sender;
    tw_receiver *receiver;
    tw_sealer *sealer;
    tw_opener *opener;
    tw_exchange *asked, *answered;
    uint16_t kem_id;
    size_t body_len;
    bool pin_is_wrong;
} st;

static void run(const char *const argv[])
{
    int status;
    pid_t child = fork();

    must(child >= 0);
    if (child == 0) {
        must(freopen("/dev/null", "w", stdout) != NULL);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    must(waitpid(child, &status, 0) == child && status == 0);
}

static char *text_of(bytes b)
{
    return (char *)b.data;
}

/* Printable, so that it goes into a URI and a file as it is. */
static bytes pin_new(void)
{
    bytes pin = held(PIN_LEN + 1);
    uint8_t *noise = vault_random("noise", PIN_LEN);

    for (size_t i = 0; i < PIN_LEN; i++) {
        text_of(pin)[i] = "abcdefghijkmnpqrstuvwxyz23456789"[noise[i] % 32];
    }
    pin.len = PIN_LEN;
    secret_add("PIN", pin.data, pin.len);
    return pin;
}

static bytes formatted(const char *form, const char *value)
{
    bytes out = held(512);

    /* Not snprintf, which would leave its own copies on the stack. */
    strcpy(text_of(out), form);
    strcat(text_of(out), value);
    out.len = strlen(text_of(out));
    return out;
}

static void write_private(const char *name, const void *data, size_t len)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    must(f != NULL && setvbuf(f, NULL, _IONBF, 0) == 0);
    must(fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

static void token_new(void)
{
    char conf[256], path[128];
    static const char *argv[] = {"softhsm2-util", "--init-token", "--free", "--label", "hpke",
                                 "--so-pin",      "12345678",     "--pin",  NULL,      NULL};

    must(mkdtemp(strcpy(dir, "/tmp/twoway-secrets-XXXXXX")) != NULL);
    (void)snprintf(path, sizeof(path), "%s/tokens", dir);
    must(mkdir(path, 0700) == 0);
    (void)snprintf(conf, sizeof(conf),
                   "directories.tokendir = %s/tokens\nobjectstore.backend = file\n"
                   "log.level = ERROR\nslots.removable = false\n",
                   dir);
    write_private("softhsm2.conf", conf, strlen(conf));
    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", dir);
    must(setenv("SOFTHSM2_CONF", path, 1) == 0);
    argv[8] = text_of(st.pin);
    run(argv);
}

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    (void)arg;
    (void)label;
    must(cap >= st.pin.len);
    memcpy(buf, st.pin.data, st.pin.len);
    *len = st.pin.len;
    return TW_OK;
}

static void begin(uint16_t kem_id)
{
    char file[160];

    st = (struct stage){.kem_id = kem_id};
    st.pin = pin_new();
    token_new();
    write_private("pin", st.pin.data, st.pin.len);
    st.uri = formatted("pkcs11:token=hpke;object=k?pin-value=", text_of(st.pin));
    (void)snprintf(file, sizeof(file), "pkcs11:token=hpke;object=k?pin-source=%s/pin", dir);
    st.uri_with_file = formatted(file, "");
    st.uri_without_pin = formatted("pkcs11:token=hpke;object=k", "");
    st.options = (tw_token_options){.size = sizeof(st.options), .module = TESTS_MODULE};
    st.plain = held_secret("plaintext", 3000);
    st.out = held(5000);
    st.head = held(TW_MAX_HEAD);
    st.body = held(5000);
    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &st.suite));
}

static void end(void)
{
    tw_suite_free(st.suite);
    must_hold("the suite was freed", "");
    run((const char *[]){"rm", "-rf", dir, NULL});
}

/* --- What is done with it. --- */

#define BODY       "key AEAD_key base_nonce nonce keystream"
#define EXCHANGE   "exp"
#define STEP(name) static void name(void *arg)
#define DO(name, allowed)                                                                          \
    do {                                                                                           \
        deep(name, NULL);                                                                          \
        must_hold(#name, allowed);                                                                 \
    } while (0)

STEP(open_with_uri)
{
    (void)arg;
    must_ok(tw_token_open(text_of(st.uri), &st.options, &st.token));
}

STEP(open_with_file)
{
    (void)arg;
    must_ok(tw_token_open(text_of(st.uri_with_file), &st.options, &st.token));
}

STEP(open_with_callback)
{
    (void)arg;
    st.options.pin = give_pin;
    must_ok(tw_token_open(text_of(st.uri_without_pin), &st.options, &st.token));
}

STEP(open_with_wrong_pin)
{
    (void)arg;
    text_of(st.uri)[st.uri.len - 1] ^= 1; /* most of it is still the PIN */
    must_err(TW_ERR_TOKEN_PIN, tw_token_open(text_of(st.uri), &st.options, &st.token));
    text_of(st.uri)[st.uri.len - 1] ^= 1;
}

STEP(open_with_bad_uri)
{
    bytes bad = formatted("pkcs11:token=hpke;nonsense=1?pin-value=", text_of(st.pin));

    (void)arg;
    must_err(TW_ERR_INVALID, tw_token_open(text_of(bad), &st.options, &st.token));
    bad = formatted("pkcs11:token=none?pin-value=", text_of(st.pin));
    must_err(TW_ERR_TOKEN_ABSENT, tw_token_open(text_of(bad), &st.options, &st.token));
    bad = formatted("pkcs11:token=hpke?pin-value=another&pin-value=", text_of(st.pin));
    must_err(TW_ERR_INVALID, tw_token_open(text_of(bad), &st.options, &st.token));
    bad = formatted(text_of(st.uri), "&pin-value=another-one-that-it-has-not");
    must_err(TW_ERR_INVALID, tw_token_open(text_of(bad), &st.options, &st.token));
    bad = formatted(text_of(st.uri), "&slot-id=%zz");
    must_err(TW_ERR_INVALID, tw_token_open(text_of(bad), &st.options, &st.token));
    bad = formatted("pkcs11:token=hpke;pin-value=", text_of(st.pin));
    must_err(TW_ERR_INVALID, tw_token_open(text_of(bad), &st.options, &st.token));
}

STEP(generate)
{
    (void)arg;
    must_ok(tw_token_generate(st.token, st.kem_id, "k", NULL, 0, &st.key));
    tw_key_free(st.key);
}

STEP(find_key)
{
    (void)arg;
    must_ok(tw_token_find_key(st.token, text_of(st.uri), NULL, 0, &st.key));
}

STEP(key_uri)
{
    bytes uri = held(512);
    size_t len;

    (void)arg;
    must_ok(tw_token_key_uri(st.key, text_of(uri), uri.len, &len));
    must(!secret_in(uri.data, uri.len));
}

STEP(request)
{
    (void)arg;
    must_ok(tw_sender_new(st.suite, 1, st.key->public_key, st.suite->public_len, NULL, &st.sender));
    must_ok(tw_receiver_new(st.suite, 1, st.key, NULL, &st.receiver));
    must_ok(tw_sender_request(st.sender, NULL, st.head.data, st.head.len, &st.sealer, &st.asked));
    must_ok(tw_sealer_final(st.sealer, st.plain.data, st.plain.len, st.body.data, st.body.len,
                            &st.body_len));
    tw_sealer_free(st.sealer);
    tw_exchange_free(st.asked);
}

STEP(accept)
{
    (void)arg;
    must_ok(tw_receiver_accept(st.receiver, NULL, st.head.data, tw_receiver_head_len(st.receiver),
                               &st.opener, &st.answered));
}

STEP(open_body)
{
    size_t len;

    (void)arg;
    must_ok(tw_opener_final(st.opener, st.body.data, st.body_len, st.out.data, st.out.len, &len));
    tw_opener_free(st.opener);
    tw_exchange_free(st.answered);
}

/* The identity key in the token, and the receiver's: two operations each. */
STEP(authenticated)
{
    const tw_hpke_auth sending = {.sender = st.key},
                       receiving = {.sender_public = st.key->public_key};
    tw_hpke_params params = {.size = sizeof(params), .suite = st.suite, .auth = &sending};
    tw_hpke_text text = {.in = st.plain.data, .in_len = 1000};
    size_t len;

    (void)arg;
    must_ok(tw_hpke_seal_once(&params, st.key->public_key, st.suite->public_len, &text,
                              st.body.data, st.body.len, &len));
    params.auth = &receiving;
    text = (tw_hpke_text){.in = st.body.data, .in_len = len};
    must_ok(tw_hpke_open_once(&params, st.key, &text, st.out.data, st.out.len, &len));
}

STEP(peers_free)
{
    (void)arg;
    tw_sender_free(st.sender);
    tw_receiver_free(st.receiver);
}

STEP(key_free)
{
    (void)arg;
    tw_key_free(st.key);
}

STEP(token_free)
{
    (void)arg;
    tw_token_free(st.token);
}

static tw_err each(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    (void)key;
    must_ok(token->login);
    ++*(size_t *)arg;
    return TW_OK;
}

STEP(list)
{
    size_t count = 0;

    (void)arg;
    must_ok(tw_token_list(text_of(st.uri), &st.options, each, &count));
    must(count > 1);
}

STEP(join)
{
    const tw_token_member member = {sizeof(member), text_of(st.uri), &st.options};

    (void)arg;
    must_ok(tw_token_join(&member, 1, &st.key));
}

static tw_err on_finding(void *arg, const tw_token_finding *told)
{
    must(!secret_in(told->text, strlen(told->text)));
    must_hold(told->step, "PIN");
    *(bool *)arg = *(bool *)arg || strcmp(told->step, "removed") == 0;
    return TW_OK;
}

/* In one thread: the seam has but one stack. */
STEP(examine)
{
    const tw_token_check_options how = {.size = sizeof(how), .speed_ms = 1};
    bool removed = false;

    (void)arg;
    st.options.max_sessions = 1;
    must_ok(tw_token_check(text_of(st.uri), &st.options, &how, on_finding, &removed));
    must(removed);
}

static void use(const char *pin)
{
    char live[200];

    (void)snprintf(live, sizeof(live), "%s " BODY " " EXCHANGE, pin);
    DO(find_key, pin);
    DO(key_uri, pin);
    DO(request, pin);
    DO(accept, live);
    DO(open_body, pin);
    if (st.kem_id < TW_KEM_X25519_HKDF_SHA256) {
        DO(authenticated, pin);
    }
    DO(peers_free, pin);
    DO(key_free, pin);
}

static void everything(const void *arg)
{
    begin(*(const uint16_t *)arg);
    DO(open_with_uri, "PIN"); /* it logs in again with what its URI says */
    DO(generate, "PIN");
    use("PIN");
    DO(token_free, "");
    DO(open_with_file, "");
    use("");
    DO(token_free, "");
    DO(open_with_callback, "");
    use("");
    DO(token_free, "");
    DO(list, "");
    DO(examine, "");
    DO(join, "PIN");
    DO(key_free, "");
    DO(open_with_wrong_pin, "");
    DO(open_with_bad_uri, "");
    end();
}

int main(void)
{
    static const struct {
        const char *name;
        uint16_t kem_id;
    } rows[] = {{"p256", TW_KEM_P256_HKDF_SHA256},
                {"p384", TW_KEM_P384_HKDF_SHA384},
                {"p521", TW_KEM_P521_HKDF_SHA512},
                {"x25519", TW_KEM_X25519_HKDF_SHA256}};

    token_apart();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        scene(rows[i].name, everything, &rows[i].kem_id);
    }
    return scenes_end();
}
