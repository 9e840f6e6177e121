/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <string.h>

/* The login belongs to the application, not to a session: another part of the process
 * may have done it, or undone it. */
bool session_is_user(tw_token *t, const session *s)
{
    CK_SESSION_INFO info = {0};

    return t->module->fn->C_GetSessionInfo(s->handle, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

static bool was_refused(const tw_token *t, const char *pin, size_t len)
{
    return t->refused_rv != CKR_OK && t->refused_len == len &&
           memcmp(t->refused, pin, len) == 0;
}

/* Each refusal brings a token nearer to locking itself, and some never open again: what
 * was refused is kept, to be recognised. */
static void remember_refused(tw_token *t, CK_RV rv, const char *pin, size_t len)
{
    t->refused_rv = rv;
    t->refused_len = len;
    memcpy(t->refused, pin, len);
}

static tw_err send_pin(tw_token *t, session *s, char *pin, size_t len, failure *why)
{
    CK_RV rv;

    /* Handles of private objects found under an earlier login end with this one, for every
     * token of the module: who sees it sees that. */
    atomic_fetch_add(&t->module->logins, 1);
    rv = t->module->fn->C_Login(s->handle, CKU_USER, (CK_UTF8CHAR *)pin, len);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        return TW_OK;
    }
    (void)fail_rv(why, "C_Login", rv);
    if (pin != NULL && why->err == TW_ERR_TOKEN_PIN) {
        remember_refused(t, rv, pin, len);
    }
    return why->err;
}

/* What may be sent: never what was refused, and not the last try unless a person is there
 * to know what it costs: a service that is restarted again and again spends them all. */
static tw_err check_pin(tw_token *t, const char *pin, size_t len, CK_FLAGS flags, bool attended,
                        failure *why)
{
    if (was_refused(t, pin, len)) {
        (void)fail_rv(why, "C_Login", t->refused_rv);
        fail_add(why, "this PIN was refused before and was not sent now");
        why->loss = LOSS_NONE;
        return why->err;
    }
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0 && !attended) {
        return fail_text(why, TW_ERR_TOKEN_PIN,
                         "one more wrong PIN locks the token: log in once by hand, with a PIN that "
                         "is asked for, before one from a file or URI is sent");
    }
    return TW_OK;
}

static tw_err log_in(tw_token *t, session *s, const CK_TOKEN_INFO *info, failure *why)
{
    char pin[TW_TOKEN_MAX_PIN], label[sizeof(info->label) + 1];
    bool attended = false;
    size_t len = 0;
    tw_err err;

    if ((info->flags & CKF_USER_PIN_LOCKED) != 0) {
        return fail_rv(why, "C_GetTokenInfo", CKR_PIN_LOCKED);
    }
    if ((info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {
        return send_pin(t, s, NULL, 0, why); /* typed on the token itself */
    }
    slot_text(info->label, sizeof(info->label), label);
    err = pin_get(&t->opt, &t->uri, label, pin, &len, &attended, why);
    if (err == TW_OK) {
        err = check_pin(t, pin, len, info->flags, attended, why);
    }
    if (err == TW_OK) {
        err = send_pin(t, s, pin, len, why);
    }
    tw_wipe(pin, sizeof(pin));
    return err;
}

tw_err session_login(tw_token *t, op *o)
{
    session *s = o->session;
    failure *why = o->line.why;
    CK_TOKEN_INFO info = {0};
    CK_SLOT_ID slot;
    tw_err err = TW_OK;
    CK_RV rv;

    if (t->anonymous || session_is_user(t, s)) {
        return TW_OK;
    }
    pthread_mutex_lock(&t->lock);
    slot = t->slot;
    pthread_mutex_unlock(&t->lock);
    if (!turn_take(&t->login, o->deadline)) {
        return fail_text(why, TW_ERR_TOKEN_BUSY, "another thread's login took longer than %u ms",
                         t->opt.deadline_ms);
    }
    rv = t->module->fn->C_GetTokenInfo(slot, &info); /* its flags as they are now */
    if (rv != CKR_OK) {
        err = fail_rv(why, "C_GetTokenInfo", rv);
    } else if ((info.flags & CKF_LOGIN_REQUIRED) != 0 && !session_is_user(t, s)) {
        err = log_in(t, s, &info, why);
    }
    turn_give(&t->login);
    return err;
}
