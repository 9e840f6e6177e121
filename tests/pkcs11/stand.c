/* SPDX-License-Identifier: Apache-2.0 */
#include "stand.h"

#include <dlfcn.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

void run_quietly(const char *format, ...)
{
    char command[2048] = "exec >/dev/null 2>&1; ";
    size_t used = strlen(command);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command + used, sizeof(command) - used, format, args);
    va_end(args);
    check_note("%s", command);
    must(system(command) == 0);
    check_note("%s", "");
}

void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    must(f != NULL);
    must(fchmod(fileno(f), 0600) == 0);
    must(fputs(text, f) >= 0);
    must(fclose(f) == 0);
}

/* --- Events. ------------------------------------------------------------------------- */

static void on_event(void *arg, const tw_token_event *event)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    stand *s = arg;

    must(event->size == sizeof(*event));
    must(event->message != NULL && strstr(event->message, STAND_SECRET) == NULL);
    must(strchr(event->message, '\n') == NULL);
    pthread_mutex_lock(&lock); /* any thread's */
    s->events++;
    s->event_err = event->err;
    s->event_rv = event->rv;
    (void)snprintf(s->event_function, sizeof(s->event_function), "%s",
                   event->function == NULL ? "" : event->function);
    (void)snprintf(s->event_message, sizeof(s->event_message), "%s", event->message);
    pthread_mutex_unlock(&lock);
}

void check_event(const char *file, int line, stand *s, tw_err err, const char *function,
                 unsigned long rv, const char *part)
{
    check_note("(%u events, the last: %s, %s, 0x%lx: %s)", s->events, s->event_function,
               err_name(s->event_err), s->event_rv, s->event_message);
    if (s->events != 1 || s->event_err != err || s->event_rv != rv ||
        strcmp(s->event_function, function == NULL ? "" : function) != 0 ||
        strstr(s->event_message, part) == NULL) {
        check_failed(file, line, "not the event expected");
    }
    check_note("%s", "");
    s->events = 0;
}

void must_no_event(const stand *s)
{
    check_note("(the last event: %s)", s->event_message);
    must_size(0, s->events);
    check_note("%s", "");
}

void stand_forget(stand *s)
{
    s->events = 0;
}

/* --- Directories and tokens. ----------------------------------------------------------- */

