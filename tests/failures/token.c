/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of pkcs11.h, with a token in this process. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <twoway/pkcs11.h>

#include "failures.h"
#include "pretend.h"

#define URI "pkcs11:token=pretend;object=k"

static pretend_token the_token;
static tw_token_options options;
static tw_token *token;
static tw_key *key;
static char uri[256];
static char pin_file[64];
static unsigned events;
static uint8_t enc[TW_MAX_ENC], secret[TW_MAX_SECRET];

/* --- The token and its user. ------------------------------------------------------------------ */

static CK_RV before(void *arg, const char *function)
{
    (void)arg;
    return failures_token(function) ? failures_rv : CKR_OK;
}

static void inside(void *arg, bool is_inside)
{
    (void)arg;
    failures_pause(is_inside);
}

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    (void)arg;
    (void)label;
    must(cap >= strlen(PRETEND_PIN));
    *len = strlen(PRETEND_PIN);
    memcpy(buf, PRETEND_PIN, *len);
    return TW_OK;
}

static void on_event(void *arg, const tw_token_event *event)
{
    (void)arg;
    must(event->err != TW_OK && event->message != NULL);
    must(strstr(event->message, PRETEND_PIN) == NULL);
    events++;
}

static void begin(const pretend_token *like)
{
    the_token = *like;
    the_token.kem_id = now->kem_id;
    the_token.before = before;
    the_token.inside = inside;
    options = (tw_token_options){.size = sizeof(options),
                                 .module = pretend_path(),
                                 .deadline_ms = 1000,
                                 .max_sessions = 2,
                                 .provider = now->provider,
                                 .pin = give_pin,
                                 .event = on_event};
    (void)snprintf(uri, sizeof(uri), URI);
    pretend_start(&the_token);
}

static void plain(void)
{
    static const pretend_token like = {.label = NULL};

    begin(&like);
}

static void open_it(void)
{
    must_ok(tw_token_open(uri, &options, &token));
}

static void find_it(void)
{
    open_it();
    must_ok(tw_token_find_key(token, uri, NULL, 0, &key));
}

/* Nothing is left in the token, or open, that a failure of its own does not excuse. */
static void end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    key = NULL;
    token = NULL;
    must(the_token.sessions == 0 && the_token.objects == 0 && !the_token.pin_sent_again);
    pretend_end();
}

/* Each failure of the token is told. */
static tw_err told(tw_err err)
{
    bool of_token = err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED;

    must(!of_token || events > 0);
    events = 0;
    return err;
}

/* --- Opening. ------------------------------------------------------------------------------------
 */

static tw_err token_open(void)
{
    tw_token *opened = POISON(tw_token);
    tw_err err = told(tw_token_open(uri, &options, &opened));

    made(err, opened);
    RELEASE(tw_token_free(opened));
    return err;
}

