/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The one list of loaded modules. p11-kit counts users only of modules that it manages,
 * and those are wrapped in a table that does not tell the truth about newer functions; so
 * modules are loaded unmanaged and counted here. The list is under twp_process_lock.
 */
static module *list;

/* One thread may come again: some modules fork amid C_Initialize, to start what they speak to. */
static void life_init(module *m)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m->life, &attr);
    pthread_mutexattr_destroy(&attr);
}

enum {
    FORK_WAITS_MS = 500, /* then a module hangs as it is loaded or initialised, or waits for a lock
                          * that who forks has taken, or forks itself: nobody else waits for it */
};

static _Thread_local bool held; /* the process's own lock, over the fork of this thread */
static bool cut_off; /* a child that was not: p11-kit's lock may be taken for good in it */

static void before_fork(void)
{
    struct timespec until = twp_time_in(FORK_WAITS_MS);

    held = twp_process_take(&until);
    for (module *m = list; held && m != NULL; m = m->next) {
        m->held = twp_mutex_take(&m->life, &until);
    }
}

static void in_parent(void)
{
    if (!held) {
        return;
    }
    for (module *m = list; m != NULL; m = m->next) {
        if (m->held) {
            pthread_mutex_unlock(&m->life);
        }
    }
    twp_process_unlock();
}

static atomic_uint forks;

unsigned long long twp_process(void)
{
    return (unsigned long long)atomic_load(&forks) << 32 | (unsigned)getpid();
}

/* What knows its owner does not know the child's thread for it, and whoever had it is not here. */
static void in_child(void)
{
    atomic_fetch_add(&forks, 1);
    for (module *m = list; m != NULL; m = m->next) {
        life_init(m);
    }
    if (held) {
        twp_process_unlock();
    } else {
        cut_off = true;
        twp_process_anew();
    }
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}

/* --- The list. p11-kit has a lock too, which a child must not find taken: it is called with
 * ours. ----------------------------------------------------------------------------------- */

static void lock_list(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, watch_forks);
    twp_process_lock();
}

/* In place of a wait without end. */
static tw_err may_load(failure *why)
{
    return !cut_off ? TW_OK
                    : twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                                    "this process was forked while its parent loaded a module, "
                                    "and cannot load any: fork again, or exec");
}

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
    twp_turn_clear(&m->calls);
    pthread_mutex_destroy(&m->life);
    free(m->path);
    free(m->init_args);
    free(m);
}

#define F(name)                                                                                    \
    {                                                                                              \
#name, offsetof(CK_FUNCTION_LIST, name)                                                    \
    }

/* The functions that are called here. */
static const struct {
    const char *name;
    size_t offset;
} needed[] = {
    F(C_CloseSession),   F(C_CopyObject),      F(C_DeriveKey),         F(C_DestroyObject),
    F(C_DigestFinal),    F(C_DigestInit),      F(C_DigestKey),         F(C_DigestUpdate),
    F(C_Finalize),       F(C_FindObjects),     F(C_FindObjectsFinal),  F(C_FindObjectsInit),
    F(C_GenerateKey),    F(C_GenerateKeyPair), F(C_GetAttributeValue), F(C_GetInfo),
    F(C_GetSessionInfo), F(C_GetSlotInfo),     F(C_GetSlotList),       F(C_GetTokenInfo),
    F(C_Initialize),     F(C_Login),           F(C_OpenSession),       F(C_SetAttributeValue),
    F(C_WrapKey),
};

#undef F

/* The standard has no NULL in this table: what a module cannot do, it says when it is asked. */
static tw_err check_table(const CK_FUNCTION_LIST *fn, failure *why)
{
    void (*none)(void) = NULL;

    for (size_t i = 0; i < LENGTH(needed); i++) {
        if (memcmp((const char *)fn + needed[i].offset, &none, sizeof(none)) == 0) {
            return twp_fail_text(why, TW_ERR_TOKEN_FAILED,
                                 "the module's table of functions has NULL for %s, which PKCS #11 "
                                 "forbids: get a newer one",
                                 needed[i].name);
        }
    }
    return TW_OK;
}

