/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation with software keys: what is left of their secrets, after each and after
 * every free. */
#include <stdio.h>

#include "stage.h"

static const setting settings[] = {
    {"p256", TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, 32, NULL},
    {"p384", TW_KEM_P384_HKDF_SHA384, TW_KDF_HKDF_SHA384, TW_AEAD_AES_256_GCM, 48, NULL},
    {"p521", TW_KEM_P521_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305, 66, NULL},
    {"x25519", TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305, 32, NULL},
    {"x448", TW_KEM_X448_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_AES_256_GCM, 56, NULL},
    {"p256 by query", TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, 32,
     "provider=default"},
    {"x25519 by query", TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305,
     32, "provider=default"},
};

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *arg);
    } scenes[] = {{"keys", keys},
                  {"whole", whole},
                  {"chunked", chunked},
                  {"given up", given_up},
                  {"one to many", one_to_many},
                  {"hpke", hpke},
                  {"pump", pump}};

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        for (size_t j = 0; j < sizeof(scenes) / sizeof(scenes[0]); j++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%s, %s", scenes[j].name, settings[i].name);
            scene(name, scenes[j].run, &settings[i]);
        }
    }
    return scenes_end();
}
