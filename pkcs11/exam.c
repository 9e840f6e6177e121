/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/*
 * The doctor: what an operator would have to find out with several tools, in the order in
 * which one thing needs the other.
 */

enum {
    DEFAULT_SPEED_MS = 300,
};

/* --- Telling. ------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void append(remark *r, const char *format,
                                                         va_list args)
{
    size_t used = strlen(r->text);

    (void)vsnprintf(r->text + used, sizeof(r->text) - used, format, args); /* a text may be cut */
}

void twp_remark(remark *r, tw_token_verdict v, const char *advice, const char *format, ...)
{
    va_list args;

    *r = (remark){.verdict = v, .advice = advice};
    va_start(args, format);
    append(r, format, args);
    va_end(args);
}

void twp_remark_add(remark *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    append(r, format, args);
    va_end(args);
}

static tw_err tell(exam *e, const char *step, const remark *r, tw_err err)
{
    char text[sizeof(r->text)];
    tw_token_finding finding = {.size = sizeof(finding),
                                .step = step,
                                .verdict = r->verdict,
                                .err = err,
                                .text = text,
                                .advice = r->advice};
    tw_err answer;

    memcpy(text, r->text, sizeof(text));
    twp_text_clean(text);
    answer = e->each(e->arg, &finding);
    if (e->stopped == TW_OK) {
        e->stopped = answer;
    }
    return e->stopped;
}

tw_err twp_exam_tell(exam *e, const char *step, const remark *r)
{
    return tell(e, step, r, TW_OK);
}

tw_err twp_exam_fail(exam *e, const char *step, const failure *why, const char *advice)
{
    remark r;
    char text[sizeof(r.text)];

    if (e->why.err == TW_OK) {
        e->why = *why;
        e->failed = step;
    }
    twp_fail_tell(why, text, sizeof(text));
    twp_remark(&r, TW_VERDICT_FAILED, advice, "%s", text);
    (void)tell(e, step, &r, why->err);
    return why->err;
}

const char *twp_exam_advice(tw_err err)
{
    switch (err) {
    case TW_ERR_TOKEN_PIN:
        return "check where the PIN comes from, and how many tries the token has left, before it "
               "is sent again";
    case TW_ERR_TOKEN_BUSY:
        return "close other users of the token, or wait for them";
    default:
        return "look after the token and what serves it";
    }
}

void twp_hex(const uint8_t *data, size_t len, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < len && n + 2 < cap; i++) {
        out[n++] = digits[data[i] >> 4];
        out[n++] = digits[data[i] & 15];
    }
    out[n] = '\0';
}

/* --- The module, the slot and the token. ------------------------------------------------ */

static void describe_module(module *m, remark *r)
{
    char maker[33], text[33];
    failure why = {0};
    CK_INFO info = {0};
    CK_RV rv = CKR_GENERAL_ERROR;

    twp_remark(r, TW_VERDICT_OK, NULL, "%s", m->path == NULL ? "configured" : m->path);
    if (twp_module_enter(m, NULL, &why) == TW_OK) {
        rv = m->fn->C_GetInfo(&info);
        twp_module_leave(m);
    }
    if (rv == CKR_OK) {
        twp_slot_text(info.manufacturerID, sizeof(info.manufacturerID), maker);
        twp_slot_text(info.libraryDescription, sizeof(info.libraryDescription), text);
        twp_remark_add(r, " (%s, %s, version %u.%u; PKCS #11 %u.%u)", maker, text,
                       info.libraryVersion.major, info.libraryVersion.minor,
                       info.cryptokiVersion.major, info.cryptokiVersion.minor);
    }
}

