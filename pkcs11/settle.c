/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <string.h>

/*
 * What a token says of itself (its mechanism list, CKA_ALLOWED_MECHANISMS) is no guide:
 * some mechanisms work unlisted, some listed ones are refused. So each key is tried when
 * it is opened, and what gave the right answer is kept.
 */

/* The ways in their order: reading the DH output has half the round trips of the others. */
const strategy *const twp_strategies[STRATEGY_COUNT] = {&twp_strategy_value, &twp_strategy_hkdf,
                                                        &twp_strategy_digest};

tw_err twp_key_compare(op *o, const token_key *k, CK_OBJECT_HANDLE object, bool *same)
{
    uint8_t sent[TW_MAX_SECRET], got[TW_MAX_SECRET], enc[MAX_PUBLIC_EC];
    agreement a = {.key = k,
                   .points = {enc},
                   .point_count = 1,
                   .enc = enc,
                   .recipient_public = k->public_key,
                   .secret = got};
    tw_err err = k->kem->encap(k->kem, NULL, k->public_key, NULL, sent, enc);

    if (err != TW_OK) {
        err = twp_fail_text(o->line.why, err, "cannot encapsulate to the key's public half");
    } else {
        err = k->recipe.strategy->run(o, object, &a);
    }
    /* cppcheck-suppress uninitvar ; a way that gives TW_OK has written it, through a.secret */
    *same = err == TW_OK && memcmp(sent, got, k->kem->secret_len) == 0;
    tw_wipe(sent, sizeof(sent));
    tw_wipe(got, sizeof(got));
    return err;
}

tw_err twp_key_prove(op *o, const token_key *k, CK_OBJECT_HANDLE object, bool *wrong)
{
    bool same, given = k->public_from == ORIGIN_CALLER;
    tw_err err = twp_key_compare(o, k, object, &same);

    *wrong = err == TW_OK && !same;
    if (*wrong) {
        err = twp_fail_text(o->line.why, given ? TW_ERR_KEY : TW_ERR_TOKEN_FAILED,
                            "the private key does not belong to the public key %s",
                            given ? "that was given" : "beside it in the token");
    }
    return err;
}

/* A refusal, or an answer that is wrong, is a reason to try another way; a token that is
 * gone or busy is not. */
bool twp_way_failed(tw_err err, const failure *why)
{
    return (err == TW_ERR_TOKEN_POLICY || err == TW_ERR_TOKEN_FAILED || err == TW_ERR_KEY) &&
           why->loss != LOSS_SESSION && why->loss != LOSS_SLOT;
}

void twp_way_note(trial *t, const failure *why, bool refused, bool wrong)
{
    if (t->first.err == TW_OK || (wrong && !t->wrong)) {
        t->first = *why;
    }
    t->refused = t->refused || refused;
    t->wrong = t->wrong || wrong;
}

/* One strategy in each shape with the raw point, then with a DER one. The first failure
 * says most: what follows fails for its own oddity. But a wrong answer says more than none. Asking
 * for less privacy is an oddity of ours, and no failure of it says anything. */
tw_err twp_way_try(op *o, token_key *k, CK_OBJECT_HANDLE object, const strategy *way, trial *t)
{
    /* Each try of a key that wants a login for each may have a person type a PIN. */
    unsigned first = way->exports_dh && !k->each_login ? SHAPE_PUBLIC : SHAPE_WHOLE;
    tw_err err = TW_ERR_TOKEN_POLICY;
    bool wrong;

    k->recipe.strategy = way;
    for (unsigned i = first; i <= SHAPE_COUNT; i++) {
        k->recipe.shape = i < SHAPE_COUNT ? i : SHAPE_WHOLE;
        k->recipe.der_point = i == SHAPE_COUNT;
        err = twp_key_prove(o, k, object, &wrong);
        if (err == TW_OK || !twp_way_failed(err, o->line.why)) {
            return err;
        }
        if (i != SHAPE_PUBLIC) {
            twp_way_note(t, o->line.why, err == TW_ERR_TOKEN_POLICY, wrong);
        }
    }
    return err;
}

/* A device that failed each time has refused nothing. */
void twp_way_explain(const token_key *k, bool never_export, trial *t)
{
    failure *why = &t->first;

    if (why->err == TW_OK) {
        (void)twp_fail_text(why, TW_ERR_TOKEN_POLICY, "no way to use the key is allowed");
    }
    if (t->wrong) {
        return;
    }
    if (!k->derive) {
        why->err = TW_ERR_TOKEN_POLICY;
        why->loss = LOSS_NONE;
        twp_fail_add(why,
                     "the key has CKA_DERIVE false: set it with C_SetAttributeValue, or import the "
                     "key again with pkcs11-tool --write-object --type privkey --usage-derive");
    } else if (never_export && t->refused) {
        why->err = TW_ERR_TOKEN_POLICY;
        why->loss = LOSS_NONE;
        twp_fail_add(why,
                     "DH outputs must not be exported, and the token can do without that neither "
                     "by HKDF nor by C_DigestKey");
    } else if (why->rv == CKR_MECHANISM_PARAM_INVALID) {
        twp_fail_add(why,
                     "a token whose ECDH always has a key derivation of its own, and no CKD_NULL, "
                     "cannot serve HPKE");
    }
}

tw_err twp_key_settle(op *o, token_key *k, CK_OBJECT_HANDLE object)
{
    bool never_export = k->token->opt.never_export_dh;
    trial t = {0};

    for (size_t i = 0; i < STRATEGY_COUNT; i++) {
        tw_err err;

        if (never_export && twp_strategies[i]->exports_dh) {
            continue;
        }
        err = twp_way_try(o, k, object, twp_strategies[i], &t);
        if (err == TW_OK || !twp_way_failed(err, o->line.why)) {
            return err;
        }
    }
    twp_way_explain(k, never_export, &t);
    *o->line.why = t.first;
    return t.first.err;
}
