/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

/*
 * Making a key pair. What a token wants to hear differs: the mechanism and key type of
 * X25519 are old or new, a TPM's key derives only if it may also decrypt, NSS 3.110
 * refuses to make one that may. So each row is tried, and what it made is tried too.
 */

#define MECHANISM_EC         0x1040
#define MECHANISM_EDWARDS    0x1055
#define MECHANISM_MONTGOMERY 0x1056
#define TYPE_EC              0x03
#define TYPE_EDWARDS         0x40
#define TYPE_MONTGOMERY      0x41

struct maker {
    CK_MECHANISM_TYPE mechanism;
    CK_KEY_TYPE type;
    size_t params; /* which of the curve's encodings */
    bool nist;
};
typedef struct maker maker;

static const maker makers[] = {
    {MECHANISM_EC, TYPE_EC, 0, true},
    {MECHANISM_MONTGOMERY, TYPE_MONTGOMERY, 0, false},
    {MECHANISM_MONTGOMERY, TYPE_MONTGOMERY, 1, false},
    {MECHANISM_EDWARDS, TYPE_EDWARDS, 0, false},
    {MECHANISM_EDWARDS, TYPE_EDWARDS, 1, false},
    {MECHANISM_EC, TYPE_EC, 0, false},
};

static bool is_nist(const curve *c)
{
    return c->dh_len != c->public_len;
}

static CK_BBOOL no = CK_FALSE, yes = CK_TRUE;

enum {
    MOST_ATTRIBUTES = 16,
};

static void put(CK_ATTRIBUTE *out, CK_ULONG *n, CK_ATTRIBUTE_TYPE type, const void *value,
                size_t len)
{
    out[*n].type = type;
    out[*n].pValue = (void *)(uintptr_t)value;
    out[*n].ulValueLen = len;
    (*n)++;
}

static void put_names(const pair_request *r, CK_ATTRIBUTE *out, CK_ULONG *n)
{
    put(out, n, CKA_TOKEN, r->in_session ? &no : &yes, sizeof(yes));
    put(out, n, CKA_KEY_TYPE, &r->maker->type, sizeof(r->maker->type));
    if (r->label != NULL) {
        put(out, n, CKA_LABEL, r->label, strlen(r->label));
    }
    if (r->id_len > 0) {
        put(out, n, CKA_ID, r->id, r->id_len);
    }
}

static void put_each(CK_ATTRIBUTE *out, CK_ULONG *n, const CK_ATTRIBUTE_TYPE *types, size_t count,
                     const CK_BBOOL *value)
{
    for (size_t i = 0; i < count; i++) {
        put(out, n, types[i], value, sizeof(*value));
    }
}

static CK_ULONG private_template(const pair_request *r, CK_ATTRIBUTE *out)
{
    static const CK_ATTRIBUTE_TYPE always[] = {CKA_PRIVATE, CKA_SENSITIVE, CKA_DERIVE};
    static const CK_ATTRIBUTE_TYPE others[] = {CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP};
    static const CK_ATTRIBUTE_TYPE decrypt[] = {CKA_DECRYPT};
    static const CK_ATTRIBUTE inside[] = {{CKA_SENSITIVE, &yes, sizeof(yes)},
                                          {CKA_EXTRACTABLE, &no, sizeof(no)}};
    CK_ULONG n = 0;

    put_names(r, out, &n);
    put_each(out, &n, always, LENGTH(always), &yes);
    put(out, &n, CKA_EXTRACTABLE, &no, sizeof(no));
    if (r->bounded) {
        put(out, &n, CKA_DERIVE_TEMPLATE, inside, sizeof(inside));
    }
    if (r->usage == USAGE_DERIVE) {
        put_each(out, &n, others, LENGTH(others), &no);
    } else if (r->usage == USAGE_DECRYPT) {
        put_each(out, &n, decrypt, LENGTH(decrypt), &yes);
    }
    return n;
}

