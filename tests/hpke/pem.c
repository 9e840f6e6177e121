/* SPDX-License-Identifier: Apache-2.0 */
/* PEM in and out: PKCS#8, SEC1 and SubjectPublicKeyInfo. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include <twoway/twoway.h>

#include "bytes.h"
#include "check.h"
#include "peers.h"

#define KEMS (sizeof(all_kems) / sizeof(all_kems[0]))

static tw_key *fresh(size_t i)
{
    tw_key *key = NULL;

    check_note("with %s", tw_kem_name(all_kems[i]));
    must_ok(tw_key_generate(all_kems[i], NULL, NULL, &key));
    return key;
}

static bytes public_of(const tw_key *key)
{
    return bytes_of(key->public_key, key->kem->public_len);
}

static bytes private_pem(const tw_key *key)
{
    size_t len = 0;
    bytes pem;

    must_err(TW_ERR_SPACE, tw_key_to_pem(key, NULL, 0, &len));
    pem = bytes_new(len);
    must_err(TW_ERR_SPACE, tw_key_to_pem(key, (char *)pem.data, pem.len - 1, &len));
    must_size(pem.len, len);
    must_bytes(bytes_new(pem.len), pem);
    must_ok(tw_key_to_pem(key, (char *)pem.data, pem.len, &len));
    must_size(pem.len, len);
    must(pem.data[pem.len - 1] == '\n');
    return pem;
}

static bytes public_pem(uint16_t kem_id, bytes pk)
{
    size_t len = 0;
    bytes pem;

    must_err(TW_ERR_SPACE, tw_public_to_pem(kem_id, pk.data, pk.len, NULL, NULL, 0, &len));
    pem = bytes_new(len);
    must_err(TW_ERR_SPACE,
             tw_public_to_pem(kem_id, pk.data, pk.len, NULL, (char *)pem.data, pem.len - 1, &len));
    must_size(pem.len, len);
    must_ok(tw_public_to_pem(kem_id, pk.data, pk.len, NULL, (char *)pem.data, pem.len, &len));
    must_size(pem.len, len);
    return pem;
}

static tw_err read_private(bytes pem, tw_key **out)
{
    *out = (tw_key *)out;
    return tw_key_from_pem((const char *)pem.data, pem.len, NULL, out);
}

static void must_not_read_private(tw_err want, bytes pem)
{
    tw_key *key;

    must_err(want, read_private(pem, &key));
    must(key == NULL);
}

static tw_err read_public(bytes pem, uint16_t *kem_id, bytes *pk)
{
    uint8_t out[TW_MAX_PUBLIC];
    size_t len = SIZE_MAX;
    tw_err err =
        tw_public_from_pem((const char *)pem.data, pem.len, NULL, kem_id, out, sizeof(out), &len);

    must(len <= sizeof(out));
    *pk = bytes_of(out, len);
    return err;
}

static void must_not_read_public(tw_err want, bytes pem)
{
    uint16_t kem_id = 1;
    bytes pk;

    must_err(want, read_public(pem, &kem_id, &pk));
    must_size(0, pk.len);
}

/* What libcrypto writes of a key, to be read by us. */
typedef int (*write_key)(BIO *bio, EVP_PKEY *pkey);

static int write_sec1(BIO *bio, EVP_PKEY *pkey)
{
    return PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
}

static int write_pkcs8(BIO *bio, EVP_PKEY *pkey)
{
    return PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
}

static int write_encrypted(BIO *bio, EVP_PKEY *pkey)
{
    return PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_128_cbc(), "pass", 4, NULL, NULL);
}

static int write_public(BIO *bio, EVP_PKEY *pkey)
{
    return PEM_write_bio_PUBKEY(bio, pkey);
}

static bytes written(EVP_PKEY *pkey, write_key how)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;
    bytes pem;

    must(bio != NULL && pkey != NULL && how(bio, pkey) == 1);
    len = BIO_get_mem_data(bio, &text);
    must(len > 0);
    pem = bytes_of(text, (size_t)len);
    BIO_free(bio);
    return pem;
}

static EVP_PKEY *parsed(bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    must(pkey != NULL);
    BIO_free(bio);
    return pkey;
}

Test(pem, a_private_key_goes_there_and_back)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i), *back;
        bytes pem = private_pem(key);

        must(bytes_starts(pem, bytes_text("-----BEGIN PRIVATE KEY-----\n")));
        must_ok(read_private(pem, &back));
        must(back->kem->id == key->kem->id);
        must_bytes(public_of(key), public_of(back));
        must_bytes(pem, private_pem(back));
        must_ok(tw_key_check(back));
        tw_key_free(back);
        tw_key_free(key);
    }
}

