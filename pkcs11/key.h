/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEY_H
#define KEY_H

/* Keys in a token: found or made, tried, and used. Above token.h, which knows nothing of them. */

#include "encoding.h"
#include "token.h"

/* --- derive.c, settle.c: from a key in a token to the KEM's shared secret. ---------- */

typedef struct token_key token_key;
/* How a token was seen to serve a key. Chosen by trying once, then kept: a failure later
 * never leads to a weaker way. */
typedef struct recipe {
    const struct strategy *strategy;
    unsigned shape; /* which attributes the derived object is asked for with */
    bool der_point; /* the peer's point as a DER OCTET STRING */
} recipe;

/* What DHKEM needs of a private key: one Diffie-Hellman or two and what is hashed with
 * them (RFC 9180 section 4.1). Points and host_dh are checked before. */
typedef struct agreement {
    const token_key *key;
    const uint8_t *points[2];
    size_t point_count;
    const uint8_t *host_dh; /* the host's own DH output, dh_len bytes, first; or NULL */
    const uint8_t *enc, *recipient_public, *sender_public;
    uint8_t *secret; /* out: kem->secret_len bytes */
} agreement;

/* exports_dh: the raw DH output passes through host memory. */
typedef struct strategy {
    const char *name;
    bool exports_dh;
    tw_err (*run)(op *o, CK_OBJECT_HANDLE key, const agreement *a);
} strategy;
extern const strategy twp_strategy_value, twp_strategy_hkdf, twp_strategy_digest;
#define STRATEGY_COUNT 3
extern const strategy *const twp_strategies[STRATEGY_COUNT]; /* as they are tried */

/* What an output that may be read is asked for with, as it is tried. Not private first: SoftHSM
 * keeps what is private encrypted, which is a tenth of an operation, and this lives until the next
 * call reads it. Then without that, without VALUE_LEN, without SENSITIVE too. */
enum { SHAPE_PUBLIC, SHAPE_WHOLE, SHAPE_NO_LEN, SHAPE_LEAST, SHAPE_COUNT };
/* twp_derive_dh makes the object that holds a DH output, in the shape of the key's recipe;
 * twp_value_read reads exactly `len` bytes of one; twp_object_destroy ends it, with its session if
 * the token will not. */
tw_err twp_derive_dh(op *o, CK_OBJECT_HANDLE key, const agreement *a, const uint8_t *point,
                     bool readable, CK_OBJECT_HANDLE *out);
tw_err twp_value_read(op *o, CK_OBJECT_HANDLE object, uint8_t *out, size_t len);
void twp_object_destroy(op *o, CK_OBJECT_HANDLE object);

/* twp_key_compare opens an encapsulation to the key's public half: an object that it is not the
 * half of gives another secret, which twp_key_prove fails for, with *wrong; twp_key_settle finds
 * the recipe. */
tw_err twp_key_compare(op *o, const token_key *k, CK_OBJECT_HANDLE object, bool *same);
tw_err twp_key_prove(op *o, const token_key *k, CK_OBJECT_HANDLE object, bool *wrong);
tw_err twp_key_settle(op *o, token_key *k, CK_OBJECT_HANDLE object);

/* What came of trying: the first failure, or the first answer that was not right for the public
 * half, and whether any was a refusal or such an answer. */
typedef struct trial {
    failure first;
    bool refused, wrong;
} trial;

/* twp_way_try tries one strategy in all its shapes; twp_way_failed: an error of it that is a reason
 * to try another. twp_way_explain adds to the first failure what it alone would not tell. */
tw_err twp_way_try(op *o, token_key *k, CK_OBJECT_HANDLE object, const strategy *way, trial *t);
bool twp_way_failed(tw_err err, const failure *why);
void twp_way_note(trial *t, const failure *why, bool refused, bool wrong);
void twp_way_explain(const token_key *k, bool never_export, trial *t);

/* --- public.c, find.c, key.c --------------------------------------------------------- */

/* Where the public half of a private key came from. */
typedef enum origin {
    ORIGIN_NONE, /* not found */
    ORIGIN_OBJECT,
    ORIGIN_POINT, /* these two of the private object */
    ORIGIN_INFO,
    ORIGIN_CERTIFICATE,
    ORIGIN_CALLER, /* the token holds none */
} origin;

struct token_key {
    tw_key base; /* first: a tw_key * is also a token_key * */
    tw_token *token;
    tw_kem *kem;
    const curve *curve;
    recipe recipe;
    uint8_t public_key[MAX_PUBLIC_EC];
    origin public_from;
    bool derive, each_login; /* CKA_DERIVE and CKA_ALWAYS_AUTHENTICATE as they were read */
    uint8_t *label, *id;
    size_t label_len, id_len;
    CK_OBJECT_HANDLE handle; /* under token->lock, and */
    era era;                 /* when it was found */
};

/* What a key is for: arg is an agreement. */
tw_err twp_key_agree(op *o, void *arg);

tw_err twp_key_new(tw_token *t, const curve *c, token_key **out, failure *why);
void twp_key_free(token_key *k); /* NULL is fine */
tw_err twp_key_name(token_key *k, const char *label, const uint8_t *id, size_t id_len);

/* twp_public_find looks wherever tokens keep the public half of a private key object. */
tw_err twp_public_find(const line *l, CK_OBJECT_HANDLE key, const curve *c, uint8_t *out,
                       origin *from);

