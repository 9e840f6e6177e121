/* SPDX-License-Identifier: Apache-2.0 */
/* Curves, points and certificates as tokens hold them; what each CK_RV is judged to be. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "check.h"
#include "key.h"

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                TW_KEM_X448_HKDF_SHA512};

static const struct {
    const char *type, *group;
} openssl_names[] = {
    {"EC", "P-256"}, {"EC", "P-384"}, {"EC", "P-521"}, {"X25519", NULL}, {"X448", NULL}};

#define KEMS LENGTH(kems)

static void fill(uint8_t *out, size_t len)
{
    out[0] = 0x04; /* also the tag of an OCTET STRING */
    for (size_t i = 1; i < len; i++) {
        out[i] = (uint8_t)i;
    }
}

/* A copy of exactly `len` bytes, so that a sanitizer sees one read too many. */
static bool decode_exact(const curve *c, const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    bool good;

    must(copy != NULL);
    memcpy(copy, in, len);
    good = twp_point_decode(c, copy, len, out);
    free(copy);
    return good;
}

static void must_decode(const curve *c, const uint8_t *in, size_t len, const uint8_t *want)
{
    uint8_t out[MAX_PUBLIC_EC] = {0};

    check_note("(KEM 0x%04x, %zu bytes)", c->kem_id, len);
    must(decode_exact(c, in, len, out));
    must(memcmp(out, want, c->public_len) == 0);
}

Test(encodings, points_are_known_by_their_length)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t point[MAX_PUBLIC_EC], der[MAX_PUBLIC_EC + 3], out[MAX_PUBLIC_EC];
        size_t len;

        must(c != NULL && c->public_len <= MAX_PUBLIC_EC);
        fill(point, c->public_len);
        must_decode(c, point, c->public_len, point);
        len = twp_point_encode(c, point, der);
        must_size(c->public_len + (c->public_len < 128 ? 2 : 3), len);
        must_decode(c, der, len, point);
        for (size_t cut = 0; cut < len; cut++) {
            must(cut == c->public_len || !decode_exact(c, der, cut, out));
        }
        der[0] = 0x05;
        must(!decode_exact(c, der, len, out));
        der[0] = 0x04;
        der[1] ^= 1;
        must(!decode_exact(c, der, len, out));
    }
}

Test(encodings, a_tpms_malformed_p521_and_a_bit_string_are_read_too)
{
    const curve *p521 = twp_curve_by_kem(TW_KEM_P521_HKDF_SHA512);
    const curve *x25519 = twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256);
    uint8_t tpm[135] = {0x04, 0x85}, bits[35] = {0x03, 0x21, 0x00};

    fill(tpm + 2, 133);
    must_decode(p521, tpm, sizeof(tpm), tpm + 2);
    fill(bits + 3, 32);
    must_decode(x25519, bits, sizeof(bits), bits + 3);
}

Test(encodings, curves_are_known_by_their_parameters_alone)
{
    static const uint8_t named[] = {0x13, 0x0a, 'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9'};
    static const uint8_t old[] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
                                  0x01, 0x97, 0x55, 0x01, 0x05, 0x01};
    static const uint8_t ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

    must(twp_curve_by_params(named, sizeof(named)) == twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256));
    must(twp_curve_by_params(old, sizeof(old)) == twp_curve_by_kem(TW_KEM_X25519_HKDF_SHA256));
    must(twp_curve_by_params(ed25519, sizeof(ed25519)) == NULL);
    must(twp_curve_by_params(named, sizeof(named) - 1) == NULL);
    must(twp_curve_by_params(NULL, 0) == NULL);
    must(twp_curve_by_kem(0x0099) == NULL);
}

/* --- Certificates, made by libcrypto. ------------------------------------------------------- */

typedef struct made {
    uint8_t *spki, *certificate;
    size_t spki_len, certificate_len;
    uint8_t point[MAX_PUBLIC_EC];
} made;

static void make(size_t i, made *out)
{
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    EVP_PKEY *key = openssl_names[i].group != NULL
                        ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", openssl_names[i].group)
                        : EVP_PKEY_Q_keygen(NULL, NULL, openssl_names[i].type);
    X509 *x = X509_new();
    unsigned char *point = NULL;
    size_t point_len;
    int len;

    *out = (made){0};
    must(signer != NULL && key != NULL && x != NULL);
    must(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"hpke", -1, -1, 0) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(x), 1000) != NULL);
    must(X509_sign(x, signer, EVP_sha256()) > 0);
    len = i2d_X509(x, &out->certificate);
    must(len > 0);
    out->certificate_len = (size_t)len;
    len = i2d_PUBKEY(key, &out->spki);
    must(len > 0);
    out->spki_len = (size_t)len;
    point_len = EVP_PKEY_get1_encoded_public_key(key, &point);
    must(point_len > 0 && point_len <= sizeof(out->point));
    memcpy(out->point, point, point_len);
    OPENSSL_free(point);
    X509_free(x);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
}

