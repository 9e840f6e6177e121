/* SPDX-License-Identifier: Apache-2.0 */
#include "served.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "asked.h"
#include "certificates.h"
#include "check.h"
#include "pair.h"

/* The same key out of its certificate, which the default context makes. */
static void must_read_certificate(const tw_provider *provider, const tw_key *key)
{
    static const certificate_wish plain = {0};
    EVP_PKEY *pkey = public_pkey(key->kem->id, key->public_key, key->kem->public_len);
    bytes der = certificate_of(pkey, &plain);
    tw_certificate c = {.size = sizeof(c)};

    must_ok(tw_public_from_certificate(der.data, der.len, provider, &c));
    must_bytes(((bytes){(uint8_t *)key->public_key, key->kem->public_len}),
               ((bytes){c.public_key, c.public_len}));
    EVP_PKEY_free(pkey);
}

/* Keys come out of a generator, a scalar or a PEM; they are the same afterwards. */
static tw_key *key_by_every_way(const tw_provider *provider, uint16_t kem_id)
{
    tw_key *made = NULL, *read = NULL;
    char pem[1024];
    uint8_t pk[TW_MAX_PUBLIC];
    uint16_t id = 0;
    size_t len = 0;

    must_ok(tw_key_generate(kem_id, NULL, provider, &made));
    must_ok(tw_key_check(made));
    must_ok(tw_key_to_pem(made, pem, sizeof(pem), &len));
    must_ok(tw_key_from_pem(pem, len, provider, &read));
    must_bytes(((bytes){(uint8_t *)made->public_key, made->kem->public_len}),
               ((bytes){(uint8_t *)read->public_key, read->kem->public_len}));
    must_ok(tw_public_to_pem(kem_id, made->public_key, made->kem->public_len, provider, pem,
                             sizeof(pem), &len));
    must_ok(tw_public_from_pem(pem, len, provider, &id, pk, sizeof(pk), &len));
    must(id == kem_id);
    must_bytes(((bytes){(uint8_t *)made->public_key, made->kem->public_len}), ((bytes){pk, len}));
    must_read_certificate(provider, made);
    tw_key_free(made);
    return read;
}

static void must_exchange(const tw_suite *suite, const tw_key *key)
{
    bytes plain = bytes_noise(40000, 1), opened;
    peers p;

    peers_start_with(&p, suite, key, NULL);
    for (size_t n = 0; n < KINDS * 2; n++) {
        message m = message_seal(&p, (kind)(n / 2), format_of(n % 2 == 1, 0), plain, 30000);

        must_ok(message_open(&p, &m, 20000, &opened));
        must_bytes(plain, opened);
        m.body.data[0] ^= 0x80;
        must(tw_err_is_peer(message_open(&p, &m, 20000, &opened)));
    }
    peers_end(&p);
}

/* A peer's point that is none costs the provider a look, and the peer its request. */
static void must_refuse_bad_points(const tw_suite *suite, const tw_key *key)
{
    bytes zeros = bytes_new(suite->public_len);
    uint8_t secret[TW_MAX_SECRET];
    tw_sender *sender;

    must_err(TW_ERR_FORMAT, key->ops->decap(key, zeros.data, NULL, secret));
    must_err(TW_ERR_KEY, tw_sender_new(suite, 1, zeros.data, zeros.len, NULL, &sender));
}

/* The set makes its own suites, by the provider that it was given. */
static void must_receive_with_a_set(const tw_provider *provider, triple t)
{
    const tw_symmetric only = {t.kdf_id, t.aead_id};
    const tw_receiver *receiver;
    tw_keyset *set = NULL;
    tw_key *key = NULL;
    tw_config config;
    asked a;

    must_ok(tw_keyset_new(NULL, provider, &set));
    must_ok(tw_key_generate(t.kem_id, NULL, provider, &key));
    must_ok(tw_keyset_add(set, 7, key, &only, 1, TW_KEY_ACTIVE));
    config = keyset_only(set);
    a = ask(&config, 0);
    receiver = asked_acquire(&a, set);
    must_receive(&a, receiver);
    tw_keyset_release(set, receiver);
    asked_end(&a);
    tw_keyset_free(set);
}

void must_be_served(const tw_provider *provider, triple t)
{
    size_t mark = bytes_mark();
    tw_key *key, *identity = NULL;
    tw_suite *suite = NULL;
    pair p;

    check_note("by %s: %s, %s, %s", provider->properties, tw_kem_name(t.kem_id),
               tw_kdf_name(t.kdf_id), tw_aead_name(t.aead_id));
    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, provider, &suite));
    key = key_by_every_way(provider, t.kem_id);
    must_ok(tw_key_generate(t.kem_id, NULL, provider, &identity));
    must_exchange(suite, key);
    must_refuse_bad_points(suite, key);
    must_receive_with_a_set(provider, t);
    for (mode m = MODE_BASE; m < MODES; m++) {
        pair_start_with(&p, m, suite, key, identity);
        pair_connect(&p);
        must_pass(&p);
        pair_end(&p);
    }
    tw_key_free(identity);
    tw_key_free(key);
    tw_suite_free(suite);
    bytes_release(mark);
}

void must_be_named(const char *algorithm, const tw_provider *provider)
{
    const char *data = "";
    char text[512];
    int flags = 0;
    unsigned long code;

    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        ERR_error_string_n(code, text, sizeof(text));
        check_note("for %s: %s %s", algorithm, text, data);
        if (strstr(data, algorithm) != NULL && strstr(data, provider->properties) != NULL) {
            return;
        }
    }
    check_failed(__FILE__, __LINE__, "the error queue does not name what is not there");
}

void must_not_be_served(const tw_provider *provider, triple t, const char *algorithm)
{
    tw_suite *suite = (tw_suite *)&suite;

    ERR_clear_error();
    must_err(TW_ERR_INVALID, tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, provider, &suite));
    must(suite == NULL);
    must_be_named(algorithm, provider);
}
