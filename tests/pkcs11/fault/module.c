/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CK_FUNCTION_LIST *inner;

/* --- Before. ------------------------------------------------------------------------ */

static void find_session(call *c)
{
    lookup how = LOOKUP_OK;
    open_session *s;

    if (c->session == NULL) {
        return;
    }
    c->ours = *c->session;
    if (!seen.initialised) {
        call_fail(c, CKR_CRYPTOKI_NOT_INITIALIZED);
        return;
    }
    s = session_get(c->ours, &how);
    if (s == NULL || s->killed) {
        watch_missing(c, "session", how);
        call_fail(c, CKR_SESSION_HANDLE_INVALID);
        return;
    }
    seen.checks[CHECK_SHARED] += s->users > 0;
    s->users++;
    c->entered = true;
    c->on = s->slot;
    c->flags = s->flags;
    c->fresh = s->fresh;
    s->fresh = false;
    *c->session = s->inner;
}

static void find_objects(call *c)
{
    for (size_t i = 0; i < LENGTH(c->objects) && c->objects[i] != NULL && c->forward; i++) {
        lookup how;
        known_object *o;

        c->our_objects[i] = *c->objects[i];
        if (*c->objects[i] == CK_INVALID_HANDLE) {
            continue;
        }
        o = object_get(*c->objects[i], &how);
        if (o == NULL) {
            watch_missing(c, "object", how);
            call_fail(c,
                      c->id == F_C_DeriveKey ? CKR_KEY_HANDLE_INVALID : CKR_OBJECT_HANDLE_INVALID);
        } else {
            *c->objects[i] = o->inner;
        }
    }
}

/* The wrapped module gets what is left of the call, if anything is. */
static bool call_enter(call *c)
{
    c->forward = true;
    if (c->init_args != NULL) {
        c->flags = ((const CK_C_INITIALIZE_ARGS *)c->init_args)->flags;
    }
    watch_lock();
    watch_enter(c);
    find_session(c);
    find_objects(c);
    if (c->pin != NULL && *c->pin != NULL && c->user == CKU_USER) {
        seen.checks[CHECK_PIN] += pin_was_refused(c->on, *c->pin, *c->pin_len);
    }
    watch_unlock();
    for (size_t i = 0; i < c->hit_count; i++) {
        if (c->hits[i].act->before != NULL) {
            c->hits[i].act->before(c, &c->hits[i]);
        }
    }
    if (c->id == F_C_CloseSession && !c->forward && c->entered) {
        (void)inner->C_CloseSession(*c->session); /* a refusal here ends it all the same */
    }
    return c->forward;
}

/* --- After. --------------------------------------------------------------------------- */

static void close_one(open_session *s, bool excused)
{
    seen.checks[CHECK_OBJECTS] += objects_end(s->ours, excused);
    session_remove(s);
}

static void finalized(void)
{
    seen.checks[CHECK_SESSIONS] = sessions_open();
    for (open_session *s = session_next(NULL); s != NULL; s = session_next(s)) {
        close_one(s, s->killed);
    }
    handles_reset(false);
    script_finalized();
    seen.initialised = false;
    watch_report();
}

static void note_life(call *c)
{
    bool elsewhere = c->rv == CKR_CRYPTOKI_ALREADY_INITIALIZED && c->forward;

    if (c->id == F_C_Initialize && (c->rv == CKR_OK || (elsewhere && !seen.initialised))) {
        handles_reset(c->renumber);
        seen.initialised = true;
        seen.pid = getpid();
    } else if (c->id == F_C_Finalize && c->forward && c->rv == CKR_OK) {
        finalized();
    }
}

static void note_sessions(call *c)
{
    lookup how;
    open_session *s = c->session == NULL ? NULL : session_get(c->ours, &how);

    if (s != NULL && c->entered) {
        s->users--;
    }
    if (c->id == F_C_OpenSession && c->rv == CKR_OK) {
        *c->opened = session_add(*c->opened, *c->slot, c->flags)->ours;
    } else if (c->id == F_C_CloseSession && s != NULL) {
        close_one(s, s->killed);
    } else if (c->id == F_C_CloseAllSessions && c->rv == CKR_OK) {
        for (s = session_next(NULL); s != NULL; s = session_next(s)) {
            if (s->slot == *c->slot) {
                close_one(s, s->killed);
            }
        }
    }
}

static bool refuses_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
           rv == CKR_PIN_EXPIRED || rv == CKR_PIN_LOCKED;
}

