/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h: contexts and single messages in all four modes. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/hpke.h>
#include <twoway/twoway.h>

#include "check.h"
#include "peers.h"
#include "toy.h"

enum { BASE, PSK, AUTH, AUTH_PSK, MODES };

/* Both sides of one suite and mode. */
typedef struct sides {
    tw_suite *suite;
    tw_key *receiver, *identity;
    tw_hpke_auth sending, receiving;
    tw_hpke_params sender_params, receiver_params;
    bytes enc;
} sides;

static const char psk[] = "a pre-shared key of 32 bytes ...";

static void start(sides *s, triple t, size_t mode)
{
    check_note("with %s in mode %zu", tw_kem_name(t.kem_id), mode);
    *s = (sides){.suite = NULL};
    must_ok(tw_suite_new(t.kem_id, t.kdf_id, t.aead_id, NULL, &s->suite));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &s->receiver));
    must_ok(tw_key_generate(t.kem_id, NULL, NULL, &s->identity));
    if (mode == PSK || mode == AUTH_PSK) {
        s->sending = (tw_hpke_auth){.psk = (const uint8_t *)psk,
                                    .psk_len = sizeof(psk) - 1,
                                    .psk_id = (const uint8_t *)"id",
                                    .psk_id_len = 2};
    }
    s->receiving = s->sending;
    if (mode == AUTH || mode == AUTH_PSK) {
        s->sending.sender = s->identity;
        s->receiving.sender_public = s->identity->public_key;
    }
    s->sender_params = (tw_hpke_params){.size = sizeof(tw_hpke_params),
                                        .suite = s->suite,
                                        .info = (const uint8_t *)"info",
                                        .info_len = 4,
                                        .auth = &s->sending};
    s->receiver_params = s->sender_params;
    s->receiver_params.auth = &s->receiving;
    s->enc = bytes_new(s->suite->enc_len);
}

static void end(sides *s)
{
    tw_key_free(s->receiver);
    tw_key_free(s->identity);
    tw_suite_free(s->suite);
}

static tw_err send_to(sides *s, tw_hpke **out)
{
    *out = (tw_hpke *)out;
    return tw_hpke_sender(&s->sender_params, s->receiver->public_key, s->suite->public_len,
                          s->enc.data, s->enc.len, out);
}

static tw_err receive(const sides *s, tw_hpke **out)
{
    *out = (tw_hpke *)out;
    return tw_hpke_receiver(&s->receiver_params, s->receiver, s->enc.data, s->enc.len, out);
}

static bytes sealed(tw_hpke *hpke, const char *aad, bytes plain)
{
    bytes out = bytes_new(plain.len + tw_hpke_tag_len(hpke));
    size_t len = 0;

    must_err(TW_ERR_SPACE, tw_hpke_seal(hpke, (const uint8_t *)aad, strlen(aad), plain.data,
                                        plain.len, out.data, out.len - 1, &len));
    must_size(out.len, len);
    must_ok(tw_hpke_seal(hpke, (const uint8_t *)aad, strlen(aad), plain.data, plain.len, out.data,
                         out.len, &len));
    must_size(out.len, len);
    return out;
}

static tw_err open(tw_hpke *hpke, const char *aad, bytes in, bytes *plain)
{
    size_t len = SIZE_MAX;
    tw_err err;

    *plain = bytes_noise(in.len < 16 ? 0 : in.len - 16, 9);
    err = tw_hpke_open(hpke, (const uint8_t *)aad, strlen(aad), in.data, in.len, plain->data,
                       plain->len, &len);
    must_size(err == TW_OK ? plain->len : 0, len);
    if (err != TW_OK) {
        must_bytes(bytes_new(plain->len), *plain);
    }
    return err;
}

static bytes exported(const tw_hpke *hpke, const char *context)
{
    bytes out = bytes_new(77);

    must_ok(tw_hpke_export(hpke, (const uint8_t *)context, strlen(context), out.data, out.len));
    return out;
}

Test(modes, a_context_of_each_kem_and_mode_carries_messages_and_exports)
{
    for (size_t n = 0; n < 5 * MODES; n++) {
        tw_hpke *sender, *receiver;
        sides s;

        start(&s, (triple){all_kems[n / MODES], all_kdfs[n % 3], all_aeads[n / 2 % 3]}, n % MODES);
        must_ok(send_to(&s, &sender));
        must_ok(receive(&s, &receiver));
        for (size_t len = 0; len < 90; len += 30) {
            bytes plain = bytes_noise(len, 1), opened;

            must_ok(open(receiver, "aad", sealed(sender, "aad", plain), &opened));
            must_bytes(plain, opened);
        }
        must_bytes(exported(sender, "context"), exported(receiver, "context"));
        must(!bytes_equal(exported(sender, "context"), exported(sender, "contexu")));
        tw_hpke_free(sender);
        tw_hpke_free(receiver);
        end(&s);
    }
    tw_hpke_free(NULL);
    must_size(0, tw_hpke_tag_len(NULL));
}

