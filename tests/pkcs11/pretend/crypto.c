/* SPDX-License-Identifier: Apache-2.0 */
#include "pretend.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include <twoway/twoway.h>

#include "encoding.h"
#include "hpke/hpke.h"
#include "support/check.h"

#define CONCATENATE_KEYS 0x360
#define HKDF_DERIVE      0x402a
#define HKDF_DATA        0x402b

/* PKCS #11 3.0 section 2.44.2, as pkcs11/hkdf.c has it. */
typedef struct hkdf_params {
    CK_BBOOL extract, expand;
    CK_MECHANISM_TYPE hash;
    CK_ULONG salt_type;
    CK_BYTE *salt;
    CK_ULONG salt_len;
    CK_OBJECT_HANDLE salt_key;
    CK_BYTE *info;
    CK_ULONG info_len;
} hkdf_params;

static tw_err fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(7 * i + 1);
    }
    return TW_OK;
}

const tw_key *pretend_key(void)
{
    static tw_key *keys[64];
    tw_key **at = &keys[pretend->kem_id % 64];
    const tw_rng rng = {.fill = fill};

    if (*at == NULL) {
        must_ok(tw_key_generate(pretend->kem_id, &rng, NULL, at));
    }
    return *at;
}

/* --- Diffie-Hellman. ------------------------------------------------------------------------- */

static bool flag(const CK_ATTRIBUTE *a, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == type) {
            return *(const CK_BBOOL *)a[i].pValue != CK_FALSE;
        }
    }
    return false;
}

/* The point as it lies in the parameters, raw or as an OCTET STRING. */
static bool take_point(const curve *c, const CK_ECDH1_DERIVE_PARAMS *params, uint8_t *point)
{
    bool raw = params->ulPublicDataLen == c->public_len;

    return !(raw && pretend->der_alone) &&
           twp_point_decode(c, params->pPublicData, params->ulPublicDataLen, point);
}

