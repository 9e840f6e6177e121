/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of twoway.h on keys: making, reading and writing them. */

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "certificates.h"
#include "world.h"

static char pem[4096];
static size_t pem_len;
static uint8_t sk[TW_MAX_DH];

static tw_err took(tw_err err, tw_key *key)
{
    made(err, key);
    if (err == TW_OK) {
        failures_pause(true);
        must_ok(tw_key_check(key));
        must(w.key == NULL ||
             memcmp(key->public_key, w.key->public_key, key->kem->public_len) == 0);
        failures_pause(false);
    }
    RELEASE(tw_key_free(key));
    return err;
}

static tw_err key_generate(void)
{
    tw_key *key = POISON(tw_key);
    tw_err err = tw_key_generate(now->kem_id, NULL, now->provider, &key);

    return took(err, key);
}

static tw_err fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 7, len);
    return TW_OK;
}

static tw_err key_generate_rng(void)
{
    const tw_rng rng = {.fill = fill};
    tw_key *key = POISON(tw_key);
    tw_err err = tw_key_generate(now->kem_id, &rng, now->provider, &key);

    return took(err, key);
}

static size_t private_len(void)
{
    return now->kem_id == TW_KEM_P521_HKDF_SHA512   ? 66
           : now->kem_id == TW_KEM_P384_HKDF_SHA384 ? 48
           : now->kem_id == TW_KEM_X448_HKDF_SHA512 ? 56
                                                    : 32;
}

static tw_err key_from_private(void)
{
    tw_key *key = POISON(tw_key);
    tw_err err;

    memset(sk, 1, sizeof(sk));
    sk[0] = 0;
    err = tw_key_from_private(now->kem_id, sk, private_len(), now->provider, &key);
    return took(err, key);
}

static tw_err key_from_public(void)
{
    tw_key *key = POISON(tw_key);
    tw_err err = tw_key_from_public(now->kem_id, w.key->public_key, w.key->kem->public_len,
                                    now->provider, &key);

    made(err, key);
    RELEASE(tw_key_free(key));
    return err;
}

/* --- PEM. ------------------------------------------------------------------------------------ */

static void private_pem(void)
{
    want_key();
    must_ok(tw_key_to_pem(w.key, pem, sizeof(pem), &pem_len));
}

static tw_err key_from_pem(void)
{
    tw_key *key = POISON(tw_key);
    tw_err err = tw_key_from_pem(pem, pem_len, now->provider, &key);

    return took(err, key);
}

/* A key whose public half is another's, which no failure may make good. X25519's and X448's
 * have none. */
static void halves_apart(void)
{
    uint8_t der[1024];
    char *line, *rest = NULL;
    size_t len = 0, at;

    private_pem();
    pem[pem_len] = '\0';
    (void)strtok_r(pem, "\n", &rest); /* the first line */
    while ((line = strtok_r(NULL, "\n", &rest)) != NULL && line[0] != '-') {
        len += (size_t)EVP_DecodeBlock(der + len, (const uint8_t *)line, (int)strlen(line));
    }
    len = 4 + ((size_t)der[1] == 0x82 ? (size_t)der[2] << 8 | der[3]
               : der[1] == 0x81       ? der[2] - 1u
                                      : der[1] - 2u);
    if (now->kem_id <= TW_KEM_P521_HKDF_SHA512) {
        memcpy(der + len - w.identity->kem->public_len, w.identity->public_key,
               w.identity->kem->public_len);
    }
    at = (size_t)snprintf(pem, sizeof(pem), "-----BEGIN PRIVATE KEY-----\n");
    for (size_t done = 0; done < len; done += 48) {
        at += (size_t)EVP_EncodeBlock((uint8_t *)pem + at, der + done,
                                      (int)(len - done < 48 ? len - done : 48));
        pem[at++] = '\n';
    }
    pem_len = at + (size_t)snprintf(pem + at, sizeof(pem) - at, "-----END PRIVATE KEY-----\n");
}

static tw_err key_from_wrong_pem(void)
{
    bool apart = now->kem_id <= TW_KEM_P521_HKDF_SHA512;
    tw_key *key = POISON(tw_key);
    tw_err err = tw_key_from_pem(pem, pem_len, now->provider, &key);

    must((key == NULL) == (err != TW_OK) && !(apart && err == TW_OK));
    RELEASE(tw_key_free(key));
    return err == TW_ERR_KEY && apart ? TW_OK : err; /* as it is when nothing fails */
}

static tw_err key_to_pem(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_key_to_pem(w.key, (char *)out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? pem_len : 0, len);
    room_check(&out, err);
    must(err != TW_OK || memcmp(pem, out.bytes, len) == 0);
    return err;
}

static void public_pem(void)
{
    want_key();
    must_ok(tw_public_to_pem(now->kem_id, w.key->public_key, w.key->kem->public_len, now->provider,
                             pem, sizeof(pem), &pem_len));
}