Test(modes, one_message_alone_is_enc_and_ciphertext)
{
    for (size_t n = 0; n < 5 * MODES; n++) {
        bytes plain = bytes_noise(50, 1), out, opened;
        tw_hpke_text text = {(const uint8_t *)"aad", 3, plain.data, plain.len};
        tw_hpke *receiver;
        size_t len = 0;
        sides s;

        start(&s, (triple){all_kems[n / MODES], 1, 1}, n % MODES);
        out = bytes_new(s.suite->enc_len + plain.len + 16);
        must_err(TW_ERR_SPACE,
                 tw_hpke_seal_once(&s.sender_params, s.receiver->public_key, s.suite->public_len,
                                   &text, out.data, out.len - 1, &len));
        must_size(out.len, len);
        must_ok(tw_hpke_seal_once(&s.sender_params, s.receiver->public_key, s.suite->public_len,
                                  &text, out.data, out.len, &len));
        must_size(out.len, len);
        s.enc = bytes_part(out, 0, s.suite->enc_len);
        must_ok(receive(&s, &receiver));
        must_ok(open(receiver, "aad", bytes_from(out, s.suite->enc_len), &opened));
        must_bytes(plain, opened);
        tw_hpke_free(receiver);
        opened = bytes_new(plain.len);
        text.in = out.data;
        text.in_len = out.len;
        must_err(TW_ERR_SPACE, tw_hpke_open_once(&s.receiver_params, s.receiver, &text, opened.data,
                                                 opened.len - 1, &len));
        must_size(plain.len, len);
        must_ok(tw_hpke_open_once(&s.receiver_params, s.receiver, &text, opened.data, opened.len,
                                  &len));
        must_bytes(plain, opened);
        for (text.in_len = 0; text.in_len < out.len; text.in_len++) {
            must_err(text.in_len < s.suite->enc_len ? TW_ERR_TRUNCATED : TW_ERR_AUTH,
                     tw_hpke_open_once(&s.receiver_params, s.receiver, &text, opened.data,
                                       opened.len, &len));
            must_size(0, len);
        }
        end(&s);
    }
}

static void must_not_open(sides *s)
{
    tw_hpke *sender, *receiver;
    bytes opened;

    must_ok(send_to(s, &sender));
    must_ok(receive(s, &receiver));
    must_err(TW_ERR_AUTH, open(receiver, "", sealed(sender, "", bytes_noise(9, 1)), &opened));
    must(!bytes_equal(exported(sender, "x"), exported(receiver, "x")));
    tw_hpke_free(sender);
    tw_hpke_free(receiver);
}

Test(modes, whatever_the_sides_disagree_on_shows_at_the_first_open)
{
    for (size_t mode = 0; mode < MODES; mode++) {
        bool with_psk = mode == PSK || mode == AUTH_PSK, auth = mode == AUTH || mode == AUTH_PSK;
        tw_key *stranger = NULL, *right;
        sides s;

        start(&s, triple_default, mode);
        must_ok(tw_key_generate(triple_default.kem_id, NULL, NULL, &stranger));
        s.receiver_params.info = (const uint8_t *)"infp";
        must_not_open(&s);
        s.receiver_params.info = s.sender_params.info;
        if (with_psk) {
            s.receiving.psk = (const uint8_t *)"a pre-shared key of 32 bytes ..!";
            must_not_open(&s);
            s.receiving.psk = s.sending.psk;
            s.receiving.psk_id = (const uint8_t *)"ie";
            must_not_open(&s);
            s.receiving = (tw_hpke_auth){.sender_public = s.receiving.sender_public};
            must_not_open(&s);
        }
        if (auth) {
            s.receiving.sender_public = stranger->public_key;
            must_not_open(&s);
            s.receiving.sender_public = NULL;
            must_not_open(&s);
        }
        /* The enc is another receiver's. */
        right = s.receiver;
        {
            tw_hpke *sender, *receiver;
            bytes opened;

            must_ok(send_to(&s, &sender));
            s.receiver = stranger;
            must_ok(receive(&s, &receiver));
            must_err(TW_ERR_AUTH, open(receiver, "", sealed(sender, "", bytes_none), &opened));
            tw_hpke_free(sender);
            tw_hpke_free(receiver);
        }
        s.receiver = right;
        tw_key_free(stranger);
        end(&s);
    }
}

static void must_refuse(tw_err want, sides *s)
{
    tw_hpke *hpke;

    must_err(want, send_to(s, &hpke));
    must(hpke == NULL);
    must_err(want, receive(s, &hpke));
    must(hpke == NULL);
}