static CK_ULONG public_template(const pair_request *r, CK_ATTRIBUTE *out)
{
    static const CK_ATTRIBUTE_TYPE others[] = {CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_ENCRYPT,
                                               CKA_WRAP};
    const bytes *params = &r->curve->params[r->maker->params];
    CK_ULONG n = 0;

    put_names(r, out, &n);
    put(out, &n, CKA_PRIVATE, &no, sizeof(no));
    put(out, &n, CKA_EC_PARAMS, params->data, params->len);
    if (r->usage == USAGE_DERIVE) {
        put_each(out, &n, others, LENGTH(others), &no);
    }
    return n;
}

/* --- One attempt. ---------------------------------------------------------------------- */

static tw_err make(op *o, pair_request *r)
{
    CK_ATTRIBUTE public[MOST_ATTRIBUTES], private[MOST_ATTRIBUTES];
    CK_MECHANISM mechanism = {r->maker->mechanism, NULL, 0};
    CK_ULONG public_count = public_template(r, public);
    CK_ULONG private_count = private_template(r, private);
    CK_RV rv;

    r->public = r->private = CK_INVALID_HANDLE;
    rv = o->line.fn->C_GenerateKeyPair(o->line.session, &mechanism, public, public_count, private,
                                       private_count, &r->public, &r->private);
    return rv == CKR_OK ? TW_OK : twp_fail_rv(o->line.why, "C_GenerateKeyPair", rv);
}

static tw_err check_made(op *o, pair_request *r)
{
    bool wide;
    tw_err err = twp_made_check(&o->line, r->private, r->usage == USAGE_DECRYPT, &wide);

    if (err == TW_OK && wide && !r->wide) {
        r->seen_wide = true;
        err = twp_fail_text(o->line.why, TW_ERR_TOKEN_POLICY,
                            "the token made a key that may do more than derive");
    }
    return err;
}

static tw_err accept(op *o, pair_request *r)
{
    token_key *k = NULL;
    tw_err err = check_made(o, r);

    if (err == TW_OK) {
        err = twp_key_new(o->token, r->curve, &k, o->line.why);
    }
    if (err == TW_OK) {
        err = twp_key_name(k, r->label, r->id, r->id_len);
        if (err != TW_OK) {
            err = twp_fail_text(o->line.why, err, "no memory");
        }
    }
    if (err == TW_OK) {
        err = twp_made_public(&o->line, r->private, r->public, k);
    }
    if (err == TW_OK) {
        k->derive = r->tried = true;
        err = twp_key_settle(o, k, r->private);
    }
    if (err != TW_OK) {
        twp_key_free(k);
        return err;
    }
    k->handle = r->private;
    k->era = o->session->era;
    r->key = k;
    return TW_OK;
}

static void destroy(op *o, pair_request *r)
{
    const CK_OBJECT_HANDLE made[] = {r->private, r->public};

    for (size_t i = 0; i < LENGTH(made); i++) {
        if (made[i] != CK_INVALID_HANDLE &&
            o->line.fn->C_DestroyObject(o->line.session, made[i]) != CKR_OK) {
            r->left = true;
        }
    }
}

/* A refusal is a reason to ask otherwise; a token that is gone, full or busy is not. */
bool twp_pair_ask_otherwise(tw_err err, const failure *why)
{
    return (err == TW_ERR_TOKEN_POLICY || err == TW_ERR_TOKEN_FAILED) &&
           why->loss != LOSS_SESSION && why->loss != LOSS_SLOT && why->rv != CKR_DEVICE_MEMORY;
}

/* What a device says that may be well the next moment. A code of the vendor's own is not it: so a
 * TPM answers to what it does not take. */
static bool may_pass(const failure *why)
{
    return why->loss == LOSS_MODULE && twp_rv_judge(why->rv).name != NULL;
}

static tw_err make_and_accept(op *o, pair_request *r)
{
    tw_err err = make(o, r);

    r->tried = false;
    r->unsure = err != TW_OK && err != TW_ERR_TOKEN_POLICY;
    if (err == TW_OK) {
        err = accept(o, r);
        if (err != TW_OK) {
            destroy(o, r);
        }
    }
    if (err != TW_OK) {
        r->passing = r->passing || may_pass(o->line.why);
        r->unproven = r->unproven || !(r->tried || err == TW_ERR_TOKEN_POLICY);
    }
    return err;
}

