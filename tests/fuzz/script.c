/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <string.h>

#include "fuzz.h"
#include "support/check.h"

#define MOST_CALLS 1000000 /* behind the end of the script; more and it does not end */

static const CK_RV codes[] = {
    CKR_GENERAL_ERROR,
    CKR_DEVICE_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_HOST_MEMORY,
    CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,
    CKR_TOKEN_NOT_PRESENT,
    CKR_SLOT_ID_INVALID,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_CLOSED,
    CKR_SESSION_COUNT,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_KEY_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_PIN_LOCKED,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_SENSITIVE,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_BUFFER_TOO_SMALL,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_CRYPTOKI_ALREADY_INITIALIZED,
    CKR_CANT_LOCK,
    CKR_ARGUMENTS_BAD,
    0x80000001,
    (CK_RV)-1,
};
enum { CODES = sizeof(codes) / sizeof(codes[0]) };

struct script script;

CK_RV script_before(void *arg, const char *function)
{
    uint8_t what = take_byte(&script.left);

    (void)arg;
    (void)function;
    script.calls++;
    must(script.left.len > 0 || ++script.behind < MOST_CALLS);
    script.lying = what >= SCRIPT_LIES;
    return what == 0 || script.lying ? CKR_OK : codes[(what - 1u) % CODES];
}

void script_number(void *arg, CK_ULONG *n)
{
    uint8_t what = script.lying ? take_byte(&script.left) : 0;
    CK_ULONG truth = *n;

    (void)arg;
    switch (what % LIE_NUMBERS) {
    case LIE_ZERO:
        *n = 0;
        break;
    case LIE_MOST:
        *n = (CK_ULONG)-1;
        break;
    case LIE_MORE:
        *n += 1 + what / LIE_NUMBERS;
        break;
    case LIE_LESS:
        *n -= *n < 1u + what / LIE_NUMBERS ? *n : 1u + what / LIE_NUMBERS;
        break;
    case LIE_SMALL:
        *n = take_byte(&script.left);
        break;
    case LIE_FLIP:
        *n ^= 1ul << take_byte(&script.left) % 64;
        break;
    default:
        break;
    }
    script.lies += *n != truth;
}

void script_bytes(void *arg, void *data, size_t len)
{
    uint8_t what = script.lying ? take_byte(&script.left) : 0;
    uint8_t *at = data;
    bytes put;

    (void)arg;
    switch (what % LIE_BYTES) {
    case LIE_FILL:
        memset(at, take_byte(&script.left), len);
        break;
    case LIE_CHANGE:
        at[take_short(&script.left) % len] ^= take_byte(&script.left);
        break;
    case LIE_ALL:
        put = take(&script.left, len);
        if (put.len > 0) {
            memcpy(at, put.data, put.len);
        }
        break;
    default:
        break;
    }
    script.lies += what % LIE_BYTES != LIE_KEEP;
}

void script_start(bytes in)
{
    memset(&script, 0, sizeof(script));
    script.left = in;
}
