/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Private and public keys in PEM, which libcrypto decodes: what is read is written, and reads
 * as the same again; what is refused is refused with a code that says whose fault it is, and
 * leaves nothing in libcrypto's error queue.
 */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include <twoway/twoway.h>

#include "armor.h"
#include "fuzz.h"
#include "support/check.h"

#define LINE 48 /* bytes in a line of 64 characters */

static const char *const labels[ARMORS] = {
    [ARMOR_PRIVATE] = "PRIVATE KEY",         [ARMOR_EC_PRIVATE] = "EC PRIVATE KEY",
    [ARMOR_PUBLIC] = "PUBLIC KEY",           [ARMOR_ENCRYPTED] = "ENCRYPTED PRIVATE KEY",
    [ARMOR_EC_PARAMETERS] = "EC PARAMETERS", [ARMOR_CERTIFICATE] = "CERTIFICATE",
};

static bytes armored(armor how, bytes der)
{
    bytes text;
    size_t at;

    if (how == ARMOR_NONE) {
        return bytes_of(der.data, der.len);
    }
    text = bytes_new(80 + der.len * 3 / 2 + 80);
    at = (size_t)snprintf((char *)text.data, text.len, "-----BEGIN %s-----\n", labels[how]);
    while (der.len > 0) {
        size_t len = der.len < LINE ? der.len : LINE;

        at += (size_t)EVP_EncodeBlock(text.data + at, der.data, (int)len);
        text.data[at++] = '\n';
        der = bytes_from(der, len);
    }
    at +=
        (size_t)snprintf((char *)text.data + at, text.len - at, "-----END %s-----\n", labels[how]);
    return bytes_of(text.data, at);
}

static void refused(tw_err err)
{
    must(err == TW_ERR_FORMAT || err == TW_ERR_INVALID || err == TW_ERR_KEY);
    must(ERR_peek_error() == 0);
}

/* --- Private keys. --------------------------------------------------------------------------- */

static bytes write_key(const tw_key *key)
{
    bytes text;
    size_t need = 0, len = 0;

    must_err(TW_ERR_SPACE, tw_key_to_pem(key, NULL, 0, &need));
    text = bytes_new(need);
    must_err(TW_ERR_SPACE, tw_key_to_pem(key, (char *)text.data, need - 1, &len));
    must_size(need, len);
    must_ok(tw_key_to_pem(key, (char *)text.data, need, &len));
    must_size(need, len);
    return text;
}

static void private_key(bytes text)
{
    tw_key *key = (tw_key *)&key, *again = NULL;
    tw_err err = tw_key_from_pem((const char *)text.data, text.len, NULL, &key);
    bytes written;

    if (err != TW_OK) {
        must(key == NULL);
        refused(err);
        return;
    }
    must_ok(tw_key_check(key));
    written = write_key(key);
    must_ok(tw_key_from_pem((const char *)written.data, written.len, NULL, &again));
    must(again->kem->id == key->kem->id);
    must(memcmp(again->public_key, key->public_key, key->kem->public_len) == 0);
    must_bytes(written, write_key(again));
    tw_key_free(again);
    tw_key_free(key);
}

/* --- Public keys. ---------------------------------------------------------------------------- */

static tw_err read_public(bytes text, uint16_t *kem_id, bytes *pk)
{
    size_t need = SIZE_MAX, len = SIZE_MAX;
    tw_err err =
        tw_public_from_pem((const char *)text.data, text.len, NULL, kem_id, NULL, 0, &need);

    if (err != TW_ERR_SPACE) {
        must(*kem_id == 0);
        must_size(0, need);
        return err;
    }
    *pk = bytes_new(need);
    must_err(TW_ERR_SPACE, tw_public_from_pem((const char *)text.data, text.len, NULL, kem_id,
                                              (uint8_t *)pk->data, need - 1, &len));
    must_size(need, len);
    err = tw_public_from_pem((const char *)text.data, text.len, NULL, kem_id, pk->data, pk->len,
                             &len);
    must_size(need, len);
    return err;
}

static bytes write_public(uint16_t kem_id, bytes pk)
{
    bytes text;
    size_t need = 0, len = 0;

    must_err(TW_ERR_SPACE, tw_public_to_pem(kem_id, pk.data, pk.len, NULL, NULL, 0, &need));
    text = bytes_new(need);
    must_ok(tw_public_to_pem(kem_id, pk.data, pk.len, NULL, (char *)text.data, need, &len));
    must_size(need, len);
    return text;
}

static void public_key(bytes text)
{
    uint16_t kem_id = 1, again_id = 1;
    bytes pk = bytes_none, again = bytes_none;
    tw_err err = read_public(text, &kem_id, &pk);

    if (err != TW_OK) {
        refused(err);
        return;
    }
    must_ok(read_public(write_public(kem_id, pk), &again_id, &again));
    must(kem_id == again_id);
    must_bytes(pk, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    uint8_t what = take_byte(&in);
    bytes text = armored(what % ARMORS, in);

    if (what < ARMOR_AS_PUBLIC) {
        private_key(text);
    } else {
        public_key(text);
    }
    bytes_release(mark);
    return 0;
}
