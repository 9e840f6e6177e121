/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * A key pair under names that nothing in the token has, and nothing left of it when it
 * fails. How it is made is pair.c's business.
 */

static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};

static CK_ULONG names_of(const pair_request *r, CK_ATTRIBUTE out[2])
{
    CK_ULONG n = 0;

    if (r->id_len > 0) {
        out[n++] = (CK_ATTRIBUTE){CKA_ID, (void *)(uintptr_t)r->id, r->id_len};
    }
    if (r->label != NULL) {
        out[n++] = (CK_ATTRIBUTE){CKA_LABEL, (void *)(uintptr_t)r->label, strlen(r->label)};
    }
    return n;
}

static tw_err check_free(op *o, void *arg)
{
    const pair_request *r = arg;
    CK_ATTRIBUTE names[2];
    CK_ULONG n = names_of(r, names);
    tw_err err = TW_OK;

    for (CK_ULONG i = 0; err == TW_OK && i < n; i++) {
        if (names[i].type != CKA_LABEL || !r->common_label) {
            err = twp_name_free(&o->line, &names[i]);
        }
    }
    return err == TW_OK ? twp_private_seen(o) : err;
}

/* What bears the names of the new key is of its making, as none did before. */
static tw_err sweep(op *o, void *arg)
{
    const pair_request *r = arg;
    CK_ATTRIBUTE names[2];
    CK_ULONG n = names_of(r, names);
    tw_err err = TW_OK;

    for (size_t i = 0; err == TW_OK && i < LENGTH(classes); i++) {
        CK_OBJECT_HANDLE *objects;
        size_t count;

        err = twp_key_objects(&o->line, classes[i], names, n, &objects, &count);
        if (err == TW_OK) {
            err = twp_private_seen(o);
        }
        for (size_t j = 0; err == TW_OK && j < count; j++) {
            CK_RV rv = o->line.fn->C_DestroyObject(o->line.session, objects[j]);

            err = rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_DestroyObject", rv);
        }
        free(objects);
    }
    return err;
}

static tw_err attempt_pair(op *o, void *arg)
{
    return twp_pair_attempt(o, arg);
}

enum {
    RESTARTS_APART_MS = 500, /* of one module */
};

/* What fails for good is mended by a restart, unless there was one just now: then by the next. */
static tw_err run_patiently(tw_token *token, tw_err (*fn)(op *o, void *arg), pair_request *r,
                            failure *why)
{
    const struct timespec pause = {.tv_nsec = RESTARTS_APART_MS * 1000000L};
    tw_err err = twp_token_run(token, RUN_RETRY, fn, r, why);

    if (err == TW_ERR_TOKEN_FAILED) {
        nanosleep(&pause, NULL);
        err = twp_token_run(token, RUN_RETRY, fn, r, why);
    }
    return err;
}

/* Twice might make two. Where the session died amid the work, its leftovers go by another, as does
 * what a device made that said it failed, or half of it; and tpm2-pkcs11 lets a key go that did not
 * derive once it is initialised anew, giving others its handle meanwhile. */
static tw_err make_once(tw_token *token, pair_request *r, failure *why)
{
    failure other = {0};
    tw_err err = twp_token_run(token, RUN_ONCE, attempt_pair, r, why);

    if (err != TW_OK && (r->left || r->unsure || why->loss != LOSS_NONE) &&
        run_patiently(token, sweep, r, &other) != TW_OK) {
        twp_fail_add(why, "what was made of the key could not be removed again");
        r->left = r->unsure = false; /* nor is another made beside it */
    }
    return err;
}

static tw_err make(tw_token *token, pair_request *r, failure *why)
{
    tw_err err = TW_OK;

    do {
        r->left = r->unsure = false;
        err = make_once(token, r, why);
    } while (err != TW_OK && (r->left || (r->unsure && twp_pair_ask_otherwise(err, why))));
    return err;
}

static bool valid(const tw_token *token, const pair_request *r)
{
    return token != NULL && r->curve != NULL && (r->id != NULL || r->id_len == 0) &&
           (r->label != NULL || r->id_len > 0) && (r->label == NULL || r->label[0] != '\0');
}

/* --- With CKA_DERIVE_TEMPLATE, where the token takes it. -------------------------------------- */

/* From the first way on. */
static tw_err anew(tw_token *token, pair_request *r, failure *why)
{
    r->passing = r->asked_again = r->unproven = false;
    r->next = 0;
    r->best = (failure){0};
    return run_patiently(token, check_free, r, why);
}

