/* SPDX-License-Identifier: Apache-2.0 */
/* The fault module itself: that it does what a script says, and sees what it has to see. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static CK_FUNCTION_LIST *fn;
static CK_SLOT_ID slot;

static void initialize(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;

    must(fn->C_Initialize(&args) == CKR_OK);
    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    slot = slots[0];
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

TestSuite(fault, .init = start, .fini = end);

static CK_SESSION_HANDLE open_session(void)
{
    CK_SESSION_HANDLE session = 0;

    must(fn->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ==
         CKR_OK);
    return session;
}

static CK_RV log_in(CK_SESSION_HANDLE session, const char *pin)
{
    return fn->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
}

static CK_RV make_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *object)
{
    static CK_OBJECT_CLASS class = CKO_DATA;
    static CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_PRIVATE, &no, sizeof(no)}};

    return fn->C_CreateObject(session, t, 2, object);
}

static CK_RV random_byte(CK_SESSION_HANDLE session)
{
    CK_BYTE byte;

    return fn->C_GenerateRandom(session, &byte, 1);
}

static void finish(const char *but)
{
    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_clean(but);
}

/* --- When a rule acts. ---------------------------------------------------------------- */

static void must_answer(const char *when, const char *pattern)
{
    CK_SESSION_HANDLE session = open_session();

    fault_script(&s, "C_GenerateRandom %s fail CKR_DEVICE_ERROR", when);
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        check_note("(call %zu of '%s')", i + 1, when);
        must(random_byte(session) == (pattern[i] == 'x' ? CKR_DEVICE_ERROR : CKR_OK));
    }
    must(fn->C_CloseSession(session) == CKR_OK);
}

Test(fault, acts_on_the_calls_that_a_rule_names)
{
    must_answer("*", "xxxx");
    must_answer("3", "..x..");
    must_answer("3-", "..xxx");
    must_answer("2-3", ".xx.");
    must_answer("/3", "..x..x..x");
    must_answer("!", "xxx");
    finish(NULL);
}

Test(fault, acts_by_chance_about_as_often_as_told_and_repeatably)
{
    CK_SESSION_HANDLE session = open_session();
    unsigned first = 0, second = 0;
    bool answers[5000];

    fault_script(&s, "seed 7\nC_GenerateRandom ~50 fail CKR_DEVICE_ERROR|0x1e7");
    for (int i = 0; i < 5000; i++) {
        CK_RV rv = random_byte(session);

        answers[i] = rv != CKR_OK;
        first += rv == CKR_DEVICE_ERROR;
        second += rv == 0x1e7;
    }
    must(first > 20 && second > 20 && first + second > 60 && first + second < 150);
    fault_script(&s, "seed 7\nC_GenerateRandom ~50 fail CKR_DEVICE_ERROR|0x1e7");
    for (int i = 0; i < 5000; i++) {
        must((random_byte(session) != CKR_OK) == answers[i]);
    }
    must_size(2 * (first + second), fault_count("faults"));
    must(fn->C_CloseSession(session) == CKR_OK);
    finish(NULL);
}

