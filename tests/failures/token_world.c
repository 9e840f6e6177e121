/* SPDX-License-Identifier: Apache-2.0 */
#include "token_world.h"

#include <stdio.h>
#include <string.h>

pretend_token the_token;
tw_token_options options;
tw_token *token;
tw_key *key;
char uri[256];
unsigned events;

/* --- The token and its user. ----------------------------------------------------------------- */

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

void token_begin(const pretend_token *like)
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
    (void)snprintf(uri, sizeof(uri), TOKEN_URI);
    pretend_start(&the_token);
}

void token_plain(void)
{
    static const pretend_token like = {.label = NULL};

    token_begin(&like);
}

void want_token(void)
{
    must_ok(tw_token_open(uri, &options, &token));
}

void want_token_key(void)
{
    want_token();
    must_ok(tw_token_find_key(token, uri, NULL, 0, &key));
}

/* Nothing is left in the token, or open, that a failure of its own does not excuse. */
void token_end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    key = NULL;
    token = NULL;
    must(the_token.sessions == 0 && the_token.objects == 0 && !the_token.pin_sent_again);
    pretend_end();
}

/* Each failure of the token is told. */
tw_err token_told(tw_err err)
{
    bool of_token = err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED;

    must(!of_token || events > 0);
    events = 0;
    return err;
}

size_t keys_in_token(void)
{
    size_t count = 0;

    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        count += pretend_objects[i].handle != 0 && pretend_objects[i].session == 0;
    }
    return count;
}
