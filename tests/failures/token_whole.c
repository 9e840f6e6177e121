/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of pkcs11.h that open tokens themselves: opening, listing, joining, the doctor. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token_world.h"

static char pin_file[64];

/* --- Opening. -------------------------------------------------------------------------------- */

static tw_err token_open(void)
{
    tw_token *opened = POISON(tw_token);
    tw_err err = token_told(tw_token_open(uri, &options, &opened));

    made(err, opened);
    RELEASE(tw_token_free(opened));
    return err;
}

static void with_pin_file(void)
{
    int fd;

    token_plain();
    (void)snprintf(pin_file, sizeof(pin_file), "%s/twoway-pin-XXXXXX",
                   getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
    fd = mkstemp(pin_file);
    must(fd >= 0);
    must(write(fd, PRETEND_PIN "\n", strlen(PRETEND_PIN) + 1) > 0);
    must(close(fd) == 0);
    (void)snprintf(uri, sizeof(uri), TOKEN_URI "?pin-source=%s", pin_file);
}

static void end_pin_file(void)
{
    token_end();
    must(unlink(pin_file) == 0);
}

static void with_pin_value(void)
{
    token_plain();
    (void)snprintf(uri, sizeof(uri), TOKEN_URI "?pin-value=%s", PRETEND_PIN);
}

/* --- Listing and joining. -------------------------------------------------------------------- */

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
    return token_told(err);
}

static tw_err join(void)
{
    const tw_token_member members[] = {{sizeof(members[0]), uri, &options},
                                       {sizeof(members[0]), uri, &options}};
    tw_key *joined = POISON(tw_key);
    const tw_token *first;
    tw_err state, err = token_told(tw_token_join(members, 2, &joined));

    made(err, joined);
    if (err == TW_OK) {
        must_ok(tw_token_joined(joined, 0, &first, &state));
        failures_pause(true); /* a member that failed is looked after by a thread */
        RELEASE(tw_key_free(joined));
        failures_pause(false);
    }
    return err;
}

/* --- The doctor. ----------------------------------------------------------------------------- */

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
    token_plain();
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

const operation token_whole_operations[] = {
    {"tw_token_open", token_plain, token_open, token_end, SERVES},
    {"tw_token_open with a PIN in a file", with_pin_file, token_open, end_pin_file, SERVES},
    {"tw_token_open with a PIN in the URI", with_pin_value, token_open, token_end, SERVES},
    {"tw_token_list", token_plain, list, token_end, SERVES},
    {"tw_token_join and tw_token_joined", token_plain, join, token_end, SERVES},
    {"tw_token_check", one_session, token_check, token_end, SERVES},
    {"tw_token_check with a key pair of its own", one_session, token_check_scratch, token_end,
     SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