typedef bool reader(const curve *c, const uint8_t *der, size_t len, uint8_t *out);

/* Read whole; cut at every byte; and with each byte altered, without reading beyond. */
static void must_read(reader *read, const curve *c, const uint8_t *der, size_t len,
                      const uint8_t *point)
{
    uint8_t out[MAX_PUBLIC_EC];

    must(read(c, der, len, out));
    must(memcmp(out, point, c->public_len) == 0);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut == 0 ? 1 : cut);

        must(copy != NULL);
        memcpy(copy, der, cut);
        must(!read(c, copy, cut, out));
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        uint8_t *copy = malloc(len);

        must(copy != NULL);
        memcpy(copy, der, len);
        copy[at] ^= 0x81;
        (void)read(c, copy, len, out);
        free(copy);
    }
}

/* The other forms of a point that have its length: hybrid, and those that have none. */
Test(encodings, a_nist_point_is_uncompressed_or_none)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t point[MAX_PUBLIC_EC], der[MAX_PUBLIC_EC + 3], out[MAX_PUBLIC_EC];
        bool nist = openssl_names[i].group != NULL;
        made m;

        make(i, &m);
        for (unsigned form = 0; form < 256; form++) {
            fill(point, c->public_len);
            point[0] = (uint8_t)form;
            must(decode_exact(c, point, c->public_len, out) == (!nist || form == 4));
            must(decode_exact(c, der, twp_point_encode(c, point, der), out) ==
                 (!nist || form == 4));
            m.spki[m.spki_len - c->public_len] = (uint8_t)form;
            must(twp_spki_point(c, m.spki, m.spki_len, out) == (!nist || form == 4));
        }
        OPENSSL_free(m.spki);
        OPENSSL_free(m.certificate);
    }
}

Test(encodings, public_keys_are_read_from_certificates_and_infos)
{
    for (size_t i = 0; i < KEMS; i++) {
        const curve *c = twp_curve_by_kem(kems[i]);
        uint8_t out[MAX_PUBLIC_EC];
        made m;

        check_note("(KEM 0x%04x)", kems[i]);
        make(i, &m);
        must_read(twp_spki_point, c, m.spki, m.spki_len, m.point);
        must_read(twp_certificate_point, c, m.certificate, m.certificate_len, m.point);
        must(!twp_spki_point(twp_curve_by_kem(kems[(i + 1) % KEMS]), m.spki, m.spki_len, out));
        must(!twp_certificate_point(c, m.spki, m.spki_len, out));
        OPENSSL_free(m.spki);
        OPENSSL_free(m.certificate);
    }
}

/* --- Codes. --------------------------------------------------------------------------------------
 */

