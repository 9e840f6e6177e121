/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

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