Test(modes, a_psk_comes_with_its_id_and_has_32_bytes)
{
    sides s;

    start(&s, triple_default, PSK);
    for (size_t i = 0; i < 6; i++) {
        tw_hpke_auth auth = {.psk = (const uint8_t *)psk,
                             .psk_len = sizeof(psk) - 1,
                             .psk_id = (const uint8_t *)"id",
                             .psk_id_len = 2};

        check_note("in case %zu", i);
        auth.psk = i == 0 ? NULL : auth.psk;
        auth.psk_len = i == 1 ? 0 : i == 2 ? 31 : auth.psk_len;
        auth.psk_id = i == 3 ? NULL : auth.psk_id;
        auth.psk_id_len = i == 4 ? 0 : auth.psk_id_len;
        s.sending = s.receiving = auth;
        if (i < 5) {
            must_refuse(TW_ERR_INVALID, &s);
        } else {
            tw_hpke *hpke;

            must_ok(send_to(&s, &hpke));
            tw_hpke_free(hpke);
        }
    }
    end(&s);
}

Test(modes, each_side_gives_its_own_half_of_an_identity)
{
    tw_hpke *hpke;
    sides s;
    tw_key *other_kem = NULL;

    start(&s, triple_default, AUTH);
    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, NULL, &other_kem));
    s.sending = (tw_hpke_auth){.sender_public = s.identity->public_key};
    s.receiving = (tw_hpke_auth){.sender = s.identity};
    must_refuse(TW_ERR_INVALID, &s);
    s.sending = (tw_hpke_auth){.sender = other_kem};
    must_err(TW_ERR_INVALID, send_to(&s, &hpke));
    must(hpke == NULL);
    s.sending = (tw_hpke_auth){.sender = s.identity};
    must_ok(send_to(&s, &hpke));
    tw_hpke_free(hpke);
    s.receiving = (tw_hpke_auth){.sender_public = bytes_new(32).data};
    must_err(TW_ERR_KEY, receive(&s, &hpke));
    must(hpke == NULL);
    tw_key_free(other_kem);
    end(&s);
}

Test(modes, a_failed_open_takes_no_number)
{
    tw_hpke *sender, *receiver;
    bytes first, second, opened;
    uint64_t seq = 9;
    sides s;

    start(&s, triple_default, BASE);
    must_ok(send_to(&s, &sender));
    must_ok(receive(&s, &receiver));
    first = sealed(sender, "", bytes_noise(5, 1));
    second = sealed(sender, "", bytes_noise(5, 2));
    must_ok(tw_hpke_seq(sender, &seq));
    must(seq == 2);
    must_err(TW_ERR_AUTH, open(receiver, "", second, &opened));
    must_err(TW_ERR_AUTH, open(receiver, "x", first, &opened));
    must_err(TW_ERR_AUTH, open(receiver, "", bytes_part(first, 0, 15), &opened));
    must_ok(tw_hpke_seq(receiver, &seq));
    must(seq == 0);
    must_ok(open(receiver, "", first, &opened));
    must_ok(open(receiver, "", second, &opened));
    must_err(TW_ERR_AUTH, open(receiver, "", second, &opened));
    tw_hpke_free(sender);
    tw_hpke_free(receiver);
    end(&s);
}

Test(modes, a_receiver_may_open_out_of_order_and_a_sender_may_not_repeat)
{
    tw_hpke *sender, *receiver;
    bytes messages[5], opened;
    uint64_t seq;
    sides s;

    start(&s, triple_default, BASE);
    must_ok(send_to(&s, &sender));
    must_ok(receive(&s, &receiver));
    for (uint32_t i = 0; i < 5; i++) {
        messages[i] = sealed(sender, "", bytes_noise(5, i));
    }
    for (uint32_t i = 5; i-- > 0;) {
        must_ok(tw_hpke_set_seq(receiver, i));
        must_ok(open(receiver, "", messages[i], &opened));
        must_bytes(bytes_noise(5, i), opened);
        must_ok(tw_hpke_seq(receiver, &seq));
        must(seq == i + 1);
    }
    must_err(TW_ERR_STATE, tw_hpke_set_seq(sender, 0));
    must_ok(tw_hpke_set_seq(receiver, UINT64_MAX));
    must_err(TW_ERR_LIMIT, open(receiver, "", messages[0], &opened));
    must_err(TW_ERR_INVALID, tw_hpke_set_seq(NULL, 0));
    must_err(TW_ERR_INVALID, tw_hpke_seq(NULL, &seq));
    must_err(TW_ERR_INVALID, tw_hpke_seq(receiver, NULL));
    tw_hpke_free(sender);
    tw_hpke_free(receiver);
    end(&s);
}
