/* SPDX-License-Identifier: Apache-2.0 */
/* What is loaded by its path: it hands out the functions of who put them here. */

#include <p11-kit/pkcs11.h>

CK_FUNCTION_LIST *pretend_functions;

__attribute__((visibility("default"))) extern CK_FUNCTION_LIST *pretend_functions;
__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    *list = pretend_functions;
    return pretend_functions == NULL ? CKR_GENERAL_ERROR : CKR_OK;
}
