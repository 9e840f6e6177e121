/* SPDX-License-Identifier: Apache-2.0 */
/* NSS's FIPS mode answers to FC_GetFunctionList, and p11-kit asks for C_GetFunctionList
 * alone: this module passes the question on. */
#include <dlfcn.h>
#include <stdlib.h>

#include <p11-kit/pkcs11.h>

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    const char *path = getenv("TWOWAY_FIPS_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CK_C_GetFunctionList get = NULL;

    if (module != NULL) {
        *(void **)&get = dlsym(module, "FC_GetFunctionList");
    }
    return get == NULL ? CKR_GENERAL_ERROR : get(out);
}
