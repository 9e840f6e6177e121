/* SPDX-License-Identifier: Apache-2.0 */
/* A request to a key that stays in its token, and the answer: both ends in one program. */
#include <err.h>
#include <stdio.h>

#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

#define CHECK(call) check(call, #call)

static void check(tw_err err, const char *call)
{
    if (err != TW_OK) {
        errx(1, "%s: %s", call, tw_strerror(err));
    }
}

int main(int argc, char **argv)
{
    const char *uri = argc > 1 ? argv[1] : "pkcs11:token=hpke?pin-source=/etc/hpke.pin";
    uint8_t head[TW_MAX_HEAD], body[64], text[64];
    size_t len;
    tw_token *token;
    tw_key *key;
    tw_suite *suite;
    tw_receiver *receiver;
    tw_sender *sender;
    tw_exchange *asked, *answered;
    tw_sealer *question, *answer;
    tw_opener *question_in, *answer_in;

    /* Once: the receiver finds its key; the sender needs only the public half. */
    CHECK(tw_token_open(uri, NULL, &token));
    CHECK(tw_token_find_key(token, uri, NULL, 0, &key));
    CHECK(tw_suite_new(key->kem->id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    CHECK(tw_receiver_new(suite, 1, key, NULL, &receiver));
    CHECK(tw_sender_new(suite, 1, key->public_key, suite->public_len, NULL, &sender));

    /* The sender: a head, and a body that could as well be pushed in pieces. */
    CHECK(tw_sender_request(sender, NULL, head, sizeof(head), &question, &asked));
    CHECK(tw_sealer_final(question, (const uint8_t *)"Who?", 4, body, sizeof(body), &len));

    /* The receiver: accept is where the token works. Act on what final returned. */
    CHECK(tw_receiver_accept(receiver, NULL, head, tw_receiver_head_len(receiver), &question_in,
                             &answered));
    CHECK(tw_opener_final(question_in, body, len, text, sizeof(text), &len));
    printf("asked: %.*s\n", (int)len, (const char *)text);
    CHECK(tw_exchange_respond(answered, NULL, head, sizeof(head), &answer));
    CHECK(tw_sealer_final(answer, (const uint8_t *)"A friend.", 9, body, sizeof(body), &len));

    /* The sender again: only its exchange opens this answer. */
    CHECK(tw_exchange_receive(asked, NULL, head, tw_exchange_response_head_len(asked), &answer_in));
    CHECK(tw_opener_final(answer_in, body, len, text, sizeof(text), &len));
    printf("answered: %.*s\n", (int)len, (const char *)text);

    tw_sealer_free(question), tw_sealer_free(answer);
    tw_opener_free(question_in), tw_opener_free(answer_in);
    tw_exchange_free(asked), tw_exchange_free(answered);
    tw_sender_free(sender), tw_receiver_free(receiver);
    tw_suite_free(suite), tw_key_free(key), tw_token_free(token);
}