static void note_login(call *c)
{
    lookup how;
    open_session *s = c->session == NULL ? NULL : session_get(c->ours, &how);

    if (c->id == F_C_Logout && c->rv == CKR_OK) {
        handles_logout();
    }
    if (c->id != F_C_Login || s == NULL) {
        return;
    }
    s->fresh = c->user == CKU_CONTEXT_SPECIFIC && c->rv == CKR_OK;
    if (*c->pin != NULL && c->user == CKU_USER && refuses_pin(c->rv)) {
        pin_refused(c->on, *c->pin, *c->pin_len);
    }
}

static bool makes_token_object(const call *c, size_t i)
{
    const attributes *t = &c->templates[c->templates[i].list == NULL ? 0 : i];

    for (CK_ULONG j = 0; j < t->count; j++) {
        const CK_ATTRIBUTE *a = &(*t->list)[j];

        if (a->type == CKA_TOKEN && a->ulValueLen == sizeof(CK_BBOOL)) {
            return *(CK_BBOOL *)a->pValue != CK_FALSE;
        }
    }
    return false;
}

static void note_objects(call *c)
{
    lookup how;

    for (size_t i = 0; i < LENGTH(c->made) && c->rv == CKR_OK && c->forward; i++) {
        if (c->made[i] != NULL) {
            CK_SESSION_HANDLE maker = makes_token_object(c, i) ? CK_INVALID_HANDLE : c->ours;

            *c->made[i] = object_add(*c->made[i], maker)->ours;
        }
    }
    for (CK_ULONG i = 0; c->found != NULL && c->rv == CKR_OK && i < *c->out_count; i++) {
        c->found[i] = object_seen(c->found[i]);
    }
    if (c->id == F_C_DestroyObject) {
        known_object *o = object_get(c->our_objects[0], &how);

        if (o != NULL && c->rv == CKR_OK) {
            object_remove(o);
        } else if (o != NULL) {
            o->asked = true;
        }
    }
}

static CK_RV call_leave(call *c, CK_RV rv)
{
    if (c->forward) {
        c->rv = rv;
        for (size_t i = 0; i < c->hit_count; i++) {
            if (c->hits[i].act->after != NULL) {
                c->hits[i].act->after(c, &c->hits[i]);
            }
        }
        edit_return(c);
    }
    watch_lock();
    note_objects(c);
    note_login(c);
    note_sessions(c);
    watch_leave(c);
    note_life(c);
    watch_unlock();
    return c->rv;
}

/* --- The table. ------------------------------------------------------------------------- */

#define ROW(name, signature)                                                                       \
    static CK_RV fault_##name signature##_TAKES                                                    \
    {                                                                                              \
        call c = {.id = F_##name, signature##_LOOKS};                                              \
                                                                                                   \
        return call_leave(&c, call_enter(&c) ? inner->name signature##_GIVES : CKR_OK);            \
    }
FUNCTIONS(ROW)
#undef ROW

/* Newer tables are longer: what a caller finds there is NULL. */
static struct {
    CK_FUNCTION_LIST list;
    void *later[64];
} table = {
    .list =
        {
#define ROW(name, signature) .name = fault_##name,
            FUNCTIONS(ROW)
#undef ROW
        },
};

static void load(void)
{
    const char *path = getenv("FAULT_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;

    watch_begin();
    if (module != NULL) {
        *(void **)&get = dlsym(module, "C_GetFunctionList");
    }
    if (get == NULL || get(&inner) != CKR_OK) {
        (void)fprintf(stderr, "fault: FAULT_MODULE names no module: %s\n",
                      path == NULL ? "" : path);
        inner = NULL;
    }
}

static CK_RV get_function_list(CK_FUNCTION_LIST **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    call c = {.id = F_C_GetFunctionList};
    CK_RV rv;

    (void)pthread_once(&once, load);
    if (inner == NULL) {
        return CKR_GENERAL_ERROR;
    }
    c.version = inner->version;
    rv = call_leave(&c, call_enter(&c) ? CKR_OK : CKR_GENERAL_ERROR);
    table.list.version = c.version;
    table.list.C_GetFunctionList = get_function_list;
    *out = rv == CKR_OK ? &table.list : NULL;
    return rv;
}

/* p11-kit has a function of that name too, which the table would get in its place. */
__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    return get_function_list(out);
}

/* Version 3.0 has these too; there are modules where they lie. The arguments are not looked at,
 * and newer headers declare them with theirs: so only the linker knows these by those names. */
__attribute__((visibility("default"))) CK_RV interface_list(void) __asm__("C_GetInterfaceList");
__attribute__((visibility("default"))) CK_RV interface(void) __asm__("C_GetInterface");

CK_RV interface_list(void)
{
    watch_lock();
    seen.interfaces++;
    watch_unlock();
    return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV interface(void)
{
    return CKR_FUNCTION_NOT_SUPPORTED; /* newer versions of p11-kit ask that, and do without */
}
