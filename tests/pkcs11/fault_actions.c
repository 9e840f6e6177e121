/* SPDX-License-Identifier: Apache-2.0 */
/* Each of the fault module's actions by itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static CK_FUNCTION_LIST *fn;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE object;

static CK_SESSION_HANDLE open_session(CK_FLAGS flags, CK_RV want)
{
    CK_SESSION_HANDLE out = 0;

    must(fn->C_OpenSession(slot, CKF_SERIAL_SESSION | flags, NULL, NULL, &out) == want);
    return out;
}

static void initialize(void)
{
    static CK_OBJECT_CLASS class = CKO_DATA;
    static CK_BBOOL no = CK_FALSE;
    static char value[] = "0123456789";
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_ATTRIBUTE t[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_PRIVATE, &no, sizeof(no)}, {CKA_VALUE, value, 10}};
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;

    must(fn->C_Initialize(&args) == CKR_OK);
    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    slot = slots[0];
    session = open_session(CKF_RW_SESSION, CKR_OK);
    must(fn->C_CreateObject(session, t, 3, &object) == CKR_OK);
}

static void start(void)
{
    fault_softhsm(&s);
    fn = stand_raw(&s);
    initialize();
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(actions, .init = start, .fini = end);

static CK_RV log_in(CK_USER_TYPE user, const char *pin)
{
    return fn->C_Login(session, user, (CK_UTF8CHAR *)(uintptr_t)pin, pin == NULL ? 0 : strlen(pin));
}

static CK_RV random_byte(void)
{
    CK_BYTE byte;

    return fn->C_GenerateRandom(session, &byte, 1);
}

static CK_STATE state_of(CK_SESSION_HANDLE one)
{
    CK_SESSION_INFO info = {0};

    must(fn->C_GetSessionInfo(one, &info) == CKR_OK);
    return info.state;
}

static void must_value(const char *action, CK_RV want_rv, CK_ULONG cap, const char *want)
{
    char got[32] = "";
    CK_ATTRIBUTE a = {CKA_VALUE, got, cap};

    fault_script(&s, "C_GetAttributeValue * %s", action);
    check_note("(%s, %lu bytes)", action, cap);
    must(fn->C_GetAttributeValue(session, object, &a, 1) == want_rv);
    if (want_rv != CKR_OK) {
        must(a.ulValueLen == CK_UNAVAILABLE_INFORMATION);
        return;
    }
    must_size(strlen(want), a.ulValueLen);
    must(memcmp(got, want, a.ulValueLen) == 0);
    a.pValue = NULL;
    must(fn->C_GetAttributeValue(session, object, &a, 1) == CKR_OK);
    must_size(strlen(want), a.ulValueLen);
}

Test(actions, lie_about_values)
{
    CK_ATTRIBUTE a = {CKA_VALUE, NULL, 0};

    must_value("drop CKA_VALUE 0 1", CKR_OK, 10, "123456789");
    must_value("drop CKA_VALUE end 2", CKR_OK, 10, "01234567");
    must_value("drop CKA_VALUE 3 2", CKR_OK, 32, "01256789");
    must_value("insert CKA_VALUE 0 7878", CKR_OK, 12, "xx0123456789");
    must_value("insert CKA_VALUE end 78", CKR_OK, 32, "0123456789x");
    must_value("insert CKA_VALUE 1 78", CKR_BUFFER_TOO_SMALL, 10, NULL);
    must_value("answer CKA_VALUE 414243", CKR_OK, 10, "ABC");
    must_value("answer CKA_VALUE 414243", CKR_BUFFER_TOO_SMALL, 2, NULL);
    must_value("absent CKA_VALUE", CKR_ATTRIBUTE_TYPE_INVALID, 10, NULL);
    must_value("keep CKA_VALUE", CKR_ATTRIBUTE_SENSITIVE, 10, NULL);
    must_value("absent CKA_LABEL", CKR_OK, 10, "0123456789");
    must_value("tight CKA_VALUE 0x150", CKR_OK, 10, "0123456789");
    must_value("tight CKA_VALUE 0x150", 0x150, 11, NULL);
    fault_script(&s, "C_GetAttributeValue * length CKA_VALUE 0xffffffffffffffff");
    must(fn->C_GetAttributeValue(session, object, &a, 1) == CKR_OK);
    must(a.ulValueLen == CK_UNAVAILABLE_INFORMATION);
}

Test(actions, end_a_session_without_its_owners_knowing)
{
    CK_SESSION_HANDLE other = open_session(0, CKR_OK);

    fault_script(&s, "C_GenerateRandom 1 kill CKR_DEVICE_REMOVED");
    must(random_byte() == CKR_DEVICE_REMOVED);
    must(random_byte() == CKR_SESSION_HANDLE_INVALID);
    must(fn->C_CloseSession(session) == CKR_SESSION_HANDLE_INVALID);
    (void)state_of(other);
    must(fn->C_CloseSession(other) == CKR_OK);
    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_clean(NULL);
}

Test(actions, log_out)
{
    must(log_in(CKU_USER, STAND_PIN) == CKR_OK);
    must(state_of(session) == CKS_RW_USER_FUNCTIONS);
    fault_script(&s, "C_GenerateRandom * logout");
    must(random_byte() == CKR_OK);
    must(state_of(session) == CKS_RW_PUBLIC_SESSION);
}

Test(actions, wait_until_the_time_or_the_script_is_over)
{
    struct timespec begun, now;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    fault_script(&s, "C_GenerateRandom * wait 300");
    must(random_byte() == CKR_OK);
    clock_gettime(CLOCK_MONOTONIC, &now);
    must((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >= 300);
}

Test(actions, give_empty_lists)
{
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;

    fault_script(&s, "C_GetSlotList * none\nC_GetMechanismList * none");
    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    must_size(0, count);
    count = 4;
    must(fn->C_GetMechanismList(slot, NULL, &count) == CKR_OK);
    must_size(0, count);
}

Test(actions, hide_objects_by_their_class)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE match = {CKA_CLASS, &class, sizeof(class)};

    for (CK_ULONG want = 0; want < 2; want++) {
        CK_OBJECT_HANDLE found;
        CK_ULONG count = 0;

        fault_script(&s, "C_FindObjectsInit * hide %s", want == 1 ? "CKO_PRIVATE_KEY" : "CKO_DATA");
        must(fn->C_FindObjectsInit(session, &match, 1) == CKR_OK);
        must(fn->C_FindObjects(session, &found, 1, &count) == CKR_OK);
        must(fn->C_FindObjectsFinal(session) == CKR_OK);
        must_size(want, count);
        must(want == 0 || found == object);
    }
    must(class == CKO_DATA);
}

Test(actions, limit_sessions_and_refuse_them_by_flags)
{
    fault_script(&s, "C_OpenSession * limit 2");
    (void)open_session(0, CKR_OK);
    (void)open_session(0, CKR_SESSION_COUNT);
    fault_script(&s, "C_OpenSession * flag CKF_RW_SESSION CKR_TOKEN_WRITE_PROTECTED");
    (void)open_session(CKF_RW_SESSION, CKR_TOKEN_WRITE_PROTECTED);
    (void)open_session(0, CKR_OK);
    fault_script(&s, "C_OpenSession * noflag CKF_RW_SESSION CKR_GENERAL_ERROR\n"
                     "C_GenerateRandom * flag CKF_RW_SESSION CKR_GENERAL_ERROR");
    (void)open_session(0, CKR_GENERAL_ERROR);
    (void)open_session(CKF_RW_SESSION, CKR_OK);
    must(random_byte() == CKR_GENERAL_ERROR); /* by the flags of its session */
}

