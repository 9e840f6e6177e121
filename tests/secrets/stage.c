/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

const setting settings[] = {
    {"p256", TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, 32, NULL},
    {"p384", TW_KEM_P384_HKDF_SHA384, TW_KDF_HKDF_SHA384, TW_AEAD_AES_256_GCM, 48, NULL},
    {"p521", TW_KEM_P521_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305, 66, NULL},
    {"x25519", TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305, 32, NULL},
    {"x448", TW_KEM_X448_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_AES_256_GCM, 56, NULL},
    {"p256 by query", TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, 32,
     "provider=default"},
    {"x25519 by query", TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305,
     32, "provider=default"},
    {.name = NULL},
};

stage st;

void stage_begin(const setting *s)
{
    st = (stage){.s = s, .provider = {NULL, s->properties}};
    must_ok(tw_suite_new(s->kem_id, s->kdf_id, s->aead_id, &st.provider, &st.suite));
    st.plain = held_secret("plaintext", 40000);
    st.out = held(50000);
    st.head = held(TW_MAX_HEAD);
    st.encap = held(TW_MAX_HEAD);
    st.body = held(50000);
    st.text = held(4096);
    st.enc = held(TW_MAX_ENC);
}

void stage_end(void)
{
    tw_suite_free(st.suite);
    must_hold("the suite was freed", "");
}

void peers_new(void *arg)
{
    stage *t = arg;

    must_ok(tw_key_generate(t->s->kem_id, NULL, &t->provider, &t->key));
    must_ok(tw_sender_new(t->suite, 1, t->key->public_key, t->suite->public_len, NULL, &t->sender));
    must_ok(tw_receiver_new(t->suite, 1, t->key, NULL, &t->receiver));
}

void peers_free(void *arg)
{
    stage *t = arg;

    tw_sender_free(t->sender);
    tw_receiver_free(t->receiver);
    tw_key_free(t->key);
}
