/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The one list of loaded modules. p11-kit counts users only of modules that it manages,
 * and those are wrapped in a table that does not tell the truth about newer functions; so
 * modules are loaded unmanaged and counted here. The list is under twp_process_lock.
 */
static module *list;

static void watch_forks(void)
{
    (void)pthread_atfork(twp_process_lock, twp_process_unlock, twp_process_unlock);
}

bool twp_module_shared(module *m)
{
    bool shared;

    twp_process_lock();
    shared = m->users > 1;
    twp_process_unlock();
    return shared;
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
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    m->fn = fn;
    m->users = 1;
    pthread_mutex_init(&m->serial_lock, NULL);
    atomic_store(&m->pid, getpid());
    m->path = p11_kit_module_get_filename(fn);
    /* A configured module may come with its parameter string. */
    m->init_args = args != NULL ? strdup(args) : p11_kit_config_option(fn, "x-init-reserved");
    if (args != NULL && m->init_args == NULL) {
        err = twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    } else {
        err = twp_module_initialize(m, why);
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
        return twp_fail_text(why, TW_ERR_INVALID,
                             "the module is in use in this process with another "
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
    twp_process_lock();
    m = find_loaded(fn);
    if (m == NULL) {
        err = add(fn, args, out, why);
    } else {
        p11_kit_module_release(fn); /* the first get holds one */
        err = share(m, args, out, why);
    }
    twp_process_unlock();
    return err;
}

tw_err twp_module_get(const char *path, const char *args, module **out, failure *why)
{
    CK_FUNCTION_LIST *fn;

    *out = NULL;
    fn = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
    if (fn == NULL) {
        const char *message = p11_kit_message();

        return twp_fail_text(why, TW_ERR_TOKEN_ABSENT, "cannot load module %s: %s", path,
                             message == NULL ? "no reason given" : message);
    }
    return get_loaded(fn, args, out, why);
}

void twp_module_hold(module *m)
{
    twp_process_lock();
    m->users++;
    twp_process_unlock();
}

void twp_module_put(module *m)
{
    module **at = &list;

    twp_process_lock();
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
    twp_process_unlock();
}

static bool has_name(CK_FUNCTION_LIST *fn, const char *name)
{
    char *own = name == NULL ? NULL : p11_kit_module_get_name(fn);
    bool same = name == NULL || (own != NULL && strcmp(own, name) == 0);

    free(own);
    return same;
}

tw_err twp_module_get_all(const char *name, const char *args, module ***out, size_t *count,
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
        return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
    }
    for (size_t i = 0; i < n; i++) {
        failure each = {0};

        if (!has_name(fns[i], name)) {
            p11_kit_module_release(fns[i]);
        } else if (get_loaded(fns[i], args, &(*out)[*count], &each) == TW_OK) {
            (*count)++;
        } else {
            twp_report(skipped, TW_TOKEN_NO_SLOT, "configured module left out", &each);
        }
    }
    free(fns); /* the references in it were taken over */
    return TW_OK;
}
