/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct name {
    const char *text;
    unsigned long value;
} name;

#define N(symbol)                                                                                  \
    {                                                                                              \
#symbol, symbol                                                                            \
    }

/* Those that scripts use; any other value is written as a number. */
static const name names[] = {
    {"end", ~0ul},
    N(CKR_OK),
    N(CKR_HOST_MEMORY),
    N(CKR_SLOT_ID_INVALID),
    N(CKR_GENERAL_ERROR),
    N(CKR_FUNCTION_FAILED),
    N(CKR_ARGUMENTS_BAD),
    N(CKR_NEED_TO_CREATE_THREADS),
    N(CKR_CANT_LOCK),
    N(CKR_ATTRIBUTE_READ_ONLY),
    N(CKR_ATTRIBUTE_SENSITIVE),
    N(CKR_ATTRIBUTE_TYPE_INVALID),
    N(CKR_ATTRIBUTE_VALUE_INVALID),
    N(CKR_ACTION_PROHIBITED),
    N(CKR_DATA_INVALID),
    N(CKR_DEVICE_ERROR),
    N(CKR_DEVICE_MEMORY),
    N(CKR_DEVICE_REMOVED),
    N(CKR_FUNCTION_CANCELED),
    N(CKR_FUNCTION_NOT_SUPPORTED),
    N(CKR_KEY_HANDLE_INVALID),
    N(CKR_KEY_TYPE_INCONSISTENT),
    N(CKR_KEY_NOT_WRAPPABLE),
    N(CKR_KEY_FUNCTION_NOT_PERMITTED),
    N(CKR_MECHANISM_INVALID),
    N(CKR_MECHANISM_PARAM_INVALID),
    N(CKR_OBJECT_HANDLE_INVALID),
    N(CKR_OPERATION_ACTIVE),
    N(CKR_OPERATION_NOT_INITIALIZED),
    N(CKR_PIN_INCORRECT),
    N(CKR_PIN_INVALID),
    N(CKR_PIN_LEN_RANGE),
    N(CKR_PIN_EXPIRED),
    N(CKR_PIN_LOCKED),
    N(CKR_SESSION_CLOSED),
    N(CKR_SESSION_COUNT),
    N(CKR_SESSION_HANDLE_INVALID),
    N(CKR_SESSION_READ_ONLY),
    N(CKR_SESSION_READ_WRITE_SO_EXISTS),
    N(CKR_TEMPLATE_INCOMPLETE),
    N(CKR_TEMPLATE_INCONSISTENT),
    N(CKR_TOKEN_NOT_PRESENT),
    N(CKR_TOKEN_NOT_RECOGNIZED),
    N(CKR_TOKEN_WRITE_PROTECTED),
    N(CKR_USER_ALREADY_LOGGED_IN),
    N(CKR_USER_NOT_LOGGED_IN),
    N(CKR_USER_PIN_NOT_INITIALIZED),
    N(CKR_BUFFER_TOO_SMALL),
    N(CKR_CRYPTOKI_NOT_INITIALIZED),
    N(CKR_CRYPTOKI_ALREADY_INITIALIZED),
    N(CKA_CLASS),
    N(CKA_TOKEN),
    N(CKA_PRIVATE),
    N(CKA_LABEL),
    N(CKA_VALUE),
    N(CKA_KEY_TYPE),
    N(CKA_ID),
    N(CKA_SENSITIVE),
    N(CKA_ENCRYPT),
    N(CKA_DECRYPT),
    N(CKA_WRAP),
    N(CKA_UNWRAP),
    N(CKA_SIGN),
    N(CKA_DERIVE),
    N(CKA_VALUE_LEN),
    N(CKA_EXTRACTABLE),
    N(CKA_ALWAYS_SENSITIVE),
    N(CKA_NEVER_EXTRACTABLE),
    N(CKA_DERIVE_TEMPLATE),
    N(CKA_EC_PARAMS),
    N(CKA_EC_POINT),
    N(CKA_ALWAYS_AUTHENTICATE),
    N(CKA_PUBLIC_KEY_INFO),
    N(CKO_DATA),
    N(CKO_CERTIFICATE),
    N(CKO_PUBLIC_KEY),
    N(CKO_PRIVATE_KEY),
    N(CKO_SECRET_KEY),
    N(CKF_RW_SESSION),
    N(CKF_SERIAL_SESSION),
    N(CKF_OS_LOCKING_OK),
    N(CKF_LIBRARY_CANT_CREATE_OS_THREADS),
    N(CKF_LOGIN_REQUIRED),
    N(CKF_PROTECTED_AUTHENTICATION_PATH),
    N(CKF_USER_PIN_COUNT_LOW),
    N(CKF_USER_PIN_FINAL_TRY),
    N(CKF_USER_PIN_LOCKED),
    N(CKF_USER_PIN_TO_BE_CHANGED),
};

bool number_of(const char *word, unsigned long *out)
{
    char *end;

    for (size_t i = 0; i < LENGTH(names); i++) {
        if (strcmp(names[i].text, word) == 0) {
            *out = names[i].value;
            return true;
        }
    }
    errno = 0;
    *out = strtoul(word, &end, 0);
    return errno == 0 && end != word && *end == '\0';
}

const char *function_name(function f)
{
    static const char *const functions[FUNCTION_COUNT] = {
#define ROW(name, signature) #name,
        FUNCTIONS(ROW)
#undef ROW
            "C_GetFunctionList",
    };

    return functions[f];
}