Test(pem, a_public_key_goes_there_and_back)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        bytes pem = public_pem(all_kems[i], public_of(key)), pk;
        uint16_t kem_id = 0;
        size_t len = 0;

        must(bytes_starts(pem, bytes_text("-----BEGIN PUBLIC KEY-----\n")));
        must_ok(read_public(pem, &kem_id, &pk));
        must(kem_id == all_kems[i]);
        must_bytes(public_of(key), pk);
        must_err(TW_ERR_SPACE, tw_public_from_pem((const char *)pem.data, pem.len, NULL, &kem_id,
                                                  pk.data, pk.len - 1, &len));
        must_size(pk.len, len);
        tw_key_free(key);
    }
}

Test(pem, what_libcrypto_writes_of_the_key_is_ours_byte_for_byte)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        EVP_PKEY *pkey = parsed(private_pem(key));

        must_bytes(written(pkey, write_pkcs8), private_pem(key));
        must_bytes(written(pkey, write_public), public_pem(all_kems[i], public_of(key)));
        EVP_PKEY_free(pkey);
        tw_key_free(key);
    }
}

Test(pem, sec1_is_read_too)
{
    for (size_t i = 0; i < 3; i++) {
        tw_key *key = fresh(i), *back;
        EVP_PKEY *pkey = parsed(private_pem(key));
        bytes pem = written(pkey, write_sec1);

        must(bytes_starts(pem, bytes_text("-----BEGIN EC PRIVATE KEY-----\n")));
        must_ok(read_private(pem, &back));
        must_bytes(private_pem(key), private_pem(back));
        tw_key_free(back);
        EVP_PKEY_free(pkey);
        tw_key_free(key);
    }
}

Test(pem, a_compressed_point_inside_becomes_an_uncompressed_one)
{
    for (size_t i = 0; i < 3; i++) {
        tw_key *key = fresh(i), *back;
        EVP_PKEY *pkey = parsed(private_pem(key));
        uint16_t kem_id = 0;
        bytes pk;

        must(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                            "compressed") == 1);
        must_ok(read_private(written(pkey, write_pkcs8), &back));
        must_bytes(public_of(key), public_of(back));
        tw_key_free(back);
        must(written(pkey, write_public).len < public_pem(all_kems[i], public_of(key)).len);
        must_ok(read_public(written(pkey, write_public), &kem_id, &pk));
        must_bytes(public_of(key), pk);
        EVP_PKEY_free(pkey);
        tw_key_free(key);
    }
}

Test(pem, a_private_key_without_its_public_half_is_completed)
{
    for (size_t i = 0; i < 3; i++) {
        tw_key *key = fresh(i), *back;
        EVP_PKEY *pkey = parsed(private_pem(key));
        bytes pem;

        must(EVP_PKEY_set_int_param(pkey, OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, 0) == 1);
        pem = written(pkey, write_pkcs8);
        must(pem.len < private_pem(key).len);
        must_ok(read_private(pem, &back));
        must_bytes(public_of(key), public_of(back));
        tw_key_free(back);
        EVP_PKEY_free(pkey);
        tw_key_free(key);
    }
}

Test(pem, one_cut_at_any_byte_is_malformed)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        bytes secret = private_pem(key), open = public_pem(all_kems[i], public_of(key));

        /* All but the last line's end counts. */
        for (size_t len = 0; len + 1 < secret.len; len++) {
            must_not_read_private(TW_ERR_FORMAT, bytes_of(secret.data, len));
        }
        for (size_t len = 0; len + 1 < open.len; len++) {
            must_not_read_public(TW_ERR_FORMAT, bytes_of(open.data, len));
        }
        tw_key_free(key);
    }
}

Test(pem, text_around_it_is_no_part_of_it)
{
    tw_key *key = fresh(0), *back;
    bytes pem = private_pem(key), pk, text = bytes_text("made on a Tuesday\n");
    uint16_t kem_id = 0;

    must_ok(read_private(bytes_cat(text, bytes_cat(pem, text)), &back));
    must_bytes(pem, private_pem(back));
    pem = public_pem(all_kems[0], public_of(key));
    must_ok(read_public(bytes_cat(text, bytes_cat(pem, text)), &kem_id, &pk));
    must_bytes(public_of(key), pk);
    tw_key_free(back);
    tw_key_free(key);
}

Test(pem, an_encrypted_key_is_refused_without_asking)
{
    tw_key *key = fresh(0);
    EVP_PKEY *pkey = parsed(private_pem(key));

    must_not_read_private(TW_ERR_FORMAT, written(pkey, write_encrypted));
    EVP_PKEY_free(pkey);
    tw_key_free(key);
}