Test(fault, acts_until_the_next_finalisation)
{
    CK_SESSION_HANDLE session = open_session();

    fault_script(&s, "C_Generate* ! fail CKR_DEVICE_ERROR # and of what begins so");
    must(random_byte(session) == CKR_DEVICE_ERROR);
    must(fn->C_CloseSession(session) == CKR_OK);
    must(fn->C_Finalize(NULL) == CKR_OK);
    initialize();
    session = open_session();
    must(random_byte(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    finish(NULL);
}

Test(fault, refuses_a_script_that_it_does_not_understand)
{
    static const char *const bad[] = {
        "C_NoSuch * fail CKR_OK",
        "C_Login x fail CKR_OK",
        "C_Login * fial CKR_OK",
        "C_Login * fail CKR_NO_SUCH",
        "C_Login *",
        "C_Login * fail",
        "C_Login * fail CKR_OK CKR_OK",
        "* * answer CKA_VALUE 0",
        "* * hide CKO_NONE",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            must(freopen("/dev/null", "w", stderr) != NULL);
            fault_script(&s, "%s", bad[i]);
            (void)random_byte(1);
            _exit(0);
        }
        check_note("(%s)", bad[i]);
        must(waitpid(pid, &status, 0) == pid);
        must(WIFSIGNALED(status));
    }
}

/* --- What it sees. ---------------------------------------------------------------------- */

Test(fault, sees_sessions_and_objects_that_are_left)
{
    CK_OBJECT_HANDLE object;

    must(make_object(open_session(), &object) == CKR_OK);
    must_size(1, fault_count("sessions left open"));
    must(fn->C_Finalize(NULL) == CKR_OK);
    must_size(1, fault_count("sessions left open"));
    must_size(1, fault_count("objects left behind"));
    must_size(1, fault_count("most objects"));
}

Test(fault, takes_what_it_refused_to_end_for_ended)
{
    CK_SESSION_HANDLE session = open_session();
    CK_OBJECT_HANDLE object;

    must(make_object(session, &object) == CKR_OK);
    fault_script(&s, "C_DestroyObject * fail CKR_GENERAL_ERROR\n"
                     "C_CloseSession * fail CKR_GENERAL_ERROR");
    must(fn->C_DestroyObject(session, object) == CKR_GENERAL_ERROR);
    must(fn->C_CloseSession(session) == CKR_GENERAL_ERROR);
    finish(NULL);
}

Test(fault, sees_handles_that_are_no_more)
{
    CK_SESSION_HANDLE session = open_session(), other = open_session();
    CK_OBJECT_HANDLE object;

    must(make_object(session, &object) == CKR_OK);
    must(fn->C_DestroyObject(session, object) == CKR_OK);
    must(fn->C_DestroyObject(session, object) == CKR_OBJECT_HANDLE_INVALID);
    must(fn->C_CloseSession(session) == CKR_OK);
    must(random_byte(session) == CKR_SESSION_HANDLE_INVALID);
    must_size(2, fault_count("calls on a handle that was closed"));
    must(random_byte(12345) == CKR_SESSION_HANDLE_INVALID);
    must_size(1, fault_count("calls on a handle that was never given"));
    must(fn->C_Finalize(NULL) == CKR_OK);
    must(random_byte(other) == CKR_CRYPTOKI_NOT_INITIALIZED);
    must_size(1, fault_count("calls without an initialisation"));
    initialize();
    must_size(0, fault_count("calls on a handle of an older initialisation"));
    must(random_byte(other) == CKR_SESSION_HANDLE_INVALID);
    must_size(1, fault_count("calls on a handle of an older initialisation"));
}

Test(fault, sees_a_refused_pin_again)
{
    CK_SESSION_HANDLE session = open_session();

    must(log_in(session, "wrong") == CKR_PIN_INCORRECT);
    must(log_in(session, "again") == CKR_PIN_INCORRECT);
    must_size(0, fault_count("refused PINs sent again"));
    must(log_in(session, "wrong") == CKR_PIN_INCORRECT);
    must_size(1, fault_count("refused PINs sent again"));
    fault_script(&s, "C_Login * fail CKR_PIN_LOCKED");
    must(log_in(session, STAND_PIN) == CKR_PIN_LOCKED);
    must(log_in(session, STAND_PIN) == CKR_PIN_LOCKED);
    must_size(2, fault_count("refused PINs sent again"));
}

static void *use(void *arg)
{
    must(random_byte(*(CK_SESSION_HANDLE *)arg) == CKR_OK);
    return NULL;
}

static void use_meanwhile(CK_SESSION_HANDLE *session, pthread_t *thread)
{
    must(pthread_create(thread, NULL, use, session) == 0);
    while (fault_count("C_GenerateRandom") == 0) {
        usleep(1000);
    }
}

Test(fault, sees_two_calls_in_one_session)
{
    CK_SESSION_HANDLE session = open_session();
    pthread_t thread;

    fault_script(&s, "C_GenerateRandom * wait 20000");
    use_meanwhile(&session, &thread);
    (void)fn->C_Logout(session);
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_size(1, fault_count("calls on a session that another call was using"));
    must_size(2, fault_count("most calls in flight"));
}

Test(fault, sees_a_finalisation_amid_a_call)
{
    CK_SESSION_HANDLE session = open_session();
    pthread_t thread;

    fault_script(&s, "C_GenerateRandom * wait 20000\nC_Finalize * fail CKR_OK");
    use_meanwhile(&session, &thread);
    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_script(&s, "# goes on");
    must(pthread_join(thread, NULL) == 0);
    must_size(1, fault_count("finalisations with a call in flight"));
}

Test(fault, sees_a_child_on_its_parents_sessions)
{
    CK_SESSION_HANDLE session = open_session();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        (void)random_byte(session);
        _exit((int)fault_count("calls in a child on what its parent initialised"));
    }
    must(waitpid(pid, &status, 0) == pid);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    must_size(0, fault_count("calls in a child on what its parent initialised"));
}

Test(fault, writes_what_it_saw)
{
    char path[128], line[128], begin[80];
    bool calls = false, left = false;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/report", s.dir);
    must(setenv("FAULT_REPORT", path, 1) == 0);
    (void)open_session();
    must(fn->C_Finalize(NULL) == CKR_OK);
    f = fopen(path, "r");
    must(f != NULL);
    (void)snprintf(begin, sizeof(begin), "%-52s %10d\n", "sessions left open", 1);
    while (fgets(line, sizeof(line), f) != NULL) {
        left = left || strcmp(line, begin) == 0;
        calls = calls || strncmp(line, "C_OpenSession ", 14) == 0;
    }
    (void)fclose(f);
    must(calls && left);
}
