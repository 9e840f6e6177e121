/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <string.h>

/* The login belongs to the application, not to a session: another part of the process
 * may have done it, or undone it. */
bool twp_session_is_user(tw_token *t, const session *s)
{
    CK_SESSION_INFO info = {0};

    return t->module->fn->C_GetSessionInfo(s->handle, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

/* Not the opposite: there are tokens that do not say. */
bool twp_session_is_public(tw_token *t, const session *s)
{
    CK_SESSION_INFO info = {0};

    return t->module->fn->C_GetSessionInfo(s->handle, &info) == CKR_OK &&
           (info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RW_PUBLIC_SESSION);
}

static refusal *find_refusal(tw_token *t, const char *pin, size_t len)
{
    for (size_t i = 0; i < KEPT_REFUSALS; i++) {
        refusal *r = &t->refused[i];

        if (r->rv != CKR_OK && r->len == len && memcmp(r->pin, pin, len) == 0) {
            return r;
        }
    }
    return NULL;
}

#define FEW_TRIES ((CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY))

enum {
    SHORTEST_PAUSE_MS = 200,
    LONGEST_PAUSE_MS = 60000,
};

/* A vendor's own code may well say that the PIN is wrong. A device that fails, as the standard has
 * it, may be back soon: it gets another chance by and by, in ever longer pauses. */
static unsigned pause_ms(CK_RV rv, unsigned sent)
{
    unsigned ms = rv >= CKR_VENDOR_DEFINED ? LONGEST_PAUSE_MS : SHORTEST_PAUSE_MS;

    while (sent-- > MOST_SENT && ms < LONGEST_PAUSE_MS) {
        ms *= 2;
    }
    return ms < LONGEST_PAUSE_MS ? ms : LONGEST_PAUSE_MS;
}

/* Each refusal brings a token nearer to locking itself, and some never open again: what
 * was refused is kept, to be recognised. */
static void remember_refused(tw_token *t, CK_RV rv, CK_FLAGS flags, const char *pin, size_t len)
{
    refusal *r = find_refusal(t, pin, len);

    if (r == NULL) {
        r = &t->refused[t->refused_next++ % KEPT_REFUSALS];
        tw_wipe(r, sizeof(*r));
        memcpy(r->pin, pin, len);
        r->len = len;
    }
    r->rv = rv;
    r->sent++;
    r->tries = flags & FEW_TRIES;
    r->generation = atomic_load(&t->module->generation);
    r->again = twp_time_in(pause_ms(rv, r->sent));
}

static void note_accepted(tw_token *t, const char *pin, size_t len)
{
    refusal *r = find_refusal(t, pin, len);

    t->accepted = true;
    if (r != NULL) {
        tw_wipe(r, sizeof(*r));
    }
}

/* A token that was seen locked and is not any more has got a new PIN, or its old one back. */
static void note_locked(tw_token *t, bool locked)
{
    for (size_t i = 0; t->seen_locked && !locked && i < KEPT_REFUSALS; i++) {
        refusal *r = &t->refused[i];

        if (r->rv == CKR_PIN_LOCKED || r->rv == CKR_PIN_EXPIRED) {
            tw_wipe(r, sizeof(*r));
        }
    }
    t->seen_locked = locked;
}

/* The failures that come before any look at the PIN; all others may have cost a try. */
static bool before_pin(CK_RV rv)
{
    static const CK_RV known[] = {
        CKR_HOST_MEMORY,
        CKR_SLOT_ID_INVALID,
        CKR_SESSION_CLOSED,
        CKR_SESSION_HANDLE_INVALID,
        CKR_TOKEN_NOT_PRESENT,
        CKR_TOKEN_NOT_RECOGNIZED,
        CKR_DEVICE_REMOVED,
        CKR_CRYPTOKI_NOT_INITIALIZED,
        CKR_USER_PIN_NOT_INITIALIZED,
        CKR_USER_TOO_MANY_TYPES,
        CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
        CKR_SESSION_READ_WRITE_SO_EXISTS,
    };

    for (size_t i = 0; i < LENGTH(known); i++) {
        if (known[i] == rv) {
            return true;
        }
    }
    return false;
}

static tw_err send_pin(tw_token *t, session *s, CK_USER_TYPE user, CK_FLAGS flags, char *pin,
                       size_t len, failure *why)
{
    CK_RV rv;

    /* Handles of private objects found under an earlier login end with this one, for every
     * token of the module: who sees it sees that. */
    if (user == CKU_USER) {
        atomic_fetch_add(&t->module->logins, 1);
    }
    atomic_fetch_add_explicit(&t->counters.logins, 1, memory_order_relaxed);
    rv = t->module->fn->C_Login(s->handle, user, (CK_UTF8CHAR *)pin, len);
    /* C_DeriveKey is an operation without a beginning. A token that wants one before this login
     * may do without either: it says so when the key is used. */
    if (user == CKU_CONTEXT_SPECIFIC && rv == CKR_OPERATION_NOT_INITIALIZED) {
        return TW_OK;
    }
    if (rv == CKR_OK && pin != NULL) {
        note_accepted(t, pin, len);
    }
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        return TW_OK;
    }
    (void)twp_fail_rv(why, "C_Login", rv);
    if (pin == NULL) {
        why->loss = LOSS_NONE; /* nobody is asked twice for one operation */
    } else if (!before_pin(rv)) {
        remember_refused(t, rv, flags, pin, len);
    }
    return why->err;
}

/* Whether what C_Login failed with may have been the device's failure alone. Then the PIN is
 * sent once more: at once where one was accepted before, or else to a module that was
 * initialised anew since; and with one accepted before, from then on after each pause. A token
 * that has begun to count, or come to the last try, has answered. */
static bool may_send_again(const tw_token *t, const refusal *r, CK_FLAGS flags)
{
    bool counted = (flags & FEW_TRIES & ~r->tries) != 0;

    return twp_rv_judge(r->rv).err != TW_ERR_TOKEN_PIN && !counted &&
           (r->sent < MOST_SENT || (t->accepted && twp_time_passed(&r->again)));
}

static tw_err check_refusal(tw_token *t, const refusal *r, CK_FLAGS flags, failure *why)
{
    bool again = may_send_again(t, r, flags);

    if (again && (t->accepted || r->generation != atomic_load(&t->module->generation))) {
        return TW_OK;
    }
    (void)twp_fail_rv(why, "C_Login", r->rv);
    twp_fail_add(why, "so it failed before with this PIN, which was not sent now");
    why->loss = again ? LOSS_MODULE : LOSS_NONE; /* the ladder may climb to a new module */
    return why->err;
}

/* What may be sent: never what was refused, and not the last try unless a person is there
 * to know what it costs: a service that is restarted again and again spends them all. */
static tw_err check_pin(tw_token *t, const char *pin, size_t len, CK_FLAGS flags, bool attended,
                        failure *why)
{
    const refusal *r = find_refusal(t, pin, len);
    tw_err err = r == NULL ? TW_OK : check_refusal(t, r, flags, why);

    if (err != TW_OK) {
        return err;
    }
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0 && !attended) {
        return twp_fail_text(
            why, TW_ERR_TOKEN_PIN,
            "one more wrong PIN locks the token: log in once by hand, with a PIN that "
            "is asked for, before one from a file or URI is sent");
    }
    return TW_OK;
}