Test(actions, refuse_initialisations_by_flags)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS};

    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_script(&s, "C_Initialize * flag CKF_LIBRARY_CANT_CREATE_OS_THREADS "
                     "CKR_NEED_TO_CREATE_THREADS");
    must(fn->C_Initialize(&args) == CKR_NEED_TO_CREATE_THREADS);
    must(fn->C_Initialize(NULL) == CKR_OK);
}

static CK_RV make_object(const char *rule)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_PRIVATE, &no, sizeof(no)},
                        {CKA_TOKEN, &no, sizeof(no)}};
    CK_OBJECT_HANDLE made;

    fault_script(&s, "C_CreateObject * %s", rule);
    return fn->C_CreateObject(session, t, 3, &made);
}

Test(actions, refuse_and_demand_attributes)
{
    must(make_object("refuse CKA_TOKEN CKR_TEMPLATE_INCONSISTENT") == CKR_TEMPLATE_INCONSISTENT);
    must(make_object("refuse CKA_TOKEN=01 CKR_TEMPLATE_INCONSISTENT") == CKR_OK);
    must(make_object("refuse CKA_LABEL CKR_TEMPLATE_INCONSISTENT") == CKR_OK);
    must(make_object("demand CKA_TOKEN CKR_TEMPLATE_INCOMPLETE") == CKR_OK);
    must(make_object("demand CKA_TOKEN=00 CKR_TEMPLATE_INCOMPLETE") == CKR_OK);
    must(make_object("demand CKA_TOKEN=01 CKR_TEMPLATE_INCOMPLETE") == CKR_TEMPLATE_INCOMPLETE);
    must(make_object("demand CKA_LABEL CKR_TEMPLATE_INCOMPLETE") == CKR_TEMPLATE_INCOMPLETE);
}

