/* SPDX-License-Identifier: Apache-2.0 */
/* Software keys and PEMs. */
#include <string.h>

#include "stage.h"

STEP(key_free)
{
    stage *t = arg;

    tw_key_free(t->key);
    t->key = NULL;
}

STEP(key_generate)
{
    stage *t = arg;

    must_ok(tw_key_generate(t->s->kem_id, NULL, &t->provider, &t->key));
}

static tw_err fill(void *arg, uint8_t *out, size_t len)
{
    stage *t = arg;

    must(len == t->sk.len);
    memcpy(out, t->sk.data, len);
    return TW_OK;
}

STEP(key_generate_with_rng)
{
    stage *t = arg;

    must_ok(tw_key_generate(t->s->kem_id, &(tw_rng){fill, t}, &t->provider, &t->key));
}

STEP(key_from_private)
{
    stage *t = arg;

    must_ok(tw_key_from_private(t->s->kem_id, t->sk.data, t->sk.len, &t->provider, &t->key));
}

STEP(key_from_private_out_of_range)
{
    stage *t = arg;
    bytes bad = held(t->sk.len);

    memcpy(bad.data, t->sk.data, bad.len);
    memset(bad.data, 0xff, bad.len / 2 + 4); /* beyond the order of every NIST curve */
    bad.data[0] = t->s->kem_id == TW_KEM_P521_HKDF_SHA512 ? 2 : 0xff;
    if (t->s->kem_id < TW_KEM_X25519_HKDF_SHA256) {
        must_err(TW_ERR_KEY,
                 tw_key_from_private(t->s->kem_id, bad.data, bad.len, &t->provider, &t->key));
    }
}

STEP(key_to_pem)
{
    stage *t = arg;

    must_err(TW_ERR_SPACE, tw_key_to_pem(t->key, (char *)t->text.data, 16, &t->len));
    must_ok(tw_key_to_pem(t->key, (char *)t->text.data, t->text.len, &t->len));
}

STEP(key_from_pem)
{
    stage *t = arg;

    must_ok(tw_key_from_pem((char *)t->text.data, t->len, &t->provider, &t->key));
}

STEP(key_from_a_cut_pem)
{
    stage *t = arg;

    for (size_t len = 0; len < t->len; len += 13) {
        tw_key *key;
        tw_err err = tw_key_from_pem((char *)t->text.data, len, &t->provider, &key);

        must(err == TW_ERR_FORMAT || err == TW_ERR_INVALID || t->len - len <= 13);
        tw_key_free(key);
    }
}

STEP(key_from_a_pem_of_no_kem)
{
    stage *t = arg;
    bytes other = held(t->len);
    tw_key *key;

    memcpy(other.data, t->text.data, t->len);
    other.data[t->len / 2] ^= 4; /* some letter of its base64 */
    tw_err err = tw_key_from_pem((char *)other.data, other.len, &t->provider, &key);
    (void)err; /* another key, or none: both are gone */
    tw_key_free(key);
}

STEP(key_check)
{
    stage *t = arg;

    must_ok(tw_key_check(t->key));
}

/* A set owns its keys. */
STEP(keyset_add)
{
    stage *t = arg;
    const tw_symmetric pair = {t->s->kdf_id, t->s->aead_id};

    must_ok(tw_keyset_new(NULL, &t->provider, &t->set));
    must_ok(tw_keyset_add(t->set, 1, t->key, &pair, 1, TW_KEY_ACTIVE));
    t->key = NULL;
    must_ok(tw_key_generate(t->s->kem_id, NULL, &t->provider, &t->key));
    must_ok(tw_keyset_add(t->set, 2, t->key, &pair, 1, TW_KEY_ACTIVE));
    t->key = NULL;
}

STEP(keyset_remove)
{
    stage *t = arg;

    must_ok(tw_keyset_remove(t->set, 1));
    must_ok(tw_keyset_remove(t->set, 2));
}

STEP(keyset_free)
{
    stage *t = arg;

    tw_keyset_free(t->set);
    t->set = NULL;
}

/* What a back-end has the library do with what it derived. */
STEP(back_end)
{
    stage *t = arg;
    const tw_kem *kem = t->key->kem;
    bytes dh = held_secret("DH output", t->s->private_len), out = held(kem->secret_len);
    bytes prk = held_secret("PRK", kem->secret_len);

    must_ok(tw_dhkem_secret(kem, dh.data, dh.len, t->key->public_key, t->key->public_key, NULL,
                            out.data));
    must_ok(tw_dhkem_expand(kem, prk.data, prk.len, t->key->public_key, t->key->public_key, NULL,
                            out.data));
}

void keys(const void *arg)
{
    stage_begin(arg);
    st.sk = held_secret("private key", st.s->private_len);
    st.sk.data[0] &= 1; /* within every curve's order */
    secret_add("private key", st.sk.data, st.sk.len);
    DO(key_generate, KEY);
    DO(key_check, KEY);
    DO(key_free, "");
    DO(key_generate_with_rng, KEY);
    DO(key_free, "");
    DO(key_from_private_out_of_range, "");
    DO(key_from_private, KEY);
    DO(key_to_pem, KEY);
    DO(key_free, "");
    DO(key_from_pem, KEY);
    DO(key_free, "");
    DO(key_from_a_cut_pem, "");
    DO(key_from_a_pem_of_no_kem, "");
    DO(key_generate, KEY);
    DO(back_end, KEY);
    DO(keyset_add, KEY);
    DO(keyset_remove, "");
    DO(keyset_free, "");
    DO(key_generate, KEY);
    DO(keyset_add, KEY);
    DO(keyset_free, "");
    stage_end();
}