static void describe_slot(const place *p, remark *r)
{
    char text[65];
    failure why = {0};
    CK_SLOT_INFO info = {0};
    CK_RV rv = CKR_GENERAL_ERROR;

    twp_remark(r, TW_VERDICT_OK, NULL, "%lu", p->slot);
    if (twp_module_enter(p->module, NULL, &why) == TW_OK) {
        rv = p->module->fn->C_GetSlotInfo(p->slot, &info);
        twp_module_leave(p->module);
    }
    if (rv == CKR_OK) {
        twp_slot_text(info.slotDescription, sizeof(info.slotDescription), text);
        twp_remark_add(r, " (%s%s%s)", text, (info.flags & CKF_HW_SLOT) != 0 ? ", hardware" : "",
                       (info.flags & CKF_REMOVABLE_DEVICE) != 0 ? ", the token can be removed"
                                                                : "");
    }
}

static void describe_token(const CK_TOKEN_INFO *info, remark *r)
{
    char label[33], maker[33], model[17], serial[17];
    bool open = (info->flags & CKF_LOGIN_REQUIRED) == 0;

    twp_slot_text(info->label, sizeof(info->label), label);
    twp_slot_text(info->manufacturerID, sizeof(info->manufacturerID), maker);
    twp_slot_text(info->model, sizeof(info->model), model);
    twp_slot_text(info->serialNumber, sizeof(info->serialNumber), serial);
    twp_remark(r, open ? TW_VERDICT_WEAK : TW_VERDICT_OK,
               open ? "set a user PIN with the token's own tool: without one, whoever reaches the "
                      "token uses its keys"
                    : NULL,
               "'%s' (%s %s, serial %s)", label, maker, model, serial);
    if (open) {
        twp_remark_add(r, ", wants no login");
    }
    if ((info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {
        twp_remark_add(r, ", PIN typed on its own pad");
    }
    if ((info->flags & CKF_WRITE_PROTECTED) != 0) {
        twp_remark_add(r, ", write-protected");
    }
}

/* None or several: the modules have been looked through at least. */
static tw_err no_place(exam *e, const places *found, const failure *why)
{
    remark r;
    tw_err err;

    if (found->module_count == 1) {
        describe_module(found->modules[0], &r);
    } else {
        twp_remark(&r, TW_VERDICT_OK, NULL, "%zu that p11-kit has configured", found->module_count);
    }
    err = twp_exam_tell(e, "module", &r);
    return err == TW_OK ? twp_exam_fail(e, "token", why,
                                        "see what there is with twoway tokens; name one token by "
                                        "token= or serial= in the URI, its module by --module or "
                                        "module-path=")
                        : err;
}

static tw_err tell_place(exam *e, const place *p)
{
    remark r;
    tw_err err;

    describe_module(p->module, &r);
    err = twp_exam_tell(e, "module", &r);
    if (err == TW_OK) {
        describe_slot(p, &r);
        err = twp_exam_tell(e, "slot", &r);
    }
    if (err == TW_OK) {
        describe_token(&p->info, &r);
        err = twp_exam_tell(e, "token", &r);
    }
    return err;
}

static tw_err find_place(exam *e)
{
    failure why = {0};
    places found;
    place here = {0};
    tw_err err = twp_places_find(&found, &e->token->opt, &e->token->uri, &why);

    if (err != TW_OK) {
        bool slots = why.function != NULL && strcmp(why.function, "C_GetSlotList") == 0;

        return twp_exam_fail(e, slots ? "slot" : "module", &why,
                             "look whether the module is installed and whether what it needs (its "
                             "configuration, a service, a reader) is there for this user");
    }
    err = twp_places_only(&found, &here, &why);
    if (err != TW_OK) {
        err = no_place(e, &found, &why);
    } else {
        twp_token_settle(e->token, &here);
        err = tell_place(e, &here);
    }
    twp_places_clear(&found);
    return err;
}

/* --- The login. --------------------------------------------------------------------------- */

static tw_err nothing(op *o, void *arg)
{
    (void)o;
    (void)arg;
    return TW_OK;
}

static void describe_login(const tw_token *t, remark *r)
{
    CK_FLAGS flags = t->info.flags; /* as they were before */

    if ((flags & CKF_LOGIN_REQUIRED) == 0) {
        twp_remark(r, TW_VERDICT_OK, NULL, "none is wanted");
    } else if (atomic_load(&t->counters.logins) == 0) {
        twp_remark(r, TW_VERDICT_OK, NULL, "another part of this process had logged in");
    } else if ((flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY)) != 0) {
        twp_remark(r, TW_VERDICT_WEAK, "find out who sends wrong PINs to this token",
                   "the PIN was accepted; wrong ones had been sent before");
    } else if ((flags & CKF_USER_PIN_TO_BE_CHANGED) != 0) {
        twp_remark(r, TW_VERDICT_WEAK, "set a PIN of your own with the token's own tool",
                   "the PIN was accepted; it is the one that the token came with");
    } else {
        twp_remark(r, TW_VERDICT_OK, NULL, "the PIN was accepted");
    }
}

/* Once, whatever comes: another try could cost another of the PIN's. */
static tw_err log_in(exam *e)
{
    failure why = {0};
    tw_err err = twp_token_run(e->token, RUN_ONCE, nothing, NULL, &why);
    remark r;

    if (err != TW_OK) {
        return twp_exam_fail(e, "login", &why, twp_exam_advice(err));
    }
    describe_login(e->token, &r);
    return twp_exam_tell(e, "login", &r);
}

/* --- From the first step to the last. ------------------------------------------------------- */

static tw_err examine(exam *e)
{
    tw_err err = find_place(e);

    if (err == TW_OK) {
        err = log_in(e);
    }
    if (err == TW_OK) {
        err = twp_exam_key(e);
    }
    if (err == TW_OK) {
        err = twp_exam_speed(e);
    }
    if (err == TW_OK) {
        err = twp_exam_scratch(e);
    }
    return err;
}

static void conclude(exam *e)
{
    const strategy *way = e->key == NULL ? NULL : e->key->recipe.strategy;
    remark r;

    if (way == NULL) {
        twp_remark(&r, TW_VERDICT_FAILED, NULL, "the key cannot receive: '%s' failed", e->failed);
    } else if (e->why.err != TW_OK) {
        twp_remark(&r, TW_VERDICT_FAILED, NULL, "the key can receive, by %s, but '%s' failed",
                   way->name, e->failed);
    } else {
        twp_remark(&r, TW_VERDICT_OK, NULL, "the key can receive, by %s", way->name);
    }
    (void)tell(e, "verdict", &r, e->why.err);
}

/* A caller built against an older header has a shorter struct. */
static tw_err take_options(exam *e, const tw_token_check_options *check)
{
    e->opt = (tw_token_check_options){.size = sizeof(e->opt)};
    if (check != NULL) {
        if (check->size < offsetof(tw_token_check_options, public_key)) {
            return TW_ERR_INVALID;
        }
        memcpy(&e->opt, check, check->size < sizeof(e->opt) ? check->size : sizeof(e->opt));
    }
    if (e->opt.public_key == NULL && e->opt.public_len > 0) {
        return TW_ERR_INVALID;
    }
    e->opt.speed_ms = e->opt.speed_ms == 0 ? DEFAULT_SPEED_MS : e->opt.speed_ms;
    return TW_OK;
}

tw_err tw_token_check(const char *uri, const tw_token_options *options,
                      const tw_token_check_options *check,
                      tw_err (*each)(void *arg, const tw_token_finding *finding), void *arg)
{
    exam e = {.each = each, .arg = arg};
    failure why = {0};
    tw_err err;

    if (uri == NULL || each == NULL || take_options(&e, check) != TW_OK) {
        return TW_ERR_INVALID;
    }
    err = twp_token_new(uri, options, &e.token, &why);
    if (err != TW_OK) {
        return err;
    }
    (void)examine(&e);
    if (e.stopped == TW_OK) {
        conclude(&e);
    }
    if (e.why.err != TW_OK) {
        twp_token_report(e.token, "check key", &e.why);
    }
    twp_key_free(e.key);
    tw_token_free(e.token);
    return e.stopped != TW_OK ? e.stopped : e.why.err;
}
