/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A PKCS #11 module that is slow and otherwise free: SoftHSM with a network before it.
 * While BENCH_SLOW_MS is set, deriving, reading and destroying take that long, and what
 * was derived once comes out of a table: so many sessions can wait at once on a machine
 * of few cores.
 */

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    MOST_KNOWN = 1024,
    MOST_POINT = 136,
    MOST_VALUE = 66,
    FIRST_HANDLE = 1 << 24, /* above SoftHSM's own */
};

typedef struct known {
    size_t point_len;
    CK_ULONG value_len;
    unsigned char point[MOST_POINT], value[MOST_VALUE];
} known;

static CK_FUNCTION_LIST *real;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static known table[MOST_KNOWN];
static size_t table_len;

/* Sleeps, exactly, where the module is to be slow. */
static int is_slow(void)
{
    const char *text = getenv("BENCH_SLOW_MS");
    struct timespec end;
    long ms;

    if (text == NULL) {
        return 0;
    }
    ms = strtol(text, NULL, 10);
    (void)prctl(PR_SET_TIMERSLACK, 1ul);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0) {
    }
    return 1;
}

static const known *find(const CK_ECDH1_DERIVE_PARAMS *params)
{
    const known *found = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < table_len && found == NULL; i++) {
        if (table[i].point_len == params->ulPublicDataLen &&
            memcmp(table[i].point, params->pPublicData, table[i].point_len) == 0) {
            found = &table[i];
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Remembers what the object just derived holds, where there is room. */
static void learn(CK_SESSION_HANDLE session, const CK_ECDH1_DERIVE_PARAMS *params,
                  CK_OBJECT_HANDLE object)
{
    known k = {.point_len = params->ulPublicDataLen};
    CK_ATTRIBUTE value = {CKA_VALUE, k.value, sizeof(k.value)};

    if (k.point_len > MOST_POINT || find(params) != NULL ||
        real->C_GetAttributeValue(session, object, &value, 1) != CKR_OK) {
        return;
    }
    k.value_len = value.ulValueLen;
    memcpy(k.point, params->pPublicData, k.point_len);
    pthread_mutex_lock(&lock);
    if (table_len < MOST_KNOWN) {
        table[table_len++] = k;
    }
    pthread_mutex_unlock(&lock);
}

static const known *known_of(CK_OBJECT_HANDLE object)
{
    return object >= FIRST_HANDLE && object < FIRST_HANDLE + MOST_KNOWN
               ? &table[object - FIRST_HANDLE]
               : NULL;
}

static CK_RV derive_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                        CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *out)
{
    const CK_ECDH1_DERIVE_PARAMS *params = mechanism->pParameter;
    int slow = is_slow();
    const known *k = slow ? find(params) : NULL;
    CK_RV rv = CKR_OK;

    if (k != NULL) {
        *out = FIRST_HANDLE + (CK_OBJECT_HANDLE)(k - table);
        return CKR_OK;
    }
    rv = real->C_DeriveKey(session, mechanism, key, attributes, count, out);
    if (rv == CKR_OK) {
        learn(session, params, *out);
    }
    return rv;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    const known *k = known_of(object);

    (void)is_slow();
    if (k == NULL) {
        return real->C_GetAttributeValue(session, object, attributes, count);
    }
    if (count != 1 || attributes->type != CKA_VALUE || attributes->ulValueLen < k->value_len) {
        return CKR_GENERAL_ERROR;
    }
    memcpy(attributes->pValue, k->value, k->value_len);
    attributes->ulValueLen = k->value_len;
    return CKR_OK;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    (void)is_slow();
    return known_of(object) != NULL ? CKR_OK : real->C_DestroyObject(session, object);
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    static CK_FUNCTION_LIST functions;
    void *module = dlopen(TESTS_SOFTHSM, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CK_C_GetFunctionList get;

    if (module == NULL) {
        return CKR_GENERAL_ERROR;
    }
    *(void **)&get = dlsym(module, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK) {
        return CKR_GENERAL_ERROR;
    }
    functions = *real;
    functions.C_GetFunctionList = C_GetFunctionList;
    functions.C_DeriveKey = derive_key;
    functions.C_GetAttributeValue = get_attribute_value;
    functions.C_DestroyObject = destroy_object;
    *out = &functions;
    return CKR_OK;
}
