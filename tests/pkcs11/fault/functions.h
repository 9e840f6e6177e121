/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAULT_FUNCTIONS_H
#define FAULT_FUNCTIONS_H

/*
 * The functions of PKCS #11 version 2.40: the one list that everything else is made from.
 * A row names a function and its signature; a signature says what it TAKES and GIVES on
 * to the wrapped module, and which of it the module LOOKS at (members of struct call).
 */

/* clang-format off */
#define FUNCTIONS(ROW)                                                                             \
    ROW(C_Initialize, INITIALIZE)         ROW(C_Finalize, RESERVED)                                \
    ROW(C_GetInfo, INFO)                  ROW(C_GetSlotList, SLOTS)                                \
    ROW(C_GetSlotInfo, SLOT_INFO)         ROW(C_GetTokenInfo, TOKEN_INFO)                          \
    ROW(C_GetMechanismList, MECHANISMS)   ROW(C_GetMechanismInfo, MECHANISM_INFO)                  \
    ROW(C_InitToken, INIT_TOKEN)          ROW(C_InitPIN, IN)                                       \
    ROW(C_SetPIN, IN_IN)                  ROW(C_OpenSession, OPEN)                                 \
    ROW(C_CloseSession, SESSION)          ROW(C_CloseAllSessions, SLOT)                            \
    ROW(C_GetSessionInfo, SESSION_INFO)   ROW(C_GetOperationState, OUT)                            \
    ROW(C_SetOperationState, STATE)       ROW(C_Login, LOGIN)                                      \
    ROW(C_Logout, SESSION)                ROW(C_CreateObject, CREATE)                              \
    ROW(C_CopyObject, COPY)               ROW(C_DestroyObject, OBJECT)                             \
    ROW(C_GetObjectSize, SIZE)            ROW(C_GetAttributeValue, ATTRIBUTES)                     \
    ROW(C_SetAttributeValue, ATTRIBUTES)  ROW(C_FindObjectsInit, FIND)                             \
    ROW(C_FindObjects, FOUND)             ROW(C_FindObjectsFinal, SESSION)                         \
    ROW(C_EncryptInit, KEYED)             ROW(C_Encrypt, IN_OUT)                                   \
    ROW(C_EncryptUpdate, IN_OUT)          ROW(C_EncryptFinal, OUT)                                 \
    ROW(C_DecryptInit, KEYED)             ROW(C_Decrypt, IN_OUT)                                   \
    ROW(C_DecryptUpdate, IN_OUT)          ROW(C_DecryptFinal, OUT)                                 \
    ROW(C_DigestInit, UNKEYED)            ROW(C_Digest, IN_OUT)                                    \
    ROW(C_DigestUpdate, IN)               ROW(C_DigestKey, OBJECT)                                 \
    ROW(C_DigestFinal, OUT)               ROW(C_SignInit, KEYED)                                   \
    ROW(C_Sign, IN_OUT)                   ROW(C_SignUpdate, IN)                                    \
    ROW(C_SignFinal, OUT)                 ROW(C_SignRecoverInit, KEYED)                            \
    ROW(C_SignRecover, IN_OUT)            ROW(C_VerifyInit, KEYED)                                 \
    ROW(C_Verify, IN_IN)                  ROW(C_VerifyUpdate, IN)                                  \
    ROW(C_VerifyFinal, IN)                ROW(C_VerifyRecoverInit, KEYED)                          \
    ROW(C_VerifyRecover, IN_OUT)          ROW(C_DigestEncryptUpdate, IN_OUT)                       \
    ROW(C_DecryptDigestUpdate, IN_OUT)    ROW(C_SignEncryptUpdate, IN_OUT)                         \
    ROW(C_DecryptVerifyUpdate, IN_OUT)    ROW(C_GenerateKey, GENERATE)                             \
    ROW(C_GenerateKeyPair, PAIR)          ROW(C_WrapKey, WRAP)                                     \
    ROW(C_UnwrapKey, UNWRAP)              ROW(C_DeriveKey, DERIVE)                                 \
    ROW(C_SeedRandom, IN)                 ROW(C_GenerateRandom, IN)                                \
    ROW(C_GetFunctionStatus, SESSION)     ROW(C_CancelFunction, SESSION)                           \
    ROW(C_WaitForSlotEvent, EVENT)

