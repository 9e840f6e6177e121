/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void call_fail(call *c, CK_RV rv)
{
    if (c->forward) {
        c->forward = false;
        c->rv = rv;
    }
}

static void do_fail(call *c, const rule *r)
{
    call_fail(c, r->code);
}

/* In slices, so that a test need not wait for the end of what hangs. */
static void do_wait(call *c, const rule *r)
{
    const struct timespec slice = {.tv_nsec = 2000000};
    struct timespec begun, now;
    unsigned long passed = 0;

    (void)c;
    watch_lock();
    watch_report();
    watch_unlock();
    clock_gettime(CLOCK_MONOTONIC, &begun);
    while (passed < r->number[0] && script_version() == r->version) {
        nanosleep(&slice, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (unsigned long)((now.tv_sec - begun.tv_sec) * 1000 +
                                 (now.tv_nsec - begun.tv_nsec) / 1000000);
    }
}

/* --- Losses. -------------------------------------------------------------------------- */

static void do_kill(call *c, const rule *r)
{
    lookup how;
    open_session *s;

    if (c->session != NULL && c->forward) {
        (void)inner->C_CloseSession(*c->session);
        watch_lock();
        s = session_get(c->ours, &how);
        if (s != NULL) {
            s->killed = true;
            (void)objects_end(c->ours, true);
        }
        watch_unlock();
    }
    call_fail(c, r->code);
}

static void do_logout(call *c, const rule *r)
{
    (void)r;
    if (c->session != NULL && c->forward && inner->C_Logout(*c->session) == CKR_OK) {
        watch_lock();
        handles_logout();
        watch_unlock();
    }
}

static void do_fork(call *c, const rule *r)
{
    pid_t pid = fork();

    (void)c;
    (void)r;
    if (pid == 0) {
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
}

static void do_none(call *c, const rule *r)
{
    (void)r;
    if (c->out_count != NULL) {
        *c->out_count = 0;
        call_fail(c, CKR_OK);
    }
}

static void do_limit(call *c, const rule *r)
{
    size_t open;

    watch_lock();
    open = sessions_open();
    watch_unlock();
    if (open >= r->number[0]) {
        call_fail(c, CKR_SESSION_COUNT);
    }
}

/* --- Refusals by what the call asks. ------------------------------------------------------ */

static void do_flag(call *c, const rule *r)
{
    if ((c->flags & r->number[0]) != 0) {
        call_fail(c, r->code);
    }
}

static void do_noflag(call *c, const rule *r)
{
    if ((c->flags & r->number[0]) == 0) {
        call_fail(c, r->code);
    }
}

static bool is_meant(const rule *r, const CK_ATTRIBUTE *a)
{
    return a->type == r->attribute &&
           (!r->valued || (a->ulValueLen == r->len && memcmp(a->pValue, r->bytes, r->len) == 0));
}

static bool has_meant(const call *c, const rule *r)
{
    for (size_t i = 0; i < LENGTH(c->templates); i++) {
        for (CK_ULONG j = 0; c->templates[i].list != NULL && j < c->templates[i].count; j++) {
            if (is_meant(r, &(*c->templates[i].list)[j])) {
                return true;
            }
        }
    }
    return false;
}

static void do_refuse(call *c, const rule *r)
{
    if (has_meant(c, r)) {
        call_fail(c, r->code);
    }
}

static void do_demand(call *c, const rule *r)
{
    if (!has_meant(c, r)) {
        call_fail(c, r->code);
    }
}

/* The count of a template is the caller's, so the first attribute is said twice instead. */
static void do_strip(call *c, const rule *r)
{
    attributes *t = &c->templates[c->templates[1].list == NULL ? 0 : 1];

    if (t->list == NULL || t->count > LENGTH(c->stripped) || !has_meant(c, r)) {
        return;
    }
    for (CK_ULONG i = 0; i < t->count; i++) {
        c->stripped[i] = is_meant(r, &(*t->list)[i]) ? (*t->list)[0] : (*t->list)[i];
    }
    *t->list = c->stripped;
}

static void do_key(call *c, const rule *r)
{
    uint8_t value[MOST_BYTES];
    CK_ATTRIBUTE a = {r->attribute, value, sizeof(value)};

    if (c->objects[0] == NULL || !c->forward) {
        return;
    }
    if (inner->C_GetAttributeValue(*c->session, *c->objects[0], &a, 1) != CKR_OK ||
        !is_meant(r, &a)) {
        call_fail(c, r->code);
    }
}

static void do_hide(call *c, const rule *r)
{
    CK_ATTRIBUTE *list = c->templates[0].list == NULL ? NULL : *c->templates[0].list;

    for (CK_ULONG i = 0; list != NULL && i < c->templates[0].count && i < MOST_HITS; i++) {
        c->changed[i] = list[i];
        if (list[i].type == CKA_CLASS && *(CK_OBJECT_CLASS *)list[i].pValue == r->number[0]) {
            c->changed_class = CKO_VENDOR_DEFINED | r->number[0]; /* of which there are none */
            c->changed[i].pValue = &c->changed_class;
            *c->templates[0].list = c->changed;
        }
    }
}

/* X25519, X448 and uncompressed points of P-256, P-384 and P-521. */
static bool is_raw_len(CK_ULONG len)
{
    return len == 32 || len == 56 || len == 65 || len == 97 || len == 133;
}

static void refuse_point(call *c, const rule *r, bool raw)
{
    const CK_MECHANISM *m = c->mechanism;

    if (m != NULL && m->mechanism == CKM_ECDH1_DERIVE &&
        is_raw_len(((CK_ECDH1_DERIVE_PARAMS *)m->pParameter)->ulPublicDataLen) == raw) {
        call_fail(c, r->code);
    }
}

static void do_raw(call *c, const rule *r)
{
    refuse_point(c, r, true);
}

static void do_der(call *c, const rule *r)
{
    refuse_point(c, r, false);
}

/* --- Logins. --------------------------------------------------------------------------------- */

static void do_pinpad(call *c, const rule *r)
{
    if (c->pin != NULL && *c->pin == NULL) {
        *c->pin = (CK_BYTE *)(uintptr_t)r->bytes;
        *c->pin_len = r->len;
    }
}

/* The wrapped module knows no login for one operation, or not for this one. */
static void do_context(call *c, const rule *r)
{
    bool right = c->pin != NULL && *c->pin != NULL && *c->pin_len == r->len &&
                 memcmp(*c->pin, r->bytes, r->len) == 0;

    if (c->pin != NULL && c->user == CKU_CONTEXT_SPECIFIC) {
        call_fail(c, right ? CKR_OK : CKR_PIN_INCORRECT);
    }
}

static void do_fresh(call *c, const rule *r)
{
    if (!c->fresh) {
        call_fail(c, r->code);
    }
}

/* --- Slots, handles, versions. ------------------------------------------------------------------
 */

static void do_slots_before(call *c, const rule *r)
{
    if (c->slot == NULL) {
        return;
    }
    if (*c->slot < r->number[0]) {
        call_fail(c, CKR_SLOT_ID_INVALID);
    } else {
        *c->slot -= r->number[0];
    }
}

static void do_slots_after(call *c, const rule *r)
{
    if (c->rv == CKR_OK && c->session_info != NULL) {
        c->session_info->slotID += r->number[0];
    }
    for (CK_ULONG i = 0; c->rv == CKR_OK && c->slots != NULL && i < *c->out_count; i++) {
        c->slots[i] += r->number[0];
    }
}

static void do_renumber(call *c, const rule *r)
{
    (void)r;
    c->renumber = true; /* once it is initialised, and was not before */
}

static void do_version(call *c, const rule *r)
{
    c->version.major = (CK_BYTE)(r->number[0] / 100);
    c->version.minor = (CK_BYTE)(r->number[0] % 100);
}

static void do_set(call *c, const rule *r)
{
    if (c->rv == CKR_OK && c->token_info != NULL) {
        c->token_info->flags |= r->number[0];
    }
}

static void do_clear(call *c, const rule *r)
{
    if (c->rv == CKR_OK && c->token_info != NULL) {
        c->token_info->flags &= ~r->number[0];
    }
}

static void do_serial(call *c, const rule *r)
{
    if (c->rv == CKR_OK && c->token_info != NULL) {
        size_t room = sizeof(c->token_info->serialNumber);

        memset(c->token_info->serialNumber, ' ', room);
        memcpy(c->token_info->serialNumber, r->bytes, r->len < room ? r->len : room);
    }
}

static void do_late(call *c, const rule *r)
{
    if (c->rv == CKR_OK) {
        c->rv = r->code;
    }
}

const action actions[] = {
    {"fail", "c", do_fail, NULL},
    {"wait", "n", do_wait, NULL},
    {"kill", "c", do_kill, NULL},
    {"logout", "", do_logout, NULL},
    {"fork", "", do_fork, NULL},
    {"none", "", do_none, NULL},
    {"limit", "n", do_limit, NULL},
    {"flag", "nc", do_flag, NULL},
    {"noflag", "nc", do_noflag, NULL},
    {"refuse", "ac", do_refuse, NULL},
    {"demand", "ac", do_demand, NULL},
    {"strip", "a", do_strip, NULL},
    {"key", "ac", do_key, NULL},
    {"hide", "n", do_hide, NULL},
    {"raw", "c", do_raw, NULL},
    {"der", "c", do_der, NULL},
    {"pinpad", "t", do_pinpad, NULL},
    {"context", "t", do_context, NULL},
    {"fresh", "c", do_fresh, NULL},
    {"slots", "n", do_slots_before, do_slots_after},
    {"renumber", "", do_renumber, NULL},
    {"version", "n", do_version, NULL},
    {"late", "c", NULL, do_late},
    {"set", "n", NULL, do_set},
    {"clear", "n", NULL, do_clear},
    {"serial", "t", NULL, do_serial},
    {"length", "an", edit_borrow, edit_length},
    {"drop", "ann", edit_borrow, edit_drop},
    {"insert", "anh", edit_borrow, edit_insert},
    {"answer", "ah", edit_borrow, edit_answer},
    {"absent", "a", edit_borrow, edit_absent},
    {"keep", "a", edit_borrow, edit_keep},
    {"tight", "ac", edit_borrow, edit_tight},
};
const size_t action_count = LENGTH(actions);
