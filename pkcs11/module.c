/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The one thing that this library shares within a process, because PKCS #11 does:
 * C_Initialize and C_Finalize act on all users of a module at once. p11-kit counts
 * users only of modules that it manages, and those are wrapped in a table that does not
 * tell the truth about newer functions; so modules are loaded unmanaged and counted here.
 */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static module *list;

/* A child of fork must not find the list locked by a thread it has not. */
void process_lock(void)
{
    pthread_mutex_lock(&list_lock);
}

void process_unlock(void)
{
    pthread_mutex_unlock(&list_lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(process_lock, process_unlock, process_unlock);
}

/* NSS lays the arguments out with its parameter string where the standard has the
 * reserved pointer, and one more pointer behind it. */
typedef struct init_args {
    CK_C_INITIALIZE_ARGS standard;
    void *behind;
} init_args;

/* A module that cannot lock by itself is called by one thread at a time. No flag forbids
 * it to make threads: opencryptoki refuses that. */
static CK_RV call_initialize(module *m)
{
    init_args args = {0};
    CK_RV rv;

    args.standard.flags = CKF_OS_LOCKING_OK;
    args.standard.pReserved = m->init_args;
    m->serial = false;
    rv = m->fn->C_Initialize(&args);
    if (rv == CKR_CANT_LOCK) {
        args.standard.flags = 0;
        m->serial = true;
        rv = m->fn->C_Initialize(m->init_args == NULL ? NULL : &args);
    }
    return rv;
}

static tw_err initialize(module *m, failure *why)
{
    CK_RV rv = call_initialize(m);

    atomic_fetch_add(&m->generation, 1);
    atomic_store(&m->pid, getpid());
    m->owner = rv == CKR_OK;
    if (rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        return TW_OK;
    }
    (void)fail_rv(why, "C_Initialize", rv);
    if (rv == CKR_ARGUMENTS_BAD && m->init_args != NULL) {
        fail_add(why, "this module takes no parameter string, or not this one");
    }
    return why->err;
}

/* --- A forked child. --------------------------------------------------------- */

/* What the child inherited is the parent's: its handles still answer in many modules,
 * on the parent's session. So begin again before the first call. */
static tw_err after_fork(module *m, failure *why)
{
    tw_err err = TW_OK;

    process_lock();
    if (atomic_load(&m->pid) != getpid()) {
        bool ours = m->owner;

        atomic_store(&m->in_flight, 0);
        atomic_store(&m->restarting, false);
        pthread_mutex_init(&m->serial_lock, NULL);
        err = initialize(m, why);
        if (err == TW_OK && !m->owner && ours) {
            (void)m->fn->C_Finalize(NULL);
            err = initialize(m, why);
        }
    }
    process_unlock();
    return err;
}

tw_err module_enter(module *m, failure *why)
{
    if (atomic_load_explicit(&m->pid, memory_order_relaxed) != getpid()) {
        tw_err err = after_fork(m, why);

        if (err != TW_OK) {
            return err;
        }
    }
    atomic_fetch_add(&m->in_flight, 1);
    if (atomic_load(&m->restarting)) {
        atomic_fetch_sub(&m->in_flight, 1);
        return fail_text(why, TW_ERR_TOKEN_FAILED, "the module is being restarted: try again");
    }
    if (m->serial) {
        pthread_mutex_lock(&m->serial_lock);
    }
    return TW_OK;
}

void module_leave(module *m)
{
    if (m->serial) {
        pthread_mutex_unlock(&m->serial_lock);
    }
    atomic_fetch_sub(&m->in_flight, 1);
}

/* --- A restart. ----------------------------------------------------------------- */

static bool wait_idle(module *m, const struct timespec *deadline)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct timespec now;

    while (atomic_load(&m->in_flight) != 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > deadline->tv_sec ||
            (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec)) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static tw_err restart_idle(module *m, failure *why)
{
    bool ours = m->owner;
    tw_err err;

    if (ours) {
        (void)m->fn->C_Finalize(NULL);
    }
    err = initialize(m, why);
    if (err == TW_OK && !ours && !m->owner) {
        err = fail_text(why, TW_ERR_TOKEN_FAILED,
                        "the module failed, and only who initialised it can restart it");
    }
    return err;
}

tw_err module_restart(module *m, unsigned long generation, const struct timespec *deadline,
                      failure *why)
{
    bool idle = false;
    tw_err err = TW_OK;

    if (atomic_exchange(&m->restarting, true)) {
        return fail_text(why, TW_ERR_TOKEN_FAILED, "the module is being restarted: try again");
    }
    if (!wait_idle(m, deadline)) {
        err = fail_text(why, TW_ERR_TOKEN_FAILED,
                        "the module failed, and a call that hangs keeps it from a restart");
    } else {
        idle = true;
    }
    process_lock();
    if (idle && atomic_load(&m->generation) == generation) {
        err = restart_idle(m, why);
    }
    process_unlock();
    atomic_store(&m->restarting, false);
    return err;
}

bool module_shared(module *m)
{
    bool shared;

    process_lock();
    shared = m->users > 1;
    process_unlock();
    return shared;
}

/* --- Getting and putting. ------------------------------------------------------- */

static module *find_loaded(CK_FUNCTION_LIST *fn)
{
    module *m = list;

    while (m != NULL && m->fn != fn) {
        m = m->next;
    }
    return m;
}

static void module_free(module *m)
{
    pthread_mutex_destroy(&m->serial_lock);
    free(m->path);
    free(m->init_args);
    free(m);
}

/* Takes p11-kit's reference to `fn` over, also on failure. */
static tw_err add(CK_FUNCTION_LIST *fn, const char *args, module **out, failure *why)
{
    module *m = calloc(1, sizeof(*m));
    tw_err err = TW_OK;

    if (m == NULL) {
        p11_kit_module_release(fn);
        return fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    m->fn = fn;
    m->users = 1;
    pthread_mutex_init(&m->serial_lock, NULL);
    m->path = p11_kit_module_get_filename(fn);
    /* A configured module may come with its parameter string. */
    m->init_args = args != NULL ? strdup(args) : p11_kit_config_option(fn, "x-init-reserved");
    if (args != NULL && m->init_args == NULL) {
        err = fail_text(why, TW_ERR_MEMORY, "no memory");
    } else {
        err = initialize(m, why);
    }
    if (err != TW_OK) {
        module_free(m);
        p11_kit_module_release(fn);
        return err;
    }
    m->next = list;
    list = m;
    *out = m;
    return TW_OK;
}

static tw_err share(module *m, const char *args, module **out, failure *why)
{
    if (args != NULL && (m->init_args == NULL || strcmp(args, m->init_args) != 0)) {
        return fail_text(why, TW_ERR_INVALID, "the module is in use in this process with another "
                                              "parameter string, and has only one");
    }
    m->users++;
    *out = m;
    return TW_OK;
}

static tw_err get_loaded(CK_FUNCTION_LIST *fn, const char *args, module **out, failure *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    module *m;
    tw_err err;

    (void)pthread_once(&once, watch_forks);
    process_lock();
    m = find_loaded(fn);
    if (m == NULL) {
        err = add(fn, args, out, why);
    } else {
        p11_kit_module_release(fn); /* the first get holds one */
        err = share(m, args, out, why);
    }
    process_unlock();
    return err;
}

tw_err module_get(const char *path, const char *args, module **out, failure *why)
{
    CK_FUNCTION_LIST *fn;

    *out = NULL;
    fn = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
    if (fn == NULL) {
        const char *message = p11_kit_message();

        return fail_text(why, TW_ERR_TOKEN_ABSENT, "cannot load module %s: %s", path,
                         message == NULL ? "no reason given" : message);
    }
    return get_loaded(fn, args, out, why);
}

void module_hold(module *m)
{
    process_lock();
    m->users++;
    process_unlock();
}

void module_put(module *m)
{
    module **at = &list;

    process_lock();
    if (--m->users == 0) {
        bool here = atomic_load(&m->pid) == getpid();

        while (*at != m) {
            at = &(*at)->next;
        }
        *at = m->next;
        if (m->owner && here) {
            (void)m->fn->C_Finalize(NULL);
        }
        if (here) { /* a child that never called it leaves the parent's alone */
            p11_kit_module_release(m->fn);
        }
        module_free(m);
    }
    process_unlock();
}

static bool has_name(CK_FUNCTION_LIST *fn, const char *name)
{
    char *own = name == NULL ? NULL : p11_kit_module_get_name(fn);
    bool same = name == NULL || (own != NULL && strcmp(own, name) == 0);

    free(own);
    return same;
}

tw_err module_get_all(const char *name, const char *args, module ***out, size_t *count,
                      const settings *skipped, failure *why)
{
    CK_FUNCTION_LIST **fns = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
    size_t n = 0;

    *out = NULL;
    *count = 0;
    while (fns != NULL && fns[n] != NULL) {
        n++;
    }
    *out = calloc(n + 1, sizeof(**out));
    if (*out == NULL) {
        p11_kit_modules_release(fns);
        return fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    for (size_t i = 0; i < n; i++) {
        failure each = {0};

        if (!has_name(fns[i], name)) {
            p11_kit_module_release(fns[i]);
        } else if (get_loaded(fns[i], args, &(*out)[*count], &each) == TW_OK) {
            (*count)++;
        } else {
            report(skipped, TW_TOKEN_NO_SLOT, "configured module left out", &each);
        }
    }
    free(fns); /* the references in it were taken over */
    return TW_OK;
}
