/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static const char *const steps[] = {
    "module", "slot", "token",  "login",    "key",      "attributes", "public", "S1",
    "S2",     "S3",   "policy", "speed",    "leftover", "scratch",    "made",   "read",
    "copy",   "wrap", "loosen", "template", "removed",  "verdict",
};

static const char *const verdicts[] = {"ok", "no", "weak", "failed", "unknown"};

static size_t place_of(const char *step)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(steps[i], step) == 0) {
            return i;
        }
    }
    check_note("(%s)", step);
    check_failed(__FILE__, __LINE__, "a step that is known");
}

static void must_be_clean(const char *text)
{
    check_note("(%s)", text);
    must(text[0] != '\0');
    must(strstr(text, STAND_SECRET) == NULL);
    for (const char *p = text; *p != '\0'; p++) {
        must((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    check_note("%s", "");
}

static tw_err collect(void *arg, const tw_token_finding *finding)
{
    findings *f = arg;
    struct finding *to = &f->list[f->count];

    must(finding->size == sizeof(*finding) && f->count < MOST_FINDINGS);
    must_be_clean(finding->text);
    if (finding->advice != NULL) {
        must_be_clean(finding->advice);
    }
    must((finding->verdict == TW_VERDICT_FAILED) == (finding->err != TW_OK));
    must(f->count == 0 || place_of(finding->step) > place_of(to[-1].step));
    (void)snprintf(to->step, sizeof(to->step), "%s", finding->step);
    (void)snprintf(to->text, sizeof(to->text), "%s", finding->text);
    (void)snprintf(to->advice, sizeof(to->advice), "%s",
                   finding->advice == NULL ? "" : finding->advice);
    to->verdict = finding->verdict;
    to->err = finding->err;
    f->count++;
    if (f->at != NULL) {
        f->at(finding->step);
    }
    return f->stop_at != NULL && strcmp(f->stop_at, finding->step) == 0 ? TW_ERR_IO : TW_OK;
}

static const char *all_of(const findings *f)
{
    static char text[1024];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < f->count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%s", i == 0 ? "" : " ",
                                 f->list[i].step, verdicts[f->list[i].verdict]);
    }
    return text;
}

tw_err check_uri(stand *s, const char *uri, const tw_token_check_options *check, findings *out)
{
    tw_token_check_options quick = {.size = sizeof(quick)};
    const struct finding *last;
    tw_err err;

    if (check != NULL) {
        quick = *check;
    }
    quick.speed_ms = 1;
    err = tw_token_check(uri, &s->options, &quick, collect, out);
    if (out->count == 0 || err == TW_ERR_IO) {
        return err;
    }
    last = &out->list[out->count - 1];
    check_note("(%s)", all_of(out));
    must(strcmp(last->step, "verdict") == 0 && last->err == err);
    must_size(err == TW_OK ? 0 : 1, s->events);
    must((finding_of(out, "scratch") == NULL) == (finding_of(out, "removed") == NULL) ||
         finding_of(out, "scratch")->verdict != TW_VERDICT_OK);
    check_note("%s", "");
    stand_forget(s);
    return err;
}

tw_err check_key(stand *s, const char *path, const tw_token_check_options *check, findings *out)
{
    return check_uri(s, stand_uri(s, path), check, out);
}

void check_findings(const char *file, int line, const findings *f, const char *want)
{
    check_note("(%s)", all_of(f));
    if (strcmp(all_of(f), want) != 0) {
        check_failed(file, line, want);
    }
    check_note("%s", "");
}

const struct finding *finding_of(const findings *f, const char *step)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->list[i].step, step) == 0) {
            return &f->list[i];
        }
    }
    return NULL;
}

void must_say(const findings *f, const char *step, const char *part)
{
    const struct finding *found = finding_of(f, step);

    check_note("(%s: %s)", step, found == NULL ? "" : found->text);
    must(found != NULL && strstr(found->text, part) != NULL);
    check_note("%s", "");
}

void must_advise(const findings *f, const char *step, const char *part)
{
    const struct finding *found = finding_of(f, step);

    check_note("(%s: %s)", step, found == NULL ? "" : found->advice);
    must(found != NULL && strstr(found->advice, part) != NULL);
    check_note("%s", "");
}

/* By a session of its own, in an initialisation of its own unless there is one. */
size_t stand_objects(stand *s)
{
    CK_FUNCTION_LIST *fn = stand_raw(s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK,
                                 .pReserved = s->nss ? s->init_args : NULL};
    CK_RV rv = fn->C_Initialize(&args);
    CK_OBJECT_HANDLE found[64];
    CK_SESSION_HANDLE session;
    CK_ULONG count;
    CK_RV in;

    must(rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED);
    session = raw_session(s, fn);
    in = fn->C_Login(session, CKU_USER, (CK_UTF8CHAR *)STAND_PIN, strlen(STAND_PIN));
    must(in == CKR_OK || in == CKR_USER_ALREADY_LOGGED_IN);
    must(fn->C_FindObjectsInit(session, NULL, 0) == CKR_OK);
    must(fn->C_FindObjects(session, found, 64, &count) == CKR_OK);
    must(fn->C_FindObjectsFinal(session) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    must(count < 64);
    if (rv == CKR_OK) {
        must(fn->C_Finalize(NULL) == CKR_OK);
    }
    return count;
}
