/* SPDX-License-Identifier: Apache-2.0 */
#include "pretend.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/check.h"

enum { SLOT = 7, SESSIONS = 16 };

pretend_token *pretend;

static CK_SESSION_HANDLE sessions[SESSIONS]; /* 0: free */
static CK_SESSION_HANDLE next_session = 1;
static bool logged_in;
static char refused[PRETEND_MOST_VALUE]; /* the PIN that was refused last */

/* --- What a test does. ----------------------------------------------------------------------- */

CK_RV pretend_enter(const char *function)
{
    CK_RV rv = pretend->before == NULL ? CKR_OK : pretend->before(pretend->arg, function);

    pretend->calls++;
    if (pretend->inside != NULL) {
        pretend->inside(pretend->arg, true);
    }
    return rv;
}

void pretend_leave(CK_RV *asked)
{
    (void)asked;
    if (pretend->inside != NULL) {
        pretend->inside(pretend->arg, false);
    }
}

void pretend_number(CK_ULONG *number)
{
    if (pretend->number != NULL) {
        pretend->number(pretend->arg, number);
    }
}

void pretend_bytes(void *data, size_t len)
{
    if (pretend->bytes != NULL && len > 0) {
        pretend->bytes(pretend->arg, data, len);
    }
}

/* --- The module. ----------------------------------------------------------------------------- */

static void forget_all(void)
{
    memset(sessions, 0, sizeof(sessions));
    logged_in = false;
    for (size_t i = 0; i < PRETEND_OBJECTS; i++) {
        if (pretend_objects[i].session != 0) {
            pretend_objects[i].handle = 0;
        }
    }
    pretend->sessions = pretend->objects = 0;
}

CK_RV C_Initialize(void *args)
{
    (void)args;
    PRETEND_ASKED();
    if (pretend->initialised) {
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    forget_all();
    pretend->initialised = true;
    return CKR_OK;
}

CK_RV C_Finalize(void *reserved)
{
    (void)reserved;
    PRETEND_ASKED();
    if (!pretend->initialised) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    forget_all();
    pretend->initialised = false;
    return CKR_OK;
}

static void pad(unsigned char *field, size_t len, const char *text)
{
    memset(field, ' ', len);
    memcpy(field, text, strlen(text));
}

CK_RV C_GetInfo(CK_INFO *info)
{
    PRETEND_ASKED();
    *info = (CK_INFO){.cryptokiVersion = {2, 40}};
    pad(info->manufacturerID, sizeof(info->manufacturerID), "tests");
    pad(info->libraryDescription, sizeof(info->libraryDescription), "pretend");
    pretend_bytes(info, sizeof(*info));
    return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG room = *count;

    (void)present;
    PRETEND_ASKED();
    *count = 1;
    if (list != NULL && room < 1) {
        return CKR_BUFFER_TOO_SMALL;
    }
    if (list != NULL) {
        list[0] = SLOT;
        pretend_number(&list[0]);
    }
    pretend_number(count);
    return CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    PRETEND_ASKED();
    if (slot != SLOT) {
        return CKR_SLOT_ID_INVALID;
    }
    *info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT};
    pad(info->slotDescription, sizeof(info->slotDescription), "pretend");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "tests");
    pretend_bytes(info, sizeof(*info));
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    PRETEND_ASKED();
    if (slot != SLOT) {
        return CKR_SLOT_ID_INVALID;
    }
    *info = (CK_TOKEN_INFO){.flags = CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED |
                                     CKF_USER_PIN_INITIALIZED};
    pad(info->label, sizeof(info->label), "pretend");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "tests");
    pad(info->model, sizeof(info->model), "one");
    pad(info->serialNumber, sizeof(info->serialNumber), "0001");
    pretend_number(&info->flags);
    pretend_bytes(info, sizeof(*info));
    return CKR_OK;
}

/* --- Sessions. ------------------------------------------------------------------------------- */

static CK_SESSION_HANDLE *place(CK_SESSION_HANDLE session)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        if (sessions[i] == session) {
            return &sessions[i];
        }
    }
    return NULL;
}