static void with_pin_file(void)
{
    int fd;

    plain();
    (void)snprintf(pin_file, sizeof(pin_file), "%s/twoway-pin-XXXXXX",
                   getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
    fd = mkstemp(pin_file);
    must(fd >= 0);
    must(write(fd, PRETEND_PIN "\n", strlen(PRETEND_PIN) + 1) > 0);
    must(close(fd) == 0);
    (void)snprintf(uri, sizeof(uri), URI "?pin-source=%s", pin_file);
}

static void end_pin_file(void)
{
    end();
    must(unlink(pin_file) == 0);
}

static void with_pin_value(void)
{
    plain();
    (void)snprintf(uri, sizeof(uri), URI "?pin-value=%s", PRETEND_PIN);
}

/* --- Keys.
 * --------------------------------------------------------------------------------------------- */

static void opened(void)
{
    plain();
    open_it();
}

static tw_err find_key(void)
{
    tw_key *found = POISON(tw_key);
    tw_err err = told(tw_token_find_key(token, uri, NULL, 0, &found));

    made(err, found);
    RELEASE(tw_key_free(found));
    return err;
}

static void opened_without_public(void)
{
    static const pretend_token like = {.no_public = true};

    begin(&like);
    open_it();
}

static tw_err find_key_given(void)
{
    tw_key *found = POISON(tw_key);
    tw_err err = told(tw_token_find_key(token, uri, pretend_key()->public_key,
                                        pretend_key()->kem->public_len, &found));

    made(err, found);
    RELEASE(tw_key_free(found));
    return err;
}

static void want_secret(const tw_key *sender)
{
    const tw_key *twin = pretend_key();

    must_ok(twin->kem->encap(twin->kem, NULL, twin->public_key, sender, secret, enc));
}

static void using(const pretend_token *like)
{
    begin(like);
    find_it();
    want_secret(NULL);
}

static void using_value(void)
{
    static const pretend_token like = {.label = NULL};

    using(&like);
}

static void using_hkdf(void)
{
    static const pretend_token like = {.keeps_dh = true, .runs_hkdf = true};

    using(&like);
}

static void using_digest(void)
{
    static const pretend_token like = {.keeps_dh = true, .hashes_keys = true};

    using(&like);
}

static void using_each_login(void)
{
    static const pretend_token like = {.each_login = true};

    using(&like);
}

static tw_err decap(const uint8_t *sender_public)
{
    room got;
    tw_err err;

    room_fill(&got);
    err = told(key->ops->decap(key, enc, sender_public, got.bytes));
    room_check(&got, err);
    must(err != TW_OK || memcmp(secret, got.bytes, key->kem->secret_len) == 0);
    return err;
}

static tw_err key_decap(void)
{
    return decap(NULL);
}

static void using_identity(void)
{
    using_value();
    want_secret(pretend_key());
}

static tw_err key_decap_auth(void)
{
    return decap(pretend_key()->public_key);
}

static tw_err key_auth_encap(void)
{
    const tw_key *twin = pretend_key();
    uint8_t dh[TW_MAX_DH] = {1};
    size_t dh_len = now->kem_id == TW_KEM_P521_HKDF_SHA512   ? 66
                    : now->kem_id == TW_KEM_P384_HKDF_SHA384 ? 48
                    : now->kem_id == TW_KEM_X448_HKDF_SHA512 ? 56
                                                             : 32;
    room got;
    tw_err err;

    room_fill(&got);
    err = told(key->ops->auth_encap(key, twin->public_key, dh, dh_len, enc, got.bytes));
    room_check(&got, err);
    return err;
}

static size_t keys_in_token(void)
{
    size_t count = 0;

    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        count += pretend_objects[i].handle != 0 && pretend_objects[i].session == 0;
    }
    return count;
}

/* A key pair that was made for nothing is taken away again, where the token lets it be. */
static tw_err generate(void)
{
    size_t before_count = keys_in_token();
    tw_key *new_key = POISON(tw_key);
    tw_err err =
        told(tw_token_generate(token, now->kem_id, "new", (const uint8_t *)"\x05", 1, &new_key));

    made(err, new_key);
    must_size(err == TW_OK ? before_count + 2 : before_count, keys_in_token());
    if (err == TW_OK) {
        RELEASE(tw_key_free(new_key));
        for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
            if (pretend_objects[i].session == 0 && pretend_objects[i].id[0] == 5) {
                pretend_objects[i].handle = 0;
            }
        }
    }
    return err;
}

static tw_err key_uri(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_token_key_uri(key, (char *)out.bytes, sizeof(out), &len);
    must(err == TW_OK ? strlen((char *)out.bytes) == len : len == 0);
    room_check(&out, err);
    return err;
}

static tw_err key_stats(void)
{
    tw_token_counts counts = {.size = sizeof(counts)};

    return tw_token_stats(token, &counts);
}

/* --- Listing and joining.
 * ------------------------------------------------------------------------------- */

