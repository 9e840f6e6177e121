/* SPDX-License-Identifier: Apache-2.0 */
/* Wycheproof's AES-GCM vectors, those with a nonce of 12 bytes and a tag of 16. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "crypto/crypto.h"
#include "vectors.h"

static const tw_provider default_provider;

static bool takes(const json_t *group)
{
    size_t key_bits = vector_size(group, "keySize");

    return vector_size(group, "ivSize") == 8 * TW_NONCE_LEN &&
           vector_size(group, "tagSize") == 8 * TW_TAG_LEN && (key_bits == 128 || key_bits == 256);
}

static void must_open_as_told(const tw_cipher *cipher, const json_t *t, bool valid)
{
    bytes key = vector_bytes(t, "key"), iv = vector_bytes(t, "iv"), aad = vector_bytes(t, "aad");
    bytes sealed = bytes_cat(vector_bytes(t, "ct"), vector_bytes(t, "tag"));
    bytes plain = bytes_new(sealed.len - TW_TAG_LEN);
    tw_aead aead;

    tw_aead_init(&aead, cipher, false, key.data, iv.data);
    must_err(valid ? TW_OK : TW_ERR_AUTH,
             tw_aead_open(&aead, aad.data, aad.len, sealed.data, sealed.len, plain.data));
    must_bytes(valid ? vector_bytes(t, "msg") : bytes_new(plain.len), plain);
    tw_aead_clear(&aead);
}

static void must_seal_as_told(const tw_cipher *cipher, const json_t *t)
{
    bytes key = vector_bytes(t, "key"), iv = vector_bytes(t, "iv"), aad = vector_bytes(t, "aad");
    bytes plain = vector_bytes(t, "msg");
    bytes sealed = bytes_new(plain.len + TW_TAG_LEN);
    tw_aead aead;

    tw_aead_init(&aead, cipher, true, key.data, iv.data);
    must_ok(tw_aead_seal(&aead, aad.data, aad.len, plain.data, plain.len, sealed.data));
    must_bytes(bytes_cat(vector_bytes(t, "ct"), vector_bytes(t, "tag")), sealed);
    tw_aead_clear(&aead);
}

static size_t run_group(const json_t *group)
{
    json_t *tests = vector_list(group, "tests"), *t;
    bool small = vector_size(group, "keySize") == 128;
    tw_cipher cipher;
    size_t i;

    must_ok(tw_cipher_init(&cipher,
                           tw_aead_alg_find(small ? TW_AEAD_AES_128_GCM : TW_AEAD_AES_256_GCM),
                           &default_provider));
    json_array_foreach(tests, i, t)
    {
        bool valid = strcmp(vector_text(t, "result"), "valid") == 0;

        check_note("in Wycheproof test %zu", vector_size(t, "tcId"));
        must_open_as_told(&cipher, t, valid);
        if (valid) {
            must_seal_as_told(&cipher, t);
        }
    }
    tw_cipher_clear(&cipher);
    return i;
}

Test(wycheproof_aes_gcm, opens_and_seals_as_told)
{
    json_t *root = vectors_load("wycheproof-aes_gcm.json");
    json_t *groups = vector_list(root, "testGroups"), *group;
    size_t i, count = 0;

    json_array_foreach(groups, i, group)
    {
        if (takes(group)) {
            count += run_group(group);
        }
    }
    must_size(133, count);
    json_decref(root);
}