bool pretend_has_session(CK_SESSION_HANDLE session)
{
    return session != 0 && place(session) != NULL;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify,
                    CK_SESSION_HANDLE *out)
{
    CK_SESSION_HANDLE *at = place(0);

    (void)flags;
    (void)arg;
    (void)notify;
    PRETEND_ASKED();
    if (!pretend->initialised) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    if (slot != SLOT) {
        return CKR_SLOT_ID_INVALID;
    }
    if (at == NULL) {
        return CKR_SESSION_COUNT;
    }
    *at = *out = next_session++;
    pretend->sessions++;
    pretend_number(out);
    return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    *place(session) = 0;
    pretend_remove_of(session);
    pretend->sessions--;
    logged_in = logged_in && pretend->sessions > 0;
    return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    *info = (CK_SESSION_INFO){.slotID = SLOT,
                              .state = logged_in ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION,
                              .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION};
    pretend_number(&info->state);
    return CKR_OK;
}

/* A PIN that was refused may not come again. */
CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
    __attribute__((cleanup(pretend_leave))) CK_RV asked = pretend_enter(__func__);
    CK_RV rv = asked;
    char sent[PRETEND_MOST_VALUE] = "";

    if (len < sizeof(sent) && pin != NULL) {
        memcpy(sent, pin, len);
    }
    if (rv == CKR_OK && !pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (rv == CKR_OK && user == CKU_USER && logged_in) {
        return CKR_USER_ALREADY_LOGGED_IN;
    }
    if (rv == CKR_OK && strcmp(sent, PRETEND_PIN) != 0) {
        rv = CKR_PIN_INCORRECT;
    }
    pretend->pin_sent_again =
        pretend->pin_sent_again || (refused[0] != '\0' && strcmp(refused, sent) == 0);
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED) {
        memcpy(refused, sent, sizeof(refused));
    }
    logged_in = logged_in || rv == CKR_OK;
    return rv;
}

/* --- The table. ------------------------------------------------------------------------------ */

static CK_FUNCTION_LIST table = {
    .version = {2, 40},
    .C_Initialize = C_Initialize,
    .C_Finalize = C_Finalize,
    .C_GetInfo = C_GetInfo,
    .C_GetSlotList = C_GetSlotList,
    .C_GetSlotInfo = C_GetSlotInfo,
    .C_GetTokenInfo = C_GetTokenInfo,
    .C_OpenSession = C_OpenSession,
    .C_CloseSession = C_CloseSession,
    .C_GetSessionInfo = C_GetSessionInfo,
    .C_Login = C_Login,
    .C_FindObjectsInit = C_FindObjectsInit,
    .C_FindObjects = C_FindObjects,
    .C_FindObjectsFinal = C_FindObjectsFinal,
    .C_GetAttributeValue = C_GetAttributeValue,
    .C_SetAttributeValue = C_SetAttributeValue,
    .C_DestroyObject = C_DestroyObject,
    .C_CopyObject = C_CopyObject,
    .C_GenerateKey = C_GenerateKey,
    .C_WrapKey = C_WrapKey,
    .C_GenerateKeyPair = C_GenerateKeyPair,
    .C_DeriveKey = C_DeriveKey,
    .C_DigestInit = C_DigestInit,
    .C_DigestUpdate = C_DigestUpdate,
    .C_DigestKey = C_DigestKey,
    .C_DigestFinal = C_DigestFinal,
};

const char *pretend_path(void)
{
    return TESTS_PRETEND;
}

static void give_functions(void)
{
    void *module = dlopen(TESTS_PRETEND, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CK_FUNCTION_LIST **functions;

    must(module != NULL);
    functions = dlsym(module, "pretend_functions");
    must(functions != NULL);
    *functions = &table;
}

void pretend_start(pretend_token *t)
{
    pretend = t;
    give_functions();
    forget_all();
    pretend_forget_pin();
    memset(pretend_objects, 0, sizeof(pretend_objects));
    for (CK_OBJECT_CLASS class = CKO_PUBLIC_KEY; class <= CKO_PRIVATE_KEY; class ++) {
        if (class == CKO_PRIVATE_KEY || !t->no_public) {
            pretend_object *o = pretend_add(0, class);

            o->key = pretend_key();
            o->label_len = (size_t)snprintf(o->label, sizeof(o->label), "%s",
                                            t->label == NULL ? "k" : t->label);
            o->id[0] = 1;
            o->id_len = 1;
        }
    }
}

void pretend_forget_pin(void)
{
    refused[0] = '\0';
}

void pretend_end(void)
{
    pretend = NULL;
}