Test(encodings, a_code_says_who_must_act_and_what_was_lost)
{
    static const struct {
        CK_RV rv;
        tw_err err;
        loss loss;
    } wanted[] = {
        {CKR_HOST_MEMORY, TW_ERR_MEMORY, LOSS_NONE},
        {CKR_PIN_INCORRECT, TW_ERR_TOKEN_PIN, LOSS_NONE},
        {CKR_PIN_LOCKED, TW_ERR_TOKEN_PIN, LOSS_NONE},
        {CKR_TOKEN_NOT_PRESENT, TW_ERR_TOKEN_ABSENT, LOSS_SLOT},
        {CKR_SESSION_COUNT, TW_ERR_TOKEN_BUSY, LOSS_NONE},
        {CKR_SESSION_CLOSED, TW_ERR_TOKEN_FAILED, LOSS_SESSION},
        {CKR_USER_NOT_LOGGED_IN, TW_ERR_TOKEN_FAILED, LOSS_SESSION},
        {CKR_MECHANISM_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE},
        {CKR_DEVICE_ERROR, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {0x121, TW_ERR_TOKEN_POLICY, LOSS_NONE}, /* CKR_RANDOM_NO_RNG; then two of 3.0 and 3.1 */
        {0x201, TW_ERR_TOKEN_FAILED, LOSS_NONE}, /* CKR_TOKEN_RESOURCE_EXCEEDED */
        {0x203, TW_ERR_TOKEN_POLICY, LOSS_NONE}, /* CKR_KEY_EXHAUSTED */
        {0x182, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {0x80000182, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {(CK_RV)-1, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
    };

    for (size_t i = 0; i < LENGTH(wanted); i++) {
        verdict v = twp_rv_judge(wanted[i].rv);

        check_note("(0x%lx)", wanted[i].rv);
        must_err(wanted[i].err, v.err);
        must(wanted[i].loss == v.loss);
        must((v.name == NULL) == (wanted[i].rv == 0x182 || wanted[i].rv > 0xffff));
    }
}

/* No code of a token's is a peer's fault: `enc` was checked before. */
Test(encodings, no_code_blames_the_peer)
{
    for (CK_RV rv = 1; rv < 0x1000; rv++) {
        tw_err err = twp_rv_judge(rv).err;

        must(err != TW_OK && !tw_err_is_peer(err));
    }
}

/* --- Options and events. ---------------------------------------------------------------------- */

static char message[1024];

static void keep(void *arg, const tw_token_event *event)
{
    (void)arg;
    (void)snprintf(message, sizeof(message), "%s", event->message);
}

/* --- What is found. ---------------------------------------------------------------------- */

static CK_RV find_init(CK_SESSION_HANDLE on, CK_ATTRIBUTE *match, CK_ULONG count)
{
    (void)on;
    (void)match;
    (void)count;
    return CKR_OK;
}

static CK_ULONG rounds; /* of finding; in the first it counts three and gives two */

static CK_RV find_too_few(CK_SESSION_HANDLE on, CK_OBJECT_HANDLE *out, CK_ULONG room,
                          CK_ULONG *count)
{
    (void)on;
    must(room >= 3);
    out[0] = 7;
    out[1] = 8; /* the heap itself wrote that far */
    *count = rounds++ == 0 ? 3 : 0;
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE on)
{
    (void)on;
    return CKR_OK;
}

Test(found, an_object_that_was_counted_and_not_given_is_none)
{
    CK_FUNCTION_LIST fn = {.C_FindObjectsInit = find_init,
                           .C_FindObjects = find_too_few,
                           .C_FindObjectsFinal = find_final};
    failure why = {0};
    line l = {&fn, 1, &why};
    CK_OBJECT_HANDLE *objects = (CK_OBJECT_HANDLE *)&objects;
    size_t count = 9;
    volatile uint8_t *before = malloc(256); /* what lay there is no object either */

    must(before != NULL);
    for (size_t i = 0; i < 256; i++) {
        before[i] = 0x5a;
    }
    free((uint8_t *)before);
    must_err(TW_ERR_TOKEN_FAILED, twp_object_find(&l, NULL, 0, &objects, &count));
    must(objects == NULL && count == 0);
}

/* What a terminal would obey does not come through, what it shows does. */
Test(report, a_message_is_one_line_of_text)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"a\nb\x1b[2J\x7f", "do: a?b?[2J?"},
        {"caf\xc3\xa9 \xe2\x82\xac", "do: caf\xc3\xa9 \xe2\x82\xac"},
        {"\x9b"
         "2J",
         "do: ?2J"},
        {"\xc3\xa9\x85", "do: \xc3\xa9?"},
        {"\xc2\x9b"
         "2J",
         "do: ??2J"},
        {"\xc2\xa0", "do: \xc2\xa0"},
        {"\xc0\x9b\xff", "do: ???"},
        {"end\xe2\x82", "do: end??"},
        {"\xe0\x80\x8a\xe0\xa0\x80", "do: ???\xe0\xa0\x80"}, /* longer than it need be */
        {"\xf0\x8f\xbf\xbf\xf0\x90\x80\x80", "do: ????\xf0\x90\x80\x80"},
        {"\xed\xa0\x80\xed\x9f\xbf", "do: ???\xed\x9f\xbf"}, /* half of a pair */
        {"\xf4\x90\x80\x80\xf4\x8f\xbf\xbf", "do: ????\xf4\x8f\xbf\xbf"},
    };
    const settings s = {.size = sizeof(s), .event = keep};

    for (size_t i = 0; i < LENGTH(rows); i++) {
        failure why = {0};

        (void)twp_fail_text(&why, TW_ERR_INVALID, "%s", rows[i].text);
        twp_report(&s, 0, "do", &why);
        check_note("(row %zu: %s)", i, message);
        must(strcmp(message, rows[i].said) == 0);
    }
}

/* A caller's older header ends where it ends: what it does not reach is absent, whole. */
Test(report, options_of_any_size_are_copied_by_whole_fields)
{
    const tw_provider provider = {0};
    const tw_token_options all = {.module = "m",
                                  .init_args = "i",
                                  .max_sessions = 7,
                                  .deadline_ms = 9,
                                  .provider = &provider,
                                  .event = keep};

    for (size_t size = 0; size <= sizeof(all) + 8; size++) {
        tw_token_options given = all;
        settings s;

        given.size = size;
        if (twp_settings_copy(&s, &given) != TW_OK) {
            must(size < offsetof(tw_token_options, init_args));
            continue;
        }
        must((s.init_args != NULL) == (size >= offsetof(tw_token_options, max_sessions)));
        must((s.provider != NULL) ==
             (size >= offsetof(tw_token_options, provider) + sizeof(void *)));
        must(s.event == NULL || s.event == keep);
        twp_settings_clear(&s);
    }
}