#define INITIALIZE_TAKES     (void *args)
#define INITIALIZE_GIVES     (args)
#define INITIALIZE_LOOKS     .init_args = args
#define RESERVED_TAKES       (void *reserved)
#define RESERVED_GIVES       (reserved)
#define RESERVED_LOOKS
#define INFO_TAKES           (CK_INFO *info)
#define INFO_GIVES           (info)
#define INFO_LOOKS

#define SLOTS_TAKES          (CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
#define SLOTS_GIVES          (present, list, count)
#define SLOTS_LOOKS          .slots = list, .out_count = count
#define SLOT_TAKES           (CK_SLOT_ID slot)
#define SLOT_GIVES           (slot)
#define SLOT_LOOKS           .slot = &slot
#define SLOT_INFO_TAKES      (CK_SLOT_ID slot, CK_SLOT_INFO *info)
#define SLOT_INFO_GIVES      (slot, info)
#define SLOT_INFO_LOOKS      .slot = &slot
#define TOKEN_INFO_TAKES     (CK_SLOT_ID slot, CK_TOKEN_INFO *info)
#define TOKEN_INFO_GIVES     (slot, info)
#define TOKEN_INFO_LOOKS     .slot = &slot, .token_info = info
#define MECHANISMS_TAKES     (CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
#define MECHANISMS_GIVES     (slot, list, count)
#define MECHANISMS_LOOKS     .slot = &slot, .out_count = count
#define MECHANISM_INFO_TAKES (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
#define MECHANISM_INFO_GIVES (slot, type, info)
#define MECHANISM_INFO_LOOKS .slot = &slot
#define INIT_TOKEN_TAKES     (CK_SLOT_ID slot, CK_BYTE *pin, CK_ULONG len, CK_BYTE *label)
#define INIT_TOKEN_GIVES     (slot, pin, len, label)
#define INIT_TOKEN_LOOKS     .slot = &slot
#define EVENT_TAKES          (CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
#define EVENT_GIVES          (flags, slot, reserved)
#define EVENT_LOOKS

#define OPEN_TAKES           (CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify,        \
                              CK_SESSION_HANDLE *made)
#define OPEN_GIVES           (slot, flags, arg, notify, made)
#define OPEN_LOOKS           .slot = &slot, .flags = flags, .opened = made
#define SESSION_TAKES        (CK_SESSION_HANDLE session)
#define SESSION_GIVES        (session)
#define SESSION_LOOKS        .session = &session
#define SESSION_INFO_TAKES   (CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
#define SESSION_INFO_GIVES   (session, info)
#define SESSION_INFO_LOOKS   .session = &session, .session_info = info
#define LOGIN_TAKES          (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin,          \
                              CK_ULONG len)
#define LOGIN_GIVES          (session, user, pin, len)
#define LOGIN_LOOKS          .session = &session, .user = user, .pin = &pin, .pin_len = &len

/* Pieces of data in and out, of which none is looked at. */
#define IN_TAKES             (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len)
#define IN_GIVES             (session, data, len)
#define IN_LOOKS             .session = &session
#define IN_IN_TAKES          (CK_SESSION_HANDLE session, CK_BYTE *a, CK_ULONG alen, CK_BYTE *b,    \
                              CK_ULONG blen)
#define IN_IN_GIVES          (session, a, alen, b, blen)
#define IN_IN_LOOKS          .session = &session
#define OUT_TAKES            (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *len)
#define OUT_GIVES            (session, out, len)
#define OUT_LOOKS            .session = &session
#define IN_OUT_TAKES         (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,  \
                              CK_ULONG *outlen)
#define IN_OUT_GIVES         (session, in, len, out, outlen)
#define IN_OUT_LOOKS         .session = &session
#define UNKEYED_TAKES        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
#define UNKEYED_GIVES        (session, mechanism)
#define UNKEYED_LOOKS        .session = &session, .mechanism = mechanism

