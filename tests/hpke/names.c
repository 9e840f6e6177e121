/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/kem.h>

#include "check.h"

Test(names, every_built_in_id_has_its_short_name)
{
    must(strcmp(tw_kem_name(TW_KEM_P256_HKDF_SHA256), "p256") == 0);
    must(strcmp(tw_kem_name(TW_KEM_P384_HKDF_SHA384), "p384") == 0);
    must(strcmp(tw_kem_name(TW_KEM_P521_HKDF_SHA512), "p521") == 0);
    must(strcmp(tw_kem_name(TW_KEM_X25519_HKDF_SHA256), "x25519") == 0);
    must(strcmp(tw_kem_name(TW_KEM_X448_HKDF_SHA512), "x448") == 0);
    must(strcmp(tw_kdf_name(TW_KDF_HKDF_SHA256), "hkdf-sha256") == 0);
    must(strcmp(tw_kdf_name(TW_KDF_HKDF_SHA384), "hkdf-sha384") == 0);
    must(strcmp(tw_kdf_name(TW_KDF_HKDF_SHA512), "hkdf-sha512") == 0);
    must(strcmp(tw_aead_name(TW_AEAD_AES_128_GCM), "aes-128-gcm") == 0);
    must(strcmp(tw_aead_name(TW_AEAD_AES_256_GCM), "aes-256-gcm") == 0);
    must(strcmp(tw_aead_name(TW_AEAD_CHACHA20_POLY1305), "chacha20-poly1305") == 0);
}

Test(names, an_unknown_id_has_none)
{
    static const uint16_t unknown[] = {0, 4, 0x0013, 0x0030, 0x647a, 0xfffe};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        must(tw_kem_name(unknown[i]) == NULL);
        must(tw_kdf_name(unknown[i]) == NULL);
        must(tw_aead_name(unknown[i]) == NULL);
    }
    must(tw_kem_name(0xffff) == NULL && tw_kdf_name(0xffff) == NULL);
}
