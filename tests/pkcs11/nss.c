/* SPDX-License-Identifier: Apache-2.0 */
/* The table of exchanges over NSS's softoken, which needs its parameter string. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "exchange.h"
#include "stand.h"

#define LARGEST (10u << 20)

static stand s;

static void start(void)
{
    stand_nss(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(nss, .init = start, .fini = end, .timeout = 300);

static void table(uint16_t kem_id)
{
    tw_token *token = stand_open(&s);
    tw_key *key = stand_key(&s, token, kem_id, "a");

    exchange_all(key, kem_id, LARGEST);
    exchange_suites(key, kem_id);
    tw_key_free(key);
    tw_token_free(token);
    must_no_event(&s);
}

Test(nss, receives_with_p256)
{
    table(TW_KEM_P256_HKDF_SHA256);
}

Test(nss, receives_with_p384)
{
    table(TW_KEM_P384_HKDF_SHA384);
}

Test(nss, receives_with_p521)
{
    table(TW_KEM_P521_HKDF_SHA512);
}

Test(nss, refuses_a_second_parameter_string_in_one_process)
{
    tw_token *first = stand_open(&s), *second = (tw_token *)&s;

    s.options.init_args = "configdir='sql:/elsewhere'";
    must_err(TW_ERR_INVALID, tw_token_open(stand_uri(&s, ""), &s.options, &second));
    must(second == NULL);
    must_event(&s, TW_ERR_INVALID, NULL, 0, "parameter string");
    s.options.init_args = NULL; /* whatever it has */
    second = stand_open(&s);
    tw_token_free(second);
    tw_token_free(first);
}

Test(nss, says_that_the_module_may_want_a_parameter_string)
{
    tw_token *token = NULL;

    s.options.init_args = NULL;
    if (tw_token_open(stand_uri(&s, ""), &s.options, &token) != TW_OK) {
        must_event(&s, TW_ERR_TOKEN_FAILED, "C_Initialize", CKR_ARGUMENTS_BAD, "x-init-reserved");
    } else { /* a newer NSS does without */
        must_no_event(&s);
        tw_token_free(token);
    }
}

Test(nss, reads_its_pin_from_a_file)
{
    char path[128], uri[256];
    tw_token *token;

    (void)snprintf(path, sizeof(path), "%s/pw", s.dir);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=%s?pin-source=%s", s.token, path);
    must_ok(tw_token_open(uri, &s.options, &token));
    tw_token_free(token);
    write_file(path, "not-it\n");
    must_err(TW_ERR_TOKEN_PIN, tw_token_open(uri, &s.options, &token));
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "wrong");
}
