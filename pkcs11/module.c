/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

/*
 * The one thing that this library shares within a process, because PKCS #11 does:
 * C_Initialize and C_Finalize act on all users of a module at once. Either may hang; that
 * keeps no other module from its work, so it is never called under the process's own lock.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void twp_process_lock(void)
{
    pthread_mutex_lock(&lock);
}

bool twp_process_take(const struct timespec *deadline)
{
    return twp_mutex_take(&lock, deadline);
}

void twp_process_anew(void)
{
    pthread_mutex_init(&lock, NULL);
}

void twp_process_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* NSS lays the arguments out with its parameter string where the standard has the
 * reserved pointer, and one more pointer behind it. */
typedef struct init_args {
    CK_C_INITIALIZE_ARGS standard;
    void *behind;
} init_args;

/* A module that cannot lock by itself is called by one thread at a time, and still is when it turns
 * out to be initialised. No flag forbids it to make threads: opencryptoki refuses that. */
static CK_RV call_initialize(module *m)
{
    init_args args = {0};
    CK_RV rv;

    args.standard.flags = CKF_OS_LOCKING_OK;
    args.standard.pReserved = m->init_args;
    rv = m->fn->C_Initialize(&args);
    if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        atomic_store(&m->serial, rv == CKR_CANT_LOCK);
    }
    if (rv == CKR_CANT_LOCK) {
        args.standard.flags = 0;
        rv = m->fn->C_Initialize(m->init_args == NULL ? NULL : &args);
    }
    return rv;
}

/* No two are alike, not of two modules either, nor of one that was left and loaded again. */
static void next_generation(module *m)
{
    static atomic_ulong last;

    atomic_store(&m->generation, atomic_fetch_add(&last, 1) + 1);
}

static tw_err initialize(module *m, failure *why)
{
    CK_RV rv = call_initialize(m);

    m->owner = rv == CKR_OK;
    if (m->owner) {
        next_generation(m);
    }
    if (m->owner || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        atomic_store(&m->down, CKR_OK);
        return TW_OK;
    }
    atomic_store(&m->down, rv);
    (void)twp_fail_rv(why, "C_Initialize", rv);
    if (rv == CKR_ARGUMENTS_BAD) {
        twp_fail_add(why, m->init_args != NULL
                              ? "this module takes no parameter string, or not this one"
                              : "this module may want a parameter string, as NSS does: "
                                "x-init-reserved in p11-kit's configuration of it");
    }
    return why->err;
}

/* --- A forked child. --------------------------------------------------------- */

/* What the child inherited is the parent's: its handles still answer in many modules,
 * on the parent's session. So begin again before the first call. Under its life. */
static tw_err begin_here(module *m, failure *why)
{
    bool ours = m->owner;
    tw_err err;

    next_generation(m);
    atomic_store(&m->in_flight, 0);
    atomic_store(&m->gone, 0);
    atomic_store(&m->restarting, NOT_RESTARTING);
    twp_turn_init(&m->calls);
    err = initialize(m, why);
    if (err == TW_OK && !m->owner && ours) {
        (void)m->fn->C_Finalize(NULL);
        err = initialize(m, why);
    }
    atomic_store(&m->process, twp_process());
    return err;
}

static tw_err after_fork(module *m, const struct timespec *deadline, failure *why)
{
    tw_err err = TW_OK;

    if (!twp_mutex_take(&m->life, deadline)) {
        return twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                             "the module is being initialised for this process, and hangs");
    }
    if (atomic_load(&m->process) != twp_process()) {
        err = begin_here(m, why);
    }
    pthread_mutex_unlock(&m->life);
    return err;
}

/* --- Its life. --------------------------------------------------------------- */

/* One that is down has nobody in it: they are turned away. */
tw_err twp_module_start(module *m, failure *why)
{
    bool here;
    tw_err err = TW_OK;

    pthread_mutex_lock(&m->life);
    here = atomic_load(&m->process) == twp_process();
    if (!here || !m->started || atomic_load(&m->down) != CKR_OK) {
        err = here ? initialize(m, why) : begin_here(m, why);
        m->started = m->started || err == TW_OK;
    }
    pthread_mutex_unlock(&m->life);
    return err;
}

/* Who comes now is counted as a user, waits for its life and starts it again. */
void twp_module_stop(module *m)
{
    pthread_mutex_lock(&m->life);
    if (m->started && atomic_load(&m->users) == 1) {
        if (m->owner) {
            (void)m->fn->C_Finalize(NULL);
        }
        m->started = false;
    }
    pthread_mutex_unlock(&m->life);
}

/* --- Calls. ------------------------------------------------------------------ */

enum {
    RESTART_GRACE_MS = 500,
};

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    nanosleep(&pause, NULL);
}

/* A call that hangs keeps a restart waiting: then all others fail soon instead of waiting with it.
 * Once it has begun it takes as long as the module does. */
