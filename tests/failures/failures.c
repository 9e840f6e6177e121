/* SPDX-License-Identifier: Apache-2.0 */
#include "failures.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

#include "allocations.h"

char failures_poison;
unsigned long failures_rv;

static struct {
    failure_kind kind;
    size_t left; /* until the one that fails; 0: none will, or it has */
    const char *failed;
    bool paused, freeing;
} state;

static const char in_free[] = "a call of what is freed";

const char *failure_name(failure_kind k)
{
    static const char *const names[FAILURE_KINDS] = {
        "allocations of ours",        "allocations of all",       "calls that fail",
        "calls that fail afterwards", "calls that fail silently", "calls of the token",
    };

    return names[k];
}

void failures_arm(failure_kind k, size_t n)
{
    state.kind = k;
    state.left = n;
    state.failed = NULL;
    state.paused = false;
    ERR_clear_error();
    if (k == FAIL_CALL_SILENT) {
        ERR_raise(ERR_LIB_EC, EC_R_POINT_IS_NOT_ON_CURVE);
    }
    allocations_reset();
    allocations_fail(k == FAIL_OURS || k == FAIL_LIBCRYPTO ? n : 0, k == FAIL_OURS);
}

const char *failures_disarm(void)
{
    const char *failed = state.failed;

    if (failed == NULL && allocations_all().failed > 0) {
        failed = "an allocation";
    }
    allocations_fail(0, false);
    state.left = 0;
    ERR_clear_error();
    return failed;
}

void failures_freeing(bool freeing)
{
    state.freeing = freeing;
}

bool failures_in_free(const char *failed)
{
    return failed == in_free;
}

static bool is_last(const char *function)
{
    if (state.paused || state.left == 0 || --state.left > 0) {
        return false;
    }
    state.failed = state.freeing ? in_free : function;
    allocations_fail(0, false);
    return true;
}

bool failures_now(const char *function, bool late)
{
    bool mine = late ? state.kind == FAIL_CALL_LATE
                     : state.kind == FAIL_CALL || state.kind == FAIL_CALL_SILENT;

    if (!mine || !is_last(function)) {
        return false;
    }
    if (state.kind != FAIL_CALL_SILENT) {
        ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
    }
    return true;
}

bool failures_silent(void)
{
    return state.kind == FAIL_CALL_SILENT && state.failed != NULL;
}

bool failures_token(const char *function)
{
    return state.kind == FAIL_TOKEN && is_last(function);
}

void failures_pause(bool pause)
{
    state.paused = pause;
    allocations_pause(pause);
}

void room_fill(room *r)
{
    memset(r->bytes, 0xa5, sizeof(r->bytes));
}

void room_check(const room *r, tw_err err)
{
    for (size_t i = 0; err != TW_OK && i < sizeof(r->bytes); i++) {
        must(r->bytes[i] == 0xa5 || r->bytes[i] == 0);
    }
}
