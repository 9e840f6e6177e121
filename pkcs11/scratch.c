/* SPDX-License-Identifier: Apache-2.0 */
#include "exam.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * What a token lets be done to a key that it made: tried on one of that kind, never on the
 * one that is in use. The pair is announced before it is made, so that whoever kills the
 * process knows what may be left, and it goes on every path.
 */

#define SCRATCH_LABEL "twoway-check"

static char label[] = SCRATCH_LABEL;

enum {
    ID_LEN = 8,
    REMOVALS = 3, /* tries */
};

/* --- What is there of it. ------------------------------------------------------------------- */

typedef struct census {
    const uint8_t *id; /* NULL: of any id */
    size_t count;      /* out */
} census;

static tw_err count_objects(op *o, void *arg)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};
    census *c = arg;
    CK_ATTRIBUTE names[] = {{CKA_LABEL, label, strlen(label)},
                            {CKA_ID, (void *)(uintptr_t)c->id, ID_LEN}};
    tw_err err = TW_OK;

    c->count = 0;
    for (size_t i = 0; err == TW_OK && i < LENGTH(classes); i++) {
        CK_OBJECT_HANDLE *objects;
        size_t count;

        err = twp_key_objects(&o->line, classes[i], names, c->id == NULL ? 1 : 2, &objects, &count);
        free(objects);
        c->count += count;
    }
    return err == TW_OK ? twp_private_seen(o) : err;
}

static tw_err tell_leftovers(exam *e)
{
    census c = {0};
    failure why = {0};
    tw_err err = twp_token_run(e->token, RUN_GENTLY, count_objects, &c, &why);
    remark r;

    if (err != TW_OK) {
        return twp_exam_fail(e, "leftover", &why, twp_exam_advice(err));
    }
    if (c.count == 0) {
        return TW_OK;
    }
    twp_remark(&r, TW_VERDICT_WEAK,
               "unless another check runs now, remove them: pkcs11-tool --login --delete-object "
               "--label " SCRATCH_LABEL " with --type privkey, and with --type pubkey",
               "%zu objects called '" SCRATCH_LABEL "' are in the token, from a check that was "
               "killed or from one that runs now",
               c.count);
    return twp_exam_tell(e, "leftover", &r);
}

/* --- Making it, and its end. ----------------------------------------------------------- */

static void describe_made(const pair_request *p, remark *r)
{
    if (p->wide || p->usage == USAGE_DECRYPT) {
        twp_remark(r, TW_VERDICT_WEAK,
                   "this token makes no other: give its keys no second use yourself",
                   "as keygen makes a key here: sensitive, never extractable, but not for "
                   "derivation alone");
    } else {
        twp_remark(r, TW_VERDICT_OK, NULL,
                   "as keygen makes a key: sensitive, never extractable, for derivation alone");
    }
    twp_remark_add(r, ", %s CKA_DERIVE_TEMPLATE", p->bounded ? "with" : "without");
}

/* The token may be one that makes no keys, as many cards are. */
static tw_err tell_not_made(exam *e, const failure *why)
{
    char text[400];
    remark r;

    if (!twp_pair_ask_otherwise(why->err, why) && why->rv != CKR_DEVICE_MEMORY) {
        return twp_exam_fail(e, "made", why, twp_exam_advice(why->err));
    }
    twp_fail_tell(why, text, sizeof(text));
    twp_remark(&r, TW_VERDICT_NO, NULL, "no key pair was made, so that nothing is tried: %s", text);
    return twp_exam_tell(e, "made", &r);
}

static tw_err make(exam *e, pair_request *p)
{
    failure why = {0};
    tw_err err = twp_pair_make(e->token, p, &why);
    remark r;

    if (err != TW_OK) {
        return tell_not_made(e, &why);
    }
    describe_made(p, &r);
    return twp_exam_tell(e, "made", &r);
}

static tw_err remove_once(exam *e, pair_request *p, failure *why)
{
    census c = {.id = p->id};
    tw_err err = twp_pair_remove(e->token, p, why);

    if (err == TW_OK) {
        err = twp_token_run(e->token, RUN_RETRY, count_objects, &c, why);
    }
    if (err == TW_OK && c.count > 0) {
        err = twp_fail_text(why, TW_ERR_TOKEN_FAILED, "the token said yes and did nothing");
    }
    return err;
}