static CK_RV ecdh(const pretend_object *base, const CK_MECHANISM *mechanism, pretend_object *made)
{
    const curve *c = twp_curve_by_kem(base->key->kem->id);
    uint8_t point[MAX_PUBLIC_EC];

    if (!take_point(c, mechanism->pParameter, point)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    made->value_len = c->dh_len;
    return tw_dh_derive(&tw_dhkem_of(base->key->kem)->group, tw_soft_key_dh(base->key), point,
                        made->value) == TW_OK
               ? CKR_OK
               : CKR_FUNCTION_FAILED;
}

/* --- HKDF inside. ---------------------------------------------------------------------------- */

static const EVP_MD *hash_of(CK_MECHANISM_TYPE type)
{
    return type == 0x250 ? EVP_sha256() : type == 0x260 ? EVP_sha384() : EVP_sha512();
}

static CK_RV concatenate(const uint8_t *first, size_t first_len, const uint8_t *second,
                         size_t second_len, pretend_object *made)
{
    must(first_len + second_len <= sizeof(made->value));
    memcpy(made->value, first, first_len);
    memcpy(made->value + first_len, second, second_len);
    made->value_len = first_len + second_len;
    return CKR_OK;
}

static void hmac(const EVP_MD *md, const uint8_t *key, size_t key_len, const uint8_t *data,
                 size_t len, uint8_t *out)
{
    must(HMAC(md, key, (int)key_len, data, len, out, NULL) != NULL);
}

/* One block of output, which is what DHKEM's expand asks for. */
static CK_RV hkdf(const pretend_object *base, const hkdf_params *p, pretend_object *made)
{
    const EVP_MD *md = hash_of(p->hash);
    uint8_t zeros[EVP_MAX_MD_SIZE] = {0}, info[1024];

    made->value_len = (size_t)EVP_MD_get_size(md);
    if (p->extract) {
        hmac(md, zeros, made->value_len, base->value, base->value_len, made->value);
    } else {
        must(p->info_len < sizeof(info));
        memcpy(info, p->info, p->info_len);
        info[p->info_len] = 1;
        hmac(md, base->value, base->value_len, info, p->info_len + 1, made->value);
    }
    return CKR_OK;
}

static CK_RV derive_inside(const pretend_object *base, const CK_MECHANISM *m, pretend_object *made)
{
    const CK_KEY_DERIVATION_STRING_DATA *data = m->pParameter;
    const pretend_object *second;

    if (!pretend->runs_hkdf) {
        return CKR_MECHANISM_INVALID;
    }
    switch (m->mechanism) {
    case CKM_CONCATENATE_DATA_AND_BASE:
        return concatenate(data->pData, data->ulLen, base->value, base->value_len, made);
    case CONCATENATE_KEYS:
        second = pretend_find(*(const CK_OBJECT_HANDLE *)m->pParameter);
        return second == NULL ? CKR_KEY_HANDLE_INVALID
                              : concatenate(base->value, base->value_len, second->value,
                                            second->value_len, made);
    case HKDF_DATA:
        made->class = CKO_DATA;
        made->readable = true;
        return hkdf(base, m->pParameter, made);
    case HKDF_DERIVE:
        return hkdf(base, m->pParameter, made);
    default:
        return CKR_MECHANISM_INVALID;
    }
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                  CK_ATTRIBUTE *a, CK_ULONG count, CK_OBJECT_HANDLE *out)
{
    const pretend_object *from = pretend_find(base);
    pretend_object *made;
    CK_RV rv;

    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (from == NULL || from->class == CKO_PUBLIC_KEY) {
        return CKR_KEY_HANDLE_INVALID;
    }
    if (pretend->keeps_dh && flag(a, count, CKA_EXTRACTABLE)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    made = pretend_add(session, CKO_SECRET_KEY);
    if (made == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    made->readable = flag(a, count, CKA_EXTRACTABLE);
    rv = from->key != NULL ? mechanism->mechanism == CKM_ECDH1_DERIVE ? ecdh(from, mechanism, made)
                                                                      : CKR_MECHANISM_INVALID
                           : derive_inside(from, mechanism, made);
    if (rv != CKR_OK) {
        pretend->objects--;
        made->handle = 0;
        return rv;
    }
    *out = made->handle;
    pretend_number(out);
    return CKR_OK;
}

/* --- Making keys. ---------------------------------------------------------------------------- */

static void name(pretend_object *o, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == CKA_LABEL && a[i].ulValueLen <= sizeof(o->label)) {
            o->label_len = a[i].ulValueLen;
            memcpy(o->label, a[i].pValue, a[i].ulValueLen);
        } else if (a[i].type == CKA_ID && a[i].ulValueLen <= sizeof(o->id)) {
            o->id_len = a[i].ulValueLen;
            memcpy(o->id, a[i].pValue, a[i].ulValueLen);
        }
    }
}

/* Another object of the one key that there is. */
CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                        CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                        CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    pretend_object *o;

    (void)mechanism;
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    o = pretend_add(0, CKO_PRIVATE_KEY);
    must(o != NULL);
    o->key = pretend_key();
    name(o, private, private_count);
    *private_key = o->handle;
    pretend_number(private_key);
    o = pretend_add(0, CKO_PUBLIC_KEY);
    must(o != NULL);
    o->key = pretend_key();
    name(o, public, public_count);
    *public_key = o->handle;
    pretend_number(public_key);
    return CKR_OK;
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *a,
                    CK_ULONG count, CK_OBJECT_HANDLE *out)
{
    pretend_object *o;

    (void)mechanism;
    (void)a;
    (void)count;
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    o = pretend_add(session, CKO_SECRET_KEY);
    if (o == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    o->value_len = 32;
    *out = o->handle;
    pretend_number(out);
    return CKR_OK;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE by,
                CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *len)
{
    (void)mechanism;
    (void)out;
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (pretend_find(by) == NULL || pretend_find(key) == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    *len = 0;
    pretend_number(len);
    return CKR_KEY_UNEXTRACTABLE;
}

/* --- Digests. -------------------------------------------------------------------------------- */

static EVP_MD_CTX *digest;

CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism)
{
    PRETEND_ASKED();
    if (!pretend->hashes_keys) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    digest = digest == NULL ? EVP_MD_CTX_new() : digest;
    must(EVP_DigestInit_ex(digest, hash_of(mechanism->mechanism), NULL) == 1);
    return CKR_OK;
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len)
{
    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    must(EVP_DigestUpdate(digest, data, len) == 1);
    return CKR_OK;
}

CK_RV C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    const pretend_object *o = pretend_find(key);

    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (o == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    must(EVP_DigestUpdate(digest, o->value, o->value_len) == 1);
    return CKR_OK;
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *len)
{
    unsigned written = 0;

    PRETEND_ASKED();
    if (!pretend_has_session(session)) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    if (digest == NULL || EVP_MD_CTX_get0_md(digest) == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    must(*len >= (CK_ULONG)EVP_MD_CTX_get_size(digest));
    must(EVP_DigestFinal_ex(digest, out, &written) == 1);
    (void)EVP_MD_CTX_reset(digest);
    pretend_bytes(out, written);
    *len = written;
    pretend_number(len);
    return CKR_OK;
}
