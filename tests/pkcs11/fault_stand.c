/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_stand.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void fault_softhsm(stand *s)
{
    char path[128];

    stand_softhsm(s);
    (void)snprintf(s->module, sizeof(s->module), "%s", TESTS_FAULT);
    (void)snprintf(path, sizeof(path), "%s/script", s->dir);
    must(setenv("FAULT_MODULE", TESTS_SOFTHSM, 1) == 0);
    must(setenv("FAULT_SCRIPT", path, 1) == 0);
}

void fault_script(const stand *s, const char *format, ...)
{
    char text[2048], path[128], next[128];
    va_list args;

    va_start(args, format);
    must(vsnprintf(text, sizeof(text), format, args) < (int)sizeof(text));
    va_end(args);
    (void)snprintf(path, sizeof(path), "%s/script", s->dir);
    (void)snprintf(next, sizeof(next), "%s/script.next", s->dir);
    write_file(next, text);
    must(rename(next, path) == 0);
}

size_t fault_count(const char *what)
{
    static unsigned long (*tally)(const char *);

    if (tally == NULL) {
        void *module = dlopen(TESTS_FAULT, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

        must(module != NULL);
        *(void **)&tally = dlsym(module, "fault_tally");
        must(tally != NULL);
    }
    return tally(what);
}

void fault_clean(const char *but)
{
    static const char *const checks[] = {
        "calls without an initialisation",
        "calls on a handle of an older initialisation",
        "calls on a handle that was closed",
        "calls on a handle that was never given",
        "calls on a session that another call was using",
        "calls in a child on what its parent initialised",
        "refused PINs sent again",
        "finalisations with a call in flight",
        "sessions left open",
        "objects left behind",
    };

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (but == NULL || strcmp(but, checks[i]) != 0) {
            check_note("(%s)", checks[i]);
            must_size(0, fault_count(checks[i]));
        }
    }
    check_note("%s", "");
}