/* Once, and no refusal: below a closed folder, or in a container, the mode alone says little. */
static void tell_open_file(tw_token *t)
{
    failure note = {0};

    if (!t->told_open) {
        (void)twp_fail_text(&note, TW_OK,
                            "everybody may read or change the PIN file %s: chmod o= it",
                            p11_kit_uri_get_pin_source(t->uri.uri));
        twp_token_report(t, "log in", &note);
    }
    t->told_open = true;
}

static tw_err log_in(tw_token *t, session *s, CK_USER_TYPE user, const CK_TOKEN_INFO *info,
                     failure *why)
{
    char pin[TW_TOKEN_MAX_PIN], label[sizeof(info->label) + 1];
    pin_facts facts;
    size_t len = 0;
    tw_err err;

    note_locked(t, (info->flags & CKF_USER_PIN_LOCKED) != 0);
    if ((info->flags & CKF_USER_PIN_LOCKED) != 0) {
        return twp_fail_rv(why, "C_GetTokenInfo", CKR_PIN_LOCKED);
    }
    if ((info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {
        return send_pin(t, s, user, info->flags, NULL, 0, why); /* typed on the token itself */
    }
    twp_slot_text(info->label, sizeof(info->label), label);
    err = twp_pin_get(&t->opt, &t->uri, label, pin, &len, &facts, why);
    if (facts.open_to_all) {
        tell_open_file(t);
    }
    if (err == TW_OK) {
        err = check_pin(t, pin, len, info->flags, facts.attended, why);
    }
    if (err == TW_OK) {
        err = send_pin(t, s, user, info->flags, pin, len, why);
    }
    tw_wipe(pin, sizeof(pin));
    return err;
}

/* Its flags as they are now. A PIN is for one token, whatever is in the slot by now. */
static tw_err token_info(tw_token *t, CK_TOKEN_INFO *out, failure *why)
{
    CK_SLOT_ID slot;
    CK_RV rv;

    pthread_mutex_lock(&t->lock);
    slot = t->slot;
    pthread_mutex_unlock(&t->lock);
    rv = t->module->fn->C_GetTokenInfo(slot, out);
    if (rv != CKR_OK) {
        return twp_fail_rv(why, "C_GetTokenInfo", rv);
    }
    if (!twp_slot_same(out, &t->info)) {
        (void)twp_fail_text(why, TW_ERR_TOKEN_ABSENT, "another token is in its slot");
        why->loss = LOSS_SLOT;
        return why->err;
    }
    return TW_OK;
}

/* SoftHSM, once it was logged into on a read-only file system, cannot tell of itself, but serves. A
 * new token in its slot would have no user yet. */
static tw_err user_token_info(tw_token *t, CK_TOKEN_INFO *out, failure *why)
{
    tw_err err = token_info(t, out, why);

    if (why->rv == CKR_GENERAL_ERROR) {
        *why = (failure){0};
        return TW_OK;
    }
    return err;
}

tw_err twp_key_login(op *o)
{
    CK_TOKEN_INFO info = {0};
    tw_err err = token_info(o->token, &info, o->line.why);

    return err == TW_OK ? log_in(o->token, o->session, CKU_CONTEXT_SPECIFIC, &info, o->line.why)
                        : err;
}

tw_err twp_session_login(tw_token *t, op *o)
{
    session *s = o->session;
    failure *why = o->line.why;
    CK_TOKEN_INFO info = {0};
    tw_err err;

    /* Logged in or not: the slot may have got another token, which knows nothing of ours. */
    if (t->anonymous) {
        return token_info(t, &info, why);
    }
    if (twp_session_is_user(t, s)) {
        return user_token_info(t, &info, why);
    }
    if (!twp_turn_take(&t->login, o->deadline)) {
        return twp_fail_text(why, TW_ERR_TOKEN_BUSY,
                             "another thread's login took longer than %u ms", t->opt.deadline_ms);
    }
    err = token_info(t, &info, why);
    if (err == TW_OK && (info.flags & CKF_LOGIN_REQUIRED) != 0 && !twp_session_is_user(t, s)) {
        err = log_in(t, s, CKU_USER, &info, why);
    }
    twp_turn_give(&t->login);
    return err;
}
