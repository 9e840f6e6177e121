/* SPDX-License-Identifier: Apache-2.0 */
#include "shim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shim state;
static unsigned inside;

EXPORT shim *shim_control(void)
{
    return &state;
}

EXPORT void shim_reset(void)
{
    CK_FUNCTION_LIST *real;
    long sessions, objects;

    pthread_mutex_lock(&lock);
    real = state.real;
    sessions = state.sessions;
    objects = state.objects;
    memset(&state, 0, sizeof(state));
    state.real = real;
    state.sessions = sessions;
    state.objects = objects;
    state.most_sessions = (unsigned long)sessions;
    pthread_mutex_unlock(&lock);
}

EXPORT void shim_rule_add(shim_rule rule)
{
    pthread_mutex_lock(&lock);
    if (state.rule_count < SHIM_RULES) {
        state.rules[state.rule_count++] = rule;
    }
    pthread_mutex_unlock(&lock);
}

static void wait_ms(unsigned ms)
{
    struct timespec pause = {.tv_nsec = 1000000};

    if (ms != 0 && ms != SHIM_HOLD) {
        pause.tv_sec = (time_t)(ms / 1000);
        pause.tv_nsec = (long)(ms % 1000) * 1000000;
        nanosleep(&pause, NULL);
    }
    while (ms == SHIM_HOLD && !atomic_load(&state.release)) {
        nanosleep(&pause, NULL);
    }
}

/* Counts a call and gives what the first rule that meets it says. */
static CK_RV meet(shim_function f, const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *attributes,
                  CK_ULONG count)
{
    unsigned call, delay = 0;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&lock);
    call = ++state.calls[f];
    for (size_t i = 0; i < state.rule_count; i++) {
        const shim_rule *r = &state.rules[i];

        if (r->function == f && call >= r->from && call <= r->to &&
            (r->when == NULL || r->when(mechanism, attributes, count))) {
            rv = r->rv;
            delay = r->delay_ms;
            break;
        }
    }
    state.overlapped = state.overlapped || inside > 0;
    inside++;
    pthread_mutex_unlock(&lock);
    wait_ms(delay);
    return rv;
}

static CK_RV leave(CK_RV rv)
{
    pthread_mutex_lock(&lock);
    inside--;
    pthread_mutex_unlock(&lock);
    return rv;
}