/* Which of many failures to tell: the one that came furthest. */
static bool says_more(const failure *a, const failure *b)
{
    return b->err == TW_OK || (a->function == NULL && b->function != NULL) ||
           (b->rv == CKR_MECHANISM_INVALID && a->rv != CKR_MECHANISM_INVALID);
}

static void begin_again(pair_request *r)
{
    r->next = 0;
    r->passing = r->unproven = false;
}

/* The ways of one pass, the most modest first; false: that was all. Those are asked for once more
 * before a key that may decrypt, if it was but the device that failed. */
static bool next_way(pair_request *r)
{
    while (r->next < USAGE_COUNT * LENGTH(makers)) {
        if (r->next == USAGE_DECRYPT * LENGTH(makers) && r->passing && !r->asked_again) {
            begin_again(r);
            r->asked_again = true;
        }
        r->usage = (usage)(r->next / LENGTH(makers));
        r->maker = &makers[r->next++ % LENGTH(makers)];
        if (r->maker->nist == is_nist(r->curve)) {
            return true;
        }
    }
    return false;
}

static tw_err pass(op *o, pair_request *r)
{
    while (next_way(r)) {
        tw_err err = make_and_accept(o, r);

        if (err == TW_OK || !twp_pair_ask_otherwise(err, o->line.why)) {
            return err;
        }
        if (says_more(o->line.why, &r->best)) {
            r->best = *o->line.why;
        }
        if (r->left || r->unsure) {
            return err;
        }
    }
    r->best.loss = LOSS_NONE;
    *o->line.why = r->best;
    return r->best.err;
}

/* What was seen of a TPM is not asked of it again: what it makes else stays for a while. */
static tw_err pass_from(op *o, pair_request *r, size_t way)
{
    size_t first = atomic_load(&o->token->decrypts) ? USAGE_DECRYPT * LENGTH(makers) : 0;
    tw_err err;

    r->next = way > first ? way : first;
    err = pass(o, r);
    if (err == TW_OK && r->usage == USAGE_DECRYPT && !r->unproven) {
        atomic_store(&o->token->decrypts, true);
    }
    return err;
}

/* One that may do more than derive is taken last, if the token makes no other. */
tw_err twp_pair_attempt(op *o, pair_request *r)
{
    tw_err err = pass_from(o, r, r->next);

    if (err != TW_OK && !r->left && !r->unsure && !r->wide && r->seen_wide && !r->bounded &&
        twp_pair_ask_otherwise(err, o->line.why)) {
        r->wide = true;
        err = pass_from(o, r, 0);
    }
    return err;
}

/* --- What the token takes. ------------------------------------------------------------------- */

/* Asked twice for what may pass. NSS 3.110 in FIPS mode does not refuse that word but fails for
 * good. */
static tw_err ask_both(op *o, pair_request *p, bool *makes, bool *taken)
{
    tw_err err = make(o, p);

    *makes = err == TW_OK;
    if (err != TW_OK) {
        return err;
    }
    destroy(o, p);
    p->bounded = true;
    err = make(o, p);
    if (err != TW_OK && may_pass(o->line.why)) {
        err = make(o, p);
    }
    *taken = err == TW_OK;
    if (err == TW_OK) {
        destroy(o, p);
    }
    o->broken = true;
    return err;
}

tw_err twp_pair_probe(op *o, void *arg)
{
    pair_request *r = arg, p = *r;
    bool makes = false, taken = true;
    tw_err err = TW_OK;

    p.in_session = true;
    for (p.usage = USAGE_DERIVE; !makes && p.usage < USAGE_COUNT; p.usage++) {
        for (size_t i = 0; !makes && i < LENGTH(makers); i++) {
            if (makers[i].nist != is_nist(r->curve)) {
                continue;
            }
            p.maker = &makers[i];
            p.bounded = false;
            err = ask_both(o, &p, &makes, &taken);
            if (err != TW_OK && !twp_pair_ask_otherwise(err, o->line.why)) {
                return err;
            }
        }
    }
    r->bounded = taken;
    r->taken = makes && taken;
    return TW_OK;
}