static tw_err wait_for_restart(module *m, const struct timespec *deadline, failure *why)
{
    struct timespec grace = twp_time_in(RESTART_GRACE_MS);
    unsigned phase;

    while ((phase = atomic_load(&m->restarting)) != NOT_RESTARTING) {
        if (phase == BEFORE_RESTART && twp_time_passed(&grace)) {
            return twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                                 "the module is to be restarted, and a call that hangs keeps it");
        }
        if (deadline != NULL && twp_time_passed(deadline)) {
            return twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                                 "the module is being restarted, which takes too long");
        }
        pause_shortly();
    }
    return TW_OK;
}

static tw_err count_in(module *m, const struct timespec *deadline, failure *why)
{
    for (;;) {
        tw_err err;

        atomic_fetch_add(&m->in_flight, 1);
        if (atomic_load(&m->restarting) == NOT_RESTARTING) {
            return TW_OK;
        }
        atomic_fetch_sub(&m->in_flight, 1);
        err = wait_for_restart(m, deadline, why);
        if (err != TW_OK) {
            return err;
        }
    }
}

static tw_err go_in(module *m, const struct timespec *deadline, failure *why)
{
    CK_RV down = atomic_load(&m->down);

    if (down != CKR_OK) {
        (void)twp_fail_rv(why, "C_Initialize", down);
        why->loss = LOSS_MODULE;
        return why->err;
    }
    if (atomic_load(&m->serial) && !twp_turn_take(&m->calls, deadline)) {
        return twp_fail_text(why, TW_ERR_TOKEN_BUSY,
                             "the module takes one call at a time, and other calls took too long");
    }
    return TW_OK;
}

tw_err twp_module_enter(module *m, const struct timespec *deadline, failure *why)
{
    tw_err err = TW_OK;

    if (atomic_load(&m->process) != twp_process()) {
        err = after_fork(m, deadline, why);
    }
    if (err == TW_OK) {
        err = count_in(m, deadline, why);
    }
    if (err != TW_OK) {
        return err;
    }
    err = go_in(m, deadline, why);
    if (err != TW_OK) {
        atomic_fetch_sub(&m->in_flight, 1);
    }
    return err;
}

void twp_module_leave(module *m)
{
    if (atomic_load(&m->serial)) {
        twp_turn_give(&m->calls);
    }
    atomic_fetch_sub(&m->in_flight, 1);
}

/* --- A restart. ----------------------------------------------------------------- */

static bool wait_idle(module *m, const struct timespec *deadline)
{
    while (atomic_load(&m->in_flight) != 0) {
        if (twp_time_passed(deadline)) {
            return false;
        }
        pause_shortly();
    }
    return true;
}

/* What was not finalised, whoever should have, may still be there, and stays whose it was. A module
 * that was, is begun twice, if the first fails: until it is up, all that it serves are without it.
 */
static tw_err restart_idle(module *m, const struct timespec *deadline, failure *why)
{
    bool ours = m->owner, down = atomic_load(&m->down) != CKR_OK;
    CK_RV rv = ours ? m->fn->C_Finalize(NULL) : CKR_OK;
    bool over = ours && (rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
    tw_err err;

    if (over) {
        next_generation(m);
    }
    err = initialize(m, why);
    if (err != TW_OK && over && !twp_time_passed(deadline)) {
        err = initialize(m, why);
    }
    if (m->owner) {
        return err;
    }
    m->owner = ours && !over;
    if (err == TW_OK && !over && !down) {
        err = ours ? twp_fail_rv(why, "C_Finalize", rv)
                   : twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                                   "the module failed, and only who initialised it can restart it");
    }
    return err;
}

/* False: not this one's to restart, as `*err` says. */
static bool begin_restart(module *m, unsigned long generation, const struct timespec *deadline,
                          tw_err *err, failure *why)
{
    unsigned none = NOT_RESTARTING;

    *err = TW_OK;
    while (!atomic_compare_exchange_strong(&m->restarting, &none, BEFORE_RESTART)) {
        *err = wait_for_restart(m, deadline, why);
        if (*err != TW_OK || atomic_load(&m->generation) != generation) {
            return false;
        }
        none = NOT_RESTARTING;
    }
    return true;
}

/* Who opens a token may be at its initialisation, and hang there. */
static tw_err restart_alone(module *m, unsigned long generation, const struct timespec *deadline,
                            failure *why)
{
    tw_err err = TW_OK;

    if (!twp_mutex_take(&m->life, deadline)) {
        return twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                             "the module is being initialised for another call, which hangs");
    }
    if (atomic_load(&m->generation) == generation) {
        err = restart_idle(m, deadline, why);
    }
    pthread_mutex_unlock(&m->life);
    return err;
}

tw_err twp_module_restart(module *m, unsigned long generation, const struct timespec *deadline,
                          failure *why)
{
    tw_err err;

    if (!begin_restart(m, generation, deadline, &err, why)) {
        return err;
    }
    if (!wait_idle(m, deadline)) {
        err = twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                            "the module failed, and a call that hangs keeps it from a restart");
    } else {
        atomic_store(&m->restarting, IN_RESTART);
        err = restart_alone(m, generation, deadline, why);
    }
    atomic_store(&m->restarting, NOT_RESTARTING);
    return err;
}
