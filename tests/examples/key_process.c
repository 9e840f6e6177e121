/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that never holds its key. A process beside it opens the token and knows the PIN;
 * it is handed `enc` for each request, and hands back the KEM's secret for that one request,
 * never a Diffie-Hellman output. Whoever takes over the server gets neither the key nor a way
 * to use it for anything else.
 *
 *   key_process SOCKET KEY-URI
 */
#include <string.h>

#include "common.h"

/* What the key's process says: which key it has, and then what it made of each enc. */
typedef struct held {
    uint16_t kem_id;
    uint8_t public_key[TW_MAX_PUBLIC];
} held;
typedef struct made {
    tw_err err;
    size_t len;
    uint8_t secret[TW_MAX_SECRET];
} made;

static void key_process(int fd, const char *uri)
{
    gateway g;
    held mine = {0};
    made reply = {0};
    uint8_t enc[TW_MAX_ENC];

    gateway_open(&g, uri);
    mine.kem_id = g.key->kem->id;
    memcpy(mine.public_key, g.key->public_key, g.key->kem->public_len);
    for (bool on = say(fd, &mine, sizeof(mine)); on && hear(fd, enc, g.key->kem->enc_len);) {
        reply.len = g.key->kem->secret_len;
        reply.err = g.key->ops->decap(g.key, enc, NULL, reply.secret); /* this is a back-end */
        on = say(fd, &reply, sizeof(reply));
        tw_wipe(&reply, sizeof(reply));
    }
    gateway_close(&g);
}

static tw_err use_key_process(tw_pending *pending, void *arg)
{
    const int fd = *(int *)arg;
    made reply = {.err = TW_ERR_TOKEN_ABSENT}; /* unless it answers */
    size_t enc_len;
    const uint8_t *enc = tw_pending_enc(pending, &enc_len);

    if (say(fd, enc, enc_len) && hear(fd, &reply, sizeof(reply)) && reply.err == TW_OK) {
        reply.err = tw_pending_supply(pending, reply.secret, reply.len);
    }
    tw_wipe(reply.secret, sizeof(reply.secret));
    return reply.err;
}

int serve(const char *path, const char *uri)
{
    static const tw_key_ops no_ops = {.size = sizeof(no_ops)}; /* its secrets are supplied */
    tw_key key = {.ops = &no_ops};
    tw_receiver *receiver;
    tw_suite *suite;
    tw_kem *kem;
    held theirs;
    int fd = start_beside(key_process, uri);

    if (!hear(fd, &theirs, sizeof(theirs))) {
        errx(exit_of_child(), "no key");
    }
    CHECK(tw_kem_new(theirs.kem_id, NULL, &kem));
    CHECK(tw_suite_new(theirs.kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    key.kem = kem;
    key.public_key = theirs.public_key;
    CHECK(tw_receiver_new(suite, 1, &key, NULL, &receiver));
    serve_whole(listen_at(path), receiver, "server", use_key_process, &fd);
}
