/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEY_H
#define KEY_H

/* What stands on a token's sessions (token.h): curves, keys, and the ways to use them. */

#include "token.h"

/* --- curve.c, der.c: the encodings of curves and points. -------------------------- */

#define MAX_PUBLIC_EC 133 /* the longest Npk here: P-521's */

typedef struct bytes {
    const uint8_t *data;
    size_t len;
} bytes;

typedef struct curve {
    uint16_t kem_id;
    size_t public_len, dh_len;
    CK_MECHANISM_TYPE hash; /* of the KEM's KDF */
    size_t hash_len, hash_block;
    bytes params[3]; /* encodings of CKA_EC_PARAMS, the usual one first */
} curve;

const curve *curve_by_kem(uint16_t kem_id);
const curve *curve_by_params(const uint8_t *params, size_t len);

/* point_decode takes CKA_EC_POINT in any of the forms that tokens use; `out` has room
 * for c->public_len. point_encode writes the DER OCTET STRING, at most 3 bytes more. */
bool point_decode(const curve *c, const uint8_t *in, size_t len, uint8_t *out);
size_t point_encode(const curve *c, const uint8_t *point, uint8_t *out);

/* The curve's point in a SubjectPublicKeyInfo, or in the one of a certificate. */
bool spki_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out);
bool certificate_point(const curve *c, const uint8_t *der, size_t len, uint8_t *out);

/* --- derive.c, settle.c: from a key in a token to the KEM's shared secret. ---------- */

struct strategy;
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

extern const strategy strategy_value;

#define SHAPE_COUNT 3 /* whole, without VALUE_LEN, without SENSITIVE too */

/* derive_dh makes the object that holds a DH output, in the shape of the key's recipe.
 * object_destroy ends it, with its session if the token will not. */
tw_err derive_dh(op *o, CK_OBJECT_HANDLE key, const agreement *a, const uint8_t *point,
                 bool readable, CK_OBJECT_HANDLE *out);
void object_destroy(op *o, CK_OBJECT_HANDLE object);

/* key_prove encapsulates to the key's public half and opens that with the private key
 * object by its recipe. key_settle finds the recipe. */
tw_err key_prove(op *o, const token_key *k, CK_OBJECT_HANDLE object);
tw_err key_settle(op *o, token_key *k, CK_OBJECT_HANDLE object);

/* --- public.c, find.c, key.c --------------------------------------------------------- */

struct token_key {
    tw_key base; /* first: a tw_key * is also a token_key * */
    tw_token *token;
    tw_kem *kem;
    const curve *curve;
    recipe recipe;
    uint8_t public_key[MAX_PUBLIC_EC];
    bool public_given; /* by the caller: the token holds none */
    bool derive;       /* CKA_DERIVE as it was read */
    uint8_t *label, *id;
    size_t label_len, id_len;

    CK_OBJECT_HANDLE handle; /* under token->lock, and */
    unsigned long epoch;     /* the one in which it was found */
};

tw_err key_new(tw_token *t, const curve *c, token_key **out, failure *why);
void key_free(token_key *k); /* NULL is fine */

/* public_find looks for the public half of a private key object wherever tokens are
 * known to keep it. TW_OK with *found false: nowhere. */
tw_err public_find(const line *l, CK_OBJECT_HANDLE key, const curve *c, uint8_t *out,
                   bool *found);

/* What a private key object is seen to be. */
typedef struct candidate {
    CK_OBJECT_HANDLE object;
    const curve *curve; /* NULL: not one of HPKE's */
    uint8_t public_key[MAX_PUBLIC_EC];
    bool has_public;
} candidate;

tw_err key_examine(const line *l, CK_OBJECT_HANDLE object, candidate *out);

/* key_objects finds the objects of a class by label and id, those that are given. */
tw_err key_objects(const line *l, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *names,
                   CK_ULONG name_count, CK_OBJECT_HANDLE **out, size_t *count);
tw_err curve_read(const line *l, CK_OBJECT_HANDLE object, const curve **out);
tw_err point_read(const line *l, CK_OBJECT_HANDLE object, const curve *c, uint8_t *out,
                  bool *found); /* of a public key object */

/* key_handle gives the key's object, found again after a loss and recognised by its public
 * half: a handle from before can name another private key by now. */
tw_err key_handle(op *o, token_key *k, CK_OBJECT_HANDLE *out);

#endif