/* What a private key object is seen to be. */
typedef struct candidate {
    CK_OBJECT_HANDLE object;
    const curve *curve; /* NULL: not one of HPKE's */
    uint8_t public_key[MAX_PUBLIC_EC];
    origin public_from;
} candidate;
tw_err twp_key_examine(const line *l, CK_OBJECT_HANDLE object, candidate *out);

/* Which key a URI means: one in the token, its public half there or given by the caller. */
typedef struct choice {
    const token_uri *uri;
    const uint8_t *given; /* or NULL */
    size_t given_len;
    candidate chosen;
    size_t foreign, others; /* not on HPKE's curves; with another public half */
} choice;
/* twp_key_choose fills `chosen`; twp_key_take makes a key of that, nothing pinned yet, to which
 * twp_key_public gives its public half. */
tw_err twp_key_choose(op *o, choice *s);
tw_err twp_key_take(op *o, const choice *s, token_key **out);
tw_err twp_key_public(token_key *k, const choice *s, failure *why);
/* Whether the public half is a point that a private key may meet; `refused` if not. */
tw_err twp_point_check(const token_key *k, tw_err refused, failure *why);

/* twp_key_objects finds the objects of a class by label and id, those that are given;
 * twp_name_free refuses a label or id that a key has already. */
tw_err twp_key_objects(const line *l, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *names,
                       CK_ULONG name_count, CK_OBJECT_HANDLE **out, size_t *count);
tw_err twp_name_free(const line *l, CK_ATTRIBUTE *name);
/* The curve of a key object; the point of a public one. */
tw_err twp_curve_read(const line *l, CK_OBJECT_HANDLE object, const curve **out);
tw_err twp_point_read(const line *l, CK_OBJECT_HANDLE object, const curve *c, uint8_t *out,
                      bool *found);

/* twp_made_check refuses a key that is not kept inside, and takes off what it may do beside
 * deriving; *wide: the token would not, so that it may do more. */
tw_err twp_made_check(const line *l, CK_OBJECT_HANDLE object, bool may_decrypt, bool *wide);
/* twp_made_public reads the public half back, from the object just made or wherever else. */
tw_err twp_made_public(const line *l, CK_OBJECT_HANDLE private, CK_OBJECT_HANDLE public,
                       token_key *k);

/* --- generate.c, pair.c: making a key pair. --------------------------------------------- */

/* What the key may do beside deriving. */
typedef enum usage {
    USAGE_DERIVE,  /* nothing, said of each: SoftHSM's defaults are all true */
    USAGE_UNSAID,  /* derive said, the rest left to the token */
    USAGE_DECRYPT, /* a TPM's key does not derive without it */
    USAGE_COUNT,
} usage;

typedef struct pair_request {
    const curve *curve;
    const char *label; /* or NULL */
    const uint8_t *id;
    size_t id_len;
    bool common_label;    /* others may have it */
    bool bounded;         /* what is derived is said to stay inside too, */
    bool taken;           /* which the token was seen to take */
    bool in_session;      /* and ends with it */
    token_key *key;       /* out */
    bool wide, seen_wide; /* a key that may do more will do; one was made */
    bool left;            /* objects that would not go: none is made beside them */
    bool unsure;          /* one failed that may have been made all the same */
    failure best;         /* the most telling so far */
    size_t next;          /* the way to ask that comes next, of all */
    bool passing;         /* one failed as a device does that may be well the next moment, */
    bool asked_again;     /* for which the modest ones were asked once more */
    bool tried;           /* the key was made, and a derivation tried */
    bool unproven;        /* one failed in which it was not, and nothing refused */
    const struct maker *maker;
    usage usage;
    CK_OBJECT_HANDLE public, private;
    tw_token *token;             /* where, and */
    struct pair_request *beside; /* another that is at work, in tw_token_generate */
} pair_request;

/* twp_pair_make makes a key pair of names that are free, with nothing left of it on an error;
 * `bounded` then tells whether the token took that. twp_pair_remove takes the objects of these
 * names away again, and frees the key. */
tw_err twp_pair_make(tw_token *token, pair_request *r, failure *why);
tw_err twp_pair_remove(tw_token *token, pair_request *r, failure *why);

/* twp_pair_attempt makes one in any way that the token will; where something is left, it goes on
 * from there when it is called again. A refusal is a reason to ask otherwise. */
tw_err twp_pair_attempt(op *o, pair_request *r);
bool twp_pair_ask_otherwise(tw_err err, const failure *why);

/* twp_pair_probe asks whether the token takes CKA_DERIVE_TEMPLATE, of a pair that ends with its
 * session: SoftHSM leaves half a key when it refuses a template, in the token if that key was to
 * be there. r->bounded and r->taken tell; from a token that makes no such pair at all it is not
 * known: r->bounded stays. */
tw_err twp_pair_probe(op *o, void *arg);

/* Whether private objects can be seen now: not when someone logged us out. twp_answer_holds gives
 * `err` back, unless another login came before the answer, or it is a refusal to who was logged
 * out. */
tw_err twp_private_seen(op *o);
tw_err twp_answer_holds(op *o, tw_err err);

/* The key's object, after a loss found again and recognised by its public half. */
tw_err twp_key_handle(op *o, token_key *k, CK_OBJECT_HANDLE *out);

#endif
