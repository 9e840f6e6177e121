/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>
#include <string.h>

void twp_token_settle(tw_token *t, const place *p)
{
    twp_module_hold(p->module);
    t->module = p->module;
    t->slot = p->slot;
    t->info = p->info;
}

static tw_err locate(tw_token *t, failure *why)
{
    places found;
    place here = {0};
    tw_err err = twp_places_find(&found, &t->opt, &t->uri, why);

    if (err != TW_OK) {
        return err;
    }
    err = twp_places_only(&found, &here, why);
    if (err == TW_OK) {
        twp_token_settle(t, &here);
    }
    twp_places_clear(&found);
    return err;
}

/* Opening a session logs in. */
static tw_err nothing(op *o, void *arg)
{
    (void)o;
    (void)arg;
    return TW_OK;
}

static tw_err token_alloc(const tw_token_options *options, tw_token **out)
{
    tw_token *t = calloc(1, sizeof(*t));
    tw_err err;

    if (t == NULL) {
        return TW_ERR_MEMORY;
    }
    err = twp_settings_copy(&t->opt, options);
    if (err != TW_OK) {
        free(t);
        return err;
    }
    t->slot = TW_TOKEN_NO_SLOT;
    pthread_mutex_init(&t->lock, NULL);
    twp_turn_init(&t->mend);
    twp_turn_init(&t->login);
    atomic_store(&t->process, twp_process());
    twp_pool_init(t);
    *out = t;
    return TW_OK;
}

tw_err twp_token_new(const char *uri, const tw_token_options *options, tw_token **out, failure *why)
{
    tw_err err = token_alloc(options, out);

    if (err != TW_OK) {
        return err;
    }
    err = twp_uri_parse(&(*out)->uri, uri, why);
    if (err != TW_OK) {
        twp_token_report(*out, "open token", why);
        tw_token_free(*out);
        *out = NULL;
    }
    return err;
}

/* Waits for a restart, which may not end them; and where the module takes one call at a time, for
 * those of others, as long as they take. */
static bool enter_to_close(tw_token *t)
{
    struct timespec deadline = twp_time_in(t->opt.deadline_ms);
    bool restarting;
    tw_err err;

    do {
        failure why = {0};
        struct timespec once = twp_time_in(t->opt.deadline_ms);

        restarting = atomic_load(&t->module->restarting) != NOT_RESTARTING;
        err = twp_module_enter(t->module, restarting ? &deadline : &once, &why);
    } while ((err == TW_ERR_TOKEN_BUSY && atomic_load(&t->module->down) == CKR_OK) ||
             (err != TW_OK && restarting && !twp_time_passed(&deadline)));
    return err == TW_OK;
}

/* A child that never used it has none of its own. A module that cannot be entered (a child that
 * could not initialise it) has no sessions of ours left to close. */
void twp_token_leave(tw_token *t)
{
    module *m = t->module;
    bool here = atomic_load(&t->process) == twp_process();

    if (here) {
        twp_token_is_gone(t, false);
    }
    if (here && enter_to_close(t)) {
        twp_pool_clear(t);
        twp_module_leave(m);
    } else {
        twp_pool_forget(t);
    }
    t->module = NULL;
    t->slot = TW_TOKEN_NO_SLOT;
    twp_module_put(m);
}

tw_err twp_token_arrive(tw_token *t)
{
    failure why = {0};
    tw_err err = locate(t, &why);

    if (err == TW_OK) {
        err = twp_token_run(t, RUN_GENTLY, nothing, NULL, &why);
    }
    if (err != TW_OK) {
        twp_token_report(t, "open token", &why);
    }
    if (err != TW_OK && t->module != NULL) {
        twp_token_leave(t);
    }
    return err;
}

tw_err tw_token_open(const char *uri, const tw_token_options *options, tw_token **out)
{
    failure why = {0};
    tw_token *t = NULL;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (uri == NULL) {
        return TW_ERR_INVALID;
    }
    err = twp_token_new(uri, options, &t, &why);
    if (err == TW_OK) {
        err = twp_token_arrive(t);
    }
    if (err != TW_OK) {
        tw_token_free(t);
        return err;
    }
    *out = t;
    return TW_OK;
}

void tw_token_free(tw_token *token)
{
    if (token == NULL) {
        return;
    }
    if (token->module != NULL) {
        twp_token_leave(token);
    }
    twp_uri_clear(&token->uri);
    twp_settings_clear(&token->opt);
    pthread_mutex_destroy(&token->lock);
    twp_turn_clear(&token->mend);
    twp_turn_clear(&token->login);
    tw_wipe(token->refused, sizeof(token->refused));
    free(token);
}

void twp_token_report(tw_token *t, const char *what, const failure *why)
{
    CK_SLOT_ID slot;

    twp_token_adopt(t);
    pthread_mutex_lock(&t->lock);
    slot = t->slot;
    pthread_mutex_unlock(&t->lock);
    twp_report(&t->opt, slot, what, why);
}
