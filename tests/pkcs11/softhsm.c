/* SPDX-License-Identifier: Apache-2.0 */
/* The table of exchanges over SoftHSM. */
#include <criterion/criterion.h>

#include "check.h"
#include "exchange.h"
#include "stand.h"

#define LARGEST (10u << 20)

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(softhsm, .fini = end, .timeout = 300);

static void table(uint16_t kem_id)
{
    tw_token *token;
    tw_key *key;

    stand_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, kem_id, "a");
    exchange_all(key, kem_id, LARGEST);
    exchange_suites(key, kem_id);
    tw_key_free(key);
    tw_token_free(token);
    must_no_event(&s);
}

Test(softhsm, receives_with_p256)
{
    table(TW_KEM_P256_HKDF_SHA256);
}

Test(softhsm, receives_with_p384)
{
    table(TW_KEM_P384_HKDF_SHA384);
}

Test(softhsm, receives_with_p521)
{
    table(TW_KEM_P521_HKDF_SHA512);
}

Test(softhsm, receives_with_x25519)
{
    table(TW_KEM_X25519_HKDF_SHA256);
}

Test(softhsm, receives_with_x448)
{
    table(TW_KEM_X448_HKDF_SHA512);
}
