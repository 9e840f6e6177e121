/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module that has SoftHSM do all of it where the program that loaded it says: on a
 * stack and in a heap of the token's own. What SoftHSM keeps is then told from what we do. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#include "../pkcs11/fault/functions.h"
#include "seam.h"

#define EXPORT __attribute__((visibility("default")))

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST list;

/* seam_token of the program, as it says in token.c. */
static seam_word (*elsewhere)(const char *name, void *fn, const seam_word args[8]);

/* No function of PKCS#11 has more than eight, and all are integers or pointers. */
#define CROSS(name, signature)                                                                     \
    static CK_RV cross_##name(seam_word a, seam_word b, seam_word c, seam_word d, seam_word e,     \
                              seam_word f, seam_word g, seam_word h)                               \
    {                                                                                              \
        return (CK_RV)elsewhere(#name, *(void **)&real->name,                                      \
                                (const seam_word[8]){a, b, c, d, e, f, g, h});                     \
    }
FUNCTIONS(CROSS)

static int load(void)
{
    CK_RV (*get)(CK_FUNCTION_LIST * *out);
    void *module = dlopen(TESTS_SOFTHSM, RTLD_NOW | RTLD_LOCAL);

    *(void **)&get = module == NULL ? NULL : dlsym(module, "C_GetFunctionList");
    *(void **)&elsewhere = dlsym(RTLD_DEFAULT, "seam_token");
    return get != NULL && elsewhere != NULL &&
           elsewhere("", *(void **)&get, (const seam_word[8]){(seam_word)&real}) == CKR_OK;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    if (real == NULL && !load()) {
        return CKR_GENERAL_ERROR;
    }
    list.version = real->version;
    list.C_GetFunctionList = C_GetFunctionList;
#define TAKE(name, signature) *(void **)&list.name = (void *)cross_##name;
    FUNCTIONS(TAKE)
    *out = &list;
    return CKR_OK;
}
