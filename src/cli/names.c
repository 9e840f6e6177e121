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

/* The bytes of one character of UTF-8 (RFC 3629 section 4), or 0 when they form none. */
static size_t character_len(const unsigned char *at)
{
    const size_t more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;

    if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || (*at == 0xe0 && at[1] < 0xa0) ||
        (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f)) {
        return 0;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return more + 1;
}

/* What a terminal obeys and does not show: C0 and C1; of Unicode what ends a line or a paragraph
 * and what turns the direction of others (U+2028 to U+202E, U+2066 to U+2069). */
static bool is_control(const unsigned char *at)
{
    if (*at == 0xe2 && (at[1] == 0x80 || at[1] == 0x81)) {
        return at[1] == 0x80 ? at[2] >= 0xa8 && at[2] <= 0xae : at[2] >= 0xa6 && at[2] <= 0xa9;
    }
    return *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);
}

size_t name_step(const char *name, bool *shown)
{
    const unsigned char *at = (const unsigned char *)name;
    const size_t len = character_len(at);

    *shown = len > 0 && !is_control(at);
    return len > 0 ? len : 1;
}

void name_clean(char *name)
{
    bool shown;

    for (size_t step; *name != '\0'; name += step) {
        step = name_step(name, &shown);
        if (!shown) {
            memset(name, '?', step);
        }
    }
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