static void begin(stand *s)
{
    const char *base = getenv("TMPDIR");

    *s = (stand){.options = {.size = sizeof(s->options), .event = on_event}};
    (void)snprintf(s->dir, sizeof(s->dir), "%.40s/twoway-test-XXXXXX",
                   base == NULL ? "/tmp" : base);
    must(mkdtemp(s->dir) != NULL);
    s->options.arg = s;
    s->options.module = s->module;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void stand_end(stand *s)
{
    if (s->dir[0] != '\0') {
        (void)nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        s->dir[0] = '\0';
    }
}

void stand_add(const stand *s, const char *label)
{
    (void)s;
    run_quietly("softhsm2-util --init-token --free --label '%s' --so-pin 12345678 --pin '%s'",
                label, STAND_PIN);
}

void stand_softhsm(stand *s)
{
    char path[128], text[256];

    begin(s);
    (void)snprintf(path, sizeof(path), "%s/tokens", s->dir);
    must(mkdir(path, 0700) == 0);
    (void)snprintf(text, sizeof(text),
                   "directories.tokendir = %s/tokens\nobjectstore.backend = file\n"
                   "log.level = ERROR\nslots.removable = false\n",
                   s->dir);
    (void)snprintf(path, sizeof(path), "%s/softhsm2.conf", s->dir);
    write_file(path, text);
    must(setenv("SOFTHSM2_CONF", path, 1) == 0);
    (void)snprintf(s->module, sizeof(s->module), "%s", TESTS_SOFTHSM);
    s->token = "hpke";
    stand_add(s, "hpke");
}

static void *shim_symbol(const char *name)
{
    void *module = dlopen(TESTS_SHIM, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol;

    must(module != NULL);
    symbol = dlsym(module, name);
    must(symbol != NULL);
    return symbol;
}

void stand_shim(stand *s)
{
    stand_softhsm(s);
    must(setenv("TWOWAY_SHIM_MODULE", TESTS_SOFTHSM, 1) == 0);
    (void)snprintf(s->module, sizeof(s->module), "%s", TESTS_SHIM);
    shim_clear();
}

shim *shim_state(void)
{
    shim *(*control)(void);

    *(void **)&control = shim_symbol("shim_control");
    return control();
}

void shim_clear(void)
{
    void (*reset)(void);

    *(void **)&reset = shim_symbol("shim_reset");
    reset();
}

void shim_says(shim_rule rule)
{
    void (*add)(shim_rule);

    *(void **)&add = shim_symbol("shim_rule_add");
    add(rule);
}

#ifdef TESTS_NSS
void stand_nss(stand *s)
{
    begin(s);
    s->nss = true;
    (void)snprintf(s->module, sizeof(s->module), "%s", TESTS_NSS);
    (void)snprintf(
        s->init_args, sizeof(s->init_args),
        "configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=", s->dir);
    s->options.init_args = s->init_args;
    s->token = "NSS%20Certificate%20DB";
    run_quietly("printf %%s '%s' > %s/pw && chmod 600 %s/pw && certutil -N -d sql:%s -f %s/pw",
                STAND_PIN, s->dir, s->dir, s->dir, s->dir);
}

void stand_fips(stand *s)
{
    stand_nss(s);
    run_quietly("modutil -fips true -dbdir sql:%s -force", s->dir);
    (void)snprintf(s->module, sizeof(s->module), "%s", TESTS_FIPS);
    must(setenv("TWOWAY_FIPS_MODULE", TESTS_NSS, 1) == 0);
    s->token = "NSS%20FIPS%20140-2%20Certificate%20DB";
}
#endif

void stand_there(stand *s, const char *module, const char *init_args, const char *token,
                 const char *pin)
{
    begin(s);
    (void)snprintf(s->module, sizeof(s->module), "%s", module);
    (void)snprintf(s->init_args, sizeof(s->init_args), "%s", init_args);
    s->options.init_args = init_args[0] == '\0' ? NULL : s->init_args;
    s->token = token;
    s->pin = pin;
}

/* --- Opening. ----------------------------------------------------------------------------- */

static const char *uri(const stand *s, const char *path, const char *query, const char *pin)
{
    static char texts[8][512];
    static unsigned next;
    char *text = texts[next++ % 8];

    (void)snprintf(text, sizeof(texts[0]), "pkcs11:token=%s%s%s%s", s->token, path, query, pin);
    return text;
}

const char *stand_uri(const stand *s, const char *path)
{
    return uri(s, path, "?pin-value=", s->pin == NULL ? STAND_PIN : s->pin);
}

const char *stand_uri_without_pin(const stand *s, const char *path)
{
    return uri(s, path, "", "");
}

tw_token *stand_open(stand *s)
{
    tw_token *token;

    check_note("(%s)", s->event_message);
    must_ok(tw_token_open(stand_uri(s, ""), &s->options, &token));
    must(token != NULL);
    return token;
}

tw_key *stand_key(stand *s, tw_token *token, uint16_t kem_id, const char *label)
{
    const uint8_t id[2] = {(uint8_t)label[0], (uint8_t)kem_id};
    char path[64];
    tw_key *key;

    must_ok(tw_token_generate(token, kem_id, label, id, sizeof(id), &key));
    tw_key_free(key);
    (void)snprintf(path, sizeof(path), ";object=%s", label);
    must_ok(tw_token_find_key(token, stand_uri(s, path), NULL, 0, &key));
    must_no_event(s);
    return key;
}

/* --- Others in the process. ---------------------------------------------------------------- */

CK_FUNCTION_LIST *stand_raw(const stand *s)
{
    void *module = dlopen(s->module, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    CK_FUNCTION_LIST *fn = NULL;
    CK_C_GetFunctionList get;

    must(module != NULL);
    *(void **)&get = dlsym(module, "C_GetFunctionList");
    must(get != NULL && get(&fn) == CKR_OK);
    return fn;
}

/* On the slot that holds an initialised token, SoftHSM's first or NSS's last; logged in by whoever
 * is. */
CK_SESSION_HANDLE raw_session(const stand *s, CK_FUNCTION_LIST *fn)
{
    CK_SLOT_ID slots[8];
    CK_ULONG count = 8;
    CK_SESSION_HANDLE session;

    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    must(count > 0);
    must(fn->C_OpenSession(slots[s->nss ? count - 1 : 0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                           NULL, &session) == CKR_OK);
    return session;
}

CK_OBJECT_HANDLE raw_find(CK_FUNCTION_LIST *fn, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                          const char *label)
{
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof(class)},
                            {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    must(fn->C_FindObjectsInit(session, match, 2) == CKR_OK);
    must(fn->C_FindObjects(session, &object, 1, &count) == CKR_OK);
    must(fn->C_FindObjectsFinal(session) == CKR_OK);
    must(count == 1);
    return object;
}

void raw_destroy(const stand *s, CK_OBJECT_CLASS class, const char *label)
{
    CK_FUNCTION_LIST *fn = stand_raw(s);
    CK_SESSION_HANDLE session = raw_session(s, fn);

    must(fn->C_DestroyObject(session, raw_find(fn, session, class, label)) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
}

long ms_since(const struct timespec *begun)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begun->tv_sec) * 1000 + (now.tv_nsec - begun->tv_nsec) / 1000000;
}

void must_succeed(int (*child)(void))
{
    pid_t pid = fork();
    int status;

    must(pid >= 0);
    if (pid == 0) {
        (void)alarm(CHILD_SECONDS);
        _exit(child());
    }
    must(waitpid(pid, &status, 0) == pid);
    check_note("(the child's status is 0x%x)", (unsigned)status);
    must(status == 0);
    check_note("%s", "");
}
