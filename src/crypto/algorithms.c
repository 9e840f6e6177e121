/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/obj_mac.h>

static const tw_kdf_alg kdf_algs[] = {
    {TW_KDF_HKDF_SHA256, "hkdf-sha256", "SHA2-256", 32, 64},
    {TW_KDF_HKDF_SHA384, "hkdf-sha384", "SHA2-384", 48, 128},
    {TW_KDF_HKDF_SHA512, "hkdf-sha512", "SHA2-512", 64, 128},
};

/* NIST SP 800-38D section 5.2.1.1; RFC 8439 section 2.8. */
#define GCM_MAX    ((UINT64_C(1) << 36) - 32)
#define CHACHA_MAX ((UINT64_C(1) << 38) - 64)

static const tw_aead_alg aead_algs[] = {
    {TW_AEAD_AES_128_GCM, "aes-128-gcm", "AES-128-GCM", 16, GCM_MAX},
    {TW_AEAD_AES_256_GCM, "aes-256-gcm", "AES-256-GCM", 32, GCM_MAX},
    {TW_AEAD_CHACHA20_POLY1305, "chacha20-poly1305", "ChaCha20-Poly1305", 32, CHACHA_MAX},
};

static const tw_dh_alg dh_algs[] = {
    {.kem_id = TW_KEM_P256_HKDF_SHA256,
     .kdf_id = TW_KDF_HKDF_SHA256,
     .name = "p256",
     .group = "P-256",
     .nid = NID_X9_62_prime256v1,
     .nist = true,
     .bitmask = 0xff,
     .dh_len = 32,
     .public_len = 65,
     .private_len = 32},
    {.kem_id = TW_KEM_P384_HKDF_SHA384,
     .kdf_id = TW_KDF_HKDF_SHA384,
     .name = "p384",
     .group = "P-384",
     .nid = NID_secp384r1,
     .nist = true,
     .bitmask = 0xff,
     .dh_len = 48,
     .public_len = 97,
     .private_len = 48},
    {.kem_id = TW_KEM_P521_HKDF_SHA512,
     .kdf_id = TW_KDF_HKDF_SHA512,
     .name = "p521",
     .group = "P-521",
     .nid = NID_secp521r1,
     .nist = true,
     .bitmask = 0x01,
     .dh_len = 66,
     .public_len = 133,
     .private_len = 66},
    {.kem_id = TW_KEM_X25519_HKDF_SHA256,
     .kdf_id = TW_KDF_HKDF_SHA256,
     .name = "x25519",
     .group = "X25519",
     .nid = NID_X25519,
     .dh_len = 32,
     .public_len = 32,
     .private_len = 32},
    {.kem_id = TW_KEM_X448_HKDF_SHA512,
     .kdf_id = TW_KDF_HKDF_SHA512,
     .name = "x448",
     .group = "X448",
     .nid = NID_X448,
     .dh_len = 56,
     .public_len = 56,
     .private_len = 56},
};

const tw_kdf_alg *tw_kdf_alg_find(uint16_t kdf_id)
{
    for (size_t i = 0; i < TW_COUNT(kdf_algs); i++) {
        if (kdf_algs[i].id == kdf_id) {
            return &kdf_algs[i];
        }
    }
    return NULL;
}

const tw_aead_alg *tw_aead_alg_find(uint16_t aead_id)
{
    for (size_t i = 0; i < TW_COUNT(aead_algs); i++) {
        if (aead_algs[i].id == aead_id) {
            return &aead_algs[i];
        }
    }
    return NULL;
}

const tw_dh_alg *tw_dh_alg_find(uint16_t kem_id)
{
    for (size_t i = 0; i < TW_COUNT(dh_algs); i++) {
        if (dh_algs[i].kem_id == kem_id) {
            return &dh_algs[i];
        }
    }
    return NULL;
}

const tw_dh_alg *tw_dh_alg_by_group(const char *group, int nid)
{
    for (size_t i = 0; i < TW_COUNT(dh_algs); i++) {
        if (strcmp(dh_algs[i].group, group) == 0 || dh_algs[i].nid == nid) {
            return &dh_algs[i];
        }
    }
    return NULL;
}

const char *tw_kem_name(uint16_t kem_id)
{
    const tw_dh_alg *alg = tw_dh_alg_find(kem_id);

    return alg == NULL ? NULL : alg->name;
}

const char *tw_kdf_name(uint16_t kdf_id)
{
    const tw_kdf_alg *alg = tw_kdf_alg_find(kdf_id);

    return alg == NULL ? NULL : alg->name;
}

const char *tw_aead_name(uint16_t aead_id)
{
    const tw_aead_alg *alg = tw_aead_alg_find(aead_id);

    return alg == NULL ? NULL : alg->name;
}
