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
#include <sys/socket.h>

#include "common.h"

/* What the key's process says: which key it has, and then what it made of each enc. */
typedef struct held {
    uint16_t kem_id;
    uint8_t public_key[TW_MAX_PUBLIC];
} held;
typedef struct made {
    tw_err err;
    size_t secret_len;
    uint8_t secret[TW_MAX_SECRET];
} made;

static void key_process(int fd, const char *uri)
{
    gateway g;
    held mine = {0};
    made reply = {0};
    uint8_t enc[TW_MAX_ENC];
    ssize_t len;

    gateway_open(&g, uri);
    mine.kem_id = g.key->kem->id;
    memcpy(mine.public_key, g.key->public_key, g.key->kem->public_len);
    len = send(fd, &mine, sizeof(mine), MSG_NOSIGNAL);
    while (len > 0 && recv(fd, enc, sizeof(enc), 0) == (ssize_t)g.key->kem->enc_len) {
        reply.secret_len = g.key->kem->secret_len;
        reply.err = g.key->ops->decap(g.key, enc, NULL, reply.secret); /* this is a back-end */
        len = send(fd, &reply, sizeof(reply), MSG_NOSIGNAL);
        tw_wipe(&reply, sizeof(reply));
    }
    gateway_close(&g);
}

static tw_err use_key_process(tw_pending *pending, void *arg)
{
    const int *fd = arg;
    made reply;
    size_t enc_len;
    const uint8_t *enc = tw_pending_enc(pending, &enc_len);
    tw_err err = TW_ERR_TOKEN_ABSENT; /* unless it answers */

    if (send(*fd, enc, enc_len, MSG_NOSIGNAL) == (ssize_t)enc_len &&
        recv(*fd, &reply, sizeof(reply), 0) == (ssize_t)sizeof(reply)) {
        err = reply.err;
    }
    if (err == TW_OK) {
        err = tw_pending_supply(pending, reply.secret, reply.secret_len);
    }
    tw_wipe(&reply, sizeof(reply));
    return err;
}

int main(int argc, char **argv)
{
    static const tw_key_ops no_ops = {.size = sizeof(no_ops)}; /* its secrets are supplied */
    tw_key key = {.ops = &no_ops};
    tw_receiver *receiver;
    tw_suite *suite;
    tw_kem *kem;
    held theirs;
    int fd;

    if (argc != 3) {
        errx(64, "usage: key_process SOCKET KEY-URI");
    }
    fd = start_beside(key_process, argv[2]);
    if (recv(fd, &theirs, sizeof(theirs), 0) != (ssize_t)sizeof(theirs)) {
        errx(1, "no key");
    }
    CHECK(tw_kem_new(theirs.kem_id, NULL, &kem));
    CHECK(tw_suite_new(theirs.kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    key.kem = kem;
    key.public_key = theirs.public_key;
    CHECK(tw_receiver_new(suite, 1, &key, NULL, &receiver));
    serve_whole(listen_at(argv[1]), receiver, "server", use_key_process, &fd);
}
