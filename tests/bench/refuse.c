/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* What a refused request costs beside an accepted one: a peer that sends only rubbish
 * must not be able to keep a server busy. */

typedef struct refusal {
    const char *name;
    tw_err err;
    size_t at; /* the byte of the head that is changed */
} refusal;

static const refusal refusals[] = {
    {"header", TW_ERR_KEY, 5}, /* a suite that is not served */
    {"key-id", TW_ERR_KEY, 0},
    {"point", TW_ERR_FORMAT, TW_HEADER_LEN + 40}, /* off the curve; or of small order */
};

typedef struct refusing {
    const peers *peers;
    const refusal *refusal;
    bytes head;
} refusing;

static uint64_t refusing_run(void *state, size_t count)
{
    refusing *r = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        tw_opener *opener;

        must_err(r->refusal->err, tw_receiver_accept(r->peers->receiver, NULL, r->head.data,
                                                     r->head.len, &opener, NULL));
    }
    return busy_ns() - begun;
}

/* An x-coordinate cannot be off the curve: zero is the point of small order. */
static void spoil(bytes head, const refusal *how, uint16_t kem_id)
{
    bool montgomery = kem_id == TW_KEM_X25519_HKDF_SHA256;

    if (how->err == TW_ERR_FORMAT && montgomery) {
        memset(head.data + TW_HEADER_LEN, 0, head.len - TW_HEADER_LEN);
    } else {
        head.data[how->at] ^= 1;
    }
}

static void refuse_row(const plan *p, const refusal *how, uint16_t kem_id)
{
    row r = row_named(COST, "refuse/%s/%s", how->name, tw_kem_name(kem_id));
    size_t mark = bytes_mark();
    receiving *accepted;
    refusing refused;
    message m;
    peers ends;

    if (!is_wanted(p, r.name)) {
        return;
    }
    peers_start(&ends, suite_of(kem_id, TW_AEAD_AES_128_GCM));
    m = message_seal(&ends, KIND_REQUEST, format_of(false, 0), bytes_new(16), 0);
    spoil(m.head, how, kem_id);
    refused = (refusing){&ends, how, m.head};
    accepted = receiving_new(&ends, format_of(false, 0), 1024, false);
    r.ours = (side){refusing_run, &refused};
    r.bare = (side){receiving_run, accepted};
    compare(p, &r);
    receiving_free(accepted);
    peers_end(&ends);
    bytes_release(mark);
}

void measure_refuse(const plan *p)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        refuse_row(p, &refusals[i], TW_KEM_P256_HKDF_SHA256);
        refuse_row(p, &refusals[i], TW_KEM_X25519_HKDF_SHA256);
    }
}