static tw_err on_item(void *arg, const tw_token_info *info, const tw_token_key_info *item)
{
    (void)info;
    *(size_t *)arg += item != NULL;
    return TW_OK;
}

/* A token that fails is told of, and the list goes on: it has the key, or someone was told. */
static tw_err list(void)
{
    size_t keys = 0;
    tw_err err = tw_token_list(uri, &options, on_item, &keys);

    must(err != TW_OK || keys > 0 || events > 0);
    if (err == TW_OK && keys == 0) {
        err = TW_ERR_TOKEN_FAILED; /* as good as */
    }
    return told(err);
}

static tw_err join(void)
{
    const tw_token_member members[] = {{sizeof(members[0]), uri, &options},
                                       {sizeof(members[0]), uri, &options}};
    tw_key *joined = POISON(tw_key);
    const tw_token *first;
    tw_err state, err = told(tw_token_join(members, 2, &joined));

    made(err, joined);
    if (err == TW_OK) {
        must_ok(tw_token_joined(joined, 0, &first, &state));
        failures_pause(true); /* a member that failed is looked after by a thread */
        RELEASE(tw_key_free(joined));
        failures_pause(false);
    }
    return err;
}

/* --- The doctor.
 * ---------------------------------------------------------------------------------------- */

static tw_err on_finding(void *arg, const tw_token_finding *finding)
{
    must((finding->verdict == TW_VERDICT_FAILED) == (finding->err != TW_OK));
    must(finding->text != NULL && strstr(finding->text, PRETEND_PIN) == NULL);
    *(size_t *)arg += finding->verdict == TW_VERDICT_FAILED;
    return TW_OK;
}

/* One thread alone: the token here can bear no more. */
static void one_session(void)
{
    plain();
    options.max_sessions = 1;
}

static tw_err check(bool no_scratch)
{
    const tw_token_check_options how = {
        .size = sizeof(how), .no_scratch = no_scratch, .speed_ms = 1};
    size_t before_count = keys_in_token(), failed = 0;
    tw_err err = tw_token_check(uri, &options, &how, on_finding, &failed);

    must(err == TW_OK || err == TW_ERR_MEMORY || failed > 0);
    must_size(before_count, keys_in_token());
    events = 0;
    return err;
}

static tw_err token_check(void)
{
    return check(true);
}

static tw_err token_check_scratch(void)
{
    return check(false);
}

const operation token_operations[] = {
    {"tw_token_open", plain, token_open, end, SERVES},
    {"tw_token_open with a PIN in a file", with_pin_file, token_open, end_pin_file, SERVES},
    {"tw_token_open with a PIN in the URI", with_pin_value, token_open, end, SERVES},
    {"tw_token_find_key", opened, find_key, end, SERVES},
    {"tw_token_find_key with a public half", opened_without_public, find_key_given, end, SERVES},
    {"tw_key_ops.decap, reading the output", using_value, key_decap, end, SERVES},
    {"tw_key_ops.decap, HKDF inside", using_hkdf, key_decap, end, SERVES},
    {"tw_key_ops.decap, hashing inside", using_digest, key_decap, end, SERVES},
    {"tw_key_ops.decap, a login for each", using_each_login, key_decap, end, SERVES},
    {"tw_key_ops.decap from an identity, in a token", using_identity, key_decap_auth, end, SERVES},
    {"tw_key_ops.auth_encap", using_value, key_auth_encap, end, SERVES},
    {"tw_token_generate", opened, generate, end, SERVES},
    {"tw_token_key_uri", using_value, key_uri, end, SERVES},
    {"tw_token_stats", opened, key_stats, end, SERVES},
    {"tw_token_list", plain, list, end, SERVES},
    {"tw_token_join and tw_token_joined", plain, join, end, SERVES},
    {"tw_token_check", one_session, token_check, end, SERVES},
    {"tw_token_check with a key pair of its own", one_session, token_check_scratch, end, SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