static tw_err public_from_pem(void)
{
    room out;
    size_t len = SIZE_MAX;
    uint16_t kem_id = 1;
    tw_err err;

    room_fill(&out);
    err = tw_public_from_pem(pem, pem_len, now->provider, &kem_id, out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? w.key->kem->public_len : 0, len);
    must(kem_id == (err == TW_OK ? now->kem_id : 0));
    room_check(&out, err);
    must(err != TW_OK || memcmp(w.key->public_key, out.bytes, len) == 0);
    return err;
}

/* A point off its curve, which no failure may make good; the last bytes of it are X25519's and
 * X448's still. */
static void public_off_the_curve(void)
{
    char *end;

    public_pem();
    end = pem + pem_len - sizeof("\n-----END PUBLIC KEY-----");
    while (*end == '=') {
        end--;
    }
    end -= 4; /* whole bytes, none of them beyond the last one */
    *end = (char)(*end == 'A' ? 'B' : 'A');
}

static tw_err public_from_wrong_pem(void)
{
    bool off = now->kem_id <= TW_KEM_P521_HKDF_SHA512;
    uint8_t pk[TW_MAX_PUBLIC];
    size_t len = SIZE_MAX;
    uint16_t kem_id = 1;
    tw_err err = tw_public_from_pem(pem, pem_len, now->provider, &kem_id, pk, sizeof(pk), &len);

    must(err == TW_OK ? !off : len == 0 && kem_id == 0);
    return err == TW_ERR_KEY && off ? TW_OK : err; /* as it is when nothing fails */
}

static tw_err public_to_pem(void)
{
    room out;
    size_t len = SIZE_MAX;
    tw_err err;

    room_fill(&out);
    err = tw_public_to_pem(now->kem_id, w.key->public_key, w.key->kem->public_len, now->provider,
                           (char *)out.bytes, sizeof(out), &len);
    must_size(err == TW_OK ? pem_len : 0, len);
    room_check(&out, err);
    must(err != TW_OK || memcmp(pem, out.bytes, len) == 0);
    return err;
}

/* --- Certificates. --------------------------------------------------------------------------- */

static void certificate(void)
{
    static const certificate_wish wish = {
        .extensions = {{"keyUsage", "critical,keyAgreement"},
                       {"basicConstraints", "critical,CA:FALSE"}}};
    size_t mark = bytes_mark();
    EVP_PKEY *pkey;
    bytes der;

    want_key();
    pkey = public_pkey(now->kem_id, w.key->public_key, w.key->kem->public_len);
    der = certificate_of(pkey, &wish);
    memcpy(w.body, der.data, der.len <= sizeof(w.body) ? der.len : 0);
    w.body_len = der.len;
    must(w.body_len <= sizeof(w.body));
    EVP_PKEY_free(pkey);
    bytes_release(mark);
}

static void certificate_text(void)
{
    size_t mark = bytes_mark();
    bytes text;

    certificate();
    text = certificate_pem(bytes_of(w.body, w.body_len));
    must(text.len <= sizeof(pem));
    memcpy(pem, text.data, text.len);
    pem_len = text.len;
    bytes_release(mark);
}

static tw_err public_from(const void *data, size_t len)
{
    tw_certificate none = {.size = sizeof(none)}, out;
    tw_err err;

    memset(&out, 0xa5, sizeof(out));
    out.size = sizeof(out);
    err = tw_public_from_certificate(data, len, now->provider, &out);
    if (err != TW_OK) {
        must(memcmp(&none, &out, sizeof(out)) == 0);
        return err;
    }
    must(out.kem_id == now->kem_id && out.public_len == w.key->kem->public_len);
    must(memcmp(out.public_key, w.key->public_key, out.public_len) == 0);
    /* An extension that cannot be read counts as malformed, unless libcrypto says why not. */
    must(out.for_sealing || failures_silent());
    must(out.not_before < out.not_after);
    return TW_OK;
}

static tw_err public_from_certificate(void)
{
    return public_from(w.body, w.body_len);
}

static tw_err public_from_certificate_text(void)
{
    return public_from(pem, pem_len);
}

const operation key_operations[] = {
    {"tw_key_generate", NULL, key_generate, NULL, SERVES},
    {"tw_key_generate with a tw_rng", NULL, key_generate_rng, NULL, SERVES},
    {"tw_key_from_private", NULL, key_from_private, NULL, SERVES},
    {"tw_key_from_public", want_key, key_from_public, NULL, SERVES},
    {"tw_key_from_pem", private_pem, key_from_pem, NULL, SERVES},
    {"tw_key_from_pem of halves apart", halves_apart, key_from_wrong_pem, NULL, SERVES},
    {"tw_key_to_pem", private_pem, key_to_pem, NULL, SERVES},
    {"tw_public_from_pem", public_pem, public_from_pem, NULL, SERVES},
    {"tw_public_from_pem of a point off its curve", public_off_the_curve, public_from_wrong_pem,
     NULL, SERVES},
    {"tw_public_to_pem", public_pem, public_to_pem, NULL, SERVES},
    {"tw_public_from_certificate, DER", certificate, public_from_certificate, NULL, SERVES},
    {"tw_public_from_certificate, PEM", certificate_text, public_from_certificate_text, NULL,
     SERVES},
    {NULL, NULL, NULL, NULL, SERVES},
};
