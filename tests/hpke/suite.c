/* SPDX-License-Identifier: Apache-2.0 */
/* Suites: what makes one, and which libcrypto serves it. */
#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <twoway/twoway.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"

Test(suite, every_combination_of_built_in_ids_makes_one)
{
    static const uint16_t aeads[] = {1, 2, 3, TW_AEAD_EXPORT_ONLY};
    static const size_t enc_lens[] = {65, 97, 133, 32, 56};

    for (size_t i = 0; i < 5 * 3 * 4; i++) {
        tw_suite *suite = NULL;

        must_ok(tw_suite_new(all_kems[i / 12], all_kdfs[i / 4 % 3], aeads[i % 4], NULL, &suite));
        must_size(sizeof(tw_suite), suite->size);
        must(suite->kem_id == all_kems[i / 12] && suite->kdf_id == all_kdfs[i / 4 % 3]);
        must(suite->aead_id == aeads[i % 4]);
        must_size(enc_lens[i / 12], suite->enc_len);
        must_size(enc_lens[i / 12], suite->public_len);
        must_size(i % 4 == 3 ? 0 : 16, suite->tag_len);
        tw_suite_free(suite);
    }
    tw_suite_free(NULL);
}

Test(suite, an_id_that_is_not_built_in_is_invalid)
{
    static const triple unknown[] = {{0, 1, 1},       {0x30, 1, 1},     {0x20, 0, 1},
                                     {0x20, 4, 1},    {0x20, 1, 0},     {0x20, 1, 4},
                                     {0x20, 0x10, 1}, {0x20, 1, 0xfffe}};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        tw_suite *suite = (tw_suite *)&suite;

        must_err(TW_ERR_INVALID, tw_suite_new(unknown[i].kem_id, unknown[i].kdf_id,
                                              unknown[i].aead_id, NULL, &suite));
        must(suite == NULL);
    }
    must_err(TW_ERR_INVALID, tw_suite_new(0x20, 1, 1, NULL, NULL));
}

Test(suite, a_kem_that_lacks_what_it_must_have_is_invalid)
{
    tw_kem *inner = NULL;
    tw_suite *suite = (tw_suite *)&suite;
    watched_kem kem;

    must_ok(tw_kem_new(TW_KEM_P256_HKDF_SHA256, NULL, &inner));
    must_err(TW_ERR_INVALID, tw_suite_with_kem(NULL, 1, 1, NULL, &suite));
    must(suite == NULL);
    must_err(TW_ERR_INVALID, tw_suite_with_kem(inner, 1, 1, NULL, NULL));
    for (size_t i = 0; i < 9; i++) {
        watched_kem_start(&kem, inner);
        kem.base.size = i == 0 ? 0 : i == 1 ? offsetof(tw_kem, encap) : kem.base.size;
        kem.base.check = i == 2 ? NULL : kem.base.check;
        kem.base.encap = i == 3 ? NULL : kem.base.encap;
        kem.base.secret_len = i == 4 ? 0 : i == 5 ? TW_MAX_SECRET + 1 : kem.base.secret_len;
        kem.base.enc_len = i == 6 ? 0 : i == 7 ? TW_MAX_ENC + 1 : kem.base.enc_len;
        kem.base.public_len = i == 8 ? TW_MAX_PUBLIC + 1 : kem.base.public_len;
        check_note("in case %zu", i);
        suite = (tw_suite *)&suite;
        must_err(TW_ERR_INVALID, tw_suite_with_kem(&kem.base, 1, 1, NULL, &suite));
        must(suite == NULL);
    }
    tw_kem_free(inner);
}

/* Messages over export-only suites, and keys of another KEM, are refused when the ends
 * are made. */