#define PASS(name, mechanism, attributes, count, args)                                             \
    do {                                                                                           \
        CK_RV rv = meet(SHIM_##name, mechanism, attributes, count);                                \
                                                                                                   \
        return leave(rv == CKR_OK ? state.real->C_##name args : rv);                               \
    } while (0)

static void count(long *what, long by)
{
    pthread_mutex_lock(&lock);
    *what += by;
    pthread_mutex_unlock(&lock);
}

static CK_RV initialize(void *init)
{
    const CK_C_INITIALIZE_ARGS *args = init;
    CK_RV rv = meet(SHIM_Initialize, NULL, NULL, 0);

    if (rv == CKR_OK && state.refuse_locking && args != NULL) {
        rv = (args->flags & CKF_OS_LOCKING_OK) != 0 ? CKR_CANT_LOCK : CKR_ARGUMENTS_BAD;
    }
    return leave(rv == CKR_OK ? state.real->C_Initialize(init) : rv);
}

static CK_RV finalize(void *reserved)
{
    pthread_mutex_lock(&lock);
    state.sessions = state.objects = 0;
    pthread_mutex_unlock(&lock);
    PASS(Finalize, NULL, NULL, 0, (reserved));
}

static CK_RV get_info(CK_INFO *info)
{
    PASS(GetInfo, NULL, NULL, 0, (info));
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
    PASS(GetSlotList, NULL, NULL, 0, (present, slots, n));
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    PASS(GetSlotInfo, NULL, NULL, 0, (slot, info));
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = meet(SHIM_GetTokenInfo, NULL, NULL, 0);

    if (rv == CKR_OK) {
        rv = state.real->C_GetTokenInfo(slot, info);
        info->flags = (info->flags | state.set) & ~state.clear;
    }
    return leave(rv);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *out)
{
    CK_RV rv = meet(SHIM_OpenSession, NULL, NULL, flags);

    if (rv == CKR_OK) {
        rv = state.real->C_OpenSession(slot, flags, arg, notify, out);
    }
    if (rv == CKR_OK) {
        pthread_mutex_lock(&lock);
        state.sessions++;
        if (state.sessions > (long)state.most_sessions) {
            state.most_sessions = (unsigned long)state.sessions;
        }
        pthread_mutex_unlock(&lock);
    }
    return leave(rv);
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    CK_RV rv = meet(SHIM_CloseSession, NULL, NULL, 0);

    if (rv == CKR_OK) {
        rv = state.real->C_CloseSession(session);
    }
    if (rv == CKR_OK) {
        count(&state.sessions, -1);
    }
    return leave(rv);
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    PASS(GetSessionInfo, NULL, NULL, 0, (session, info));
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
    static CK_UTF8CHAR pad[] = SHIM_PAD_PIN;
    CK_RV rv = meet(SHIM_Login, NULL, NULL, 0);

    pthread_mutex_lock(&lock);
    state.logins++;
    state.null_pin = pin == NULL;
    pthread_mutex_unlock(&lock);
    if (rv == CKR_OK && pin == NULL && (state.set & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {
        pin = pad;
        len = sizeof(pad) - 1;
    }
    return leave(rv == CKR_OK ? state.real->C_Login(session, user, pin, len) : rv);
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *match, CK_ULONG n)
{
    PASS(FindObjectsInit, NULL, match, n, (session, match, n));
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out, CK_ULONG most,
                          CK_ULONG *n)
{
    PASS(FindObjects, NULL, NULL, 0, (session, out, most, n));
}

static CK_RV find_objects_final(CK_SESSION_HANDLE session)
{
    PASS(FindObjectsFinal, NULL, NULL, 0, (session));
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE *attributes, CK_ULONG n)
{
    CK_RV rv = meet(SHIM_GetAttributeValue, NULL, attributes, n);

    if (rv == CKR_OK) {
        rv = state.real->C_GetAttributeValue(session, object, attributes, n);
        if (n == 1 && attributes->type == CKA_VALUE && state.value_len != 0) {
            attributes->ulValueLen = state.value_len;
        }
    }
    return leave(rv);
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                               CK_ATTRIBUTE *public, CK_ULONG public_count, CK_ATTRIBUTE *private,
                               CK_ULONG private_count, CK_OBJECT_HANDLE *public_out,
                               CK_OBJECT_HANDLE *private_out)
{
    PASS(GenerateKeyPair, mechanism, private, private_count,
         (session, mechanism, public, public_count, private, private_count, public_out,
          private_out));
}

static CK_RV derive_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                        CK_ATTRIBUTE *attributes, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    CK_RV rv = meet(SHIM_DeriveKey, mechanism, attributes, n);

    if (rv == CKR_OK) {
        rv = state.real->C_DeriveKey(session, mechanism, key, attributes, n, out);
    }
    if (rv == CKR_OK) {
        count(&state.objects, 1);
    }
    return leave(rv);
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_RV rv = meet(SHIM_DestroyObject, NULL, NULL, 0);

    if (rv == CKR_OK) {
        rv = state.real->C_DestroyObject(session, object);
    }
    if (rv == CKR_OK) {
        count(&state.objects, -1);
    }
    return leave(rv);
}

static CK_FUNCTION_LIST *real_module(void)
{
    const char *path = getenv("TWOWAY_SHIM_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CK_C_GetFunctionList get;
    CK_FUNCTION_LIST *out = NULL;

    if (module == NULL) {
        return NULL;
    }
    *(void **)&get = dlsym(module, "C_GetFunctionList");
    return get != NULL && get(&out) == CKR_OK ? out : NULL;
}

static CK_FUNCTION_LIST table;

static void fill_table(void)
{
    state.real = real_module();
    if (state.real == NULL) {
        return;
    }
    table = *state.real;
    table.C_GetFunctionList = C_GetFunctionList;
    table.C_Initialize = initialize;
    table.C_Finalize = finalize;
    table.C_GetInfo = get_info;
    table.C_GetSlotList = get_slot_list;
    table.C_GetSlotInfo = get_slot_info;
    table.C_GetTokenInfo = get_token_info;
    table.C_OpenSession = open_session;
    table.C_CloseSession = close_session;
    table.C_GetSessionInfo = get_session_info;
    table.C_Login = login;
    table.C_FindObjectsInit = find_objects_init;
    table.C_FindObjects = find_objects;
    table.C_FindObjectsFinal = find_objects_final;
    table.C_GetAttributeValue = get_attribute_value;
    table.C_GenerateKeyPair = generate_key_pair;
    table.C_DeriveKey = derive_key;
    table.C_DestroyObject = destroy_object;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fill_table);
    *out = &table;
    return state.real == NULL ? CKR_GENERAL_ERROR : CKR_OK;
}