/* Takes p11-kit's reference to `fn` over, also on failure. */
static tw_err add(CK_FUNCTION_LIST *fn, const char *args, module **out, failure *why)
{
    module *m = calloc(1, sizeof(*m));

    if (m != NULL) {
        m->fn = fn;
        life_init(m);
        twp_turn_init(&m->calls);
        atomic_store(&m->users, 1);
        atomic_store(&m->process, twp_process());
        m->path = p11_kit_module_get_filename(fn);
        /* A configured module may come with its parameter string. */
        m->init_args = args != NULL ? strdup(args) : p11_kit_config_option(fn, "x-init-reserved");
    }
    if (m == NULL || (args != NULL && m->init_args == NULL)) {
        if (m != NULL) {
            module_free(m);
        }
        p11_kit_module_release(fn);
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    m->next = list;
    list = m;
    *out = m;
    return TW_OK;
}

static tw_err share(module *m, const char *args, module **out, failure *why)
{
    p11_kit_module_release(m->fn); /* the first get holds one */
    if (args != NULL && (m->init_args == NULL || strcmp(args, m->init_args) != 0)) {
        return twp_fail_text(why, TW_ERR_INVALID,
                             "the module is in use in this process with another "
                             "parameter string, and has only one");
    }
    atomic_fetch_add(&m->users, 1);
    *out = m;
    return TW_OK;
}

static tw_err enlist(CK_FUNCTION_LIST *fn, const char *args, module **out, failure *why)
{
    module *m = find_loaded(fn);
    tw_err err = check_table(fn, why);

    if (err != TW_OK) {
        p11_kit_module_release(fn);
        return err;
    }
    return m == NULL ? add(fn, args, out, why) : share(m, args, out, why);
}

/* What its C_Initialize does, hangs included, keeps nobody else. */
static tw_err start(module *m, module **out, failure *why)
{
    tw_err err = twp_module_start(m, why);

    if (err != TW_OK) {
        twp_module_put(m);
        return err;
    }
    *out = m;
    return TW_OK;
}

static const char *reason(void)
{
    const char *message = p11_kit_message();

    return message == NULL ? "no reason given" : message;
}

tw_err twp_module_get(const char *path, const char *args, module **out, failure *why)
{
    CK_FUNCTION_LIST *fn = NULL;
    module *m = NULL;
    tw_err err;

    *out = NULL;
    lock_list();
    err = may_load(why);
    if (err == TW_OK) {
        fn = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
    }
    if (fn != NULL) {
        err = enlist(fn, args, &m, why);
    } else if (err == TW_OK) {
        err = twp_fail_text(why, TW_ERR_TOKEN_ABSENT, "cannot load module %s: %s", path, reason());
    }
    twp_process_unlock();
    return err == TW_OK ? start(m, out, why) : err;
}

void twp_module_hold(module *m)
{
    atomic_fetch_add(&m->users, 1);
}

/* A child that never called it leaves its parent's alone, and on the list: it is not new to who
 * opens it there. */
static bool leave(module *m, bool *last)
{
    bool here, over;

    lock_list();
    here = atomic_load(&m->process) == twp_process();
    over = atomic_load(&m->users) > 1 || !here || !m->started;
    *last = over && atomic_fetch_sub(&m->users, 1) == 1 && here;
    if (*last) {
        module **at = &list;

        while (*at != m) {
            at = &(*at)->next;
        }
        *at = m->next;
        if (!cut_off) {
            p11_kit_module_release(m->fn);
        }
    }
    twp_process_unlock();
    return over;
}

void twp_module_put(module *m)
{
    bool last;

    while (!leave(m, &last)) { /* the only user: but before it is gone, another may come */
        twp_module_stop(m);
    }
    if (last) {
        module_free(m);
    }
}

/* --- What p11-kit has configured. -------------------------------------------------------- */

static bool has_name(CK_FUNCTION_LIST *fn, const char *name)
{
    char *own = name == NULL ? NULL : p11_kit_module_get_name(fn);
    bool same = name == NULL || (own != NULL && strcmp(own, name) == 0);

    free(own);
    return same;
}

/* TW_OK with *out NULL: it has another name. *path is for the caller to free, and may be NULL. */
static tw_err get_named(CK_FUNCTION_LIST *fn, const char *name, const char *args, module **out,
                        char **path, failure *why)
{
    module *m = NULL;
    tw_err err = TW_OK;

    *out = NULL;
    lock_list();
    *path = p11_kit_module_get_filename(fn); /* it may be unloaded below */
    if (has_name(fn, name)) {
        err = enlist(fn, args, &m, why);
    } else {
        p11_kit_module_release(fn);
    }
    twp_process_unlock();
    return m == NULL ? err : start(m, out, why);
}

/* Where none is configured p11-kit gives an empty list; where its configuration cannot be read,
 * or a module that is said to be critical does not load, none. */
static tw_err load_configured(CK_FUNCTION_LIST ***out, size_t *count, failure *why)
{
    CK_FUNCTION_LIST **fns = NULL;
    tw_err err;

    lock_list();
    err = may_load(why);
    if (err == TW_OK) {
        fns = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
        if (fns == NULL) {
            err = twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                                "p11-kit cannot load the modules that it has configured: %s; mend "
                                "that, or name one module by --module or module-path=",
                                reason());
        }
    }
    twp_process_unlock();
    for (*count = 0; fns != NULL && fns[*count] != NULL;) {
        (*count)++;
    }
    *out = fns;
    return err;
}

tw_err twp_module_get_all(const char *name, const char *args, module ***out, size_t *count,
                          const settings *skipped, failure *why)
{
    CK_FUNCTION_LIST **fns;
    size_t n, left_out = 0;
    tw_err err = load_configured(&fns, &n, why);

    *count = 0;
    *out = NULL;
    if (err != TW_OK) {
        return err;
    }
    *out = calloc(n + 1, sizeof(**out));
    if (*out == NULL) {
        lock_list();
        p11_kit_modules_release(fns);
        twp_process_unlock();
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    for (size_t i = 0; i < n; i++) {
        failure each = {0};
        char *path;
        module *m;

        if (get_named(fns[i], name, args, &m, &path, &each) != TW_OK) {
            twp_report_left_out(skipped, path, TW_TOKEN_NO_SLOT, &each);
            left_out++;
        } else if (m != NULL) {
            (*out)[(*count)++] = m;
        }
        free(path);
    }
    free(fns); /* the references in it were taken over */
    if (*count == 0 && left_out > 0) {
        free(*out);
        *out = NULL;
        return twp_fail_text(why, TW_ERR_TOKEN_ABSENT,
                             "what p11-kit has configured%s%s was left out, as it failed: mend "
                             "that, or name another module by --module or module-path=",
                             name == NULL ? "" : " as ", name == NULL ? "" : name);
    }
    return TW_OK;
}