static tw_err make_again(tw_token *token, pair_request *r, failure *why)
{
    failure first = *why;
    tw_err err;

    r->taken = false;
    err = anew(token, r, why);
    if (err == TW_OK) {
        err = twp_token_run(token, RUN_ONCE, twp_pair_probe, r, why);
    }
    if (err == TW_OK && r->taken) {
        return make(token, r, why);
    }
    if (err == TW_OK) {
        *why = first;
    }
    return why->err;
}

/* TW_OK with r->bounded false: nothing is made, and the template to be left out; *refused tells
 * that it was the token that would not have it. NSS takes it for a session's pair, and fails as a
 * device does for one that it would keep, in FIPS mode for good. So what fails so is seen to take
 * it for a session once more, and to fail again: it is not left out for a device that failed
 * meanwhile. */
static tw_err make_bounded(tw_token *token, pair_request *r, bool *refused, failure *why)
{
    tw_err err = twp_token_run(token, RUN_ONCE, twp_pair_probe, r, why);
    bool took = r->taken;

    if (err != TW_OK || !r->bounded) {
        *refused = true;
        return err;
    }
    err = make(token, r, why);
    if (err != TW_OK && took && r->passing && twp_pair_ask_otherwise(err, why)) {
        err = make_again(token, r, why);
    }
    if (err == TW_OK || !twp_pair_ask_otherwise(err, why) || (r->bounded && r->taken != took)) {
        return err;
    }
    *refused = took || !r->passing;
    r->bounded = false;
    return TW_OK;
}

/* That a token does not take it is remembered when it refused it, and made a key without it. */
tw_err twp_pair_make(tw_token *token, pair_request *r, failure *why)
{
    tw_err err = twp_token_run(token, RUN_GENTLY, check_free, r, why);
    bool refused = false;

    r->bounded = r->bounded && !atomic_load(&token->unbounded);
    if (err == TW_OK && r->bounded) {
        err = make_bounded(token, r, &refused, why);
        if (err != TW_OK || r->bounded) {
            return err;
        }
        err = anew(token, r, why);
    }
    if (err == TW_OK) {
        err = make(token, r, why);
    }
    if (err == TW_OK && refused) {
        atomic_store(&token->unbounded, true);
    }
    return err;
}

tw_err twp_pair_remove(tw_token *token, pair_request *r, failure *why)
{
    twp_key_free(r->key);
    r->key = NULL;
    return run_patiently(token, sweep, r, why);
}

/* --- One at a time of a name: two would both find it free, and one that fails would sweep away
 * what the other made. Under twp_process_lock; a child has none of its parent's. -------------- */

static pair_request *working;
static unsigned long long working_in;

static bool same_name(const pair_request *a, const pair_request *b)
{
    bool label = a->label != NULL && b->label != NULL && strcmp(a->label, b->label) == 0;
    bool id = a->id_len > 0 && a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;

    return (label || id) && a->token->module == b->token->module &&
           twp_slot_same(&a->token->info, &b->token->info);
}

static bool begin_work(pair_request *r)
{
    const pair_request *other;

    twp_process_lock();
    if (working_in != twp_process()) {
        working = NULL;
        working_in = twp_process();
    }
    other = working;
    while (other != NULL && !same_name(other, r)) {
        other = other->beside;
    }
    if (other == NULL) {
        r->beside = working;
        working = r;
    }
    twp_process_unlock();
    return other == NULL;
}

/* A child that was forked in the PIN's callback may come back into its parent's call, which is not
 * in the child's own list; and what it inherited of the parent's is nobody's. */
static void end_work(const pair_request *r)
{
    pair_request **at = &working;

    twp_process_lock();
    if (working_in == twp_process()) {
        while (*at != NULL && *at != r) {
            at = &(*at)->beside;
        }
        if (*at != NULL) {
            *at = r->beside;
        }
    }
    twp_process_unlock();
}

/* --- The call. -------------------------------------------------------------------------------- */

tw_err tw_token_generate(tw_token *token, uint16_t kem_id, const char *label, const uint8_t *id,
                         size_t id_len, tw_key **out)
{
    pair_request r = {.curve = twp_curve_by_kem(kem_id),
                      .label = label,
                      .id = id,
                      .id_len = id_len,
                      .token = token};
    failure why = {0};
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (!valid(token, &r)) {
        return TW_ERR_INVALID;
    }
    r.bounded = token->opt.never_export_dh;
    if (begin_work(&r)) {
        err = twp_pair_make(token, &r, &why);
        end_work(&r);
    } else {
        err = twp_fail_text(&why, TW_ERR_STATE, "another call makes a key of this label or id");
    }
    if (err != TW_OK) {
        twp_token_report(token, "make key pair", &why);
        return err;
    }
    *out = &r.key->base;
    return TW_OK;
}