/* Told to a caller who has had enough, too. */
static tw_err unmake(exam *e, pair_request *p, const char *id)
{
    failure why = {0};
    tw_err err = TW_ERR_TOKEN_FAILED;
    remark r;

    for (int i = 0; err != TW_OK && i < REMOVALS; i++) {
        err = remove_once(e, p, &why);
    }
    if (err == TW_OK) {
        twp_remark(&r, TW_VERDICT_OK, NULL, "nothing of the key pair is left in the token");
        return twp_exam_tell(e, "removed", &r);
    }
    twp_fail_add(&why, "'" SCRATCH_LABEL "', id %s, may still be in the token", id);
    return twp_exam_fail(e, "removed", &why,
                         "remove it: pkcs11-tool --login --delete-object --id HEX, with that id, "
                         "with --type privkey and with --type pubkey");
}

/* --- The tries.
 * ------------------------------------------------------------------------------------- */

static tw_err try_all(exam *e, const pair_request *p)
{
    static const struct {
        const char *step;
        tw_err (*run)(op *o, void *arg);
    } tries[] = {
        {"read", twp_try_read},     {"copy", twp_try_copy},         {"wrap", twp_try_wrap},
        {"loosen", twp_try_loosen}, {"template", twp_try_template},
    };
    tw_err err = TW_OK;

    for (size_t i = 0; err == TW_OK && i < LENGTH(tries); i++) {
        subject s = {.key = p->key,
                     .bounded = p->bounded,
                     .readable = e->works[0],
                     .never_export = e->token->opt.never_export_dh};
        failure why = {0};

        err = twp_token_run(e->token, RUN_GENTLY, tries[i].run, &s, &why);
        err = err == TW_OK ? twp_exam_tell(e, tries[i].step, &s.remark)
                           : twp_exam_fail(e, tries[i].step, &why, twp_exam_advice(err));
    }
    return err;
}

static tw_err announce(exam *e, pair_request *p, uint8_t *id, char *text, size_t cap)
{
    failure why = {0};
    remark r;

    if (getrandom(id, ID_LEN, 0) != ID_LEN) {
        (void)twp_fail_text(&why, TW_ERR_RANDOM, "no random bytes for a new key's id");
        return twp_exam_fail(e, "scratch", &why, NULL);
    }
    twp_hex(id, ID_LEN, text, cap);
    *p = (pair_request){.curve = e->key->curve,
                        .label = label,
                        .id = id,
                        .id_len = ID_LEN,
                        .common_label = true,
                        .bounded = true};
    twp_remark(&r, TW_VERDICT_OK, NULL,
               "a key pair '" SCRATCH_LABEL "', %s, id %s, is made to try things with, and removed",
               tw_kem_name(p->curve->kem_id), text);
    return twp_exam_tell(e, "scratch", &r);
}

static tw_err with_pair(exam *e)
{
    uint8_t id[ID_LEN];
    char text[2 * ID_LEN + 2];
    pair_request p;
    tw_err err = announce(e, &p, id, text, sizeof(text)), gone;

    if (err != TW_OK) {
        return err;
    }
    err = make(e, &p);
    if (err == TW_OK && p.key != NULL) {
        err = try_all(e, &p);
    }
    gone = unmake(e, &p, text);
    return err != TW_OK ? err : gone;
}

tw_err twp_exam_scratch(exam *e)
{
    remark r;
    tw_err err;

    if (e->opt.no_scratch || (e->token->info.flags & CKF_WRITE_PROTECTED) != 0) {
        twp_remark(&r, TW_VERDICT_UNKNOWN, NULL,
                   "not tried whether a key can be read, copied, wrapped or loosened: %s",
                   e->opt.no_scratch ? "no key pair was to be made for it"
                                     : "the token is write-protected");
        return twp_exam_tell(e, "scratch", &r);
    }
    err = tell_leftovers(e);
    return err == TW_OK ? with_pair(e) : err;
}