/* An object is private unless that is said not to be. */
Test(actions, let_a_call_go_on_without_an_attribute)
{
    must(make_object("strip CKA_LABEL") == CKR_OK);
    must(make_object("strip CKA_PRIVATE=01") == CKR_OK);
    must(make_object("strip CKA_PRIVATE") == CKR_USER_NOT_LOGGED_IN);
}

Test(actions, look_at_the_key)
{
    fault_script(&s, "C_GetObjectSize * key CKA_VALUE=30313233343536373839 0x182");
    must(fn->C_GetObjectSize(session, object, &(CK_ULONG){0}) != 0x182);
    fault_script(&s, "C_GetObjectSize * key CKA_VALUE=30 0x182");
    must(fn->C_GetObjectSize(session, object, &(CK_ULONG){0}) == 0x182);
}

Test(actions, change_what_the_token_says_of_itself)
{
    CK_TOKEN_INFO info;

    fault_script(&s, "C_GetTokenInfo * set CKF_USER_PIN_FINAL_TRY\n"
                     "C_GetTokenInfo * clear CKF_LOGIN_REQUIRED\n"
                     "C_GetTokenInfo * serial 12345");
    must(fn->C_GetTokenInfo(slot, &info) == CKR_OK);
    must(memcmp(info.serialNumber, "12345           ", 16) == 0);
    must((info.flags & CKF_USER_PIN_FINAL_TRY) != 0 && (info.flags & CKF_LOGIN_REQUIRED) == 0);
}

Test(actions, type_the_pin_on_a_pad)
{
    must(log_in(CKU_USER, NULL) == CKR_ARGUMENTS_BAD);
    fault_script(&s, "C_Login * pinpad %s", STAND_PIN);
    must(log_in(CKU_USER, NULL) == CKR_OK);
}

Test(actions, ask_for_a_login_directly_before_an_operation)
{
    fault_script(&s, "C_Login * context %s\nC_GenerateRandom * fresh CKR_USER_NOT_LOGGED_IN",
                 STAND_PIN);
    must(random_byte() == CKR_USER_NOT_LOGGED_IN);
    must(log_in(CKU_USER, STAND_PIN) == CKR_OK);
    must(random_byte() == CKR_USER_NOT_LOGGED_IN);
    must(log_in(CKU_CONTEXT_SPECIFIC, "wrong") == CKR_PIN_INCORRECT);
    must(random_byte() == CKR_USER_NOT_LOGGED_IN);
    must(log_in(CKU_CONTEXT_SPECIFIC, STAND_PIN) == CKR_OK);
    must(random_byte() == CKR_OK);
    must(random_byte() == CKR_USER_NOT_LOGGED_IN);
    must(log_in(CKU_CONTEXT_SPECIFIC, STAND_PIN) == CKR_OK);
    (void)state_of(session);
    must(random_byte() == CKR_USER_NOT_LOGGED_IN); /* it was not directly before */
}

Test(actions, move_the_token_to_another_slot)
{
    CK_SLOT_ID slots[4];
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;
    CK_ULONG count = 4;

    fault_script(&s, "* * slots 1000000000000");
    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    must(slots[0] == slot + 1000000000000);
    must(fn->C_GetTokenInfo(slot, &token) == CKR_SLOT_ID_INVALID);
    must(fn->C_GetTokenInfo(slots[0], &token) == CKR_OK);
    must(fn->C_GetSessionInfo(session, &info) == CKR_OK);
    must(info.slotID == slots[0]);
}

Test(actions, number_handles_anew)
{
    CK_OBJECT_HANDLE old = object;

    must(fn->C_Finalize(NULL) == CKR_OK);
    must(old > 0xffff);
    fault_script(&s, "C_Initialize * renumber");
    initialize();
    must(session == 1 && object == 1);
    old = object;
    must(fn->C_Finalize(NULL) == CKR_OK);
    initialize();
    must(old == object);
}

Test(actions, claim_a_newer_version)
{
    CK_FUNCTION_LIST *list;
    CK_C_GetFunctionList get = fn->C_GetFunctionList;

    fault_script(&s, "C_GetFunctionList * version 302");
    must(get(&list) == CKR_OK);
    must(list->version.major == 3 && list->version.minor == 2);
    must(((void **)(void *)(list + 1))[0] == NULL); /* what it would have more */
    fault_script(&s, "C_GetFunctionList * fail CKR_GENERAL_ERROR");
    must(get(&list) == CKR_GENERAL_ERROR);
}