Test(suite, messages_need_an_aead_and_a_key_of_the_suites_kem)
{
    tw_suite *export_only = NULL, *suite = NULL;
    tw_key *key = NULL, *other = NULL;
    tw_sender *sender = (tw_sender *)&sender;
    tw_receiver *receiver = (tw_receiver *)&receiver;

    must_ok(tw_suite_new(0x20, 1, TW_AEAD_EXPORT_ONLY, NULL, &export_only));
    must_ok(tw_suite_new(0x20, 1, 1, NULL, &suite));
    must_ok(tw_key_generate(0x20, NULL, NULL, &key));
    must_ok(tw_key_generate(0x10, NULL, NULL, &other));
    must_err(TW_ERR_INVALID, tw_sender_new(export_only, 1, key->public_key, 32, NULL, &sender));
    must_err(TW_ERR_INVALID, tw_receiver_new(export_only, 1, key, NULL, &receiver));
    must_err(TW_ERR_INVALID, tw_receiver_new(suite, 1, other, NULL, &receiver));
    must_err(TW_ERR_KEY, tw_sender_new(suite, 1, other->public_key, 65, NULL, &sender));
    must_err(TW_ERR_KEY, tw_sender_new(suite, 1, key->public_key, 31, NULL, &sender));
    must_err(TW_ERR_INVALID, tw_sender_new(suite, 1, NULL, 32, NULL, &sender));
    must_err(TW_ERR_INVALID, tw_sender_new(NULL, 1, key->public_key, 32, NULL, &sender));
    must_err(TW_ERR_INVALID, tw_receiver_new(NULL, 1, key, NULL, &receiver));
    must(sender == NULL && receiver == NULL);
    must_err(TW_ERR_INVALID, tw_sender_new(suite, 1, key->public_key, 32, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_receiver_new(suite, 1, key, NULL, NULL));
    tw_sender_free(NULL);
    tw_receiver_free(NULL);
    must_size(0, tw_sender_head_len(NULL));
    must_size(0, tw_receiver_head_len(NULL));
    tw_key_free(key);
    tw_key_free(other);
    tw_suite_free(suite);
    tw_suite_free(export_only);
}

Test(suite, a_public_key_that_fails_the_kems_check_is_refused_by_the_sender)
{
    for (size_t i = 0; i < 5; i++) {
        tw_suite *suite = NULL;
        tw_sender *sender = (tw_sender *)&sender;
        bytes zeros;

        must_ok(tw_suite_new(all_kems[i], 1, 1, NULL, &suite));
        zeros = bytes_new(suite->public_len);
        must_err(TW_ERR_KEY, tw_sender_new(suite, 1, zeros.data, zeros.len, NULL, &sender));
        must(sender == NULL);
        tw_suite_free(suite);
    }
}

/* A library context of one's own serves all: keys, suites, both ends. */
Test(suite, a_library_context_of_ones_own_serves)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    tw_provider provider = {.libctx = libctx};
    bytes plain = bytes_noise(100, 1), opened;

    must(libctx != NULL);
    for (size_t i = 0; i < 5; i++) {
        tw_suite *suite = NULL;
        tw_key *key = NULL;
        peers p;

        must_ok(tw_suite_new(all_kems[i], 1, 2, &provider, &suite));
        must_ok(tw_key_generate(all_kems[i], NULL, &provider, &key));
        peers_start_with(&p, suite, key, NULL);
        for (kind k = 0; k < KINDS; k++) {
            message m = message_seal(&p, k, format_of(true, 0), plain, 30);

            must_ok(message_open(&p, &m, 7, &opened));
            must_bytes(plain, opened);
        }
        peers_end(&p);
        tw_key_free(key);
        tw_suite_free(suite);
    }
    OSSL_LIB_CTX_free(libctx);
}

/* A library context whose only provider has no algorithms. */
Test(suite, a_library_context_that_lacks_the_algorithms_is_invalid)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *null = OSSL_PROVIDER_load(libctx, "null");
    tw_provider provider = {.libctx = libctx};

    must(libctx != NULL && null != NULL);
    for (size_t i = 0; i < 5; i++) {
        tw_kem *kem = (tw_kem *)&kem, *served = NULL;
        tw_suite *suite = (tw_suite *)&suite;

        must_err(TW_ERR_INVALID, tw_kem_new(all_kems[i], &provider, &kem));
        must(kem == NULL);
        must_err(TW_ERR_INVALID, tw_suite_new(all_kems[i], 1, 1, &provider, &suite));
        must(suite == NULL);
        must_ok(tw_kem_new(all_kems[i], NULL, &served));
        suite = (tw_suite *)&suite;
        must_err(TW_ERR_INVALID, tw_suite_with_kem(served, 1, 1, &provider, &suite));
        must(suite == NULL);
        tw_kem_free(served);
    }
    OSSL_PROVIDER_unload(null);
    OSSL_LIB_CTX_free(libctx);
}
