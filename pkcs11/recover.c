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
    MOST_LOGINS = 16,        /* of others, while one operation is at it */
    FIRST_PATIENCE_MS = 500, /* a restart disturbs all users of the module */
    MOST_PATIENCE_MS = 8000,
    CALM_MS = 60000,
};

typedef struct seeking {
    tw_token *token;
    bool found;
    CK_SLOT_ID slot;
} seeking;

/* There may be another that says the same of itself: where it was comes first. */
static tw_err take_place(void *arg, const place *p, failure *why)
{
    seeking *s = arg;
    bool same, stays;

    pthread_mutex_lock(&s->token->lock);
    same = twp_slot_same(&p->info, &s->token->info);
    stays = same && p->slot == s->token->slot;
    pthread_mutex_unlock(&s->token->lock);
    if (stays || (same && !s->found)) {
        s->slot = p->slot;
        s->found = true;
    }
    return stays ? twp_fail_text(why, TW_ERR_STATE, "found") : TW_OK; /* ends the search */
}

/* By what the token says of itself: its slot may be another now. It is gone when no slot has
 * it, at a second look too: a slot that did not answer counts as empty. */
static bool find_slot(tw_token *t, const struct timespec *deadline, failure *why)
{
    seeking s = {.token = t};
    failure looked = {0};
    tw_err err = TW_OK;

    for (int look = 0; look < 2 && err == TW_OK && !s.found; look++) {
        err = twp_slot_find(t->module, NULL, deadline, NULL, take_place, &s, &looked);
    }
    if (s.found) {
        pthread_mutex_lock(&t->lock);
        t->slot = s.slot;
        pthread_mutex_unlock(&t->lock);
    } else if (err == TW_OK) {
        why->err = TW_ERR_TOKEN_ABSENT;
        twp_fail_add(why, "the token is in none of the module's slots");
    }
    if (s.found || err == TW_OK) {
        twp_token_is_gone(t, !s.found);
    }
    return s.found;
}

/* Whether the module's other users are tokens that are gone, or there are none. */
static bool disturbs_none(tw_token *t)
{
    unsigned gone = atomic_load(&t->module->gone) + (atomic_load(&t->gone) ? 0 : 1);

    return gone >= atomic_load(&t->module->users);
}

/* Where nobody is disturbed, a try after the other may follow soon, and at once if the last one
 * helped: the module is down already, or it serves nobody. One that changed nothing, as with a
 * module that is not ours, has not helped. */
static bool restart_due(tw_token *t, loss rung)
{
    bool due, useless = atomic_load(&t->gone) || rung == LOSS_KEYS;
    bool alone = atomic_load(&t->module->down) != CKR_OK || (useless && disturbs_none(t));
    unsigned long generation = atomic_load(&t->module->generation);
    bool helped;

    pthread_mutex_lock(&t->lock);
    helped = atomic_load(&t->served) == generation && t->tried != generation;
    if (t->patience_ms == 0 || twp_time_passed(&t->calm)) {
        t->patience_ms = FIRST_PATIENCE_MS;
        due = true;
    } else {
        due = twp_time_passed(&t->next_restart) ||
              (alone && (helped || twp_time_passed(&t->next_try)));
        if (due && !alone && t->patience_ms < MOST_PATIENCE_MS) {
            t->patience_ms *= 2;
        }
    }
    if (due) {
        t->tried = generation;
        t->next_try = twp_time_in(FIRST_PATIENCE_MS);
        t->next_restart = twp_time_in(t->patience_ms);
        t->calm = twp_time_in(CALM_MS);
    }
    pthread_mutex_unlock(&t->lock);
    return due;
}

static bool restart(tw_token *t, attempt *a, loss rung, failure *why)
{
    failure failed = {0};

    if (!restart_due(t, rung)) {
        twp_fail_add(why, "the module was restarted a short while ago");
        return false;
    }
    if (twp_module_restart(t->module, a->before.generation, a->deadline, &failed) != TW_OK) {
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
    a->restarted = true;
    return find_slot(t, a->deadline, why);
}

/* Where it helps, the next may follow as soon as the second did. */
void twp_recover_helped(tw_token *t, const attempt *a)
{
    if (atomic_load(&t->served) != a->before.generation) {
        atomic_store(&t->served, a->before.generation);
    }
    if (a->restarted) {
        pthread_mutex_lock(&t->lock);
        t->patience_ms = FIRST_PATIENCE_MS;
        t->next_restart = t->next_try;
        pthread_mutex_unlock(&t->lock);
    }
}

/* Whether a session alone may be the matter: a device error often is no more. */
static loss first_rung(tw_token *t, const attempt *a, const failure *why)
{
    bool down = why->rv == CKR_CRYPTOKI_NOT_INITIALIZED || atomic_load(&t->module->down) != CKR_OK;

    return why->loss >= LOSS_MODULE && a->number == 1 && !down ? LOSS_SESSION : why->loss;
}

/* One of the higher rungs. A slot that is gone for good is worth a restart only if that disturbs no
 * other token: some modules look for slots at no other time. A module that is down serves nobody,
 * whatever it is wanted for. */
static bool climb(tw_token *t, attempt *a, loss rung, failure *why)
{
    if (rung == LOSS_SLOT && find_slot(t, a->deadline, why)) {
        return true;
    }
    return (a->how == RUN_RETRY || atomic_load(&t->module->down) != CKR_OK) &&
           (rung >= LOSS_MODULE || disturbs_none(t)) && restart(t, a, rung, why);
}

static void recovered(tw_token *t)
{
    atomic_fetch_add_explicit(&t->counters.recoveries, 1, memory_order_relaxed);
}

/* The lowest rung needs no one's turn: what is of the epoch that has passed is opened anew. */
static bool begin_epoch(tw_token *t, const attempt *a)
{
    unsigned long epoch = a->before.epoch;

    if (!twp_era_passed(t, &a->before) &&
        atomic_compare_exchange_strong(&t->epoch, &epoch, epoch + 1)) {
        recovered(t);
    }
    return true;
}

bool twp_recover(tw_token *t, attempt *a, failure *why)
{
    loss rung = first_rung(t, a, why);
    bool again;

    if (rung == LOSS_HANDLE) {
        return a->logins++ < MOST_LOGINS && !twp_time_passed(a->deadline);
    }
    if (rung == LOSS_NONE || a->number >= MOST_ATTEMPTS) {
        return false;
    }
    if (rung == LOSS_SESSION) {
        return begin_epoch(t, a);
    }
    if (!twp_turn_take(&t->mend, a->deadline)) {
        twp_fail_add(why, "another thread is at its recovery");
        return false;
    }
    again = twp_era_passed(t, &a->before);
    if (!again && atomic_load(&t->gone) && !a->probes) {
        why->err = TW_ERR_TOKEN_ABSENT;
        twp_fail_add(why, "another call saw that the token is gone");
    } else if (!again && climb(t, a, rung, why)) {
        atomic_fetch_add(&t->epoch, 1);
        recovered(t);
        again = true;
    }
    twp_turn_give(&t->mend);
    return again;
}
