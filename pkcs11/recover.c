/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

/*
 * The ladder: a new session with login and found key; the slot looked for again; the
 * module initialised anew. Each operation climbs as far as its own failures lead and is
 * tried again after each step that succeeded; a step that another thread has taken since
 * the attempt began is not taken twice.
 */

enum {
    MOST_ATTEMPTS = 3,
    FIRST_PATIENCE_MS = 500, /* a restart disturbs all users of the module */
    MOST_PATIENCE_MS = 8000,
    CALM_MS = 60000,
};

static tw_err take_place(void *arg, const place *p, failure *why)
{
    tw_token *t = arg;
    tw_err err = TW_OK;

    pthread_mutex_lock(&t->lock);
    if (twp_slot_same(&p->info, &t->info)) {
        t->slot = p->slot;
        err = twp_fail_text(why, TW_ERR_STATE, "found"); /* ends the search */
    }
    pthread_mutex_unlock(&t->lock);
    return err;
}

/* By what the token says of itself: its slot may be another now. It is gone when no slot has
 * it, at a second look too: a slot that did not answer counts as empty. */
static bool find_slot(tw_token *t, failure *why)
{
    failure looked = {0};
    tw_err err = TW_OK;

    for (int look = 0; look < 2 && err == TW_OK; look++) {
        err = twp_slot_find(t->module, NULL, take_place, t, &looked);
    }
    if (err == TW_OK) {
        why->err = TW_ERR_TOKEN_ABSENT;
        twp_fail_add(why, "the token is in none of the module's slots");
    }
    if (err == TW_OK || err == TW_ERR_STATE) {
        twp_token_is_gone(t, err == TW_OK);
    }
    return err == TW_ERR_STATE;
}

/* A module that is down already has no users whom another try could disturb. */
static bool restart_due(tw_token *t)
{
    bool due, down = atomic_load(&t->module->down) != CKR_OK;

    pthread_mutex_lock(&t->lock);
    if (t->patience_ms == 0 || twp_time_passed(&t->calm)) {
        t->patience_ms = FIRST_PATIENCE_MS;
        due = true;
    } else {
        due = twp_time_passed(&t->next_restart) || (down && twp_time_passed(&t->next_try));
        if (due && !down && t->patience_ms < MOST_PATIENCE_MS) {
            t->patience_ms *= 2;
        }
    }
    if (due) {
        t->next_try = twp_time_in(FIRST_PATIENCE_MS);
        t->next_restart = twp_time_in(t->patience_ms);
        t->calm = twp_time_in(CALM_MS);
    }
    pthread_mutex_unlock(&t->lock);
    return due;
}

static bool restart(tw_token *t, const era *before, const struct timespec *deadline, failure *why)
{
    failure failed = {0};

    if (!restart_due(t)) {
        twp_fail_add(why, "the module was restarted a short while ago");
        return false;
    }
    if (twp_module_restart(t->module, before->generation, deadline, &failed) != TW_OK) {
        if (failed.function != NULL) {
            twp_fail_add(why, "%s to restart the module gave 0x%lx", failed.function, failed.rv);
        } else {
            twp_fail_add(why, "%s", failed.text);
        }
        if (atomic_load(&t->module->down) != CKR_OK) {
            twp_token_is_gone(t, true);
        }
        return false;
    }
    return find_slot(t, why);
}

/* Whether a session alone may be the matter: a device error often is no more. */
static loss first_rung(tw_token *t, unsigned attempt, const failure *why)
{
    bool down = why->rv == CKR_CRYPTOKI_NOT_INITIALIZED || atomic_load(&t->module->down) != CKR_OK;

    return why->loss == LOSS_MODULE && attempt == 1 && !down ? LOSS_SESSION : why->loss;
}

/* One rung. A slot that is gone for good is worth a restart only if that disturbs no
 * other token: some modules look for slots at no other time. */
static bool climb(tw_token *t, persistence how, loss rung, const era *before,
                  const struct timespec *deadline, failure *why)
{
    switch (rung) {
    case LOSS_SESSION:
        return true;
    case LOSS_SLOT:
        return find_slot(t, why) || (how == RUN_RETRY && !twp_module_shared(t->module) &&
                                     restart(t, before, deadline, why));
    case LOSS_MODULE:
        return how == RUN_RETRY && restart(t, before, deadline, why);
    case LOSS_NONE:
        break;
    }
    return false;
}

bool twp_recover(tw_token *t, persistence how, unsigned attempt, const era *before,
                 const struct timespec *deadline, failure *why)
{
    loss rung = first_rung(t, attempt, why);
    bool again;

    if (rung == LOSS_NONE || attempt >= MOST_ATTEMPTS) {
        return false;
    }
    if (!twp_turn_take(&t->mend, deadline)) {
        twp_fail_add(why, "another thread is at its recovery");
        return false;
    }
    again = twp_era_passed(t, before);
    if (!again && climb(t, how, rung, before, deadline, why)) {
        atomic_fetch_add(&t->epoch, 1);
        atomic_fetch_add_explicit(&t->counters.recoveries, 1, memory_order_relaxed);
        again = true;
    }
    twp_turn_give(&t->mend);
    return again;
}
