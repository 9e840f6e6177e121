/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

/*
 * What each CK_RV means: the one place that judges. The codes of a refusal and of a
 * broken device overlap between vendors, so what is not known to be a refusal counts
 * as a failed device, never as the peer's fault: `enc` was checked on the host before.
 */

typedef struct row {
    CK_RV rv;
    verdict v;
} row;

#define ROW(rv, err, loss, advice)                                                                 \
    {                                                                                              \
        rv,                                                                                        \
        {                                                                                          \
#rv, err, loss, advice                                                                 \
        }                                                                                          \
    }

/* Of PKCS #11 3.0 and 3.1, which not all headers have. */
#ifndef CKR_TOKEN_RESOURCE_EXCEEDED
#define CKR_TOKEN_RESOURCE_EXCEEDED 0x201
#endif
#ifndef CKR_KEY_EXHAUSTED
#define CKR_KEY_EXHAUSTED 0x203
#endif

static const char again[] = "the token lost the session or its login and could not resume";
static const char gone[] = "plug the token in, or start what serves it";
static const char device[] = "look after the device and its log";
static const char cannot[] = "this token cannot do that";
static const char forbids[] = "this token or key does not allow it; look at the key's attributes";
static const char report_it[] = "the module does not follow the standard here; look for an update";

static const row rows[] = {
    ROW(CKR_CANCEL, TW_ERR_TOKEN_FAILED, LOSS_NONE, "it was cancelled on the token"),
    ROW(CKR_HOST_MEMORY, TW_ERR_MEMORY, LOSS_NONE, NULL),
    ROW(CKR_SLOT_ID_INVALID, TW_ERR_TOKEN_ABSENT, LOSS_SLOT, gone),
    ROW(CKR_GENERAL_ERROR, TW_ERR_TOKEN_FAILED, LOSS_MODULE, device),
    ROW(CKR_FUNCTION_FAILED, TW_ERR_TOKEN_FAILED, LOSS_MODULE, device),
    ROW(CKR_ARGUMENTS_BAD, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_NEED_TO_CREATE_THREADS, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_CANT_LOCK, TW_ERR_TOKEN_FAILED, LOSS_NONE, "the module cannot be used from threads"),
    ROW(CKR_ATTRIBUTE_READ_ONLY, TW_ERR_TOKEN_POLICY, LOSS_NONE, forbids),
    ROW(CKR_ATTRIBUTE_SENSITIVE, TW_ERR_TOKEN_POLICY, LOSS_NONE,
        "the token keeps derived secrets to itself"),
    ROW(CKR_ATTRIBUTE_TYPE_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_ATTRIBUTE_VALUE_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_ACTION_PROHIBITED, TW_ERR_TOKEN_POLICY, LOSS_NONE, forbids),
    ROW(CKR_DATA_INVALID, TW_ERR_TOKEN_FAILED, LOSS_NONE, device),
    ROW(CKR_DATA_LEN_RANGE, TW_ERR_TOKEN_FAILED, LOSS_NONE, device),
    ROW(CKR_DEVICE_ERROR, TW_ERR_TOKEN_FAILED, LOSS_MODULE, device),
    ROW(CKR_DEVICE_MEMORY, TW_ERR_TOKEN_FAILED, LOSS_NONE,
        "the token is full: remove objects, or use fewer sessions"),
    ROW(CKR_DEVICE_REMOVED, TW_ERR_TOKEN_ABSENT, LOSS_SLOT, gone),
    ROW(CKR_FUNCTION_CANCELED, TW_ERR_TOKEN_FAILED, LOSS_NONE, "it was cancelled on the token"),
    ROW(CKR_FUNCTION_NOT_SUPPORTED, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_KEY_HANDLE_INVALID, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_KEY_SIZE_RANGE, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_KEY_TYPE_INCONSISTENT, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_KEY_CHANGED, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_KEY_INDIGESTIBLE, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_KEY_NOT_WRAPPABLE, TW_ERR_TOKEN_POLICY, LOSS_NONE, forbids),
    ROW(CKR_KEY_FUNCTION_NOT_PERMITTED, TW_ERR_TOKEN_POLICY, LOSS_NONE, forbids),
    ROW(CKR_KEY_UNEXTRACTABLE, TW_ERR_TOKEN_POLICY, LOSS_NONE, forbids),
    ROW(CKR_MECHANISM_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_MECHANISM_PARAM_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_OBJECT_HANDLE_INVALID, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_OPERATION_ACTIVE, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_OPERATION_NOT_INITIALIZED, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_PIN_INCORRECT, TW_ERR_TOKEN_PIN, LOSS_NONE, "the PIN is wrong; it is not sent again"),
    ROW(CKR_PIN_INVALID, TW_ERR_TOKEN_PIN, LOSS_NONE,
        "the PIN has characters that the token does not take; it is not sent again"),
    ROW(CKR_PIN_LEN_RANGE, TW_ERR_TOKEN_PIN, LOSS_NONE,
        "the PIN is too short or too long for this token; it is not sent again"),
    ROW(CKR_PIN_EXPIRED, TW_ERR_TOKEN_PIN, LOSS_NONE, "set a new PIN with the token's own tool"),
    ROW(CKR_PIN_LOCKED, TW_ERR_TOKEN_PIN, LOSS_NONE,
        "the PIN is locked; the token's security officer can set a new one"),
    ROW(CKR_SESSION_CLOSED, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_SESSION_COUNT, TW_ERR_TOKEN_BUSY, LOSS_NONE,
        "the token has no session left: close other users of it, or lower max_sessions"),
    ROW(CKR_SESSION_HANDLE_INVALID, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_SESSION_PARALLEL_NOT_SUPPORTED, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_SESSION_READ_ONLY, TW_ERR_TOKEN_POLICY, LOSS_NONE, "the token is write-protected"),
    ROW(CKR_SESSION_READ_WRITE_SO_EXISTS, TW_ERR_TOKEN_FAILED, LOSS_NONE,
        "the security officer is logged in; log that session out"),
    ROW(CKR_TEMPLATE_INCOMPLETE, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_TEMPLATE_INCONSISTENT, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_TOKEN_NOT_PRESENT, TW_ERR_TOKEN_ABSENT, LOSS_SLOT, gone),
    ROW(CKR_TOKEN_NOT_RECOGNIZED, TW_ERR_TOKEN_ABSENT, LOSS_SLOT, gone),
    ROW(CKR_TOKEN_WRITE_PROTECTED, TW_ERR_TOKEN_POLICY, LOSS_NONE, "the token is write-protected"),
    ROW(CKR_USER_NOT_LOGGED_IN, TW_ERR_TOKEN_FAILED, LOSS_SESSION, again),
    ROW(CKR_USER_PIN_NOT_INITIALIZED, TW_ERR_TOKEN_PIN, LOSS_NONE,
        "the token has no user PIN yet; its security officer sets one"),
    ROW(CKR_USER_TYPE_INVALID, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, TW_ERR_TOKEN_FAILED, LOSS_NONE,
        "another user is logged in through this module; log that user out"),
    ROW(CKR_USER_TOO_MANY_TYPES, TW_ERR_TOKEN_FAILED, LOSS_NONE,
        "another user is logged in through this module; log that user out"),
    ROW(CKR_RANDOM_NO_RNG, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_DOMAIN_PARAMS_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, "this token lacks that curve"),
    ROW(CKR_WRAPPING_KEY_HANDLE_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_WRAPPING_KEY_SIZE_RANGE, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_WRAPPING_KEY_TYPE_INCONSISTENT, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_CURVE_NOT_SUPPORTED, TW_ERR_TOKEN_POLICY, LOSS_NONE, "this token lacks that curve"),
    ROW(CKR_BUFFER_TOO_SMALL, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_CRYPTOKI_NOT_INITIALIZED, TW_ERR_TOKEN_FAILED, LOSS_MODULE,
        "the module is not initialised: what it needs is gone, or others finalised it"),
    ROW(CKR_CRYPTOKI_ALREADY_INITIALIZED, TW_ERR_TOKEN_FAILED, LOSS_NONE, NULL),
    ROW(CKR_MUTEX_BAD, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_MUTEX_NOT_LOCKED, TW_ERR_TOKEN_FAILED, LOSS_NONE, report_it),
    ROW(CKR_FIPS_SELF_TEST_FAILED, TW_ERR_TOKEN_FAILED, LOSS_NONE, device),
    ROW(CKR_LIBRARY_LOAD_FAILED, TW_ERR_TOKEN_ABSENT, LOSS_NONE,
        "a library that the module needs is missing"),
    ROW(CKR_PUBLIC_KEY_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE, cannot),
    ROW(CKR_FUNCTION_REJECTED, TW_ERR_TOKEN_POLICY, LOSS_NONE, "it was refused on the token"),
    ROW(CKR_TOKEN_RESOURCE_EXCEEDED, TW_ERR_TOKEN_FAILED, LOSS_NONE,
        "the token has no more of what this takes: remove objects, or use fewer sessions"),
    ROW(CKR_KEY_EXHAUSTED, TW_ERR_TOKEN_POLICY, LOSS_NONE,
        "the token lets this key be used no more"),
};

verdict twp_rv_judge(CK_RV rv)
{
    static const verdict unknown = {NULL, TW_ERR_TOKEN_FAILED, LOSS_MODULE,
                                    "a code of the vendor's own: look into the module's log"};

    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (rows[i].rv == rv) {
            return rows[i].v;
        }
    }
    return unknown;
}
