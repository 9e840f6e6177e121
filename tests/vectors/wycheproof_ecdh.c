/* SPDX-License-Identifier: Apache-2.0 */
/* Wycheproof's points through the KEM: each is an `enc` that a receiver meets. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "vectors.h"

typedef struct counts {
    size_t taken, refused, of_another_length;
} counts;

/* The vectors' scalars have leading zeros, or lack them, as an ASN.1 integer does. */
static bytes scalar(const json_t *t, size_t len)
{
    bytes sk = vector_bytes(t, "private"), padded = bytes_new(len);

    while (sk.len > len) {
        must(sk.data[0] == 0);
        sk = bytes_from(sk, 1);
    }
    memcpy(padded.data + len - sk.len, sk.data, sk.len);
    return padded;
}

static bool has_flag(const json_t *t, const char *flag)
{
    json_t *entry;
    size_t i;

    json_array_foreach(vector_list(t, "flags"), i, entry)
    {
        if (strcmp(json_string_value(entry), flag) == 0) {
            return true;
        }
    }
    return false;
}

static void must_take(const tw_key *key, bytes enc, bytes dh)
{
    bytes want = bytes_new(key->kem->secret_len), got = bytes_new(key->kem->secret_len);

    must_ok(key->kem->check(key->kem, enc.data));
    must_ok(tw_dhkem_secret(key->kem, dh.data, dh.len, enc.data, key->public_key, NULL, want.data));
    must_ok(key->ops->decap(key, enc.data, NULL, got.data));
    must_bytes(want, got);
}

static void must_refuse(const tw_key *key, bytes enc)
{
    bytes secret = bytes_new(key->kem->secret_len);

    must_err(TW_ERR_KEY, key->kem->check(key->kem, enc.data));
    must_err(TW_ERR_FORMAT, key->ops->decap(key, enc.data, NULL, secret.data));
}

/* A point of another length cannot come as an enc, but as a public key it can. */
static void must_refuse_length(uint16_t kem_id, const tw_key *key, bytes point)
{
    tw_suite *suite = NULL;
    tw_sender *sender = NULL;
    bytes padded = bytes_new(key->kem->enc_len);

    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    must_err(TW_ERR_KEY, tw_sender_new(suite, 1, point.data, point.len, NULL, &sender));
    must(sender == NULL);
    memcpy(padded.data, point.data, point.len);
    must_refuse(key, padded);
    tw_suite_free(suite);
}

static void run(uint16_t kem_id, size_t scalar_len, const json_t *t, counts *c)
{
    const char *result = vector_text(t, "result");
    bytes sk = scalar(t, scalar_len), point = vector_bytes(t, "public");
    bool usable = strcmp(result, "invalid") != 0 && !has_flag(t, "ZeroSharedSecret");
    tw_key *key = NULL;

    check_note("in Wycheproof test %zu of %s", vector_size(t, "tcId"), tw_kem_name(kem_id));
    must_ok(tw_key_from_private(kem_id, sk.data, sk.len, NULL, &key));
    if (point.len != key->kem->enc_len) {
        must_refuse_length(kem_id, key, point);
        c->of_another_length++;
    } else if (usable) {
        must_take(key, point, vector_bytes(t, "shared"));
        c->taken++;
    } else {
        must_refuse(key, point);
        c->refused++;
    }
    tw_key_free(key);
}

static counts run_file(const char *name, uint16_t kem_id, size_t scalar_len)
{
    json_t *root = vectors_load(name), *group, *t;
    counts c = {0};
    size_t i, j;

    json_array_foreach(vector_list(root, "testGroups"), i, group)
    {
        json_array_foreach(vector_list(group, "tests"), j, t)
        {
            run(kem_id, scalar_len, t, &c);
        }
    }
    json_decref(root);
    return c;
}

Test(wycheproof_ecdh, p256_points_are_taken_and_refused_as_told)
{
    counts c = run_file("wycheproof-ecdh_secp256r1_ecpoint.json", TW_KEM_P256_HKDF_SHA256, 32);

    must_size(330, c.taken);
    must_size(16, c.refused);
    must_size(9, c.of_another_length);
}

Test(wycheproof_ecdh, p384_points_are_taken_and_refused_as_told)
{
    counts c = run_file("wycheproof-ecdh_secp384r1_ecpoint.json", TW_KEM_P384_HKDF_SHA384, 48);

    must_size(771, c.taken);
    must_size(16, c.refused);
    must_size(3, c.of_another_length);
}

Test(wycheproof_ecdh, x25519_refuses_small_order_and_takes_all_else)
{
    counts c = run_file("wycheproof-x25519.json", TW_KEM_X25519_HKDF_SHA256, 32);

    must_size(31, c.refused);
    must_size(518 - 31, c.taken);
    must_size(0, c.of_another_length);
}
