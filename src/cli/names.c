/* SPDX-License-Identifier: Apache-2.0 */

/* The library names what it has built in; here those names are read back. */

#include <stdio.h>
#include <string.h>

#include "cli.h"

static const uint16_t kems[] = {
    TW_KEM_P256_HKDF_SHA256,   TW_KEM_P384_HKDF_SHA384, TW_KEM_P521_HKDF_SHA512,
    TW_KEM_X25519_HKDF_SHA256, TW_KEM_X448_HKDF_SHA512,
};
static const uint16_t kdfs[] = {TW_KDF_HKDF_SHA256, TW_KDF_HKDF_SHA384, TW_KDF_HKDF_SHA512};
static const uint16_t aeads[] = {TW_AEAD_AES_128_GCM, TW_AEAD_AES_256_GCM,
                                 TW_AEAD_CHACHA20_POLY1305};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool find(const uint16_t *ids, size_t count, const char *(*name_of)(uint16_t),
                 const char *text, size_t len, uint16_t *id)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = name_of(ids[i]);

        if (name != NULL && strlen(name) == len && memcmp(name, text, len) == 0) {
            *id = ids[i];
            return true;
        }
    }
    return false;
}

bool kem_named(const char *name, uint16_t *id)
{
    return find(kems, COUNT(kems), tw_kem_name, name, strlen(name), id);
}

bool symmetric_named(const char *pair, tw_symmetric *out)
{
    const char *comma = strchr(pair, ',');

    return comma != NULL &&
           find(kdfs, COUNT(kdfs), tw_kdf_name, pair, (size_t)(comma - pair), &out->kdf_id) &&
           find(aeads, COUNT(aeads), tw_aead_name, comma + 1, strlen(comma + 1), &out->aead_id);
}

static id_text text_of(const char *name, uint16_t id)
{
    id_text text;

    if (name != NULL) {
        (void)snprintf(text.s, sizeof(text.s), "%s", name);
    } else {
        (void)snprintf(text.s, sizeof(text.s), "0x%04x", (unsigned)id);
    }
    return text;
}

id_text kem_text(uint16_t id)
{
    return text_of(tw_kem_name(id), id);
}

id_text kdf_text(uint16_t id)
{
    return text_of(tw_kdf_name(id), id);
}

id_text aead_text(uint16_t id)
{
    return text_of(tw_aead_name(id), id);
}

void print_hex(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        printf("%02x", data[i]);
    }
}
