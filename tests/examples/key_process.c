/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that never holds its key. A process beside it opens the token and knows the PIN;
 * it is handed `enc` for each request, and hands back the KEM's secret for that one request,
 * never a Diffie-Hellman output. Whoever takes over the server can have requests opened while
 * he is there, and takes away neither the key nor the PIN.
 *
 *   key_process SOCKET KEY-URI
 */
#include "common.h"

static gateway g;

/* What the key's process made of an enc. */
typedef struct made {
    tw_err err;
    uint8_t secret[TW_MAX_SECRET];
} made;

static void key_process(int fd, const char *uri)
{
    uint8_t enc[TW_MAX_ENC];
    made m = {.err = TW_OK}; /* all of it is sent, and nothing else of this stack */

    gateway_open(&g, uri);
    (void)say(fd, &g.key->kem->id, sizeof(g.key->kem->id));
    (void)say(fd, g.key->public_key, g.key->kem->public_len);
    while (hear(fd, enc, sizeof(enc)) == g.key->kem->enc_len) {
        m.err = g.key->ops->decap(g.key, enc, NULL, m.secret);
        (void)say(fd, &m, sizeof(m));
        tw_wipe(m.secret, sizeof(m.secret));
    }
    gateway_close(&g);
}

static tw_err use_key_process(tw_pending *pending, void *fd)
{
    made m = {.err = TW_ERR_TOKEN_FAILED}; /* unless it answers; if it ended, so does the server */

    (void)say(*(int *)fd, tw_pending_enc(pending, NULL), g.key->kem->enc_len);
    if (must_hear(*(int *)fd, &m, sizeof(m)) == sizeof(m) && m.err == TW_OK) {
        m.err = tw_pending_supply(pending, m.secret, g.key->kem->secret_len);
    }
    tw_wipe(m.secret, sizeof(m.secret));
    return m.err;
}

int serve(const char *path, const char *uri)
{
    int fd = start_beside(key_process, uri);
    uint16_t kem_id = 0;
    uint8_t pk[TW_MAX_PUBLIC];

    (void)must_hear(fd, &kem_id, sizeof(kem_id));
    CHECK(tw_key_from_public(kem_id, pk, must_hear(fd, pk, sizeof(pk)), NULL, &g.key));
    gateway_serve(&g);
    serve_whole(listen_at(path), g.receiver, "server", use_key_process, &fd);
}
