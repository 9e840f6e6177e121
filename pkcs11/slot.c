/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stdlib.h>
#include <string.h>

void twp_slot_text(const unsigned char *field, size_t len, char *out)
{
    while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0')) {
        len--;
    }
    memcpy(out, field, len);
    out[len] = '\0';
}

bool twp_slot_same(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b)
{
    return memcmp(a->label, b->label, sizeof(a->label)) == 0 &&
           memcmp(a->serialNumber, b->serialNumber, sizeof(a->serialNumber)) == 0 &&
           memcmp(a->manufacturerID, b->manufacturerID, sizeof(a->manufacturerID)) == 0 &&
           memcmp(a->model, b->model, sizeof(a->model)) == 0;
}

enum {
    MOST_SLOTS = 65536,
};

/* First how many, which also makes the module look for new ones, then which: one more
 * may come in between. */
static tw_err slot_list(module *m, CK_SLOT_ID **out, CK_ULONG *count, failure *why)
{
    CK_RV rv = CKR_BUFFER_TOO_SMALL;
    CK_ULONG room;

    *out = NULL;
    for (int look = 0; look < 2 && rv == CKR_BUFFER_TOO_SMALL; look++) {
        free(*out);
        *out = NULL;
        rv = m->fn->C_GetSlotList(CK_TRUE, NULL, count);
        if (rv == CKR_OK) {
            if (*count > MOST_SLOTS) {
                return twp_fail_text(why, TW_ERR_TOKEN_FAILED, "the module counts %lu slots",
                                     *count);
            }
            room = *count + 1;
            *count = room;
            *out = calloc(room, sizeof(**out));
            if (*out == NULL) {
                return twp_fail_text(why, TW_ERR_MEMORY, "no memory");
            }
            rv = m->fn->C_GetSlotList(CK_TRUE, *out, count);
            if (rv == CKR_OK && *count > room) {
                rv = CKR_BUFFER_TOO_SMALL; /* it said more than it could write */
            }
        }
    }
    if (rv != CKR_OK) {
        free(*out);
        *out = NULL;
        return twp_fail_rv(why, "C_GetSlotList", rv);
    }
    return TW_OK;
}

static bool names_module(module *m, const token_uri *u)
{
    CK_INFO info = {0};

    return u == NULL || m->fn->C_GetInfo(&info) != CKR_OK ||
           p11_kit_uri_match_module_info(u->uri, &info);
}

static bool matches(const token_uri *u, const CK_SLOT_INFO *slot_info, const CK_TOKEN_INFO *info)
{
    return p11_kit_uri_match_slot_info(u->uri, slot_info) &&
           p11_kit_uri_match_token_info(u->uri, info);
}

/* A slot that cannot be asked is one without a token: it may have been pulled just now. What else
 * it fails with is told to `skipped`. */
static bool ask_slot(module *m, place *p, CK_SLOT_INFO *slot_info, const settings *skipped)
{
    const char *function = "C_GetSlotInfo";
    CK_RV rv = m->fn->C_GetSlotInfo(p->slot, slot_info);
    failure why = {0};

    if (rv == CKR_OK) {
        function = "C_GetTokenInfo";
        rv = m->fn->C_GetTokenInfo(p->slot, &p->info);
    }
    if (rv != CKR_OK && skipped != NULL && twp_fail_rv(&why, function, rv) != TW_ERR_TOKEN_ABSENT) {
        twp_report_left_out(skipped, m->path, p->slot, &why);
    }
    return rv == CKR_OK;
}

static bool names_slot(module *m, const token_uri *u, const settings *skipped, place *p)
{
    CK_SLOT_ID wanted = u == NULL ? (CK_SLOT_ID)-1 : p11_kit_uri_get_slot_id(u->uri);
    CK_SLOT_INFO slot_info = {0};

    return (wanted == (CK_SLOT_ID)-1 || wanted == p->slot) && ask_slot(m, p, &slot_info, skipped) &&
           (u == NULL || matches(u, &slot_info, &p->info));
}

tw_err twp_slot_find(module *m, const token_uri *u, const struct timespec *deadline,
                     const settings *skipped,
                     tw_err (*found)(void *arg, const place *p, failure *why), void *arg,
                     failure *why)
{
    CK_SLOT_ID *slots = NULL;
    CK_ULONG count = 0;
    tw_err err;

    err = twp_module_enter(m, deadline, why);
    if (err != TW_OK) {
        return err;
    }
    err = slot_list(m, &slots, &count, why);
    if (slots == NULL || !names_module(m, u)) {
        count = 0;
    }
    for (CK_ULONG i = 0; err == TW_OK && i < count; i++) {
        place p = {.module = m, .slot = slots[i]};

        if (names_slot(m, u, skipped, &p)) {
            err = found(arg, &p, why);
        }
    }
    twp_module_leave(m);
    free(slots);
    return err;
}