Test(pem, a_key_of_an_algorithm_without_a_kem_is_invalid)
{
    EVP_PKEY *others[] = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"),
                          EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        check_note("with key %zu", i);
        must_not_read_private(TW_ERR_INVALID, written(others[i], write_pkcs8));
        must_not_read_public(TW_ERR_INVALID, written(others[i], write_public));
        EVP_PKEY_free(others[i]);
    }
}

Test(pem, a_pem_of_another_kind_is_malformed)
{
    tw_key *key = fresh(3);
    bytes secret = private_pem(key), open = public_pem(all_kems[3], public_of(key));

    must_not_read_private(TW_ERR_FORMAT, open);
    must_not_read_public(TW_ERR_FORMAT, secret);
    must_not_read_private(TW_ERR_FORMAT, bytes_text("no PEM at all"));
    must_not_read_public(TW_ERR_FORMAT, bytes_text("no PEM at all"));
    must_not_read_private(TW_ERR_FORMAT, bytes_noise(200, 1));
    tw_key_free(key);
}

Test(pem, two_halves_that_are_strangers_are_no_key)
{
    for (size_t i = 0; i < 3; i++) {
        tw_key *a = fresh(i), *b = fresh(i);
        EVP_PKEY *pkey = parsed(private_pem(a));
        bytes stranger = public_of(b);
        tw_key *key;
        tw_err err;

        must(EVP_PKEY_set1_encoded_public_key(pkey, stranger.data, stranger.len) == 1);
        err = read_private(written(pkey, write_pkcs8), &key);
        must(err == TW_ERR_KEY || err == TW_ERR_FORMAT);
        must(key == NULL);
        EVP_PKEY_free(pkey);
        tw_key_free(a);
        tw_key_free(b);
    }
}

Test(pem, only_a_usable_point_is_written)
{
    for (size_t i = 0; i < KEMS; i++) {
        tw_key *key = fresh(i);
        bytes pk = public_of(key);
        char out[1024];
        size_t len = 1;

        must_err(TW_ERR_KEY,
                 tw_public_to_pem(all_kems[i], pk.data, pk.len - 1, NULL, out, sizeof(out), &len));
        must_size(0, len);
        memset(pk.data, 0, pk.len);
        must_err(TW_ERR_KEY,
                 tw_public_to_pem(all_kems[i], pk.data, pk.len, NULL, out, sizeof(out), &len));
        must_size(0, len);
        tw_key_free(key);
    }
}

Test(pem, arguments_out_of_range_are_invalid)
{
    tw_key *key = fresh(3);
    bytes pk = public_of(key);
    char out[8];
    size_t len = 1;
    uint16_t kem_id;

    must_not_read_private(TW_ERR_INVALID, ((bytes){NULL, 5}));
    must_not_read_public(TW_ERR_INVALID, ((bytes){NULL, 5}));
    must_err(TW_ERR_INVALID, tw_key_from_pem("x", 1, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_key_to_pem(NULL, out, sizeof(out), &len));
    must_size(0, len);
    must_err(TW_ERR_INVALID, tw_key_to_pem(key, NULL, 1, &len));
    must_err(TW_ERR_INVALID, tw_key_to_pem(key, out, sizeof(out), NULL));
    must_err(TW_ERR_INVALID, tw_public_to_pem(0x30, pk.data, pk.len, NULL, out, sizeof(out), &len));
    must_err(TW_ERR_INVALID, tw_public_to_pem(0x20, NULL, pk.len, NULL, out, sizeof(out), &len));
    must_err(TW_ERR_INVALID, tw_public_to_pem(0x20, pk.data, pk.len, NULL, NULL, 8, &len));
    must_err(TW_ERR_INVALID, tw_public_to_pem(0x20, pk.data, pk.len, NULL, out, 8, NULL));
    must_err(TW_ERR_INVALID, tw_public_from_pem("x", 1, NULL, &kem_id, pk.data, pk.len, NULL));
    len = 1;
    must_err(TW_ERR_INVALID, tw_public_from_pem("x", 1, NULL, NULL, pk.data, pk.len, &len));
    must_size(0, len);
    tw_key_free(key);
}

static const tw_key_ops no_software_ops = {.size = sizeof(tw_key_ops)};

Test(pem, a_key_not_in_software_is_not_written)
{
    tw_key *key = fresh(0);
    tw_key foreign = {&no_software_ops, key->kem, key->public_key};
    char out[1024];
    size_t len = 1;

    must_err(TW_ERR_INVALID, tw_key_to_pem(&foreign, out, sizeof(out), &len));
    must_size(0, len);
    tw_key_free(key);
}