/* Objects. */
#define KEYED_TAKES          (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_OBJECT_HANDLE key)
#define KEYED_GIVES          (session, mechanism, key)
#define KEYED_LOOKS          .session = &session, .mechanism = mechanism, .objects = {&key}
#define STATE_TAKES          (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len,                \
                              CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE other)
#define STATE_GIVES          (session, in, len, key, other)
#define STATE_LOOKS          .session = &session, .objects = {&key, &other}
#define OBJECT_TAKES         (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
#define OBJECT_GIVES         (session, object)
#define OBJECT_LOOKS         .session = &session, .objects = {&object}
#define SIZE_TAKES           (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size)
#define SIZE_GIVES           (session, object, size)
#define SIZE_LOOKS           .session = &session, .objects = {&object}
#define ATTRIBUTES_TAKES     (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,                  \
                              CK_ATTRIBUTE *t, CK_ULONG n)
#define ATTRIBUTES_GIVES     (session, object, t, n)
#define ATTRIBUTES_LOOKS     .session = &session, .objects = {&object}, .templates = {{&t, n}}
#define FIND_TAKES           (CK_SESSION_HANDLE session, CK_ATTRIBUTE *t, CK_ULONG n)
#define FIND_GIVES           (session, t, n)
#define FIND_LOOKS           .session = &session, .templates = {{&t, n}}
#define FOUND_TAKES          (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *list, CK_ULONG most,    \
                              CK_ULONG *count)
#define FOUND_GIVES          (session, list, most, count)
#define FOUND_LOOKS          .session = &session, .found = list, .out_count = count

/* Objects made. */
#define CREATE_TAKES         (CK_SESSION_HANDLE session, CK_ATTRIBUTE *t, CK_ULONG n,              \
                              CK_OBJECT_HANDLE *made)
#define CREATE_GIVES         (session, t, n, made)
#define CREATE_LOOKS         .session = &session, .templates = {{&t, n}}, .made = {made}
#define COPY_TAKES           (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,                  \
                              CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *made)
#define COPY_GIVES           (session, object, t, n, made)
#define COPY_LOOKS           .session = &session, .objects = {&object},                            \
                             .templates = {{&t, n}}, .made = {made}
#define GENERATE_TAKES       (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *made)
#define GENERATE_GIVES       (session, mechanism, t, n, made)
#define GENERATE_LOOKS       .session = &session, .mechanism = mechanism,                          \
                             .templates = {{&t, n}}, .made = {made}
#define PAIR_TAKES           (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE *u, CK_ULONG m,            \
                              CK_OBJECT_HANDLE *made, CK_OBJECT_HANDLE *too)
#define PAIR_GIVES           (session, mechanism, t, n, u, m, made, too)
#define PAIR_LOOKS           .session = &session, .mechanism = mechanism,                          \
                             .templates = {{&t, n}, {&u, m}}, .made = {made, too}
#define WRAP_TAKES           (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *out,           \
                              CK_ULONG *len)
#define WRAP_GIVES           (session, mechanism, with, key, out, len)
#define WRAP_LOOKS           .session = &session, .mechanism = mechanism, .objects = {&with, &key}
#define UNWRAP_TAKES         (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_OBJECT_HANDLE with, CK_BYTE *in, CK_ULONG len,                    \
                              CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *made)
#define UNWRAP_GIVES         (session, mechanism, with, in, len, t, n, made)
#define UNWRAP_LOOKS         .session = &session, .mechanism = mechanism, .objects = {&with},      \
                             .templates = {{&t, n}}, .made = {made}
#define DERIVE_TAKES         (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,                  \
                              CK_OBJECT_HANDLE key, CK_ATTRIBUTE *t, CK_ULONG n,                   \
                              CK_OBJECT_HANDLE *made)
#define DERIVE_GIVES         (session, mechanism, key, t, n, made)
#define DERIVE_LOOKS         .session = &session, .mechanism = mechanism, .objects = {&key},       \
                             .templates = {{&t, n}}, .made = {made}
/* clang-format on */

#endif
