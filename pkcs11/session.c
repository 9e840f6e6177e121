/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

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

static CK_RV open_one(tw_token *t, CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *out)
{
    CK_RV rv = t->module->fn->C_OpenSession(slot, CKF_SERIAL_SESSION | flags, NULL, NULL, out);

    if (rv != CKR_OK) {
        *out = CK_INVALID_HANDLE;
    }
    return rv;
}

/* Read-write first: a TPM derives in no other session, and CloudHSM has no other. What fails as
 * well without that tells more only where it is no wonder that the first did, or a matter of
 * waiting. Where a session is had that only reads, that failure may have passed by now. */
static CK_RV open_any(tw_token *t, CK_SLOT_ID slot, session *s)
{
    bool reads = (t->info.flags & CKF_WRITE_PROTECTED) != 0;
    CK_RV first = open_one(t, slot, CKF_RW_SESSION, &s->handle), rv;
    CK_SESSION_HANDLE wide;

    s->narrow = false;
    if (first == CKR_OK || first == CKR_SESSION_COUNT) {
        return first;
    }
    rv = open_one(t, slot, 0, &s->handle);
    if (reads || first == CKR_TOKEN_WRITE_PROTECTED || rv == CKR_SESSION_COUNT) {
        return rv;
    }
    if (rv != CKR_OK) {
        return first;
    }
    s->narrow = open_one(t, slot, CKF_RW_SESSION, &wide) != CKR_OK;
    if (!s->narrow) {
        (void)t->module->fn->C_CloseSession(s->handle);
        s->handle = wide;
    }
    return CKR_OK;
}

static tw_err session_open(tw_token *t, op *o)
{
    session *s = o->session;
    CK_SLOT_ID slot;
    CK_RV rv;
    tw_err err;

    s->era = twp_era_now(t); /* before the slot: a recovery that finds another raises the epoch */
    pthread_mutex_lock(&t->lock);
    slot = t->slot;
    pthread_mutex_unlock(&t->lock);
    rv = open_any(t, slot, s);
    if (rv != CKR_OK) {
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

void twp_token_adopt(tw_token *t)
{
    if (atomic_load(&t->process) == twp_process()) {
        return;
    }
    twp_process_lock();
    if (atomic_load(&t->process) != twp_process()) {
        pthread_mutex_init(&t->lock, NULL);
        twp_turn_init(&t->mend);
        twp_turn_init(&t->login);
        twp_pool_forget(t);
        atomic_store(&t->gone, false);
        t->next_probe = (struct timespec){0}; /* nobody looks for it here */
        atomic_store(&t->counters.in_flight, 0);
        atomic_fetch_add(&t->epoch, 1);
        atomic_store(&t->process, twp_process());
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
        err = twp_module_enter(t->module, o->deadline, why);
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

/* No policy of the token's: opening another session may have failed for a moment. */
static tw_err judge_narrow(const op *o, tw_err err)
{
    failure *why = o->line.why;

    if (err == TW_OK || why->rv != CKR_SESSION_READ_ONLY || !o->session->narrow) {
        return err;
    }
    twp_fail_add(why, "or it opened no session that may write, though it is not");
    why->loss = LOSS_SESSION;
    return why->err = TW_ERR_TOKEN_FAILED;
}

static tw_err attempt_once(tw_token *t, tw_err (*fn)(op *o, void *arg), void *arg, attempt *a,
                           failure *why)
{
    op o = {.line = {.why = why}, .deadline = a->deadline};
    tw_err err = begin(t, &o);

    if (err != TW_OK) {
        return err;
    }
    a->before = o.session->era;
    err = judge_narrow(&o, fn(&o, arg));
    if (o.broken || (err != TW_OK && why->loss > LOSS_HANDLE)) {
        twp_session_close(t, o.session);
    }
    twp_module_leave(t->module);
    twp_pool_give(t, o.session);
    return err;
}

static tw_err run(tw_token *t, attempt *a, tw_err (*fn)(op *o, void *arg), void *arg, failure *why)
{
    for (a->number = 1, a->logins = 0;; a->number += why->loss == LOSS_HANDLE ? 0 : 1) {
        tw_err err;

        *why = (failure){0};
        a->before = twp_era_now(t);
        err = attempt_once(t, fn, arg, a, why);
        if (err == TW_OK) {
            twp_recover_helped(t, a);
        }
        if (err == TW_OK || a->how == RUN_ONCE || !twp_recover(t, a, why)) {
            return err == TW_OK ? TW_OK : why->err;
        }
        atomic_fetch_add_explicit(&t->counters.retries, 1, memory_order_relaxed);
    }
}

/* --- While the token is gone. ---------------------------------------------------- */

void twp_token_is_gone(tw_token *t, bool gone)
{
    pthread_mutex_lock(&t->lock);
    if (gone != atomic_exchange(&t->gone, gone)) {
        clock_gettime(CLOCK_MONOTONIC, &t->gone_since);
        atomic_fetch_add(&t->module->gone, gone ? 1u : ~0u);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Who comes while the token is gone looks for it, unless another is at it; one that hangs there
 * keeps the others from it for the time of one deadline. */
static bool may_probe(tw_token *t, unsigned long *probe, failure *why)
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
        *probe = ++t->probe;
    }
    pthread_mutex_unlock(&t->lock);
    if (!mine) {
        (void)twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                            "the token is gone for %ld s; another call looks for its return",
                            seconds);
    }
    return mine;
}

/* One that hung so long that another looks in its place lets that one be. A token that answers,
 * be it that it wants another PIN, is there. */
static void end_probe(tw_token *t, unsigned long probe, tw_err err)
{
    pthread_mutex_lock(&t->lock);
    if (t->probe == probe) {
        t->next_probe = (struct timespec){0};
    }
    pthread_mutex_unlock(&t->lock);
    if (err == TW_OK || err == TW_ERR_TOKEN_PIN || err == TW_ERR_TOKEN_POLICY) {
        twp_token_is_gone(t, false);
    }
}

tw_err twp_token_run(tw_token *t, persistence how, tw_err (*fn)(op *o, void *arg), void *arg,
                     failure *why)
{
    struct timespec deadline;
    attempt a = {.how = how, .deadline = &deadline};
    unsigned long probe = 0;
    tw_err err;

    twp_token_adopt(t);
    a.probes = atomic_load(&t->gone);
    if (a.probes && !may_probe(t, &probe, why)) {
        return why->err;
    }
    deadline = twp_time_in(t->opt.deadline_ms);
    err = run(t, &a, fn, arg, why);
    if (err == TW_ERR_TOKEN_FAILED && atomic_load(&t->gone)) {
        err = why->err = TW_ERR_TOKEN_ABSENT; /* whatever its module says of that */
    }
    if (a.probes) {
        end_probe(t, probe, err);
    }
    return err;
}
