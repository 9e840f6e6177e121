/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

#include <string.h>

enum {
    SLOT = 5,
};

module with;
tw_token token;

table now;

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *out)
{
    CK_RV rv = now.opened < LENGTH(now.answer) ? now.answer[now.opened] : CKR_OK;

    must(slot == SLOT && app == NULL && notify == NULL && now.opened < LENGTH(now.flags));
    must_size(1, atomic_load(&with.in_flight));
    now.flags[now.opened++] = flags;
    *out = 100 + now.opened;
    if (now.meanwhile != NULL) {
        now.meanwhile();
    }
    if (rv == CKR_SESSION_COUNT && now.spare != NULL) {
        twp_pool_give(&token, now.spare);
        now.spare = NULL;
    }
    return rv;
}

static CK_RV close_session(CK_SESSION_HANDLE handle)
{
    now.closed++;
    now.last_closed = handle;
    if (now.meanwhile != NULL) {
        now.meanwhile();
    }
    return CKR_OK;
}

static CK_RV session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *out)
{
    (void)handle;
    *out = (CK_SESSION_INFO){.state = CKS_RW_PUBLIC_SESSION};
    return CKR_OK;
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *out)
{
    must(slot == SLOT);
    *out = token.info;
    return token.anonymous ? CKR_OK : CKR_DEVICE_ERROR;
}

static CK_FUNCTION_LIST functions = {.C_OpenSession = open_session,
                                     .C_CloseSession = close_session,
                                     .C_GetSessionInfo = session_info,
                                     .C_GetTokenInfo = token_info};

void begin(void)
{
    memset(&now, 0, sizeof(now));
    memset(&with, 0, sizeof(with));
    memset(&token, 0, sizeof(token));
    with.fn = &functions;
    atomic_store(&with.process, twp_process());
    atomic_store(&with.generation, 3);
    atomic_store(&with.users, 1);
    token.opt.max_sessions = 2;
    token.opt.deadline_ms = DEADLINE_MS;
    token.module = &with;
    token.anonymous = true;
    token.slot = SLOT;
    atomic_store(&token.process, twp_process());
    atomic_store(&token.epoch, 10);
    must(pthread_mutex_init(&token.lock, NULL) == 0);
    twp_turn_init(&token.mend);
    twp_turn_init(&token.login);
    twp_pool_init(&token);
}

bool is_free(pthread_mutex_t *lock)
{
    return pthread_mutex_trylock(lock) == 0 && pthread_mutex_unlock(lock) == 0;
}

void end(void)
{
    size_t count = 0, not_closed = 0;

    for (const session *s = token.idle; s != NULL; s = s->next) {
        count++;
        not_closed += s->handle != CK_INVALID_HANDLE;
    }
    must_size(count, token.size);
    must_size(0, atomic_load(&with.in_flight));
    must(is_free(&token.lock) && !token.mend.taken && !token.login.taken);
    now.closed = 0;
    now.meanwhile = NULL;
    twp_pool_clear(&token);
    must_size(not_closed, now.closed);
    twp_turn_clear(&token.login);
    twp_turn_clear(&token.mend);
    must(pthread_mutex_destroy(&token.lock) == 0);
}

tw_err play(op *o, void *arg)
{
    script *s = arg;
    CK_RV rv = s->calls < LENGTH(s->answer) ? s->answer[s->calls] : CKR_OK;
    struct timespec soon = twp_time_in(DEADLINE_MS - 20000), late = twp_time_in(DEADLINE_MS);

    must(o->token == &token && o->line.fn == &functions);
    must(o->line.session == o->session->handle && o->line.session != CK_INVALID_HANDLE);
    must(o->deadline->tv_sec >= soon.tv_sec && o->deadline->tv_sec <= late.tv_sec);
    must_size(1, atomic_load(&with.in_flight));
    s->calls++;
    s->session = o->line.session;
    o->broken = s->breaks;
    if (s->meanwhile != NULL) {
        s->meanwhile(o);
    }
    return rv != CKR_OK ? twp_fail_rv(o->line.why, "C_Sign", rv) : s->err;
}

tw_err run(persistence how, script *s)
{
    failure why = {0};
    tw_err err = twp_token_run(&token, how, play, s, &why);

    must(err == TW_OK || err == why.err);
    return err;
}

tw_err logins_come(op *o, void *arg)
{
    size_t *left = arg;

    if (*left == 0) {
        return TW_OK;
    }
    (*left)--;
    (void)twp_fail_text(o->line.why, TW_ERR_TOKEN_FAILED, "a login came");
    o->line.why->loss = *left > 0 ? LOSS_HANDLE : LOSS_SESSION;
    return TW_ERR_TOKEN_FAILED;
}
