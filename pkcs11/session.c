/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <unistd.h>

era twp_era_now(tw_token *t)
{
    return (era){atomic_load(&t->epoch), atomic_load(&t->module->generation),
                 atomic_load(&t->module->logins)};
}

bool twp_era_passed(tw_token *t, const era *e)
{
    return atomic_load(&t->epoch) != e->epoch ||
           atomic_load(&t->module->generation) != e->generation;
}

void twp_session_close(tw_token *t, session *s)
{
    /* An older generation's number may be someone else's session by now. */
    if (s->handle != CK_INVALID_HANDLE &&
        s->era.generation == atomic_load(&t->module->generation)) {
        (void)t->module->fn->C_CloseSession(s->handle);
    }
    s->handle = CK_INVALID_HANDLE;
}

/* Read-write first: a TPM derives in no other session, and CloudHSM has no other. */
static CK_RV open_any(CK_FUNCTION_LIST *fn, CK_SLOT_ID slot, CK_SESSION_HANDLE *out)
{
    CK_FLAGS serial = CKF_SERIAL_SESSION;
    CK_RV rv = fn->C_OpenSession(slot, serial | CKF_RW_SESSION, NULL, NULL, out);

    if (rv == CKR_OK || rv == CKR_SESSION_COUNT) {
        return rv;
    }
    return fn->C_OpenSession(slot, serial, NULL, NULL, out) == CKR_OK ? CKR_OK : rv;
}

static tw_err session_open(tw_token *t, op *o)
{
    session *s = o->session;
    CK_SLOT_ID slot;
    CK_RV rv;
    tw_err err;

    pthread_mutex_lock(&t->lock);
    slot = t->slot;
    pthread_mutex_unlock(&t->lock);
    s->era = twp_era_now(t);
    s->handle = CK_INVALID_HANDLE;
    rv = open_any(t->module->fn, slot, &s->handle);
    if (rv != CKR_OK) {
        s->handle = CK_INVALID_HANDLE;
        return twp_fail_rv(o->line.why, "C_OpenSession", rv);
    }
    err = twp_session_login(t, o);
    if (err != TW_OK) {
        twp_session_close(t, s);
    }
    return err;
}

tw_err twp_session_ready(tw_token *t, op *o)
{
    session *s = o->session;
    tw_err err = TW_OK;

    if (s->handle != CK_INVALID_HANDLE && twp_era_passed(t, &s->era)) {
        twp_session_close(t, s);
    }
    if (s->handle == CK_INVALID_HANDLE) {
        err = session_open(t, o);
    }
    /* Once it is known that someone is logged in: no older login's handle passes for new. */
    s->era.logins = atomic_load(&t->module->logins);
    return err;
}

/* --- Running an operation. ------------------------------------------------------- */

/* In a child of fork nothing of the parent's is used: not its sessions, not its locks. */
static void after_fork(tw_token *t)
{
    twp_process_lock();
    if (atomic_load(&t->pid) != getpid()) {
        pthread_mutex_init(&t->lock, NULL);
        twp_turn_init(&t->mend);
        twp_turn_init(&t->login);
        twp_pool_forget(t);
        atomic_store(&t->gone, false);
        atomic_store(&t->counters.in_flight, 0);
        atomic_fetch_add(&t->epoch, 1);
        atomic_store(&t->pid, getpid());
    }
    twp_process_unlock();
}

/* A session of the pool that works, entered into the module. When the token has no more
 * sessions, one of ours in use will do. */
static tw_err begin(tw_token *t, op *o)
{
    failure *why = o->line.why;
    tw_err err;

    for (;;) {
        err = twp_pool_take(t, o->deadline, &o->session, why);
        if (err != TW_OK) {
            return err;
        }
        err = twp_module_enter(t->module, why);
        if (err == TW_OK) {
            err = twp_session_ready(t, o);
            if (err == TW_OK) {
                break;
            }
            twp_module_leave(t->module);
        }
        if (why->rv != CKR_SESSION_COUNT || !twp_pool_lost(t, o->session)) {
            twp_pool_give(t, o->session);
            return err;
        }
    }
    o->token = t;
    o->line.fn = t->module->fn;
    o->line.session = o->session->handle;
    return TW_OK;
}

/* `before` becomes the era of the session that served. */
static tw_err attempt_once(tw_token *t, tw_err (*fn)(op *o, void *arg), void *arg, era *before,
                           const struct timespec *deadline, failure *why)
{
    op o = {.line = {.why = why}, .deadline = deadline};
    tw_err err = begin(t, &o);

    if (err != TW_OK) {
        return err;
    }
    *before = o.session->era;
    err = fn(&o, arg);
    if (o.broken || (err != TW_OK && why->loss != LOSS_NONE)) {
        twp_session_close(t, o.session);
    }
    twp_module_leave(t->module);
    twp_pool_give(t, o.session);
    return err;
}

void twp_token_is_gone(tw_token *t, bool gone)
{
    pthread_mutex_lock(&t->lock);
    if (gone && !atomic_load(&t->gone)) {
        clock_gettime(CLOCK_MONOTONIC, &t->gone_since);
    }
    atomic_store(&t->gone, gone);
    pthread_mutex_unlock(&t->lock);
}

/* Who comes while the token is gone looks for it, unless another is at it; one that hangs there
 * keeps the others from it for the time of one deadline. */
static bool may_probe(tw_token *t, failure *why)
{
    struct timespec now;
    long seconds;
    bool mine;

    pthread_mutex_lock(&t->lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    seconds = (long)(now.tv_sec - t->gone_since.tv_sec);
    mine = twp_time_passed(&t->next_probe);
    if (mine) {
        t->next_probe = twp_time_in(t->opt.deadline_ms);
    }
    pthread_mutex_unlock(&t->lock);
    if (!mine) {
        (void)twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                            "the token is gone for %ld s; another call looks for its return",
                            seconds);
    }
    return mine;
}

static void end_probe(tw_token *t, tw_err err)
{
    pthread_mutex_lock(&t->lock);
    t->next_probe = (struct timespec){0};
    pthread_mutex_unlock(&t->lock);
    if (err == TW_OK) {
        twp_token_is_gone(t, false);
    }
}

static tw_err run(tw_token *t, persistence how, tw_err (*fn)(op *o, void *arg), void *arg,
                  failure *why)
{
    struct timespec deadline = twp_time_in(t->opt.deadline_ms);

    for (unsigned attempt = 1;; attempt++) {
        era before = twp_era_now(t);
        tw_err err;

        *why = (failure){0};
        err = attempt_once(t, fn, arg, &before, &deadline, why);
        if (err == TW_OK || how == RUN_ONCE ||
            !twp_recover(t, how, attempt, &before, &deadline, why)) {
            return err == TW_OK ? TW_OK : why->err;
        }
        atomic_fetch_add_explicit(&t->counters.retries, 1, memory_order_relaxed);
    }
}

tw_err twp_token_run(tw_token *t, persistence how, tw_err (*fn)(op *o, void *arg), void *arg,
                     failure *why)
{
    bool gone;
    tw_err err;

    if (atomic_load_explicit(&t->pid, memory_order_relaxed) != getpid()) {
        after_fork(t);
    }
    gone = atomic_load_explicit(&t->gone, memory_order_relaxed);
    if (gone && !may_probe(t, why)) {
        return why->err;
    }
    err = run(t, how, fn, arg, why);
    if (gone) {
        end_probe(t, err);
    }
    return err;
}
